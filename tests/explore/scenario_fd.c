/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * scenario_fd.c - fd re-arm x publish: no loop sleeps while there is something.
 *
 * Who: a thread with a loop of its own, which waits until a descriptor is
 * readable and then runs what there is; and one that publishes, subscribes,
 * opens a reader, or closes the bus meanwhile.  The loop is about to arm when
 * they begin, or has armed and sleeps.  It is told by level or by edge; it may
 * run when nobody called it, as for a timer; it may run one event at a time.
 *
 * Argument (FD in ring/watch.h): count cleared, word, marks, heavy fence,
 * second look.  In the end, when nothing is left, the descriptor is not
 * readable: else a loop would be called for ever.
 *
 * Edges: WAKE, NUDGE, FD, LOOP.
 */
#include "run/worker.h"
#include "scenario.h"

#define LOOP	1		/* the fiber with the loop */

static int fd;

static void
setup_loop(void)
{
	static const struct evbus_options own_loop = { .own_loop = 1,
	    .max_readers = 2 };

	scenario_open(&own_loop, 0);
	fd = evbus_fd(scenario.bus);
	EXPLORE_ASSERT(fd >= 0);
}

/* The loop has run once, found nothing, and waits. */
static void
arm(void)
{
	explore_stand_for(LOOP);
	while (explore_event_count(fd) != 0)
		EXPLORE_ASSERT(evbus_run_once(scenario.bus, 16) == 0);
	explore_stand_for(0);
}

static void
open_reader(void)
{
	static const struct evbus_reader_options on_loop = {
		.worker = "evbus",
	};

	scenario_reader_open(0, &on_loop);
}

/* Readable, as it is made. */
static void
setup(void)
{
	setup_loop();
	open_reader();
	scenario_subscribe(0);
}

static void
setup_armed(void)
{
	setup();
	arm();
}

static int
run(unsigned budget)
{
	int passed = evbus_run_once(scenario.bus, budget);

	explore_assert(passed >= 0, "run_once: %s", evbus_errmsg());
	return passed;
}

static void
run_level(unsigned count, unsigned budget)
{
	while (scenario.log[0].count < count) {
		explore_event_wait(fd);
		(void)run(budget);
	}
}

static void
run_one(void)
{
	run_level(1, 16);
}

static void
run_two(void)
{
	run_level(2, 16);
}

static void
run_two_singly(void)
{
	run_level(2, 1);
}

/* Somebody else had to call it first. */
static void
run_uncalled(void)
{
	(void)run(16);
	run_level(2, 16);
}

static void
run_edge(void)
{
	while (scenario.log[0].count < 2) {
		explore_event_wait_edge(fd);
		while (run(16) > 0)
			;
	}
}

static void
publish_one(void)
{
	EXPLORE_ASSERT(scenario_publish() == 0);
}

static void
publish_two(void)
{
	publish_one();
	publish_one();
}

/* All was delivered, and a loop that has run is not called again. */
static void
finish(void)
{
	const struct evbus__worker *loop = scenario.bus->loop;
	int result;

	do
		result = evbus_run_once(scenario.bus, 16);
	while (result > 0 || (result == 0 && loop->watch.armed == 0));
	if (result == 0)
		explore_assert(explore_event_count(fd) == 0,
		    "nothing is there, but the descriptor counts %u",
		    explore_event_count(fd));
	scenario_check(0, 1);
	scenario_close();
}

const struct explore_test fd_x_publish = {
	"fd_x_publish", "a loop is told of an event", 2,
	setup, { run_one, publish_one }, finish, "fu"
};

const struct explore_test fd_x_publish_two = {
	"fd_x_publish_two", "a loop that runs uncalled is told of the next", 2,
	setup_armed, { run_uncalled, publish_two }, finish, "f"
};

const struct explore_test fd_x_publish_edge = {
	"fd_x_publish_edge", "so is one that is told by edges", 2,
	setup_armed, { run_edge, publish_two }, finish, "f"
};

const struct explore_test fd_x_producers = {
	"fd_x_producers", "a loop sees both producers' events", 3,
	setup, { run_two, publish_one, publish_one }, finish, "f"
};

const struct explore_test fd_x_budget = {
	"fd_x_budget", "it is readable while events remain", 2,
	setup_armed, { run_two_singly, publish_two }, finish, "f"
};

/* The loop waits, or is about to, before its reader has a stream. */
static void
setup_bare(void)
{
	setup_loop();
	open_reader();
}

static void
subscribe_and_publish(void)
{
	scenario_subscribe(0);
	publish_one();
}

const struct explore_test fd_x_subscribe = {
	"fd_x_subscribe", "a loop sees the stream that a reader joined", 2,
	setup_bare, { run_one, subscribe_and_publish }, finish, "fu"
};

static void
setup_none(void)
{
	setup_loop();
}

static void
open_and_publish(void)
{
	open_reader();
	subscribe_and_publish();
}

const struct explore_test fd_x_open = {
	"fd_x_open", "a loop sees a reader that came", 2,
	setup_none, { run_one, open_and_publish }, finish, "f"
};

/* Two threads run the loop: one of them is refused, or comes after the other,
 * and goes on where that has stopped. */
static void
run_or_busy(void)
{
	int result = evbus_run_once(scenario.bus, 1);

	explore_assert(result == 1 || result == EVBUS_EBUSY,
	    "run_once answers %d: %s", result, evbus_errmsg());
	scenario.result[explore_self()] = result;
}

static void
setup_two(void)
{
	setup_armed();
	publish_two();
}

static void
finish_two(void)
{
	unsigned ran = (scenario.result[1] == 1 ? 1u : 0u) +
	    (scenario.result[2] == 1 ? 1u : 0u);

	EXPLORE_ASSERT(ran > 0 && scenario.log[0].count == ran);
	finish();
}

const struct explore_test fd_x_fd = {
	"fd_x_fd", "one thread at a time runs a loop", 2,
	setup_two, { run_or_busy, run_or_busy }, finish_two, "f"
};

/* A subscription ends while the loop may be in its handler. */
static void
run_some(void)
{
	explore_event_wait(fd);
	(void)run(16);
}

static void
publish_and_unsubscribe(void)
{
	publish_one();
	EXPLORE_ASSERT(evbus_unsubscribe(scenario.bus,
	    scenario.subscription[0], EVBUS_FOREVER) == 0);
	EVBUS_PLAIN_STORE(&scenario.log[0].ended, 1);
}

static void
finish_unsubscribed(void)
{
	EXPLORE_ASSERT(scenario.log[0].closed == 1);
	while (evbus_run_once(scenario.bus, 16) > 0)
		;
	scenario_check(0, 0);
	scenario_close();
}

const struct explore_test fd_x_unsubscribe = {
	"fd_x_unsubscribe", "at 0 the loop is not in the handler", 2,
	setup_armed, { run_some, publish_and_unsubscribe }, finish_unsubscribed, "f"
};

/* The loop goes on until it is told that the bus is closed. */
static void
run_until_closed(void)
{
	int result;

	do {
		explore_event_wait(fd);
		result = evbus_run_once(scenario.bus, 16);
	} while (result >= 0);
	explore_assert(result == EVBUS_ECLOSED, "run_once answers %d: %s",
	    result, evbus_errmsg());
}

static void
publish_and_close(void)
{
	publish_one();
	EXPLORE_ASSERT(evbus_close(scenario.bus, EVBUS_FOREVER, NULL) == 0);
	EXPLORE_ASSERT(scenario.log[0].count == 1);
}

const struct explore_test fd_x_close = {
	"fd_x_close", "a loop drains a bus and is told of its end", 2,
	setup_armed, { run_until_closed, publish_and_close }, finish, "fL"
};

/* ---- One reader, which the program polls ---------------------------------- */

static void
setup_reader(void)
{
	scenario_open(NULL, 0);
	explore_stand_for(LOOP);
	scenario_reader_open(0, NULL);
	scenario_subscribe(0);
	fd = evbus_reader_fd(scenario.reader[0]);
	EXPLORE_ASSERT(fd >= 0);
	while (explore_event_count(fd) != 0)
		EXPLORE_ASSERT(evbus_poll(scenario.reader[0], 16) == 0);
	explore_stand_for(0);
}

static void
poll_two(void)
{
	int result;

	while (scenario.log[0].count < 2) {
		explore_event_wait(fd);
		result = evbus_poll(scenario.reader[0], 16);
		explore_assert(result >= 0, "poll: %s", evbus_errmsg());
	}
}

static void
finish_reader(void)
{
	int i;

	/* Twice, where a waker was slow. */
	for (i = 0; i < 3; i++)
		while (evbus_poll(scenario.reader[0], 16) > 0)
			;
	EXPLORE_ASSERT(explore_event_count(fd) == 0);
	scenario_finish();
}

const struct explore_test fd_x_reader = {
	"fd_x_reader", "a reader's descriptor tells of events", 2,
	setup_reader, { poll_two, publish_two }, finish_reader, "f"
};

static void
take_two(void)
{
	const struct evbus_event *event;

	while (scenario.log[0].count < 2) {
		explore_event_wait(fd);
		while ((event = evbus_next(scenario.reader[0])) != NULL)
			(void)scenario_handler(event, &scenario.log[0]);
	}
}

const struct explore_test fd_x_reader_next = {
	"fd_x_reader_next", "also where events are taken one by one", 2,
	setup_reader, { take_two, publish_two }, finish_reader, "f"
};

static void
poll_until_closed(void)
{
	int result;

	do {
		explore_event_wait(fd);
		result = evbus_poll(scenario.reader[0], 16);
	} while (result >= 0);
	EXPLORE_ASSERT(result == EVBUS_ECLOSED);
}

static void
close_reader(void)
{
	EXPLORE_ASSERT(evbus_reader_close(scenario.reader[0],
	    EVBUS_FOREVER) == 0);
}

static void
finish_closed(void)
{
	EXPLORE_ASSERT(scenario.log[0].closed == 1);
	scenario_close();
}

const struct explore_test fd_x_reader_close = {
	"fd_x_reader_close", "it tells that its reader was closed", 2,
	setup_reader, { poll_until_closed, close_reader }, finish_closed, "fu"
};
