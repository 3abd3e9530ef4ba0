/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_park.c - why: park and wake in their smallest form: who sleeps is
 * woken once, who does not sleep costs no system call, and a nudge is never
 * forgotten.
 */
#include <sched.h>

#include "ring/park.h"
#include "support/event_check.h"

static void
wake_without_sleeper_no_call(void **state)
{
	struct evbus__park park = { 0 };

	(void)state;
	assert_int_equal(evbus__park_wake(&park), 0);
	evbus__park_arm(&park);
	evbus__park_disarm(&park);
	assert_int_equal(evbus__park_wake(&park), 0);
}

static void
wake_of_an_armed_one_once_and_it_does_not_sleep(void **state)
{
	struct evbus__park park = { 0 };

	(void)state;
	evbus__park_arm(&park);
	assert_int_equal(evbus__park_wake(&park), 1);
	assert_int_equal(evbus__park_wake(&park), 0);
	/* Returns at once: the word is not as it was armed. */
	(void)evbus__park_sleep(&park, EVBUS_FOREVER);
	assert_int_equal(park.word, 0);
}

static void
sleep_ends_at_its_time_limit(void **state)
{
	struct evbus__park park = { 0 };
	int64_t until = evbus__os_now() + 1000000;

	(void)state;
	evbus__park_arm(&park);
	assert_int_equal(evbus__park_sleep(&park, until), EVBUS_ETIMEDOUT);
	assert_true(evbus__os_now() >= until);
	assert_int_equal(park.word, 0);
}

static void
nudge_is_kept_until_looked_at_once(void **state)
{
	struct evbus__park park = { 0 };

	(void)state;
	assert_int_equal(evbus__park_nudged(&park), 0);
	evbus__park_nudge(&park);
	evbus__park_nudge(&park);
	assert_int_equal(evbus__park_nudged(&park), 1);
	assert_int_equal(evbus__park_nudged(&park), 0);
}

struct sleeper {
	struct evbus__park park;
	unsigned rounds;
	unsigned nudges;	/* seen */
};

static void *
sleep_until_nudged(void *arg)
{
	struct sleeper *sleeper = arg;
	unsigned i;

	for (i = 0; i < sleeper->rounds; i++) {
		for (;;) {
			evbus__park_arm(&sleeper->park);
			evbus__fence_heavy();
			if (evbus__park_nudged(&sleeper->park))
				break;
			(void)evbus__park_sleep(&sleeper->park, EVBUS_FOREVER);
		}
		evbus__park_disarm(&sleeper->park);
		(void)__atomic_add_fetch(&sleeper->nudges, 1,
		    __ATOMIC_RELEASE);
	}
	return NULL;
}

/* Each nudge wakes; the next one comes only when it was seen. */
static void
nudge_of_a_sleeping_thread_never_lost(void **state)
{
	struct sleeper sleeper = { .rounds = 5000 };
	pthread_t thread = event_thread(sleep_until_nudged, &sleeper);
	unsigned i;

	(void)state;
	for (i = 0; i < sleeper.rounds; i++) {
		evbus__park_nudge(&sleeper.park);
		while (__atomic_load_n(&sleeper.nudges, __ATOMIC_ACQUIRE) <= i)
			(void)sched_yield();
	}
	event_join(thread);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(wake_without_sleeper_no_call),
		cmocka_unit_test(
		    wake_of_an_armed_one_once_and_it_does_not_sleep),
		cmocka_unit_test(sleep_ends_at_its_time_limit),
		cmocka_unit_test(nudge_is_kept_until_looked_at_once),
		cmocka_unit_test(nudge_of_a_sleeping_thread_never_lost),
	};

	return cmocka_run_group_tests_name("park", tests, NULL, NULL);
}
