/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * scenario_orders.c - one scenario for each memory order that no other one
 * needs (tests/mutants).
 *
 * Who: two threads, of which one leaves something behind by a release, and the
 * other comes by it with an acquire and goes on where it points to.
 *
 * Argument.  Each is the smallest program in which nothing else orders the two:
 * the same words without that order are a data race, a torn event or an event
 * that the wrong handler gets.
 *
 * Edges: GATE, LAP, UNSUB, TABLE, SET, PIN, RG2.
 */
#include <string.h>

#include <evbus/claim.h>

#include "scenario.h"

#define TOPICS	49	/* one more than the first table of names holds */
#define WORDS	8	/* of a payload: too many for its slot */

static const struct evbus_reader_options lossy = { .lossy = 1 };
static uint64_t touched;	/* by a handler, and after its end */
static struct evbus_topic *found[TOPICS];

static void
setup(void)
{
	scenario_open(NULL, 0);
	scenario_reader_open(0, NULL);
	scenario_subscribe(0);
}

static void
publish_one(void)
{
	explore_assert(scenario_publish() == 0, "publish: %s",
	    evbus_errmsg());
}

/* ---- The one producer ends, another takes its stream -------------------- */

static void
setup_owner(void)
{
	static const struct evbus_options one_producer = {
		.stream = { .producers = EVBUS_PRODUCERS_ONE },
	};

	explore_exits();
	scenario_open(&one_producer, 0);
	scenario_reader_open(0, NULL);
	scenario_subscribe(0);
}

static void
publish_when_free(void)
{
	int result;

	while ((result = scenario_publish()) == EVBUS_EOWNER)
		EVBUS_SPIN();
	explore_assert(result == 0, "publish: %s", evbus_errmsg());
}

const struct explore_test owner_x_exit = {
	"owner_x_exit", "a stream's next producer goes on behind the last", 2,
	setup_owner, { publish_when_free, publish_when_free }, scenario_finish, NULL
};

/* ---- One of two handlers ends while the other runs ---------------------- */

static enum evbus_verdict
touch(const struct evbus_event *event, void *arg)
{
	(void)event;
	(void)arg;
	EVBUS_PLAIN_STORE(&touched, EVBUS_PLAIN_LOAD(&touched) + 1);
	return EVBUS_DONE;
}

static void
setup_two(void)
{
	touched = 0;
	scenario_open(NULL, 0);
	scenario_reader_open(0, NULL);
	scenario.subscription[1] = evbus_reader_subscribe(scenario.reader[0],
	    "a", touch, NULL, NULL);
	scenario_subscribe(0);
	publish_one();
}

static void
poll_one(void)
{
	EXPLORE_ASSERT(evbus_poll(scenario.reader[0], 1) >= 0);
}

static void
end_first(void)
{
	explore_assert(evbus_unsubscribe(scenario.bus,
	    scenario.subscription[1], EVBUS_FOREVER) == 0, "unsubscribe: %s",
	    evbus_errmsg());
	scenario.subscription[1] = 0;
	EVBUS_PLAIN_STORE(&touched, 99);
}

const struct explore_test unsubscribe_x_other = {
	"unsubscribe_x_other", "what an ended handler did is done", 2,
	setup_two, { poll_one, end_first }, scenario_finish, "f"
};

/* ---- The first subscription comes while its reader looks ---------------- */

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

const struct explore_test next_x_subscribe = {
	"next_x_subscribe", "a reader looks through whole tables", 2,
	setup_bare, { scenario_next_twice, subscribe_and_publish }, scenario_finish,
	NULL
};

static void
look_at_stats(void)
{
	struct evbus_reader_stats stats;
	uint64_t at;

	EXPLORE_ASSERT(evbus_reader_stats(scenario.reader[0], &stats) == 0);
	EXPLORE_ASSERT(evbus_reader_position(scenario.reader[0],
	    scenario.stream, &at) <= 0);
}

static void
look_at_position(void)
{
	uint64_t at;

	EXPLORE_ASSERT(evbus_reader_position(scenario.reader[0],
	    scenario.stream, &at) <= 0);
}

const struct explore_test stats_x_subscribe = {
	"stats_x_subscribe", "counters of a stream just joined are whole", 3,
	setup_bare, { look_at_stats, look_at_position, subscribe_and_publish },
	scenario_finish, NULL
};

/* ---- A stream opens while all are flushed ------------------------------- */

static void
open_stream(void)
{
	struct evbus_stream_options options = { .capacity = 2,
	    .max_payload = 32, .pool_blocks = 2, .max_references = 2 };
	struct evbus_stream *stream;

	explore_assert(evbus_stream_open(scenario.bus, "b.>", &options,
	    &stream) == 0, "stream: %s", evbus_errmsg());
}

static void
flush(void)
{
	EXPLORE_ASSERT(evbus_flush(scenario.bus, 0) == 0);
}

const struct explore_test flush_x_open = {
	"flush_x_open", "a flush looks at whole streams", 2,
	setup, { open_stream, flush }, scenario_finish, NULL
};

/* ---- A lossy reader is lapped by a claim that need not look ------------- */

static void
setup_lapped(void)
{
	static const struct evbus_options eight_slots = {
		.stream = { .capacity = 8 },
	};
	int i;

	scenario_open(&eight_slots, 0);
	scenario_reader_open(0, &lossy);
	scenario_subscribe(0);
	for (i = 0; i < 8; i++)
		publish_one();
}

static void
publish_two(void)
{
	publish_one();
	publish_one();
}

static void
poll_all(void)
{
	EXPLORE_ASSERT(evbus_poll(scenario.reader[0], 8) >= 0);
}

static void
finish_lossy(void)
{
	scenario_drain();
	scenario_check(0, 0);
	scenario_close();
}

const struct explore_test lossy_x_lap_ahead = {
	"lossy_x_lap_ahead", "no torn payload, by a claim under the limit", 2,
	setup_lapped, { publish_two, poll_all }, finish_lossy, NULL
};

/* ---- A payload outside its slot is given back --------------------------- */

static const struct evbus_options with_pool = {
	.stream = { .capacity = 2, .max_payload = WORDS * 8 },
};

static void
publish_block(void)
{
	uint64_t word[WORDS] = { 0 };

	explore_assert(evbus_publish(scenario.topic, word, sizeof word) == 0,
	    "publish: %s", evbus_errmsg());
}

static void
setup_no_block(void)
{
	scenario_open(&with_pool, 0);
	scenario_reader_open(0, NULL);
	EXPLORE_ASSERT(evbus_reader_subscribe(scenario.reader[0], "a",
	    scenario_count, &scenario.log[0], NULL) > 0);
	scenario_reader_open(1, NULL);
	publish_block();
	publish_block();
}

static void
setup_pool(void)
{
	setup_no_block();
	(void)evbus_poll(scenario.reader[0], 2);
}

static void
join(void)
{
	EXPLORE_ASSERT(evbus_reader_subscribe(scenario.reader[1], "a",
	    scenario_count, &scenario.log[1], NULL) > 0);
}

static void
finish_pool(void)
{
	scenario_drain();
	scenario_close();
}

const struct explore_test reclaim_x_join = {
	"reclaim_x_join", "who takes blocks back sees a whole set", 2,
	setup_pool, { publish_block, join }, finish_pool, NULL
};

static void
join_and_poll(void)
{
	join();
	EXPLORE_ASSERT(evbus_poll(scenario.reader[0], 1) == 1);
}

const struct explore_test pool_x_join = {
	"pool_x_join", "who waits for a block sees a whole set", 2,
	setup_no_block, { publish_block, join_and_poll }, finish_pool, NULL
};

/* It is held by a reader that closes. */
static const struct evbus_event *held;

static void
setup_held(void)
{
	scenario_open(&with_pool, 0);
	scenario_reader_open(0, &lossy);
	EXPLORE_ASSERT(evbus_reader_subscribe(scenario.reader[0], "a",
	    scenario_count, NULL, NULL) > 0);
	publish_block();
	publish_block();
}

static void
hold_and_leave(void)
{
	held = evbus_next(scenario.reader[0]);
	if (held != NULL)
		(void)EVBUS_PLAIN_LOAD((const uint64_t *)held->data);
	EXPLORE_ASSERT(evbus_reader_close(scenario.reader[0], 0) == 0);
}

static void
finish_held(void)
{
	scenario_close();
}

const struct explore_test pin_x_leave = {
	"pin_x_leave", "a reader that leaves is done with what it pinned", 2,
	setup_held, { hold_and_leave, publish_block }, finish_held, NULL
};

/* ---- Who looks for deadlocks finds the claim of a new thread ------------ */

static const struct evbus_options two_slots = {
	.stream = { .capacity = 2 },
};

static void
setup_cold(void)
{
	scenario_open(&two_slots, 1);
	explore_stand_for(2);
	publish_one();
	explore_stand_for(0);
}

static void
claim_and_commit(void)
{
	struct evbus_claim claim;

	explore_assert(scenario_claim(&claim) == 0, "claim: %s",
	    evbus_errmsg());
	EXPLORE_ASSERT(scenario_commit(&claim) == 0);
}

static void
finish_bare(void)
{
	scenario_close();
}

const struct explore_test claim_x_look = {
	"claim_x_look", "who waits for a claim sees whose it is", 2,
	setup_cold, { claim_and_commit, publish_two }, finish_bare, NULL
};

/* ---- The table of names grows while a name is looked for ---------------- */

static void
name_topic(int i, struct evbus_topic **topic)
{
	char name[3] = { 't', (char)('A' + i), '\0' };

	explore_assert(evbus_topic_open(scenario.bus, name, NULL, topic) == 0,
	    "topic: %s", evbus_errmsg());
}

static void
setup_names(void)
{
	static const struct evbus_options names = { .max_topics = TOPICS };
	int i;

	/* And the scenario's own. */
	scenario_open(&names, 0);
	for (i = 1; i < TOPICS - 1; i++)
		name_topic(i, &found[i]);
}

static void
open_last(void)
{
	name_topic(TOPICS - 1, &found[TOPICS - 1]);
}

static void
find_first(void)
{
	struct evbus_topic *topic;

	name_topic(1, &topic);
	EXPLORE_ASSERT(topic == found[1]);
}

const struct explore_test topic_x_grow = {
	"topic_x_grow", "a topic is found while the table of names grows", 2,
	setup_names, { open_last, find_first }, finish_bare, NULL
};
