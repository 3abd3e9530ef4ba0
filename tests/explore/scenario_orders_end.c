/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * scenario_orders_end.c - scenario_orders.c goes on: ends, and who looks for
 * deadlocks.
 *
 * Edges: TABLE, UNSUB, GRACE, CLOSE, HOLD.
 */
#include <string.h>

#include <evbus/claim.h>

#include "scenario.h"

static const struct evbus_options two_slots = {
	.stream = { .capacity = 2 },
};
static const struct evbus_reader_options lossy = { .lossy = 1 };

static void
publish_one(void)
{
	explore_assert(scenario_publish() == 0, "publish: %s",
	    evbus_errmsg());
}

static void
poll_one(void)
{
	int result = evbus_poll(scenario.reader[0], 1);

	EXPLORE_ASSERT(result >= 0 || result == EVBUS_ECLOSED);
}

static int64_t
subscribe(unsigned reader, const char *pattern, evbus_handler handler,
    void *arg)
{
	int64_t id;

	id = evbus_reader_subscribe(scenario.reader[reader], pattern, handler,
	    arg, NULL);
	explore_assert(id > 0, "subscribe: %s", evbus_errmsg());
	return id;
}

/* ---- A subscription is made in the middle of a stretch ------------------ */

/*
 * A stretch of four: the second and the third are like each other, and of the
 * thread that subscribes before it commits the third.  A reader takes four at
 * once when it was fed: one, then two, then four.
 */
static struct evbus_claim claim;

static void
setup_stretch(void)
{
	static const struct evbus_options sixteen_slots = {
		.stream = { .capacity = 16 },
	};
	int i;

	scenario_open(&sixteen_slots, 0);
	scenario_reader_open(0, NULL);
	scenario_subscribe(0);
	for (i = 0; i < 4; i++)
		publish_one();
	EXPLORE_ASSERT(evbus_poll(scenario.reader[0], 3) == 3);
	explore_stand_for(2);
	publish_one();
	EXPLORE_ASSERT(scenario_claim(&claim) == 0);
	publish_one();
	explore_stand_for(0);
}

static void
poll_stretch(void)
{
	EXPLORE_ASSERT(evbus_poll(scenario.reader[0], 4) >= 0);
}

static void
subscribe_and_commit(void)
{
	(void)subscribe(0, "a", scenario_handler, &scenario.log[1]);
	EXPLORE_ASSERT(scenario_commit(&claim) == 0);
}

static void
finish_stretch(void)
{
	scenario_drain();
	scenario_check(0, 1);
	explore_assert(scenario.log[1].count == 2, "of two events %u came",
	    scenario.log[1].count);
	scenario_close();
}

const struct explore_test subscribe_x_stretch = {
	"subscribe_x_stretch", "what is committed later is for the new one", 2,
	setup_stretch, { poll_stretch, subscribe_and_commit }, finish_stretch,
	NULL
};

/* ---- A list of matches is found by evbus_next() ------------------------- */

static void
setup_table(void)
{
	scenario_open(NULL, 0);
	scenario_reader_open(0, NULL);
	(void)subscribe(0, "b", scenario_count, NULL);
	publish_one();
}

static void
next_one(void)
{
	(void)evbus_next(scenario.reader[0]);
	evbus_done(scenario.reader[0]);
}

static void
subscribe_late(void)
{
	(void)subscribe(0, "a", scenario_count, NULL);
}

static void
finish(void)
{
	scenario_close();
}

const struct explore_test next_x_table = {
	"next_x_table", "a list of matches is found whole", 2,
	setup_table, { next_one, subscribe_late }, finish, NULL
};

/* ---- A reader, and a subscription of two, ends ------------------------- */

/* A place in the stream is left to reader 0, and nothing in its table. */
static void
open_without(void)
{
	int64_t id;

	scenario_open(NULL, 0);
	scenario_reader_open(0, NULL);
	id = subscribe(0, "a", scenario_count, NULL);
	EXPLORE_ASSERT(evbus_unsubscribe(scenario.bus, id, 0) == 0);
}

static enum evbus_verdict
close_the_other(const struct evbus_event *event, void *arg)
{
	(void)event;
	(void)arg;
	explore_assert(evbus_reader_close(scenario.reader[0], EVBUS_FOREVER)
	    == 0, "close: %s", evbus_errmsg());
	return EVBUS_DONE;
}

static void
setup_other(void)
{
	open_without();
	scenario_reader_open(1, NULL);
	(void)subscribe(1, "a", close_the_other, NULL);
	publish_one();
}

static void
poll_other(void)
{
	EXPLORE_ASSERT(evbus_poll(scenario.reader[1], 1) == 1);
}

const struct explore_test leave_in_handler = {
	"leave_in_handler", "a reader closed by a handler ends behind its own",
	2, setup_other, { poll_one, poll_other }, finish, "f"
};

static void
setup_without(void)
{
	open_without();
	publish_one();
}

static void
close_at_once(void)
{
	int result = evbus_close(scenario.bus, 0, NULL);

	EXPLORE_ASSERT(result == 0 || result == EVBUS_ETIMEDOUT);
}

const struct explore_test close_x_run = {
	"close_x_run", "a close frees no table that is looked at", 2,
	setup_without, { poll_one, close_at_once }, finish, "f"
};

static void
setup_two(void)
{
	scenario_open(NULL, 0);
	scenario_reader_open(0, NULL);
	scenario_subscribe(0);
	scenario.subscription[1] = subscribe(0, "a", scenario_handler,
	    &scenario.log[1]);
	publish_one();
	explore_allocations_fail(1);
}

static void
end_second(void)
{
	explore_assert(evbus_unsubscribe(scenario.bus,
	    scenario.subscription[1], EVBUS_FOREVER) == 0, "unsubscribe: %s",
	    evbus_errmsg());
	scenario.subscription[1] = 0;
	EVBUS_PLAIN_STORE(&scenario.log[1].ended, 1);
}

const struct explore_test unsubscribe_x_kept = {
	"unsubscribe_x_kept", "one of two ends without memory", 2,
	setup_two, { end_second, poll_one }, scenario_finish, "f"
};

/* ---- References come back ----------------------------------------------- */

static uint64_t referred[EXPLORE_FIBERS_MAX + 1];
static unsigned released;

static void
release(const void *data, size_t size, void *arg)
{
	(void)data;
	(void)arg;
	EXPLORE_ASSERT(size == sizeof referred[0]);
	EVBUS_STORE(&released, EVBUS_LOAD(&released, RELAXED) + 1, RELAXED);
}

static void
setup_references(void)
{
	static const struct evbus_options one_reference = {
		.stream = { .capacity = 2, .max_references = 1 },
	};

	released = 0;
	scenario_open(&one_reference, 0);
}

static void
publish_reference(void)
{
	struct evbus_publish_options options = { .release = release };

	explore_assert(evbus_publish_with(scenario.topic,
	    &referred[explore_self()], sizeof referred[0], &options) == 0,
	    "publish: %s", evbus_errmsg());
}

const struct explore_test hold_x_reclaim = {
	"hold_x_reclaim", "who gives a reference back knows all of it", 2,
	setup_references, { publish_reference, publish_reference }, finish, NULL
};

/* ---- A producer of two goes on where another one has looked ------------- */

static void
setup_frontier(void)
{
	scenario_open(&two_slots, 0);
}

static void
publish_batch(void)
{
	explore_assert(scenario_publish_two() == 0, "publish: %s",
	    evbus_errmsg());
}

static void
publish_four(void)
{
	publish_one();
	publish_one();
	publish_batch();
}

const struct explore_test batch_x_lap = {
	"batch_x_lap", "a slot is written behind its last writer", 2,
	setup_frontier, { publish_four, publish_batch }, finish, "L"
};

/* ---- Who looks for deadlocks, and who closes --------------------------- */

static void
setup_cold(void)
{
	scenario_open(&two_slots, 1);
	scenario_reader_open(0, NULL);
	scenario_subscribe(0);
	explore_stand_for(2);
	publish_one();
	publish_one();
	explore_stand_for(0);
}

const struct explore_test poll_x_look = {
	"poll_x_look", "who waits for a reader sees who runs it", 2,
	setup_cold, { poll_one, publish_one }, scenario_finish, NULL
};

static void
setup_exit(void)
{
	explore_exits();
	scenario_open(NULL, 0);
	explore_stand_for(1);
	scenario_reader_open(0, NULL);
	scenario_subscribe(0);
	explore_stand_for(0);
	publish_one();
}

static void
close_bus(void)
{
	struct evbus_report report;

	explore_assert(evbus_close(scenario.bus, EVBUS_FOREVER, &report) == 0,
	    "close: %s", evbus_errmsg());
	explore_assert(report.left == 0, "0, but %llu events are left",
	    (unsigned long long)report.left);
}

const struct explore_test close_x_exit = {
	"close_x_exit", "a close runs the readers of a thread that ended", 2,
	setup_exit, { poll_one, close_bus }, finish, NULL
};

/* A lossy reader's handler, which nobody waits for, has the last word. */
static enum evbus_verdict
answer(const struct evbus_event *event, void *arg)
{
	int result;

	(void)event;
	(void)arg;
	if (scenario.published[1] == 0) {
		result = scenario_publish();
		EXPLORE_ASSERT(result == 0 || result == EVBUS_ECLOSED);
	}
	return EVBUS_DONE;
}

static void
setup_answer(void)
{
	scenario_open(NULL, 0);
	explore_stand_for(2);
	scenario_reader_open(0, NULL);
	scenario_subscribe(0);
	explore_stand_for(1);
	scenario_reader_open(1, &lossy);
	(void)subscribe(1, "a", answer, NULL);
	explore_stand_for(0);
	publish_one();
	explore_stand_for(2);
	EXPLORE_ASSERT(evbus_poll(scenario.reader[0], 1) == 1);
	explore_stand_for(0);
}

static void
poll_lossy(void)
{
	int result = evbus_poll(scenario.reader[1], 1);

	EXPLORE_ASSERT(result >= 0 || result == EVBUS_ECLOSED);
}

static void
finish_answer(void)
{
	explore_assert(scenario.log[0].count == 1 + scenario.published[1],
	    "%u events were accepted, %u delivered",
	    1 + scenario.published[1], scenario.log[0].count);
	scenario_close();
}

const struct explore_test close_x_answer = {
	"close_x_answer", "what a last handler publishes is delivered", 2,
	setup_answer, { poll_lossy, close_bus }, finish_answer, "f"
};
