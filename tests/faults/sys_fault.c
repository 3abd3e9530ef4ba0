/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sys_fault.c - see sys_fault.h.
 *
 * Each fault_x() does what x() does, unless it is x's turn to fail.  A close
 * that fails has closed, as on Linux; a refused futex wake wakes those who had
 * gone to sleep before, since a system without futexes had let nobody sleep.
 */
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/futex.h>
#include <linux/membarrier.h>
#include <pthread.h>
#include <sched.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "sys_fault.h"

#define SLEEPERS 64

/* In memory that a child of fork() shares, so that its calls count as well. */
struct sys_fault {
	enum sys_call call, always;
	int error;
	unsigned k, spared;
	int on;
	unsigned since;		/* such calls since it was armed; atomic */
	unsigned fired;		/* atomic */
	unsigned calls[SYS_FAULT_CALLS];	/* atomic */
};
static struct sys_fault nothing_yet;
static struct sys_fault *fault = &nothing_yet;

static struct sys_fault_held held;	/* atomic */
static uint32_t *sleeper[SLEEPERS];	/* atomic: words slept on */

int
sys_fault_begin(void)
{
	void *p = mmap(NULL, sizeof *fault, PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		return 0;
	fault = p;
	return 1;
}

void
sys_fault_arm(enum sys_call call, int error, unsigned k, int on)
{
	fault->error = error;
	fault->k = k;
	fault->on = on;
	__atomic_store_n(&fault->since, 0, __ATOMIC_SEQ_CST);
	__atomic_store_n(&fault->call, call, __ATOMIC_SEQ_CST);
}

void
sys_fault_always(enum sys_call call, unsigned spared)
{
	fault->spared = spared;
	__atomic_store_n(&fault->always, call, __ATOMIC_SEQ_CST);
}

void
sys_fault_disarm(void)
{
	__atomic_store_n(&fault->call, SYS_FAULT_NONE, __ATOMIC_SEQ_CST);
	__atomic_store_n(&fault->always, SYS_FAULT_NONE, __ATOMIC_SEQ_CST);
}

unsigned
sys_fault_calls(enum sys_call call)
{
	return __atomic_load_n(&fault->calls[call], __ATOMIC_SEQ_CST);
}

unsigned
sys_fault_fired(void)
{
	return __atomic_load_n(&fault->fired, __ATOMIC_SEQ_CST);
}

struct sys_fault_held
sys_fault_held(void)
{
	struct sys_fault_held now;

	now.descriptors = __atomic_load_n(&held.descriptors, __ATOMIC_SEQ_CST);
	now.mappings = __atomic_load_n(&held.mappings, __ATOMIC_SEQ_CST);
	now.blocks = __atomic_load_n(&held.blocks, __ATOMIC_SEQ_CST);
	now.threads = __atomic_load_n(&held.threads, __ATOMIC_SEQ_CST);
	return now;
}

static void
hold(int *what, int change)
{
	(void)__atomic_add_fetch(what, change, __ATOMIC_SEQ_CST);
}

/* Is it this call's turn to fail?  Then *error has how. */
static int
strikes(enum sys_call call, int *error)
{
	unsigned n;

	n = __atomic_add_fetch(&fault->calls[call], 1, __ATOMIC_SEQ_CST);
	if (__atomic_load_n(&fault->always, __ATOMIC_SEQ_CST) == call &&
	    n > fault->spared) {
		*error = ENOSYS;
		return 1;
	}
	if (__atomic_load_n(&fault->call, __ATOMIC_SEQ_CST) != call)
		return 0;
	n = __atomic_add_fetch(&fault->since, 1, __ATOMIC_SEQ_CST);
	if (n != fault->k && !(fault->on && n > fault->k))
		return 0;
	(void)__atomic_add_fetch(&fault->fired, 1, __ATOMIC_SEQ_CST);
	*error = fault->error;
	return 1;
}

/* The same for calls that answer -1 and say why in errno. */
static int
refuses(enum sys_call call)
{
	int error;

	if (!strikes(call, &error))
		return 0;
	errno = error;
	return 1;
}

/* ---- Files and mappings -------------------------------------------------- */

int fault_ftruncate(int fd, off_t size);
int
fault_ftruncate(int fd, off_t size)
{
	return refuses(SYS_FAULT_FTRUNCATE) ? -1 : ftruncate(fd, size);
}

void *fault_mmap(void *at, size_t size, int prot, int flags, int fd, off_t o);
void *
fault_mmap(void *at, size_t size, int prot, int flags, int fd, off_t o)
{
	void *p = MAP_FAILED;

	if (!refuses(SYS_FAULT_MMAP))
		p = mmap(at, size, prot, flags, fd, o);
	/* A fixed one takes the place of another. */
	if (p != MAP_FAILED && (flags & MAP_FIXED) == 0)
		hold(&held.mappings, 1);
	return p;
}

int fault_munmap(void *p, size_t size);
int
fault_munmap(void *p, size_t size)
{
	if (refuses(SYS_FAULT_MUNMAP))
		return -1;
	hold(&held.mappings, -1);
	return munmap(p, size);
}

int fault_madvise(void *p, size_t size, int advice);
int
fault_madvise(void *p, size_t size, int advice)
{
	return refuses(SYS_FAULT_MADVISE) ? -1 : madvise(p, size, advice);
}

int fault_fcntl(int fd, int command, int arg);
int
fault_fcntl(int fd, int command, int arg)
{
	if (command != F_ADD_SEALS) {
		fprintf(stderr, "sys_fault: fcntl command %d has no row\n",
		    command);
		abort();
	}
	return refuses(SYS_FAULT_SEAL) ? -1 : fcntl(fd, command, arg);
}

int fault_close(int fd);
int
fault_close(int fd)
{
	int rc;

	hold(&held.descriptors, -1);
	rc = close(fd);
	return refuses(SYS_FAULT_CLOSE) ? -1 : rc;
}

int fault_open(const char *path, int flags);
int
fault_open(const char *path, int flags)
{
	int fd = -1;

	if (!refuses(SYS_FAULT_OPEN))
		fd = open(path, flags);
	hold(&held.descriptors, fd >= 0);
	return fd;
}

ssize_t fault_read(int fd, void *p, size_t size);
ssize_t
fault_read(int fd, void *p, size_t size)
{
	int error;

	if (!strikes(SYS_FAULT_READ, &error))
		return read(fd, p, size);
	errno = error;
	return error == 0 ? 0 : -1;
}

int fault_getrlimit(int what, struct rlimit *limit);
int
fault_getrlimit(int what, struct rlimit *limit)
{
	return refuses(SYS_FAULT_GETRLIMIT) ? -1 :
	    getrlimit((__rlimit_resource_t)what, limit);
}

/* ---- Time and threads ---------------------------------------------------- */

int fault_clock_gettime(clockid_t clock, struct timespec *now);
int
fault_clock_gettime(clockid_t clock, struct timespec *now)
{
	return refuses(SYS_FAULT_CLOCK) ? -1 : clock_gettime(clock, now);
}

int fault_nanosleep(const struct timespec *time, struct timespec *left);
int
fault_nanosleep(const struct timespec *time, struct timespec *left)
{
	if (!refuses(SYS_FAULT_SLEEP))
		return nanosleep(time, left);
	/* An interrupted sleep has taken some of the time. */
	if (errno == EINTR && left != NULL) {
		*left = *time;
		left->tv_sec /= 2;
		left->tv_nsec /= 2;
		if (left->tv_nsec == 0)
			return 0;
	}
	return -1;
}

int fault_sched_yield(void);
int
fault_sched_yield(void)
{
	return refuses(SYS_FAULT_YIELD) ? -1 : sched_yield();
}

int fault_pthread_key_create(pthread_key_t *key, void (*end)(void *));
int
fault_pthread_key_create(pthread_key_t *key, void (*end)(void *))
{
	int error;

	return strikes(SYS_FAULT_KEY_CREATE, &error) ? error :
	    pthread_key_create(key, end);
}

int fault_pthread_key_delete(pthread_key_t key);
int
fault_pthread_key_delete(pthread_key_t key)
{
	int error;

	return strikes(SYS_FAULT_KEY_DELETE, &error) ? error :
	    pthread_key_delete(key);
}

int fault_pthread_setspecific(pthread_key_t key, const void *value);
int
fault_pthread_setspecific(pthread_key_t key, const void *value)
{
	int error;

	return strikes(SYS_FAULT_SETSPECIFIC, &error) ? error :
	    pthread_setspecific(key, value);
}

int fault_pthread_atfork(void (*a)(void), void (*b)(void), void (*c)(void));
int
fault_pthread_atfork(void (*a)(void), void (*b)(void), void (*c)(void))
{
	int error;

	return strikes(SYS_FAULT_ATFORK, &error) ? error :
	    pthread_atfork(a, b, c);
}

int fault_pthread_create(pthread_t *thread, const pthread_attr_t *attr,
    void *(*function)(void *), void *arg);
int
fault_pthread_create(pthread_t *thread, const pthread_attr_t *attr,
    void *(*function)(void *), void *arg)
{
	int error;

	if (strikes(SYS_FAULT_THREAD, &error))
		return error;
	error = pthread_create(thread, attr, function, arg);
	hold(&held.threads, error == 0);
	return error;
}

int fault_pthread_join(pthread_t thread, void **result);
int
fault_pthread_join(pthread_t thread, void **result)
{
	hold(&held.threads, -1);
	return pthread_join(thread, result);
}

int fault_pthread_setname_np(pthread_t thread, const char *name);
int
fault_pthread_setname_np(pthread_t thread, const char *name)
{
	int error;

	return strikes(SYS_FAULT_SETNAME, &error) ? error :
	    pthread_setname_np(thread, name);
}

int fault_pthread_getaffinity_np(pthread_t thread, size_t size, cpu_set_t *set);
int
fault_pthread_getaffinity_np(pthread_t thread, size_t size, cpu_set_t *set)
{
	int error;

	return strikes(SYS_FAULT_GETAFFINITY, &error) ? error :
	    pthread_getaffinity_np(thread, size, set);
}

int fault_pthread_setaffinity_np(pthread_t thread, size_t size,
    const cpu_set_t *set);
int
fault_pthread_setaffinity_np(pthread_t thread, size_t size,
    const cpu_set_t *set)
{
	int error;

	return strikes(SYS_FAULT_SETAFFINITY, &error) ? error :
	    pthread_setaffinity_np(thread, size, set);
}

/* ---- Descriptors of loops ------------------------------------------------ */

int fault_eventfd(unsigned count, int flags);
int
fault_eventfd(unsigned count, int flags)
{
	int fd = -1;

	if (!refuses(SYS_FAULT_EVENTFD))
		fd = eventfd(count, flags);
	hold(&held.descriptors, fd >= 0);
	return fd;
}

ssize_t fault_write(int fd, const void *p, size_t size);
ssize_t
fault_write(int fd, const void *p, size_t size)
{
	return refuses(SYS_FAULT_WRITE) ? -1 : write(fd, p, size);
}

/* ---- Memory -------------------------------------------------------------- */

void *fault_malloc(size_t size);
void *
fault_malloc(size_t size)
{
	void *p = NULL;

	if (!refuses(SYS_FAULT_MALLOC))
		p = malloc(size);
	hold(&held.blocks, p != NULL);
	return p;
}

void fault_free(void *p);
void
fault_free(void *p)
{
	hold(&held.blocks, -(p != NULL));
	free(p);
}

/* ---- syscall() ----------------------------------------------------------- */

/* Remember who sleeps; 0: no place left, or none was to be remembered. */
static unsigned
note_sleeper(uint32_t *word)
{
	uint32_t *none;
	unsigned i;

	for (i = 0; i < SLEEPERS; i++) {
		none = NULL;
		if (__atomic_compare_exchange_n(&sleeper[i], &none, word, 0,
		    __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
			return i;
	}
	abort();
}

static void
wake_all_sleepers(void)
{
	uint32_t *word;
	unsigned i;

	for (i = 0; i < SLEEPERS; i++) {
		word = __atomic_load_n(&sleeper[i], __ATOMIC_SEQ_CST);
		if (word != NULL)
			(void)syscall(SYS_futex, word, FUTEX_WAKE |
			    FUTEX_PRIVATE_FLAG, INT_MAX, NULL, NULL, 0);
	}
}

static long
futex(const long arg[6])
{
	long rc;
	unsigned place;
	int error, wait;

	wait = ((int)arg[1] & FUTEX_CMD_MASK) == FUTEX_WAIT_BITSET;
	if (strikes(SYS_FAULT_FUTEX, &error) ||
	    (wait && strikes(SYS_FAULT_FUTEX_WAIT, &error))) {
		if (!wait)
			wake_all_sleepers();
		errno = error;
		return error == 0 ? 0 : -1;
	}
	if (!wait)
		return syscall(SYS_futex, arg[0], arg[1], arg[2], arg[3],
		    arg[4], arg[5]);
	place = note_sleeper((uint32_t *)arg[0]);
	rc = syscall(SYS_futex, arg[0], arg[1], arg[2], arg[3], arg[4],
	    arg[5]);
	__atomic_store_n(&sleeper[place], NULL, __ATOMIC_SEQ_CST);
	return rc;
}

static long
memfd_create_call(const long arg[6])
{
	long fd = -1;

	if (!refuses(SYS_FAULT_MEMFD_CREATE))
		fd = syscall(SYS_memfd_create, arg[0], arg[1]);
	hold(&held.descriptors, fd >= 0);
	return fd;
}

static long
membarrier_call(const long arg[6])
{
	if (refuses((int)arg[0] == MEMBARRIER_CMD_PRIVATE_EXPEDITED ?
	    SYS_FAULT_BARRIER : SYS_FAULT_REGISTER))
		return -1;
	return syscall(SYS_membarrier, arg[0], arg[1], arg[2]);
}

long fault_syscall(long number, ...);
long
fault_syscall(long number, ...)
{
	long arg[6];
	va_list args;
	int i;

	va_start(args, number);
	for (i = 0; i < 6; i++)
		arg[i] = va_arg(args, long);
	va_end(args);
	switch (number) {
	case SYS_futex:
		return futex(arg);
	case SYS_memfd_create:
		return memfd_create_call(arg);
	case SYS_membarrier:
		return membarrier_call(arg);
	case SYS_gettid:
		return refuses(SYS_FAULT_GETTID) ? -1 : syscall(SYS_gettid);
	default:
		fprintf(stderr, "sys_fault: system call %ld has no row\n",
		    number);
		abort();
	}
}
