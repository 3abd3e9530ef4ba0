/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * timer.c - layer 5: arm and cancel timers.
 *
 * An id is generation:31 | place:32, the place from 1: an id of a timer that is
 * over names none, until 2^31 others have had its place.
 */
#include <string.h>

#include "timer/timer.h"

int
evbus__timers_init(struct evbus__context *context, uint32_t max,
    uint32_t payload)
{
	struct evbus__timers *timers = evbus__alloc(context, sizeof *timers);

	if (timers == NULL)
		return evbus__fail(EVBUS_ENOMEM, "no memory for timers");
	timers->context = context;
	timers->max = max;
	timers->payload = payload;
	EVBUS_STORE(&timers->due, EVBUS__TIMER_NEVER, RELAXED);
	evbus__ring_init(&timers->free);
	evbus__ring_init(&timers->late);
	evbus__mutex_init(&timers->lock);
	context->timers = timers;
	return 0;
}

/* Bytes from one payload to the next. */
static size_t
stride(const struct evbus__timers *timers)
{
	return ((size_t)timers->payload + EVBUS_CACHELINE - 1) &
	    ~(size_t)(EVBUS_CACHELINE - 1);
}

/* Payloads, timers, heap: in this order in one block. */
static size_t
tables_size(const struct evbus__timers *timers)
{
	return timers->max * (stride(timers) + sizeof *timers->timer +
	    sizeof *timers->heap);
}

void
evbus__timers_destroy(struct evbus__context *context)
{
	struct evbus__timers *timers = context->timers;

	if (timers == NULL)
		return;
	if (timers->bytes != NULL)
		evbus__os_release(timers->bytes, tables_size(timers));
	evbus__mutex_destroy(&timers->lock);
	evbus__free(context, timers, sizeof *timers);
	context->timers = NULL;
}

/* At the first timer: address space, used as it is touched. */
static int
make_tables(struct evbus__timers *timers)
{
	uint32_t i;

	timers->bytes = evbus__os_reserve(tables_size(timers));
	if (timers->bytes == NULL)
		return evbus__fail(EVBUS_ENOMEM, "no memory for %u timers with "
		    "%u bytes of payload each", timers->max, timers->payload);
	timers->timer = (struct evbus__timer *)(void *)(timers->bytes +
	    timers->max * stride(timers));
	timers->heap = (struct evbus__timer **)(void *)(timers->timer +
	    timers->max);
	for (i = 0; i < timers->max; i++)
		evbus__ring_append(&timers->free, &timers->timer[i]);
	return 0;
}

unsigned char *
evbus__timer_bytes(const struct evbus__timers *timers,
    const struct evbus__timer *timer)
{
	return timers->bytes +
	    (size_t)(timer - timers->timer) * stride(timers);
}

void
evbus__timer_free(struct evbus__timers *timers, struct evbus__timer *timer)
{
	timer->state = EVBUS__TIMER_FREE;
	evbus__ring_append(&timers->free, timer);
	timers->stats.armed--;
}

/* ---- Arm ----------------------------------------------------------------- */

/* What is to be armed. */
struct order {
	const char *call;
	struct evbus_topic *topic;
	const void *data;
	size_t size;
	int64_t due;
	int64_t period;
};

static int
check_time(const char *call, const char *what, int64_t value, int64_t least)
{
	return value >= least ? 0 : evbus__fail(EVBUS_EINVAL, "%s: %s is "
	    "%lld; it must be %lld or more", call, what, (long long)value,
	    (long long)least);
}

static int
check_payload(const struct evbus__timers *timers, const struct order *order)
{
	uint32_t limit = order->topic->stream->max_payload;

	if (order->size > limit)
		return evbus__fail(EVBUS_EMSGSIZE, "%s: a payload of %zu bytes "
		    "on topic \"%s\"; the stream's max_payload is %u",
		    order->call, order->size, order->topic->name, limit);
	if (order->size > timers->payload)
		return evbus__fail(EVBUS_EMSGSIZE, "%s: a payload of %zu "
		    "bytes; the bus's timer_payload is %u", order->call,
		    order->size, timers->payload);
	return 0;
}

/* See that somebody runs the timers; without the lock. */
static int
need_runner(struct evbus__timers *timers)
{
	int started, error;

	evbus__mutex_lock(&timers->lock);
	started = timers->started != 0;
	evbus__mutex_unlock(&timers->lock);
	if (started)
		return 0;
	error = timers->start(timers->context);
	if (error != 0)
		return error;
	evbus__mutex_lock(&timers->lock);
	timers->started = 1;
	evbus__mutex_unlock(&timers->lock);
	return 0;
}

/* The lock is held.  The id, or a refusal. */
static int64_t
insert(struct evbus__timers *timers, const struct order *order,
    const struct evbus_publisher *publisher)
{
	struct evbus__timer *timer;
	int error = evbus__check_open(timers->context);	/* TIMER (close) */

	if (error == 0 && timers->timer == NULL)
		error = make_tables(timers);
	if (error != 0)
		return error;
	if (evbus__ring_empty(&timers->free))
		return evbus__fail(EVBUS_ELIMIT, "%u timers are armed, as many "
		    "as max_timers allows", timers->max);
	timer = timers->free.next;
	evbus__ring_remove(timer);
	timer->topic = order->topic;
	timer->due = order->due;
	timer->period = order->period;
	timer->order = timers->order++;
	timer->cause = publisher->cause;
	timer->size = (uint32_t)order->size;
	timer->generation = (timer->generation + 1) & 0x7fffffffu;
	timer->cancelled = 0;
	if (order->size > 0)
		memcpy(evbus__timer_bytes(timers, timer), order->data,
		    order->size);
	timers->stats.armed++;
	evbus__heap_insert(timers, timer);
	return (int64_t)((uint64_t)timer->generation << 32 |
	    (uint64_t)(timer - timers->timer + 1));
}

static int64_t
arm_checked(struct evbus__timers *timers, const struct order *order,
    struct evbus_publisher *publisher)
{
	int64_t id, before;
	int nearer;

	id = check_payload(timers, order);
	/* A payload that will not do is better told now than at its time. */
	if (id == 0)
		id = evbus__validate(order->topic, publisher, order->data,
		    order->size);
	if (id == 0)
		id = evbus__check_open(timers->context);
	if (id == 0)
		id = need_runner(timers);
	if (id != 0)
		return id;
	evbus__mutex_lock(&timers->lock);
	before = EVBUS_LOAD(&timers->due, RELAXED);
	id = insert(timers, order, publisher);
	nearer = EVBUS_LOAD(&timers->due, RELAXED) < before;
	evbus__mutex_unlock(&timers->lock);
	EVBUS__DELAY(timer_armed);
	if (nearer)
		timers->nudge(timers->context);
	return id;
}

/* `value` is a time, or from now if `relative`. */
static int64_t
arm(struct order *order, const char *what, int64_t value, int64_t least,
    int relative)
{
	struct evbus__context *context;
	struct evbus_publisher *publisher;
	int64_t now, result;

	result = evbus__publish_check(order->call, order->topic, order->data,
	    order->size, &publisher);
	if (result != 0)
		return result;
	context = evbus__stream_of(order->topic->stream)->context;
	result = check_time(order->call, what, value, least);
	if (result == 0) {
		order->due = value;
		if (relative) {
			now = evbus__now(context);
			now = now < 0 ? 0 : now;
			order->due = value > EVBUS__TIMER_NEVER - now ?
			    EVBUS__TIMER_NEVER : now + value;
		}
		result = arm_checked(context->timers, order, publisher);
	}
	evbus__call_leave(publisher);
	return result;
}

int64_t
evbus_publish_at(struct evbus_topic *topic, const void *data, size_t size,
    int64_t at_ns)
{
	struct order order = { "evbus_publish_at", topic, data, size, 0, 0 };

	return arm(&order, "at_ns", at_ns, 0, 0);
}

int64_t
evbus_publish_after(struct evbus_topic *topic, const void *data, size_t size,
    int64_t delay_ns)
{
	struct order order = { "evbus_publish_after", topic, data, size, 0,
	    0 };

	return arm(&order, "delay_ns", delay_ns, 0, 1);
}

int64_t
evbus_publish_every(struct evbus_topic *topic, const void *data, size_t size,
    int64_t period_ns)
{
	struct order order = { "evbus_publish_every", topic, data, size, 0,
	    period_ns };

	return arm(&order, "period_ns", period_ns, 1, 1);
}

/* ---- Cancel, look -------------------------------------------------------- */

/* The lock is held. */
static struct evbus__timer *
find(const struct evbus__timers *timers, int64_t id)
{
	uint64_t place = (uint64_t)id & 0xffffffffu;
	struct evbus__timer *timer;

	if (id <= 0 || place == 0 || place > timers->max ||
	    timers->timer == NULL)
		return NULL;
	timer = &timers->timer[place - 1];
	return timer->generation == (uint64_t)id >> 32 &&
	    timer->state != EVBUS__TIMER_FREE ? timer : NULL;
}

/* The lock is held. */
static int
cancel(struct evbus__timers *timers, struct evbus__timer *timer, int64_t id)
{
	if (timer == NULL)
		return evbus__fail(EVBUS_ENOENT, "timer %lld is over, or never "
		    "was", (long long)id);
	if (timer->state == EVBUS__TIMER_FIRING) {
		timer->cancelled = 1;			/* TIMER (cancel) */
		return evbus__fail(EVBUS_EBUSY, "timer %lld is just being "
		    "fired: this event may still come, none after it",
		    (long long)id);
	}
	if (timer->state == EVBUS__TIMER_HEAP) {
		evbus__heap_remove(timers, timer);
	} else {
		evbus__ring_remove(timer);
		EVBUS_STORE(&timers->waiting,
		    EVBUS_LOAD(&timers->waiting, RELAXED) - 1, RELAXED);
	}
	evbus__timer_free(timers, timer);
	timers->stats.cancelled++;
	return 0;
}

int
evbus_timer_cancel(struct evbus *bus, int64_t id)
{
	struct evbus__context *context = (struct evbus__context *)(void *)bus;
	struct evbus_publisher *self;
	int error;

	if (bus == NULL)
		return evbus__fail(EVBUS_EINVAL,
		    "evbus_timer_cancel: bus is NULL");
	error = evbus__check_alive(context);
	if (error != 0)
		return error;
	self = evbus__self(context);
	if (self == NULL)
		return evbus__failed();
	evbus__call_enter(context, self);
	evbus__mutex_lock(&context->timers->lock);
	error = cancel(context->timers, find(context->timers, id), id);
	evbus__mutex_unlock(&context->timers->lock);
	evbus__call_leave(self);
	return error;
}

int
evbus_timer_stats(struct evbus *bus, struct evbus_timer_stats *stats)
{
	struct evbus__context *context = (struct evbus__context *)(void *)bus;
	int error;

	if (bus == NULL || stats == NULL)
		return evbus__fail(EVBUS_EINVAL, "evbus_timer_stats: %s is "
		    "NULL", bus == NULL ? "bus" : "stats");
	error = evbus__check_fork(context);
	if (error != 0)
		return error;
	evbus__mutex_lock(&context->timers->lock);
	*stats = context->timers->stats;
	evbus__mutex_unlock(&context->timers->lock);
	return 0;
}

int64_t
evbus_clock_now(struct evbus *bus)
{
	struct evbus__context *context = (struct evbus__context *)(void *)bus;
	int error;

	if (bus == NULL)
		return evbus__fail(EVBUS_EINVAL,
		    "evbus_clock_now: bus is NULL");
	error = evbus__check_fork(context);
	return error != 0 ? error : evbus__now(context);
}

int
evbus_clock_changed(struct evbus *bus)
{
	struct evbus__context *context = (struct evbus__context *)(void *)bus;
	struct evbus_publisher *self;
	int error, started;

	if (bus == NULL)
		return evbus__fail(EVBUS_EINVAL,
		    "evbus_clock_changed: bus is NULL");
	error = evbus__check_alive(context);
	if (error != 0)
		return error;
	self = evbus__self(context);
	if (self == NULL)
		return evbus__failed();
	evbus__call_enter(context, self);
	evbus__mutex_lock(&context->timers->lock);
	started = context->timers->started != 0;
	evbus__mutex_unlock(&context->timers->lock);
	if (started)
		context->timers->nudge(context);
	evbus__call_leave(self);
	return 0;
}
