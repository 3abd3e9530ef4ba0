/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fuzz_name.c - topic names through the validator and the registry.
 *
 * Why: names come from outside (configuration, a network), and a validator
 * that lets one byte too many through has killed brokers.  Each line of the
 * input is a name: what the library says of it is compared with the grammar
 * written down once more, and the registry with a plain list.
 */
#include <stdlib.h>

#include "fuzz.h"

#include "topic/registry.h"

#define NAMES	8

struct name {
	char *text;
	int first;		/* the registry has it from this line */
	struct evbus_topic topic;
};

struct world {
	struct fuzz_heap heap;
	struct evbus__context context;
	struct evbus__epoch_record own;
	struct evbus__registry registry;
	struct name name[NAMES];
	unsigned count;
};

#ifdef FUZZ_CONTROL
/* A dot at the end of a name of three tokens goes unseen. */
static int
broken_valid(const char *text)
{
	size_t length = strlen(text);
	const char *dot = strchr(text, '.');

	if (length > 5 && length < 255 && text[length - 1] == '.' &&
	    dot != NULL && strchr(dot + 1, '.') != text + length - 1 &&
	    text[length - 2] != '.')
		return 1;
	return evbus_topic_valid(text);
}
#define evbus_topic_valid broken_valid
#endif

static void
check_validator(const char *text)
{
	int name = naive_valid(text, 0), pattern = naive_valid(text, 1);
	size_t length = 0;

	FUZZ_EQUAL(evbus_topic_valid(text), name);
	FUZZ_EQUAL(evbus_pattern_valid(text), pattern);
	FUZZ_EQUAL(evbus__topic_check(text, &length), name ? 0 : EVBUS_ENAME);
	if (name)
		FUZZ_EQUAL(length, strlen(text));
	else
		FUZZ_CHECK(*evbus_errmsg() != '\0');
	FUZZ_EQUAL(evbus__pattern_check(text, &length),
	    pattern ? 0 : EVBUS_EPATTERN);
	if (pattern)
		FUZZ_EQUAL(length, strlen(text));
}

/* Is it the text of an earlier line? */
static int
is_known(const struct world *world, const char *text)
{
	unsigned i;

	for (i = 0; i < world->count; i++)
		if (world->name[i].first &&
		    strcmp(world->name[i].text, text) == 0)
			return 1;
	return 0;
}

static void
add(struct world *world, const uint8_t *data, size_t size)
{
	struct name *name = &world->name[world->count];
	size_t length;

	name->text = fuzz_text(data, size);
	name->first = 0;
	memset(&name->topic, 0, sizeof name->topic);
	check_validator(name->text);
	if (naive_valid(name->text, 0)) {
		length = strlen(name->text);
		name->first = !is_known(world, name->text);
		FUZZ_EQUAL(evbus__registry_find(&world->registry, name->text,
		    length) == NULL, name->first);
		name->topic.name = name->text;
		name->topic.length = (uint32_t)length;
		FUZZ_EQUAL(evbus__registry_insert(&world->registry,
		    &name->topic, &world->own),
		    name->first ? 0 : EVBUS_EEXIST);
	}
	world->count++;
}

/* Every name leads to its first topic, and no part of it to anything new. */
static void
check_registry(const struct world *world)
{
	const struct evbus_topic *found;
	const struct name *name;
	unsigned i;

	for (i = 0; i < world->count; i++) {
		name = &world->name[i];
		if (!name->first)
			continue;
		found = evbus__registry_find(&world->registry, name->text,
		    name->topic.length);
		FUZZ_CHECK(found == &name->topic);
		found = evbus__registry_find(&world->registry, name->text,
		    name->topic.length - 1u);
		FUZZ_CHECK(found == NULL ||
		    (found->length == name->topic.length - 1u &&
		    memcmp(found->name, name->text, found->length) == 0));
	}
}

void
fuzz_one(const uint8_t *data, size_t size)
{
	static struct world world;
	const uint8_t *end = data + size, *line;
	unsigned i;

	memset(&world, 0, offsetof(struct world, name));
	world.count = 0;
	world.context.alloc = fuzz_alloc;
	world.context.free = fuzz_free;
	world.context.alloc_arg = &world.heap;
	evbus__epoch_init(&world.context.epoch);
	evbus__epoch_register(&world.context.epoch, &world.own);
	FUZZ_EQUAL(evbus__registry_init(&world.registry, &world.context, 0),
	    0);
	for (line = data; line <= end && world.count < NAMES; line = data + 1) {
		data = size == 0 ? NULL : memchr(line, '\n',
		    (size_t)(end - line));
		if (data == NULL)
			data = end;
		add(&world, line, (size_t)(data - line));
		if (data == end)
			break;
	}
	check_registry(&world);
	evbus__registry_destroy(&world.registry);
	evbus__epoch_unregister(&world.context.epoch, &world.own);
	FUZZ_EQUAL(world.heap.bytes, 0);
	for (i = 0; i < world.count; i++)
		free(world.name[i].text);
}
