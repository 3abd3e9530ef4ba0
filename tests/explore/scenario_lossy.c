/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * scenario_lossy.c - lossy x lap (D2, D5).
 *
 * Who: a lossy reader that copies from a ring of two slots while producers go
 * round it; nobody waits for it.
 *
 * Argument (LAP).  A copy is handed over only if the tail, looked at after the
 * copy, shows that none of its slots was claimed again.  The claim comes before
 * the writes by a release fence, the copy before the look by an acquire fence:
 * if the copy has one word of a later event, the look sees that event's claim.
 * So the two words of a payload always match; and what was not handed over is
 * counted: delivered + skipped + holes + lost = passed.
 *
 * Edges: LAP, STAMP, WAKE.
 */
#include <evbus/claim.h>

#include "scenario.h"

static const struct evbus_options two_slots = {
	.stream = { .capacity = 2 },
};
static const struct evbus_options high_numbers = {
	.stream = { .capacity = 2,
	    .first_sequence = (UINT64_C(1) << 32) - 2 },
};
static const struct evbus_reader_options lossy = { .lossy = 1 };

static void
open_with(const struct evbus_options *options)
{
	scenario_open(options, 0);
	scenario_reader_open(0, &lossy);
	scenario_subscribe(0);
}

static void
setup(void)
{
	open_with(&two_slots);
}

static void
setup_high(void)
{
	open_with(&high_numbers);
}

static void
publish_three(void)
{
	int i;

	for (i = 0; i < 3; i++)
		EXPLORE_ASSERT(scenario_publish() == 0);
}

static void
publish_two(void)
{
	EXPLORE_ASSERT(scenario_publish() == 0);
	EXPLORE_ASSERT(scenario_publish() == 0);
}

static void
poll_twice(void)
{
	EXPLORE_ASSERT(evbus_poll(scenario.reader[0], 1) >= 0);
	EXPLORE_ASSERT(evbus_poll(scenario.reader[0], 2) >= 0);
}

static void
read_one(void)
{
	scenario_read(0, 1);
}

/* `lost` is told with the event that follows, exactly. */
static void
finish(void)
{
	const struct scenario_log *log = &scenario.log[0];
	uint64_t next = 0;
	unsigned i;

	scenario_drain();
	scenario_check(0, 0);
	for (i = 0; i < log->count; i++) {
		if (i == 0)
			next = log->got[i].sequence - log->got[i].lost;
		EXPLORE_ASSERT(log->got[i].sequence ==
		    next + log->got[i].lost);
		next = log->got[i].sequence + 1;
	}
	scenario_close();
}

const struct explore_test lossy_x_lap = {
	"lossy_x_lap", "no torn payload, all counted", 2,
	setup, { publish_three, poll_twice }, finish, NULL
};

const struct explore_test lossy_x_lap_two = {
	"lossy_x_lap_two", "the same with two producers", 3,
	setup, { publish_two, publish_two, poll_twice }, finish, NULL
};

const struct explore_test lossy_x_lap_high = {
	"lossy_x_lap_high", "the same from sequence 2^32 - 2 on", 2,
	setup_high, { publish_three, poll_twice }, finish, NULL
};

const struct explore_test lossy_x_wake = {
	"lossy_x_wake", "a lossy sleeper is woken though it is lapped", 2,
	setup, { publish_three, read_one }, finish, "f"
};
