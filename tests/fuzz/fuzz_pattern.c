/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fuzz_pattern.c - patterns against names: the trie, the plain matcher, and
 * what is said of two patterns, compared with the naive matcher.
 *
 * Why: a pattern that is missed is an event that silently never arrives, and
 * one that matches too much hands events to the wrong handler.  Each line of
 * the input is a pattern, and if it can be, a name as well.  The first byte
 * says whether the others stand for themselves or, so that most lines are
 * valid, for a small alphabet.
 */
#include <stdlib.h>

#include "fuzz.h"

#include "topic/trie.h"

#define LINES	5

struct line {
	char *text;
	int pattern, name;	/* valid as such */
	int in;			/* patterns: in the trie */
	unsigned hits;		/* of the walk under way */
};

struct world {
	struct fuzz_heap heap;
	struct evbus__context context;
	struct evbus__trie patterns, names;
	struct line line[LINES];
	unsigned count;
};

#ifdef FUZZ_CONTROL
/* A '*' in the third token also matches the end of the name. */
static int
broken_match(const char *pattern, const char *name)
{
	const char *dot = strchr(pattern, '.');
	size_t length = strlen(name);

	dot = dot == NULL ? NULL : strchr(dot + 1, '.');
	if (dot != NULL && strcmp(dot, ".*") == 0 &&
	    strncmp(pattern, name, length) == 0 && pattern + length == dot)
		return 1;
	return evbus_topic_match(pattern, name);
}
#define evbus_topic_match broken_match
#endif

static int
hit(void *value, void *arg)
{
	struct line *line = value;

	(void)arg;
	line->hits++;
	return 0;
}

static void
clear_hits(struct world *world)
{
	unsigned i;

	for (i = 0; i < world->count; i++)
		world->line[i].hits = 0;
}

static void
add(struct world *world, const uint8_t *data, size_t size, int mapped)
{
	static const char alphabet[17] = "aab.....***>>$bc";
	struct line *line = &world->line[world->count++];
	size_t i;

	line->text = fuzz_text(data, size);
	for (i = 0; mapped && i < size; i++)
		line->text[i] = alphabet[data[i] & 15];
	line->pattern = naive_valid(line->text, 1);
	line->name = naive_valid(line->text, 0);
	line->in = line->pattern;
	FUZZ_EQUAL(evbus_pattern_valid(line->text), line->pattern);
	FUZZ_EQUAL(evbus__trie_insert(&world->patterns, line->text, line),
	    line->pattern ? 0 : EVBUS_EPATTERN);
	if (line->name)
		FUZZ_EQUAL(evbus__trie_insert(&world->names, line->text, line),
		    0);
}

/* Which patterns match each name? */
static void
check_match(struct world *world)
{
	struct line *name, *pattern;
	unsigned i, k;
	int wanted;

	for (i = 0; i < world->count; i++) {
		name = &world->line[i];
		clear_hits(world);
		FUZZ_EQUAL(evbus__trie_match(&world->patterns, name->text, hit,
		    NULL), 0);
		for (k = 0; k < world->count; k++) {
			pattern = &world->line[k];
			wanted = pattern->pattern && name->name &&
			    naive_match(pattern->text, name->text);
			FUZZ_EQUAL(pattern->hits, wanted && pattern->in);
			if (pattern->pattern && name->name)
				FUZZ_EQUAL(evbus_topic_match(pattern->text,
				    name->text), wanted);
		}
	}
}

/* Which names does each pattern match? */
static void
check_select(struct world *world)
{
	struct line *name, *pattern;
	unsigned i, k;

	for (i = 0; i < world->count; i++) {
		pattern = &world->line[i];
		clear_hits(world);
		FUZZ_EQUAL(evbus__trie_select(&world->names, pattern->text,
		    hit, NULL), 0);
		for (k = 0; k < world->count; k++) {
			name = &world->line[k];
			FUZZ_EQUAL(name->hits, pattern->pattern && name->name &&
			    naive_match(pattern->text, name->text));
		}
	}
}

/* A name that both patterns match is a witness of what they are said to be. */
static void
check_pair(const struct world *world, const char *a, const char *b)
{
	int covers = evbus__pattern_covers(a, b);
	int overlaps = evbus__pattern_overlaps(a, b);
	const struct line *name;
	unsigned i;
	int in_a, in_b;

	FUZZ_EQUAL(evbus__pattern_overlaps(b, a), overlaps);
	FUZZ_CHECK(!covers || overlaps);
	/* The naive one knows neither '$' nor how long a name may be. */
	if (strchr(a, '$') == NULL && strchr(b, '$') == NULL &&
	    strlen(a) + strlen(b) < 255)
		FUZZ_EQUAL(overlaps, naive_overlap(a, b));
	for (i = 0; i < world->count; i++) {
		name = &world->line[i];
		if (!name->name)
			continue;
		in_a = naive_match(a, name->text);
		in_b = naive_match(b, name->text);
		FUZZ_CHECK(!(in_a && in_b) || overlaps);
		FUZZ_CHECK(!covers || in_a || !in_b);
	}
}

static void
check_pairs(const struct world *world)
{
	unsigned i, k;

	for (i = 0; i < world->count; i++)
		for (k = 0; k <= i; k++)
			if (world->line[i].pattern && world->line[k].pattern)
				check_pair(world, world->line[i].text,
				    world->line[k].text);
}

/* Take every second pattern out again. */
static void
remove_some(struct world *world, unsigned from)
{
	struct line *line;
	unsigned i;

	for (i = from; i < world->count; i += 2) {
		line = &world->line[i];
		FUZZ_EQUAL(evbus__trie_remove(&world->patterns, line->text,
		    line), line->pattern ? 0 : EVBUS_ENOENT);
		line->in = 0;
	}
}

static void
read_lines(struct world *world, const uint8_t *data, size_t size)
{
	const uint8_t *end = data + size, *line;
	int mapped = size > 0 && (*data & 1) != 0;

	for (line = data + (size > 0); line < end && world->count < LINES;
	    line = data + 1) {
		data = memchr(line, '\n', (size_t)(end - line));
		if (data == NULL)
			data = end;
		add(world, line, (size_t)(data - line), mapped);
	}
}

void
fuzz_one(const uint8_t *data, size_t size)
{
	static struct world world;
	unsigned i;

	memset(&world, 0, offsetof(struct world, line));
	world.count = 0;
	world.context.alloc = fuzz_alloc;
	world.context.free = fuzz_free;
	world.context.alloc_arg = &world.heap;
	FUZZ_EQUAL(evbus__trie_init(&world.patterns, &world.context, 0), 0);
	FUZZ_EQUAL(evbus__trie_init(&world.names, &world.context, 1), 0);
	read_lines(&world, data, size);
	check_match(&world);
	check_select(&world);
	check_pairs(&world);
	remove_some(&world, 1);
	check_match(&world);
	remove_some(&world, 0);
	FUZZ_EQUAL(world.patterns.live, 1);
	evbus__trie_destroy(&world.patterns);
	evbus__trie_destroy(&world.names);
	FUZZ_EQUAL(world.heap.bytes, 0);
	for (i = 0; i < world.count; i++)
		free(world.line[i].text);
}
