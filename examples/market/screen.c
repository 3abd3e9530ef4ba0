/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * screen.c - the module that shows what goes on: a table, drawn again and
 * again, on a terminal; a line now and then otherwise.
 *
 * A screen needs ten pictures a second and not a million events, so its reader
 * is lossy: it looks, draws and sleeps, and the feed never waits for it.  What
 * went by unread is counted, and shown.
 */
#include "module.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define FRAME_TERMINAL	(MARKET_SECOND / 10)
#define FRAME_LINES	(MARKET_SECOND / 2)
#define SCREEN_NAP	(MARKET_SECOND / 50)
#define SCREEN_BUDGET	1024u
#define SCREEN_ROWS	7		/* of the table */
#define SCREEN_BAR	40

struct screen {
	struct module module;
	uint64_t frames;
	uint64_t lost;			/* orders, told in the events */
	uint64_t alerts;		/* that it saw */
	int64_t time;			/* recorded */
	int64_t last_price;		/* 0: nothing traded yet */
	uint32_t row;
	struct market_bbo best;
	struct market_alert alert;	/* the newest */
	struct market_progress progress;
	int64_t frame_ns;
	int64_t started;		/* clock */
	int64_t drawn;			/* clock at the frame before */
	uint32_t drawn_row;
	double rate;			/* messages a second */
};

static enum evbus_verdict
on_order(const struct evbus_event *event, void *arg)
{
	const struct market_order *order = event->data;
	struct screen *screen = arg;

	screen->lost += event->lost;
	screen->time = order->time;
	screen->row = order->row;
	return EVBUS_DONE;
}

static enum evbus_verdict
on_trade(const struct evbus_event *event, void *arg)
{
	const struct market_order *order = event->data;
	struct screen *screen = arg;

	screen->last_price = order->price;
	return on_order(event, arg);
}

static enum evbus_verdict
on_bbo(const struct evbus_event *event, void *arg)
{
	const struct market_bbo *best = event->data;
	struct screen *screen = arg;

	screen->best = *best;
	if (best->flags & MARKET_LAST)
		screen->module.to_end--;
	return EVBUS_DONE;
}

static enum evbus_verdict
on_alert(const struct evbus_event *event, void *arg)
{
	const struct market_alert *alert = event->data;
	struct screen *screen = arg;

	if (alert->kind == MARKET_ALERT_LAST) {
		screen->module.to_end--;
		return EVBUS_DONE;
	}
	screen->alerts += event->lost + 1;
	screen->alert = *alert;
	return EVBUS_DONE;
}

static enum evbus_verdict
on_progress(const struct evbus_event *event, void *arg)
{
	const struct market_progress *progress = event->data;
	struct screen *screen = arg;

	screen->lost += event->lost;
	screen->progress = *progress;
	screen->time = progress->time;
	screen->row = progress->row;
	return EVBUS_DONE;
}

static enum evbus_verdict
on_end(const struct evbus_event *event, void *arg)
{
	struct screen *screen = arg;

	screen->module.to_end--;
	return on_progress(event, arg);
}

/* The newest alert in words. */
static const char *
alert_text(const struct screen *screen, char *buffer, size_t size)
{
	static const char *const what[MARKET_ALERTS] = {
		"", "bid above ask", "an order never announced", "price jump",
		"malformed"
	};
	const struct market_alert *alert = &screen->alert;

	buffer[0] = '\0';
	if (alert->kind > MARKET_ALERT_LAST && alert->kind < MARKET_ALERTS)
		snprintf(buffer, size, "%s %" PRIu32 ": %s",
		    alert->kind == MARKET_ALERT_MALFORMED ? "line" : "row",
		    alert->row, what[alert->kind]);
	return buffer;
}

static const char *
level_text(int64_t price, uint32_t size, char *buffer, size_t room)
{
	char text[MARKET_TEXT];

	if (size == 0)
		snprintf(buffer, room, "none");
	else
		snprintf(buffer, room, "%s x %" PRIu32,
		    market_price(price, text), size);
	return buffer;
}

/* How far the file is read, 0 to 100; -1: nobody knows. */
static int
percent(const struct screen *screen)
{
	const struct market_progress *progress = &screen->progress;

	if (progress->bytes_total == 0)
		return -1;
	if (progress->bytes >= progress->bytes_total)
		return 100;
	return (int)(100 * progress->bytes / progress->bytes_total);
}

static void
draw_progress(const struct screen *screen, double seconds)
{
	char bar[SCREEN_BAR + 1];
	int done = percent(screen), i;

	if (done < 0) {
		printf("  %-10s %.1f s\033[K\n", "running", seconds);
		return;
	}
	for (i = 0; i < SCREEN_BAR; i++)
		bar[i] = i * 100 < done * SCREEN_BAR ? '#' : '.';
	bar[SCREEN_BAR] = '\0';
	printf("  %-10s %s %3d%%  %.1f s\033[K\n", "progress", bar, done,
	    seconds);
}

/* The table; each but the first is drawn over the one before. */
static void
draw_table(const struct screen *screen, double seconds)
{
	char a[64], b[64], text[MARKET_TEXT];

	if (screen->frames > 0)
		printf("\033[%dA", SCREEN_ROWS);
	printf("  %-10s %s\033[K\n", screen->module.config->symbol,
	    market_time(screen->time, text));
	draw_progress(screen, seconds);
	printf("  %-10s %-14" PRIu32 " %.0f a second\033[K\n", "messages",
	    screen->row, screen->rate);
	printf("  %-10s %-20s ask %s\033[K\n", "bid",
	    level_text(screen->best.bid, screen->best.bid_size, a, sizeof a),
	    level_text(screen->best.ask, screen->best.ask_size, b, sizeof b));
	printf("  %-10s %s\033[K\n", "last", screen->last_price == 0 ? "none" :
	    market_price(screen->last_price, text));
	printf("  %-10s %-14" PRIu64 " %s\033[K\n", "alerts", screen->alerts,
	    alert_text(screen, a, sizeof a));
	printf("  %-10s %" PRIu64 " events went by unread\033[K\n", "screen",
	    screen->lost);
}

static void
draw_line(const struct screen *screen, double seconds)
{
	char a[64], b[64], text[MARKET_TEXT], last[MARKET_TEXT];
	char done[16] = "";

	if (percent(screen) >= 0)
		snprintf(done, sizeof done, " %3d%%", percent(screen));
	printf("%6.1f s%s  %s  messages %" PRIu32 " (%.0f a second)  bid %s  "
	    "ask %s  last %s  alerts %" PRIu64 "\n", seconds, done,
	    market_time(screen->time, text), screen->row, screen->rate,
	    level_text(screen->best.bid, screen->best.bid_size, a, sizeof a),
	    level_text(screen->best.ask, screen->best.ask_size, b, sizeof b),
	    screen->last_price == 0 ? "none" :
	    market_price(screen->last_price, last), screen->alerts);
}

/* Draw if it is time to, or at the end. */
static void
draw(struct screen *screen)
{
	int64_t now = market_clock();
	int64_t since = now - screen->drawn;
	double seconds = (double)(now - screen->started) / 1e9;

	if (since < screen->frame_ns && screen->module.to_end > 0)
		return;
	if (since > 0)
		screen->rate = (double)(screen->row - screen->drawn_row) *
		    1e9 / (double)since;
	if (screen->module.to_end == 0 && seconds > 0)	/* of it all */
		screen->rate = screen->row / seconds;
	if (screen->module.config->terminal)
		draw_table(screen, seconds);
	else
		draw_line(screen, seconds);
	fflush(stdout);
	screen->frames++;
	screen->drawn = now;
	screen->drawn_row = screen->row;
}

static void
look(struct screen *screen)
{
	const struct timespec nap = { .tv_nsec = SCREEN_NAP };
	int passed;

	do {
		passed = module_poll(&screen->module, SCREEN_BUDGET);
		draw(screen);
	} while (passed > 0 && screen->module.to_end > 0);
	if (screen->module.to_end > 0)
		nanosleep(&nap, NULL);
}

static void
subscribe(struct screen *screen)
{
	struct module *module = &screen->module;
	int type;

	for (type = 1; type < MARKET_TYPES; type++)
		module_subscribe(module, market_kind[type],
		    type == MARKET_TRADE ? on_trade : on_order, screen);
	module_subscribe(module, "progress", on_progress, screen);
	module_subscribe(module, "end", on_end, screen);
	module_subscribe(module, "bbo", on_bbo, screen);
	module_subscribe(module, "alert", on_alert, screen);
}

void *
screen_run(void *arg)
{
	struct screen *screen = module_new(sizeof *screen);
	struct module *module = &screen->module;
	void *result;

	module_open(module, arg, MARKET_SCREEN, MODULE_LOSSY);
	module->to_end = 3;		/* of orders, of bbo, of alert */
	subscribe(screen);
	screen->frame_ns = module->config->terminal ? FRAME_TERMINAL :
	    FRAME_LINES;
	screen->started = screen->drawn = market_clock();
	module_ready(module);
	while (!module->failed && module->to_end > 0)
		look(screen);

	module->summary.of.screen.frames = screen->frames;
	result = module_finish(module);
	free(screen);
	return result;
}
