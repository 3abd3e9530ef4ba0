/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * module.c - what all modules do alike; see module.h.
 */
#include "module.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MODULE_BUDGET 256u	/* sequences of one poll */

/*
 * Keep the first failure and tell it, code 0: with no code of the bus.  A bus
 * that was closed is no news: somebody else has failed, and told why.
 */
void
module_fail(struct module *module, const char *what, int code)
{
	const char *name = market_module_name[module->summary.module];

	if (module->failed)
		return;
	module->failed = 1;
	if (code == 0)
		fprintf(stderr, "market: %s: %s\n", name, what);
	else if (code == EVBUS_EFULL || code == EVBUS_ETIMEDOUT)
		fprintf(stderr, "market: %s: %s: %s\n", name, what,
		    evbus_strerror(code));
	else if (code != EVBUS_ECLOSED)
		fprintf(stderr, "market: %s: %s: %s: %s\n", name, what,
		    evbus_strerror(code), evbus_errmsg());
}

/* A module's own state, zeroed.  Without memory no program is left to run. */
void *
module_new(size_t size_bytes)
{
	void *state = calloc(1, size_bytes);

	if (state == NULL) {
		fprintf(stderr, "market: no memory for a module\n");
		exit(1);
	}
	return state;
}

void
module_open(struct module *module, const struct market_config *config,
    enum market_module number, enum module_reader kind)
{
	const char *name = market_module_name[number];
	struct evbus_reader_options options = { .name = name };
	char topic[sizeof "summary." + 16];
	int result;

	memset(module, 0, sizeof *module);
	module->config = config;
	module->summary.module = (uint32_t)number;
	module->summary.has_reader = kind != MODULE_NO_READER;
	module->summary.lossy = kind == MODULE_LOSSY;
	options.lossy = kind == MODULE_LOSSY;

	result = evbus_publisher_set_name(config->bus, name);
	if (result < 0)
		module_fail(module, "cannot name its thread", result);
	snprintf(topic, sizeof topic, "summary.%s", name);
	module_outlet(module, &module->summary_outlet, MARKET_SUMMARY, topic);
	if (kind == MODULE_NO_READER || module->failed)
		return;
	result = evbus_reader_open(config->bus, &options, &module->reader);
	if (result < 0)
		module_fail(module, "cannot open a reader", result);
}

/* The full name of a kind: market.<symbol>.<kind>. */
static void
full_name(const struct module *module, const char *kind, char *name,
    size_t size)
{
	snprintf(name, size, "market.%s.%s", module->config->symbol, kind);
}

void
module_outlet(struct module *module, struct outlet *outlet,
    enum market_stream stream, const char *kind)
{
	char name[EVBUS_TOPIC_NAME_MAX + 1];
	int result;

	if (module->failed)
		return;
	full_name(module, kind, name, sizeof name);
	outlet->stream = stream;
	result = evbus_topic_open(module->config->bus, name, NULL,
	    &outlet->topic);
	if (result < 0)
		module_fail(module, "cannot open a topic", result);
}

void
module_subscribe(struct module *module, const char *kind,
    evbus_handler handler, void *arg)
{
	char name[EVBUS_TOPIC_NAME_MAX + 1];
	int64_t id;

	if (module->failed)
		return;
	full_name(module, kind, name, sizeof name);
	id = evbus_reader_subscribe(module->reader, name, handler, arg, NULL);
	if (id < 0)
		module_fail(module, "cannot subscribe", (int)id);
}

void
module_publish(struct module *module, const struct outlet *outlet,
    const void *data, size_t size)
{
	int result;

	if (module->failed)
		return;
	result = evbus_publish(outlet->topic, data, size);
	if (result < 0)
		module_fail(module, "cannot publish", result);
	else
		module->summary.published[outlet->stream]++;
}

/* The summary goes out whatever has happened; main waits for it. */
static int
publish_summary(struct module *module, enum market_stage stage)
{
	struct market_summary *summary = &module->summary;

	if (module->summary_outlet.topic == NULL)
		return EVBUS_ENOENT;
	summary->stage = (uint32_t)(module->failed ? MARKET_FAILED : stage);
	summary->published[MARKET_SUMMARY]++;
	return evbus_publish(module->summary_outlet.topic, summary,
	    sizeof *summary);
}

/* From here on the module sees every event that is published. */
void
module_ready(struct module *module)
{
	int result = module->failed ? 0 :
	    publish_summary(module, MARKET_READY);

	if (result < 0)
		module_fail(module, "cannot say that it is ready", result);
}

/* One poll; 0: nothing was there. */
int
module_poll(struct module *module, unsigned budget)
{
	int passed = evbus_poll(module->reader, budget);

	if (passed < 0)
		module_fail(module, "cannot poll", passed);
	return passed;
}

/* Hand events to the handlers until they have seen all last events. */
void
module_loop(struct module *module)
{
	int result;

	while (!module->failed && module->to_end > 0) {
		if (module_poll(module, MODULE_BUDGET) != 0)
			continue;
		result = evbus_wait(module->reader, MARKET_SECOND);
		if (result < 0)
			module_fail(module, "cannot wait", result);
	}
}

/* What the reader has done so far, and where it stands; 0 or a code. */
int
module_read_stats(struct evbus_reader *reader,
    struct evbus_stream *const *streams, struct market_reader *done)
{
	struct evbus_reader_stats stats;
	int result, i;

	result = evbus_reader_stats(reader, &stats);
	if (result < 0)
		return result;
	done->delivered = stats.delivered;
	done->skipped = stats.skipped;
	done->holes = stats.holes;
	done->lost = stats.lost;
	done->passed = stats.passed;
	done->lag_max = stats.lag_max;
	for (i = 0; i < MARKET_STREAMS; i++)
		if (evbus_reader_position(reader, streams[i],
		    &done->position[i]) < 0)
			done->position[i] = MARKET_NOWHERE;
	return 0;
}

/*
 * The last thing that a module's thread does.  A reader that is run no longer
 * would hold the others up, so one that has failed closes it; all others leave
 * that to evbus_close(), whose report then lists it.
 */
void *
module_finish(struct module *module)
{
	int result;

	if (module->reader != NULL && !module->failed) {
		result = module_read_stats(module->reader,
		    module->config->stream, &module->summary.reader);
		if (result < 0)
			module_fail(module, "cannot read its counters",
			    result);
	}
	if (module->reader != NULL && module->failed)
		evbus_reader_close(module->reader, 0);
	if (publish_summary(module, MARKET_FINISHED) < 0)
		module_fail(module, "cannot publish its summary",
		    EVBUS_ECLOSED);
	return module->failed ? module->config->bus : NULL;
}
