/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * naive.c - names and patterns as topic.h words them, token by token and by
 * recursion: slow, short, and with no line taken from the library.
 */
#include "fuzz.h"

/* Faster than strcspn() under the address sanitizer. */
static size_t
token_end(const char *text)
{
	size_t i;

	for (i = 0; text[i] != '\0' && text[i] != '.'; i++)
		;
	return i;
}

static int
is_star(const char *token, size_t length)
{
	return length == 1 && *token == '*';
}

static int
is_rest(const char *token, size_t length)
{
	return length == 1 && *token == '>';
}

static int
token_valid(const char *token, size_t length, int last, int pattern)
{
	size_t i;

	if (length == 0)
		return 0;
	if (pattern && (is_star(token, length) ||
	    (last && is_rest(token, length))))
		return 1;
	for (i = 0; i < length; i++)
		if ((unsigned char)token[i] <= ' ' || token[i] == 0x7f ||
		    token[i] == '*' || token[i] == '>')
			return 0;
	return 1;
}

static int
tokens_valid(const char *text, int pattern)
{
	size_t length = token_end(text);
	int last = text[length] == '\0';

	return token_valid(text, length, last, pattern) &&
	    (last || tokens_valid(text + length + 1, pattern));
}

int
naive_valid(const char *text, int pattern)
{
	return strlen(text) <= 255 && tokens_valid(text, pattern);
}

/* Both at the beginning of a token. */
static int
match(const char *pattern, const char *name)
{
	size_t p = token_end(pattern), n = token_end(name);

	if (is_rest(pattern, p))
		return 1;
	if (!is_star(pattern, p) && (p != n || memcmp(pattern, name, p) != 0))
		return 0;
	if (pattern[p] == '\0' || name[n] == '\0')
		return pattern[p] == name[n];
	return match(pattern + p + 1, name + n + 1);
}

int
naive_match(const char *pattern, const char *name)
{
	if (*name == '$' && (*pattern == '*' || *pattern == '>'))
		return 0;
	return match(pattern, name);
}

/* Is there a name that both match?  Short patterns without '$' only. */
int
naive_overlap(const char *a, const char *b)
{
	size_t m = token_end(a), n = token_end(b);

	if (is_rest(a, m) || is_rest(b, n))
		return 1;
	if (!is_star(a, m) && !is_star(b, n) &&
	    (m != n || memcmp(a, b, m) != 0))
		return 0;
	if (a[m] == '\0' || b[n] == '\0')
		return a[m] == b[n];
	return naive_overlap(a + m + 1, b + n + 1);
}
