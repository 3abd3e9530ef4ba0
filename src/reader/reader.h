/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * reader.h - layer 4: readers, their cursors, subscriptions, dispatch tables.
 *
 * Who may run with whom.  One thread runs a reader (poll, next, done, wait);
 * any thread subscribes, unsubscribes and closes, under the bus's lock.  The
 * two meet in three places, each with an asymmetric fence:
 *
 *   TABLE  a dispatch table's entry is swapped whole (release / acquire).
 *   GRACE  who runs sets `running` odd, light fence, then reads tables and
 *          flags.  Who changes them stores, runs the heavy fence, then reads
 *          `running`: even means that nobody inside holds anything old, and
 *          whoever enters later sees the new; odd means that what was taken
 *          out may be freed once `running` has changed.
 *   UNSUB  before each handler call: `current` = subscription, light fence,
 *          read its `dead`.  Who unsubscribes sets dead, heavy fence, reads
 *          `current`: one of the two sees the other.
 *
 * No lock is held while a handler, an on_closed or a release function runs.
 */
#ifndef EVBUS_SRC_READER_H
#define EVBUS_SRC_READER_H

#include <evbus/reader.h>

#include "ring/watch.h"
#include "topic/topic.h"

#define EVBUS__READER_MAGIC	0x65765264u
#define EVBUS__COPY_BATCH	32u	/* slots a lossy reader copies at once */
#define EVBUS__LOOK_MAX		256u	/* slots a reader looks ahead at most */
#define EVBUS__AHEAD		(6u * EVBUS_CACHELINE)	/* bytes read ahead */
#ifdef EVBUS_EXPLORE
#define EVBUS__SPIN_NS		-1	/* as for full.c: a spin hides the sleep */
#else
#define EVBUS__SPIN_NS		20000	/* before a wait sleeps */
#endif

struct evbus__snapshot;			/* retained.c */

struct evbus__subscription {
	int64_t id;			/* generation:31 | index + 1:32 */
	struct evbus_reader *reader;
	evbus_handler handler;		/* may be NULL */
	void *arg;
	void (*on_closed)(void *);
	const char *file;		/* where it was made */
	int line;
	uint32_t dead;			/* atomic: no new call may start */
	uint32_t kept;			/* a list still names it: see kept */
	struct evbus__subscription *next;	/* of the reader; or ending */
	char pattern[256];
};

/* One subscription's share in a topic. */
struct evbus__match {
	evbus_handler handler;
	void *arg;
	struct evbus__subscription *subscription;
	uint64_t start;			/* events below are not for it */
	uint64_t id;			/* of the subscription */
};

/* What a dispatch table's entry points to. */
struct evbus__matches {
	uint64_t one_from;		/* one handler wants all from here on;
					 * UINT64_MAX: look at the matches */
	struct evbus_topic *topic;
	uint32_t count;
	uint32_t reserved;
	struct evbus__match match[];
};

/* A reader's place in one stream, private half. */
struct evbus__place {
	struct evbus__cursor *cursor;
	struct evbus__stream *stream;
	struct evbus__reader_entry *calls_of;	/* the reader's */
	uint64_t next;			/* the cursor, ahead of the shared one */
	uint64_t lost;			/* not yet told with an event */
	uint64_t pinned;		/* ticket; 0: none */
	uint64_t pin_below;		/* payloads outside the slots of events
					 * below are pinned; of those above the
					 * cursor holds the gate */
	uint32_t look;			/* slots to look ahead */
	uint32_t slack;			/* slots to stay clear of the producers
					 * after having been lapped */
	uint32_t batch;			/* copied slots */
	uint32_t batch_at;		/* the next of them */
	uint64_t batch_first;		/* sequence of the first */
	unsigned char *copy;		/* EVBUS__COPY_BATCH slots; or NULL:
					 * it reads in place */
	const struct evbus__ahead *ahead;	/* the reader's */
	const struct evbus__where *where;	/* the reader's */
	uint64_t until;			/* what those ahead are done with, as
					 * seen last; UINT64_MAX: none are */
	uint64_t uncovered;		/* atomic: from here on events are
					 * flagged; UINT64_MAX: none is */
	uint32_t flags;			/* of all events at this moment; of a
					 * member: of what it has in hand */
	/* Copy more; 1: try once more. */
	int (*refill)(struct evbus__place *);
	/* Of a member of a group (src/group/). */
	struct evbus__share *share;	/* its group in this stream; or NULL */
	struct evbus__cursor *shared;	/* that group's cursor; or NULL */
	uint64_t others;		/* sequences below `next` that others
					 * passed, or that were not its own */
	uint32_t armed;			/* atomic: it may claim */
	uint32_t room;			/* events that it may take at once */
	/* Counts since the last flush to the cursor. */
	uint64_t delivered;
	uint64_t skipped;
	uint64_t holes;
	uint64_t gone;			/* lost */
	uint64_t calls;			/* of handlers */
};

struct evbus__group;			/* group/group.h */
struct evbus__share;

/* Memory that who runs the reader may still hold. */
struct evbus__retired {
	struct evbus__retired *next;
	size_t size;			/* of what lies behind */
	uint32_t running;		/* when first seen by a sweep */
	uint32_t seen;			/* `running` is valid */
	uint32_t reserved[2];
};
_Static_assert(sizeof(struct evbus__retired) % 16 == 0, "keeps alignment");

/* Of a reader that was opened in a group. */
enum evbus__member_state {
	EVBUS__MEMBER_NOT_YET,		/* it has not subscribed */
	EVBUS__MEMBER_IN,
	EVBUS__MEMBER_FAILED		/* it could not */
};

enum evbus__reader_state {
	EVBUS__READER_FREE,
	EVBUS__READER_OPEN,
	EVBUS__READER_CLOSING,		/* no new handler call */
	EVBUS__READER_CLOSED,
	EVBUS__READER_GROUP		/* no reader: it stands for a group */
};

/* Who runs a reader. */
enum evbus__run_by {
	EVBUS__RUN_CALLER,	/* of evbus_poll() and so on; who also waits */
	EVBUS__RUN_WATCHED,	/* the same, who waits in a loop of his own */
	EVBUS__RUN_WORKER,	/* a thread of the bus */
	EVBUS__RUN_LOOP		/* the caller of evbus_run_once() */
};

struct evbus_reader {
	/* Constant while open. */
	uint32_t magic;
	uint32_t index;
	struct evbus__context *context;
	struct evbus__reader_entry *entry;
	struct evbus__park *park;
	struct evbus__matches **table;	/* by topic id */
	size_t table_size;
	int lossy;
	int copies;			/* it is lossy, or may become so */
	uint64_t max_lag;
	int64_t stall_ns;
	struct evbus__where where;
	struct evbus__ahead ahead;	/* those that it stands after */
	int fence_full;
	enum evbus_start start;
	uint64_t start_sequence;
	int64_t spin_ns;
	enum evbus__run_by run_by;
	void *worker;			/* struct evbus__worker, layer 6 */
	uint32_t left_worker;		/* which change of its list that was */
	struct evbus__group *group;	/* that it is a member of; or NULL */

	/* Written under the bus's lock, read by who runs it. */
	uint32_t state;			/* atomic */
	uint32_t changes;		/* atomic: of lists of matches, and
					 * subscriptions that died */
	uint32_t places;		/* atomic */
	uint32_t left;			/* places that a closed one still has */
	uint32_t ending;		/* atomic: subscriptions to finish */
	uint32_t closed_by;		/* somebody finishes it */
	uint32_t closes;		/* atomic: how often it was closed */
	uint32_t finishing;		/* ends taken out, on_closed not over */
	uint32_t emptied;		/* closing, and no more ends will come */
	uint32_t member;		/* enum evbus__member_state */
	struct evbus__place **place;	/* [max_streams] */
	struct evbus__subscription *subscriptions;
	struct evbus__subscription *ends;	/* dead, not yet finished */
	struct evbus__subscription *kept;	/* finished, memory in use */
	uint32_t retained;		/* atomic: there may be snapshots */
	struct evbus__snapshot *snapshots;	/* of what topics retain */
	struct evbus__retired *retired;
	struct evbus_reader *next_free;

	/* Written by who runs it, seldom. */
	struct evbus__watch watch;	/* of evbus_reader_fd(); stays open */

	/* Written by who runs it. */
	struct evbus_event event EVBUS_ALIGNED(EVBUS_LINE);
	struct evbus_publisher *self;	/* its record */
	uint64_t current;		/* copy of entry->current */
	struct evbus__place *held;	/* place of the event that evbus_next()
					 * returned */
	struct evbus__snapshot *held_snapshot;	/* or what it returned */
	uint32_t inside;		/* id of the thread that handles what
					 * it has of its group; 0: none */
	uint32_t turn;			/* place to begin with */
	uint32_t stop;			/* end this poll */
	int verdict;			/* refused verdict's result */
};

/* What layer 5 gives: groups.  The bus's lock is held. */
struct evbus__group_calls {
	/* A reader is opened, or was closed and has left its streams. */
	int (*enter)(struct evbus_reader *, const struct evbus_reader_options *);
	void (*leave)(struct evbus_reader *, struct evbus_publisher *self);
	/* It is about to subscribe; it has, or could not. */
	int (*check)(struct evbus_reader *, const char *pattern);
	void (*subscribed)(struct evbus_reader *, struct evbus_publisher *self,
	    const struct evbus__subscription *);
	/* It joins a stream, or leaves it. */
	int (*join)(struct evbus_reader *, struct evbus_publisher *self,
	    struct evbus__place *, enum evbus_start);
	void (*quit)(struct evbus__place *);
};

struct evbus__readers {
	uint32_t limit;
	uint32_t max_streams;
	uint32_t max_subscriptions;
	uint32_t opened;		/* slots ever used */
	struct evbus_reader *free_first, *free_last;
	struct evbus_reader **reader;	/* by index; stays after close */
	struct evbus__subscription **subscription;	/* by index */
	uint32_t *generation;
	uint32_t subscriptions;		/* room */
	uint32_t subscription_free;	/* where to look first */
	int reports;			/* their stream is open */
	struct evbus_topic *stalled, *recovered;
	/* Given by layer 6: start or find the worker; it leaves the worker. */
	int (*worker_join)(struct evbus_reader *, const char *worker);
	void (*worker_leave)(struct evbus_reader *);
	int (*worker_done_with)(struct evbus_reader *);
	/* Given by layer 5. */
	const struct evbus__group_calls *groups;
	struct evbus__group *group_first;
};

/* options.c: 0 or a refusal. */
int evbus__reader_options_check(const struct evbus_reader_options *);

/* reader.c */
int evbus__readers_init(struct evbus__context *, uint32_t limit,
    uint32_t max_streams);
void evbus__readers_destroy(struct evbus__context *);
int evbus__reader_make(struct evbus__context *,
    const struct evbus_reader_options *, struct evbus_reader **);
/* No new handler call may start; 0 or EVBUS_ECLOSED. */
int evbus__reader_start_closing(struct evbus_reader *);
/* Leave all streams, run every on_closed; once.  No lock held. */
void evbus__reader_finish(struct evbus_reader *);

/* A slot that stands for a group, and back; the lock is held. */
int evbus__reader_stand(struct evbus__context *, const char *name,
    struct evbus_reader **);
void evbus__reader_fall(struct evbus_reader *);

/* run.c; entering and leaving is in run.h. */
/* A worker runs it: EVBUS_EOWNER for anybody else. */
int evbus__refuse_worker(const struct evbus_reader *);
/* Behind a heavy fence: whoever does not run it now sees what was stored. */
int evbus__somebody_runs(const struct evbus_reader *);
/* Wait until nobody runs it, or a subscription's handler does not. */
int evbus__run_quiet(struct evbus_reader *, struct evbus_publisher *self,
    int64_t subscription, int64_t deadline);
/* The same, until on_closed has returned: whoever runs it. */
int evbus__run_finished(struct evbus_reader *, struct evbus_publisher *self,
    int64_t subscription, uint32_t closes, int64_t deadline);

/* dispatch.c: tables; the bus's lock is held. */
int evbus__dispatch_add(struct evbus_reader *, struct evbus_topic *,
    struct evbus__subscription *, uint64_t start);
/* 1: a list could not be made anew: the subscription's memory must stay. */
int evbus__dispatch_remove(struct evbus_reader *,
    const struct evbus__subscription *);
void evbus__dispatch_undo(struct evbus__context *, uint32_t id);
int evbus__dispatch_topic(void *subscription, void *topic);
void evbus__dispatch_destroy(struct evbus_reader *);
void *evbus__retirable(struct evbus_reader *, size_t size);
void evbus__retire(struct evbus_reader *, void *memory, size_t size);
/* Free what nobody can hold any more. */
void evbus__sweep(struct evbus_reader *);
void evbus__retired_free(struct evbus_reader *);

/* place.c: cursors. */
struct evbus__place *evbus__reader_place(const struct evbus_reader *,
    const struct evbus__stream *);
/* Join a stream; the bus's lock is held. */
int evbus__reader_join(struct evbus_reader *, struct evbus_publisher *self,
    struct evbus__stream *, enum evbus_start);
/* The memory of the places that a closed reader left. */
void evbus__places_free(struct evbus_reader *);
/* While running. */
void evbus__place_publish(struct evbus__place *);
void evbus__place_counters(struct evbus__place *);
int evbus__place_ready(const struct evbus__place *);

/* after.c: those that it stands after (AFTER in stream/after.c); the lock. */
int evbus__after_check(const struct evbus__readers *,
    const struct evbus_reader_options *);
void evbus__after_set(struct evbus_reader *,
    const struct evbus_reader_options *);
/* Does it stand after somebody who is not closed? */
int evbus__after_any(const struct evbus_reader *);
/* It is gone: nobody stands after it any more. */
void evbus__after_leave(struct evbus_reader *);
/* While running: how many of `most` sequences those ahead are done with. */
unsigned evbus__place_room(struct evbus__place *, unsigned most);
/* The same, but a look is made only when what was found last is used up. */
unsigned evbus__place_room_left(struct evbus__place *);
/* 0: those ahead are not done with the next. */
int evbus__place_may_go(const struct evbus__place *);

/* n sequences from the cursor on go by unread. */
static inline void
evbus__place_lose(struct evbus__place *place, uint64_t n)
{
	place->gone += n;
	place->lost += n;
	/* AFTER: release, partner look_at() in stream/after.c.  Seen with the
	 * cursor that goes beyond. */
	if (place->cursor->lost_from == 0)
		EVBUS_STORE(&place->cursor->lost_from, place->next + 1,
		    RELEASE);
}

/* copy.c: reading of copies. */
struct evbus_header *evbus__copy_next(struct evbus__place *);
struct evbus_header *evbus__copied(const struct evbus__place *, uint32_t i);
/* Copy what is committed from a sequence on, and no more; how many. */
uint32_t evbus__copy_slots(const struct evbus__place *, uint64_t sequence,
    uint32_t most);
int evbus__copy_refill(struct evbus__place *);
int evbus__pin(struct evbus__place *, const struct evbus_outside *);
void evbus__unpin(struct evbus__place *);

/* poll.c */
int evbus__reader_poll(struct evbus_reader *, unsigned budget);
/* evbus_done() for the event that evbus_next() returned; the caller runs. */
void evbus__finish_held(struct evbus_reader *, struct evbus_publisher *self);
/* Payload of an event outside its slot: 1, or 0: it is gone (lossy). */
int evbus__describe_outside(struct evbus_reader *, struct evbus__place *,
    const struct evbus_header *);

/* Call the handler unless its subscription has ended; 1: called. */
unsigned evbus__call(struct evbus_reader *, const struct evbus__match *);

/* retained.c; the bus's lock is held for the first two. */
/* Enter a topic that retains in the reader's table, with what it keeps. */
int evbus__retained_enter(struct evbus__subscription *, struct evbus_topic *);
/* The subscription ends. */
void evbus__retained_drop(struct evbus__subscription *);
/* While running: is there one that may be seen (D4)? */
int evbus__retained_ready(struct evbus_reader *);
/* Hand over all that waits and may be seen, within a poll; how many calls. */
unsigned evbus__retained_deliver(struct evbus_reader *);
/* Hold one as the event that evbus_next() returns: 1, or 0: none waits. */
int evbus__retained_hold(struct evbus_reader *);
/* ... and be done with it; or, under the lock, when nobody can look any more. */
void evbus__retained_done(struct evbus_reader *);
void evbus__retained_forget(struct evbus_reader *);

/* member.c: one place of a member of a group; how many sequences. */
unsigned evbus__run_shared(struct evbus_reader *, struct evbus__place *,
    unsigned budget);

/* wait.c: anything to look at for any of n readers?  Spin, then sleep. */
int evbus__wait_any(struct evbus__park *, struct evbus_reader *const *,
    unsigned n, int64_t spin_ns, int64_t deadline);
int evbus__reader_ready(struct evbus_reader *);
int evbus__wait_ready(struct evbus_reader *const *, unsigned n);
int evbus__wait_spinning(const struct evbus__park *,
    struct evbus_reader *const *, unsigned n);
/* Nothing is left to look at: the descriptor will tell when there is. */
void evbus__wait_watched(struct evbus__watch *, struct evbus__park *,
    struct evbus_reader *const *, unsigned n);

/* watch.c: evbus_poll() of a reader that is not just run by its caller. */
int evbus__poll_other(struct evbus_reader *, unsigned budget);

/* subscribe.c */
int64_t evbus__reader_subscribe_at(struct evbus_reader *, const char *pattern,
    evbus_handler, void *arg, const struct evbus_subscribe_options *,
    const char *file, int line);

/* report.c: the bus's own topics; the lock is held. */
int evbus__reports_wanted(const char *pattern);
int evbus__reports_open(struct evbus__context *, struct evbus_publisher *);

/* unsubscribe.c */
struct evbus__subscription *evbus__subscription_find(
    const struct evbus__readers *, int64_t id);
/* No new call starts; out of tries and tables; the lock is held. */
void evbus__subscription_unhook(struct evbus__subscription *);
/* Its memory is retired, or kept while a list still names it; the lock. */
void evbus__subscription_drop(struct evbus__subscription *);
/* Run on_closed and free: of one that is ending and whose handler does not run;
 * of all, unless somebody runs the reader and it is not known (quiet) that he
 * is in none of their handlers.  No lock held. */
void evbus__finish_end(struct evbus_reader *, int64_t id);
void evbus__finish_ends(struct evbus_reader *, int quiet);
/* The last step of a close, once no on_closed runs any more; lock held. */
void evbus__reader_closed(struct evbus_reader *);
/* The verdict EVBUS_STOP: end it from inside its own handler. */
void evbus__subscription_stop(struct evbus__subscription *);

/*
 * Who handles events goes on with the match of the event before as long as it
 * sees no change; the bus's lock is held.
 *
 * TABLE: a list is swapped, then this.  An event that is published after the
 * call that made the swap finds the change.
 */
static inline void
evbus__reader_changed(struct evbus_reader *reader)
{
	EVBUS_STORE(&reader->changes, reader->changes + 1, RELEASE);
}

/* No new call of its handler may start; the bus's lock is held.
 * UNSUB: dead and changes, heavy fence, current. */
static inline void
evbus__subscription_kill(struct evbus__subscription *subscription)
{
	EVBUS_STORE(&subscription->dead, 1, RELAXED);
	evbus__reader_changed(subscription->reader);
}

/* Time and cause at once: the fewer stores, the better. */
static inline void
evbus__describe_time(struct evbus_event *event,
    const struct evbus_header *header)
{
	EVBUS_PLAIN_LOAD2((uint64_t *)(void *)&event->time, &header->time);
}

/* Fill reader->event from a slot, or the copy of one. */
static inline void
evbus__describe(struct evbus_reader *reader, const struct evbus__place *place,
    const struct evbus_header *header, struct evbus_topic *topic,
    uint64_t sequence)
{
	struct evbus_event *event = &reader->event;
	uint64_t meta = EVBUS_PLAIN_LOAD(&header->meta);

	event->data = (const unsigned char *)header +
	    place->stream->pub.header_size;
	event->topic = topic;
	event->sequence = sequence;
	evbus__describe_time(event, header);
	event->size = evbus__meta_size(meta);
	event->publisher = evbus__meta_publisher(meta);
	event->lost = place->lost;
	event->stream = place->stream->pub.number;
	event->flags = place->flags;
}

#endif /* EVBUS_SRC_READER_H */
