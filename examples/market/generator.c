/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * generator.c - a made-up exchange: random orders meet in a book, and what
 * happens is written as lines of a message file, to a pipe.  It has a thread of
 * its own but knows nothing of the bus: to the feed it is just another file.
 *
 * Prices lie on a grid of whole cents around GRID_MIDDLE.  Each price holds a
 * queue of orders, all of one side; new orders never meet the other side, so
 * the book is never crossed.  Executions take the oldest order at the best
 * price, and the best price moves when its queue is used up.
 */
#include "generator.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define GRID		2000
#define GRID_MIDDLE	10000		/* cents, at GRID / 2 */
#define ORDERS		8192		/* live ones at most */
#define ORDERS_LOW	40		/* each side keeps as many */
#define NONE		(-1)
#define OUT_BUFFER	16384u
#define LINE_ROOM	128u		/* more than any line */
#define OPENING		(INT64_C(34200) * MARKET_SECOND)

enum side { BUY, SELL };

struct resting {
	uint64_t id;
	int64_t quantity;
	int price;			/* on the grid */
	int side;
	int before;			/* in the queue of its price */
	int behind;
};

struct generator {
	struct generator_options options;
	pthread_t thread;
	uint64_t random;
	uint64_t written;		/* messages */
	uint64_t next_id;
	int64_t time;			/* recorded, ns after midnight */
	int64_t until;			/* clock; 0: no limit */
	int failed;			/* nobody reads any more */
	int mood;			/* percent more buyers than sellers */
	int live;
	int live_of[2];
	int best[2];			/* on the grid */
	int first[GRID];
	int last[GRID];
	struct resting order[ORDERS];
	size_t used;
	char out[OUT_BUFFER];
};

/* splitmix64: any seed is as good as any other. */
static uint64_t
random_bits(struct generator *g)
{
	uint64_t z = g->random += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}

/* 0 .. limit - 1 */
static int
random_below(struct generator *g, int limit)
{
	return (int)((random_bits(g) >> 32) * (uint64_t)limit >> 32);
}

/* Most orders are of round lots. */
static int64_t
random_quantity(struct generator *g)
{
	if (random_below(g, 10) < 6)
		return 100 * (1 + random_below(g, 4));
	return 1 + random_below(g, 300);
}

static void
flush(struct generator *g)
{
	size_t done = 0;
	ssize_t wrote;

	while (done < g->used && !g->failed) {
		wrote = write(g->options.fd, g->out + done, g->used - done);
		if (wrote >= 0)
			done += (size_t)wrote;
		else if (errno != EINTR)
			g->failed = 1;
	}
	g->used = 0;
}

static void
put_number(struct generator *g, int64_t number)
{
	char digit[24];
	size_t count = 0;
	uint64_t rest = number < 0 ? 0 - (uint64_t)number : (uint64_t)number;

	if (number < 0)
		g->out[g->used++] = '-';
	do {
		digit[count++] = (char)('0' + rest % 10);
		rest /= 10;
	} while (rest > 0);
	while (count > 0)
		g->out[g->used++] = digit[--count];
}

/* Seconds, with as many decimals as say something. */
static void
put_time(struct generator *g, int64_t time_ns)
{
	int64_t rest = time_ns % MARKET_SECOND;
	int64_t place = MARKET_SECOND / 10;

	put_number(g, time_ns / MARKET_SECOND);
	if (rest > 0)
		g->out[g->used++] = '.';
	for (; rest > 0; place /= 10) {
		g->out[g->used++] = (char)('0' + rest / place);
		rest %= place;
	}
}

static void
put_message(struct generator *g, enum market_type type, uint64_t id,
    int64_t quantity, int price, int side)
{
	int64_t cents = GRID_MIDDLE - GRID / 2 + price;

	if (g->options.messages > 0 && g->written >= g->options.messages)
		return;
	if (g->used + LINE_ROOM > OUT_BUFFER)
		flush(g);
	put_time(g, g->time);
	g->out[g->used++] = ',';
	put_number(g, (int64_t)type);
	g->out[g->used++] = ',';
	put_number(g, (int64_t)id);
	g->out[g->used++] = ',';
	put_number(g, quantity);
	g->out[g->used++] = ',';
	put_number(g, cents * 100);
	g->out[g->used++] = ',';
	put_number(g, side == BUY ? 1 : -1);
	g->out[g->used++] = '\n';
	g->written++;
}

/* Take an order out of its queue; the last one moves to its place. */
static void
unlink_order(struct generator *g, int at)
{
	const struct resting *order = &g->order[at];

	if (order->before == NONE)
		g->first[order->price] = order->behind;
	else
		g->order[order->before].behind = order->behind;
	if (order->behind == NONE)
		g->last[order->price] = order->before;
	else
		g->order[order->behind].before = order->before;
}

static void
find_best(struct generator *g, int side)
{
	int step = side == BUY ? -1 : 1;
	int at = g->best[side];

	while (at >= 0 && at < GRID && g->first[at] == NONE)
		at += step;
	g->best[side] = at;
}

static void
remove_order(struct generator *g, int at)
{
	struct resting *moved = &g->order[g->live - 1];
	int side = g->order[at].side;

	unlink_order(g, at);
	g->live--;
	g->live_of[side]--;
	if (at != g->live) {
		if (moved->before == NONE)
			g->first[moved->price] = at;
		else
			g->order[moved->before].behind = at;
		if (moved->behind == NONE)
			g->last[moved->price] = at;
		else
			g->order[moved->behind].before = at;
		g->order[at] = *moved;
	}
	find_best(g, side);
}

/* A new order some cents away from the best price of the other side. */
static void
add(struct generator *g, int side)
{
	struct resting *order;
	int away = 1, price;

	while (away < 60 && random_below(g, 16) != 0)
		away++;
	price = side == BUY ? g->best[SELL] - away : g->best[BUY] + away;
	if (g->live == ORDERS || price < 0 || price >= GRID)
		return;
	order = &g->order[g->live];
	order->id = g->next_id;
	order->quantity = random_quantity(g);
	order->price = price;
	order->side = side;
	order->before = g->last[price];
	order->behind = NONE;
	if (order->before == NONE)
		g->first[price] = g->live;
	else
		g->order[order->before].behind = g->live;
	g->last[price] = g->live++;
	g->live_of[side]++;
	g->next_id += 1 + (uint64_t)random_below(g, 5);
	if (side == BUY ? price > g->best[BUY] : price < g->best[SELL])
		g->best[side] = price;
	put_message(g, MARKET_ADD, order->id, order->quantity, price, side);
}

static void
cancel(struct generator *g)
{
	struct resting *order = &g->order[random_below(g, g->live)];
	int64_t part = order->quantity / 2;

	if (part == 0)
		return;
	order->quantity -= part;
	put_message(g, MARKET_CANCEL, order->id, part, order->price,
	    order->side);
}

static void
delete(struct generator *g)
{
	int at = random_below(g, g->live);
	const struct resting *order = &g->order[at];

	put_message(g, MARKET_DELETE, order->id, order->quantity, order->price,
	    order->side);
	remove_order(g, at);
}

/* An order comes that takes `wanted` shares from the other side. */
static void
trade(struct generator *g, int64_t wanted)
{
	int middle = (g->best[BUY] + g->best[SELL]) / 2;
	int lean = (middle - GRID / 2) / 8;	/* back to the grid's middle */
	int side = random_below(g, 100) < 50 + lean - g->mood ? BUY : SELL;
	struct resting *order;
	int64_t part;
	int at;

	while (wanted > 0 && g->live_of[side] > ORDERS_LOW) {
		at = g->first[g->best[side]];
		order = &g->order[at];
		part = order->quantity < wanted ? order->quantity : wanted;
		wanted -= part;
		order->quantity -= part;
		put_message(g, MARKET_TRADE, order->id, part, order->price,
		    side);
		if (order->quantity == 0)
			remove_order(g, at);
	}
}

/* An execution between the best prices, of an order that nobody could see. */
static void
hidden(struct generator *g)
{
	int spread = g->best[SELL] - g->best[BUY];

	put_message(g, MARKET_HIDDEN, 0, random_quantity(g),
	    g->best[BUY] + random_below(g, spread + 1), random_below(g, 2));
}

/* The end of an order that has rested since yesterday: nobody announced it. */
static void
delete_old(struct generator *g)
{
	put_message(g, MARKET_DELETE, 1 + (uint64_t)random_below(g, 1000),
	    random_quantity(g), random_below(g, GRID / 4), BUY);
}

/* The next thing that happens. */
static void
step(struct generator *g)
{
	int chance = random_below(g, 100000);

	g->time += 1 + random_below(g, 80000);
	if (chance < 10)
		g->mood = random_below(g, 61) - 30;
	if (g->live_of[BUY] <= ORDERS_LOW || g->live_of[SELL] <= ORDERS_LOW)
		add(g, g->live_of[BUY] <= ORDERS_LOW ? BUY : SELL);
	else if (chance < 2)
		delete_old(g);
	else if (chance < 4)
		trade(g, 50000);
	else if (chance < 4000)
		trade(g, random_quantity(g));
	else if (chance < 6500)
		hidden(g);
	else if (chance < 7000)
		cancel(g);
	else if (chance < 50000 + (g->live - 600) * 100)
		delete(g);
	else
		add(g, random_below(g, 2));
}

/* Look at the clock only where a system call is due anyway. */
static int
is_over(const struct generator *g)
{
	if (g->failed)
		return 1;
	if (g->options.messages > 0 && g->written >= g->options.messages)
		return 1;
	return g->until > 0 && g->used == 0 && market_clock() >= g->until;
}

static void *
run(void *arg)
{
	struct generator *g = arg;
	sigset_t set;

	/* A feed that stops early is told by write(), not by a signal. */
	sigemptyset(&set);
	sigaddset(&set, SIGPIPE);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	if (g->options.duration_ns > 0)
		g->until = market_clock() + g->options.duration_ns;
	while (!is_over(g)) {
		step(g);
		if (g->used + LINE_ROOM > OUT_BUFFER)
			flush(g);
	}
	flush(g);
	close(g->options.fd);
	return NULL;
}

struct generator *
generator_start(const struct generator_options *options)
{
	struct generator *g = calloc(1, sizeof *g);
	int i;

	if (g == NULL)
		return NULL;
	g->options = *options;
	g->random = options->seed;
	g->next_id = 1000001;
	g->time = OPENING;
	g->best[BUY] = GRID / 2 - 1;
	g->best[SELL] = GRID / 2 + 1;
	for (i = 0; i < GRID; i++)
		g->first[i] = g->last[i] = NONE;
	if (pthread_create(&g->thread, NULL, run, g) != 0) {
		free(g);
		return NULL;
	}
	return g;
}

void
generator_join(struct generator *g)
{
	if (g == NULL)
		return;
	pthread_join(g->thread, NULL);
	free(g);
}
