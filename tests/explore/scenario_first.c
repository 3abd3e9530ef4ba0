/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * scenario_first.c - first calls: records of threads, and topics.
 *
 * Who: threads that have not called before and publish, or open the same topic
 * at once; a reader whose pattern the new topic matches; and a flush that waits
 * for a reader.
 *
 * Argument.  A thread's record is made under the bus's lock, and others find
 * it by a store with release of `used`.  A topic is looked up without a lock
 * inside an epoch section, and made under the lock after a second look, so a
 * name has one handle; it is entered in the readers' tables before anybody can
 * find it, so its first event comes.
 *
 * Edges: TABLE, STAMP, SPACE.
 */
#include "scenario.h"

static struct evbus_topic *opened[EXPLORE_FIBERS_MAX + 1];

static void
setup(void)
{
	scenario_open(NULL, 1);
	scenario_reader_open(0, NULL);
	scenario_subscribe(0);
}

static void
publish_one(void)
{
	EXPLORE_ASSERT(scenario_publish() == 0);
}

static void
poll(void)
{
	EXPLORE_ASSERT(evbus_poll(scenario.reader[0], 4) >= 0);
}

const struct explore_test first_x_first = {
	"first_x_first", "threads that come for the first time get records", 3,
	setup, { publish_one, publish_one, poll }, scenario_finish, NULL
};

/* A reader of all topics; they come later. */
static void
setup_topics(void)
{
	int i;

	for (i = 0; i <= EXPLORE_FIBERS_MAX; i++)
		opened[i] = NULL;
	scenario_open(NULL, 0);
	scenario_reader_open(0, NULL);
	EXPLORE_ASSERT(evbus_reader_subscribe(scenario.reader[0], ">",
	    scenario_count, &scenario.log[0], NULL) > 0);
}

static void
open_and_publish(void)
{
	struct evbus_topic **topic = &opened[explore_self()];

	explore_assert(evbus_topic_open(scenario.bus, "b", NULL, topic) == 0,
	    "topic: %s", evbus_errmsg());
	EXPLORE_ASSERT(evbus_publish(*topic, "x", 1) == 0);
}

static void
finish_topics(void)
{
	EXPLORE_ASSERT(opened[1] == opened[2]);
	scenario_drain();
	EXPLORE_ASSERT(scenario.log[0].count == 2);
	scenario_close();
}

const struct explore_test topic_x_topic = {
	"topic_x_topic", "a name has one topic, and its first event comes", 2,
	setup_topics, { open_and_publish, open_and_publish }, finish_topics,
	NULL
};

/* Somebody subscribes while the topic is made. */
static void
setup_bare(void)
{
	setup_topics();
	scenario_reader_open(1, NULL);
}

static void
subscribe(void)
{
	EXPLORE_ASSERT(evbus_reader_subscribe(scenario.reader[1], "b",
	    scenario_count, &scenario.log[1], NULL) > 0);
	EXPLORE_ASSERT(evbus_topic_open(scenario.bus, "b", NULL,
	    &opened[2]) == 0);
	EXPLORE_ASSERT(evbus_publish(opened[2], "y", 1) == 0);
}

static void
finish_subscribed(void)
{
	finish_topics();
	EXPLORE_ASSERT(scenario.log[1].count >= 1);
}

const struct explore_test topic_x_subscribe = {
	"topic_x_subscribe", "a topic made meanwhile is matched", 2,
	setup_bare, { open_and_publish, subscribe }, finish_subscribed, NULL
};

/* Flush returns when the reader has passed what was there. */
static void
setup_flush(void)
{
	scenario_open(NULL, 0);
	scenario_reader_open(0, NULL);
	scenario_subscribe(0);
	EXPLORE_ASSERT(scenario_publish() == 0);
}

static void
flush_and_look(void)
{
	explore_assert(evbus_flush(scenario.bus, EVBUS_FOREVER) == 0,
	    "flush: %s", evbus_errmsg());
	EXPLORE_ASSERT(EVBUS_PLAIN_LOAD(&scenario.log[0].got[0].n) > 0);
}

static void
publish_and_read(void)
{
	EXPLORE_ASSERT(scenario_publish() == 0);
	scenario_read(0, 2);
}

const struct explore_test flush_x_publish = {
	"flush_x_publish", "a flush waits for what it began with", 2,
	setup_flush, { flush_and_look, publish_and_read }, scenario_finish,
	"fu"
};

static void
flush(void)
{
	explore_assert(evbus_flush(scenario.bus, EVBUS_FOREVER) == 0,
	    "flush: %s", evbus_errmsg());
	EXPLORE_ASSERT(EVBUS_PLAIN_LOAD(&scenario.log[0].count) >= 1);
}

const struct explore_test flush_x_poll = {
	"flush_x_poll", "after a flush all was handled", 2,
	setup_flush, { flush, poll }, scenario_finish, "f"
};
