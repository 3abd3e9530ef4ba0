/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_copy.c - why: a lossy reader reads what may be written again at any
 * moment.  It must never see half an event (D5), and know of every sequence
 * that went by unread (D2).
 */
#include "support/event_check.h"

/* N overwritten at rest: exactly N lost, told with the next event. */
static void
lossy_overwritten_at_rest_exactly_lost(void **state)
{
	struct evbus *bus = event_bus_of(64);
	struct evbus_topic *topic = event_topic(bus, "lossy");
	struct evbus_reader *reader = event_reader(bus, 1, EVBUS_START_NOW);
	struct evbus_reader_stats stats;
	const struct evbus_event *event;
	uint64_t first = 0, lost = 0;
	unsigned n, i;

	(void)state;
	(void)event_subscribe(reader, ">", NULL, NULL);
	for (n = 1; n < 1000; n += 37) {
		event_publish(topic, first, n);
		for (i = n > 64 ? n - 64 : 0; i < n; i++) {
			event = evbus_next(reader);
			assert_non_null(event);
			CHECK_INT(event_number(event), first + i);
			CHECK_INT(event->sequence, first + i);
			CHECK_INT(event->lost,
			    n > 64 && i == n - 64 ? n - 64 : 0);
		}
		assert_null(evbus_next(reader));
		first += n;
		lost += n > 64 ? n - 64 : 0;
	}
	stats = event_reader_stats(reader);
	assert_int_equal(stats.lost, lost);
	assert_int_equal(stats.passed, first);
	event_check_equation(reader);
	event_bus_close(bus);
}

/* Loss before an event that is skipped is told with the next one given. */
static void
lossy_lost_told_after_skipped_and_holes(void **state)
{
	struct evbus *bus = event_bus_of(8);
	struct evbus_topic *topic = event_topic(bus, "wanted");
	struct evbus_topic *other = event_topic(bus, "other");
	struct evbus_reader *reader = event_reader(bus, 1, EVBUS_START_NOW);
	struct event_log *log = event_log();
	struct evbus_claim claim;

	(void)state;
	(void)event_subscribe(reader, "wanted", event_log_handler, log);
	event_publish(other, 0, 10);
	event_publish(other, 0, 3);
	assert_int_equal(evbus_claim(topic, 8, 0, &claim), 0);
	evbus_abort(&claim);
	event_publish(topic, 7, 2);
	/* 16 sequences, 8 lost, whatever their topic. */
	(void)event_drain(reader);
	assert_int_equal(log->count, 2);
	assert_int_equal(log->seen[0].event.lost, 8);
	assert_int_equal(log->seen[1].event.lost, 0);
	assert_int_equal(event_reader_stats(reader).lost, 8);
	assert_int_equal(event_reader_stats(reader).holes, 1);
	assert_int_equal(event_reader_stats(reader).skipped, 5);
	event_check_equation(reader);
	event_bus_close(bus);
	free(log);
}

/* Lapped many times over: still exact. */
static void
lossy_lapped_many_times_exact(void **state)
{
	struct evbus *bus = event_bus_of(2);
	struct evbus_topic *topic = event_topic(bus, "lossy");
	struct evbus_reader *reader = event_reader(bus, 1, EVBUS_START_NOW);
	struct event_log *log = event_log();

	(void)state;
	(void)event_subscribe(reader, ">", event_log_handler, log);
	event_publish(topic, 0, 100001);
	assert_true(event_drain(reader) >= 2);
	assert_int_equal(log->count, 2);
	assert_int_equal(log->lost, 99999);
	assert_int_equal(event_number(&log->seen[0].event), 99999);
	assert_int_equal(event_number(&log->seen[1].event), 100000);
	event_check_equation(reader);
	event_bus_close(bus);
	free(log);
}

/* ---- Against a running producer ----------------------------------------- */

#define MILLION 1000000u

struct race {
	struct evbus_topic *topic;
	struct evbus_topic *other;
	unsigned producer;
	uint64_t events;
	size_t (*size)(uint64_t number);
	unsigned done;		/* atomic */
};

static void *
produce(void *arg)
{
	struct race *race = arg;
	unsigned char data[600];
	uint64_t i;
	size_t size;

	for (i = 0; i < race->events; i++) {
		size = race->size(i);
		event_fill(data, size, race->producer, i);
		CHECK_INT(evbus_publish(i % 5 == 4 ? race->other : race->topic,
		    data, size), 0);
	}
	__atomic_store_n(&race->done, 1, __ATOMIC_RELEASE);
	return NULL;
}

static size_t
size_inline(uint64_t number)
{
	return 16 + number % 81;	/* of slots of 128 bytes */
}

static size_t
size_mixed(uint64_t number)
{
	return number % 3 == 0 ? 97 + number % 500 : 16 + number % 81;
}

struct reading {
	struct evbus_topic *topic;
	uint64_t next;		/* sequence to be expected, but for loss */
	uint64_t events;
	uint64_t lost;
	uint64_t last[4];	/* number + 1, by producer */
	unsigned one_producer;
};

static enum evbus_verdict
read_one(const struct evbus_event *event, void *arg)
{
	struct reading *reading = arg;
	uint32_t producer = 0;
	uint64_t number = 0;

	CHECK(event->topic == reading->topic);
	CHECK(event_whole(event->data, event->size, &producer, &number));
	CHECK(number % 5 != 4);
	if (producer < 4) {
		/* O2 */
		CHECK(number >= reading->last[producer]);
		reading->last[producer] = number + 1;
	}
	if (reading->one_producer)
		CHECK_INT(number, event->sequence);
	/* Not told lost: every wanted one must have come. */
	if (reading->one_producer && event->lost == 0)
		CHECK_INT(event->sequence - reading->next,
		    reading->next % 5 == 4 ? 1 : 0);
	CHECK(event->sequence >= reading->next + event->lost);
	reading->next = event->sequence + 1;
	reading->events++;
	reading->lost += event->lost;
	return EVBUS_DONE;
}

/* `producers` threads as fast as they can; the reader as it likes. */
static void
race_with(unsigned producers, uint32_t capacity, uint64_t events,
    size_t (*size)(uint64_t))
{
	struct evbus_stream_options options = { .capacity = capacity,
	    .slot_size = 128, .pool_blocks = 8, .timeout_ns = EVBUS_FOREVER };
	struct evbus *bus = event_bus(&options);
	struct evbus_stream *stream = evbus_stream_default(bus);
	struct evbus_topic *topic = event_topic(bus, "race.wanted");
	struct evbus_reader *reader = event_reader(bus, 1, EVBUS_START_NOW);
	struct reading reading = { .topic = topic,
	    .one_producer = producers == 1 };
	struct evbus_reader_stats stats;
	struct race race[4];
	pthread_t thread[4];
	unsigned i, running = 1;
	uint64_t last_lost;

	(void)event_subscribe(reader, "race.wanted", read_one, &reading);
	for (i = 0; i < producers; i++) {
		memset(&race[i], 0, sizeof race[i]);
		race[i].topic = topic;
		race[i].other = event_topic(bus, "race.other");
		race[i].producer = i;
		race[i].events = events / producers;
		race[i].size = size;
		thread[i] = event_thread(produce, &race[i]);
	}
	while (running) {
		for (i = 0, running = 0; i < producers; i++)
			running |= !__atomic_load_n(&race[i].done,
			    __ATOMIC_ACQUIRE);
		CHECK(evbus_poll(reader, 100) >= 0);
		event_check_equation(reader);
	}
	for (i = 0; i < producers; i++)
		event_join(thread[i]);
	(void)event_drain(reader);
	stats = event_reader_stats(reader);
	CHECK_INT(stats.passed, events / producers * producers);
	CHECK_INT(stats.delivered, reading.events);
	last_lost = stats.lost - reading.lost;
	/* Loss behind the last event given has not been told with one. */
	CHECK_INT(last_lost > stats.passed - reading.next, 0);
	event_check_equation(reader);
	(void)printf("%u producers, %u slots: %llu given, %llu lost\n",
	    producers, capacity, (unsigned long long)stats.delivered,
	    (unsigned long long)stats.lost);
	/* Inline, nobody was held. */
	if (producers == 1 && size == size_inline)
		CHECK_INT(event_stream_stats(stream).waits, 0);
	event_bus_close(bus);
}

static void
lossy_beside_one_producer_of_a_million_whole_and_exact(void **state)
{
	(void)state;
	race_with(1, 64, MILLION, size_inline);
	race_with(1, 4, MILLION / 4, size_inline);
	race_with(1, 4096, MILLION / 4, size_inline);
}

static void
lossy_beside_three_producers_whole_and_exact(void **state)
{
	(void)state;
	race_with(3, 64, MILLION / 4, size_inline);
}

static void
lossy_payloads_outside_under_lap_whole_and_exact(void **state)
{
	(void)state;
	race_with(1, 16, MILLION / 8, size_mixed);
	race_with(3, 64, MILLION / 8, size_mixed);
}

/*
 * What lies below the first sequence of all was never there: it is not lost,
 * and nobody waits for it.  The bug: such a reader stood still until lapped.
 */
static void
lossy_start_below_the_first_sequence_gets_all(void **state)
{
	struct evbus_stream_options stream = { .capacity = 16,
	    .first_sequence = 1000 };
	struct evbus_reader_options options = { .lossy = 1,
	    .start = EVBUS_START_SEQUENCE, .sequence = 997 };
	struct evbus *bus = event_bus(&stream);
	struct evbus_topic *topic = event_topic(bus, "lossy");
	struct event_log *log = event_log();
	struct evbus_reader *reader;

	(void)state;
	assert_int_equal(evbus_reader_open(bus, &options, &reader), 0);
	(void)event_subscribe(reader, ">", event_log_handler, log);
	event_publish(topic, 0, 2);
	assert_int_equal(evbus_poll(reader, 8), 2);
	assert_int_equal(log->count, 2);
	assert_int_equal(log->lost, 0);
	event_bus_close(bus);
	free(log);
}

/*
 * A poll that passes some events in one stream and loses more than an int can
 * hold in another still answers a number and no error code.  The tail is moved
 * on as by so many publishes.
 */
static void
lossy_lost_more_than_an_int_holds_is_no_error(void **state)
{
	struct evbus *bus = event_bus_of(64);
	struct evbus_stream *other = event_stream(bus, "other.>", NULL);
	struct evbus_topic *topic = event_topic(bus, "one");
	struct evbus_reader *reader = event_reader(bus, 1, EVBUS_START_NOW);
	struct event_log *log = event_log();

	(void)state;
	(void)event_topic(bus, "other.one");
	(void)event_subscribe(reader, ">", event_log_handler, log);
	event_publish(topic, 0, 2);
	__atomic_fetch_add(&other->ctl->tail, UINT64_C(3) << 30,
	    __ATOMIC_RELEASE);
	assert_int_equal(evbus_poll(reader, 1000), INT32_MAX);
	assert_int_equal(log->count, 2);
	event_check_equation(reader);
	event_bus_close(bus);
	free(log);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lossy_overwritten_at_rest_exactly_lost),
		cmocka_unit_test(lossy_lost_told_after_skipped_and_holes),
		cmocka_unit_test(lossy_lapped_many_times_exact),
		cmocka_unit_test(
		    lossy_beside_one_producer_of_a_million_whole_and_exact),
		cmocka_unit_test(lossy_beside_three_producers_whole_and_exact),
		cmocka_unit_test(
		    lossy_payloads_outside_under_lap_whole_and_exact),
		cmocka_unit_test(
		    lossy_start_below_the_first_sequence_gets_all),
		cmocka_unit_test(lossy_lost_more_than_an_int_holds_is_no_error),
	};

	return cmocka_run_group_tests_name("copy", tests, NULL, NULL);
}
