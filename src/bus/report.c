/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * report.c - layer 6: what a bus that is being closed has left: for close to
 * wait for, and for its report (L3).
 */
#include <string.h>

#include "bus/bus.h"

unsigned
evbus__open_claims(const struct evbus__context *context,
    const struct evbus_publisher *of)
{
	const struct evbus_publisher *publisher;
	unsigned claims = 0;
	uint32_t i, c;

	for (i = 1; i <= context->max_publishers; i++) {
		publisher = &context->publishers[i];
		if (of != NULL && publisher != of)
			continue;
		for (c = 0; c < EVBUS_CLAIMS_MAX; c++)
			claims += EVBUS_LOAD(&publisher->claim[c].stream,
			    RELAXED) != 0;
	}
	return claims;
}

int
evbus__is_open(const struct evbus_reader *reader)
{
	uint32_t state = EVBUS_LOAD(&reader->state, RELAXED);

	return state == EVBUS__READER_OPEN || state == EVBUS__READER_CLOSING;
}

uint64_t
evbus__left_for(const struct evbus_reader *reader, int owed)
{
	uint32_t i, places = reader->places;
	uint64_t left = 0, tail, next;

	for (i = 0; i < places; i++) {
		if (reader->place[i]->shared != NULL) {
			left += evbus__in_hand(reader->place[i]->cursor);
			continue;
		}
		if (owed && (reader->lossy || EVBUS_LOAD(
		    &reader->place[i]->cursor->demoted, RELAXED) != 0))
			continue;
		tail = EVBUS_LOAD(&reader->place[i]->stream->pub.ctl->tail,
		    RELAXED);
		next = EVBUS_LOAD(&reader->place[i]->cursor->next, RELAXED);
		left += tail > next ? tail - next : 0;
	}
	return left;
}

/* What nobody has in hand, and what members delivered that have left. */
static void
report_group(struct evbus *bus, const struct evbus__group *group,
    struct evbus_report *report)
{
	struct evbus_reader_report *row = &bus->report[report->readers++];

	memset(row, 0, sizeof *row);
	memcpy(row->name, group->stand->entry->name, sizeof row->name);
	row->delivered = group->delivered;
	row->left = evbus__group_left(group);
	report->delivered += row->delivered;
	report->left += row->left;
}

void
evbus__report_fill(struct evbus *bus, struct evbus_report *report)
{
	struct evbus__readers *readers = bus->context.readers;
	struct evbus_reader_report *row;
	struct evbus_reader_stats stats;
	const struct evbus__group *group;
	const struct evbus_reader *reader;
	uint32_t i;

	memset(report, 0, sizeof *report);
	report->open_claims = evbus__open_claims(&bus->context, NULL);
	/* In this order: who runs them no more has settled what it fired. */
	report->running = evbus__timers_runner(&bus->context) != 0;
	report->timers = evbus__timers_left(&bus->context);
	report->reader = bus->report;
	evbus__mutex_lock(&bus->context.lock);
	/* First: what they have claimed meanwhile is in a reader's hand. */
	for (group = readers->group_first; group != NULL; group = group->next)
		report_group(bus, group, report);
	for (i = 0; i < readers->opened; i++) {
		reader = readers->reader[i];
		if (!evbus__is_open(reader))
			continue;
		row = &bus->report[report->readers++];
		memset(row, 0, sizeof *row);
		memcpy(row->name, reader->entry->name, sizeof row->name);
		if (evbus_reader_stats(reader, &stats) == 0) {
			row->delivered = stats.delivered;
			row->lost = stats.lost;
			row->lag_max = stats.lag_max;
		}
		row->left = evbus__left_for(reader, 0);
		row->lossy = reader->lossy;
		/* Not who only looks whether there is something to read. */
		row->running = (EVBUS_LOAD(&reader->entry->running, RELAXED) &
		    1) != 0 &&
		    EVBUS_LOAD(&reader->entry->current, RELAXED) != 0;
		report->delivered += row->delivered;
		report->left += evbus__left_for(reader, 1);
		report->lost += row->lost;
		report->running += (unsigned)row->running;
	}
	evbus__mutex_unlock(&bus->context.lock);
}
