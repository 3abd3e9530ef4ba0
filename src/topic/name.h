/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * name.h - layer 3: the grammar of topic names and patterns, and how patterns
 * relate to names and to each other.
 *
 * Called by topic and stream opening, by subscribing and by the trie.  Any
 * thread; nothing here keeps state, waits or allocates.
 */
#ifndef EVBUS_SRC_NAME_H
#define EVBUS_SRC_NAME_H

#include <evbus/topic.h>

/* Tokens of the longest name: 128 of one byte and 127 dots. */
#define EVBUS__TOKENS_MAX ((EVBUS_TOPIC_NAME_MAX + 1) / 2)

/*
 * 0, and the length in bytes if `length` is not NULL; or EVBUS_EINVAL (NULL),
 * EVBUS_ENAME, EVBUS_EPATTERN and a sentence for evbus_errmsg().  At most 256
 * bytes are looked at, whatever lies behind them.  A name is a valid pattern
 * that matches itself alone.
 */
int evbus__topic_check(const char *name, size_t *length);
int evbus__pattern_check(const char *pattern, size_t *length);

/*
 * Covers: does every topic that matches `b` match `a`?  Overlaps: is there a
 * topic that matches both?  1 or 0; 0 if one of them is NULL or not a pattern.
 * Both are exact: they know of '$' and of the longest name.
 */
int evbus__pattern_covers(const char *a, const char *b);
int evbus__pattern_overlaps(const char *a, const char *b);

/*
 * A keyed hash (SipHash-1-3): who does not know the key cannot choose names
 * that collide.  evbus__name_key() makes a key that differs from table to
 * table and from run to run; under the explorer it is constant, because runs
 * must replay.
 */
struct evbus__name_key {
	uint64_t k[2];
};
void evbus__name_key(struct evbus__name_key *, const void *salt);
uint64_t evbus__name_hash(const struct evbus__name_key *, const char *text,
    size_t length);

#endif /* EVBUS_SRC_NAME_H */
