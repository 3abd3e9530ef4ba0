/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * explore_foot.h - what a transition touched: see explore_foot.c.
 */
#ifndef EVBUS_EXPLORE_FOOT_H
#define EVBUS_EXPLORE_FOOT_H

#include "explore_core.h"

#define EXPLORE_TOUCHED_MAX	40	/* more: depends on everything */

struct explore_foot {
	unsigned n;
	int all;
	struct {
		uintptr_t word;
		uint8_t bytes;
		uint8_t kind;
	} at[EXPLORE_TOUCHED_MAX];
};

extern struct explore_foot explore__foot;	/* of the running transition */

void explore__foot_clear(struct explore_foot *);
int explore__foot_depend(const struct explore_foot *,
    const struct explore_foot *);
void explore__foot_merge(struct explore_foot *to,
    const struct explore_foot *from);

#endif /* EVBUS_EXPLORE_FOOT_H */
