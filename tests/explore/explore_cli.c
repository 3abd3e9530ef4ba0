/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * explore_cli.c - the driver: options, the table of results, replays.
 *
 * Without options each scenario runs depth-first under both memory models, at
 * random under C11, and, where it asks for it, without the process-wide
 * barrier.  Each line of the table is a process of its own, so that what one leaves
 * behind in the library's static variables cannot reach the next; as many run
 * at a time as there are processors, and the table keeps its order.
 */
#include <sys/types.h>
#include <sys/wait.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "explore.h"

#define RANDOM_EXECUTIONS	20000
#define DFS_EXECUTIONS		10000000
#define DFS_SECONDS		1.6
#define RANDOM_SECONDS		0.4
#define STALE_BOUND		1
#define JOBS_MAX		64

struct settings {
	struct explore_options options;
	const char *test;
	int model_set, strategy_set, executions_set, seconds_set, replay;
	int list, jobs;
};

/* A line of the table, while its process runs. */
struct job {
	const struct explore_test *test;
	struct explore_options options;
	FILE *output;		/* what the process prints */
	int fd;			/* its result comes here */
	pid_t child;
};

static void
usage(void)
{
	fprintf(stderr,
	    "usage: explore [-l] [-t test] [-m sc|c11] [-s random|dfs]\n"
	    "    [-n executions] [-T seconds] [-b preemptions] [-w old loads]\n"
	    "    [-j jobs] [-f] [-d] [-u] [-v] [-S first seed] [-r seed]\n"
	    "    [-p schedule]\n"
	    "  -l  list the scenarios\n"
	    "  -j  processes at a time\n"
	    "  -w  bound of loads of an old value, one more for each\n"
	    "      preemption less, -1 for none (dfs)\n"
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
	o->stale_bound = STALE_BOUND;
	s->jobs = (int)sysconf(_SC_NPROCESSORS_ONLN);
	while ((c = getopt(argc, argv, "t:m:s:n:b:w:T:S:r:p:j:fduvl")) != -1) {
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
			s->seconds_set = 1;
			break;
		case 'j':
			s->jobs = atoi(optarg);
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
	if (s->jobs < 1 || s->jobs > JOBS_MAX)
		s->jobs = s->jobs < 1 ? 1 : JOBS_MAX;
}

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
print_row(struct job *job)
{
	const struct explore_options *o = &job->options;
	static struct explore_result r;
	char model[16];

	job_end(job, &r);
	snprintf(model, sizeof model, "%s%s%s%s%s",
	    o->model == EXPLORE_SC ? "sc" : "c11",
	    o->membarrier && !o->timeouts && !o->spurious ? "" : " -",
	    o->membarrier ? "" : "f", o->timeouts ? "d" : "",
	    o->spurious ? "u" : "");
	printf("%-25s %-46s %-6s %-6s %9llu %6.2fs %-14s %s\n",
	    job->test->name, job->test->promise, model,
	    o->strategy == EXPLORE_DFS ? "dfs" : "random",
	    (unsigned long long)r.executions, r.seconds, extent(o, &r),
	    r.failed ? "FAILED" : "ok");
	fflush(stdout);
	return r.failed;
}

/* Line k of a scenario's: 1, or 0: there is none. */
static int
line_options(const struct explore_test *t, const struct settings *s, int k,
    struct explore_options *o)
{
	static const struct {
		enum explore_model model;
		enum explore_strategy strategy;
		int membarrier;
	} lines[] = {
		{ EXPLORE_SC, EXPLORE_DFS, 1 },
		{ EXPLORE_C11, EXPLORE_DFS, 1 },
		{ EXPLORE_C11, EXPLORE_DFS, 0 },
		{ EXPLORE_C11, EXPLORE_RANDOM, 1 },
		{ EXPLORE_SC, EXPLORE_RANDOM, 1 },
	};
	const int all = s->model_set || s->strategy_set;

	*o = s->options;
	if (s->replay)
		return k == 0;
	if ((s->model_set && lines[k].model != o->model) ||
	    (s->strategy_set && lines[k].strategy != o->strategy) ||
	    (k == 4 && !all))
		return 0;
	if (!lines[k].membarrier && (!o->membarrier || t->flags == NULL ||
	    s->strategy_set || strchr(t->flags, 'f') == NULL))
		return 0;
	o->model = lines[k].model;
	o->strategy = lines[k].strategy;
	o->membarrier = o->membarrier && lines[k].membarrier;
	if (!s->executions_set)
		o->executions_max = o->strategy == EXPLORE_RANDOM ?
		    RANDOM_EXECUTIONS : DFS_EXECUTIONS;
	if (!s->seconds_set)
		o->seconds_max = o->strategy == EXPLORE_RANDOM ?
		    RANDOM_SECONDS : DFS_SECONDS;
	return 1;
}

#define LINES	5

/* All lines of all chosen scenarios; returns how many failed. */
static int
run_table(const struct settings *s, int *passed)
{
	static struct job jobs[JOBS_MAX];
	const struct explore_test *const *t;
	unsigned begun = 0, ended = 0, most = (unsigned)s->jobs;
	struct explore_options o;
	int failed = 0, result, k;

	for (t = explore_tests; *t != NULL; t++) {
		if (s->test != NULL && strcmp(s->test, (*t)->name) != 0)
			continue;
		for (k = 0; k < LINES; k++) {
			if (!line_options(*t, s, k, &o))
				continue;
			if (begun - ended == most) {
				result = print_row(&jobs[ended++ % most]);
				failed += result;
				*passed += !result;
			}
			jobs[begun % most].test = *t;
			jobs[begun % most].options = o;
			job_start(&jobs[begun++ % most]);
		}
	}
	while (ended < begun) {
		result = print_row(&jobs[ended++ % most]);
		failed += result;
		*passed += !result;
	}
	return failed;
}

int
explore_main(int argc, char **argv)
{
	const struct explore_test *const *t;
	struct settings s;
	int failed, found = 0, passed = 0;

	parse(argc, argv, &s);
	for (t = explore_tests; *t != NULL; t++) {
		if (s.test != NULL && strcmp(s.test, (*t)->name) != 0)
			continue;
		found = 1;
		if (s.list)
			printf("%-24s %s\n", (*t)->name, (*t)->promise);
	}
	if (!found) {
		fprintf(stderr, "explore: no scenario %s\n",
		    s.test != NULL ? s.test : "at all");
		return 2;
	}
	if (s.list)
		return 0;
	failed = run_table(&s, &passed);
	printf("%d passed, %d failed\n", passed, failed);
	return failed != 0;
}
