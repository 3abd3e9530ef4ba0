/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * bus.h - layer 6: the bus itself.
 */
#ifndef EVBUS_SRC_BUS_H
#define EVBUS_SRC_BUS_H

#include <evbus/bus.h>

#include "group/group.h"
#include "timer/timer.h"

#define EVBUS__BUS_MAGIC	0x65764275u
#define EVBUS__WORKERS_MAX	64u
#define EVBUS__DEFAULT_WORKER	"evbus"	/* runs what names no other */

struct evbus__worker;

struct evbus {
	struct evbus__context context;		/* first */
	struct evbus_options options;
	struct evbus_reader_report *report;	/* [max_readers] */
	struct evbus__mutex default_lock;	/* of the reader below */
	struct evbus_reader *reader;		/* evbus_subscribe()'s */
	struct evbus__worker *loop;		/* of own_loop; or NULL */
	uint32_t workers;			/* places ever used; the lock */
	struct evbus__worker *worker[EVBUS__WORKERS_MAX];
	struct evbus__worker *timer_worker;	/* runs timers; once started */
};

static inline struct evbus__context *
evbus__context_of(struct evbus *bus)
{
	return &bus->context;
}

/* options.c: check and complete; 0 or a refusal. */
int evbus__options_check(struct evbus_options *);

/* report.c: open claims, of one thread or (NULL) of all. */
unsigned evbus__open_claims(const struct evbus__context *,
    const struct evbus_publisher *of);
int evbus__is_open(const struct evbus_reader *);
/* Committed, not passed; `owed`: only where it is lossless. */
uint64_t evbus__left_for(const struct evbus_reader *, int owed);
void evbus__report_fill(struct evbus *, struct evbus_report *);

/* close.c: is anybody inside a call that could touch the bus's memory? */
int evbus__somebody_inside(struct evbus *);

/* run/worker.c */
int evbus__worker_join(struct evbus_reader *, const char *worker);
void evbus__worker_leave(struct evbus_reader *);
int evbus__worker_done_with(struct evbus_reader *);
/* Start the worker that runs timers, if it does not run yet; let it look. */
int evbus__worker_time(struct evbus__context *);
void evbus__worker_hurry(struct evbus__context *);
void evbus__workers_stop(struct evbus *);
/* Join those that have ended, until the deadline; how many still run. */
unsigned evbus__workers_join(struct evbus *, int64_t deadline);
void evbus__workers_free(struct evbus *);

/* run/loop.c */
int evbus__loop_open(struct evbus *);
/* Closing: run the loop's readers, if the caller is who runs them; 1: they
 * passed something. */
unsigned evbus__loop_drain(struct evbus *, struct evbus_publisher *self);

#endif /* EVBUS_SRC_BUS_H */
