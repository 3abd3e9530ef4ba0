/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * options.h - the command line of the market example.
 */
#ifndef MARKET_OPTIONS_H
#define MARKET_OPTIONS_H

#include "market.h"

struct options {
	const char *data;		/* NULL: a generated feed */
	const char *book;		/* NULL: no true book */
	double speed;			/* 0: no pause */
	double seconds;			/* of a generated feed */
	uint64_t messages;		/* of a generated feed; 0: no limit */
	uint64_t seed;
	char symbol[MARKET_SYMBOL_MAX + 1];
};

/* 1: go on, 0: all is done (--help), -1: wrong, and told so. */
int options_parse(struct options *, int argc, char **argv);

#endif /* MARKET_OPTIONS_H */
