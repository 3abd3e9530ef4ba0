/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * scenario_timer.c - timers, and who cancels, arms, runs and closes meanwhile.
 *
 * Who: a thread that runs the timers of a bus, one of which is due, and a
 * thread that cancels it, runs them as well, arms one, or closes the bus; and a
 * worker on its way to sleep until a far time, for whom a nearer one is armed.
 *
 * Argument: TIMER (cancel), TIMER (close) and TIMER (arm) in timer/timer.h.  In
 * each end every timer was published once, or is armed, or was cancelled, or is
 * told as dropped; never two of these.
 *
 * Edges: NUDGE, CLOSE.
 */
#include <string.h>

#include "bus/bus.h"
#include "scenario.h"

#define FAR	INT64_C(1000000000)

static struct evbus_report report;
static int64_t id[2];
static int closed;
static char first;		/* what came first */

static int
no_start(struct evbus__context *context)
{
	(void)context;
	return 0;
}

static void
no_nudge(struct evbus__context *context)
{
	(void)context;
}

static enum evbus_verdict
note_first(const struct evbus_event *event, void *arg)
{
	if (first == 0)
		first = *(const char *)event->data;
	return scenario_count(event, arg);
}

/* A reader of that fiber's, who is the one to run it. */
static void
setup_reader(int owner, int cold)
{
	memset(&report, 0, sizeof report);
	memset(id, 0, sizeof id);
	closed = 0;
	first = 0;
	scenario_open(NULL, cold);
	explore_stand_for(owner);
	scenario_reader_open(0, NULL);
	EXPLORE_ASSERT(evbus_reader_subscribe(scenario.reader[0], "a",
	    note_first, &scenario.log[0], NULL) > 0);
	(void)evbus__park_nudged(scenario.reader[0]->park);
}

/* No worker: fibers run the timers. */
static void
setup_idle(void)
{
	setup_reader(2, 0);
	explore_stand_for(0);
	scenario.bus->context.timers->start = no_start;
	scenario.bus->context.timers->nudge = no_nudge;
}

static void
setup_due(void)
{
	setup_idle();
	id[0] = evbus_publish_at(scenario.topic, "x", 1, 0);
	explore_assert(id[0] > 0, "arm: %s", evbus_errmsg());
}

static void
setup_two(void)
{
	setup_due();
	id[1] = evbus_publish_at(scenario.topic, "y", 1, 0);
	explore_assert(id[1] > 0, "arm: %s", evbus_errmsg());
}

static void
setup_full(void)
{
	setup_due();
	while (evbus_try_publish(scenario.topic, "y", 1) == 0)
		scenario.published[0]++;
	EXPLORE_ASSERT(evbus__timers_run(&scenario.bus->context, 1) == 0);
}

static void
run_timers(void)
{
	(void)evbus__timers_run(&scenario.bus->context, 4);
}

static void
run_timers_twice(void)
{
	run_timers();
	run_timers();
}

static void
cancel_timer(void)
{
	scenario.result[explore_self()] = evbus_timer_cancel(scenario.bus,
	    id[0]);
}

static void
arm_timer(void)
{
	id[1] = evbus_publish_after(scenario.topic, "x", 1, 0);
	explore_assert(id[1] > 0 || id[1] == EVBUS_ECLOSED, "arm: %s",
	    evbus_errmsg());
}

static void
close_within(int64_t timeout_ns)
{
	int result = evbus_close(scenario.bus, timeout_ns, &report);

	explore_assert(result == 0 || (timeout_ns == 0 &&
	    result == EVBUS_ETIMEDOUT), "close: %s", evbus_errmsg());
	if (timeout_ns != 0)
		EXPLORE_ASSERT(report.running == 0);
	closed = 1;
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

/* What came of the timers, of which `armed` were armed. */
static void
finish_with(unsigned armed)
{
	struct evbus_timer_stats stats;
	struct evbus_stream_stats stream;
	uint64_t events;

	EXPLORE_ASSERT(evbus_stream_stats(scenario.stream, &stream) == 0);
	events = stream.tail - scenario.published[0];
	EXPLORE_ASSERT(evbus_timer_stats(scenario.bus, &stats) == 0);
	explore_assert(stats.fired == events && stats.fired + stats.cancelled +
	    stats.armed == armed, "%u were armed; %llu fired, %llu cancelled, "
	    "%llu still armed, %llu events", armed,
	    (unsigned long long)stats.fired,
	    (unsigned long long)stats.cancelled,
	    (unsigned long long)stats.armed, (unsigned long long)events);
	if (closed)
		/* One more: who still runs is told, and it is his. */
		explore_assert(report.timers == stats.armed ||
		    (report.running == 1 && report.timers == stats.armed + 1),
		    "%llu are told as dropped, %llu are",
		    (unsigned long long)report.timers,
		    (unsigned long long)stats.armed);
	else
		scenario_drain();
	if (!closed)
		EXPLORE_ASSERT(scenario.log[0].count == stream.tail);
	scenario_close();
}

static void
finish(void)
{
	finish_with((id[0] > 0 ? 1u : 0) + (id[1] > 0 ? 1u : 0));
}

/* In the order of their times, whoever runs them. */
static void
finish_run(void)
{
	finish();
	EXPLORE_ASSERT(first == 'x');
}

/* 0: it did not come; EBUSY: it may have; ENOENT: it did. */
static void
finish_cancel(void)
{
	struct evbus_timer_stats stats;

	EXPLORE_ASSERT(evbus_timer_stats(scenario.bus, &stats) == 0);
	switch (scenario.result[2]) {
	case 0:
		EXPLORE_ASSERT(stats.fired == 0 && stats.cancelled == 1);
		break;
	case EVBUS_ENOENT:
		EXPLORE_ASSERT(stats.fired == 1 && stats.cancelled == 0);
		break;
	default:
		EXPLORE_ASSERT(scenario.result[2] == EVBUS_EBUSY);
	}
	EXPLORE_ASSERT(stats.armed == 0);
	finish();
}

const struct explore_test timer_x_cancel = {
	"timer_x_cancel", "a cancelled timer does not fire", 2,
	setup_due, { run_timers, cancel_timer }, finish_cancel, NULL
};

const struct explore_test timer_x_cancel_late = {
	"timer_x_cancel_late", "... nor one that waits for room", 2,
	setup_full, { run_timers, cancel_timer }, finish_cancel, NULL
};

const struct explore_test timer_x_run = {
	"timer_x_run", "each timer is fired by one runner, in order", 2,
	setup_two, { run_timers, run_timers }, finish_run, NULL
};

const struct explore_test timer_x_arm_due = {
	"timer_x_arm_due", "one is armed while others are run", 2,
	setup_due, { run_timers_twice, arm_timer }, finish, NULL
};

const struct explore_test timer_x_close = {
	"timer_x_close", "L3: fired, or told as dropped", 2,
	setup_due, { run_timers, close_bus }, finish, "f"
};

const struct explore_test timer_x_close_at_once = {
	"timer_x_close_at_once", "... also by a close that does not wait", 2,
	setup_due, { run_timers, close_at_once }, finish, "f"
};

const struct explore_test timer_x_close_arm = {
	"timer_x_close_arm", "L3: refused, or told as dropped", 2,
	setup_idle, { arm_timer, close_bus }, finish, "f"
};

/* ---- Who sleeps ---------------------------------------------------------- */

static struct evbus__park *park;

static void
nudge_park(struct evbus__context *context)
{
	(void)context;
	evbus__park_nudge(park);
}

/* Armed for later; and a fiber that does what a worker does. */
static void
setup_far(void)
{
	setup_idle();
	park = scenario.reader[0]->park;
	scenario.bus->context.timers->nudge = nudge_park;
	id[0] = evbus_publish_after(scenario.topic, "x", 1, FAR);
	explore_assert(id[0] > 0, "arm: %s", evbus_errmsg());
	(void)evbus__park_nudged(park);
}

static void
run_and_sleep(void)
{
	struct evbus__context *context = &scenario.bus->context;

	while (evbus__timers_run(context, 1) == 0)
		(void)evbus__wait_any(park, NULL, 0, -1,
		    evbus__timers_due(context));
	EXPLORE_ASSERT(evbus__os_now() < FAR);
}

const struct explore_test timer_x_arm = {
	"timer_x_arm", "a nearer timer wakes who sleeps for a far one", 2,
	setup_far, { run_and_sleep, arm_timer }, finish, "fu"
};

/* ---- The worker ---------------------------------------------------------- */

static void
setup_worker(void)
{
	setup_reader(1, 1);
	explore_thread(2);
	id[0] = evbus_publish_after(scenario.topic, "x", 1, FAR);
	explore_stand_for(0);
	explore_assert(id[0] > 0, "arm: %s", evbus_errmsg());
}

/* The nearer one comes long before the far one's time. */
static void
arm_and_wait(void)
{
	arm_timer();
	scenario_read(0, 1);
	EXPLORE_ASSERT(evbus__os_now() < FAR);
	close_bus();
}

const struct explore_test timer_x_worker = {
	"timer_x_worker", "... a worker, which the close then ends", 2,
	setup_worker, { arm_and_wait, explore_run_thread }, finish, "fL"
};
