/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * worker.h - layer 6: who runs readers: threads of the bus, or the program in
 * a loop of its own.
 */
#ifndef EVBUS_WORKER_H
#define EVBUS_WORKER_H

#include <evbus/bus.h>

#define EVBUS_CPUS_MAX	1024	/* processors have numbers below */

/* What a worker does while there is nothing to read. */
enum evbus_worker_wait {
	EVBUS_WORKER_SPIN_PARK,	/* looks for spin_ns, then sleeps */
	EVBUS_WORKER_SPIN,	/* looks all the time: a processor of its own */
	EVBUS_WORKER_PARK	/* sleeps at once */
};

/* Zero means default. */
struct evbus_worker_options {
	const uint32_t *cpus;	/* processors that it may run on; NULL: left as
				 * they are */
	uint32_t cpu_count;	/* how many these are */
	int spread;		/* on one of them alone, that with the fewest
				 * workers spread so; without cpus, of those
				 * that the caller may run on */
	uint32_t batch;		/* sequences of one reader in its turn; 256 */
	enum evbus_worker_wait wait;
	int64_t spin_ns;	/* of EVBUS_WORKER_SPIN_PARK; 20 us */
};

EVBUS_BEGIN_DECLS

/*
 * evbus_worker_open() - a worker thread of this name (up to 31 bytes), before
 * a reader names it, or the one that there is: from now on with these options.
 * The worker's readers take turns, `batch` sequences each.  `options` may be
 * NULL: defaults.  Any thread, also inside handlers.  EVBUS_ESYSTEM: the system
 * lets it not run on all of these processors, and nothing has changed;
 * EVBUS_ELIMIT, EVBUS_EOWNER (the worker "evbus" of own_loop).
 * evbus_worker_open(3)
 */
EVBUS_API int evbus__worker_open(struct evbus *, const char *name,
    const struct evbus_worker_options *, size_t options_size,
    unsigned layout);

EVBUS_INLINE int
evbus_worker_open(struct evbus *bus, const char *name,
    const struct evbus_worker_options *options)
{
	return evbus__worker_open(bus, name, options, sizeof *options,
	    EVBUS_LAYOUT);
}

/*
 * evbus_worker_close() - end a worker that has no readers, and wait up to
 * timeout_ns until its thread has ended: 0; EVBUS_ETIMEDOUT: it ends by itself,
 * call again to wait; EVBUS_EBUSY: it has readers; EVBUS_EDEADLK: on the worker
 * itself; EVBUS_ENOENT.  Inside a handler it never waits.
 * evbus_worker_open(3)
 */
EVBUS_API int evbus_worker_close(struct evbus *, const char *name,
    int64_t timeout_ns);

/*
 * Of a bus opened with own_loop; one thread at a time.
 *
 * evbus_fd() - a descriptor that is readable while there may be something to
 * run, and for good once the bus is closed.  Level-triggered; under an edge
 * trigger run until 0.  It belongs to the bus until evbus_free(): neither read
 * nor close it.
 * evbus_timeout_ns() - how long until something is due: 0: run now;
 * EVBUS_FOREVER: when the descriptor says so.
 * evbus_run_once() - run what is there, up to `budget` sequences: how many were
 * passed, 0: nothing there.  EVBUS_EBUSY: another thread is inside;
 * EVBUS_EDEADLK inside a handler.  evbus_fd(3)
 */
EVBUS_API int evbus_fd(struct evbus *);
EVBUS_API int64_t evbus_timeout_ns(struct evbus *);
EVBUS_API int evbus_run_once(struct evbus *, unsigned budget);

EVBUS_END_DECLS

#endif /* EVBUS_WORKER_H */
