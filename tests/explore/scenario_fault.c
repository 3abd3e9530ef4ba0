/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * scenario_fault.c - memory that runs out while others go on (M1, D1, L2).
 *
 * Who: a thread that opens, subscribes or ends something, one of whose
 * allocations fails, any of them; and another that publishes, polls or opens
 * the same topic.
 *
 * Argument.  A call that needs memory takes all of it before it changes what
 * others see, or undoes its changes under the lock that it made them under; so
 * it either is done or answers ENOMEM and has left nothing: no list half
 * grown, no cursor that holds the gate, no topic that one reader knows and
 * another does not.  Who publishes and polls allocates nothing (M1), so it
 * never meets the failure.  Ending needs no memory that it cannot do without.
 *
 * What is checked: the answer is 0 or ENOMEM; the others' calls succeed; the
 * same call with memory succeeds afterwards; what was promised is delivered;
 * all blocks are given back.
 *
 * Edges: SET, TABLE, JOIN, GRACE.
 */
#include "scenario.h"

static struct evbus_topic *opened[EXPLORE_FIBERS_MAX + 1];
static int answer;

static void
setup(void)
{
	answer = 1;
	scenario_open(NULL, 0);
	scenario_reader_open(0, NULL);
	scenario_subscribe(0);
	scenario_reader_open(1, NULL);
	explore_allocations_fail(1);
}

static void
setup_reader(void)
{
	setup();
	EXPLORE_ASSERT(evbus_reader_close(scenario.reader[1], 0) == 0);
	scenario.reader[1] = NULL;
}

static void
setup_subscribed(void)
{
	answer = 1;
	scenario_open(NULL, 0);
	scenario_reader_open(0, NULL);
	scenario_subscribe(0);
	EXPLORE_ASSERT(scenario_publish() == 0);
	explore_allocations_fail(1);
}

static void
publish_two(void)
{
	int i;

	for (i = 0; i < 2; i++)
		explore_assert(scenario_publish() == 0, "publish: %s",
		    evbus_errmsg());
}

static int
subscribe_second(void)
{
	struct evbus_subscribe_options options = {
		.on_closed = scenario_on_closed,
	};
	int64_t id;

	id = evbus_reader_subscribe(scenario.reader[1], "*", scenario_handler,
	    &scenario.log[1], &options);
	if (id > 0)
		scenario.subscription[1] = id;
	return id > 0 ? 0 : (int)id;
}

static void
subscribe(void)
{
	answer = subscribe_second();
	explore_assert(answer == 0 || answer == EVBUS_ENOMEM, "subscribe: %s",
	    evbus_errmsg());
}

static void
open_reader(void)
{
	struct evbus_reader_options options = { .spin_ns = -1 };

	answer = evbus_reader_open(scenario.bus, &options,
	    &scenario.reader[1]);
	explore_assert(answer == 0 || answer == EVBUS_ENOMEM, "open: %s",
	    evbus_errmsg());
	if (answer == 0 && subscribe_second() != 0)
		answer = EVBUS_ENOMEM;
}

/* Whether it was refused or not: with memory it works. */
static void
finish(void)
{
	unsigned before = scenario.log[1].count;

	scenario_drain();
	scenario_check(0, 1);
	if (scenario.reader[1] == NULL)
		scenario_reader_open(1, NULL);
	if (answer != 0)
		EXPLORE_ASSERT(subscribe_second() == 0);
	EXPLORE_ASSERT(scenario_publish() == 0);
	scenario_drain();
	explore_assert(scenario.log[1].count > before,
	    "nothing came after the second try");
	scenario_close();
}

const struct explore_test subscribe_x_no_memory = {
	"subscribe_x_no_memory", "done or refused, and nothing in between", 2,
	setup, { subscribe, publish_two }, finish, NULL
};

const struct explore_test open_x_no_memory = {
	"open_x_no_memory", "the same for a reader that is opened", 2,
	setup_reader, { open_reader, publish_two }, finish, NULL
};

/* A topic, which another opens at the same time. */
static void
open_topic(void)
{
	struct evbus_topic **topic = &opened[explore_self()];
	int result;

	*topic = NULL;
	result = evbus_topic_open(scenario.bus, "b", NULL, topic);
	explore_assert(result == 0 || result == EVBUS_ENOMEM, "topic: %s",
	    evbus_errmsg());
	if (result == 0)
		EXPLORE_ASSERT(evbus_publish(*topic, "x", 1) == 0);
	else
		*topic = NULL;
}

static void
setup_topic(void)
{
	opened[1] = opened[2] = NULL;
	scenario_open(NULL, 0);
	scenario_reader_open(0, NULL);
	EXPLORE_ASSERT(evbus_reader_subscribe(scenario.reader[0], ">",
	    scenario_count, &scenario.log[0], NULL) > 0);
	explore_allocations_fail(1);
}

static void
finish_topic(void)
{
	unsigned published = (opened[1] != NULL ? 1u : 0u) +
	    (opened[2] != NULL ? 1u : 0u);
	struct evbus_topic *topic = NULL;

	explore_assert(published >= 1, "one failure, two refusals");
	EXPLORE_ASSERT(evbus_topic_open(scenario.bus, "b", NULL, &topic) == 0);
	EXPLORE_ASSERT(opened[1] == NULL || opened[1] == topic);
	EXPLORE_ASSERT(opened[2] == NULL || opened[2] == topic);
	scenario_drain();
	EXPLORE_ASSERT(scenario.log[0].count == published);
	scenario_close();
}

const struct explore_test topic_x_no_memory = {
	"topic_x_no_memory", "a topic is made whole or not at all", 2,
	setup_topic, { open_topic, open_topic }, finish_topic, NULL
};

/* An end needs no memory, or does without it. */
static void
unsubscribe(void)
{
	answer = evbus_unsubscribe(scenario.bus, scenario.subscription[0],
	    EVBUS_FOREVER);
	explore_assert(answer == 0, "unsubscribe: %s", evbus_errmsg());
	EVBUS_PLAIN_STORE(&scenario.log[0].ended, 1);
}

static void
poll(void)
{
	EXPLORE_ASSERT(evbus_poll(scenario.reader[0], 2) >= 0);
}

static void
finish_ended(void)
{
	EXPLORE_ASSERT(scenario.log[0].closed == 1);
	scenario_drain();
	scenario_close();
}

const struct explore_test unsubscribe_x_no_memory = {
	"unsubscribe_x_no_memory", "an end succeeds without memory", 2,
	setup_subscribed, { unsubscribe, poll }, finish_ended, NULL
};

/* So does that of a reader, which swaps the set. */
static void
close_reader(void)
{
	answer = evbus_reader_close(scenario.reader[0], EVBUS_FOREVER);
	explore_assert(answer == 0, "close: %s", evbus_errmsg());
}

static void
publish_one(void)
{
	explore_assert(scenario_publish() == 0, "publish: %s",
	    evbus_errmsg());
}

const struct explore_test leave_x_no_memory = {
	"leave_x_no_memory", "a reader leaves without memory", 2,
	setup_subscribed, { close_reader, publish_one }, finish_ended, NULL
};
