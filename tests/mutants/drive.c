/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * drive.c - runs the mutants that it is given against the scenarios.
 *
 * At first each scenario runs as it is, to see which places it comes by.  Then
 * each mutant runs against the scenarios that come by its place, the shortest
 * ones first, in every manner of the table below, in rounds of rising length,
 * until one of them fails, and fails again when its choices are replayed.  Each
 * run is a process of its own.
 *
 *	drive [-v] [-j jobs] [-t scenario] <mutants	as from `sites`, with two fields
 *					more: rounds, and a scenario or -
 *
 * A line for each: its number, killed or alive, scenario, manner, executions,
 * and how it failed.  -v: with a trace.
 */
#include <sys/mman.h>
#include <sys/wait.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "explore.h"
#include "mutants.h"

#define SCENARIOS_MAX	256
#define JOBS_MAX	64
#define LOOK_EXECUTIONS	100

static const struct manner {
	const char *name;
	enum explore_strategy strategy;
	enum explore_model model;
	int membarrier, depth;
} manners[] = {
	{ "c11 dfs", EXPLORE_DFS, EXPLORE_C11, 1, 0 },
	{ "c11 -f dfs", EXPLORE_DFS, EXPLORE_C11, 0, 0 },
	{ "c11 random", EXPLORE_RANDOM, EXPLORE_C11, 1, 0 },
	{ "c11 -f random", EXPLORE_RANDOM, EXPLORE_C11, 0, 0 },
	{ "c11 pct", EXPLORE_PCT, EXPLORE_C11, 1, 3 },
	{ "c11 -f pct", EXPLORE_PCT, EXPLORE_C11, 0, 3 },
};
#define MANNERS	((int)(sizeof manners / sizeof *manners))

/* Executions of each run in each round: no matter how fast the machine is. */
static const uint64_t rounds[] = { 100, 400, 8000 };
#define ROUNDS		((int)(sizeof rounds / sizeof *rounds))

/* Of a scenario, as it is. */
struct look {
	uint32_t reached[MUTANTS_MAX];
	uint32_t steps;		/* of its longest execution */
	int failed;
};

static struct look *looks;
static int verbose;
static const char *chosen;	/* the only scenario; NULL: all */
static struct explore_result *results;	/* one for each job */
static unsigned *next_mutant;
static int scenarios;

static void *
shared(size_t size)
{
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED) {
		perror("mutants: mmap");
		exit(2);
	}
	return p;
}

static int
is_chosen(int scenario)
{
	return chosen == NULL ||
	    strcmp(chosen, explore_tests[scenario]->name) == 0;
}

/* In a process of its own. */
static void
run(int scenario, const struct manner *manner, uint64_t executions,
    struct explore_result *r)
{
	struct explore_options options;
	int status;
	pid_t child;

	memset(r, 0, sizeof *r);
	fflush(NULL);
	child = fork();
	if (child < 0) {
		perror("mutants: fork");
		exit(2);
	}
	if (child == 0) {
		explore_options_init(&options);
		options.strategy = manner->strategy;
		options.model = manner->model;
		options.membarrier = manner->membarrier;
		options.preemption_bound = 3;
		options.stale_bound = 1;
		if (manner->depth != 0)
			options.depth = manner->depth;
		options.executions_max = executions;
		options.quiet = !verbose;
		explore_run(explore_tests[scenario], &options, r);
		_exit(0);
	}
	waitpid(child, &status, 0);
	if (!WIFEXITED(status)) {
		r->failed = 1;
		snprintf(r->message, sizeof r->message,
		    "the explorer ends by signal %d", WTERMSIG(status));
	}
}

/* What a scenario comes by; nothing lives. */
static void
look(int scenario, struct explore_result *r)
{
	struct look *l = &looks[scenario];
	int i;

	if (!is_chosen(scenario))
		return;
	mutants_reached = l->reached;
	for (i = 0; i < MANNERS; i++) {
		run(scenario, &manners[i], LOOK_EXECUTIONS, r);
		if (r->steps_most > l->steps)
			l->steps = r->steps_most;
		if (r->failed) {
			l->failed = 1;
			printf("# %s, %s: %s\n", explore_tests[scenario]->name,
			    manners[i].name, r->message);
		}
	}
	mutants_reached = NULL;
}

static int
is_first(unsigned m, int scenario)
{
	return strcmp(mutants[m].first, explore_tests[scenario]->name) == 0;
}

static int
is_before(unsigned m, int a, int b)
{
	if (is_first(m, a) || is_first(m, b))
		return is_first(m, a);
	return looks[a].steps < looks[b].steps;
}

/*
 * The scenarios that come by mutant m: the one that is named with it, the
 * others from the shortest to the longest.
 */
static int
candidates(unsigned m, int *found)
{
	int i, k, n = 0;

	for (i = 0; i < scenarios; i++) {
		if (looks[i].reached[m] == 0 || !is_chosen(i))
			continue;
		for (k = n++; k > 0 && is_before(m, i, found[k - 1]); k--)
			found[k] = found[k - 1];
		found[k] = i;
	}
	return n;
}

static int
kills(unsigned m, int scenario, const struct manner *manner,
    uint64_t most, struct explore_result *r)
{
	run(scenario, manner, most, r);
	if (!r->failed || !r->reproduced)
		return 0;
	printf("%u\tkilled\t%s\t%s\t%llu\t%s\n", m,
	    explore_tests[scenario]->name, manner->name,
	    (unsigned long long)r->executions, r->message);
	return 1;
}

static void
judge(unsigned m, struct explore_result *r)
{
	int scenario[SCENARIOS_MAX], n, round, i, k;
	unsigned long long executions = 0;

	n = candidates(m, scenario);
	if (n == 0) {
		printf("%u\talive\t-\t-\t0\tno scenario comes by\n", m);
		return;
	}
	mutant = &mutants[m];
	for (k = 0; k < MANNERS && is_first(m, scenario[0]); k++)
		if (kills(m, scenario[0], &manners[k], rounds[ROUNDS - 1], r))
			return;
	for (round = 0; round < mutant->rounds; round++) {
		for (k = 0; k < MANNERS; k++) {
			for (i = 0; i < n; i++) {
				if (kills(m, scenario[i], &manners[k],
				    rounds[round], r))
					return;
				executions += r->executions;
			}
		}
	}
	mutant = NULL;
	printf("%u\talive\t%d scenarios\t-\t%llu\tnone fails\n", m, n,
	    executions);
}

/* Each job takes the next one until none is left. */
static void
in_parallel(int jobs, unsigned count,
    void (*what)(unsigned, struct explore_result *))
{
	unsigned i;
	int job, status, failed = 0;

	*next_mutant = 0;
	for (job = 0; job < jobs; job++) {
		fflush(NULL);
		if (fork() != 0)
			continue;
		while ((i = __atomic_fetch_add(next_mutant, 1,
		    __ATOMIC_RELAXED)) < count) {
			what(i, &results[job]);
			fflush(NULL);
		}
		_exit(0);
	}
	while (wait(&status) > 0)
		failed |= status;
	if (failed != 0) {
		fprintf(stderr, "mutants: a job failed\n");
		exit(2);
	}
}

static void
look_at(unsigned scenario, struct explore_result *r)
{
	look((int)scenario, r);
}

static void
read_mutants(FILE *f)
{
	char line[512];
	struct mutant *m;

	while (fgets(line, sizeof line, f) != NULL) {
		if (mutants_count == MUTANTS_MAX) {
			fprintf(stderr, "mutants: more than %d\n", MUTANTS_MAX);
			exit(2);
		}
		m = &mutants[mutants_count++];
		if (sscanf(line, "%7[^\t]\t%63[^\t]\t%d\t%95[^\t]\t%d\t%d"
		    "\t%d\t%47s", m->kind, m->file, &m->line, m->text,
		    &m->from, &m->to, &m->rounds, m->first) != 8 ||
		    m->rounds < 1 || m->rounds > ROUNDS) {
			fprintf(stderr, "mutants: not a mutant: %s", line);
			exit(2);
		}
		if (strcmp(m->text, "-") == 0)
			m->text[0] = '\0';
	}
}

int
main(int argc, char **argv)
{
	int c, jobs = (int)sysconf(_SC_NPROCESSORS_ONLN), i, failed = 0;

	while ((c = getopt(argc, argv, "vj:t:")) != -1) {
		if (c == 'j')
			jobs = atoi(optarg);
		else if (c == 't')
			chosen = optarg;
		else if (c == 'v')
			verbose = 1;
		else
			return 2;
	}
	if (jobs < 1 || jobs > JOBS_MAX)
		jobs = 1;
	read_mutants(stdin);
	while (scenarios < SCENARIOS_MAX && explore_tests[scenarios] != NULL)
		scenarios++;
	looks = shared((size_t)scenarios * sizeof *looks);
	results = shared((size_t)jobs * sizeof *results);
	next_mutant = shared(sizeof *next_mutant);
	in_parallel(jobs, (unsigned)scenarios, look_at);
	for (i = 0; i < scenarios; i++)
		failed += looks[i].failed;
	if (failed > 0) {
		fprintf(stderr, "mutants: %d scenarios fail as they are\n",
		    failed);
		return 1;
	}
	in_parallel(jobs, mutants_count, judge);
	return 0;
}
