/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * mutants.h - what mutate.c, plain.c and drive.c share.
 */
#ifndef TESTS_MUTANTS_MUTANTS_H
#define TESTS_MUTANTS_MUTANTS_H

#include <stddef.h>
#include <stdint.h>

#define MUTANTS_MAX	1024
#define GONE		(-1)	/* the weaker order of a deleted fence */

/* One access or fence with one order weakened, as `sites` lists them. */
struct mutant {
	char kind[8];		/* load store ... cas fail fence light heavy */
	char file[64];
	int line;
	char text[96];		/* what is accessed, as the source has it */
	int from, to;		/* orders */
	int rounds;		/* until it is given up */
	char first[48];		/* the likeliest scenario, or - */
};

/* The mutant that lives; NULL: the library is as it was written. */
extern const struct mutant *mutant;
/* If not NULL: for each of the `mutants`, how often it was come by. */
extern uint32_t *mutants_reached;
extern struct mutant mutants[MUTANTS_MAX];
extern unsigned mutants_count;

/* plain.c: the running fiber's accesses, to be told once they are done. */
enum plain_kind {
	PLAIN_READ,	/* of any plain kind */
	PLAIN_WRITE,	/* which nobody may read, not even atomically */
	PLAIN_PAYLOAD,	/* by EVBUS_PLAIN_STORE: a lossy reader may */
	ATOMIC_READ,
	ATOMIC_WRITE
};
#define PLAIN_KINDS	5
void plain_access(const volatile void *, size_t, enum plain_kind,
    const char *file, int line);
/* What stands for memset() and its like in compiled code. */
void *plain_set(void *to, int c, size_t n);
void *plain_copy(void *to, const void *from, size_t n);
int plain_compare(const void *a, const void *b, size_t n);
void plain_free(void *p);
void plain_release(void *p, size_t n);

#endif /* TESTS_MUTANTS_MUTANTS_H */
