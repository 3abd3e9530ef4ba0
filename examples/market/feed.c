/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * feed.c - the module that reads messages and publishes them as events, one
 * topic for each kind.  The only publisher of the stream of orders; it reads
 * no stream.
 *
 * A true book, when there is one, is published first: its first row, level by
 * level, as `seed` events that name the row after which they hold.
 */
#include "module.h"
#include "text.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define FEED_TOLD	10u			/* malformed lines told one
						 * by one */
#define FEED_PROGRESS	(MARKET_SECOND / 20)	/* between progress events */
#define FEED_LOOK	64u			/* messages between looks at
						 * the clock */
#define FEED_LEVELS	400			/* numbers of a book row */

struct feed {
	struct module module;
	struct outlet kind[MARKET_TYPES];
	struct outlet seed;
	struct outlet progress;
	struct outlet end;
	struct outlet alert;
	struct market_feed_result result;
	uint32_t row;			/* of the message file */
	int header;			/* it began with a header line */
	int64_t started;		/* clock at the first message */
	int64_t next_progress;		/* clock */
	struct lines lines;
};

static void
open_topics(struct feed *feed)
{
	struct module *module = &feed->module;
	int type;

	for (type = 1; type < MARKET_TYPES; type++)
		module_outlet(module, &feed->kind[type], MARKET_ORDERS,
		    market_kind[type]);
	module_outlet(module, &feed->seed, MARKET_ORDERS, "seed");
	module_outlet(module, &feed->progress, MARKET_ORDERS, "progress");
	module_outlet(module, &feed->end, MARKET_ORDERS, "end");
	module_outlet(module, &feed->alert, MARKET_ALERT, "alert");
}

static void
publish_progress(struct feed *feed, const struct outlet *outlet)
{
	struct market_progress progress = {
		.bytes = feed->lines.bytes,
		.bytes_total = feed->module.config->data_bytes,
		.time = feed->result.last,
		.row = feed->row,
		.malformed = (uint32_t)feed->result.malformed
	};

	module_publish(&feed->module, outlet, &progress, sizeof progress);
}

/* One level of the true book; size 0 stands for a level that is not there. */
static void
publish_level(struct feed *feed, int64_t price, int64_t size, int buy)
{
	struct market_order level = { .price = price, .row = 1 };

	if (size == 0)
		return;
	if (size < 0 || size > MARKET_QUANTITY_MAX || price <= 0 ||
	    price > MARKET_PRICE_MAX) {
		module_fail(&feed->module,
		    "the first row of the book is out of range", 0);
		return;
	}
	level.quantity = (uint32_t)size & 0x7fffffffu;
	level.buy = buy != 0;
	module_publish(&feed->module, &feed->seed, &level, sizeof level);
}

/* Ask price, ask size, bid price, bid size, and so on for each level. */
static void
publish_seed(struct feed *feed, const char *text, size_t length)
{
	int64_t value[FEED_LEVELS];
	int count, i;

	count = text_integers(text, length, value, FEED_LEVELS);
	if (count < 4 || count % 4 != 0) {
		module_fail(&feed->module,
		    "the first row of the book is not a row of levels", 0);
		return;
	}
	for (i = 0; i < count; i += 4) {
		publish_level(feed, value[i], value[i + 1], 0);
		publish_level(feed, value[i + 2], value[i + 3], 1);
	}
}

static void
read_seed(struct feed *feed)
{
	const char *text = NULL;
	size_t length = 0;

	feed->lines.fd = open(feed->module.config->book_path,
	    O_RDONLY | O_CLOEXEC);
	if (feed->lines.fd < 0) {
		module_fail(&feed->module, "cannot open the true book", 0);
		return;
	}
	if (lines_next(&feed->lines, &text, &length) == 1)
		publish_seed(feed, text, length);
	else
		module_fail(&feed->module, "the true book is empty", 0);
	close(feed->lines.fd);
}

/* Tell the first ones, count them all. */
static void
malformed(struct feed *feed, enum text_reason reason)
{
	struct market_alert alert = {
		.kind = MARKET_ALERT_MALFORMED,
		.row = (uint32_t)feed->lines.number,
		.id = (uint64_t)reason
	};

	if (feed->result.malformed++ < FEED_TOLD)
		module_publish(&feed->module, &feed->alert, &alert,
		    sizeof alert);
}

/* Hold an event back until its time has come. */
static void
pace(struct feed *feed, int64_t time_ns)
{
	double since = (double)(time_ns - feed->result.first);
	int64_t wait_ns = feed->started - market_clock() +
	    (int64_t)(since / feed->module.config->speed);
	struct timespec rest;

	if (wait_ns <= 0)
		return;
	if (wait_ns > MARKET_SECOND / 10)
		publish_progress(feed, &feed->progress);
	rest.tv_sec = (time_t)(wait_ns / MARKET_SECOND);
	rest.tv_nsec = (long)(wait_ns % MARKET_SECOND);
	while (nanosleep(&rest, &rest) < 0 && errno == EINTR)
		continue;
}

static void
publish_message(struct feed *feed, struct text_message *message)
{
	struct market_feed_result *result = &feed->result;

	if (result->messages == 0)
		result->first = message->order.time;
	if (feed->module.config->speed > 0)
		pace(feed, message->order.time);
	result->messages++;
	result->count[message->type]++;
	result->last = message->order.time;
	message->order.row = feed->row;
	module_publish(&feed->module, &feed->kind[message->type],
	    &message->order, sizeof message->order);
}

static void
look_at_clock(struct feed *feed)
{
	int64_t now = market_clock();

	if (now < feed->next_progress)
		return;
	feed->next_progress = now + FEED_PROGRESS;
	publish_progress(feed, &feed->progress);
}

static void
read_line(struct feed *feed, const char *text, size_t length)
{
	struct text_message message;
	enum text_reason reason;

	if (length == 0)
		return;
	if (feed->row == 0 && !feed->header && text_is_header(text, length)) {
		feed->header = 1;
		return;
	}
	feed->row++;
	reason = text_message(text, length, &message);
	if (reason == TEXT_OK)
		publish_message(feed, &message);
	else
		malformed(feed, reason);
	if (feed->row % FEED_LOOK == 0 || feed->module.config->speed > 0)
		look_at_clock(feed);
}

static void
read_messages(struct feed *feed)
{
	const char *text;
	size_t length;
	int result = 0;

	memset(&feed->lines, 0, sizeof feed->lines);
	feed->lines.fd = feed->module.config->data_fd;
	feed->started = market_clock();
	while (!feed->module.failed &&
	    (result = lines_next(&feed->lines, &text, &length)) == 1)
		read_line(feed, text, length);
	if (result < 0)
		module_fail(&feed->module, strerror(errno), 0);
	feed->result.lines = feed->lines.number;
	feed->result.elapsed = market_clock() - feed->started;
}

void *
feed_run(void *arg)
{
	const struct market_config *config = arg;
	struct feed *feed = module_new(sizeof *feed);
	void *result;

	module_open(&feed->module, config, MARKET_FEED, MODULE_NO_READER);
	open_topics(feed);
	module_ready(&feed->module);
	if (config->book_path != NULL && !feed->module.failed)
		read_seed(feed);
	read_messages(feed);
	publish_progress(feed, &feed->end);
	close(config->data_fd);
	feed->module.summary.of.feed = feed->result;
	result = module_finish(&feed->module);
	free(feed);
	return result;
}
