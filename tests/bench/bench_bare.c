/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * bench_bare.c - the bare one-line transfer: what the machine itself takes,
 * and the denominator of all ratios.
 *
 * One 64-byte slot per event, the stamp in the line of the payload.  Readers
 * look at nothing else; each stores its position rarely, and the writer reads
 * positions only when its cached limit is used up.  No claims, topics, types,
 * sleepers or errors.  one_to_three: three readers of the same slots.
 * ping_pong: one line each way, no ring (line.h).
 */
#include "line.h"

#define GAP	1024u	/* events between two stores of a position */
#define AHEAD_R	8u	/* slots that a reader prefetches ahead */
#define AHEAD_W	16u	/* ... and the writer */

struct slot {
	uint64_t stamp EVBUS_ALIGNED(EVBUS_CACHELINE);	/* sequence + 1 */
	uint64_t check;
	uint64_t source;
	uint64_t aux;
};
EVBUS_STATIC_ASSERT(sizeof(struct slot) == 64, "one slot is one line");

struct reader {
	uint64_t position EVBUS_ALIGNED(EVBUS_LINE);
	int64_t end_ns EVBUS_ALIGNED(EVBUS_LINE);
	unsigned index;
	pthread_t thread;
};

static struct {
	struct slot *slots EVBUS_ALIGNED(EVBUS_LINE);
	uint64_t mask;
	unsigned readers;
	enum bench_wait wait;
	size_t cpu[2];
	unsigned cpus;
	pthread_barrier_t start;
	unsigned stop EVBUS_ALIGNED(EVBUS_LINE);
	unsigned done EVBUS_ALIGNED(EVBUS_LINE);
	uint64_t count;		/* these two are valid when done */
	uint64_t sum;
	struct reader reader[BENCH_THREADS];
} bare;

/* Everything is written, and sequence i is behind the last of it. */
static inline int
at_end(uint64_t i)
{
	return EVBUS_LOAD(&bare.done, ACQUIRE) && i == bare.count; /* DONE */
}

static void *
reader_run(void *arg)
{
	struct reader *me = arg;
	struct slot *slots = bare.slots, *s;
	uint64_t i = 0, mask = bare.mask;
	unsigned steps = 0;
	enum bench_wait wait = bare.wait;
	struct bench_check check;

	memset(&check, 0, sizeof check);
	bench_pin(bare.cpu, bare.cpus, me->index + 1);
	pthread_barrier_wait(&bare.start);
	for (;;) {
		s = &slots[i & mask];
		if (EVBUS_LOAD(&s->stamp, ACQUIRE) != i + 1) {	/* STAMP */
			/* POSITION: the slots before it have been read. */
			EVBUS_STORE(&me->position, i, RELEASE);
			if (at_end(i))
				break;
			bench_wait_step(wait, &steps);
			continue;
		}
		steps = 0;
		EVBUS_PREFETCH_READ(&slots[(i + AHEAD_R) & mask]);
		bench_check_words(&check, i, s->check, s->source, s->aux);
		if (++i % GAP == 0)
			EVBUS_STORE(&me->position, i, RELEASE);	/* POSITION */
	}
	me->end_ns = bench_now_ns();
	if (check.bad != 0 || check.count != bare.count ||
	    check.sum != bare.sum)
		bench_die("bare: reader %u checked %llu events of %llu%s",
		    me->index, (unsigned long long)check.count,
		    (unsigned long long)bare.count,
		    check.sum == bare.sum ? "" : ", sum wrong");
	return NULL;
}

static uint64_t
slowest(void)
{
	uint64_t low = UINT64_MAX, v;
	unsigned r;

	for (r = 0; r < bare.readers; r++) {
		/* POSITION */
		v = EVBUS_LOAD(&bare.reader[r].position, ACQUIRE);
		if (v < low)
			low = v;
	}
	return low;
}

/* Wait until sequence i may be written; returns the new limit. */
static EVBUS_NOINLINE uint64_t
await_space(uint64_t i)
{
	uint64_t limit;
	unsigned steps = 0;

	while ((limit = slowest() + bare.mask + 1) <= i)
		bench_wait_step(bare.wait, &steps);
	return limit;
}

static void *
writer_run(void *arg)
{
	struct slot *slots = bare.slots, *s;
	uint64_t i = 0, sum = 0, mask = bare.mask, limit = mask + 1;
	unsigned k;

	(void)arg;
	bench_pin(bare.cpu, bare.cpus, 0);
	pthread_barrier_wait(&bare.start);
	do {
		for (k = 0; k < BENCH_CHUNK; k++) {
			if (evbus_unlikely(i >= limit))
				limit = await_space(i);
			s = &slots[i & mask];
			s->check = bench_hash(i, 0);
			s->source = 0;
			s->aux = ~i;
			sum += bench_event_sum(i, 0, ~i);
			i++;
			/* STAMP: the slot's words are seen with it. */
			EVBUS_STORE(&s->stamp, i, RELEASE);
			EVBUS_PREFETCH_WRITE(&slots[(i + AHEAD_W) & mask]);
		}
	} while (!EVBUS_LOAD(&bare.stop, RELAXED));
	bare.count = i;
	bare.sum = sum;
	EVBUS_STORE(&bare.done, 1, RELEASE);			/* DONE */
	return NULL;
}

static void
throughput(const struct bench_order *order)
{
	pthread_t writer;
	int64_t start, end = 0;
	unsigned r;

	bare.readers = order->topology == ONE_TO_THREE ? 3 : 1;
	bare.mask = order->capacity - 1;
	bare.slots = bench_alloc(order->capacity * sizeof *bare.slots);
	bare.cpus = bench_cpus(bare.cpu);
	bare.wait = bench_wait_of(order->topology, bare.cpus);
	pthread_barrier_init(&bare.start, NULL, bare.readers + 2);
	for (r = 0; r < bare.readers; r++) {
		bare.reader[r].index = r;
		bench_thread(&bare.reader[r].thread, reader_run,
		    &bare.reader[r]);
	}
	bench_thread(&writer, writer_run, NULL);
	start = bench_now_ns();
	pthread_barrier_wait(&bare.start);
	bench_sleep(order->run_ns);
	EVBUS_STORE(&bare.stop, 1, RELAXED);
	pthread_join(writer, NULL);
	for (r = 0; r < bare.readers; r++) {
		pthread_join(bare.reader[r].thread, NULL);
		if (bare.reader[r].end_ns > end)
			end = bare.reader[r].end_ns;
	}
	printf("throughput %.6f\n", (double)bare.count * 1e3 /
	    (double)(end - start));
	free(bare.slots);
}

static void
ping_pong(const struct bench_order *order)
{
	uint32_t *sample = bench_alloc(BENCH_SAMPLES * sizeof *sample);
	double tick_ns;
	size_t n;

	n = line_measure(sample, BENCH_SAMPLES, BENCH_WARM, order->run_ns,
	    &tick_ns);
	bench_put_percentiles(sample, n, tick_ns);
	free(sample);
}

int
main(int argc, char **argv)
{
	struct bench_order order;

	bench_order_parse(&order, argc, argv);
	if (order.topology == THREE_TO_ONE)
		bench_die("bare: a line has one writer, there is no %s",
		    bench_topology_name[order.topology]);
	if (order.topology == PING_PONG)
		ping_pong(&order);
	else
		throughput(&order);
	return 0;
}
