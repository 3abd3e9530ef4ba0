/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_late.c - why: with several readers that may be demoted, each for its own
 * reason and in its own time, a publisher must wait for the first of them and
 * demote no other; whatever the order in which they came (S1).
 */
#include "bus_fixture.h"

#include "bus/bus.h"

#define CAPACITY	8u
#define HOUR		(3600 * FIXTURE_SECOND)
#define READERS		3

struct late {
	struct evbus *bus;
	struct evbus_topic *topic;
	struct evbus_reader *reader[READERS];
};

static void
open_late(struct late *late, const uint64_t max_lag[READERS],
    const int64_t stall_ns[READERS])
{
	struct evbus_options options = {
		.stream = { .capacity = CAPACITY },
	};
	struct evbus_reader_options reader = { 0 };
	unsigned i;

	memset(late, 0, sizeof *late);
	late->bus = fixture_open(&options);
	late->topic = fixture_topic(late->bus, "a");
	for (i = 0; i < READERS; i++) {
		reader.max_lag = max_lag == NULL ? 0 : max_lag[i];
		reader.stall_ns = stall_ns == NULL ? 0 : stall_ns[i];
		late->reader[i] = fixture_reader(late->bus, &reader);
		assert_true(evbus_reader_subscribe(late->reader[i], "a", NULL,
		    NULL, NULL) > 0);
	}
}

static int
publish(struct late *late, int64_t timeout_ns)
{
	struct evbus_publish_options options = {
		.set_timeout = 1, .timeout_ns = timeout_ns,
	};

	return evbus_publish_with(late->topic, "x", 1, &options);
}

static void
fill(struct late *late)
{
	unsigned i;

	for (i = 0; i < CAPACITY; i++)
		assert_int_equal(publish(late, 0), 0);
}

static uint64_t
demoted(const struct late *late, unsigned i)
{
	struct evbus_reader_stats stats;

	assert_int_equal(evbus_reader_stats(late->reader[i], &stats), 0);
	return stats.demoted;
}

/* ---- max_lag ------------------------------------------------------------- */

static void
each_reader_is_demoted_at_its_own_lag_S1(void **state)
{
	static const uint64_t max_lag[READERS] = { 4, 2, 6 };
	struct late late;
	unsigned i, n;

	(void)state;
	open_late(&late, max_lag, NULL);
	/* Once round, so that the room promised at the start is used up. */
	for (n = 0; n <= CAPACITY; n++) {
		assert_int_equal(publish(&late, 0), 0);
		for (i = 0; i < READERS; i++)
			assert_int_equal(fixture_drain(late.reader[i]), 1);
	}
	for (n = 1; n <= CAPACITY; n++) {
		assert_int_equal(publish(&late, 0), 0);
		assert_int_equal(demoted(&late, 0), n > 4);
		assert_int_equal(demoted(&late, 1), n > 2);
		assert_int_equal(demoted(&late, 2), n > 6);
	}
	fixture_end(late.bus, 0);
}

/* ---- stall_ns ------------------------------------------------------------ */

static void
publisher_waits_for_the_first_stall_and_demotes_no_other_S1(void **state)
{
	static const int64_t stall_ns[READERS] = {
		2 * HOUR, FIXTURE_MS, 2 * HOUR,
	};
	struct late late;

	(void)state;
	open_late(&late, NULL, stall_ns);
	fill(&late);
	/* The others are still in the way when that one is demoted. */
	assert_int_equal(publish(&late, 20 * FIXTURE_MS), EVBUS_ETIMEDOUT);
	assert_int_equal(demoted(&late, 0), 0);
	assert_int_equal(demoted(&late, 1), 1);
	assert_int_equal(demoted(&late, 2), 0);
	fixture_end(late.bus, 0);
}

static void
publish_without_a_time_limit_ends_when_all_have_stalled_S1(void **state)
{
	static const int64_t stall_ns[READERS] = {
		FIXTURE_MS, 2 * FIXTURE_MS, 3 * FIXTURE_MS,
	};
	struct late late;
	unsigned i;

	(void)state;
	open_late(&late, NULL, stall_ns);
	fill(&late);
	assert_int_equal(publish(&late, EVBUS_FOREVER), 0);
	for (i = 0; i < READERS; i++)
		assert_int_equal(demoted(&late, i), 1);
	fixture_end(late.bus, 0);
}

/* A time beyond all times. */
static void
reader_whose_time_never_ends_is_waited_for_S4(void **state)
{
	static const int64_t stall_ns[READERS] = {
		INT64_MAX, 2 * HOUR, INT64_MAX,
	};
	struct late late;
	unsigned i;

	(void)state;
	open_late(&late, NULL, stall_ns);
	fill(&late);
	assert_int_equal(publish(&late, FIXTURE_MS), EVBUS_ETIMEDOUT);
	assert_int_equal(publish(&late, 0), EVBUS_EFULL);
	for (i = 0; i < READERS; i++) {
		assert_int_equal(demoted(&late, i), 0);
		assert_int_equal(fixture_drain(late.reader[i]), CAPACITY);
	}
	assert_int_equal(publish(&late, 0), 0);
	fixture_end(late.bus, 0);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_reader_is_demoted_at_its_own_lag_S1),
		cmocka_unit_test(
		    publisher_waits_for_the_first_stall_and_demotes_no_other_S1),
		cmocka_unit_test(
		    publish_without_a_time_limit_ends_when_all_have_stalled_S1),
		cmocka_unit_test(reader_whose_time_never_ends_is_waited_for_S4),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
