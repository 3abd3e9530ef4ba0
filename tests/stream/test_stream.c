/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_stream.c - why: the shape of a ring is chosen by the user and trusted by
 * every inline.  What does not fit is refused by name before any memory is
 * taken; what fits must work at its edges, first sequences near the end of
 * their 48 bits included.
 */
#include "bus_fixture.h"

#include "stream/stream.h"

struct row {
	struct evbus_stream_options options;
	int code;
	const char *says[2];
};

static const struct row refused[] = {
	{ { .capacity = 1 }, EVBUS_EINVAL, { "capacity is 1", "2 to" } },
	{ { .capacity = 3 }, EVBUS_EINVAL, { "capacity is 3", "power" } },
	{ { .capacity = 4095 }, EVBUS_EINVAL, { "4095", "power of two" } },
	{ { .capacity = (1u << 28) + 1 }, EVBUS_EINVAL, { "capacity",
	    "268435456" } },
	{ { .capacity = 1u << 29 }, EVBUS_EINVAL, { "capacity is 536870912",
	    "268435456" } },
	{ { .capacity = UINT32_MAX }, EVBUS_EINVAL, { "4294967295",
	    "268435456" } },
	{ { .slot_size = 32 }, EVBUS_EINVAL, { "slot_size is 32", "64 to" } },
	{ { .slot_size = 65 }, EVBUS_EINVAL, { "slot_size is 65", "power" } },
	{ { .slot_size = 96 }, EVBUS_EINVAL, { "slot_size is 96", "power" } },
	{ { .slot_size = 8192 }, EVBUS_EINVAL, { "slot_size", "4096" } },
	{ { .slot_size = UINT32_MAX }, EVBUS_EINVAL, { "slot_size",
	    "4096" } },
	{ { .max_payload = (16u << 20) + 1 }, EVBUS_EINVAL, { "max_payload",
	    "16777216" } },
	{ { .max_payload = UINT32_MAX }, EVBUS_EINVAL, { "max_payload",
	    "16777216" } },
	{ { .pool_blocks = (1u << 20) + 1 }, EVBUS_EINVAL, { "pool_blocks",
	    "1048576" } },
	{ { .max_references = (1u << 20) + 1 }, EVBUS_EINVAL,
	    { "max_references", "1048576" } },
	{ { .producers = (enum evbus_producers)2 }, EVBUS_EINVAL,
	    { "producers is 2", "_ONE" } },
	{ { .producers = (enum evbus_producers)-1 }, EVBUS_EINVAL,
	    { "producers is -1", "MANY" } },
	{ { .on_full = (enum evbus_on_full)2 }, EVBUS_EINVAL,
	    { "on_full is 2", "FAIL" } },
	{ { .on_full = (enum evbus_on_full)-1 }, EVBUS_EINVAL,
	    { "on_full is -1", "WAIT" } },
	{ { .times = (enum evbus_times)3 }, EVBUS_EINVAL, { "times is 3",
	    "NONE" } },
	{ { .times = (enum evbus_times)INT32_MIN }, EVBUS_EINVAL,
	    { "times is -2147483648", "SAMPLED" } },
	{ { .timeout_ns = -2 }, EVBUS_EINVAL, { "timeout_ns is -2",
	    "EVBUS_FOREVER" } },
	{ { .timeout_ns = INT64_MIN }, EVBUS_EINVAL, { "timeout_ns",
	    "-9223372036854775808" } },
	{ { .extensions = EVBUS_EXT_KEY }, EVBUS_ENOTSUP, { "extensions",
	    "0x1" } },
	{ { .extensions = EVBUS_EXT_REQUEST | EVBUS_EXT_TRACE },
	    EVBUS_ENOTSUP, { "extensions", "0x6" } },
	{ { .extensions = 0x80000000u }, EVBUS_ENOTSUP, { "extensions",
	    "0x80000000" } },
	{ { .first_sequence = (UINT64_C(1) << 48) - (UINT64_C(1) << 32) },
	    EVBUS_EINVAL, { "first_sequence", "281470681743360" } },
	{ { .first_sequence = UINT64_MAX }, EVBUS_EINVAL,
	    { "first_sequence", "18446744073709551615" } },
	/* Each is fine alone; together they overflow 32 bits, or 2^40. */
	{ { .capacity = 1u << 28, .slot_size = 4096 }, EVBUS_ELIMIT,
	    { "268435456 slots of 4096", "ring_memory" } },
	{ { .pool_blocks = 1u << 20, .max_payload = 16u << 20 },
	    EVBUS_ELIMIT, { "1048576 blocks of 16777216", "ring_memory" } },
};

static void
stream_options_out_of_range_are_refused_by_name(void **state)
{
	struct evbus *bus = fixture_open(NULL);
	struct evbus_stream *stream;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof refused / sizeof refused[0]; i++) {
		stream = (struct evbus_stream *)1;
		fixture_refused(evbus_stream_open(bus, "a.>",
		    &refused[i].options, &stream), refused[i].code);
		fixture_says(refused[i].says[0]);
		fixture_says(refused[i].says[1]);
		assert_null(stream);
	}
	/* None of them has taken the pattern. */
	assert_int_equal(evbus_stream_open(bus, "a.>", NULL, &stream), 0);
	fixture_end(bus, 0);
}

static void
stream_options_of_zero_are_the_defaults(void **state)
{
	struct evbus_stream_options options = { 0 };

	(void)state;
	assert_int_equal(evbus__stream_options_check(&options), 0);
	assert_int_equal(options.capacity, 4096);
	assert_int_equal(options.slot_size, 64);
	assert_int_equal(options.max_payload, 4096);
	assert_int_equal(options.pool_blocks, 1024);
	assert_int_equal(options.max_references, 1024);
	assert_int_equal(options.timeout_ns, FIXTURE_SECOND);
}

/* A quarter of the capacity, but at least 2 and at most what is allowed. */
static void
stream_pool_follows_the_capacity(void **state)
{
	static const struct {
		uint32_t capacity, quarter;
	} row[] = { { 2, 2 }, { 4, 2 }, { 8, 2 }, { 16, 4 }, { 1024, 256 },
	    { 1u << 22, 1u << 20 }, { 1u << 28, 1u << 20 } };
	struct evbus_stream_options options;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof row / sizeof row[0]; i++) {
		memset(&options, 0, sizeof options);
		options.capacity = row[i].capacity;
		assert_int_equal(evbus__stream_options_check(&options), 0);
		assert_int_equal(options.pool_blocks, row[i].quarter);
		assert_int_equal(options.max_references, row[i].quarter);
	}
}

/* ---- At the edges -------------------------------------------------------- */

static void
send_and_receive(const struct evbus_stream_options *given, unsigned rounds)
{
	struct evbus_options options = { .stream = *given };
	struct evbus *bus = fixture_open(&options);
	struct evbus_topic *topic = fixture_topic(bus, "a");
	struct evbus_reader *reader = fixture_subscribed(bus, "a", NULL, NULL);
	const struct evbus_event *event;
	static unsigned char payload[5000];
	uint32_t size;
	unsigned i, k;

	for (i = 0; i < rounds; i++) {
		size = i * 37 % (given->max_payload == 0 ? 4096 :
		    given->max_payload + 1);
		for (k = 0; k < size; k++)
			payload[k] = (unsigned char)(k * 7 + i);
		assert_int_equal(evbus_publish(topic, payload, size), 0);
		event = evbus_next(reader);
		assert_non_null(event);
		assert_int_equal(event->sequence, given->first_sequence + i);
		assert_int_equal(event->size, size);
		assert_memory_equal(event->data, payload, size);
		assert_int_equal((uintptr_t)event->data % 16, 0);
	}
	evbus_done(reader);
	fixture_end(bus, 0);
}

static void
stream_of_each_allowed_edge_carries_payloads_whole(void **state)
{
	static const struct evbus_stream_options edge[] = {
		{ .capacity = 2 },
		{ .capacity = 2, .slot_size = 64, .max_payload = 1 },
		{ .capacity = 2, .slot_size = 64, .max_payload = 32 },
		{ .capacity = 2, .slot_size = 64, .max_payload = 33,
		    .pool_blocks = 2 },
		{ .capacity = 4, .slot_size = 4096, .max_payload = 4064 },
		{ .capacity = 4, .slot_size = 4096, .max_payload = 4065,
		    .pool_blocks = 2 },
		{ .capacity = 16, .slot_size = 128, .max_payload = 4999,
		    .producers = EVBUS_PRODUCERS_ONE },
		{ .capacity = 8, .first_sequence = (UINT64_C(1) << 48) -
		    (UINT64_C(1) << 32) - 1 },
		{ .capacity = 8, .first_sequence = 1 },
		{ .capacity = 8, .first_sequence = UINT32_MAX },
		{ .capacity = 1u << 16, .on_full = EVBUS_ON_FULL_FAIL },
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof edge / sizeof edge[0]; i++)
		send_and_receive(&edge[i], 400);
}

static void
stream_payload_over_the_limit_is_emsgsize(void **state)
{
	struct evbus_options options = { .stream = { .max_payload = 100 } };
	struct evbus *bus = fixture_open(&options);
	struct evbus_topic *topic = fixture_topic(bus, "a");
	struct evbus_stream_stats stats;
	struct evbus_claim claim;
	static char payload[200];
	struct iovec batch[2] = { { payload, 1 }, { payload, 101 } };

	(void)state;
	fixture_refused(evbus_publish(topic, payload, 101), EVBUS_EMSGSIZE);
	fixture_says("101");
	fixture_says("100");
	fixture_refused(evbus_try_publish(topic, payload, SIZE_MAX),
	    EVBUS_EMSGSIZE);
	fixture_refused(evbus_publish_with(topic, payload, 101, NULL),
	    EVBUS_EMSGSIZE);
	fixture_refused(evbus_publish_batch(topic, batch, 2),
	    EVBUS_EMSGSIZE);
	fixture_refused(evbus_claim(topic, 101, 0, &claim), EVBUS_EMSGSIZE);
	fixture_refused(evbus_publish_name(bus, "a", payload, 101),
	    EVBUS_EMSGSIZE);
	assert_int_equal(evbus_stream_stats(evbus_stream_default(bus),
	    &stats), 0);
	assert_int_equal(stats.tail, 0);
	assert_int_equal(evbus_publish(topic, payload, 100), 0);
	fixture_end(bus, 0);
}

static void
stream_stats_count_what_happened(void **state)
{
	struct evbus_options options = { .stream = { .capacity = 4,
	    .on_full = EVBUS_ON_FULL_FAIL } };
	struct evbus *bus = fixture_open(&options);
	struct evbus_stream *stream = evbus_stream_default(bus);
	struct evbus_topic *topic = fixture_topic(bus, "a");
	struct evbus_reader *reader = fixture_subscribed(bus, "a", NULL, NULL);
	struct evbus_stream_stats stats;
	struct evbus_claim claim;
	int i;

	(void)state;
	assert_int_equal(evbus_stream_stats(stream, &stats), 0);
	assert_int_equal(stats.capacity, 4);
	assert_int_equal(stats.tail, 0);
	assert_int_equal(evbus_claim(topic, 1, 0, &claim), 0);
	evbus_abort(&claim);
	for (i = 0; i < 5; i++)
		assert_int_equal(evbus_publish(topic, "x", 1), i < 3 ? 0 :
		    EVBUS_EFULL);
	assert_int_equal(evbus_stream_stats(stream, &stats), 0);
	assert_int_equal(stats.tail, 4);
	assert_int_equal(stats.gate, 0);
	assert_int_equal(stats.holes, 1);
	assert_int_equal(stats.refused, 2);
	assert_int_equal(stats.waits, 0);
	assert_int_equal(fixture_drain(reader), 4);
	assert_int_equal(evbus_publish(topic, "x", 1), 0);
	assert_int_equal(evbus_stream_stats(stream, &stats), 0);
	assert_true(stats.gate > 0 && stats.gate <= 4);
	fixture_end(bus, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    stream_options_out_of_range_are_refused_by_name),
		cmocka_unit_test(stream_options_of_zero_are_the_defaults),
		cmocka_unit_test(stream_pool_follows_the_capacity),
		cmocka_unit_test(
		    stream_of_each_allowed_edge_carries_payloads_whole),
		cmocka_unit_test(stream_payload_over_the_limit_is_emsgsize),
		cmocka_unit_test(stream_stats_count_what_happened),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
