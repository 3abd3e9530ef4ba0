/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * os_linux.c - layer 0: os.h on Linux.
 *
 * Futexes are process-private although they lie in a shared mapping: only this
 * process sleeps on them.  They take absolute monotonic times, so that an
 * interrupted wait does not grow.
 */
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
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/context.h"
#include "base/os.h"

#ifndef F_SEAL_FUTURE_WRITE
#define F_SEAL_FUTURE_WRITE 0x0010
#endif

#define NS_PER_S INT64_C(1000000000)
#define FENCE_NS 1000000	/* see wait_for_stores() */
#define NAP_NS 50000		/* see nap() */

void
evbus__mutex_init(struct evbus__mutex *mutex)
{
	pthread_mutex_init(&mutex->mutex, NULL);
}

void
evbus__mutex_destroy(struct evbus__mutex *mutex)
{
	pthread_mutex_destroy(&mutex->mutex);
}

void
evbus__mutex_lock(struct evbus__mutex *mutex)
{
	pthread_mutex_lock(&mutex->mutex);
}

void
evbus__mutex_unlock(struct evbus__mutex *mutex)
{
	pthread_mutex_unlock(&mutex->mutex);
}

/*
 * The clock worked when the bus was opened.  Should it be refused later (by a
 * filter, where it is a system call), time goes on far ahead, by a microsecond
 * a look: whatever waits for a time comes to its end.
 */
#define OWN_TIME	(INT64_MAX / 2)
#define LOOK_NS		1000
static int64_t own_time;

/* Where the kernel cannot tell when to wake up, or does not let us sleep. */
static int
nap(void)
{
	const struct timespec moment = { 0, NAP_NS };

	(void)nanosleep(&moment, NULL);
	(void)EVBUS_FETCH_ADD(&own_time, NAP_NS, RELAXED);
	return 0;
}

int
evbus__futex_wait(uint32_t *word, uint32_t value, int64_t deadline_ns)
{
	struct timespec until, *limit = NULL;
	long rc;

	if (deadline_ns >= OWN_TIME && EVBUS_LOAD(&own_time, RELAXED) != 0)
		return nap();
	if (deadline_ns != EVBUS_FOREVER) {
		until.tv_sec = (time_t)(deadline_ns / NS_PER_S);
		until.tv_nsec = (long)(deadline_ns % NS_PER_S);
		limit = &until;
	}
	rc = syscall(SYS_futex, word, FUTEX_WAIT_BITSET | FUTEX_PRIVATE_FLAG,
	    value, limit, NULL, FUTEX_BITSET_MATCH_ANY);
	if (rc != 0 && errno == ETIMEDOUT)
		return EVBUS_ETIMEDOUT;
	if (rc != 0 && errno != EAGAIN && errno != EINTR)
		return nap();
	return 0;	/* woken, EAGAIN, EINTR: the caller looks again */
}

void
evbus__futex_wake(uint32_t *word, int n)
{
	int saved = errno;

	(void)syscall(SYS_futex, word, FUTEX_WAKE | FUTEX_PRIVATE_FLAG, n,
	    NULL, NULL, 0);
	errno = saved;
}

int64_t
evbus__os_now(void)
{
	struct timespec now;
	int tries;

	for (tries = 0; tries < 3; tries++)
		if (evbus_likely(clock_gettime(CLOCK_MONOTONIC, &now) == 0))
			return (int64_t)now.tv_sec * NS_PER_S +
			    (int64_t)now.tv_nsec;
	return OWN_TIME + EVBUS_FETCH_ADD(&own_time, LOOK_NS, RELAXED);
}

void
evbus__os_yield(void)
{
	sched_yield();
}

uint32_t
evbus__os_tid(void)
{
	return (uint32_t)syscall(SYS_gettid);
}

uint32_t
evbus__os_pid(void)
{
	return (uint32_t)getpid();
}

unsigned
evbus__os_threads(void)
{
	char text[512], *p;
	unsigned threads = 0;
	ssize_t n;
	int fd, field;

	fd = open("/proc/self/stat", O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return 0;
	n = read(fd, text, sizeof text - 1);
	close(fd);
	if (n <= 0)
		return 0;
	text[n] = '\0';
	/* The name, field 2, may hold spaces: count from its last ')'. */
	p = strrchr(text, ')');
	for (field = 2; p != NULL && field < 20; field++) {
		p = strchr(p, ' ');
		if (p != NULL)
			p++;
	}
	if (p != NULL)
		threads = (unsigned)strtoul(p, NULL, 10);
	return threads;
}

/*
 * membarrier(2), or full fences on both sides.  The decision is made once per
 * process, at the first bus: all streams must agree on it.
 */
static int fence_full = 1;
static pthread_once_t fence_once = PTHREAD_ONCE_INIT;

static long
membarrier(int command)
{
	return syscall(SYS_membarrier, command, 0, 0);
}

static void
fence_decide(void)
{
	if (getenv("EVBUS_NO_MEMBARRIER") != NULL)
		return;
	if (membarrier(MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED) == 0 &&
	    membarrier(MEMBARRIER_CMD_PRIVATE_EXPEDITED) == 0)
		fence_full = 0;
}

int
evbus__fence_full(void)
{
	pthread_once(&fence_once, fence_decide);
	return fence_full;
}

/*
 * The light ends count on a barrier that the kernel refuses all at once: for
 * want of memory, or by a filter that was installed after the first bus.  What
 * stands in is time.  A thread that runs empties its store buffer within
 * microseconds, one that is stopped has done so when it was; so after a
 * millisecond everybody's earlier stores are there to be seen.
 */
static void
wait_for_stores(void)
{
	struct timespec left = { 0, FENCE_NS };
	long i = 0;

	while (nanosleep(&left, &left) != 0 && i < FENCE_NS) {
		/* Refused as well: turns of a loop are time, too. */
		if (errno == EINTR)
			continue;
		i++;
		EVBUS_SPIN();
	}
}

void
evbus__fence_heavy(void)
{
	int saved = errno;

	EVBUS_FENCE(SEQ_CST);
	if (!fence_full && membarrier(MEMBARRIER_CMD_PRIVATE_EXPEDITED) != 0) {
		wait_for_stores();
		errno = saved;
	}
	EVBUS_FENCE(SEQ_CST);
}

/* ftruncate() beyond that limit would end the process (SIGXFSZ). */
static int
may_have_file_of(size_t size)
{
	struct rlimit limit;

	return getrlimit(RLIMIT_FSIZE, &limit) != 0 ||
	    limit.rlim_cur == RLIM_INFINITY || limit.rlim_cur >= size;
}

static int
map_shared(size_t size, int flags, int fd, void **base)
{
	void *p;

	p = mmap(NULL, size, PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_NORESERVE | flags, fd, 0);
	if (p == MAP_FAILED)
		return evbus__fail(EVBUS_ESYSTEM, "no %zu bytes of address "
		    "space: mmap: %s", size, strerror(errno));
	*base = p;
	return 0;
}

int
evbus__os_map(size_t size, const char *name, void **base, int *fd)
{
	int error, f;

	*fd = -1;
	/* Without a descriptor nobody else can look at it. */
	if (!may_have_file_of(size))
		return map_shared(size, MAP_ANONYMOUS, -1, base);
	f = (int)syscall(SYS_memfd_create, name,
	    1u /* MFD_CLOEXEC */ | 2u /* MFD_ALLOW_SEALING */);
	if (f < 0)
		return evbus__fail(EVBUS_ESYSTEM, "no shared memory for the "
		    "bus: memfd_create: %s", strerror(errno));
	if (ftruncate(f, (off_t)size) != 0) {
		evbus__fail(EVBUS_ESYSTEM, "no %zu bytes of address space: "
		    "ftruncate: %s", size, strerror(errno));
		close(f);
		return EVBUS_ESYSTEM;
	}
	error = map_shared(size, 0, f, base);
	if (error != 0) {
		close(f);
		return error;
	}
	/*
	 * Our own mapping stays writable; nobody can make another one, nor
	 * write(2), nor change the size.  Where the kernel has no such seal
	 * (before 5.1), the descriptor is closed: then nobody can look either.
	 */
	if (fcntl(f, F_ADD_SEALS, F_SEAL_FUTURE_WRITE | F_SEAL_SHRINK |
	    F_SEAL_GROW | F_SEAL_SEAL) != 0) {
		close(f);
		f = -1;
	}
	*fd = f;
	return 0;
}

void
evbus__os_unmap(void *base, size_t size, int fd)
{
	munmap(base, size);
	if (fd >= 0)
		close(fd);
}

void
evbus__os_map_blank(void *base, size_t size, int fd)
{
	/* No memory for that: a fault is better than a write into the parent's. */
	if (mmap(base, size, PROT_READ | PROT_WRITE, MAP_FIXED | MAP_PRIVATE |
	    MAP_ANONYMOUS | MAP_NORESERVE, -1, 0) == MAP_FAILED)
		munmap(base, size);
	if (fd >= 0)
		close(fd);
}

void *
evbus__os_reserve(size_t size)
{
	void *p;

	p = mmap(NULL, size, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	return p == MAP_FAILED ? NULL : p;
}

void
evbus__os_release(void *base, size_t size)
{
	munmap(base, size);
}

static pthread_key_t exit_key;

int
evbus__os_hook(void (*thread_exit)(void *), void (*prepare)(void),
    void (*parent)(void), void (*child)(void))
{
	struct timespec now;
	int error;

	if (clock_gettime(CLOCK_MONOTONIC, &now) != 0)
		return evbus__fail(EVBUS_ESYSTEM, "no monotonic clock: "
		    "clock_gettime: %s", strerror(errno));
	error = pthread_key_create(&exit_key, thread_exit);
	if (error != 0)
		return evbus__fail(EVBUS_ESYSTEM, "no hook for threads that "
		    "end: pthread_key_create: %s", strerror(error));
	error = pthread_atfork(prepare, parent, child);
	if (error != 0) {
		(void)pthread_key_delete(exit_key);
		return evbus__fail(EVBUS_ESYSTEM, "no hooks for fork(): "
		    "pthread_atfork: %s", strerror(error));
	}
	return 0;
}

int
evbus__os_at_thread_exit(void *value)
{
	return pthread_setspecific(exit_key, value) == 0 ? 0 : EVBUS_ESYSTEM;
}

struct thread_start {
	void (*function)(void *);
	void *arg;
};

static void *
thread_main(void *arg)
{
	struct thread_start start = *(struct thread_start *)arg;

	free(arg);
	start.function(start.arg);
	return NULL;
}

int
evbus__os_thread_start(struct evbus__os_thread *thread,
    void (*function)(void *), void *arg, const char *name)
{
	struct thread_start *start;
	char shortname[16];
	int error;

	start = malloc(sizeof *start);
	if (start == NULL)
		return evbus__fail(EVBUS_ENOMEM, "no memory for a thread");
	start->function = function;
	start->arg = arg;
	error = pthread_create(&thread->thread, NULL, thread_main, start);
	if (error != 0) {
		free(start);
		return evbus__fail(EVBUS_ESYSTEM,
		    "no thread for worker \"%s\": %s", name, strerror(error));
	}
	(void)snprintf(shortname, sizeof shortname, "%s", name);
	(void)pthread_setname_np(thread->thread, shortname);
	return 0;
}

void
evbus__os_thread_join(struct evbus__os_thread *thread)
{
	pthread_join(thread->thread, NULL);
}
