/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * explore_main.c - the program `explore`: the driver over explore_tests[].
 */
#include "explore.h"

int
main(int argc, char **argv)
{
	return explore_main(argc, argv);
}
