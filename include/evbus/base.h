/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * base.h - layer 0: version, compiler extensions, cache-line facts.
 *
 * The only header that uses compiler extensions directly, beside atomic.h.
 */
#ifndef EVBUS_BASE_H
#define EVBUS_BASE_H

#include <assert.h>
#include <stddef.h>
#include <stdint.h>

/* The one place that holds the version; the build reads it from here. */
#define EVBUS_VERSION_MAJOR	0
#define EVBUS_VERSION_MINOR	1
#define EVBUS_VERSION_PATCH	0
#define EVBUS_VERSION		"0.1.0"

/*
 * Version of everything that inline code and library share: header, slot,
 * control block and handle layouts.  It travels with the calls that open
 * things; another library answers EVBUS_EVERSION.
 */
#define EVBUS_LAYOUT		1u

/* No time limit.  Times are int64_t nanoseconds; 0 means do not wait. */
#define EVBUS_FOREVER		((int64_t)-1)

/*
 * Fields written by different threads lie this far apart (F6).  128 and not
 * 64: adjacent lines are prefetched in pairs.
 */
#define EVBUS_LINE		128
#define EVBUS_CACHELINE		64

#ifdef __cplusplus
#define EVBUS_BEGIN_DECLS	extern "C" {
#define EVBUS_END_DECLS		}
#define EVBUS_STATIC_ASSERT(c, m) static_assert(c, m)
#define EVBUS_THREAD_LOCAL	thread_local
#else
#define EVBUS_BEGIN_DECLS
#define EVBUS_END_DECLS
#define EVBUS_STATIC_ASSERT(c, m) _Static_assert(c, m)
#define EVBUS_THREAD_LOCAL	_Thread_local
#endif

#define evbus_likely(x)		__builtin_expect(!!(x), 1)
#define evbus_unlikely(x)	__builtin_expect(!!(x), 0)
#define EVBUS_ALIGNED(n)	__attribute__((__aligned__(n)))
#define EVBUS_NOINLINE		__attribute__((__noinline__))
#define EVBUS_COLD		__attribute__((__cold__, __noinline__))
#define EVBUS_PRINTF(f, a)	__attribute__((__format__(__printf__, f, a)))
#define EVBUS_UNUSED		__attribute__((__unused__))
#if defined(__x86_64__)
/* The built-in gives prefetchw only with -mprfchw; where the processor has
 * none, it is a no-op. */
#define EVBUS_PREFETCH_WRITE(p)	\
	__asm__ __volatile__("prefetchw %0" : : "m"(*(const char *)(p)))
#else
#define EVBUS_PREFETCH_WRITE(p)	__builtin_prefetch((p), 1, 3)
#endif
#define EVBUS_PREFETCH_READ(p)	__builtin_prefetch((p), 0, 3)

/*
 * EVBUS_API marks what the shared library exports; EVBUS_INLINE is the data
 * plane.  src/ffi.c defines EVBUS_INLINE away to emit every public inline once
 * more as a real symbol, for other languages.
 */
#define EVBUS_API		__attribute__((__visibility__("default")))
#ifndef EVBUS_INLINE
#define EVBUS_INLINE		static inline
#endif
/* Helpers of the inlines: never emitted as symbols. */
#define EVBUS__INLINE static inline __attribute__((__always_inline__, __unused__))

/*
 * Asserts of debug builds (-DEVBUS_DEBUG).  Release builds never call abort()
 * (S6).
 */
#ifdef EVBUS_DEBUG
#define EVBUS_ASSERT(c)		assert(c)
#else
#define EVBUS_ASSERT(c)		((void)sizeof(!!(c)))
#endif

/*
 * A point at which the test build with delays (tests/delays/) may hold the
 * thread up for a moment: where it is about to claim, to sleep, to wake or to
 * retire something.  Nothing otherwise.
 */
#ifdef EVBUS_DELAYS
EVBUS_BEGIN_DECLS
void evbus__delay(const char *point);
EVBUS_END_DECLS
#define EVBUS__DELAY(point)	evbus__delay(#point)
#else
#define EVBUS__DELAY(point)	((void)0)
#endif

#endif /* EVBUS_BASE_H */
