/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * scenario_group.c - the members of a SHARED group x each other, and x who
 * publishes, flushes and closes (D3).
 *
 * Who: two members of one group, each run by a thread of its own; a member that
 * comes meanwhile; a publisher whose ring is full; a flush; a close.
 *
 * Argument (GROUP in group/claim.c).  A member copies, then claims by moving
 * the group's cursor from where it was when it copied: of two one succeeds, and
 * a copy that a producer has written over is never claimed.  What a member is
 * about to claim it tells before, so that no flush or close misses it.
 *
 * What is checked: each event that was accepted is handled once, by one member,
 * whole; each member's rise; the counters of group and members agree.
 *
 * Edges: GROUP, GATE, LAP, SPACE, WAKE, CLOSE.
 */
#include <string.h>

#include "scenario_group.h"

static const struct evbus_options two_slots = {
	.stream = { .capacity = 2 },
};
static const struct evbus_reader_options member = { .group = "g" };

void
scenario_members(const struct evbus_options *options, unsigned members)
{
	unsigned i;

	scenario_open(options, 0);
	for (i = 0; i < members; i++) {
		explore_stand_for((int)i + 1);
		scenario_reader_open(i, &member);
		scenario_subscribe(i);
		/* Or their first wait would not sleep. */
		(void)evbus_poll(scenario.reader[i], 1);
	}
	explore_stand_for(0);
}

/* How often an event has been handled, and by a member that had it first. */
static unsigned
times(unsigned who, unsigned n)
{
	const struct scenario_log *log;
	unsigned i, k, found = 0;

	for (i = 0; i < SCENARIO_READERS; i++) {
		log = &scenario.log[i];
		for (k = 0; k < log->count; k++)
			found += log->got[k].who == who && log->got[k].n == n;
	}
	return found;
}

void
scenario_check_group(void)
{
	struct evbus_group_stats stats;
	unsigned who, n, all = 0;

	for (who = 0; who <= EXPLORE_FIBERS_MAX; who++) {
		all += scenario.published[who];
		for (n = 1; n <= scenario.published[who]; n++)
			explore_assert(times(who, n) == 1, "event %u of fiber "
			    "%u was handled %u times", n, who, times(who, n));
	}
	EXPLORE_ASSERT(scenario.log[0].count + scenario.log[1].count == all);
	if (evbus_group_stats(scenario.bus, "g", &stats) != 0)
		return;
	EXPLORE_ASSERT(stats.delivered == all && stats.claimed == all);
	EXPLORE_ASSERT(stats.in_hand == 0 && stats.waiting == 0 &&
	    stats.left == 0);
}

void
scenario_finish_group(void)
{
	/* What the second handed over is there for the first. */
	scenario_drain();
	scenario_drain();
	scenario_check_group();
	scenario_close();
}

static void
publish_some(unsigned n)
{
	for (; n > 0; n--)
		EXPLORE_ASSERT(scenario_try_publish() == 0);
}

static void
setup_three(void)
{
	scenario_members(NULL, 2);
	publish_some(3);
}

static void
setup_full(void)
{
	scenario_members(&two_slots, 2);
	publish_some(2);
}

static void
setup_one_full(void)
{
	scenario_members(&two_slots, 1);
	publish_some(2);
}

static void
setup_two(void)
{
	scenario_members(NULL, 2);
	publish_some(2);
}

static void
setup_one_member(void)
{
	scenario_members(NULL, 1);
	publish_some(2);
}

static void
setup_empty(void)
{
	scenario_members(NULL, 2);
}

static void
poll_first(void)
{
	EXPLORE_ASSERT(evbus_poll(scenario.reader[0], 2) >= 0);
}

static void
poll_second(void)
{
	EXPLORE_ASSERT(evbus_poll(scenario.reader[1], 2) >= 0);
}

static void
next_second(void)
{
	const struct evbus_event *event = evbus_next(scenario.reader[1]);

	if (event != NULL)
		(void)scenario_handler(event, &scenario.log[1]);
	evbus_done(scenario.reader[1]);
}

static void
publish_two(void)
{
	EXPLORE_ASSERT(scenario_publish() == 0);
	EXPLORE_ASSERT(scenario_publish() == 0);
}

static void
publish_one(void)
{
	EXPLORE_ASSERT(scenario_publish() == 0);
}

const struct explore_test group_claim_x_claim = {
	"group_claim_x_claim", "D3: each event goes to one member", 2,
	setup_three, { poll_first, poll_second }, scenario_finish_group, NULL
};

const struct explore_test group_claim_x_next = {
	"group_claim_x_next", "the same by evbus_next", 2,
	setup_two, { poll_first, next_second }, scenario_finish_group, NULL
};

/* A member copies while a producer goes round. */
static void
poll_first_twice(void)
{
	poll_first();
	poll_first();
}

const struct explore_test group_x_gate = {
	"group_x_gate", "no slot is written before it is copied", 2,
	setup_one_full, { poll_first_twice, publish_two },
	scenario_finish_group, "f"
};

const struct explore_test group_x_lap = {
	"group_x_lap", "a copy that was written over is not claimed", 3,
	setup_full, { poll_first, poll_second, publish_one },
	scenario_finish_group, "L"
};

/* A member comes and takes its share. */
static void
join(void)
{
	scenario_reader_open(1, &member);
	scenario_subscribe(1);
	poll_second();
}

const struct explore_test group_join_x_claim = {
	"group_join_x_claim", "who joins takes only what others have not", 2,
	setup_one_member, { poll_first, join }, scenario_finish_group, NULL
};

const struct explore_test group_join_x_publish = {
	"group_join_x_publish", "nothing is lost beside one who joins", 2,
	setup_one_full, { join, publish_one }, scenario_finish_group, "L"
};

/* A member sleeps until something has come to one of them. */
static void
read_first(void)
{
	while (evbus_poll(scenario.reader[0], 2) == 0)
		EXPLORE_ASSERT(evbus_wait(scenario.reader[0],
		    EVBUS_FOREVER) == 1);
}

const struct explore_test group_x_wake = {
	"group_x_wake", "a member that sleeps is woken", 2,
	setup_empty, { read_first, publish_one }, scenario_finish_group, "f"
};

/* What was committed before the flush has been handled after it. */
static void
flush(void)
{
	EXPLORE_ASSERT(evbus_flush(scenario.bus, EVBUS_FOREVER) == 0);
	EXPLORE_ASSERT(EVBUS_PLAIN_LOAD(&scenario.log[0].count) +
	    EVBUS_PLAIN_LOAD(&scenario.log[1].count) == 2);
}

static void
poll_each(void)
{
	while (evbus_poll(scenario.reader[0], 2) > 0)
		;
}

const struct explore_test group_x_flush = {
	"group_x_flush", "a flush waits for what members have in hand", 2,
	setup_one_member, { poll_each, flush }, scenario_finish_group, "fu"
};

const struct explore_test group_x_flush_two = {
	"group_x_flush_two", "the same with two members", 3,
	setup_two, { poll_first, poll_second, flush }, scenario_finish_group,
	"L"
};

/* Close drains what members have not claimed, and waits for what they have. */
static void
close_bus(void)
{
	explore_assert(evbus_close(scenario.bus, EVBUS_FOREVER, NULL) == 0,
	    "close: %s", evbus_errmsg());
}

static void
poll_first_until_closed(void)
{
	int result = evbus_poll(scenario.reader[0], 2);

	EXPLORE_ASSERT(result >= 0 || result == EVBUS_ECLOSED);
}

/* Whoever closes runs the second member. */
static void
setup_close(void)
{
	setup_two();
}

static void
finish_close(void)
{
	scenario_check_group();
	scenario_close();
}

const struct explore_test group_x_close = {
	"group_x_close", "nothing is left when the bus is closed", 2,
	setup_close, { poll_first_until_closed, close_bus }, finish_close, "L"
};

/* What a member holds is told, or was passed; never missed. */
static struct evbus_report report;

static void
setup_one_event(void)
{
	scenario_members(NULL, 1);
	publish_some(1);
}

static void
hold_first(void)
{
	(void)evbus_next(scenario.reader[0]);
}

static void
close_at_once(void)
{
	int result = evbus_close(scenario.bus, 0, &report);

	explore_assert(result == EVBUS_ETIMEDOUT && report.left >= 1,
	    "close answers %d, with %llu left", result,
	    (unsigned long long)report.left);
}

static void
finish_closed(void)
{
	scenario_close();
}

const struct explore_test group_hold_x_close = {
	"group_hold_x_close", "close misses nothing that a member has", 2,
	setup_one_event, { hold_first, close_at_once }, finish_closed, "L"
};

/* A reader is polled, and waited for by a flush, while it becomes a member. */
static void
setup_not_yet(void)
{
	static const struct evbus_reader_options oldest = {
		.group = "g", .start = EVBUS_START_OLDEST
	};

	scenario_open(NULL, 0);
	scenario_reader_open(0, &oldest);
	publish_some(2);
}

static void
subscribe_first(void)
{
	scenario_subscribe(0);
}

static void
flush_in_vain(void)
{
	int result = evbus_flush(scenario.bus, 0);

	EXPLORE_ASSERT(result == 0 || result == EVBUS_ETIMEDOUT);
	if (result != 0)
		explore_assert(strstr(evbus_errmsg(), ":0,") == NULL,
		    "says: %s", evbus_errmsg());
}

const struct explore_test group_subscribe_x_poll = {
	"group_subscribe_x_poll", "nothing is passed before it is a member", 2,
	setup_not_yet, { subscribe_first, poll_first_twice },
	scenario_finish_group, NULL
};

const struct explore_test group_subscribe_x_holder = {
	"group_subscribe_x_holder", "S1: the group and its line of code", 2,
	setup_not_yet, { subscribe_first, flush_in_vain },
	scenario_finish_group, NULL
};
