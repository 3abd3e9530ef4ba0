/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_name.c - why: every name and pattern that enters the bus passes these
 * checks, and everything behind them relies on the grammar without looking
 * again.  A byte let through here ends up in somebody's log, index or loop.
 * Which topics a stream or a subscription gets hangs on match, covers and
 * overlaps; they are compared with each other over a whole small world.
 */
#include <sys/mman.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/context.h"
#include "topic/name.h"

#define COUNT(a) (sizeof(a) / sizeof *(a))

#define EN EVBUS_ENAME
#define EP EVBUS_EPATTERN

static const struct grammar {
	const char *text;
	int as_name;
	int as_pattern;
	const char *sentence;	/* a part of it, as pattern where refused */
} grammar[] = {
	{ "a", 0, 0, NULL },
	{ "orders.eu.created", 0, 0, NULL },
	{ "$bus.reader.lost", 0, 0, NULL },
	{ "a.$b", 0, 0, NULL },
	{ "$", 0, 0, NULL },
	{ "caf\xc3\xa9.\xe2\x82\xac", 0, 0, NULL },
	{ "\xff\x80", 0, 0, NULL },
	{ "a-b_c/d\\e:f@g,h\"i'j%s<", 0, 0, NULL },
	{ "*", EN, 0, "wildcard '*' at offset 0" },
	{ ">", EN, 0, "wildcard '>' at offset 0" },
	{ "*.>", EN, 0, "wildcard '*' at offset 0" },
	{ "a.*", EN, 0, "wildcard '*' at offset 2" },
	{ "a.>", EN, 0, "wildcard '>' at offset 2" },
	{ "*.*.*", EN, 0, "wildcard '*' at offset 0" },
	{ "a.*.b.>", EN, 0, "wildcard '*' at offset 2" },
	{ "$bus.>", EN, 0, "wildcard '>' at offset 5" },
	{ "", EN, EP, "is empty; it has 1 to 255 bytes" },
	{ ".", EN, EP, "empty token at offset 0" },
	{ ".a", EN, EP, "empty token at offset 0" },
	{ "a.", EN, EP, "empty token at offset 2" },
	{ "a..b", EN, EP, "empty token at offset 2" },
	{ "a.b...", EN, EP, "empty token at offset 4" },
	{ "*.", EN, EP, "empty token at offset 2" },
	{ " ", EN, EP, "space at offset 0" },
	{ "a b", EN, EP, "space at offset 1" },
	{ "a. .b", EN, EP, "space at offset 2" },
	{ "ab\n", EN, EP, "control byte 0x0a at offset 2" },
	{ "\x1b[2J", EN, EP, "control byte 0x1b at offset 0" },
	{ "a\tb", EN, EP, "control byte 0x09 at offset 1" },
	{ "a.b\x7f", EN, EP, "control byte 0x7f at offset 3" },
	{ "foo*bar", EN, EP, "'*' as a part of a token at offset 3" },
	{ "foo*", EN, EP, "'*' as a part of a token at offset 3" },
	{ "a.*b", EN, EP, "'*' as a part of a token at offset 2" },
	{ "**", EN, EP, "'*' as a part of a token at offset 0" },
	{ "*>", EN, EP, "'*' as a part of a token at offset 0" },
	{ "foo>", EN, EP, "'>' as a part of a token at offset 3" },
	{ ">>", EN, EP, "'>' as a part of a token at offset 0" },
	{ "a.>b", EN, EP, "'>' as a part of a token at offset 2" },
	{ ">.x", EN, EP, "goes on behind the '>' at offset 0" },
	{ "a.>.*", EN, EP, "goes on behind the '>' at offset 2" },
	{ ">.", EN, EP, "goes on behind the '>' at offset 0" },
};

static void
check_sentence(const struct grammar *row)
{
	const char *sentence = evbus_errmsg();

	if (strstr(sentence, row->sentence) == NULL)
		fail_msg("\"%s\": the sentence \"%s\" lacks \"%s\"", row->text,
		    sentence, row->sentence);
}

static void
name_each_row_of_the_grammar_answers_as_written(void **state)
{
	const struct grammar *row;
	size_t i, length;
	int rc;

	(void)state;
	for (i = 0; i < COUNT(grammar); i++) {
		row = &grammar[i];
		length = 999;
		rc = evbus__topic_check(row->text, &length);
		if (rc != row->as_name)
			fail_msg("name \"%s\": %d", row->text, rc);
		assert_int_equal(length, rc == 0 ? strlen(row->text) : 999);
		if (rc != 0 && row->as_pattern == 0)
			check_sentence(row);
		length = 999;
		rc = evbus__pattern_check(row->text, &length);
		if (rc != row->as_pattern)
			fail_msg("pattern \"%s\": %d", row->text, rc);
		assert_int_equal(length, rc == 0 ? strlen(row->text) : 999);
		if (rc != 0)
			check_sentence(row);
		assert_int_equal(evbus_topic_valid(row->text),
		    row->as_name == 0);
		assert_int_equal(evbus_pattern_valid(row->text),
		    row->as_pattern == 0);
	}
}

static void
name_null_is_an_invalid_argument(void **state)
{
	(void)state;
	assert_int_equal(evbus__topic_check(NULL, NULL), EVBUS_EINVAL);
	assert_string_equal(evbus_errmsg(),
	    "topic name is NULL; it has 1 to 255 bytes");
	assert_int_equal(evbus__pattern_check(NULL, NULL), EVBUS_EINVAL);
	assert_string_equal(evbus_errmsg(),
	    "pattern is NULL; it has 1 to 255 bytes");
	assert_int_equal(evbus__topic_check("a", NULL), 0);
	assert_int_equal(evbus_topic_valid(NULL), 0);
	assert_int_equal(evbus_pattern_valid(NULL), 0);
}

static void
name_each_byte_value_is_let_through_or_not(void **state)
{
	char text[] = "a?b";
	int c, name, pattern;

	(void)state;
	for (c = 1; c < 256; c++) {
		text[1] = (char)c;
		pattern = c > ' ' && c != 0x7f && c != '*' && c != '>';
		name = pattern;
		assert_int_equal(evbus_topic_valid(text), name);
		assert_int_equal(evbus_pattern_valid(text), pattern);
	}
}

/* A page's last `size` bytes, with nothing readable behind them. */
static char *
at_the_edge(size_t size)
{
	char *pages;

	pages = mmap(NULL, 8192, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	assert_ptr_not_equal(pages, MAP_FAILED);
	assert_int_equal(mprotect(pages + 4096, 4096, PROT_NONE), 0);
	return pages + 4096 - size;
}

static void
name_of_255_bytes_is_the_longest(void **state)
{
	char *text = at_the_edge(256);
	size_t length;

	(void)state;
	memset(text, 'a', 256);
	text[255] = '\0';
	assert_int_equal(evbus__topic_check(text, &length), 0);
	assert_int_equal(length, 255);
	text[254] = '.';
	assert_int_equal(evbus__topic_check(text, NULL), EVBUS_ENAME);
	assert_non_null(strstr(evbus_errmsg(), "empty token at offset 255"));
	(void)munmap(text + 256 - 4096, 8192);
}

/* The text need not end at all: it may be anything that a caller passes. */
static void
name_without_an_end_is_read_to_256_bytes(void **state)
{
	static const char last[] = "a.*>";
	char *text = at_the_edge(256);
	size_t i, j;

	(void)state;
	memset(text, 'a', 256);
	assert_int_equal(evbus__topic_check(text, NULL), EVBUS_ENAME);
	assert_non_null(strstr(evbus_errmsg(), "at offset 255; the limit is "
	    "255 bytes"));
	text[253] = '.';
	for (i = 0; i < sizeof last - 1; i++) {
		for (j = 0; j < sizeof last - 1; j++) {
			text[254] = last[i];
			text[255] = last[j];
			assert_int_equal(evbus_pattern_valid(text), 0);
			assert_int_equal(evbus__pattern_check(text, NULL),
			    EVBUS_EPATTERN);
			assert_int_equal(evbus_topic_match(text, "a"), 0);
			assert_int_equal(evbus_topic_match(">", text), 0);
		}
	}
	(void)munmap(text + 256 - 4096, 8192);
}

static void
name_of_128_tokens_is_valid(void **state)
{
	char text[EVBUS_TOPIC_NAME_MAX + 1];
	size_t i;

	(void)state;
	for (i = 0; i < EVBUS_TOPIC_NAME_MAX; i++)
		text[i] = i % 2 == 0 ? 'a' : '.';
	text[EVBUS_TOPIC_NAME_MAX] = '\0';
	assert_int_equal(evbus_topic_valid(text), 1);
	assert_int_equal(evbus_topic_match(text, text), 1);
	assert_int_equal(evbus_topic_match(">", text), 1);
}

/* A name may hold what a terminal obeys; the sentence must not repeat it. */
static void
name_hostile_bytes_are_not_repeated_in_the_sentence(void **state)
{
	const char *sentence;
	char text[300];
	size_t i;

	(void)state;
	memset(text, '\x1b', sizeof text - 1);
	text[0] = '%';
	text[1] = 's';
	text[2] = '\n';
	text[sizeof text - 1] = '\0';
	assert_int_equal(evbus__topic_check(text, NULL), EVBUS_ENAME);
	sentence = evbus_errmsg();
	assert_non_null(strstr(sentence, "topic name \"%s??"));
	assert_non_null(strstr(sentence, "...\" has the control byte 0x0a at "
	    "offset 2; none is allowed"));
	for (i = 0; sentence[i] != '\0'; i++)
		assert_in_range(sentence[i], 0x20, 0x7e);
}

static void
name_predicates_leave_the_last_sentence_alone(void **state)
{
	(void)state;
	(void)evbus__fail(EVBUS_EBUSY, "the last refusal");
	assert_int_equal(evbus_topic_valid("a..b"), 0);
	assert_int_equal(evbus_pattern_valid("a*"), 0);
	assert_int_equal(evbus_topic_match("a*", "a"), 0);
	assert_int_equal(evbus__pattern_covers("a*", "a"), 0);
	assert_int_equal(evbus__pattern_overlaps("a", "a*"), 0);
	assert_int_equal(evbus__topic_check("a", NULL), 0);
	assert_string_equal(evbus_errmsg(), "the last refusal");
}

static const struct matching {
	const char *pattern;
	const char *name;
	int matches;
} matching[] = {
	{ "a", "a", 1 },
	{ "a", "b", 0 },
	{ "a", "ab", 0 },
	{ "ab", "a", 0 },
	{ "a", "a.b", 0 },
	{ "a.b", "a", 0 },
	{ "a.b", "a.b", 1 },
	{ "*", "a", 1 },
	{ "*", "abc", 1 },
	{ "*", "a.b", 0 },
	{ "*.b", "a.b", 1 },
	{ "*.b", "b", 0 },
	{ "a.*", "a", 0 },
	{ "a.*", "a.b", 1 },
	{ "a.*", "a.b.c", 0 },
	{ "a.*.c", "a.b.c", 1 },
	{ "a.*.c", "a.b.d", 0 },
	{ "a.*.c", "a.b.b.c", 0 },
	{ ">", "a", 1 },
	{ ">", "a.b.c", 1 },
	{ "a.>", "a", 0 },
	{ "a.>", "a.b", 1 },
	{ "a.>", "a.b.c.d", 1 },
	{ "a.>", "b.a", 0 },
	{ "*.>", "a", 0 },
	{ "*.>", "a.b", 1 },
	{ "a.*.>", "a.b", 0 },
	{ "a.*.>", "a.b.c", 1 },
	{ ">", "$bus", 0 },
	{ "*", "$bus", 0 },
	{ "*.lost", "$bus.lost", 0 },
	{ "*.>", "$bus.lost.more", 0 },
	{ "$bus.>", "$bus.lost", 1 },
	{ "$bus.*", "$bus.lost", 1 },
	{ "$bus", "$bus", 1 },
	{ "a.*", "a.$b", 1 },
	{ "a.>", "a.$b.c", 1 },
	{ ">", "a.$b", 1 },
	{ "a*", "ab", 0 },
	{ "a", "a..b", 0 },
	{ ">", "*", 0 },
	{ "*", ">", 0 },
	{ ">", "", 0 },
	{ "", "", 0 },
	{ NULL, "a", 0 },
	{ ">", NULL, 0 },
	{ NULL, NULL, 0 },
};

static void
name_match_follows_the_table(void **state)
{
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(matching); i++) {
		if (evbus_topic_match(matching[i].pattern, matching[i].name) !=
		    matching[i].matches)
			fail_msg("\"%s\" and \"%s\"", matching[i].pattern,
			    matching[i].name);
	}
}

/*
 * A world that is small enough to look at all of it.  Names have a token more
 * than patterns, and tokens that no pattern names, so that it has a witness
 * for whatever is true beyond it.
 */
#define PATTERN_TOKENS 3
#define NAME_TOKENS 4
#define TEXTS_MAX 1000

struct world {
	char text[TEXTS_MAX][24];
	size_t count;
};

static void
world_add(struct world *world, const char *const *token, size_t tokens,
    size_t number, size_t length)
{
	char *text = world->text[world->count];
	size_t i;

	text[0] = '\0';
	for (i = 0; i < length; i++) {
		if (i > 0)
			strcat(text, ".");
		strcat(text, token[number % tokens]);
		number /= tokens;
	}
	if (evbus_pattern_valid(text))
		world->count++;
}

static void
world_fill(struct world *world, const char *const *token, size_t tokens,
    size_t length_max)
{
	size_t length, number, all = 1;

	world->count = 0;
	for (length = 1; length <= length_max; length++) {
		all *= tokens;
		for (number = 0; number < all; number++)
			world_add(world, token, tokens, number, length);
	}
}

static void
name_covers_and_overlaps_agree_with_match_over_a_world(void **state)
{
	static const char *const pattern_token[] = { "a", "b", "$a", "*", ">" };
	static const char *const name_token[] = { "a", "b", "$a", "c", "$c" };
	static struct world patterns, names;
	static char matches[200][TEXTS_MAX];
	size_t a, b, n;
	int covers, overlaps;

	(void)state;
	world_fill(&patterns, pattern_token, COUNT(pattern_token),
	    PATTERN_TOKENS);
	world_fill(&names, name_token, COUNT(name_token), NAME_TOKENS);
	assert_in_range(patterns.count, 100, COUNT(matches));
	for (a = 0; a < patterns.count; a++)
		for (n = 0; n < names.count; n++)
			matches[a][n] = (char)evbus_topic_match(
			    patterns.text[a], names.text[n]);
	for (a = 0; a < patterns.count; a++) {
		for (b = 0; b < patterns.count; b++) {
			covers = 1;
			overlaps = 0;
			for (n = 0; n < names.count; n++) {
				if (matches[b][n] && !matches[a][n])
					covers = 0;
				if (matches[b][n] && matches[a][n])
					overlaps = 1;
			}
			if (evbus__pattern_covers(patterns.text[a],
			    patterns.text[b]) != covers)
				fail_msg("covers(\"%s\", \"%s\") is not %d",
				    patterns.text[a], patterns.text[b],
				    covers);
			if (evbus__pattern_overlaps(patterns.text[a],
			    patterns.text[b]) != overlaps)
				fail_msg("overlaps(\"%s\", \"%s\") is not %d",
				    patterns.text[a], patterns.text[b],
				    overlaps);
		}
	}
}

/* `count` bytes of 'x', then the end. */
static const char *
padded(char *text, size_t count, const char *end)
{
	memset(text, 'x', count);
	strcpy(text + count, end);
	return text;
}

static void
name_covers_and_overlaps_know_the_longest_name(void **state)
{
	char a[300], b[300];

	(void)state;
	/* Room for one token only: '>' is '*'. */
	assert_int_equal(evbus__pattern_covers(padded(a, 252, ".*"),
	    padded(b, 252, ".>")), 1);
	assert_int_equal(evbus__pattern_covers(padded(a, 253, ".*"),
	    padded(b, 253, ".>")), 1);
	/* One byte less, and "x.y" fits. */
	assert_int_equal(evbus__pattern_covers(padded(a, 251, ".*"),
	    padded(b, 251, ".>")), 0);
	/* The shortest common topic has 255 bytes, and 256. */
	assert_int_equal(evbus__pattern_overlaps(padded(a, 127, ".*"),
	    "*.y"), 1);
	memset(b, 'y', sizeof b);
	b[0] = '*';
	b[1] = '.';
	b[129] = '\0';
	assert_int_equal(evbus__pattern_overlaps(a, b), 1);
	b[129] = 'y';
	b[130] = '\0';
	assert_int_equal(evbus__pattern_overlaps(a, b), 0);
	assert_int_equal(evbus__pattern_overlaps(padded(a, 127, ".>"), b), 0);
	b[129] = '\0';
	assert_int_equal(evbus__pattern_overlaps(a, b), 1);
	assert_int_equal(evbus__pattern_overlaps(b, a), 1);
}

static void
name_relations_of_what_is_no_pattern_are_0(void **state)
{
	(void)state;
	assert_int_equal(evbus__pattern_covers(NULL, "a"), 0);
	assert_int_equal(evbus__pattern_covers("a", NULL), 0);
	assert_int_equal(evbus__pattern_covers(">", "a..b"), 0);
	assert_int_equal(evbus__pattern_overlaps(NULL, "a"), 0);
	assert_int_equal(evbus__pattern_overlaps("a", NULL), 0);
	assert_int_equal(evbus__pattern_overlaps(">.a", ">"), 0);
}

/* A hash that ignored a byte, the length or the key could be attacked. */
static void
name_hash_depends_on_each_byte_the_length_and_the_key(void **state)
{
	struct evbus__name_key key = {{ 1, 2 }}, other = {{ 1, 3 }};
	char text[41] = { 0 };
	uint64_t plain;
	size_t length, i;

	(void)state;
	for (length = 0; length <= 40; length++) {
		plain = evbus__name_hash(&key, text, length);
		assert_true(plain == evbus__name_hash(&key, text, length));
		assert_false(plain == evbus__name_hash(&other, text, length));
		assert_false(plain == evbus__name_hash(&key, text,
		    length + 1));
		for (i = 0; i < length; i++) {
			text[i] = 1;
			assert_false(plain == evbus__name_hash(&key, text,
			    length));
			text[i] = 0;
		}
	}
}

static void
name_key_differs_from_table_to_table(void **state)
{
	struct evbus__name_key a = {{ 0, 0 }}, b = {{ 0, 0 }};

	(void)state;
	evbus__name_key(&a, &a);
	evbus__name_key(&b, &b);
	assert_memory_not_equal(&a, &b, sizeof a);
	assert_false(a.k[0] == a.k[1]);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    name_each_row_of_the_grammar_answers_as_written),
		cmocka_unit_test(name_null_is_an_invalid_argument),
		cmocka_unit_test(name_each_byte_value_is_let_through_or_not),
		cmocka_unit_test(name_of_255_bytes_is_the_longest),
		cmocka_unit_test(name_without_an_end_is_read_to_256_bytes),
		cmocka_unit_test(name_of_128_tokens_is_valid),
		cmocka_unit_test(
		    name_hostile_bytes_are_not_repeated_in_the_sentence),
		cmocka_unit_test(name_predicates_leave_the_last_sentence_alone),
		cmocka_unit_test(name_match_follows_the_table),
		cmocka_unit_test(
		    name_covers_and_overlaps_agree_with_match_over_a_world),
		cmocka_unit_test(
		    name_covers_and_overlaps_know_the_longest_name),
		cmocka_unit_test(name_relations_of_what_is_no_pattern_are_0),
		cmocka_unit_test(
		    name_hash_depends_on_each_byte_the_length_and_the_key),
		cmocka_unit_test(name_key_differs_from_table_to_table),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
