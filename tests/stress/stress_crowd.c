/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * stress_crowd.c - why: sixteen threads on one processor: whoever is needed is
 * just not running.  Who spins for him wastes the time in which he could.
 *
 * The mixed body, bound to one processor, three times: all threads alike; as
 * batch jobs; and with one more thread that gives one after the other another
 * policy and another niceness, so that the one needed is often the last to run.
 */
#include <sys/resource.h>

#include <dirent.h>
#include <sched.h>
#include <unistd.h>

#include "stress/body.h"

static const struct stress_mode mode = {
	.name = "crowd",
	.stream = { .capacity = 64, .max_payload = 1024, .pool_blocks = 24,
	    .max_references = 8, .timeout_ns = EVBUS_FOREVER },
	.producers = 8, .lossless = 4, .lossy = 2, .churners = 2, .mixed = 1
};

/* The first processor that this process may use. */
static int
bind_to_one(void)
{
	cpu_set_t may, one;
	size_t cpu;

	if (sched_getaffinity(0, sizeof may, &may) != 0)
		return -1;
	for (cpu = 0; cpu < CPU_SETSIZE && !CPU_ISSET(cpu, &may); cpu++)
		;
	CPU_ZERO(&one);
	CPU_SET(cpu, &one);
	return sched_setaffinity(0, sizeof one, &one);
}

static int
set_policy(pid_t thread, int policy)
{
	struct sched_param none = { 0 };

	return sched_setscheduler(thread, policy, &none);
}

/* Another policy and niceness for each thread but the first. */
static void
shuffle_once(uint64_t *seed)
{
	static const int policy[] = { SCHED_OTHER, SCHED_BATCH, SCHED_IDLE };
	DIR *tasks = opendir("/proc/self/task");
	struct dirent *entry;
	pid_t thread;

	while (tasks != NULL && (entry = readdir(tasks)) != NULL) {
		thread = (pid_t)strtol(entry->d_name, NULL, 10);
		if (thread == 0 || thread == getpid())
			continue;
		(void)set_policy(thread, policy[event_random(seed) % 3]);
		(void)setpriority(PRIO_PROCESS, (id_t)thread,
		    (int)(event_random(seed) % 8));
		(void)sched_yield();
	}
	if (tasks != NULL)
		(void)closedir(tasks);
}

static unsigned shuffling;		/* atomic */

static void *
shuffle(void *arg)
{
	uint64_t *seed = arg;

	while (__atomic_load_n(&shuffling, __ATOMIC_RELAXED))
		shuffle_once(seed);
	return NULL;
}

static int
run_shuffled(void)
{
	uint64_t seed = event_seed();
	pthread_t thread;
	int failed;

	shuffling = 1;
	thread = event_thread(shuffle, &seed);
	failed = stress_main(&mode);
	__atomic_store_n(&shuffling, 0, __ATOMIC_RELAXED);
	event_join(thread);
	return failed;
}

int
main(void)
{
	int failed;

	if (bind_to_one() != 0) {
		(void)printf("no affinity here\n");
		return 77;
	}
	failed = stress_main(&mode);
	if (set_policy(0, SCHED_BATCH) != 0)
		(void)printf("no SCHED_BATCH here\n");
	failed += stress_main(&mode);
	failed += run_shuffled();
	return failed != 0;
}
