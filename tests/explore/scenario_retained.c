/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * scenario_retained.c - a topic that retains x who joins (D6).
 *
 * Who: a thread that subscribes with EVBUS_START_RETAINED; one that publishes
 * to the topic, and polls the reader as well; or two that publish at once.
 *
 * Argument: RETAIN in src/reader/retained.c.  Whatever happens meanwhile, what
 * the handler gets is one event flagged as retained and then all that follow it
 * in the stream, each once and in order; nothing flagged comes later.
 *
 * Edges: RETAIN (the topic's lock), STAMP, TABLE, GRACE.
 */
#include "scenario.h"

static unsigned flagged;
static uint64_t last;		/* sequence + 1; 0: none came */

static enum evbus_verdict
note(const struct evbus_event *event, void *log)
{
	if (event->flags & EVBUS_EVENT_RETAINED) {
		explore_assert(last == 0, "sequence %llu is retained, and "
		    "comes after %llu", (unsigned long long)event->sequence,
		    (unsigned long long)last - 1);
		flagged++;
	} else
		explore_assert(last == event->sequence, "sequence %llu comes "
		    "after %llu", (unsigned long long)event->sequence,
		    (unsigned long long)last - 1);
	last = event->sequence + 1;
	return scenario_handler(event, log);
}

static void
subscribe(void)
{
	explore_assert(evbus_reader_subscribe(scenario.reader[0], "k", note,
	    &scenario.log[0], NULL) > 0, "subscribe: %s", evbus_errmsg());
}

static void
publish(void)
{
	EXPLORE_ASSERT(scenario_publish() == 0);
}

static void
open_topic(void)
{
	static const struct evbus_topic_options retain = { .retain = 1 };

	flagged = 0;
	last = 0;
	scenario_open(NULL, 0);
	EXPLORE_ASSERT(evbus_topic_open(scenario.bus, "k", &retain,
	    &scenario.topic) == 0);
}

static void
open_reader(int lossy)
{
	struct evbus_reader_options options = {
		.start = EVBUS_START_RETAINED, .lossy = lossy,
	};

	scenario_reader_open(0, &options);
}

/* The reader is in the stream already, and the topic has an event. */
static void
setup_of(int lossy)
{
	open_topic();
	open_reader(lossy);
	EXPLORE_ASSERT(evbus_reader_subscribe(scenario.reader[0], "other",
	    scenario_count, &scenario.log[0], NULL) > 0);
	publish();
}

static void
setup(void)
{
	setup_of(0);
}

static void
finish(void)
{
	scenario_drain();
	EXPLORE_ASSERT(flagged == 1);
	EXPLORE_ASSERT(last == scenario.published[0] + scenario.published[1] +
	    scenario.published[2]);
	scenario_check(0, 0);
	scenario_close();
}

const struct explore_test retained_x_publish = {
	"retained_x_publish", "the newest event, and all that follow", 2,
	setup, { subscribe, publish }, finish, NULL
};

static void
poll(void)
{
	EXPLORE_ASSERT(evbus_poll(scenario.reader[0], 4) >= 0);
}

/* What passes the reader before its table is changed is in the copy. */
static void
poll_and_subscribe(void)
{
	poll();
	subscribe();
}

const struct explore_test retained_x_stamp = {
	"retained_x_stamp", "no event is passed before, and missing after", 2,
	setup, { poll_and_subscribe, publish }, finish, NULL
};

/* What follows comes while the reader is run. */
static void
subscribe_and_publish(void)
{
	subscribe();
	publish();
}

const struct explore_test retained_x_poll = {
	"retained_x_poll", "what is retained comes before what follows", 2,
	setup, { subscribe_and_publish, poll }, finish, NULL
};

static void
setup_lossy(void)
{
	setup_of(1);
}

const struct explore_test retained_x_poll_lossy = {
	"retained_x_poll_lossy", "the same from copies", 2,
	setup_lossy, { subscribe_and_publish, poll }, finish, NULL
};

static void
next(void)
{
	const struct evbus_event *event = evbus_next(scenario.reader[0]);

	if (event != NULL)
		(void)note(event, &scenario.log[0]);
	evbus_done(scenario.reader[0]);
}

const struct explore_test retained_x_next = {
	"retained_x_next", "the same one by one", 2,
	setup, { subscribe_and_publish, next }, finish, NULL
};

/* Two events lie in the reader's copies when the first is put back. */
static void
subscribe_and_publish_two(void)
{
	subscribe_and_publish();
	publish();
}

static void
next_twice(void)
{
	next();
	next();
}

const struct explore_test retained_x_next_lossy = {
	"retained_x_next_lossy", "the same one by one, from copies", 2,
	setup_lossy, { subscribe_and_publish_two, next_twice }, finish, NULL
};

/* Each by a thread of its own. */
const struct explore_test retained_x_all = {
	"retained_x_all", "who joins, who publishes and who polls", 3,
	setup, { subscribe, publish, poll }, finish, NULL
};

/* Two publishers: the later sequence stays, whoever comes first. */
static void
setup_two(void)
{
	open_topic();
	open_reader(0);
}

static void
finish_two(void)
{
	subscribe();
	scenario_drain();
	EXPLORE_ASSERT(flagged == 1 && last == 2);
	scenario_close();
}

const struct explore_test retained_x_retained = {
	"retained_x_retained", "the later of two events is kept", 2,
	setup_two, { publish, publish }, finish_two, NULL
};

/* The subscription ends before, or after, its event was handed over. */
static int64_t id;

static void
setup_end(void)
{
	setup();
	id = evbus_reader_subscribe(scenario.reader[0], "k", note,
	    &scenario.log[0], NULL);
	EXPLORE_ASSERT(id > 0);
}

static void
unsubscribe(void)
{
	EXPLORE_ASSERT(evbus_unsubscribe(scenario.bus, id, EVBUS_FOREVER) ==
	    0);
	EVBUS_PLAIN_STORE(&scenario.log[0].ended, 1);
}

static void
finish_end(void)
{
	EXPLORE_ASSERT(flagged <= 1);
	scenario_close();
}

const struct explore_test retained_x_unsubscribe = {
	"retained_x_unsubscribe", "no event comes after the end", 2,
	setup_end, { unsubscribe, poll }, finish_end, NULL
};
