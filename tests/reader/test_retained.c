/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_retained.c - why: who comes late must learn how things stand: of each
 * topic its newest event, however it was published and however long ago, and
 * then everything that follows, with no gap and nothing twice (D6).
 */
#include <sys/uio.h>

#include "bus_fixture.h"
#include "fault_alloc.h"

#define CAPACITY	8u
#define LARGE		300u	/* bytes; outside of a slot */

/* What a handler saw. */
struct seen {
	struct {
		uint64_t sequence;
		uint32_t size;
		uint32_t flags;
		uint16_t publisher;
		uint64_t cause;
		const struct evbus_topic *topic;
		char text[LARGE];
	} event[64];
	unsigned count;
	int closed;
	enum evbus_verdict verdict;
	struct evbus_reader *subscribe_on;	/* at the first event */
};

static enum evbus_verdict
see(const struct evbus_event *event, void *arg)
{
	struct seen *seen = arg;

	assert_true(seen->count < 64);
	assert_int_equal((uintptr_t)event->data % 8, 0);
	seen->event[seen->count].sequence = event->sequence;
	seen->event[seen->count].size = event->size;
	seen->event[seen->count].flags = event->flags & EVBUS_EVENT_RETAINED;
	seen->event[seen->count].publisher = event->publisher;
	seen->event[seen->count].cause = event->cause;
	seen->event[seen->count].topic = event->topic;
	assert_true(event->size < LARGE);
	memcpy(seen->event[seen->count].text, event->data, event->size);
	seen->event[seen->count].text[event->size] = '\0';
	seen->count++;
	if (seen->subscribe_on != NULL) {
		assert_true(evbus_reader_subscribe(seen->subscribe_on, "*", see,
		    arg, NULL) > 0);
		seen->subscribe_on = NULL;
	}
	return seen->verdict;
}

static void
on_closed(void *arg)
{
	((struct seen *)arg)->closed++;
}

static struct evbus *
open_bus(void)
{
	struct evbus_options options = { .stream = { .capacity = CAPACITY,
	    .max_payload = LARGE, .pool_blocks = 4 } };

	return fixture_open(&options);
}

static struct evbus_topic *
retaining(struct evbus *bus, const char *name)
{
	struct evbus_topic_options options = { .retain = 1 };
	struct evbus_topic *topic;

	assert_int_equal(evbus_topic_open(bus, name, &options, &topic), 0);
	return topic;
}

static struct evbus_reader *
open_reader(struct evbus *bus, int lossy)
{
	struct evbus_reader_options options = {
		.start = EVBUS_START_RETAINED, .lossy = lossy,
	};

	return fixture_reader(bus, &options);
}

static int64_t
subscribe(struct evbus_reader *reader, const char *pattern, struct seen *seen)
{
	struct evbus_subscribe_options options = { .on_closed = on_closed };
	int64_t id = evbus_reader_subscribe(reader, pattern, see, seen,
	    &options);

	assert_true(id > 0);
	return id;
}

static void
publish(struct evbus_topic *topic, const char *text)
{
	assert_int_equal(evbus_try_publish(topic, text, strlen(text)), 0);
}

/* Event i was kept, or not, and says that. */
static void
is(const struct seen *seen, unsigned i, int retained, const char *text)
{
	assert_true(i < seen->count);
	assert_string_equal(seen->event[i].text, text);
	assert_int_equal(seen->event[i].flags, retained ?
	    EVBUS_EVENT_RETAINED : 0);
}

static uint64_t
retained_of(const struct evbus_reader *reader)
{
	struct evbus_reader_stats stats;

	assert_int_equal(evbus_reader_stats(reader, &stats), 0);
	assert_int_equal(stats.delivered + stats.skipped + stats.holes +
	    stats.lost, stats.passed);
	return stats.retained;
}

/* ---- What is kept -------------------------------------------------------- */

static void
test_D6_newest_then_all_that_follow(void **state)
{
	struct evbus *bus = open_bus();
	struct evbus_topic *a = retaining(bus, "a"), *b = retaining(bus, "b");
	struct evbus_topic *plain = fixture_topic(bus, "plain");
	struct evbus_reader *reader;
	struct seen seen = { .count = 0 };
	unsigned i;

	(void)state;
	publish(a, "a1");
	publish(a, "a2");
	publish(b, "b1");
	/* The ring has lapped them long since. */
	for (i = 0; i < 3 * CAPACITY; i++)
		publish(plain, "x");
	reader = open_reader(bus, 0);
	(void)subscribe(reader, "*", &seen);
	publish(a, "a3");
	publish(plain, "y");
	assert_int_equal(evbus_poll(reader, 100), 4);
	assert_int_equal(seen.count, 4);
	/* Topics come in no order. */
	i = seen.event[0].topic == a ? 0 : 1;
	is(&seen, i, 1, "a2");
	assert_ptr_equal(seen.event[i].topic, a);
	assert_int_equal(seen.event[i].sequence, 1);
	is(&seen, 1 - i, 1, "b1");
	is(&seen, 2, 0, "a3");
	is(&seen, 3, 0, "y");
	assert_int_equal(retained_of(reader), 2);
	/* Once and not again. */
	assert_int_equal(evbus_poll(reader, 100), 0);
	fixture_end(bus, 0);
}

static int
by_with(struct evbus_topic *topic, const char *text, size_t size)
{
	return evbus_publish_with(topic, text, size, NULL);
}

static void
no_release(const void *data, size_t size, void *arg)
{
	(void)data;
	(void)size;
	(void)arg;
}

static int
by_reference(struct evbus_topic *topic, const char *text, size_t size)
{
	struct evbus_publish_options options = { .release = no_release };

	return evbus_publish_with(topic, text, size, &options);
}

static int
by_batch(struct evbus_topic *topic, const char *text, size_t size)
{
	struct iovec batch[2] = {
		{ (void *)(uintptr_t)"first", 5 },
		{ (void *)(uintptr_t)text, size }
	};

	return evbus_publish_batch(topic, batch, 2);
}

static int
by_claim(struct evbus_topic *topic, const char *text, size_t size)
{
	struct evbus_claim claim;
	int error = evbus_claim(topic, size, 0, &claim);

	if (error != 0)
		return error;
	memcpy(claim.data, text, size);
	return evbus_commit(&claim, size);
}

static int
by_publish(struct evbus_topic *topic, const char *text, size_t size)
{
	return evbus_publish(topic, text, size);
}

static void
keeps(int (*way)(struct evbus_topic *, const char *, size_t), size_t size)
{
	struct evbus *bus = open_bus();
	struct evbus_topic *topic = retaining(bus, "t");
	struct evbus_reader *reader;
	struct seen seen = { .count = 0 };
	char text[LARGE];

	memset(text, 'p', size);
	text[size] = '\0';
	assert_int_equal(way(topic, text, size), 0);
	reader = open_reader(bus, 0);
	(void)subscribe(reader, "t", &seen);
	assert_int_equal(evbus_poll(reader, 10), 1);
	is(&seen, 0, 1, text);
	assert_string_equal(evbus_publisher_name(bus,
	    seen.event[0].publisher), "thread-1");
	fixture_end(bus, 0);
}

static void
test_D6_however_it_was_published(void **state)
{
	static const size_t size[] = { 0, 1, 32, 33, LARGE - 1 };
	size_t i;

	(void)state;
	for (i = 0; i < sizeof size / sizeof *size; i++) {
		keeps(by_publish, size[i]);
		keeps(by_with, size[i]);
		keeps(by_reference, size[i]);
		keeps(by_batch, size[i]);
		keeps(by_claim, size[i]);
	}
}

static void
test_D6_by_sequence_and_not_by_time(void **state)
{
	struct evbus *bus = open_bus();
	struct evbus_topic *topic = retaining(bus, "t");
	struct evbus_reader *reader;
	struct evbus_claim early;
	struct seen seen = { .count = 0 };

	(void)state;
	assert_int_equal(evbus_claim(topic, 5, 0, &early), 0);
	publish(topic, "later");
	memcpy(early.data, "early", 5);
	assert_int_equal(evbus_commit(&early, 5), 0);
	reader = open_reader(bus, 0);
	(void)subscribe(reader, "t", &seen);
	assert_int_equal(evbus_poll(reader, 10), 1);
	is(&seen, 0, 1, "later");
	fixture_end(bus, 0);
}

static void
test_D6_aborted_is_not_kept(void **state)
{
	struct evbus *bus = open_bus();
	struct evbus_topic *topic = retaining(bus, "t");
	struct evbus_reader *reader;
	struct evbus_claim claim;
	struct seen seen = { .count = 0 };

	(void)state;
	reader = open_reader(bus, 0);
	assert_int_equal(evbus_claim(topic, 5, 0, &claim), 0);
	evbus_abort(&claim);
	(void)subscribe(reader, "t", &seen);
	assert_int_equal(seen.count, 0);
	publish(topic, "one");
	(void)fixture_drain(reader);
	assert_int_equal(seen.count, 1);
	is(&seen, 0, 0, "one");
	fixture_end(bus, 0);
}

/* ---- Who gets it --------------------------------------------------------- */

/* One by one, on a reader that holds what it returned. */
static void
test_D6_next(void **state)
{
	struct evbus *bus = open_bus();
	struct evbus_topic *topic = retaining(bus, "t");
	struct evbus_reader *reader = open_reader(bus, 1);
	const struct evbus_event *event;

	(void)state;
	publish(topic, "old");
	assert_true(evbus_reader_subscribe(reader, "t", NULL, NULL, NULL) > 0);
	publish(topic, "new");
	assert_int_equal(evbus_wait(reader, 0), 1);
	event = evbus_next(reader);
	assert_non_null(event);
	assert_int_equal(event->flags, EVBUS_EVENT_RETAINED);
	assert_memory_equal(event->data, "old", 3);
	event = evbus_next(reader);
	assert_non_null(event);
	assert_int_equal(event->flags & EVBUS_EVENT_RETAINED, 0);
	assert_memory_equal(event->data, "new", 3);
	evbus_done(reader);
	assert_null(evbus_next(reader));
	/* Held across a poll, the close of the reader and that of the bus. */
	assert_true(evbus_reader_subscribe(reader, "*", NULL, NULL, NULL) > 0);
	assert_non_null(evbus_next(reader));
	assert_int_equal(evbus_poll(reader, 1), 0);
	assert_true(evbus_reader_subscribe(reader, ">", NULL, NULL, NULL) > 0);
	assert_non_null(evbus_next(reader));
	assert_int_equal(evbus_reader_close(reader, 0), 0);
	fixture_end(bus, 0);
}

/* Without a handler evbus_poll() passes it, as it passes events. */
static void
test_D6_without_a_handler(void **state)
{
	struct evbus *bus = open_bus();
	struct evbus_topic *topic = retaining(bus, "t");
	struct evbus_reader *reader = open_reader(bus, 0);

	(void)state;
	publish(topic, "old");
	assert_true(evbus_reader_subscribe(reader, "t", NULL, NULL, NULL) > 0);
	assert_int_equal(evbus_wait(reader, 0), 1);
	assert_int_equal(evbus_poll(reader, 10), 0);
	assert_int_equal(evbus_wait(reader, 0), 0);
	assert_int_equal(retained_of(reader), 0);
	fixture_end(bus, 0);
}

static void
test_D6_subscribed_in_a_handler(void **state)
{
	struct evbus *bus = open_bus();
	struct evbus_topic *topic = retaining(bus, "t");
	struct evbus_topic *other = fixture_topic(bus, "other");
	struct evbus_reader *reader = open_reader(bus, 0);
	struct seen seen = { .subscribe_on = reader };

	(void)state;
	publish(topic, "old");
	(void)subscribe(reader, "other", &seen);
	publish(other, "go");
	publish(topic, "new");
	/* The retained event comes before what follows it, in one poll. */
	assert_true(evbus_poll(reader, 10) > 0);
	assert_int_equal(seen.count, 2);
	is(&seen, 0, 0, "go");
	is(&seen, 1, 1, "new");
	assert_int_equal(seen.event[1].cause, 0);
	publish(topic, "newer");
	assert_int_equal(evbus_poll(reader, 10), 1);
	is(&seen, 2, 0, "newer");
	fixture_end(bus, 0);
}

/* A reader that starts otherwise, and a topic that keeps nothing. */
static void
test_D6_only_who_asks(void **state)
{
	struct evbus *bus = open_bus();
	struct evbus_topic *topic = retaining(bus, "t");
	struct evbus_topic *plain = fixture_topic(bus, "plain");
	struct seen seen = { .count = 0 };
	struct evbus_reader *reader;

	(void)state;
	publish(topic, "old");
	publish(plain, "old");
	reader = fixture_subscribed(bus, "t", see, &seen);
	(void)fixture_drain(reader);
	assert_int_equal(seen.count, 0);
	reader = open_reader(bus, 0);
	(void)subscribe(reader, "plain", &seen);
	(void)fixture_drain(reader);
	assert_int_equal(seen.count, 0);
	publish(plain, "new");
	(void)fixture_drain(reader);
	is(&seen, 0, 0, "new");
	fixture_end(bus, 0);
}

static void
test_D6_sleeper_is_woken(void **state)
{
	struct evbus *bus = open_bus();
	struct evbus_topic *topic = retaining(bus, "t");
	struct evbus_reader_options options = { .worker = "w",
	    .start = EVBUS_START_RETAINED };
	struct evbus_reader *reader = fixture_reader(bus, &options);
	atomic_uint count = 0;

	(void)state;
	publish(topic, "old");
	assert_true(evbus_reader_subscribe(reader, "other", fixture_count,
	    &count, NULL) > 0);
	assert_true(fixture_until_parked(reader, 0));
	assert_true(evbus_reader_subscribe(reader, "t", fixture_count, &count,
	    NULL) > 0);
	assert_true(fixture_until_count(&count, 1));
	fixture_end(bus, 0);
}

/* ---- Ends ---------------------------------------------------------------- */

static void
test_L2_unsubscribed_gets_nothing(void **state)
{
	struct evbus *bus = open_bus();
	struct evbus_topic *topic = retaining(bus, "t");
	struct evbus_reader *reader = open_reader(bus, 0);
	struct seen kept = { .count = 0 }, ended = { .count = 0 };
	int64_t id;

	(void)state;
	publish(topic, "old");
	(void)subscribe(reader, "t", &kept);
	id = subscribe(reader, "t", &ended);
	assert_int_equal(evbus_unsubscribe(bus, id, 0), 0);
	assert_int_equal(evbus_poll(reader, 10), 1);
	assert_int_equal(kept.count, 1);
	assert_int_equal(ended.count, 0);
	assert_int_equal(ended.closed, 1);
	/* STOP at what is retained ends the subscription. */
	ended.verdict = EVBUS_STOP;
	(void)subscribe(reader, "t", &ended);
	publish(topic, "new");
	(void)fixture_drain(reader);
	assert_int_equal(ended.count, 1);
	assert_int_equal(ended.closed, 2);
	assert_int_equal(kept.count, 2);
	fixture_end(bus, 0);
}

/* Close hands over what its thread's readers have not looked at yet. */
static void
test_L3_close(void **state)
{
	struct evbus *bus = open_bus();
	struct evbus_topic *topic = retaining(bus, "t");
	struct seen seen = { .count = 0 };

	(void)state;
	publish(topic, "old");
	(void)subscribe(open_reader(bus, 0), "t", &seen);
	fixture_end(bus, 0);
	assert_int_equal(seen.count, 1);
	assert_int_equal(seen.closed, 1);
	/* A lossy one is not waited for, and all memory is given back. */
	bus = open_bus();
	publish(retaining(bus, "t"), "old");
	(void)subscribe(open_reader(bus, 1), "t", &seen);
	fixture_end(bus, 0);
	assert_int_equal(seen.closed, 2);
}

/* Readers of a thread that does not poll any more. */
struct idler {
	struct evbus *bus;
	struct seen seen;
	int lossy;
	atomic_uint ready, go;
};

static void
idle(struct fixture_thread *thread)
{
	struct idler *idler = thread->arg;

	(void)subscribe(open_reader(idler->bus, idler->lossy), "t",
	    &idler->seen);
	atomic_store(&idler->ready, 1);
	fixture_check(thread, fixture_until_count(&idler->go, 1));
}

static void
close_beside(int lossy)
{
	struct idler idler = { .bus = open_bus(), .lossy = lossy };
	struct evbus_report report;
	struct fixture_thread thread;

	publish(retaining(idler.bus, "t"), "old");
	fixture_start(&thread, idle, &idler);
	assert_true(fixture_until_count(&idler.ready, 1));
	/* What a topic kept is no event that would be left. */
	assert_int_equal(evbus_close(idler.bus, FIXTURE_MS, &report), 0);
	assert_int_equal(report.left, 0);
	assert_int_equal(idler.seen.count, 0);
	assert_int_equal(idler.seen.closed, 1);
	atomic_store(&idler.go, 1);
	fixture_join(&thread);
	fixture_free(idler.bus);
}

static void
test_L3_close_beside_who_does_not_poll(void **state)
{
	(void)state;
	close_beside(0);
	close_beside(1);
}

/* ---- Refusals ------------------------------------------------------------ */

static void
test_options(void **state)
{
	struct evbus *bus = open_bus();
	struct evbus_topic_options options = { .retain = 2 };
	struct evbus_publish_options reference = { .release = no_release };
	struct evbus_topic *topic, *again;
	char large[LARGE + 1] = "";

	(void)state;
	fixture_refused(evbus_topic_open(bus, "t", &options, &topic),
	    EVBUS_EINVAL);
	fixture_says("retain is 2");
	assert_null(topic);
	options.retain = 1;
	(void)fixture_topic(bus, "plain");
	fixture_refused(evbus_topic_open(bus, "plain", &options, &topic),
	    EVBUS_EEXIST);
	fixture_says("retains nothing");
	topic = retaining(bus, "t");
	again = retaining(bus, "t");
	assert_ptr_equal(topic, again);
	assert_ptr_equal(fixture_topic(bus, "t"), topic);
	/* More cannot be kept than the stream's max_payload. */
	assert_int_equal(evbus_publish_with(topic, large, LARGE, &reference),
	    0);
	fixture_refused(evbus_publish_with(topic, large, LARGE + 1,
	    &reference), EVBUS_EMSGSIZE);
	fixture_says("retains up to 300 bytes");
	fixture_end(bus, 0);
}

/* Every allocation of a subscription fails in turn: refused, and no trace. */
static void
test_M2_no_memory(void **state)
{
	struct fault_alloc fault;
	struct evbus_options bus_options = { .stream.capacity = CAPACITY };
	struct evbus_topic_options retain = { .retain = 1 };
	struct evbus_topic *topic;
	struct evbus_reader *reader;
	struct seen seen = { .count = 0 };
	struct evbus *bus;
	size_t fail;
	unsigned refused = 0;
	int64_t id;
	int error;

	(void)state;
	fault_alloc_init(&fault);
	bus_options.allocator = fault_alloc_hooks(&fault);
	bus = fixture_open(&bus_options);
	for (fail = 1; ; fail++) {
		fault_alloc_arm(&fault, fail, 0);
		error = evbus_topic_open(bus, "t", &retain, &topic);
		fault_alloc_arm(&fault, 0, 0);
		if (error == 0)
			break;
		assert_int_equal(error, EVBUS_ENOMEM);
		refused++;
	}
	assert_true(refused >= 2);
	publish(topic, "old");
	reader = open_reader(bus, 0);
	for (fail = 1; ; fail++) {
		fault_alloc_arm(&fault, fail, 0);
		id = evbus_reader_subscribe(reader, "*", see, &seen, NULL);
		fault_alloc_arm(&fault, 0, 0);
		if (id > 0)
			break;
		assert_int_equal(id, EVBUS_ENOMEM);
		assert_int_equal(evbus_poll(reader, 10), 0);
	}
	assert_true(fail > 2);
	assert_int_equal(evbus_poll(reader, 10), 1);
	assert_int_equal(seen.count, 1);
	fixture_end(bus, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_D6_newest_then_all_that_follow),
		cmocka_unit_test(test_D6_however_it_was_published),
		cmocka_unit_test(test_D6_by_sequence_and_not_by_time),
		cmocka_unit_test(test_D6_aborted_is_not_kept),
		cmocka_unit_test(test_D6_next),
		cmocka_unit_test(test_D6_without_a_handler),
		cmocka_unit_test(test_D6_subscribed_in_a_handler),
		cmocka_unit_test(test_D6_only_who_asks),
		cmocka_unit_test(test_D6_sleeper_is_woken),
		cmocka_unit_test(test_L2_unsubscribed_gets_nothing),
		cmocka_unit_test(test_L3_close),
		cmocka_unit_test(test_L3_close_beside_who_does_not_poll),
		cmocka_unit_test(test_options),
		cmocka_unit_test(test_M2_no_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
