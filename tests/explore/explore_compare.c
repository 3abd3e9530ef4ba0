/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * explore_compare.c - does the search lose anything where it cuts?
 *
 * The same search twice, with what has been seen before (explore_seen.c) and
 * without: at each bound, in each model, both must come to the same ends.  An
 * end is what the test calls one with explore_outcome(), at the end of finish.
 * In the first search states that are taken for one are compared as well.
 */
#include <sys/mman.h>
#include <sys/types.h>
#include <sys/wait.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "explore_cli.h"
#include "explore_core.h"

#define BOUND_MAX	2
#define WARM_UP		3001

#define ENDS	((size_t)1 << 16)

struct explore_ends {
	uint64_t hash[ENDS];
	size_t count;
};

static struct explore_ends *now;	/* of the search that runs; or NULL */

void
explore_outcome(const void *p, size_t size_bytes)
{
	const unsigned char *byte = p;
	size_t i;

	if (now != NULL)
		for (i = 0; i < size_bytes; i++)
			ex.outcome = explore__hash(ex.outcome, byte[i]);
}

/* An execution has come to its end. */
void
explore__end(void)
{
	uint64_t h = ex.outcome != 0 ? ex.outcome : 1;
	size_t i;

	ex.outcome = 0;
	if (now == NULL || ex.pruned || ex.failed)
		return;
	for (i = h % ENDS; now->hash[i] != 0; i = (i + 1) % ENDS)
		if (now->hash[i] == h)
			return;
	if (++now->count > ENDS / 2)
		explore_fail("more than %zu ends", ENDS / 2);
	now->hash[i] = h;
}

static int
same(const struct explore_ends *a, const struct explore_ends *b)
{
	size_t i, k;

	if (a->count != b->count)
		return 0;
	for (i = 0; i < ENDS; i++) {
		if (a->hash[i] == 0)
			continue;
		for (k = a->hash[i] % ENDS; b->hash[k] != a->hash[i];
		    k = (k + 1) % ENDS)
			if (b->hash[k] == 0)
				return 0;
	}
	return 1;
}

static void
search(const struct explore_test *t, const struct explore_options *o,
    struct explore_ends *ends, struct explore_result *r)
{
	memset(ends, 0, sizeof *ends);
	now = ends;
	explore_run(t, o, r);
	now = NULL;
}

/*
 * 0: both searches come to the same ends; 1: they do not; -1: one of them is
 * too long to tell.
 */
int
explore_compare(const struct explore_test *t, const struct explore_options *o,
    struct explore_comparison *c)
{
	static struct explore_ends ends[2];
	static struct explore_result r[2];
	struct explore_options other = *o;

	other.again = 0;
	other.check = 1;
	search(t, &other, &ends[0], &r[0]);
	other.again = 1;
	other.check = 0;
	other.forget = 0;
	if (!r[0].failed)
		search(t, &other, &ends[1], &r[1]);
	else
		r[1] = r[0];
	c->ends = ends[1].count;
	c->executions[0] = r[0].executions;
	c->executions[1] = r[1].executions;
	memcpy(c->message, r[0].message, sizeof c->message);
	if (r[0].failed || r[1].failed)
		return 1;
	if (!r[0].exhausted || !r[1].exhausted)
		return -1;
	return !same(&ends[0], &ends[1]);
}

/* What the processes tell. */
struct told {
	unsigned pairs, ends;
};

/* All models and bounds; how many do not come to the same. */
static int
compare_one(const struct explore_test *t, const struct settings *s,
    struct told *told)
{
	static const char *const answers[] = { "too long", "ok", "FAILED" };
	static struct explore_comparison c;
	static struct explore_result warm_up;
	struct explore_options o = s->options;
	int model, bound, answer, wrong = 0;

	o.stale_bound = -1;
	o.seconds_max = 0;
	o.quiet = 1;
	/* Numbers of executions shall be unlike all others: explore_heap.c. */
	o.strategy = EXPLORE_RANDOM;
	o.executions_max = WARM_UP;
	explore_run(t, &o, &warm_up);
	o.strategy = EXPLORE_DFS;
	o.executions_max = s->options.executions_max;
	for (model = 0; model < EXPLORE_MODELS; model++) {
		if (s->model_set && s->options.model != (unsigned)model)
			continue;
		for (bound = 0; bound <= BOUND_MAX; bound++) {
			o.model = (enum explore_model)model;
			o.preemption_bound = bound;
			answer = explore_compare(t, &o, &c);
			told->pairs++;
			told->ends += answer >= 0;
			if (s->test != NULL || answer == 1)
				printf("%-25s %-3s b%d  cut %8llu  whole "
				    "%8llu  %6zu ends  %s %s\n", t->name,
				    explore_model_names[model], bound,
				    (unsigned long long)c.executions[0],
				    (unsigned long long)c.executions[1],
				    c.ends, answers[answer + 1], c.message);
			fflush(stdout);
			if (answer < 0)
				break;
			wrong += answer;
		}
	}
	return wrong;
}

/* Each scenario of two threads, in a process of its own: 0 if all agree. */
int
explore__compare_all(const struct settings *s)
{
	const struct explore_test *const *t;
	struct told *told;
	int status, scenarios = 0, wrong = 0;
	pid_t child;

	told = mmap(NULL, sizeof *told, PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (told == MAP_FAILED) {
		perror("explore");
		exit(2);
	}

	for (t = explore_tests; *t != NULL; t++) {
		if ((*t)->nthreads != 2 ||
		    (s->test != NULL && strcmp(s->test, (*t)->name) != 0))
			continue;
		scenarios++;
		fflush(NULL);
		child = fork();
		if (child == 0)
			_exit(compare_one(*t, s, told) != 0);
		if (child < 0 || waitpid(child, &status, 0) != child ||
		    status != 0)
			wrong++;
	}
	printf("%u searches of %d scenarios, cut and whole: %u could be "
	    "compared, %d scenarios do not agree\n", told->pairs, scenarios,
	    told->ends, wrong);
	return wrong != 0;
}
