/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * module.h - what all modules do alike: open a reader, subscribe, say that they
 * are ready, run until their streams are over, and tell what they found.
 *
 * A module's thread calls these in that order:
 *
 *	module_new, module_open, module_outlet, module_subscribe,
 *	module_ready, module_loop, module_finish
 *
 * The first failure is kept and the later calls do nothing, so that a module
 * reads straight on; module_finish() tells.
 */
#ifndef MARKET_MODULE_H
#define MARKET_MODULE_H

#include "market.h"

/* A topic to publish on, and the stream that carries it. */
struct outlet {
	struct evbus_topic *topic;
	enum market_stream stream;
};

struct module {
	const struct market_config *config;
	struct evbus_reader *reader;	/* NULL: publishes only */
	struct outlet summary_outlet;
	struct market_summary summary;
	unsigned to_end;		/* last events still to come */
	int failed;
};

enum module_reader { MODULE_NO_READER, MODULE_LOSSLESS, MODULE_LOSSY };

void *module_new(size_t size_bytes);
void module_open(struct module *, const struct market_config *,
    enum market_module, enum module_reader);
void module_outlet(struct module *, struct outlet *, enum market_stream,
    const char *kind);
void module_subscribe(struct module *, const char *kind, evbus_handler,
    void *arg);
void module_publish(struct module *, const struct outlet *, const void *,
    size_t);
void module_ready(struct module *);
void module_loop(struct module *);
int module_poll(struct module *, unsigned budget);
void module_fail(struct module *, const char *what, int code);
void *module_finish(struct module *);
int module_read_stats(struct evbus_reader *, struct evbus_stream *const *,
    struct market_reader *);

#endif /* MARKET_MODULE_H */
