/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ring.pml - why: claim, publish, gate and read, in every interleaving.
 *
 * A ring of two slots, laps included.  Each access to a shared word is a step
 * of its own; memory is sequential (park.pml and close.pml have store buffers).
 * A slot has two words, so that half an event would be seen.
 *
 *	Producer	evbus__try_claim(), evbus__stamp() in evbus/claim.h;
 *			try_once(), claim_under() in src/stream/full.c;
 *			evbus__gate_refresh(), lowest(), raise_to() in
 *			src/stream/gate.c.  Its wait is a guard: how it sleeps
 *			and is woken is park.pml's matter.
 *	Lossless	run_stretch() in src/reader/poll.c,
 *			evbus__place_publish() in src/reader/place.c
 *	Lossy		refill(), copy_batch() in src/reader/copy.c
 *
 * Asserted: invariants 1 to 4 of evbus/ring.h, O2, D1, D2, D5.
 *
 * PRODUCERS, EVENTS (of each), READERS (lossless; 0: the frontier gates),
 * LOSSY (0 or 1), AHEAD (capacity / 8 in evbus__gate_refresh()).
 *
 * Seeded defects: STAMP_EARLY GATE_EARLY NO_CAS LIMIT_STORE ONE_CURSOR
 * FRONTIER_TAIL FRONTIER_STORE NO_SECOND_TAIL NO_LIMIT
 */
#define N	2
#ifndef PRODUCERS
#define PRODUCERS 2
#endif
#ifndef EVENTS
#define EVENTS	3
#endif
#ifndef READERS
#define READERS	1
#endif
#ifndef LOSSY
#define LOSSY	0
#endif
#ifndef AHEAD
#define AHEAD	0
#endif
#define TOTAL	(PRODUCERS * EVENTS)

/* struct evbus_ring_ctl */
byte tail;
byte limit = N;
byte frontier;
/* The slots. */
byte stamp[N];
byte first[N];		/* sequence + 1 */
byte second[N];		/* producer and number */
/* Not in the code: who writes the slot now, and what each event must hold. */
byte writer[N];
#if LOSSY
byte wanted[TOTAL];
#endif

#if READERS == 2
byte cursor[2];
#define LOW	(cursor[0] < cursor[1] -> cursor[0] : cursor[1])
#elif READERS == 1
byte cursor[1];
#define LOW	cursor[0]
#endif

/* Invariants 1 and 4; to be said where one of the words is stored. */
inline invariant()
{
	assert(tail <= limit);
#if READERS > 0
	assert(limit <= LOW + N && LOW <= tail)
#endif
}

/* evbus__try_claim(), claim_under(): compare-and-swap of the tail. */
inline claim(at)
{
#ifdef NO_CAS
	tail = at + 1;
	claimed = 1
#else
	atomic {
		if
		:: tail == at ->
			tail = at + 1;
			claimed = 1;
			invariant()
		:: else ->
			at = tail
		fi
	}
#endif
}

/* lowest() in gate.c. */
inline lowest(want)
{
#if READERS > 0
	low = cursor[0];
#if READERS == 2 && !defined(ONE_CURSOR)
	fresh = cursor[1];
	low = (fresh < low -> fresh : low);
#endif
#else
	low = frontier;
	fresh = limit;
	low = (fresh - N > low -> fresh - N : low);
#ifdef FRONTIER_TAIL
	low = tail;
#else
	/* evbus__committed_from() */
	do
	:: low + N < want && stamp[low % N] > low -> low++
	:: else -> break
	od;
#endif
	/* raise_to() */
	seen = frontier;
	do
	:: seen < low ->
		atomic {
#ifdef FRONTIER_STORE
			assert(frontier <= low);
			frontier = low;
			seen = low
#else
			if
			:: frontier == seen -> frontier = low; seen = low
			:: else -> seen = frontier
			fi
#endif
		}
	:: else -> break
	od;
	low = seen
#endif
}

/* evbus__gate_refresh(); the answer is in `l`. */
inline gate_refresh()
{
	lowest(need + AHEAD);
	fresh = low + N;
	fresh = (fresh > need + AHEAD -> need + AHEAD : fresh);
	l = limit;
	do
	:: l < fresh ->
		atomic {
#ifdef LIMIT_STORE
			assert(limit <= fresh);
			limit = fresh;
			l = fresh
#else
			if
			:: limit == l -> limit = fresh; l = fresh
			:: else -> l = limit
			fi
#endif
			;
			invariant()
		}
	:: else -> break
	od
}

inline fill()
{
	atomic {
		/* Invariant 2. */
		assert(writer[t % N] == 0);
		writer[t % N] = me + 1;
#if LOSSY
		wanted[t] = me * EVENTS + n;
#endif
#if READERS > 0
		assert(t < LOW + N);
#endif
		first[t % N] = t + 1
	}
	atomic {
		assert(writer[t % N] == me + 1);
		second[t % N] = me * EVENTS + n;
#ifdef STAMP_EARLY
		writer[t % N] = 0
#endif
	}
}

inline put_stamp()
{
	atomic {
		assert(stamp[t % N] < t + 1);
		stamp[t % N] = t + 1;
#ifndef STAMP_EARLY
		writer[t % N] = 0
#endif
	}
}

proctype Producer(byte me)
{
	byte t, l, low, need, fresh, seen, n;
	bool claimed;

	do
	:: n == EVENTS -> break
	:: else ->
		t = tail;
		do
		:: claimed -> break
		:: else ->
			l = limit;
			if
#ifdef NO_LIMIT
			:: claim(t)
#else
			:: t + 1 > l -> break
			:: else -> claim(t)
#endif
			fi
		od;
		/* The slow way. */
		do
		:: claimed -> break
		:: else ->
			need = tail + 1;
			gate_refresh();
			t = tail;
			do
			:: claimed || t + 1 > l -> break
			:: else -> claim(t)
			od;
			if
			:: claimed
			:: else ->
				/* evbus__gate_wait(), for need - N */
#if READERS > 0
				(LOW + N >= need)
#else
				(stamp[(need - N - 1) % N] >= need - N)
#endif
			fi
		od;
#ifdef STAMP_EARLY
		put_stamp();
		fill();
#else
		fill();
		put_stamp();
#endif
		d_step {
			claimed = 0;
			low = 0; fresh = 0; seen = 0; need = 0; l = 0; t = 0;
			n++
		}
	od
}

/* O2 and D1: each producer's numbers, without a gap. */
inline check_order(value)
{
	d_step {
		assert(number[value / EVENTS] == value % EVENTS);
		number[value / EVENTS]++;
		value = 0
	}
}

#if READERS > 0
inline publish_cursor(to)
{
	atomic {
		assert(to >= cursor[me]);
		cursor[me] = to;
		invariant()
	}
}

proctype Lossless(byte me)
{
	byte next, value;
	byte number[PRODUCERS];

	do
	:: next == TOTAL -> break
	:: else ->
		(stamp[next % N] == next + 1);
#ifdef GATE_EARLY
		publish_cursor(next + 1);
#endif
		assert(first[next % N] == next + 1);
		value = second[next % N];
		/* Invariant 3: still the same event when its handler ends. */
		assert(first[next % N] == next + 1);
		check_order(value);
		next++;
		/* At the end of a stretch, or sooner. */
		if
		:: publish_cursor(next)
		:: next < TOTAL && stamp[next % N] == next + 1
		fi
	od;
	assert(cursor[me] == TOTAL && stamp[(TOTAL - 1) % N] == TOTAL)
}
#endif

#if LOSSY
proctype Lossy()
{
	byte next, delivered, lost, copy, value, seen;
	bool there;

	do
	:: next == TOTAL -> break
	:: else ->
		/* evbus__place_ready() */
		(stamp[next % N] > next);
		seen = tail;
		if
		:: seen > next + N ->
			lost = lost + seen - N - next;
			next = seen - N
		:: else
		fi;
		there = (stamp[next % N] == next + 1);
		copy = first[next % N];
		value = second[next % N];
		/* LAP */
#ifdef NO_SECOND_TAIL
		seen = 0;
#else
		seen = tail;
#endif
		if
		:: seen > next + N ->
			lost = lost + seen - N - next;
			next = seen - N
		:: else ->
			if
			:: there ->
				/* D5: all of the event, and this one. */
				assert(copy == next + 1);
				assert(value == wanted[next]);
				delivered++;
				next++
			:: else
			fi
		fi;
		assert(delivered + lost == next);	/* D2 */
		d_step { copy = 0; value = 0; seen = 0; there = 0 }
	od
}
#endif

init {
	atomic {
		run Producer(0);
#if PRODUCERS > 1
		run Producer(1);
#endif
#if READERS > 0
		run Lossless(0);
#endif
#if READERS > 1
		run Lossless(1);
#endif
#if LOSSY
		run Lossy()
#endif
	}
}
