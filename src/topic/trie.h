/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * trie.h - layer 3: a trie of tokens, from patterns or names to values.
 *
 * Used two ways.  Filled with patterns it finds those that match a name
 * (evbus__trie_match); filled with names it finds those that a pattern matches
 * (evbus__trie_select).  Both answer as evbus_topic_match() does for each pair,
 * but their cost is that of the tokens looked at and of what matches.
 *
 *	"orders.*.new" "orders.eu.>" "orders.eu.new" "$bus.log"
 *
 *	root -+- orders -+- eu ---+- new	value
 *	      |          |        `> (rest)	value
 *	      |          `* (star) -- new	value
 *	      `- $bus ---- log			value
 *
 * A single-threaded structure: callers hold the bus's lock, for match and
 * select as well.  Callbacks must not change the trie.
 *
 * Invariants: every node but the root has a value or something below it; a
 * node's token differs from those of its siblings; `star` and `rest` are in no
 * list of children and in no bucket; a rest node has nothing below it.
 */
#ifndef EVBUS_SRC_TRIE_H
#define EVBUS_SRC_TRIE_H

#include "base/context.h"
#include "topic/name.h"

struct evbus__trie_node;

struct evbus__trie {
	struct evbus__context *context;
	struct evbus__name_key key;
	struct evbus__trie_node **chunks; /* node i: chunk i / 64, i % 64 */
	uint32_t *buckets;	/* first node of each chain, by hash */
	uint32_t chunk_room;	/* entries of the array `chunks` */
	uint32_t chunk_count;	/* those that are there */
	uint32_t bucket_count;	/* a power of two */
	uint32_t made;		/* nodes 0 .. made - 1 were taken into use */
	uint32_t free;		/* list of nodes that are free again */
	uint32_t live;		/* nodes in use, the root included */
	int borrow;
	uint64_t values;	/* inserted and not removed */
};

/* Return other than 0 to end the walk; it becomes the walk's result. */
typedef int (*evbus__trie_fn)(void *value, void *arg);

/*
 * With `borrow` the inserted texts are not copied: they must stay as they are
 * until destroy, also when they are removed before.  0 or EVBUS_ENOMEM; after
 * a failure destroy is allowed and not needed.
 */
int evbus__trie_init(struct evbus__trie *, struct evbus__context *,
    int borrow);
void evbus__trie_destroy(struct evbus__trie *);

/*
 * The same pattern may have any number of values, and the same value more than
 * once: then it is called back so often and is removed so often.  Nothing has
 * changed for the caller after EVBUS_EPATTERN, EVBUS_EINVAL or EVBUS_ENOMEM.
 */
int evbus__trie_insert(struct evbus__trie *, const char *pattern, void *value);
/* 0, or EVBUS_ENOENT without a sentence.  Never fails for want of memory. */
int evbus__trie_remove(struct evbus__trie *, const char *pattern,
    const void *value);

/*
 * Call `fn` with every value whose pattern matches `name`, in no order.  0, or
 * what `fn` returned to end it.  A `name` that is none matches nothing.
 */
int evbus__trie_match(const struct evbus__trie *, const char *name,
    evbus__trie_fn fn, void *arg);

/*
 * Call `fn` with every value whose text is a plain name that `pattern`
 * matches, in no order.  Values of texts with wildcards are passed over.
 */
int evbus__trie_select(const struct evbus__trie *, const char *pattern,
    evbus__trie_fn fn, void *arg);

#endif /* EVBUS_SRC_TRIE_H */
