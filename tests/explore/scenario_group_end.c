/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * scenario_group_end.c - a member of a SHARED group goes, with events in hand
 * (D3).
 *
 * Who: a member that holds an event and is closed, by its own thread or by
 * another, or whose thread ends; beside it another member, which may be asleep,
 * a flush, or the thread that runs the member next.
 *
 * Argument (GROUP in group/share.c).  The close waits until nobody runs the
 * member, so that what it has in hand stands still; under the lock it goes into
 * the group's list, from where the next to look takes it.  A flush that looks
 * meanwhile sees that something moves.  Whoever runs the member of a thread that
 * ends waits for the lock (OWNER).  A payload outside its slot is nobody's to
 * reclaim on the way.
 *
 * What is checked: as in scenario_group.c.
 *
 * Edges: GROUP, OWNER, GRACE, UNSUB, PIN, HOLD, SPACE, NUDGE.
 */
#include <string.h>

#include "scenario_group.h"

static const struct evbus_options two_slots = {
	.stream = { .capacity = 2 },
};
static const struct evbus_options one_slot_each = {
	.stream = { .capacity = 4, .max_payload = 64 },
};
static const struct evbus_reader_options member = { .group = "g" };

static void
publish_some(unsigned n)
{
	for (; n > 0; n--)
		EXPLORE_ASSERT(scenario_try_publish() == 0);
}

/* The first member has claimed an event and has not handled it. */
static void
hold_first(void)
{
	explore_stand_for(1);
	EXPLORE_ASSERT(evbus_next(scenario.reader[0]) != NULL);
	explore_stand_for(0);
}

static void
setup_held(void)
{
	scenario_members(NULL, 2);
	publish_some(2);
	hold_first();
}

static void
setup_held_full(void)
{
	scenario_members(&two_slots, 2);
	publish_some(2);
	hold_first();
}

static void
setup_held_exit(void)
{
	setup_held();
	explore_exits();
}

static void
setup_two(void)
{
	scenario_members(NULL, 2);
	publish_some(2);
}

static enum evbus_verdict answer;

static enum evbus_verdict
take_and_answer(const struct evbus_event *event, void *arg)
{
	(void)scenario_handler(event, arg);
	return answer;
}

/* One member, whose first poll was stopped with an event in hand; another
 * fiber than its own runs it next. */
static void
setup_one_exit(void)
{
	answer = EVBUS_PAUSE;
	scenario_open(NULL, 0);
	explore_stand_for(1);
	scenario_reader_open(0, &member);
	EXPLORE_ASSERT(evbus_reader_subscribe(scenario.reader[0], "a",
	    take_and_answer, &scenario.log[0], NULL) > 0);
	publish_some(2);
	EXPLORE_ASSERT(evbus_poll(scenario.reader[0], 2) == EVBUS_EVERDICT);
	explore_stand_for(0);
	answer = EVBUS_DONE;
	explore_exits();
}

static void
close_first(void)
{
	explore_assert(evbus_reader_close(scenario.reader[0],
	    EVBUS_FOREVER) == 0, "close: %s", evbus_errmsg());
}

static void
poll_first(void)
{
	int result = evbus_poll(scenario.reader[0], 2);

	EXPLORE_ASSERT(result >= 0 || result == EVBUS_ECLOSED);
}

static void
poll_second(void)
{
	EXPLORE_ASSERT(evbus_poll(scenario.reader[1], 2) >= 0);
}

/* It sleeps until all that is there has come to it or to the other. */
static void
read_second(void)
{
	while (scenario.log[1].count < 2) {
		if (evbus_poll(scenario.reader[1], 2) > 0)
			continue;
		EXPLORE_ASSERT(evbus_wait(scenario.reader[1],
		    EVBUS_FOREVER) == 1);
	}
}

static void
publish_one(void)
{
	EXPLORE_ASSERT(scenario_publish() == 0);
}

static void
nothing(void)
{
}

static void
flush(void)
{
	EXPLORE_ASSERT(evbus_flush(scenario.bus, EVBUS_FOREVER) == 0);
	EXPLORE_ASSERT(EVBUS_PLAIN_LOAD(&scenario.log[1].count) == 2);
}

static void
finish_left(void)
{
	if (scenario.log[0].closed)
		scenario.reader[0] = NULL;
	scenario_finish_group();
}

const struct explore_test group_leave_x_claim = {
	"group_leave_x_claim", "what is handed over comes to another member", 2,
	setup_held, { close_first, read_second }, finish_left, NULL
};

const struct explore_test group_leave_x_run = {
	"group_leave_x_run", "a member is closed while it is run", 2,
	setup_two, { poll_first, close_first }, finish_left, NULL
};

/* The member is closed while its next event is looked for. */
static void
next_first(void)
{
	const struct evbus_event *event = evbus_next(scenario.reader[0]);
	const uint64_t *word;

	if (event == NULL)
		return;
	word = event->data;
	EXPLORE_ASSERT(EVBUS_PLAIN_LOAD(&word[0]) ==
	    ~EVBUS_PLAIN_LOAD(&word[1]));
	scenario.log[0].count++;
	evbus_done(scenario.reader[0]);
}

/* Whether it was done in time or came again, it came. */
static void
finish_next(void)
{
	scenario.reader[0] = NULL;
	while (evbus_poll(scenario.reader[1], 2) > 0)
		;
	EXPLORE_ASSERT(scenario.log[0].count + scenario.log[1].count >= 2);
	EXPLORE_ASSERT(scenario.log[1].count <= 2);
	scenario_close();
}

const struct explore_test group_leave_x_next = {
	"group_leave_x_next", "the same while evbus_next looks", 2,
	setup_two, { next_first, close_first }, finish_next, NULL
};

/* Two take what a third has left. */
static void
setup_left(void)
{
	struct evbus_reader *third;

	scenario_members(NULL, 2);
	explore_stand_for(0);
	EXPLORE_ASSERT(evbus_reader_open(scenario.bus, &member, &third) == 0);
	EXPLORE_ASSERT(evbus_reader_subscribe(third, "a", scenario_handler,
	    &scenario.log[0], NULL) > 0);
	publish_some(2);
	EXPLORE_ASSERT(evbus_next(third) != NULL);
	EXPLORE_ASSERT(evbus_reader_close(third, 0) == 0);
}

const struct explore_test group_take_x_take = {
	"group_take_x_take", "what is handed over is taken once", 2,
	setup_left, { poll_first, poll_second }, scenario_finish_group, NULL
};

/* An event on its way from hand to hand is not handled: no flush succeeds. */
static void
setup_held_one(void)
{
	scenario_members(NULL, 2);
	publish_some(1);
	hold_first();
}

static void
flush_now(void)
{
	EXPLORE_ASSERT(evbus_flush(scenario.bus, 0) == EVBUS_ETIMEDOUT);
}

const struct explore_test group_leave_x_flush = {
	"group_leave_x_flush", "a flush misses nothing that is handed over", 2,
	setup_held_one, { close_first, flush_now }, finish_left, NULL
};

static void
setup_left_one(void)
{
	struct evbus_reader *third;

	scenario_members(NULL, 2);
	explore_stand_for(0);
	EXPLORE_ASSERT(evbus_reader_open(scenario.bus, &member, &third) == 0);
	EXPLORE_ASSERT(evbus_reader_subscribe(third, "a", scenario_handler,
	    &scenario.log[0], NULL) > 0);
	publish_some(1);
	EXPLORE_ASSERT(evbus_next(third) != NULL);
	EXPLORE_ASSERT(evbus_reader_close(third, 0) == 0);
}

static void
take_first(void)
{
	EXPLORE_ASSERT(evbus_next(scenario.reader[0]) != NULL);
}

static void
finish_taken(void)
{
	explore_assert(evbus_next(scenario.reader[0]) == NULL,
	    "there was one event");
	scenario_close();
}

const struct explore_test group_take_x_flush = {
	"group_take_x_flush", "nor what another takes", 2,
	setup_left_one, { take_first, flush_now }, finish_taken, NULL
};

const struct explore_test group_leave_x_publish = {
	"group_leave_x_publish", "a publisher waits beside a hand-over", 2,
	setup_held_full, { close_first, publish_one }, finish_left, NULL
};

const struct explore_test group_leave_x_flush_two = {
	"group_leave_x_flush_two", "a flush waits for who takes it", 3,
	setup_held, { close_first, read_second, flush }, finish_left, "L"
};

const struct explore_test group_exit_x_claim = {
	"group_exit_x_claim", "a thread ends with an event in hand", 2,
	setup_held_exit, { nothing, read_second }, scenario_finish_group, NULL
};

const struct explore_test group_exit_x_run = {
	"group_exit_x_run", "... and another thread runs its member", 2,
	setup_one_exit, { nothing, poll_first }, scenario_finish_group, NULL
};

/* The last member goes: the group ends, and lets publishers go. */
static void
setup_last(void)
{
	scenario_members(&two_slots, 1);
	publish_some(2);
}

static void
finish_last(void)
{
	struct evbus_group_stats stats;

	EXPLORE_ASSERT(evbus_group_stats(scenario.bus, "g", &stats) ==
	    EVBUS_ENOENT);
	scenario_close();
}

const struct explore_test group_end_x_publish = {
	"group_end_x_publish", "a group that ends holds nobody up", 2,
	setup_last, { close_first, publish_one }, finish_last, NULL
};

/* A payload outside its slot goes from hand to hand. */
#define WORDS 8

static void
publish_block(uint64_t n)
{
	uint64_t word[WORDS];
	int i;

	for (i = 0; i < WORDS; i++)
		word[i] = n;
	explore_assert(evbus_publish(scenario.topic, word, sizeof word) == 0,
	    "publish: %s", evbus_errmsg());
}

static enum evbus_verdict
take(const struct evbus_event *event, void *arg)
{
	const uint64_t *word = event->data;
	struct scenario_log *log = arg;
	uint64_t first;
	int i;

	first = EVBUS_PLAIN_LOAD(&word[0]);
	EXPLORE_ASSERT(event->size == WORDS * sizeof *word);
	EXPLORE_ASSERT(first == event->sequence + 1);
	for (i = 1; i < WORDS; i++)
		EXPLORE_ASSERT(EVBUS_PLAIN_LOAD(&word[i]) == first);
	log->count++;
	return EVBUS_DONE;
}

static void
setup_blocks(void)
{
	unsigned i;

	scenario_open(&one_slot_each, 0);
	for (i = 0; i < 2; i++) {
		explore_stand_for((int)i + 1);
		scenario_reader_open(i, &member);
		EXPLORE_ASSERT(evbus_reader_subscribe(scenario.reader[i], "a",
		    take, &scenario.log[i], NULL) > 0);
		(void)evbus_poll(scenario.reader[i], 1);
	}
	explore_stand_for(0);
	publish_block(1);
	hold_first();
	publish_block(2);
}

/* Both blocks are in use: this one needs the first. */
static void
publish_third(void)
{
	publish_block(3);
}

static void
finish_blocks(void)
{
	scenario.reader[0] = NULL;
	scenario_drain();
	EXPLORE_ASSERT(scenario.log[0].count + scenario.log[1].count == 3);
	scenario_close();
}

static void
poll_second_some(void)
{
	poll_second();
	poll_second();
}

const struct explore_test group_leave_x_reclaim = {
	"group_leave_x_reclaim", "no block is reclaimed from hand to hand", 3,
	setup_blocks, { close_first, poll_second_some, publish_third },
	finish_blocks, "L"
};

/* The first still holds the block; who publishes must not have it. */
static void
try_third(void)
{
	uint64_t word[WORDS] = { 3, 3, 3, 3, 3, 3, 3, 3 };
	int result = evbus_try_publish(scenario.topic, word, sizeof word);

	EXPLORE_ASSERT(result == 0 || result == EVBUS_EFULL);
	scenario.result[explore_self()] = result;
}

static void
finish_try(void)
{
	unsigned all = 2 + (scenario.result[2] == 0);

	scenario.reader[0] = NULL;
	scenario_drain();
	EXPLORE_ASSERT(scenario.log[0].count + scenario.log[1].count == all);
	scenario_close();
}

const struct explore_test group_keep_x_reclaim = {
	"group_keep_x_reclaim", "nor one that waits for another member", 2,
	setup_blocks, { close_first, try_third }, finish_try, NULL
};
