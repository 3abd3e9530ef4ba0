/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * scenario_join.c - join x publish (D1, D6).
 *
 * Who: a thread that subscribes and then polls, while producers go round a
 * ring of two slots; another lossless reader, or none; a claim that is open
 * meanwhile.
 *
 * Argument (JOIN).  The cursor goes into the set at the cached gate; after a
 * grace period every limit is computed with it, so the cached gate stands
 * still until the cursor moves; only then is the start chosen, at or above
 * that gate.  So no slot from the start on is claimed again before the reader
 * has passed it.  The subscription begins at the tail as of before it is
 * entered in the table: every event committed after the call returned comes.
 *
 * What is checked: a producer that has seen the subscription made notes that
 * its event must come.  What comes is without a gap from the first one on.
 *
 * Edges: SET, JOIN, GATE, TABLE, GRACE.
 */
#include <evbus/claim.h>

#include "scenario.h"

static const struct evbus_options two_slots = {
	.stream = { .capacity = 2 },
};
static const struct evbus_options four_slots = {
	.stream = { .capacity = 4 },
};
static const struct evbus_reader_options from_oldest = {
	.start = EVBUS_START_OLDEST,
};

static uint32_t joined;			/* the subscription is made */
static unsigned must_from[EXPLORE_FIBERS_MAX + 1];	/* of each fiber: n */

static void
open_with(const struct evbus_options *options,
    const struct evbus_reader_options *reader)
{
	int i;

	joined = 0;
	for (i = 0; i <= EXPLORE_FIBERS_MAX; i++)
		must_from[i] = 0;
	scenario_open(options, 0);
	scenario_reader_open(0, reader);
}

static void
setup(void)
{
	open_with(&two_slots, NULL);
}

/* The ring has been gone round: the cached gate stands in the middle. */
static void
setup_used(void)
{
	int i;

	open_with(&two_slots, NULL);
	for (i = 0; i < 3; i++)
		EXPLORE_ASSERT(scenario_publish() == 0);
}

static void
setup_oldest(void)
{
	open_with(&two_slots, &from_oldest);
	EXPLORE_ASSERT(scenario_publish() == 0);
}

static void
setup_four(void)
{
	open_with(&four_slots, NULL);
}

/* A second reader that has been there before. */
static void
setup_second(void)
{
	open_with(&two_slots, NULL);
	scenario_reader_open(1, NULL);
	scenario_subscribe(1);
	EXPLORE_ASSERT(scenario_publish() == 0);
	EXPLORE_ASSERT(evbus_poll(scenario.reader[1], 1) == 1);
}

static void
join(void)
{
	scenario_subscribe(0);
	EVBUS_STORE(&joined, 1, RELEASE);
	EXPLORE_ASSERT(evbus_poll(scenario.reader[0], 2) >= 0);
}

/* Before an event is published or committed: must it come? */
static void
note_must(void)
{
	unsigned self = (unsigned)explore_self();

	if (must_from[self] == 0 && EVBUS_LOAD(&joined, ACQUIRE))
		must_from[self] = scenario.published[self] + 1;
}

static void
try_publish(int n)
{
	int i, result;

	for (i = 0; i < n; i++) {
		note_must();
		result = scenario_try_publish();
		EXPLORE_ASSERT(result == 0 || result == EVBUS_EFULL);
	}
}

static void
try_one(void)
{
	try_publish(1);
}

static void
try_two(void)
{
	try_publish(2);
}

static void
try_three(void)
{
	try_publish(3);
}

static void
publish_one(void)
{
	note_must();
	EXPLORE_ASSERT(scenario_publish() == 0);
}

/* An event that is claimed for a while. */
static void
claim_one(void)
{
	struct evbus_claim claim;
	int result = scenario_try_claim(&claim);

	EXPLORE_ASSERT(result == 0 || result == EVBUS_EFULL);
	if (result != 0)
		return;
	note_must();
	EXPLORE_ASSERT(scenario_commit(&claim) == 0);
}

static void
poll_second(void)
{
	EXPLORE_ASSERT(evbus_poll(scenario.reader[1], 2) >= 0);
}

/* All of a fiber's events from must_from on have come. */
static void
check_must(unsigned who)
{
	const struct scenario_log *log = &scenario.log[0];
	unsigned n = must_from[who], i;

	for (i = 0; n != 0 && i < log->count; i++)
		if (log->got[i].who == who && log->got[i].n == n)
			n++;
	explore_assert(n == 0 || n == scenario.published[who] + 1,
	    "event %u of fiber %u was committed after the subscription was "
	    "made and never came", n, who);
}

static void
finish(void)
{
	const struct scenario_log *log = &scenario.log[0];
	unsigned i;

	scenario_drain();
	scenario_check(0, 0);
	for (i = 1; i < log->count; i++)
		EXPLORE_ASSERT(log->got[i].sequence ==
		    log->got[i - 1].sequence + 1);
	for (i = 1; i <= EXPLORE_FIBERS_MAX; i++)
		check_must(i);
	scenario_close();
}

static void
finish_second(void)
{
	scenario_drain();
	scenario_check(1, 1);
	finish();
}

const struct explore_test join_x_publish = {
	"join_x_publish", "all that is committed after subscribing comes", 2,
	setup, { join, try_three }, finish, NULL
};

const struct explore_test join_x_publish_used = {
	"join_x_publish_used", "the same when the ring was gone round", 2,
	setup_used, { join, try_two }, finish, NULL
};

const struct explore_test join_x_publish_two = {
	"join_x_publish_two", "the same with two producers", 3,
	setup_four, { join, publish_one, try_two }, finish, NULL
};

const struct explore_test join_x_oldest = {
	"join_x_oldest", "a start at the oldest event: it is held", 2,
	setup_oldest, { join, try_two }, finish, NULL
};

const struct explore_test join_x_reader = {
	"join_x_reader", "the same beside another lossless reader", 3,
	setup_second, { join, try_two, poll_second }, finish_second, NULL
};

const struct explore_test join_x_claim = {
	"join_x_claim", "the same with a claim open meanwhile", 3,
	setup, { join, claim_one, try_two }, finish, NULL
};

/* Two of them subscribe to one reader's topic: a longer list of matches. */
static void
setup_subscribed(void)
{
	setup_four();
	scenario_subscribe(0);
	EXPLORE_ASSERT(scenario_publish() == 0);
}

static void
subscribe_more(void)
{
	int64_t id;

	id = evbus_reader_subscribe(scenario.reader[0], "*",
	    scenario_handler, &scenario.log[1], NULL);
	explore_assert(id > 0, "subscribe: %s", evbus_errmsg());
}

static void
poll(void)
{
	EXPLORE_ASSERT(evbus_poll(scenario.reader[0], 4) >= 0);
}

static void
finish_more(void)
{
	while (evbus_poll(scenario.reader[0], 4) > 0)
		;
	scenario_check(0, 1);
	scenario_check(1, 0);
	scenario_close();
}

const struct explore_test subscribe_x_poll = {
	"subscribe_x_poll", "a list of matches is not freed while in use", 3,
	setup_subscribed, { subscribe_more, try_one, poll }, finish_more, NULL
};
