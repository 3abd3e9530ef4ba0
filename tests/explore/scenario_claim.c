/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * scenario_claim.c - claim x abort (S5).
 *
 * Who: a thread that claims and then commits, aborts, or just ends; another
 * producer; a lossless reader, or none, and then a ring of two slots, so that
 * the other producer comes round to the open claim.
 *
 * Argument.  A claim that is given up is stamped like an event, with a mark
 * that it is none: a reader passes and counts it, and stops before it until
 * then.  Without a lossless reader the frontier stops before an open claim, so
 * its slot is claimed by nobody else; the commit or the abort wakes who waits
 * for it (SPACE).
 *
 * The claims of a thread that ends are given up by its exit function: holes
 * like any other, and whoever waits for their slots goes on (S5).
 *
 * Edges: STAMP, GATE, SPACE, WAKE.
 */
#include <evbus/claim.h>

#include "scenario.h"

static const struct evbus_options two_slots = {
	.stream = { .capacity = 2 },
};
static unsigned holes;		/* made in this execution */

static void
setup(void)
{
	holes = 0;
	scenario_open(NULL, 0);
	scenario_reader_open(0, NULL);
	scenario_subscribe(0);
}

static void
setup_unread(void)
{
	holes = 0;
	scenario_open(&two_slots, 0);
}

static void
setup_exit(void)
{
	setup();
	explore_exits();
}

static void
claim_one(void)
{
	struct evbus_claim claim;

	EXPLORE_ASSERT(scenario_claim(&claim) == 0);
	if (explore_choose(2) == 0) {
		EXPLORE_ASSERT(scenario_commit(&claim) == 0);
	} else {
		evbus_abort(&claim);
		holes++;
	}
}

static void
claim_and_end(void)
{
	struct evbus_claim claim;

	EXPLORE_ASSERT(scenario_claim(&claim) == 0);
	holes++;
}

static void
publish_one(void)
{
	EXPLORE_ASSERT(scenario_publish() == 0);
}

static void
publish_two(void)
{
	publish_one();
	publish_one();
}

static void
poll(void)
{
	EXPLORE_ASSERT(evbus_poll(scenario.reader[0], 4) >= 0);
}

static void
check_stream(uint64_t tail)
{
	struct evbus_stream_stats stream;

	EXPLORE_ASSERT(evbus_stream_stats(scenario.stream, &stream) == 0);
	EXPLORE_ASSERT(stream.holes == holes);
	EXPLORE_ASSERT(stream.tail == tail);
}

static void
finish(void)
{
	struct evbus_reader_stats stats;

	scenario_drain();
	EXPLORE_ASSERT(evbus_reader_stats(scenario.reader[0], &stats) == 0);
	EXPLORE_ASSERT(stats.passed == 2 && stats.holes == holes);
	check_stream(2);
	scenario_check(0, 1);
	scenario_close();
}

static void
finish_unread(void)
{
	check_stream(3);
	scenario_close();
}

const struct explore_test claim_x_abort = {
	"claim_x_abort", "a hole is passed and counted", 3,
	setup, { claim_one, publish_one, poll }, finish, NULL
};

const struct explore_test claim_x_lap = {
	"claim_x_lap", "nobody comes round to an open claim", 2,
	setup_unread, { claim_one, publish_two }, finish_unread, NULL
};

/* The ring is full of open claims when their thread ends. */
static void
setup_exit_unread(void)
{
	setup_unread();
	explore_exits();
	explore_stand_for(1);
	claim_and_end();
	explore_stand_for(0);
}

/* It may wait for the first, which only the caller could end. */
static void
claim_more_and_end(void)
{
	struct evbus_claim claim;
	int result;

	result = scenario_claim(&claim);
	EXPLORE_ASSERT(result == 0 || result == EVBUS_EDEADLK);
	holes += result == 0;
}

static void
finish_exit_unread(void)
{
	check_stream(holes + 1);
	scenario_close();
}

const struct explore_test claim_x_exit_full = {
	"claim_x_exit_full", "who waits for a dead thread's slot goes on", 2,
	setup_exit_unread, { claim_more_and_end, publish_one },
	finish_exit_unread, "u"
};

const struct explore_test claim_x_exit = {
	"claim_x_exit", "the claim of a thread that ends is a hole", 3,
	setup_exit, { claim_and_end, publish_one, poll }, finish, NULL
};
