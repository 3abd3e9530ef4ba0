/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * scenario_outside.c - pin x reclaim (L1): payloads outside their slot.
 *
 * Who: a producer whose payloads lie in a pool of two blocks, or in its own
 * memory by reference, and a reader that reads them in place.
 *
 * Argument (PIN).  A lossy reader writes the payload's ticket where reclaimers
 * look, fences, and looks whether the payload is still there; who reclaims
 * says so in the entry's state, fences, and looks at the tickets.  One sees
 * the other, so no block is written again, and no reference given back, while
 * it is read.  A lossless reader needs no pin: the gate holds the payload.
 *
 * GIVE: an entry is taken by a compare-and-swap of its state from 0, with
 * acquire, and given back by a store of 0 with release.  So it has one owner,
 * who comes after all that its last owner and the readers did with it.
 *
 * Edges: PIN, HOLD, GIVE, GATE, SPACE.
 */
#include <string.h>

#include <evbus/claim.h>

#include "scenario.h"

#define WORDS	8		/* of a payload: too many for its slot */

static const struct evbus_options four_slots = {
	.stream = { .capacity = 4, .max_payload = WORDS * 8 },
};
static const struct evbus_options two_slots = {
	.stream = { .capacity = 2, .max_payload = WORDS * 8 },
};
static const struct evbus_reader_options lossy = { .lossy = 1 };

static uint64_t referred[EXPLORE_FIBERS_MAX];	/* payloads by reference */
static unsigned released;

static enum evbus_verdict
take(const struct evbus_event *event, void *arg)
{
	const uint64_t *word = event->data;
	struct scenario_log *log = arg;
	uint64_t first, last;

	first = EVBUS_PLAIN_LOAD(&word[0]);
	last = EVBUS_PLAIN_LOAD(&word[event->size / sizeof *word - 1]);
	explore_assert(first == last, "payload of %llu is torn: %llu, %llu",
	    (unsigned long long)event->sequence, (unsigned long long)first,
	    (unsigned long long)last);
	explore_assert(first == event->sequence + 1, "payload of %llu is "
	    "another's: %llu", (unsigned long long)event->sequence,
	    (unsigned long long)first);
	log->count++;
	return EVBUS_DONE;
}

static void
open_with(const struct evbus_options *options,
    const struct evbus_reader_options *reader)
{
	released = 0;
	memset(referred, 0, sizeof referred);
	scenario_open(options, 0);
	scenario_reader_open(0, reader);
	EXPLORE_ASSERT(evbus_reader_subscribe(scenario.reader[0], "a", take,
	    &scenario.log[0], NULL) > 0);
}

/* The payload of sequence n - 1 is made of n. */
static void
publish_block(uint64_t n)
{
	uint64_t word[WORDS];
	int i;

	for (i = 0; i < WORDS; i++)
		word[i] = n;
	explore_assert(evbus_publish(scenario.topic, word, sizeof word) == 0,
	    "publish: %s", evbus_errmsg());
	scenario.published[explore_self()]++;
}

static void
publish_blocks(void)
{
	publish_block(2);
	publish_block(3);
}

static void
release(const void *data, size_t size, void *arg)
{
	(void)data;
	EXPLORE_ASSERT(size == sizeof referred[0]);
	/* Who reads it still races with this. */
	EVBUS_PLAIN_STORE((uint64_t *)arg, 0);
	released++;
}

static void
publish_reference(uint64_t n)
{
	struct evbus_publish_options options = { .release = release };

	EVBUS_PLAIN_STORE(&referred[n - 1], n);
	options.release_arg = &referred[n - 1];
	explore_assert(evbus_publish_with(scenario.topic, &referred[n - 1],
	    sizeof referred[0], &options) == 0, "publish: %s",
	    evbus_errmsg());
}

static void
publish_references(void)
{
	publish_reference(2);
	publish_reference(3);
}

/* The first lies there when the fibers begin; the third needs its block. */
static void
setup_lossy(void)
{
	open_with(&four_slots, &lossy);
	publish_block(1);
}

static void
setup_referred(void)
{
	open_with(&four_slots, &lossy);
	publish_reference(1);
}

static void
setup_lossless(void)
{
	open_with(&two_slots, NULL);
	publish_block(1);
	publish_block(2);
}

static void
publish_third(void)
{
	publish_block(3);
}

static void
poll_twice(void)
{
	EXPLORE_ASSERT(evbus_poll(scenario.reader[0], 1) >= 0);
	EXPLORE_ASSERT(evbus_poll(scenario.reader[0], 1) >= 0);
}

/* Without a limit the producer waits for room: all has to be read. */
static void
read_three(void)
{
	scenario_read(0, 3);
}

static void
finish(void)
{
	scenario_drain();
	scenario_close();
}

static void
finish_references(void)
{
	finish();
	EXPLORE_ASSERT(released == 3);
}

const struct explore_test pin_x_reclaim = {
	"pin_x_reclaim", "no block is written while it is read", 2,
	setup_lossy, { publish_blocks, poll_twice }, finish, NULL
};

const struct explore_test pin_x_release = {
	"pin_x_release", "no reference is given back while it is read", 2,
	setup_referred, { publish_references, poll_twice }, finish_references,
	NULL
};

/* Two producers share two blocks; each has to wait for the other's. */
static enum evbus_verdict
take_any(const struct evbus_event *event, void *arg)
{
	const uint64_t *word = event->data;
	struct scenario_log *log = arg;
	unsigned i;

	for (i = 1; i < WORDS; i++)
		EXPLORE_ASSERT(EVBUS_PLAIN_LOAD(&word[i]) ==
		    EVBUS_PLAIN_LOAD(&word[0]));
	log->count++;
	return EVBUS_DONE;
}

static void
setup_pool_read(void)
{
	scenario_open(&two_slots, 0);
	scenario_reader_open(0, NULL);
	EXPLORE_ASSERT(evbus_reader_subscribe(scenario.reader[0], "a",
	    take_any, &scenario.log[0], NULL) > 0);
}

static void
publish_own_two(void)
{
	publish_block(10 * (unsigned)explore_self() + 1);
	publish_block(10 * (unsigned)explore_self() + 2);
}

static void
finish_pool(void)
{
	finish();
	EXPLORE_ASSERT(scenario.log[0].count == 4);
}

static void
read_four(void)
{
	scenario_read(0, 4);
}

/* And given back at once: what was claimed with a block is aborted. */
static void
take_and_give(void)
{
	struct evbus_claim claim;
	int result;

	result = evbus_claim(scenario.topic, WORDS * sizeof(uint64_t), 0,
	    &claim);
	EXPLORE_ASSERT(result == 0 || result == EVBUS_EFULL);
	if (result != 0)
		return;
	EVBUS_PLAIN_STORE((uint64_t *)claim.data, (unsigned)explore_self());
	EXPLORE_ASSERT(EVBUS_PLAIN_LOAD((uint64_t *)claim.data) ==
	    (unsigned)explore_self());
	evbus_abort(&claim);
}

/* All blocks are there again. */
static void
finish_given(void)
{
	scenario_drain();
	publish_block(1);
	publish_block(2);
	scenario_drain();
	scenario_close();
}

const struct explore_test pool_take_x_take = {
	"pool_take_x_take", "a block has one owner, and none is lost", 3,
	setup_pool_read, { publish_own_two, publish_own_two, read_four },
	finish_pool, NULL
};

const struct explore_test pool_take_x_give = {
	"pool_take_x_give", "a block taken and given is whole and there", 2,
	setup_pool_read, { take_and_give, take_and_give }, finish_given, NULL
};

const struct explore_test gate_x_reclaim = {
	"gate_x_reclaim", "the same in place, for a lossless reader", 2,
	setup_lossless, { publish_third, read_three }, finish, NULL
};
