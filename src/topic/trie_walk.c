/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * trie_walk.c - layer 3: match and select; see trie.h.
 *
 * The siblings' list serves select, which goes down and up along the links and
 * needs no stack.  Match needs one: a name of d tokens leaves at most d
 * branches for later, one per level, because the walk goes on with the other
 * at once.
 */
#include <string.h>

#include "topic/trie_node.h"

static int
emit(const struct evbus__trie *trie, uint32_t i, evbus__trie_fn fn, void *arg)
{
	struct evbus__trie_node *node = evbus__trie_node_at(trie, i);
	void **values = evbus__trie_values(node);
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
	struct evbus__trie_path path;
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
	const struct evbus__trie_node *node = evbus__trie_node_at(m->trie, i);
	uint32_t literal = 0, star = node->star;
	struct pending *later;

	if (depth == 0 && m->path.text[0] == '$')
		star = 0;
	if (node->child != 0)
		literal = evbus__trie_child(m->trie, i, &m->path, depth);
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
	uint32_t rest = evbus__trie_node_at(m->trie, i)->rest;

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
	evbus__trie_path_cut(trie, &m.path, name, strlen(name));
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
	while (i != 0 && evbus__trie_node_at(trie, i)->token[0] == '$')
		i = evbus__trie_node_at(trie, i)->next;
	return i;
}

/* Is every token from `depth` on free?  `depth` may be beyond the last. */
static int
in_rest(const struct evbus__trie_path *path, unsigned depth)
{
	return path->token[path->count - 1].kind == EVBUS__KIND_REST &&
	    depth >= path->count - 1;
}

/* The first node below `i` that fits; 0: none, or the pattern ends here. */
static uint32_t
select_down(const struct evbus__trie *trie, const struct evbus__trie_path *path,
    uint32_t i, unsigned depth)
{
	if (in_rest(path, depth) || (depth < path->count &&
	    path->token[depth].kind == EVBUS__KIND_STAR))
		return skip_dollar(trie, evbus__trie_node_at(trie, i)->child,
		    depth);
	if (depth == path->count)
		return 0;
	return evbus__trie_child(trie, i, path, depth);
}

/* The next node beside `i`, which stands for token `depth`. */
static uint32_t
select_next(const struct evbus__trie *trie, const struct evbus__trie_path *path,
    uint32_t i, unsigned depth)
{
	if (!in_rest(path, depth) &&
	    path->token[depth].kind != EVBUS__KIND_STAR)
		return 0;
	return skip_dollar(trie, evbus__trie_node_at(trie, i)->next, depth);
}

/*
 * Up from `i` until there is something beside it.  Back at the root, 0: the
 * walk is over.
 */
static uint32_t
select_up(const struct evbus__trie *trie,
    const struct evbus__trie_path *path, uint32_t i, unsigned *depth)
{
	uint32_t next;

	while (*depth > 0) {
		next = select_next(trie, path, i, *depth - 1);
		if (next != 0)
			return next;
		i = evbus__trie_node_at(trie, i)->parent;
		--*depth;
	}
	return 0;
}

int
evbus__trie_select(const struct evbus__trie *trie, const char *pattern,
    evbus__trie_fn fn, void *arg)
{
	struct evbus__trie_path path;
	unsigned depth = 0;
	uint32_t i = 0, down;
	int rc;

	if (!evbus_pattern_valid(pattern))
		return 0;
	evbus__trie_path_cut(trie, &path, pattern, strlen(pattern));
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
