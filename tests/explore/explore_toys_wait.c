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

/* Who had it last, and what three see of each other. */
static void
mutex_mark(void)
{
	evbus__mutex_lock(&toy.mutex);
	EVBUS_PLAIN_STORE(&toy.plain, EVBUS_PLAIN_LOAD(&toy.plain) * 4 +
	    (unsigned)explore_self());
	evbus__mutex_unlock(&toy.mutex);
}

static void
three_round(void)
{
	uint32_t *word[3] = { &toy.left, &toy.right, &toy.data };
	int self = explore_self() - 1;

	(void)EVBUS_FETCH_ADD(word[self], 1, RELAXED);
	toy.got[self] = EVBUS_LOAD(word[(self + 1) % 3], RELAXED);
}

/* A word that another looks at in some executions only, and private ones. */
static void
late_write(void)
{
	(void)EVBUS_FETCH_ADD(&toy.left, 1, RELAXED);
	EVBUS_STORE(&toy.word[0], 1, RELAXED);
	EVBUS_STORE(&toy.flag, 1, RELEASE);
	EVBUS_STORE(&toy.word[0], 2, RELAXED);
}

static void
late_read(void)
{
	(void)EVBUS_FETCH_ADD(&toy.word[1], 1, RELAXED);
	(void)EVBUS_FETCH_ADD(&toy.word[1], 1, RELAXED);
	if (EVBUS_LOAD(&toy.flag, ACQUIRE) == 1)
		toy.got[2] = (uint32_t)EVBUS_LOAD(&toy.word[0], RELAXED);
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

/* Memory that is not there. */
static void
memory_setup(void)
{
	toy_setup();
	explore_allocations_fail(1);
}

static void
memory_take(int looks)
{
	void *base;
	int fd;

	if (evbus__os_map(64, "toy", &base, &fd) != 0 && looks)
		return;
	EXPLORE_ASSERT(base != NULL);
	evbus__os_unmap(base, 64, fd);
}

static void
memory_take_twice(void)
{
	memory_take(1);
	memory_take(0);
}

static void
memory_look(void)
{
	memory_take(1);
	memory_take(1);
}

TOY(memory_missed, "the second is not looked at", memory_setup, NULL,
    memory_take_twice);
TOY(memory_looked, "both are looked at", memory_setup, NULL, memory_look);
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
TOY(mutex_order, "three enter in any order", toy_setup, NULL, mutex_mark,
    mutex_mark, mutex_mark);
TOY(threes, "three look at the next one", toy_setup, NULL, three_round,
    three_round, three_round);
/* What was found through a shared word is used after a private access. */
static uint32_t *found;

static void
found_setup(void)
{
	map_setup();
	found = mapped;
	mapped[0] = 5;
}

static void
found_use(void)
{
	const uint32_t *at = EVBUS_LOAD(&found, ACQUIRE);

	if (at == NULL)
		return;
	EVBUS_STORE(&toy.word[0], 1, RELAXED);
	EXPLORE_ASSERT(*at == 5);	/* no hook */
}

static void
found_drop(void)
{
	EVBUS_STORE(&found, NULL, RELEASE);
	evbus__os_unmap(mapped, 4096, -1);
}

TOY(freed_unhooked, "freed while it is read without a hook", found_setup, NULL,
    found_use, found_drop);
TOY(late, "a word is shared late", toy_setup, NULL, late_write, late_read);
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
