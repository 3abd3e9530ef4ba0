/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * bus.h - layer 6: the bus itself.
 */
#ifndef EVBUS_SRC_BUS_H
#define EVBUS_SRC_BUS_H

#include <evbus/bus.h>

#include "group/group.h"

#define EVBUS__BUS_MAGIC	0x65764275u
#define EVBUS__WORKERS_MAX	64u

struct evbus__worker;

struct evbus {
	struct evbus__context context;		/* first */
	struct evbus_options options;
	struct evbus_reader_report *report;	/* [max_readers] */
	struct evbus__mutex default_lock;	/* of the reader below */
	struct evbus_reader *reader;		/* evbus_subscribe()'s */
	uint32_t workers;			/* under the bus's lock */
	struct evbus__worker *worker[EVBUS__WORKERS_MAX];
};

static inline struct evbus__context *
evbus__context_of(struct evbus *bus)
{
	return &bus->context;
}

/* options.c: check and complete; 0 or a refusal. */
int evbus__options_check(struct evbus_options *);

/* close.c: is anybody inside a call that could touch the bus's memory? */
int evbus__somebody_inside(struct evbus *);

/* run/worker.c */
int evbus__worker_join(struct evbus_reader *, const char *worker);
void evbus__worker_leave(struct evbus_reader *);
int evbus__worker_done_with(struct evbus_reader *);
void evbus__workers_stop(struct evbus *);
/* Join those that have ended, until the deadline; how many still run. */
unsigned evbus__workers_join(struct evbus *, int64_t deadline);
void evbus__workers_free(struct evbus *);

#endif /* EVBUS_SRC_BUS_H */
