/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * worker_open.c - layer 6: how a worker runs: its processors, its batch, its
 * wait; and its end while the bus goes on.
 */
#include <string.h>

#include "run/worker.h"

_Static_assert(EVBUS_CPUS_MAX == EVBUS__CPUS_MAX, "one limit");

static int
check_name(const char *call, const struct evbus *bus, const char *name)
{
	size_t length;

	if (bus == NULL || name == NULL)
		return evbus__fail(EVBUS_EINVAL, "%s: %s is NULL", call,
		    bus == NULL ? "bus" : "name");
	length = strlen(name);
	if (length == 0 || length >= EVBUS_NAME_MAX)
		return evbus__fail(EVBUS_EINVAL, "the worker's name has %zu "
		    "bytes; it must have 1 to %d", length, EVBUS_NAME_MAX - 1);
	return 0;
}

static int
check_cpus(const struct evbus_worker_options *options)
{
	uint32_t i;

	if ((options->cpus == NULL) != (options->cpu_count == 0))
		return evbus__fail(EVBUS_EINVAL, "cpus and cpu_count: one is "
		    "0, and the other is not");
	for (i = 0; i < options->cpu_count; i++)
		if (options->cpus[i] >= EVBUS_CPUS_MAX)
			return evbus__fail(EVBUS_EINVAL, "cpus has processor "
			    "%u; their numbers must be below %d",
			    options->cpus[i], EVBUS_CPUS_MAX);
	return 0;
}

static int
check_options(const struct evbus_worker_options *options)
{
	if (options->batch > INT32_MAX)
		return evbus__fail(EVBUS_EINVAL, "batch is %u; the limit is "
		    "%d", options->batch, INT32_MAX);
	if ((unsigned)options->wait > EVBUS_WORKER_PARK)
		return evbus__fail(EVBUS_EINVAL, "wait is %d; it must be "
		    "EVBUS_WORKER_SPIN_PARK, _SPIN or _PARK",
		    (int)options->wait);
	if (options->spin_ns < 0)
		return evbus__fail(EVBUS_EINVAL, "spin_ns is %lld; it must be "
		    "0 or a number of nanoseconds",
		    (long long)options->spin_ns);
	if (options->spin_ns != 0 && options->wait != EVBUS_WORKER_SPIN_PARK)
		return evbus__fail(EVBUS_EINVAL, "spin_ns is %lld; it is for "
		    "EVBUS_WORKER_SPIN_PARK only",
		    (long long)options->spin_ns);
	return check_cpus(options);
}

static int
has(const struct evbus__cpus *cpus, uint32_t cpu)
{
	return (int)(cpus->bits[cpu / EVBUS__CPUS_WORD] >>
	    cpu % EVBUS__CPUS_WORD & 1);
}

static void
add(struct evbus__cpus *cpus, uint32_t cpu)
{
	cpus->bits[cpu / EVBUS__CPUS_WORD] |= 1ul << cpu % EVBUS__CPUS_WORD;
}

/* Other workers that were spread to a processor. */
static unsigned
spread_to(const struct evbus__worker *worker, uint32_t cpu)
{
	const struct evbus *bus = worker->bus;
	unsigned n = 0;
	uint32_t i;

	for (i = 0; i < bus->workers; i++)
		n += bus->worker[i] != NULL && bus->worker[i] != worker &&
		    bus->worker[i]->cpu == cpu;
	return n;
}

/* Of the set, the processor with the fewest workers, the first of these. */
static uint32_t
choose(const struct evbus__worker *worker, const struct evbus__cpus *cpus)
{
	uint32_t cpu, best = EVBUS__NO_CPU;

	for (cpu = 0; cpu < EVBUS_CPUS_MAX; cpu++)
		if (has(cpus, cpu) && (best == EVBUS__NO_CPU ||
		    spread_to(worker, cpu) < spread_to(worker, best)))
			best = cpu;
	return best;
}

/* The lock is held. */
static int
pin(struct evbus__worker *worker, const struct evbus_worker_options *options)
{
	struct evbus__cpus cpus = { { 0 } };
	uint32_t cpu = EVBUS__NO_CPU, i;
	int error = 0;

	if (options->cpus == NULL && !options->spread)
		return 0;
	if (options->cpus == NULL)
		error = evbus__os_cpus(&cpus);
	else
		for (i = 0; i < options->cpu_count; i++)
			add(&cpus, options->cpus[i]);
	if (error == 0 && options->spread) {
		cpu = choose(worker, &cpus);
		memset(&cpus, 0, sizeof cpus);
		add(&cpus, cpu);
	}
	if (error == 0)
		error = evbus__os_thread_pin(&worker->thread, &cpus);
	if (error == 0)
		worker->cpu = cpu;
	return error;
}

static void
set(struct evbus__worker *worker, const struct evbus_worker_options *options)
{
	EVBUS_STORE(&worker->batch, options->batch == 0 ? EVBUS__BATCH :
	    options->batch, RELAXED);
	EVBUS_STORE(&worker->wait, (uint32_t)options->wait, RELAXED);
	EVBUS_STORE(&worker->spin_ns, options->spin_ns == 0 ?
	    EVBUS__SPIN_NS : options->spin_ns, RELAXED);
	/* One that sleeps is to wait in the new way. */
	evbus__park_nudge(worker->park);
}

/* *unwanted: a worker that was just started, and cannot be as is asked. */
static int
open_locked(struct evbus *bus, const char *name,
    const struct evbus_worker_options *options,
    struct evbus__worker **unwanted)
{
	struct evbus__worker *worker;
	int error = evbus__check_open(&bus->context), is_new;

	if (error != 0)
		return error;
	worker = evbus__worker_find(bus, name);
	if (worker != NULL && worker == bus->loop)
		return evbus__fail(EVBUS_EOWNER, "worker \"%s\" has no thread: "
		    "evbus_run_once() runs its readers", name);
	if (worker != NULL && worker->closing)
		return evbus__fail(EVBUS_EBUSY, "worker \"%s\" is being closed",
		    name);
	is_new = worker == NULL;
	if (is_new)
		error = evbus__worker_start(bus, name, &worker);
	if (error != 0)
		return error;
	error = pin(worker, options);
	if (error == 0)
		set(worker, options);
	else if (is_new) {
		worker->closing = 1;
		worker->joining = 1;
		*unwanted = worker;
	}
	return error;
}

/* It has no readers, so it ends soon. */
static void
end_at_once(struct evbus__worker *worker)
{
	evbus__worker_stop(worker);
	(void)evbus__worker_wait(worker, EVBUS_FOREVER);
	evbus__worker_forget(worker);
}

int
evbus__worker_open(struct evbus *bus, const char *name,
    const struct evbus_worker_options *options, size_t options_size,
    unsigned layout)
{
	static const struct evbus_worker_options defaults;
	struct evbus__worker *unwanted = NULL;
	struct evbus_publisher *self;
	int error = evbus__check_layout(layout);

	if (error == 0)
		error = evbus__check_options("struct evbus_worker_options",
		    options_size, sizeof *options);
	if (error == 0)
		error = check_name("evbus_worker_open", bus, name);
	if (options == NULL)
		options = &defaults;
	if (error == 0)
		error = check_options(options);
	if (error == 0)
		error = evbus__check_alive(&bus->context);
	if (error != 0)
		return error;
	self = evbus__self(&bus->context);
	if (self == NULL)
		return evbus__failed();
	evbus__call_enter(&bus->context, self);
	evbus__mutex_lock(&bus->context.lock);
	error = open_locked(bus, name, options, &unwanted);
	evbus__mutex_unlock(&bus->context.lock);
	if (unwanted != NULL)
		end_at_once(unwanted);
	evbus__call_leave(self);
	return error;
}

/* May it be ended, and by this thread?  Then it is the caller's to wait for. */
static int
begin_close(struct evbus *bus, const char *name,
    const struct evbus_publisher *self, struct evbus__worker **result)
{
	struct evbus__worker *worker = evbus__worker_find(bus, name);

	if (worker == NULL)
		return evbus__fail(EVBUS_ENOENT, "there is no worker \"%s\"",
		    name);
	if (worker == bus->loop)
		return evbus__fail(EVBUS_EOWNER, "worker \"%s\" has no thread: "
		    "it ends with the bus", name);
	if (worker->readers > 0)
		return evbus__fail(EVBUS_EBUSY, "worker \"%s\" runs %u readers: "
		    "close them first", name, worker->readers);
	if (worker == bus->timer_worker)
		return evbus__fail(EVBUS_EBUSY, "worker \"%s\" runs the bus's "
		    "timers: it ends with the bus", name);
	if (worker->self == self)
		return evbus__fail(EVBUS_EDEADLK, "worker \"%s\" would wait for "
		    "its own end", name);
	if (worker->joining)
		return evbus__fail(EVBUS_EBUSY, "another thread is closing "
		    "worker \"%s\"", name);
	worker->closing = 1;
	worker->joining = 1;
	*result = worker;
	return 0;
}

static int
finish_close(struct evbus__worker *worker, const char *name,
    const struct evbus_publisher *self, int64_t timeout_ns)
{
	struct evbus__context *context = &worker->bus->context;
	int wait = self->depth == 0;

	evbus__worker_stop(worker);
	EVBUS__DELAY(worker_close);
	if (evbus__worker_wait(worker, wait ? evbus__deadline(timeout_ns) :
	    0)) {
		evbus__worker_forget(worker);
		return 0;
	}
	evbus__mutex_lock(&context->lock);
	worker->joining = 0;
	evbus__mutex_unlock(&context->lock);
	return wait ? evbus__fail(EVBUS_ETIMEDOUT, "worker \"%s\" still runs "
	    "what its readers have left", name) : 0;
}

int
evbus_worker_close(struct evbus *bus, const char *name, int64_t timeout_ns)
{
	struct evbus__worker *worker = NULL;
	struct evbus_publisher *self;
	int error = check_name("evbus_worker_close", bus, name);

	if (error == 0)
		error = evbus__check_timeout(timeout_ns);
	if (error == 0)
		error = evbus__check_open(&bus->context);
	if (error != 0)
		return error;
	self = evbus__self(&bus->context);
	if (self == NULL)
		return evbus__failed();
	evbus__call_enter(&bus->context, self);
	evbus__mutex_lock(&bus->context.lock);
	error = begin_close(bus, name, self, &worker);
	evbus__mutex_unlock(&bus->context.lock);
	if (error == 0)
		error = finish_close(worker, name, self, timeout_ns);
	/* The last touch: evbus_free() may follow. */
	evbus__call_leave(self);
	return error;
}
