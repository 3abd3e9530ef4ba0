/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_pool.c - why: a payload outside its slot has an owner at every moment.
 * If a block is given back too early a reader sees another event's bytes (D5,
 * L1); if a release is missed the program leaks, if it runs twice it crashes.
 */
#include <sched.h>

#include "support/event_check.h"

/* ---- Blocks ------------------------------------------------------------- */

static struct evbus *
pool_bus(uint32_t blocks, int64_t timeout_ns)
{
	struct evbus_stream_options options = { .capacity = 64,
	    .pool_blocks = blocks, .max_references = 4,
	    .timeout_ns = timeout_ns };

	return event_bus(&options);
}

static unsigned char large[1000];

static void *
publish_timed_out(void *arg)
{
	CHECK_INT(evbus_publish(arg, large, sizeof large), EVBUS_ETIMEDOUT);
	CHECK_INT(evbus_publish(arg, large, 32), 0);
	return NULL;
}

/* An empty pool is a full stream; what fits a slot still goes. */
static void
pool_empty_efull_or_etimedout(void **state)
{
	struct evbus *bus = pool_bus(3, 1000000);
	struct evbus_stream *stream = evbus_stream_default(bus);
	struct evbus_topic *topic = event_topic(bus, "pool");
	struct evbus_reader *reader = event_reader(bus, 0, EVBUS_START_NOW);
	struct evbus_stream_stats stats;
	unsigned i;

	(void)state;
	(void)event_subscribe(reader, ">", NULL, NULL);
	for (i = 0; i < 3; i++)
		assert_int_equal(evbus_publish(topic, large, sizeof large), 0);
	assert_int_equal(evbus_try_publish(topic, large, sizeof large),
	    EVBUS_EFULL);
	event_join(event_thread(publish_timed_out, topic));
	stats = event_stream_stats(stream);
	assert_int_equal(stats.tail, 4);
	assert_int_equal(stats.refused, 1);
	assert_int_equal(stats.timedout, 1);
	assert_int_equal(stats.outside_taken - stats.outside_given, 3);
	assert_true(stats.outside_empty >= 2);
	assert_int_equal(evbus_poll(reader, 1), 1);
	assert_int_equal(evbus_try_publish(topic, large, sizeof large), 0);
	assert_int_equal(evbus_try_publish(topic, large, sizeof large),
	    EVBUS_EFULL);
	assert_int_equal(event_drain(reader), 4);
	event_bus_close(bus);
}

static void *
publish_large(void *arg)
{
	CHECK_INT(evbus_publish(arg, large, sizeof large), 0);
	return NULL;
}

static void
pool_empty_waits_until_a_reader_passes(void **state)
{
	struct evbus *bus = pool_bus(2, EVBUS_FOREVER);
	struct evbus_stream *stream = evbus_stream_default(bus);
	struct evbus_topic *topic = event_topic(bus, "pool");
	struct evbus_reader *reader = event_reader(bus, 0, EVBUS_START_NOW);
	pthread_t thread;

	(void)state;
	(void)event_subscribe(reader, ">", NULL, NULL);
	event_publish(topic, 0, 1);
	assert_int_equal(evbus_publish(topic, large, sizeof large), 0);
	assert_int_equal(evbus_publish(topic, large, sizeof large), 0);
	thread = event_thread(publish_large, topic);
	/* It stands still where the pool is asked, before the slot. */
	while (event_stream_stats(stream).outside_empty == 0)
		(void)sched_yield();
	assert_int_equal(event_stream_stats(stream).tail, 3);
	assert_int_equal(evbus_poll(reader, 1), 1);
	assert_int_equal(event_stream_stats(stream).tail, 3);
	assert_int_equal(evbus_poll(reader, 1), 1);
	event_join(thread);
	assert_int_equal(event_stream_stats(stream).tail, 4);
	assert_int_equal(event_drain(reader), 2);
	event_bus_close(bus);
}

/*
 * L1, D5: a lossy reader holds a payload outside the ring while publishers
 * are in need of its block.
 */
static void
pool_block_held_by_lossy_reader_not_reused(void **state)
{
	struct evbus *bus = pool_bus(2, EVBUS_FOREVER);
	struct evbus_topic *topic = event_topic(bus, "pool");
	struct evbus_reader *reader = event_reader(bus, 1, EVBUS_START_NOW);
	const struct evbus_event *event;
	unsigned char data[900];
	uint32_t producer;
	uint64_t number, held;

	(void)state;
	(void)event_subscribe(reader, ">", NULL, NULL);
	event_fill(data, sizeof data, 1, 0);
	assert_int_equal(evbus_publish(topic, data, sizeof data), 0);
	event = evbus_next(reader);
	assert_non_null(event);
	assert_true((event->flags & EVBUS_EVENT_OUTSIDE) != 0);
	for (held = 1; held < 1000; held++) {
		event_fill(data, sizeof data, 1, held);
		CHECK_INT(evbus_publish(topic, data, sizeof data), 0);
		CHECK(event_whole(event->data, event->size, &producer,
		    &number));
		CHECK_INT(number, 0);
	}
	/* What follows was given back meanwhile, but for the newest: lost. */
	event = evbus_next(reader);
	assert_non_null(event);
	CHECK(event_whole(event->data, event->size, &producer, &number));
	assert_int_equal(number, event->sequence);
	assert_int_equal(event->lost, number - 1);
	assert_int_equal(event_drain(reader) + number + 1, 1000);
	event_check_equation(reader);
	event_bus_close(bus);
}

/* ---- References --------------------------------------------------------- */

struct reference {
	unsigned char data[256];
	int released;
	int published;
	struct evbus *bus;
};

/* S2: it may call the bus, also what takes the bus's lock. */
static void
release(const void *data, size_t size, void *arg)
{
	struct reference *reference = arg;
	struct evbus_topic *topic;
	int error;

	CHECK(data == reference->data);
	CHECK_INT(size, sizeof reference->data);
	CHECK_INT(reference->published, 1);
	error = evbus_topic_open(reference->bus, "opened.by.release", NULL,
	    &topic);
	CHECK(error == 0 || error == EVBUS_ECLOSED);
	CHECK_INT(__atomic_add_fetch(&reference->released, 1,
	    __ATOMIC_ACQ_REL), 1);
}

static int
publish_reference(struct evbus_topic *topic, struct reference *reference,
    int64_t timeout_ns)
{
	struct evbus_publish_options options = { .release = release,
	    .release_arg = reference, .set_timeout = 1,
	    .timeout_ns = timeout_ns };
	int result;

	reference->published = 1;
	result = evbus_publish_with(topic, reference->data,
	    sizeof reference->data, &options);
	if (result != 0) {
		CHECK_INT(reference->released, 0);
		reference->published = 0;
	}
	return result;
}

#define REFERENCES 40u

static struct reference *
references_of(struct evbus *bus)
{
	struct reference *reference = calloc(REFERENCES, sizeof *reference);
	unsigned i;

	assert_non_null(reference);
	for (i = 0; i < REFERENCES; i++) {
		reference[i].bus = bus;
		event_fill(reference[i].data, sizeof reference[i].data, 1, i);
	}
	return reference;
}

static unsigned
count_released(const struct reference *reference)
{
	unsigned i, n = 0;

	for (i = 0; i < REFERENCES; i++)
		n += (unsigned)reference[i].released;
	return n;
}

static void
reference_delivered_in_place_released_once(void **state)
{
	struct evbus *bus = pool_bus(0, EVBUS_FOREVER);
	struct evbus_topic *topic = event_topic(bus, "reference");
	struct evbus_reader *reader = event_reader(bus, 0, EVBUS_START_NOW);
	struct reference *reference = references_of(bus);
	const struct evbus_event *event;
	unsigned i;

	(void)state;
	(void)event_subscribe(reader, "reference", NULL, NULL);
	for (i = 0; i < REFERENCES; i++) {
		assert_int_equal(publish_reference(topic, &reference[i], 0), 0);
		event = evbus_next(reader);
		assert_non_null(event);
		/* No copy was made. */
		CHECK(event->data == reference[i].data);
		CHECK_INT(event->size, sizeof reference[i].data);
		CHECK(event->flags & EVBUS_EVENT_OUTSIDE);
		CHECK_INT(reference[i].released, 0);
	}
	evbus_done(reader);
	assert_int_equal(evbus_flush(bus, 0), 0);
	assert_int_equal(count_released(reference), REFERENCES);
	event_bus_close(bus);
	assert_int_equal(count_released(reference), REFERENCES);
	free(reference);
}

/* More than max_references: a full stream; the refused ones stay ours. */
static void
reference_limit_efull_keeps_ownership(void **state)
{
	struct evbus *bus = pool_bus(0, EVBUS_FOREVER);
	struct evbus_topic *topic = event_topic(bus, "reference");
	struct evbus_reader *reader = event_reader(bus, 0, EVBUS_START_NOW);
	struct reference *reference = references_of(bus);
	struct evbus_publish_options options = { .release = release };
	unsigned i;

	(void)state;
	(void)event_subscribe(reader, "reference", NULL, NULL);
	for (i = 0; i < 4; i++)
		assert_int_equal(publish_reference(topic, &reference[i], 0), 0);
	assert_int_equal(publish_reference(topic, &reference[4], 0),
	    EVBUS_EFULL);
	assert_int_equal(count_released(reference), 0);
	assert_int_equal(event_drain(reader), 4);
	assert_int_equal(publish_reference(topic, &reference[4], 0), 0);
	assert_int_equal(count_released(reference), 4);
	/* NULL by reference, and every other refusal. */
	options.release_arg = &reference[5];
	assert_int_equal(evbus_publish_with(topic, NULL, 0, &options),
	    EVBUS_EINVAL);
	options.key = 1;
	assert_int_equal(evbus_publish_with(topic, reference[5].data, 256,
	    &options), EVBUS_ENOTSUP);
	event_bus_close(bus);
	assert_int_equal(count_released(reference), 5);
	assert_int_equal(reference[4].released, 1);
	assert_int_equal(reference[5].released, 0);
	free(reference);
}

/* Full ring, room for references: the claim fails, the reference is ours. */
static void
reference_on_full_ring_keeps_ownership(void **state)
{
	struct evbus_stream_options options = { .capacity = 2,
	    .max_references = 8 };
	struct evbus *bus = event_bus(&options);
	struct evbus_topic *topic = event_topic(bus, "reference");
	struct evbus_reader *reader = event_reader(bus, 0, EVBUS_START_NOW);
	struct reference *reference = references_of(bus);
	struct evbus_stream_stats stats;
	unsigned i;

	(void)state;
	(void)event_subscribe(reader, "reference", NULL, NULL);
	assert_int_equal(publish_reference(topic, &reference[0], 0), 0);
	assert_int_equal(publish_reference(topic, &reference[1], 0), 0);
	for (i = 0; i < 20; i++)
		assert_int_equal(publish_reference(topic, &reference[2], 0),
		    EVBUS_EFULL);
	for (i = 0; i < 20; i++)
		assert_int_equal(evbus_try_publish(topic, large,
		    sizeof large), EVBUS_EFULL);
	stats = event_stream_stats(evbus_stream_default(bus));
	assert_int_equal(stats.outside_taken - stats.outside_given, 2);
	assert_int_equal(event_drain(reader), 2);
	assert_int_equal(publish_reference(topic, &reference[2], 0), 0);
	event_bus_close(bus);
	assert_int_equal(count_released(reference), 3);
	free(reference);
}

/* Nobody, or a lossy reader alone, wants it: released all the same. */
static void
reference_lossy_or_no_reader_released_once(void **state)
{
	struct evbus *bus;
	struct evbus_topic *topic;
	struct evbus_reader *reader;
	struct reference *reference;
	const struct evbus_event *event;
	unsigned i, lossy;

	(void)state;
	for (lossy = 0; lossy < 2; lossy++) {
		bus = pool_bus(0, EVBUS_FOREVER);
		topic = event_topic(bus, "reference");
		reference = references_of(bus);
		reader = NULL;
		event = NULL;
		if (lossy) {
			reader = event_reader(bus, 1, EVBUS_START_NOW);
			(void)event_subscribe(reader, "reference", NULL, NULL);
		}
		for (i = 0; i < REFERENCES; i++) {
			assert_int_equal(publish_reference(topic,
			    &reference[i], EVBUS_FOREVER), 0);
			if (i == 0 && lossy) {
				event = evbus_next(reader);
				assert_non_null(event);
			}
		}
		/* The one that is held is still there, and ours to read. */
		if (lossy) {
			assert_int_equal(reference[0].released, 0);
			assert_true(event->data == reference[0].data);
			evbus_done(reader);
		}
		assert_true(count_released(reference) >= REFERENCES - 4);
		event_bus_close(bus);
		assert_int_equal(count_released(reference), REFERENCES);
		free(reference);
	}
}

struct sender {
	struct evbus_topic *topic;
	struct reference *reference;
	unsigned from;
	unsigned n;
};

static void *
send_references(void *arg)
{
	struct sender *sender = arg;
	unsigned i;

	for (i = 0; i < sender->n; i++)
		CHECK_INT(publish_reference(sender->topic,
		    &sender->reference[sender->from + i], EVBUS_FOREVER), 0);
	return NULL;
}

/* Two publishers wait for entries while a reader passes events. */
static void
reference_from_two_threads_each_released_once(void **state)
{
	struct evbus *bus = pool_bus(0, EVBUS_FOREVER);
	struct evbus_topic *topic = event_topic(bus, "reference");
	struct evbus_reader *reader = event_reader(bus, 0, EVBUS_START_NOW);
	struct reference *reference = references_of(bus);
	struct sender sender[2] = {
		{ topic, reference, 0, REFERENCES / 2 },
		{ topic, reference, REFERENCES / 2, REFERENCES / 2 }
	};
	struct event_log *log = event_log();
	pthread_t thread[2];
	uint64_t passed = 0;
	int n;

	(void)state;
	(void)event_subscribe(reader, "reference", event_log_handler, log);
	thread[0] = event_thread(send_references, &sender[0]);
	thread[1] = event_thread(send_references, &sender[1]);
	while (passed < REFERENCES) {
		CHECK_INT(evbus_wait(reader, EVENT_LONG), 1);
		n = evbus_poll(reader, 3);
		CHECK(n >= 0);
		passed += (uint64_t)(n > 0 ? n : 0);
	}
	event_join(thread[0]);
	event_join(thread[1]);
	assert_int_equal(log->count, REFERENCES);
	event_bus_close(bus);
	assert_int_equal(count_released(reference), REFERENCES);
	free(log);
	free(reference);
}

/* Close with events that nobody has read any more gives them back, too. */
static void
reference_left_at_close_released_once(void **state)
{
	struct evbus *bus = pool_bus(0, EVBUS_FOREVER);
	struct evbus_topic *topic = event_topic(bus, "reference");
	struct evbus_reader *reader = event_reader(bus, 0, EVBUS_START_NOW);
	struct reference *reference = references_of(bus);
	struct sender sender = { topic, reference, 0, 4 };
	struct evbus_report report;

	(void)state;
	(void)event_subscribe(reader, "reference", NULL, NULL);
	event_join(event_thread(send_references, &sender));
	assert_int_equal(count_released(reference), 0);
	assert_int_equal(evbus_close(bus, 0, &report), 0);
	assert_int_equal(count_released(reference), 4);
	assert_int_equal(evbus_free(bus), 0);
	assert_int_equal(count_released(reference), 4);
	event_check_done();
	free(reference);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pool_empty_efull_or_etimedout),
		cmocka_unit_test(pool_empty_waits_until_a_reader_passes),
		cmocka_unit_test(pool_block_held_by_lossy_reader_not_reused),
		cmocka_unit_test(reference_delivered_in_place_released_once),
		cmocka_unit_test(reference_limit_efull_keeps_ownership),
		cmocka_unit_test(reference_on_full_ring_keeps_ownership),
		cmocka_unit_test(reference_lossy_or_no_reader_released_once),
		cmocka_unit_test(reference_from_two_threads_each_released_once),
		cmocka_unit_test(reference_left_at_close_released_once),
	};

	return cmocka_run_group_tests_name("pool", tests, NULL, NULL);
}
