/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * stall.c - layer 2: a reader that holds publishers up is told, once when it
 * has stalled and once when it has recovered (S1).
 *
 * Stalled: publishers have waited for stall_report_ns while its cursor stood at
 * one place.  A publisher that waits tells it, from where it sleeps.
 * Recovered: its cursor has moved, and the thread that runs it tells so; or it
 * was closed, and who closed it does.  Telling is publishing in a stream of the
 * bus's own, without waiting, by a function given from above.
 *
 * Argument (STALL).  A cursor's `stall` goes NONE, BUSY, TOLD, BUSY, NONE.  The
 * first and the third step are compare-and-swaps; who does one tells, and takes
 * the step that follows when it has told.  So there is one report of each kind
 * per episode, and they come in order, those of the next episode behind them.
 *  - A told stall is counted in the upper bits of the stream's waiters, which
 *    who moves a cursor loads anyhow (SPACE): it costs nothing while there is
 *    none.  Cursor, light fence, waiters and stall, on one side; TOLD and
 *    waiters, heavy fence, cursor once more on the other: one sees the other.
 *    The publisher that finds the cursor moved takes the third step itself.
 *  - All of a publisher's steps are inside one epoch section in whose set the
 *    cursor is: who closes waits for it (SET) and then finds TOLD or NONE, and
 *    nobody is told of for another.  Nothing in there waits, and no user code
 *    runs: the stream of reports keeps no time, and has nothing to give back.
 *  - A publish to the stream of reports has no time to wait, so it does not
 *    come here again.
 */
#include <string.h>

#include "stream/stream.h"

enum { NONE, BUSY, TOLD };

static void
describe_place(struct evbus_stall *stall, const struct evbus__where *where)
{
	uint32_t line;
	const char *file = evbus__where_file(where, &line);
	size_t length;

	if (file == NULL)
		return;
	length = strlen(file);
	if (length >= sizeof stall->file)
		file += length - (sizeof stall->file - 1);
	strncpy(stall->file, file, sizeof stall->file - 1);
	stall->line = line;
}

static void
tell(struct evbus__stream *stream, const struct evbus__cursor *cursor,
    const struct evbus__where *where, int over, uint32_t flags)
{
	struct evbus__context *context = stream->context;
	const struct evbus__reader_entry *entry = evbus__map_entry(
	    context->map, EVBUS__TABLE_READERS, cursor->reader);
	struct evbus_stall stall = {
		.version = EVBUS_STALL_VERSION,
		.size = sizeof stall,
		.sequence = EVBUS_LOAD(&cursor->next, RELAXED),
		.stream = stream->pub.number,
	};
	uint64_t tail = EVBUS_LOAD(&stream->pub.ctl->tail, RELAXED);

	stall.lag = tail > stall.sequence ? tail - stall.sequence : 0;
	stall.held_ns = evbus__os_now() -
	    EVBUS_LOAD(&cursor->told_since, RELAXED);
	if (EVBUS_LOAD(&cursor->demoted, RELAXED) != 0)
		flags |= EVBUS_STALL_DEMOTED;
	stall.flags = flags;
	memcpy(stall.reader, entry->name, sizeof stall.reader);
	describe_place(&stall, where);
	EVBUS__DELAY(stall_tell);
	/* Somebody subscribed, or there would be no stall. */
	context->streams->tell(context, &stall, over);
}

/* The last two steps. */
void
evbus__stall_over(struct evbus__stream *stream, struct evbus__cursor *cursor,
    const struct evbus__where *where, uint32_t flags)
{
	uint32_t told = TOLD;

	/* STALL: acquire, partner begin(): its words, and after its report. */
	if (EVBUS_LOAD(&cursor->stall, RELAXED) != TOLD ||
	    !EVBUS_CAS(&cursor->stall, &told, BUSY, ACQUIRE, RELAXED))
		return;
	(void)EVBUS_FETCH_ADD(&stream->pub.ctl->waiters,
	    -EVBUS__WAITS_STALLED, RELAXED);
	tell(stream, cursor, where, 1, flags);
	/* STALL: release, partner begin(): the next report comes after it. */
	EVBUS_STORE(&cursor->stall, NONE, RELEASE);
}

/* The first two, in a section. */
static void
begin(struct evbus__stream *stream, const struct evbus__member *member,
    uint64_t next, int64_t since)
{
	struct evbus__cursor *cursor = member->cursor;
	uint32_t none = NONE;

	/* STALL: acquire, partner evbus__stall_over(). */
	if (!EVBUS_CAS(&cursor->stall, &none, BUSY, ACQUIRE, RELAXED))
		return;
	EVBUS_STORE(&cursor->told_since, since, RELAXED);
	tell(stream, cursor, member->where, 0, 0);
	/* STALL: release, partner evbus__stall_over(). */
	EVBUS_STORE(&cursor->stall, TOLD, RELEASE);
	(void)EVBUS_FETCH_ADD(&stream->pub.ctl->waiters,
	    EVBUS__WAITS_STALLED, RELAXED);
	EVBUS__DELAY(stall_told);
	evbus__fence_heavy();					/* STALL */
	if (EVBUS_LOAD(&cursor->next, RELAXED) != next)
		evbus__stall_over(stream, cursor, member->where, 0);
}

/*
 * Tell of the reader that holds publishers below `gate`, if it is time; when to
 * look again, or EVBUS_FOREVER.
 */
static int64_t
look(struct evbus__stream *stream, const struct evbus__set *set, uint64_t gate)
{
	int64_t report_ns = stream->context->streams->stall_report_ns;
	int64_t now = evbus__os_now(), since, due;
	const struct evbus__member *member;
	uint64_t next;

	member = evbus__lowest_reader(stream, set, gate, &next);
	if (member == NULL ||
	    EVBUS_LOAD(&member->cursor->stall, RELAXED) != NONE)
		return EVBUS_FOREVER;
	/* Not who waits for somebody's commit. */
	if (EVBUS_LOAD(&evbus__slot(&stream->pub, next)->stamp, RELAXED) !=
	    next + 1)
		return now + report_ns;
	since = evbus__stalled_since(member->cursor, next, now);
	due = since > INT64_MAX - report_ns ? INT64_MAX : since + report_ns;
	if (now < due)
		return due;
	begin(stream, member, next, since);
	return EVBUS_FOREVER;
}

int64_t
evbus__stall_due(struct evbus__stream *stream,
    struct evbus_publisher *publisher, uint64_t gate)
{
	struct evbus__context *context = stream->context;
	struct evbus__epoch_record *record =
	    &evbus__thread_of(context, publisher)->epoch;
	int64_t due;

	/* Partner: release in evbus__reports_open(): its topics. */
	if (EVBUS_LOAD(&context->streams->tell, ACQUIRE) == NULL ||
	    context->streams->stall_report_ns < 0)
		return EVBUS_FOREVER;
	evbus__epoch_begin(&context->epoch, record);
	due = look(stream, EVBUS_LOAD(&stream->set, ACQUIRE), gate); /* SET */
	evbus__epoch_end(&context->epoch, record);
	return due;
}
