/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * reader.h - layer 4: readers and subscriptions.
 *
 * A reader is a place in one or more streams, with its own cursor in each; it
 * is run by one thread at a time.  Subscriptions - a pattern and a handler -
 * hang on it.  A lossless reader holds publishers back when it lags; a lossy
 * one never does, and is told exactly what it lost (D1, D2).  A lossless one may
 * be opened so that it becomes lossy before it harms others (S1).  A reader may
 * stand after others: it sees an event when these are done with it (D4).
 */
#ifndef EVBUS_READER_H
#define EVBUS_READER_H

#include <evbus/error.h>
#include <evbus/event.h>
#include <evbus/stream.h>

struct evbus;
struct evbus_reader;

#define EVBUS_AFTER_MAX		8	/* readers that one may stand after */

/* How the members of a group share its events; see evbus_group_stats(3). */
enum evbus_share {
	EVBUS_SHARED = 1,		/* each event goes to one member; the
					 * default */
	EVBUS_KEYED = 2			/* one key, one member at a time; not
					 * yet: EVBUS_ENOTSUP */
};

/* Zero means default. */
struct evbus_reader_options {
	const char *name;		/* up to 31 bytes; "reader-N" */
	const char *worker;		/* run by the bus's worker thread of
					 * this name; NULL: by the caller */
	int lossy;
	enum evbus_start start;
	uint64_t sequence;		/* for EVBUS_START_SEQUENCE */
	int64_t spin_ns;		/* evbus_wait() spins this long before it
					 * sleeps; 0: 20 us, -1: not at all */
	/*
	 * When a lossless reader that holds publishers up is made lossy, in the
	 * stream where it does so; such a reader reads copies.
	 */
	uint64_t max_lag;		/* a publish would put it further behind
					 * than so many events; 0: never */
	int64_t stall_ns;		/* publishers were held up at one place
					 * for so long; 0: never */
	/*
	 * Readers that must be done with an event before this one sees it (D4);
	 * they are open already, so that there can be no cycle.  One that is
	 * lossy, or may be demoted, only with allow_uncovered; then events are
	 * flagged EVBUS_EVENT_UNCOVERED from the first that it lost on, or that
	 * it had not passed when it was demoted.
	 */
	struct evbus_reader *const *after;	/* [after_count]; copied */
	uint32_t after_count;			/* up to EVBUS_AFTER_MAX */
	int allow_uncovered;
	/*
	 * Readers of one group share its events: each is handled by one of
	 * them.  They subscribe one pattern, all the same.
	 */
	const char *group;		/* up to 31 bytes; NULL: in none */
	enum evbus_share share;
	int keep_group;			/* it stays without members, and holds
					 * publishers back, until
					 * evbus_group_end() */
};

/* Zero means default. */
struct evbus_subscribe_options {
	void (*on_closed)(void *arg);	/* runs exactly once, last (L2) */
};

struct evbus_reader_stats {
	uint64_t delivered;	/* sequences handed to a handler or returned
				 * by evbus_next() */
	uint64_t skipped;	/* sequences that no subscription matched */
	uint64_t holes;
	uint64_t lost;		/* lossy: went by unread */
	uint64_t passed;	/* cursor - start, over all streams; equals the
				 * sum of the four above (D2) */
	uint64_t lag;		/* events between cursor and tail now */
	uint64_t lag_max;	/* the largest lag seen at a poll's start */
	uint64_t calls;		/* handler calls */
	uint64_t polls;		/* polls that found something */
	uint64_t parks;		/* times it slept */
	uint64_t verdicts;	/* handlers' answers that were refused */
	uint64_t streams;	/* cursors it has */
	uint64_t demoted;	/* streams in which it was made lossy */
	uint64_t retained;	/* events that topics kept for it; no sequence
				 * is passed with them */
	uint64_t uncovered;	/* streams in which its events are flagged
				 * EVBUS_EVENT_UNCOVERED by now */
	char name[32];
};

EVBUS_BEGIN_DECLS

/*
 * evbus_reader_open() - a reader without subscriptions; it joins a stream with
 * the first subscription whose pattern that stream can carry.  `options` may
 * be NULL.  Any thread, also inside handlers.  EVBUS_ELIMIT (max_readers).
 * evbus_reader_open(3)
 */
EVBUS_API int evbus__reader_open(struct evbus *,
    const struct evbus_reader_options *, size_t options_size, unsigned layout,
    struct evbus_reader **);

EVBUS_INLINE int
evbus_reader_open(struct evbus *bus, const struct evbus_reader_options *options,
    struct evbus_reader **reader)
{
	return evbus__reader_open(bus, options, sizeof *options, EVBUS_LAYOUT,
	    reader);
}

/*
 * evbus_reader_close() - end its subscriptions, leave its streams, let go of
 * publishers that waited for it.  Outside handlers it waits up to timeout_ns
 * until no handler of it runs: 0, EVBUS_ETIMEDOUT (it closes all the same,
 * as soon as the handler returns), EVBUS_EDEADLK.  Inside a handler it never
 * waits.  The handle must not be used afterwards.  evbus_reader_open(3)
 */
EVBUS_API int evbus_reader_close(struct evbus_reader *, int64_t timeout_ns);

/*
 * evbus_reader_subscribe() - attach a pattern and a handler to a reader.  The
 * id (> 0) carries a generation: it is safe to use twice.
 *
 * A reader opened with EVBUS_START_NOW gives the subscription every matching
 * event committed after this call returned; with another start, every one from
 * the reader's cursor on.  `handler` may be NULL: then evbus_next() returns the
 * events and evbus_poll() passes them.  Any thread, also inside handlers.
 * evbus_subscribe(3)
 */
EVBUS_API int64_t evbus__reader_subscribe(struct evbus_reader *,
    const char *pattern, evbus_handler, void *arg,
    const struct evbus_subscribe_options *, size_t options_size,
    const char *file, int line);
EVBUS_API int64_t evbus_reader_subscribe(struct evbus_reader *,
    const char *pattern, evbus_handler, void *arg,
    const struct evbus_subscribe_options *);
#define evbus_reader_subscribe(reader, pattern, handler, arg, options) \
	evbus__reader_subscribe((reader), (pattern), (handler), (arg), \
	    (options), sizeof(struct evbus_subscribe_options), \
	    __FILE__, __LINE__)

/*
 * evbus_subscribe() - the same on the bus's own reader, which the bus's default
 * worker thread runs; the first call starts that thread.  `handler` must not be
 * NULL.  evbus_subscribe(3)
 */
EVBUS_API int64_t evbus__subscribe(struct evbus *, const char *pattern,
    evbus_handler, void *arg, const struct evbus_subscribe_options *,
    size_t options_size, const char *file, int line);
EVBUS_API int64_t evbus_subscribe(struct evbus *, const char *pattern,
    evbus_handler, void *arg, const struct evbus_subscribe_options *);
#define evbus_subscribe(bus, pattern, handler, arg, options) \
	evbus__subscribe((bus), (pattern), (handler), (arg), (options), \
	    sizeof(struct evbus_subscribe_options), __FILE__, __LINE__)

/*
 * evbus_unsubscribe() - end a subscription (L2).  Outside handlers it waits up
 * to timeout_ns: at 0 the handler is not running and will not run again.
 * Inside a handler it never waits; no new call starts after it returned.
 * EVBUS_ENOENT if the id ended before.  evbus_subscribe(3)
 */
EVBUS_API int evbus_unsubscribe(struct evbus *, int64_t id, int64_t timeout_ns);

/*
 * evbus_poll() - hand up to `budget` events to the handlers; returns how many
 * sequences were passed (0: nothing there).  One thread at a time.  Inside a
 * handler of the same reader: EVBUS_EDEADLK.  evbus_poll(3)
 */
EVBUS_API int evbus_poll(struct evbus_reader *, unsigned budget);

/*
 * evbus_next() - the next matching event, or NULL: nothing there.  It holds
 * until the next evbus_next(), evbus_poll() or evbus_done() of this reader.
 * evbus_done() - done with it: publishers may use its place.  evbus_poll(3)
 */
EVBUS_API const struct evbus_event *evbus_next(struct evbus_reader *);
EVBUS_API void evbus_done(struct evbus_reader *);

/*
 * evbus_wait() - wait until there is something to poll: 1, or 0 when timeout_ns
 * has passed; spins, then sleeps.  EVBUS_ECLOSED, EVBUS_EFORKED, EVBUS_EOWNER
 * (a worker runs the reader).
 * evbus_poll(3)
 */
EVBUS_API int evbus_wait(struct evbus_reader *, int64_t timeout_ns);

/*
 * evbus_reader_fd() - a descriptor for the loop of the program that polls this
 * reader: readable while there may be something to poll, until evbus_poll() or
 * evbus_next() finds nothing.  Level-triggered; under an edge trigger, poll
 * until nothing is there.  It belongs to the bus until evbus_free(): neither
 * read nor close it.  From then on evbus_wait() is EVBUS_EBUSY.  The thread that
 * runs the reader.  EVBUS_EOWNER, EVBUS_ESYSTEM.  evbus_fd(3)
 */
EVBUS_API int evbus_reader_fd(struct evbus_reader *);

/* evbus_reader_stats() - read the counters.  Any thread; wait-free. */
EVBUS_API int evbus_reader_stats(const struct evbus_reader *,
    struct evbus_reader_stats *);

/*
 * evbus_reader_position() - the reader's cursor in a stream: the next sequence
 * it will look at.  EVBUS_ENOENT if it has none there.
 */
EVBUS_API int evbus_reader_position(const struct evbus_reader *,
    const struct evbus_stream *, uint64_t *sequence);

EVBUS_END_DECLS

#endif /* EVBUS_READER_H */
