/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_syscalls.c - why: a system call may say no, and nobody tries that by
 * hand.  Each call that the library makes fails with each answer that its
 * manual page or a filter (seccomp) has for it: the first, the second and so
 * on, once and from then on.  The library refuses with the code that stands
 * here, or goes on; nothing is lost, nothing stays behind, and once the system
 * says yes again all works.
 *
 * With EVBUS_FAULTS=all (make faults) every combination is tried; else a few
 * places, each with another error.  tests/faults/control proves that it can
 * fail.
 */
#include <sys/mman.h>

#include <errno.h>

#include "bus_fixture.h"
#include "trial.h"

#define PLACES_MAX 60u	/* of a call that is made often: these many first */
#define ON_MAX 12u	/* failing for ever begins at one of these */
#define FEW 4u		/* places, when not all are tried */

static const struct trial_row rows[] = {
	{ .name = "memfd_create", .call = SYS_FAULT_MEMFD_CREATE,
	    .refusal = { EVBUS_ESYSTEM },
	    .errors = { EMFILE, ENFILE, ENOMEM, EINVAL, EFAULT, EPERM,
	    ENOSYS } },
	{ .name = "ftruncate", .call = SYS_FAULT_FTRUNCATE,
	    .refusal = { EVBUS_ESYSTEM },
	    .errors = { EINTR, EFBIG, EINVAL, EIO, EPERM, EBADF, ENOSPC,
	    ENOSYS } },
	{ .name = "mmap", .call = SYS_FAULT_MMAP,
	    .refusal = { EVBUS_ESYSTEM, EVBUS_ENOMEM },
	    .errors = { ENOMEM, EAGAIN, EACCES, EINVAL, ENFILE, ENODEV,
	    EOVERFLOW, EPERM, EBADF, ENOSYS } },
	/* It cannot be asked again: that mapping stays, and nothing else. */
	{ .name = "munmap", .call = SYS_FAULT_MUNMAP, .mappings = 1,
	    .errors = { ENOMEM, EINVAL, EPERM, ENOSYS } },
	{ .name = "fcntl F_ADD_SEALS", .call = SYS_FAULT_SEAL,
	    .errors = { EINVAL, EPERM, EBUSY, EBADF, ENOSYS } },
	{ .name = "close", .call = SYS_FAULT_CLOSE,
	    .errors = { EINTR, EIO, ENOSPC, EDQUOT, EPERM, ENOSYS } },
	{ .name = "open", .call = SYS_FAULT_OPEN,
	    .errors = { ENOENT, EACCES, EMFILE, ENFILE, ENOMEM, EINTR, EPERM,
	    ENOSYS } },
	{ .name = "read", .call = SYS_FAULT_READ,
	    .errors = { EINTR, EIO, EAGAIN, EINVAL, ESRCH, EPERM, ENOSYS },
	    .nothing = 1 },
	{ .name = "getrlimit", .call = SYS_FAULT_GETRLIMIT,
	    .errors = { EINVAL, EFAULT, EPERM, ENOSYS } },
	{ .name = "clock_gettime", .call = SYS_FAULT_CLOCK,
	    .refusal = { EVBUS_ESYSTEM },
	    .errors = { EPERM, EINVAL, EFAULT, ENOSYS } },
	{ .name = "nanosleep without membarrier", .call = SYS_FAULT_SLEEP,
	    .errors = { EINTR, EINVAL, EFAULT, EPERM, ENOSYS },
	    .always = SYS_FAULT_BARRIER, .spared = 1, .most = 6 },
	{ .name = "sched_yield", .call = SYS_FAULT_YIELD,
	    .errors = { EPERM, ENOSYS } },
	{ .name = "gettid", .call = SYS_FAULT_GETTID,
	    .errors = { EPERM, ENOSYS } },
	{ .name = "futex wait", .call = SYS_FAULT_FUTEX_WAIT,
	    .errors = { EINTR, EAGAIN, EINVAL, EFAULT, EACCES, EPERM,
	    ENOSYS }, .nothing = 1 },
	{ .name = "futex, waits and wakes", .call = SYS_FAULT_FUTEX,
	    .errors = { EPERM, ENOSYS } },
	{ .name = "membarrier, to register", .call = SYS_FAULT_REGISTER,
	    .errors = { EINVAL, EPERM, ENOSYS } },
	{ .name = "membarrier", .call = SYS_FAULT_BARRIER,
	    .errors = { ENOMEM, EINVAL, EPERM, ENOSYS } },
	{ .name = "pthread_key_create", .call = SYS_FAULT_KEY_CREATE,
	    .refusal = { EVBUS_ESYSTEM }, .errors = { EAGAIN, ENOMEM } },
	{ .name = "pthread_key_delete after pthread_atfork",
	    .call = SYS_FAULT_KEY_DELETE, .refusal = { EVBUS_ESYSTEM },
	    .errors = { EINVAL }, .always = SYS_FAULT_ATFORK },
	{ .name = "pthread_setspecific", .call = SYS_FAULT_SETSPECIFIC,
	    .refusal = { EVBUS_ENOMEM }, .errors = { ENOMEM, EINVAL } },
	{ .name = "pthread_atfork", .call = SYS_FAULT_ATFORK,
	    .refusal = { EVBUS_ESYSTEM }, .errors = { ENOMEM } },
	{ .name = "pthread_create", .call = SYS_FAULT_THREAD,
	    .refusal = { EVBUS_ESYSTEM }, .errors = { EAGAIN, EINVAL, EPERM,
	    ENOMEM } },
	{ .name = "pthread_setname_np", .call = SYS_FAULT_SETNAME,
	    .errors = { ERANGE, ENOENT, EACCES, EMFILE, EIO, EINTR, EPERM,
	    ENOSYS } },
	{ .name = "eventfd", .call = SYS_FAULT_EVENTFD,
	    .refusal = { EVBUS_ESYSTEM },
	    .errors = { EMFILE, ENFILE, ENOMEM, ENODEV, EINVAL, EPERM,
	    ENOSYS } },
	{ .name = "write", .call = SYS_FAULT_WRITE,
	    .errors = { EAGAIN, EINTR, EIO, EINVAL, EPERM, ENOSYS } },
	{ .name = "pthread_getaffinity_np", .call = SYS_FAULT_GETAFFINITY,
	    .refusal = { EVBUS_ESYSTEM }, .errors = { EFAULT, EINVAL, EPERM,
	    ESRCH, ENOMEM, ENOSYS } },
	{ .name = "pthread_setaffinity_np", .call = SYS_FAULT_SETAFFINITY,
	    .refusal = { EVBUS_ESYSTEM }, .errors = { EFAULT, EINVAL, EPERM,
	    ESRCH, ENOMEM, ENOSYS } },
	{ .name = "malloc", .call = SYS_FAULT_MALLOC,
	    .refusal = { EVBUS_ENOMEM }, .errors = { ENOMEM } },
};
#define ROWS (sizeof rows / sizeof rows[0])

static struct trial_result *shared;

struct sum {
	unsigned trials, fired, refused;
};

/* One trial; 1: the k-th call was made, and failed. */
static int
attempt(const struct trial *trial, struct sum *sum)
{
	if (!trial_run(trial, shared))
		fail_msg("%s: %s, number %u%s: %s", trial->row->name,
		    strerror(trial->error), trial->k,
		    trial->on ? " and on" : "", shared->failure);
	sum->trials++;
	sum->fired += shared->fired;
	sum->refused += shared->refused;
	return shared->fired > 0;
}

static unsigned
errors_of(const struct trial_row *row)
{
	unsigned n = 0;

	while (row->errors[n] != 0)
		n++;
	return n + (row->nothing != 0);
}

/* Its places from the last on, with every error or with the next in turn. */
static void
fail_places(struct trial *trial, unsigned last, unsigned step,
    struct sum *sum)
{
	unsigned errors = errors_of(trial->row), i, turn;

	for (; last >= 1; last = last > step ? last - step : 0) {
		trial->k = last;
		turn = sum->trials % errors;
		for (i = 0; i < errors; i++) {
			trial->error = trial->row->errors[i];
			if (getenv("EVBUS_FAULTS") != NULL || i == turn)
				(void)attempt(trial, sum);
		}
	}
}

static void
fail_row(const struct trial_row *row)
{
	struct trial trial = { .row = row };
	struct sum sum = { 0 };
	unsigned places;
	int all = getenv("EVBUS_FAULTS") != NULL;

	/* How often it is called, when nothing fails. */
	assert_int_equal(attempt(&trial, &sum), 0);
	places = shared->calls;
	if (places == 0)
		fail_msg("%s is never called", row->name);
	if (places > PLACES_MAX)
		places = PLACES_MAX;
	if (row->most != 0 && places > row->most)
		places = row->most;
	fail_places(&trial, places, all ? 1 : places / FEW + 2, &sum);
	trial.on = 1;
	fail_places(&trial, all == 0 ? 1 : places < ON_MAX ? places : ON_MAX,
	    1, &sum);
	print_message("%s: %u places, %u errors, %u trials, %u calls failed, "
	    "%u refusals\n", row->name, places, errors_of(row), sum.trials,
	    sum.fired, sum.refused);
	assert_true(sum.fired > 0);
	/* A code that never comes is a wrong line in the table. */
	if (row->refusal[0] != 0)
		assert_true(sum.refused > 0);
}

static void
system_call_that_fails_is_refused_or_gone_over(void **state)
{
	fail_row(*state);
}

/* With an argument: only the rows whose name it is, with '*' and '?'. */
int
main(int argc, char **argv)
{
	struct CMUnitTest tests[ROWS];
	size_t i;

	if (argc > 1)
		cmocka_set_test_filter(argv[1]);
	shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (shared == MAP_FAILED)
		return 1;
	for (i = 0; i < ROWS; i++) {
		memset(&tests[i], 0, sizeof tests[i]);
		tests[i].name = rows[i].name;
		tests[i].test_func =
		    system_call_that_fails_is_refused_or_gone_over;
		tests[i].initial_state = (void *)(uintptr_t)&rows[i];
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
