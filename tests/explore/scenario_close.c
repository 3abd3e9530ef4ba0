/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * scenario_close.c - close x publish (L3).
 *
 * Who: a thread that closes the bus, and others that publish, wait, poll,
 * subscribe or handle.
 *
 * Argument (CLOSE).  A publish marks its section, fences and looks at the
 * limit; close shuts the limits, fences and looks at the sections, and waits
 * for those that are open.  So a publish either is refused or is counted in
 * the tail that close looks at afterwards: with answer 0 its event was handed
 * over or is told as left.  Who sleeps is woken and finds the bus closed.
 *
 * Edges: CLOSE, SPACE, NUDGE, GRACE.
 */
#include <string.h>

#include "scenario.h"

static const struct evbus_options two_slots = {
	.stream = { .capacity = 2 },
};

static struct evbus_report report;
static unsigned left;

static void
clear(void)
{
	memset(&report, 0, sizeof report);
	left = 0;
}

/* Fiber 1 opens the reader, so it is the one that runs it. */
static void
setup(void)
{
	clear();
	scenario_open(NULL, 0);
	explore_stand_for(1);
	scenario_reader_open(0, NULL);
	scenario_subscribe(0);
	explore_stand_for(0);
}

static void
setup_full(void)
{
	clear();
	scenario_open(&two_slots, 0);
	explore_stand_for(1);
	scenario_reader_open(0, NULL);
	scenario_subscribe(0);
	explore_stand_for(0);
	EXPLORE_ASSERT(scenario_publish() == 0 && scenario_publish() == 0);
}

static void
close_within(int64_t timeout_ns)
{
	int result;

	result = evbus_close(scenario.bus, timeout_ns, &report);
	explore_assert(result == 0 || (timeout_ns == 0 &&
	    result == EVBUS_ETIMEDOUT), "close: %s", evbus_errmsg());
	left = (unsigned)report.reader[0].left;
	if (result == 0)
		EXPLORE_ASSERT(left == 0);
	EXPLORE_ASSERT(scenario_publish() == EVBUS_ECLOSED);
}

static void
close_bus(void)
{
	close_within(EVBUS_FOREVER);
}

static void
close_at_once(void)
{
	close_within(0);
}

static void
publish_two(void)
{
	int i, result;

	for (i = 0; i < 2; i++) {
		result = scenario_publish();
		explore_assert(result == 0 || result == EVBUS_ECLOSED,
		    "publish: %s", evbus_errmsg());
	}
}

static void
publish_one(void)
{
	int result = scenario_publish();

	explore_assert(result == 0 || result == EVBUS_ECLOSED,
	    "publish: %s", evbus_errmsg());
}

/* Accepted = delivered + left. */
static void
finish(void)
{
	unsigned accepted = 0, i;

	for (i = 0; i <= EXPLORE_FIBERS_MAX; i++)
		accepted += scenario.published[i];
	explore_assert(accepted == scenario.log[0].count + left,
	    "%u events were accepted, %u delivered, %u told as left",
	    accepted, scenario.log[0].count, left);
	EXPLORE_ASSERT(report.reader[0].delivered == scenario.log[0].count);
	EXPLORE_ASSERT(scenario.log[0].closed == 1);
	scenario_check(0, 0);
	scenario_close();
}

const struct explore_test close_x_publish = {
	"close_x_publish", "what was accepted was delivered", 2,
	setup, { close_bus, publish_two }, finish, "f"
};

const struct explore_test close_x_publish_two = {
	"close_x_publish_two", "the same with two producers", 3,
	setup, { close_bus, publish_one, publish_one }, finish, NULL
};

const struct explore_test close_x_publish_timeout = {
	"close_x_publish_timeout", "what was accepted is told as left", 2,
	setup, { close_at_once, publish_two }, finish, NULL
};

const struct explore_test close_x_full = {
	"close_x_full", "a publisher that waits gets an answer", 2,
	setup_full, { close_bus, publish_one }, finish, "fu"
};

/* The reader is run by another thread, until it is told to end. */
static void
setup_other(void)
{
	clear();
	scenario_open(NULL, 0);
	explore_stand_for(2);
	scenario_reader_open(0, NULL);
	scenario_subscribe(0);
	explore_stand_for(0);
	EXPLORE_ASSERT(scenario_publish() == 0);
}

static void
run_until_closed(void)
{
	int result;

	do {
		result = evbus_poll(scenario.reader[0], 4);
		if (result == 0)
			result = evbus_wait(scenario.reader[0],
			    EVBUS_FOREVER);
	} while (result >= 0);
	EXPLORE_ASSERT(result == EVBUS_ECLOSED);
}

/* With nothing to read it sleeps. */
static void
setup_asleep(void)
{
	clear();
	scenario_open(NULL, 0);
	explore_stand_for(2);
	scenario_reader_open(0, NULL);
	scenario_subscribe(0);
	explore_stand_for(0);
}

const struct explore_test close_x_wait = {
	"close_x_wait", "a sleeping reader is told that the bus closes", 2,
	setup_asleep, { close_bus, run_until_closed }, finish, "fuL"
};

/* Somebody subscribes meanwhile. */
static void
setup_late(void)
{
	static const struct evbus_reader_options oldest = {
		.start = EVBUS_START_OLDEST,
	};

	clear();
	scenario_open(&two_slots, 0);
	explore_stand_for(1);
	scenario_reader_open(0, &oldest);
	explore_stand_for(0);
	EXPLORE_ASSERT(scenario_publish() == 0);
}

static void
subscribe_late(void)
{
	struct evbus_subscribe_options options = {
		.on_closed = scenario_on_closed,
	};
	int64_t id;

	id = evbus_reader_subscribe(scenario.reader[0], "a",
	    scenario_handler, &scenario.log[0], &options);
	explore_assert(id > 0 || id == EVBUS_ECLOSED, "subscribe: %s",
	    evbus_errmsg());
	scenario.subscription[0] = id > 0 ? id : 0;
}

static void
finish_late(void)
{
	explore_assert(scenario.subscription[0] == 0 ||
	    scenario.log[0].count == 1, "subscribed, but %u events came",
	    scenario.log[0].count);
	scenario_close();
}

const struct explore_test close_x_subscribe = {
	"close_x_subscribe", "who subscribes meanwhile is refused or served", 2,
	setup_late, { close_bus, subscribe_late }, finish_late, NULL
};

/*
 * A lossy reader's handler publishes while the bus closes: accepted, so it has
 * to come to the lossless reader, which a third thread runs until the end.
 */
static enum evbus_verdict
pass_on(const struct evbus_event *event, void *arg)
{
	int result;

	(void)arg;
	if (event->publisher == 0 || scenario.published[3] > 0)
		return EVBUS_DONE;
	result = scenario_publish();
	explore_assert(result == 0 || result == EVBUS_ECLOSED,
	    "publish in a handler: %s", evbus_errmsg());
	return EVBUS_DONE;
}

static void
setup_handler(void)
{
	static const struct evbus_reader_options lossy = { .lossy = 1 };
	int64_t id;

	setup_other();
	explore_stand_for(3);
	scenario_reader_open(1, &lossy);
	id = evbus_reader_subscribe(scenario.reader[1], "a", pass_on, NULL,
	    NULL);
	EXPLORE_ASSERT(id > 0);
	explore_stand_for(0);
	EXPLORE_ASSERT(scenario_publish() == 0);
}

static void
poll_lossy(void)
{
	int result = evbus_poll(scenario.reader[1], 1);

	EXPLORE_ASSERT(result >= 0 || result == EVBUS_ECLOSED);
}

const struct explore_test close_x_handler = {
	"close_x_handler", "a handler's last event is delivered", 3,
	setup_handler, { close_bus, run_until_closed, poll_lossy }, finish,
	NULL
};

/* Nobody waits for a lossy reader, but its handler must have ended. */
static void
setup_lossy(void)
{
	static const struct evbus_reader_options lossy = { .lossy = 1 };

	clear();
	scenario_open(NULL, 0);
	explore_stand_for(2);
	scenario_reader_open(0, &lossy);
	scenario_subscribe(0);
	explore_stand_for(0);
	EXPLORE_ASSERT(scenario_publish() == 0);
}

static void
close_and_end(void)
{
	EXPLORE_ASSERT(evbus_close(scenario.bus, EVBUS_FOREVER,
	    &report) == 0);
	EVBUS_PLAIN_STORE(&scenario.log[0].ended, 1);
}

static void
finish_lossy(void)
{
	EXPLORE_ASSERT(report.reader[0].delivered == scenario.log[0].count);
	EXPLORE_ASSERT(report.reader[0].left + scenario.log[0].count == 1);
	scenario_close();
}

static void
poll_until_closed(void)
{
	int result = evbus_poll(scenario.reader[0], 1);

	EXPLORE_ASSERT(result >= 0 || result == EVBUS_ECLOSED);
}

const struct explore_test close_x_lossy = {
	"close_x_lossy", "at 0 no handler runs any more", 2,
	setup_lossy, { close_and_end, poll_until_closed }, finish_lossy, "f"
};

/*
 * Fiber 1 opened the reader and closes the bus, while fiber 2 comes to poll it
 * for the first time: one of the two runs it, not both.
 */
static unsigned inside;

static enum evbus_verdict
alone_inside(const struct evbus_event *event, void *log)
{
	EXPLORE_ASSERT(EVBUS_LOAD(&inside, RELAXED) == 0);
	EVBUS_STORE(&inside, 1, RELAXED);
	(void)scenario_handler(event, log);
	EVBUS_STORE(&inside, 0, RELAXED);
	return EVBUS_DONE;
}

static void
setup_first_poll(void)
{
	struct evbus_subscribe_options options = {
		.on_closed = scenario_on_closed,
	};

	clear();
	inside = 0;
	scenario_open(NULL, 0);
	explore_stand_for(1);
	scenario_reader_open(0, NULL);
	EXPLORE_ASSERT(evbus_reader_subscribe(scenario.reader[0], "a",
	    alone_inside, &scenario.log[0], &options) > 0);
	explore_stand_for(0);
	EXPLORE_ASSERT(scenario_publish() == 0);
}

static void
poll_first(void)
{
	int result = evbus_poll(scenario.reader[0], 4);

	explore_assert(result >= 0 || result == EVBUS_ECLOSED ||
	    result == EVBUS_EBUSY, "poll: %s", evbus_errmsg());
}

const struct explore_test close_x_first_poll = {
	"close_x_first_poll", "one thread runs a reader that close may run", 2,
	setup_first_poll, { close_bus, poll_first }, finish, "fu"
};
