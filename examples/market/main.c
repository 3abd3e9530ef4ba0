/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * main.c - the market example: a program whose modules talk only through
 * events.
 *
 * A feed reads order messages of a stock exchange and publishes each as an
 * event.  Other modules make something of them: the order book, the tape of
 * what was traded, alerts, a screen.  Each module is a file, a thread, a reader
 * and a state that nobody else can see; no module calls another or knows which
 * others there are.  What they share is in market.h: topics and event types.
 *
 *	feed --orders--> book --bbo----> risk --alert--> screen, report
 *	       |           `----state--> check
 *	       `-------> tape, risk, screen
 *	all ---summary--> report
 *
 * This file starts them and ends them.  The main thread is the report: it
 * collects what the modules tell at their end and prints it, with what the bus
 * did, and checks that not an event was lost on the way.
 *
 *	market.h format.c	what the modules share
 *	module.c		what they do alike
 *	feed.c book.c tape.c risk.c screen.c check.c	the modules
 *	lines.c message.c	text to messages
 *	generator.c		text, when there is no file
 *	report.c results.c	the end
 *	options.c main.c	the start
 *
 * Files: LOBSTER, https://lobsterdata.com, "message" and "orderbook".
 */
#include "generator.h"
#include "options.h"
#include "report.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define ORDERS_CAPACITY	65536u			/* slots of 64 bytes */
#define BBO_CAPACITY	16384u
#define ALERT_CAPACITY	4096u
#define SUMMARY_CAPACITY 64u
#define PUBLISH_TIMEOUT	(30 * MARKET_SECOND)	/* a module hangs */
#define CLOSE_TIMEOUT	(5 * MARKET_SECOND)

struct market {
	struct options options;
	struct market_config config;
	struct generator *generator;
	struct report report;
	unsigned modules;			/* a bit for each */
	unsigned started;
	pthread_t thread[MARKET_MODULES];
};

static void *(*const module_run[MARKET_MODULES])(void *) = {
	feed_run, book_run, tape_run, risk_run, screen_run, check_run
};

static int
complain(const char *what, const char *why)
{
	fprintf(stderr, "market: %s: %s\n", what, why);
	return -1;
}

/* Open a file to read; a directory is none. */
static int
open_file(const char *path, uint64_t *bytes)
{
	struct stat status;
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return complain(path, strerror(errno));
	if (fstat(fd, &status) < 0 || S_ISDIR(status.st_mode)) {
		close(fd);
		return complain(path, strerror(EISDIR));
	}
	*bytes = S_ISREG(status.st_mode) ? (uint64_t)status.st_size : 0;
	return fd;
}

/* The feed reads what the generator writes, as it would read a file. */
static int
open_generator(struct market *market)
{
	struct generator_options options = {
		.seed = market->options.seed,
		.duration_ns = (int64_t)(market->options.seconds * 1e9),
		.messages = market->options.messages
	};
	int ends[2];

	if (pipe(ends) < 0)
		return complain("pipe", strerror(errno));
	options.fd = ends[1];
	market->generator = generator_start(&options);
	if (market->generator == NULL) {
		close(ends[0]);
		close(ends[1]);
		return complain("generator", strerror(ENOMEM));
	}
	return ends[0];
}

static int
open_input(struct market *market)
{
	const struct options *options = &market->options;
	struct market_config *config = &market->config;
	uint64_t bytes;
	int fd;

	if (options->book != NULL) {
		fd = open_file(options->book, &bytes);
		if (fd < 0)
			return -1;
		close(fd);		/* those who need it open it */
	}
	config->data_fd = options->data == NULL ? open_generator(market) :
	    open_file(options->data, &config->data_bytes);
	if (config->data_fd < 0)
		return -1;
	config->symbol = options->symbol;
	config->book_path = options->book;
	config->speed = options->speed;
	config->terminal = isatty(STDOUT_FILENO) && getenv("TERM") != NULL &&
	    strcmp(getenv("TERM"), "dumb") != 0;
	return 0;
}

static int
open_stream(struct market_config *config, enum market_stream number,
    const char *pattern, const struct evbus_stream_options *options)
{
	int result = evbus_stream_open(config->bus, pattern, options,
	    &config->stream[number]);

	return result < 0 ? complain(pattern, evbus_errmsg()) : 0;
}

/* The bus and its streams; market.h tells what each is for. */
static int
open_bus(struct market_config *config)
{
	struct evbus_options options = {
		.name = "market",
		.stream = {
			.capacity = ORDERS_CAPACITY,
			.producers = EVBUS_PRODUCERS_ONE,
			.timeout_ns = PUBLISH_TIMEOUT
		}
	};
	struct evbus_stream_options one = {
		.capacity = BBO_CAPACITY,
		.producers = EVBUS_PRODUCERS_ONE,
		.timeout_ns = PUBLISH_TIMEOUT
	};
	struct evbus_stream_options many = {
		.capacity = ALERT_CAPACITY,
		.timeout_ns = PUBLISH_TIMEOUT
	};
	struct evbus_stream_options summary = {
		.capacity = SUMMARY_CAPACITY,
		.slot_size = MARKET_SUMMARY_SLOT,
		.timeout_ns = PUBLISH_TIMEOUT
	};

	if (evbus_open(&config->bus, &options) < 0)
		return complain("bus", evbus_errmsg());
	config->stream[MARKET_ORDERS] = evbus_stream_default(config->bus);
	if (open_stream(config, MARKET_BBO, "market.*.bbo", &one) < 0 ||
	    open_stream(config, MARKET_STATE, "market.*.state", &one) < 0 ||
	    open_stream(config, MARKET_ALERT, "market.*.alert", &many) < 0)
		return -1;
	return open_stream(config, MARKET_SUMMARY, "market.*.summary.>",
	    &summary);
}

static int
start_module(struct market *market, int module)
{
	int error = pthread_create(&market->thread[module], NULL,
	    module_run[module], &market->config);

	if (error != 0)
		return complain(market_module_name[module], strerror(error));
	market->started |= 1u << module;
	return 0;
}

/* The feed comes last: when it starts, all others have subscribed. */
static int
start(struct market *market)
{
	unsigned others;
	int module;

	market->modules = (1u << MARKET_MODULES) - 1;
	if (market->config.book_path == NULL)
		market->modules &= ~(1u << MARKET_CHECK);
	others = market->modules & ~(1u << MARKET_FEED);
	if (report_open(&market->report, &market->config) < 0)
		return -1;
	for (module = 0; module < MARKET_MODULES; module++)
		if ((others >> module & 1) != 0 &&
		    start_module(market, module) < 0)
			return -1;
	if (report_await_ready(&market->report, others) < 0)
		return -1;
	return start_module(market, MARKET_FEED);
}

static void
print_title(const struct market *market)
{
	const struct options *options = &market->options;

	if (options->data != NULL)
		printf("market: %s from %s", options->symbol, options->data);
	else
		printf("market: %s, a made-up feed with seed %" PRIu64
		    ", for %.1f s", options->symbol, options->seed,
		    options->seconds);
	if (options->speed > 0)
		printf(", %g times as fast as recorded\n", options->speed);
	else
		printf(", at full speed\n");
	fflush(stdout);
}

/*
 * Close first, then wait for the threads: if one has failed, the others may be
 * waiting for events that will not come, and the close tells them.
 */
static int
finish(struct market *market, int failed)
{
	struct market_config *config = &market->config;
	struct evbus_report report;
	int result, module;

	memset(&report, 0, sizeof report);
	result = evbus_close(config->bus, CLOSE_TIMEOUT, &report);
	if (result < 0 && !failed)
		failed = complain("close", evbus_strerror(result));
	if (!(market->started >> MARKET_FEED & 1))
		close(config->data_fd);
	for (module = 0; module < MARKET_MODULES; module++)
		if (market->started >> module & 1)
			pthread_join(market->thread[module], NULL);
	generator_join(market->generator);
	if (!failed)
		failed = results_print(&market->report, &report,
		    market->modules);
	result = evbus_free(config->bus);
	if (result < 0)
		failed = complain("free", evbus_strerror(result));
	return failed;
}

/* Lines there were, but not a message among them: it is some other file. */
static int
check_feed(const struct market *market)
{
	const struct market_feed_result *feed =
	    &market->report.summary[MARKET_FEED].of.feed;

	if (feed->messages == 0 && feed->malformed > 0)
		return complain(market->options.data,
		    "not a LOBSTER message file");
	return 0;
}

int
main(int argc, char **argv)
{
	static struct market market;
	int failed, go_on = options_parse(&market.options, argc, argv);

	if (go_on <= 0)
		return go_on < 0;
	if (open_input(&market) < 0 || open_bus(&market.config) < 0)
		return 1;
	print_title(&market);
	failed = start(&market) < 0 || report_await_finished(&market.report,
	    market.modules) < 0;
	failed = finish(&market, failed);
	if (!failed && check_feed(&market) < 0)
		failed = 1;
	if (fflush(stdout) != 0)
		failed = complain("standard output", strerror(errno));
	return failed != 0;
}
