/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * scenario_stall.c - what is told of a reader that holds publishers up (S1).
 *
 * Who: a reader that stalls and moves on, or is closed; publishers that wait
 * for it, and tell; and a watcher that looks at the end.
 *
 * Argument (STALL in stream/stall.c).  Each step of an episode is one thread's,
 * so there is one report of its beginning and one of its end, in this order;
 * and who tells of the beginning sees that the reader has moved, or the reader
 * sees that it was told of, so that none is left without its end.
 *
 * Edges: STALL, SPACE, SET.
 */
#include <string.h>

#include "bus/bus.h"
#include "scenario.h"

static unsigned stalled, recovered;

static enum evbus_verdict
note(const struct evbus_event *event, void *arg)
{
	int over = strcmp(evbus_topic_name(event->topic),
	    "$bus.reader.recovered") == 0;
	const struct evbus_stall *stall;

	(void)arg;
	/* Since when is told by the one to the other. */
	stall = event->data;
	explore_assert(stall->held_ns >= 1000 && stall->held_ns < 1000000,
	    "held for %lld ns", (long long)stall->held_ns);
	if (over)
		recovered++;
	else
		stalled++;
	explore_assert(stalled == recovered + !over,
	    "%u stalls and %u recoveries", stalled, recovered);
	return EVBUS_DONE;
}

/* A full ring, which would have been told of for long. */
static void
setup(void)
{
	static const struct evbus_options options = {
		.stream = { .capacity = 2 }, .stall_report_ns = 1,
		.ring_memory = 65536,
	};
	struct evbus_reader_options lossy = { .lossy = 1 };

	stalled = recovered = 0;
	scenario_open(&options, 0);
	scenario_reader_open(0, NULL);
	scenario_subscribe(0);
	scenario_reader_open(1, &lossy);
	explore_assert(evbus_reader_subscribe(scenario.reader[1], "$bus.>",
	    note, NULL, NULL) > 0, "subscribe: %s", evbus_errmsg());
	EXPLORE_ASSERT(scenario_publish() == 0);
	EXPLORE_ASSERT(scenario_publish() == 0);
	/* Somebody else has been held up at its first place since long ago. */
	(void)evbus__stalled_since(scenario.reader[0]->place[0]->cursor, 0,
	    evbus__os_now() - 1000);
}

/* Waits, tells, and gets in when the reader has moved. */
static void
publish_one(void)
{
	EXPLORE_ASSERT(scenario_publish() == 0);
}

static void
poll_one(void)
{
	EXPLORE_ASSERT(evbus_poll(scenario.reader[0], 1) == 1);
}

static void
poll_both(void)
{
	EXPLORE_ASSERT(evbus_poll(scenario.reader[0], 2) == 2);
}

static void
close_reader(void)
{
	EXPLORE_ASSERT(evbus_reader_close(scenario.reader[0],
	    EVBUS_FOREVER) == 0);
}

/* Every stall that was told is over by now. */
static void
finish(void)
{
	scenario.log[1].count = 0;
	while (evbus_poll(scenario.reader[1], 16) > 0)
		;
	EXPLORE_ASSERT(stalled == recovered);
	explore_outcome(&stalled, sizeof stalled);
	scenario.reader[1] = NULL;
	scenario_drain();
	scenario_close();
}

const struct explore_test stall_x_move = {
	"stall_x_move", "S1: told once, and its end once", 2,
	setup, { publish_one, poll_one }, finish, "f"
};

const struct explore_test stall_x_stall = {
	"stall_x_stall", "S1: two that wait tell of it once", 3,
	setup, { publish_one, publish_one, poll_both }, finish, NULL
};

const struct explore_test stall_x_leave = {
	"stall_x_leave", "S1: a close ends it", 2,
	setup, { publish_one, close_reader }, finish, "f"
};
