/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * holder.c - layer 2: who holds a stream up, in words (S1, S5).
 */
#include <stdio.h>

#include "stream/stream.h"

/* The open claim with the smallest sequence below `gate`; NULL: none. */
static const struct evbus_publisher *
oldest_claim(const struct evbus__context *context, uint32_t stream,
    uint64_t gate, uint64_t *sequence)
{
	const struct evbus_publisher *publisher, *found = NULL;
	const struct evbus__open_claim *claim;
	uint64_t at;
	uint32_t i, c;

	*sequence = gate;
	for (i = 1; i <= context->max_publishers; i++) {
		publisher = &context->publishers[i];
		/* Partner: release in make_record(): its numbers. */
		if (EVBUS_LOAD(&publisher->used, ACQUIRE) != 1)
			continue;
		for (c = 0; c < EVBUS_CLAIMS_MAX; c++) {
			claim = &publisher->claim[c];
			if (EVBUS_LOAD(&claim->stream, RELAXED) != stream)
				continue;
			at = EVBUS_LOAD(&claim->sequence, RELAXED);
			if (at < *sequence) {
				*sequence = at;
				found = publisher;
			}
		}
	}
	return found;
}

const struct evbus__member *
evbus__lowest_reader(const struct evbus__stream *stream,
    const struct evbus__set *set, uint64_t gate, uint64_t *sequence)
{
	const struct evbus__member *found = NULL;
	uint64_t next;
	uint32_t i;

	*sequence = gate;
	for (i = 0; i < set->gating; i++) {
		next = EVBUS_LOAD(&set->member[i].cursor->next, RELAXED);
		if ((next < *sequence || (found != NULL &&
		    next == *sequence && evbus__member_waits(stream, found,
		    next))) && evbus__member_gates(&set->member[i])) {
			*sequence = next;
			found = &set->member[i];
		}
	}
	/* A flush waits for what members of groups have in hand, too. */
	for (i = set->gating; i < set->count && found == NULL; i++) {
		next = EVBUS_LOAD(&set->member[i].cursor->next, RELAXED);
		if (set->member[i].group != NULL && next < *sequence &&
		    next < EVBUS_LOAD(&set->member[i].cursor->until, RELAXED)) {
			*sequence = next;
			found = &set->member[i];
		}
	}
	return found;
}

static void
describe_reader(const struct evbus__member *member, uint64_t sequence,
    char *text, size_t size)
{
	uint32_t line;
	const char *file = evbus__where_file(member->where, &line);
	int n;

	n = snprintf(text, size, "%s \"%s\"", member->reader->group ?
	    "group" : "reader", member->reader->name);
	/* What did not fit, or failed, is not gone on with. */
	if (file != NULL && (size_t)n < size)
		n += snprintf(text + n, size - (size_t)n,
		    ", subscribed at %s:%u,", file,
		    line);
	if ((size_t)n < size)
		(void)snprintf(text + n, size - (size_t)n,
		    " is at sequence %llu", (unsigned long long)sequence);
}

void
evbus__describe_holder(struct evbus__stream *stream,
    struct evbus_publisher *self, uint64_t gate, char *text, size_t size)
{
	struct evbus__context *context = stream->context;
	struct evbus__epoch_record *record =
	    &evbus__thread_of(context, self)->epoch;
	const struct evbus_publisher *publisher;
	const struct evbus__member *member;
	uint64_t claimed, next;

	publisher = oldest_claim(context, stream->pub.number, gate, &claimed);
	evbus__epoch_begin(&context->epoch, record);
	member = evbus__lowest_reader(stream,
	    EVBUS_LOAD(&stream->set, ACQUIRE), gate, &next);	/* SET */
	if (publisher != NULL && claimed <= next)
		(void)snprintf(text, size, "thread number %u (%u to the "
		    "system) claimed sequence %llu and has not committed it",
		    publisher->id & 0xffffu, publisher->tid,
		    (unsigned long long)claimed);
	else if (member != NULL)
		describe_reader(member, next, text, size);
	else
		(void)snprintf(text, size, "nobody does any more");
	evbus__epoch_end(&context->epoch, record);
}
