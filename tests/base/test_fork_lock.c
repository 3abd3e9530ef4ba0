/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_fork_lock.c - why: S6.  A program forks while another thread holds a
 * lock; no thread of the child will ever give it back.  So the other thread is
 * stopped before each unlock that a thread's first publish and its end make,
 * one after the other, the process forks there, and the child, which enters
 * the bus for the first time as well, must come back from its calls.
 *
 * Locks that fork() itself waits for are given back when it comes to wait.
 * (Not under sanitizers: they put their own functions in front of these.)
 */
#include <sys/wait.h>

#include <dlfcn.h>
#include <signal.h>
#include <unistd.h>

#include "bus_fixture.h"

#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer) || __has_feature(address_sanitizer)
#define SANITIZED 1
#endif
#endif

#define NEVER 0			/* no unlock is the 0th */

static atomic_uint stop_at;	/* the unlock that the stopped thread stops at */
static atomic_uint unlocks;	/* its unlocks so far */
static atomic_uint stopped;	/* it stands there, or has ended */
static atomic_uint go;		/* it may go on */
static __thread int watched;	/* this is the thread that is stopped */

#ifndef SANITIZED
static int
call(const char *name, pthread_mutex_t *mutex)
{
	int (*function)(pthread_mutex_t *);

	*(void **)&function = dlsym(RTLD_NEXT, name);
	return function(mutex);
}

/* In place of the system's. */
int
pthread_mutex_lock(pthread_mutex_t *mutex)
{
	if (!watched) {
		if (pthread_mutex_trylock(mutex) == 0)
			return 0;
		atomic_store(&go, 1);
	}
	return call("pthread_mutex_lock", mutex);
}

int
pthread_mutex_unlock(pthread_mutex_t *mutex)
{
	if (watched && atomic_fetch_add(&unlocks, 1) + 1 ==
	    atomic_load(&stop_at)) {
		atomic_store(&stopped, 1);
		while (atomic_load(&go) == 0)
			continue;
	}
	return call("pthread_mutex_unlock", mutex);
}
#endif

static void
publish_watched(struct fixture_thread *thread)
{
	watched = 1;
	fixture_check(thread, evbus_publish_name(thread->arg, "a", "x", 1) ==
	    0);
}

/* Every other bus pushes this thread's record of the first from its cache. */
static int
use_all(struct evbus *const *bus, int n, int expected)
{
	int i;

	for (i = 0; i < n; i++)
		if (evbus_publisher_set_name(bus[i], "main") != expected)
			return 1;
	return 0;
}

static int
in_child(struct evbus *const *bus, int n)
{
	struct evbus *own;

	return use_all(bus, n, EVBUS_EFORKED) != 0 ||
	    evbus_open(&own, NULL) != 0 ||
	    evbus_publish_name(own, "a", "x", 1) != 0 ||
	    evbus_close(own, FIXTURE_LONG, NULL) != 0 ||
	    evbus_free(own) != 0;
}

/* 0: the thread has no k-th unlock. */
static int
fork_at(unsigned k, struct evbus *const *bus, int n)
{
	struct fixture_thread thread;
	int reached, status = 0;
	pid_t pid;

	atomic_store(&unlocks, 0);
	atomic_store(&stopped, 0);
	atomic_store(&go, 0);
	atomic_store(&stop_at, k);
	fixture_start(&thread, publish_watched, bus[0]);
	/* It stops, or comes to its end. */
	while (atomic_load(&stopped) == 0 &&
	    pthread_tryjoin_np(thread.thread, NULL) != 0)
		continue;
	reached = atomic_load(&stopped) != 0;
	if (reached) {
		(void)fflush(NULL);
		pid = fork();
		if (pid == 0) {
			(void)alarm(10);
			_exit(in_child(bus, n));
		}
		atomic_store(&go, 1);
		(void)pthread_join(thread.thread, NULL);
		assert_int_equal(waitpid(pid, &status, 0), pid);
	}
	assert_string_equal(thread.failure, "");
	if (status != 0)
		fail_msg("a child whose parent's thread was at unlock %u "
		    "ended with status 0x%x", k, (unsigned)status);
	return reached;
}

/* S6 */
static void
fork_while_a_thread_holds_any_lock_S6(void **state)
{
	struct evbus *bus[5];
	unsigned k;
	int i;

	(void)state;
#ifdef SANITIZED
	skip();
#endif
	for (i = 0; i < 5; i++)
		bus[i] = fixture_open_small(NULL);
	assert_int_equal(use_all(bus, 5, 0), 0);
	for (k = 1; fork_at(k, bus, 5); k++)
		continue;
	/* A record made, a record ended: at least the bus's lock, twice. */
	assert_true(k > 3);
	atomic_store(&stop_at, NEVER);
	for (i = 0; i < 5; i++)
		fixture_end(bus[i], 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(fork_while_a_thread_holds_any_lock_S6),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
