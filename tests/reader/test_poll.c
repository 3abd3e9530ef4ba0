/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_poll.c - why: poll is where events reach the program: in one order for
 * all readers (O1, O2), no more than asked for, with every answer of a handler
 * acted on or told.
 */
#include "support/event_check.h"

/* ---- Order -------------------------------------------------------------- */

#define PRODUCERS 4u
#define READERS 3u
#define EACH 20000u

struct producer {
	struct evbus_topic *topic;
	uint32_t number;
	pthread_barrier_t *barrier;
};

struct consumer {
	struct evbus_reader *reader;
	unsigned budget;
	uint64_t next[PRODUCERS];
	uint64_t count;
	uint32_t *order;	/* producer of each event, as seen */
};

static void *
produce(void *arg)
{
	struct producer *producer = arg;
	unsigned char data[24];
	uint64_t i;

	(void)pthread_barrier_wait(producer->barrier);
	for (i = 0; i < EACH; i++) {
		event_fill(data, sizeof data, producer->number, i);
		CHECK_INT(evbus_publish(producer->topic, data, sizeof data),
		    0);
	}
	return NULL;
}

static enum evbus_verdict
consume_one(const struct evbus_event *event, void *arg)
{
	struct consumer *consumer = arg;
	uint32_t producer = 0;
	uint64_t number = 0;

	CHECK(event_whole(event->data, event->size, &producer, &number));
	CHECK_INT(event->sequence, consumer->count);
	CHECK(producer < PRODUCERS);
	if (producer < PRODUCERS) {
		CHECK_INT(number, consumer->next[producer]);
		consumer->next[producer] = number + 1;
	}
	consumer->order[consumer->count++] = producer;
	return EVBUS_DONE;
}

static void *
consume(void *arg)
{
	struct consumer *consumer = arg;

	while (consumer->count < PRODUCERS * EACH) {
		CHECK_INT(evbus_wait(consumer->reader, EVENT_LONG), 1);
		CHECK(evbus_poll(consumer->reader, consumer->budget) > 0);
	}
	return NULL;
}

/* O1, O2, D1: four producers, three readers: one order, all of it. */
static void
order_4_producers_3_readers_same_for_all(void **state)
{
	struct evbus_stream_options options = { .capacity = 256,
	    .timeout_ns = EVBUS_FOREVER };
	struct evbus *bus = event_bus(&options);
	struct producer producer[PRODUCERS];
	struct consumer consumer[READERS];
	pthread_t thread[PRODUCERS + READERS];
	pthread_barrier_t barrier;
	char name[16];
	unsigned i;

	(void)state;
	assert_int_equal(pthread_barrier_init(&barrier, NULL, PRODUCERS), 0);
	for (i = 0; i < READERS; i++) {
		memset(&consumer[i], 0, sizeof consumer[i]);
		consumer[i].reader = event_reader(bus, 0, EVBUS_START_NOW);
		consumer[i].budget = i == 0 ? 1 : i * 100;
		consumer[i].order = calloc(PRODUCERS * EACH, sizeof(uint32_t));
		assert_non_null(consumer[i].order);
		(void)event_subscribe(consumer[i].reader, "order.*",
		    consume_one, &consumer[i]);
		thread[PRODUCERS + i] = event_thread(consume, &consumer[i]);
	}
	for (i = 0; i < PRODUCERS; i++) {
		(void)snprintf(name, sizeof name, "order.p%u", i);
		producer[i].topic = event_topic(bus, name);
		producer[i].number = i;
		producer[i].barrier = &barrier;
		thread[i] = event_thread(produce, &producer[i]);
	}
	for (i = 0; i < PRODUCERS + READERS; i++)
		event_join(thread[i]);
	for (i = 0; i < READERS; i++) {
		assert_int_equal(consumer[i].count, PRODUCERS * EACH);
		assert_memory_equal(consumer[i].order, consumer[0].order,
		    PRODUCERS * EACH * sizeof(uint32_t));
		event_check_equation(consumer[i].reader);
		assert_int_equal(event_reader_stats(consumer[i].reader).calls,
		    PRODUCERS * EACH);
	}
	event_bus_close(bus);
	for (i = 0; i < READERS; i++)
		free(consumer[i].order);
	(void)pthread_barrier_destroy(&barrier);
}

/* ---- Budget ------------------------------------------------------------- */

static void
budget_at_most_so_many_sequences(void **state)
{
	static const unsigned budgets[] = { 1, 2, 3, 7, 64, 65, 1000 };
	struct evbus *bus = event_bus_of(256);
	struct evbus_topic *topic[2] = { event_topic(bus, "wanted"),
	    event_topic(bus, "other") };
	struct evbus_reader *reader;
	struct event_log *log;
	unsigned i, k, lossy, want;
	int n;

	(void)state;
	for (lossy = 0; lossy < 2; lossy++) {
		log = event_log();
		reader = event_reader(bus, (int)lossy, EVBUS_START_NOW);
		(void)event_subscribe(reader, "wanted", event_log_handler,
		    log);
		assert_int_equal(evbus_poll(reader, 0), 0);
		for (i = 0; i < EVENT_COUNT(budgets); i++) {
			for (k = 0; k < 100; k++)
				event_publish(topic[k % 2], k, 1);
			assert_int_equal(evbus_poll(reader, 0), 0);
			for (k = 0; k < 100; k += (unsigned)n) {
				n = evbus_poll(reader, budgets[i]);
				want = 100 - k < budgets[i] ? 100 - k :
				    budgets[i];
				assert_int_equal(n, want);
			}
			assert_int_equal(evbus_poll(reader, UINT32_MAX), 0);
		}
		assert_int_equal(log->count, 50 * EVENT_COUNT(budgets));
		event_check_equation(reader);
		assert_int_equal(evbus_reader_close(reader, 0), 0);
		free(log);
	}
	assert_int_equal(evbus_poll(NULL, 1), EVBUS_EINVAL);
	event_bus_close(bus);
}

/* The flag stands on the last event of a poll, and on no other. */
static void
end_of_batch_on_the_last_event_only(void **state)
{
	struct evbus *bus = event_bus_of(64);
	struct evbus_topic *topic = event_topic(bus, "batch");
	struct evbus_reader *reader = event_reader(bus, 0, EVBUS_START_NOW);
	struct event_log *log;
	unsigned n, i;

	(void)state;
	(void)event_subscribe(reader, ">", NULL, NULL);
	for (n = 1; n <= 40; n += 3) {
		int64_t id;

		log = event_log();
		id = event_subscribe(reader, ">", event_log_handler, log);
		event_publish(topic, 0, n);
		assert_int_equal(evbus_poll(reader, 64), n);
		for (i = 0; i < n; i++)
			CHECK_INT((log->seen[i].event.flags &
			    EVBUS_EVENT_END_OF_BATCH) != 0, i == n - 1);
		event_publish(topic, 0, n);
		for (i = 0; i < n; i++) {
			assert_int_equal(evbus_poll(reader, 1), 1);
			CHECK(log->seen[n + i].event.flags &
			    EVBUS_EVENT_END_OF_BATCH);
		}
		assert_int_equal(evbus_unsubscribe(bus, id, 0), 0);
		free(log);
	}
	event_bus_close(bus);
}

/*
 * F3: however many subscriptions hang on a reader, it has one cursor per
 * stream, an event that nobody wants is a skip and calls nobody, and the
 * cursor moves once per batch: the gate's readers see it at the poll's end.
 */
static void
subscriptions_one_cursor_unwanted_skipped_F3(void **state)
{
	struct evbus *bus = event_bus_of(256);
	struct evbus_topic *wanted = event_topic(bus, "many.7");
	struct evbus_topic *unwanted = event_topic(bus, "other");
	struct evbus_reader *reader = event_reader(bus, 0, EVBUS_START_NOW);
	struct event_log *log = event_log();
	struct evbus_reader_stats stats;
	uint64_t position = 1;
	char name[16];
	int i;

	(void)state;
	for (i = 0; i < 100; i++) {
		(void)snprintf(name, sizeof name, "many.%d", i);
		(void)event_subscribe(reader, name, event_log_handler, log);
	}
	event_publish(unwanted, 0, 50);
	event_publish(wanted, 0, 3);
	assert_int_equal(evbus_reader_position(reader,
	    evbus_stream_default(bus), &position), 0);
	assert_int_equal(position, 0);
	assert_int_equal(evbus_poll(reader, 100), 53);
	assert_int_equal(evbus_reader_position(reader,
	    evbus_stream_default(bus), &position), 0);
	assert_int_equal(position, 53);
	stats = event_reader_stats(reader);
	assert_int_equal(stats.streams, 1);
	assert_int_equal(stats.skipped, 50);
	assert_int_equal(stats.delivered, 3);
	assert_int_equal(stats.calls, 3);
	assert_int_equal(log->count, 3);
	free(log);
	event_bus_close(bus);
}

/* ---- Verdicts ----------------------------------------------------------- */

static void
verdict_refused_everdict_counted_event_handled(void **state)
{
	static const enum evbus_verdict refused[] = { EVBUS_RETRY, EVBUS_DEAD,
	    EVBUS_PAUSE, (enum evbus_verdict)5, (enum evbus_verdict)77 };
	struct evbus *bus = event_bus_of(64);
	struct evbus_topic *topic = event_topic(bus, "verdict");
	struct evbus_reader *reader = event_reader(bus, 0, EVBUS_START_NOW);
	struct event_log *log = event_log(), *other = event_log();
	unsigned i;

	(void)state;
	(void)event_subscribe(reader, ">", event_log_handler, log);
	(void)event_subscribe(reader, ">", event_log_handler, other);
	for (i = 0; i < EVENT_COUNT(refused); i++) {
		event_publish(topic, i * 3, 3);
		log->verdict = refused[i];
		assert_int_equal(evbus_poll(reader, 10), EVBUS_EVERDICT);
		assert_non_null(strstr(evbus_errmsg(), "event_check.c:"));
		assert_int_equal(event_reader_stats(reader).verdicts, i + 1);
		/* At once: the others come with the next poll. */
		assert_int_equal(log->count, i * 3 + 1);
		log->verdict = EVBUS_DONE;
		assert_int_equal(evbus_poll(reader, 10), 2);
	}
	assert_int_equal(log->count, 3 * EVENT_COUNT(refused));
	assert_int_equal(other->count, 3 * EVENT_COUNT(refused));
	for (i = 0; i < log->count; i++) {
		CHECK_INT(event_number(&log->seen[i].event), i);
		CHECK_INT(event_number(&other->seen[i].event), i);
	}
	event_check_equation(reader);
	event_bus_close(bus);
	free(log);
	free(other);
}

/* ---- Poll inside handlers ----------------------------------------------- */

struct nested {
	struct evbus_reader *own;
	struct evbus_reader *other;
	struct evbus_topic *result;
};

static enum evbus_verdict
poll_nested(const struct evbus_event *event, void *arg)
{
	struct nested *nested = arg;
	uint64_t sequence = event->sequence;
	const void *data = event->data;

	CHECK_INT(evbus_poll(nested->own, 1), EVBUS_EDEADLK);
	CHECK(evbus_next(nested->own) == NULL);
	CHECK(evbus_wait(nested->own, 0) < 0);
	CHECK(evbus_poll(nested->other, 10) > 0);
	CHECK_INT(evbus_publish(nested->result, &sequence, sizeof sequence),
	    0);
	/* Our event is as it was. */
	CHECK_INT(event->sequence, sequence);
	CHECK(event->data == data);
	CHECK_INT(event_number(event), 7);
	return EVBUS_DONE;
}

static void
poll_of_own_reader_edeadlk_of_another_fine(void **state)
{
	struct evbus *bus = event_bus_of(64);
	struct nested nested = {
		event_reader(bus, 0, EVBUS_START_NOW),
		event_reader(bus, 0, EVBUS_START_NOW),
		event_topic(bus, "result")
	};
	struct event_log *log = event_log(), *result = event_log();

	(void)state;
	(void)event_subscribe(nested.own, "a", poll_nested, &nested);
	(void)event_subscribe(nested.own, "result", event_log_handler, result);
	(void)event_subscribe(nested.other, "b", event_log_handler, log);
	event_publish(event_topic(bus, "b"), 0, 3);
	event_publish(event_topic(bus, "a"), 7, 1);
	assert_int_equal(evbus_poll(nested.own, 10), 5);
	assert_int_equal(log->count, 3);
	assert_int_equal(result->count, 1);
	/* The cause is the handler's event still. */
	assert_int_equal(result->seen[0].event.cause, EVBUS_CAUSE(1, 3));
	event_bus_close(bus);
	free(log);
	free(result);
}

struct both {
	struct evbus_reader *reader;
	struct event_step step;
};

static enum evbus_verdict
stand_still(const struct evbus_event *event, void *arg)
{
	struct both *both = arg;

	(void)event;
	event_step_to(&both->step, 1);
	event_step_wait(&both->step, 2);
	return EVBUS_DONE;
}

static void *
poll_once(void *arg)
{
	struct both *both = arg;

	CHECK_INT(evbus_poll(both->reader, 1), 1);
	return NULL;
}

/* One thread at a time: told (in debug builds always; here it is seen). */
static void
poll_by_two_threads_at_once_ebusy(void **state)
{
	struct evbus *bus = event_bus_of(64);
	struct both both = { event_reader(bus, 0, EVBUS_START_NOW),
	    EVENT_STEP_INIT };
	pthread_t thread;

	(void)state;
	(void)event_subscribe(both.reader, ">", stand_still, &both);
	event_publish(event_topic(bus, "a"), 0, 1);
	thread = event_thread(poll_once, &both);
	event_step_wait(&both.step, 1);
	assert_int_equal(evbus_poll(both.reader, 1), EVBUS_EBUSY);
	assert_null(evbus_next(both.reader));
	assert_int_equal(evbus_wait(both.reader, 0), EVBUS_EBUSY);
	event_step_to(&both.step, 2);
	event_join(thread);
	/* One after the other is fine. */
	assert_int_equal(evbus_poll(both.reader, 1), 0);
	event_bus_close(bus);
}

/* ---- Several streams on one reader -------------------------------------- */

static void
streams_each_in_order_on_one_reader(void **state)
{
	struct evbus *bus = event_bus_of(64);
	struct evbus_stream_options options = { .capacity = 8,
	    .slot_size = 256 };
	struct evbus_topic *topic[3];
	struct evbus_reader *reader;
	struct event_log *log = event_log();
	uint64_t next[3] = { 0 }, i;
	const struct evbus_event *event;

	(void)state;
	(void)event_stream(bus, "x.>", &options);
	(void)event_stream(bus, "y.>", &options);
	topic[0] = event_topic(bus, "z.z");
	topic[1] = event_topic(bus, "x.z");
	topic[2] = event_topic(bus, "y.z");
	reader = event_reader(bus, 0, EVBUS_START_NOW);
	(void)event_subscribe(reader, "*.z", event_log_handler, log);
	assert_int_equal(event_reader_stats(reader).streams, 3);
	for (i = 0; i < 60; i++) {
		event_publish(topic[i % 3], i / 3, 1);
		if (i % 6 == 5)
			assert_int_equal(event_drain(reader), 6);
	}
	assert_int_equal(log->count, 60);
	for (i = 0; i < 60; i++) {
		event = &log->seen[i].event;
		CHECK(event->stream >= 1 && event->stream <= 3);
		CHECK(event->topic == topic[event->stream - 1]);
		CHECK_INT(event_number(event), next[event->stream - 1]++);
	}
	event_check_equation(reader);
	event_bus_close(bus);
	free(log);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(order_4_producers_3_readers_same_for_all),
		cmocka_unit_test(budget_at_most_so_many_sequences),
		cmocka_unit_test(end_of_batch_on_the_last_event_only),
		cmocka_unit_test(subscriptions_one_cursor_unwanted_skipped_F3),
		cmocka_unit_test(
		    verdict_refused_everdict_counted_event_handled),
		cmocka_unit_test(poll_of_own_reader_edeadlk_of_another_fine),
		cmocka_unit_test(poll_by_two_threads_at_once_ebusy),
		cmocka_unit_test(streams_each_in_order_on_one_reader),
	};

	return cmocka_run_group_tests_name("poll", tests, NULL, NULL);
}
