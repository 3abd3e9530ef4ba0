/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * stats.c - layer 4: what a reader's counters and cursors say.
 */
#include <string.h>

#include "reader/reader.h"

static void
add_place(struct evbus_reader_stats *stats, const struct evbus__place *place)
{
	const struct evbus__cursor *cursor = place->cursor;
	uint64_t seen, tail, lag_max;

	seen = EVBUS_LOAD(&cursor->seen, RELAXED);
	stats->passed += seen - cursor->start;
	if (place->shared != NULL)
		seen = EVBUS_LOAD(&place->shared->next, RELAXED);
	tail = EVBUS_LOAD(&place->stream->pub.ctl->tail, RELAXED);
	lag_max = EVBUS_LOAD(&cursor->lag_max, RELAXED);
	stats->delivered += EVBUS_LOAD(&cursor->delivered, RELAXED);
	stats->skipped += EVBUS_LOAD(&cursor->skipped, RELAXED);
	stats->holes += EVBUS_LOAD(&cursor->holes, RELAXED);
	stats->lost += EVBUS_LOAD(&cursor->lost, RELAXED);
	stats->lag += tail > seen ? tail - seen : 0;
	stats->demoted += EVBUS_LOAD(&cursor->demoted, RELAXED);
	stats->uncovered += EVBUS_LOAD(&place->uncovered, RELAXED) !=
	    UINT64_MAX;
	if (lag_max > stats->lag_max)
		stats->lag_max = lag_max;
}

int
evbus_reader_stats(const struct evbus_reader *reader,
    struct evbus_reader_stats *stats)
{
	const struct evbus__reader_entry *entry;
	uint32_t i;
	int error;

	if (reader == NULL || stats == NULL)
		return evbus__fail(EVBUS_EINVAL, "evbus_reader_stats: %s is "
		    "NULL", reader == NULL ? "reader" : "stats");
	memset(stats, 0, sizeof *stats);
	error = evbus__check_fork(reader->context);
	if (error == 0 && EVBUS_LOAD(&reader->state, RELAXED) !=
	    EVBUS__READER_OPEN)
		error = evbus__fail(EVBUS_ECLOSED, "the reader is closed");
	if (error != 0)
		return error;
	entry = reader->entry;
	stats->calls = EVBUS_LOAD(&entry->calls, RELAXED);
	stats->polls = EVBUS_LOAD(&entry->polls, RELAXED);
	stats->parks = EVBUS_LOAD(&entry->parks, RELAXED);
	stats->verdicts = EVBUS_LOAD(&entry->verdicts, RELAXED);
	stats->retained = EVBUS_LOAD(&entry->retained, RELAXED);
	memcpy(stats->name, entry->name, sizeof stats->name);
	stats->streams = EVBUS_LOAD(&reader->places, ACQUIRE);
	for (i = 0; i < stats->streams; i++)
		add_place(stats, reader->place[i]);
	return 0;
}

int
evbus_reader_position(const struct evbus_reader *reader,
    const struct evbus_stream *stream, uint64_t *sequence)
{
	const struct evbus__place *place;
	int error;

	if (reader == NULL || stream == NULL || sequence == NULL)
		return evbus__fail(EVBUS_EINVAL, "evbus_reader_position: %s "
		    "is NULL", reader == NULL ? "reader" : stream == NULL ?
		    "stream" : "sequence");
	error = evbus__check_fork(reader->context);
	if (error != 0)
		return error;
	place = evbus__reader_place(reader, evbus__stream_of(stream));
	if (place == NULL)
		return evbus__fail(EVBUS_ENOENT, "the reader has no cursor in "
		    "that stream");
	*sequence = EVBUS_LOAD(place->shared != NULL ? &place->shared->next :
	    &place->cursor->next, RELAXED);
	return 0;
}
