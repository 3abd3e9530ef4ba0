/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_batch.c - why: a batch is one claim.  Its events must lie next to each
 * other, in order, all of them or none, however they are mixed of payloads
 * that fit a slot and payloads that do not.
 */
#include "support/event_check.h"

#define CAPACITY 16u
#define LARGE 700u

/* n payloads that say their number; every third is large if `mixed`. */
struct batch {
	struct iovec iov[CAPACITY + 1];
	unsigned char data[CAPACITY + 1][LARGE];
};

static struct batch *
batch_of(uint32_t producer, uint64_t first, unsigned n, int mixed)
{
	struct batch *batch = calloc(1, sizeof *batch);
	unsigned i;

	assert_non_null(batch);
	for (i = 0; i < n; i++) {
		batch->iov[i].iov_base = batch->data[i];
		batch->iov[i].iov_len = mixed && i % 3 == 0 ? LARGE : 24;
		event_fill(batch->data[i], batch->iov[i].iov_len, producer,
		    first + i);
	}
	return batch;
}

static struct evbus *
batch_bus(uint32_t pool_blocks)
{
	struct evbus_stream_options options = { .capacity = CAPACITY,
	    .pool_blocks = pool_blocks, .timeout_ns = EVBUS_FOREVER };

	return event_bus(&options);
}

/* Expect events first .. first + n - 1 of producer 1, and no more. */
static void
expect_numbers(struct evbus_reader *reader, uint64_t first, unsigned n)
{
	const struct evbus_event *event;
	uint32_t producer = 0;
	uint64_t number = 0;
	unsigned i;

	for (i = 0; i < n; i++) {
		event = evbus_next(reader);
		assert_non_null(event);
		CHECK(event_whole(event->data, event->size, &producer,
		    &number));
		CHECK_INT(number, first + i);
	}
	assert_null(evbus_next(reader));
}

static void
batch_of_1_n_and_capacity_in_order(void **state)
{
	static const unsigned counts[] = { 1, 2, 7, CAPACITY };
	struct evbus *bus = batch_bus(8);
	struct evbus_topic *topic = event_topic(bus, "batch");
	struct evbus_reader *reader = event_reader(bus, 0, EVBUS_START_NOW);
	struct batch *batch;
	uint64_t first = 0;
	unsigned i;
	int mixed;

	(void)state;
	(void)event_subscribe(reader, ">", NULL, NULL);
	for (mixed = 0; mixed < 2; mixed++)
		for (i = 0; i < EVENT_COUNT(counts); i++) {
			batch = batch_of(1, first, counts[i], mixed);
			assert_int_equal(evbus_publish_batch(topic, batch->iov,
			    counts[i]), 0);
			free(batch);
			expect_numbers(reader, first, counts[i]);
			first += counts[i];
		}
	event_check_equation(reader);
	assert_int_equal(event_reader_stats(reader).delivered, first);
	event_bus_close(bus);
}

static void
batch_bad_arguments_refused_whole(void **state)
{
	struct evbus *bus = batch_bus(3);
	struct evbus_stream *stream = evbus_stream_default(bus);
	struct evbus_topic *topic = event_topic(bus, "batch");
	struct batch *batch = batch_of(1, 0, CAPACITY + 1, 0);
	static unsigned char huge[4097];

	(void)state;
	assert_int_equal(evbus_publish_batch(topic, batch->iov, CAPACITY + 1),
	    EVBUS_EINVAL);
	assert_int_equal(evbus_publish_batch(topic, batch->iov, UINT32_MAX),
	    EVBUS_EINVAL);
	assert_int_equal(evbus_publish_batch(topic, batch->iov, 0),
	    EVBUS_EINVAL);
	assert_int_equal(evbus_publish_batch(topic, NULL, 1), EVBUS_EINVAL);
	assert_int_equal(evbus_publish_batch(NULL, batch->iov, 1),
	    EVBUS_EINVAL);
	batch->iov[2].iov_base = NULL;
	assert_int_equal(evbus_publish_batch(topic, batch->iov, 3),
	    EVBUS_EINVAL);
	batch->iov[2].iov_base = huge;
	batch->iov[2].iov_len = sizeof huge;
	assert_int_equal(evbus_publish_batch(topic, batch->iov, 3),
	    EVBUS_EMSGSIZE);
	free(batch);
	/* More large ones than the pool can ever hold: it would never end. */
	batch = batch_of(1, 0, 10, 1);
	assert_int_equal(evbus_publish_batch(topic, batch->iov, 10),
	    EVBUS_EINVAL);
	assert_int_equal(event_stream_stats(stream).tail, 0);
	assert_int_equal(event_stream_stats(stream).outside_taken,
	    event_stream_stats(stream).outside_given);
	free(batch);
	event_bus_close(bus);
}

static void
batch_without_room_none_of_it(void **state)
{
	struct evbus_stream_options options = { .capacity = CAPACITY,
	    .pool_blocks = 8, .on_full = EVBUS_ON_FULL_FAIL };
	struct evbus *bus = event_bus(&options);
	struct evbus_stream *stream = evbus_stream_default(bus);
	struct evbus_topic *topic = event_topic(bus, "batch");
	struct evbus_reader *reader = event_reader(bus, 0, EVBUS_START_NOW);
	struct batch *batch = batch_of(1, 0, 10, 1);
	struct batch *other = batch_of(1, 10, 7, 1);
	struct evbus_stream_stats stats;

	(void)state;
	(void)event_subscribe(reader, ">", NULL, NULL);
	assert_int_equal(evbus_publish_batch(topic, batch->iov, 10), 0);
	assert_int_equal(evbus_publish_batch(topic, other->iov, 7),
	    EVBUS_EFULL);
	stats = event_stream_stats(stream);
	assert_int_equal(stats.tail, 10);
	assert_int_equal(stats.refused, 1);
	/* The blocks that the refused one had taken are given back. */
	assert_int_equal(stats.outside_taken - stats.outside_given, 4);
	expect_numbers(reader, 0, 10);
	assert_int_equal(evbus_publish_batch(topic, other->iov, 7), 0);
	expect_numbers(reader, 10, 7);
	free(batch);
	free(other);
	event_bus_close(bus);
}

struct batcher {
	struct evbus_topic *topic;
	uint32_t producer;
	unsigned batches;
	uint64_t seed;
};

#define BATCHES 400u

static void *
send_batches(void *arg)
{
	struct batcher *batcher = arg;
	struct batch *batch;
	uint64_t number = 0;
	unsigned i, n;

	for (i = 0; i < BATCHES; i++) {
		n = 1 + (unsigned)(event_random(&batcher->seed) % CAPACITY);
		batch = batch_of(batcher->producer, number, n, 1);
		CHECK_INT(evbus_publish_batch(batcher->topic, batch->iov, n),
		    0);
		free(batch);
		number += n;
	}
	/* The end: a batch of one, small and unlike the others. */
	batch = batch_of(batcher->producer, UINT64_MAX, 1, 0);
	CHECK_INT(evbus_publish_batch(batcher->topic, batch->iov, 1), 0);
	free(batch);
	return NULL;
}

/* O2, D5: three threads' batches; the pool of 6 holds one batch's at a time. */
static void
batch_from_many_threads_in_order_and_whole(void **state)
{
	struct evbus *bus = batch_bus(6);
	struct evbus_topic *topic = event_topic(bus, "batch");
	struct evbus_reader *reader = event_reader(bus, 0, EVBUS_START_NOW);
	struct batcher batcher[3];
	pthread_t thread[3];
	uint64_t next[3] = { 0 }, number = 0, seed = event_seed();
	const struct evbus_event *event;
	uint32_t producer = 0;
	unsigned ended = 0, i;

	(void)state;
	(void)event_subscribe(reader, ">", NULL, NULL);
	for (i = 0; i < 3; i++) {
		batcher[i].topic = topic;
		batcher[i].producer = i;
		batcher[i].seed = seed + i;
		thread[i] = event_thread(send_batches, &batcher[i]);
	}
	while (ended < 3) {
		event = evbus_next(reader);
		if (event == NULL) {
			CHECK_INT(evbus_wait(reader, EVENT_LONG), 1);
			continue;
		}
		CHECK(event_whole(event->data, event->size, &producer,
		    &number));
		if (producer >= 3)
			continue;
		if (number == UINT64_MAX)
			ended++;
		else
			CHECK_INT(number, next[producer]++);
	}
	evbus_done(reader);
	for (i = 0; i < 3; i++)
		event_join(thread[i]);
	event_check_equation(reader);
	event_bus_close(bus);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(batch_of_1_n_and_capacity_in_order),
		cmocka_unit_test(batch_bad_arguments_refused_whole),
		cmocka_unit_test(batch_without_room_none_of_it),
		cmocka_unit_test(batch_from_many_threads_in_order_and_whole),
	};

	return cmocka_run_group_tests_name("batch", tests, NULL, NULL);
}
