/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * generator.h - a made-up exchange that writes a message file, in the format
 * of message.c, to a descriptor.
 */
#ifndef MARKET_GENERATOR_H
#define MARKET_GENERATOR_H

#include "market.h"

#include <pthread.h>

struct generator_options {
	int fd;				/* written to, and closed */
	uint64_t seed;			/* same seed, same messages */
	int64_t duration_ns;		/* how long to go on; 0: no limit */
	uint64_t messages;		/* how many at most; 0: no limit */
};

struct generator;

/* Start its thread; NULL: there is no memory or no thread. */
struct generator *generator_start(const struct generator_options *);

/* Wait for its thread and free it. */
void generator_join(struct generator *);

#endif /* MARKET_GENERATOR_H */
