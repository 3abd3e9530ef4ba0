/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ring.h - layer 1: the ring as it lies in memory: slots, stamps, sequences.
 *
 *	slot of sequence s = slots + ((s & mask) << shift)
 *
 *	 0        8        16       24       32 ...
 *	+--------+--------+--------+--------+------------+-----------------+
 *	| stamp  | meta   | time   | cause  | extensions | inline payload  |
 *	+--------+--------+--------+--------+------------+-----------------+
 *	stamp  s + 1 once the event of sequence s is committed (or is a hole);
 *	       anything else: not yet.  0 is never a stamp.
 *	meta   topic:24 | flags:8 | inline size:16 | publisher:16, low to high
 *	time   monotonic nanoseconds, 0 when the stream keeps none
 *	cause  stream:16 (high) | low 48 bits of the sequence; 0: none
 *
 * Invariants (DESIGN section 4; asserted in debug builds, explored in tests):
 *  1. gate <= every lossless cursor <= tail <= gate + N
 *  2. a slot is written only by the holder of its claim, and only while no
 *     lossless cursor needs it
 *  3. stamp(s) is seen => all bytes of s are seen
 *  4. cursors, tail and gate never go back
 *
 * The shape (stamp in the slot, one write for all readers, a gate that is
 * cached and recomputed only when used up) is that of the LMAX Disruptor and
 * of Vyukov's bounded queue, joined.
 */
#ifndef EVBUS_RING_H
#define EVBUS_RING_H

#include <evbus/atomic.h>

struct evbus_header {
	uint64_t stamp;
	uint64_t meta;
	uint64_t time;
	uint64_t cause;
};
EVBUS_STATIC_ASSERT(sizeof(struct evbus_header) == 32, "header is locked");
EVBUS_STATIC_ASSERT(offsetof(struct evbus_header, meta) == 8, "locked");
EVBUS_STATIC_ASSERT(offsetof(struct evbus_header, time) == 16, "locked");
EVBUS_STATIC_ASSERT(offsetof(struct evbus_header, cause) == 24, "locked");

/*
 * Extensions, in this order behind the header, each there only if the stream
 * was opened with it.  Their layout is fixed now; no stream can carry them
 * yet (evbus_stream_open answers EVBUS_ENOTSUP).
 */
struct evbus_ext_key {
	uint64_t key;
	uint64_t reserved;
};
struct evbus_ext_request {
	uint64_t token;		/* reply slot:32 | generation:32 */
	uint32_t stream;	/* where the reply goes */
	uint32_t reserved;
};
struct evbus_ext_trace {	/* W3C trace context, binary */
	uint8_t trace_id[16];
	uint8_t parent_id[8];
	uint8_t trace_flags;
	uint8_t reserved[7];
};
EVBUS_STATIC_ASSERT(sizeof(struct evbus_ext_key) == 16, "locked");
EVBUS_STATIC_ASSERT(sizeof(struct evbus_ext_request) == 16, "locked");
EVBUS_STATIC_ASSERT(sizeof(struct evbus_ext_trace) == 32, "locked");
#define EVBUS_EXT_KEY		0x01u
#define EVBUS_EXT_REQUEST	0x02u
#define EVBUS_EXT_TRACE		0x04u

/* Flags of a slot's meta word. */
#define EVBUS_SLOT_HOLE		0x01u	/* claimed, will never hold an event */
#define EVBUS_SLOT_OUTSIDE	0x02u	/* payload is a struct evbus_outside */

#define EVBUS_META_TOPIC_BITS	24
#define EVBUS_META_TOPIC_MASK	0xffffffu
#define EVBUS_TOPIC_LIMIT	(1u << EVBUS_META_TOPIC_BITS)
#define EVBUS_SEQUENCE_BITS	48
#define EVBUS_SEQUENCE_MASK	((UINT64_C(1) << EVBUS_SEQUENCE_BITS) - 1)

EVBUS__INLINE uint64_t
evbus__meta(uint32_t topic, unsigned flags, uint32_t size, uint32_t publisher)
{
	return (uint64_t)topic | (uint64_t)flags << 24 | (uint64_t)size << 32 |
	    (uint64_t)publisher << 48;
}

EVBUS__INLINE uint32_t
evbus__meta_topic(uint64_t meta)
{
	return (uint32_t)(meta & EVBUS_META_TOPIC_MASK);
}

EVBUS__INLINE unsigned
evbus__meta_flags(uint64_t meta)
{
	return (unsigned)(meta >> 24) & 0xffu;
}

EVBUS__INLINE uint32_t
evbus__meta_size(uint64_t meta)
{
	return (uint32_t)(meta >> 32) & 0xffffu;
}

EVBUS__INLINE uint16_t
evbus__meta_publisher(uint64_t meta)
{
	return (uint16_t)(meta >> 48);
}

/* What the slot holds instead of a payload that lies outside of it. */
struct evbus_outside {
	uint32_t entry;		/* index in the stream's table of payloads */
	uint32_t size;		/* bytes */
	uint64_t ticket;	/* the entry's state while it is this payload */
};
EVBUS_STATIC_ASSERT(sizeof(struct evbus_outside) == 16, "locked");

/*
 * The shared part of a ring: in the mapping, found by offset, no pointer in
 * it.  Lines by who writes them (F6).
 */
struct evbus_ring_ctl {
	/* Claim line: producers. */
	uint64_t tail EVBUS_ALIGNED(EVBUS_LINE);
				/* next sequence to be claimed */
	uint64_t limit;		/* gate + N: tail may not pass it; 0: closed */
	uint32_t owner;		/* the producer of a single-producer stream */

	/* Attention line: read by all at each event, written when somebody
	 * goes to sleep or is woken. */
	uint32_t attention EVBUS_ALIGNED(EVBUS_LINE);
				/* a reader (or a publisher that waits for a
				 * commit) sleeps: producers look */
	uint32_t waiters;	/* bits: publishers wait for space, readers for
				 * others that they stand after; above them how
				 * many stalls were told: readers look */

	/* Space line: futex of publishers that wait for space. */
	uint32_t space EVBUS_ALIGNED(EVBUS_LINE);
	uint32_t waiting;	/* publishers that wait now */
	uint64_t frontier;	/* all below it are committed or holes; kept
				 * only while no lossless reader gates */

	/* Counters of the slow paths; the fast ones count in their own line. */
	uint64_t holes EVBUS_ALIGNED(EVBUS_LINE);
	uint64_t refused;	/* publishes answered EVBUS_EFULL */
	uint64_t timedout;	/* ... EVBUS_ETIMEDOUT */
	uint64_t deadlocks;	/* ... EVBUS_EDEADLK */
	uint64_t waits;		/* publishes that had to wait */
	uint64_t wait_ns;	/* how long, all together */
	uint64_t gate_reads;	/* times the cursors were read */
	uint64_t wakes;		/* futex calls to wake readers */
	uint64_t space_wakes;	/* futex calls to wake publishers */
	uint64_t outside_taken;	/* payloads that lay outside their slot */
	uint64_t outside_given;	/* ... and were taken back */
	uint64_t outside_empty;	/* times no entry was free at first */
	uint64_t rejected;	/* payloads that a validator rejected */
};
EVBUS_STATIC_ASSERT(offsetof(struct evbus_ring_ctl, attention) == 128 &&
    offsetof(struct evbus_ring_ctl, space) == 256 &&
    offsetof(struct evbus_ring_ctl, holes) == 384 &&
    sizeof(struct evbus_ring_ctl) == 512, "control block is locked");

/* Takes a payload by reference back: called exactly once, on any thread that
 * is inside a call of this bus, with no lock held. */
typedef void (*evbus_release)(const void *data, size_t size, void *arg);

#endif /* EVBUS_RING_H */
