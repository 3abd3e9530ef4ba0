/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_leave.c - why: a member of a group may be closed, or its thread may end,
 * at any time: what it has in hand then goes to another member, flagged as
 * redelivered, whole, once, also a payload outside its slot (D3, L1); and
 * without memory nothing is lost either (M2).
 */
#include "bus_fixture.h"
#include "fault_alloc.h"

#define LARGE 512u

static struct evbus *
open_bus(void)
{
	struct evbus_options options = { .stream = { .capacity = 16,
	    .max_payload = LARGE, .pool_blocks = 4,
	    .timeout_ns = FIXTURE_LONG }, .max_streams = 4,
	    .max_readers = 16, .max_publishers = 16, .max_topics = 16 };

	return fixture_open(&options);
}

/* What a member's handler saw. */
struct seen {
	unsigned events;
	unsigned again;		/* flagged */
	uint64_t sequence;	/* of the last */
	unsigned stop_at;	/* answer something else at this one */
	enum evbus_verdict answer;
	unsigned exit_at;	/* end the thread in it */
};

static enum evbus_verdict
see(const struct evbus_event *event, void *arg)
{
	struct seen *seen = arg;
	const unsigned char *byte = event->data;
	uint32_t i;

	for (i = 1; i < event->size; i++)
		assert_int_equal(byte[i], byte[0]);
	seen->events++;
	seen->again += (event->flags & EVBUS_EVENT_REDELIVERED) != 0;
	seen->sequence = event->sequence;
	if (seen->events == seen->exit_at)
		pthread_exit(NULL);
	return seen->events == seen->stop_at ? seen->answer : EVBUS_DONE;
}

static struct evbus_reader *
open_member(struct evbus *bus, struct seen *seen)
{
	struct evbus_reader_options options = { .group = "work" };
	struct evbus_reader *reader = fixture_reader(bus, &options);

	assert_true(evbus_reader_subscribe(reader, ">", see, seen, NULL) > 0);
	return reader;
}

static void
publish(struct evbus_topic *topic, unsigned n, size_t size)
{
	unsigned char bytes[LARGE];

	for (; n > 0; n--) {
		memset(bytes, (int)n, size);
		assert_int_equal(evbus_publish(topic, bytes, size), 0);
	}
}

static struct evbus_group_stats
stats_of(struct evbus *bus)
{
	struct evbus_group_stats stats;

	assert_int_equal(evbus_group_stats(bus, "work", &stats), 0);
	assert_int_equal(stats.claimed, stats.delivered + stats.skipped +
	    stats.holes + stats.lost + stats.in_hand);
	return stats;
}

static void
who_is_closed_hands_over_what_it_has_in_hand_D3(void **state)
{
	struct evbus *bus = open_bus();
	struct evbus_topic *topic = fixture_topic(bus, "a");
	struct seen seen[3] = { { .stop_at = 2, .answer = EVBUS_PAUSE } };
	struct evbus_reader *member[3];
	unsigned i;

	(void)state;
	for (i = 0; i < 2; i++)
		member[i] = open_member(bus, &seen[i]);
	publish(topic, 10, 8);
	/* It takes five of ten, and stops at the second. */
	fixture_refused(evbus_poll(member[0], 10), EVBUS_EVERDICT);
	assert_int_equal(stats_of(bus).in_hand, 3);
	assert_int_equal(evbus_reader_close(member[0], 0), 0);
	assert_int_equal(stats_of(bus).waiting, 3);
	assert_int_equal(stats_of(bus).redelivered, 3);
	/* The other is told, and gets these first. */
	assert_int_equal(evbus_wait(member[1], 0), 1);
	assert_int_equal(evbus_poll(member[1], 1), 1);
	assert_int_equal(seen[1].sequence, 2);
	assert_int_equal(seen[1].again, 1);
	/* From hand to hand to hand: who comes may have them as well. */
	member[2] = open_member(bus, &seen[2]);
	assert_int_equal(evbus_reader_close(member[1], 0), 0);
	assert_int_equal(fixture_drain(member[2]), 7);
	assert_int_equal(seen[2].again, 2);
	assert_int_equal(stats_of(bus).delivered, 10);
	assert_int_equal(stats_of(bus).in_hand, 0);
	assert_int_equal(stats_of(bus).redelivered, 5);
	fixture_end(bus, 0);
}

/* The verdict STOP ends the member; in its hand is nothing lost. */
static void
who_answers_stop_leaves_its_group_D3(void **state)
{
	struct evbus *bus = open_bus();
	struct evbus_topic *topic = fixture_topic(bus, "a");
	struct seen seen[2] = { { .stop_at = 2, .answer = EVBUS_STOP } };
	struct evbus_reader *member[2];
	unsigned i;

	(void)state;
	for (i = 0; i < 2; i++)
		member[i] = open_member(bus, &seen[i]);
	publish(topic, 10, 8);
	assert_int_equal(evbus_poll(member[0], 10), 2);
	fixture_refused(evbus_poll(member[0], 1), EVBUS_ECLOSED);
	assert_int_equal(stats_of(bus).members, 1);
	assert_int_equal(fixture_drain(member[1]), 8);
	assert_int_equal(seen[1].again, 3);
	fixture_end(bus, 0);
}

static struct evbus_reader *to_close;

static enum evbus_verdict
close_own(const struct evbus_event *event, void *arg)
{
	unsigned *events = arg;

	(void)event;
	if (++*events == 1)
		assert_int_equal(evbus_reader_close(to_close, FIXTURE_LONG),
		    0);
	return EVBUS_DONE;
}

static void
who_closes_itself_in_its_handler_hands_over_the_rest_D3(void **state)
{
	struct evbus *bus = open_bus();
	struct evbus_topic *topic = fixture_topic(bus, "a");
	struct evbus_reader_options options = { .group = "work" };
	struct seen seen = { 0 };
	struct evbus_reader *other;
	unsigned events = 0;

	(void)state;
	to_close = fixture_reader(bus, &options);
	assert_true(evbus_reader_subscribe(to_close, ">", close_own, &events,
	    NULL) > 0);
	other = open_member(bus, &seen);
	publish(topic, 4, 8);
	assert_int_equal(evbus_poll(to_close, 4), 1);
	assert_int_equal(events, 1);
	assert_int_equal(fixture_drain(other), 3);
	assert_int_equal(seen.again, 1);
	fixture_end(bus, 0);
}

/* An event that evbus_next() returned is not handled before evbus_done(). */
static void
who_holds_an_event_hands_it_over_L1(void **state)
{
	struct evbus *bus = open_bus();
	struct evbus_topic *topic = fixture_topic(bus, "a");
	const struct evbus_event *event;
	struct evbus_reader *member[2];
	struct seen seen[2] = { { 0 } };
	unsigned i;

	(void)state;
	for (i = 0; i < 2; i++)
		member[i] = open_member(bus, &seen[i]);
	publish(topic, 2, 8);
	event = evbus_next(member[0]);
	assert_non_null(event);
	assert_int_equal(evbus_reader_close(member[0], 0), 0);
	assert_int_equal(fixture_drain(member[1]), 2);
	assert_int_equal(seen[1].again, 1);
	publish(topic, 16, 8);
	assert_int_equal(fixture_drain(member[1]), 16);
	/* Who held it may still look at it. */
	assert_int_equal(*(const unsigned char *)event->data, 2);
	/* What was redelivered says so by evbus_next() as well. */
	member[0] = open_member(bus, &seen[0]);
	publish(topic, 1, 8);
	assert_non_null(evbus_next(member[0]));
	assert_int_equal(evbus_reader_close(member[0], 0), 0);
	event = evbus_next(member[1]);
	assert_non_null(event);
	assert_true(event->flags & EVBUS_EVENT_REDELIVERED);
	fixture_end(bus, 0);
}

/* ---- Threads that end ---------------------------------------------------- */

struct job {
	struct evbus_reader *reader;
	unsigned budget;		/* 0: evbus_next() */
};

static void *
run_member(void *arg)
{
	struct job *job = arg;

	if (job->budget == 0)
		(void)evbus_next(job->reader);
	else
		(void)evbus_poll(job->reader, job->budget);
	return NULL;
}

static void
run_in_thread(struct evbus_reader *reader, unsigned budget)
{
	struct job job = { reader, budget };
	pthread_t thread;

	assert_int_equal(pthread_create(&thread, NULL, run_member, &job), 0);
	assert_int_equal(pthread_join(thread, NULL), 0);
}

static void
a_thread_that_ends_in_the_handler_hands_over_D3(void **state)
{
	struct evbus *bus = open_bus();
	struct evbus_topic *topic = fixture_topic(bus, "a");
	struct seen seen[2] = { { .exit_at = 2 } };
	struct evbus_reader *member[2];
	struct evbus_reader_stats stats;
	unsigned i;

	(void)state;
	for (i = 0; i < 2; i++)
		member[i] = open_member(bus, &seen[i]);
	publish(topic, 6, 8);
	run_in_thread(member[0], 3);
	/* The second was begun, the third not; the first is done. */
	assert_int_equal(evbus_reader_stats(member[0], &stats), 0);
	assert_int_equal(stats.delivered, 1);
	assert_int_equal(stats_of(bus).waiting, 2);
	assert_int_equal(fixture_drain(member[1]), 5);
	assert_int_equal(seen[1].again, 2);
	/* Its member is one still: another thread may run it, or close it. */
	publish(topic, 2, 8);
	assert_int_equal(evbus_poll(member[0], 1), 1);
	assert_int_equal(evbus_reader_close(member[0], 0), 0);
	assert_int_equal(fixture_drain(member[1]), 1);
	fixture_end(bus, 0);
}

static void *
hold_both(void *arg)
{
	struct evbus_reader **member = arg;

	(void)evbus_next(member[0]);
	(void)evbus_next(member[1]);
	return NULL;
}

static void
a_thread_that_ends_with_an_event_hands_it_over_D3(void **state)
{
	pthread_t thread;
	struct evbus *bus = open_bus();
	struct evbus_topic *topic = fixture_topic(bus, "a");
	struct seen seen[3] = { { 0 } };
	struct evbus_reader *member[3];
	unsigned i;

	(void)state;
	for (i = 0; i < 3; i++)
		member[i] = open_member(bus, &seen[i]);
	publish(topic, 3, LARGE);
	assert_int_equal(pthread_create(&thread, NULL, hold_both, member), 0);
	assert_int_equal(pthread_join(thread, NULL), 0);
	assert_int_equal(stats_of(bus).waiting, 2);
	/* Another that leaves meanwhile, with nothing in hand. */
	assert_int_equal(evbus_reader_close(member[2], 0), 0);
	/* Members of threads that ended take what others left. */
	assert_int_equal(evbus_poll(member[1], 1), 1);
	run_in_thread(member[0], 0);
	assert_int_equal(stats_of(bus).waiting, 1);
	assert_int_equal(stats_of(bus).redelivered, 3);
	assert_int_equal(fixture_drain(member[0]), 2);
	assert_int_equal(seen[0].events + seen[1].events, 3);
	assert_int_equal(stats_of(bus).delivered, 3);
	fixture_end(bus, 0);
}

/* A worker's thread ends after the close: nothing is in its hand. */
static void
a_worker_that_ends_hands_over_nothing_D3(void **state)
{
	struct evbus_reader_options options = { .group = "work",
	    .worker = "w" };
	struct evbus *bus = open_bus();
	struct evbus_topic *topic = fixture_topic(bus, "a");
	struct evbus_reader *reader = fixture_reader(bus, &options);
	struct evbus_report report;
	atomic_uint count = 0;

	(void)state;
	assert_true(evbus_reader_subscribe(reader, ">", fixture_count, &count,
	    NULL) > 0);
	publish(topic, 100, 8);
	assert_int_equal(evbus_close(bus, FIXTURE_LONG, &report), 0);
	assert_int_equal(report.delivered, 100);
	assert_int_equal(count, 100);
	fixture_free(bus);
}

/* ---- Payloads outside their slots ---------------------------------------- */

static void
a_payload_outside_its_slot_goes_along_L1(void **state)
{
	struct evbus *bus = open_bus();
	struct evbus_topic *topic = fixture_topic(bus, "a");
	struct evbus_topic *other = fixture_topic(bus, "b");
	struct seen seen[2] = { { 0 } };
	struct evbus_reader *member[2];
	char bytes[LARGE] = { 0 };
	unsigned i;

	(void)state;
	for (i = 0; i < 2; i++)
		member[i] = open_member(bus, &seen[i]);
	/* One block is in the hand of a member, then of nobody. */
	publish(topic, 1, LARGE);
	assert_non_null(evbus_next(member[0]));
	assert_int_equal(evbus_reader_close(member[0], 0), 0);
	for (i = 0; i < 3; i++)
		publish(topic, 1, LARGE);
	assert_int_equal(evbus_try_publish(topic, bytes, sizeof bytes),
	    EVBUS_EFULL);
	assert_int_equal(evbus_poll(member[1], 1), 1);
	assert_int_equal(seen[1].again, 1);
	assert_int_equal(fixture_drain(member[1]), 3);
	/* All blocks are there again. */
	publish(topic, 4, LARGE);
	/* A batch ends with such an event. */
	publish(other, 2, 8);
	assert_int_equal(fixture_drain(member[1]), 6);
	assert_int_equal(evbus_flush(bus, FIXTURE_LONG), 0);
	fixture_end(bus, 0);
}

static struct evbus_topic *crowded;
static int crowd_result;

/* The second event's handler wants the block that the third has. */
static enum evbus_verdict
crowd(const struct evbus_event *event, void *arg)
{
	char bytes[LARGE] = { 0 };

	if (event->sequence == 1)
		crowd_result = evbus_try_publish(crowded, bytes, sizeof bytes);
	return see(event, arg);
}

/* A claim ends with a payload outside its slot: pinned from the claim on. */
static void
a_payload_is_pinned_while_events_before_it_are_handled_L1(void **state)
{
	struct evbus_options bus_options = { .stream = { .capacity = 16,
	    .max_payload = LARGE, .pool_blocks = 1 } };
	struct evbus_reader_options options = { .group = "work" };
	struct evbus *bus = fixture_open(&bus_options);
	struct evbus_reader *member = fixture_reader(bus, &options);
	struct seen seen = { 0 };
	char bytes[LARGE] = { 0 };
	unsigned round;

	(void)state;
	crowded = fixture_topic(bus, "a");
	assert_true(evbus_reader_subscribe(member, ">", crowd, &seen,
	    NULL) > 0);
	crowd_result = 0;
	publish(crowded, 2, 8);
	publish(crowded, 1, LARGE);
	assert_int_equal(evbus_poll(member, 3), 3);
	assert_int_equal(crowd_result, EVBUS_EFULL);
	/* The same where a poll was stopped and evbus_next() goes on. */
	for (round = 0; round < 2; round++) {
		seen.stop_at = seen.events + 1;
		seen.answer = EVBUS_PAUSE;
		publish(crowded, 2, 8);
		publish(crowded, 1, LARGE);
		fixture_refused(evbus_poll(member, 3), EVBUS_EVERDICT);
		assert_non_null(evbus_next(member));
		evbus_done(member);
		assert_int_equal(evbus_try_publish(crowded, bytes,
		    sizeof bytes), EVBUS_EFULL);
		assert_int_equal(fixture_drain(member), 1);
	}
	assert_int_equal(evbus_try_publish(crowded, bytes, sizeof bytes), 0);
	fixture_end(bus, 0);
}

static unsigned given;

static void
give(const void *data, size_t size, void *arg)
{
	(void)data;
	(void)size;
	(void)arg;
	given++;
}

/* The group ends with a payload that waits for another hand. */
static void
a_payload_that_nobody_takes_is_given_back_L1(void **state)
{
	struct evbus_publish_options options = { .release = give };
	struct evbus *bus = open_bus();
	struct evbus_topic *topic = fixture_topic(bus, "a");
	struct evbus_reader *member;
	struct evbus_report report;
	struct seen seen = { 0 };

	(void)state;
	given = 0;
	member = open_member(bus, &seen);
	assert_int_equal(evbus_publish_with(topic, "xx", 2, &options), 0);
	assert_non_null(evbus_next(member));
	assert_int_equal(evbus_reader_close(member, 0), 0);
	assert_int_equal(evbus_flush(bus, FIXTURE_LONG), 0);
	assert_int_equal(given, 1);
	assert_int_equal(evbus_close(bus, 0, &report), 0);
	assert_int_equal(evbus_free(bus), 0);
}

/* A bus that is freed with a kept group, and events in nobody's hand. */
static void
a_kept_group_is_freed_with_the_bus_M2(void **state)
{
	struct evbus_reader_options options = { .group = "work",
	    .keep_group = 1 };
	struct evbus *bus = open_bus();
	struct evbus_topic *topic = fixture_topic(bus, "a");
	struct evbus_reader *member[2];
	unsigned i;

	(void)state;
	for (i = 0; i < 2; i++) {
		member[i] = fixture_reader(bus, &options);
		assert_true(evbus_reader_subscribe(member[i], ">", NULL, NULL,
		    NULL) > 0);
	}
	publish(topic, 1, 8);
	publish(topic, 1, LARGE);
	for (i = 0; i < 2; i++)
		assert_non_null(evbus_next(member[i]));
	for (i = 0; i < 2; i++)
		assert_int_equal(evbus_reader_close(member[i], 0), 0);
	assert_int_equal(stats_of(bus).waiting, 2);
	fixture_refused(evbus_close(bus, 0, NULL), EVBUS_ETIMEDOUT);
	assert_int_equal(evbus_free(bus), 0);
}

/* ---- Without memory ------------------------------------------------------ */

enum others { NOBODY, A_MEMBER, A_KEPT_GROUP };

/*
 * One member comes, and the k-th allocation from then on fails; whether it
 * came.  Nobody is held up by one that could not.
 */
static int
try_to_join(enum others others, size_t k)
{
	struct evbus_options options = { .stream = { .capacity = 16 },
	    .max_readers = 8, .max_topics = 8, .max_streams = 2 };
	struct evbus_reader_options member = { .group = "work",
	    .keep_group = others == A_KEPT_GROUP };
	struct evbus_reader *reader, *other = NULL;
	struct seen seen[2] = { { 0 } };
	struct fault_alloc fault;
	struct evbus_topic *topic;
	struct evbus *bus;
	int64_t id = 0;

	fault_alloc_init(&fault);
	options.allocator = fault_alloc_hooks(&fault);
	bus = fixture_open(&options);
	topic = fixture_topic(bus, "a");
	if (others != NOBODY) {
		other = fixture_reader(bus, &member);
		assert_true(evbus_reader_subscribe(other, ">", see, &seen[0],
		    NULL) > 0);
	}
	if (others == A_KEPT_GROUP)
		assert_int_equal(evbus_reader_close(other, 0), 0);
	fault_alloc_arm(&fault, k, 0);
	if (evbus_reader_open(bus, &member, &reader) == 0)
		id = evbus_reader_subscribe(reader, ">", see, &seen[1], NULL);
	fault_alloc_arm(&fault, 0, 0);
	if (id < 0) {
		assert_int_equal(id, EVBUS_ENOMEM);
		assert_int_equal(evbus_poll(reader, 1), 0);
		assert_int_equal(evbus_wait(reader, 0), 0);
		assert_int_equal(evbus_reader_close(reader, 0), 0);
	}
	publish(topic, 16, 8);
	if (others == A_MEMBER)
		assert_int_equal(fixture_drain(other), 16);
	if (id <= 0 && others != A_KEPT_GROUP)
		publish(topic, 16, 8);
	else
		assert_int_equal(evbus_try_publish(topic, "x", 1),
		    others == A_MEMBER ? 0 : EVBUS_EFULL);
	(void)evbus_close(bus, 0, NULL);
	assert_int_equal(evbus_free(bus), 0);
	assert_int_equal(fault_alloc_wrong(&fault), 0);
	assert_int_equal(fault_alloc_blocks(&fault), 0);
	return id > 0;
}

static void
who_cannot_join_holds_nobody_up_M2(void **state)
{
	enum others others;
	size_t k;

	(void)state;
	for (others = NOBODY; others <= A_KEPT_GROUP; others++) {
		for (k = 1; !try_to_join(others, k); k++)
			assert_true(k < 64);
		assert_true(k > 5);
	}
}

/* A member that leaves needs no memory to hand over. */
static void
to_hand_over_needs_no_memory_M2(void **state)
{
	struct evbus_options options = { .stream = { .capacity = 16 },
	    .max_readers = 8, .max_topics = 8, .max_streams = 2 };
	struct evbus_reader *member[2];
	struct seen seen[2] = { { 0 } };
	struct fault_alloc fault;
	struct evbus_topic *topic;
	struct evbus *bus;
	size_t before;

	(void)state;
	fault_alloc_init(&fault);
	options.allocator = fault_alloc_hooks(&fault);
	bus = fixture_open(&options);
	topic = fixture_topic(bus, "a");
	member[0] = open_member(bus, &seen[0]);
	member[1] = open_member(bus, &seen[1]);
	publish(topic, 2, 8);
	assert_non_null(evbus_next(member[0]));
	fault_alloc_arm(&fault, 1, 1);
	assert_int_equal(evbus_reader_close(member[0], 0), 0);
	before = fault_alloc_activity(&fault);
	/* M1: to take it allocates nothing either. */
	assert_int_equal(fixture_drain(member[1]), 2);
	assert_int_equal(fault_alloc_activity(&fault), before);
	assert_int_equal(seen[1].again, 1);
	/* It alone is left, though the other is in the set still. */
	publish(topic, 16, 8);
	fixture_refused(evbus_publish(topic, "x", 1), EVBUS_EDEADLK);
	/* Nor does the last need any to leave. */
	assert_int_equal(evbus_reader_close(member[1], 0), 0);
	fault_alloc_arm(&fault, 0, 0);
	publish(topic, 16, 8);
	fixture_end(bus, 0);
	assert_int_equal(fault_alloc_blocks(&fault), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    who_is_closed_hands_over_what_it_has_in_hand_D3),
		cmocka_unit_test(who_answers_stop_leaves_its_group_D3),
		cmocka_unit_test(
		    who_closes_itself_in_its_handler_hands_over_the_rest_D3),
		cmocka_unit_test(who_holds_an_event_hands_it_over_L1),
		cmocka_unit_test(
		    a_thread_that_ends_in_the_handler_hands_over_D3),
		cmocka_unit_test(
		    a_thread_that_ends_with_an_event_hands_it_over_D3),
		cmocka_unit_test(a_worker_that_ends_hands_over_nothing_D3),
		cmocka_unit_test(a_payload_outside_its_slot_goes_along_L1),
		cmocka_unit_test(
		    a_payload_is_pinned_while_events_before_it_are_handled_L1),
		cmocka_unit_test(a_payload_that_nobody_takes_is_given_back_L1),
		cmocka_unit_test(a_kept_group_is_freed_with_the_bus_M2),
		cmocka_unit_test(who_cannot_join_holds_nobody_up_M2),
		cmocka_unit_test(to_hand_over_needs_no_memory_M2),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
