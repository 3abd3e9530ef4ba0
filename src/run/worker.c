/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * worker.c - layer 6: threads of the bus that run readers.
 *
 * Readers that name the same worker are run by the same thread, in turn.  The
 * thread starts with the first of them and ends with the bus.  Its list of
 * readers is changed under the bus's lock; the thread copies it when it has
 * changed, and says so, because a closed reader's memory may be used again
 * only when the thread has forgotten it.
 *
 * The words of the two are relaxed: lists and what was seen of them change
 * hands by the lock, and who waits for the thread's end joins it.
 */
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "bus/bus.h"

#define BUDGET	256u		/* sequences of one reader in its turn */

struct evbus__worker {
	struct evbus *bus;
	struct evbus__os_thread thread;
	struct evbus__park *park;
	struct evbus_reader **reader;	/* [max_readers], under the lock */
	struct evbus_reader **copy;	/* the thread's */
	uint32_t readers;
	uint32_t copies;
	uint32_t changed;		/* atomic: changes of the list */
	uint32_t seen;			/* atomic: changes that were copied */
	uint32_t stop;			/* atomic */
	uint32_t ended;			/* atomic */
	uint32_t joined;
	uint32_t number;
	struct evbus_publisher *self;	/* the thread's record */
	char name[EVBUS_NAME_MAX];
};

/*
 * The worker runs the reader, even before its first poll: who looks for
 * deadlocks must know (S3).  The lock is held.
 */
static void
claim_reader(struct evbus__worker *worker, struct evbus_reader *reader)
{
	EVBUS_STORE(&reader->entry->owner, worker->self->id, RELAXED);
	EVBUS_STORE(&reader->entry->polled, 1, RELAXED);
}

static void
copy_list(struct evbus__worker *worker)
{
	struct evbus__context *context = &worker->bus->context;

	evbus__mutex_lock(&context->lock);
	EVBUS__DELAY(worker_copy);
	memcpy(worker->copy, worker->reader,
	    worker->readers * sizeof worker->copy[0]);
	worker->copies = worker->readers;
	EVBUS_STORE(&worker->seen, EVBUS_LOAD(&worker->changed, RELAXED),
	    RELAXED);
	evbus__mutex_unlock(&context->lock);
}

static unsigned
run_turn(struct evbus__worker *worker)
{
	unsigned passed = 0;
	uint32_t i;
	int n;

	for (i = 0; i < worker->copies; i++) {
		n = evbus__reader_poll(worker->copy[i], BUDGET);
		if (n > 0)
			passed += (unsigned)n;
		else if (n == EVBUS_EVERDICT) {
			evbus__log(&worker->bus->context, n, "%s",
			    evbus_errmsg());
			passed++;
		}
	}
	return passed;
}

static void
worker_main(void *arg)
{
	struct evbus__worker *worker = arg;

	evbus__thread_adopt(&worker->bus->context, worker->self);
	(void)evbus_publisher_set_name(worker->bus, worker->name);
	while (EVBUS_LOAD(&worker->stop, RELAXED) == 0) {
		if (EVBUS_LOAD(&worker->changed, RELAXED) !=
		    EVBUS_LOAD(&worker->seen, RELAXED))
			copy_list(worker);
		if (run_turn(worker) == 0)
			(void)evbus__wait_any(worker->park, worker->copy,
			    worker->copies, EVBUS__SPIN_NS, EVBUS_FOREVER);
	}
	EVBUS__DELAY(worker_end);
	evbus__thread_end();
	EVBUS_STORE(&worker->ended, 1, RELAXED);
	evbus__futex_wake(&worker->ended, INT_MAX);
}

static size_t
list_size(const struct evbus *bus)
{
	return bus->options.max_readers * sizeof(struct evbus_reader *);
}

static void
destroy(struct evbus *bus, struct evbus__worker *worker)
{
	evbus__free(&bus->context, worker->reader, list_size(bus));
	evbus__free(&bus->context, worker->copy, list_size(bus));
	evbus__free(&bus->context, worker, sizeof *worker);
}

/* Start a worker; the bus's lock is held. */
static int
start(struct evbus *bus, const char *name, struct evbus__worker **result)
{
	struct evbus__context *context = &bus->context;
	struct evbus__worker *worker;
	int error;

	if (bus->workers == EVBUS__WORKERS_MAX)
		return evbus__fail(EVBUS_ELIMIT, "%u workers run, as many as "
		    "a bus can have", EVBUS__WORKERS_MAX);
	worker = evbus__alloc(context, sizeof *worker);
	if (worker == NULL)
		return evbus__fail(EVBUS_ENOMEM, "no memory for a worker");
	worker->bus = bus;
	worker->number = bus->workers;
	(void)snprintf(worker->name, sizeof worker->name, "%s", name);
	worker->park = evbus__map_entry(context->map, EVBUS__TABLE_PARKS,
	    bus->options.max_readers + worker->number);
	worker->reader = evbus__alloc(context, list_size(bus));
	worker->copy = evbus__alloc(context, list_size(bus));
	worker->self = evbus__thread_reserve(context);
	if (worker->reader == NULL || worker->copy == NULL)
		error = evbus__fail(EVBUS_ENOMEM, "no memory for a worker");
	else if (worker->self == NULL)
		error = evbus__failed();
	else
		error = evbus__os_thread_start(&worker->thread, worker_main,
		    worker, worker->name);
	if (error != 0) {
		if (worker->self != NULL)
			evbus__thread_give_up(worker->self);
		destroy(bus, worker);
		return error;
	}
	bus->worker[bus->workers++] = worker;
	*result = worker;
	return 0;
}

static void
list_changed(struct evbus__worker *worker)
{
	(void)EVBUS_FETCH_ADD(&worker->changed, 1, RELAXED);
	EVBUS__DELAY(worker_changed);
	evbus__park_nudge(worker->park);
}

int
evbus__worker_join(struct evbus_reader *reader, const char *name)
{
	struct evbus *bus = (struct evbus *)(void *)reader->context;
	struct evbus__worker *worker = NULL;
	uint32_t i;
	int error = 0;

	for (i = 0; i < bus->workers && worker == NULL; i++)
		if (strcmp(bus->worker[i]->name, name) == 0)
			worker = bus->worker[i];
	if (worker == NULL)
		error = start(bus, name, &worker);
	if (error != 0)
		return error;
	reader->worker = worker;
	reader->park = worker->park;
	reader->entry->worker = worker->number + 1;
	worker->reader[worker->readers++] = reader;
	claim_reader(worker, reader);
	list_changed(worker);
	return 0;
}

void
evbus__worker_leave(struct evbus_reader *reader)
{
	struct evbus__worker *worker = reader->worker;
	uint32_t i;

	for (i = 0; worker->reader[i] != reader; i++)
		EVBUS_ASSERT(i + 1 < worker->readers);
	worker->reader[i] = worker->reader[--worker->readers];
	list_changed(worker);
	reader->left_worker = EVBUS_LOAD(&worker->changed, RELAXED);
}

/* Has the worker forgotten a reader that left it? */
int
evbus__worker_done_with(struct evbus_reader *reader)
{
	struct evbus__worker *worker = reader->worker;

	/* It ends only with the bus, which takes no new reader then. */
	return (int32_t)(EVBUS_LOAD(&worker->seen, RELAXED) -
	    reader->left_worker) >= 0;
}

void
evbus__workers_stop(struct evbus *bus)
{
	uint32_t i;

	for (i = 0; i < bus->workers; i++) {
		EVBUS_STORE(&bus->worker[i]->stop, 1, RELAXED);
		evbus__park_nudge(bus->worker[i]->park);
	}
}

/* 1: it has ended; 0: the deadline has passed. */
static int
wait_for_end(struct evbus__worker *worker, int64_t deadline)
{
	while (EVBUS_LOAD(&worker->ended, RELAXED) == 0) {
		if (evbus__has_passed(deadline))
			return 0;
		(void)evbus__futex_wait(&worker->ended, 0, deadline);
	}
	return 1;
}

unsigned
evbus__workers_join(struct evbus *bus, int64_t deadline)
{
	struct evbus__worker *worker;
	unsigned running = 0;
	uint32_t i;

	for (i = 0; i < bus->workers; i++) {
		worker = bus->worker[i];
		if (worker->joined)
			continue;
		if (!wait_for_end(worker, deadline)) {
			running++;
			continue;
		}
		evbus__os_thread_join(&worker->thread);
		worker->joined = 1;
	}
	return running;
}

void
evbus__workers_free(struct evbus *bus)
{
	uint32_t i;

	for (i = 0; i < bus->workers; i++)
		destroy(bus, bus->worker[i]);
	bus->workers = 0;
}
