/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * stall.h - layer 2: what the bus tells of readers that hold publishers up.
 *
 * Two topics of the bus's own, in a stream of their own:
 *
 *	$bus.reader.stalled	a publisher has been waiting for a reader that
 *				stands at one place
 *	$bus.reader.recovered	it moved on, or was closed
 *
 * One of each per episode, with this struct as payload.  They are published
 * once somebody has subscribed to them ("$bus.>"), and never wait: what does
 * not fit their stream is dropped.  evbus(7)
 */
#ifndef EVBUS_STALL_H
#define EVBUS_STALL_H

#include <evbus/base.h>

#define EVBUS_STALL_VERSION	1u

#define EVBUS_STALL_DEMOTED	0x0001u	/* it was made lossy meanwhile */
#define EVBUS_STALL_CLOSED	0x0002u	/* it was closed */

/* Fields are added at its end only. */
struct evbus_stall {
	uint32_t version;	/* EVBUS_STALL_VERSION */
	uint32_t size;		/* of this struct, bytes */
	uint64_t sequence;	/* where the reader stands, in that stream */
	uint64_t lag;		/* events between there and the tail */
	int64_t held_ns;	/* since the first publisher was held up at the
				 * place where it stalled */
	uint32_t flags;		/* EVBUS_STALL_* */
	uint32_t line;		/* of `file` */
	uint16_t stream;	/* number of the stream that it holds up */
	uint16_t reserved[3];
	char reader[32];	/* its name */
	char file[96];		/* where it subscribed last: the end of the
				 * name, if that is longer */
};
EVBUS_STATIC_ASSERT(sizeof(struct evbus_stall) == 176, "stall is locked");

#endif /* EVBUS_STALL_H */
