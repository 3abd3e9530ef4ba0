/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * prog_soak.c - why: what happens once in a hundred million events.
 *
 *	soak EVENTS [FIRST [skip|damage]]
 *
 * Four producers publish EVENTS in all, each with its own numbers and a
 * checksum in every payload, one in sixteen outside its slot.  Four lossless
 * and two lossy readers of one stream look at each; its numbering starts at
 * FIRST.  Told at the end, over all readers: lost, duplicated, reordered (of
 * the lossless ones), torn (of all), and whether delivered + lost = published
 * for the lossy ones.  The exit status is 0 if all is as it must be.
 *
 * `skip` leaves one number out, `damage` changes one byte of one payload: then
 * the exit status is 0 if every lossless reader saw that, and nothing else.
 */
#include <inttypes.h>
#include <time.h>

#include "support/event_check.h"

#define PRODUCERS	4u
#define LOSSLESS	4u
#define READERS		6u
#define SIZE_MAX_	700u
#define SMALL_MAX	32u	/* fits a slot */

enum control { NONE, SKIP, DAMAGE };

struct producer {
	struct evbus_topic *topic;
	uint32_t number;
	uint64_t events;
	enum control control;
};

struct consumer {
	struct evbus_reader *reader;
	int lossy;
	uint64_t total;		/* sequences to pass */
	uint64_t next[PRODUCERS];
	uint64_t events, torn, lost, duplicated, reordered;
	uint64_t told;		/* lost, as the events tell */
	struct evbus_reader_stats stats;
};

static void *
produce(void *arg)
{
	struct producer *producer = arg;
	unsigned char data[SIZE_MAX_];
	uint64_t seed = producer->number, dice, i, number = 0;
	size_t size;

	for (i = 0; i < producer->events; i++, number++) {
		dice = event_random(&seed);
		size = dice % 16 == 0 ?
		    SMALL_MAX + 1 + (dice >> 8) % (SIZE_MAX_ - SMALL_MAX) :
		    16 + (dice >> 8) % (SMALL_MAX - 15);
		if (producer->control == SKIP && i == producer->events / 2)
			number++;
		event_fill(data, size, producer->number, number);
		/* Not its number, at the front: it would count as lost too. */
		if (producer->control == DAMAGE && i == producer->events / 2)
			data[size - 1] ^= 1;
		CHECK_INT(evbus_publish(producer->topic, data, size), 0);
	}
	return NULL;
}

/* A damaged event still has its place in the order. */
static enum evbus_verdict
see(const struct evbus_event *event, void *arg)
{
	struct consumer *consumer = arg;
	uint32_t producer = PRODUCERS;
	uint64_t number = 0, next;

	consumer->events++;
	consumer->told += event->lost;
	if (!event_whole(event->data, event->size, &producer, &number))
		consumer->torn++;
	if (producer >= PRODUCERS)
		return EVBUS_DONE;
	next = consumer->next[producer];
	if (number > next && !consumer->lossy)
		consumer->lost += number - next;
	else if (number + 1 == next)
		consumer->duplicated++;
	else if (number < next)
		consumer->reordered++;
	if (number >= next)
		consumer->next[producer] = number + 1;
	return EVBUS_DONE;
}

static void *
consume(void *arg)
{
	struct consumer *consumer = arg;
	int result = 0;

	while (result >= 0 && consumer->stats.passed < consumer->total) {
		result = evbus_wait(consumer->reader, EVBUS_FOREVER);
		if (result == 1)
			result = evbus_poll(consumer->reader, 1000);
		CHECK(result >= 0);
		CHECK_INT(evbus_reader_stats(consumer->reader,
		    &consumer->stats), 0);
	}
	return NULL;
}

static struct evbus *
open_bus(uint64_t first)
{
	const struct evbus_stream_options options = {
		.capacity = 1024, .max_payload = 1024,
		.timeout_ns = EVBUS_FOREVER, .first_sequence = first
	};

	return event_bus(&options);
}

static void
open_readers(struct evbus *bus, struct consumer *consumer, uint64_t total)
{
	unsigned i;

	for (i = 0; i < READERS; i++) {
		memset(&consumer[i], 0, sizeof consumer[i]);
		consumer[i].lossy = i >= LOSSLESS;
		consumer[i].total = total;
		consumer[i].reader = event_reader(bus, consumer[i].lossy,
		    EVBUS_START_NOW);
		(void)event_subscribe(consumer[i].reader, "soak.>", see,
		    &consumer[i]);
	}
}

/* Add up, tell, and judge: 0 if all is as it must be. */
static int
judge(const struct consumer *consumer, uint64_t total, enum control control,
    double seconds)
{
	uint64_t lost = 0, duplicated = 0, reordered = 0, torn = 0, lossy_torn;
	uint64_t missed = 0;
	unsigned i, unequal = 0;

	for (i = 0; i < LOSSLESS; i++) {
		lost += consumer[i].lost;
		torn += consumer[i].torn;
		missed += total - consumer[i].events;
	}
	lossy_torn = consumer[LOSSLESS].torn + consumer[LOSSLESS + 1].torn;
	for (i = 0; i < READERS; i++) {
		duplicated += consumer[i].duplicated;
		reordered += consumer[i].reordered;
	}
	for (i = LOSSLESS; i < READERS; i++) {
		unequal += consumer[i].events + consumer[i].stats.lost !=
		    total || consumer[i].told > consumer[i].stats.lost;
		(void)printf("lossy: %" PRIu64 " delivered + %" PRIu64
		    " lost = %" PRIu64 " of %" PRIu64 "\n",
		    consumer[i].events, consumer[i].stats.lost,
		    consumer[i].events + consumer[i].stats.lost, total);
	}
	(void)printf("%" PRIu64 " events in %.1f s, %.0f per second: %" PRIu64
	    " lost, %" PRIu64 " duplicated, %" PRIu64 " reordered, %" PRIu64
	    " torn\n", total, seconds, (double)total / seconds, lost + missed,
	    duplicated, reordered, torn + lossy_torn);
	return missed != 0 || duplicated != 0 || reordered != 0 ||
	    unequal != 0 || lost != (control == SKIP ? LOSSLESS : 0) ||
	    torn != (control == DAMAGE ? LOSSLESS : 0) ||
	    lossy_torn > (control == DAMAGE ? READERS - LOSSLESS : 0);
}

static int
soak(uint64_t events, uint64_t first, enum control control)
{
	struct evbus *bus = open_bus(first);
	struct producer producer[PRODUCERS];
	struct consumer consumer[READERS];
	pthread_t producers[PRODUCERS], consumers[READERS];
	struct timespec begin, end;
	char name[32];
	unsigned i;

	events -= events % PRODUCERS;
	open_readers(bus, consumer, events);
	(void)clock_gettime(CLOCK_MONOTONIC, &begin);
	for (i = 0; i < READERS; i++)
		consumers[i] = event_thread(consume, &consumer[i]);
	for (i = 0; i < PRODUCERS; i++) {
		(void)snprintf(name, sizeof name, "soak.p%u", i);
		producer[i].topic = event_topic(bus, name);
		producer[i].number = i;
		producer[i].events = events / PRODUCERS;
		producer[i].control = i == 1 ? control : NONE;
		producers[i] = event_thread(produce, &producer[i]);
	}
	for (i = 0; i < PRODUCERS; i++)
		event_join(producers[i]);
	for (i = 0; i < READERS; i++)
		event_join(consumers[i]);
	(void)clock_gettime(CLOCK_MONOTONIC, &end);
	event_bus_close(bus);
	return judge(consumer, events, control,
	    (double)(end.tv_sec - begin.tv_sec) +
	    (double)(end.tv_nsec - begin.tv_nsec) / 1e9);
}

int
main(int argc, char **argv)
{
	uint64_t events = argc > 1 ? strtoull(argv[1], NULL, 0) : 0;
	uint64_t first = argc > 2 ? strtoull(argv[2], NULL, 0) : 0;
	enum control control = NONE;

	if (argc > 3 && strcmp(argv[3], "skip") == 0)
		control = SKIP;
	else if (argc > 3 && strcmp(argv[3], "damage") == 0)
		control = DAMAGE;
	if (argc > 4 || events < PRODUCERS || (argc > 3 && control == NONE)) {
		(void)fprintf(stderr,
		    "usage: soak EVENTS [FIRST [skip|damage]]\n");
		return 2;
	}
	return soak(events, first, control);
}
