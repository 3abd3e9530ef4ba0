/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * report.c - what the main thread does while the modules work: it reads their
 * summaries and the alerts.  It knows no module but through these events.
 */
#include "report.h"
#include "module.h"

#include <stdio.h>
#include <string.h>

#define REPORT_BUDGET 256u
#define READY_SECONDS 10		/* to subscribe takes no time */

static enum evbus_verdict
on_summary(const struct evbus_event *event, void *arg)
{
	const struct market_summary *summary = event->data;
	struct report *report = arg;
	unsigned bit = 1u << summary->module;

	report->summary[summary->module] = *summary;
	if (summary->stage == MARKET_READY)
		report->ready |= bit;
	else
		report->finished |= bit;
	if (summary->stage == MARKET_FAILED)
		report->failed |= bit;
	return EVBUS_DONE;
}

static enum evbus_verdict
on_alert(const struct evbus_event *event, void *arg)
{
	const struct market_alert *alert = event->data;
	struct report *report = arg;

	if (alert->kind == MARKET_ALERT_LAST)
		report->alerts_over = 1;
	if (alert->kind == MARKET_ALERT_MALFORMED &&
	    report->told < REPORT_TOLD)
		report->malformed[report->told++] = *alert;
	report->alerts[alert->kind]++;
	return EVBUS_DONE;
}

static int
complain(const char *what, int64_t code)
{
	fprintf(stderr, "market: report: %s: %s: %s\n", what,
	    evbus_strerror((int)code), evbus_errmsg());
	return (int)code;
}

static int
subscribe(struct report *report, const char *kind, evbus_handler handler)
{
	char name[EVBUS_TOPIC_NAME_MAX + 1];
	int64_t id;

	snprintf(name, sizeof name, "market.%s.%s", report->config->symbol,
	    kind);
	id = evbus_reader_subscribe(report->reader, name, handler, report,
	    NULL);
	return id < 0 ? complain("cannot subscribe", id) : 0;
}

int
report_open(struct report *report, const struct market_config *config)
{
	struct evbus_reader_options options = { .name = "report" };
	struct evbus_stream_stats stats;
	int result, i;

	memset(report, 0, sizeof *report);
	report->config = config;
	for (i = 0; i < MARKET_STREAMS; i++) {
		result = evbus_stream_stats(config->stream[i], &stats);
		if (result < 0)
			return complain("cannot read a stream", result);
		report->start[i] = stats.tail;
	}
	result = evbus_reader_open(config->bus, &options, &report->reader);
	if (result < 0)
		return complain("cannot open a reader", result);
	result = subscribe(report, "summary.*", on_summary);
	if (result == 0)
		result = subscribe(report, "alert", on_alert);
	return result;
}

/* Take in what is there, or wait for it; 0: a second passed without. */
static int
look(struct report *report)
{
	int result = evbus_poll(report->reader, REPORT_BUDGET);

	if (result == 0)
		result = evbus_wait(report->reader, MARKET_SECOND);
	return result < 0 ? complain("cannot read", result) : result > 0;
}

/*
 * Until all modules have told; a module that has failed has told why.  The feed
 * may well be silent for longer than any limit, if it is paced: 0 is none.
 */
static int
await(struct report *report, const unsigned *seen, unsigned modules,
    int seconds)
{
	int result;

	while ((*seen & modules) != modules) {
		if (report->failed != 0)
			return EVBUS_ECLOSED;
		result = look(report);
		if (result < 0)
			return result;
		if (result == 0 && --seconds == 0)
			return complain("a module is silent",
			    EVBUS_ETIMEDOUT);
	}
	return 0;
}

int
report_await_ready(struct report *report, unsigned modules)
{
	return await(report, &report->ready, modules, READY_SECONDS);
}

int
report_await_finished(struct report *report, unsigned modules)
{
	int result = await(report, &report->finished, modules, 0);

	while (result >= 0 && report->failed == 0 && !report->alerts_over)
		result = look(report);
	if (result >= 0 && report->failed != 0)
		result = EVBUS_ECLOSED;
	if (result < 0)
		return result;
	result = module_read_stats(report->reader, report->config->stream,
	    &report->own);
	return result < 0 ? complain("cannot read its counters", result) : 0;
}
