/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_os_linux.c - why: all that is above rests on these few answers of the
 * system: time limits that end, wake-ups that arrive, a mapping that nobody
 * else can write, and a choice of fences that is the same for all.
 */
#include <sys/mman.h>

#include <fcntl.h>
#include <unistd.h>

#include "bus_fixture.h"

#include "base/context.h"

static void
futex_wait_ends_at_its_deadline(void **state)
{
	uint32_t word = 5;
	int64_t begin = evbus__os_now();

	(void)state;
	assert_int_equal(evbus__futex_wait(&word, 5, begin + FIXTURE_MS),
	    EVBUS_ETIMEDOUT);
	assert_true(evbus__os_now() >= begin + FIXTURE_MS);
	/* A deadline in the past does not wait; nor does another value. */
	assert_int_equal(evbus__futex_wait(&word, 5, 0), EVBUS_ETIMEDOUT);
	assert_int_equal(evbus__futex_wait(&word, 4, EVBUS_FOREVER), 0);
}

struct sleeper {
	uint32_t word;
	atomic_uint ready;
};

static void
sleep_on_word(struct fixture_thread *thread)
{
	struct sleeper *sleeper = thread->arg;

	atomic_store(&sleeper->ready, 1);
	while (EVBUS_LOAD(&sleeper->word, ACQUIRE) == 0)
		fixture_check(thread, evbus__futex_wait(&sleeper->word, 0,
		    EVBUS_FOREVER) == 0);
}

static void
futex_wake_reaches_a_sleeper(void **state)
{
	struct sleeper sleeper = { 0 };
	struct fixture_thread thread;

	(void)state;
	fixture_start(&thread, sleep_on_word, &sleeper);
	assert_true(fixture_until_count(&sleeper.ready, 1));
	EVBUS_STORE(&sleeper.word, 1, RELEASE);
	evbus__futex_wake(&sleeper.word, INT32_MAX);
	fixture_join(&thread);
}

static void
stand(struct fixture_thread *thread)
{
	pthread_barrier_t *barrier = thread->arg;

	(void)pthread_barrier_wait(barrier);
	(void)pthread_barrier_wait(barrier);
}

static void
threads_are_counted_as_the_system_counts_them(void **state)
{
	struct fixture_thread thread[3];
	pthread_barrier_t barrier;
	unsigned before = evbus__os_threads();
	int i;

	(void)state;
	assert_int_equal(before, fixture_threads());
	assert_int_equal(pthread_barrier_init(&barrier, NULL, 4), 0);
	for (i = 0; i < 3; i++)
		fixture_start(&thread[i], stand, &barrier);
	(void)pthread_barrier_wait(&barrier);
	assert_int_equal(evbus__os_threads(), before + 3);
	(void)pthread_barrier_wait(&barrier);
	for (i = 0; i < 3; i++)
		fixture_join(&thread[i]);
	pthread_barrier_destroy(&barrier);
}

/* F2: the fallback is taken when it is forced, and stays what it is. */
static void
fence_is_full_where_membarrier_is_forbidden_F2(void **state)
{
	int full = evbus__fence_full(), i;

	(void)state;
	if (getenv("EVBUS_NO_MEMBARRIER") != NULL)
		assert_int_equal(full, 1);
	for (i = 0; i < 3; i++) {
		evbus__fence_heavy();
		assert_int_equal(evbus__fence_full(), full);
	}
}

static void
map_is_zeroed_writable_and_sealed_for_others(void **state)
{
	const size_t size = 1 << 20;
	unsigned char *p;
	void *base, *other;
	size_t i;
	int fd;

	(void)state;
	assert_int_equal(evbus__os_map(size, "test", &base, &fd), 0);
	p = base;
	for (i = 0; i < size; i += 4096)
		assert_int_equal(p[i], 0);
	p[0] = 7;
	if (fd >= 0) {
		/* Others look, and cannot write, shrink or grow. */
		assert_ptr_equal(mmap(NULL, size, PROT_READ | PROT_WRITE,
		    MAP_SHARED, fd, 0), MAP_FAILED);
		assert_int_equal(write(fd, "x", 1), -1);
		assert_int_equal(ftruncate(fd, 10), -1);
		assert_int_equal(ftruncate(fd, (off_t)size * 2), -1);
		assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
		other = mmap(NULL, size, PROT_READ, MAP_SHARED, fd, 0);
		assert_ptr_not_equal(other, MAP_FAILED);
		assert_int_equal(*(unsigned char *)other, 7);
		(void)munmap(other, size);
	}
	evbus__os_unmap(base, size, fd);
}

static void
map_of_an_absurd_size_is_esystem(void **state)
{
	void *base;
	int fd;

	(void)state;
	fixture_refused(evbus__os_map((size_t)1 << 62, "test", &base, &fd),
	    EVBUS_ESYSTEM);
	assert_int_equal(fd, -1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(futex_wait_ends_at_its_deadline),
		cmocka_unit_test(futex_wake_reaches_a_sleeper),
		cmocka_unit_test(threads_are_counted_as_the_system_counts_them),
		cmocka_unit_test(
		    fence_is_full_where_membarrier_is_forbidden_F2),
		cmocka_unit_test(map_is_zeroed_writable_and_sealed_for_others),
		cmocka_unit_test(map_of_an_absurd_size_is_esystem),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
