/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_limits.c - why: test_syscalls.c says what the system could answer; here
 * it really does.  A process has as many descriptors, threads, mappings, keys
 * or bytes of file as it may have, or a filter forbids calls after the bus was
 * opened: the bus refuses, or goes on, and works once the limit is gone.  (Its
 * address space: tests/bus/test_space.c.)  Each in a process of its own.
 */
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <unistd.h>

#include "bus_fixture.h"

#define HANG_S 60u
#define EVENTS 100u
#define KEYS_MAX 4096
#define MAPS_MAX 200000

enum { FINE = 0, CANNOT = 77 };

static int
sanitized(void)
{
	const char *sanitize = getenv("EVBUS_SANITIZE");

	return sanitize != NULL && sanitize[0] != '\0';
}

/* Runs the body in a child; what it found wrong it has printed. */
static void
in_a_child(int (*body)(void))
{
	int status;
	pid_t pid;

	(void)fflush(NULL);
	pid = fork();
	if (pid == 0) {
		(void)alarm(HANG_S);
		status = body();
		(void)fflush(NULL);
		_exit(status);
	}
	assert_true(pid > 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (WIFSIGNALED(status))
		fail_msg("ended by signal %d", WTERMSIG(status));
	if (WEXITSTATUS(status) == CANNOT)
		skip();
	assert_int_equal(WEXITSTATUS(status), FINE);
}

#define NEED(condition) do { \
	if (!(condition)) { \
		print_error("%d: %s; errno %d; the bus said: %s\n", \
		    __LINE__, #condition, errno, evbus_errmsg()); \
		return 1; \
	} \
} while (0)

/* Events to a worker and to a reader of ours; the worker sleeps in between. */
static int
bus_works(struct evbus *bus)
{
	struct evbus_reader_options run = { .worker = "w" };
	struct evbus_reader *own, *reader;
	struct evbus_topic *topic;
	atomic_uint count = 0, worked = 0;
	unsigned i;

	NEED(evbus_topic_open(bus, "a", NULL, &topic) == 0);
	NEED(evbus_reader_open(bus, NULL, &own) == 0);
	NEED(evbus_reader_open(bus, &run, &reader) == 0);
	NEED(evbus_reader_subscribe(own, "a", fixture_count, &count, NULL) >
	    0);
	NEED(evbus_reader_subscribe(reader, "a", fixture_count, &worked,
	    NULL) > 0);
	for (i = 1; i <= EVENTS; i++) {
		NEED(evbus_publish(topic, "x", 1) == 0);
		NEED(i % 10 != 0 || fixture_until_count(&worked, i));
	}
	NEED(fixture_drain(own) == EVENTS);
	NEED(atomic_load(&count) == EVENTS);
	NEED(evbus_wait(own, FIXTURE_MS) == 0);
	NEED(evbus_reader_close(own, FIXTURE_LONG) == 0);
	NEED(evbus_flush(bus, FIXTURE_LONG) == 0);
	NEED(atomic_load(&worked) == EVENTS);
	return FINE;
}

static int
end(struct evbus *bus)
{
	int error;

	NEED(evbus_close(bus, FIXTURE_LONG, NULL) == 0);
	while ((error = evbus_free(bus)) == EVBUS_EBUSY)
		(void)sched_yield();
	NEED(error == 0);
	return FINE;
}

static int
open_and_work(void)
{
	struct evbus *bus;

	NEED(evbus_open(&bus, NULL) == 0);
	NEED(bus_works(bus) == FINE);
	return end(bus);
}

/* ---- Limits -------------------------------------------------------------- */

static int
set_limit(int what, rlim_t value, struct rlimit *before)
{
	struct rlimit limit;

	if (getrlimit((__rlimit_resource_t)what, before) != 0)
		return 0;
	limit = *before;
	limit.rlim_cur = value;
	return setrlimit((__rlimit_resource_t)what, &limit) == 0;
}

/* A file as large as the bus's would end the process with SIGXFSZ. */
static int
small_files(void)
{
	struct rlimit before;

	NEED(set_limit(RLIMIT_FSIZE, 4096, &before));
	return open_and_work();
}

static int
no_descriptor(void)
{
	struct rlimit before;
	struct evbus *bus;

	NEED(set_limit(RLIMIT_NOFILE, 0, &before));
	NEED(evbus_open(&bus, NULL) == EVBUS_ESYSTEM);
	NEED(strstr(evbus_errmsg(), "memfd_create") != NULL);
	NEED(setrlimit(RLIMIT_NOFILE, &before) == 0);
	NEED(evbus_open(&bus, NULL) == 0);
	/* One that is open needs none. */
	NEED(set_limit(RLIMIT_NOFILE, 0, &before));
	NEED(bus_works(bus) == FINE);
	return end(bus);
}

static int
no_thread(void)
{
	struct evbus_reader_options run = { .worker = "w" };
	struct evbus_reader *reader;
	struct rlimit before;
	struct evbus *bus;

	/* The limit is not for root, and counts all processes of a user. */
	if (getuid() == 0 && setresuid(65123, 65123, 65123) != 0)
		return CANNOT;
	NEED(evbus_open(&bus, NULL) == 0);
	NEED(set_limit(RLIMIT_NPROC, 1, &before));
	NEED(evbus_reader_open(bus, &run, &reader) == EVBUS_ESYSTEM);
	NEED(strstr(evbus_errmsg(), "worker \"w\"") != NULL);
	NEED(setrlimit(RLIMIT_NPROC, &before) == 0);
	NEED(bus_works(bus) == FINE);
	return end(bus);
}

static int
no_key(void)
{
	static pthread_key_t key[KEYS_MAX];
	struct evbus *bus;
	int n = 0;

	while (n < KEYS_MAX && pthread_key_create(&key[n], NULL) == 0)
		n++;
	if (n == KEYS_MAX)
		return CANNOT;
	NEED(n > 0 && evbus_open(&bus, NULL) == EVBUS_ESYSTEM);
	NEED(pthread_key_delete(key[n - 1]) == 0);
	return open_and_work();
}

/* As many mappings as the system allows: each page another protection. */
static int
no_mapping(void)
{
	struct evbus *bus, *second;
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	unsigned char *base;
	size_t i, n = MAPS_MAX;

	NEED(evbus_open(&bus, NULL) == 0);
	base = mmap(NULL, n * page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS |
	    MAP_NORESERVE, -1, 0);
	NEED(base != MAP_FAILED);
	for (i = 0; i < n; i += 2)
		if (mprotect(base + i * page, page, PROT_READ) != 0)
			break;
	if (i >= n)
		return CANNOT;
	/* The last one may have left room for one more. */
	while (mmap(NULL, page, i++ % 2 ? PROT_READ : PROT_NONE, MAP_SHARED |
	    MAP_ANONYMOUS, -1, 0) != MAP_FAILED)
		if (i >= n)
			return CANNOT;
	NEED(evbus_open(&second, NULL) < 0);
	NEED(strlen(evbus_errmsg()) > 5);
	NEED(munmap(base, n * page) == 0);
	NEED(bus_works(bus) == FINE);
	NEED(end(bus) == FINE);
	return open_and_work();
}

/* ---- A filter ------------------------------------------------------------ */

/* From now on this thread and those it starts get `error` for that call. */
static int
forbid(int number, int error)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
		    offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned)number, 0, 1),
		BPF_STMT(BPF_RET | BPF_K,
		    SECCOMP_RET_ERRNO | ((unsigned)error & 0xffffu)),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = { sizeof code / sizeof code[0], code };

	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
	    prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

static int
filter_from_the_start(void)
{
	if (!forbid(SYS_membarrier, ENOSYS) || !forbid(SYS_gettid, EPERM))
		return CANNOT;
	NEED(syscall(SYS_membarrier, 0, 0, 0) == -1 && errno == ENOSYS);
	return open_and_work();
}

static int
filter_after_open(void)
{
	struct evbus *bus;

	NEED(evbus_open(&bus, NULL) == 0);
	if (!forbid(SYS_membarrier, EPERM) || !forbid(SYS_openat, EACCES) ||
	    !forbid(SYS_sched_yield, ENOSYS))
		return CANNOT;
	NEED(syscall(SYS_membarrier, 0, 0, 0) == -1 && errno == EPERM);
	NEED(bus_works(bus) == FINE);
	return end(bus);
}

static int
filter_of_memory(void)
{
	struct evbus *bus;

	if (!forbid(SYS_memfd_create, EPERM))
		return CANNOT;
	NEED(evbus_open(&bus, NULL) == EVBUS_ESYSTEM);
	NEED(strstr(evbus_errmsg(), "memfd_create") != NULL);
	return FINE;
}

static int
filter_of_seals(void)
{
	/* Without seals nobody may look, and all works. */
	if (!forbid(SYS_fcntl, EPERM))
		return CANNOT;
	return open_and_work();
}

/* ---- Tests --------------------------------------------------------------- */

#define TEST(name, body) \
static void \
name(void **state) \
{ \
	(void)state; \
	in_a_child(body); \
}

TEST(bus_works_where_files_must_be_small_S6, small_files)
TEST(open_without_a_descriptor_is_esystem, no_descriptor)
TEST(worker_without_a_thread_is_esystem, no_thread)
TEST(open_without_a_key_is_esystem, no_key)
TEST(bus_works_where_membarrier_is_forbidden_F2, filter_from_the_start)
TEST(open_without_memfd_is_esystem, filter_of_memory)
TEST(bus_works_without_seals, filter_of_seals)
TEST(bus_works_with_calls_forbidden_after_open, filter_after_open)

static void
open_without_a_mapping_is_refused(void **state)
{
	(void)state;
	if (sanitized())	/* which needs mappings itself */
		skip();
	in_a_child(no_mapping);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bus_works_where_files_must_be_small_S6),
		cmocka_unit_test(open_without_a_descriptor_is_esystem),
		cmocka_unit_test(worker_without_a_thread_is_esystem),
		cmocka_unit_test(open_without_a_key_is_esystem),
		cmocka_unit_test(open_without_a_mapping_is_refused),
		cmocka_unit_test(bus_works_where_membarrier_is_forbidden_F2),
		cmocka_unit_test(open_without_memfd_is_esystem),
		cmocka_unit_test(bus_works_without_seals),
		cmocka_unit_test(bus_works_with_calls_forbidden_after_open),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
