/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_stream_open.c - why: a topic belongs to exactly one stream, for ever.
 * Streams that overlap, or that come after their topics, would break the order
 * of events (O1); a refused stream must leave nothing behind, and readers that
 * came before it must not miss its events (D1).
 */
#include "bus_fixture.h"
#include "fault_alloc.h"

static struct evbus_stream *
open_stream(struct evbus *bus, const char *pattern,
    const struct evbus_stream_options *options)
{
	struct evbus_stream *stream = NULL;
	int result = evbus_stream_open(bus, pattern, options, &stream);

	if (result != 0)
		fail_msg("stream \"%s\": %s", pattern, evbus_errmsg());
	return stream;
}

static uint64_t
tail_of(const struct evbus_stream *stream)
{
	struct evbus_stream_stats stats;

	assert_int_equal(evbus_stream_stats(stream, &stats), 0);
	return stats.tail;
}

static void
stream_carries_the_topics_of_its_pattern_and_no_others(void **state)
{
	struct evbus *bus = fixture_open(NULL);
	struct evbus_stream *a, *b, *d = evbus_stream_default(bus);

	(void)state;
	a = open_stream(bus, "a.>", NULL);
	b = open_stream(bus, "b.*.c", NULL);
	assert_int_equal(evbus_publish_name(bus, "a.x", "1", 1), 0);
	assert_int_equal(evbus_publish_name(bus, "a.x.y", "1", 1), 0);
	assert_int_equal(evbus_publish_name(bus, "b.x.c", "1", 1), 0);
	assert_int_equal(evbus_publish_name(bus, "a", "1", 1), 0);
	assert_int_equal(evbus_publish_name(bus, "b.x", "1", 1), 0);
	assert_int_equal(evbus_publish_name(bus, "b.x.c.d", "1", 1), 0);
	assert_int_equal(tail_of(a), 2);
	assert_int_equal(tail_of(b), 1);
	assert_int_equal(tail_of(d), 3);
	fixture_end(bus, 0);
}

static void
stream_numbers_count_from_the_default_stream(void **state)
{
	struct evbus *bus = fixture_open(NULL);
	const struct evbus_event *event;
	struct evbus_reader *reader;

	(void)state;
	(void)open_stream(bus, "a.>", NULL);
	reader = fixture_subscribed(bus, ">", NULL, NULL);
	assert_int_equal(evbus_publish_name(bus, "z", "1", 1), 0);
	event = evbus_next(reader);
	assert_non_null(event);
	assert_int_equal(event->stream, 1);
	assert_int_equal(evbus_publish_name(bus, "a.x", "1", 1), 0);
	event = evbus_next(reader);
	assert_non_null(event);
	assert_int_equal(event->stream, 2);
	evbus_done(reader);
	fixture_end(bus, 0);
}

static void
stream_that_overlaps_another_is_eexist(void **state)
{
	static const struct {
		const char *first, *second;
		int overlaps;
	} row[] = {
		{ "a.>", "a.>", 1 }, { "a.>", "a.b", 1 },
		{ "a.>", "*.b", 1 }, { "a.*", "a.b.c", 0 },
		{ "a.*", "*.b", 1 }, { "a.b", "a.c", 0 },
		{ "a.>", "a", 0 }, { ">", "x.y", 1 }, { "*", "x.y", 0 },
		{ "a.*.c", "a.b.*", 1 }, { "a.*.c", "a.b.d", 0 },
	};
	struct evbus_stream *stream;
	struct evbus *bus;
	size_t i;
	int swap;

	(void)state;
	for (i = 0; i < sizeof row / sizeof row[0]; i++)
		for (swap = 0; swap < 2; swap++) {
			bus = fixture_open(NULL);
			(void)open_stream(bus, swap ? row[i].second :
			    row[i].first, NULL);
			if (row[i].overlaps) {
				fixture_refused(evbus_stream_open(bus, swap ?
				    row[i].first : row[i].second, NULL,
				    &stream), EVBUS_EEXIST);
				fixture_says(row[i].first);
				fixture_says(row[i].second);
				assert_null(stream);
			} else
				(void)open_stream(bus, swap ? row[i].first :
				    row[i].second, NULL);
			fixture_end(bus, 0);
		}
}

static void
stream_for_a_topic_that_exists_is_ebusy(void **state)
{
	struct evbus *bus = fixture_open(NULL);
	struct evbus_stream *stream;

	(void)state;
	(void)fixture_topic(bus, "a.b");
	fixture_refused(evbus_stream_open(bus, "a.*", NULL, &stream),
	    EVBUS_EBUSY);
	fixture_says("a.b");
	assert_null(stream);
	fixture_refused(evbus_stream_open(bus, ">", NULL, &stream),
	    EVBUS_EBUSY);
	(void)open_stream(bus, "a.c", NULL);
	fixture_end(bus, 0);
}

static void
stream_with_a_bad_pattern_is_refused(void **state)
{
	static const struct {
		const char *pattern;
		int code;
	} row[] = {
		{ "", EVBUS_EPATTERN }, { "a..b", EVBUS_EPATTERN },
		{ ".a", EVBUS_EPATTERN }, { "a.", EVBUS_EPATTERN },
		{ "a b", EVBUS_EPATTERN }, { "a.b*", EVBUS_EPATTERN },
		{ ">.a", EVBUS_EPATTERN }, { "a.>.b", EVBUS_EPATTERN },
		{ "a\nb", EVBUS_EPATTERN }, { "$bus.>", EVBUS_EOWNER },
		{ "$", EVBUS_EOWNER },
	};
	struct evbus *bus = fixture_open(NULL);
	struct evbus_stream *stream;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof row / sizeof row[0]; i++) {
		fixture_refused(evbus_stream_open(bus, row[i].pattern, NULL,
		    &stream), row[i].code);
		assert_null(stream);
	}
	fixture_end(bus, 0);
}

static void
streams_beyond_max_streams_are_elimit(void **state)
{
	struct evbus_options options = { .max_streams = 3 };
	struct evbus_stream_options small = { .capacity = 2 };
	struct evbus *bus = fixture_open(&options);
	struct evbus_stream *stream;

	(void)state;
	(void)open_stream(bus, "a", &small);
	(void)open_stream(bus, "b", &small);
	fixture_refused(evbus_stream_open(bus, "c", &small, &stream),
	    EVBUS_ELIMIT);
	fixture_says("3 streams");
	/* What there is goes on. */
	assert_int_equal(evbus_publish_name(bus, "b", "x", 1), 0);
	fixture_end(bus, 0);
}

/* M2: what is refused takes nothing of ring_memory, however often. */
static void
stream_beyond_ring_memory_is_elimit_and_takes_nothing_M2(void **state)
{
	struct evbus_options options = {
		.stream = { .capacity = 2, .max_payload = 32 },
		.ring_memory = 1 << 20,
	};
	struct evbus_stream_options half = { .capacity = 8192,
	    .max_payload = 32, .max_references = 1 };
	struct evbus_stream_options pool = { .capacity = 4096,
	    .max_payload = 1 << 20, .pool_blocks = 8 };
	struct evbus *bus = fixture_open(&options);
	struct evbus_stream *stream;
	int i;

	(void)state;
	for (i = 0; i < 20; i++) {
		fixture_refused(evbus_stream_open(bus, "a", &pool, &stream),
		    EVBUS_ELIMIT);
		fixture_says("ring_memory");
	}
	(void)open_stream(bus, "a", &half);
	fixture_refused(evbus_stream_open(bus, "b", &half, &stream),
	    EVBUS_ELIMIT);
	assert_int_equal(evbus_publish_name(bus, "a", "x", 1), 0);
	assert_int_equal(evbus_publish_name(bus, "b", "x", 1), 0);
	fixture_end(bus, 0);
}

/* Capacity and slot size that are fine alone and overflow together. */
static void
stream_of_the_largest_shape_is_elimit(void **state)
{
	struct evbus_stream_options largest = { .capacity = 1u << 28,
	    .slot_size = 4096, .max_payload = 16u << 20,
	    .pool_blocks = 1u << 20, .max_references = 1u << 20 };
	struct evbus *bus = fixture_open(NULL);
	struct evbus_stream *stream;

	(void)state;
	fixture_refused(evbus_stream_open(bus, "a", &largest, &stream),
	    EVBUS_ELIMIT);
	assert_int_equal(evbus_publish_name(bus, "a", "x", 1), 0);
	fixture_end(bus, 0);
}

/* D1: a reader that subscribed before joins, and misses nothing. */
static void
stream_opened_after_its_readers_is_joined_by_them_D1(void **state)
{
	struct evbus_reader_stats stats;
	struct evbus *bus = fixture_open(NULL);
	struct evbus_reader *wants, *other;
	atomic_uint count = 0;
	uint64_t position;
	struct evbus_stream *stream;

	(void)state;
	wants = fixture_subscribed(bus, "*.x", fixture_count, &count);
	other = fixture_subscribed(bus, "b.>", fixture_count, &count);
	assert_true(evbus_subscribe(bus, "a.>", fixture_count, &count, NULL) >
	    0);
	stream = open_stream(bus, "a.>", NULL);
	assert_int_equal(evbus_reader_position(wants, stream, &position), 0);
	assert_int_equal(position, 0);
	fixture_refused(evbus_reader_position(other, stream, &position),
	    EVBUS_ENOENT);
	assert_int_equal(evbus_publish_name(bus, "a.x", "1", 1), 0);
	assert_int_equal(fixture_drain(wants), 1);
	assert_int_equal(fixture_drain(other), 0);
	assert_int_equal(evbus_flush(bus, FIXTURE_LONG), 0);
	assert_int_equal(atomic_load(&count), 2);
	assert_int_equal(evbus_reader_stats(wants, &stats), 0);
	assert_int_equal(stats.streams, 2);
	fixture_end(bus, 0);
}

/* Without memory at any point the stream is not there, and can be tried. */
static void
stream_open_without_memory_changes_nothing(void **state)
{
	struct evbus_options options = { 0 };
	struct evbus_stream_options small = { .capacity = 16 };
	struct evbus_stream *stream = NULL;
	struct evbus_reader *reader, *second;
	struct fault_alloc fault;
	atomic_uint count = 0;
	struct evbus *bus;
	size_t k;
	int result;

	(void)state;
	fault_alloc_init(&fault);
	options.allocator = fault_alloc_hooks(&fault);
	bus = fixture_open(&options);
	reader = fixture_subscribed(bus, "a.>", fixture_count, &count);
	second = fixture_subscribed(bus, "*.b", fixture_count, &count);
	for (k = 1, result = EVBUS_ENOMEM; result == EVBUS_ENOMEM; k++) {
		fault_alloc_arm(&fault, k, 0);
		result = evbus_stream_open(bus, "a.*", &small, &stream);
		if (result == 0)
			break;
		fixture_refused(result, EVBUS_ENOMEM);
		assert_null(stream);
	}
	fault_alloc_arm(&fault, 0, 0);
	assert_int_equal(result, 0);
	assert_true(k > 3);
	assert_int_equal(evbus_publish_name(bus, "a.b", "x", 1), 0);
	assert_int_equal(evbus_publish_name(bus, "a.b.c", "x", 1), 0);
	/* In the new stream, and not in what was left of an earlier try. */
	assert_int_equal(tail_of(stream), 1);
	assert_int_equal(tail_of(evbus_stream_default(bus)), 1);
	assert_int_equal(fixture_drain(reader), 2);
	assert_int_equal(fixture_drain(second), 2);
	assert_int_equal(atomic_load(&count), 3);
	fixture_end(bus, 0);
	assert_int_equal(fault_alloc_blocks(&fault), 0);
	assert_int_equal(fault_alloc_wrong(&fault), 0);
}

struct opener {
	struct evbus *bus;
	pthread_barrier_t barrier;
	atomic_uint streams;
	atomic_uint topics;
};

static void
open_at_once(struct fixture_thread *thread)
{
	struct evbus_stream_options small = { .capacity = 16 };
	struct opener *opener = thread->arg;
	struct evbus_stream *stream;
	struct evbus_topic *topic;
	char name[16];
	int result, i;

	(void)pthread_barrier_wait(&opener->barrier);
	for (i = 0; i < 40; i++) {
		(void)snprintf(name, sizeof name, "t%d.a", i);
		result = evbus_stream_open(opener->bus, name, &small, &stream);
		fixture_check(thread, result == 0 || result == EVBUS_EEXIST ||
		    result == EVBUS_EBUSY);
		if (result == 0)
			atomic_fetch_add(&opener->streams, 1);
		fixture_check(thread, evbus_topic_open(opener->bus, name, NULL,
		    &topic) == 0);
		fixture_check(thread, evbus_publish(topic, "x", 1) == 0);
	}
}

/* One thread opens each, and none loses a topic to the default stream twice. */
static void
stream_opened_by_several_threads_at_once_is_opened_once(void **state)
{
	struct fixture_thread thread[3];
	struct opener opener = { 0 };
	int i;

	(void)state;
	opener.bus = fixture_open(NULL);
	assert_int_equal(pthread_barrier_init(&opener.barrier, NULL, 3), 0);
	for (i = 0; i < 3; i++)
		fixture_start(&thread[i], open_at_once, &opener);
	for (i = 0; i < 3; i++)
		fixture_join(&thread[i]);
	assert_int_equal(atomic_load(&opener.streams), 40);
	assert_int_equal(tail_of(evbus_stream_default(opener.bus)), 0);
	pthread_barrier_destroy(&opener.barrier);
	fixture_end(opener.bus, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    stream_carries_the_topics_of_its_pattern_and_no_others),
		cmocka_unit_test(stream_numbers_count_from_the_default_stream),
		cmocka_unit_test(stream_that_overlaps_another_is_eexist),
		cmocka_unit_test(stream_for_a_topic_that_exists_is_ebusy),
		cmocka_unit_test(stream_with_a_bad_pattern_is_refused),
		cmocka_unit_test(streams_beyond_max_streams_are_elimit),
		cmocka_unit_test(
		    stream_beyond_ring_memory_is_elimit_and_takes_nothing_M2),
		cmocka_unit_test(stream_of_the_largest_shape_is_elimit),
		cmocka_unit_test(
		    stream_opened_after_its_readers_is_joined_by_them_D1),
		cmocka_unit_test(stream_open_without_memory_changes_nothing),
		cmocka_unit_test(
		    stream_opened_by_several_threads_at_once_is_opened_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
