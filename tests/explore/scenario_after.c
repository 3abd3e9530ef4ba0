/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * scenario_after.c - a reader that stands after another x all that may happen
 * to the two (D4).
 *
 * Who: the one ahead (reader 0), the one behind (reader 1), and publishers;
 * the one ahead joins late, closes while its handler runs or while the other
 * sleeps, has its memory used again, or is demoted.
 *
 * Argument (AFTER in stream/after.c).  The handler behind looks at what the
 * handler ahead wrote, without anything of its own between the two: that it is
 * there, and is no data race, is the promise.
 *
 * Edges: AFTER, NUDGE, GATE, SPACE, DEMOTE, LAP.
 */
#include "bus/bus.h"
#include "scenario.h"

static const struct evbus_options two_slots = {
	.stream = { .capacity = 2 },
};
static const struct evbus_options two_readers = { .max_readers = 2 };
static const struct evbus_reader_options lag = { .max_lag = 2 };
static const struct evbus_reader_options lossy = { .lossy = 1 };
static unsigned flagged;	/* events without cover */

/* Has the one ahead handled the event? */
static int
is_covered(const struct evbus_event *event)
{
	const struct scenario_log *log = &scenario.log[0];
	unsigned i, count = EVBUS_PLAIN_LOAD(&log->count);

	for (i = 0; i < count; i++)
		if (EVBUS_PLAIN_LOAD(&log->got[i].sequence) ==
		    event->sequence)
			return 1;
	return 0;
}

static enum evbus_verdict
handle_ahead(const struct evbus_event *event, void *arg)
{
	struct scenario_log *log = arg;

	EVBUS_PLAIN_STORE(&log->got[log->count].sequence, event->sequence);
	EVBUS_PLAIN_STORE(&log->count, log->count + 1);
	return EVBUS_DONE;
}

static enum evbus_verdict
handle_behind(const struct evbus_event *event, void *arg)
{
	struct scenario_log *log = arg;

	if (event->flags & EVBUS_EVENT_UNCOVERED)
		flagged++;
	else
		explore_assert(is_covered(event), "event %llu comes too early",
		    (unsigned long long)event->sequence);
	log->got[log->count++].sequence = event->sequence;
	return EVBUS_DONE;
}

static void
subscribe(unsigned i, evbus_handler handler)
{
	explore_assert(evbus_reader_subscribe(scenario.reader[i], "a", handler,
	    &scenario.log[i], NULL) > 0, "subscribe: %s", evbus_errmsg());
	if (explore_self() == 0)
		(void)evbus__park_nudged(scenario.reader[i]->park);
}

/* Both readers, the second after the first, which may join later. */
static void
open_both(const struct evbus_options *bus,
    const struct evbus_reader_options *ahead,
    const struct evbus_reader_options *behind, int late)
{
	struct evbus_reader_options options = { 0 };

	flagged = 0;
	scenario_open(bus, 0);
	scenario_reader_open(0, ahead);
	if (!late)
		subscribe(0, handle_ahead);
	if (behind != NULL)
		options = *behind;
	options.after = scenario.reader;
	options.after_count = 1;
	options.allow_uncovered = 1;
	scenario_reader_open(1, &options);
	subscribe(1, handle_behind);
}

static void
setup(void)
{
	open_both(NULL, NULL, NULL, 0);
}

/* One event is there. */
static void
setup_one(void)
{
	setup();
	EXPLORE_ASSERT(scenario_publish() == 0);
}

static void
setup_late(void)
{
	open_both(NULL, NULL, NULL, 1);
}

/* A full ring. */
static void
setup_lag(void)
{
	open_both(&two_slots, &lag, NULL, 0);
	EXPLORE_ASSERT(scenario_publish() == 0);
	EXPLORE_ASSERT(scenario_publish() == 0);
}

static void
setup_lossy(void)
{
	open_both(&two_slots, &lossy, &lossy, 0);
	EXPLORE_ASSERT(scenario_publish() == 0);
	EXPLORE_ASSERT(scenario_publish() == 0);
}

static void
publish_one(void)
{
	EXPLORE_ASSERT(scenario_publish() == 0);
}

static void
poll_ahead(void)
{
	EXPLORE_ASSERT(evbus_poll(scenario.reader[0], 4) >= 0);
}

/* In between everybody may run. */
static void
poll_ahead_twice(void)
{
	EXPLORE_ASSERT(evbus_poll(scenario.reader[0], 1) == 1);
	EVBUS_SPIN();
	EXPLORE_ASSERT(evbus_poll(scenario.reader[0], 1) == 1);
}

static void
poll_behind(void)
{
	EXPLORE_ASSERT(evbus_poll(scenario.reader[1], 4) >= 0);
}

static void
read_behind(void)
{
	scenario_read(1, 1);
}

static void
read_both_behind(void)
{
	scenario_read(1, 2);
}

static void
next_behind(void)
{
	const struct evbus_event *event = evbus_next(scenario.reader[1]);

	if (event != NULL)
		(void)handle_behind(event, &scenario.log[1]);
	evbus_done(scenario.reader[1]);
}

static void
close_ahead(void)
{
	EXPLORE_ASSERT(evbus_reader_close(scenario.reader[0],
	    EVBUS_FOREVER) == 0);
}

/* Closed while its handler runs, or before: it has handled it or never will. */
static void
poll_or_not(void)
{
	int result = evbus_poll(scenario.reader[0], 4);

	EXPLORE_ASSERT(result >= 0 || result == EVBUS_ECLOSED);
}

/* Does not wait for that handler. */
static void
close_and_poll(void)
{
	int result = evbus_reader_close(scenario.reader[0], 0);

	EXPLORE_ASSERT(result == 0 || result == EVBUS_ETIMEDOUT);
	poll_behind();
}

/* Its memory goes to a reader that nobody runs. */
static void
close_and_come(void)
{
	struct evbus_reader *reader;

	close_ahead();
	EXPLORE_ASSERT(evbus_reader_open(scenario.bus, NULL, &reader) == 0);
	EXPLORE_ASSERT(reader == scenario.reader[0]);
	EXPLORE_ASSERT(evbus_reader_subscribe(reader, ">", NULL, NULL,
	    NULL) > 0);
	publish_one();
}

static void
join_and_publish(void)
{
	subscribe(0, handle_ahead);
	publish_one();
	poll_ahead();
}

/* After a close no event is covered: only that it comes is asked. */
static enum evbus_verdict
handle_any(const struct evbus_event *event, void *arg)
{
	(void)event;
	((struct scenario_log *)arg)->count++;
	return EVBUS_DONE;
}

static void
setup_close(void)
{
	struct evbus_reader_options options = { 0 };

	scenario_open(&two_readers, 0);
	scenario_reader_open(0, NULL);
	subscribe(0, handle_ahead);
	options.after = scenario.reader;
	options.after_count = 1;
	scenario_reader_open(1, &options);
	subscribe(1, handle_any);
	EXPLORE_ASSERT(scenario_publish() == 0);
}

static void
setup_two(void)
{
	setup_close();
	EXPLORE_ASSERT(scenario_publish() == 0);
}

/* The handler behind must find the one ahead either over or not begun. */
static int began;

static enum evbus_verdict
begin_and_end(const struct evbus_event *event, void *arg)
{
	(void)event;
	(void)arg;
	EVBUS_STORE(&began, 1, RELAXED);
	EVBUS_SPIN();
	EVBUS_STORE(&began, 0, RELAXED);
	return EVBUS_DONE;
}

static enum evbus_verdict
not_between(const struct evbus_event *event, void *arg)
{
	EXPLORE_ASSERT(EVBUS_LOAD(&began, RELAXED) == 0);
	return handle_any(event, arg);
}

static void
setup_leave(void)
{
	struct evbus_reader_options options = { 0 };

	began = 0;
	scenario_open(NULL, 0);
	scenario_reader_open(0, NULL);
	subscribe(0, begin_and_end);
	options.after = scenario.reader;
	options.after_count = 1;
	scenario_reader_open(1, &options);
	subscribe(1, not_between);
	EXPLORE_ASSERT(scenario_publish() == 0);
}

/* The ring has gone round; one event is left. */
static void
setup_flag(void)
{
	int i;

	open_both(&(struct evbus_options){ .stream.capacity = 2,
	    .max_readers = 2 }, NULL, NULL, 0);
	for (i = 0; i < 4; i++) {
		publish_one();
		poll_ahead();
		poll_behind();
	}
	publish_one();
	poll_ahead();
}

/* Its memory goes to one that has lost something at once. */
static void
close_and_lose(void)
{
	struct evbus_reader_options options = { .lossy = 1,
	    .start = EVBUS_START_SEQUENCE, .sequence = 1 };
	struct evbus_reader *reader;

	close_ahead();
	EXPLORE_ASSERT(evbus_reader_open(scenario.bus, &options,
	    &reader) == 0);
	EXPLORE_ASSERT(evbus_reader_subscribe(reader, ">", NULL, NULL,
	    NULL) > 0);
	EXPLORE_ASSERT(evbus_poll(reader, 1) > 0);
}

/* Both read what is left; then the one behind has everything. */
static void
finish(void)
{
	unsigned i, n = 0;

	for (i = 0; i <= EXPLORE_FIBERS_MAX; i++)
		n += scenario.published[i];
	scenario_drain();
	scenario_drain();
	explore_assert(scenario.log[1].count == n, "%u events, %u came", n,
	    scenario.log[1].count);
	scenario_close();
}

static void
finish_covered(void)
{
	finish();
	EXPLORE_ASSERT(flagged == 0);
}

/* The reader that came is not asked before the one behind has all. */
static void
finish_reuse(void)
{
	while (evbus_poll(scenario.reader[1], 4) > 0)
		;
	explore_assert(scenario.log[1].count == 2, "%u of 2 events came",
	    scenario.log[1].count);
	finish();
}

static void
finish_flag(void)
{
	EXPLORE_ASSERT(flagged == 0);
	scenario.reader[0] = NULL;
	finish();
}

/* Only lossy readers: what is left is drained, not everything comes. */
static void
finish_lossy(void)
{
	scenario_drain();
	scenario_drain();
	EXPLORE_ASSERT(scenario.log[1].count > 0);
	scenario_close();
}

/* From the demotion on nothing is covered, and the room was made. */
static void
finish_demoted(void)
{
	finish();
	EXPLORE_ASSERT(flagged > 0);
}

const struct explore_test after_x_publish = {
	"after_x_publish", "D4: an event comes when the one ahead is done", 3,
	setup, { publish_one, poll_ahead, poll_behind }, finish_covered, NULL
};

const struct explore_test after_x_next = {
	"after_x_next", "D4: the same by next", 2,
	setup_one, { poll_ahead, next_behind }, finish_covered, NULL
};

const struct explore_test after_x_wake = {
	"after_x_wake", "the one ahead wakes the one behind", 2,
	setup_one, { poll_ahead, read_behind }, finish_covered, "fu"
};

/*
 * One ahead that is late with the look that follows its first step takes the
 * mark of the one behind, which has made that step already: it must see its
 * word.
 */
const struct explore_test after_x_wake_next = {
	"after_x_wake_next", "and wakes it for the next event too", 2,
	setup_two, { poll_ahead_twice, read_both_behind }, finish, "f"
};

const struct explore_test after_x_wake_lossy = {
	"after_x_wake_lossy", "also a lossy one", 2,
	setup_lossy, { poll_ahead, read_both_behind }, finish_lossy, "f"
};

const struct explore_test after_x_close = {
	"after_x_close", "who closes lets the one behind go on", 2,
	setup_close, { close_ahead, read_behind }, finish, "fu"
};

const struct explore_test after_x_reuse = {
	"after_x_reuse", "who has its memory then restrains nobody", 2,
	setup_close, { close_and_come, poll_behind }, finish_reuse, NULL
};

const struct explore_test after_x_flag = {
	"after_x_flag", "nor does what that one lost count", 2,
	setup_flag, { close_and_lose, poll_behind }, finish_flag, NULL
};

const struct explore_test after_x_leave = {
	"after_x_leave", "not before its handler has ended", 2,
	setup_leave, { poll_or_not, close_and_poll }, finish, NULL
};

const struct explore_test after_x_join = {
	"after_x_join", "D4: from what is published after it joined on", 2,
	setup_late, { join_and_publish, poll_behind }, finish_covered, NULL
};

const struct explore_test after_x_demote = {
	"after_x_demote", "S1: nobody waits for long, and it is told", 2,
	setup_lag, { publish_one, read_both_behind }, finish_demoted, "f"
};

const struct explore_test after_x_lap = {
	"after_x_lap", "D4: what was lost ahead is flagged", 3,
	setup_lossy, { publish_one, poll_ahead, poll_behind }, finish_lossy,
	NULL
};
