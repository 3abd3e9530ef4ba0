/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * worker.h - layer 6: what runs readers: a thread of the bus (worker.c), or
 * who calls evbus_run_once() (loop.c).
 */
#ifndef EVBUS_SRC_WORKER_H
#define EVBUS_SRC_WORKER_H

#include <evbus/worker.h>

#include "bus/bus.h"

#define EVBUS__BATCH	256u	/* sequences of one reader in its turn */
#define EVBUS__NO_CPU	UINT32_MAX

struct evbus__worker {
	struct evbus *bus;
	struct evbus__os_thread thread;
	struct evbus__park *park;
	struct evbus_reader **reader;	/* [max_readers], under the lock */
	struct evbus_reader **copy;	/* of who runs them */
	uint32_t readers;
	uint32_t copies;
	uint32_t changed;		/* atomic: changes of the list */
	uint32_t seen;			/* atomic: changes that were copied */
	uint32_t stop;			/* atomic */
	uint32_t ended;			/* atomic */
	uint32_t number;
	uint32_t turn;			/* reader to begin with */
	uint32_t times;			/* it runs timers too; constant */

	/* Under the lock. */
	uint32_t closing;		/* it takes no reader any more */
	uint32_t joining;		/* somebody waits for its end */
	uint32_t cpu;			/* that it was spread to */
	struct evbus_publisher *self;	/* the thread's record */

	/* evbus_worker_open() sets them; atomic. */
	uint32_t batch;
	uint32_t wait;			/* enum evbus_worker_wait */
	int64_t spin_ns;

	/* Of own_loop, which has no thread. */
	struct evbus__watch watch;
	uint32_t inside;		/* atomic: somebody runs it */
	uint32_t runner;		/* atomic: id of who ran it last */
	char name[EVBUS_NAME_MAX];
};

/* worker.c; make one, let it be known, both with a thread, find it: the bus's
 * lock is held, or nobody knows the bus yet. */
int evbus__worker_make(struct evbus *, const char *name,
    struct evbus__worker **);
void evbus__worker_add(struct evbus__worker *);
int evbus__worker_start(struct evbus *, const char *name,
    struct evbus__worker **);
/* NULL: there is none of that name. */
struct evbus__worker *evbus__worker_find(const struct evbus *,
    const char *name);
/* It ends as soon as it can. */
void evbus__worker_stop(struct evbus__worker *);
/* 1: its thread has ended, and is joined; 0: the deadline has passed. */
int evbus__worker_wait(struct evbus__worker *, int64_t deadline);
/* Nobody knows it any more, and it is gone.  The caller holds no lock. */
void evbus__worker_forget(struct evbus__worker *);
/* Copy the list of readers, if it has changed. */
void evbus__worker_look(struct evbus__worker *);
/* What a worker has run. */
struct evbus__turns {
	uint64_t passed;	/* sequences */
	int more;		/* a reader may have more than it passed in the
				 * last turn */
	int verdict;		/* EVBUS_EVERDICT: a handler's answer was
				 * refused */
};

/*
 * A turn of each reader, `batch` sequences at most, while fewer than `budget`
 * were passed.
 */
void evbus__worker_turn(struct evbus__worker *, unsigned budget,
    struct evbus__turns *);

#endif /* EVBUS_SRC_WORKER_H */
