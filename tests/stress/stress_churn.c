/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * stress_churn.c - why: a program that runs for months opens and closes things
 * all the time, and must not grow by it.
 *
 * While events flow on a bus of its own, four threads let come and go, round
 * after round: readers of every kind, subscriptions, topics, threads (some end
 * with an open claim), and whole buses with streams and workers.  Every event
 * is accounted for: by the one reader that stays, by the small buses' reports,
 * and every abandoned claim is a hole.
 *
 * The rounds come in generations; after each, all threads of churn have ended.
 * Then the bytes that the allocator has given, the process's mappings, its open
 * descriptors and its threads must be no more than they were after the first
 * ones.
 */
#include <dirent.h>
#include <sched.h>

#include "stress/limit.h"
#include "support/event_check.h"

#define CHURNERS	4u
#define ROUNDS		60u		/* per churner and generation */
#define WARM		10u		/* generations that may still grow */
/* How many closed readers keep a lossy one's copies is chance. */
#define CHANCE		65536
#define TOPICS		32u
#define LOOKS		1000u		/* until it has grown for certain */

struct churn {
	struct evbus *bus;
	struct evbus_reader *stays;
	struct evbus_topic *flow;
	int64_t bytes;			/* atomic: given by the allocator */
	uint64_t accepted;		/* atomic: below "churn." */
	uint64_t seen;			/* atomic: by the one that stays */
	uint64_t abandoned;		/* atomic: claims */
	unsigned stop;			/* atomic */
};

struct churner {
	struct churn *churn;
	uint64_t seed;
};

struct footprint {
	int64_t bytes;
	unsigned mappings;
	unsigned descriptors;
	unsigned threads;
};

static struct churn churn;

/* ---- What the process holds --------------------------------------------- */

static void *
counted_alloc(size_t size, void *arg)
{
	int64_t *bytes = arg;

	(void)__atomic_add_fetch(bytes, (int64_t)size, __ATOMIC_RELAXED);
	return malloc(size);
}

static void
counted_free(void *p, size_t size, void *arg)
{
	int64_t *bytes = arg;

	(void)__atomic_add_fetch(bytes, -(int64_t)size, __ATOMIC_RELAXED);
	free(p);
}

static unsigned
entries(const char *folder)
{
	DIR *dir = opendir(folder);
	unsigned n = 0;

	while (dir != NULL && readdir(dir) != NULL)
		n++;
	if (dir != NULL)
		(void)closedir(dir);
	return n;
}

/* Those of files and shared memory: the C library keeps stacks for threads to
 * come, and the sanitizers what they like. */
static unsigned
mappings(void)
{
	FILE *file = fopen("/proc/self/maps", "r");
	unsigned n = 0;
	char line[512];

	while (file != NULL && fgets(line, sizeof line, file) != NULL)
		n += strchr(line, '/') != NULL;
	if (file != NULL)
		(void)fclose(file);
	return n;
}

static struct footprint
measure(void)
{
	struct footprint f;

	f.bytes = __atomic_load_n(&churn.bytes, __ATOMIC_ACQUIRE);
	f.mappings = mappings();
	f.descriptors = entries("/proc/self/fd");
	f.threads = entries("/proc/self/task");
	return f;
}

static void
keep_larger(struct footprint *most, const struct footprint *f)
{
	if (f->bytes > most->bytes)
		most->bytes = f->bytes;
	if (f->mappings > most->mappings)
		most->mappings = f->mappings;
	if (f->descriptors > most->descriptors)
		most->descriptors = f->descriptors;
	if (f->threads > most->threads)
		most->threads = f->threads;
}

/* ---- Those who come and go ---------------------------------------------- */

static enum evbus_verdict
count(const struct evbus_event *event, void *arg)
{
	(void)event;
	(void)__atomic_add_fetch((uint64_t *)arg, 1, __ATOMIC_RELAXED);
	return EVBUS_DONE;
}

static struct evbus_topic *
some_topic(uint64_t *seed)
{
	char name[32];

	(void)snprintf(name, sizeof name, "churn.t%u",
	    (unsigned)(event_random(seed) % TOPICS));
	return event_topic(churn.bus, name);
}

static void
publish_some(struct evbus_topic *topic, uint64_t n)
{
	uint64_t i;

	for (i = 0; i < n; i++)
		CHECK_INT(evbus_publish(topic, &i, sizeof i), 0);
	(void)__atomic_add_fetch(&churn.accepted, n, __ATOMIC_RELAXED);
}

static void
come_as_reader(uint64_t *seed)
{
	struct evbus_reader_options options = { 0 };
	uint64_t dice = event_random(seed), seen = 0;
	struct evbus_reader *reader;
	unsigned i;

	options.lossy = dice & 1;
	options.start = dice & 2 ? EVBUS_START_OLDEST : EVBUS_START_NOW;
	options.worker = dice & 4 ? "churn" : NULL;
	if (!options.lossy) {
		options.max_lag = dice & 16 ? 8 : 0;
		options.stall_ns = dice & 32 ? 1000 : 0;
	}
	CHECK_INT(evbus_reader_open(churn.bus, &options, &reader), 0);
	(void)event_subscribe(reader, dice & 8 ? "churn.>" : "churn.t1", count,
	    &seen);
	/* Who holds others up must not wait for room himself. */
	if (options.lossy || options.worker != NULL)
		publish_some(some_topic(seed), dice >> 8 & 15);
	for (i = 0; options.worker == NULL && i < (dice >> 16 & 7); i++)
		CHECK(evbus_poll(reader, 32) >= 0);
	CHECK_INT(evbus_reader_close(reader, EVENT_LONG), 0);
}

static void
freed(void *arg)
{
	free(arg);
}

static void
come_as_subscription(uint64_t *seed)
{
	struct evbus_subscribe_options options = { freed };
	uint64_t *seen = calloc(1, sizeof *seen);
	char pattern[32];
	int64_t id;

	(void)snprintf(pattern, sizeof pattern, "churn.t%u",
	    (unsigned)(event_random(seed) % TOPICS));
	id = evbus_reader_subscribe(churn.stays, pattern, count, seen,
	    &options);
	CHECK(id > 0);
	publish_some(some_topic(seed), event_random(seed) % 16);
	CHECK_INT(evbus_unsubscribe(churn.bus, id, EVENT_LONG), 0);
}

/* A thread of its own, which may end with an open claim (S5). */
static void *
live_shortly(void *arg)
{
	uint64_t seed = *(uint64_t *)arg;
	struct evbus_topic *topic = some_topic(&seed);
	struct evbus_claim claim;

	publish_some(topic, event_random(&seed) % 16);
	if (event_random(&seed) % 4 == 0) {
		CHECK_INT(evbus_claim(topic, 64, EVENT_LONG, &claim), 0);
		(void)__atomic_add_fetch(&churn.abandoned, 1,
		    __ATOMIC_RELAXED);
	}
	return NULL;
}

static void
come_as_thread(uint64_t *seed)
{
	uint64_t own = event_random(seed);

	event_join(event_thread(live_shortly, &own));
}

static void
come_as_bus(uint64_t *seed)
{
	struct evbus_options options = { .max_topics = 8, .max_readers = 4,
	    .max_publishers = 16, .max_streams = 2,
	    .allocator = { counted_alloc, counted_free, &churn.bytes } };
	uint64_t i, n = event_random(seed) % 64, seen = 0;
	struct evbus_report report;
	struct evbus_topic *topic;
	struct evbus *bus;

	CHECK_INT(evbus_open(&bus, &options), 0);
	(void)event_stream(bus, "small.>", NULL);
	topic = event_topic(bus, "small.topic");
	CHECK(evbus_subscribe(bus, "small.*", count, &seen, NULL) > 0);
	for (i = 0; i < n; i++)
		CHECK_INT(evbus_publish(topic, &i, sizeof i), 0);
	CHECK_INT(evbus_close(bus, EVENT_LONG, &report), 0);
	CHECK_INT(report.delivered, n);
	CHECK_INT(seen, n);
	CHECK_INT(evbus_free(bus), 0);
}

static void *
come_and_go(void *arg)
{
	struct churner *churner = arg;
	unsigned i;

	for (i = 0; i < ROUNDS && event_check_failed() == 0; i++)
		switch (event_random(&churner->seed) % 6) {
		case 0:
			come_as_bus(&churner->seed);
			break;
		case 1:
		case 2:
			come_as_reader(&churner->seed);
			break;
		case 3:
		case 4:
			come_as_subscription(&churner->seed);
			break;
		default:
			come_as_thread(&churner->seed);
		}
	return NULL;
}

/* ---- All of it ---------------------------------------------------------- */

static void *
flow(void *arg)
{
	(void)arg;
	while (!__atomic_load_n(&churn.stop, __ATOMIC_RELAXED))
		publish_some(churn.flow, 1);
	return NULL;
}

static void *
stay(void *arg)
{
	int result;

	(void)arg;
	while ((result = evbus_wait(churn.stays, EVBUS_FOREVER)) == 1)
		if ((result = evbus_poll(churn.stays, 64)) < 0)
			break;
	CHECK_INT(result, EVBUS_ECLOSED);
	return NULL;
}

static void
open_all(void)
{
	struct evbus_options options = { .stream = { .capacity = 256,
	    .timeout_ns = EVBUS_FOREVER }, .max_readers = 64,
	    .allocator = { counted_alloc, counted_free, &churn.bytes } };

	memset(&churn, 0, sizeof churn);
	assert_int_equal(evbus_open(&churn.bus, &options), 0);
	churn.flow = event_topic(churn.bus, "churn.flow");
	churn.stays = event_reader(churn.bus, 0, EVBUS_START_NOW);
	(void)event_subscribe(churn.stays, "churn.>", count, &churn.seen);
}

static void
one_generation(uint64_t *seed)
{
	struct churner churner[CHURNERS];
	pthread_t thread[CHURNERS];
	unsigned i;

	for (i = 0; i < CHURNERS; i++) {
		churner[i].churn = &churn;
		churner[i].seed = event_random(seed);
		thread[i] = event_thread(come_and_go, &churner[i]);
	}
	for (i = 0; i < CHURNERS; i++)
		event_join(thread[i]);
}

static int
is_within(const struct footprint *f, const struct footprint *most)
{
	return f->bytes <= most->bytes + CHANCE &&
	    f->mappings <= most->mappings &&
	    f->descriptors <= most->descriptors && f->threads <= most->threads;
}

/*
 * What flows on may open a file for a moment, and a thread that was joined may
 * still be seen: what has grown is larger at every look.
 */
static void
check_growth(const struct footprint *most, unsigned generation)
{
	struct footprint f = measure();
	unsigned looks;

	for (looks = 0; !is_within(&f, most) && looks < LOOKS; looks++) {
		(void)sched_yield();
		f = measure();
	}
	if (!is_within(&f, most))
		fail_msg("generation %u: %lld bytes, %u mappings, %u "
		    "descriptors, %u threads; before it at most %lld, %u, %u, "
		    "%u", generation, (long long)f.bytes, f.mappings,
		    f.descriptors, f.threads, (long long)most->bytes,
		    most->mappings, most->descriptors, most->threads);
}

static void
what_comes_and_goes_leaves_nothing_behind(void **state)
{
	uint64_t seed = event_seed();
	struct footprint f, most = { 0 };
	struct evbus_stream_stats stats;
	struct evbus_report report;
	unsigned generation = 0;
	pthread_t flowing, staying;
	int64_t until;

	(void)state;
	open_all();
	flowing = event_thread(flow, NULL);
	staying = event_thread(stay, NULL);
	until = stress_until();
	while (generation < 2 * WARM || stress_now() < until) {
		one_generation(&seed);
		f = measure();
		if (generation++ < WARM)
			keep_larger(&most, &f);
		else
			check_growth(&most, generation);
		event_check_done();
	}
	__atomic_store_n(&churn.stop, 1, __ATOMIC_RELAXED);
	event_join(flowing);
	assert_int_equal(evbus_flush(churn.bus, EVENT_LONG), 0);
	stats = event_stream_stats(evbus_stream_default(churn.bus));
	assert_int_equal(evbus_close(churn.bus, EVENT_LONG, &report), 0);
	event_join(staying);
	CHECK_INT(churn.seen, churn.accepted);
	CHECK_INT(stats.holes, churn.abandoned);
	CHECK_INT(stats.tail, churn.accepted + churn.abandoned);
	assert_int_equal(evbus_free(churn.bus), 0);
	CHECK_INT(churn.bytes, 0);
	event_check_done();
	(void)printf("%u generations, %llu events, %llu claims abandoned, "
	    "%lld bytes at most\n", generation,
	    (unsigned long long)churn.accepted,
	    (unsigned long long)churn.abandoned, (long long)most.bytes);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_comes_and_goes_leaves_nothing_behind),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
