/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_moment.c - why: between two looks at a stream another thread may have
 * raised the limit, begun to take a payload back, or ended the bus; who looked
 * must come to the right answer all the same.  Here the test is that other
 * thread: it sets what the look is to find.
 */
#include "bus_fixture.h"

#include "bus/bus.h"
#include "publish/publish.h"

static struct evbus__stream *
stream_of(struct evbus *bus)
{
	return evbus__stream_of(evbus_stream_default(bus));
}

/* ---- Join ---------------------------------------------------------------- */

/* Producers went on after the limit was read: what lies a ring behind the tail
 * cannot be read any more, so a lossy reader does not start there (D2, D6). */
static void
lossy_reader_from_the_oldest_starts_within_the_ring_D6(void **state)
{
	struct evbus_reader_options lossy = {
		.lossy = 1, .start = EVBUS_START_OLDEST,
	};
	struct evbus_options options = { .stream = { .capacity = 4 } };
	struct evbus *bus = fixture_open(&options);
	struct evbus_topic *topic = fixture_topic(bus, "a");
	struct evbus_ring_ctl *ctl = stream_of(bus)->pub.ctl;
	uint64_t limit, position = 0;
	struct evbus_reader *reader;
	int i;

	(void)state;
	for (i = 0; i < 10; i++)
		assert_int_equal(evbus_publish(topic, "x", 1), 0);
	limit = ctl->limit;
	assert_true(limit >= 10);
	ctl->limit = 8;
	reader = fixture_reader(bus, &lossy);
	assert_true(evbus_reader_subscribe(reader, "a", NULL, NULL, NULL) > 0);
	ctl->limit = limit;
	assert_int_equal(evbus_reader_position(reader, &stream_of(bus)->pub,
	    &position), 0);
	assert_int_equal(position, 6);
	assert_int_equal(fixture_drain(reader), 4);
	fixture_end(bus, 0);
}

/* ---- Payloads outside their slots ---------------------------------------- */

/* Another thread looks at the entry just now, and will put it back: it is held
 * by the caller all the same (S3). */
static void
payload_that_somebody_looks_at_counts_as_held_S3(void **state)
{
	struct evbus_reader_options lossy = { .lossy = 1 };
	struct evbus *bus = fixture_open(NULL);
	struct evbus_topic *topic = fixture_topic(bus, "a");
	struct evbus__stream *stream = stream_of(bus);
	struct evbus_publisher *self = evbus__self(&bus->context);
	struct evbus_reader *reader = fixture_reader(bus, &lossy);
	char payload[1000] = { 0 };
	uint64_t *entry, ticket;
	uint32_t i;

	(void)state;
	assert_true(evbus_reader_subscribe(reader, "a", NULL, NULL, NULL) > 0);
	for (i = 0; i < 2; i++)
		assert_int_equal(evbus_publish(topic, payload,
		    sizeof payload), 0);
	assert_non_null(evbus_next(reader));
	for (i = 0; stream->outside.state[i] != reader->held->pinned; i++)
		assert_true(i + 1 < stream->outside.blocks);
	entry = &stream->outside.state[i];
	ticket = *entry;
	assert_int_equal(evbus__stream_own_pins(stream, self, 0), 1);
	EVBUS_STORE(entry, ticket | EVBUS__OUTSIDE_GOING, RELEASE);
	assert_int_equal(evbus__stream_own_pins(stream, self, 0), 1);
	assert_int_equal(evbus__stream_own_pins(stream, self, 1), 0);
	EVBUS_STORE(entry, ticket, RELEASE);
	evbus_done(reader);
	assert_int_equal(evbus__stream_own_pins(stream, self, 0), 0);
	fixture_end(bus, 0);
}

/* ---- The bus ends -------------------------------------------------------- */

struct ending {
	struct evbus *bus;
	struct evbus_topic *topic;
	unsigned calls;
	int open, closing, ending;	/* what publish answered */
};

static void
set_state(struct evbus *bus, uint32_t state)
{
	EVBUS_STORE(&bus->context.state, state, RELEASE);
}

/* The ring is full, so that each publish looks at the state. */
static enum evbus_verdict
publish_in_each_state(const struct evbus_event *event, void *arg)
{
	struct ending *ending = arg;

	(void)event;
	if (ending->calls++ > 0)
		return EVBUS_DONE;
	ending->open = evbus_try_publish(ending->topic, "x", 1);
	set_state(ending->bus, EVBUS__CLOSING);
	ending->closing = evbus_try_publish(ending->topic, "x", 1);
	set_state(ending->bus, EVBUS__ENDING);
	ending->ending = evbus_try_publish(ending->topic, "x", 1);
	set_state(ending->bus, EVBUS__OPEN);
	return EVBUS_DONE;
}

/* While the bus drains a handler may publish; at the last look it may not. */
static void
publish_in_a_handler_is_refused_only_at_the_last_look_L3(void **state)
{
	struct evbus_options options = { .stream = { .capacity = 2 } };
	struct ending ending = { .bus = fixture_open(&options) };
	struct evbus_reader *reader;

	(void)state;
	ending.topic = fixture_topic(ending.bus, "a");
	reader = fixture_subscribed(ending.bus, "a", publish_in_each_state,
	    &ending);
	assert_int_equal(evbus_publish(ending.topic, "x", 1), 0);
	assert_int_equal(evbus_publish(ending.topic, "x", 1), 0);
	assert_int_equal(evbus_poll(reader, 1), 1);
	assert_int_equal(ending.open, EVBUS_EFULL);
	assert_int_equal(ending.closing, EVBUS_EFULL);
	assert_int_equal(ending.ending, EVBUS_ECLOSED);
	set_state(ending.bus, EVBUS__CLOSING);
	/* Room has come, but not for who stands outside of handlers. */
	stream_of(ending.bus)->pub.ctl->limit = EVBUS__LIMIT_CLOSED;
	fixture_refused(evbus_try_publish(ending.topic, "x", 1),
	    EVBUS_ECLOSED);
	stream_of(ending.bus)->pub.ctl->limit = 2;
	set_state(ending.bus, EVBUS__OPEN);
	assert_int_equal(evbus_poll(reader, 9), 1);
	fixture_end(ending.bus, 0);
}

/* ---- A wake for nothing -------------------------------------------------- */

struct waiting {
	struct evbus *bus;
	struct evbus_topic *topic;
	int result;
};

static void
publish_and_wait(struct fixture_thread *thread)
{
	struct waiting *waiting = thread->arg;

	waiting->result = evbus_publish(waiting->topic, "x", 1);
	fixture_check(thread, waiting->result == 0);
}

/* Wakes until the publisher has looked and found no room. */
static int
has_looked_in_vain(void *arg)
{
	struct evbus__stream *stream = arg;

	evbus__space_wake(stream->pub.ctl);
	return EVBUS_LOAD(&stream->pub.ctl->waits, RELAXED) == 1 &&
	    EVBUS_LOAD(&stream->pub.ctl->gate_reads, RELAXED) >= 16;
}

static void
publisher_that_is_woken_for_nothing_waits_on(void **state)
{
	struct evbus_options options = {
		.stream = { .capacity = 2, .timeout_ns = EVBUS_FOREVER },
	};
	struct waiting waiting = { .bus = fixture_open(&options) };
	struct evbus_stream_stats stats;
	struct fixture_thread thread;
	struct evbus_reader *reader;

	(void)state;
	waiting.topic = fixture_topic(waiting.bus, "a");
	reader = fixture_subscribed(waiting.bus, "a", NULL, NULL);
	assert_int_equal(evbus_poll(reader, 1), 0);
	assert_int_equal(evbus_publish(waiting.topic, "x", 1), 0);
	assert_int_equal(evbus_publish(waiting.topic, "x", 1), 0);
	fixture_start(&thread, publish_and_wait, &waiting);
	assert_true(fixture_until(has_looked_in_vain,
	    stream_of(waiting.bus)));
	assert_int_equal(evbus_stream_stats(&stream_of(waiting.bus)->pub,
	    &stats), 0);
	assert_int_equal(stats.tail, 2);
	assert_int_equal(stats.waiting, 1);
	assert_int_equal(evbus_poll(reader, 1), 1);
	fixture_join(&thread);
	assert_int_equal(evbus_poll(reader, 9), 2);
	fixture_end(waiting.bus, 0);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    lossy_reader_from_the_oldest_starts_within_the_ring_D6),
		cmocka_unit_test(
		    payload_that_somebody_looks_at_counts_as_held_S3),
		cmocka_unit_test(
		    publish_in_a_handler_is_refused_only_at_the_last_look_L3),
		cmocka_unit_test(publisher_that_is_woken_for_nothing_waits_on),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
