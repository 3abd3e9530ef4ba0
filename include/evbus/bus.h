/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * bus.h - layer 6: open, flush, close, free.
 */
#ifndef EVBUS_BUS_H
#define EVBUS_BUS_H

#include <evbus/error.h>
#include <evbus/stream.h>

struct evbus;

/*
 * Memory of the control plane.  alloc and free or neither; any alignment will
 * do.  Called with the bus's lock held: they must not call the bus.
 */
struct evbus_allocator {
	void *(*alloc)(size_t size_bytes, void *arg);	/* NULL: no memory */
	void (*free)(void *, size_t size_bytes, void *arg);
	void *arg;
};

/* Zero means default. */
struct evbus_options {
	const char *name;		/* up to 31 bytes; "evbus" */
	struct evbus_stream_options stream;	/* of the default stream */
	uint32_t max_topics;		/* up to 2^24 - 1; 65,536 */
	uint32_t max_readers;		/* up to 65,535; 1,024 */
	uint32_t max_publishers;	/* threads, up to 65,535; 256 */
	uint32_t max_streams;		/* with the default one, up to 1,024; 64 */
	uint64_t ring_memory;		/* bytes of address space for rings and
					 * pools; 1 GiB; used as touched */
	uint32_t name_memory;		/* bytes for topic names; 64 a topic */
	uint32_t max_timers;		/* armed at a time, up to 2^20; 1,024 */
	uint32_t timer_payload;		/* bytes that a timer keeps, up to 16
					 * MiB; `stream`'s max_payload */
	struct evbus_allocator allocator;
	int64_t (*clock)(void *arg);	/* monotonic, ns */
	void *clock_arg;
	void (*log)(int code, const char *message, void *arg);
	void *log_arg;
	int64_t stall_report_ns;	/* a reader that publishers have waited
					 * for so long is told on
					 * "$bus.reader.stalled"; 0: 100 ms, -1:
					 * never.  evbus(7) */
	int own_loop;			/* the readers of evbus_subscribe() and
					 * those of worker "evbus" have no
					 * thread: evbus_run_once() runs them */
};

struct evbus_reader_report {
	char name[32];
	uint64_t delivered;
	uint64_t left;			/* committed, never looked at */
	uint64_t lost;			/* lossy readers */
	uint64_t lag_max;
	int lossy;
	int running;			/* a handler was still running */
};

/* What evbus_close() found.  `reader` belongs to the bus, until evbus_free(). */
struct evbus_report {
	uint64_t delivered;		/* sums over all readers */
	uint64_t left;			/* over lossless ones */
	uint64_t lost;
	uint64_t open_claims;
	uint64_t timers;		/* that were armed; they are dropped */
	unsigned running;		/* readers whose handler still ran, and
					 * a timer whose validator did */
	unsigned readers;
	const struct evbus_reader_report *reader;
};

EVBUS_BEGIN_DECLS

/*
 * evbus_open() - open a bus; `options` may be NULL: all defaults.
 * Any thread.  evbus_open(3)
 */
EVBUS_API int evbus__open(struct evbus **, const struct evbus_options *,
    size_t options_size, unsigned layout);

EVBUS_INLINE int
evbus_open(struct evbus **bus, const struct evbus_options *options)
{
	return evbus__open(bus, options, sizeof *options, EVBUS_LAYOUT);
}

/*
 * evbus_flush() - wait until every lossless reader has passed all that was
 * committed before the call; a claim that is open among these must end first.
 * 0, EVBUS_ETIMEDOUT, EVBUS_EDEADLK (inside a handler, or where a reader or an
 * open claim of the caller's is in the way), EVBUS_ECLOSED.
 * evbus_flush(3)
 */
EVBUS_API int evbus_flush(struct evbus *, int64_t timeout_ns);

/*
 * evbus_close() - refuse publishes from outside handlers, wake waiting ones,
 * let readers finish (those last run by the caller are run here), and close:
 * when all is delivered, or at the timeout; it always returns, and from then on
 * every handle answers EVBUS_ECLOSED (L3).  0; EVBUS_ETIMEDOUT: closed, with
 * something left, see `report` (may be NULL); EVBUS_EDEADLK inside a handler or
 * with open claims of the caller's: nothing was done.  evbus_close(3)
 */
EVBUS_API int evbus_close(struct evbus *, int64_t timeout_ns,
    struct evbus_report *);

/*
 * evbus_free() - give the memory back.  EVBUS_EBUSY if the bus is not closed,
 * or somebody is still inside a call or handler.  NULL is fine.  No handle of
 * the bus may be used afterwards.  evbus_close(3)
 */
EVBUS_API int evbus_free(struct evbus *);

/*
 * evbus_publisher_name() - the name of the thread that event->publisher
 * numbers; valid until evbus_free().  "?" for an unknown number.
 * evbus_publisher_set_name() - name the calling thread on this bus, up to 31
 * bytes.  evbus_publisher_name(3)
 */
EVBUS_API const char *evbus_publisher_name(struct evbus *, uint16_t publisher);
EVBUS_API int evbus_publisher_set_name(struct evbus *, const char *name);

EVBUS_END_DECLS

#endif /* EVBUS_BUS_H */
