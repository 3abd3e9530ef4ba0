/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * retain.c - layer 3: see retain.h.
 */
#include <evbus/claim.h>

#include "topic/retain.h"

static size_t
size_of(uint32_t room)
{
	return sizeof(struct evbus__retained) + room;
}

int
evbus__retained_make(struct evbus__context *context, uint32_t room,
    struct evbus__retained **result)
{
	struct evbus__retained *retained = evbus__alloc(context,
	    size_of(room));

	if (retained == NULL)
		return evbus__fail(EVBUS_ENOMEM, "no memory to keep an event "
		    "of %u bytes", room);
	evbus__mutex_init(&retained->lock);
	retained->room = room;
	*result = retained;
	return 0;
}

void
evbus__retained_destroy(struct evbus__context *context,
    struct evbus__retained *retained)
{
	if (retained == NULL)
		return;
	evbus__mutex_destroy(&retained->lock);
	evbus__free(context, retained, size_of(retained->room));
}

static void
keep(struct evbus__retained *retained, const struct evbus_header *header,
    uint64_t sequence, const void *data, size_t size)
{
	EVBUS_ASSERT(size <= retained->room);
	retained->after = sequence + 1;
	retained->time = (int64_t)EVBUS_PLAIN_LOAD(&header->time);
	retained->cause = EVBUS_PLAIN_LOAD(&header->cause);
	retained->publisher =
	    evbus__meta_publisher(EVBUS_PLAIN_LOAD(&header->meta));
	retained->size = (uint32_t)size;
	if (size > 0)
		memcpy(retained->data, data, size);
}

void
evbus__stamp_retained(struct evbus__retained *retained,
    struct evbus_header *header, uint64_t sequence, const void *data,
    size_t size)
{
	evbus__mutex_lock(&retained->lock);
	EVBUS__DELAY(retain);
	/* Another thread may have been faster with a later one. */
	if (sequence >= retained->after)
		keep(retained, header, sequence, data, size);
	/* RETAIN: not seen by a reader before the lock is free for who joins. */
	evbus__stamp(header, sequence);
	evbus__mutex_unlock(&retained->lock);
}
