/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * deadlock.c - layer 2: a wait that only the caller could end (S3).
 *
 * Before a thread sleeps it notes what it waits for, and looks who could end
 * that: the threads that run the readers that hold the gate, and those with
 * open claims in the way.  From each of these that waits itself, the look goes
 * on.  All of them must move before the wait can end, so any way back to the
 * caller is a deadlock.  Notes and looks are made under one lock: of a cycle
 * of waits the last to be noted sees all others.
 *
 * A reader that stands after others moves when these do.  Lossless ones are
 * found on their own, since they hold the gate as well; a lossy one is found
 * through the readers behind it that must move.
 *
 * Who runs a reader: the thread that last polled it; before that, its worker;
 * before that, the thread that opened it, but only while the process has no
 * other thread that may yet come to poll.
 *
 * A group's cursor is moved by any of its members: that is a deadlock only if
 * the caller runs all of them.  A cycle that goes through members of several
 * threads is not told, and ends by the time limit: it would take all of them to
 * stand in cycles, and one that is told of none would be one too many.
 */
#include <string.h>

#include "stream/stream.h"

struct search {
	struct evbus__context *context;
	struct evbus_publisher *self;
	unsigned char *visited;		/* by number */
	uint32_t *queue;		/* numbers of threads that wait */
	uint32_t head, tail;
	int alone;			/* no other thread in the process */
	int found;
};

/* What is asked of one stream. */
struct need {
	const struct evbus__set *set;
	uint64_t gate;
	unsigned kind;
	uint32_t mark;			/* of members that must move */
	int ordered;			/* one of these stands after others */
};

/* The id of the thread that runs the reader, or 0. */
static uint32_t
runner(const struct evbus__reader_entry *reader, int alone)
{
	if (EVBUS_LOAD(&reader->polled, RELAXED))
		return EVBUS_LOAD(&reader->owner, RELAXED);
	return alone ? EVBUS_LOAD(&reader->opener, RELAXED) : 0;
}

int
evbus__runs_reader(struct evbus__context *context,
    const struct evbus_publisher *publisher,
    const struct evbus__reader_entry *reader)
{
	uint32_t id = runner(reader, 0);

	if (id == 0)
		id = EVBUS_LOAD(&reader->opener, RELAXED);
	/* A reader whose thread has ended belongs to who asks. */
	EVBUS_ASSERT(id != 0);
	return id == publisher->id ||
	    evbus__publisher_by_id(context, id) == NULL;
}

static void
visit(struct search *search, const struct evbus_publisher *publisher)
{
	uint32_t number;

	if (publisher == NULL)
		return;
	if (publisher == search->self) {
		search->found = 1;
		return;
	}
	number = publisher->id & 0xffffu;
	if (search->visited[number])
		return;
	search->visited[number] = 1;
	if (publisher->wait_kind != EVBUS__WAIT_NONE)
		search->queue[search->tail++] = number;
}

static void
visit_claims(struct search *search, uint32_t stream, uint64_t gate)
{
	struct evbus__context *context = search->context;
	const struct evbus__open_claim *claim;
	uint32_t i, c;

	for (i = 1; i <= context->max_publishers; i++) {
		if (EVBUS_LOAD(&context->publishers[i].used, RELAXED) != 1)
			continue;
		claim = context->publishers[i].claim;
		for (c = 0; c < EVBUS_CLAIMS_MAX; c++)
			if (EVBUS_LOAD(&claim[c].stream, ACQUIRE) == stream &&
			    EVBUS_LOAD(&claim[c].sequence, RELAXED) < gate)
				visit(search, &context->publishers[i]);
	}
}

/* Must this cursor move, or does time alone end the wait (stall_ns)? */
static int
must_move(const struct evbus__member *member, unsigned kind, uint64_t gate)
{
	return EVBUS_LOAD(&member->cursor->next, RELAXED) < gate &&
	    evbus__member_gates(member) &&
	    (kind == EVBUS__WAIT_FLUSH || member->stall_ns == 0);
}

static void
visit_member(struct search *search, struct need *need,
    const struct evbus__member *member)
{
	member->ahead->search = need->mark;
	if (evbus__ahead_count(member->ahead) > 0)
		need->ordered = 1;
	visit(search, evbus__publisher_by_id(search->context,
	    runner(member->reader, search->alone)));
}

/* Does a reader that must move stand after this lossy one, which is behind? */
static int
is_waited_for(const struct need *need, const struct evbus__member *member)
{
	const struct evbus__ahead *ahead;
	uint32_t i;

	if (EVBUS_LOAD(&member->cursor->next, RELAXED) >= need->gate)
		return 0;
	for (i = 0; i < need->set->count; i++) {
		ahead = need->set->member[i].ahead;
		if (ahead->search == need->mark &&
		    evbus__stands_after(ahead, member->cursor->reader))
			return 1;
	}
	return 0;
}

/* Visit the lossy ones that are waited for; how many were not known yet. */
static uint32_t
visit_lossy(struct search *search, struct need *need)
{
	const struct evbus__member *member;
	uint32_t i, visited = 0;

	for (i = need->set->gating; i < need->set->count; i++) {
		member = &need->set->member[i];
		if (member->ahead->search != need->mark &&
		    is_waited_for(need, member)) {
			visit_member(search, need, member);
			visited++;
		}
	}
	return visited;
}

/*
 * Any member of a group can move its cursor: only the caller could, if it runs
 * them all.  Who closed but stays in the set, for lack of memory, is none.
 */
static int
runs_group(const struct search *search, const struct evbus__set *set,
    const void *group)
{
	const struct evbus__member *member;
	uint32_t i;
	int found = 0;

	for (i = set->gating; i < set->count; i++) {
		member = &set->member[i];
		if (member->group != group ||
		    EVBUS_LOAD(&member->cursor->used, RELAXED) == 0)
			continue;
		if (runner(member->reader, search->alone) != search->self->id)
			return 0;
		found = 1;
	}
	return found;
}

/* A flush waits for what members have in hand as well: only they handle it. */
static void
visit_members(struct search *search, const struct evbus__set *set,
    uint64_t gate)
{
	const struct evbus__cursor *cursor;
	uint64_t next;
	uint32_t i;

	for (i = set->gating; i < set->count; i++) {
		if (set->member[i].group == NULL)
			continue;
		cursor = set->member[i].cursor;
		next = EVBUS_LOAD(&cursor->next, RELAXED);
		if (next < gate && next < EVBUS_LOAD(&cursor->until, RELAXED))
			visit(search, evbus__publisher_by_id(search->context,
			    runner(set->member[i].reader, search->alone)));
	}
}

static void
visit_gating(struct search *search, struct need *need,
    const struct evbus__member *member)
{
	if (member->group == NULL)
		visit_member(search, need, member);
	else if (runs_group(search, need->set, member->group))
		search->found = 1;
}

/* Who must move before the gate of a stream reaches `gate`? */
static void
visit_stream(struct search *search, unsigned kind, uint32_t number,
    uint64_t gate)
{
	struct evbus__context *context = search->context;
	struct evbus__stream *stream = evbus__stream_number(context, number);
	struct evbus__epoch_record *record =
	    &evbus__thread_of(context, search->self)->epoch;
	struct need need = {
		NULL, gate, kind, ++context->streams->searches, 0
	};
	uint32_t i;

	evbus__epoch_begin(&context->epoch, record);
	need.set = EVBUS_LOAD(&stream->set, ACQUIRE);		/* SET */
	for (i = 0; i < need.set->gating; i++)
		if (must_move(&need.set->member[i], kind, gate))
			visit_gating(search, &need, &need.set->member[i]);
	while (need.ordered && visit_lossy(search, &need) > 0)
		;
	if (kind == EVBUS__WAIT_FLUSH)
		visit_members(search, need.set, gate);
	evbus__epoch_end(&context->epoch, record);
	visit_claims(search, number, gate);
}

static void
visit_reader(struct search *search, uint64_t index)
{
	const struct evbus__reader_entry *reader = evbus__map_entry(
	    search->context->map, EVBUS__TABLE_READERS, index);

	/* Also where it is between its handlers and on_closed. */
	visit(search, evbus__publisher_by_id(search->context,
	    EVBUS_LOAD(&reader->owner, RELAXED)));
}

static void
expand(struct search *search, unsigned kind, uint64_t what, uint64_t need)
{
	EVBUS_ASSERT(kind != EVBUS__WAIT_NONE);
	if (kind == EVBUS__WAIT_READER)
		visit_reader(search, what);
	else
		visit_stream(search, kind, (uint32_t)what, need);
}

static void
look(struct search *search, unsigned kind, uint64_t what, uint64_t need)
{
	const struct evbus_publisher *other;

	expand(search, kind, what, need);
	while (!search->found && search->head < search->tail) {
		other = &search->context->publishers[
		    search->queue[search->head++]];
		expand(search, other->wait_kind, other->wait_what,
		    other->wait_need);
	}
}

int
evbus__wait_note(struct evbus__context *context,
    struct evbus_publisher *publisher, unsigned kind, uint64_t what,
    uint64_t need)
{
	struct search search = { .context = context, .self = publisher };
	struct evbus__streams *streams = context->streams;

	search.alone = evbus__os_threads() == 1;
	evbus__mutex_lock(&context->wait_lock);
	search.visited = streams->visited;
	search.queue = streams->queue;
	memset(search.visited, 0, context->max_publishers + 1u);
	publisher->wait_kind = kind;
	publisher->wait_what = what;
	publisher->wait_need = need;
	publisher->wait_since = evbus__os_now();
	look(&search, kind, what, need);
	if (search.found)
		publisher->wait_kind = EVBUS__WAIT_NONE;
	evbus__mutex_unlock(&context->wait_lock);
	if (!search.found)
		return 0;
	if (kind == EVBUS__WAIT_READER)
		return evbus__fail(EVBUS_EDEADLK, "waiting for a handler that "
		    "itself waits for this thread");
	return evbus__fail(EVBUS_EDEADLK, "waiting for the readers of stream "
	    "\"%s\", and only this thread could let them go on: it runs one "
	    "that is behind, holds an open claim, or stands in a cycle of "
	    "waits",
	    evbus__stream_number(context, (uint32_t)what)->pattern);
}

void
evbus__wait_forget(struct evbus__context *context,
    struct evbus_publisher *publisher)
{
	evbus__mutex_lock(&context->wait_lock);
	publisher->wait_kind = EVBUS__WAIT_NONE;
	evbus__mutex_unlock(&context->wait_lock);
}
