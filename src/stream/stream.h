/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * stream.h - layer 2: a stream: its ring, the set of cursors that gate it, what
 * happens when it is full, and what lies outside its slots.
 */
#ifndef EVBUS_SRC_STREAM_H
#define EVBUS_SRC_STREAM_H

#include <evbus/claim.h>
#include <evbus/stall.h>
#include <evbus/stream.h>

#include "base/map.h"
#include "base/thread.h"
#include "ring/outside.h"
#include "ring/park.h"
#include "stream/cursor.h"

#define EVBUS__STREAM_MAGIC	0x65765354u
#define EVBUS__LIMIT_CLOSED	UINT64_C(0)
#define EVBUS__AHEAD_MAX	8u

/* Bits of a control block's waiters. */
#define EVBUS__WAITS_SPACE	1u
#define EVBUS__WAITS_AFTER	2u
#define EVBUS__WAITS_STALLED	0x100u	/* one told stall */

/* The line of code that subscribed last; stays with the reader's memory. */
struct evbus__where {
	const char *file;		/* atomic; NULL: nobody did */
	uint32_t line;			/* atomic */
};

static inline void
evbus__where_set(struct evbus__where *where, const char *file, int line)
{
	EVBUS_STORE(&where->line, (uint32_t)line, RELAXED);
	/* Release, partner evbus__where_file(): the line goes with the file. */
	EVBUS_STORE(&where->file, file, RELEASE);
}

/* The file, and its line; NULL: nobody subscribed. */
static inline const char *
evbus__where_file(const struct evbus__where *where, uint32_t *line)
{
	/* Acquire, partner evbus__where_set(). */
	const char *file = EVBUS_LOAD(&where->file, ACQUIRE);

	*line = EVBUS_LOAD(&where->line, RELAXED);
	return file;
}

/* The readers that one stands after; with the reader's memory. */
struct evbus__ahead {
	uint32_t count;			/* constant while open; 0: none */
	uint32_t reader[EVBUS__AHEAD_MAX]; /* atomic: index + 1; 0: closed */
	uint32_t search;		/* mark of deadlock.c, under its lock */
};

static inline uint32_t
evbus__ahead_count(const struct evbus__ahead *ahead)
{
	/* Atomic, since a cursor that could not leave a set, for lack of
	 * memory, still names it when the reader's memory is used again. */
	return EVBUS_LOAD(&ahead->count, RELAXED);
}

/* One cursor in a stream. */
struct evbus__member {
	struct evbus__cursor *cursor;
	struct evbus__reader_entry *reader;
	struct evbus__park *park;
	uint64_t max_lag;		/* 0: none; at most the capacity */
	int64_t stall_ns;		/* 0: none */
	const struct evbus__where *where;
	struct evbus__ahead *ahead;
	const void *group;		/* it is a group's, or a member's of
					 * that group; NULL: neither */
};

/* All cursors in a stream, the gating ones first; swapped whole. */
struct evbus__set {
	uint32_t gating;		/* unless demoted */
	uint32_t count;
	struct evbus__member member[];
};

/* A stream in the mapping, for those who look from outside. */
struct evbus__stream_entry {
	char pattern[256];
	uint64_t slots;			/* offsets */
	uint64_t states;
	uint64_t blocks;
	uint32_t capacity;
	uint32_t slot_size;
	uint32_t header_size;
	uint32_t max_payload;
	uint32_t pool_blocks;
	uint32_t max_references;
	uint32_t producers;
	uint32_t on_full;
	uint32_t times;
	uint32_t number;
};

/* The private stream; the public handle is its first member. */
struct evbus__stream {
	struct evbus_stream pub;
	struct evbus__context *context;
	struct evbus__set *set;		/* atomic; epoch */
	struct evbus__stream_entry *entry;
	struct evbus__outside_table outside;
	uint64_t first;			/* sequence, where the numbering starts */
	uint32_t moves;			/* atomic: odd while what a member has
					 * in hand changes hands (GROUP) */
	char pattern[256];
};

struct evbus__streams {
	uint32_t count;			/* atomic */
	uint32_t limit;
	unsigned char *visited;		/* scratch of deadlock.c, by thread */
	uint32_t *queue;
	uint32_t searches;		/* streams that it looked at */
	int64_t stall_report_ns;	/* -1: never */
	/* Publish a report (given by layer 4); atomic; NULL: nobody asked. */
	void (*tell)(struct evbus__context *, const struct evbus_stall *,
	    int over);
	struct evbus__stream *stream[];	/* number - 1 */
};

/* stream.c */
int evbus__streams_init(struct evbus__context *, uint32_t limit);
void evbus__streams_destroy(struct evbus__context *);
/* Check and complete options; 0 or a refusal. */
int evbus__stream_options_check(struct evbus_stream_options *);
/* Make a stream; the bus's lock is held, or nobody knows the bus yet. */
int evbus__stream_make(struct evbus__context *, const char *pattern,
    const struct evbus_stream_options *, struct evbus__stream **);
struct evbus__stream *evbus__stream_number(const struct evbus__context *,
    uint32_t number);

static inline struct evbus__stream *
evbus__stream_of(const struct evbus_stream *stream)
{
	/* The handle is the first member of the private struct. */
	return (struct evbus__stream *)(uintptr_t)stream;
}

/* gate.c: the limit after reading the cursors, for a tail up to `need`. */
uint64_t evbus__gate_refresh(struct evbus__stream *, struct evbus_publisher *,
    uint64_t need);
/* The smallest lossless cursor, or what is committed where there is none. */
uint64_t evbus__gate_now(struct evbus__stream *, struct evbus_publisher *);
/* The same for flush: also what members of groups have in hand counts. */
uint64_t evbus__passed_now(struct evbus__stream *, struct evbus_publisher *);
/* evbus__demote_late(), in a section of its own. */
int64_t evbus__gate_due(struct evbus__stream *, struct evbus_publisher *,
    uint64_t need, uint64_t gate);

/* The first sequence in [from, until) that is neither committed nor a hole, or
 * `until`. */
uint64_t evbus__committed_from(const struct evbus__stream *, uint64_t from,
    uint64_t until);

/* set.c: join and leave; the bus's lock is held. */
int evbus__stream_join(struct evbus__stream *, struct evbus_publisher *self,
    const struct evbus__member *, int lossy, int start, uint64_t sequence);
void evbus__stream_leave(struct evbus__stream *, struct evbus_publisher *self,
    struct evbus__cursor *);

/* demote.c; called in a section, with the set of that section. */
int evbus__member_gates(const struct evbus__member *);
void evbus__demotion_reset(const struct evbus__member *);
/*
 * Demote readers that are too far behind for a tail of `need` (0: none), and
 * those that stand below `gate` since too long; returns when the next is due,
 * or EVBUS_FOREVER.
 */
int64_t evbus__demote_late(struct evbus__stream *, const struct evbus__set *,
    uint64_t need, uint64_t gate);
/* The tail beyond which a reader's max_lag is passed. */
uint64_t evbus__lag_limit(const struct evbus__set *);

/* Since when has somebody been held up with the cursor at `next`? */
int64_t evbus__stalled_since(struct evbus__cursor *, uint64_t next,
    int64_t now);

/* stall.c: tell of readers that hold publishers up (STALL). */
/* Of who keeps the gate below `gate`, if it is time; when to look again, or
 * EVBUS_FOREVER.  No section. */
int64_t evbus__stall_due(struct evbus__stream *, struct evbus_publisher *,
    uint64_t gate);
/* It moved, or was closed; tell, if its stall was told. */
void evbus__stall_over(struct evbus__stream *, struct evbus__cursor *,
    const struct evbus__where *, uint32_t flags);

/* holder.c: who keeps the gate below `gate`; no section. */
void evbus__describe_holder(struct evbus__stream *,
    struct evbus_publisher *self, uint64_t gate, char *text, size_t size);
#define EVBUS__HOLDER_MAX	160	/* bytes of that */
/*
 * The reader that stands lowest, below `gate`; NULL: none.  Of several not one
 * that waits there for those that it stands after.  In a section.
 */
const struct evbus__member *evbus__lowest_reader(const struct evbus__stream *,
    const struct evbus__set *, uint64_t gate, uint64_t *sequence);

/* full.c */
int evbus__claim_slow(struct evbus__stream *, struct evbus_publisher *,
    uint64_t n, int64_t timeout_ns, uint64_t *sequence);
/* `kind`: EVBUS__WAIT_SPACE, _POOL or _FLUSH. */
int evbus__gate_wait(struct evbus__stream *, struct evbus_publisher *,
    unsigned kind, uint64_t gate, int64_t deadline);

/* wake.c: a reader moved its cursor while publishers wait: let them look. */
void evbus__space_wake(struct evbus_ring_ctl *);
/* It moved its cursor while somebody waits: the bits that it saw. */
void evbus__cursor_wake(struct evbus__stream *, struct evbus__cursor *,
    const struct evbus__where *, uint32_t waiters);

/* after.c: readers that stand after others (AFTER). */
/*
 * How far a reader at `next` may go, at most to `until`; *uncovered is lowered
 * to the first sequence that those ahead lost, or may never look at.
 */
uint64_t evbus__after_until(const struct evbus__stream *,
    const struct evbus__ahead *, uint64_t next, uint64_t until,
    uint64_t *uncovered);
/* The reader is about to sleep, and may be waiting for others' cursors. */
void evbus__after_mark(struct evbus_ring_ctl *);
/* Wake those; in a section, with the set of that section. */
void evbus__after_wake(struct evbus__stream *, const struct evbus__set *);
/* Does the member wait for others at `next`? */
int evbus__member_waits(const struct evbus__stream *,
    const struct evbus__member *, uint64_t next);
/* May it not go on before this thread runs one of those ahead of it? */
int evbus__after_own(const struct evbus__stream *,
    const struct evbus__ahead *, uint64_t next, const struct evbus_publisher *);
/* Does it stand after the reader of that index? */
int evbus__stands_after(const struct evbus__ahead *, uint32_t reader);

/* hole.c: give up sequences that this thread claimed. */
void evbus__make_hole(struct evbus__stream *, struct evbus_publisher *,
    uint64_t sequence, uint64_t n);
void evbus__thread_holes(struct evbus__context *, struct evbus_publisher *);

/* reclaim.c: take payloads outside the ring back; no section, no lock held. */
void evbus__stream_reclaim(struct evbus__stream *, struct evbus_publisher *);
/* How many entries are pinned by readers that this thread runs (S3). */
uint32_t evbus__stream_own_pins(struct evbus__stream *,
    struct evbus_publisher *, int references);

/* deadlock.c */
int evbus__wait_note(struct evbus__context *, struct evbus_publisher *,
    unsigned kind, uint64_t what, uint64_t need);
void evbus__wait_forget(struct evbus__context *, struct evbus_publisher *);
/* Does `publisher` run this reader, as far as anybody knows? */
int evbus__runs_reader(struct evbus__context *,
    const struct evbus_publisher *, const struct evbus__reader_entry *);

#endif /* EVBUS_SRC_STREAM_H */
