/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tape.c - the module that keeps what was traded: executions, shares, prices.
 *
 * All sums are integers, so the volume-weighted price is exact to its last
 * digit.  Executions of hidden orders are counted apart.
 */
#include "module.h"

#include <stdlib.h>

/* Price x shares: up to 40 + 31 bits each, and many of them. */
__extension__ typedef unsigned __int128 wide;

struct tape {
	struct module module;
	struct market_tape_result result;
	wide value;			/* dollars x 10,000 */
};

static enum evbus_verdict
on_trade(const struct evbus_event *event, void *arg)
{
	const struct market_order *order = event->data;
	struct tape *tape = arg;
	struct market_tape_result *result = &tape->result;

	if (result->trades == 0 || order->price < result->low)
		result->low = order->price;
	if (result->trades == 0 || order->price > result->high)
		result->high = order->price;
	result->last = order->price;
	result->trades++;
	result->volume += order->quantity;
	if (!order->buy)		/* who rested sold: a buyer came */
		result->buyer_volume += order->quantity;
	tape->value += (wide)order->price * order->quantity;
	return EVBUS_DONE;
}

static enum evbus_verdict
on_hidden(const struct evbus_event *event, void *arg)
{
	const struct market_order *order = event->data;
	struct tape *tape = arg;

	tape->result.hidden_trades++;
	tape->result.hidden_volume += order->quantity;
	return EVBUS_DONE;
}

static enum evbus_verdict
on_end(const struct evbus_event *event, void *arg)
{
	struct tape *tape = arg;

	(void)event;
	tape->module.to_end--;
	return EVBUS_DONE;
}

/* In millionths of a dollar, rounded half up; 0: nothing was traded. */
static uint64_t
weighted_price(const struct tape *tape)
{
	wide volume = tape->result.volume;

	if (volume == 0)
		return 0;
	return (uint64_t)((tape->value * 100 * 2 + volume) / (volume * 2));
}

void *
tape_run(void *arg)
{
	struct tape *tape = module_new(sizeof *tape);
	struct module *module = &tape->module;
	void *result;

	module_open(module, arg, MARKET_TAPE, MODULE_LOSSLESS);
	module->to_end = 1;
	module_subscribe(module, "trade", on_trade, tape);
	module_subscribe(module, "hidden", on_hidden, tape);
	module_subscribe(module, "end", on_end, tape);
	module_ready(module);
	module_loop(module);

	tape->result.vwap = weighted_price(tape);
	module->summary.of.tape = tape->result;
	result = module_finish(module);
	free(tape);
	return result;
}
