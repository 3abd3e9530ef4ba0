/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * leak.c - do the address sanitizers see what they should?
 *
 * With an argument it reads behind a block, without one it loses a block; each
 * must be reported, or a clean run of the tests says nothing.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void *volatile kept;

/* In a function of its own, so that no register still holds a block. */
static __attribute__((noinline)) void
take_and_lose(void)
{
	for (int i = 0; i < 100; i++)
		kept = memset(calloc(1, 32), 'x', 32);
	kept = NULL;
}

static __attribute__((noinline)) void
read_behind(void)
{
	volatile char *block = calloc(1, 32);

	kept = (void *)block;
	printf("%d\n", block[32]);
	free(kept);
}

int
main(int argc, char **argv)
{
	(void)argv;
	if (argc > 1)
		read_behind();
	take_and_lose();
	return 0;
}
