/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * trial.h - one life of a bus, while a system call fails.
 *
 * It uses each call of the library that asks something of the system: set-up,
 * sleep and wake of a reader, of a worker and of a waiting publisher, a thread
 * that ends with an open claim, a child of fork(), close.  Each trial is a
 * process of its own, so that what is done once per process is done anew.
 */
#ifndef EVBUS_TESTS_TRIAL_H
#define EVBUS_TESTS_TRIAL_H

#include "sys_fault.h"

/* What a row of the table says of one system call. */
struct trial_row {
	const char *name;
	enum sys_call call;
	int refusal[2];		/* its codes; 0: none is allowed */
	int mappings;		/* a failure costs one mapping */
	int errors[12];		/* what it can answer, up to the first 0 */
	int nothing;		/* 1: "for no reason" as well, error 0 */
	enum sys_call always;	/* it is reached only if this one fails, */
	unsigned spared;	/* after so many that did not */
	unsigned most;		/* places to try; 0: as many as there are */
};

struct trial {
	const struct trial_row *row;
	int error;
	unsigned k;		/* 0: nothing fails, only count */
	int on;
};

/* What came of it, in memory shared with the child. */
struct trial_result {
	unsigned calls;		/* of that kind in one life */
	unsigned fired;		/* that failed */
	unsigned refused;	/* calls of the library that said so */
	char failure[400];	/* empty: none */
};

/* Runs it in a child, and waits; 1: as it must be. */
int trial_run(const struct trial *, struct trial_result *);

#endif /* EVBUS_TESTS_TRIAL_H */
