/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * trie.c - layer 3: texts into the trie and out of it; see trie.h.
 *
 * The nodes are in trie_node.c, match and select in trie_walk.c.
 *
 * An insert first gets all the memory it can need, then changes the trie;
 * nothing has to be undone.
 */
#include <string.h>

#include "topic/trie_node.h"

static void
token_cut(const struct evbus__trie *trie, struct evbus__trie_token *token,
    const char *text, size_t at, size_t end)
{
	char c = text[at];

	token->at = (uint8_t)at;
	token->length = (uint8_t)(end - at);
	token->hash = 0;
	token->kind = EVBUS__KIND_LITERAL;
	if (c == '*')
		token->kind = EVBUS__KIND_STAR;
	else if (c == '>')
		token->kind = EVBUS__KIND_REST;
	else
		token->hash = evbus__name_hash(&trie->key, text + at,
		    end - at);
}

void
evbus__trie_path_cut(const struct evbus__trie *trie,
    struct evbus__trie_path *path, const char *text, size_t length)
{
	size_t at = 0, i;

	path->text = text;
	path->count = 0;
	for (i = 0; i <= length; i++) {
		if (i < length && text[i] != '.')
			continue;
		token_cut(trie, &path->token[path->count++], text, at, i);
		at = i + 1;
	}
	EVBUS_ASSERT(path->count <= EVBUS__TOKENS_MAX);
}

/* The node of path's token `depth` below `parent`; 0: there is none. */
static uint32_t
step(const struct evbus__trie *trie, uint32_t parent,
    const struct evbus__trie_path *path, unsigned depth)
{
	switch (path->token[depth].kind) {
	case EVBUS__KIND_STAR:
		return evbus__trie_node_at(trie, parent)->star;
	case EVBUS__KIND_REST:
		return evbus__trie_node_at(trie, parent)->rest;
	default:
		return evbus__trie_child(trie, parent, path, depth);
	}
}

/* The deepest node of the path that is there; *depth: its tokens. */
static uint32_t
path_walk(const struct evbus__trie *trie, const struct evbus__trie_path *path,
    unsigned *depth)
{
	uint32_t i = 0, next;

	for (*depth = 0; *depth < path->count; ++*depth) {
		next = step(trie, i, path, *depth);
		if (next == 0)
			break;
		i = next;
	}
	return i;
}

/*
 * The part of the text that new nodes will point into: a copy that belongs to
 * the first of them.  The others lie below it, so they are gone before it is.
 */
static const char *
tail_copy(struct evbus__trie *trie, const char *tail, size_t length)
{
	char *copy;

	if (trie->borrow)
		return tail;
	copy = evbus__alloc(trie->context, length);
	if (copy != NULL)
		memcpy(copy, tail, length);
	return copy;
}

/* All nodes from token `depth` on below node `i`; their memory is there. */
static uint32_t
path_add(struct evbus__trie *trie, uint32_t i,
    const struct evbus__trie_path *path, unsigned depth, const char *tail,
    size_t length)
{
	size_t skip = path->token[depth].at;
	unsigned first = depth;

	EVBUS_ASSERT(trie->live + path->count - depth <= trie->bucket_count);
	for (; depth < path->count; depth++) {
		i = evbus__trie_node_add(trie, i, &path->token[depth],
		    tail + (path->token[depth].at - skip));
		if (depth == first && !trie->borrow)
			evbus__trie_node_at(trie, i)->owned =
			    (uint8_t)(length - skip);
	}
	return i;
}

/* The node of the path, made if need be and with room for a value; 0: no
 * memory. */
static uint32_t
path_make(struct evbus__trie *trie, const struct evbus__trie_path *path,
    size_t length)
{
	unsigned depth, missing;
	const char *tail;
	uint32_t i = path_walk(trie, path, &depth);
	size_t skip;

	missing = path->count - depth;
	if (missing == 0)
		return evbus__trie_reserve_value(trie,
		    evbus__trie_node_at(trie, i)) == 0 ? i : 0;
	if (evbus__trie_reserve_nodes(trie, missing) != 0 ||
	    evbus__trie_reserve_buckets(trie, missing) != 0)
		return 0;
	skip = path->token[depth].at;
	tail = tail_copy(trie, path->text + skip, length - skip);
	if (tail == NULL)
		return 0;
	return path_add(trie, i, path, depth, tail, length);
}

int
evbus__trie_insert(struct evbus__trie *trie, const char *pattern, void *value)
{
	struct evbus__trie_node *node;
	struct evbus__trie_path path;
	size_t length;
	uint32_t i;
	int rc = evbus__pattern_check(pattern, &length);

	if (rc != 0)
		return rc;
	evbus__trie_path_cut(trie, &path, pattern, length);
	i = path_make(trie, &path, length);
	if (i == 0)
		return evbus__fail(EVBUS_ENOMEM, "no memory to keep \"%s\" "
		    "beside %llu others", pattern,
		    (unsigned long long)trie->values);
	node = evbus__trie_node_at(trie, i);
	EVBUS_ASSERT(node->count < UINT32_C(1) << node->room);
	evbus__trie_values(node)[node->count++] = value;
	trie->values++;
	return 0;
}

static int
value_remove(struct evbus__trie_node *node, const void *value)
{
	void **values = evbus__trie_values(node);
	uint32_t i;

	for (i = 0; i < node->count; i++) {
		if (values[i] == value) {
			values[i] = values[--node->count];
			return 0;
		}
	}
	return EVBUS_ENOENT;
}

int
evbus__trie_remove(struct evbus__trie *trie, const char *pattern,
    const void *value)
{
	struct evbus__trie_node *node;
	struct evbus__trie_path path;
	unsigned depth;
	uint32_t i;

	if (!evbus_pattern_valid(pattern))
		return EVBUS_ENOENT;
	evbus__trie_path_cut(trie, &path, pattern, strlen(pattern));
	i = path_walk(trie, &path, &depth);
	if (depth < path.count)
		return EVBUS_ENOENT;
	node = evbus__trie_node_at(trie, i);
	if (value_remove(node, value) != 0)
		return EVBUS_ENOENT;
	trie->values--;
	if (node->count == 0)
		evbus__trie_values_free(trie, node);
	evbus__trie_prune(trie, i);
	return 0;
}
