/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * scenario_look.c - who looks from outside, and who takes the bus away.
 *
 * Who: a thread that makes a topic, a reader, a stream or its own record, and
 * another that stands for a foreign process: it reads the mapping and knows
 * nothing but its layout.  And a thread that frees the bus while another comes
 * out of its last call.
 *
 * Argument.  An entry of the mapping is written, then counted or marked as
 * used by a release; who acquires that sees the entry whole.  A call counts
 * itself before it looks at the bus and counts itself out last of all, by a
 * release; evbus_free() runs the heavy fence and acquires all these counts: so
 * it comes after everything that a call has done, or answers EBUSY (CLOSE).
 *
 * Edges: CLOSE.
 */
#include "base/map.h"
#include "bus/bus.h"
#include "scenario.h"
#include "stream/stream.h"

static const struct evbus__map *
map(void)
{
	return evbus__context_of(scenario.bus)->map;
}

static uint64_t
used(enum evbus__table_kind kind)
{
	return EVBUS_LOAD(&map()->header->table[kind].used, ACQUIRE);
}

static void
setup(void)
{
	scenario_open(NULL, 0);
}

static void
setup_cold(void)
{
	scenario_open(NULL, 1);
}

static void
finish(void)
{
	scenario_close();
}

static void
open_topic(void)
{
	struct evbus_topic *topic;

	explore_assert(evbus_topic_open(scenario.bus, "b", NULL, &topic) == 0,
	    "topic: %s", evbus_errmsg());
}

static void
look_at_topics(void)
{
	const struct evbus__topic_entry *entry;
	uint64_t i, n = used(EVBUS__TABLE_TOPICS);

	for (i = 1; i < n; i++) {
		entry = evbus__map_entry(map(), EVBUS__TABLE_TOPICS, i);
		EXPLORE_ASSERT(EVBUS_PLAIN_LOAD(&entry->length) == 1);
		EXPLORE_ASSERT(map()->base[EVBUS_PLAIN_LOAD(&entry->name)] ==
		    (i == 1 ? 'a' : 'b'));
	}
}

const struct explore_test look_x_topic = {
	"look_x_topic", "a topic is seen whole from outside", 2,
	setup, { open_topic, look_at_topics }, finish, NULL
};

static void
open_reader(void)
{
	scenario_reader_open(0, NULL);
	scenario_subscribe(0);
}

static void
look_at_readers(void)
{
	const struct evbus__reader_entry *reader;
	const struct evbus__cursor *cursor;
	uint64_t i, n;

	n = used(EVBUS__TABLE_READERS);
	for (i = 0; i < n; i++) {
		reader = evbus__map_entry(map(), EVBUS__TABLE_READERS, i);
		EXPLORE_ASSERT(EVBUS_PLAIN_LOAD(&reader->lossy) == 0);
	}
	reader = evbus__map_entry(map(), EVBUS__TABLE_READERS, 0);
	if (EVBUS_LOAD(&reader->used, ACQUIRE))
		EXPLORE_ASSERT(EVBUS_PLAIN_LOAD(&reader->worker) == 0);
	n = used(EVBUS__TABLE_CURSORS);
	for (i = 0; i < n; i++) {
		cursor = evbus__map_entry(map(), EVBUS__TABLE_CURSORS, i);
		EXPLORE_ASSERT(EVBUS_PLAIN_LOAD(&cursor->stream) == 1);
	}
	cursor = evbus__map_entry(map(), EVBUS__TABLE_CURSORS, 0);
	if (EVBUS_LOAD(&cursor->used, ACQUIRE))
		EXPLORE_ASSERT(EVBUS_PLAIN_LOAD(&cursor->start) == 0);
}

const struct explore_test look_x_reader = {
	"look_x_reader", "a reader is seen whole from outside", 2,
	setup, { open_reader, look_at_readers }, scenario_finish, NULL
};

static void
publish(void)
{
	explore_assert(scenario_publish() == 0, "publish: %s",
	    evbus_errmsg());
}

static void
look_at_threads(void)
{
	const struct evbus_publisher *publisher;
	uint64_t i, n = used(EVBUS__TABLE_PUBLISHERS);

	for (i = 1; i < n; i++) {
		publisher = evbus__map_entry(map(), EVBUS__TABLE_PUBLISHERS,
		    i);
		EXPLORE_ASSERT(EVBUS_PLAIN_LOAD(&publisher->tid) >= 1000);
	}
	publisher = evbus__map_entry(map(), EVBUS__TABLE_PUBLISHERS, 2);
	if (EVBUS_LOAD(&publisher->used, ACQUIRE))
		EXPLORE_ASSERT(EVBUS_PLAIN_LOAD(&publisher->tid) >= 1000);
}

const struct explore_test look_x_thread = {
	"look_x_thread", "a thread's record is seen whole from outside", 2,
	setup_cold, { publish, look_at_threads }, finish, NULL
};

/* ---- The bus is freed --------------------------------------------------- */

static uint32_t inside;		/* atomic: the other thread is in its call */

static enum evbus_verdict
tell(const struct evbus_event *event, void *arg)
{
	(void)event;
	(void)arg;
	EVBUS_STORE(&inside, 1, RELEASE);
	return EVBUS_DONE;
}

static void
setup_free(void)
{
	inside = 0;
	scenario_open(NULL, 0);
	explore_stand_for(1);
	scenario_reader_open(0, NULL);
	EXPLORE_ASSERT(evbus_reader_subscribe(scenario.reader[0], "a", tell,
	    NULL, NULL) > 0);
	EXPLORE_ASSERT(scenario_publish() == 0);
	explore_stand_for(0);
}

static void
poll(void)
{
	EXPLORE_ASSERT(evbus_poll(scenario.reader[0], 1) == 1);
}

static void
free_bus(void)
{
	int result;

	while ((result = evbus_free(scenario.bus)) == EVBUS_EBUSY)
		EVBUS_SPIN();
	explore_assert(result == 0, "free answers %d", result);
}

static void
close_and_free(void)
{
	int result;

	while (EVBUS_LOAD(&inside, ACQUIRE) == 0)
		EVBUS_SPIN();
	result = evbus_close(scenario.bus, 0, NULL);
	EXPLORE_ASSERT(result == 0 || result == EVBUS_ETIMEDOUT);
	free_bus();
}

static void
close_bus(void)
{
	EXPLORE_ASSERT(evbus_close(scenario.bus, 0, NULL) == 0);
}

static void
finish_freed(void)
{
	explore_assert(explore_heap_live() == 0, "%u blocks are left",
	    explore_heap_live());
}

const struct explore_test free_x_poll = {
	"free_x_poll", "the bus goes when the last call has ended", 2,
	setup_free, { poll, close_and_free }, finish_freed, "f"
};

const struct explore_test free_x_close = {
	"free_x_close", "and not while it is being closed", 2,
	setup, { close_bus, free_bus }, finish_freed, "f"
};

/* on_closed is called inside of the call as well. */
static void
tell_end(void *arg)
{
	(void)arg;
	EVBUS_STORE(&inside, 1, RELEASE);
}

static void
setup_leave(void)
{
	struct evbus_subscribe_options options = { .on_closed = tell_end };

	inside = 0;
	scenario_open(NULL, 0);
	scenario_reader_open(0, NULL);
	EXPLORE_ASSERT(evbus_reader_subscribe(scenario.reader[0], "a",
	    scenario_count, NULL, &options) > 0);
}

static void
leave(void)
{
	EXPLORE_ASSERT(evbus_reader_close(scenario.reader[0], 0) == 0);
}

const struct explore_test free_x_leave = {
	"free_x_leave", "and not while a reader is being closed", 2,
	setup_leave, { leave, close_and_free }, finish_freed, NULL
};
