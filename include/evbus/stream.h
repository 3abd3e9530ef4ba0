/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * stream.h - layer 2: a stream is one ring and the pattern of topics that it
 * carries.
 *
 * A bus opens with one default stream that carries every topic for which no
 * other stream was opened.  Streams live until evbus_free().
 */
#ifndef EVBUS_STREAM_H
#define EVBUS_STREAM_H

#include <evbus/error.h>
#include <evbus/ring.h>

struct evbus;

/* What a publish does when the stream is full. */
enum evbus_on_full {
	EVBUS_ON_FULL_WAIT = 0,		/* wait, up to the time limit */
	EVBUS_ON_FULL_FAIL = 1		/* answer EVBUS_EFULL at once */
};

enum evbus_producers {
	EVBUS_PRODUCERS_MANY = 0,
	EVBUS_PRODUCERS_ONE = 1		/* the first thread that publishes;
					 * others get EVBUS_EOWNER */
};

/*
 * The time in each event.  Sampled: the publisher's last reading of the clock;
 * it reads it at every 64th event of its own and whenever it wakes a sleeping
 * reader (F7).
 */
enum evbus_times {
	EVBUS_TIMES_SAMPLED = 0,
	EVBUS_TIMES_PRECISE = 1,	/* one clock reading per event */
	EVBUS_TIMES_NONE = 2
};

/* Where a reader starts in each stream that it joins. */
enum evbus_start {
	EVBUS_START_NOW = 0,		/* the next event */
	EVBUS_START_OLDEST = 1,		/* the oldest one still held */
	EVBUS_START_SEQUENCE = 2,	/* .sequence; too old is EVBUS_EGONE for
					 * a lossless reader, `lost` for a
					 * lossy one */
	EVBUS_START_RETAINED = 3	/* of each topic that retains, its newest
					 * event; then the next event */
};

/* Zero means default.  evbus_stream_open(3) */
struct evbus_stream_options {
	uint32_t capacity;	/* slots; a power of two, 2 .. 2^28; 4096 */
	uint32_t slot_size;	/* bytes; a power of two, 64 .. 4096; 64 */
	uint32_t max_payload;	/* bytes, up to 16 MiB; 4096.  Payloads over
				 * slot_size - 32 go to the stream's pool */
	uint32_t pool_blocks;	/* blocks of max_payload bytes, up to 2^20;
				 * capacity / 4, at least 2 */
	uint32_t max_references; /* payloads by reference at a time, up to
				 * 2^20; capacity / 4, at least 2 */
	enum evbus_producers producers;
	enum evbus_on_full on_full;
	enum evbus_times times;
	int64_t timeout_ns;	/* of a publish that waits; 0: one second,
				 * EVBUS_FOREVER: none */
	uint32_t extensions;	/* EVBUS_EXT_*; none is supported yet */
	uint64_t first_sequence; /* for tests: where the numbering starts,
				 * below 2^48 - 2^32 */
};

/*
 * The process's handle of a stream.  The fields are for the inlines only.
 * All are constant after open.
 */
struct evbus_stream {
	unsigned char *slots;
	struct evbus_ring_ctl *ctl;
	uint64_t mask;			/* capacity - 1 */
	uint64_t serial;		/* of the bus */
	uint64_t time_mask;		/* 0: no times, else all ones */
	uint32_t shift;			/* log2(slot size) */
	uint32_t fast_size;		/* of its topics (topic.h): 0 with full
					 * fences, precise times, extensions */
	uint8_t single;			/* one producer */
	uint8_t fence_full;		/* EVBUS_FENCE_LIGHT must be full */
	uint8_t times;			/* enum evbus_times */
	uint8_t on_full;
	uint32_t slot_size;		/* bytes */

	uint32_t inline_max;		/* bytes of payload in a slot */
	uint16_t number;		/* 1..; the default stream is 1 */
	uint8_t header_size;		/* header and extensions */
	uint8_t reserved;
	uint32_t magic;
	uint32_t max_payload;
	int64_t timeout_ns;
	struct evbus *bus;
};

/* What a stream has counted since it was opened. */
struct evbus_stream_stats {
	uint64_t capacity;		/* slots */
	uint64_t tail;			/* next sequence */
	uint64_t gate;			/* cached */
	uint64_t holes;
	uint64_t refused;		/* EVBUS_EFULL */
	uint64_t timedout;		/* EVBUS_ETIMEDOUT */
	uint64_t deadlocks;		/* EVBUS_EDEADLK */
	uint64_t waits;
	uint64_t wait_ns;
	uint64_t waiting;		/* publishers that wait now */
	uint64_t gate_reads;
	uint64_t wakes;
	uint64_t space_wakes;
	uint64_t outside_taken;
	uint64_t outside_given;
	uint64_t outside_empty;
	uint64_t rejected;		/* by validators: EVBUS_EREJECTED */
};

EVBUS_BEGIN_DECLS

/*
 * evbus_stream_open() - open a stream for the topics that `pattern` matches.
 *
 * Open streams before the topics they are to carry: EVBUS_EBUSY if such a topic
 * exists already, EVBUS_EEXIST if a topic could belong to this stream and to
 * another one opened earlier (the default stream aside).  `options` may be
 * NULL.  The stream belongs to the bus.  Any thread; takes the bus's lock.
 * evbus_stream_open(3)
 */
EVBUS_API int evbus__stream_open(struct evbus *, const char *pattern,
    const struct evbus_stream_options *, size_t options_size, unsigned layout,
    struct evbus_stream **);

EVBUS_INLINE int
evbus_stream_open(struct evbus *bus, const char *pattern,
    const struct evbus_stream_options *options, struct evbus_stream **stream)
{
	return evbus__stream_open(bus, pattern, options, sizeof *options,
	    EVBUS_LAYOUT, stream);
}

/* evbus_stream_default() - the bus's default stream; NULL for a NULL bus. */
EVBUS_API struct evbus_stream *evbus_stream_default(struct evbus *);

/*
 * evbus_stream_stats() - read the counters.  Each is exact, all together are
 * not one moment.  Any thread; wait-free.  evbus_stream_open(3)
 */
EVBUS_API int evbus_stream_stats(const struct evbus_stream *,
    struct evbus_stream_stats *);

EVBUS_END_DECLS

#endif /* EVBUS_STREAM_H */
