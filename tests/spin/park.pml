/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * park.pml - why: nobody sleeps for ever.
 *
 * Publishers and readers of a ring of two slots, with store buffers (tso.pml).
 * A reader that finds nothing sleeps on its park's word (WAKE), a publisher
 * that finds no room on the stream's space word (SPACE); no sleep has a time
 * limit here, so that a lost wake-up ends in a deadlock, which is what is
 * looked for.  Payloads are ring.pml's matter.
 *
 *	Publisher	evbus__try_claim(), evbus__stamp(),
 *			evbus__after_commit() in evbus/claim.h;
 *			evbus__wake_readers(), evbus__space_wake() in
 *			src/stream/wake.c; evbus__park_wake() in
 *			src/ring/park.c; try_once(), sleep_for_gate() in
 *			src/stream/full.c; evbus__gate_now() in
 *			src/stream/gate.c
 *	Reader		evbus__wait_any() in src/reader/wait.c,
 *			evbus__place_ready(), evbus__place_publish() in
 *			src/reader/place.c; src/ring/park.c
 *
 * READERS (lossless, 0 to 2), PUBLISHERS (1 or 2), EVENTS (of each), FULL.
 *
 * Seeded defects: NO_SECOND_LOOK NO_FENCE ARM_LATE LOOK_EARLY CLEAR_LATE
 * SPACE_NO_LOOK SPACE_WORD_LATE SPACE_CLEAR_LATE NO_MARK NO_SPACE_WAKE,
 * and NO_LIGHT with FULL
 */
#define N	2
#ifndef PUBLISHERS
#define PUBLISHERS 2
#endif
#ifndef READERS
#define READERS	1
#endif
#ifndef EVENTS
#define EVENTS	2
#endif
#define TOTAL	(PUBLISHERS * EVENTS)

/* Words that are stored plainly. */
#define STAMP(s)	((s) % N)
#define CURSOR(r)	(N + (r))
#define PARK(r)		(N + READERS + (r))
#define WORDS		(N + 2 * READERS)
#define PROCESSES	(PUBLISHERS + READERS)
#include "tso.pml"

/* Changed by read-modify-writes only. */
byte tail;
byte limit = N;
byte space;
bit attention;
bit waiters;

bit asleep[PROCESSES];		/* in the kernel */

#if READERS == 0
/* What lowest() in gate.c asks, without the search: up to `s`. */
#define GATE_AT(me, s)	(SEEN(me, STAMP((s) - 1)) >= (s))
#elif READERS == 1
#define GATE_AT(me, s)	(SEEN(me, CURSOR(0)) >= (s))
#else
#define GATE_AT(me, s)	(SEEN(me, CURSOR(0)) >= (s) && \
			SEEN(me, CURSOR(1)) >= (s))
#endif

inline space_wake()
{
#ifndef SPACE_CLEAR_LATE
	atomic { DRAIN(me); waiters = 0 }
#endif
	atomic { DRAIN(me); space++ }
	/* futex_wake(INT_MAX) */
	d_step {
		asleep[READERS] = 0;
#if PUBLISHERS > 1
		asleep[READERS + 1] = 0
#endif
	}
#ifdef SPACE_CLEAR_LATE
	atomic { DRAIN(me); waiters = 0 }
#endif
}

/* Processes 0.. are the readers, publishers follow. */
#if READERS > 0
inline park_wake(r)
{
	if
	:: SEEN(me, PARK(r)) == 1 ->
		atomic { DRAIN(me); was = mem[PARK(r)]; mem[PARK(r)] = 0 }
		if
		:: was == 1 -> atomic { asleep[r] = 0; was = 0 }
		:: else
		fi
	:: else
	fi
}
#endif

inline wake_readers()
{
#ifndef CLEAR_LATE
	atomic { DRAIN(me); attention = 0 }
#endif
#if READERS > 0
	park_wake(0);
#endif
#if READERS > 1
	park_wake(1);
#endif
#ifdef CLEAR_LATE
	atomic { DRAIN(me); attention = 0 }
#endif
#ifndef NO_SPACE_WAKE
	if
	:: waiters -> space_wake()
	:: else
	fi
#endif
}

inline sleep_for_gate()
{
#ifndef SPACE_WORD_LATE
	word = space;
#endif
	atomic { DRAIN(me); waiters = 1 }
#ifndef NO_MARK
	/* evbus__park_mark() */
	atomic { DRAIN(me); attention = 1 }
#endif
	HEAVY(me);
	if
#ifndef SPACE_NO_LOOK
	:: GATE_AT(me, need - N) -> skip
#endif
	:: else ->
#ifdef SPACE_WORD_LATE
		word = space;
#endif
		/* futex_wait(space, word): compared under the kernel's lock */
		atomic {
			DRAIN(me);
			asleep[me] = (space == word)
		}
		(asleep[me] == 0)
	fi;
	word = 0
}

proctype Publisher(byte me)
{
	byte t, need, word, fenced, n;
	bit was, claimed, look;

	do
	:: n == EVENTS -> break
	:: else ->
		do
		:: claimed -> break
		:: else ->
			t = tail;
			if
			:: t + 1 > limit ->
				/* try_once(): evbus__gate_refresh() */
				need = tail + 1;
				if
				:: GATE_AT(me, need - N) ->
					atomic {
						DRAIN(me);
						limit = (limit < need ->
						    need : limit)
					}
				:: else -> sleep_for_gate()
				fi;
				need = 0
			:: else ->
				atomic {
					DRAIN(me);
					if
					:: tail == t ->
						tail++;
						claimed = 1
					:: else
					fi
				}
			fi
		od;
#ifdef LOOK_EARLY
		look = attention;
		STORE(me, STAMP(t), t + 1);
#else
		STORE(me, STAMP(t), t + 1);
		LIGHT(me);
		look = attention;
#endif
		if
		:: look -> wake_readers()
		:: else
		fi;
		d_step { n++; claimed = 0; look = 0; t = 0; was = 0 }
	od
}

#if READERS > 0
#define READY	(SEEN(me, STAMP(next)) == next + 1)

inline place_publish()
{
	STORE(me, CURSOR(me), next);
	LIGHT(me);
	if
	:: waiters -> space_wake()
	:: else
	fi
}

inline wait_any()
{
#ifndef ARM_LATE
	STORE(me, PARK(me), 1);
#endif
	atomic { DRAIN(me); attention = 1 }
#ifdef ARM_LATE
	STORE(me, PARK(me), 1);
#endif
	HEAVY(me);
	if
#ifndef NO_SECOND_LOOK
	:: READY -> skip
#endif
	:: else ->
		/* futex_wait(word, 1) */
		atomic {
			DRAIN(me);
			asleep[me] = (mem[PARK(me)] == 1)
		}
		(asleep[me] == 0)
	fi;
	STORE(me, PARK(me), 0)
}

proctype Reader(byte me)
{
	byte next, fenced;

	do
	:: next == TOTAL -> break
	:: else ->
		if
		:: READY ->
			next++;
			/* At the end of a stretch, or sooner. */
			if
			:: place_publish()
			:: next < TOTAL && READY
			fi
		:: else -> wait_any()
		fi
	od
}
#endif

init {
	atomic {
		run Memory();
#if READERS > 0
		run Reader(0);
#endif
#if READERS > 1
		run Reader(1);
#endif
		run Publisher(READERS);
#if PUBLISHERS > 1
		run Publisher(READERS + 1)
#endif
	}
}
