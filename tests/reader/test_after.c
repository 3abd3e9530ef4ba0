/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_after.c - why: who acts on an event may have to be sure that it was
 * journalled, checked or billed before: a reader that stands after others must
 * see nothing that these are not done with (D4), and must not stand still when
 * one of them closes, joins late or is demoted.
 */
#include "bus_fixture.h"
#include "reader/reader.h"

#define CAPACITY 8
#define STALL (20 * FIXTURE_MS)

static struct evbus *
open_bus(void)
{
	struct evbus_options options = { .stream = { .capacity = CAPACITY,
	    .timeout_ns = FIXTURE_LONG } };

	return fixture_open_small(&options);
}

/* A reader after `count` others, of these options, that takes everything. */
static struct evbus_reader *
reader_after(struct evbus *bus, const struct evbus_reader_options *given,
    struct evbus_reader *const *after, uint32_t count)
{
	struct evbus_reader_options options = { 0 };
	struct evbus_reader *reader;

	if (given != NULL)
		options = *given;
	options.after = after;
	options.after_count = count;
	reader = fixture_reader(bus, &options);
	assert_true(evbus_reader_subscribe(reader, ">", NULL, NULL, NULL) > 0);
	return reader;
}

static struct evbus_reader *
reader_first(struct evbus *bus)
{
	return reader_after(bus, NULL, NULL, 0);
}

static void
publish(struct evbus_topic *topic, unsigned n)
{
	for (; n > 0; n--)
		assert_int_equal(evbus_try_publish(topic, "x", 1), 0);
}

static struct evbus_reader_stats
stats_of(const struct evbus_reader *reader)
{
	struct evbus_reader_stats stats;

	assert_int_equal(evbus_reader_stats(reader, &stats), 0);
	assert_int_equal(stats.passed, stats.delivered + stats.skipped +
	    stats.holes + stats.lost);
	return stats;
}

/* The next event's sequence, or UINT64_MAX; *flags are the event's. */
static uint64_t
next_of(struct evbus_reader *reader, uint32_t *flags)
{
	const struct evbus_event *event = evbus_next(reader);

	if (event == NULL)
		return UINT64_MAX;
	*flags = event->flags;
	return event->sequence;
}

static enum evbus_verdict
note_flags(const struct evbus_event *event, void *arg)
{
	((uint32_t *)arg)[event->sequence] = event->flags;
	return EVBUS_DONE;
}

/* ---- What is seen, and when --------------------------------------------- */

static void
after_event_comes_when_the_one_ahead_has_passed_it_D4(void **state)
{
	struct evbus *bus = open_bus();
	struct evbus_topic *topic = fixture_topic(bus, "a");
	struct evbus_reader *first = reader_first(bus);
	struct evbus_reader *second = reader_after(bus, NULL, &first, 1);
	struct evbus_reader *third = reader_after(bus, NULL, &second, 1);
	uint32_t flags;

	(void)state;
	publish(topic, 5);
	assert_int_equal(evbus_poll(second, 9), 0);
	assert_int_equal(evbus_poll(first, 2), 2);
	assert_int_equal(evbus_poll(third, 9), 0);
	assert_int_equal(evbus_poll(second, 9), 2);
	assert_int_equal(evbus_poll(second, 9), 0);
	/* An event that is held is not passed. */
	assert_int_equal(next_of(first, &flags), 2);
	assert_int_equal(evbus_poll(second, 9), 0);
	evbus_done(first);
	assert_int_equal(next_of(second, &flags), 2);
	assert_int_equal(flags, 0);
	assert_int_equal(next_of(second, &flags), UINT64_MAX);
	assert_int_equal(evbus_poll(third, 9), 3);
	assert_int_equal(evbus_poll(first, 9), 2);
	assert_int_equal(evbus_poll(second, 1), 1);
	assert_int_equal(evbus_poll(second, 1), 1);
	assert_int_equal(evbus_poll(third, 9), 2);
	assert_int_equal(stats_of(third).uncovered, 0);
	fixture_end(bus, 0);
}

/* The least of all is what counts, and holes and what is unwanted pass too. */
static void
after_several_all_must_have_passed_it_D4(void **state)
{
	struct evbus *bus = open_bus();
	struct evbus_topic *topic = fixture_topic(bus, "a");
	struct evbus_reader *ahead[EVBUS_AFTER_MAX], *last;
	struct evbus_claim claim;
	unsigned i;

	(void)state;
	for (i = 0; i < EVBUS_AFTER_MAX; i++) {
		ahead[i] = fixture_reader(bus, NULL);
		assert_true(evbus_reader_subscribe(ahead[i],
		    i == 0 ? "a" : "b", NULL, NULL, NULL) > 0);
	}
	last = reader_after(bus, NULL, ahead, EVBUS_AFTER_MAX);
	publish(topic, 1);
	assert_int_equal(evbus_claim(topic, 1, 0, &claim), 0);
	evbus_abort(&claim);
	publish(topic, 1);
	for (i = 0; i < EVBUS_AFTER_MAX; i++) {
		assert_int_equal(evbus_poll(last, 9), 0);
		assert_int_equal(evbus_wait(last, 0), 0);
		assert_int_equal(evbus_poll(ahead[i], 9), 3);
	}
	assert_int_equal(evbus_wait(last, 0), 1);
	assert_int_equal(evbus_poll(last, 9), 3);
	fixture_end(bus, 0);
}

/* A stream that the one ahead has not joined restrains nobody, until it does. */
static void
after_one_that_joins_later_restrains_from_then_on_D4(void **state)
{
	struct evbus *bus = open_bus();
	struct evbus_topic *topic = fixture_topic(bus, "a");
	struct evbus_reader *first = fixture_reader(bus, NULL);
	struct evbus_reader *second = reader_after(bus, NULL, &first, 1);
	uint32_t flags;

	(void)state;
	publish(topic, 3);
	assert_int_equal(evbus_wait(second, 0), 1);
	assert_int_equal(evbus_poll(second, 1), 1);
	assert_int_equal(next_of(second, &flags), 1);
	assert_true(evbus_reader_subscribe(first, "a", NULL, NULL, NULL) > 0);
	publish(topic, 1);
	/* What came before is not its business. */
	assert_int_equal(next_of(second, &flags), 2);
	assert_int_equal(next_of(second, &flags), UINT64_MAX);
	assert_int_equal(evbus_poll(first, 9), 1);
	assert_int_equal(next_of(second, &flags), 3);
	fixture_end(bus, 0);
}

static void
after_more_than_one_look_of_unwanted_events_next_goes_on(void **state)
{
	struct evbus_options options = { .stream.capacity = 1024 };
	struct evbus *bus = fixture_open(&options);
	struct evbus_topic *topic = fixture_topic(bus, "a");
	struct evbus_topic *wanted = fixture_topic(bus, "b");
	struct evbus_reader *first = reader_first(bus);
	struct evbus_reader_options after = { .after = &first,
	    .after_count = 1 };
	struct evbus_reader *second = fixture_reader(bus, &after);
	uint32_t flags;

	(void)state;
	assert_true(evbus_reader_subscribe(second, "b", NULL, NULL, NULL) > 0);
	publish(topic, 700);
	publish(wanted, 2);
	assert_int_equal(fixture_drain(first), 702);
	assert_int_equal(next_of(second, &flags), 700);
	assert_int_equal(next_of(second, &flags), 701);
	assert_int_equal(next_of(second, &flags), UINT64_MAX);
	fixture_end(bus, 0);
}

/* What its topic kept waits too; it comes before what follows all the same. */
static void
after_retained_event_comes_when_the_one_ahead_has_passed_it_D4_D6(void **state)
{
	struct evbus_topic_options retain = { .retain = 1 };
	struct evbus *bus = open_bus();
	struct evbus_reader *first = reader_first(bus), *second, *third;
	struct evbus_reader_options stall = { .stall_ns = FIXTURE_LONG };
	struct evbus_reader_options after = { .after = &first,
	    .after_count = 1, .start = EVBUS_START_RETAINED };
	uint32_t flags[2 * CAPACITY] = { 0 };
	struct evbus_topic *topic = NULL, *other = NULL;

	(void)state;
	assert_int_equal(evbus_topic_open(bus, "a", &retain, &topic), 0);
	assert_int_equal(evbus_topic_open(bus, "b", &retain, &other), 0);
	publish(topic, 1);
	publish(other, 1);
	second = fixture_reader(bus, &after);
	assert_true(evbus_reader_subscribe(second, ">", note_flags, flags,
	    NULL) > 0);
	publish(topic, 1);
	assert_int_equal(evbus_wait(second, 0), 0);
	assert_int_equal(evbus_poll(second, 9), 0);
	assert_int_equal(evbus_poll(first, 1), 1);
	assert_int_equal(evbus_wait(second, 0), 1);
	assert_int_equal(evbus_poll(second, 9), 1);
	assert_int_equal(flags[0], EVBUS_EVENT_RETAINED);
	assert_null(evbus_next(second));
	assert_int_equal(flags[1], 0);
	/* Who was ahead is closed: what it had not passed comes as well. */
	assert_int_equal(evbus_reader_close(first, 0), 0);
	assert_int_equal(evbus_poll(second, 9), 2);
	assert_int_equal(flags[1], EVBUS_EVENT_RETAINED);
	assert_int_equal(flags[2], EVBUS_EVENT_END_OF_BATCH);
	/* As if one ahead had been demoted before. */
	third = reader_after(bus, &stall, NULL, 0);
	after.after = &third;
	after.allow_uncovered = 1;
	EVBUS_STORE(&third->place[0]->cursor->demoted, 1, RELAXED);
	second = fixture_reader(bus, &after);
	publish(topic, 1);
	assert_true(evbus_reader_subscribe(second, "a", note_flags, flags,
	    NULL) > 0);
	assert_int_equal(evbus_poll(second, 9), 1);
	assert_int_equal(flags[3], EVBUS_EVENT_RETAINED |
	    EVBUS_EVENT_UNCOVERED);
	fixture_end(bus, 0);
}

/* ---- Ends ---------------------------------------------------------------- */

/* Its place in the tables is used again, by a reader that nobody runs. */
static void
after_one_that_closed_nobody_waits_D4(void **state)
{
	struct evbus_options options = { .stream.capacity = CAPACITY,
	    .max_readers = 2 };
	struct evbus *bus = fixture_open(&options);
	struct evbus_topic *topic = fixture_topic(bus, "a");
	struct evbus_reader *first = reader_first(bus);
	struct evbus_reader *second = reader_after(bus, NULL, &first, 1);
	struct evbus_reader *other;

	(void)state;
	publish(topic, 2);
	assert_int_equal(evbus_wait(second, 0), 0);
	assert_int_equal(evbus_reader_close(first, 0), 0);
	assert_int_equal(evbus_wait(second, 0), 1);
	other = reader_first(bus);
	assert_ptr_equal(other, first);
	publish(topic, 2);
	assert_int_equal(evbus_poll(second, 9), 4);
	/* And who comes in the place of one behind does not stand there. */
	assert_int_equal(evbus_reader_close(second, 0), 0);
	second = reader_first(bus);
	publish(topic, 1);
	assert_int_equal(evbus_poll(second, 9), 1);
	fixture_end(bus, 0);
}

struct closing {
	char order[8];
	unsigned n;
};
struct closing_one {
	struct closing *closing;
	char name;
};

static enum evbus_verdict
note_event(const struct evbus_event *event, void *arg)
{
	struct closing_one *one = arg;

	(void)event;
	one->closing->order[one->closing->n++] = one->name;
	return EVBUS_DONE;
}

static void
note_closed(void *arg)
{
	(void)note_event(NULL, arg);
}

/* Drained in order, and ended in order, whatever the order of their memory. */
static void
after_is_kept_by_close_L3(void **state)
{
	struct evbus_subscribe_options subscribe = { .on_closed = note_closed };
	struct closing closing = { "", 0 };
	struct closing_one one[2] = { { &closing, 'a' }, { &closing, 'b' } };
	struct evbus_options options = { .stream.capacity = CAPACITY,
	    .max_readers = 2 };
	struct evbus *bus = fixture_open(&options);
	struct evbus_topic *topic = fixture_topic(bus, "a");
	struct evbus_reader *gone = reader_first(bus);
	struct evbus_reader *ahead = fixture_reader(bus, NULL), *behind;
	struct evbus_reader_options after = { .after = &ahead,
	    .after_count = 1 };

	(void)state;
	assert_int_equal(evbus_reader_close(gone, 0), 0);
	behind = fixture_reader(bus, &after);
	assert_ptr_equal(behind, gone);
	assert_true(evbus_reader_subscribe(behind, "a", note_event, &one[1],
	    &subscribe) > 0);
	assert_true(evbus_reader_subscribe(ahead, "a", note_event, &one[0],
	    &subscribe) > 0);
	publish(topic, 2);
	fixture_end(bus, 0);
	assert_string_equal(closing.order, "aabbab");
}

/* ---- Lossy and demoted --------------------------------------------------- */

static void
after_a_lossy_one_events_are_flagged_from_its_first_loss_on_D4(void **state)
{
	struct evbus_reader_options lossy = { .lossy = 1,
	    .allow_uncovered = 1 };
	struct evbus *bus = open_bus();
	struct evbus_topic *topic = fixture_topic(bus, "a");
	struct evbus_reader *first = reader_after(bus, &lossy, NULL, 0);
	struct evbus_reader *second = reader_after(bus, &lossy, &first, 1);
	uint32_t flags = 99;
	unsigned i;

	(void)state;
	publish(topic, 4);
	assert_int_equal(evbus_poll(first, 2), 2);
	/* It is waited for as any other. */
	assert_int_equal(next_of(second, &flags), 0);
	assert_int_equal(flags, 0);
	assert_int_equal(next_of(second, &flags), 1);
	assert_int_equal(next_of(second, &flags), UINT64_MAX);
	assert_int_equal(evbus_poll(first, 9), 2);
	publish(topic, CAPACITY + 2);
	/* Sequences 4 and 5 are lost to both, 2 and 3 to the second. */
	assert_int_equal(fixture_drain(first), CAPACITY + 2);
	assert_int_equal(stats_of(first).lost, 2);
	assert_int_equal(stats_of(second).uncovered, 0);
	for (i = 0; i < CAPACITY; i++) {
		assert_int_equal(next_of(second, &flags), 6 + i);
		assert_int_equal(flags, EVBUS_EVENT_UNCOVERED);
	}
	assert_int_equal(stats_of(second).uncovered, 1);
	/* For good. */
	publish(topic, 1);
	assert_int_equal(fixture_drain(first), 1);
	assert_int_equal(next_of(second, &flags), 6 + CAPACITY);
	assert_int_equal(flags, EVBUS_EVENT_UNCOVERED);
	fixture_end(bus, 0);
}

/* S1: a demoted one holds up nobody, not through those behind it either. */
static void
after_one_that_is_demoted_nobody_waits_and_it_is_told_D4_S1(void **state)
{
	struct evbus_reader_options stall = { .name = "journal",
	    .stall_ns = STALL };
	struct evbus *bus = open_bus();
	struct evbus_topic *topic = fixture_topic(bus, "a");
	struct evbus_reader *first = reader_after(bus, &stall, NULL, 0);
	struct evbus_reader_options after = { .after = &first,
	    .after_count = 1 };
	struct evbus_reader *second = NULL;
	uint32_t flags[2 * CAPACITY] = { 0 };
	unsigned i;

	(void)state;
	fixture_refused(evbus_reader_open(bus, &after, &second),
	    EVBUS_EINVAL);
	fixture_says("journal");
	assert_null(second);
	after.allow_uncovered = 1;
	after.worker = "acts";
	second = fixture_reader(bus, &after);
	assert_true(evbus_reader_subscribe(second, "a", note_flags, flags,
	    NULL) > 0);
	publish(topic, CAPACITY);
	assert_int_equal(evbus_poll(first, 4), 4);
	/* These wait for the one behind, and the last for the one ahead. */
	for (i = 0; i < 5; i++)
		assert_int_equal(evbus_publish(topic, "x", 1), 0);
	assert_int_equal(stats_of(first).demoted, 1);
	fixture_end(bus, 0);
	for (i = 0; i < 4; i++)
		assert_int_equal(flags[i] & EVBUS_EVENT_UNCOVERED, 0);
	for (; i < CAPACITY + 5; i++)
		assert_int_equal(flags[i] & EVBUS_EVENT_UNCOVERED,
		    EVBUS_EVENT_UNCOVERED);
}

/* Also of events that go the short way, behind one that does not. */
static void
after_flags_all_events_of_a_poll_D4(void **state)
{
	struct evbus_options options = { .stream.capacity = 64 };
	struct evbus_reader_options lag = { .max_lag = 8 };
	struct evbus *bus = fixture_open(&options);
	struct evbus_topic *topic = fixture_topic(bus, "a");
	struct evbus_topic *other = fixture_topic(bus, "b");
	struct evbus_reader *first = reader_after(bus, &lag, NULL, 0);
	struct evbus_reader_options after = { .after = &first,
	    .after_count = 1, .allow_uncovered = 1 };
	struct evbus_reader *second = fixture_reader(bus, &after);
	uint32_t flags[128] = { 0 };
	unsigned i;

	(void)state;
	assert_true(evbus_reader_subscribe(second, "a", note_flags, flags,
	    NULL) > 0);
	/* Once round, so that the room promised at the start is used up. */
	for (i = 0; i < 65; i += 5) {
		publish(topic, 5);
		assert_int_equal(fixture_drain(first), 5);
		assert_int_equal(fixture_drain(second), 5);
	}
	for (i = 0; i < 10; i++) {
		publish(topic, 3);
		publish(other, 1);
	}
	assert_int_equal(stats_of(first).demoted, 1);
	assert_int_equal(fixture_drain(second), 40);
	for (i = 0; i < 105; i++)
		assert_int_equal(flags[i] & EVBUS_EVENT_UNCOVERED,
		    i < 65 || (i - 65) % 4 == 3 ? 0 : EVBUS_EVENT_UNCOVERED);
	fixture_end(bus, 0);
}

/* ---- Waiting and waking --------------------------------------------------- */

static void
poll_later(struct fixture_thread *thread)
{
	struct evbus_reader *const *reader = thread->arg;

	fixture_check(thread, fixture_until_parked(reader[1], 0));
	fixture_check(thread, evbus_poll(reader[0], 1) == 1);
}

static void
after_sleeper_is_woken_by_the_one_ahead_D4(void **state)
{
	struct evbus_reader_options no_spin = { .spin_ns = -1 };
	struct evbus *bus = open_bus();
	struct evbus_topic *topic = fixture_topic(bus, "a");
	struct evbus_reader *reader[2];
	struct fixture_thread thread;

	(void)state;
	reader[0] = reader_first(bus);
	reader[1] = reader_after(bus, &no_spin, reader, 1);
	publish(topic, 2);
	fixture_start(&thread, poll_later, reader);
	while (evbus_poll(reader[1], 9) == 0)
		assert_int_equal(evbus_wait(reader[1], FIXTURE_LONG), 1);
	fixture_join(&thread);
	fixture_end(bus, 0);
}

/* One worker runs both; the one behind was opened and stands first in none. */
static void
after_on_one_worker_nothing_stands_still_D4(void **state)
{
	struct evbus_reader_options on = { .worker = "both" };
	struct evbus *bus = open_bus();
	struct evbus_topic *topic = fixture_topic(bus, "a");
	struct evbus_reader *first = reader_after(bus, &on, NULL, 0);
	struct evbus_reader *second = reader_after(bus, &on, &first, 1);
	uint64_t at = 0;
	unsigned i;

	(void)state;
	for (i = 0; i < 1000; i++)
		assert_int_equal(evbus_publish(topic, "x", 1), 0);
	assert_int_equal(evbus_flush(bus, FIXTURE_LONG), 0);
	assert_int_equal(evbus_reader_position(second,
	    evbus_stream_default(bus), &at), 0);
	assert_int_equal(at, 1000);
	fixture_end(bus, 0);
}

struct of {
	struct evbus *bus;
	const struct evbus_reader_options *options;
	struct evbus_reader *reader;
};

static void
open_and_poll(struct fixture_thread *thread)
{
	struct of *of = thread->arg;

	if (fixture_check(thread, evbus_reader_open(of->bus, of->options,
	    &of->reader) == 0) && fixture_check(thread,
	    evbus_reader_subscribe(of->reader, ">", NULL, NULL, NULL) > 0))
		fixture_check(thread, evbus_poll(of->reader, 0) == 0);
}

/* A reader whose thread has ended: it is behind, and nobody's. */
static struct evbus_reader *
reader_of(struct evbus *bus, const struct evbus_reader_options *options,
    struct fixture_thread *thread)
{
	struct of of = { bus, options, NULL };

	fixture_start(thread, open_and_poll, &of);
	fixture_join(thread);
	return of.reader;
}

/* ---- Who holds a stream up (S1, S3) --------------------------------------- */

static void
after_holder_named_is_the_one_ahead_S1(void **state)
{
	struct evbus_options options = { .stream = { .capacity = 2,
	    .timeout_ns = FIXTURE_MS } };
	struct evbus_reader_options on = { .worker = "stuck", .name = "first" };
	struct evbus_reader_options after = { .name = "second",
	    .worker = "free", .after_count = 1 };
	struct evbus *bus = fixture_open_small(&options);
	struct evbus_topic *topic = fixture_topic(bus, "a");
	struct evbus_reader *first = fixture_reader(bus, &on), *second;
	struct fixture_hold hold;

	(void)state;
	fixture_hold_init(&hold);
	after.after = &first;
	second = fixture_reader(bus, &after);
	/* The one behind joins first. */
	assert_true(evbus_reader_subscribe(second, ">", NULL, NULL, NULL) > 0);
	assert_true(evbus_reader_subscribe(first, ">", fixture_holding, &hold,
	    NULL) > 0);
	publish(topic, 2);
	fixture_hold_entered(&hold);
	fixture_refused(evbus_publish(topic, "x", 1), EVBUS_ETIMEDOUT);
	fixture_says("\"first\"");
	fixture_hold_open(&hold);
	fixture_end(bus, 0);
}

/* One that stands after another, but is behind all by itself. */
static void
after_holder_named_is_the_one_behind_S1(void **state)
{
	struct evbus_options options = { .stream = { .capacity = 2,
	    .timeout_ns = FIXTURE_MS } };
	struct evbus_reader_options after = { .name = "second",
	    .after_count = 1 };
	struct evbus *bus = fixture_open_small(&options);
	struct evbus_topic *topic = fixture_topic(bus, "a");
	struct evbus_reader *first = fixture_reader(bus, NULL), *third;
	struct fixture_thread thread[2];

	(void)state;
	after.after = &first;
	assert_non_null(reader_of(bus, &after, &thread[0]));
	assert_true(evbus_reader_subscribe(first, ">", NULL, NULL, NULL) > 0);
	/* Beside it, in the same place. */
	third = reader_of(bus, NULL, &thread[1]);
	assert_non_null(third);
	publish(topic, 2);
	assert_int_equal(evbus_poll(first, 2), 2);
	fixture_refused(evbus_publish(topic, "x", 1), EVBUS_ETIMEDOUT);
	fixture_says("\"second\"");
	fixture_end(bus, 0);
}

/* The caller runs the one ahead, another thread the one behind. */
static void
after_own_reader_ahead_is_a_deadlock_S3(void **state)
{
	struct evbus_reader_options worker = { .worker = "w",
	    .allow_uncovered = 1 };
	struct evbus_reader_options lossy = { .lossy = 1,
	    .allow_uncovered = 1 };
	struct evbus_stream_stats stats;
	struct evbus *bus = open_bus();
	struct evbus_topic *topic = fixture_topic(bus, "a");
	struct evbus_reader *first, *second, *third;

	(void)state;
	/* A lossy one holds nobody up by itself, but through those behind. */
	first = reader_after(bus, &lossy, NULL, 0);
	assert_int_equal(evbus_poll(first, 1), 0);
	publish(topic, 2 * CAPACITY);
	assert_true(fixture_drain(first) > 0);
	second = reader_after(bus, &lossy, &first, 1);
	assert_int_equal(evbus_poll(second, 1), 0);
	third = reader_after(bus, &worker, &second, 1);
	publish(topic, CAPACITY);
	fixture_refused(evbus_publish(topic, "x", 1), EVBUS_EDEADLK);
	fixture_refused(evbus_flush(bus, FIXTURE_LONG), EVBUS_EDEADLK);
	assert_int_equal(fixture_drain(first), CAPACITY);
	fixture_refused(evbus_publish(topic, "x", 1), EVBUS_EDEADLK);
	assert_int_equal(fixture_drain(second), CAPACITY);
	assert_int_equal(evbus_publish(topic, "x", 1), 0);
	assert_int_equal(evbus_stream_stats(evbus_stream_default(bus),
	    &stats), 0);
	assert_int_equal(stats.deadlocks, 3);
	assert_int_equal(evbus_reader_close(third, FIXTURE_LONG), 0);
	fixture_end(bus, 0);
}

static void
poll_nothing(struct fixture_thread *thread)
{
	fixture_check(thread, evbus_poll(thread->arg, 0) == 0);
}

/* The thread that runs both waits for the one behind. */
static void
after_wait_that_only_the_caller_could_end_is_a_deadlock_S3(void **state)
{
	struct evbus_reader_options patient = { .stall_ns = FIXTURE_LONG };
	struct evbus_reader_options may = { .allow_uncovered = 1 };
	struct evbus *bus = open_bus();
	struct evbus_stream_options small = { .capacity = 8 };
	struct evbus_stream *stream;
	struct evbus_topic *topic = fixture_topic(bus, "a");
	struct evbus_reader *first = fixture_subscribed(bus, "a", NULL, NULL);
	struct evbus_reader *second = reader_after(bus, NULL, &first, 1);
	struct evbus_reader *demotable = reader_after(bus, &patient, NULL, 0);
	struct evbus_reader *third = reader_after(bus, &may, &demotable, 1);
	struct evbus_reader_options bare = { .after = &first,
	    .after_count = 1 };
	struct evbus_reader *fourth = fixture_reader(bus, &bare);
	struct fixture_thread thread;

	(void)state;
	/* Nobody runs it yet: somebody else may come. */
	publish(topic, 1);
	assert_int_equal(evbus_wait(second, 1), 0);
	/* Nor where somebody else runs it. */
	fixture_start(&thread, poll_nothing, first);
	fixture_join(&thread);
	assert_int_equal(evbus_wait(second, 1), 0);
	assert_int_equal(evbus_poll(first, 1), 1);
	/* There is something for it, and no cursor for another. */
	assert_int_equal(evbus_wait(second, FIXTURE_LONG), 1);
	assert_int_equal(evbus_wait(fourth, 1), 0);
	assert_int_equal(evbus_poll(second, 1), 1);
	assert_int_equal(evbus_wait(second, 0), 0);
	fixture_refused(evbus_wait(second, EVBUS_FOREVER), EVBUS_EDEADLK);
	publish(topic, 1);
	fixture_refused(evbus_wait(second, EVBUS_FOREVER), EVBUS_EDEADLK);
	/* Time alone would end this one. */
	assert_int_equal(evbus_poll(demotable, 2), 2);
	assert_int_equal(evbus_poll(third, 2), 2);
	assert_int_equal(evbus_wait(third, 1), 0);
	/* In this stream nobody is ahead of it. */
	assert_int_equal(evbus_stream_open(bus, "b", &small, &stream), 0);
	assert_int_equal(stats_of(second).streams, 2);
	assert_int_equal(evbus_wait(second, 1), 0);
	fixture_end(bus, 0);
}

/* ---- Refusals ------------------------------------------------------------- */

static void
after_refusals_say_what_was_wrong(void **state)
{
	struct evbus *bus = open_bus(), *other = open_bus();
	struct evbus_reader *ahead[EVBUS_AFTER_MAX + 1], *reader;
	struct evbus_reader_options options = { .after = ahead };
	struct evbus_reader *closed = fixture_reader(bus, NULL);
	unsigned i;

	(void)state;
	fixture_refused(evbus_reader_open(bus, &options, &reader),
	    EVBUS_EINVAL);
	fixture_says("after_count is 0");
	options.after = NULL;
	options.after_count = 1;
	fixture_refused(evbus_reader_open(bus, &options, &reader),
	    EVBUS_EINVAL);
	fixture_says("after is NULL");
	options.after = ahead;
	options.after_count = EVBUS_AFTER_MAX + 1;
	for (i = 0; i <= EVBUS_AFTER_MAX; i++)
		ahead[i] = closed;
	fixture_refused(evbus_reader_open(bus, &options, &reader),
	    EVBUS_EINVAL);
	fixture_says("after_count is 9");
	options.after_count = 2;
	ahead[1] = NULL;
	fixture_refused(evbus_reader_open(bus, &options, &reader),
	    EVBUS_EINVAL);
	fixture_says("after[1] is NULL");
	ahead[1] = fixture_reader(other, NULL);
	fixture_refused(evbus_reader_open(bus, &options, &reader),
	    EVBUS_EINVAL);
	fixture_says("no reader of this bus");
	assert_int_equal(evbus_reader_close(closed, 0), 0);
	fixture_refused(evbus_reader_open(bus, &options, &reader),
	    EVBUS_ECLOSED);
	fixture_says("after[0] is closed");
	assert_null(reader);
	fixture_end(other, 0);
	fixture_end(bus, 0);
}

/* After itself: its memory may be that of a reader that was closed. */
static void
after_itself_is_refused_D4(void **state)
{
	struct evbus_options one = { .max_readers = 1 };
	struct evbus *bus = fixture_open(&one);
	struct evbus_reader *reader = fixture_reader(bus, NULL);
	struct evbus_reader *self = reader;
	struct evbus_reader_options options = { .after = &self,
	    .after_count = 1 };

	(void)state;
	assert_int_equal(evbus_reader_close(reader, 0), 0);
	fixture_refused(evbus_reader_open(bus, &options, &reader),
	    EVBUS_ECLOSED);
	fixture_end(bus, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    after_event_comes_when_the_one_ahead_has_passed_it_D4),
		cmocka_unit_test(after_several_all_must_have_passed_it_D4),
		cmocka_unit_test(
		    after_one_that_joins_later_restrains_from_then_on_D4),
		cmocka_unit_test(
		    after_more_than_one_look_of_unwanted_events_next_goes_on),
		cmocka_unit_test(
	    after_retained_event_comes_when_the_one_ahead_has_passed_it_D4_D6),
		cmocka_unit_test(after_one_that_closed_nobody_waits_D4),
		cmocka_unit_test(after_is_kept_by_close_L3),
		cmocka_unit_test(
		after_a_lossy_one_events_are_flagged_from_its_first_loss_on_D4),
		cmocka_unit_test(
		    after_one_that_is_demoted_nobody_waits_and_it_is_told_D4_S1),
		cmocka_unit_test(after_flags_all_events_of_a_poll_D4),
		cmocka_unit_test(after_sleeper_is_woken_by_the_one_ahead_D4),
		cmocka_unit_test(after_on_one_worker_nothing_stands_still_D4),
		cmocka_unit_test(after_holder_named_is_the_one_ahead_S1),
		cmocka_unit_test(after_holder_named_is_the_one_behind_S1),
		cmocka_unit_test(after_own_reader_ahead_is_a_deadlock_S3),
		cmocka_unit_test(
		    after_wait_that_only_the_caller_could_end_is_a_deadlock_S3),
		cmocka_unit_test(after_refusals_say_what_was_wrong),
		cmocka_unit_test(after_itself_is_refused_D4),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
