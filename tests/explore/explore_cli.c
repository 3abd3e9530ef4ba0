/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * explore_cli.c - the driver: options, the table of results, replays.
 *
 * Without options each scenario runs under both memory models with both
 * strategies.  Each line of the table is a process of its own, so that what
 * one leaves behind in the library's static variables cannot reach the next.
 */
#include <sys/types.h>
#include <sys/wait.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "explore.h"

#define RANDOM_EXECUTIONS	20000
#define DFS_EXECUTIONS		1000000
#define ROW_SECONDS		10.0

struct settings {
	struct explore_options options;
	const char *test;
	int model_set, strategy_set, executions_set, replay, list;
};

static void
usage(void)
{
	fprintf(stderr,
	    "usage: explore [-l] [-t test] [-m sc|c11] [-s random|dfs]\n"
	    "    [-n executions] [-T seconds] [-b preemptions] [-w old loads]\n"
	    "    [-f] [-d] [-u] [-v] [-S first seed] [-r seed] [-p schedule]\n"
	    "  -l  list the scenarios\n"
	    "  -w  bound of loads of an old value, -1 for none (dfs)\n"
	    "  -f  no process-wide barrier: full fences at both ends\n"
	    "  -d  a timed wait may time out at any moment\n"
	    "  -u  a futex wait may return for no reason\n"
	    "  -v  trace each step\n"
	    "  -r  replay the execution of one seed\n"
	    "  -p  replay a schedule\n");
	exit(2);
}

static int
either(const char *arg, const char *zero, const char *one)
{
	if (strcmp(arg, zero) == 0)
		return 0;
	if (strcmp(arg, one) != 0)
		usage();
	return 1;
}

static void
parse(int argc, char **argv, struct settings *s)
{
	struct explore_options *o = &s->options;
	int c;

	memset(s, 0, sizeof *s);
	explore_options_init(o);
	o->seconds_max = ROW_SECONDS;
	while ((c = getopt(argc, argv, "t:m:s:n:b:w:T:S:r:p:fduvl")) != -1) {
		switch (c) {
		case 't':
			s->test = optarg;
			break;
		case 'm':
			o->model = either(optarg, "sc", "c11") ? EXPLORE_C11 :
			    EXPLORE_SC;
			s->model_set = 1;
			break;
		case 's':
			o->strategy = either(optarg, "random", "dfs") ?
			    EXPLORE_DFS : EXPLORE_RANDOM;
			s->strategy_set = 1;
			break;
		case 'n':
			o->executions_max = strtoull(optarg, NULL, 10);
			s->executions_set = 1;
			break;
		case 'b':
			o->preemption_bound = atoi(optarg);
			break;
		case 'w':
			o->stale_bound = atoi(optarg);
			break;
		case 'T':
			o->seconds_max = atof(optarg);
			break;
		case 'r':
			o->executions_max = 1;
			o->strategy = EXPLORE_RANDOM;
			s->strategy_set = s->executions_set = s->replay = 1;
			/* FALLTHROUGH */
		case 'S':
			o->seed = strtoull(optarg, NULL, 10);
			break;
		case 'p':
			o->schedule = optarg;
			s->strategy_set = s->replay = 1;
			break;
		case 'f':
			o->membarrier = 0;
			break;
		case 'd':
			o->timeouts = 1;
			break;
		case 'u':
			o->spurious = 1;
			break;
		case 'v':
			o->trace = 1;
			break;
		case 'l':
			s->list = 1;
			break;
		default:
			usage();
		}
	}
	if (optind != argc || (s->replay && s->test == NULL))
		usage();
	if (s->replay)
		s->model_set = 1;
}

/* In a child; a crash of the explorer itself is a failure like any other. */
static void
run_apart(const struct explore_test *t, const struct explore_options *o,
    struct explore_result *r)
{
	size_t got = 0;
	ssize_t n;
	pid_t child;
	int fd[2];

	memset(r, 0, sizeof *r);
	r->failed = 1;
	fflush(NULL);
	if (pipe(fd) != 0 || (child = fork()) < 0) {
		perror("explore");
		exit(2);
	}
	if (child == 0) {
		close(fd[0]);
		explore_run(t, o, r);
		fflush(NULL);
		for (; got < sizeof *r; got += (size_t)n) {
			n = write(fd[1], (char *)r + got, sizeof *r - got);
			if (n <= 0)
				_exit(2);
		}
		_exit(0);
	}
	close(fd[1]);
	while (got < sizeof *r && (n = read(fd[0], (char *)r + got,
	    sizeof *r - got)) > 0)
		got += (size_t)n;
	close(fd[0]);
	waitpid(child, NULL, 0);
	if (got < sizeof *r)
		r->failed = 1;
}

static const char *
extent(const struct explore_options *o, const struct explore_result *r)
{
	static char text[32];

	if (o->strategy == EXPLORE_RANDOM || r->failed)
		return "";
	if (r->exhausted)
		return r->complete ? "EXHAUSTED, all" : "EXHAUSTED";
	snprintf(text, sizeof text, "stopped at b%d", r->bound);
	return text;
}

static int
row(const struct explore_test *t, const struct settings *s,
    enum explore_model model, enum explore_strategy strategy)
{
	struct explore_options o = s->options;
	static struct explore_result r;

	o.model = model;
	o.strategy = strategy;
	if (!s->executions_set)
		o.executions_max = strategy == EXPLORE_RANDOM ?
		    RANDOM_EXECUTIONS : DFS_EXECUTIONS;
	run_apart(t, &o, &r);
	printf("%-24s %-36s %-3s %-6s %9llu %6.2fs %-15s %s\n", t->name,
	    t->promise, model == EXPLORE_SC ? "sc" : "c11",
	    strategy == EXPLORE_DFS ? "dfs" : "random",
	    (unsigned long long)r.executions, r.seconds, extent(&o, &r),
	    r.failed ? "FAILED" : "ok");
	return r.failed;
}

/* The rows of one scenario; returns how many failed. */
static int
rows(const struct explore_test *t, const struct settings *s, int *passed)
{
	static const enum explore_model models[] = { EXPLORE_SC,
	    EXPLORE_C11 };
	static const enum explore_strategy strategies[] = { EXPLORE_DFS,
	    EXPLORE_RANDOM };
	int failed = 0, i, j;

	for (i = 0; i < 2; i++) {
		if (s->model_set && models[i] != s->options.model)
			continue;
		for (j = 0; j < 2; j++) {
			if (s->strategy_set &&
			    strategies[j] != s->options.strategy)
				continue;
			if (row(t, s, models[i], strategies[j]))
				failed++;
			else
				++*passed;
		}
	}
	return failed;
}

int
explore_main(int argc, char **argv)
{
	const struct explore_test *const *t;
	struct settings s;
	int failed = 0, found = 0, passed = 0;

	parse(argc, argv, &s);
	for (t = explore_tests; *t != NULL; t++) {
		if (s.test != NULL && strcmp(s.test, (*t)->name) != 0)
			continue;
		found = 1;
		if (s.list)
			printf("%-24s %s\n", (*t)->name, (*t)->promise);
		else
			failed += rows(*t, &s, &passed);
	}
	if (!found) {
		fprintf(stderr, "explore: no scenario %s\n",
		    s.test != NULL ? s.test : "at all");
		return 2;
	}
	if (!s.list)
		printf("%d passed, %d failed\n", passed, failed);
	return failed != 0;
}
