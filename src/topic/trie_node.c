/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * trie_node.c - layer 3: where a trie's nodes are kept; see trie_node.h.
 *
 * 64 nodes are allocated at a time, and those that become free are kept for
 * the next insert.  One hash table for the whole trie, keyed by parent and
 * token, finds a child among any number of siblings.
 */
#include <string.h>

#include "topic/trie_node.h"

#define CHUNK_SIZE	(EVBUS__CHUNK_NODES * sizeof(struct evbus__trie_node))
#define CHUNKS_FIRST	8u
#define BUCKETS_FIRST	64u
#define NODES_MAX	(UINT32_C(1) << 31)
#define VALUES_ROOM_MAX	31	/* log2: of one pattern */

/* The same token has another hash below each parent. */
static uint32_t
child_hash(uint32_t parent, const struct evbus__trie_token *token)
{
	uint64_t h;

	h = token->hash ^ parent * UINT64_C(0x9e3779b97f4a7c15);
	h = (h ^ h >> 32) * UINT64_C(0xd6e8feb86659fd93);
	return (uint32_t)(h ^ h >> 32);
}

uint32_t
evbus__trie_child(const struct evbus__trie *trie, uint32_t parent,
    const struct evbus__trie_path *path, unsigned depth)
{
	const struct evbus__trie_token *token = &path->token[depth];
	const char *text = path->text + token->at;
	uint32_t hash = child_hash(parent, token), i;
	struct evbus__trie_node *node;

	i = trie->buckets[hash & (trie->bucket_count - 1)];
	for (; i != 0; i = node->chain) {
		node = evbus__trie_node_at(trie, i);
		if (node->hash == hash && node->parent == parent &&
		    node->length == token->length &&
		    memcmp(node->token, text, token->length) == 0)
			return i;
	}
	return 0;
}

/*
 * Room for what is needed.  More of it than was used is kept, and is not seen.
 */

static int
reserve_chunks_array(struct evbus__trie *trie)
{
	struct evbus__trie_node **grown;
	uint32_t room = trie->chunk_room * 2;

	if (trie->chunk_count < trie->chunk_room)
		return 0;
	grown = evbus__alloc(trie->context, room * sizeof *grown);
	if (grown == NULL)
		return EVBUS_ENOMEM;
	memcpy(grown, trie->chunks, trie->chunk_count * sizeof *grown);
	evbus__free(trie->context, trie->chunks,
	    trie->chunk_room * sizeof *grown);
	trie->chunks = grown;
	trie->chunk_room = room;
	return 0;
}

int
evbus__trie_reserve_nodes(struct evbus__trie *trie, unsigned n)
{
	struct evbus__trie_node *chunk;

	if (trie->live > NODES_MAX - n)
		return EVBUS_ENOMEM;
	while ((uint64_t)trie->chunk_count * EVBUS__CHUNK_NODES <
	    (uint64_t)trie->live + n) {
		if (reserve_chunks_array(trie) != 0)
			return EVBUS_ENOMEM;
		chunk = evbus__alloc(trie->context, CHUNK_SIZE);
		if (chunk == NULL)
			return EVBUS_ENOMEM;
		trie->chunks[trie->chunk_count++] = chunk;
	}
	return 0;
}

static void
bucket_add(struct evbus__trie *trie, uint32_t i)
{
	struct evbus__trie_node *node = evbus__trie_node_at(trie, i);
	uint32_t *bucket = &trie->buckets[node->hash &
	    (trie->bucket_count - 1)];

	node->chain = *bucket;
	*bucket = i;
}

static void
buckets_move(struct evbus__trie *trie, const uint32_t *old, uint32_t count)
{
	uint32_t b, i, next;

	for (b = 0; b < count; b++) {
		for (i = old[b]; i != 0; i = next) {
			next = evbus__trie_node_at(trie, i)->chain;
			bucket_add(trie, i);
		}
	}
}

/* At most one node per bucket on average. */
int
evbus__trie_reserve_buckets(struct evbus__trie *trie, unsigned n)
{
	uint32_t *old = trie->buckets, *grown;
	uint32_t count = trie->bucket_count, wanted = count;

	while (trie->live + n > wanted)
		wanted *= 2;
	if (wanted == count)
		return 0;
	grown = evbus__alloc(trie->context, wanted * sizeof *grown);
	if (grown == NULL)
		return EVBUS_ENOMEM;
	trie->buckets = grown;
	trie->bucket_count = wanted;
	buckets_move(trie, old, count);
	evbus__free(trie->context, old, count * sizeof *old);
	return 0;
}

int
evbus__trie_reserve_value(struct evbus__trie *trie,
    struct evbus__trie_node *node)
{
	size_t size = sizeof(void *) << node->room;
	void **grown;

	if (node->count < UINT32_C(1) << node->room)
		return 0;
	if (node->room == VALUES_ROOM_MAX)
		return EVBUS_ENOMEM;
	grown = evbus__alloc(trie->context, 2 * size);
	if (grown == NULL)
		return EVBUS_ENOMEM;
	if (node->room == 0) {
		grown[0] = node->value.one;
	} else {
		memcpy(grown, node->value.many, size);
		evbus__free(trie->context, node->value.many, size);
	}
	node->value.many = grown;
	node->room++;
	return 0;
}

void
evbus__trie_values_free(struct evbus__trie *trie, struct evbus__trie_node *node)
{
	if (node->room > 0)
		evbus__free(trie->context, node->value.many,
		    sizeof(void *) << node->room);
	node->room = 0;
	node->value.one = NULL;
}

static void
token_free(struct evbus__trie *trie, struct evbus__trie_node *node)
{
	/* `owned` says that the text is ours: const is for the others'. */
	if (node->owned > 0)
		evbus__free(trie->context, (void *)(uintptr_t)node->token,
		    node->owned);
	node->owned = 0;
}

/* A node from the reserve, zeroed. */
static uint32_t
node_take(struct evbus__trie *trie)
{
	uint32_t i = trie->free;
	struct evbus__trie_node *node;

	if (i == 0) {
		i = trie->made++;
		node = evbus__trie_node_at(trie, i);
	} else {
		node = evbus__trie_node_at(trie, i);
		trie->free = node->chain;
	}
	memset(node, 0, sizeof *node);
	trie->live++;
	return i;
}

static void
node_link(struct evbus__trie *trie, uint32_t i, uint32_t parent)
{
	struct evbus__trie_node *node = evbus__trie_node_at(trie, i);
	struct evbus__trie_node *above = evbus__trie_node_at(trie, parent);

	if (node->kind == EVBUS__KIND_STAR) {
		above->star = i;
	} else if (node->kind == EVBUS__KIND_REST) {
		above->rest = i;
	} else {
		node->next = above->child;
		if (node->next != 0)
			evbus__trie_node_at(trie, node->next)->prev = i;
		above->child = i;
		bucket_add(trie, i);
	}
}

uint32_t
evbus__trie_node_add(struct evbus__trie *trie, uint32_t parent,
    const struct evbus__trie_token *token, const char *text)
{
	uint32_t i = node_take(trie);
	struct evbus__trie_node *node = evbus__trie_node_at(trie, i);

	node->parent = parent;
	node->kind = token->kind;
	node->token = text;
	if (token->kind == EVBUS__KIND_LITERAL) {
		node->length = token->length;
		node->hash = child_hash(parent, token);
	}
	node_link(trie, i, parent);
	return i;
}

static void
bucket_remove(struct evbus__trie *trie, uint32_t i)
{
	struct evbus__trie_node *node = evbus__trie_node_at(trie, i);
	uint32_t *link = &trie->buckets[node->hash & (trie->bucket_count - 1)];

	while (*link != i) {
		EVBUS_ASSERT(*link != 0);
		link = &evbus__trie_node_at(trie, *link)->chain;
	}
	*link = node->chain;
}

static void
node_unlink(struct evbus__trie *trie, uint32_t i)
{
	struct evbus__trie_node *node = evbus__trie_node_at(trie, i);
	struct evbus__trie_node *above = evbus__trie_node_at(trie,
	    node->parent);

	if (node->kind == EVBUS__KIND_STAR) {
		above->star = 0;
		return;
	}
	if (node->kind == EVBUS__KIND_REST) {
		above->rest = 0;
		return;
	}
	bucket_remove(trie, i);
	if (node->prev != 0)
		evbus__trie_node_at(trie, node->prev)->next = node->next;
	else
		above->child = node->next;
	if (node->next != 0)
		evbus__trie_node_at(trie, node->next)->prev = node->prev;
}

static int
node_empty(const struct evbus__trie_node *node)
{
	return node->count == 0 && node->child == 0 && node->star == 0 &&
	    node->rest == 0;
}

void
evbus__trie_prune(struct evbus__trie *trie, uint32_t i)
{
	struct evbus__trie_node *node = evbus__trie_node_at(trie, i);
	uint32_t parent;

	while (i != 0 && node_empty(node)) {
		parent = node->parent;
		EVBUS_ASSERT(node->room == 0);
		node_unlink(trie, i);
		token_free(trie, node);
		node->chain = trie->free;
		trie->free = i;
		trie->live--;
		i = parent;
		node = evbus__trie_node_at(trie, i);
	}
}

int
evbus__trie_init(struct evbus__trie *trie, struct evbus__context *context,
    int borrow)
{
	memset(trie, 0, sizeof *trie);
	trie->context = context;
	trie->borrow = borrow;
	evbus__name_key(&trie->key, trie);
	trie->chunks = evbus__alloc(context,
	    CHUNKS_FIRST * sizeof *trie->chunks);
	trie->buckets = evbus__alloc(context,
	    BUCKETS_FIRST * sizeof *trie->buckets);
	if (trie->chunks != NULL)
		trie->chunk_room = CHUNKS_FIRST;
	if (trie->buckets != NULL)
		trie->bucket_count = BUCKETS_FIRST;
	if (trie->chunks == NULL || trie->buckets == NULL ||
	    evbus__trie_reserve_nodes(trie, 1) != 0) {
		evbus__trie_destroy(trie);
		return evbus__fail(EVBUS_ENOMEM, "no memory for a trie");
	}
	(void)node_take(trie);
	return 0;
}

void
evbus__trie_destroy(struct evbus__trie *trie)
{
	struct evbus__trie_node *node;
	uint32_t i;

	/* Free nodes own nothing. */
	for (i = 0; i < trie->made; i++) {
		node = evbus__trie_node_at(trie, i);
		evbus__trie_values_free(trie, node);
		token_free(trie, node);
	}
	for (i = 0; i < trie->chunk_count; i++)
		evbus__free(trie->context, trie->chunks[i], CHUNK_SIZE);
	evbus__free(trie->context, trie->chunks,
	    trie->chunk_room * sizeof *trie->chunks);
	evbus__free(trie->context, trie->buckets,
	    trie->bucket_count * sizeof *trie->buckets);
	memset(trie, 0, sizeof *trie);
}
