/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * scenario_numbers.c - numbers that grow over 2^32 and 2^47 (O1, D1, D2).
 *
 * Who: the pairs of scenario_gate.c, scenario_lossy.c, scenario_join.c and
 * scenario_wait.c, in streams that begin at 2^32 - 8 and at 2^47 - 8.  Six to
 * eight events are published before the fibers begin, and six are read, so that
 * what they do crosses the border.
 *
 * Argument.  Sequences, cursors, limits and stamps are 64-bit words that are
 * compared by their difference, and nothing takes the low half of one for the
 * whole: the futex words are counters of their own.  A cause has 48 bits, and
 * numbering must start below 2^48 - 2^32, so 2^47 is a border only for whoever
 * shifts a sequence by a bit or takes it for signed.  So every scenario has the
 * ends that it has at 0.
 *
 * Edges: GATE, LAP, JOIN, WAKE, STAMP.
 */
#include "scenario.h"

#define BEFORE	6u		/* events read before the fibers begin */

static const struct evbus_reader_options lossy = { .lossy = 1 };
static uint64_t first;

static void
open_at(unsigned bits, uint32_t capacity,
    const struct evbus_reader_options *reader)
{
	struct evbus_options options = { .stream = { .capacity = capacity } };
	unsigned i;

	first = (UINT64_C(1) << bits) - 8;
	options.stream.first_sequence = first;
	scenario_open(&options, 0);
	scenario_reader_open(0, reader);
	scenario_subscribe(0);
	for (i = 0; i < BEFORE; i++) {
		EXPLORE_ASSERT(scenario_publish() == 0);
		EXPLORE_ASSERT(evbus_poll(scenario.reader[0], 1) == 1);
	}
}

static void
publish_n(unsigned n)
{
	for (; n > 0; n--)
		EXPLORE_ASSERT(scenario_publish() == 0);
}

static void
try_three(void)
{
	int i, result;

	for (i = 0; i < 3; i++) {
		result = scenario_try_publish();
		EXPLORE_ASSERT(result == 0 || result == EVBUS_EFULL);
	}
}

static void
publish_one(void)
{
	publish_n(1);
}

static void
publish_three(void)
{
	publish_n(3);
}

static void
poll_twice(void)
{
	EXPLORE_ASSERT(evbus_poll(scenario.reader[0], 1) >= 0);
	EXPLORE_ASSERT(evbus_poll(scenario.reader[0], 2) >= 0);
}

static void
read_three(void)
{
	scenario_read(0, BEFORE + 3);
}

/* A second reader joins, in the middle of it. */
static void
join(void)
{
	scenario_subscribe(1);
	EXPLORE_ASSERT(evbus_poll(scenario.reader[1], 1) >= 0);
}

static void
check_numbers(unsigned i)
{
	const struct scenario_log *log = &scenario.log[i];
	struct evbus_stream_stats stats;
	unsigned k;

	EXPLORE_ASSERT(evbus_stream_stats(scenario.stream, &stats) == 0);
	for (k = 0; k < log->count; k++)
		EXPLORE_ASSERT(log->got[k].sequence >= first &&
		    log->got[k].sequence < stats.tail);
	EXPLORE_ASSERT(stats.tail - first >= BEFORE + 1 &&
	    stats.tail - first <= BEFORE + 4);
}

static void
finish(void)
{
	unsigned k;

	scenario_drain();
	for (k = 0; k < scenario.log[0].count; k++)
		EXPLORE_ASSERT(scenario.log[0].got[k].sequence == first + k);
	check_numbers(0);
	scenario_check(0, 1);
	scenario_close();
}

static void
finish_lossy(void)
{
	scenario_drain();
	check_numbers(0);
	scenario_check(0, 0);
	scenario_close();
}

static void
finish_joined(void)
{
	scenario_drain();
	check_numbers(1);
	scenario_check(1, 0);
	finish();
}

/* The same four at each border. */
#define AT(bits, border) \
static void \
setup_gate_##bits(void) \
{ \
	open_at(bits, 2, NULL); \
} \
static void \
setup_lossy_##bits(void) \
{ \
	open_at(bits, 2, &lossy); \
} \
static void \
setup_join_##bits(void) \
{ \
	open_at(bits, 4, NULL); \
	publish_n(1); \
	scenario_reader_open(1, NULL); \
} \
static void \
setup_wait_##bits(void) \
{ \
	open_at(bits, 2, NULL); \
	publish_n(2); \
} \
const struct explore_test publish_x_gate_##bits = { \
	"publish_x_gate_" #bits, "no slot is written early, over " border, 2, \
	setup_gate_##bits, { try_three, poll_twice }, finish, NULL \
}; \
const struct explore_test lossy_x_lap_##bits = { \
	"lossy_x_lap_" #bits, "no torn payload, all counted, over " border, 2, \
	setup_lossy_##bits, { publish_three, poll_twice }, finish_lossy, NULL \
}; \
const struct explore_test wait_x_wake_##bits = { \
	"wait_x_wake_" #bits, "sleepers on both sides are woken, over " \
	border, 2, \
	setup_wait_##bits, { publish_one, read_three }, finish, NULL \
}; \
const struct explore_test join_x_publish_##bits = { \
	"join_x_publish_" #bits, "who joins misses nothing, over " border, 2, \
	setup_join_##bits, { join, publish_one }, finish_joined, NULL \
}

AT(32, "2^32");
AT(47, "2^47");
