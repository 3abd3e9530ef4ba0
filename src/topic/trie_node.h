/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * trie_node.h - layer 3: the nodes of a trie, for the files of the trie alone.
 *
 * trie_node.c keeps the nodes, their buckets and their lists of values, trie.c
 * inserts and removes, trie_walk.c matches and selects.
 *
 * Nodes have 56 bytes and are named by 32-bit numbers, so that a million names
 * stay small.  0 is the root, and "none" in every link.
 *
 * As all of trie.h: under the bus's lock, and nothing waits.
 */
#ifndef EVBUS_SRC_TRIE_NODE_H
#define EVBUS_SRC_TRIE_NODE_H

#include "topic/trie.h"

#define EVBUS__CHUNK_NODES	64u

enum evbus__trie_kind {
	EVBUS__KIND_LITERAL,
	EVBUS__KIND_STAR,
	EVBUS__KIND_REST
};

struct evbus__trie_node {
	const char *token;	/* not terminated */
	union {
		void *one;	/* room 0 */
		void **many;	/* 1 << room pointers */
	} value;
	uint32_t parent;
	uint32_t chain;		/* next in the bucket, or in the free list */
	uint32_t child;		/* first child that is no wildcard */
	uint32_t next;		/* siblings */
	uint32_t prev;
	uint32_t star;
	uint32_t rest;
	uint32_t hash;		/* of parent and token */
	uint32_t count;		/* values */
	uint8_t length;		/* of the token; 0: star or rest */
	uint8_t owned;		/* bytes allocated at `token`; 0: none.  Nodes
				 * below point into them and go first */
	uint8_t room;		/* log2 of the room for values */
	uint8_t kind;		/* enum evbus__trie_kind */
};
EVBUS_STATIC_ASSERT(sizeof(struct evbus__trie_node) <= 56,
    "a million names fit in 150 MB");

/* A text, cut into its tokens. */
struct evbus__trie_token {
	uint64_t hash;		/* literals only */
	uint8_t at;		/* offset in the text */
	uint8_t length;
	uint8_t kind;
};
struct evbus__trie_path {
	const char *text;
	unsigned count;
	struct evbus__trie_token token[EVBUS__TOKENS_MAX];
};

static inline struct evbus__trie_node *
evbus__trie_node_at(const struct evbus__trie *trie, uint32_t i)
{
	EVBUS_ASSERT(i < trie->made);
	return &trie->chunks[i / EVBUS__CHUNK_NODES][i % EVBUS__CHUNK_NODES];
}

static inline void **
evbus__trie_values(struct evbus__trie_node *node)
{
	return node->room == 0 ? &node->value.one : node->value.many;
}

/* `text` is valid and has `length` bytes; the path points into it. */
void evbus__trie_path_cut(const struct evbus__trie *,
    struct evbus__trie_path *, const char *text, size_t length);

/* The literal child of `parent` for the path's token `depth`; 0: none. */
uint32_t evbus__trie_child(const struct evbus__trie *, uint32_t parent,
    const struct evbus__trie_path *, unsigned depth);

/*
 * Room for `n` nodes more, and for one value more at a node that is there.  0
 * or EVBUS_ENOMEM, without a sentence.  More of it than was used is kept, and
 * is not seen.
 */
int evbus__trie_reserve_nodes(struct evbus__trie *, unsigned n);
int evbus__trie_reserve_buckets(struct evbus__trie *, unsigned n);
int evbus__trie_reserve_value(struct evbus__trie *, struct evbus__trie_node *);

/* Give back the room for values of a node that has none any more. */
void evbus__trie_values_free(struct evbus__trie *, struct evbus__trie_node *);

/* A new node below `parent`, whose token is at `text`; from the reserve. */
uint32_t evbus__trie_node_add(struct evbus__trie *, uint32_t parent,
    const struct evbus__trie_token *, const char *text);

/* Give back a node and those above it that have become empty. */
void evbus__trie_prune(struct evbus__trie *, uint32_t i);

#endif /* EVBUS_SRC_TRIE_NODE_H */
