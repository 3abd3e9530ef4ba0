/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * explore_cli.c - the driver: its options, replays, and what it answers.
 *
 * Without options each scenario runs depth-first under all memory models, with
 * sleep sets under SC, at random and by PCT under C11, and, where it asks for
 * it, without the process-wide barrier.  The lines are in explore_table.c.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "explore_cli.h"

#define STALE_BOUND		1
#define LONG			8	/* times as many executions, with -L */

static void
usage(void)
{
	fprintf(stderr,
	    "usage: explore [-l] [-L] [-t test] [-m sc|tso|pso|c11]\n"
	    "    [-s random|dfs|pct|sleep] [-n executions] [-T seconds]\n"
	    "    [-b preemptions] [-w old loads] [-D depth] [-j jobs] [-a]\n"
	    "    [-c] [-k] [-K] [-f] [-d] [-u] [-v] [-S first seed] [-r seed]\n"
	    "    [-p schedule]\n"
	    "  -l  list the scenarios\n"
	    "  -L  go on for long: -b 3 -w -1 for all, and eight times as\n"
	    "      many executions\n"
	    "  -n, -T  of each line of the table\n"
	    "  -j  processes at a time\n"
	    "  -w  bound of loads of an old value, one more for each\n"
	    "      preemption less, -1 for none (dfs)\n"
	    "  -D  of the bugs that pct looks for, at most 8\n"
	    "  -a  a switch before every access, needed or not\n"
	    "  -c  go on where all has been seen before (dfs)\n"
	    "  -k  compare the states that are taken for one (dfs)\n"
	    "  -K  each search with two threads twice: do both find the same?\n"
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
	    "t:m:s:n:b:w:T:D:S:r:p:j:acdkuflvKL")) != -1) {
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
			s->bound_set = 1;
			o->preemption_bound = atoi(optarg);
			break;
		case 'w':
			s->stale_set = 1;
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
			s->bound_set = s->stale_set = 1;
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
		case 'c':
			o->again = 1;
			break;
		case 'k':
			o->check = 1;
			break;
		case 'K':
			s->compare = 1;
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
	if (s->jobs < 1 || s->jobs > EXPLORE_JOBS_MAX)
		s->jobs = s->jobs < 1 ? 1 : EXPLORE_JOBS_MAX;
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
	if (s.compare)
		return explore__compare_all(&s);
	memset(&totals, 0, sizeof totals);
	explore__run_table(&s, &totals);
	return explore__print_totals(&totals);
}
