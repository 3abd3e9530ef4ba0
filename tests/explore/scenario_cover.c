/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * scenario_cover.c - ways that no other scenario goes: a single-producer stream
 * that two threads come to first (S5), a lossy reader that is lapped twice
 * while it copies (D2), and time limits that end in the middle (S4).
 *
 * Argument.  A single-producer stream is bound to a thread by one
 * compare-and-swap of its owner from 0: one of two comes first, and the other
 * is refused, without a sequence used.
 *
 * A reader that was lapped while it copied looks again at once, further away
 * from the producers; what it passed over is counted as lost, however often.
 *
 * Who waits looks at what it waits for after each sleep, and at the clock only
 * then: an answer of ETIMEDOUT says that the time was over and it was not
 * there.  What ends at that moment is either done or refused, and counted so.
 *
 * Edges: LAP, WAKE, CLOSE.
 */
#include <evbus/claim.h>

#include "scenario.h"

#define MOMENT	1000		/* nanoseconds */

static const struct evbus_options one_producer = {
	.stream = { .producers = EVBUS_PRODUCERS_ONE },
};
static const struct evbus_options two_slots = {
	.stream = { .capacity = 2 },
};
static const struct evbus_reader_options lossy = { .lossy = 1 };

static unsigned refused;	/* calls, in this execution */

static void
open_with(const struct evbus_options *options,
    const struct evbus_reader_options *reader)
{
	refused = 0;
	scenario_open(options, 0);
	scenario_reader_open(0, reader);
	scenario_subscribe(0);
}

/* Two threads publish the first events of a single-producer stream. */
static void
setup_single(void)
{
	open_with(&one_producer, NULL);
}

static void
publish_as_owner(void)
{
	int result = scenario_publish();

	explore_assert(result == 0 || result == EVBUS_EOWNER, "publish: %s",
	    evbus_errmsg());
	if (result != 0)
		EVBUS_PLAIN_STORE(&refused, EVBUS_PLAIN_LOAD(&refused) + 1);
}

static void
finish_single(void)
{
	EXPLORE_ASSERT(refused == 1);
	scenario_finish();
}

const struct explore_test single_x_single = {
	"single_x_single", "one of two first producers is refused", 2,
	setup_single, { publish_as_owner, publish_as_owner }, finish_single,
	NULL
};

/* Two producers, each of whom goes once round the ring. */
static void
setup_lossy(void)
{
	open_with(&two_slots, &lossy);
	EXPLORE_ASSERT(scenario_publish() == 0 && scenario_publish() == 0);
}

static void
publish_round(void)
{
	EXPLORE_ASSERT(scenario_publish() == 0);
	EXPLORE_ASSERT(scenario_publish() == 0);
}

static void
poll_once(void)
{
	EXPLORE_ASSERT(evbus_poll(scenario.reader[0], 2) >= 0);
}

static void
finish_lossy(void)
{
	struct evbus_reader_stats stats;

	scenario_drain();
	scenario_check(0, 0);
	EXPLORE_ASSERT(evbus_reader_stats(scenario.reader[0], &stats) == 0);
	EXPLORE_ASSERT(stats.delivered + stats.lost == 6);
	scenario_close();
}

const struct explore_test lossy_x_lap_twice = {
	"lossy_x_lap_twice", "lapped again and again, all is counted", 3,
	setup_lossy, { poll_once, publish_round, publish_round }, finish_lossy,
	NULL
};

/* A reader that waits for a moment, and an event at about that time. */
static void
setup_wait(void)
{
	open_with(NULL, NULL);
}

static void
wait_a_moment(void)
{
	int result = evbus_wait(scenario.reader[0], MOMENT);

	explore_assert(result == 0 || result == 1, "wait: %s",
	    evbus_errmsg());
	if (result == 1)
		EXPLORE_ASSERT(evbus_poll(scenario.reader[0], 2) == 1);
}

static void
publish_late(void)
{
	explore_advance(explore_choose(2) == 0 ? MOMENT / 2 : MOMENT);
	EXPLORE_ASSERT(scenario_publish() == 0);
}

const struct explore_test wait_x_timeout = {
	"wait_x_timeout", "1 says that there is an event", 2,
	setup_wait, { wait_a_moment, publish_late }, scenario_finish, "fu"
};

/* A claim that is still open when the bus is to be closed. */
static struct evbus_claim claim;

static void
setup_claim(void)
{
	refused = 0;
	scenario_open(NULL, 0);
	explore_stand_for(2);
	EXPLORE_ASSERT(scenario_claim(&claim) == 0);
	explore_stand_for(0);
}

static void
close_in_time(void)
{
	struct evbus_report report;
	int result = evbus_close(scenario.bus, MOMENT, &report);

	explore_assert(result == (report.open_claims == 0 ? 0 :
	    EVBUS_ETIMEDOUT), "close: %d with %llu open claims", result,
	    (unsigned long long)report.open_claims);
}

static void
commit_late(void)
{
	int result;

	explore_advance(explore_choose(2) == 0 ? MOMENT / 2 : MOMENT);
	result = scenario_commit(&claim);
	explore_assert(result == 0 || result == EVBUS_ECLOSED, "commit: %s",
	    evbus_errmsg());
}

const struct explore_test close_x_timeout = {
	"close_x_timeout", "an open claim is waited for, and then told", 2,
	setup_claim, { close_in_time, commit_late }, scenario_close, "u"
};
