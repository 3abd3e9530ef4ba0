/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * join.pml - why: a reader that joins while events flow misses nothing from
 * its start on, and one that leaves holds nobody.
 *
 * Producers publish to a ring of two slots that nobody gates at first.  A
 * lossless reader joins, reads some events or none, and leaves.  Memory is
 * sequential.
 *
 *	Producer	evbus__try_claim() in evbus/claim.h; try_once(),
 *			sleep_for_gate() in src/stream/full.c;
 *			evbus__gate_refresh(), lowest() in src/stream/gate.c,
 *			inside a section of src/base/epoch.c
 *	Joiner		evbus__stream_join(), choose_start(), swap_set(),
 *			evbus__stream_leave() in src/stream/set.c;
 *			evbus__committed_from() in src/stream/gate.c
 *
 * Asserted: invariants 1, 2 and 4 of evbus/ring.h, D1; a section never holds a
 * set that was freed.
 *
 * PRODUCERS (1 or 2), EVENTS (of each), SLEEP: a producer that finds no room
 * sleeps and must be woken; without it, it waits until there is some.
 *
 * Seeded defects: NO_GRACE START_EARLY START_AT_TAIL CURSOR_UNSET
 * LEAVE_NO_WAKE LEAVE_NO_GRACE
 */
#define N	2
#ifndef PRODUCERS
#define PRODUCERS 2
#endif
#ifndef EVENTS
#define EVENTS	2
#endif
#define TOTAL	(PRODUCERS * EVENTS)
#define UNSET	100	/* what a cursor held before: any place */

byte tail;
byte limit = N;
byte frontier;
byte stamp[N];
byte space;
bit waiters;
bit asleep[PRODUCERS];

byte cursor = UNSET;
/* The set that is published: 0 none gates, 1 the cursor does, 2 none again. */
byte set;
bit section[PRODUCERS];
byte holds[PRODUCERS];		/* which set a section looks at */

/* Not in the code. */
bit freed[3];
byte writer[N];
bit needed;			/* the reader has its start */

inline invariant()
{
	assert(tail <= limit);
	assert(!needed || (limit <= cursor + N && cursor <= tail))
}

/* evbus__epoch_begin(), load of the set, lowest(). */
inline lowest(want)
{
	section[me] = 1;
	holds[me] = set;
	assert(!freed[holds[me]]);
	if
	:: holds[me] == 1 ->
		low = cursor
	:: else ->
		low = frontier;
		fresh = limit;
		low = (fresh - N > low -> fresh - N : low);
		do
		:: low + N < want && stamp[low % N] > low -> low++
		:: else -> break
		od;
		atomic { frontier = (frontier < low -> low : frontier) }
		low = frontier
	fi;
	assert(!freed[holds[me]])
}

inline space_wake()
{
	waiters = 0;
	space++;
	d_step {
		asleep[0] = 0;
#if PRODUCERS > 1
		asleep[1] = 0
#endif
	}
}

inline wake_waiters()
{
	if
	:: waiters -> space_wake()
	:: else
	fi
}

inline claim()
{
	atomic {
		if
		:: tail == t ->
			tail = t + 1;
			claimed = 1;
			invariant()
		:: else ->
			t = tail
		fi
	}
}

inline gate_refresh()
{
	lowest(need);
	fresh = low + N;
	fresh = (fresh > need -> need : fresh);
	l = limit;
	do
	:: l < fresh ->
		atomic {
			if
			:: limit == l ->
				limit = fresh;
				l = fresh;
				invariant()
			:: else -> l = limit
			fi
		}
	:: else -> break
	od;
	skip;
	d_step { section[me] = 0; holds[me] = 0; low = 0; fresh = 0 }
}

#ifdef SLEEP
inline sleep_for_gate()
{
	word = space;
	waiters = 1;
	/* evbus__gate_now() */
	lowest(need);
	atomic { section[me] = 0; holds[me] = 0 }
	if
	:: low + N >= need
	:: else ->
		atomic { asleep[me] = (space == word) }
		(asleep[me] == 0)
	fi;
	d_step { word = 0; low = 0; fresh = 0 }
}
#else
inline sleep_for_gate()
{
	(need <= N || (set == 1 && cursor + N >= need) ||
	    (set != 1 && stamp[(need - N - 1) % N] >= need - N))
}
#endif

proctype Producer(byte me)
{
	byte t, l, low, need, fresh, word, n;
	bit claimed;

	do
	:: n == EVENTS -> break
	:: else ->
		do
		:: claimed -> break
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
			:: else -> sleep_for_gate()
			fi
		od;
		atomic {
			/* Invariant 2. */
			assert(writer[t % N] == 0);
			assert(!needed || t < cursor + N);
			writer[t % N] = 1
		}
		atomic {
			writer[t % N] = 0;
			stamp[t % N] = t + 1
		}
		/* evbus__after_commit(): the waiters marked attention */
		wake_waiters();
		d_step {
			claimed = 0; t = 0; l = 0; low = 0; need = 0; fresh = 0;
			n++
		}
	od
}

/* A grace period: who is inside now has left. */
inline synchronize()
{
	(section[0] == 0);
#if PRODUCERS > 1
	(section[1] == 0);
#endif
	skip
}

proctype Joiner()
{
	byte held, until, reads;

	/* evbus__stream_join() */
	held = limit - N;
#ifndef CURSOR_UNSET
	cursor = held;
#endif
	set = 1;
#ifndef NO_GRACE
	synchronize();
#endif
	freed[0] = 1;
#ifndef START_EARLY
	held = limit - N;
#endif
	until = tail;
#ifdef START_AT_TAIL
	held = until;
#else
	/* choose_start(): now, or the oldest */
	if
	:: do
	   :: held < until && stamp[held % N] > held -> held++
	   :: else -> break
	   od
	:: skip
	fi;
#endif
	atomic {
		assert(cursor == UNSET || held >= cursor);
		cursor = held;
		needed = 1;
		invariant()
	}
	space_wake();

	/* Some events: each is there, none was overwritten. */
	do
	:: cursor < TOTAL ->
		(stamp[cursor % N] > cursor);
		assert(stamp[cursor % N] == cursor + 1);
		atomic { cursor++; invariant() }
		wake_waiters()
	:: break
	od;

	/* evbus__stream_leave() */
	needed = 0;
	set = 2;
#ifndef LEAVE_NO_GRACE
	synchronize();
#endif
	freed[1] = 1;
#ifndef LEAVE_NO_WAKE
	space_wake()
#endif
}

init {
	atomic {
		run Producer(0);
#if PRODUCERS > 1
		run Producer(1);
#endif
		run Joiner()
	}
}
