/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * scenario_gate.c - publish x gate, publish x full, publish x lap.
 *
 * Who: producers that go round a ring of two slots, and a lossless reader that
 * reads in place; or, in the last two, nobody but producers.
 *
 * Argument (GATE).  No slot is claimed again before every lossless cursor has
 * passed it: a claim is made only under a limit that was computed from the
 * cursors; the cursor is stored with release after the payload was read, and
 * loaded with acquire by who computes; the limit is stored with release, and
 * loaded with acquire by who claims.  So what the reader read happens before
 * it is written again, and the reader sees exactly the sequence published.
 *
 * Without a lossless reader the frontier takes the cursors' place: a slot is
 * claimed again only when the event that lies in it is committed.  Otherwise
 * two producers a lap apart would write one slot.
 *
 * SPACE: a publisher that finds the ring full marks itself, fences and looks
 * again before it sleeps; a reader that moves its cursor, or without one a
 * producer that commits, fences and looks for the mark.  One sees the other.
 *
 * Edges: GATE, SPACE, STAMP, SET.
 */
#include "scenario.h"

#define FIRST	((UINT64_C(1) << 32) - 2)

static const struct evbus_options two_slots = {
	.stream = { .capacity = 2 },
};
static const struct evbus_options one_producer = {
	.stream = { .capacity = 2, .producers = EVBUS_PRODUCERS_ONE },
};
static const struct evbus_options high_numbers = {
	.stream = { .capacity = 2, .first_sequence = FIRST },
};

static void
open_with(const struct evbus_options *options)
{
	scenario_open(options, 0);
	scenario_reader_open(0, NULL);
	scenario_subscribe(0);
}

static void
setup(void)
{
	open_with(&two_slots);
}

static void
setup_single(void)
{
	open_with(&one_producer);
}

static void
setup_high(void)
{
	open_with(&high_numbers);
}

/* Three events; one that is refused is not tried again. */
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
poll_twice(void)
{
	EXPLORE_ASSERT(evbus_poll(scenario.reader[0], 1) >= 0);
	EXPLORE_ASSERT(evbus_poll(scenario.reader[0], 2) >= 0);
}

/* Two producers: one may claim under the limit that the other has computed. */
static void
setup_half(void)
{
	open_with(&two_slots);
	EXPLORE_ASSERT(scenario_publish() == 0);
}

static void
try_two(void)
{
	int i, result;

	for (i = 0; i < 2; i++) {
		result = scenario_try_publish();
		EXPLORE_ASSERT(result == 0 || result == EVBUS_EFULL);
	}
}

static void
poll_once(void)
{
	EXPLORE_ASSERT(evbus_poll(scenario.reader[0], 2) >= 0);
}

const struct explore_test publish_x_gate = {
	"publish_x_gate", "no slot is written before it was read", 2,
	setup, { try_three, poll_twice }, scenario_finish, NULL
};

const struct explore_test publish_x_gate_sp = {
	"publish_x_gate_sp", "the same with a single producer", 2,
	setup_single, { try_three, poll_twice }, scenario_finish, NULL
};

const struct explore_test publish_x_gate_high = {
	"publish_x_gate_high", "the same from sequence 2^32 - 2 on", 2,
	setup_high, { try_three, poll_twice }, scenario_finish, NULL
};

const struct explore_test publish_x_gate_two = {
	"publish_x_gate_two", "the same with two producers", 3,
	setup_half, { try_two, try_two, poll_once }, scenario_finish, NULL
};

const struct explore_test publish_x_next = {
	"publish_x_next", "an event stays whole until it is done with", 2,
	setup, { try_three, scenario_next_twice }, scenario_finish, NULL
};

/* A publisher sleeps until the reader moves. */
static void
setup_full(void)
{
	open_with(&two_slots);
	EXPLORE_ASSERT(scenario_publish() == 0 && scenario_publish() == 0);
}

static void
publish_one(void)
{
	explore_assert(scenario_publish() == 0, "publish: %s", evbus_errmsg());
}

static void
poll_one(void)
{
	EXPLORE_ASSERT(evbus_poll(scenario.reader[0], 1) == 1);
}

static void
poll_all(void)
{
	EXPLORE_ASSERT(evbus_poll(scenario.reader[0], 4) >= 2);
}

const struct explore_test publish_x_full = {
	"publish_x_full", "who waits for space is woken by the reader", 2,
	setup_full, { publish_one, poll_one }, scenario_finish, "fu"
};

const struct explore_test publish_x_full_two = {
	"publish_x_full_two", "two that wait for space are both woken", 3,
	setup_full, { publish_one, publish_one, poll_all }, scenario_finish,
	NULL
};

/* Nobody reads. */
static void
setup_unread(void)
{
	scenario_open(&two_slots, 0);
}

static void
publish_two(void)
{
	publish_one();
	publish_one();
}

static void
finish_unread(void)
{
	struct evbus_stream_stats stats;

	EXPLORE_ASSERT(evbus_stream_stats(scenario.stream, &stats) == 0);
	EXPLORE_ASSERT(stats.tail == 4);
	scenario_close();
}

const struct explore_test publish_x_lap = {
	"publish_x_lap", "producers a lap apart share no slot", 2,
	setup_unread, { publish_two, publish_two }, finish_unread, NULL
};
