/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * book.c - the module that rebuilds the limit order book from the orders: how
 * many shares rest at each price, on each side.  It publishes the best bid and
 * ask when they change, and, if the book was seeded with a true one, what they
 * are after each row, for whoever wants to compare.
 *
 * New orders add to their price level; cancellations, deletions and executions
 * take away; a level with nothing left goes.  Hidden orders never were in it.
 */
#include "module.h"

#include <stdlib.h>
#include <string.h>

struct level {
	int64_t price;
	int64_t size;			/* shares */
};

/*
 * One side, its best level last: most of what happens, happens there, and
 * costs no moving of the others.
 */
struct side {
	struct level *level;
	size_t count;
	size_t room;
	int sign;			/* 1: bids rise, -1: asks fall */
};

struct book {
	struct module module;
	struct outlet bbo;
	struct outlet state;
	struct side side[2];		/* asks, bids */
	struct market_bbo best;		/* as published last */
	struct market_book_result result;
	uint32_t seed_row;		/* 0: not seeded */
};

/* The first place whose price is not worse than this one. */
static size_t
find(const struct side *side, int64_t price)
{
	size_t low = 0, high = side->count, middle;

	while (low < high) {
		middle = low + (high - low) / 2;
		if (side->level[middle].price * side->sign <
		    price * side->sign)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* Make room for one more level; 0: no memory. */
static int
grow(struct side *side)
{
	size_t room = side->room == 0 ? 256 : side->room * 2;
	struct level *level;

	if (side->count < side->room)
		return 1;
	level = realloc(side->level, room * sizeof *level);
	if (level == NULL)
		return 0;
	side->level = level;
	side->room = room;
	return 1;
}

/* Add shares at a price, fewer than none to take away; 0: no memory. */
static int
change(struct side *side, int64_t price, int64_t shares)
{
	size_t at = find(side, price);
	struct level *level = side->level + at;
	int known = at < side->count && level->price == price;

	if (known) {
		level->size += shares;
		if (level->size > 0)
			return 1;
		side->count--;
		memmove(level, level + 1, (side->count - at) * sizeof *level);
		return 1;
	}
	if (shares <= 0)
		return 1;
	if (!grow(side))
		return 0;
	level = side->level + at;
	memmove(level + 1, level, (side->count - at) * sizeof *level);
	level->price = price;
	level->size = shares;
	side->count++;
	return 1;
}

static void
best_of(const struct side *side, int64_t *price, uint32_t *size)
{
	const struct level *level;

	*price = 0;
	*size = 0;
	if (side->count == 0)
		return;
	level = &side->level[side->count - 1];
	*price = level->price;
	*size = level->size > UINT32_MAX ? UINT32_MAX : (uint32_t)level->size;
}

static void
publish_best(struct book *book, uint32_t row)
{
	struct market_bbo now = { .row = row };
	const struct market_bbo *old = &book->best;

	best_of(&book->side[0], &now.ask, &now.ask_size);
	best_of(&book->side[1], &now.bid, &now.bid_size);
	if (now.ask != old->ask || now.ask_size != old->ask_size ||
	    now.bid != old->bid || now.bid_size != old->bid_size) {
		book->result.changes++;
		module_publish(&book->module, &book->bbo, &now, sizeof now);
	}
	if (book->seed_row != 0)
		module_publish(&book->module, &book->state, &now, sizeof now);
	book->best = now;
}

static void
apply(struct book *book, const struct market_order *order, int sign)
{
	if (!change(&book->side[order->buy], order->price,
	    sign * (int64_t)order->quantity))
		module_fail(&book->module, "no memory for the book", 0);
}

static enum evbus_verdict
on_seed(const struct evbus_event *event, void *arg)
{
	const struct market_order *level = event->data;
	struct book *book = arg;

	book->seed_row = level->row;
	apply(book, level, 1);
	return EVBUS_DONE;
}

static enum evbus_verdict
on_add(const struct evbus_event *event, void *arg)
{
	const struct market_order *order = event->data;
	struct book *book = arg;

	if (order->row <= book->seed_row)	/* the seed has it */
		return EVBUS_DONE;
	apply(book, order, 1);
	publish_best(book, order->row);
	return EVBUS_DONE;
}

/* A cancellation, a deletion or a visible execution. */
static enum evbus_verdict
on_less(const struct evbus_event *event, void *arg)
{
	const struct market_order *order = event->data;
	struct book *book = arg;

	if (order->row <= book->seed_row)
		return EVBUS_DONE;
	apply(book, order, -1);
	publish_best(book, order->row);
	return EVBUS_DONE;
}

/* A hidden execution, an auction or a halt: the book stays as it is. */
static enum evbus_verdict
on_other(const struct evbus_event *event, void *arg)
{
	const struct market_order *order = event->data;
	struct book *book = arg;

	if (order->row > book->seed_row)
		publish_best(book, order->row);
	return EVBUS_DONE;
}

static enum evbus_verdict
on_end(const struct evbus_event *event, void *arg)
{
	struct book *book = arg;
	struct market_bbo last = book->best;

	(void)event;
	last.flags = MARKET_LAST;
	module_publish(&book->module, &book->bbo, &last, sizeof last);
	module_publish(&book->module, &book->state, &last, sizeof last);
	book->module.to_end--;
	return EVBUS_DONE;
}

static void
subscribe(struct book *book)
{
	struct module *module = &book->module;

	module_subscribe(module, "seed", on_seed, book);
	module_subscribe(module, "add", on_add, book);
	module_subscribe(module, "cancel", on_less, book);
	module_subscribe(module, "delete", on_less, book);
	module_subscribe(module, "trade", on_less, book);
	module_subscribe(module, "hidden", on_other, book);
	module_subscribe(module, "cross", on_other, book);
	module_subscribe(module, "halt", on_other, book);
	module_subscribe(module, "end", on_end, book);
}

void *
book_run(void *arg)
{
	struct book *book = module_new(sizeof *book);
	void *result;

	module_open(&book->module, arg, MARKET_BOOK, MODULE_LOSSLESS);
	module_outlet(&book->module, &book->bbo, MARKET_BBO, "bbo");
	module_outlet(&book->module, &book->state, MARKET_STATE, "state");
	book->side[0].sign = -1;
	book->side[1].sign = 1;
	book->module.to_end = 1;
	subscribe(book);
	module_ready(&book->module);
	module_loop(&book->module);

	book->result.asks = book->side[0].count;
	book->result.bids = book->side[1].count;
	book->result.best = book->best;
	book->module.summary.of.book = book->result;
	result = module_finish(&book->module);
	free(book->side[0].level);
	free(book->side[1].level);
	free(book);
	return result;
}
