/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * scenario_demote.c - demotion x everything it meets (S1, D1, D2, L1).
 *
 * Who: a reader that may be demoted, publishers that find it in their way, and
 * who waits for it, leaves with it or comes after it in its place.
 *
 * Argument (DEMOTE in stream/demote.c).  The reader copies, and proves each
 * copy by the tail (LAP), whether it gates or not: so at whatever moment it is
 * demoted, no payload is torn and all that went by is counted.  max_lag: a
 * publisher never waits for it.  stall_ns: a publisher waits for that long, or
 * until the reader moves, whichever is first, and then goes on.  The mark of
 * one reader is never found by the next that has its place.
 *
 * Edges: DEMOTE, LAP, PIN, SPACE, SET.
 */
#include "scenario.h"

static const struct evbus_options two_slots = {
	.stream = { .capacity = 2 },
};
static const struct evbus_options one_reader = {
	.stream = { .capacity = 2 }, .max_readers = 1,
};
static const struct evbus_reader_options lag = { .max_lag = 2 };
static const struct evbus_reader_options stall = { .stall_ns = 1000 };

/* A full ring, its events in the log of context 0. */
static void
setup_with(const struct evbus_options *options,
    const struct evbus_reader_options *reader)
{
	scenario_open(options, 0);
	scenario_reader_open(0, reader);
	scenario_subscribe(0);
	explore_stand_for(1);
	EXPLORE_ASSERT(scenario_try_publish() == 0);
	EXPLORE_ASSERT(scenario_try_publish() == 0);
	explore_stand_for(0);
}

static void
setup_lag(void)
{
	setup_with(&two_slots, &lag);
}

static void
setup_stall(void)
{
	setup_with(&two_slots, &stall);
}

static void
setup_leave(void)
{
	setup_with(&one_reader, &lag);
}

/* It stalled, went on, and stalls again, when a stall would be over. */
static void
setup_again(void)
{
	setup_stall();
	EXPLORE_ASSERT(scenario_try_publish() == EVBUS_EFULL);
	EXPLORE_ASSERT(evbus_poll(scenario.reader[0], 1) == 1);
	EXPLORE_ASSERT(scenario_try_publish() == 0);
	explore_advance(1100);
}

/* Nobody waits for a reader with max_lag, nor is refused. */
static void
try_one(void)
{
	EXPLORE_ASSERT(scenario_try_publish() == 0);
}

/* What comes after the reader may be in its way. */
static void
try_once(void)
{
	int result = scenario_try_publish();

	EXPLORE_ASSERT(result == 0 || result == EVBUS_EFULL);
}

/* It waits for the other's commit at most, or for the time. */
static void
publish_one(void)
{
	EXPLORE_ASSERT(scenario_publish() == 0);
}

/* The reader lets one of them go on. */
static void
publish_two(void)
{
	EXPLORE_ASSERT(scenario_publish() == 0);
	EXPLORE_ASSERT(scenario_publish() == 0);
}

static void
poll_one(void)
{
	EXPLORE_ASSERT(evbus_poll(scenario.reader[0], 1) >= 0);
}

static void
poll_two(void)
{
	EXPLORE_ASSERT(evbus_poll(scenario.reader[0], 2) >= 0);
}

static void
try_refused(void)
{
	EXPLORE_ASSERT(scenario_try_publish() == EVBUS_EFULL);
}

static void
flush(void)
{
	EXPLORE_ASSERT(evbus_flush(scenario.bus, EVBUS_FOREVER) == 0);
}

/* Its place in the tables goes to a reader that is to lose nothing. */
static void
leave_and_come(void)
{
	EXPLORE_ASSERT(evbus_reader_close(scenario.reader[0],
	    EVBUS_FOREVER) == 0);
	scenario_reader_open(1, NULL);
	scenario_subscribe(1);
}

static void
finish(void)
{
	scenario_drain();
	scenario_check(0, 0);
	scenario_close();
}

static void
finish_lossless(void)
{
	struct evbus_reader_stats stats;

	EXPLORE_ASSERT(evbus_reader_stats(scenario.reader[0], &stats) == 0);
	EXPLORE_ASSERT(stats.demoted == 0);
	scenario_finish();
}

/* Whoever came last is lossless still. */
static void
finish_come(void)
{
	struct evbus_reader_stats stats;

	EXPLORE_ASSERT(evbus_reader_stats(scenario.reader[1], &stats) == 0);
	EXPLORE_ASSERT(stats.demoted == 0 && stats.lost == 0);
	scenario.reader[0] = NULL;
	scenario_drain();
	scenario_close();
}

const struct explore_test demotion_x_publish = {
	"demotion_x_publish", "S1: never waits, no torn payload, all counted",
	2, setup_lag, { try_one, poll_two }, finish, NULL
};

const struct explore_test demotion_x_publish_two = {
	"demotion_x_publish_two", "the same with two producers", 3,
	setup_lag, { publish_one, publish_one, poll_two }, finish, NULL
};

const struct explore_test demotion_x_stall = {
	"demotion_x_stall", "S1: the wait ends, by the reader or by time", 2,
	setup_stall, { publish_two, poll_one }, finish, NULL
};

const struct explore_test demotion_x_stall_two = {
	"demotion_x_stall_two", "S1: the time counts from the last stall on", 2,
	setup_again, { try_refused, try_refused }, finish_lossless, NULL
};

const struct explore_test demotion_x_flush = {
	"demotion_x_flush", "who waits for the reader is let go", 2,
	setup_lag, { try_one, flush }, finish, NULL
};

const struct explore_test demotion_x_leave = {
	"demotion_x_leave", "not another reader in the same place", 2,
	setup_leave, { try_once, leave_and_come }, finish_come, NULL
};
