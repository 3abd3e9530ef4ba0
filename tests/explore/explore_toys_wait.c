/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * explore_toys_wait.c - toys of sleeping, spinning, mutexes and reclaiming.
 */
#include <limits.h>
#include <signal.h>

#include <evbus/atomic.h>
#include <evbus/error.h>

#include "base/os.h"
#include "epoch_explore.h"
#include "explore_toys.h"

/* An eventcount: sleep until the flag is set. */
static void
sleep_wait(int looks_twice)
{
	uint32_t key;

	for (;;) {
		if (EVBUS_LOAD(&toy.flag, ACQUIRE) == 1)
			return;
		key = EVBUS_LOAD(&toy.data, ACQUIRE);
		EVBUS_STORE(&toy.left, 1, RELAXED);
		EVBUS_FENCE(SEQ_CST);
		if (looks_twice && EVBUS_LOAD(&toy.flag, ACQUIRE) == 1)
			return;
		evbus__futex_wait(&toy.data, key, EVBUS_FOREVER);
	}
}

static void
sleep_once(void)
{
	sleep_wait(0);
}

static void
sleep_twice(void)
{
	sleep_wait(1);
}

static void
sleep_wake(void)
{
	EVBUS_STORE(&toy.flag, 1, RELEASE);
	EVBUS_FENCE(SEQ_CST);
	if (EVBUS_LOAD(&toy.left, RELAXED) == 1) {
		(void)EVBUS_FETCH_ADD(&toy.data, 1, RELEASE);
		evbus__futex_wake(&toy.data, INT_MAX);
	}
}

static void
sleep_wake_no_fence(void)
{
	EVBUS_STORE(&toy.flag, 1, RELEASE);
	if (EVBUS_LOAD(&toy.left, ACQUIRE) == 1) {
		(void)EVBUS_FETCH_ADD(&toy.data, 1, RELEASE);
		evbus__futex_wake(&toy.data, INT_MAX);
	}
}

static void
sleep_short(void)
{
	int r;

	r = evbus__futex_wait(&toy.data, 0, evbus__os_now() + 1000);
	EXPLORE_ASSERT(r == 0 && EVBUS_LOAD(&toy.data, RELAXED) == 1);
}

static void
sleep_end(void)
{
	EVBUS_STORE(&toy.data, 1, RELAXED);
	evbus__futex_wake(&toy.data, 1);
}

static void
sleep_timed(void)
{
	EXPLORE_ASSERT(evbus__futex_wait(&toy.data, 0,
	    evbus__os_now() + 1000) == EVBUS_ETIMEDOUT);
	while (evbus__os_now() < 1000000000)
		EVBUS_SPIN();
}

/* Mutexes. */
static void
mutex_count(void)
{
	int i;

	for (i = 0; i < 2; i++) {
		evbus__mutex_lock(&toy.mutex);
		EVBUS_PLAIN_STORE(&toy.plain, EVBUS_PLAIN_LOAD(&toy.plain) + 1);
		evbus__mutex_unlock(&toy.mutex);
	}
}

static void
mutex_finish(void)
{
	EXPLORE_ASSERT(toy.plain == 4);
}

static void
count_apart(void)
{
	EVBUS_STORE(&toy.data, EVBUS_LOAD(&toy.data, RELAXED) + 1, RELAXED);
}

static void
count_modify(void)
{
	uint32_t n = EVBUS_LOAD(&toy.data, RELAXED);

	while (!EVBUS_CAS(&toy.data, &n, n + 1, RELAXED, RELAXED))
		EVBUS_SPIN();
}

static void
count_finish(void)
{
	EXPLORE_ASSERT(toy.data == 2);
}

/* Reclaiming: unlink, synchronize, reuse. */
static struct evbus__epoch epoch;
static struct evbus__epoch_record records[3];

static void
epoch_setup(void)
{
	toy_setup();
	evbus__epoch_init(&epoch);
	evbus__epoch_register(&epoch, &records[1]);
	evbus__epoch_register(&epoch, &records[2]);
	toy.flag = 1;
	toy.plain = 7;
}

static void
epoch_read(void)
{
	evbus__epoch_begin(&epoch, &records[1]);
	if (EVBUS_LOAD(&toy.flag, ACQUIRE) == 1)
		EXPLORE_ASSERT(EVBUS_PLAIN_LOAD(&toy.plain) == 7);
	evbus__epoch_end(&epoch, &records[1]);
}

static void
epoch_reuse(void)
{
	EVBUS_STORE(&toy.flag, 0, RELAXED);
	evbus__epoch_synchronize(&epoch, &records[2]);
	EVBUS_PLAIN_STORE(&toy.plain, 0);
}

static void
epoch_reuse_at_once(void)
{
	EVBUS_STORE(&toy.flag, 0, RELEASE);
	EVBUS_PLAIN_STORE(&toy.plain, 0);
}

static void
abba_left(void)
{
	while (EVBUS_LOAD(&toy.left, RELAXED) == 0)
		EVBUS_SPIN();
	EVBUS_STORE(&toy.right, 1, RELAXED);
}

static void
abba_right(void)
{
	while (EVBUS_LOAD(&toy.right, RELAXED) == 0)
		EVBUS_SPIN();
	EVBUS_STORE(&toy.left, 1, RELAXED);
}

static void
raise_flag(void)
{
	EVBUS_STORE(&toy.flag, 1, RELAXED);
}

static void
crash(void)
{
	if (EVBUS_LOAD(&toy.flag, RELAXED) == 1)
		raise(SIGSEGV);
}

static void
choose_any(void)
{
	EXPLORE_ASSERT(explore_choose(3) + explore_choose(5) != 6);
}

/* A spin that does not pause, and memory used after its release. */
static void
spin_hard(void)
{
	while (EVBUS_LOAD(&toy.flag, RELAXED) == 0)
		;
}

static uint32_t *mapped;

static void
map_setup(void)
{
	void *base;
	int fd;

	toy_setup();
	(void)evbus__os_map(4096, "toy", &base, &fd);
	mapped = base;
}

static void
map_use(void)
{
	(void)EVBUS_LOAD(&mapped[9], RELAXED);
}

static void
map_drop(void)
{
	evbus__os_unmap(mapped, 4096, -1);
	EVBUS_STORE(&toy.flag, 1, RELAXED);
}

TOY(sleep_one_look, "lost wake-up", toy_setup, NULL, sleep_once, sleep_wake);
TOY(sleep_two_looks, "eventcount", toy_setup, NULL, sleep_twice, sleep_wake);
TOY(sleep_no_fence, "eventcount, waker without fence", toy_setup, NULL,
    sleep_twice, sleep_wake_no_fence);
TOY(sleep_limit, "no time-out while others run", toy_setup, NULL, sleep_short,
    sleep_end);
TOY(sleep_clock, "time passes when all wait", toy_setup, NULL, sleep_timed,
    sleep_timed);
TOY(mutex_counter, "two threads add twice each", toy_setup, mutex_finish,
    mutex_count, mutex_count);
TOY(counter_apart, "load and store lose one", toy_setup, count_finish,
    count_apart, count_apart);
TOY(counter_cas, "compare and swap loses none", toy_setup, count_finish,
    count_modify, count_modify);
TOY(epoch_waits, "reuse after synchronize", epoch_setup, NULL, epoch_read,
    epoch_reuse);
TOY(epoch_not, "reuse at once", epoch_setup, NULL, epoch_read,
    epoch_reuse_at_once);
TOY(abba_spin, "two spin for each other", toy_setup, NULL, abba_left,
    abba_right);
TOY(crash_found, "a crash is a failure", toy_setup, NULL, crash,
    raise_flag);
TOY(choices, "all choices are tried", toy_setup, NULL, choose_any);
TOY(spin_forever, "a spin without a pause", toy_setup, NULL, spin_hard);
TOY(map_freed, "use after unmap", map_setup, NULL, map_use, map_drop);
