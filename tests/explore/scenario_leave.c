/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * scenario_leave.c - leave x blocked publisher; unsubscribe x poll (L2, S1).
 *
 * Who: a publisher that waits on a full ring without a time limit, and whoever
 * makes room by taking the reader away: another thread that closes it, or the
 * reader's own thread.  And a subscription that ends while its reader is run.
 *
 * Argument.  Leaving swaps the set, waits for a grace period and then changes
 * the futex word on which publishers sleep, whether or not one is marked
 * (SPACE).  A publisher that looked at the old set before the swap finds the
 * word changed, or sleeps already and is woken; one that looks later finds the
 * new set.
 *
 * UNSUB: who runs a handler stores which one, fences and looks whether that
 * subscription is dead; who ends it stores that, fences and looks which one
 * runs.  One sees the other: at 0 the handler is not running and will not run
 * again.  GRACE: a list of matches that was taken out is freed when whoever
 * could hold it has left.
 *
 * Edges: SPACE, SET, GRACE, UNSUB, TABLE.
 */
#include "scenario.h"

static const struct evbus_options two_slots = {
	.stream = { .capacity = 2 },
};
static unsigned ended_is_other;	/* a handler ends the other's subscription */

static void
setup(void)
{
	scenario_open(&two_slots, 0);
	scenario_reader_open(0, NULL);
	scenario_subscribe(0);
	EXPLORE_ASSERT(scenario_publish() == 0 && scenario_publish() == 0);
}

/* Two readers hold the gate. */
static void
setup_two(void)
{
	scenario_open(&two_slots, 0);
	scenario_reader_open(0, NULL);
	scenario_subscribe(0);
	scenario_reader_open(1, NULL);
	scenario_subscribe(1);
	EXPLORE_ASSERT(scenario_publish() == 0 && scenario_publish() == 0);
}

static void
publish_one(void)
{
	explore_assert(scenario_publish() == 0, "publish: %s", evbus_errmsg());
}

static void
close_reader(void)
{
	explore_assert(evbus_reader_close(scenario.reader[0],
	    EVBUS_FOREVER) == 0, "close: %s", evbus_errmsg());
	EXPLORE_ASSERT(EVBUS_PLAIN_LOAD(&scenario.log[0].closed) == 1);
}

static void
poll_other(void)
{
	EXPLORE_ASSERT(evbus_poll(scenario.reader[1], 2) == 2);
}

/* The reader's own thread: one event, then it ends everything. */
static void
poll_and_close(void)
{
	EXPLORE_ASSERT(evbus_poll(scenario.reader[0], 1) == 1);
	close_reader();
}

static void
finish(void)
{
	EXPLORE_ASSERT(scenario.log[0].closed == 1);
	scenario_drain();
	scenario_check(0, 0);
	if (scenario.reader[1] != NULL)
		scenario_check(1, 1);
	scenario_close();
}

const struct explore_test leave_x_blocked_publisher = {
	"leave_x_blocked_publisher", "a blocked publisher gets through", 2,
	setup, { publish_one, close_reader }, finish, "f"
};

const struct explore_test leave_x_publisher_own = {
	"leave_x_publisher_own", "the same by the reader's own thread", 2,
	setup, { publish_one, poll_and_close }, finish, NULL
};

const struct explore_test leave_x_publisher_two = {
	"leave_x_publisher_two", "the same when two readers are in the way", 3,
	setup_two, { publish_one, close_reader, poll_other }, finish, NULL
};

/* A subscription ends while its reader is run. */
static void
unsubscribe(void)
{
	int result;

	result = evbus_unsubscribe(scenario.bus, scenario.subscription[0],
	    EVBUS_FOREVER);
	explore_assert(result == 0, "unsubscribe: %s", evbus_errmsg());
	EXPLORE_ASSERT(EVBUS_PLAIN_LOAD(&scenario.log[0].closed) == 1);
	/* From here on the handler fails if it is called. */
	EVBUS_PLAIN_STORE(&scenario.log[0].ended, 1);
}

static void
poll(void)
{
	int result;

	result = evbus_poll(scenario.reader[0], 2);
	EXPLORE_ASSERT(result >= 0);
}

static void
finish_unsubscribed(void)
{
	EXPLORE_ASSERT(scenario.log[0].closed == 1);
	scenario_drain();
	scenario_check(0, 0);
	scenario_close();
}

const struct explore_test unsubscribe_x_poll = {
	"unsubscribe_x_poll", "at 0 the handler does not run any more", 2,
	setup, { unsubscribe, poll }, finish_unsubscribed, "f"
};

/*
 * A handler of another reader ends the subscription, which never waits, and
 * then commits the third of four events.  Reader 0 takes these in one stretch:
 * it looks at the table for the first that is like the third (the same topic,
 * size and publisher: the second), and afterwards at its changes alone.  The
 * event that was committed after the end is not for it.  A reader takes four at
 * once when it was fed: one, then two, then four.
 */
static enum evbus_verdict
end_the_other(const struct evbus_event *event, void *arg)
{
	struct evbus_claim claim;

	(void)event;
	(void)arg;
	scenario.log[1].count++;
	if (explore_self() != 2 || scenario.published[2] > 0)
		return EVBUS_DONE;
	EXPLORE_ASSERT(scenario_publish() == 0);
	EXPLORE_ASSERT(scenario_claim(&claim) == 0);
	EXPLORE_ASSERT(scenario_publish() == 0);
	EXPLORE_ASSERT(evbus_unsubscribe(scenario.bus,
	    scenario.subscription[0], EVBUS_FOREVER) == 0);
	EXPLORE_ASSERT(scenario_commit(&claim) == 0);
	return EVBUS_DONE;
}

static void
setup_stretch(void)
{
	struct evbus_options options = { .stream.capacity = 16 };
	unsigned i;

	scenario_open(&options, 0);
	scenario_reader_open(0, NULL);
	scenario_subscribe(0);
	scenario_reader_open(1, NULL);
	EXPLORE_ASSERT(evbus_reader_subscribe(scenario.reader[1], ">",
	    end_the_other, NULL, NULL) > 0);
	for (i = 0; i < 4; i++)
		EXPLORE_ASSERT(scenario_publish() == 0);
	EXPLORE_ASSERT(evbus_poll(scenario.reader[0], 3) == 3);
	EXPLORE_ASSERT(evbus_poll(scenario.reader[1], 3) == 3);
}

static void
poll_stretch(void)
{
	EXPLORE_ASSERT(evbus_poll(scenario.reader[0], 4) >= 0);
}

static void
poll_one_other(void)
{
	EXPLORE_ASSERT(evbus_poll(scenario.reader[1], 1) == 1);
}

static void
finish_stretch(void)
{
	const struct scenario_log *log = &scenario.log[0];
	unsigned i;

	for (i = 0; i < log->count; i++)
		explore_assert(log->got[i].who != 2 || log->got[i].n != 3,
		    "what was committed after the end came");
	EXPLORE_ASSERT(log->closed == 1);
	scenario_drain();
	scenario_check(0, 0);
	scenario_close();
}

const struct explore_test unsubscribe_x_stretch = {
	"unsubscribe_x_stretch", "no call in a stretch after a handler ended it",
	2, setup_stretch, { poll_stretch, poll_one_other }, finish_stretch,
	NULL
};

const struct explore_test unsubscribe_x_publish = {
	"unsubscribe_x_publish", "the same while a publisher waits", 3,
	setup, { unsubscribe, poll, publish_one }, finish_unsubscribed, NULL
};

/* A handler ends its own subscription: it is called once. */
static void
setup_in_handler(void)
{
	scenario_open(NULL, 0);
	scenario_reader_open(0, NULL);
	scenario_reader_open(1, NULL);
	EXPLORE_ASSERT(scenario_publish() == 0);
}

static enum evbus_verdict
end_one(const struct evbus_event *event, void *arg)
{
	struct scenario_log *log = arg;
	/* Its own, or with two readers the other's. */
	unsigned which = (unsigned)(log - scenario.log) ^ ended_is_other;
	int result;

	(void)event;
	EXPLORE_ASSERT(EVBUS_PLAIN_LOAD(&log->closed) == 0);
	log->count++;
	result = evbus_unsubscribe(scenario.bus, scenario.subscription[which],
	    EVBUS_FOREVER);
	explore_assert(result == 0 || result == EVBUS_ENOENT ||
	    (ended_is_other && result == EVBUS_ETIMEDOUT), "in a handler: %s",
	    evbus_errmsg());
	return EVBUS_DONE;
}

static void
subscribe_ender(unsigned i)
{
	struct evbus_subscribe_options options = {
		.on_closed = scenario_on_closed,
	};

	scenario.subscription[i] = evbus_reader_subscribe(scenario.reader[i],
	    "a", end_one, &scenario.log[i], &options);
	EXPLORE_ASSERT(scenario.subscription[i] > 0);
}

static void
setup_own(void)
{
	ended_is_other = 0;
	setup_in_handler();
	subscribe_ender(0);
}

static void
setup_each_other(void)
{
	ended_is_other = 1;
	setup_in_handler();
	subscribe_ender(0);
	subscribe_ender(1);
	EXPLORE_ASSERT(scenario_publish() == 0);
}

static void
publish_two(void)
{
	publish_one();
	publish_one();
}

static void
poll_second(void)
{
	EXPLORE_ASSERT(evbus_poll(scenario.reader[1], 2) >= 0);
}

static void
drain_all(void)
{
	unsigned i;

	for (i = 0; i < SCENARIO_READERS; i++)
		while (evbus_poll(scenario.reader[i], 4) > 0)
			;
}

static void
finish_own(void)
{
	drain_all();
	EXPLORE_ASSERT(scenario.log[0].count == 1);
	EXPLORE_ASSERT(scenario.log[0].closed == 1);
	scenario_close();
}

/* At least one of them was called, and each is closed once. */
static void
finish_each_other(void)
{
	drain_all();
	EXPLORE_ASSERT(scenario.log[0].count + scenario.log[1].count >= 1);
	scenario_close();
}

const struct explore_test unsubscribe_in_handler = {
	"unsubscribe_in_handler", "no new call after it, on_closed once", 2,
	setup_own, { poll, publish_two }, finish_own, "f"
};

const struct explore_test unsubscribe_x_unsubscribe = {
	"unsubscribe_x_unsubscribe", "handlers that end each other", 2,
	setup_each_other, { poll, poll_second }, finish_each_other, "f"
};

/* Two end one subscription: one of them does. */
static void
unsubscribe_or_not(void)
{
	int result;

	result = evbus_unsubscribe(scenario.bus, scenario.subscription[0],
	    EVBUS_FOREVER);
	explore_assert(result == 0 || result == EVBUS_ENOENT, "unsubscribe: %s",
	    evbus_errmsg());
	scenario.result[explore_self()] = result;
}

static void
finish_one_of_two(void)
{
	EXPLORE_ASSERT((scenario.result[1] == 0) !=
	    (scenario.result[2] == 0));
	finish_unsubscribed();
}

const struct explore_test unsubscribe_x_end = {
	"unsubscribe_x_end", "of two that end it one does", 2,
	setup, { unsubscribe_or_not, unsubscribe_or_not }, finish_one_of_two,
	NULL
};

/* A reader that holds nobody back is closed beside a publisher. */
static void
setup_room(void)
{
	scenario_open(NULL, 0);
	scenario_reader_open(0, NULL);
	scenario_subscribe(0);
	EXPLORE_ASSERT(scenario_publish() == 0);
}

const struct explore_test leave_x_publish = {
	"leave_x_publish", "a reader goes while others publish", 2,
	setup_room, { close_reader, publish_two }, finish, "f"
};

/* The reader is closed while it is run. */
static void
poll_until_closed(void)
{
	int result;

	result = evbus_poll(scenario.reader[0], 2);
	EXPLORE_ASSERT(result >= 0 || result == EVBUS_ECLOSED);
}

static void
close_and_end(void)
{
	close_reader();
	EVBUS_PLAIN_STORE(&scenario.log[0].ended, 1);
}

const struct explore_test leave_x_poll = {
	"leave_x_poll", "a reader that is run is closed when it has left", 2,
	setup, { close_and_end, poll_until_closed }, finish, "f"
};
