/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * explore_report.c - schedules as text, and what is printed about a failure.
 */
#include <sys/types.h>
#include <sys/wait.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "explore_core.h"

#define TRACE_STEPS	400	/* of a failure, the last ones */

/* What the other process is told. */
struct failure {
	uint32_t nchoices;	/* they follow */
	uint32_t steps;
	int bound;
	int stale_bound;
	char message[sizeof ex.message];
};

/* "0*12.1.0*3.2": the choices with repetitions; zeros at the end left out. */
static void
write_schedule(char *to, size_t size)
{
	uint32_t i, n, run;
	size_t used = 0;

	for (n = ex.nchoices; n > 0 && ex.choice[n - 1].taken == 0; n--)
		;
	to[0] = '\0';
	for (i = 0; i < n; i += run) {
		for (run = 1; i + run < n && ex.choice[i + run].taken ==
		    ex.choice[i].taken; run++)
			;
		used += (size_t)snprintf(to + used, size - used,
		    run > 1 ? "%s%u*%u" : "%s%u", i > 0 ? "." : "",
		    ex.choice[i].taken, run);
		if (used + 32 > size) {
			snprintf(to, size, "too-long");
			return;
		}
	}
	if (n == 0)
		snprintf(to, size, "0");
}

int
explore__read_schedule(const char *s)
{
	unsigned long taken, times;
	char *end;

	for (ex.follow = 0; *s != '\0'; s = end) {
		taken = strtoul(s, &end, 10);
		times = 1;
		if (end == s)
			return -1;
		if (*end == '*')
			times = strtoul(end + 1, &end, 10);
		if (*end == '.')
			end++;
		for (; times > 0 && ex.follow < CHOICES_MAX; times--) {
			ex.choice[ex.follow].taken = (uint16_t)taken;
			ex.choice[ex.follow++].of = 0;	/* any */
		}
	}
	return 0;
}

static void
write_command(struct explore_result *r)
{
	const struct explore_options *o = &ex.options;
	char *to = r->command;
	size_t size = sizeof r->command, used;

	used = (size_t)snprintf(to, size, "explore -t %s -m %s%s%s%s",
	    ex.test->name, explore_model_names[o->model],
	    o->membarrier ? "" : " -f", o->timeouts ? " -d" : "",
	    o->spurious ? " -u" : "");
	if (o->strategy == EXPLORE_RANDOM && o->schedule == NULL)
		snprintf(to + used, size - used, " -r %llu",
		    (unsigned long long)r->seed);
	else if (o->strategy != EXPLORE_DFS)
		snprintf(to + used, size - used, " -s %s -p %s",
		    explore_strategy_names[o->strategy], r->schedule);
	else
		snprintf(to + used, size - used, " -s dfs -b %d -w %d -p %s",
		    r->bound, r->stale_bound, r->schedule);
}

/* All of it, or 0. */
static int
read_all(int fd, void *p, size_t size)
{
	size_t got = 0;
	ssize_t n;

	while (got < size && (n = read(fd, (char *)p + got, size - got)) > 0)
		got += (size_t)n;
	return got == size;
}

static void
write_all(int fd, const void *p, size_t size)
{
	size_t put = 0;
	ssize_t n;

	while (put < size &&
	    (n = write(fd, (const char *)p + put, size - put)) > 0)
		put += (size_t)n;
}

/* In the other process: 1 if the same choices fail in the same way. */
static int
again(const struct failure *failure)
{
	ex.tracing = !ex.options.quiet;
	ex.trace_from = ex.options.trace || failure->steps < TRACE_STEPS ? 0 :
	    failure->steps - TRACE_STEPS;
	ex.follow = failure->nchoices;
	ex.bound = failure->bound;
	ex.stale_bound = failure->stale_bound;
	ex.replaying = 1;
	explore__run_one();
	return ex.failed && strcmp(ex.message, failure->message) == 0;
}

/*
 * A failing execution leaves the library's static variables as they are in the
 * middle of a call, a mutex locked perhaps.  So the process that will follow
 * its choices once more, with a trace, branches off before the first one.
 */
void
explore__report_prepare(struct explore_replayer *replayer)
{
	struct failure failure;
	int fd[2], same;

	fflush(NULL);
	if (pipe(fd) != 0 || (replayer->child = fork()) < 0) {
		perror("explore");
		exit(2);
	}
	replayer->fd = fd[1];
	if (replayer->child != 0) {
		close(fd[0]);
		return;
	}
	close(fd[1]);
	explore__catch_signals();
	if (!read_all(fd[0], &failure, sizeof failure) || !read_all(fd[0],
	    ex.choice, failure.nchoices * sizeof ex.choice[0]))
		_exit(0);
	same = again(&failure);
	fflush(NULL);
	_exit(same ? 0 : 1);
}

/* Tell about the failure, if there is one, and end the other process. */
void
explore__report(struct explore_replayer *replayer, struct explore_result *r)
{
	struct failure failure;
	int status = 0;

	if (ex.failed) {
		write_schedule(r->schedule, sizeof r->schedule);
		snprintf(r->message, sizeof r->message, "%s", ex.message);
		write_command(r);
		failure.nchoices = ex.nchoices;
		failure.steps = ex.steps;
		failure.bound = r->bound;
		failure.stale_bound = r->stale_bound;
		memcpy(failure.message, ex.message, sizeof failure.message);
		if (!ex.options.quiet)
			printf("FAILED %s: %s\n  execution %llu, %u steps; "
			    "what must hold: %s\n", ex.test->name,
			    r->message, (unsigned long long)r->executions,
			    ex.steps, ex.test->promise);
		fflush(NULL);
		write_all(replayer->fd, &failure, sizeof failure);
		write_all(replayer->fd, ex.choice,
		    ex.nchoices * sizeof ex.choice[0]);
	}
	close(replayer->fd);
	while (waitpid(replayer->child, &status, 0) < 0 && errno == EINTR)
		;
	if (!ex.failed)
		return;
	r->reproduced = WIFEXITED(status) && WEXITSTATUS(status) == 0;
	if (!ex.options.quiet)
		printf("  replay: %s\n%s", r->command, r->reproduced ? "" :
		    "  NOT REPRODUCED: the scenario is not deterministic\n");
}
