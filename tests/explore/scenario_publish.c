/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * scenario_publish.c - publish x publish (O1, O2, D1).
 *
 * Who: two producers on one stream, and a lossless reader that looks whenever
 * it comes by, and once more when both are done.
 *
 * Argument.  A claim is a compare-and-swap of the tail, so each sequence has
 * one owner; it is relaxed, because what a claim hands over (the slot) came
 * with the limit (GATE), and what it publishes (the event) goes with the stamp
 * (STAMP).  A commit waits for nobody: with the first claim still open the
 * second event stays unseen, and no event is passed over.  A batch is one claim
 * of several sequences, so nothing comes between its events.
 *
 * Edges: STAMP (evbus__stamp and the reader's load).
 */
#include "scenario.h"

static void
setup(void)
{
	scenario_open(NULL, 0);
	scenario_reader_open(0, NULL);
	scenario_subscribe(0);
}

static void
produce(void)
{
	EXPLORE_ASSERT(scenario_publish() == 0);
	EXPLORE_ASSERT(scenario_publish() == 0);
}

static void
produce_one(void)
{
	EXPLORE_ASSERT(scenario_publish() == 0);
}

static void
produce_batch(void)
{
	EXPLORE_ASSERT(scenario_publish_two() == 0);
}

/* Nothing lies between the two events of a batch. */
static void
finish_batch(void)
{
	const struct scenario_log *log = &scenario.log[0];
	unsigned i;

	scenario_finish();
	for (i = 1; i < log->count; i++)
		if (log->got[i].who == 1 && log->got[i].n == 2)
			EXPLORE_ASSERT(log->got[i - 1].who == 1);
}

static void
look(void)
{
	EXPLORE_ASSERT(evbus_poll(scenario.reader[0], 16) >= 0);
}

/* Two batches: each in one piece, whatever comes first. */
static void
finish_batches(void)
{
	const struct scenario_log *log = &scenario.log[0];

	scenario_finish();
	EXPLORE_ASSERT(log->count == 4);
	EXPLORE_ASSERT(log->got[0].who == log->got[1].who);
	EXPLORE_ASSERT(log->got[2].who == log->got[3].who);
}

const struct explore_test batch_x_batch = {
	"batch_x_batch", "two batches lie side by side", 2,
	setup, { produce_batch, produce_batch }, finish_batches, NULL
};

const struct explore_test publish_x_publish = {
	"publish_x_publish", "no event lost, one order, whole payloads", 3,
	setup, { produce, produce, look }, scenario_finish, NULL
};

const struct explore_test publish_x_batch = {
	"publish_x_batch", "a batch lies in one piece", 3,
	setup, { produce_batch, produce_one, look }, finish_batch, NULL
};
