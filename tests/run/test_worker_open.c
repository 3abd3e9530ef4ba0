/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_worker_open.c - why: who asks for a processor, a batch or a way to wait
 * gets it or is refused, and never something else in silence; readers of one
 * worker share its time by turns (S1); and a worker that is not needed any more
 * ends while the bus goes on, within a time limit (S4).
 */
#include <sys/syscall.h>

#include <sched.h>
#include <unistd.h>

#include "bus_fixture.h"
#include "fault_alloc.h"

static struct evbus_reader *
open_on(struct evbus *bus, const char *worker)
{
	struct evbus_reader_options options = { .worker = worker };

	return fixture_reader(bus, &options);
}

static struct evbus_reader *
subscribed_on(struct evbus *bus, const char *worker, const char *pattern,
    evbus_handler handler, void *arg)
{
	struct evbus_reader *reader = open_on(bus, worker);

	assert_true(evbus_reader_subscribe(reader, pattern, handler, arg,
	    NULL) > 0);
	return reader;
}

/* ---- Processors ---------------------------------------------------------- */

struct place {
	cpu_set_t cpus;
	atomic_uint calls;
};

static enum evbus_verdict
note_place(const struct evbus_event *event, void *arg)
{
	struct place *place = arg;

	(void)event;
	CPU_ZERO(&place->cpus);
	(void)sched_getaffinity(0, sizeof place->cpus, &place->cpus);
	atomic_fetch_add(&place->calls, 1);
	return EVBUS_DONE;
}

/* The processors that a handler of the worker finds it may run on. */
static cpu_set_t
where(struct evbus *bus, const char *worker)
{
	struct place place;
	struct evbus_reader *reader;

	memset(&place, 0, sizeof place);
	reader = subscribed_on(bus, worker, worker, note_place, &place);
	assert_int_equal(evbus_publish_name(bus, worker, "x", 1), 0);
	assert_true(fixture_until_count(&place.calls, 1));
	assert_int_equal(evbus_reader_close(reader, FIXTURE_LONG), 0);
	return place.cpus;
}

/* Numbers of the processors that this thread may run on. */
static uint32_t
allowed(uint32_t cpu[CPU_SETSIZE])
{
	uint32_t i, n = 0;
	cpu_set_t set;

	assert_int_equal(sched_getaffinity(0, sizeof set, &set), 0);
	for (i = 0; i < CPU_SETSIZE; i++)
		if (CPU_ISSET(i, &set))
			cpu[n++] = i;
	assert_true(n > 0);
	return n;
}

static void
worker_runs_where_it_is_told(void **state)
{
	uint32_t cpu[CPU_SETSIZE], n = allowed(cpu), i;
	struct evbus *bus = fixture_open_small(NULL);
	struct evbus_worker_options options = { .cpus = cpu, .cpu_count = 1 };
	cpu_set_t set;

	(void)state;
	/* Before a reader names it. */
	assert_int_equal(evbus_worker_open(bus, "w", &options), 0);
	set = where(bus, "w");
	assert_true(CPU_COUNT(&set) == 1 && CPU_ISSET(cpu[0], &set));
	/* While readers do: on another, then on all. */
	options.cpus = &cpu[n - 1];
	assert_int_equal(evbus_worker_open(bus, "w", &options), 0);
	set = where(bus, "w");
	assert_true(CPU_COUNT(&set) == 1 && CPU_ISSET(cpu[n - 1], &set));
	options.cpus = cpu;
	options.cpu_count = n;
	assert_int_equal(evbus_worker_open(bus, "w", &options), 0);
	set = where(bus, "w");
	assert_int_equal(CPU_COUNT(&set), (int)n);
	for (i = 0; i < n; i++)
		assert_true(CPU_ISSET(cpu[i], &set));
	/* Without a word they stay as they are. */
	options.cpu_count = 1;
	assert_int_equal(evbus_worker_open(bus, "w", &options), 0);
	assert_int_equal(evbus_worker_open(bus, "w", NULL), 0);
	set = where(bus, "w");
	assert_true(CPU_COUNT(&set) == 1 && CPU_ISSET(cpu[0], &set));
	fixture_end(bus, 0);
}

static void
workers_are_spread_over_the_processors(void **state)
{
	uint32_t cpu[CPU_SETSIZE], n = allowed(cpu), i;
	struct evbus *bus = fixture_open_small(NULL);
	struct evbus_worker_options options = { .spread = 1 };
	cpu_set_t set;
	char name[8];

	(void)state;
	if (n > 16)
		n = 16;
	for (i = 0; i < 2 * n; i++) {
		(void)snprintf(name, sizeof name, "w%u", i);
		assert_int_equal(evbus_worker_open(bus, name, &options), 0);
		set = where(bus, name);
		/* Each gets its first before one gets its second. */
		assert_int_equal(CPU_COUNT(&set), 1);
		assert_true(CPU_ISSET(cpu[i % n], &set));
		/* Spread again, it stays. */
		assert_int_equal(evbus_worker_open(bus, name, &options), 0);
		set = where(bus, name);
		assert_true(CPU_ISSET(cpu[i % n], &set));
	}
	/* One that has ended leaves its place to the next. */
	assert_int_equal(evbus_worker_close(bus, "w0", FIXTURE_LONG), 0);
	assert_int_equal(evbus_worker_open(bus, "next", &options), 0);
	set = where(bus, "next");
	assert_true(CPU_COUNT(&set) == 1 && CPU_ISSET(cpu[0], &set));
	/* Of those that are named only. */
	options.cpus = &cpu[n - 1];
	options.cpu_count = 1;
	assert_int_equal(evbus_worker_open(bus, "last", &options), 0);
	set = where(bus, "last");
	assert_true(CPU_COUNT(&set) == 1 && CPU_ISSET(cpu[n - 1], &set));
	fixture_end(bus, 0);
}

/* A processor that is not there, alone or beside one that is. */
static void
worker_that_cannot_run_there_is_refused_and_nothing_is_left(void **state)
{
	uint32_t cpu[CPU_SETSIZE], two[2];
	unsigned threads = fixture_threads();
	struct evbus *bus = fixture_open_small(NULL);
	struct evbus_worker_options options = { .cpus = two };
	cpu_set_t set;

	(void)state;
	(void)allowed(cpu);
	two[0] = EVBUS_CPUS_MAX - 1;
	two[1] = cpu[0];
	if (sysconf(_SC_NPROCESSORS_CONF) >= EVBUS_CPUS_MAX)
		skip();
	for (options.cpu_count = 1; options.cpu_count <= 2;
	    options.cpu_count++) {
		fixture_refused(evbus_worker_open(bus, "w", &options),
		    EVBUS_ESYSTEM);
		assert_true(fixture_until_threads(threads));
		fixture_refused(evbus_worker_close(bus, "w", 0),
		    EVBUS_ENOENT);
	}
	/* One that runs goes on as it was. */
	options.cpus = cpu;
	options.cpu_count = 1;
	assert_int_equal(evbus_worker_open(bus, "w", &options), 0);
	options.cpus = two;
	options.cpu_count = 2;
	fixture_refused(evbus_worker_open(bus, "w", &options), EVBUS_ESYSTEM);
	set = where(bus, "w");
	assert_true(CPU_COUNT(&set) == 1 && CPU_ISSET(cpu[0], &set));
	fixture_end(bus, 0);
}

/* ---- Options ------------------------------------------------------------- */

static void
options_that_are_not_valid_are_told(void **state)
{
	uint32_t cpu = 0, none = EVBUS_CPUS_MAX;
	const struct evbus_worker_options wrong[] = {
		{ .cpus = &cpu }, { .cpu_count = 1 },
		{ .cpus = &none, .cpu_count = 1 },
		{ .batch = (uint32_t)INT32_MAX + 1 },
		{ .wait = (enum evbus_worker_wait)3 }, { .spin_ns = -1 },
		{ .wait = EVBUS_WORKER_PARK, .spin_ns = 1 },
		{ .wait = EVBUS_WORKER_SPIN, .spin_ns = 1 },
	};
	static const char long_name[] = "a name of thirty-two bytes, as it";
	unsigned threads = fixture_threads();
	struct evbus *bus = fixture_open_small(NULL);
	size_t i;

	(void)state;
	for (i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
		fixture_refused(evbus_worker_open(bus, "w", &wrong[i]),
		    EVBUS_EINVAL);
	fixture_refused(evbus_worker_open(bus, long_name, NULL),
	    EVBUS_EINVAL);
	fixture_refused(evbus__worker_open(bus, "w", wrong,
	    sizeof wrong[0] - 1, EVBUS_LAYOUT), EVBUS_EVERSION);
	fixture_refused(evbus__worker_open(bus, "w", wrong, sizeof wrong[0],
	    EVBUS_LAYOUT + 1), EVBUS_EVERSION);
	assert_int_equal(fixture_threads(), threads);
	fixture_end(bus, 0);
	bus = fixture_open_small(NULL);
	assert_int_equal(evbus_close(bus, 0, NULL), 0);
	fixture_refused(evbus_worker_open(bus, "w", NULL), EVBUS_ECLOSED);
	fixture_refused(evbus_worker_close(bus, "w", 0), EVBUS_ECLOSED);
	fixture_free(bus);
}

/* ---- Turns --------------------------------------------------------------- */

struct turns {
	struct fixture_hold hold;
	char order[512];	/* who was called, in turn */
	atomic_uint calls;
};

static enum evbus_verdict
note_turn(const struct evbus_event *event, void *arg)
{
	struct turns *turns = arg;
	const char *who = event->data;

	turns->order[atomic_load(&turns->calls)] = *who;
	atomic_fetch_add(&turns->calls, 1);
	return EVBUS_DONE;
}

/* Streams of their own: then a turn is seen from outside. */
static void
reader_with_much_to_read_does_not_keep_others_waiting_S1(void **state)
{
	struct evbus_worker_options four = { .batch = 4 };
	struct evbus_stream_options large = { .capacity = 1024 };
	struct evbus *bus = fixture_open(NULL);
	struct evbus_stream *stream;
	struct turns turns;
	unsigned i, m, f;

	(void)state;
	memset(&turns, 0, sizeof turns);
	fixture_hold_init(&turns.hold);
	assert_int_equal(evbus_stream_open(bus, "many", &large, &stream), 0);
	assert_int_equal(evbus_stream_open(bus, "few", &large, &stream), 0);
	(void)subscribed_on(bus, "w", "hold", fixture_holding, &turns.hold);
	(void)subscribed_on(bus, "w", "many", note_turn, &turns);
	(void)subscribed_on(bus, "w", "few", note_turn, &turns);
	/* Also for a worker that runs. */
	assert_int_equal(evbus_worker_open(bus, "w", &four), 0);
	assert_int_equal(evbus_publish_name(bus, "hold", "h", 1), 0);
	fixture_hold_entered(&turns.hold);
	for (i = 0; i < 200; i++)
		assert_int_equal(evbus_publish_name(bus, "many", "m", 1), 0);
	for (i = 0; i < 40; i++)
		assert_int_equal(evbus_publish_name(bus, "few", "f", 1), 0);
	fixture_hold_open(&turns.hold);
	assert_true(fixture_until_count(&turns.calls, 240));
	for (i = m = f = 0; f < 40; i++) {
		m += turns.order[i] == 'm';
		f += turns.order[i] == 'f';
		/* Turns of four, whoever is first. */
		assert_true(m <= f + 4);
	}
	fixture_end(bus, 0);
}

/* ---- Waiting ------------------------------------------------------------- */

static void
worker_waits_as_it_is_told_F5(void **state)
{
	struct evbus_worker_options options = { .spin_ns = INT64_MAX };
	struct evbus *bus = fixture_open_small(NULL);
	struct evbus_topic *topic = fixture_topic(bus, "a");
	struct evbus_reader_stats stats;
	struct evbus_reader *reader;
	atomic_uint count = 0;
	uint64_t parks;
	unsigned i;

	(void)state;
	assert_int_equal(evbus_worker_open(bus, "w", &options), 0);
	reader = subscribed_on(bus, "w", "a", fixture_count, &count);
	assert_int_equal(evbus_publish(topic, "x", 1), 0);
	assert_true(fixture_until_count(&count, 1));
	/* It has begun to look around for ever, and is called off that. */
	options.spin_ns = 0;
	options.wait = EVBUS_WORKER_PARK;
	assert_int_equal(evbus_worker_open(bus, "w", &options), 0);
	assert_true(fixture_until_parked(reader, 0));
	/* Spinning it never sleeps, and gets what comes. */
	options.wait = EVBUS_WORKER_SPIN;
	assert_int_equal(evbus_worker_open(bus, "w", &options), 0);
	assert_int_equal(evbus_publish(topic, "x", 1), 0);
	assert_true(fixture_until_count(&count, 2));
	assert_int_equal(evbus_reader_stats(reader, &stats), 0);
	parks = stats.parks;
	for (i = 3; i < 50; i++) {
		assert_int_equal(evbus_publish(topic, "x", 1), 0);
		assert_true(fixture_until_count(&count, i));
		sched_yield();
	}
	assert_int_equal(evbus_reader_stats(reader, &stats), 0);
	assert_int_equal(stats.parks, parks);
	/* And sleeps again, after a while. */
	options.wait = EVBUS_WORKER_SPIN_PARK;
	options.spin_ns = 1000;
	assert_int_equal(evbus_worker_open(bus, "w", &options), 0);
	assert_true(fixture_until_parked(reader, parks));
	assert_int_equal(evbus_publish(topic, "x", 1), 0);
	assert_true(fixture_until_count(&count, i));
	/* Workers that spin end like any other. */
	options.wait = EVBUS_WORKER_SPIN;
	options.spin_ns = 0;
	assert_int_equal(evbus_worker_open(bus, "w", &options), 0);
	options.wait = EVBUS_WORKER_SPIN_PARK;
	options.spin_ns = INT64_MAX;
	assert_int_equal(evbus_worker_open(bus, "v", &options), 0);
	fixture_end(bus, 0);
}

/* ---- The end of a worker ------------------------------------------------- */

static void
close_ends_the_thread_and_the_name_can_be_used_again(void **state)
{
	unsigned threads = fixture_threads(), i;
	struct evbus_options options = { 0 };
	struct fault_alloc fault;
	struct evbus_reader *reader;
	atomic_uint count = 0;
	struct evbus *bus;

	(void)state;
	fault_alloc_init(&fault);
	options.allocator = fault_alloc_hooks(&fault);
	bus = fixture_open_small(&options);
	/* More often than a bus has places for workers, and for readers. */
	for (i = 1; i <= 150; i++) {
		reader = subscribed_on(bus, "w", "a", fixture_count, &count);
		assert_int_equal(evbus_publish_name(bus, "a", "x", 1), 0);
		assert_true(fixture_until_count(&count, i));
		fixture_refused(evbus_worker_close(bus, "w", FIXTURE_LONG),
		    EVBUS_EBUSY);
		assert_int_equal(evbus_reader_close(reader, FIXTURE_LONG), 0);
		assert_int_equal(evbus_worker_close(bus, "w", FIXTURE_LONG),
		    0);
		fixture_refused(evbus_worker_close(bus, "w", 0),
		    EVBUS_ENOENT);
	}
	assert_true(fixture_until_threads(threads));
	fixture_end(bus, 0);
	assert_int_equal(fault_alloc_blocks(&fault), 0);
}

struct closing {
	struct evbus *bus;
	struct fixture_hold hold;
	atomic_int result;
};

static void
hold_on_closed(void *arg)
{
	struct closing *closing = arg;
	const struct evbus_event *event = NULL;

	atomic_store(&closing->result, evbus_worker_close(closing->bus, "w",
	    FIXTURE_LONG));
	(void)fixture_holding(event, &closing->hold);
}

static enum evbus_verdict
close_own_reader(const struct evbus_event *event, void *arg)
{
	(void)event;
	(void)evbus_reader_close(*(struct evbus_reader **)arg, 0);
	return EVBUS_DONE;
}

/* An on_closed that stands still on the worker, after its reader has left. */
static void
close_while_the_worker_runs_user_code_times_out_and_can_be_repeated_S4(
    void **state)
{
	struct evbus_subscribe_options options = { hold_on_closed };
	struct evbus *bus = fixture_open_small(NULL);
	struct closing closing = { .bus = bus, .result = 1 };
	struct evbus_reader *reader = open_on(bus, "w");

	(void)state;
	fixture_hold_init(&closing.hold);
	assert_true(evbus_reader_subscribe(reader, "b", NULL, &closing,
	    &options) > 0);
	assert_true(evbus_reader_subscribe(reader, "a", close_own_reader,
	    &reader, NULL) > 0);
	assert_int_equal(evbus_publish_name(bus, "a", "x", 1), 0);
	fixture_hold_entered(&closing.hold);
	/* On the worker itself (S3). */
	assert_int_equal(atomic_load(&closing.result), EVBUS_EDEADLK);
	fixture_refused(evbus_worker_close(bus, "w", FIXTURE_MS),
	    EVBUS_ETIMEDOUT);
	/* It takes no more readers. */
	fixture_refused(evbus_worker_open(bus, "w", NULL), EVBUS_EBUSY);
	{
		struct evbus_reader_options on_w = { .worker = "w" };

		fixture_refused(evbus_reader_open(bus, &on_w, &reader),
		    EVBUS_EBUSY);
	}
	fixture_hold_open(&closing.hold);
	assert_int_equal(evbus_worker_close(bus, "w", FIXTURE_LONG), 0);
	assert_int_equal(evbus_worker_open(bus, "w", NULL), 0);
	fixture_end(bus, 0);
}

static void
close_w(struct fixture_thread *thread)
{
	struct closing *closing = thread->arg;
	int result;

	/* Who asks whether it is being closed may be there first. */
	do
		result = evbus_worker_close(closing->bus, "w", FIXTURE_LONG);
	while (result == EVBUS_EBUSY);
	fixture_check(thread, result == 0);
}

static int
is_closing(void *arg)
{
	struct closing *closing = arg;

	return evbus_worker_close(closing->bus, "w", 0) == EVBUS_EBUSY;
}

/* Two threads end one worker; then one thread the bus at the same time. */
static void
close_of_a_worker_by_two_is_ebusy_for_one(void **state)
{
	struct evbus_subscribe_options options = { hold_on_closed };
	struct evbus *bus = fixture_open_small(NULL);
	struct closing closing = { .bus = bus, .result = 1 };
	struct evbus_reader *reader = open_on(bus, "w");
	struct fixture_thread thread;

	(void)state;
	fixture_hold_init(&closing.hold);
	assert_true(evbus_reader_subscribe(reader, "b", NULL, &closing,
	    &options) > 0);
	assert_true(evbus_reader_subscribe(reader, "a", close_own_reader,
	    &reader, NULL) > 0);
	assert_int_equal(evbus_publish_name(bus, "a", "x", 1), 0);
	fixture_hold_entered(&closing.hold);
	fixture_start(&thread, close_w, &closing);
	assert_true(fixture_until(is_closing, &closing));
	(void)evbus_close(bus, 0, NULL);
	fixture_refused(evbus_free(bus), EVBUS_EBUSY);
	fixture_hold_open(&closing.hold);
	fixture_join(&thread);
	fixture_free(bus);
}

static enum evbus_verdict
close_other_worker(const struct evbus_event *event, void *arg)
{
	struct closing *closing = arg;

	(void)event;
	atomic_store(&closing->result, evbus_worker_close(closing->bus,
	    "other", FIXTURE_LONG));
	return EVBUS_DONE;
}

/* Inside a handler nobody waits; who asks again outside does. */
static void
close_inside_a_handler_does_not_wait_S2(void **state)
{
	unsigned threads = fixture_threads();
	struct evbus *bus = fixture_open_small(NULL);
	struct closing closing = { .bus = bus, .result = 1 };
	struct evbus_reader *reader = fixture_subscribed(bus, "a",
	    close_other_worker, &closing);
	int result;

	(void)state;
	assert_int_equal(evbus_worker_open(bus, "other", NULL), 0);
	assert_int_equal(evbus_publish_name(bus, "a", "x", 1), 0);
	assert_int_equal(evbus_poll(reader, 1), 1);
	assert_int_equal(atomic_load(&closing.result), 0);
	result = evbus_worker_close(bus, "other", FIXTURE_LONG);
	assert_true(result == 0 || result == EVBUS_ENOENT);
	assert_true(fixture_until_threads(threads));
	fixture_end(bus, 0);
}

static enum evbus_verdict
open_while_closing(const struct evbus_event *event, void *arg)
{
	struct closing *closing = arg;

	(void)event;
	atomic_store(&closing->result, evbus_worker_open(closing->bus, "w",
	    NULL));
	return EVBUS_DONE;
}

static void
worker_open_while_the_bus_closes_is_eclosed_L3(void **state)
{
	struct evbus *bus = fixture_open_small(NULL);
	struct closing closing = { .bus = bus, .result = 1 };

	(void)state;
	(void)fixture_subscribed(bus, "a", open_while_closing, &closing);
	assert_int_equal(evbus_publish_name(bus, "a", "x", 1), 0);
	assert_int_equal(evbus_close(bus, FIXTURE_LONG, NULL), 0);
	assert_int_equal(atomic_load(&closing.result), EVBUS_ECLOSED);
	fixture_free(bus);
}

static void
worker_open_without_memory_or_room_is_told(void **state)
{
	struct evbus_options options = { 0 };
	unsigned threads = fixture_threads(), i;
	struct fault_alloc fault;
	struct evbus *bus;
	char name[16];
	size_t k;
	int error;

	(void)state;
	fault_alloc_init(&fault);
	options.allocator = fault_alloc_hooks(&fault);
	for (k = 1, error = 1; error != 0; k++) {
		bus = fixture_open_small(&options);
		fault_alloc_arm(&fault, k, 1);
		error = evbus_worker_open(bus, "w", NULL);
		if (error != 0)
			fixture_refused(error, EVBUS_ENOMEM);
		fault_alloc_arm(&fault, 0, 0);
		assert_int_equal(evbus_worker_open(bus, "w", NULL), 0);
		fixture_end(bus, 0);
		assert_int_equal(fault_alloc_blocks(&fault), 0);
	}
	assert_true(k > 3);
	bus = fixture_open_small(NULL);
	for (i = 0; i < 64; i++) {
		(void)snprintf(name, sizeof name, "w%u", i);
		assert_int_equal(evbus_worker_open(bus, name, NULL), 0);
	}
	fixture_refused(evbus_worker_open(bus, "more", NULL), EVBUS_ELIMIT);
	assert_int_equal(evbus_worker_close(bus, "w7", FIXTURE_LONG), 0);
	assert_int_equal(evbus_worker_open(bus, "more", NULL), 0);
	fixture_end(bus, 0);
	assert_true(fixture_until_threads(threads));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(worker_runs_where_it_is_told),
		cmocka_unit_test(workers_are_spread_over_the_processors),
		cmocka_unit_test(
		    worker_that_cannot_run_there_is_refused_and_nothing_is_left),
		cmocka_unit_test(options_that_are_not_valid_are_told),
		cmocka_unit_test(
		    reader_with_much_to_read_does_not_keep_others_waiting_S1),
		cmocka_unit_test(worker_waits_as_it_is_told_F5),
		cmocka_unit_test(
		    close_ends_the_thread_and_the_name_can_be_used_again),
		cmocka_unit_test(
		    close_while_the_worker_runs_user_code_times_out_and_can_be_repeated_S4),
		cmocka_unit_test(close_of_a_worker_by_two_is_ebusy_for_one),
		cmocka_unit_test(close_inside_a_handler_does_not_wait_S2),
		cmocka_unit_test(
		    worker_open_while_the_bus_closes_is_eclosed_L3),
		cmocka_unit_test(worker_open_without_memory_or_room_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
