/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_refused.c - why: test_syscalls.c makes each call of the library fail and
 * asks whether the bus still keeps its promises; here the one function that
 * made the call is asked what it did: it answers in its caller's terms, wastes
 * no processor, and leaves nothing behind.
 */
#include <sys/mman.h>
#include <sys/resource.h>

#include <errno.h>
#include <unistd.h>

#include "bus_fixture.h"
#include "sys_fault.h"

#include "base/os.h"

#define SIZE	(UINT64_C(1) << 20)

static int
begin(void **state)
{
	(void)state;
	return sys_fault_begin() ? 0 : -1;
}

static int
end(void **state)
{
	(void)state;
	sys_fault_disarm();
	return 0;
}

/* ---- Time ---------------------------------------------------------------- */

/* A deadline far ahead is the kernel's to wait for, while there is a clock. */
static void
wait_without_a_clock_is_short_and_the_caller_looks_again_S4(void **state)
{
	uint32_t word = 7;
	unsigned waits, naps;
	int64_t now;

	(void)state;
	assert_int_equal(evbus__futex_wait(&word, 0, INT64_MAX), 0);
	assert_int_equal(sys_fault_calls(SYS_FAULT_FUTEX_WAIT), 1);
	sys_fault_arm(SYS_FAULT_CLOCK, EPERM, 1, 1);
	now = evbus__os_now();
	assert_true(now >= INT64_MAX / 2);
	assert_true(evbus__os_now() > now);
	waits = sys_fault_calls(SYS_FAULT_FUTEX_WAIT);
	naps = sys_fault_calls(SYS_FAULT_SLEEP);
	assert_int_equal(evbus__futex_wait(&word, 7, now + 1000000), 0);
	assert_int_equal(sys_fault_calls(SYS_FAULT_FUTEX_WAIT), waits);
	assert_int_equal(sys_fault_calls(SYS_FAULT_SLEEP), naps + 1);
	/* Time goes on, so that waiting ends. */
	assert_true(evbus__os_now() > now + 1000);
}

/* No barrier and no sleep: the fence comes back all the same, after as many
 * turns as take a while. */
static void
fence_without_barrier_and_sleep_takes_its_time_F2(void **state)
{
	unsigned sleeps;

	(void)state;
	if (evbus__fence_full())
		skip();
	sleeps = sys_fault_calls(SYS_FAULT_SLEEP);
	sys_fault_always(SYS_FAULT_BARRIER, 0);
	/* A signal does not make it shorter. */
	sys_fault_arm(SYS_FAULT_SLEEP, EINTR, 1, 0);
	evbus__fence_heavy();
	assert_int_equal(sys_fault_calls(SYS_FAULT_SLEEP), sleeps + 2);
	sys_fault_arm(SYS_FAULT_SLEEP, EPERM, 1, 1);
	errno = 77;
	evbus__fence_heavy();
	assert_int_equal(errno, 77);
	assert_true(sys_fault_calls(SYS_FAULT_SLEEP) - sleeps > 1000);
}

/* ---- Memory -------------------------------------------------------------- */

static void
limit_files(rlim_t value, struct rlimit *before)
{
	struct rlimit limit;

	assert_int_equal(getrlimit(RLIMIT_FSIZE, before), 0);
	limit = *before;
	limit.rlim_cur = value;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

static void
map_where_files_are_limited_is_a_file_only_if_it_fits_S6(void **state)
{
	struct sys_fault_held held = sys_fault_held();
	struct rlimit before;
	void *base = NULL;
	int fd = -1;

	(void)state;
	limit_files(SIZE, &before);
	assert_int_equal(evbus__os_map(SIZE, "test", &base, &fd), 0);
	assert_true(fd >= 0);
	evbus__os_unmap(base, SIZE, fd);
	assert_int_equal(evbus__os_map(SIZE + 4096, "test", &base, &fd), 0);
	assert_int_equal(fd, -1);
	memset(base, 1, SIZE + 4096);
	evbus__os_unmap(base, SIZE + 4096, fd);
	sys_fault_arm(SYS_FAULT_MMAP, ENOMEM, 1, 0);
	fixture_refused(evbus__os_map(SIZE + 4096, "test", &base, &fd),
	    EVBUS_ESYSTEM);
	fixture_says("mmap");
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
	assert_int_equal(sys_fault_held().mappings, held.mappings);
	assert_int_equal(sys_fault_held().descriptors, held.descriptors);
}

/* The child of fork() cannot have blank pages: it has none then, rather than
 * its parent's. */
static void
map_that_cannot_be_made_blank_is_taken_away_S6(void **state)
{
	unsigned char *base;
	void *at = NULL;
	int fd = -1;

	(void)state;
	assert_int_equal(evbus__os_map(SIZE, "test", &at, &fd), 0);
	base = at;
	base[0] = 1;
	assert_int_equal(msync(base, SIZE, MS_ASYNC), 0);
	sys_fault_arm(SYS_FAULT_MMAP, ENOMEM, 1, 0);
	evbus__os_map_blank(base, SIZE, fd);
	assert_int_equal(msync(base, SIZE, MS_ASYNC), -1);
	assert_int_equal(errno, ENOMEM);
	assert_int_equal(sys_fault_held().mappings, 0);
	assert_int_equal(sys_fault_held().descriptors, 0);
}

static void
no_body(void *arg)
{
	(void)arg;
}

static void
thread_without_memory_for_its_start_is_refused(void **state)
{
	struct evbus__os_thread thread;

	(void)state;
	sys_fault_arm(SYS_FAULT_MALLOC, ENOMEM, 1, 0);
	fixture_refused(evbus__os_thread_start(&thread, no_body, NULL, "w"),
	    EVBUS_ENOMEM);
	assert_int_equal(sys_fault_held().threads, 0);
	assert_int_equal(sys_fault_held().blocks, 0);
	assert_int_equal(evbus__os_thread_start(&thread, no_body, NULL, "w"),
	    0);
	evbus__os_thread_join(&thread);
	assert_int_equal(sys_fault_held().blocks, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int
main(void)
{
	/* Time last: it does not come back. */
	static const struct CMUnitTest tests[] = {
		TEST(fence_without_barrier_and_sleep_takes_its_time_F2),
		TEST(map_where_files_are_limited_is_a_file_only_if_it_fits_S6),
		TEST(map_that_cannot_be_made_blank_is_taken_away_S6),
		TEST(thread_without_memory_for_its_start_is_refused),
		TEST(
		    wait_without_a_clock_is_short_and_the_caller_looks_again_S4),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
