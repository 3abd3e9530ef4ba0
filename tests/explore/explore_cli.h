/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * explore_cli.h - what the driver's options and its table share.
 */
#ifndef EVBUS_EXPLORE_CLI_H
#define EVBUS_EXPLORE_CLI_H

#include "explore.h"

#define EXPLORE_JOBS_MAX	64

struct settings {
	struct explore_options options;
	const char *test;
	int model_set, strategy_set, depth_set, flag_set, executions_set;
	int seconds_set, bound_set, stale_set, replay;
	int list, jobs, times, compare;
};

struct totals {
	uint64_t executions[EXPLORE_MODELS];
	int rows, failed, searched, exhausted;
	int pairs[EXPLORE_MODELS];	/* of two threads, asked for */
	int whole[EXPLORE_MODELS];	/* ... exhausted */
	int large[EXPLORE_MODELS];	/* ... known to be too large */
	int late[EXPLORE_MODELS];	/* ... stopped by the time */
	int limited;		/* the caller said how many executions */
};

void explore__run_table(const struct settings *, struct totals *);
/* explore_compare.c */
int explore__compare_all(const struct settings *);

int explore__print_totals(const struct totals *);

#endif /* EVBUS_EXPLORE_CLI_H */
