/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * report.h - collects what the modules tell, and prints it.
 */
#ifndef MARKET_REPORT_H
#define MARKET_REPORT_H

#include "market.h"

#define REPORT_TOLD 10			/* malformed lines kept one by one */

struct report {
	const struct market_config *config;
	struct evbus_reader *reader;
	uint64_t start[MARKET_STREAMS];	/* where the numbering began */
	unsigned ready;			/* a bit for each module */
	unsigned finished;
	unsigned failed;
	int alerts_over;
	uint64_t alerts[MARKET_ALERTS];
	unsigned told;
	struct market_alert malformed[REPORT_TOLD];
	struct market_summary summary[MARKET_MODULES];
	struct market_reader own;	/* of report's reader */
};

/* report.c: on the main thread; all return 0 or have told what is wrong. */
int report_open(struct report *, const struct market_config *);
int report_await_ready(struct report *, unsigned modules);
int report_await_finished(struct report *, unsigned modules);

/* results.c: 0, or 1 if something does not add up. */
int results_print(struct report *, const struct evbus_report *, unsigned);

#endif /* MARKET_REPORT_H */
