/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * close.pml - why: what was accepted is delivered, what comes too late is
 * refused, and nobody who waits is forgotten (L3).
 *
 * A bus is closed while threads publish from outside and a handler publishes
 * from inside, with store buffers (tso.pml), on a ring of two slots.
 * A reader reads on, or (STUCK) stands still, so that close ends at its time
 * limit.  How readers sleep is park.pml's matter.
 *
 *	Publisher	evbus__enter(), evbus__try_claim(), evbus__leave() in
 *			evbus/claim.h; try_once(), check_state(),
 *			claim_under(), sleep_for_gate() in src/stream/full.c;
 *			evbus__gate_refresh() in src/stream/gate.c
 *	Closer		evbus_close(), shut_limits(), wait_for_sections(),
 *			drain(), drain_and_shut() in src/bus/close.c
 *	Reader		evbus__place_publish() in src/reader/place.c
 *
 * OUTSIDE (publishers, 1 or 2), EVENTS (of each of them), HANDLER (0 or 1: one
 * event from inside), AHEAD (capacity / 8 in evbus__gate_refresh()), STUCK,
 * FULL.
 *
 * Seeded defects: NO_FENCE NO_SECTIONS SECTION_LATE RAISE_CLOSED NO_CLOSE_WAKE
 * WAIT_NO_STATE NO_RECHECK ENDING_NO_WAIT, and NO_LIGHT with FULL
 */
#define N	2
#ifndef OUTSIDE
#define OUTSIDE	2
#endif
#ifndef EVENTS
#define EVENTS	1
#endif
#ifndef AHEAD
#define AHEAD	0
#endif
#ifndef HANDLER
#define HANDLER	1
#endif
#ifdef STUCK
#define IS_STUCK 1
#else
#define IS_STUCK 0
#endif

/* The processes with a buffer: publishers, the last of them a handler. */
#define PUBLISHERS (OUTSIDE + HANDLER)
#define READER	PUBLISHERS
#define CLOSER	(PUBLISHERS + 1)
#define PROCESSES (PUBLISHERS + 2)

/* Words that are stored plainly. */
#define STAMP(s)	((s) % N)
#define CURSOR		N
#define STATE		(N + 1)
#define SECTION(p)	(N + 2 + (p))
#define WORDS		(N + 2 + PUBLISHERS)
#include "tso.pml"

/* The states of the bus. */
#define OPEN	0
#define CLOSING	1
#define ENDING	2
#define CLOSED	3

/* Changed by read-modify-writes only.  limit 0: EVBUS__LIMIT_CLOSED. */
byte tail;
byte limit = N;
byte space;
bit waiters;

bit asleep[PROCESSES];
/* Not in the code. */
bit counted;		/* close has seen that nothing more can come */
byte accepted;

inline space_wake(me)
{
	atomic { DRAIN(me); waiters = 0 }
	atomic { DRAIN(me); space++ }
	d_step {
		asleep[0] = 0;
#if PUBLISHERS > 1
		asleep[1] = 0;
#endif
#if PUBLISHERS > 2
		asleep[2] = 0
#endif
	}
}

/* Compare-and-swap of the tail. */
inline claim()
{
	atomic {
		DRAIN(me);
		if
		:: tail == t ->
			assert(!counted);
			tail++;
			claimed = 1
		:: else ->
			t = tail
		fi
	}
}

inline enter()
{
	STORE(me, SECTION(me), 1);
	LIGHT(me)
}

inline leave()
{
	STORE(me, SECTION(me), 0)
}

/* check_state(): who publishes from inside may go on until ENDING. */
inline check_state()
{
	state = SEEN(me, STATE);
	refused = (inside -> state >= ENDING : state != OPEN)
}

/* evbus__gate_refresh(); the answer is in l. */
inline gate_refresh()
{
	fresh = SEEN(me, CURSOR) + N;
	fresh = (fresh > need + AHEAD -> need + AHEAD : fresh);
	l = limit;
	do
#ifdef RAISE_CLOSED
	:: l < fresh ->
#else
	:: l != 0 && l < fresh ->
#endif
		atomic {
			DRAIN(me);
			if
			:: limit == l -> limit = fresh; l = fresh
			:: else -> l = limit
			fi
		}
	:: else -> break
	od;
	l = (l == 0 -> fresh : l)
}

inline sleep_for_gate()
{
	word = space;
	atomic { DRAIN(me); waiters = 1 }
	HEAVY(me);
	if
	:: SEEN(me, CURSOR) + N >= need -> skip
	:: else ->
#ifndef WAIT_NO_STATE
		if
		:: SEEN(me, STATE) != OPEN -> skip
		:: else ->
#endif
			atomic {
				DRAIN(me);
				asleep[me] = (space == word)
			}
			(asleep[me] == 0)
#ifndef WAIT_NO_STATE
		fi
#endif
	fi;
	word = 0
}

inline try_once()
{
	enter();
	check_state();
	if
	:: refused -> leave()
	:: else ->
		need = tail + 1;
		gate_refresh();
		t = tail;
		do
		:: claimed || t + 1 > l -> break
		:: else -> claim()
		od;
		if
		:: claimed
		:: else -> leave(); sleep_for_gate()
		fi
	fi;
	d_step { need = 0; fresh = 0; l = 0; state = 0 }
}

inline try_fast()
{
#ifdef SECTION_LATE
	l = limit;
	enter();
	t = tail;
	if
	:: t + 1 <= l -> claim()
	:: else
	fi;
#else
	enter();
	t = tail;
	do
	:: claimed -> break
	:: else ->
		l = limit;
		if
		:: t + 1 > l -> break
		:: else -> claim()
		fi
	od;
#endif
	if
	:: claimed
	:: else -> leave()
	fi;
	l = 0
}

proctype Publisher(byte me; bit inside; byte events)
{
	byte t, l, need, fresh, word, state, fenced, n;
	bit claimed, refused;

	do
	:: n == events || refused -> break
	:: else ->
		try_fast();
		do
		:: claimed || refused -> break
		:: else -> try_once()
		od;
		if
		:: claimed ->
			STORE(me, STAMP(t), t + 1);
			leave();
			atomic { accepted++; claimed = 0; n++ }
		:: else
		fi;
		t = 0
	od
}

#ifndef STUCK
proctype Reader(byte me)
{
	byte next;

	do
	:: true ->
end:		(SEEN(me, STAMP(next)) == next + 1);
		next++;
		STORE(me, CURSOR, next);
		LIGHT(me);
		if
		:: waiters -> space_wake(me)
		:: else
		fi
	od
}
#endif

inline wait_for_sections()
{
	HEAVY(me);
#ifndef NO_SECTIONS
	(SEEN(me, SECTION(0)) == 0);
#if PUBLISHERS > 1
	(SEEN(me, SECTION(1)) == 0);
#endif
#if PUBLISHERS > 2
	(SEEN(me, SECTION(2)) == 0);
#endif
#endif
	skip
}

/* drain(): until, in one look, the cursor stands at a tail that stands. */
inline drain()
{
	do
	:: true ->
		tails = tail;
		if
		:: tails == SEEN(me, CURSOR) && tails == tail -> break
		:: else -> (tail == SEEN(me, CURSOR))
		fi
	od
}

proctype Closer(byte me)
{
	byte tails, fenced;

	STORE(me, STATE, CLOSING);
	/* shut_limits() */
	atomic { DRAIN(me); limit = 0 }
	wait_for_sections();
#ifndef NO_CLOSE_WAKE
	space_wake(me);
#endif
	/* drain_and_shut() */
	do
	:: true ->
#ifndef STUCK
		drain();
#endif
		STORE(me, STATE, ENDING);
#ifndef ENDING_NO_WAIT
		wait_for_sections();
#endif
		atomic {
			if
#ifndef NO_RECHECK
			:: !IS_STUCK && tail != tails -> skip
			:: else ->
#else
			:: true ->
#endif
				counted = 1;
				/* What was accepted is delivered. */
				assert(IS_STUCK || SEEN(me, CURSOR) == tail);
				break
			fi
		}
		STORE(me, STATE, CLOSING)
	od;
	STORE(me, STATE, CLOSED);
	/* Each claim that is counted ended as an accepted event. */
	(accepted == tail)
}

init {
	atomic {
		run Memory();
		run Publisher(0, 0, EVENTS);
#if OUTSIDE > 1
		run Publisher(1, 0, EVENTS);
#endif
#if HANDLER
		run Publisher(OUTSIDE, 1, 1);
#endif
#ifndef STUCK
		run Reader(READER);
#endif
		run Closer(CLOSER)
	}
}
