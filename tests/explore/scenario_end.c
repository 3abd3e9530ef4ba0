/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * scenario_end.c - close x everything else (L3, S2).
 *
 * Who: a thread that closes the bus and runs its lossless reader meanwhile,
 * and another that flushes, holds a claim, publishes a batch, ends its
 * subscription, closes its reader, opens a topic, or closes the bus as well.
 *
 * Argument (CLOSE).  Every call looks at the bus's state under the lock or
 * inside its section, and close waits for both: so each either was done before
 * the end, and counts, or answers ECLOSED.  A claim that is open holds the
 * close until its commit or abort.  Who sleeps (a flush) is woken.  Of two that
 * close one does it, and the other is told so when it is done or at once.
 *
 * What is checked: both calls return with an answer that the manual has; the
 * reader's account is whole (accepted = delivered + left); on_closed runs once;
 * all memory is given back.
 *
 * Edges: CLOSE, SPACE, NUDGE, GRACE.
 */
#include <string.h>

#include <evbus/claim.h>

#include "scenario.h"

static struct evbus_report report;

/* Fiber 1 runs reader 0, fiber 2 reader 1. */
static void
setup(void)
{
	memset(&report, 0, sizeof report);
	scenario_open(NULL, 0);
	explore_stand_for(1);
	scenario_reader_open(0, NULL);
	scenario_subscribe(0);
	explore_stand_for(0);
	EXPLORE_ASSERT(scenario_publish() == 0);
}

static void
setup_lossy(void)
{
	static const struct evbus_reader_options lossy = { .lossy = 1 };

	setup();
	explore_stand_for(2);
	scenario_reader_open(1, &lossy);
	scenario_subscribe(1);
	explore_stand_for(0);
}

/* All was read: whoever closes need not wait for fiber 1. */
static void
setup_read(void)
{
	setup();
	explore_stand_for(1);
	EXPLORE_ASSERT(evbus_poll(scenario.reader[0], 1) == 1);
	explore_stand_for(0);
}

static void
expect(int result, const char *what)
{
	explore_assert(result == 0 || result == EVBUS_ECLOSED, "%s: %s", what,
	    evbus_errmsg());
	scenario.result[explore_self()] = result;
}

static void
close_bus(void)
{
	int result;

	result = evbus_close(scenario.bus, EVBUS_FOREVER, &report);
	explore_assert(result == 0, "close: %s", evbus_errmsg());
	EXPLORE_ASSERT(scenario_publish() == EVBUS_ECLOSED);
}

static void
close_too(void)
{
	int result;

	result = evbus_close(scenario.bus, EVBUS_FOREVER, NULL);
	/* Who was refused may come before the limits are shut. */
	if (result == 0)
		EXPLORE_ASSERT(scenario_publish() == EVBUS_ECLOSED);
	expect(result, "close");
}

static void
flush(void)
{
	expect(evbus_flush(scenario.bus, EVBUS_FOREVER), "flush");
	if (scenario.result[2] == 0)
		EXPLORE_ASSERT(EVBUS_PLAIN_LOAD(&scenario.log[0].count) >= 1);
}

static void
claim_one(void)
{
	struct evbus_claim claim;
	int result = scenario_claim(&claim);

	expect(result, "claim");
	if (result != 0)
		return;
	if (explore_choose(2) == 0)
		EXPLORE_ASSERT(scenario_commit(&claim) == 0);
	else
		evbus_abort(&claim);
}

static void
publish_batch(void)
{
	expect(scenario_publish_two(), "batch");
}

static void
unsubscribe(void)
{
	int result;

	result = evbus_unsubscribe(scenario.bus, scenario.subscription[1],
	    EVBUS_FOREVER);
	if (result != EVBUS_ENOENT)
		expect(result, "unsubscribe");
	if (result == 0)
		EVBUS_PLAIN_STORE(&scenario.log[1].ended, 1);
}

static void
leave(void)
{
	int result = evbus_reader_close(scenario.reader[1], EVBUS_FOREVER);

	expect(result, "reader close");
	if (result == 0)
		EVBUS_PLAIN_STORE(&scenario.log[1].ended, 1);
}

static void
open_topic(void)
{
	struct evbus_topic *topic;
	int result = evbus_topic_open(scenario.bus, "b", NULL, &topic);

	expect(result, "topic");
	if (result == 0)
		expect(evbus_publish(topic, "x", 1), "publish");
}

static void
check_account(void)
{
	unsigned accepted = 0, i;

	for (i = 0; i <= EXPLORE_FIBERS_MAX; i++)
		accepted += scenario.published[i];
	explore_assert(accepted == scenario.log[0].count, "%u events were "
	    "accepted, %u delivered", accepted, scenario.log[0].count);
	EXPLORE_ASSERT(scenario.log[0].closed == 1);
}

static void
finish(void)
{
	check_account();
	EXPLORE_ASSERT(report.reader[0].left == 0);
	scenario_check(0, 0);
	scenario_close();
}

static void
finish_close_too(void)
{
	EXPLORE_ASSERT((scenario.result[1] == 0) !=
	    (scenario.result[2] == 0));
	check_account();
	scenario_close();
}

const struct explore_test close_x_flush = {
	"close_x_flush", "a flush gets an answer", 2,
	setup, { close_bus, flush }, finish, "u"
};

const struct explore_test close_x_claim = {
	"close_x_claim", "an open claim ends before the bus", 2,
	setup, { close_bus, claim_one }, finish, NULL
};

const struct explore_test close_x_batch = {
	"close_x_batch", "a batch is accepted whole or refused", 2,
	setup, { close_bus, publish_batch }, finish, NULL
};

const struct explore_test close_x_unsubscribe = {
	"close_x_unsubscribe", "a subscription ends once", 2,
	setup_lossy, { close_bus, unsubscribe }, finish, NULL
};

const struct explore_test close_x_leave = {
	"close_x_leave", "a reader ends once", 2,
	setup_lossy, { close_bus, leave }, finish, NULL
};

const struct explore_test close_x_topic = {
	"close_x_topic", "a topic is opened or refused", 2,
	setup, { close_bus, open_topic }, finish, NULL
};

const struct explore_test close_x_close = {
	"close_x_close", "of two that close one does", 2,
	setup_read, { close_too, close_too }, finish_close_too, NULL
};
