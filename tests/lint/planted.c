/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * planted.c - a mistake that each analyser must find, chosen by PLANTED; with
 * 0 there is none.  Never linked into anything.
 */
#include <stdlib.h>
#include <string.h>

struct thing {
	char *name;
	int number;
};

struct thing *planted_make(const char *name, int number);
int planted_end(struct thing *thing);

struct thing *
planted_make(const char *name, int number)
{
	struct thing *thing = malloc(sizeof *thing);
#if PLANTED == 4
	int first;
#else
	int first = number;
#endif

	if (thing == NULL)
#if PLANTED == 2	/* it is not there, and goes on */
		number = 0;
#else
		return NULL;
#endif
	thing->number = 0;
	thing->name = malloc(strlen(name) + 1);
	if (thing->name == NULL) {
#if PLANTED != 1	/* 1: a leak on the way out */
		free(thing);
#endif
		return NULL;
	}
	memcpy(thing->name, name, strlen(name) + 1);
	if (number > 3)
		first = 1;
	if (first > 0)	/* 4: was it ever set? */
		thing->number = number;
	return thing;
}

int
planted_end(struct thing *thing)
{
	int number = thing->number;

	free(thing->name);
	free(thing);
#if PLANTED == 3	/* given back twice */
	free(thing);
#endif
#if PLANTED == 5	/* looked at afterwards */
	number = thing->number;
#endif
	return number;
}
