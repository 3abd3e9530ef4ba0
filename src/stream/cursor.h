/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * cursor.h - layer 2: the shared halves of readers: what producers, other
 * threads and the command that looks from outside see of them.  All of it lies
 * in the mapping.
 */
#ifndef EVBUS_SRC_CURSOR_H
#define EVBUS_SRC_CURSOR_H

#include <evbus/publisher.h>
#include <evbus/ring.h>

/* A cursor that gates nobody any more, though it is still in the set. */
#define EVBUS__CURSOR_GONE	(UINT64_MAX / 2)

/* A reader's place in one stream. */
struct evbus__cursor {
	/* Written by the reader, read by producers when the gate is used up. */
	uint64_t next EVBUS_ALIGNED(EVBUS_LINE);
				/* next sequence it will look at; of a
				 * member of a group, which gates nobody,
				 * the first that it has in hand */
	uint64_t until;		/* of a member: it has next .. until in hand */
	uint64_t pin;		/* ticket of the payload outside the ring that
				 * it reads now; 0: none */

	/* Written by the reader at the end of each batch. */
	uint64_t delivered EVBUS_ALIGNED(EVBUS_LINE);
	uint64_t skipped;
	uint64_t holes;
	uint64_t lost;
	uint64_t seen;		/* `next` as of these counters */
	uint64_t lag_max;
	uint64_t lost_from;	/* the first sequence it lost, + 1; 0: none */

	/* Written when the reader joins. */
	uint64_t start;
	uint32_t reader;	/* index in the table of readers */
	uint32_t stream;	/* number */
	uint32_t used;
	uint32_t lossy;

	/* Written by publishers that it holds up (stream/demote.c). */
	uint64_t stalled_at;	/* `next` + 1, then; 0: never */
	int64_t stalled_since;	/* monotonic, ns */
	uint32_t demoted;	/* it gates no more */
	uint32_t demotable;	/* written when it joins */
	uint32_t stall;		/* whether it was told: stream/stall.c */
	uint32_t reserved;
	int64_t told_since;	/* stalled_since, then */

	/* Groups (src/group/). */
	uint64_t handed;	/* of a group: the smallest sequence that was
				 * handed over and not taken; GONE: none */
};
_Static_assert(offsetof(struct evbus__cursor, delivered) == 128 &&
    offsetof(struct evbus__cursor, handed) < 256 &&
    sizeof(struct evbus__cursor) == 256, "cursor is locked");

/* A reader as others see it. */
struct evbus__reader_entry {
	/* Written by the thread that runs it. */
	uint32_t running EVBUS_ALIGNED(EVBUS_LINE);
				/* odd: inside a poll */
	uint32_t owner;		/* id of the thread that last ran it */
	uint64_t current;	/* subscription whose handler runs; 0: none */
	uint64_t calls;		/* handler calls */
	uint64_t polls;		/* that found something */
	uint64_t parks;
	uint64_t verdicts;	/* handlers' answers that were refused */
	uint64_t retained;	/* events that topics had kept for it */

	/* Written under the bus's lock. */
	uint32_t used EVBUS_ALIGNED(EVBUS_LINE);
	uint32_t opener;	/* id of the thread that may run it until one
				 * did; 0: a worker */
	uint32_t polled;	/* owner is valid */
	uint32_t lossy;
	uint32_t worker;	/* number of its worker + 1; 0: none */
	uint32_t closer;	/* evbus_close() runs it, nobody else */
	uint32_t group;		/* 1: it stands for a group */
	char name[EVBUS_NAME_MAX];
};
_Static_assert(offsetof(struct evbus__reader_entry, used) == 128 &&
    sizeof(struct evbus__reader_entry) == 256, "reader entry is locked");

#endif /* EVBUS_SRC_CURSOR_H */
