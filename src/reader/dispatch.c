/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * dispatch.c - layer 4: which handlers an event's topic goes to (F1, F3).
 *
 * A reader has one table, by topic id, of pointers to lists of matches; NULL
 * means that nobody wants the topic, and costs a skip.  Lists never change:
 * a new one replaces the old, which is freed when who runs the reader cannot
 * hold it any more (GRACE).  All calls are made under the bus's lock.
 */
#include <string.h>

#include "reader/reader.h"

static size_t
matches_size(uint32_t count)
{
	return sizeof(struct evbus__matches) +
	    count * sizeof(struct evbus__match);
}

/* Memory that can be retired has its place in that list in front of it. */
void *
evbus__retirable(struct evbus_reader *reader, size_t size)
{
	unsigned char *p = evbus__alloc(reader->context,
	    sizeof(struct evbus__retired) + size);

	return p == NULL ? NULL : p + sizeof(struct evbus__retired);
}

void
evbus__retire(struct evbus_reader *reader, void *memory, size_t size)
{
	struct evbus__retired *retired = (struct evbus__retired *)(void *)
	    ((unsigned char *)memory - sizeof *retired);

	retired->size = size;
	retired->seen = 0;
	retired->next = reader->retired;
	reader->retired = retired;
}

void
evbus__sweep(struct evbus_reader *reader)
{
	struct evbus__retired **at, *retired;
	uint32_t running;

	if (reader->retired == NULL)
		return;
	/*
	 * GRACE: tables changed, heavy fence, read running.  Partner:
	 * evbus__run_begin().  Even: nobody inside.  Changed since it was read
	 * here first: who was inside has left.  It must not be read before the
	 * fence: an old value would look like a change.
	 */
	evbus__fence_heavy();
	running = EVBUS_LOAD(&reader->entry->running, ACQUIRE);
	EVBUS__DELAY(table_sweep);
	for (at = &reader->retired; *at != NULL;) {
		retired = *at;
		if ((running & 1) != 0 && (!retired->seen ||
		    retired->running == running)) {
			retired->seen = 1;
			retired->running = running;
			at = &retired->next;
			continue;
		}
		*at = retired->next;
		evbus__free(reader->context, retired,
		    sizeof *retired + retired->size);
	}
}

/* Free all of it: nobody can be inside. */
void
evbus__retired_free(struct evbus_reader *reader)
{
	struct evbus__retired *retired;

	while ((retired = reader->retired) != NULL) {
		reader->retired = retired->next;
		evbus__free(reader->context, retired,
		    sizeof *retired + retired->size);
	}
}

/* Put `next` (may be NULL) in the place of the list of topic `id`. */
static void
replace(struct evbus_reader *reader, uint32_t id, struct evbus__matches *next)
{
	struct evbus__matches *old = reader->table[id];

	if (next != NULL)
		next->one_from = next->count == 1 &&
		    next->match[0].handler != NULL ? next->match[0].start :
		    UINT64_MAX;

	EVBUS__DELAY(table_swap);
	/* TABLE: release, partner: acquire in poll.c and next.c. */
	EVBUS_STORE(&reader->table[id], next, RELEASE);
	evbus__reader_changed(reader);
	if (old != NULL)
		evbus__retire(reader, old, matches_size(old->count));
}

int
evbus__dispatch_add(struct evbus_reader *reader, struct evbus_topic *topic,
    struct evbus__subscription *subscription, uint64_t start)
{
	uint32_t id = evbus__topic_id(topic);
	const struct evbus__matches *old = reader->table[id];
	uint32_t count = old == NULL ? 0 : old->count;
	struct evbus__matches *next;

	next = evbus__retirable(reader, matches_size(count + 1));
	if (next == NULL)
		return evbus__fail(EVBUS_ENOMEM, "no memory to dispatch topic "
		    "\"%s\"", topic->name);
	next->topic = topic;
	next->count = count + 1;
	if (count > 0)
		memcpy(next->match, old->match, count * sizeof old->match[0]);
	next->match[count].handler = subscription->handler;
	next->match[count].arg = subscription->arg;
	next->match[count].subscription = subscription;
	next->match[count].start = start;
	next->match[count].id = (uint64_t)subscription->id;
	replace(reader, id, next);
	return 0;
}

/* The callback of the trie of patterns: a topic is made. */
int
evbus__dispatch_topic(void *value, void *topic)
{
	struct evbus__subscription *subscription = value;

	return evbus__dispatch_add(subscription->reader, topic, subscription,
	    0);
}

/* A topic could not be made after all: nobody has published to it. */
void
evbus__dispatch_undo(struct evbus__context *context, uint32_t id)
{
	struct evbus__readers *readers = context->readers;
	struct evbus_reader *reader;
	uint32_t i;

	for (i = 0; i < readers->opened; i++) {
		reader = readers->reader[i];
		if (reader->table != NULL && reader->table[id] != NULL) {
			replace(reader, id, NULL);
			evbus__sweep(reader);
		}
	}
}

/*
 * Take one subscription out of the list of topic `id`.  1: without memory for a
 * shorter list it stays in, dead, and its own memory must stay as well.
 */
static int
remove_one(struct evbus_reader *reader, uint32_t id,
    const struct evbus__subscription *subscription)
{
	const struct evbus__matches *old = reader->table[id];
	struct evbus__matches *next = NULL;
	uint32_t i, n = 0;

	for (i = 0; i < old->count; i++)
		n += old->match[i].subscription != subscription;
	if (n == old->count)
		return 0;
	if (n > 0) {
		next = evbus__retirable(reader, matches_size(n));
		if (next == NULL)
			return 1;
		next->topic = old->topic;
		next->count = n;
		for (i = 0, n = 0; i < old->count; i++)
			if (old->match[i].subscription != subscription)
				next->match[n++] = old->match[i];
	}
	replace(reader, id, next);
	return 0;
}

int
evbus__dispatch_remove(struct evbus_reader *reader,
    const struct evbus__subscription *subscription)
{
	uint32_t id, count = reader->context->topics->count;
	int kept = 0;

	if (reader->table == NULL)
		return 0;
	for (id = 1; id <= count; id++)
		if (reader->table[id] != NULL)
			kept |= remove_one(reader, id, subscription);
	return kept;
}

void
evbus__dispatch_destroy(struct evbus_reader *reader)
{
	uint32_t id, count = reader->context->topics->count;

	EVBUS_ASSERT(reader->table != NULL);
	for (id = 1; id <= count; id++)
		if (reader->table[id] != NULL)
			replace(reader, id, NULL);
	evbus__sweep(reader);
	evbus__os_release(reader->table, reader->table_size);
	reader->table = NULL;
}
