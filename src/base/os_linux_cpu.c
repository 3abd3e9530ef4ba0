/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * os_linux_cpu.c - layer 0: which processors a thread runs on (os.h).
 *
 * The kernel takes a set of which it allows a part, and leaves out the others
 * without a word; so the set is read back.
 */
#include <pthread.h>
#include <sched.h>
#include <string.h>

#include "base/context.h"
#include "base/os.h"

_Static_assert(sizeof(struct evbus__cpus) == sizeof(cpu_set_t),
    "a set is the system's");

static int
get(pthread_t thread, struct evbus__cpus *cpus)
{
	return pthread_getaffinity_np(thread, sizeof *cpus,
	    (cpu_set_t *)(void *)cpus);
}

static int
set(pthread_t thread, const struct evbus__cpus *cpus)
{
	return pthread_setaffinity_np(thread, sizeof *cpus,
	    (const cpu_set_t *)(const void *)cpus);
}

int
evbus__os_cpus(struct evbus__cpus *cpus)
{
	int error = get(pthread_self(), cpus);

	return error == 0 ? 0 : evbus__fail(EVBUS_ESYSTEM, "the processors "
	    "cannot be told: pthread_getaffinity_np: %s", strerror(error));
}

int
evbus__os_thread_pin(struct evbus__os_thread *thread,
    const struct evbus__cpus *cpus)
{
	struct evbus__cpus before = *cpus, after = { { 0 } };
	int error;

	(void)get(thread->thread, &before);
	error = set(thread->thread, cpus);
	if (error != 0)
		return evbus__fail(EVBUS_ESYSTEM, "the system does not let a "
		    "worker run on these processors: %s", strerror(error));
	/* What cannot be read back is not known to be so. */
	(void)get(thread->thread, &after);
	if (memcmp(cpus, &after, sizeof after) == 0)
		return 0;
	(void)set(thread->thread, &before);
	return evbus__fail(EVBUS_ESYSTEM, "the system lets a worker run on a "
	    "part of these processors only");
}
