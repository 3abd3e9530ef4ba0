/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * registry.c - layer 3: see registry.h.
 *
 * A table is one block: its head, 2^n pointers, 2^n tags.  A tag is 32 bits of
 * the name's hash, never 0 when the place is taken; a probe looks at tags
 * only, sixteen to a line, and at a topic when its tag fits.  The place where
 * a search begins is the tag's low bits, so that a table grows without looking
 * at names.
 *
 * Ordering, by label:
 *	RG0 -> RG1	a tag publishes its place's pointer and its topic
 *	RG2 -> RG3	the table's address publishes the table
 *	RG4		a grace period ends the old table
 */
#include <string.h>

#include "topic/registry.h"

#define PLACES_FIRST	64u

struct evbus__registry_table {
	size_t size;		/* bytes of the block */
	uint32_t mask;		/* places - 1 */
	uint32_t *tag;		/* atomic; behind the pointers */
	struct evbus_topic *topic[];	/* atomic */
};

/* Places for `count` topics: at most three quarters are ever taken. */
static uint32_t
places_for(size_t count)
{
	uint32_t places = PLACES_FIRST;

	while ((size_t)places / 4 * 3 < count)
		places *= 2;
	return places;
}

static struct evbus__registry_table *
table_make(struct evbus__context *context, uint32_t places)
{
	struct evbus__registry_table *table;
	size_t size = sizeof *table +
	    places * (sizeof *table->topic + sizeof *table->tag);

	table = evbus__alloc(context, size);
	if (table == NULL)
		return NULL;
	table->size = size;
	table->mask = places - 1;
	table->tag = (uint32_t *)(void *)&table->topic[places];
	return table;
}

/* A free place for `tag`.  The writer reads what it alone writes: relaxed. */
static uint32_t
table_place(const struct evbus__registry_table *table, uint32_t tag)
{
	uint32_t i = tag & table->mask;

	while (EVBUS_LOAD(&table->tag[i], RELAXED) != 0)
		i = (i + 1) & table->mask;
	return i;
}

/* Fill a table that nobody sees yet; RG2 publishes all of it at once. */
static void
table_fill(struct evbus__registry_table *table,
    const struct evbus__registry_table *from)
{
	uint32_t i, place, tag;

	for (i = 0; i <= from->mask; i++) {
		tag = EVBUS_LOAD(&from->tag[i], RELAXED);
		if (tag == 0)
			continue;
		place = table_place(table, tag);
		EVBUS_STORE(&table->topic[place],
		    EVBUS_LOAD(&from->topic[i], RELAXED), RELAXED);
		EVBUS_STORE(&table->tag[place], tag, RELAXED);
	}
}

static uint32_t
tag_of(const struct evbus__registry *registry, const char *name,
    size_t length)
{
	uint32_t tag;

	tag = (uint32_t)evbus__name_hash(&registry->key, name, length);
	return tag == 0 ? 1 : tag;
}

static int
topic_is(const struct evbus_topic *topic, const char *name, size_t length)
{
	return topic->length == length &&
	    memcmp(topic->name, name, length) == 0;
}

static struct evbus_topic *
table_find(const struct evbus__registry_table *table, uint32_t tag,
    const char *name, size_t length)
{
	struct evbus_topic *topic;
	uint32_t i = tag & table->mask, seen;

	for (;; i = (i + 1) & table->mask) {
		/*
		 * RG1, partner RG0 (evbus__registry_insert): observes the
		 * place's pointer and all of its topic.  If it were relaxed,
		 * a thread could see the tag and the place still empty, or a
		 * topic whose name is not there yet.
		 */
		seen = EVBUS_LOAD(&table->tag[i], ACQUIRE);
		if (seen == 0)
			return NULL;
		if (seen != tag)
			continue;
		topic = EVBUS_LOAD(&table->topic[i], RELAXED);
		if (topic_is(topic, name, length))
			return topic;
	}
}

struct evbus_topic *
evbus__registry_find(const struct evbus__registry *registry, const char *name,
    size_t length)
{
	struct evbus__registry_table *table;

	/*
	 * RG3, partner RG2 (registry_grow): observes the table's head and what
	 * was copied into it.  If it were relaxed, a thread could see the new
	 * address and an empty table, and miss a topic that exists.
	 */
	table = EVBUS_LOAD(&registry->table, ACQUIRE);
	return table_find(table, tag_of(registry, name, length), name, length);
}

static int
registry_grow(struct evbus__registry *registry,
    struct evbus__epoch_record *own)
{
	struct evbus__context *context = registry->context;
	struct evbus__registry_table *old, *grown;

	old = EVBUS_LOAD(&registry->table, RELAXED);	/* ours alone */
	grown = table_make(context, (old->mask + 1) * 2);
	if (grown == NULL)
		return evbus__fail(EVBUS_ENOMEM, "no memory to keep more than "
		    "%lu topics", (unsigned long)registry->count);
	table_fill(grown, old);
	EVBUS_ASSERT(places_for(registry->count) <= old->mask + 1);
	/*
	 * RG2, partner RG3 (evbus__registry_find): publishes the whole new
	 * table.  Weaker, and its address could be seen before its contents.
	 */
	EVBUS_STORE(&registry->table, grown, RELEASE);
	/*
	 * RG4: sections that may have seen the old table end in here, those
	 * that begin later see the new one.  Without it a thread would go on
	 * in memory that was given back.
	 */
	evbus__epoch_synchronize(&context->epoch, own);
	EVBUS__DELAY(table_free);
	evbus__free(context, old, old->size);
	return 0;
}

int
evbus__registry_insert(struct evbus__registry *registry,
    struct evbus_topic *topic, struct evbus__epoch_record *own)
{
	uint32_t tag = tag_of(registry, topic->name, topic->length), place;
	struct evbus__registry_table *table;
	int rc;

	EVBUS_ASSERT(topic->length > 0);
	EVBUS_ASSERT(topic->length <= EVBUS_TOPIC_NAME_MAX);
	table = EVBUS_LOAD(&registry->table, RELAXED);	/* ours alone */
	if (table_find(table, tag, topic->name, topic->length) != NULL)
		return EVBUS_EEXIST;
	if (registry->count >= EVBUS_TOPIC_LIMIT)
		return evbus__fail(EVBUS_ELIMIT, "%lu topics exist; the limit "
		    "is %lu", (unsigned long)registry->count,
		    (unsigned long)EVBUS_TOPIC_LIMIT);
	if (places_for((size_t)registry->count + 1) > table->mask + 1) {
		rc = registry_grow(registry, own);
		if (rc != 0)
			return rc;
		table = EVBUS_LOAD(&registry->table, RELAXED);
	}
	place = table_place(table, tag);
	EVBUS_STORE(&table->topic[place], topic, RELAXED);
	EVBUS__DELAY(topic_insert);
	/*
	 * RG0, partner RG1 (table_find): publishes the pointer above and the
	 * topic behind it.  Weaker, and the tag could be seen before them.
	 */
	EVBUS_STORE(&table->tag[place], tag, RELEASE);
	registry->count++;
	return 0;
}

int
evbus__registry_init(struct evbus__registry *registry,
    struct evbus__context *context, size_t expected)
{
	memset(registry, 0, sizeof *registry);
	registry->context = context;
	evbus__name_key(&registry->key, registry);
	if (expected > EVBUS_TOPIC_LIMIT)
		return evbus__fail(EVBUS_EINVAL, "room for %zu topics was "
		    "asked for; the limit is %lu", expected,
		    (unsigned long)EVBUS_TOPIC_LIMIT);
	registry->table = table_make(context, places_for(expected));
	if (registry->table == NULL)
		return evbus__fail(EVBUS_ENOMEM, "no memory for a registry of "
		    "%zu topics", expected);
	return 0;
}

void
evbus__registry_destroy(struct evbus__registry *registry)
{
	/* Nobody else is there: what is plain here is plain for good. */
	struct evbus__registry_table *table = registry->table;

	if (table != NULL)
		evbus__free(registry->context, table, table->size);
	memset(registry, 0, sizeof *registry);
}
