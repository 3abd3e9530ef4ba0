/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * scenario_holder.c - who holds a stream up, told while that changes (S1, S5).
 *
 * Who: a thread whose flush times out and describes why; and one that makes the
 * reader join and subscribes, or that enters the bus for the first time and
 * claims.
 *
 * Argument.  The set is read in a section (SET).  A reader's line of code is
 * there when its file is (release and acquire of the file); a thread's numbers
 * are there when its record is used.
 *
 * Edges: SET, SELF.
 */
#include <string.h>

#include "scenario.h"

static const struct evbus_reader_options oldest = {
	.start = EVBUS_START_OLDEST
};

static void
setup_subscribe(void)
{
	scenario_open(NULL, 0);
	scenario_reader_open(0, &oldest);
	EXPLORE_ASSERT(scenario_publish() == 0);
}

/* Behind already; another comes to it. */
static void
setup_join(void)
{
	scenario_open(NULL, 0);
	scenario_reader_open(1, &oldest);
	scenario_reader_open(0, &oldest);
	scenario_subscribe(1);
	EXPLORE_ASSERT(scenario_publish() == 0);
}

static void
setup_claim(void)
{
	scenario_open(NULL, 1);
	scenario_reader_open(0, NULL);
	scenario_subscribe(0);
}

/* The sentence is whole: no line 0, no thread 0. */
static void
flush_in_vain(void)
{
	int result = evbus_flush(scenario.bus, 0);

	if (result == 0)
		return;
	EXPLORE_ASSERT(result == EVBUS_ETIMEDOUT);
	explore_assert(strstr(evbus_errmsg(), ":0,") == NULL &&
	    strstr(evbus_errmsg(), "number 0") == NULL, "says: %s",
	    evbus_errmsg());
}

static void
subscribe(void)
{
	scenario_subscribe(0);
}

static void
claim_and_commit(void)
{
	struct evbus_claim claim;

	EXPLORE_ASSERT(scenario_claim(&claim) == 0);
	EXPLORE_ASSERT(scenario_commit(&claim) == 0);
}

const struct explore_test holder_x_subscribe = {
	"holder_x_subscribe", "S1: the reader and its line of code", 2,
	setup_subscribe, { flush_in_vain, subscribe }, scenario_finish, NULL
};

const struct explore_test holder_x_claim = {
	"holder_x_claim", "S5: the thread that has not committed", 2,
	setup_claim, { flush_in_vain, claim_and_commit }, scenario_finish, NULL
};

const struct explore_test holder_x_join = {
	"holder_x_join", "S1: while another reader joins", 2,
	setup_join, { flush_in_vain, subscribe }, scenario_finish, NULL
};
