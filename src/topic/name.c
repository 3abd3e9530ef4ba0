/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * name.c - layer 3: see name.h.
 *
 * One scanner knows the grammar; checks and predicates ask it.  Everything
 * else walks two texts side by side, token by token, and may rely on what the
 * scanner has let through: tokens are not empty, a wildcard is a whole token,
 * '>' is the last one, and no text is longer than EVBUS_TOPIC_NAME_MAX.
 */
#include <string.h>

#include "base/context.h"
#include "topic/name.h"

/* What may be wrong, and the sentence's middle. */
enum fault {
	FAULT_NONE,
	FAULT_EMPTY,
	FAULT_LONG,
	FAULT_TOKEN,
	FAULT_SPACE,
	FAULT_CONTROL,
	FAULT_WILDCARD,
	FAULT_PART,
	FAULT_LAST
};

/* Of a text that is shown in a sentence, at most so many bytes. */
#define QUOTE_MAX 48

/*
 * A wildcard stands at text[at]: is it a whole token, and allowed there?  The
 * byte behind it is looked at only if it is one of the first 256.
 */
static enum fault
scan_wildcard(const char *text, size_t at, int pattern)
{
	char next = text[at + 1];

	if (!pattern)
		return FAULT_WILDCARD;
	if (at > 0 && text[at - 1] != '.')
		return FAULT_PART;
	if (next != '\0' && next != '.')
		return FAULT_PART;
	if (text[at] == '>' && next == '.')
		return FAULT_LAST;
	return FAULT_NONE;
}

static enum fault
scan_byte(const char *text, size_t at, int pattern)
{
	unsigned char c = (unsigned char)text[at];

	if (c == ' ')
		return FAULT_SPACE;
	if (c < 0x20 || c == 0x7f)
		return FAULT_CONTROL;
	if (c == '*' || c == '>')
		return scan_wildcard(text, at, pattern);
	if (c == '.' && (at == 0 || text[at - 1] == '.'))
		return FAULT_TOKEN;
	return FAULT_NONE;
}

/* *at: the length, or the offset of what is wrong. */
static enum fault
scan(const char *text, int pattern, size_t *at)
{
	enum fault fault;
	size_t i;

	for (i = 0; i < EVBUS_TOPIC_NAME_MAX && text[i] != '\0'; i++) {
		fault = scan_byte(text, i, pattern);
		if (fault != FAULT_NONE) {
			*at = i;
			return fault;
		}
	}
	*at = i;
	if (i == 0)
		return FAULT_EMPTY;
	if (text[i] != '\0')
		return FAULT_LONG;
	return text[i - 1] == '.' ? FAULT_TOKEN : FAULT_NONE;
}

static size_t
pattern_length(const char *text)
{
	size_t length;

	if (text == NULL || scan(text, 1, &length) != FAULT_NONE)
		return 0;
	return length;
}

/* The text as it may be shown: short, and no byte that a terminal obeys. */
static void
quote(char out[QUOTE_MAX + 4], const char *text)
{
	size_t i;

	for (i = 0; i < QUOTE_MAX && text[i] != '\0'; i++)
		out[i] = text[i] >= 0x20 && text[i] < 0x7f ? text[i] : '?';
	if (i == QUOTE_MAX)
		memcpy(out + i, "...", 4);
	else
		out[i] = '\0';
}

static int
refuse(int code, const char *kind, const char *text, enum fault fault,
    size_t at)
{
	unsigned byte = (unsigned char)text[at];
	char shown[QUOTE_MAX + 4];

	quote(shown, text);
	switch (fault) {
	case FAULT_EMPTY:
		return evbus__fail(code, "%s is empty; it has 1 to %d bytes",
		    kind, EVBUS_TOPIC_NAME_MAX);
	case FAULT_LONG:
		return evbus__fail(code, "%s \"%s\" does not end at offset "
		    "%zu; the limit is %d bytes", kind, shown, at,
		    EVBUS_TOPIC_NAME_MAX);
	case FAULT_TOKEN:
		return evbus__fail(code, "%s \"%s\" has an empty token at "
		    "offset %zu; each token has at least 1 byte", kind, shown,
		    at);
	case FAULT_SPACE:
		return evbus__fail(code, "%s \"%s\" has a space at offset "
		    "%zu; none is allowed", kind, shown, at);
	case FAULT_CONTROL:
		return evbus__fail(code, "%s \"%s\" has the control byte "
		    "0x%02x at offset %zu; none is allowed", kind, shown,
		    byte, at);
	case FAULT_WILDCARD:
		return evbus__fail(code, "%s \"%s\" has the wildcard '%c' at "
		    "offset %zu; only patterns have wildcards", kind, shown,
		    (int)byte, at);
	case FAULT_PART:
		return evbus__fail(code, "%s \"%s\" has '%c' as a part of a "
		    "token at offset %zu; a wildcard is a whole token", kind,
		    shown, (int)byte, at);
	default:
		EVBUS_ASSERT(fault == FAULT_LAST);
		return evbus__fail(code, "%s \"%s\" goes on behind the '>' at "
		    "offset %zu; '>' is the last token", kind, shown, at);
	}
}

static int
check(int code, const char *kind, const char *text, size_t *length)
{
	enum fault fault;
	size_t at;

	if (text == NULL)
		return evbus__fail(EVBUS_EINVAL, "%s is NULL; it has 1 to %d "
		    "bytes", kind, EVBUS_TOPIC_NAME_MAX);
	fault = scan(text, code == EVBUS_EPATTERN, &at);
	if (fault != FAULT_NONE)
		return refuse(code, kind, text, fault, at);
	if (length != NULL)
		*length = at;
	return 0;
}

int
evbus__topic_check(const char *name, size_t *length)
{
	return check(EVBUS_ENAME, "topic name", name, length);
}

int
evbus__pattern_check(const char *pattern, size_t *length)
{
	return check(EVBUS_EPATTERN, "pattern", pattern, length);
}

int
evbus_topic_valid(const char *text)
{
	size_t at;

	return text != NULL && scan(text, 0, &at) == FAULT_NONE;
}

int
evbus_pattern_valid(const char *text)
{
	return pattern_length(text) > 0;
}

static size_t
token_length(const char *text)
{
	size_t i;

	for (i = 0; text[i] != '\0' && text[i] != '.'; i++)
		;
	return i;
}

/* From a token to the one behind it; to the final NUL from the last one. */
static const char *
token_next(const char *text, size_t length)
{
	text += length;
	return *text == '.' ? text + 1 : text;
}

static int
is_wildcard(char c)
{
	return c == '*' || c == '>';
}

static int
token_same(const char *a, size_t a_length, const char *b, size_t b_length)
{
	return a_length == b_length && memcmp(a, b, a_length) == 0;
}

int
evbus_topic_match(const char *pattern, const char *name)
{
	size_t p, n;

	if (!evbus_pattern_valid(pattern) || !evbus_topic_valid(name))
		return 0;
	if (is_wildcard(*pattern) && *name == '$')
		return 0;
	while (*pattern != '\0' && *name != '\0') {
		if (*pattern == '>')
			return 1;
		p = token_length(pattern);
		n = token_length(name);
		if (*pattern != '*' && !token_same(pattern, p, name, n))
			return 0;
		pattern = token_next(pattern, p);
		name = token_next(name, n);
	}
	return *pattern == '\0' && *name == '\0';
}

/*
 * '*' covers '>' nowhere but at the very end of the longest patterns: two
 * tokens more need three bytes, and from 254 bytes on there is no room for
 * them, so that '>' stands for one token as well.
 */
static int
star_covers_rest(const char *a, size_t b_length)
{
	return a[0] == '*' && a[1] == '\0' &&
	    b_length >= EVBUS_TOPIC_NAME_MAX - 1;
}

int
evbus__pattern_covers(const char *a, const char *b)
{
	size_t b_length = pattern_length(b), la, lb;

	if (b_length == 0 || !evbus_pattern_valid(a))
		return 0;
	if (is_wildcard(*a) && *b == '$')
		return 0;
	while (*a != '\0' && *b != '\0') {
		if (*a == '>')
			return 1;
		if (*b == '>')
			return star_covers_rest(a, b_length);
		la = token_length(a);
		lb = token_length(b);
		if (*a != '*' && !token_same(a, la, b, lb))
			return 0;
		a = token_next(a, la);
		b = token_next(b, lb);
	}
	return *a == '\0' && *b == '\0';
}

/*
 * Walks the shortest topic that both match: its tokens are the literals of
 * either, and one byte where both have a wildcard.  Behind a '>' it goes on as
 * the other pattern does, whose wildcards have one byte as well.
 */
int
evbus__pattern_overlaps(const char *a, const char *b)
{
	size_t length = 0, la, lb;

	if (!evbus_pattern_valid(a) || !evbus_pattern_valid(b))
		return 0;
	if ((is_wildcard(*a) && *b == '$') || (is_wildcard(*b) && *a == '$'))
		return 0;
	while (*a != '\0' && *b != '\0') {
		if (*a == '>' || *b == '>') {
			length += strlen(*a == '>' ? b : a);
			return length <= EVBUS_TOPIC_NAME_MAX;
		}
		la = token_length(a);
		lb = token_length(b);
		if (!is_wildcard(*a) && !is_wildcard(*b) &&
		    !token_same(a, la, b, lb))
			return 0;
		length += (la > lb ? la : lb) + 1;
		a = token_next(a, la);
		b = token_next(b, lb);
	}
	return *a == '\0' && *b == '\0' && length <= EVBUS_TOPIC_NAME_MAX + 1;
}

static uint64_t
rotate(uint64_t x, unsigned bits)
{
	return x << bits | x >> (64 - bits);
}

static void
sip_round(uint64_t v[4])
{
	v[0] += v[1];
	v[2] += v[3];
	v[1] = rotate(v[1], 13) ^ v[0];
	v[3] = rotate(v[3], 16) ^ v[2];
	v[0] = rotate(v[0], 32);
	v[2] += v[1];
	v[0] += v[3];
	v[1] = rotate(v[1], 17) ^ v[2];
	v[3] = rotate(v[3], 21) ^ v[0];
	v[2] = rotate(v[2], 32);
}

static void
sip_word(uint64_t v[4], uint64_t word)
{
	v[3] ^= word;
	sip_round(v);
	v[0] ^= word;
}

/* Words are read as the machine has them: the hash never leaves it. */
uint64_t
evbus__name_hash(const struct evbus__name_key *key, const char *text,
    size_t length)
{
	uint64_t v[4] = {
		key->k[0] ^ UINT64_C(0x736f6d6570736575),
		key->k[1] ^ UINT64_C(0x646f72616e646f6d),
		key->k[0] ^ UINT64_C(0x6c7967656e657261),
		key->k[1] ^ UINT64_C(0x7465646279746573)
	};
	uint64_t word;
	size_t left;

	for (left = length; left >= sizeof word; left -= sizeof word) {
		memcpy(&word, text, sizeof word);
		sip_word(v, word);
		text += sizeof word;
	}
	word = 0;
	memcpy(&word, text, left);
	sip_word(v, word ^ (uint64_t)length << 56);
	v[2] ^= 0xff;
	sip_round(v);
	sip_round(v);
	sip_round(v);
	return v[0] ^ v[1] ^ v[2] ^ v[3];
}

void
evbus__name_key(struct evbus__name_key *key, const void *salt)
{
#ifdef EVBUS_EXPLORE
	(void)salt;
	key->k[0] = UINT64_C(0x0706050403020100);
	key->k[1] = UINT64_C(0x0f0e0d0c0b0a0908);
#else
	struct evbus__name_key raw = {{
		(uint64_t)evbus__os_now() ^ (uint64_t)evbus__os_pid() << 48,
		(uint64_t)(uintptr_t)salt
	}};
	/* Where heap, stack and code lie differs from run to run. */
	uintptr_t places[3] = {
		(uintptr_t)salt, (uintptr_t)&raw, (uintptr_t)&evbus__name_key
	};
	char text[sizeof places];

	memcpy(text, places, sizeof text);
	key->k[0] = evbus__name_hash(&raw, text, sizeof text);
	raw.k[1] ^= key->k[0];
	key->k[1] = evbus__name_hash(&raw, text, sizeof text);
#endif
}
