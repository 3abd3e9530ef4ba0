/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_visible.c - why: when a call says that handlers are done, a program goes
 * on with what they wrote, in plain memory and without a lock (L2, L3).  The
 * numbers must be right; and under the thread sanitizer, which sees orders on
 * words but no fences, every such edge must stand on a word.
 */
#include "bus_fixture.h"

#define ROUNDS 20
#define EVENTS 100

struct shared {
	struct evbus *bus;
	struct evbus_topic *topic;
	struct evbus_reader *reader;	/* polled by another thread; or NULL:
					 * the bus's own worker runs it */
	int64_t subscription;
	struct fixture_thread thread;
	unsigned plain;
};

static enum evbus_verdict
write_plain(const struct evbus_event *event, void *arg)
{
	unsigned *plain = arg;
	unsigned *given;

	/* What was written before the publish. */
	memcpy(&given, event->data, sizeof given);
	*plain += *given;
	return EVBUS_DONE;
}

static void
run_reader(struct fixture_thread *thread)
{
	struct shared *shared = thread->arg;
	int n = 1;

	while (n >= 0) {
		n = evbus_wait(shared->reader, EVBUS_FOREVER);
		if (n >= 0)
			n = evbus_poll(shared->reader, 7);
	}
	fixture_check(thread, n == EVBUS_ECLOSED);
}

static void
open_shared(struct shared *shared, int worker)
{
	static unsigned one[EVENTS];
	unsigned *given;
	int i;

	memset(shared, 0, sizeof *shared);
	shared->bus = fixture_open_small(NULL);
	shared->topic = fixture_topic(shared->bus, "a");
	if (worker) {
		shared->subscription = evbus_subscribe(shared->bus, "a",
		    write_plain, &shared->plain, NULL);
	} else {
		shared->reader = fixture_reader(shared->bus, NULL);
		shared->subscription = evbus_reader_subscribe(shared->reader,
		    "a", write_plain, &shared->plain, NULL);
		fixture_start(&shared->thread, run_reader, shared);
	}
	assert_true(shared->subscription > 0);
	for (i = 0; i < EVENTS; i++) {
		one[i] = 1;
		given = &one[i];
		assert_int_equal(evbus_publish(shared->topic, &given,
		    sizeof given), 0);
	}
	/* The next round writes them again. */
	assert_int_equal(evbus_flush(shared->bus, FIXTURE_LONG), 0);
	assert_int_equal(shared->plain, EVENTS);
	for (i = 0; i < EVENTS; i++) {
		one[i] = 2;
		given = &one[i];
		assert_int_equal(evbus_publish(shared->topic, &given,
		    sizeof given), 0);
	}
}

static void
end_shared(struct shared *shared)
{
	if (shared->reader != NULL)
		fixture_join(&shared->thread);
	fixture_free(shared->bus);
}

static void
close_and_look(struct shared *shared)
{
	assert_int_equal(evbus_close(shared->bus, FIXTURE_LONG, NULL), 0);
	assert_int_equal(shared->plain, 3 * EVENTS);
	shared->plain = 0;
}

static void
flush_and_look(struct shared *shared)
{
	assert_int_equal(evbus_flush(shared->bus, FIXTURE_LONG), 0);
	assert_int_equal(shared->plain, 3 * EVENTS);
	shared->plain = 0;
	assert_int_equal(evbus_close(shared->bus, FIXTURE_LONG, NULL), 0);
}

/* The handler may have run for some of the events; now it is over. */
static void
unsubscribe_and_look(struct shared *shared)
{
	assert_int_equal(evbus_unsubscribe(shared->bus, shared->subscription,
	    FIXTURE_LONG), 0);
	assert_true(shared->plain >= EVENTS);
	shared->plain = 0;
	assert_int_equal(evbus_close(shared->bus, FIXTURE_LONG, NULL), 0);
	assert_int_equal(shared->plain, 0);
}

static void
close_reader_and_look(struct shared *shared)
{
	if (shared->reader == NULL)
		return;
	assert_int_equal(evbus_reader_close(shared->reader, FIXTURE_LONG), 0);
	assert_true(shared->plain >= EVENTS);
	shared->plain = 0;
	assert_int_equal(evbus_close(shared->bus, FIXTURE_LONG, NULL), 0);
	assert_int_equal(shared->plain, 0);
}

static void
look_after(void (*look)(struct shared *), int workers)
{
	struct shared shared;
	int round, worker;

	for (round = 0; round < ROUNDS; round++)
		for (worker = 0; worker <= workers; worker++) {
			open_shared(&shared, worker);
			look(&shared);
			end_shared(&shared);
		}
}

static void
close_shows_what_handlers_wrote_L3(void **state)
{
	(void)state;
	look_after(close_and_look, 1);
}

static void
flush_shows_what_handlers_wrote(void **state)
{
	(void)state;
	look_after(flush_and_look, 1);
}

static void
unsubscribe_shows_what_the_handler_wrote_L2(void **state)
{
	(void)state;
	look_after(unsubscribe_and_look, 1);
}

static void
reader_close_shows_what_handlers_wrote_L2(void **state)
{
	(void)state;
	look_after(close_reader_and_look, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(close_shows_what_handlers_wrote_L3),
		cmocka_unit_test(flush_shows_what_handlers_wrote),
		cmocka_unit_test(unsubscribe_shows_what_the_handler_wrote_L2),
		cmocka_unit_test(reader_close_shows_what_handlers_wrote_L2),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
