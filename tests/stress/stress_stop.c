/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * stress_stop.c - why: a debugger, a batch system or a laptop's lid stops the
 * whole process in the middle of anything, and later it goes on.
 *
 * The mixed body runs in a child, closed while all of it runs; the parent stops
 * it and lets it go on, over and over, at moments that the scheduler chooses.
 */
#include <sys/wait.h>

#include <sched.h>
#include <signal.h>
#include <unistd.h>

#include "stress/body.h"

static const struct stress_mode mode = {
	.name = "stop",
	.stream = { .capacity = 64, .max_payload = 1024, .pool_blocks = 24,
	    .max_references = 8, .timeout_ns = EVBUS_FOREVER },
	.producers = 3, .lossless = 2, .lossy = 1, .churners = 1, .mixed = 1,
	.close_in_flow = 1
};

/* 1: it stands, or goes, as it was told to; 0: it has ended, see *status. */
static int
told(pid_t child, int number, int *status)
{
	int options = number == SIGSTOP ? WUNTRACED : WCONTINUED;

	(void)kill(child, number);
	for (;;) {
		if (waitpid(child, status, options) != child) {
			*status = -1;
			return 0;
		}
		if (WIFEXITED(*status) || WIFSIGNALED(*status))
			return 0;
		if (number == SIGSTOP ? WIFSTOPPED(*status) :
		    WIFCONTINUED(*status))
			return 1;
	}
}

int
main(void)
{
	uint64_t seed = event_seed(), i;
	int status = -1;
	unsigned stops = 0;
	pid_t child;

	(void)fflush(stdout);
	child = fork();
	if (child == 0)
		exit(stress_main(&mode));
	if (child < 0)
		return 1;
	while (told(child, SIGSTOP, &status)) {
		stops++;
		for (i = event_random(&seed) % 64; i > 0; i--)
			(void)sched_yield();
		if (!told(child, SIGCONT, &status))
			break;
		for (i = event_random(&seed) % 1024; i > 0; i--)
			(void)sched_yield();
	}
	(void)printf("stopped %u times\n", stops);
	if (!WIFEXITED(status) || WEXITSTATUS(status) != 0 || stops == 0) {
		(void)printf("0 passed, 1 failed\n");
		return 1;
	}
	return 0;
}
