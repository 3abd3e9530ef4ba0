/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * workload.h - the topologies, for systems that send and receive.
 *
 * A system's program defines, then includes this header last:
 *
 *	struct sender, struct receiver (with a member struct bench_check check)
 *	static void system_open(const struct bench_order *, struct worker *
 *	    producers, struct worker *consumers);
 *	static inline int system_send(struct sender *,
 *	    const struct bench_event *);	1, or 0: full
 *	static inline unsigned system_receive(struct receiver *);
 *						events received, 0: none
 *	static void system_close(void);		dies if something is left
 *
 * ping_pong: producers[0] sends to consumers[0] and receives what that one
 * sends back, so there each worker has both ends.  The programs print one line
 * "metric value" per figure and exit 0 only if every event was checked.
 */
#ifndef BENCH_WORKLOAD_H
#define BENCH_WORKLOAD_H

#include "bench.h"

struct worker {
	/* Set before the threads start. */
	struct sender out[BENCH_THREADS];
	unsigned outs;
	unsigned index;
	unsigned place;

	/* The thread's own while it runs. */
	struct receiver in EVBUS_ALIGNED(EVBUS_LINE);

	/* Left behind by the thread when it is done. */
	uint64_t count EVBUS_ALIGNED(EVBUS_LINE);
	uint64_t sum;
	int64_t end_ns;
	uint32_t *sample;
	uint64_t samples;
	unsigned done;
	pthread_t thread;
};

static void system_open(const struct bench_order *, struct worker *producers,
    struct worker *consumers);
static void system_close(void);

static struct {
	unsigned stop EVBUS_ALIGNED(EVBUS_LINE); /* written once, by main */
	unsigned producers EVBUS_ALIGNED(EVBUS_LINE);
	unsigned consumers;
	enum bench_wait wait;
	size_t cpu[2];
	unsigned cpus;
	pthread_barrier_t start;
	struct worker producer[BENCH_THREADS];
	struct worker consumer[BENCH_THREADS];
} run;

EVBUS__INLINE void
send_one(struct sender *out, const struct bench_event *event,
    enum bench_wait wait)
{
	unsigned steps = 0;

	while (!system_send(out, event))
		bench_wait_step(wait, &steps);
}

/* DONE: count and sum are seen by the consumer that sees done. */
static inline void
worker_done(struct worker *me, uint64_t count, uint64_t sum)
{
	me->count = count;
	me->sum = sum;
	EVBUS_STORE(&me->done, 1, RELEASE);			/* DONE */
}

static void *
produce(void *arg)
{
	struct worker *me = arg;
	struct bench_event event;
	uint64_t sequence = 0, sum = 0, source = me->index;
	unsigned i, k, outs = me->outs;
	enum bench_wait wait = run.wait;

	bench_pin(run.cpu, run.cpus, me->place);
	pthread_barrier_wait(&run.start);
	do {
		for (i = 0; i < BENCH_CHUNK; i++, sequence++) {
			bench_event_set(&event, sequence, source, ~sequence);
			sum += bench_event_sum(sequence, source, ~sequence);
			send_one(&me->out[0], &event, wait);
			for (k = 1; k < outs; k++)
				send_one(&me->out[k], &event, wait);
		}
	} while (!EVBUS_LOAD(&run.stop, RELAXED));
	worker_done(me, sequence, sum);
	return NULL;
}

static int
all_received(const struct bench_check *check)
{
	uint64_t count = 0;
	unsigned i;

	for (i = 0; i < run.producers; i++) {
		if (!EVBUS_LOAD(&run.producer[i].done, ACQUIRE)) /* DONE */
			return 0;
		count += run.producer[i].count;
	}
	return check->count >= count;
}

static void
verify(const struct bench_check *check, unsigned index)
{
	uint64_t count = 0, sum = 0, bad = check->bad;
	unsigned i;

	for (i = 0; i < run.producers; i++) {
		count += run.producer[i].count;
		sum += run.producer[i].sum;
		bad |= check->next[i] ^ run.producer[i].count;
	}
	if (bad != 0 || check->count != count || check->sum != sum)
		bench_die("consumer %u: %llu events of %llu, order %s, sum %s",
		    index, (unsigned long long)check->count,
		    (unsigned long long)count, bad ? "wrong" : "right",
		    check->sum == sum ? "right" : "wrong");
}

static void *
consume(void *arg)
{
	struct worker *me = arg;
	unsigned steps = 0;
	enum bench_wait wait = run.wait;

	bench_pin(run.cpu, run.cpus, me->place);
	pthread_barrier_wait(&run.start);
	for (;;) {
		if (system_receive(&me->in)) {
			steps = 0;
			continue;
		}
		if (all_received(&me->in.check))
			break;
		bench_wait_step(wait, &steps);
	}
	me->end_ns = bench_now_ns();
	verify(&me->in.check, me->index);
	return NULL;
}

/* Send one event and wait for the one that the other end makes of it. */
static void *
ping(void *arg)
{
	struct worker *me = arg;
	struct bench_event event;
	uint64_t i = 0, sum = 0, bad = 0, t, took;
	unsigned steps = 0;
	enum bench_wait wait = run.wait;

	bench_pin(run.cpu, run.cpus, me->place);
	pthread_barrier_wait(&run.start);
	do {
		t = bench_ticks();
		bench_event_set(&event, i, 0, t);
		send_one(&me->out[0], &event, wait);
		while (!system_receive(&me->in))
			bench_wait_step(wait, &steps);
		took = bench_ticks() - t;
		bad |= me->in.check.aux ^ t;
		sum += bench_event_sum(i, 0, t);
		if (i >= BENCH_WARM)
			me->sample[i - BENCH_WARM] = bench_clamp_u32(took);
		i++;
	} while (i < BENCH_SAMPLES + BENCH_WARM &&
	    (i <= BENCH_WARM || !EVBUS_LOAD(&run.stop, RELAXED)));
	me->samples = i - BENCH_WARM;
	if (bad != 0 || me->in.check.bad != 0 || me->in.check.count != i)
		bench_die("ping: an event came back wrong");
	worker_done(me, i, sum);
	return NULL;
}

static void *
pong(void *arg)
{
	struct worker *me = arg;
	struct bench_event event;
	uint64_t i;
	unsigned steps = 0;
	enum bench_wait wait = run.wait;

	bench_pin(run.cpu, run.cpus, me->place);
	pthread_barrier_wait(&run.start);
	for (i = 0;; i++) {
		while (!system_receive(&me->in)) {
			if (all_received(&me->in.check))
				goto out;
			bench_wait_step(wait, &steps);
		}
		bench_event_set(&event, i, 0, me->in.check.aux);
		send_one(&me->out[0], &event, wait);
	}
out:
	verify(&me->in.check, me->index);
	return NULL;
}

static void
start_workers(struct worker *worker, unsigned n, unsigned shift,
    void *(*body)(void *))
{
	unsigned i;

	for (i = 0; i < n; i++) {
		worker[i].index = i;
		worker[i].place = i + shift;
		bench_thread(&worker[i].thread, body, &worker[i]);
	}
}

static void
put_throughput(int64_t start_ns)
{
	int64_t end = 0;
	uint64_t count = 0;
	unsigned i;

	for (i = 0; i < run.consumers; i++) {
		if (run.consumer[i].end_ns > end)
			end = run.consumer[i].end_ns;
	}
	for (i = 0; i < run.producers; i++)
		count += run.producer[i].count;
	printf("throughput %.6f\n", (double)count * 1e3 /
	    (double)(end - start_ns));
}

int
main(int argc, char **argv)
{
	struct bench_order order;
	int64_t start;
	uint64_t ticks;
	double tick_ns;
	unsigned i;

	bench_order_parse(&order, argc, argv);
	run.producers = order.topology == THREE_TO_ONE ? 3 : 1;
	run.consumers = order.topology == ONE_TO_THREE ? 3 : 1;
	run.cpus = bench_cpus(run.cpu);
	run.wait = bench_wait_of(order.topology, run.cpus);
	system_open(&order, run.producer, run.consumer);
	pthread_barrier_init(&run.start, NULL,
	    run.producers + run.consumers + 1);
	if (order.topology == PING_PONG)
		run.producer[0].sample = bench_alloc(BENCH_SAMPLES *
		    sizeof *run.producer[0].sample);
	start_workers(run.consumer, run.consumers, 1,
	    order.topology == PING_PONG ? pong : consume);
	start_workers(run.producer, run.producers, 0,
	    order.topology == PING_PONG ? ping : produce);
	start = bench_now_ns();
	ticks = bench_ticks();
	pthread_barrier_wait(&run.start);
	bench_sleep(order.run_ns);
	EVBUS_STORE(&run.stop, 1, RELAXED);
	for (i = 0; i < run.producers; i++)
		pthread_join(run.producer[i].thread, NULL);
	for (i = 0; i < run.consumers; i++)
		pthread_join(run.consumer[i].thread, NULL);
	tick_ns = (double)(bench_now_ns() - start) /
	    (double)(bench_ticks() - ticks);
	if (order.topology == PING_PONG)
		bench_put_percentiles(run.producer[0].sample,
		    run.producer[0].samples, tick_ns);
	else
		put_throughput(start);
	system_close();
	return 0;
}

#endif /* BENCH_WORKLOAD_H */
