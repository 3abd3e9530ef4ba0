/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * market.h - the words that the modules of the market example share: topics,
 * streams, event types, and the configuration that each is started with.
 *
 * Topics are market.<symbol>.<kind>.  Which stream carries which:
 *
 *	stream	  pattern		kinds			publisher
 *	orders	  (the default stream)	add cancel delete trade	feed
 *					hidden cross halt
 *					seed progress end
 *	bbo	  market.*.bbo		bbo			book
 *	state	  market.*.state	state			book
 *	alert	  market.*.alert	alert			feed, risk
 *	summary	  market.*.summary.>	summary.<module>	every module
 *
 * A module that reads one stream and publishes to another never waits for
 * itself: follow the table and no path leads back to where it began.  If all
 * kinds shared one stream, book would need room in the very ring that it is
 * there to empty.
 *
 * Nothing is promised about the order of events of different streams, so each
 * stream says itself when it is over: `end` in orders, MARKET_LAST in bbo,
 * state and alert.  The feed's alerts all come before its `end`, and risk ends
 * the alerts when it has seen that: so this is the stream's very last event,
 * which even a lossy reader cannot miss.
 */
#ifndef MARKET_H
#define MARKET_H

#ifndef _POSIX_C_SOURCE
#define _POSIX_C_SOURCE 200809L
#endif

#include <inttypes.h>
#include <stddef.h>
#include <stdint.h>

#include <evbus.h>

#define MARKET_SYMBOL_MAX 16		/* bytes of a symbol */
#define MARKET_NOWHERE	UINT64_MAX	/* position of a reader not there */
#define MARKET_SECOND	INT64_C(1000000000)

enum market_stream {
	MARKET_ORDERS,
	MARKET_BBO,
	MARKET_STATE,
	MARKET_ALERT,
	MARKET_SUMMARY,
	MARKET_STREAMS			/* how many */
};

enum market_module {
	MARKET_FEED,
	MARKET_BOOK,
	MARKET_TAPE,
	MARKET_RISK,
	MARKET_SCREEN,
	MARKET_CHECK,			/* only with a true book */
	MARKET_MODULES			/* how many */
};

/* Message types, as the format numbers them; each is a kind of topic. */
enum market_type {
	MARKET_ADD = 1,			/* a new limit order */
	MARKET_CANCEL = 2,		/* part of an order taken back */
	MARKET_DELETE = 3,		/* all that is left of it */
	MARKET_TRADE = 4,		/* a visible order was executed */
	MARKET_HIDDEN = 5,		/* a hidden one was */
	MARKET_CROSS = 6,		/* an auction */
	MARKET_HALT = 7,		/* trading stops or goes on */
	MARKET_TYPES = 8
};

/* add cancel delete trade hidden cross halt; seed: one level of the book */
struct market_order {
	int64_t time;			/* ns after midnight, as recorded */
	int64_t price;			/* dollars x 10,000 */
	uint64_t id;			/* of the order; 0: none */
	uint32_t row;			/* of the message file, from 1 */
	uint32_t buy : 1;		/* the resting order buys */
	uint32_t quantity : 31;		/* shares */
};

#define MARKET_QUANTITY_MAX INT64_C(0x7fffffff)
#define MARKET_PRICE_MAX INT64_C(1000000000000)

/* progress and end: how far the feed is */
struct market_progress {
	uint64_t bytes;
	uint64_t bytes_total;		/* 0: not known */
	int64_t time;			/* ns after midnight, as recorded */
	uint32_t row;
	uint32_t malformed;		/* lines */
};

#define MARKET_LAST	1u		/* no more events of this publisher */

/* bbo: the best bid or ask changed; state: after each row.  Size 0: none. */
struct market_bbo {
	int64_t ask;
	int64_t bid;
	uint32_t ask_size;
	uint32_t bid_size;
	uint32_t row;
	uint32_t flags;			/* MARKET_LAST */
};

enum market_alert_kind {
	MARKET_ALERT_LAST,		/* no more alerts, of anybody */
	MARKET_ALERT_CROSSED,		/* price: bid, other: ask */
	MARKET_ALERT_UNSEEN,		/* id: an order never announced */
	MARKET_ALERT_JUMP,		/* price, other: the one before */
	MARKET_ALERT_MALFORMED,		/* row: line, id: the reason */
	MARKET_ALERTS
};

struct market_alert {
	uint32_t kind;			/* enum market_alert_kind */
	uint32_t row;
	int64_t price;
	int64_t other;
	uint64_t id;
};

/* A slot of 64 bytes holds a header of 32 and one of these. */
_Static_assert(sizeof(struct market_order) == 32, "one slot");
_Static_assert(sizeof(struct market_progress) == 32, "one slot");
_Static_assert(sizeof(struct market_bbo) == 32, "one slot");
_Static_assert(sizeof(struct market_alert) == 32, "one slot");

enum market_stage { MARKET_READY = 1, MARKET_FINISHED, MARKET_FAILED };

/* What a reader did, in its own words. */
struct market_reader {
	uint64_t delivered;
	uint64_t skipped;
	uint64_t holes;
	uint64_t lost;
	uint64_t passed;
	uint64_t lag_max;
	uint64_t position[MARKET_STREAMS]; /* or MARKET_NOWHERE */
};

struct market_feed_result {
	uint64_t count[MARKET_TYPES];	/* messages by type */
	uint64_t messages;
	uint64_t lines;
	uint64_t malformed;
	int64_t first;			/* recorded times */
	int64_t last;
	int64_t elapsed;		/* ns that the feed took */
};

struct market_book_result {
	uint64_t changes;		/* of the best bid or ask */
	uint64_t bids;			/* price levels at the end */
	uint64_t asks;
	struct market_bbo best;		/* at the end */
};

struct market_tape_result {
	uint64_t trades;		/* visible executions */
	uint64_t volume;		/* shares */
	uint64_t buyer_volume;		/* the buyer came to the seller */
	uint64_t hidden_trades;
	uint64_t hidden_volume;
	uint64_t vwap;			/* dollars x 1,000,000 */
	int64_t low;
	int64_t high;
	int64_t last;
};

struct market_risk_result {
	uint64_t unseen;
	uint64_t crossed;
	uint64_t jumps;
};

struct market_screen_result {
	uint64_t frames;
};

struct market_check_result {
	uint64_t rows;			/* of the true book */
	uint64_t compared;
	uint64_t agree;
	uint64_t differ;
	uint64_t first;			/* row that differs, 0: none */
	uint64_t last;
	uint64_t malformed;		/* rows that are not numbers */
};

/* summary.<module>: ready, and at the end all that the module found out. */
struct market_summary {
	uint32_t module;		/* enum market_module */
	uint32_t stage;			/* enum market_stage */
	uint32_t has_reader;
	uint32_t lossy;
	uint64_t published[MARKET_STREAMS];
	struct market_reader reader;
	union {
		struct market_feed_result feed;
		struct market_book_result book;
		struct market_tape_result tape;
		struct market_risk_result risk;
		struct market_screen_result screen;
		struct market_check_result check;
	} of;
};

#define MARKET_SUMMARY_SLOT 512u
_Static_assert(sizeof(struct market_summary) <= MARKET_SUMMARY_SLOT - 32,
    "a summary fits its slot");

/* What every module is given at the start; nobody writes to it afterwards. */
struct market_config {
	struct evbus *bus;
	struct evbus_stream *stream[MARKET_STREAMS];
	const char *symbol;
	const char *book_path;		/* the true book, or NULL */
	int data_fd;			/* the feed reads it, and closes it */
	uint64_t data_bytes;		/* 0: not known */
	double speed;			/* times recorded time; 0: no pause */
	int terminal;			/* the screen may draw */
};

extern const char *const market_module_name[MARKET_MODULES];
extern const char *const market_stream_name[MARKET_STREAMS];
extern const char *const market_kind[MARKET_TYPES];

/* Threads; the argument is the configuration. */
void *feed_run(void *);
void *book_run(void *);
void *tape_run(void *);
void *risk_run(void *);
void *screen_run(void *);
void *check_run(void *);

/* format.c: "586.03", "09:30:00.004"; the results point to `buffer`. */
#define MARKET_TEXT 32
const char *market_price(int64_t price, char buffer[MARKET_TEXT]);
const char *market_time(int64_t time_ns, char buffer[MARKET_TEXT]);
int64_t market_clock(void);

#endif /* MARKET_H */
