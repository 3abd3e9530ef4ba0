/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * full.c - layer 2: the slow way to a claim: the cached gate is used up, the
 * bus is closing, or a single-producer stream has no owner yet.
 *
 * A waiting publisher spins briefly, then notes what it waits for (deadlock.c
 * says if only it itself could end that), then sleeps on the stream's space
 * word (SPACE in wake.c).  Nothing is claimed while it waits: refused and timed
 * out mean that no sequence was used.
 */
#include <evbus/claim.h>

#include "stream/stream.h"

/* The explorer takes who spins for somebody who can do nothing else: there a
 * spin would hide the sleep. */
#ifdef EVBUS_EXPLORE
#define SPINS	0
#define YIELDS	0
#else
#define SPINS	64
#define YIELDS	4
#endif

/* Bind a single-producer stream to its first thread; 0 or EVBUS_EOWNER. */
static int
check_owner(struct evbus__stream *stream, struct evbus_publisher *publisher)
{
	struct evbus_ring_ctl *ctl = stream->pub.ctl;
	uint32_t owner = EVBUS_LOAD(&ctl->owner, RELAXED);

	if (!stream->pub.single || owner == publisher->id)
		return 0;
	if ((owner == 0 ||
	    evbus__publisher_by_id(stream->context, owner) == NULL) &&
	    EVBUS_CAS(&ctl->owner, &owner, publisher->id, RELAXED, RELAXED))
		return 0;
	return evbus__fail(EVBUS_EOWNER, "stream \"%s\" has one producer, and "
	    "that is thread number %u", stream->pattern, owner & 0xffffu);
}

/*
 * May this thread publish now?  Inside its section, so that close either is
 * seen here or waits for the section (CLOSE).
 */
static int
check_state(struct evbus__context *context,
    const struct evbus_publisher *publisher)
{
	return publisher->depth > 0 && EVBUS_LOAD(&context->state, RELAXED) !=
	    EVBUS__ENDING ? evbus__check_alive(context) :
	    evbus__check_open(context);
}

static int
claim_under(struct evbus__stream *stream, uint64_t n, uint64_t limit,
    uint64_t *sequence)
{
	struct evbus_ring_ctl *ctl = stream->pub.ctl;
	uint64_t tail = EVBUS_LOAD(&ctl->tail, RELAXED);

	do {
		if (tail + n > limit)
			return 0;
		EVBUS__DELAY(claim_slow);
	} while (!EVBUS_CAS(&ctl->tail, &tail, tail + n, RELAXED, RELAXED));
	EVBUS__DELAY(claimed_slow);
	EVBUS_FENCE(RELEASE);					/* LAP */
	*sequence = tail;
	return 1;
}

/* One try.  1: claimed, and inside the section; 0: full; or a refusal. */
static int
try_once(struct evbus__stream *stream, struct evbus_publisher *publisher,
    uint64_t n, uint64_t *sequence, uint64_t *need)
{
	uint64_t section, limit;
	int result;

	section = evbus__enter(publisher, stream->pub.fence_full);
	result = check_state(stream->context, publisher);
	if (result == 0)
		result = check_owner(stream, publisher);
	if (result == 0) {
		*need = EVBUS_LOAD(&stream->pub.ctl->tail, RELAXED) + n;
		limit = evbus__gate_refresh(stream, publisher, *need);
		EVBUS__DELAY(gate_read);
		result = claim_under(stream, n, limit, sequence);
	}
	if (result != 1)
		evbus__leave(publisher, section, 0);
	return result;
}

/* Sleep until the gate may have moved, or a reader may be demoted or told of;
 * 0, or EVBUS_ETIMEDOUT. */
static int
sleep_for_gate(struct evbus__stream *stream, struct evbus_publisher *publisher,
    unsigned kind, uint64_t gate, int64_t deadline)
{
	struct evbus_ring_ctl *ctl = stream->pub.ctl;
	int64_t due = EVBUS_FOREVER, report = EVBUS_FOREVER;
	uint32_t word;

	/* SPACE: see evbus__space_wake(). */
	word = EVBUS_LOAD(&ctl->space, ACQUIRE);
	EVBUS__DELAY(space_arm);
	(void)EVBUS_FETCH_OR(&ctl->waiters, EVBUS__WAITS_SPACE, ACQ_REL);
	EVBUS__DELAY(space_mark);
	/* Without a lossless reader it is a commit that makes room. */
	evbus__park_mark(ctl);
	evbus__fence_heavy();
	/* As for a tail that lies a ring's length above the gate. */
	if (kind != EVBUS__WAIT_FLUSH) {
		report = evbus__stall_due(stream, publisher, gate);
		due = evbus__gate_due(stream, publisher, kind ==
		    EVBUS__WAIT_POOL ? 0 : gate + stream->pub.mask + 1, gate);
	}
	if (due == EVBUS_FOREVER || (report != EVBUS_FOREVER && report < due))
		due = report;
	if ((kind == EVBUS__WAIT_FLUSH ?
	    evbus__passed_now(stream, publisher) :
	    evbus__gate_now(stream, publisher)) >= gate ||
	    EVBUS_LOAD(&stream->context->state, RELAXED) != EVBUS__OPEN)
		return 0;
	EVBUS__DELAY(space_sleep);
	if (due == EVBUS_FOREVER || (deadline != EVBUS_FOREVER &&
	    deadline <= due))
		return evbus__futex_wait(&ctl->space, word, deadline);
	(void)evbus__futex_wait(&ctl->space, word, due);
	return 0;
}

/* The bus is not open, but a handler may wait on: not in a tight loop. */
static void
pause_while_closing(struct evbus__stream *stream)
{
	if (EVBUS_LOAD(&stream->context->state, RELAXED) != EVBUS__OPEN)
		evbus__os_yield();
}

/*
 * Wait once for the gate to reach `gate`: 0: look again; EVBUS_ETIMEDOUT;
 * EVBUS_EDEADLK.  The caller is in no section.
 */
int
evbus__gate_wait(struct evbus__stream *stream,
    struct evbus_publisher *publisher, unsigned kind, uint64_t gate,
    int64_t deadline)
{
	struct evbus__context *context = stream->context;
	int result;

	result = evbus__wait_note(context, publisher, kind,
	    stream->pub.number, gate);
	if (result != 0) {
		(void)EVBUS_FETCH_ADD(&stream->pub.ctl->deadlocks, 1, RELAXED);
		return result;
	}
	result = sleep_for_gate(stream, publisher, kind, gate, deadline);
	evbus__wait_forget(context, publisher);
	pause_while_closing(stream);
	if (result == 0 && evbus__has_passed(deadline))
		result = EVBUS_ETIMEDOUT;
	/* It may have slept for longer than it wanted to: what is to be told is
	 * told before the time runs out, or the reader is demoted. */
	if (kind != EVBUS__WAIT_FLUSH)
		(void)evbus__stall_due(stream, publisher, gate);
	return result;
}

static int
wait_for_space(struct evbus__stream *stream, struct evbus_publisher *publisher,
    uint64_t n, int64_t timeout_ns, uint64_t *sequence, uint64_t need)
{
	struct evbus_ring_ctl *ctl = stream->pub.ctl;
	int64_t deadline = evbus__deadline(timeout_ns);
	int64_t since = evbus__os_now();
	char holder[EVBUS__HOLDER_MAX];
	int result, waited;

	(void)EVBUS_FETCH_ADD(&ctl->waits, 1, RELAXED);
	(void)EVBUS_FETCH_ADD(&ctl->waiting, 1, RELAXED);
	do {
		waited = evbus__gate_wait(stream, publisher, EVBUS__WAIT_SPACE,
		    need - stream->pub.mask - 1, deadline);
		if (waited == EVBUS_EDEADLK) {
			result = waited;
			break;
		}
		evbus__stream_reclaim(stream, publisher);
		result = try_once(stream, publisher, n, sequence, &need);
	} while (result == 0 && waited == 0);
	(void)EVBUS_FETCH_ADD(&ctl->waiting, (uint32_t)-1, RELAXED);
	(void)EVBUS_FETCH_ADD(&ctl->wait_ns,
	    (uint64_t)(evbus__os_now() - since), RELAXED);
	if (result != 0)
		return result;
	(void)EVBUS_FETCH_ADD(&ctl->timedout, 1, RELAXED);
	evbus__describe_holder(stream, publisher, need - stream->pub.mask - 1,
	    holder, sizeof holder);
	return evbus__fail(EVBUS_ETIMEDOUT, "stream \"%s\" was full for "
	    "%lld ns: %s", stream->pattern, (long long)timeout_ns, holder);
}

/*
 * Claim n sequences, waiting up to timeout_ns.  0: claimed, and the caller is
 * inside the publish's section; negative: nothing was claimed.
 */
int
evbus__claim_slow(struct evbus__stream *stream,
    struct evbus_publisher *publisher, uint64_t n, int64_t timeout_ns,
    uint64_t *sequence)
{
	uint64_t need = 0;
	int result, i;

	EVBUS_ASSERT(n > 0 && n <= stream->pub.mask + 1);
	result = try_once(stream, publisher, n, sequence, &need);
	if (result == 0)
		evbus__stream_reclaim(stream, publisher);
	for (i = 0; i < SPINS + YIELDS && result == 0 && timeout_ns != 0; i++) {
		if (i < SPINS)
			EVBUS_SPIN();
		else
			evbus__os_yield();
		if (i % 16 == 15 || i >= SPINS)
			result = try_once(stream, publisher, n, sequence,
			    &need);
	}
	if (result == 0 && timeout_ns == 0) {
		(void)EVBUS_FETCH_ADD(&stream->pub.ctl->refused, 1, RELAXED);
		return EVBUS_EFULL;
	}
	if (result == 0)
		result = wait_for_space(stream, publisher, n, timeout_ns,
		    sequence, need);
	return result == 1 ? 0 : result;
}
