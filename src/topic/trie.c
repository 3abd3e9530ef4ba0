/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * trie.c - layer 3: see trie.h.
 *
 * Nodes have 56 bytes and are named by 32-bit numbers, so that a million names
 * stay small; 64 of them are allocated at a time, and those that become free
 * are kept for the next insert.  0 is the root, and "none" in every link.
 *
 * One hash table for the whole trie, keyed by parent and token, finds a child
 * among any number of siblings.  The siblings' list serves select, which goes
 * down and up along the links and needs no stack.  Match needs one: a name of
 * d tokens leaves at most d branches for later, one per level, because the
 * walk goes on with the other at once.
 *
 * An insert first gets all the memory it can need, then changes the trie;
 * nothing has to be undone.
 */
#include <string.h>

#include "topic/trie.h"

#define CHUNK_NODES	64u
#define CHUNK_SIZE	(CHUNK_NODES * sizeof(struct evbus__trie_node))
#define CHUNKS_FIRST	8u
#define BUCKETS_FIRST	64u
#define NODES_MAX	(UINT32_C(1) << 31)
#define VALUES_ROOM_MAX	31	/* log2: of one pattern */

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
	uint8_t kind;		/* enum kind */
};
EVBUS_STATIC_ASSERT(sizeof(struct evbus__trie_node) <= 56,
    "a million names fit in 150 MB");

enum kind {
	KIND_LITERAL,
	KIND_STAR,
	KIND_REST
};

/* A text, cut into its tokens. */
struct token {
	uint64_t hash;		/* literals only */
	uint8_t at;		/* offset in the text */
	uint8_t length;
	uint8_t kind;
};
struct path {
	const char *text;
	unsigned count;
	struct token token[EVBUS__TOKENS_MAX];
};

static struct evbus__trie_node *
node_at(const struct evbus__trie *trie, uint32_t i)
{
	EVBUS_ASSERT(i < trie->made);
	return &trie->chunks[i / CHUNK_NODES][i % CHUNK_NODES];
}

static void
token_cut(const struct evbus__trie *trie, struct token *token,
    const char *text, size_t at, size_t end)
{
	char c = text[at];

	token->at = (uint8_t)at;
	token->length = (uint8_t)(end - at);
	token->hash = 0;
	token->kind = KIND_LITERAL;
	if (c == '*')
		token->kind = KIND_STAR;
	else if (c == '>')
		token->kind = KIND_REST;
	else
		token->hash = evbus__name_hash(&trie->key, text + at,
		    end - at);
}

/* `text` is valid and has `length` bytes. */
static void
path_cut(const struct evbus__trie *trie, struct path *path, const char *text,
    size_t length)
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

/* The same token has another hash below each parent. */
static uint32_t
child_hash(uint32_t parent, const struct token *token)
{
	uint64_t h;

	h = token->hash ^ parent * UINT64_C(0x9e3779b97f4a7c15);
	h = (h ^ h >> 32) * UINT64_C(0xd6e8feb86659fd93);
	return (uint32_t)(h ^ h >> 32);
}

static uint32_t
child_find(const struct evbus__trie *trie, uint32_t parent,
    const struct path *path, unsigned depth)
{
	const struct token *token = &path->token[depth];
	const char *text = path->text + token->at;
	uint32_t hash = child_hash(parent, token), i;
	struct evbus__trie_node *node;

	i = trie->buckets[hash & (trie->bucket_count - 1)];
	for (; i != 0; i = node->chain) {
		node = node_at(trie, i);
		if (node->hash == hash && node->parent == parent &&
		    node->length == token->length &&
		    memcmp(node->token, text, token->length) == 0)
			return i;
	}
	return 0;
}

/* The node of path's token `depth` below `parent`; 0: there is none. */
static uint32_t
step(const struct evbus__trie *trie, uint32_t parent, const struct path *path,
    unsigned depth)
{
	switch (path->token[depth].kind) {
	case KIND_STAR:
		return node_at(trie, parent)->star;
	case KIND_REST:
		return node_at(trie, parent)->rest;
	default:
		return child_find(trie, parent, path, depth);
	}
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

static int
reserve_nodes(struct evbus__trie *trie, unsigned n)
{
	struct evbus__trie_node *chunk;

	if (trie->live > NODES_MAX - n)
		return EVBUS_ENOMEM;
	while ((uint64_t)trie->chunk_count * CHUNK_NODES <
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
	struct evbus__trie_node *node = node_at(trie, i);
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
			next = node_at(trie, i)->chain;
			bucket_add(trie, i);
		}
	}
}

/* At most one node per bucket on average. */
static int
reserve_buckets(struct evbus__trie *trie, unsigned n)
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

/* Room for one value more at a node that is there. */
static int
reserve_value(struct evbus__trie *trie, struct evbus__trie_node *node)
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

static void **
values_of(struct evbus__trie_node *node)
{
	return node->room == 0 ? &node->value.one : node->value.many;
}

static void
values_free(struct evbus__trie *trie, struct evbus__trie_node *node)
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
		node = node_at(trie, i);
	} else {
		node = node_at(trie, i);
		trie->free = node->chain;
	}
	memset(node, 0, sizeof *node);
	trie->live++;
	return i;
}

static void
node_link(struct evbus__trie *trie, uint32_t i, uint32_t parent)
{
	struct evbus__trie_node *node = node_at(trie, i);
	struct evbus__trie_node *above = node_at(trie, parent);

	if (node->kind == KIND_STAR) {
		above->star = i;
	} else if (node->kind == KIND_REST) {
		above->rest = i;
	} else {
		node->next = above->child;
		if (node->next != 0)
			node_at(trie, node->next)->prev = i;
		above->child = i;
		bucket_add(trie, i);
	}
}

static uint32_t
node_add(struct evbus__trie *trie, uint32_t parent, const struct token *token,
    const char *text)
{
	uint32_t i = node_take(trie);
	struct evbus__trie_node *node = node_at(trie, i);

	node->parent = parent;
	node->kind = token->kind;
	node->token = text;
	if (token->kind == KIND_LITERAL) {
		node->length = token->length;
		node->hash = child_hash(parent, token);
	}
	node_link(trie, i, parent);
	return i;
}

static void
bucket_remove(struct evbus__trie *trie, uint32_t i)
{
	struct evbus__trie_node *node = node_at(trie, i);
	uint32_t *link = &trie->buckets[node->hash & (trie->bucket_count - 1)];

	while (*link != i) {
		EVBUS_ASSERT(*link != 0);
		link = &node_at(trie, *link)->chain;
	}
	*link = node->chain;
}

static void
node_unlink(struct evbus__trie *trie, uint32_t i)
{
	struct evbus__trie_node *node = node_at(trie, i);
	struct evbus__trie_node *above = node_at(trie, node->parent);

	if (node->kind == KIND_STAR) {
		above->star = 0;
		return;
	}
	if (node->kind == KIND_REST) {
		above->rest = 0;
		return;
	}
	bucket_remove(trie, i);
	if (node->prev != 0)
		node_at(trie, node->prev)->next = node->next;
	else
		above->child = node->next;
	if (node->next != 0)
		node_at(trie, node->next)->prev = node->prev;
}

static int
node_empty(const struct evbus__trie_node *node)
{
	return node->count == 0 && node->child == 0 && node->star == 0 &&
	    node->rest == 0;
}

/* Give back a node and those above it that have become empty. */
static void
prune(struct evbus__trie *trie, uint32_t i)
{
	struct evbus__trie_node *node = node_at(trie, i);
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
		node = node_at(trie, i);
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
	    reserve_nodes(trie, 1) != 0) {
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
		node = node_at(trie, i);
		values_free(trie, node);
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

/* The deepest node of the path that is there; *depth: its tokens. */
static uint32_t
path_walk(const struct evbus__trie *trie, const struct path *path,
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
path_add(struct evbus__trie *trie, uint32_t i, const struct path *path,
    unsigned depth, const char *tail, size_t length)
{
	size_t skip = path->token[depth].at;
	unsigned first = depth;

	EVBUS_ASSERT(trie->live + path->count - depth <= trie->bucket_count);
	for (; depth < path->count; depth++) {
		i = node_add(trie, i, &path->token[depth],
		    tail + (path->token[depth].at - skip));
		if (depth == first && !trie->borrow)
			node_at(trie, i)->owned = (uint8_t)(length - skip);
	}
	return i;
}

/* The node of the path, made if need be and with room for a value; 0: no
 * memory. */
static uint32_t
path_make(struct evbus__trie *trie, const struct path *path, size_t length)
{
	unsigned depth, missing;
	const char *tail;
	uint32_t i = path_walk(trie, path, &depth);
	size_t skip;

	missing = path->count - depth;
	if (missing == 0)
		return reserve_value(trie, node_at(trie, i)) == 0 ? i : 0;
	if (reserve_nodes(trie, missing) != 0 ||
	    reserve_buckets(trie, missing) != 0)
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
	struct path path;
	size_t length;
	uint32_t i;
	int rc = evbus__pattern_check(pattern, &length);

	if (rc != 0)
		return rc;
	path_cut(trie, &path, pattern, length);
	i = path_make(trie, &path, length);
	if (i == 0)
		return evbus__fail(EVBUS_ENOMEM, "no memory to keep \"%s\" "
		    "beside %llu others", pattern,
		    (unsigned long long)trie->values);
	node = node_at(trie, i);
	EVBUS_ASSERT(node->count < UINT32_C(1) << node->room);
	values_of(node)[node->count++] = value;
	trie->values++;
	return 0;
}

static int
value_remove(struct evbus__trie_node *node, const void *value)
{
	void **values = values_of(node);
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
	struct path path;
	unsigned depth;
	uint32_t i;

	if (!evbus_pattern_valid(pattern))
		return EVBUS_ENOENT;
	path_cut(trie, &path, pattern, strlen(pattern));
	i = path_walk(trie, &path, &depth);
	if (depth < path.count)
		return EVBUS_ENOENT;
	node = node_at(trie, i);
	if (value_remove(node, value) != 0)
		return EVBUS_ENOENT;
	trie->values--;
	if (node->count == 0)
		values_free(trie, node);
	prune(trie, i);
	return 0;
}

static int
emit(const struct evbus__trie *trie, uint32_t i, evbus__trie_fn fn, void *arg)
{
	struct evbus__trie_node *node = node_at(trie, i);
	void **values = values_of(node);
	uint32_t v;
	int rc;

	for (v = 0; v < node->count; v++) {
		rc = fn(values[v], arg);
		if (rc != 0)
			return rc;
	}
	return 0;
}

/* Branches that match left for later. */
struct pending {
	uint32_t node;
	uint32_t depth;
};
struct match {
	const struct evbus__trie *trie;
	struct path path;
	unsigned pending_count;
	struct pending pending[EVBUS__TOKENS_MAX];
};

/*
 * Node `i` stands for the name's first `depth` tokens, of which one more is
 * there.  Returns the branch to go on with; the other is kept, at a depth that
 * only this one has: hence one per level.
 */
static uint32_t
match_branch(struct match *m, uint32_t i, unsigned depth)
{
	const struct evbus__trie_node *node = node_at(m->trie, i);
	uint32_t literal = 0, star = node->star;
	struct pending *later;

	if (depth == 0 && m->path.text[0] == '$')
		star = 0;
	if (node->child != 0)
		literal = child_find(m->trie, i, &m->path, depth);
	if (literal == 0)
		return star;
	if (star != 0) {
		EVBUS_ASSERT(m->pending_count < EVBUS__TOKENS_MAX);
		later = &m->pending[m->pending_count++];
		later->node = star;
		later->depth = depth + 1;
	}
	return literal;
}

static int
match_rest(const struct match *m, uint32_t i, unsigned depth,
    evbus__trie_fn fn, void *arg)
{
	uint32_t rest = node_at(m->trie, i)->rest;

	if (rest == 0 || (depth == 0 && m->path.text[0] == '$'))
		return 0;
	return emit(m->trie, rest, fn, arg);
}

/* Follow one way down to its end. */
static int
match_down(struct match *m, uint32_t i, unsigned depth, evbus__trie_fn fn,
    void *arg)
{
	int rc;

	for (; depth < m->path.count; depth++) {
		rc = match_rest(m, i, depth, fn, arg);
		if (rc != 0)
			return rc;
		i = match_branch(m, i, depth);
		if (i == 0)
			return 0;
	}
	return emit(m->trie, i, fn, arg);
}

int
evbus__trie_match(const struct evbus__trie *trie, const char *name,
    evbus__trie_fn fn, void *arg)
{
	struct pending next = {0, 0};
	struct match m;
	int rc;

	if (!evbus_topic_valid(name))
		return 0;
	m.trie = trie;
	m.pending_count = 0;
	path_cut(trie, &m.path, name, strlen(name));
	for (;;) {
		rc = match_down(&m, next.node, next.depth, fn, arg);
		if (rc != 0 || m.pending_count == 0)
			return rc;
		next = m.pending[--m.pending_count];
	}
}

/*
 * select: a walk over the names' nodes that stands at one node and knows how
 * many tokens lie above it.
 */

/* From `i` along its siblings to the first that a wildcard may stand for. */
static uint32_t
skip_dollar(const struct evbus__trie *trie, uint32_t i, unsigned depth)
{
	if (depth > 0)
		return i;
	while (i != 0 && node_at(trie, i)->token[0] == '$')
		i = node_at(trie, i)->next;
	return i;
}

/* Is every token from `depth` on free?  `depth` may be beyond the last. */
static int
in_rest(const struct path *path, unsigned depth)
{
	return path->token[path->count - 1].kind == KIND_REST &&
	    depth >= path->count - 1;
}

/* The first node below `i` that fits; 0: none, or the pattern ends here. */
static uint32_t
select_down(const struct evbus__trie *trie, const struct path *path,
    uint32_t i, unsigned depth)
{
	if (in_rest(path, depth) || (depth < path->count &&
	    path->token[depth].kind == KIND_STAR))
		return skip_dollar(trie, node_at(trie, i)->child, depth);
	if (depth == path->count)
		return 0;
	return child_find(trie, i, path, depth);
}

/* The next node beside `i`, which stands for token `depth`. */
static uint32_t
select_next(const struct evbus__trie *trie, const struct path *path,
    uint32_t i, unsigned depth)
{
	if (!in_rest(path, depth) && path->token[depth].kind != KIND_STAR)
		return 0;
	return skip_dollar(trie, node_at(trie, i)->next, depth);
}

/*
 * Up from `i` until there is something beside it.  Back at the root, 0: the
 * walk is over.
 */
static uint32_t
select_up(const struct evbus__trie *trie, const struct path *path, uint32_t i,
    unsigned *depth)
{
	uint32_t next;

	while (*depth > 0) {
		next = select_next(trie, path, i, *depth - 1);
		if (next != 0)
			return next;
		i = node_at(trie, i)->parent;
		--*depth;
	}
	return 0;
}

int
evbus__trie_select(const struct evbus__trie *trie, const char *pattern,
    evbus__trie_fn fn, void *arg)
{
	struct path path;
	unsigned depth = 0;
	uint32_t i = 0, down;
	int rc;

	if (!evbus_pattern_valid(pattern))
		return 0;
	path_cut(trie, &path, pattern, strlen(pattern));
	do {
		down = select_down(trie, &path, i, depth);
		if (down != 0) {
			i = down;
			depth++;
		} else {
			i = select_up(trie, &path, i, &depth);
		}
		if (i != 0 && (depth == path.count || in_rest(&path,
		    depth - 1))) {
			rc = emit(trie, i, fn, arg);
			if (rc != 0)
				return rc;
		}
	} while (i != 0);
	return 0;
}
