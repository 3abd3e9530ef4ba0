/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * scenario_reuse.c - who leaves a reader late (L2).
 *
 * Who: a thread that has left a reader and finds that something ended there;
 * and meanwhile a thread that closes the reader and opens another, which gets
 * the same memory, runs it, and is in a handler whose subscription ends.
 *
 * Argument.  What ended is finished under the bus's lock, by who has seen,
 * behind a heavy fence, that nobody runs the reader: whoever comes later finds
 * the subscription dead.  If somebody does run it, he finds what ended when he
 * leaves (GRACE).  And a reader is finished only while it is closing, which a
 * new one in its place is not.
 *
 * Edges: GRACE, UNSUB.
 */
#include "scenario.h"

static struct evbus_reader *other[3];
static uint32_t begun, opened;
static int64_t subscription;
static unsigned closed, inside, all;

static enum evbus_verdict
begin(const struct evbus_event *event, void *arg)
{
	(void)event;
	(void)arg;
	EVBUS_STORE(&begun, 1, RELEASE);
	return EVBUS_DONE;
}

static void
setup_reuse(void)
{
	unsigned i;

	begun = opened = 0;
	scenario_open(NULL, 0);
	scenario_reader_open(0, NULL);
	EXPLORE_ASSERT(evbus_reader_subscribe(scenario.reader[0], "a", begin,
	    NULL, NULL) > 0);
	for (i = 0; i < 3; i++)
		EXPLORE_ASSERT(evbus_reader_open(scenario.bus, NULL,
		    &other[i]) == 0);
	EXPLORE_ASSERT(scenario_publish() == 0);
}

static void
poll_old(void)
{
	EXPLORE_ASSERT(evbus_poll(scenario.reader[0], 1) == 1);
}

/* While it is polled: the handle may not be used afterwards. */
static void
close_old(void)
{
	while (EVBUS_LOAD(&begun, ACQUIRE) == 0)
		EVBUS_SPIN();
	EXPLORE_ASSERT(evbus_reader_close(scenario.reader[0],
	    EVBUS_FOREVER) == 0);
}

static void
close_and_open(void)
{
	struct evbus_reader_options options = { .spin_ns = -1 };

	close_old();
	explore_assert(evbus_reader_open(scenario.bus, &options,
	    &scenario.reader[1]) == 0, "open: %s", evbus_errmsg());
	EXPLORE_ASSERT(evbus_reader_subscribe(scenario.reader[1], "a",
	    scenario_count, &scenario.log[1], NULL) > 0);
}

static void
finish_reuse(void)
{
	EXPLORE_ASSERT(scenario_publish() == 0);
	explore_assert(evbus_poll(scenario.reader[1], 4) == 1,
	    "the new reader: %s", evbus_errmsg());
	EXPLORE_ASSERT(scenario.log[1].count == 1);
	EXPLORE_ASSERT(evbus_close(scenario.bus, 0, NULL) == 0);
	EXPLORE_ASSERT(evbus_free(scenario.bus) == 0);
}

static void
on_closed(void *arg)
{
	(void)arg;
	explore_assert(!inside, "on_closed while the handler runs");
	closed++;
}

/* Ends its own subscription, or its reader, and stays a while. */
static enum evbus_verdict
end_itself(const struct evbus_event *event, void *arg)
{
	(void)event;
	(void)arg;
	inside = 1;
	if (all)
		EXPLORE_ASSERT(evbus_reader_close(scenario.reader[1], 0) ==
		    0);
	else
		EXPLORE_ASSERT(evbus_unsubscribe(scenario.bus, subscription,
		    0) == 0);
	EXPLORE_ASSERT(scenario_try_publish() == 0);
	EXPLORE_ASSERT(closed == 0);
	inside = 0;
	return EVBUS_DONE;
}

static void
setup_end(void)
{
	closed = inside = all = 0;
	setup_reuse();
}

static void
setup_close(void)
{
	setup_end();
	all = 1;
}

static void
close_open_and_end(void)
{
	struct evbus_reader_options options = { .start = EVBUS_START_OLDEST };
	struct evbus_subscribe_options with = { .on_closed = on_closed };

	close_old();
	explore_assert(evbus_reader_open(scenario.bus, &options,
	    &scenario.reader[1]) == 0, "open: %s", evbus_errmsg());
	subscription = evbus_reader_subscribe(scenario.reader[1], "a",
	    end_itself, NULL, &with);
	EXPLORE_ASSERT(subscription > 0);
	EXPLORE_ASSERT(evbus_poll(scenario.reader[1], 1) == 1);
}

/* Stays a while in the handler. */
static enum evbus_verdict
stay(const struct evbus_event *event, void *arg)
{
	(void)event;
	(void)arg;
	inside = 1;
	EXPLORE_ASSERT(scenario_try_publish() == 0);
	inside = 0;
	return EVBUS_DONE;
}

static void
close_open_and_poll(void)
{
	struct evbus_reader_options options = { .start = EVBUS_START_OLDEST };
	struct evbus_subscribe_options with = { .on_closed = on_closed };
	int result;

	close_old();
	explore_assert(evbus_reader_open(scenario.bus, &options,
	    &scenario.reader[1]) == 0, "open: %s", evbus_errmsg());
	EXPLORE_ASSERT(evbus_reader_subscribe(scenario.reader[1], "a", stay,
	    NULL, &with) > 0);
	EVBUS_STORE(&opened, 1, RELEASE);
	result = evbus_poll(scenario.reader[1], 1);
	EXPLORE_ASSERT(result == 1 || result == EVBUS_ECLOSED);
}

/* From a thread of its own. */
static void
close_new(void)
{
	int result;

	while (EVBUS_LOAD(&opened, ACQUIRE) == 0)
		EVBUS_SPIN();
	result = evbus_reader_close(scenario.reader[1], 0);
	EXPLORE_ASSERT(result == 0 || result == EVBUS_ETIMEDOUT);
}

static void
finish_end(void)
{
	EXPLORE_ASSERT(closed == 1);
	if (!all)
		EXPLORE_ASSERT(evbus_poll(scenario.reader[1], 8) >= 0);
	EXPLORE_ASSERT(evbus_close(scenario.bus, 0, NULL) == 0);
	EXPLORE_ASSERT(evbus_free(scenario.bus) == 0);
}

const struct explore_test reuse_x_poll = {
	"reuse_x_poll", "L2: who leaves a reader late ends no other", 2,
	setup_reuse, { poll_old, close_and_open }, finish_reuse, NULL
};

const struct explore_test reuse_x_end = {
	"reuse_x_end", "L2: nor what ends in the handler of another", 2,
	setup_end, { poll_old, close_open_and_end }, finish_end, NULL
};

const struct explore_test reuse_x_close = {
	"reuse_x_close", "L2: nor another that is closed in its handler", 2,
	setup_close, { poll_old, close_open_and_end }, finish_end, NULL
};

const struct explore_test reuse_x_close_two = {
	"reuse_x_close_two", "L2: nor one that a third thread closes", 3,
	setup_close, { poll_old, close_open_and_poll, close_new }, finish_end,
	NULL
};
