/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * os.h - layer 0: all that evbus asks of the operating system.
 *
 * os_linux.c answers it; tests/explore/ answers it instead when the code runs
 * under the exploring scheduler (fibers for threads, virtual time).  Nothing
 * above this file may assume Linux.
 */
#ifndef EVBUS_SRC_OS_H
#define EVBUS_SRC_OS_H

#include <stddef.h>
#include <stdint.h>

#include <evbus/atomic.h>

#ifdef EVBUS_EXPLORE
struct evbus__mutex {
	int owner;	/* fiber number + 1; 0: free */
};
#define EVBUS__MUTEX_INIT { 0 }
#else
#include <pthread.h>
struct evbus__mutex {
	pthread_mutex_t mutex;
};
#define EVBUS__MUTEX_INIT { PTHREAD_MUTEX_INITIALIZER }
#endif

void evbus__mutex_init(struct evbus__mutex *);
void evbus__mutex_destroy(struct evbus__mutex *);
void evbus__mutex_lock(struct evbus__mutex *);
void evbus__mutex_unlock(struct evbus__mutex *);

/*
 * Sleep while *word == value, until woken or until the monotonic clock shows
 * deadline_ns (EVBUS_FOREVER: no limit).  0: woken, the word had another
 * value, or for no reason at all; EVBUS_ETIMEDOUT.  The caller looks again.
 */
int evbus__futex_wait(uint32_t *word, uint32_t value, int64_t deadline_ns);
/* Wake up to n sleepers; n = INT_MAX: all.  Async-signal-safe. */
void evbus__futex_wake(uint32_t *word, int n);

int64_t evbus__os_now(void);		/* monotonic, nanoseconds */
void evbus__os_yield(void);		/* let another thread run */
uint32_t evbus__os_tid(void);		/* of the calling thread */
uint32_t evbus__os_pid(void);
/* Threads of this process, or 0 where that cannot be told. */
unsigned evbus__os_threads(void);

/*
 * The heavy end of EVBUS_FENCE_LIGHT: when it returns, every thread of the
 * process has executed a full fence since the call began.  If the system has
 * no such call, it is a full fence of the calling thread, and
 * evbus__fence_full() is 1: then the light ends are full fences as well.
 * Setting EVBUS_NO_MEMBARRIER in the environment forces that fallback.
 */
void evbus__fence_heavy(void);
int evbus__fence_full(void);

/*
 * Reserve `size` bytes of zeroed, sparse, shared memory that never moves.
 * *fd receives a descriptor sealed against foreign writing, or -1.
 */
int evbus__os_map(size_t size, const char *name, void **base, int *fd);
void evbus__os_unmap(void *base, size_t size, int fd);
/* In a forked child: private zero pages over [base, base + size). */
void evbus__os_map_blank(void *base, size_t size, int fd);
/* Reserve private zeroed sparse memory (dispatch tables). */
void *evbus__os_reserve(size_t size);
void evbus__os_release(void *base, size_t size);

/* Start a thread, and wait for its end.  Returns 0 or EVBUS_ESYSTEM. */
struct evbus__os_thread {
#ifdef EVBUS_EXPLORE
	int id;
#else
	pthread_t thread;
#endif
};
/*
 * Once per process: the hook of threads that end, and the three around fork().
 * Returns 0 or EVBUS_ESYSTEM.
 */
int evbus__os_hook(void (*thread_exit)(void *), void (*prepare)(void),
    void (*parent)(void), void (*child)(void));
/* Call thread_exit(value) when the calling thread ends (value != NULL). */
int evbus__os_at_thread_exit(void *value);

int evbus__os_thread_start(struct evbus__os_thread *, void (*)(void *),
    void *arg, const char *name);
void evbus__os_thread_join(struct evbus__os_thread *);

/* A set of processors, by their numbers; as the system has it. */
#define EVBUS__CPUS_MAX		1024u
#define EVBUS__CPUS_WORD	(8 * sizeof(unsigned long))
struct evbus__cpus {
	unsigned long bits[EVBUS__CPUS_MAX / EVBUS__CPUS_WORD];
};
/* Those that the calling thread may run on; 0 or EVBUS_ESYSTEM. */
int evbus__os_cpus(struct evbus__cpus *);
/*
 * Let a thread run on all of these and on no other; EVBUS_ESYSTEM: not on all
 * of them, and it runs where it ran before.
 */
int evbus__os_thread_pin(struct evbus__os_thread *,
    const struct evbus__cpus *);

/*
 * A descriptor for the loop of a program: it counts, is readable while its
 * count is not 0, never blocks, and is closed by exec.  It orders nothing.
 */
int evbus__os_event_open(int *fd);	/* 0 or EVBUS_ESYSTEM */
void evbus__os_event_close(int fd);
/* Add 1.  Async-signal-safe. */
void evbus__os_event_signal(int fd);
/* The count; it is 0 now. */
uint64_t evbus__os_event_clear(int fd);

#endif /* EVBUS_SRC_OS_H */
