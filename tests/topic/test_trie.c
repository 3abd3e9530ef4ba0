/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_trie.c - why: the trie decides which handlers a topic gets, once, and
 * nobody asks again for each event.  A pattern that is missed is an event
 * that silently never arrives.  So the trie is compared with the plain
 * evbus_topic_match() over random patterns and names; and since subscribing
 * must fail whole or not at all, every allocation is made to fail once.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "topic/trie.h"

#define COUNT(a) (sizeof(a) / sizeof *(a))
#define MILLION 1000000u

/*
 * A context of our own: counts, fails at the allocation that is asked for,
 * and finds out a wrong size at free.
 */
struct heap {
	size_t bytes;
	size_t peak;
	size_t calls;
	size_t fail_at;		/* counted from 1; 0: never */
};

static void *
heap_alloc(size_t size, void *arg)
{
	struct heap *heap = arg;
	size_t *head;

	if (++heap->calls == heap->fail_at)
		return NULL;
	head = malloc(16 + size);
	assert_non_null(head);
	head[0] = size;
	memset(head + 2, 0xa5, size);
	heap->bytes += size;
	if (heap->bytes > heap->peak)
		heap->peak = heap->bytes;
	return head + 2;
}

static void
heap_free(void *p, size_t size, void *arg)
{
	struct heap *heap = arg;
	size_t *head = (size_t *)p - 2;

	assert_int_equal(head[0], size);
	heap->bytes -= size;
	memset(p, 0xdd, size);
	free(head);
}

static void
context_make(struct evbus__context *context, struct heap *heap)
{
	memset(context, 0, sizeof *context);
	memset(heap, 0, sizeof *heap);
	context->alloc = heap_alloc;
	context->free = heap_free;
	context->alloc_arg = heap;
}

static uint64_t
next_random(uint64_t *seed)
{
	uint64_t x = *seed += UINT64_C(0x9e3779b97f4a7c15);

	x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
	return x ^ x >> 31;
}

/* EVBUS_TEST_SEED replays a run. */
static uint64_t
make_seed(void)
{
	const char *text = getenv("EVBUS_TEST_SEED");
	uint64_t seed = text != NULL ? strtoull(text, NULL, 0) :
	    (uint64_t)time(NULL);

	print_message("seed %llu\n", (unsigned long long)seed);
	return seed;
}

static int
count_value(void *value, void *arg)
{
	(void)arg;
	++*(unsigned *)value;
	return 0;
}

static int
count_calls(void *value, void *arg)
{
	(void)value;
	++*(unsigned *)arg;
	return 0;
}

static unsigned
matches(const struct evbus__trie *trie, const char *name)
{
	unsigned n = 0;

	assert_int_equal(evbus__trie_match(trie, name, count_calls, &n), 0);
	return n;
}

static unsigned
selects(const struct evbus__trie *trie, const char *pattern)
{
	unsigned n = 0;

	assert_int_equal(evbus__trie_select(trie, pattern, count_calls, &n),
	    0);
	return n;
}

static const char *const some_patterns[] = {
	"orders.*.new", "orders.eu.>", "orders.eu.new", "orders.>", "*", ">",
	"*.*.*", "*.eu.>", "$bus.>", "$bus.*", "orders"
};

static void
fill(struct evbus__trie *trie, const char *const *text, size_t count)
{
	size_t i;

	for (i = 0; i < count; i++)
		assert_int_equal(evbus__trie_insert(trie, text[i], trie), 0);
}

static void
trie_match_of_a_name_finds_every_pattern(void **state)
{
	struct evbus__context context;
	struct evbus__trie trie;
	struct heap heap;

	(void)state;
	context_make(&context, &heap);
	assert_int_equal(evbus__trie_init(&trie, &context, 0), 0);
	assert_int_equal(matches(&trie, "a"), 0);
	fill(&trie, some_patterns, COUNT(some_patterns));
	assert_int_equal(matches(&trie, "orders.eu.new"), 7);
	assert_int_equal(matches(&trie, "orders.us.new"), 4);
	assert_int_equal(matches(&trie, "orders.eu"), 2);
	assert_int_equal(matches(&trie, "orders"), 3);
	assert_int_equal(matches(&trie, "a.eu.c.d"), 2);
	assert_int_equal(matches(&trie, "$bus.lost"), 2);
	assert_int_equal(matches(&trie, "$bus.lost.now"), 1);
	assert_int_equal(matches(&trie, "$bus"), 0);
	evbus__trie_destroy(&trie);
	assert_int_equal(heap.bytes, 0);
}

static const char *const some_names[] = {
	"a", "b", "a.b", "a.c", "a.b.c", "a.b.d", "b.b.c", "$bus", "$bus.a",
	"$bus.a.b", "a.$b"
};

static void
trie_select_of_a_pattern_finds_every_name(void **state)
{
	struct evbus__context context;
	struct evbus__trie trie;
	struct heap heap;

	(void)state;
	context_make(&context, &heap);
	assert_int_equal(evbus__trie_init(&trie, &context, 1), 0);
	assert_int_equal(selects(&trie, ">"), 0);
	fill(&trie, some_names, COUNT(some_names));
	assert_int_equal(selects(&trie, ">"), 8);
	assert_int_equal(selects(&trie, "*"), 2);
	assert_int_equal(selects(&trie, "a.>"), 5);
	assert_int_equal(selects(&trie, "a.*"), 3);
	assert_int_equal(selects(&trie, "*.b.*"), 3);
	assert_int_equal(selects(&trie, "*.b.c"), 2);
	assert_int_equal(selects(&trie, "*.>"), 6);
	assert_int_equal(selects(&trie, "*.*.>"), 3);
	assert_int_equal(selects(&trie, "$bus"), 1);
	assert_int_equal(selects(&trie, "$bus.>"), 2);
	assert_int_equal(selects(&trie, "$bus.*"), 1);
	assert_int_equal(selects(&trie, "a.b.c"), 1);
	assert_int_equal(selects(&trie, "a.b.c.d"), 0);
	assert_int_equal(selects(&trie, "c"), 0);
	evbus__trie_destroy(&trie);
	assert_int_equal(heap.bytes, 0);
}

/* Values of patterns are not names, even where a wildcard would fit. */
static void
trie_select_passes_over_patterns(void **state)
{
	struct evbus__context context;
	struct evbus__trie trie;
	struct heap heap;

	(void)state;
	context_make(&context, &heap);
	assert_int_equal(evbus__trie_init(&trie, &context, 0), 0);
	fill(&trie, some_patterns, COUNT(some_patterns));
	assert_int_equal(selects(&trie, ">"), 2);
	assert_int_equal(selects(&trie, "orders.*.*"), 1);
	assert_int_equal(selects(&trie, "*"), 1);
	evbus__trie_destroy(&trie);
}

static void
trie_invalid_text_is_refused_and_matches_nothing(void **state)
{
	struct evbus__context context;
	struct evbus__trie trie;
	struct heap heap;

	(void)state;
	context_make(&context, &heap);
	assert_int_equal(evbus__trie_init(&trie, &context, 0), 0);
	assert_int_equal(evbus__trie_insert(&trie, "a..b", &trie),
	    EVBUS_EPATTERN);
	assert_int_equal(evbus__trie_insert(&trie, NULL, &trie),
	    EVBUS_EINVAL);
	assert_int_equal(trie.values, 0);
	assert_int_equal(evbus__trie_insert(&trie, ">", &trie), 0);
	assert_int_equal(matches(&trie, "a..b"), 0);
	assert_int_equal(matches(&trie, "*"), 0);
	assert_int_equal(matches(&trie, NULL), 0);
	assert_int_equal(selects(&trie, "a..b"), 0);
	assert_int_equal(selects(&trie, NULL), 0);
	assert_int_equal(evbus__trie_remove(&trie, NULL, &trie),
	    EVBUS_ENOENT);
	assert_int_equal(evbus__trie_remove(&trie, "a..b", &trie),
	    EVBUS_ENOENT);
	evbus__trie_destroy(&trie);
}

static void
trie_same_value_twice_is_two_entries(void **state)
{
	struct evbus__context context;
	struct evbus__trie trie;
	struct heap heap;
	int a, b;

	(void)state;
	context_make(&context, &heap);
	assert_int_equal(evbus__trie_init(&trie, &context, 0), 0);
	assert_int_equal(evbus__trie_insert(&trie, "x.*", &a), 0);
	assert_int_equal(evbus__trie_insert(&trie, "x.*", &a), 0);
	assert_int_equal(evbus__trie_insert(&trie, "x.*", &b), 0);
	assert_int_equal(matches(&trie, "x.y"), 3);
	assert_int_equal(evbus__trie_remove(&trie, "x.*", &a), 0);
	assert_int_equal(matches(&trie, "x.y"), 2);
	assert_int_equal(evbus__trie_remove(&trie, "x.*", &a), 0);
	assert_int_equal(evbus__trie_remove(&trie, "x.*", &a), EVBUS_ENOENT);
	assert_int_equal(evbus__trie_remove(&trie, "x", &b), EVBUS_ENOENT);
	assert_int_equal(evbus__trie_remove(&trie, "x.y", &b), EVBUS_ENOENT);
	assert_int_equal(matches(&trie, "x.y"), 1);
	assert_int_equal(evbus__trie_remove(&trie, "x.*", &b), 0);
	assert_int_equal(matches(&trie, "x.y"), 0);
	assert_int_equal(trie.live, 1);
	evbus__trie_destroy(&trie);
	assert_int_equal(heap.bytes, 0);
}

static int
stop_at_third(void *value, void *arg)
{
	unsigned *n = arg;

	(void)value;
	return ++*n == 3 ? -77 : 0;
}

static void
trie_callback_ends_the_walk_with_its_result(void **state)
{
	struct evbus__context context;
	struct evbus__trie trie;
	struct heap heap;
	unsigned n = 0;

	(void)state;
	context_make(&context, &heap);
	assert_int_equal(evbus__trie_init(&trie, &context, 0), 0);
	fill(&trie, some_patterns, COUNT(some_patterns));
	fill(&trie, some_names, COUNT(some_names));
	assert_int_equal(evbus__trie_match(&trie, "orders.eu.new",
	    stop_at_third, &n), -77);
	assert_int_equal(n, 3);
	n = 0;
	assert_int_equal(evbus__trie_select(&trie, ">", stop_at_third, &n),
	    -77);
	assert_int_equal(n, 3);
	evbus__trie_destroy(&trie);
}

/* The greatest number of branches that a walk can leave for later. */
static void
trie_match_of_128_tokens_branches_at_each(void **state)
{
	char name[EVBUS_TOPIC_NAME_MAX + 1], pattern[sizeof name];
	struct evbus__context context;
	struct evbus__trie trie;
	struct heap heap;
	size_t i;

	(void)state;
	context_make(&context, &heap);
	assert_int_equal(evbus__trie_init(&trie, &context, 0), 0);
	for (i = 0; i < sizeof name - 1; i++)
		name[i] = i % 2 == 0 ? 'a' : '.';
	name[sizeof name - 1] = '\0';
	assert_int_equal(evbus__trie_insert(&trie, name, &trie), 0);
	for (i = 0; i < sizeof name; i += 2) {
		memcpy(pattern, name, sizeof name);
		pattern[i] = '*';
		assert_int_equal(evbus__trie_insert(&trie, pattern, &trie), 0);
		memcpy(pattern, name, sizeof name);
		pattern[i] = '>';
		pattern[i + 1] = '\0';
		assert_int_equal(evbus__trie_insert(&trie, pattern, &trie), 0);
	}
	assert_int_equal(matches(&trie, name), 257);
	assert_int_equal(selects(&trie, ">"), 1);
	assert_int_equal(selects(&trie, pattern), 1);
	evbus__trie_destroy(&trie);
	assert_int_equal(heap.bytes, 0);
}

/*
 * The differential tests: texts of few tokens from a small alphabet, so that
 * they share prefixes, match often and are often removed down to nothing.
 */
static const char *const alphabet[] = {
	"a", "b", "c", "aa", "ab", "$a", "\xc3\xa9", "a-much-longer-token"
};

static void
random_text(uint64_t *seed, char *text, unsigned wildcards)
{
	uint64_t tokens = 1 + next_random(seed) % 5, i;
	const char *token;

	text[0] = '\0';
	for (i = 0; i < tokens; i++) {
		if (i > 0)
			strcat(text, ".");
		token = alphabet[next_random(seed) % COUNT(alphabet)];
		if (next_random(seed) % 100 < wildcards)
			token = "*";
		if (i == tokens - 1 && next_random(seed) % 100 < wildcards)
			token = ">";
		strcat(text, token);
	}
}

struct entry {
	char text[128];
	unsigned called;
	int inserted;
};

#define ENTRIES 400
#define ROUNDS 3000

static void
entry_flip(struct evbus__trie *trie, struct entry *entry, uint64_t *seed,
    unsigned wildcards)
{
	char copy[sizeof entry->text];

	if (entry->inserted) {
		memcpy(copy, entry->text, sizeof copy);
		assert_int_equal(evbus__trie_remove(trie, copy,
		    &entry->called), 0);
		assert_int_equal(evbus__trie_remove(trie, copy,
		    &entry->called), EVBUS_ENOENT);
		entry->inserted = 0;
		return;
	}
	/* Patterns are copied: what was passed may change at once. */
	random_text(seed, entry->text, wildcards);
	memcpy(copy, entry->text, sizeof copy);
	assert_int_equal(evbus__trie_insert(trie, copy, &entry->called), 0);
	memset(copy, '#', sizeof copy);
	entry->inserted = 1;
}

static void
compare_match(const struct evbus__trie *trie, struct entry *entries,
    const char *name)
{
	unsigned expected;
	size_t i;

	for (i = 0; i < ENTRIES; i++)
		entries[i].called = 0;
	assert_int_equal(evbus__trie_match(trie, name, count_value, NULL), 0);
	for (i = 0; i < ENTRIES; i++) {
		expected = entries[i].inserted &&
		    evbus_topic_match(entries[i].text, name);
		if (entries[i].called != expected)
			fail_msg("name \"%s\", pattern \"%s\": %u calls", name,
			    entries[i].text, entries[i].called);
	}
}

static void
compare_select(const struct evbus__trie *trie, struct entry *entries,
    const char *pattern)
{
	unsigned expected;
	size_t i;

	for (i = 0; i < ENTRIES; i++)
		entries[i].called = 0;
	assert_int_equal(evbus__trie_select(trie, pattern, count_value, NULL),
	    0);
	for (i = 0; i < ENTRIES; i++) {
		expected = entries[i].inserted &&
		    evbus_topic_match(pattern, entries[i].text);
		if (entries[i].called != expected)
			fail_msg("pattern \"%s\", name \"%s\": %u calls",
			    pattern, entries[i].text, entries[i].called);
	}
}

static void
differential(unsigned wildcards)
{
	static struct entry entries[ENTRIES];
	struct evbus__context context;
	struct evbus__trie trie;
	uint64_t seed = make_seed(), flips;
	struct heap heap;
	char text[128];
	unsigned round;
	size_t i;

	context_make(&context, &heap);
	memset(entries, 0, sizeof entries);
	assert_int_equal(evbus__trie_init(&trie, &context, 0), 0);
	for (round = 0; round < ROUNDS; round++) {
		for (flips = next_random(&seed) % 16; flips > 0; flips--)
			entry_flip(&trie, &entries[next_random(&seed) %
			    ENTRIES], &seed, wildcards);
		random_text(&seed, text, 0);
		compare_match(&trie, entries, text);
		random_text(&seed, text, 40);
		compare_select(&trie, entries, text);
	}
	for (i = 0; i < ENTRIES; i++)
		if (entries[i].inserted)
			entry_flip(&trie, &entries[i], &seed, wildcards);
	assert_int_equal(trie.live, 1);
	assert_int_equal(trie.values, 0);
	evbus__trie_destroy(&trie);
	assert_int_equal(heap.bytes, 0);
}

static void
trie_random_patterns_agree_with_topic_match(void **state)
{
	(void)state;
	differential(30);
}

static void
trie_random_names_agree_with_topic_match(void **state)
{
	(void)state;
	differential(0);
}

/* Subscribing and unsubscribing for ever must not take memory for ever. */
static void
trie_insert_and_remove_again_stays_as_large(void **state)
{
	struct evbus__context context;
	struct evbus__trie trie;
	struct heap heap;
	char text[64];
	size_t bytes = 0;
	unsigned i, j;

	(void)state;
	context_make(&context, &heap);
	assert_int_equal(evbus__trie_init(&trie, &context, 0), 0);
	for (i = 0; i < 100; i++) {
		for (j = 0; j < 200; j++) {
			(void)snprintf(text, sizeof text, "%u.*.%u.>", i, j);
			assert_int_equal(evbus__trie_insert(&trie, text,
			    &trie), 0);
		}
		for (j = 200; j-- > 0;) {
			(void)snprintf(text, sizeof text, "%u.*.%u.>", i, j);
			assert_int_equal(evbus__trie_remove(&trie, text,
			    &trie), 0);
		}
		assert_int_equal(trie.live, 1);
		if (i == 0)
			bytes = heap.bytes;
		assert_int_equal(heap.bytes, bytes);
	}
	evbus__trie_destroy(&trie);
	assert_int_equal(heap.bytes, 0);
}

static void
trie_init_without_memory_leaves_nothing(void **state)
{
	struct evbus__context context;
	struct evbus__trie trie;
	struct heap heap;
	size_t k;
	int rc;

	(void)state;
	for (k = 1;; k++) {
		context_make(&context, &heap);
		heap.fail_at = k;
		rc = evbus__trie_init(&trie, &context, 0);
		if (rc == 0)
			break;
		assert_int_equal(rc, EVBUS_ENOMEM);
		assert_string_equal(evbus_errmsg(), "no memory for a trie");
		assert_int_equal(heap.bytes, 0);
		evbus__trie_destroy(&trie);
	}
	assert_int_equal(k, 4);
	evbus__trie_destroy(&trie);
	assert_int_equal(heap.bytes, 0);
}

/* Insert, with the first, the second ... allocation failing, until none is
 * left to fail.  Returns how many failed. */
static size_t
insert_failing(struct evbus__trie *trie, struct heap *heap,
    const char *pattern, unsigned *value)
{
	uint64_t values = trie->values;
	uint32_t live = trie->live;
	size_t k;
	int rc;

	for (k = 1;; k++) {
		heap->fail_at = heap->calls + k;
		rc = evbus__trie_insert(trie, pattern, value);
		heap->fail_at = 0;
		if (rc == 0)
			return k - 1;
		assert_int_equal(rc, EVBUS_ENOMEM);
		assert_non_null(strstr(evbus_errmsg(), pattern));
		assert_int_equal(trie->values, values);
		assert_int_equal(trie->live, live);
		assert_int_equal(evbus__trie_remove(trie, pattern, value),
		    EVBUS_ENOENT);
	}
}

static void
trie_insert_without_memory_changes_nothing(void **state)
{
	static struct entry entries[ENTRIES];
	struct evbus__context context;
	struct evbus__trie trie;
	uint64_t seed = make_seed();
	size_t failed = 0, i;
	unsigned other = 0;
	struct heap heap;
	char text[128];

	(void)state;
	context_make(&context, &heap);
	memset(entries, 0, sizeof entries);
	assert_int_equal(evbus__trie_init(&trie, &context, 0), 0);
	for (i = 0; i < ENTRIES; i++) {
		random_text(&seed, entries[i].text, 20);
		failed += insert_failing(&trie, &heap, entries[i].text,
		    &entries[i].called);
		entries[i].inserted = 1;
		random_text(&seed, text, 0);
		compare_match(&trie, entries, text);
	}
	/* The random ones share most of their nodes; these share none. */
	for (i = 0; i < ENTRIES; i++) {
		(void)snprintf(text, sizeof text, "%zu.%zu.%zu", i, i, i);
		failed += insert_failing(&trie, &heap, text, &other);
	}
	/* Chunks, their array, buckets, texts and values have all failed. */
	assert_in_range(failed, ENTRIES, 10 * ENTRIES);
	assert_true(trie.chunk_room > 8);
	assert_true(trie.bucket_count > 64);
	evbus__trie_destroy(&trie);
	assert_int_equal(heap.bytes, 0);
}

/* A bus may have a million topics: their names must fit in 150 MB. */
static void
trie_million_names_below_one_node_fit(void **state)
{
	struct evbus__context context;
	struct evbus__trie trie;
	struct heap heap;
	char (*name)[24];
	unsigned i, n;

	(void)state;
	context_make(&context, &heap);
	name = malloc(MILLION * sizeof *name);
	assert_non_null(name);
	assert_int_equal(evbus__trie_init(&trie, &context, 1), 0);
	for (i = 0; i < MILLION; i++) {
		(void)snprintf(name[i], sizeof name[i], "plant.sensor%07u", i);
		if (evbus__trie_insert(&trie, name[i], name[i]) != 0)
			fail_msg("insert %u", i);
	}
	assert_in_range(heap.peak, MILLION, 150u * MILLION);
	assert_int_equal(selects(&trie, ">"), MILLION);
	assert_int_equal(selects(&trie, "*.*"), MILLION);
	assert_int_equal(selects(&trie, "plant.*"), MILLION);
	assert_int_equal(selects(&trie, "*"), 0);
	for (i = n = 0; i < MILLION; i++)
		if (evbus__trie_select(&trie, name[i], count_calls, &n) != 0 ||
		    n != i + 1)
			fail_msg("select %u", i);
	for (i = 0; i < MILLION; i++)
		if (evbus__trie_remove(&trie, name[i], name[i]) != 0)
			fail_msg("remove %u", i);
	assert_int_equal(trie.live, 1);
	evbus__trie_destroy(&trie);
	assert_int_equal(heap.bytes, 0);
	free(name);
}

static int
keep_value(void *value, void *arg)
{
	*(void **)arg = value;
	return 0;
}

/* So many parents that the 32-bit hashes of one token below them collide. */
static void
trie_same_token_below_many_parents_is_kept_apart(void **state)
{
	const unsigned parents = 400000;
	struct evbus__context context;
	struct evbus__trie trie;
	struct heap heap;
	void *value;
	char name[24];
	char *cell;
	unsigned i;

	(void)state;
	context_make(&context, &heap);
	cell = malloc(parents);
	assert_non_null(cell);
	assert_int_equal(evbus__trie_init(&trie, &context, 0), 0);
	for (i = 0; i < parents; i++) {
		(void)snprintf(name, sizeof name, "p%u.x", i);
		if (evbus__trie_insert(&trie, name, &cell[i]) != 0)
			fail_msg("insert %u", i);
	}
	assert_int_equal(trie.live, 1 + 2 * parents);
	for (i = 0; i < parents; i++) {
		(void)snprintf(name, sizeof name, "p%u.x", i);
		value = NULL;
		(void)evbus__trie_match(&trie, name, keep_value, &value);
		if (value != &cell[i])
			fail_msg("match %u", i);
	}
	evbus__trie_destroy(&trie);
	assert_int_equal(heap.bytes, 0);
	free(cell);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(trie_match_of_a_name_finds_every_pattern),
		cmocka_unit_test(trie_select_of_a_pattern_finds_every_name),
		cmocka_unit_test(trie_select_passes_over_patterns),
		cmocka_unit_test(
		    trie_invalid_text_is_refused_and_matches_nothing),
		cmocka_unit_test(trie_same_value_twice_is_two_entries),
		cmocka_unit_test(trie_callback_ends_the_walk_with_its_result),
		cmocka_unit_test(trie_match_of_128_tokens_branches_at_each),
		cmocka_unit_test(trie_random_patterns_agree_with_topic_match),
		cmocka_unit_test(trie_random_names_agree_with_topic_match),
		cmocka_unit_test(trie_insert_and_remove_again_stays_as_large),
		cmocka_unit_test(trie_init_without_memory_leaves_nothing),
		cmocka_unit_test(trie_insert_without_memory_changes_nothing),
		cmocka_unit_test(trie_million_names_below_one_node_fit),
		cmocka_unit_test(
		    trie_same_token_below_many_parents_is_kept_apart),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
