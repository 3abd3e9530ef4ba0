/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * scenario_wait.c - wait x wake: no wake-up is lost.
 *
 * Who: a reader that sleeps without spinning first and without a time limit,
 * and a producer that publishes one event.  Two readers on one stream; two
 * producers; a reader that gets its first subscription while it sleeps; a
 * reader that is closed while it sleeps.
 *
 * Argument (WAKE).  The sleeper sets its word, marks the stream (attention),
 * runs the heavy fence and looks at the stamp once more; the producer stamps,
 * runs the light fence and looks at attention.  The fences order the two
 * stores and the two looks: one of them sees the other.  If the producer sees
 * attention it takes it by an exchange, which reads the end of a chain of
 * read-modify-writes: so it sees the words of all that marked before, and wakes
 * each of them.  Run with the process-wide barrier and without it (-f).
 *
 * NUDGE: what is no event but must be seen by a sleeper (a stream joined, the
 * reader closed) sets `nudged`, runs the heavy fence and wakes.
 *
 * Edges: WAKE, NUDGE, STAMP, SET.
 */
#include <evbus/claim.h>

#include "scenario.h"

static void
setup(void)
{
	scenario_open(NULL, 0);
	scenario_reader_open(0, NULL);
	scenario_subscribe(0);
}

static void
setup_two(void)
{
	setup();
	scenario_reader_open(1, NULL);
	scenario_subscribe(1);
}

static void
read_one(void)
{
	scenario_read(0, 1);
}

static void
read_one_too(void)
{
	scenario_read(1, 1);
}

static void
read_two(void)
{
	scenario_read(0, 2);
}

static void
publish_one(void)
{
	EXPLORE_ASSERT(scenario_publish() == 0);
}

/* In between everybody may run. */
static void
publish_two(void)
{
	publish_one();
	EVBUS_SPIN();
	publish_one();
}

static void
finish_two(void)
{
	scenario_drain();
	scenario_check(0, 1);
	scenario_check(1, 1);
	scenario_close();
}

const struct explore_test wait_x_wake = {
	"wait_x_wake", "a sleeping reader is woken", 2,
	setup, { read_one, publish_one }, scenario_finish, "fu"
};

const struct explore_test wait_x_wake_two = {
	"wait_x_wake_two", "two sleepers on one stream are woken", 3,
	setup_two, { read_one, read_one_too, publish_one }, finish_two, "fu"
};

/*
 * A producer that is late with the look that follows its first event takes the
 * marks of sleepers that have read it already: it must see their words.
 */
const struct explore_test wait_x_wake_next = {
	"wait_x_wake_next", "a sleeper is woken for the next event too", 2,
	setup, { read_two, publish_two }, scenario_finish, "f"
};

/*
 * The same for two sleepers, whose event is committed after one that follows
 * it: the claim was open before they slept.
 */
static struct evbus_claim claim;

static void
setup_claim(void)
{
	setup_two();
	explore_stand_for(3);
	EXPLORE_ASSERT(scenario_claim(&claim) == 0);
	explore_stand_for(0);
}

static void
publish_and_commit(void)
{
	publish_one();
	EVBUS_SPIN();
	EXPLORE_ASSERT(scenario_commit(&claim) == 0);
}

static void
finish_claim(void)
{
	scenario_drain();
	EXPLORE_ASSERT(scenario.log[0].count == 2);
	EXPLORE_ASSERT(scenario.log[1].count == 2);
	scenario_close();
}

const struct explore_test wait_x_wake_claim = {
	"wait_x_wake_claim", "two sleepers are woken by a late commit", 3,
	setup_claim, { read_one, read_one_too, publish_and_commit },
	finish_claim, NULL
};

const struct explore_test wait_x_publish_two = {
	"wait_x_publish_two", "a sleeper sees both producers' events", 3,
	setup, { read_two, publish_one, publish_one }, scenario_finish, "f"
};

/* The reader sleeps before it has a stream. */
static void
setup_bare(void)
{
	scenario_open(NULL, 0);
	scenario_reader_open(0, NULL);
}

static void
subscribe_and_publish(void)
{
	scenario_subscribe(0);
	publish_one();
}

const struct explore_test wait_x_subscribe = {
	"wait_x_subscribe", "a sleeper sees the stream that it joined", 2,
	setup_bare, { read_one, subscribe_and_publish }, scenario_finish, "fu"
};

static void
wait_for_end(void)
{
	int result;

	result = evbus_wait(scenario.reader[0], EVBUS_FOREVER);
	explore_assert(result == EVBUS_ECLOSED, "wait answers %d", result);
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

const struct explore_test wait_x_reader_close = {
	"wait_x_reader_close", "a sleeper sees that its reader was closed", 2,
	setup, { wait_for_end, close_reader }, finish_closed, "fu"
};
