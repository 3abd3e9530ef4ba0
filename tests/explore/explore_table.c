/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * explore_table.c - the driver's table: a line for each search.
 *
 * Each line is a process of its own, so that what one leaves behind in the
 * library's static variables cannot reach the next; as many run at a time as
 * there are processors, and the table keeps its order.
 *
 * Scenarios of two threads are searched with up to three preemptions and any
 * number of loads of old values, in all models, to the end.  If one is not
 * exhausted within its number of executions, the whole has failed, unless the
 * scenario says itself that it is too large (flag L), which is told, or the
 * caller gave that number (-n).
 * Those of three threads, and the lines with a flag, go as far as their number
 * goes.  The limit in seconds is only there to come to an end on a slow machine:
 * a line that it stops says "late", and is told at the end, but is no failure.
 *
 * A line says how far it came.  b3: the depth-first search has seen all with
 * three preemptions and, but for "all", with as many loads of old values as -w
 * allows; "of b3": time or executions ran out at that bound; cut: executions
 * that came to where another had been, not counted among the rest.  d3 1/n:
 * PCT, and what an execution's chance was, at least, to show a bug of that
 * depth.
 */
#include <sys/types.h>
#include <sys/wait.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "explore_cli.h"

#define WHOLE_EXECUTIONS	2000000	/* of two threads; begun */
#define LARGE_EXECUTIONS	150000	/* of those with flag L */
#define DFS_EXECUTIONS		10000
#define SLEEP_EXECUTIONS	10000
#define RANDOM_EXECUTIONS	14000
#define SECONDS_MAX		300
#define WHOLE_BOUND		3
#define LINES			18	/* of a scenario, at most */

/* A line of the table, while its process runs. */
struct job {
	const struct explore_test *test;
	struct explore_options options;
	int whole;		/* has to be exhausted */
	int large;		/* but it is known that it is too large */
	FILE *output;		/* what the process prints */
	int fd;			/* its result comes here */
	pid_t child;
};

static void
write_all(int fd, const void *p, size_t size)
{
	size_t put = 0;
	ssize_t n;

	for (; put < size; put += (size_t)n) {
		n = write(fd, (const char *)p + put, size - put);
		if (n <= 0)
			_exit(2);
	}
}

static void
job_start(struct job *job)
{
	static struct explore_result r;
	int fd[2];

	fflush(NULL);
	job->output = tmpfile();
	if (job->output == NULL || pipe(fd) != 0 || (job->child = fork()) < 0) {
		perror("explore");
		exit(2);
	}
	job->fd = fd[0];
	if (job->child != 0) {
		close(fd[1]);
		return;
	}
	close(fd[0]);
	dup2(fileno(job->output), STDOUT_FILENO);
	explore_run(job->test, &job->options, &r);
	fflush(NULL);
	write_all(fd[1], &r, sizeof r);
	_exit(0);
}

/* A crash of the explorer itself is a failure like any other. */
static void
job_end(struct job *job, struct explore_result *r)
{
	char text[4096];
	size_t got = 0;
	ssize_t n;

	memset(r, 0, sizeof *r);
	while (got < sizeof *r && (n = read(job->fd, (char *)r + got,
	    sizeof *r - got)) > 0)
		got += (size_t)n;
	close(job->fd);
	waitpid(job->child, NULL, 0);
	if (got < sizeof *r)
		r->failed = 1;
	rewind(job->output);
	while ((got = fread(text, 1, sizeof text, job->output)) > 0)
		(void)fwrite(text, 1, got, stdout);
	fclose(job->output);
}

/* Was it the time that stopped it? */
static int
is_late(const struct explore_options *o, const struct explore_result *r)
{
	return !r->exhausted && !r->failed &&
	    r->executions + r->pruned < o->executions_max;
}

static const char *
extent(const struct explore_options *o, const struct explore_result *r,
    int threads)
{
	static char text[48];
	double chance = threads;
	int i;

	text[0] = '\0';
	if (r->failed)
		return text;
	if (o->strategy == EXPLORE_PCT) {
		for (i = 1; i < o->depth; i++)
			chance *= r->steps_most;
		snprintf(text, sizeof text, "d%d 1/%.2g", o->depth, chance);
	} else if (o->strategy == EXPLORE_SLEEP) {
		snprintf(text, sizeof text, "%s, %llu pruned", r->exhausted ?
		    "EXHAUSTED, all" : "stopped",
		    (unsigned long long)r->pruned);
	} else if (o->strategy == EXPLORE_DFS) {
		snprintf(text, sizeof text, "%s b%d%s, %llu cut", r->exhausted ?
		    "EXHAUSTED" : is_late(o, r) ? "late of" : "stopped of",
		    r->bound, r->complete ? ", all" : "",
		    (unsigned long long)r->pruned);
	}
	return text;
}

static void
print_row(struct job *job, struct totals *totals)
{
	const struct explore_options *o = &job->options;
	static struct explore_result r;
	char model[16];

	job_end(job, &r);
	snprintf(model, sizeof model, "%s%s%s%s%s",
	    explore_model_names[o->model],
	    o->membarrier && !o->timeouts && !o->spurious ? "" : " -",
	    o->membarrier ? "" : "f", o->timeouts ? "d" : "",
	    o->spurious ? "u" : "");
	printf("%-25s %-46s %-6s %-6s %9llu %6.2fs %-28s %s\n",
	    job->test->name, job->test->promise, model,
	    explore_strategy_names[o->strategy],
	    (unsigned long long)r.executions, r.seconds,
	    extent(o, &r, job->test->nthreads), r.failed ? "FAILED" : "ok");
	fflush(stdout);
	totals->executions[o->model] += r.executions;
	totals->rows++;
	totals->failed += r.failed;
	totals->searched += o->strategy == EXPLORE_DFS;
	totals->exhausted += o->strategy == EXPLORE_DFS && r.exhausted;
	if (job->whole) {
		totals->pairs[o->model]++;
		totals->whole[o->model] += r.exhausted;
		totals->large[o->model] += job->large && !r.exhausted;
		totals->late[o->model] += !job->large && is_late(o, &r);
	}
}

#define ALWAYS	1
#define ASKED	0	/* only if its model or strategy is asked for */

/* Line k of a scenario's: 1, or 0: there is none. */
static int
line_options(const struct explore_test *t, const struct settings *s, int k,
    struct job *job)
{
	struct explore_options *o = &job->options;

	static const struct {
		enum explore_model model;
		enum explore_strategy strategy;
		char flag;	/* of the driver, and of the scenario */
		int depth, when;
	} lines[LINES] = {
		{ EXPLORE_SC, EXPLORE_DFS, 0, 0, ALWAYS },
		{ EXPLORE_SC, EXPLORE_SLEEP, 0, 0, ALWAYS },
		{ EXPLORE_TSO, EXPLORE_DFS, 0, 0, ALWAYS },
		{ EXPLORE_TSO, EXPLORE_DFS, 'f', 0, ALWAYS },
		{ EXPLORE_PSO, EXPLORE_DFS, 0, 0, ALWAYS },
		{ EXPLORE_PSO, EXPLORE_DFS, 'f', 0, ALWAYS },
		{ EXPLORE_C11, EXPLORE_DFS, 0, 0, ALWAYS },
		{ EXPLORE_C11, EXPLORE_DFS, 'f', 0, ALWAYS },
		{ EXPLORE_C11, EXPLORE_DFS, 'u', 0, ALWAYS },
		{ EXPLORE_C11, EXPLORE_RANDOM, 0, 0, ALWAYS },
		{ EXPLORE_C11, EXPLORE_PCT, 0, 3, ALWAYS },
		{ EXPLORE_C11, EXPLORE_PCT, 0, 4, ALWAYS },
		{ EXPLORE_SC, EXPLORE_RANDOM, 0, 0, ASKED },
		{ EXPLORE_TSO, EXPLORE_RANDOM, 0, 0, ASKED },
		{ EXPLORE_PSO, EXPLORE_RANDOM, 0, 0, ASKED },
		{ EXPLORE_SC, EXPLORE_PCT, 0, 3, ASKED },
		{ EXPLORE_TSO, EXPLORE_PCT, 0, 3, ASKED },
		{ EXPLORE_PSO, EXPLORE_PCT, 0, 3, ASKED },
	};
	static const uint64_t executions[EXPLORE_STRATEGIES] = {
	    RANDOM_EXECUTIONS, DFS_EXECUTIONS, RANDOM_EXECUTIONS,
	    SLEEP_EXECUTIONS };
	const int asked = s->model_set || s->strategy_set;

	job->test = t;
	job->whole = job->large = 0;
	*o = s->options;
	if (s->replay)
		return k == 0;
	if ((s->model_set && lines[k].model != o->model) ||
	    (s->strategy_set && lines[k].strategy != o->strategy) ||
	    (lines[k].when == ASKED && !asked) ||
	    (lines[k].depth == 4 && s->depth_set))
		return 0;
	/* With a flag: scenarios that ask for it, if the user does not. */
	if (lines[k].flag != 0 && (t->flags == NULL || s->flag_set ||
	    s->strategy_set || strchr(t->flags, lines[k].flag) == NULL))
		return 0;
	o->model = lines[k].model;
	o->strategy = lines[k].strategy;
	if (lines[k].flag == 'f')
		o->membarrier = 0;
	if (lines[k].flag == 'u')
		o->spurious = 1;
	if (!s->depth_set && lines[k].depth != 0)
		o->depth = lines[k].depth;
	if (!s->executions_set)
		o->executions_max = executions[o->strategy] *
		    (unsigned)s->times;
	if (!s->seconds_set)
		o->seconds_max = SECONDS_MAX;
	job->whole = t->nthreads == 2 && lines[k].strategy == EXPLORE_DFS &&
	    lines[k].flag == 0 && !s->flag_set && !s->bound_set;
	if (job->whole) {
		o->preemption_bound = WHOLE_BOUND;
		if (!s->stale_set)
			o->stale_bound = -1;
		job->large = t->flags != NULL && strchr(t->flags, 'L') != NULL;
		if (!s->executions_set)
			o->executions_max = job->large && s->times == 1 ?
			    LARGE_EXECUTIONS : WHOLE_EXECUTIONS;
	}
	return 1;
}

/* All lines of all chosen scenarios. */
void
explore__run_table(const struct settings *s, struct totals *totals)
{
	static struct job jobs[EXPLORE_JOBS_MAX];
	const struct explore_test *const *t;
	unsigned begun = 0, ended = 0, most = (unsigned)s->jobs;
	struct job next;
	int k;

	memset(&next, 0, sizeof next);
	totals->limited = s->executions_set;
	for (t = explore_tests; *t != NULL; t++) {
		if (s->test != NULL && strcmp(s->test, (*t)->name) != 0)
			continue;
		for (k = 0; k < LINES; k++) {
			if (!line_options(*t, s, k, &next))
				continue;
			if (begun - ended == most)
				print_row(&jobs[ended++ % most], totals);
			jobs[begun % most] = next;
			job_start(&jobs[begun++ % most]);
		}
	}
	while (ended < begun)
		print_row(&jobs[ended++ % most], totals);
}

/* The answer of the program: 0 if all is well. */
int
explore__print_totals(const struct totals *t)
{
	uint64_t all = 0;
	int i, open = 0, late = 0;

	printf("%d passed, %d failed; ", t->rows - t->failed, t->failed);
	for (i = 0; i < EXPLORE_MODELS; i++) {
		printf("%s%s %llu", i == 0 ? "executions: " : ", ",
		    explore_model_names[i],
		    (unsigned long long)t->executions[i]);
		all += t->executions[i];
	}
	printf(", in all %llu; %d of %d depth-first searches exhausted\n",
	    (unsigned long long)all, t->exhausted, t->searched);
	for (i = 0; i < EXPLORE_MODELS; i++) {
		if (t->pairs[i] == 0)
			continue;
		printf("scenarios of two threads in %s: %d, exhausted at %d "
		    "preemptions: %d", explore_model_names[i], t->pairs[i],
		    WHOLE_BOUND, t->whole[i]);
		if (t->large[i] > 0)
			printf(", too large: %d", t->large[i]);
		if (t->late[i] > 0)
			printf(", out of time: %d", t->late[i]);
		putchar('\n');
		open += t->pairs[i] - t->whole[i] - t->large[i] - t->late[i];
		late += t->late[i];
	}
	if (late > 0)
		printf("NOT SHOWN: this machine was too slow for %d searches; "
		    "nothing has failed in them\n", late);
	/* What the caller limits need not be exhausted. */
	return t->failed != 0 || (open != 0 && !t->limited);
}
