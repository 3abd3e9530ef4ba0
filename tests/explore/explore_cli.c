/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * explore_cli.c - the driver: options, the table of results, replays.
 *
 * Without options each scenario runs depth-first under all memory models, with
 * sleep sets under SC, at random and by PCT under C11, and, where it asks for
 * it, without the process-wide barrier.  Each line of the table is a process
 * of its own, so that what one leaves behind in the library's static variables
 * cannot reach the next; as many run at a time as there are processors, and
 * the table keeps its order.
 *
 * A line says how far it came.  b3: the depth-first search has seen all with
 * three preemptions and, but for "all", with as many loads of old values as -w
 * allows; "of b3": time or executions ran out at that bound.  d3 1/n: PCT, and
 * what an execution's chance was, at least, to show a bug of that depth.
 */
#include <sys/types.h>
#include <sys/wait.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "explore.h"

#define EXECUTIONS		100000000
#define DFS_SECONDS		0.6
#define SLEEP_SECONDS		0.3
#define RANDOM_SECONDS		0.1
#define STALE_BOUND		1
#define LONG			4	/* times that, with -L */
#define JOBS_MAX		64
#define LINES			18	/* of a scenario, at most */

struct settings {
	struct explore_options options;
	const char *test;
	int model_set, strategy_set, depth_set, flag_set, executions_set;
	int seconds_set, replay;
	int list, jobs, times;
};

/* A line of the table, while its process runs. */
struct job {
	const struct explore_test *test;
	struct explore_options options;
	FILE *output;		/* what the process prints */
	int fd;			/* its result comes here */
	pid_t child;
};

struct totals {
	uint64_t executions[EXPLORE_MODELS];
	int rows, failed, searched, exhausted;
};

static void
usage(void)
{
	fprintf(stderr,
	    "usage: explore [-l] [-L] [-t test] [-m sc|tso|pso|c11]\n"
	    "    [-s random|dfs|pct|sleep] [-n executions] [-T seconds]\n"
	    "    [-b preemptions] [-w old loads] [-D depth] [-j jobs] [-a]\n"
	    "    [-f] [-d] [-u] [-v] [-S first seed] [-r seed] [-p schedule]\n"
	    "  -l  list the scenarios\n"
	    "  -L  go on for long: -b 3 -w -1, and four times the time\n"
	    "  -n, -T  of each line of the table\n"
	    "  -j  processes at a time\n"
	    "  -w  bound of loads of an old value, one more for each\n"
	    "      preemption less, -1 for none (dfs)\n"
	    "  -D  of the bugs that pct looks for, at most 8\n"
	    "  -a  a switch before every access, needed or not\n"
	    "  -f  no process-wide barrier: full fences at both ends\n"
	    "  -d  a timed wait may time out at any moment\n"
	    "  -u  a futex wait may return for no reason\n"
	    "  -v  trace each step\n"
	    "  -r  replay the execution of one seed\n"
	    "  -p  replay a schedule\n");
	exit(2);
}

static int
one_of(const char *arg, const char *const *names, int n)
{
	int i;

	for (i = 0; i < n; i++)
		if (strcmp(arg, names[i]) == 0)
			return i;
	usage();
	return 0;
}

static void
parse(int argc, char **argv, struct settings *s)
{
	struct explore_options *o = &s->options;
	int c;

	memset(s, 0, sizeof *s);
	explore_options_init(o);
	o->stale_bound = STALE_BOUND;
	s->times = 1;
	s->jobs = (int)sysconf(_SC_NPROCESSORS_ONLN);
	while ((c = getopt(argc, argv,
	    "t:m:s:n:b:w:T:D:S:r:p:j:aduflvL")) != -1) {
		switch (c) {
		case 't':
			s->test = optarg;
			break;
		case 'm':
			o->model = (enum explore_model)one_of(optarg,
			    explore_model_names, EXPLORE_MODELS);
			s->model_set = 1;
			break;
		case 's':
			o->strategy = (enum explore_strategy)one_of(optarg,
			    explore_strategy_names, EXPLORE_STRATEGIES);
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
		case 'D':
			o->depth = atoi(optarg);
			s->depth_set = 1;
			break;
		case 'L':
			s->times = LONG;
			o->preemption_bound = 3;
			o->stale_bound = -1;
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
		case 'a':
			o->all_points = 1;
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
	if (optind != argc || (s->replay && s->test == NULL) ||
	    o->depth < 1 || o->depth > EXPLORE_DEPTH_MAX ||
	    (o->strategy == EXPLORE_SLEEP && s->model_set &&
	    o->model != EXPLORE_SC))
		usage();
	if (s->replay)
		s->model_set = 1;
	s->flag_set = !o->membarrier || o->timeouts || o->spurious;
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
		snprintf(text, sizeof text, "%s b%d%s", r->exhausted ?
		    "EXHAUSTED" : "stopped of", r->bound,
		    r->complete ? ", all" : "");
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
}

#define ALWAYS	1
#define ASKED	0	/* only if its model or strategy is asked for */

/* Line k of a scenario's: 1, or 0: there is none. */
static int
line_options(const struct explore_test *t, const struct settings *s, int k,
    struct explore_options *o)
{
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
	static const double seconds[EXPLORE_STRATEGIES] = { RANDOM_SECONDS,
	    DFS_SECONDS, RANDOM_SECONDS, SLEEP_SECONDS };
	const int asked = s->model_set || s->strategy_set;

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
		o->executions_max = EXECUTIONS;
	if (!s->seconds_set)
		o->seconds_max = seconds[o->strategy] * s->times;
	return 1;
}

/* All lines of all chosen scenarios. */
static void
run_table(const struct settings *s, struct totals *totals)
{
	static struct job jobs[JOBS_MAX];
	const struct explore_test *const *t;
	unsigned begun = 0, ended = 0, most = (unsigned)s->jobs;
	struct explore_options o;
	int k;

	for (t = explore_tests; *t != NULL; t++) {
		if (s->test != NULL && strcmp(s->test, (*t)->name) != 0)
			continue;
		for (k = 0; k < LINES; k++) {
			if (!line_options(*t, s, k, &o))
				continue;
			if (begun - ended == most)
				print_row(&jobs[ended++ % most], totals);
			jobs[begun % most].test = *t;
			jobs[begun % most].options = o;
			job_start(&jobs[begun++ % most]);
		}
	}
	while (ended < begun)
		print_row(&jobs[ended++ % most], totals);
}

static void
print_totals(const struct totals *t)
{
	uint64_t all = 0;
	int i;

	printf("%d passed, %d failed; ", t->rows - t->failed, t->failed);
	for (i = 0; i < EXPLORE_MODELS; i++) {
		printf("%s%s %llu", i == 0 ? "executions: " : ", ",
		    explore_model_names[i],
		    (unsigned long long)t->executions[i]);
		all += t->executions[i];
	}
	printf(", in all %llu; %d of %d depth-first searches exhausted\n",
	    (unsigned long long)all, t->exhausted, t->searched);
}

int
explore_main(int argc, char **argv)
{
	const struct explore_test *const *t;
	struct settings s;
	struct totals totals;
	int found = 0;

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
	memset(&totals, 0, sizeof totals);
	run_table(&s, &totals);
	print_totals(&totals);
	return totals.failed != 0;
}
