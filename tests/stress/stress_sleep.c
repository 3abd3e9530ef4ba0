/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * stress_sleep.c - why: a wake-up that is lost shows only if nothing else comes
 * to wake the sleeper (F5).
 *
 * Two threads play ping-pong: each sleeps, without spinning first, until the
 * other has published, so that every event must wake somebody.  Two more fill
 * and empty a ring of two slots: there the publisher sleeps as often as the
 * reader.  Nobody else is there to help: a lost wake-up is a wait that reaches
 * its limit.
 */
#include "stress/limit.h"
#include "support/event_check.h"

#define LIMIT	(20 * EVENT_SECOND)	/* no wait takes that long */
#define LAST	UINT64_MAX		/* the last event's number */

struct side {
	struct evbus_reader *reader;
	struct evbus_topic *topic;	/* to publish to, or NULL */
	int64_t until;
	uint64_t rounds;
};

static struct evbus_reader *
open_reader(struct evbus *bus, const char *pattern)
{
	struct evbus_reader_options options = { .spin_ns = -1 };
	struct evbus_reader *reader;

	assert_int_equal(evbus_reader_open(bus, &options, &reader), 0);
	(void)event_subscribe(reader, pattern, NULL, NULL);
	return reader;
}

/* The next event's number; LAST also when the wait was in vain. */
static uint64_t
receive(struct evbus_reader *reader)
{
	const struct evbus_event *event;
	uint64_t number;
	int result;

	while ((event = evbus_next(reader)) == NULL) {
		result = evbus_wait(reader, LIMIT);
		CHECK_INT(result, 1);
		if (result != 1)
			return LAST;
	}
	number = event_number(event);
	evbus_done(reader);
	return number;
}

static int
send(const struct side *side, uint64_t number)
{
	int result = evbus_publish(side->topic, &number, sizeof number);

	CHECK_INT(result, 0);
	return result;
}

/* Begins each round, and ends the game. */
static void *
serve(void *arg)
{
	struct side *side = arg;
	uint64_t number;

	for (number = 0; event_check_failed() == 0 &&
	    stress_now() < side->until; number++) {
		if (send(side, number) != 0)
			break;
		CHECK_INT(receive(side->reader), number);
	}
	(void)send(side, LAST);
	side->rounds = number;
	return NULL;
}

static void *
answer(void *arg)
{
	struct side *side = arg;
	uint64_t number;

	while ((number = receive(side->reader)) != LAST &&
	    send(side, number) == 0)
		;
	return NULL;
}

static void *
fill(void *arg)
{
	struct side *side = arg;
	uint64_t number;

	for (number = 0; event_check_failed() == 0 &&
	    stress_now() < side->until; number++)
		if (send(side, number) != 0)
			break;
	(void)send(side, LAST);
	side->rounds = number;
	return NULL;
}

static void *
empty(void *arg)
{
	struct side *side = arg;
	uint64_t number, next = 0;

	while ((number = receive(side->reader)) != LAST) {
		CHECK_INT(number, next);
		next++;
	}
	side->rounds = next;
	return NULL;
}

static void
sleepers_are_woken(void **state)
{
	struct evbus_stream_options tight = { .capacity = 2,
	    .timeout_ns = LIMIT };
	struct evbus *bus = event_bus(NULL);
	int64_t until = stress_until();
	struct side serving = { .until = until }, answering = { 0 };
	struct side filling = { .until = until }, emptying = { 0 };
	pthread_t thread[4];
	unsigned i;

	(void)state;
	(void)event_stream(bus, "game.ping", &tight);
	(void)event_stream(bus, "game.pong", &tight);
	(void)event_stream(bus, "flow", &tight);
	serving.topic = event_topic(bus, "game.ping");
	serving.reader = open_reader(bus, "game.pong");
	answering.topic = event_topic(bus, "game.pong");
	answering.reader = open_reader(bus, "game.ping");
	filling.topic = event_topic(bus, "flow");
	emptying.reader = open_reader(bus, "flow");
	thread[0] = event_thread(serve, &serving);
	thread[1] = event_thread(answer, &answering);
	thread[2] = event_thread(fill, &filling);
	thread[3] = event_thread(empty, &emptying);
	for (i = 0; i < 4; i++)
		event_join(thread[i]);
	(void)printf("%llu rounds, %llu events through two slots\n",
	    (unsigned long long)serving.rounds,
	    (unsigned long long)filling.rounds);
	CHECK_INT(emptying.rounds, filling.rounds);
	CHECK(serving.rounds > 0);
	event_check_done();
	event_bus_close(bus);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sleepers_are_woken),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
