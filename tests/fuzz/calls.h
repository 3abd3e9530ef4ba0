/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * calls.h - the model that fuzz_calls.c runs the library against: streams as
 * lists of events, readers as places in them, subscriptions as sets of topics.
 *
 * The model says what must be delivered and which code a call returns.  Where
 * the promises leave the library a choice, it looks at what was chosen (cursor,
 * cached gate) and checks that it was allowed to choose that.
 */
#ifndef EVBUS_TESTS_FUZZ_CALLS_H
#define EVBUS_TESTS_FUZZ_CALLS_H

#include <evbus.h>

#include "fuzz.h"

#define STREAMS	3u
#define READERS	3u
#define SUBS	16u		/* at a time */
#define TOPICS	6u
#define EVENTS	96u		/* of a stream, in one input */
#define CLAIMS	(EVBUS_CLAIMS_MAX + 1u)
#define DEPTH	2u		/* handlers inside of handlers */

enum event_state { EVENT_OPEN, EVENT_COMMITTED, EVENT_HOLE };
enum outside { OUTSIDE_NO, OUTSIDE_BLOCK, OUTSIDE_REFERENCE };

struct event {
	enum event_state state;
	enum outside outside;
	int maybe_gone;		/* payload may have been taken back */
	int released;		/* payload by reference was given back */
	int cause_known;
	unsigned topic;
	uint32_t size;
	uint32_t id;		/* makes the payload's bytes */
	uint64_t cause;
	uint64_t sequence;
	unsigned stream;
};

struct stream {
	struct evbus_stream *handle;
	const char *pattern;
	uint64_t first;
	uint64_t gate;		/* as last seen */
	uint64_t capacity;
	unsigned blocks, references;
	unsigned count;		/* sequences claimed */
	int fail;		/* on_full */
	int timeless;
	struct event event[EVENTS];
};

struct topic {
	struct evbus_topic *handle;
	const char *name;
	unsigned stream;
};

struct place {
	int joined;
	uint64_t next;		/* what is delivered next */
	uint64_t start;
	uint64_t pin_below;	/* payloads of events below may be gone */
};

enum reader_state { READER_FREE, READER_OPEN, READER_CLOSING };

struct reader {
	enum reader_state state;
	struct evbus_reader *handle;
	int lossy;
	enum evbus_start start;
	uint64_t sequence;
	int polled;		/* this thread is known to run it */
	int running;
	int refused;		/* a verdict was, in this poll */
	struct place place[STREAMS];
	uint64_t delivered, calls;
	int lossless_all;	/* nothing may be lost */
	int held;		/* evbus_next() returned an event */
	int inside;		/* a handler of it runs */
	unsigned at_stream;	/* of the event that is held, or handled */
	uint64_t at;
	uint32_t expected;	/* subscriptions that must yet be called */
};

struct sub {
	int used;
	int alive;
	int handles;		/* has a handler */
	unsigned closed;	/* calls of on_closed */
	unsigned reader;
	const char *pattern;
	int64_t id;
	uint64_t start[TOPICS];
};

struct claim {
	int open;
	int made;
	struct evbus_claim claim;
	struct event *event;
};

struct world {
	struct fuzz_heap heap;
	struct fuzz_input input;
	struct evbus *bus;
	int closing;
	unsigned depth;		/* handlers under way */
	unsigned streams, topics;
	uint32_t ids;
	int64_t clock;
	uint64_t cause;		/* of what is published now */
	int cause_known;
	int64_t stale;		/* id of a subscription that ended */
	struct topic topic[TOPICS];
	struct reader reader[READERS];
	struct sub sub[SUBS];
	struct claim claim[CLAIMS];
	struct stream stream[STREAMS];
};
extern struct world world;

static inline uint64_t
tail_of(const struct stream *stream)
{
	return stream->first + stream->count;
}

static inline struct event *
event_at(struct stream *stream, uint64_t sequence)
{
	FUZZ_CHECK(sequence >= stream->first && sequence < tail_of(stream));
	return &stream->event[sequence - stream->first];
}

static inline unsigned
pick(unsigned n)
{
	return fuzz_byte(&world.input) % n;
}

/* calls_publish.c; way: 0 publish, 1 try_publish, 2 publish_with. */
void publish(int way);
void publish_batch(void);
void claim(void);
void end_claim(struct claim *, int commits, uint32_t size);

/* calls_read.c */
struct reader *pick_reader(void);	/* an open one, or NULL */
void poll_reader(struct reader *);
void sync_other_places(struct reader *);
void next_event(struct reader *);
void done(struct reader *);
void wait_reader(struct reader *);

/* calls_control.c */
void open_world(const uint8_t *, size_t);
void close_world(void);
void open_topic(void);
void open_stream(void);
void open_reader(void);
void close_reader(void);
void flush(void);

/* calls_model.c */
uint64_t frontier_of(struct stream *);	/* the first open claim, or the tail */
int is_gated(struct stream *);		/* has it a lossless reader? */
uint64_t gate_of(struct stream *);	/* how far lossless readers have come */
int blocked_by_us(struct stream *, uint64_t gate);
int is_pinned(const struct stream *, uint64_t sequence);
struct event *add_event(struct stream *, unsigned topic, uint32_t size,
    enum outside);
unsigned char payload_byte(uint32_t id, uint32_t i);
void fill_payload(unsigned char *, const struct event *);
void check_streams(void);
void sync_joins(struct reader *, int made);
void check_refused_join(const struct reader *, int code);
void finish_held(struct reader *);
void advance(struct reader *, unsigned stream, uint64_t to, int by_next);
void begin_event(struct reader *, const struct evbus_event *);
void check_event(const struct evbus_event *);
void end_sub(struct sub *);
void reader_gone(struct reader *);
void check_subs(void);
void check_stats(struct reader *);
uint32_t wanted_by(struct reader *, unsigned stream, uint64_t sequence,
    int by_next);
/* What a publish of n events, k of them outside, must answer; and whether the
 * answer is left open, because the pool may or may not have been swept. */
int expect_room(struct stream *, unsigned n, unsigned k, enum outside,
    int waits, int *open);

#endif /* EVBUS_TESTS_FUZZ_CALLS_H */
