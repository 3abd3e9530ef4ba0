/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * worker.c - layer 6: threads of the bus that run readers.
 *
 * Readers that name the same worker are run by the same thread, in turn, each
 * up to a batch.  The thread starts with the first of them, or by
 * evbus_worker_open(), and ends with the bus, or by evbus_worker_close().  Its
 * list of readers is changed under the bus's lock; the thread copies it when it
 * has changed, and says so, because a closed reader's memory may be used again
 * only when the thread has forgotten it.
 *
 * The words of the two are relaxed: lists and what was seen of them change
 * hands by the lock, and who waits for the thread's end joins it.
 *
 * End.  Whoever wants to end or join a worker takes `joining` under the lock,
 * so that one thread joins it, and one frees it.  A worker that is closing has
 * no readers and gets none; when it is forgotten, closed readers that it once
 * ran do not name it any more.
 */
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "run/worker.h"

/*
 * The worker runs the reader, even before its first poll: who looks for
 * deadlocks must know (S3).  Of a loop that nobody has run yet that is who
 * opened the reader, as for one that is polled.  The lock is held.
 */
static void
claim_reader(struct evbus__worker *worker, struct evbus_reader *reader)
{
	struct evbus__reader_entry *entry = reader->entry;
	const struct evbus_publisher *self;
	uint32_t owner = EVBUS_LOAD(&worker->runner, RELAXED);

	if (reader->run_by == EVBUS__RUN_WORKER)
		owner = worker->self->id;
	if (owner != 0) {
		EVBUS_STORE(&entry->owner, owner, RELAXED);
		EVBUS_STORE(&entry->polled, 1, RELAXED);
		return;
	}
	/* Who opens a reader has a record. */
	self = evbus__self(reader->context);
	EVBUS_ASSERT(self != NULL);
	EVBUS_STORE(&entry->opener, self->id, RELAXED);
}

void
evbus__worker_look(struct evbus__worker *worker)
{
	struct evbus__context *context = &worker->bus->context;

	if (EVBUS_LOAD(&worker->changed, RELAXED) ==
	    EVBUS_LOAD(&worker->seen, RELAXED))
		return;
	evbus__mutex_lock(&context->lock);
	EVBUS__DELAY(worker_copy);
	memcpy(worker->copy, worker->reader,
	    worker->readers * sizeof worker->copy[0]);
	worker->copies = worker->readers;
	EVBUS_STORE(&worker->seen, EVBUS_LOAD(&worker->changed, RELAXED),
	    RELAXED);
	evbus__mutex_unlock(&context->lock);
}

static void
run_reader(struct evbus__worker *worker, struct evbus_reader *reader,
    unsigned most, struct evbus__turns *turns)
{
	int passed = evbus__reader_poll(reader, most);

	if (passed == EVBUS_EVERDICT) {
		evbus__log(&worker->bus->context, passed, "%s",
		    evbus_errmsg());
		turns->verdict = passed;
		turns->more = 1;
		turns->passed++;
	}
	/* What else is refused is a reader that is being closed. */
	if (passed <= 0)
		return;
	turns->more |= (unsigned)passed >= most;
	/* With what lossy readers lost it may be more than the budget. */
	turns->passed += (unsigned)passed;
}

void
evbus__worker_turn(struct evbus__worker *worker, unsigned budget,
    struct evbus__turns *turns)
{
	unsigned batch = EVBUS_LOAD(&worker->batch, RELAXED);
	uint32_t i, at = worker->turn;
	uint64_t most;

	turns->more = 0;
	for (i = 0; i < worker->copies && turns->passed < budget; i++, at++) {
		if (at >= worker->copies)
			at = 0;
		most = budget - turns->passed;
		run_reader(worker, worker->copy[at],
		    most < batch ? (unsigned)most : batch, turns);
	}
	worker->turn = at;
}

/* Nothing was there: as the options say, until a timer is due. */
static void
wait_for_more(struct evbus__worker *worker)
{
	int64_t due = worker->times ?
	    evbus__timers_due(&worker->bus->context) : EVBUS_FOREVER;
	uint32_t wait = EVBUS_LOAD(&worker->wait, RELAXED);

	if (wait == EVBUS_WORKER_SPIN)
		(void)evbus__wait_spinning(worker->park, worker->copy,
		    worker->copies);
	else
		(void)evbus__wait_any(worker->park, worker->copy,
		    worker->copies, wait == EVBUS_WORKER_PARK ? -1 :
		    EVBUS_LOAD(&worker->spin_ns, RELAXED), due);
}

static void
worker_main(void *arg)
{
	struct evbus__worker *worker = arg;
	struct evbus__turns turns;

	evbus__thread_adopt(&worker->bus->context, worker->self);
	(void)evbus_publisher_set_name(worker->bus, worker->name);
	while (EVBUS_LOAD(&worker->stop, RELAXED) == 0) {
		evbus__worker_look(worker);
		turns.passed = worker->times ? evbus__timers_run(
		    &worker->bus->context, EVBUS__BATCH) : 0;
		evbus__worker_turn(worker, UINT_MAX, &turns);
		if (turns.passed == 0)
			wait_for_more(worker);
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
destroy(struct evbus__worker *worker)
{
	struct evbus *bus = worker->bus;

	evbus__watch_close(&worker->watch);
	evbus__free(&bus->context, worker->reader, list_size(bus));
	evbus__free(&bus->context, worker->copy, list_size(bus));
	evbus__free(&bus->context, worker, sizeof *worker);
}

/* A place in the bus's table, or EVBUS__WORKERS_MAX. */
static uint32_t
free_number(const struct evbus *bus)
{
	uint32_t i;

	for (i = 0; i < bus->workers && bus->worker[i] != NULL; i++)
		;
	return i;
}

int
evbus__worker_make(struct evbus *bus, const char *name,
    struct evbus__worker **result)
{
	struct evbus__context *context = &bus->context;
	struct evbus__worker *worker;
	uint32_t number = free_number(bus);

	if (number == EVBUS__WORKERS_MAX)
		return evbus__fail(EVBUS_ELIMIT, "%u workers run, as many as "
		    "a bus can have", EVBUS__WORKERS_MAX);
	worker = evbus__alloc(context, sizeof *worker);
	if (worker == NULL)
		return evbus__fail(EVBUS_ENOMEM, "no memory for a worker");
	worker->bus = bus;
	worker->number = number;
	worker->times = strcmp(name, EVBUS__DEFAULT_WORKER) == 0;
	worker->batch = EVBUS__BATCH;
	worker->spin_ns = EVBUS__SPIN_NS;
	worker->cpu = EVBUS__NO_CPU;
	(void)snprintf(worker->name, sizeof worker->name, "%s", name);
	worker->park = evbus__map_entry(context->map, EVBUS__TABLE_PARKS,
	    bus->options.max_readers + number);
	worker->reader = evbus__alloc(context, list_size(bus));
	worker->copy = evbus__alloc(context, list_size(bus));
	if (worker->reader == NULL || worker->copy == NULL) {
		destroy(worker);
		return evbus__fail(EVBUS_ENOMEM, "no memory for a worker");
	}
	*result = worker;
	return 0;
}

void
evbus__worker_add(struct evbus__worker *worker)
{
	struct evbus *bus = worker->bus;

	bus->worker[worker->number] = worker;
	if (worker->number == bus->workers)
		bus->workers++;
}

int
evbus__worker_start(struct evbus *bus, const char *name,
    struct evbus__worker **result)
{
	struct evbus__worker *worker;
	int error = evbus__worker_make(bus, name, &worker);

	if (error != 0)
		return error;
	worker->self = evbus__thread_reserve(&bus->context);
	error = worker->self == NULL ? evbus__failed() :
	    evbus__os_thread_start(&worker->thread, worker_main, worker,
	    worker->name);
	if (error != 0) {
		if (worker->self != NULL)
			evbus__thread_give_up(worker->self);
		destroy(worker);
		return error;
	}
	evbus__worker_add(worker);
	*result = worker;
	return 0;
}

struct evbus__worker *
evbus__worker_find(const struct evbus *bus, const char *name)
{
	uint32_t i;

	for (i = 0; i < bus->workers; i++)
		if (bus->worker[i] != NULL &&
		    strcmp(bus->worker[i]->name, name) == 0)
			return bus->worker[i];
	return NULL;
}

static void
list_changed(struct evbus__worker *worker)
{
	(void)EVBUS_FETCH_ADD(&worker->changed, 1, RELAXED);
	EVBUS__DELAY(worker_changed);
	evbus__park_nudge(worker->park);
}

/* The worker of that name, started if need be; the bus's lock is held. */
static int
get(struct evbus *bus, const char *name, struct evbus__worker **result)
{
	*result = evbus__worker_find(bus, name);
	if (*result == NULL)
		return evbus__worker_start(bus, name, result);
	return !(*result)->closing ? 0 : evbus__fail(EVBUS_EBUSY, "worker "
	    "\"%s\" is being closed", name);
}

int
evbus__worker_time(struct evbus__context *context)
{
	struct evbus *bus = (struct evbus *)(void *)context;
	struct evbus__worker *worker;
	int error;

	evbus__mutex_lock(&context->lock);
	error = evbus__check_open(context);
	if (error == 0)
		error = get(bus, EVBUS__DEFAULT_WORKER, &worker);
	if (error == 0)
		bus->timer_worker = worker;
	evbus__mutex_unlock(&context->lock);
	return error;
}

void
evbus__worker_hurry(struct evbus__context *context)
{
	struct evbus *bus = (struct evbus *)(void *)context;

	/* Set before `started` was, under the lock of the timers. */
	evbus__park_nudge(bus->timer_worker->park);
}

int
evbus__worker_join(struct evbus_reader *reader, const char *name)
{
	struct evbus *bus = (struct evbus *)(void *)reader->context;
	struct evbus__worker *worker;
	int error = get(bus, name, &worker);

	if (error != 0)
		return error;
	reader->worker = worker;
	reader->run_by = worker == bus->loop ? EVBUS__RUN_LOOP :
	    EVBUS__RUN_WORKER;
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

	return (int32_t)(EVBUS_LOAD(&worker->seen, RELAXED) -
	    reader->left_worker) >= 0;
}

void
evbus__worker_stop(struct evbus__worker *worker)
{
	EVBUS_STORE(&worker->stop, 1, RELAXED);
	evbus__park_nudge(worker->park);
}

void
evbus__workers_stop(struct evbus *bus)
{
	uint32_t i;

	evbus__mutex_lock(&bus->context.lock);
	for (i = 0; i < bus->workers; i++)
		if (bus->worker[i] != NULL)
			evbus__worker_stop(bus->worker[i]);
	evbus__mutex_unlock(&bus->context.lock);
}

int
evbus__worker_wait(struct evbus__worker *worker, int64_t deadline)
{
	while (EVBUS_LOAD(&worker->ended, RELAXED) == 0) {
		if (evbus__has_passed(deadline))
			return 0;
		(void)evbus__futex_wait(&worker->ended, 0, deadline);
	}
	evbus__os_thread_join(&worker->thread);
	return 1;
}

void
evbus__worker_forget(struct evbus__worker *worker)
{
	struct evbus__context *context = &worker->bus->context;
	struct evbus__readers *readers = context->readers;
	uint32_t i;

	evbus__mutex_lock(&context->lock);
	/* Nobody runs what it ran last. */
	for (i = 0; i < readers->opened; i++)
		if (readers->reader[i]->worker == worker)
			readers->reader[i]->worker = NULL;
	worker->bus->worker[worker->number] = NULL;
	evbus__mutex_unlock(&context->lock);
	destroy(worker);
}

/* One whose thread nobody waits for; it is the caller's then. */
static struct evbus__worker *
take_one(struct evbus *bus, uint32_t i, unsigned *running)
{
	struct evbus__worker *worker;

	evbus__mutex_lock(&bus->context.lock);
	worker = bus->worker[i];
	if (worker == bus->loop || worker == NULL)
		worker = NULL;
	else if (worker->joining) {
		(*running)++;
		worker = NULL;
	} else
		worker->joining = 1;
	evbus__mutex_unlock(&bus->context.lock);
	return worker;
}

unsigned
evbus__workers_join(struct evbus *bus, int64_t deadline)
{
	struct evbus__worker *worker;
	unsigned running = 0;
	uint32_t i;

	for (i = 0; i < bus->workers; i++) {
		worker = take_one(bus, i, &running);
		if (worker == NULL)
			continue;
		if (evbus__worker_wait(worker, deadline)) {
			evbus__worker_forget(worker);
			continue;
		}
		running++;
		evbus__mutex_lock(&bus->context.lock);
		worker->joining = 0;
		evbus__mutex_unlock(&bus->context.lock);
	}
	return running;
}

void
evbus__workers_free(struct evbus *bus)
{
	uint32_t i;

	for (i = 0; i < bus->workers; i++)
		if (bus->worker[i] != NULL)
			destroy(bus->worker[i]);
	bus->workers = 0;
}
