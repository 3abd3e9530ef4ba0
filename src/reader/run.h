/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * run.h - layer 4: who runs a reader enters and leaves (GRACE in reader.h).
 *
 * Inline, since every poll pays for it; what is rare is in run.c.
 */
#ifndef EVBUS_SRC_RUN_H
#define EVBUS_SRC_RUN_H

#include "reader/reader.h"

/* Somebody is inside already: EVBUS_EDEADLK or EVBUS_EBUSY. */
int evbus__run_refuse(const struct evbus_reader *,
    const struct evbus_publisher *self);
/*
 * The caller runs it from now on, unless evbus_close() does (EVBUS_ECLOSED).
 * As who closes the bus: only if nobody else runs it (1: somebody does).
 */
int evbus__run_adopt(struct evbus_reader *, struct evbus_publisher *self,
    int closes);
/* Inside, but bus or reader are not open: 0: go on; a refusal, and outside. */
int evbus__run_check(struct evbus_reader *);
/* Somebody waits for quiet, or left something to be finished here. */
void evbus__run_end_slowly(struct evbus_reader *);
/* To enter only to look: 1: evbus__run_end() must follow. */
int evbus__run_peek(struct evbus_reader *);

static inline void
evbus__run_end(struct evbus_reader *reader)
{
	struct evbus__reader_entry *entry = reader->entry;

	EVBUS_STORE(&entry->current, 0, RELEASE);		/* UNSUB */
	EVBUS_STORE(&entry->running, EVBUS_LOAD(&entry->running, RELAXED) + 1,
	    RELEASE);						/* GRACE */
	EVBUS__DELAY(run_end);
	EVBUS_FENCE_LIGHT(reader->fence_full);			/* GRACE */
	if (evbus_unlikely(EVBUS_LOAD(&reader->ending, RELAXED) != 0))
		evbus__run_end_slowly(reader);
}

/* 0: inside, and evbus__run_leave() must follow. */
static inline int
evbus__run_begin(struct evbus_reader *reader, struct evbus_publisher **self)
{
	struct evbus__reader_entry *entry = reader->entry;
	struct evbus_publisher *publisher = evbus__self(reader->context);
	uint32_t running;
	int error;

	*self = publisher;
	if (evbus_unlikely(publisher == NULL))
		return evbus__failed();
	running = EVBUS_LOAD(&entry->running, RELAXED);
	if (evbus_unlikely(running & 1))
		return evbus__run_refuse(reader, publisher);
	if (evbus_unlikely(EVBUS_LOAD(&entry->owner, RELAXED) !=
	    publisher->id)) {
		error = evbus__run_adopt(reader, publisher, 0);
		if (error != 0)
			return error;
	}
#ifdef EVBUS_DEBUG
	/* Two threads at once are told in debug builds. */
	if (!EVBUS_CAS(&entry->running, &running, running + 1, ACQ_REL,
	    RELAXED))
		return evbus__run_refuse(reader, publisher);
#else
	EVBUS_STORE(&entry->running, running + 1, RELAXED);	/* GRACE */
#endif
	EVBUS__DELAY(run_begin);
	EVBUS_FENCE_LIGHT(reader->fence_full);			/* GRACE */
	/* CLOSE: after the fence; partner: wait_for_handlers(), bus/close.c. */
	if (evbus_unlikely(EVBUS_LOAD(&reader->state, RELAXED) !=
	    EVBUS__READER_OPEN || EVBUS_LOAD(&reader->context->state,
	    RELAXED) != EVBUS__OPEN)) {
		error = evbus__run_check(reader);
		if (error != 0)
			return error;
	}
	evbus__call_enter(reader->context, publisher);
	return 0;
}

static inline void
evbus__run_leave(struct evbus_reader *reader, struct evbus_publisher *self)
{
	evbus__run_end(reader);
	evbus__call_leave(self);
}

#endif /* EVBUS_SRC_RUN_H */
