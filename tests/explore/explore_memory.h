/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * explore_memory.h - what the memory models share: the stores of
 * explore_memory.c, and the buffers of explore_buffer.c that hide some.
 */
#ifndef EVBUS_EXPLORE_MEMORY_H
#define EVBUS_EXPLORE_MEMORY_H

#include "explore_core.h"

#define PLACES_MAX	(1 << 15)
#define TABLE_SIZE	(1 << 16)
#define STORES_MAX	(1 << 16)
#define READS_MAX	4	/* of one value, in a row, the last ones old */
#define ROUNDS_MAX	1	/* with a pause in between */

/* What a fiber has read last of one half of a word. */
struct explore_reads {
	uint32_t store;		/* its index; 0: nothing yet */
	uint32_t pauses;	/* of the reader, then */
	uint32_t rounds, times;
};

/*
 * May fiber f read this old store once more?  All its reads count, also those
 * made while the store was new, so that it depends on nobody else.
 */
static inline int
explore__may_reread(const struct explore_reads *r, uint32_t store,
    const struct fiber *f)
{
	if (r->store != store)
		return 1;
	return r->pauses == f->pauses ? r->times < READS_MAX :
	    r->rounds < ROUNDS_MAX;
}

static inline void
explore__note_read(struct explore_reads *r, uint32_t store,
    const struct fiber *f)
{
	if (r->store != store) {
		r->store = store;
		r->rounds = 0;
		r->times = 0;
	} else if (r->pauses != f->pauses) {
		r->rounds++;
		r->times = 0;
	}
	r->times++;
	r->pauses = f->pauses;
}

struct store {
	uint64_t value;		/* of the whole word, after the store */
	uint64_t event;		/* its identity: explore_seen.c */
	struct explore_clock carries;
	uint32_t seen[CLOCKS];	/* first seen by fiber i at its time seen[i] */
	uint32_t older;		/* index; 0: none */
	uint8_t bytes;		/* which it wrote */
	uint8_t carrying;	/* carries is not empty */
	uint8_t hidden;		/* in the buffer of this fiber; 0: in none */
};

struct place {
	uintptr_t word;
	uint32_t newest;
	struct explore_reads reads[CONTEXTS][2];	/* by halves */
	struct explore_race race[2];
};

struct access {
	struct place *place;
	unsigned shift;		/* of its first byte, in bits */
	unsigned size;
	uint64_t mask;
	uint8_t bytes;
};

struct explore_memory {
	struct {
		uintptr_t word;
		uint32_t execution;
		uint32_t place;
	} table[TABLE_SIZE];
	struct place place[PLACES_MAX];
	struct store store[STORES_MAX];
	uint32_t execution, nplaces, nstores;
};
extern struct explore_memory explore__memory;
#define mem	explore__memory	/* for short */

/* explore_choice.c: the newest store from i on that wrote any of the bytes. */
uint32_t explore__overlapping(uint32_t i, uint8_t bytes);
struct explore_reads *explore__reads_of(const struct access *);
/* The store that a load reads; `except`: a value that no old one may have. */
uint32_t explore__choose_old(const struct access *, struct fiber *, int order,
    const uint64_t *except, int *age);

/* A store, by its index, is seen by everybody from now on. */
void explore__store_show(uint32_t store);

/* 1: the model has store buffers.  Otherwise the others are not called. */
int explore__buffered(void);
void explore__buffer_reset(void);
void explore__buffer_add(uint32_t store, uintptr_t word, uint8_t bytes,
    int order);
int explore__buffer_drain(int fiber);	/* 1: there was something */
void explore__buffer_show(uint32_t store);
void explore__buffer_show_word(const volatile void *);
void explore__buffer_fence(void);
void explore__buffer_section_end(void);
void explore__buffer_show_ended(void);

#endif /* EVBUS_EXPLORE_MEMORY_H */
