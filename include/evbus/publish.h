/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * publish.h - layer 4: publish, claim, commit, abort.
 *
 * The path of an event that fits its slot, in a stream that is not full, while
 * no reader sleeps, is inline: no lock, no system call, no allocation, one
 * compare-and-swap (none on a single-producer stream).  All else is in
 * src/publish/.
 *
 * Who may run with whom: any thread with any other; on a single-producer
 * stream one thread only (others get EVBUS_EOWNER).  A publish may stand
 * inside any handler; never inside a signal handler.
 *
 * Progress: evbus_try_publish() is lock-free (a failed compare-and-swap means
 * that another producer claimed), wait-free on a single-producer stream;
 * evbus_publish() the same until the stream is full, then it waits as the
 * stream's on_full says.
 */
#ifndef EVBUS_PUBLISH_H
#define EVBUS_PUBLISH_H

#include <sys/uio.h>

#include <evbus/error.h>
#include <evbus/claim.h>
#include <evbus/topic.h>

/* Zero means default.  evbus_publish(3) */
struct evbus_publish_options {
	int64_t timeout_ns;	/* when set_timeout; else the stream's */
	int set_timeout;
	int set_cause;		/* use .cause instead of the event that this
				 * thread is handling */
	uint64_t cause;		/* EVBUS_CAUSE(stream, sequence), or 0: none */
	evbus_release release;	/* not NULL: the payload is passed by reference
				 * and given back through it */
	void *release_arg;
	uint64_t key;		/* not supported yet: must be 0 */
	const void *trace;	/* not supported yet: must be NULL */
	uint64_t *sequence;	/* receives the event's sequence; may be NULL */
};

/*
 * A claim: the right to write one event, held by the thread that made it.
 * data points to size bytes.  The other fields are the library's.
 */
struct evbus_claim {
	void *data;
	size_t size;
	uint64_t sequence;
	struct evbus_topic *topic;
	struct evbus_publisher *publisher;
	uint32_t entry;
	uint32_t index;
};

#define EVBUS__SAMPLE 64u	/* events per reading of the clock */

EVBUS_BEGIN_DECLS

/* Out-of-line ends of the inlines below; not for users. */
EVBUS_API int evbus__publish_slow(struct evbus_topic *, const void *, size_t,
    int may_wait);
EVBUS_API uint64_t evbus__read_clock(const struct evbus_stream *,
    struct evbus_publisher *);

/*
 * evbus_publish_batch() - publish n payloads to one topic, next to each other
 * in the stream: all or none.  n is at most the capacity.  0 or a code, as
 * evbus_publish().  evbus_publish(3)
 */
EVBUS_API int evbus_publish_batch(struct evbus_topic *, const struct iovec *,
    unsigned n);

/*
 * evbus_publish_with() - publish with options; NULL: as evbus_publish().
 * If the result is negative, a payload by reference is still the caller's and
 * release is not called.  evbus_publish(3)
 */
EVBUS_API int evbus__publish_with(struct evbus_topic *, const void *, size_t,
    const struct evbus_publish_options *, size_t options_size);

EVBUS_INLINE int
evbus_publish_with(struct evbus_topic *topic, const void *data, size_t size,
    const struct evbus_publish_options *options)
{
	return evbus__publish_with(topic, data, size, options, sizeof *options);
}

/*
 * evbus_publish_name() - open the topic of that name, then publish: the slow,
 * handy way.  evbus_publish(3)
 */
EVBUS_API int evbus_publish_name(struct evbus *, const char *name, const void *,
    size_t);

/*
 * evbus_claim() - claim a place for `size` bytes and get a pointer to write
 * them.  Waits up to timeout_ns while the stream is full (0: EVBUS_EFULL at
 * once).  At most EVBUS_CLAIMS_MAX open claims per thread (EVBUS_ELIMIT).
 * Until it is committed or aborted, readers stop before it.  If the thread
 * ends first, the claim becomes a counted hole (S5).  evbus_claim(3)
 */
EVBUS_API int evbus_claim(struct evbus_topic *, size_t size, int64_t timeout_ns,
    struct evbus_claim *);

/*
 * evbus_commit() - make the first `size` bytes (at most those claimed) visible
 * as an event.  EVBUS_EOWNER: another thread's claim; EVBUS_ENOENT: not open
 * (committed or aborted before); EVBUS_EMSGSIZE, EVBUS_EREJECTED: still open.
 * evbus_abort() - give the claim up: readers pass a hole.  evbus_claim(3)
 */
EVBUS_API int evbus_commit(struct evbus_claim *, size_t size);
EVBUS_API void evbus_abort(struct evbus_claim *);

EVBUS_END_DECLS

/*
 * The time of the next event, or 0 where the stream keeps none; section: as
 * evbus__enter() returned it.  The clock is read at every 64th event of the
 * thread and while a reader sleeps: then the waking costs far more (F7).
 */
EVBUS__INLINE uint64_t
evbus__sampled_time(const struct evbus_stream *stream,
    struct evbus_publisher *publisher, uint64_t section)
{
	if (evbus_unlikely(section % (2 * EVBUS__SAMPLE) == 0 ||
	    EVBUS_LOAD(&stream->ctl->attention, RELAXED) != 0))
		(void)evbus__read_clock(stream, publisher);
	return publisher->time & stream->time_mask;
}

/* What is published: bytes to be read, or words in registers (atomic.h). */
struct evbus__payload {
	const void *data;		/* NULL: in words */
	size_t size;
	struct evbus__words words;
};

/*
 * 1: published; 0: nothing was done, take the slow path.  Only for streams
 * with cheap fences, times that need no clock, and no extensions, and topics
 * without a validator (fast_size).
 */
EVBUS__INLINE int
evbus__publish_fast(struct evbus_topic *topic, struct evbus__payload payload)
{
	const struct evbus_stream *stream = topic->stream;
	const struct evbus__tls *tls = EVBUS__TLS();
	struct evbus_publisher *publisher = tls->last.publisher;
	struct evbus_header *header;
	uint64_t sequence, section, time;

	/* The thread's record on this bus may have to be looked for. */
	if (evbus_unlikely(payload.size >= topic->fast_size) ||
	    evbus_unlikely(tls->last.serial != stream->serial))
		return 0;
	section = evbus__enter(publisher, 0);
	time = evbus__sampled_time(stream, publisher, section);
	if (evbus_unlikely(!evbus__try_claim(stream, publisher, 1,
	    &sequence))) {
		evbus__leave(publisher, section, 0);
		return 0;
	}
	header = evbus__slot(stream, sequence);
	/* Readers hold the lines of the last lap: ask for one ahead of time. */
	EVBUS_PREFETCH_WRITE((char *)header + EVBUS__PREFETCH);
	evbus__fill_header(header, topic->meta | publisher->meta |
	    (uint64_t)payload.size << 32, time, publisher->cause);
	if (payload.data == NULL)
		evbus__store_words(header + 1, payload.words, payload.size);
	else
		EVBUS_PLAIN_COPY_IN((unsigned char *)(header + 1),
		    payload.data, payload.size);
	evbus__stamp(header, sequence);
	evbus__after_commit(stream, 0);
	evbus__leave(publisher, section, 1);
	return 1;
}

/*
 * A payload of a few words and a size known at compile time is taken into
 * registers first, and handed to the slow path from a copy: so its address does
 * not leave the caller, whose compiler need not write it to memory at all.
 */
EVBUS__INLINE int
evbus__publish(struct evbus_topic *topic, const void *data, size_t size,
    int may_wait)
{
	struct evbus__payload payload = { data, size, EVBUS__NO_WORDS };
	struct evbus__words copy;

	if (evbus_unlikely(topic == NULL || data == NULL))
		return evbus__publish_slow(topic, NULL, size, may_wait);
	if (EVBUS__FEW_WORDS(size)) {
		payload.data = NULL;
		payload.words = evbus__load_words(data, size);
		if (evbus_likely(evbus__publish_fast(topic, payload)))
			return 0;
		copy = payload.words;
		return evbus__publish_slow(topic, &copy, size, may_wait);
	}
	if (evbus_likely(evbus__publish_fast(topic, payload)))
		return 0;
	return evbus__publish_slow(topic, data, size, may_wait);
}

/*
 * evbus_publish() - publish `size` bytes.  They are copied; larger payloads
 * than a slot's go to the stream's pool.  On a full stream it does as the
 * stream's on_full says.  0; EVBUS_EFULL, EVBUS_ETIMEDOUT, EVBUS_EDEADLK (only
 * the caller could make room), EVBUS_EMSGSIZE, EVBUS_EINVAL, EVBUS_EOWNER,
 * EVBUS_ECLOSED, EVBUS_EFORKED, EVBUS_EREJECTED (by the topic's validator).
 * Negative means: not published.
 * evbus_publish(3)
 */
EVBUS_INLINE int
evbus_publish(struct evbus_topic *topic, const void *data, size_t size)
{
	return evbus__publish(topic, data, size, 1);
}

/* evbus_try_publish() - the same, but never waits: EVBUS_EFULL. */
EVBUS_INLINE int
evbus_try_publish(struct evbus_topic *topic, const void *data, size_t size)
{
	return evbus__publish(topic, data, size, 0);
}

#endif /* EVBUS_PUBLISH_H */
