/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_fork_exit.c - why: S5 and S6 meet where a thread forks.  Its copy in the
 * child ends like any thread, by the same exit destructor, which gives up the
 * open claims of a thread that ends.  But these claims are the parent's, whose
 * thread lives on: they must stay as they are.
 */
#include <sys/wait.h>

#include <unistd.h>

#include "bus_fixture.h"

struct forking {
	struct evbus_topic *topic;
	int in_child;
	int status;
};

/* The child comes out of here as well, and ends with its only thread. */
static void
claim_and_fork(struct fixture_thread *thread)
{
	struct forking *forking = thread->arg;
	struct evbus_claim claim;
	pid_t child;

	if (!fixture_check(thread, evbus_claim(forking->topic, 1, 0,
	    &claim) == 0))
		return;
	child = fork();
	if (child == 0) {
		forking->in_child = 1;
		return;
	}
	fixture_check(thread, child > 0);
	fixture_check(thread, waitpid(child, &forking->status, 0) == child);
	*(char *)claim.data = 'x';
	fixture_check(thread, evbus_commit(&claim, 1) == 0);
}

static void
thread_that_ends_in_a_child_leaves_open_claims_S6(void **state)
{
	struct evbus *bus;
	struct forking forking = { 0 };
	struct evbus_stream_stats stats;
	struct fixture_thread thread;
	atomic_uint count = 0;
	struct evbus_reader *reader;

	(void)state;
	/* The child's end would be reported as a leak of its parent's. */
	if (getenv("EVBUS_SANITIZE") != NULL &&
	    strstr(getenv("EVBUS_SANITIZE"), "address") != NULL)
		skip();
	bus = fixture_open(NULL);
	forking.topic = fixture_topic(bus, "a");
	reader = fixture_subscribed(bus, "a", fixture_count, &count);
	fflush(NULL);
	fixture_start(&thread, claim_and_fork, &forking);
	fixture_join(&thread);
	assert_int_equal(forking.in_child, 0);
	assert_true(WIFEXITED(forking.status));
	assert_int_equal(WEXITSTATUS(forking.status), 0);
	assert_int_equal(evbus_poll(reader, 9), 1);
	assert_int_equal(atomic_load(&count), 1);
	assert_int_equal(evbus_stream_stats(evbus_stream_default(bus),
	    &stats), 0);
	assert_int_equal(stats.holes, 0);
	fixture_end(bus, 0);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    thread_that_ends_in_a_child_leaves_open_claims_S6),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
