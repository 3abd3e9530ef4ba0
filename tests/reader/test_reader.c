/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_reader.c - why: where a reader starts decides what it will ever see
 * (D6); its counters are what people believe (D2).
 */
#include "support/event_check.h"

#define CAPACITY 16u

static struct evbus_reader *
reader_at(struct evbus *bus, int lossy, enum evbus_start start,
    uint64_t sequence)
{
	struct evbus_reader_options options = { .lossy = lossy,
	    .start = start, .sequence = sequence };
	struct evbus_reader *reader = NULL;

	assert_int_equal(evbus_reader_open(bus, &options, &reader), 0);
	return reader;
}

/* The first number seen after subscribing; UINT64_MAX: nothing is there. */
static uint64_t
first_seen(struct evbus_reader *reader, uint64_t *lost)
{
	const struct evbus_event *event = evbus_next(reader);
	uint64_t number;

	if (event == NULL)
		return UINT64_MAX;
	number = event_number(event);
	*lost = event->lost;
	CHECK_INT(number, event->sequence);
	evbus_done(reader);
	return number;
}

/* ---- Start -------------------------------------------------------------- */

static void
start_now_only_what_comes(void **state)
{
	struct evbus *bus = event_bus_of(CAPACITY);
	struct evbus_topic *topic = event_topic(bus, "start");
	struct evbus_reader *reader;
	uint64_t lost = 0;
	int lossy;

	(void)state;
	for (lossy = 0; lossy < 2; lossy++) {
		uint64_t tail =
		    event_stream_stats(evbus_stream_default(bus)).tail;

		event_publish(topic, tail, 5);
		reader = reader_at(bus, lossy, EVBUS_START_NOW, 0);
		event_publish(topic, tail + 5, 5);
		/* Now is when it subscribes. */
		(void)event_subscribe(reader, ">", NULL, NULL);
		assert_null(evbus_next(reader));
		event_publish(topic, tail + 10, 1);
		assert_int_equal(first_seen(reader, &lost), tail + 10);
		assert_int_equal(lost, 0);
		event_check_equation(reader);
		assert_int_equal(evbus_reader_close(reader, 0), 0);
	}
	event_bus_close(bus);
}

/* D1: a second subscription on a reader that is behind starts now as well. */
static void
start_now_second_subscription_on_a_reader_behind(void **state)
{
	struct evbus *bus = event_bus_of(CAPACITY);
	struct evbus_topic *topic = event_topic(bus, "start");
	struct evbus_reader *reader = event_reader(bus, 0, EVBUS_START_NOW);
	struct event_log *first = event_log(), *second = event_log();

	(void)state;
	(void)event_subscribe(reader, "start", event_log_handler, first);
	event_publish(topic, 0, 5);
	(void)event_subscribe(reader, "*", event_log_handler, second);
	event_publish(topic, 5, 5);
	assert_int_equal(event_drain(reader), 10);
	assert_int_equal(first->count, 10);
	assert_int_equal(second->count, 5);
	assert_int_equal(event_number(&second->seen[0].event), 5);
	event_bus_close(bus);
	free(first);
	free(second);
}

static void
start_oldest_from_what_is_still_held(void **state)
{
	struct evbus *bus = event_bus_of(CAPACITY);
	struct evbus_topic *topic = event_topic(bus, "start");
	struct evbus_reader *reader;
	uint64_t lost = 0, first, n;
	int lossy;

	(void)state;
	event_publish(topic, 0, 5);
	for (lossy = 0; lossy < 2; lossy++) {
		reader = reader_at(bus, lossy, EVBUS_START_OLDEST, 0);
		(void)event_subscribe(reader, ">", NULL, NULL);
		assert_int_equal(first_seen(reader, &lost), 0);
		assert_int_equal(event_drain(reader), 4);
		assert_int_equal(evbus_reader_close(reader, 0), 0);
	}
	event_publish(topic, 5, 95);
	for (lossy = 0; lossy < 2; lossy++) {
		reader = reader_at(bus, lossy, EVBUS_START_OLDEST, 0);
		(void)event_subscribe(reader, ">", NULL, NULL);
		first = first_seen(reader, &lost);
		/* What is asked for ahead of need is not held: an eighth. */
		assert_in_range(first, 100 - CAPACITY, 100 - CAPACITY +
		    CAPACITY / 8);
		assert_int_equal(lost, 0);
		n = event_drain(reader);
		assert_int_equal(first + 1 + n, 100);
		event_check_equation(reader);
		assert_int_equal(evbus_reader_close(reader, 0), 0);
	}
	event_bus_close(bus);
}

static void
start_sequence_exact_gone_lost_or_einval(void **state)
{
	struct evbus *bus = event_bus_of(CAPACITY);
	struct evbus_topic *topic = event_topic(bus, "start");
	struct evbus_reader *reader;
	uint64_t lost = 0;
	int lossy;

	(void)state;
	event_publish(topic, 0, 100);
	for (lossy = 0; lossy < 2; lossy++) {
		reader = reader_at(bus, lossy, EVBUS_START_SEQUENCE, 95);
		(void)event_subscribe(reader, ">", NULL, NULL);
		assert_int_equal(first_seen(reader, &lost), 95);
		assert_int_equal(lost, 0);
		assert_int_equal(event_drain(reader), 4);
		assert_int_equal(evbus_reader_close(reader, 0), 0);
		/* The tail itself: nothing yet. */
		reader = reader_at(bus, lossy, EVBUS_START_SEQUENCE, 100);
		(void)event_subscribe(reader, ">", NULL, NULL);
		assert_null(evbus_next(reader));
		assert_int_equal(evbus_reader_close(reader, 0), 0);
		/* Beyond the tail. */
		reader = reader_at(bus, lossy, EVBUS_START_SEQUENCE, 101);
		assert_int_equal(evbus_reader_subscribe(reader, ">", NULL,
		    NULL, NULL), EVBUS_EINVAL);
		assert_int_equal(evbus_reader_close(reader, 0), 0);
	}
	/* Too old. */
	reader = reader_at(bus, 0, EVBUS_START_SEQUENCE, 50);
	assert_int_equal(evbus_reader_subscribe(reader, ">", NULL, NULL, NULL),
	    EVBUS_EGONE);
	assert_int_equal(event_reader_stats(reader).streams, 0);
	assert_int_equal(evbus_reader_close(reader, 0), 0);
	reader = reader_at(bus, 1, EVBUS_START_SEQUENCE, 50);
	(void)event_subscribe(reader, ">", NULL, NULL);
	assert_int_equal(first_seen(reader, &lost), 100 - CAPACITY);
	assert_int_equal(lost, 50 - CAPACITY);
	(void)event_drain(reader);
	assert_int_equal(event_reader_stats(reader).passed, 50);
	assert_int_equal(event_reader_stats(reader).lost, 50 - CAPACITY);
	event_check_equation(reader);
	event_bus_close(bus);
}

static void
count_release(const void *data, size_t size, void *arg)
{
	(void)data;
	(void)size;
	(void)__atomic_add_fetch((int *)arg, 1, __ATOMIC_RELAXED);
}

/* What a reader that is late for some payloads sees; how many are lost. */
static uint64_t
read_late(struct evbus_reader *reader, const int *released)
{
	const struct evbus_event *event;
	uint64_t next = 0, lost = 0, number = 0;
	uint32_t producer = 0;

	while ((event = evbus_next(reader)) != NULL) {
		CHECK(event_whole(event->data, event->size, &producer,
		    &number));
		CHECK_INT(number, event->sequence);
		CHECK_INT(released[number], 0);
		CHECK_INT(event->sequence, next + event->lost);
		next = event->sequence + 1;
		lost += event->lost;
	}
	CHECK_INT(next, 15);
	CHECK_INT(event_reader_stats(reader).lost, lost);
	event_check_equation(reader);
	return lost;
}

/*
 * D5, L1: who starts behind the gate may find payloads outside the slots given
 * back.  They are lost; the events in their slots are still there.
 */
static void
start_oldest_payloads_given_back_are_lost(void **state)
{
	struct evbus_stream_options options = { .capacity = CAPACITY,
	    .pool_blocks = 2, .max_references = 2 };
	struct evbus_publish_options with = { .release = count_release };
	struct evbus *bus = event_bus(&options);
	struct evbus_topic *topic = event_topic(bus, "start");
	struct evbus_reader *reader[3];
	static unsigned char data[15][200];
	static int released[15];
	uint64_t i, lost;

	(void)state;
	for (i = 0; i < 15; i++) {
		size_t size = i % 3 == 0 ? 32 : sizeof data[i];

		event_fill(data[i], size, 1, i);
		with.release_arg = &released[i];
		if (i % 3 == 2)
			assert_int_equal(evbus_publish_with(topic, data[i],
			    size, &with), 0);
		else
			assert_int_equal(evbus_publish(topic, data[i], size),
			    0);
	}
	reader[0] = reader_at(bus, 0, EVBUS_START_OLDEST, 0);
	reader[1] = reader_at(bus, 1, EVBUS_START_OLDEST, 0);
	reader[2] = reader_at(bus, 0, EVBUS_START_SEQUENCE, 0);
	for (i = 0; i < 3; i++)
		(void)event_subscribe(reader[i], ">", NULL, NULL);
	lost = read_late(reader[0], released);
	assert_in_range(lost, 6, 10);
	assert_int_equal(read_late(reader[1], released), lost);
	assert_int_equal(read_late(reader[2], released), lost);
	event_bus_close(bus);
	for (i = 0; i < 15; i++)
		assert_int_equal(released[i], i % 3 == 2);
}

/* The same by handlers, some after a lost one and some not. */
static void
start_oldest_lost_told_to_handlers_once(void **state)
{
	struct evbus_stream_options options = { .capacity = CAPACITY,
	    .pool_blocks = 2 };
	struct evbus *bus = event_bus(&options);
	struct evbus_topic *topic = event_topic(bus, "start");
	struct evbus_reader *reader;
	struct event_log *log = event_log();
	unsigned char data[100];
	uint64_t i, next = 0;

	(void)state;
	for (i = 0; i < 15; i++) {
		event_fill(data, i % 4 == 1 ? 100 : 32, 1, i);
		assert_int_equal(evbus_publish(topic, data,
		    i % 4 == 1 ? 100 : 32), 0);
	}
	reader = reader_at(bus, 0, EVBUS_START_OLDEST, 0);
	(void)event_subscribe(reader, ">", event_log_handler, log);
	assert_int_equal(event_drain(reader), 15);
	/* 1 and 5 are given back, 9 and 13 are held. */
	assert_int_equal(log->lost, 2);
	assert_int_equal(log->count, 13);
	for (i = 0; i < log->count; i++) {
		CHECK_INT(log->seen[i].event.sequence,
		    next + log->seen[i].event.lost);
		next = log->seen[i].event.sequence + 1;
	}
	event_check_equation(reader);
	event_bus_close(bus);
	free(log);
}

/* A refused join left nothing behind that holds publishers. */
static void
start_refused_holds_nobody(void **state)
{
	struct evbus *bus = event_bus_of(CAPACITY);
	struct evbus_topic *topic = event_topic(bus, "start");
	struct evbus_reader *reader;

	(void)state;
	event_publish(topic, 0, 100);
	reader = reader_at(bus, 0, EVBUS_START_SEQUENCE, 3);
	assert_int_equal(evbus_reader_subscribe(reader, ">", NULL, NULL, NULL),
	    EVBUS_EGONE);
	event_publish(topic, 0, 100);
	assert_int_equal(event_stream_stats(evbus_stream_default(bus)).waits,
	    0);
	event_bus_close(bus);
}

struct join {
	struct evbus_topic *topic;
	unsigned stop;		/* atomic */
};

static void *
publish_on_and_on(void *arg)
{
	struct join *join = arg;
	uint64_t i;

	for (i = 0; __atomic_load_n(&join->stop, __ATOMIC_RELAXED) == 0; i++)
		CHECK_INT(evbus_publish(join->topic, &i, sizeof i), 0);
	return NULL;
}

/* D6, D1: joins in full flow: from the start on no gap and no duplicate. */
static void
start_in_full_flow_no_gap(void **state)
{
	struct evbus *bus = event_bus_of(64);
	struct join join = { event_topic(bus, "start"), 0 };
	struct evbus_reader *reader;
	pthread_t thread;
	uint64_t next, lost;
	unsigned i, k;

	(void)state;
	thread = event_thread(publish_on_and_on, &join);
	for (i = 0; i < 300; i++) {
		reader = reader_at(bus, 0, i % 2 ? EVBUS_START_OLDEST :
		    EVBUS_START_NOW, 0);
		(void)event_subscribe(reader, ">", NULL, NULL);
		next = UINT64_MAX;
		for (k = 0; k < 200;) {
			const struct evbus_event *event = evbus_next(reader);

			if (event == NULL) {
				CHECK_INT(evbus_wait(reader, EVENT_LONG), 1);
				continue;
			}
			lost = event->lost;
			CHECK_INT(lost, 0);
			CHECK_INT(event_number(event), event->sequence);
			if (k++ > 0)
				CHECK_INT(event->sequence, next);
			next = event->sequence + 1;
		}
		event_check_equation(reader);
		assert_int_equal(evbus_reader_close(reader, 0), 0);
	}
	__atomic_store_n(&join.stop, 1, __ATOMIC_RELAXED);
	event_join(thread);
	event_bus_close(bus);
}

/* ---- Options, limits, counters ------------------------------------------ */

static void
open_bad_options_refused(void **state)
{
	struct evbus_options few = { .max_readers = 2 };
	struct evbus_reader_options options = { 0 };
	struct evbus_reader *reader[3];
	struct evbus *bus = NULL;

	(void)state;
	assert_int_equal(evbus_open(&bus, &few), 0);
	assert_int_equal(evbus_reader_open(NULL, NULL, &reader[0]),
	    EVBUS_EINVAL);
	assert_int_equal(evbus_reader_open(bus, NULL, NULL), EVBUS_EINVAL);
	options.name = "a name that has thirty-two bytes";
	assert_int_equal(strlen(options.name), 32);
	assert_int_equal(evbus_reader_open(bus, &options, &reader[0]),
	    EVBUS_EINVAL);
	options.name = "a name that has thirty-one byte";
	options.start = (enum evbus_start)4;
	assert_int_equal(evbus_reader_open(bus, &options, &reader[0]),
	    EVBUS_EINVAL);
	options.start = EVBUS_START_NOW;
	options.spin_ns = -2;
	assert_int_equal(evbus_reader_open(bus, &options, &reader[0]),
	    EVBUS_EINVAL);
	options.spin_ns = 0;
	assert_int_equal(evbus__reader_open(bus, &options, sizeof options,
	    EVBUS_LAYOUT + 1, &reader[0]), EVBUS_EVERSION);
	assert_int_equal(evbus_reader_open(bus, &options, &reader[0]), 0);
	assert_string_equal(event_reader_stats(reader[0]).name, options.name);
	assert_int_equal(evbus_reader_open(bus, NULL, &reader[1]), 0);
	assert_int_equal(evbus_reader_open(bus, NULL, &reader[2]),
	    EVBUS_ELIMIT);
	assert_null(reader[2]);
	assert_int_equal(evbus_reader_close(reader[1], 0), 0);
	assert_int_equal(evbus_reader_open(bus, NULL, &reader[2]), 0);
	assert_int_equal(evbus_reader_close(NULL, 0), EVBUS_EINVAL);
	assert_int_equal(evbus_reader_close(reader[2], -2), EVBUS_EINVAL);
	event_bus_close(bus);
}

static void
stats_and_position_tell_the_truth(void **state)
{
	struct evbus *bus = event_bus_of(CAPACITY);
	struct evbus_stream *stream = evbus_stream_default(bus);
	struct evbus_topic *wanted = event_topic(bus, "wanted");
	struct evbus_topic *other = event_topic(bus, "other");
	struct evbus_reader *reader = event_reader(bus, 0, EVBUS_START_NOW);
	struct event_log *log = event_log();
	struct evbus_reader_stats stats;
	struct evbus_claim claim;
	uint64_t position = 99;

	(void)state;
	assert_int_equal(evbus_reader_position(reader, stream, &position),
	    EVBUS_ENOENT);
	(void)event_subscribe(reader, "wanted", event_log_handler, log);
	event_publish(wanted, 0, 6);
	event_publish(other, 0, 4);
	assert_int_equal(evbus_claim(wanted, 8, 0, &claim), 0);
	evbus_abort(&claim);
	stats = event_reader_stats(reader);
	assert_int_equal(stats.lag, 11);
	assert_int_equal(stats.passed, 0);
	assert_int_equal(evbus_poll(reader, 5), 5);
	assert_int_equal(evbus_reader_position(reader, stream, &position), 0);
	assert_int_equal(position, 5);
	assert_int_equal(event_drain(reader), 6);
	stats = event_reader_stats(reader);
	assert_int_equal(stats.delivered, 6);
	assert_int_equal(stats.skipped, 4);
	assert_int_equal(stats.holes, 1);
	assert_int_equal(stats.lost, 0);
	assert_int_equal(stats.passed, 11);
	assert_int_equal(stats.calls, 6);
	assert_int_equal(stats.polls, 2);
	assert_int_equal(stats.lag, 0);
	assert_true(stats.lag_max >= 1 && stats.lag_max <= 11);
	assert_int_equal(stats.streams, 1);
	assert_int_equal(evbus_reader_stats(NULL, &stats), EVBUS_EINVAL);
	assert_int_equal(evbus_reader_stats(reader, NULL), EVBUS_EINVAL);
	assert_int_equal(evbus_reader_position(reader, NULL, &position),
	    EVBUS_EINVAL);
	assert_int_equal(evbus_reader_close(reader, 0), 0);
	assert_int_equal(evbus_reader_stats(reader, &stats), EVBUS_ECLOSED);
	event_bus_close(bus);
	free(log);
}

static void
open_with_an_empty_name_gets_one(void **state)
{
	struct evbus_reader_options options = { .name = "" };
	struct evbus *bus = event_bus(NULL);
	struct evbus_reader *reader = NULL;

	(void)state;
	assert_int_equal(evbus_reader_open(bus, &options, &reader), 0);
	assert_true(event_reader_stats(reader).name[0] != '\0');
	event_bus_close(bus);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(start_now_only_what_comes),
		cmocka_unit_test(
		    start_now_second_subscription_on_a_reader_behind),
		cmocka_unit_test(start_oldest_from_what_is_still_held),
		cmocka_unit_test(start_sequence_exact_gone_lost_or_einval),
		cmocka_unit_test(start_oldest_payloads_given_back_are_lost),
		cmocka_unit_test(start_oldest_lost_told_to_handlers_once),
		cmocka_unit_test(start_refused_holds_nobody),
		cmocka_unit_test(start_in_full_flow_no_gap),
		cmocka_unit_test(open_bad_options_refused),
		cmocka_unit_test(open_with_an_empty_name_gets_one),
		cmocka_unit_test(stats_and_position_tell_the_truth),
	};

	return cmocka_run_group_tests_name("reader", tests, NULL, NULL);
}
