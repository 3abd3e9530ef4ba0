/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * bench.h - what every measuring program shares: the event and its check,
 * the clock, the places of the threads, the wait step, percentiles.
 *
 * Included by all of tests/bench/.  The programs take their atomics from
 * evbus/atomic.h, so that all systems are measured with the same ones.
 */
#ifndef BENCH_H
#define BENCH_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <pthread.h>
#include <sched.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <evbus/atomic.h>

#define BENCH_THREADS	3u		/* producers or consumers, at most */
#define BENCH_SAMPLES	1000000u	/* round trips kept of one run */
#define BENCH_WARM	2000u		/* round trips before the first kept */
#define BENCH_CHUNK	64u		/* events between two looks at `stop` */

enum bench_topology {
	ONE_TO_ONE, PING_PONG, ONE_TO_THREE, THREE_TO_ONE, BENCH_TOPOLOGIES
};

static const char *const bench_topology_name[BENCH_TOPOLOGIES] = {
	"one_to_one", "ping_pong", "one_to_three", "three_to_one"
};

/* 32 bytes by value, the same for every system. */
struct bench_event {
	uint64_t sequence;
	uint64_t check;
	uint64_t source;
	uint64_t aux;
};

__attribute__((__noreturn__, __format__(__printf__, 1, 2))) static inline void
bench_die(const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	vfprintf(stderr, format, ap);
	va_end(ap);
	fputc('\n', stderr);
	exit(1);
}

EVBUS__INLINE uint64_t
bench_hash(uint64_t sequence, uint64_t source)
{
	return sequence * UINT64_C(0x9E3779B97F4A7C15) + source;
}

/*
 * One 32-byte store: a system that copies with one vector load would otherwise
 * wait for four small stores to leave the store buffer, a stall that the bench
 * itself had made.
 */
EVBUS__INLINE void
bench_event_set(struct bench_event *event, uint64_t sequence, uint64_t source,
    uint64_t aux)
{
	typedef uint64_t words __attribute__((__vector_size__(32)));
	const words w = { sequence, bench_hash(sequence, source), source, aux };

	memcpy(event, &w, sizeof *event);
}

/* What an event adds to the sum that both ends keep: all its words count. */
EVBUS__INLINE uint64_t
bench_event_sum(uint64_t sequence, uint64_t source, uint64_t aux)
{
	return bench_hash(sequence, source) ^ aux;
}

/* What a consumer knows of what it received. */
struct bench_check {
	uint64_t next[4];	/* per source: the sequence that must come */
	uint64_t sum;
	uint64_t count;
	uint64_t bad;		/* not 0: an event was out of order */
	uint64_t aux;		/* of the last event */
};

/*
 * Volatile stores keep the counters scalar.  Left alone, GCC's SLP vectoriser
 * packs neighbours into one vector and takes them apart again: a failed store
 * forwarding per event, more than the transfer that is to be measured.
 */
#define BENCH_KEEP(field, value) (*(volatile uint64_t *)&(field) = (value))

EVBUS__INLINE void
bench_check_words(struct bench_check *check, uint64_t sequence, uint64_t hash,
    uint64_t source, uint64_t aux)
{
	uint64_t p = source & 3;

	BENCH_KEEP(check->bad, check->bad | (sequence ^ check->next[p]));
	BENCH_KEEP(check->next[p], sequence + 1);
	BENCH_KEEP(check->sum, check->sum + (hash ^ aux));
	BENCH_KEEP(check->aux, aux);
	BENCH_KEEP(check->count, check->count + 1);
}

EVBUS__INLINE void
bench_check_event(struct bench_check *check, const struct bench_event *event)
{
	bench_check_words(check, event->sequence, event->check, event->source,
	    event->aux);
}

static inline int64_t
bench_now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

/* The cheapest clock there is; its unit is found by who measures with it. */
EVBUS__INLINE uint64_t
bench_ticks(void)
{
#if defined(__x86_64__) || defined(__i386__)
	return __builtin_ia32_rdtsc();
#elif defined(__aarch64__)
	uint64_t t;

	__asm__ __volatile__("mrs %0, cntvct_el0" : "=r"(t));
	return t;
#else
	return (uint64_t)bench_now_ns();
#endif
}

/* The processors that the bench uses: the first two that it is allowed to. */
static inline unsigned
bench_cpus(size_t cpu[2])
{
	cpu_set_t set;
	unsigned n = 0;
	size_t i;

	CPU_ZERO(&set);
	if (sched_getaffinity(getpid(), sizeof set, &set) != 0)
		bench_die("bench: sched_getaffinity failed");
	for (i = 0; i < CPU_SETSIZE && n < 2; i++) {
		if (CPU_ISSET(i, &set))
			cpu[n++] = i;
	}
	return n;
}

/* Put the calling thread on place 0 or 1 (modulo the processors there are). */
static inline void
bench_pin(const size_t cpu[2], unsigned cpus, unsigned place)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu[place % cpus], &set);
	if (sched_setaffinity(0, sizeof set, &set) != 0)
		bench_die("bench: cannot pin to cpu %zu", cpu[place % cpus]);
}

/* The wait step, the same for every system in a topology. */
enum bench_wait { WAIT_SPIN, WAIT_PAUSE, WAIT_YIELD };

static inline enum bench_wait
bench_wait_of(enum bench_topology topology, unsigned cpus)
{
	if (cpus < 2)
		return WAIT_YIELD;	/* the other end needs our processor */
	return topology == ONE_TO_ONE ? WAIT_PAUSE :
	    topology == PING_PONG ? WAIT_SPIN : WAIT_YIELD;
}

EVBUS__INLINE void
bench_wait_step(enum bench_wait wait, unsigned *steps)
{
	if (wait == WAIT_SPIN)
		return;
	if (wait == WAIT_PAUSE || ++*steps < 64)
		EVBUS_SPIN();
	else
		sched_yield();
}

static inline void *
bench_alloc(size_t size_bytes)
{
	size_t n = (size_bytes + EVBUS_LINE - 1) & ~(size_t)(EVBUS_LINE - 1);
	void *p = aligned_alloc(EVBUS_LINE, n);

	if (p == NULL)
		bench_die("bench: no memory for %zu bytes", n);
	memset(p, 0, n);	/* touched now, not while the clock runs */
	return p;
}

static inline void
bench_thread(pthread_t *thread, void *(*body)(void *), void *arg)
{
	if (pthread_create(thread, NULL, body, arg) != 0)
		bench_die("bench: cannot start a thread");
}

static inline int
bench_compare_u32(const void *a, const void *b)
{
	uint32_t x, y;

	memcpy(&x, a, sizeof x);
	memcpy(&y, b, sizeof y);
	return (x > y) - (x < y);
}

/* Share of n samples below x, each spread evenly over itself +- half. */
static inline double
bench_share_below(const uint32_t *sample, size_t n, double x, double half)
{
	double sum = 0, d;
	size_t i;

	for (i = 0; i < n; i++) {
		d = (x - sample[i] + half) / (2 * half);
		sum += d <= 0 ? 0 : d >= 1 ? 1 : d;
	}
	return sum / (double)n;
}

/*
 * A percentile of n sorted samples.  Processor clocks that step by 10 ns are
 * common, and 10 ns is a tenth of what is measured here: most samples would be
 * equal and a median could only be one of a few values.  So each is spread over
 * 10 ns.  Where the clock is finer, that changes nothing that can be seen.
 */
static inline double
bench_percentile(const uint32_t *sample, size_t n, double percent,
    double tick_ns)
{
	double half = 5 / tick_ns;
	size_t rank = (size_t)((double)n * percent / 100);
	double low = sample[rank] - half, high = sample[rank] + half, x;
	unsigned i;

	for (i = 0; i < 12; i++) {
		x = (low + high) / 2;
		if (bench_share_below(sample, n, x, half) < percent / 100)
			low = x;
		else
			high = x;
	}
	return tick_ns * (low + high) / 2;
}

/* Print p50 and p99 of n samples in ticks; sorts them. */
static inline void
bench_put_percentiles(uint32_t *sample, size_t n, double tick_ns)
{
	qsort(sample, n, sizeof *sample, bench_compare_u32);
	printf("p50 %.2f\n", bench_percentile(sample, n, 50, tick_ns));
	printf("p99 %.2f\n", bench_percentile(sample, n, 99, tick_ns));
}

static inline uint32_t
bench_clamp_u32(uint64_t v)
{
	return v > UINT32_MAX ? UINT32_MAX : (uint32_t)v;
}

/* What the driver asks of a measuring program, and of every one the same. */
struct bench_order {
	const char *system;
	enum bench_topology topology;
	int64_t run_ns;
	unsigned capacity;	/* slots */
	unsigned budget;	/* events per poll, where the system polls */
};

static inline unsigned long
bench_number(const char *text, unsigned long low, unsigned long high)
{
	char *end;
	unsigned long v = strtoul(text, &end, 10);

	if (*text < '0' || *text > '9' || *end != '\0' || v < low || v > high)
		bench_die("bench: \"%s\" is not a number from %lu to %lu", text,
		    low, high);
	return v;
}

static inline void
bench_order_parse(struct bench_order *order, int argc, char **argv)
{
	unsigned t;

	if (argc != 6)
		bench_die("usage: %s system topology ms capacity budget\n"
		    "(started by bench_main)", argv[0]);
	for (t = 0; t < BENCH_TOPOLOGIES; t++) {
		if (strcmp(argv[2], bench_topology_name[t]) == 0)
			break;
	}
	if (t == BENCH_TOPOLOGIES)
		bench_die("bench: no topology \"%s\"", argv[2]);
	order->system = argv[1];
	order->topology = (enum bench_topology)t;
	order->run_ns = (int64_t)bench_number(argv[3], 1, 60000) * 1000000;
	order->capacity = (unsigned)bench_number(argv[4], 2, 1u << 28);
	order->budget = (unsigned)bench_number(argv[5], 1, 1u << 20);
	if ((order->capacity & (order->capacity - 1)) != 0)
		bench_die("bench: capacity %u is not a power of two",
		    order->capacity);
}

static inline void
bench_sleep(int64_t ns)
{
	struct timespec t = { .tv_sec = ns / 1000000000,
	    .tv_nsec = ns % 1000000000 };

	while (nanosleep(&t, &t) != 0)
		continue;
}

#endif /* BENCH_H */
