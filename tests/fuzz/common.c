/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * common.c - libFuzzer's entry point, the measuring of each input, and helpers.
 *
 * libFuzzer knows whole seconds only, so inputs are measured here.  A reading
 * of the wall clock is cheap; an input that seems to be the slowest so far is
 * run three times more by the clock of this thread's processor time, which
 * does not run while somebody else has the processor, and the best counts.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "fuzz.h"

#define AGAIN 3

static uint64_t executions;
static int64_t slowest_ns;	/* processor time */
static int64_t started_ns;

static int64_t
clock_ns(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

void
fuzz_fail(const char *file, int line, const char *format, ...)
{
	va_list args;

	fprintf(stderr, "fuzz: %s:%d: ", file, line);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
	abort();
}

void *
fuzz_alloc(size_t size, void *arg)
{
	struct fuzz_heap *heap = arg;

	heap->bytes += size;
	return malloc(size);
}

void
fuzz_free(void *p, size_t size, void *arg)
{
	struct fuzz_heap *heap = arg;

	heap->bytes -= size;
	free(p);
}

char *
fuzz_text(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1);

	FUZZ_CHECK(text != NULL);
	memcpy(text, data, size);
	text[size] = '\0';
	return text;
}

/* tests/fuzz/run reads this line. */
static void
tell(void)
{
	double seconds = (double)(clock_ns(CLOCK_MONOTONIC) - started_ns) / 1e9;

	fprintf(stderr, "fuzz: executions %llu per_second %.0f "
	    "slowest_us %.1f\n", (unsigned long long)executions,
	    (double)executions / (seconds > 0 ? seconds : 1),
	    (double)slowest_ns / 1e3);
}

static void
measure(const uint8_t *data, size_t size)
{
	int64_t best = INT64_MAX, took;
	int i;

	for (i = 0; i < AGAIN; i++) {
		took = clock_ns(CLOCK_THREAD_CPUTIME_ID);
		fuzz_one(data, size);
		took = clock_ns(CLOCK_THREAD_CPUTIME_ID) - took;
		if (took < best)
			best = took;
	}
	if (best > slowest_ns)
		slowest_ns = best;
	if (best >= FUZZ_SLOW_NS)
		FUZZ_FAIL("a slow input: %lld ns of processor time, the limit "
		    "is %lld", (long long)best, (long long)FUZZ_SLOW_NS);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	int64_t took = clock_ns(CLOCK_MONOTONIC);

	if (executions++ == 0) {
		started_ns = took;
		atexit(tell);
	}
	fuzz_one(data, size);
	took = clock_ns(CLOCK_MONOTONIC) - took;
	if (took > slowest_ns)
		measure(data, size);
	return 0;
}
