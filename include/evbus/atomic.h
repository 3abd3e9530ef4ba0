/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * atomic.h - layer 0: every access to memory that threads share.
 *
 * All atomics of evbus go through this header: the compiler's __atomic
 * built-ins, with the order written out at each use, so that sanitizers see
 * each edge and every architecture gets the order that is written.
 *
 * Two personalities.  Normally each macro is the built-in and nothing else.
 * With -DEVBUS_EXPLORE each becomes a call into tests/explore/, which runs the
 * REAL code on fibers under a deterministic scheduler and a model of C11
 * memory; there the calling thread's record, the futex, the clock, mutexes
 * and the process-wide barrier are the scheduler's too.
 *
 * Orders: RELAXED ACQUIRE RELEASE ACQ_REL SEQ_CST, e.g.
 *	EVBUS_LOAD(&ring->tail, RELAXED)
 * Ordering comments carry labels; evbus_memory_model(7) lists them.
 */
#ifndef EVBUS_ATOMIC_H
#define EVBUS_ATOMIC_H

#include <string.h>

#include <evbus/base.h>

#ifndef EVBUS_EXPLORE

#define EVBUS_LOAD(p, o)	__atomic_load_n((p), __ATOMIC_##o)
#define EVBUS_STORE(p, v, o)	__atomic_store_n((p), (v), __ATOMIC_##o)
#define EVBUS_XCHG(p, v, o)	__atomic_exchange_n((p), (v), __ATOMIC_##o)
#define EVBUS_FETCH_ADD(p, v, o) __atomic_fetch_add((p), (v), __ATOMIC_##o)
#define EVBUS_FETCH_OR(p, v, o)	__atomic_fetch_or((p), (v), __ATOMIC_##o)
#define EVBUS_FETCH_AND(p, v, o) __atomic_fetch_and((p), (v), __ATOMIC_##o)
/* Strong compare-and-swap; *ep receives the value seen when it fails. */
#define EVBUS_CAS(p, ep, v, os, of) \
	__atomic_compare_exchange_n((p), (ep), (v), 0, \
	    __ATOMIC_##os, __ATOMIC_##of)

/*
 * Stand-alone fences.  No plain data hangs on them, only words that are
 * accessed through this header (the thread sanitizer does not see fences).
 */
#define EVBUS_FENCE(o)		evbus__fence(__ATOMIC_##o)

/* gcc's thread sanitizer warns of each fence; see above why it need not. */
#if defined(__GNUC__) && !defined(__clang__) && __GNUC__ >= 11
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wtsan"
#endif
EVBUS__INLINE void
evbus__fence(int order)
{
	__atomic_thread_fence(order);
}
#if defined(__GNUC__) && !defined(__clang__) && __GNUC__ >= 11
#pragma GCC diagnostic pop
#endif

/*
 * The two ends of an asymmetric fence (F2).  LIGHT costs nothing but keeps the
 * compiler from moving accesses across; HEAVY (evbus__fence_heavy) makes every
 * running thread of the process execute a full fence, or, where the kernel
 * cannot, is a full fence itself, and then `full` must be true for LIGHT.
 */
#define EVBUS_FENCE_LIGHT(full) do { \
	if (evbus_unlikely(full)) \
		evbus__fence(__ATOMIC_SEQ_CST); \
	else \
		__atomic_signal_fence(__ATOMIC_SEQ_CST); \
} while (0)

/*
 * Payload bytes and header words: plain memory, ordered by the stamp.  The
 * explorer records them word by word.
 */
#define EVBUS_PLAIN_STORE(p, v)	(*(p) = (v))
#define EVBUS_PLAIN_LOAD(p)	(*(p))
#define EVBUS_PLAIN_STORE2(p, a, b) evbus__store_pair((p), (a), (b))
#define EVBUS_PLAIN_LOAD2(to, p) (*(evbus__pair *)(void *)(to) = \
	*(const evbus__pair *)(const void *)(p))
#define EVBUS_PLAIN_COPY_IN(dst, src, n) evbus__copy_in((dst), (src), (n))

/*
 * Small payloads are read word by word: their fields were just stored one by
 * one, and a wider load would wait until those stores have left the store
 * buffer.  They are written in pairs: a producer whose slots lie in readers'
 * caches goes as fast as its store buffer holds events, so each store counts.
 * dst is 8-byte aligned and has room for whole words.
 */
typedef uint64_t evbus__pair
    __attribute__((__vector_size__(16), __aligned__(8), __may_alias__));

EVBUS__INLINE void
evbus__store_pair(void *to, uint64_t a, uint64_t b)
{
	evbus__pair pair = { a, b };

	*(evbus__pair *)to = pair;
}

EVBUS__INLINE uint64_t
evbus__load_word(const unsigned char *from, size_t n)
{
	uint64_t word = 0;

	memcpy(&word, from, n);
	/* Not joined with its neighbour to one wide load. */
	__asm__ __volatile__("" : "+r"(word));
	return word;
}

EVBUS__INLINE void
evbus__copy_in(void *dst, const void *src, size_t n)
{
	uint64_t *to = (uint64_t *)dst;
	const unsigned char *from = (const unsigned char *)src;
	size_t i;

	if (n > 64) {
		memcpy(dst, src, n);
		return;
	}
#pragma GCC unroll 4
	for (i = 0; i + 16 <= n; i += 16)
		evbus__store_pair(to + i / 8, evbus__load_word(from + i, 8),
		    evbus__load_word(from + i + 8, 8));
	if (i + 8 <= n) {
		to[i / 8] = evbus__load_word(from + i, 8);
		i += 8;
	}
	if (i < n)
		to[i / 8] = evbus__load_word(from + i, n - i);
}

/*
 * Up to four whole words, of a number known at compile time, kept in registers
 * on their way from the caller's variables to a slot, which has room for pairs.
 */
struct evbus__words {
	evbus__pair low, high;
};
#define EVBUS__NO_WORDS		{ { 0, 0 }, { 0, 0 } }
#define EVBUS__FEW_WORDS(size)	(__builtin_constant_p(size) && (size) > 0 && \
	(size) <= sizeof(struct evbus__words) && (size) % 8 == 0)

EVBUS__INLINE struct evbus__words
evbus__load_words(const void *data, size_t size)
{
	uint64_t w[4] = { 0, 0, 0, 0 };
	struct evbus__words words = EVBUS__NO_WORDS;

	memcpy(w, data, size);
	words.low[0] = w[0];
	words.low[1] = w[1];
	words.high[0] = w[2];
	words.high[1] = w[3];
	return words;
}

EVBUS__INLINE void
evbus__store_words(void *to, struct evbus__words words, size_t size)
{
	evbus__pair *pair = (evbus__pair *)to;

	pair[0] = words.low;
	if (size > sizeof pair[0])
		pair[1] = words.high;
}

/* One step of a spinning wait: the core's hint, nothing shared is touched. */
#if defined(__x86_64__) || defined(__i386__)
#define EVBUS_SPIN()		__builtin_ia32_pause()
#elif defined(__aarch64__)
#define EVBUS_SPIN()		__asm__ __volatile__("isb" ::: "memory")
#else
#define EVBUS_SPIN()		__asm__ __volatile__("" ::: "memory")
#endif

#else /* EVBUS_EXPLORE */

EVBUS_BEGIN_DECLS
uint64_t evbus__x_load(const volatile void *p, unsigned size, int order,
    const char *file, int line);
void evbus__x_store(volatile void *p, unsigned size, uint64_t v, int order,
    const char *file, int line);
uint64_t evbus__x_xchg(volatile void *p, unsigned size, uint64_t v, int order,
    const char *file, int line);
uint64_t evbus__x_add(volatile void *p, unsigned size, uint64_t v, int order,
    const char *file, int line);
uint64_t evbus__x_or(volatile void *p, unsigned size, uint64_t v, int order,
    const char *file, int line);
uint64_t evbus__x_and(volatile void *p, unsigned size, uint64_t v, int order,
    const char *file, int line);
int evbus__x_cas(volatile void *p, unsigned size, volatile void *expected,
    uint64_t v, int success, int failure, const char *file, int line);
void evbus__x_fence(int order, const char *file, int line);
void evbus__x_fence_light(int full, const char *file, int line);
void evbus__x_plain_store(volatile void *p, unsigned size, uint64_t v,
    const char *file, int line);
uint64_t evbus__x_plain_load(const volatile void *p, unsigned size,
    const char *file, int line);
void evbus__x_plain_copy_in(volatile void *dst, const void *src, size_t n,
    const char *file, int line);
void evbus__x_pause(const char *file, int line);
EVBUS_END_DECLS

#define EVBUS__X __FILE__, __LINE__
#define EVBUS__T(p) __typeof__(*(p) + 0)
#define EVBUS__V(v) ((uint64_t)(uintptr_t)(v))
#define EVBUS__R(p, x) ((EVBUS__T(p))(uintptr_t)(x))
#define EVBUS_LOAD(p, o) EVBUS__R(p, \
	evbus__x_load((p), sizeof *(p), __ATOMIC_##o, EVBUS__X))
#define EVBUS_STORE(p, v, o) \
	evbus__x_store((p), sizeof *(p), EVBUS__V(v), __ATOMIC_##o, EVBUS__X)
#define EVBUS_XCHG(p, v, o) EVBUS__R(p, \
	evbus__x_xchg((p), sizeof *(p), EVBUS__V(v), __ATOMIC_##o, EVBUS__X))
/* Its result is not to be used: the explorer lets additions change places. */
#define EVBUS_FETCH_ADD(p, v, o) ((void)evbus__x_add((p), sizeof *(p), \
	EVBUS__V(v), __ATOMIC_##o, EVBUS__X))
#define EVBUS_FETCH_OR(p, v, o) EVBUS__R(p, \
	evbus__x_or((p), sizeof *(p), EVBUS__V(v), __ATOMIC_##o, EVBUS__X))
#define EVBUS_FETCH_AND(p, v, o) EVBUS__R(p, \
	evbus__x_and((p), sizeof *(p), EVBUS__V(v), __ATOMIC_##o, EVBUS__X))
#define EVBUS_CAS(p, ep, v, os, of) \
	evbus__x_cas((p), sizeof *(p), (ep), EVBUS__V(v), \
	    __ATOMIC_##os, __ATOMIC_##of, EVBUS__X)
#define EVBUS_FENCE(o) evbus__x_fence(__ATOMIC_##o, EVBUS__X)
#define EVBUS_FENCE_LIGHT(full) evbus__x_fence_light((full) ? 1 : 0, EVBUS__X)
#define EVBUS_PLAIN_STORE(p, v) \
	evbus__x_plain_store((p), sizeof *(p), EVBUS__V(v), EVBUS__X)
#define EVBUS_PLAIN_STORE2(p, a, b) do { \
	EVBUS_PLAIN_STORE((p), (a)); \
	EVBUS_PLAIN_STORE((p) + 1, (b)); \
} while (0)
#define EVBUS_PLAIN_LOAD(p) EVBUS__R(p, \
	evbus__x_plain_load((p), sizeof *(p), EVBUS__X))
#define EVBUS_PLAIN_LOAD2(to, p) do { \
	(to)[0] = EVBUS_PLAIN_LOAD(p); \
	(to)[1] = EVBUS_PLAIN_LOAD((p) + 1); \
} while (0)
#define EVBUS_PLAIN_COPY_IN(dst, src, n) \
	evbus__x_plain_copy_in((dst), (src), (n), EVBUS__X)
/* Every word is seen: none goes by registers. */
struct evbus__words { uint64_t none; };
#define EVBUS__NO_WORDS		{ 0 }
#define EVBUS__FEW_WORDS(size)	0
#define evbus__load_words(data, size) ((struct evbus__words)EVBUS__NO_WORDS)
#define evbus__store_words(to, words, size) ((void)(words))
#define EVBUS_SPIN() evbus__x_pause(EVBUS__X)

#endif /* EVBUS_EXPLORE */

#endif /* EVBUS_ATOMIC_H */
