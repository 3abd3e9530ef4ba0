/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * thread.c - layer 0: records of threads, their end, and fork().
 *
 * Records are found through a small cache in thread-local memory (publisher.h);
 * a miss takes the bus's lock.  When a thread ends, a destructor closes its
 * records on all buses of the process: open claims become holes (S5).
 *
 * After fork() the child's buses are dead (S6): private zero pages lie over
 * every mapping, the state says FORKED, the locks are made anew.  A zero limit
 * sends every publish to the slow path, which reads the state; a zero stamp
 * is never an event.
 */
#include <stdio.h>
#include <string.h>

#include "base/map.h"
#include "base/thread.h"

static struct evbus__mutex process_lock = EVBUS__MUTEX_INIT;
static struct evbus__context *process_buses;
static uint64_t process_serial;
static int process_hooked;

#ifndef EVBUS_EXPLORE
__thread struct evbus__tls evbus__tls
    __attribute__((__tls_model__("initial-exec")));
#endif

int
evbus__check_fork(const struct evbus__context *context)
{
	if (EVBUS_LOAD(&context->state, RELAXED) != EVBUS__FORKED)
		return 0;
	return evbus__fail(EVBUS_EFORKED, "the bus belongs to the parent "
	    "process; a child of fork() cannot use it");
}

int
evbus__check_alive(const struct evbus__context *context)
{
	int error = evbus__check_fork(context);

	if (error == 0 &&
	    EVBUS_LOAD(&context->state, RELAXED) == EVBUS__CLOSED)
		return evbus__fail(EVBUS_ECLOSED, "the bus is closed");
	return error;
}

int
evbus__check_open(const struct evbus__context *context)
{
	int error = evbus__check_alive(context);

	if (error == 0 &&
	    EVBUS_LOAD(&context->state, RELAXED) != EVBUS__OPEN)
		return evbus__fail(EVBUS_ECLOSED, "the bus is closing");
	return error;
}

struct evbus__thread *
evbus__thread_of(const struct evbus__context *context,
    const struct evbus_publisher *publisher)
{
	return context->threads[publisher->id & 0xffffu];
}

struct evbus_publisher *
evbus__publisher_by_id(const struct evbus__context *context, uint32_t id)
{
	struct evbus_publisher *publisher;
	uint32_t number = id & 0xffffu;

	if (number == 0 || number > context->max_publishers)
		return NULL;
	publisher = &context->publishers[number];
	if (EVBUS_LOAD(&publisher->used, ACQUIRE) != 1 ||
	    EVBUS_LOAD(&publisher->id, RELAXED) != id)
		return NULL;
	return publisher;
}

/* The record that this thread has, though its cache forgot it. */
static struct evbus_publisher *
find_record(struct evbus__context *context, const void *tls)
{
	uint32_t i;

	for (i = 1; i <= context->max_publishers; i++)
		if (context->threads[i] != NULL &&
		    context->threads[i]->tls == tls)
			return context->threads[i]->publisher;
	return NULL;
}

static struct evbus_publisher *
make_record(struct evbus__context *context, const void *tls)
{
	struct evbus_publisher *publisher = NULL;
	struct evbus__thread *thread;
	uint32_t i;

	for (i = 1; i <= context->max_publishers; i++) {
		publisher = &context->publishers[i];
		if (EVBUS_LOAD(&publisher->used, RELAXED) == 0)
			break;
	}
	if (i > context->max_publishers) {
		(void)evbus__fail(EVBUS_ELIMIT, "%u threads use this bus, as "
		    "many as max_publishers allows", context->max_publishers);
		return NULL;
	}
	thread = context->threads[i];
	if (thread == NULL) {
		thread = evbus__alloc(context, sizeof *thread);
		if (thread == NULL) {
			(void)evbus__fail(EVBUS_ENOMEM,
			    "no memory for a thread's record");
			return NULL;
		}
		evbus__epoch_register(&context->epoch, &thread->epoch);
		thread->publisher = publisher;
		context->threads[i] = thread;
	}
	thread->tls = tls;
	publisher->generation = (publisher->generation + 1) & 0xffffu;
	publisher->id = publisher->generation << 16 | i;
	publisher->meta = (uint64_t)i << 48;
	publisher->tid = evbus__os_tid();
	publisher->cause = 0;
	publisher->depth = 0;
	publisher->calls = 0;
	publisher->validating = 0;
	publisher->time = (uint64_t)evbus__now(context);
	(void)snprintf(publisher->name, sizeof publisher->name, "thread-%u",
	    i);
	publisher->wait_kind = EVBUS__WAIT_NONE;
	EVBUS_STORE(&publisher->section, 0, RELAXED);
	EVBUS_STORE(&publisher->used, 1, RELEASE);
	evbus__map_used(context->map, EVBUS__TABLE_PUBLISHERS, i);
	return publisher;
}

/* All of a thread's records end with it. */
static void
thread_exit(void *value)
{
	struct evbus__context *context;
	struct evbus_publisher *publisher;
	struct evbus__tls *tls = value;

	evbus__mutex_lock(&process_lock);
	for (context = process_buses; context != NULL;
	    context = context->next) {
		if (EVBUS_LOAD(&context->state, RELAXED) == EVBUS__FORKED)
			continue;
		evbus__mutex_lock(&context->lock);
		publisher = find_record(context, tls);
		evbus__mutex_unlock(&context->lock);
		if (publisher == NULL)
			continue;
		context->thread_ended(context, publisher);
		evbus__mutex_lock(&context->lock);
		EVBUS__DELAY(thread_end);
		evbus__thread_of(context, publisher)->tls = NULL;
		EVBUS_STORE(&publisher->used, 0, RELEASE);
		evbus__mutex_unlock(&context->lock);
	}
	memset(tls, 0, sizeof *tls);
	evbus__mutex_unlock(&process_lock);
}

void
evbus__thread_end(void)
{
	thread_exit(EVBUS__TLS());
}

/* Keep the calling thread's record in its cache. */
static void
remember(struct evbus__context *context, struct evbus_publisher *publisher)
{
	struct evbus__tls *tls = EVBUS__TLS();
	struct evbus__self *self = &tls->self[context->self];

	self->serial = context->serial;
	self->publisher = publisher;
	tls->last = *self;
}

struct evbus_publisher *
evbus__self_other(struct evbus__context *context)
{
	struct evbus__tls *tls = EVBUS__TLS();
	struct evbus__self *self = &tls->self[context->self];
	struct evbus_publisher *publisher;

	if (evbus_likely(self->serial == context->serial)) {
		tls->last = *self;
		return self->publisher;
	}
	/* First: a record that does not end with its thread would be taken by
	 * the next thread that has this memory. */
	if (evbus__os_at_thread_exit(tls) != 0) {
		(void)evbus__fail(EVBUS_ENOMEM,
		    "no memory for what is to happen at this thread's end");
		return NULL;
	}
	evbus__mutex_lock(&context->lock);
	publisher = find_record(context, tls);
	if (publisher == NULL)
		publisher = make_record(context, tls);
	evbus__mutex_unlock(&context->lock);
	if (publisher != NULL)
		remember(context, publisher);
	return publisher;
}

struct evbus_publisher *
evbus__thread_reserve(struct evbus__context *context)
{
	return make_record(context, NULL);
}

void
evbus__thread_adopt(struct evbus__context *context,
    struct evbus_publisher *publisher)
{
	evbus__mutex_lock(&context->lock);
	evbus__thread_of(context, publisher)->tls = EVBUS__TLS();
	publisher->tid = evbus__os_tid();
	evbus__mutex_unlock(&context->lock);
	remember(context, publisher);
}

void
evbus__thread_give_up(struct evbus_publisher *publisher)
{
	EVBUS_STORE(&publisher->used, 0, RELAXED);
}

static void
before_fork(void)
{
	evbus__mutex_lock(&process_lock);
}

static void
after_fork_parent(void)
{
	evbus__mutex_unlock(&process_lock);
}

static void
after_fork_child(void)
{
	struct evbus__context *context;

	evbus__mutex_init(&process_lock);
	for (context = process_buses; context != NULL;
	    context = context->next) {
		EVBUS_STORE(&context->state, EVBUS__FORKED, RELAXED);
		evbus__os_map_blank(context->map->base, context->map->size,
		    context->map->fd);
		evbus__mutex_init(&context->lock);
		evbus__mutex_init(&context->wait_lock);
	}
}

int
evbus__process_add(struct evbus__context *context)
{
	int error = 0;

	evbus__mutex_lock(&process_lock);
	if (!process_hooked) {
		error = evbus__os_hook(thread_exit, before_fork,
		    after_fork_parent, after_fork_child);
		process_hooked = error == 0;
	}
	if (error == 0) {
		context->serial = ++process_serial;
		context->self = (uint8_t)(context->serial % EVBUS__SELVES);
		context->next = process_buses;
		process_buses = context;
	}
	evbus__mutex_unlock(&process_lock);
	return error;
}

void
evbus__process_remove(struct evbus__context *context)
{
	struct evbus__context **at;

	evbus__mutex_lock(&process_lock);
	for (at = &process_buses; *at != context; at = &(*at)->next)
		EVBUS_ASSERT(*at != NULL);
	*at = context->next;
	evbus__mutex_unlock(&process_lock);
}
