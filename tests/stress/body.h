/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * body.h - the one body of all stress programs; each program is one mode of
 * it.  It runs for EVBUS_STRESS_SECONDS (2).
 */
#ifndef STRESS_BODY_H
#define STRESS_BODY_H

#include "support/event_check.h"

struct stress_mode {
	const char *name;
	struct evbus_stream_options stream;
	unsigned producers;	/* up to 8 */
	unsigned lossless;	/* readers, together up to 8 */
	unsigned lossy;
	unsigned churners;	/* threads that come and go */
	int mixed;		/* payloads outside slots, batches, claims */
	int close_in_flow;	/* close while all run; else when all is done */
};

int stress_main(const struct stress_mode *);

#endif /* STRESS_BODY_H */
