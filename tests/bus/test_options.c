/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_options.c - why: the options bound all that a bus will ever use (M2); a
 * value that slips through is a crash later and elsewhere.  Each limit is tried
 * at its edge and beyond, and 0 is the default everywhere.
 */
#include "bus_fixture.h"

#include "bus/bus.h"

static const char name31[] = "thirty-one-bytes-are-the-limit!";
static const char name32[] = "thirty-two-bytes-are-one-too-far";

static struct evbus_options
complete(const struct evbus_options *given)
{
	struct evbus_options options = { 0 };

	if (given != NULL)
		options = *given;
	assert_int_equal(evbus__options_check(&options), 0);
	return options;
}

static void
options_of_zero_are_the_defaults(void **state)
{
	struct evbus_options options = complete(NULL);

	(void)state;
	assert_string_equal(options.name, "evbus");
	assert_int_equal(options.max_topics, 65536);
	assert_int_equal(options.max_readers, 1024);
	assert_int_equal(options.max_publishers, 256);
	assert_int_equal(options.max_streams, 64);
	assert_int_equal(options.ring_memory, 1 << 30);
	assert_int_equal(options.name_memory, 65536 * 64);
	assert_int_equal(options.stream.capacity, 4096);
	assert_int_equal(options.stream.slot_size, 64);
	assert_int_equal(options.stream.max_payload, 4096);
	assert_int_equal(options.stream.pool_blocks, 1024);
	assert_int_equal(options.stream.max_references, 1024);
	assert_int_equal(options.stream.timeout_ns, 1000000000);
}

static void
options_with_few_topics_keep_room_for_names(void **state)
{
	struct evbus_options given = { .max_topics = 1 };

	(void)state;
	assert_int_equal(complete(&given).name_memory, 65536);
}

static void
options_at_their_limits_are_taken(void **state)
{
	struct evbus_options given = {
		.name = name31,
		.max_topics = (1u << 24) - 1,
		.max_readers = 65535,
		.max_publishers = 65535,
		.max_streams = 1024,
		.ring_memory = UINT64_C(1) << 44,
		.name_memory = UINT32_MAX,
	};

	(void)state;
	(void)complete(&given);
}

/* 64 bytes a topic does not overflow the 32 bits of name_memory. */
static void
options_with_most_topics_have_room_for_names(void **state)
{
	struct evbus_options given = { .max_topics = (1u << 24) - 1 };

	(void)state;
	assert_int_equal(complete(&given).name_memory,
	    ((1u << 24) - 1) * UINT64_C(64));
}

static void *
get(size_t size, void *arg)
{
	(void)arg;
	return malloc(size);
}

static void
put(void *p, size_t size, void *arg)
{
	(void)size;
	(void)arg;
	free(p);
}

static void
options_beyond_a_limit_are_refused_by_name(void **state)
{
	static const struct {
		struct evbus_options options;
		const char *says[2];
		int code;
	} row[] = {
		{ { .name = name32 }, { "name", "32" }, EVBUS_EINVAL },
		{ { .max_topics = 1u << 24 }, { "max_topics", "16777215" },
		    EVBUS_EINVAL },
		{ { .max_topics = UINT32_MAX }, { "max_topics",
		    "4294967295" }, EVBUS_EINVAL },
		{ { .max_readers = 65536 }, { "max_readers", "65535" },
		    EVBUS_EINVAL },
		{ { .max_publishers = 65536 }, { "max_publishers", "65535" },
		    EVBUS_EINVAL },
		{ { .max_streams = 1025 }, { "max_streams", "1024" },
		    EVBUS_EINVAL },
		{ { .ring_memory = (UINT64_C(1) << 44) + 1 },
		    { "ring_memory", "17592186044417" }, EVBUS_EINVAL },
		{ { .ring_memory = UINT64_MAX }, { "ring_memory", "2^44" },
		    EVBUS_EINVAL },
		{ { .allocator = { .alloc = get } }, { "alloc", "both" },
		    EVBUS_EINVAL },
		{ { .allocator = { .free = put } }, { "free", "both" },
		    EVBUS_EINVAL },
		{ { .stream = { .capacity = 3 } }, { "capacity is 3",
		    "power of two" }, EVBUS_EINVAL },
		{ { .stream = { .extensions = EVBUS_EXT_KEY } },
		    { "extensions", "0x1" }, EVBUS_ENOTSUP },
		{ { .ring_memory = 4096 }, { "ring_memory", "4096" },
		    EVBUS_ELIMIT },
	};
	struct evbus *bus;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof row / sizeof row[0]; i++) {
		bus = (struct evbus *)1;
		fixture_refused(evbus_open(&bus, &row[i].options),
		    row[i].code);
		fixture_says(row[i].says[0]);
		fixture_says(row[i].says[1]);
		assert_null(bus);
	}
}

/* Limits that are fine one by one may ask for too much together. */
static void
options_that_ask_for_too_much_space_are_refused(void **state)
{
	struct evbus_options options = {
		.max_topics = 1, .max_readers = 65535, .max_streams = 1024,
		.ring_memory = UINT64_C(1) << 44,
	};
	struct evbus *bus;
	int result = evbus_open(&bus, &options);

	(void)state;
	/* 16 GiB of cursors beside 2^44: the system may have that. */
	if (result == 0) {
		fixture_end(bus, 0);
		return;
	}
	assert_true(result == EVBUS_EINVAL || result == EVBUS_ESYSTEM ||
	    result == EVBUS_ENOMEM);
	assert_null(bus);
	assert_true(strlen(evbus_errmsg()) > 10);
}

static void
options_of_the_smallest_bus_are_enough(void **state)
{
	struct evbus_options options = {
		.stream = { .capacity = 2, .max_payload = 1,
		    .max_references = 1 },
		.max_topics = 1, .max_readers = 1, .max_publishers = 1,
		.max_streams = 1, .ring_memory = 256, .name_memory = 2,
	};
	struct evbus *bus = fixture_open(&options);
	struct evbus_topic *topic = fixture_topic(bus, "a");
	atomic_uint count = 0;
	struct evbus_reader *reader = fixture_subscribed(bus, ">",
	    fixture_count, &count);

	(void)state;
	assert_int_equal(evbus_publish(topic, "1", 1), 0);
	assert_int_equal(evbus_publish(topic, "2", 1), 0);
	assert_int_equal(evbus_try_publish(topic, "3", 1), EVBUS_EFULL);
	assert_int_equal(fixture_drain(reader), 2);
	assert_int_equal(atomic_load(&count), 2);
	fixture_refused(evbus_publish(topic, "33", 2), EVBUS_EMSGSIZE);
	fixture_end(bus, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(options_of_zero_are_the_defaults),
		cmocka_unit_test(options_with_few_topics_keep_room_for_names),
		cmocka_unit_test(options_at_their_limits_are_taken),
		cmocka_unit_test(options_with_most_topics_have_room_for_names),
		cmocka_unit_test(options_beyond_a_limit_are_refused_by_name),
		cmocka_unit_test(
		    options_that_ask_for_too_much_space_are_refused),
		cmocka_unit_test(options_of_the_smallest_bus_are_enough),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
