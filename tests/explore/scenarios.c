/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * scenarios.c - the table of scenarios that the program `explore` runs.
 */
#include "scenario.h"

#define ENTRY(name) &name,
const struct explore_test *const explore_tests[] = {
	SCENARIOS(ENTRY)
	NULL
};
