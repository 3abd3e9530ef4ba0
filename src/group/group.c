/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * group.c - layer 5: groups as a whole: who belongs to one, when it begins and
 * ends, its counters.
 *
 * A group exists from the first reader that is opened in it to the last that is
 * closed, or longer if it is kept.  It begins, in its streams, with the first
 * subscription; that sets its pattern, and from then on every member subscribes
 * the same one.  It ends with the last reader that has subscribed; what it has
 * not handled is told to the log.  The bus's lock is held.
 */
#include <stdio.h>
#include <string.h>

#include "group/group.h"

static size_t
group_size(const struct evbus__readers *readers)
{
	return sizeof(struct evbus__group) +
	    readers->max_streams * sizeof(struct evbus__share *);
}

static struct evbus__group *
find(const struct evbus__readers *readers, const char *name)
{
	struct evbus__group *group = readers->group_first;

	while (group != NULL && strcmp(group->stand->entry->name, name) != 0)
		group = group->next;
	return group;
}

static int
make(struct evbus__context *context, const struct evbus_reader_options *options,
    struct evbus__group **result)
{
	struct evbus__readers *readers = context->readers;
	struct evbus__group *group;
	int error;

	group = evbus__alloc(context, group_size(readers));
	if (group == NULL)
		return evbus__fail(EVBUS_ENOMEM, "no memory for a group");
	error = evbus__reader_stand(context, options->group, &group->stand);
	if (error != 0) {
		evbus__free(context, group, group_size(readers));
		return error;
	}
	group->kind = EVBUS_SHARED;
	group->keep = options->keep_group != 0;
	group->start = options->start;
	group->start_sequence = options->sequence;
	group->next = readers->group_first;
	readers->group_first = group;
	*result = group;
	return 0;
}

static void
destroy(struct evbus__group *group)
{
	struct evbus__context *context = group->stand->context;
	struct evbus__group **at = &context->readers->group_first;

	for (; *at != group; at = &(*at)->next)
		EVBUS_ASSERT(*at != NULL);
	*at = group->next;
	evbus__reader_fall(group->stand);
	evbus__free(context, group, group_size(context->readers));
}

static int
enter(struct evbus_reader *reader, const struct evbus_reader_options *options)
{
	struct evbus__group *group;
	int error = 0;

	group = find(reader->context->readers, options->group);
	if (group == NULL)
		error = make(reader->context, options, &group);
	else if (group->keep != (options->keep_group != 0))
		error = evbus__fail(EVBUS_EINVAL, "keep_group is %d, but group "
		    "\"%s\" was opened with %d", options->keep_group,
		    options->group, group->keep);
	else if (options->start != EVBUS_START_NOW &&
	    (options->start != group->start ||
	    options->sequence != group->start_sequence))
		error = evbus__fail(EVBUS_EINVAL, "group \"%s\" was opened "
		    "with another start: it has one for all its members",
		    options->group);
	if (error != 0)
		return error;
	group->readers++;
	reader->group = group;
	return 0;
}

static int
check(struct evbus_reader *reader, const char *pattern)
{
	const struct evbus__group *group = reader->group;

	if (reader->member == EVBUS__MEMBER_IN)
		return evbus__fail(EVBUS_EINVAL, "reader \"%s\" has subscribed "
		    "already: in a group a reader subscribes once",
		    reader->entry->name);
	if (reader->member == EVBUS__MEMBER_FAILED)
		return evbus__fail(EVBUS_EINVAL, "reader \"%s\" could not join "
		    "group \"%s\" before: close it and open another",
		    reader->entry->name, group->stand->entry->name);
	if (group->pattern[0] != '\0' && strcmp(group->pattern, pattern) != 0)
		return evbus__fail(EVBUS_EINVAL, "pattern \"%s\" is not that "
		    "of group \"%s\", which is \"%s\"", pattern,
		    group->stand->entry->name, group->pattern);
	return 0;
}

uint64_t
evbus__group_left(const struct evbus__group *group)
{
	const struct evbus__readers *readers = group->stand->context->readers;
	const struct evbus__share *share;
	uint64_t left = 0, next, tail;
	uint32_t i;

	for (i = 0; i < readers->max_streams; i++) {
		share = group->share[i];
		if (share == NULL)
			continue;
		/* GROUP: acquire: what members have in hand is read later. */
		next = EVBUS_LOAD(&share->cursor->next, ACQUIRE);
		tail = EVBUS_LOAD(&share->stream->pub.ctl->tail, RELAXED);
		left += evbus__share_waiting(share) +
		    (tail > next ? tail - next : 0);
	}
	return left;
}

/* Out of all streams; it may begin again. */
static void
stop(struct evbus__group *group, struct evbus_publisher *self)
{
	struct evbus__readers *readers = group->stand->context->readers;
	uint32_t i;

	for (i = 0; i < readers->max_streams; i++) {
		if (group->share[i] == NULL)
			continue;
		evbus__share_end(group->share[i], self);
		group->share[i] = NULL;
	}
	/* Behind the last report that names it. */
	EVBUS_STORE(&group->where.file, NULL, RELAXED);
	group->shares = 0;
	group->pattern[0] = '\0';
}

static void
tell_end(const struct evbus__group *group)
{
	evbus__log(group->stand->context, 0, "group \"%s\" has ended: %llu "
	    "events delivered, %llu handed over, %llu left",
	    group->stand->entry->name, (unsigned long long)group->delivered,
	    (unsigned long long)group->redelivered,
	    (unsigned long long)evbus__group_left(group));
}

static void
end_of_members(struct evbus__group *group, struct evbus_publisher *self)
{
	if (group->members > 0 || group->keep)
		return;
	tell_end(group);
	stop(group, self);
}

static void
subscribed(struct evbus_reader *reader, struct evbus_publisher *self,
    const struct evbus__subscription *subscription)
{
	struct evbus__group *group = reader->group;
	uint32_t i;

	if (subscription == NULL) {
		reader->member = EVBUS__MEMBER_FAILED;
		/* Who runs it has claimed nothing, and never will. */
		for (i = 0; i < reader->places; i++) {
			evbus__share_quit(reader->place[i]);
			evbus__stream_leave(reader->place[i]->stream, self,
			    reader->place[i]->cursor);
		}
		if (group->members == 0 && group->pattern[0] == '\0')
			stop(group, self);
		return;
	}
	reader->member = EVBUS__MEMBER_IN;
	if (group->pattern[0] == '\0')
		memcpy(group->pattern, subscription->pattern,
		    sizeof group->pattern);
	evbus__where_set(&group->where, subscription->file, subscription->line);
	group->members++;
	/* Partner: acquire in evbus__share_claim(): its table is filled. */
	for (i = 0; i < reader->places; i++)
		EVBUS_STORE(&reader->place[i]->armed, 1, RELEASE);
	evbus__park_nudge(reader->park);
}

static void
leave(struct evbus_reader *reader, struct evbus_publisher *self)
{
	struct evbus__group *group = reader->group;

	if (reader->member == EVBUS__MEMBER_IN) {
		group->members--;
		end_of_members(group, self);
	}
	reader->group = NULL;
	if (--group->readers == 0 && group->pattern[0] == '\0')
		destroy(group);
}

const struct evbus__group_calls evbus__groups = {
	.enter = enter,
	.leave = leave,
	.check = check,
	.subscribed = subscribed,
	.join = evbus__share_join,
	.quit = evbus__share_quit,
};

/* The thread has ended inside the handler: nobody is inside any more.  Who waits
 * for that takes the lock before he goes on; who frees, that of the process. */
static void
end_run(struct evbus_reader *reader, struct evbus_publisher *publisher)
{
	struct evbus__reader_entry *entry = reader->entry;

	EVBUS_STORE(&reader->inside, 0, RELAXED);
	EVBUS_STORE(&entry->current, 0, RELAXED);
	EVBUS_STORE(&entry->running, EVBUS_LOAD(&entry->running, RELAXED) + 1,
	    RELAXED);
	evbus__futex_wake(&entry->running, INT32_MAX);
	publisher->depth = 0;
	EVBUS_STORE(&publisher->calls, 0, RELAXED);
}

/*
 * The thread that ends has run the member last.  Another that comes to run it
 * needs the lock first (OWNER in reader/run.c), and then finds this done.
 */
static void
member_ends(struct evbus_reader *reader, struct evbus_publisher *publisher)
{
	int inside = EVBUS_LOAD(&reader->inside, RELAXED) == publisher->id;
	uint32_t i;

	reader->held = NULL;
	for (i = 0; i < reader->places; i++) {
		evbus__place_counters(reader->place[i]);
		(void)evbus__share_hand_over(reader->place[i]);
	}
	if (inside)
		end_run(reader, publisher);
}

void
evbus__groups_thread_ended(struct evbus__context *context,
    struct evbus_publisher *publisher)
{
	struct evbus__readers *readers = context->readers;
	struct evbus_reader *reader;
	uint32_t i;

	evbus__mutex_lock(&context->lock);
	for (i = 0; i < readers->opened; i++) {
		reader = readers->reader[i];
		if (reader->group != NULL &&
		    EVBUS_LOAD(&reader->entry->owner, RELAXED) ==
		    publisher->id)
			member_ends(reader, publisher);
	}
	evbus__mutex_unlock(&context->lock);
}

static void
add_member(struct evbus_group_stats *stats, const struct evbus_reader *reader)
{
	const struct evbus__cursor *cursor;
	uint32_t i;

	for (i = 0; i < reader->places; i++) {
		cursor = reader->place[i]->cursor;
		stats->delivered += EVBUS_LOAD(&cursor->delivered, RELAXED);
		stats->skipped += EVBUS_LOAD(&cursor->skipped, RELAXED);
		stats->holes += EVBUS_LOAD(&cursor->holes, RELAXED);
		stats->lost += EVBUS_LOAD(&cursor->lost, RELAXED);
		stats->in_hand += evbus__in_hand(cursor);
	}
}

static void
add_shares(struct evbus_group_stats *stats, const struct evbus__group *group)
{
	const struct evbus__readers *readers = group->stand->context->readers;
	const struct evbus__share *share;
	uint64_t next, tail;
	uint32_t i;

	for (i = 0; i < readers->max_streams; i++) {
		share = group->share[i];
		if (share == NULL)
			continue;
		next = EVBUS_LOAD(&share->cursor->next, RELAXED);
		tail = EVBUS_LOAD(&share->stream->pub.ctl->tail, RELAXED);
		stats->claimed += next - share->cursor->start;
		stats->left += tail > next ? tail - next : 0;
		stats->waiting += evbus__share_waiting(share);
	}
}

static void
fill_stats(const struct evbus__group *group, struct evbus_group_stats *stats)
{
	const struct evbus__readers *readers = group->stand->context->readers;
	uint32_t i;

	memset(stats, 0, sizeof *stats);
	memcpy(stats->name, group->stand->entry->name, sizeof stats->name);
	stats->members = group->members;
	stats->streams = group->shares;
	stats->kept = (uint32_t)group->keep;
	stats->redelivered = group->redelivered;
	add_shares(stats, group);
	stats->in_hand = stats->waiting;
	stats->delivered = group->delivered;
	stats->skipped = group->skipped;
	stats->holes = group->holes;
	stats->lost = group->lost;
	for (i = 0; i < readers->opened; i++)
		if (readers->reader[i]->group == group)
			add_member(stats, readers->reader[i]);
}

static int
end_group(struct evbus__group *group, struct evbus_publisher *self)
{
	if (group->readers > 0)
		return evbus__fail(EVBUS_EBUSY, "%u readers of group \"%s\" "
		    "are open: close them first", group->readers,
		    group->stand->entry->name);
	tell_end(group);
	stop(group, self);
	destroy(group);
	return 0;
}

/* Find the group, note its counters and end it if that is asked for. */
static int
look(struct evbus__context *context, const char *name,
    struct evbus_group_stats *stats, int end)
{
	struct evbus_publisher *self = evbus__self(context);
	struct evbus__group *group;
	int error = 0;

	if (self == NULL)
		return evbus__failed();
	evbus__call_enter(context, self);
	evbus__mutex_lock(&context->lock);
	group = find(context->readers, name);
	if (group == NULL)
		error = evbus__fail(EVBUS_ENOENT, "there is no group \"%s\"",
		    name);
	else {
		fill_stats(group, stats);
		if (end)
			error = end_group(group, self);
	}
	evbus__mutex_unlock(&context->lock);
	evbus__call_leave(self);
	return error;
}

int
evbus_group_stats(struct evbus *bus, const char *name,
    struct evbus_group_stats *stats)
{
	struct evbus__context *context = (struct evbus__context *)(void *)bus;
	int error;

	if (bus == NULL || name == NULL || stats == NULL)
		return evbus__fail(EVBUS_EINVAL, "evbus_group_stats: %s is "
		    "NULL", bus == NULL ? "bus" : name == NULL ? "name" :
		    "stats");
	error = evbus__check_alive(context);
	return error != 0 ? error : look(context, name, stats, 0);
}

int
evbus_group_end(struct evbus *bus, const char *name,
    struct evbus_group_stats *stats)
{
	struct evbus__context *context = (struct evbus__context *)(void *)bus;
	struct evbus_group_stats unwanted;
	int error;

	if (bus == NULL || name == NULL)
		return evbus__fail(EVBUS_EINVAL, "evbus_group_end: %s is NULL",
		    bus == NULL ? "bus" : "name");
	error = evbus__check_alive(context);
	return error != 0 ? error : look(context, name,
	    stats == NULL ? &unwanted : stats, 1);
}

void
evbus__groups_destroy(struct evbus__context *context)
{
	struct evbus__readers *readers = context->readers;
	struct evbus__group *group, *next;

	if (readers == NULL)
		return;
	for (group = readers->group_first; group != NULL; group = next) {
		next = group->next;
		stop(group, NULL);
		destroy(group);
	}
}
