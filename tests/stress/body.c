/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * body.c - see body.h.
 *
 * Producers number what they publish and write checksums.  Lossless readers
 * must see each producer's numbers without a gap up to the last one that was
 * accepted (O2, D1), lossy ones a growing selection with every gap told (D2),
 * both only whole payloads (D5).  Meanwhile others subscribe, unsubscribe,
 * open and close readers.  At the end every payload by reference has been
 * given back once, and each reader's equation holds.
 */
#include <inttypes.h>
#include <sched.h>
#include <time.h>

#include "stress/body.h"

#define PRODUCERS	8u
#define READERS		8u
#define CHURNERS	4u
#define SIZE_MAX_	700u
#define BATCH		8u

struct stress {
	const struct stress_mode *mode;
	struct evbus *bus;
	uint64_t seed;
	int64_t until;		/* monotonic ns */
	unsigned stop;		/* atomic */
	uint64_t references;	/* atomic: accepted */
	uint64_t released;	/* atomic */
};

struct producer {
	struct stress *stress;
	struct evbus_topic *topic;
	uint32_t number;
	uint64_t seed;
	uint64_t published;	/* accepted */
	uint64_t aborted;
};

/* What a subscription has seen of each producer. */
struct view {
	int lossy;
	int late;		/* began with what was held: loses, too */
	int started[PRODUCERS];
	uint64_t next[PRODUCERS];
	uint64_t sequence;	/* next one */
	uint64_t events;
	uint64_t lost;
};

struct consumer {
	struct stress *stress;
	struct evbus_reader *reader;
	struct view view;
	uint64_t seed;
	unsigned by_next;	/* evbus_next(), else evbus_poll() */
};

struct churner {
	struct stress *stress;
	struct consumer *consumer;	/* of the whole run */
	unsigned consumers;
	uint64_t seed;
	uint64_t rounds;
};

static int64_t
now(void)
{
	struct timespec time;

	(void)clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec * EVENT_SECOND + time.tv_nsec;
}

static int
is_over(struct stress *stress)
{
	return __atomic_load_n(&stress->stop, __ATOMIC_RELAXED) ||
	    now() >= stress->until;
}

/* ---- Producers ---------------------------------------------------------- */

static void
release(const void *data, size_t size, void *arg)
{
	struct stress *stress = arg;
	uint32_t producer;
	uint64_t number;

	CHECK(event_whole(data, size, &producer, &number));
	(void)__atomic_add_fetch(&stress->released, 1, __ATOMIC_RELAXED);
	free((void *)(uintptr_t)data);
}

static int
publish_reference(struct producer *producer, size_t size)
{
	struct evbus_publish_options options = { .release = release,
	    .release_arg = producer->stress };
	unsigned char *data = malloc(size);
	int result;

	if (data == NULL)
		return EVBUS_EFULL;
	event_fill(data, size, producer->number, producer->published);
	result = evbus_publish_with(producer->topic, data, size, &options);
	if (result != 0)
		free(data);
	else
		(void)__atomic_add_fetch(&producer->stress->references, 1,
		    __ATOMIC_RELAXED);
	return result;
}

static int
publish_claim(struct producer *producer, size_t size, int keep)
{
	struct evbus_claim claim;
	int result = evbus_claim(producer->topic, size, EVBUS_FOREVER, &claim);

	if (result != 0)
		return result;
	if (!keep) {
		memset(claim.data, 0xee, size);
		evbus_abort(&claim);
		producer->aborted++;
		return EVBUS_EFULL;
	}
	event_fill(claim.data, size, producer->number, producer->published);
	return evbus_commit(&claim, size);
}

static int
publish_batch(struct producer *producer, unsigned n)
{
	unsigned char data[BATCH][64];
	struct iovec iov[BATCH];
	unsigned i;
	int result;

	for (i = 0; i < n; i++) {
		iov[i].iov_base = data[i];
		iov[i].iov_len = 16 + (i * 13) % 49;
		event_fill(data[i], iov[i].iov_len, producer->number,
		    producer->published + i);
	}
	result = evbus_publish_batch(producer->topic, iov, n);
	if (result == 0)
		producer->published += n - 1;
	return result;
}

static int
publish_any(struct producer *producer)
{
	const struct stress_mode *mode = producer->stress->mode;
	uint64_t dice = event_random(&producer->seed);
	size_t small = 16 + (dice >> 16) % 17;
	size_t large = 33 + (dice >> 16) % (SIZE_MAX_ - 33);
	unsigned char data[SIZE_MAX_];
	unsigned n;

	switch (mode->mixed ? dice % 16 : 0) {
	case 1:
		n = 2 + (unsigned)(dice >> 32) % (BATCH - 1);
		if (n > mode->stream.capacity)
			n = mode->stream.capacity;
		return publish_batch(producer, n);
	case 2:
		return publish_claim(producer, small, 1);
	case 3:
		return publish_claim(producer, large, 1);
	case 4:
		return publish_claim(producer, dice & 32 ? small : large, 0);
	case 5:
		return publish_reference(producer, large);
	case 6:
	case 7:
		event_fill(data, large, producer->number, producer->published);
		return evbus_publish(producer->topic, data, large);
	default:
		event_fill(data, small, producer->number, producer->published);
		return evbus_publish(producer->topic, data, small);
	}
}

static void *
produce(void *arg)
{
	struct producer *producer = arg;
	unsigned i;
	int result = 0;

	for (i = 0; result != EVBUS_ECLOSED; i++) {
		if (i % 256 == 0 && is_over(producer->stress) &&
		    !producer->stress->mode->close_in_flow)
			break;
		result = publish_any(producer);
		if (result == 0)
			producer->published++;
		else if (result == EVBUS_EFULL)
			(void)sched_yield();
		else
			CHECK_INT(result, EVBUS_ECLOSED);
	}
	return NULL;
}

/* ---- Readers ------------------------------------------------------------ */

static enum evbus_verdict
see(const struct evbus_event *event, void *arg)
{
	struct view *view = arg;
	uint32_t producer = 0;
	uint64_t number = 0;

	CHECK(event_whole(event->data, event->size, &producer, &number));
	CHECK(event->sequence >= view->sequence + event->lost);
	view->sequence = event->sequence + 1;
	view->events++;
	view->lost += event->lost;
	CHECK(producer < PRODUCERS);
	if (producer >= PRODUCERS)
		return EVBUS_DONE;
	if (!view->lossy && !view->late) {
		CHECK_INT(event->lost, 0);
		if (view->started[producer])
			CHECK_INT(number, view->next[producer]);
	} else if (view->started[producer])
		CHECK(number >= view->next[producer]);
	view->started[producer] = 1;
	view->next[producer] = number + 1;
	return EVBUS_DONE;
}

/* Hold each event for a while, and look again. */
static int
read_by_next(struct consumer *consumer)
{
	const struct evbus_event *event;
	uint32_t producer;
	uint64_t number;
	unsigned n, i;

	for (n = 0; n < 100; n++) {
		event = evbus_next(consumer->reader);
		if (event == NULL)
			break;
		(void)see(event, &consumer->view);
		if (event_random(&consumer->seed) % 32 == 0)
			for (i = 0; i < 16; i++)
				(void)sched_yield();
		CHECK(event_whole(event->data, event->size, &producer,
		    &number));
	}
	evbus_done(consumer->reader);
	return 0;
}

static void *
consume(void *arg)
{
	struct consumer *consumer = arg;
	int result;

	while ((result = evbus_wait(consumer->reader, EVBUS_FOREVER)) == 1) {
		if (consumer->by_next)
			result = read_by_next(consumer);
		else
			result = evbus_poll(consumer->reader, 1 +
			    (unsigned)event_random(&consumer->seed) % 200);
		if (result < 0)
			break;
		/* Lossy readers now and then fall behind. */
		if (consumer->view.lossy &&
		    event_random(&consumer->seed) % 8 == 0)
			for (result = 0; result < 20; result++)
				(void)sched_yield();
	}
	CHECK_INT(result, EVBUS_ECLOSED);
	return NULL;
}

/* ---- Those who come and go ---------------------------------------------- */

static void
view_closed(void *arg)
{
	struct view *view = arg;

	/* Once: it is gone now. */
	free(view);
}

static int
come_as_subscription(struct churner *churner)
{
	struct evbus_subscribe_options options = { view_closed };
	struct consumer *consumer = &churner->consumer[
	    event_random(&churner->seed) % churner->consumers];
	struct view *view = calloc(1, sizeof *view);
	unsigned i, n;
	int64_t id;

	if (view == NULL)
		return 0;
	view->lossy = consumer->view.lossy;
	id = evbus_reader_subscribe(consumer->reader,
	    event_random(&churner->seed) % 2 ? "stress.*" : "stress.p0", see,
	    view, &options);
	if (id < 0) {
		CHECK_INT(id, EVBUS_ECLOSED);
		free(view);
		return EVBUS_ECLOSED;
	}
	n = (unsigned)event_random(&churner->seed) % 64;
	for (i = 0; i < n; i++)
		(void)sched_yield();
	n = (unsigned)evbus_unsubscribe(churner->stress->bus, id, EVENT_LONG);
	/* Closed, or ended by the close. */
	CHECK(n == 0 || (int)n == EVBUS_ECLOSED || (int)n == EVBUS_ENOENT);
	return (int)n;
}

static int
come_as_reader(struct churner *churner)
{
	struct evbus_reader_options options = { 0 };
	struct evbus_reader *reader;
	struct view view = { 0 };
	unsigned i, n;
	int64_t id;
	int result;

	options.lossy = view.lossy = (int)(event_random(&churner->seed) % 2);
	view.late = (int)(event_random(&churner->seed) % 2);
	options.start = view.late ? EVBUS_START_OLDEST : EVBUS_START_NOW;
	result = evbus_reader_open(churner->stress->bus, &options, &reader);
	if (result != 0) {
		CHECK_INT(result, EVBUS_ECLOSED);
		return result;
	}
	id = evbus_reader_subscribe(reader, "stress.>", see, &view, NULL);
	if (id < 0) {
		CHECK_INT(id, EVBUS_ECLOSED);
		return (int)id;
	}
	n = (unsigned)event_random(&churner->seed) % 64;
	for (i = 0; i < n && result >= 0; i++) {
		result = evbus_wait(reader, 1000000);
		if (result == 1)
			result = evbus_poll(reader, 64);
		if (result >= 0 && !churner->stress->mode->close_in_flow)
			event_check_equation(reader);
	}
	result = evbus_reader_close(reader, EVENT_LONG);
	CHECK(result == 0 || result == EVBUS_ECLOSED);
	return result;
}

static void *
churn(void *arg)
{
	struct churner *churner = arg;
	int result;

	do {
		result = event_random(&churner->seed) % 2 ?
		    come_as_subscription(churner) : come_as_reader(churner);
		churner->rounds++;
	} while (result == 0 && !is_over(churner->stress));
	return NULL;
}

/* ---- All of it ---------------------------------------------------------- */

static int64_t
duration(void)
{
	const char *text = getenv("EVBUS_STRESS_SECONDS");
	int64_t seconds = text != NULL ? strtoll(text, NULL, 10) : 2;

	return (seconds > 0 ? seconds : 2) * EVENT_SECOND;
}

static void
start_consumers(struct stress *stress, struct consumer *consumer,
    pthread_t *thread)
{
	const struct stress_mode *mode = stress->mode;
	struct evbus_reader_options options = { 0 };
	char name[32];
	unsigned i;

	for (i = 0; i < mode->lossless + mode->lossy; i++) {
		memset(&consumer[i], 0, sizeof consumer[i]);
		consumer[i].stress = stress;
		consumer[i].seed = stress->seed + 100 + i;
		consumer[i].view.lossy = i >= mode->lossless;
		/* The last of each kind. */
		consumer[i].by_next = i + 1 == mode->lossless ||
		    i + 1 == mode->lossless + mode->lossy;
		(void)snprintf(name, sizeof name, "stress-%u", i);
		options.name = name;
		options.lossy = consumer[i].view.lossy;
		assert_int_equal(evbus_reader_open(stress->bus, &options,
		    &consumer[i].reader), 0);
		(void)event_subscribe(consumer[i].reader, "stress.>",
		    see, &consumer[i].view);
		thread[i] = event_thread(consume, &consumer[i]);
	}
}

static void
start_producers(struct stress *stress, struct producer *producer,
    pthread_t *thread)
{
	char name[32];
	unsigned i;

	for (i = 0; i < stress->mode->producers; i++) {
		memset(&producer[i], 0, sizeof producer[i]);
		(void)snprintf(name, sizeof name, "stress.p%u", i);
		producer[i].stress = stress;
		producer[i].number = i;
		producer[i].seed = stress->seed + 200 + i;
		producer[i].topic = event_topic(stress->bus, name);
		thread[i] = event_thread(produce, &producer[i]);
	}
}

static void
check_consumers(const struct stress_mode *mode, const struct consumer *consumer,
    const struct producer *producer, const struct evbus_report *report)
{
	uint64_t published = 0;
	unsigned i, p;

	for (p = 0; p < mode->producers; p++)
		published += producer[p].published;
	for (i = 0; i < mode->lossless; i++) {
		for (p = 0; p < mode->producers; p++)
			CHECK_INT(consumer[i].view.next[p],
			    producer[p].published);
		CHECK_INT(consumer[i].view.events, published);
		CHECK_INT(report->reader[i].delivered, published);
		CHECK_INT(report->reader[i].left, 0);
		CHECK_INT(report->reader[i].lost, 0);
	}
	for (; i < mode->lossless + mode->lossy; i++) {
		/* What it held when the bus was closed is not counted. */
		CHECK(consumer[i].view.events -
		    report->reader[i].delivered <= consumer[i].by_next);
		CHECK(report->reader[i].lost >= consumer[i].view.lost);
	}
	(void)printf("%s: %" PRIu64 " events; lossy:", mode->name, published);
	for (i = mode->lossless; i < mode->lossless + mode->lossy; i++)
		(void)printf(" %" PRIu64 " given and %" PRIu64 " lost",
		    consumer[i].view.events, report->reader[i].lost);
	(void)printf("\n");
}

static void
stress_body(void **state)
{
	struct stress stress = { .mode = *state };
	const struct stress_mode *mode = stress.mode;
	struct producer producer[PRODUCERS];
	struct consumer consumer[READERS];
	struct churner churner[CHURNERS];
	pthread_t producers[PRODUCERS], consumers[READERS], churners[CHURNERS];
	struct evbus_stream_stats stats;
	struct evbus_report report;
	uint64_t rounds = 0, aborted = 0;
	unsigned i;

	assert_true(mode->producers <= PRODUCERS);
	assert_true(mode->lossless + mode->lossy <= READERS);
	assert_true(mode->churners <= CHURNERS);
	stress.seed = event_seed();
	stress.until = now() + duration();
	stress.bus = event_bus(&mode->stream);
	start_consumers(&stress, consumer, consumers);
	start_producers(&stress, producer, producers);
	for (i = 0; i < mode->churners; i++) {
		memset(&churner[i], 0, sizeof churner[i]);
		churner[i].stress = &stress;
		churner[i].consumer = consumer;
		churner[i].consumers = mode->lossless + mode->lossy;
		churner[i].seed = stress.seed + 300 + i;
		churners[i] = event_thread(churn, &churner[i]);
	}
	if (mode->close_in_flow) {
		while (!is_over(&stress) && event_check_failed() == 0)
			(void)evbus_flush(stress.bus, 10000000);
	} else {
		for (i = 0; i < mode->producers; i++)
			event_join(producers[i]);
		for (i = 0; i < mode->churners; i++)
			event_join(churners[i]);
	}
	assert_int_equal(evbus_close(stress.bus, 60 * EVENT_SECOND, &report),
	    0);
	for (i = 0; mode->close_in_flow && i < mode->producers; i++)
		event_join(producers[i]);
	for (i = 0; mode->close_in_flow && i < mode->churners; i++)
		event_join(churners[i]);
	for (i = 0; i < mode->lossless + mode->lossy; i++)
		event_join(consumers[i]);
	check_consumers(mode, consumer, producer, &report);
	stats = event_stream_stats(evbus_stream_default(stress.bus));
	for (i = 0; i < mode->producers; i++)
		aborted += producer[i].aborted;
	for (i = 0; i < mode->churners; i++)
		rounds += churner[i].rounds;
	CHECK_INT(stats.holes, aborted);
	CHECK_INT(stats.outside_taken, stats.outside_given);
	CHECK_INT(stats.deadlocks, 0);
	CHECK_INT(stress.released, stress.references);
	(void)printf("%" PRIu64 " holes, %" PRIu64 " payloads outside, %" PRIu64
	    " by reference, %" PRIu64 " came and went\n", stats.holes,
	    stats.outside_taken, stress.references, rounds);
	assert_int_equal(evbus_free(stress.bus), 0);
	event_check_done();
}

int
stress_main(const struct stress_mode *mode)
{
	const struct CMUnitTest tests[] = {
		{ mode->name, stress_body, NULL, NULL,
		    (void *)(uintptr_t)mode },
	};

	return cmocka_run_group_tests_name("stress", tests, NULL, NULL);
}
