/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tso.pml - store buffers: what a store does until others see it.
 *
 * Each process has a buffer, first in, first out (TSO).  A plain store goes
 * into it; the process Memory takes the oldest store of any buffer out at any
 * time.  A load looks into the own buffer first.  A read-modify-write empties
 * the own buffer and works on memory.  The includer defines PROCESSES and
 * WORDS; words that are only ever changed by read-modify-writes may be plain
 * variables: change them in an atomic block that begins with DRAIN(me).
 *
 * HEAVY() stands for evbus__fence_heavy() (src/base/os_linux.c): membarrier(2)
 * empties the buffers of all others, one after the other; nothing says that it
 * does so at one moment.  LIGHT() stands for EVBUS_FENCE_LIGHT(): nothing.
 * With FULL, as on a kernel without membarrier(2), both are a full fence of
 * the one who calls.
 *
 * Seeded defects: NO_FENCE (heavy), NO_LIGHT (with FULL).
 */
#define DEPTH	3

byte mem[WORDS];
byte buffered[PROCESSES];	/* how many stores wait */
byte b_word[PROCESSES * DEPTH];
byte b_value[PROCESSES * DEPTH];

#define AT(p, i)	((p) * DEPTH + (i))

/* What process p reads from word w. */
#define SEEN(p, w) \
	(buffered[p] > 2 && b_word[AT(p, 2)] == (w) -> b_value[AT(p, 2)] : \
	(buffered[p] > 1 && b_word[AT(p, 1)] == (w) -> b_value[AT(p, 1)] : \
	(buffered[p] > 0 && b_word[AT(p, 0)] == (w) -> b_value[AT(p, 0)] : \
	mem[w])))

inline STORE(p, w, v)
{
	atomic {
		(buffered[p] < DEPTH);
		b_word[AT(p, buffered[p])] = w;
		b_value[AT(p, buffered[p])] = v;
		buffered[p]++
	}
}

inline take_oldest(p)
{
	d_step {
		mem[b_word[AT(p, 0)]] = b_value[AT(p, 0)];
		b_word[AT(p, 0)] = b_word[AT(p, 1)];
		b_value[AT(p, 0)] = b_value[AT(p, 1)];
		b_word[AT(p, 1)] = b_word[AT(p, 2)];
		b_value[AT(p, 1)] = b_value[AT(p, 2)];
		b_word[AT(p, 2)] = 0;
		b_value[AT(p, 2)] = 0;
		buffered[p]--
	}
}

/* Inside an atomic block. */
inline DRAIN(p)
{
	do
	:: buffered[p] > 0 -> take_oldest(p)
	:: else -> break
	od
}

#if defined(FULL) && !defined(NO_LIGHT)
inline LIGHT(p)
{
	atomic { DRAIN(p) }
}
#else
inline LIGHT(p)
{
	skip
}
#endif

#if defined(FULL) || defined(NO_FENCE)
inline HEAVY(p)
{
	atomic { DRAIN(p) }
}
#else
inline HEAVY(p)
{
	atomic { DRAIN(p); fenced = 0 }
	do
	:: fenced < PROCESSES ->
		atomic { DRAIN(fenced); fenced++ }
	:: else -> break
	od;
	fenced = 0
}
#endif

proctype Memory()
{
end:	do
	:: atomic { buffered[0] > 0 -> take_oldest(0) }
#if PROCESSES > 1
	:: atomic { buffered[1] > 0 -> take_oldest(1) }
#endif
#if PROCESSES > 2
	:: atomic { buffered[2] > 0 -> take_oldest(2) }
#endif
#if PROCESSES > 3
	:: atomic { buffered[3] > 0 -> take_oldest(3) }
#endif
#if PROCESSES > 4
	:: atomic { buffered[4] > 0 -> take_oldest(4) }
#endif
	od
}
