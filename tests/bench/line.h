/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * line.h - one cache line each way and nothing else: the round trip below
 * which no ping-pong can go, and the probe of how far apart the two
 * processors are just now.
 *
 * Two threads; each line has one writer.  Included by bench_bare.c and
 * placement.h.
 */
#ifndef BENCH_LINE_H
#define BENCH_LINE_H

#include "bench.h"

#define LINE_STOP UINT64_MAX

struct line {
	uint64_t there EVBUS_ALIGNED(EVBUS_LINE);	/* pinger's */
	uint64_t back EVBUS_ALIGNED(EVBUS_LINE);	/* echo's */
	unsigned bad EVBUS_ALIGNED(EVBUS_LINE);
	size_t cpu[2];
	unsigned cpus;
	enum bench_wait wait;
	pthread_barrier_t start;
};

/* LINE: each end stores with release what the other loads with acquire. */
EVBUS__INLINE uint64_t
line_await(const uint64_t *word, uint64_t old, enum bench_wait wait)
{
	unsigned steps = 0;
	uint64_t v;

	while ((v = EVBUS_LOAD(word, ACQUIRE)) == old)	/* LINE */
		bench_wait_step(wait, &steps);
	return v;
}

static inline void *
line_echo(void *arg)
{
	struct line *line = arg;
	uint64_t i = 0, v;
	unsigned bad = 0;
	enum bench_wait wait = line->wait;

	bench_pin(line->cpu, line->cpus, 1);
	pthread_barrier_wait(&line->start);
	while ((v = line_await(&line->there, i, wait)) != LINE_STOP) {
		bad |= v != ++i;
		EVBUS_STORE(&line->back, i, RELEASE);		/* LINE */
	}
	line->bad = bad;
	return NULL;
}

/*
 * Up to `max` round trips, or as many as fit run_ns; what the first `warm`
 * take is not kept.  The caller's thread is the pinger and stays pinned.
 * Returns how many samples were kept; *tick_ns is the unit of one.
 */
static inline size_t
line_measure(uint32_t *sample, size_t max, size_t warm, int64_t run_ns,
    double *tick_ns)
{
	static struct line line;
	pthread_t echo;
	uint64_t i = 0, t, ticks;
	int64_t now, start;
	unsigned bad = 0;

	line.cpus = bench_cpus(line.cpu);
	line.wait = bench_wait_of(PING_PONG, line.cpus);
	pthread_barrier_init(&line.start, NULL, 2);
	bench_thread(&echo, line_echo, &line);
	bench_pin(line.cpu, line.cpus, 0);
	pthread_barrier_wait(&line.start);
	start = bench_now_ns();
	ticks = bench_ticks();
	do {
		t = bench_ticks();
		EVBUS_STORE(&line.there, i + 1, RELEASE);	/* LINE */
		bad |= line_await(&line.back, i, line.wait) != i + 1;
		t = bench_ticks() - t;
		if (i >= warm)
			sample[i - warm] = bench_clamp_u32(t);
		i++;
	} while (i < max + warm &&
	    (i % 256 != 0 || bench_now_ns() - start < run_ns));
	now = bench_now_ns();
	ticks = bench_ticks() - ticks;
	EVBUS_STORE(&line.there, LINE_STOP, RELEASE);		/* LINE */
	pthread_join(echo, NULL);
	pthread_barrier_destroy(&line.start);
	if (bad || line.bad)
		bench_die("line: a value came back wrong");
	if (i <= warm)
		bench_die("line: only %zu round trips", (size_t)i);
	*tick_ns = (double)(now - start) / (double)ticks;
	return (size_t)(i - warm);
}

#endif /* BENCH_LINE_H */
