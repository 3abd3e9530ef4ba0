/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * risk.c - the module that watches and publishes alerts:
 *
 *	crossed	the best bid is above the best ask; told once, until it ends
 *	unseen	a cancellation, deletion or execution of an order that was
 *		never announced in this feed
 *	jump	an execution JUMP_POINTS or more away from the one before
 *
 * It reads two streams.  Nothing is promised about the order between them, and
 * nothing here needs it.
 */
#include "module.h"

#include <stdlib.h>

#define JUMP_POINTS	5	/* hundredths of a percent */

/*
 * The orders that were announced, 64 neighbours to an entry: order numbers are
 * given out in turn, so this takes a bit or two for each.  Open addressing.
 */
struct entry {
	uint64_t block;			/* order / 64 */
	uint64_t bits;			/* 0: the entry is free */
};

struct seen {
	struct entry *entry;
	size_t mask;
	size_t used;
};

struct risk {
	struct module module;
	struct outlet alert;
	struct seen seen;
	struct market_risk_result result;
	int64_t last_price;		/* 0: none yet */
	int crossed;
};

static struct entry *
probe(struct entry *entry, size_t mask, uint64_t block)
{
	size_t at = (size_t)((block * UINT64_C(0x9e3779b97f4a7c15)) >> 32);

	for (at &= mask; entry[at].bits != 0; at = (at + 1) & mask)
		if (entry[at].block == block)
			break;
	return &entry[at];
}

/* Twice the room, when it is half full; 0: no memory. */
static int
make_room(struct seen *seen)
{
	size_t room = seen->entry == NULL ? 1024 : (seen->mask + 1) * 2;
	struct entry *larger;
	size_t i;

	if (seen->entry != NULL && seen->used * 2 <= seen->mask)
		return 1;
	larger = calloc(room, sizeof *larger);
	if (larger == NULL)
		return 0;
	for (i = 0; seen->entry != NULL && i <= seen->mask; i++)
		if (seen->entry[i].bits != 0)
			*probe(larger, room - 1, seen->entry[i].block) =
			    seen->entry[i];
	free(seen->entry);
	seen->entry = larger;
	seen->mask = room - 1;
	return 1;
}

static int
remember(struct seen *seen, uint64_t id)
{
	struct entry *entry;

	if (!make_room(seen))
		return 0;
	entry = probe(seen->entry, seen->mask, id / 64);
	if (entry->bits == 0) {
		entry->block = id / 64;
		seen->used++;
	}
	entry->bits |= UINT64_C(1) << (id % 64);
	return 1;
}

static int
was_seen(const struct seen *seen, uint64_t id)
{
	const struct entry *entry;

	if (seen->entry == NULL)
		return 0;
	entry = probe(seen->entry, seen->mask, id / 64);
	return (entry->bits >> (id % 64) & 1) != 0;
}

static void
publish_alert(struct risk *risk, enum market_alert_kind kind,
    const struct market_order *order, int64_t other)
{
	struct market_alert alert = {
		.kind = (uint32_t)kind,
		.row = order->row,
		.price = order->price,
		.other = other,
		.id = order->id
	};

	module_publish(&risk->module, &risk->alert, &alert, sizeof alert);
}

static void
check_order(struct risk *risk, const struct market_order *order)
{
	if (was_seen(&risk->seen, order->id))
		return;
	risk->result.unseen++;
	publish_alert(risk, MARKET_ALERT_UNSEEN, order, 0);
}

static void
check_price(struct risk *risk, const struct market_order *order)
{
	int64_t last = risk->last_price;
	int64_t step = order->price > last ? order->price - last :
	    last - order->price;

	risk->last_price = order->price;
	if (last == 0 || step * 10000 < last * JUMP_POINTS)
		return;
	risk->result.jumps++;
	publish_alert(risk, MARKET_ALERT_JUMP, order, last);
}

static enum evbus_verdict
on_add(const struct evbus_event *event, void *arg)
{
	const struct market_order *order = event->data;
	struct risk *risk = arg;

	if (!remember(&risk->seen, order->id))
		module_fail(&risk->module, "no memory for orders", 0);
	return EVBUS_DONE;
}

static enum evbus_verdict
on_less(const struct evbus_event *event, void *arg)
{
	check_order(arg, event->data);
	return EVBUS_DONE;
}

static enum evbus_verdict
on_trade(const struct evbus_event *event, void *arg)
{
	check_order(arg, event->data);
	check_price(arg, event->data);
	return EVBUS_DONE;
}

static enum evbus_verdict
on_bbo(const struct evbus_event *event, void *arg)
{
	const struct market_bbo *best = event->data;
	struct risk *risk = arg;
	struct market_order order = { .row = best->row, .price = best->bid };
	int crossed = best->bid_size > 0 && best->ask_size > 0 &&
	    best->bid > best->ask;

	if (best->flags & MARKET_LAST) {
		risk->module.to_end--;
		return EVBUS_DONE;
	}
	if (crossed && !risk->crossed) {
		risk->result.crossed++;
		publish_alert(risk, MARKET_ALERT_CROSSED, &order, best->ask);
	}
	risk->crossed = crossed;
	return EVBUS_DONE;
}

static enum evbus_verdict
on_end(const struct evbus_event *event, void *arg)
{
	struct risk *risk = arg;

	(void)event;
	risk->module.to_end--;
	return EVBUS_DONE;
}

void *
risk_run(void *arg)
{
	struct risk *risk = module_new(sizeof *risk);
	struct module *module = &risk->module;
	struct market_alert no_more = { .kind = MARKET_ALERT_LAST };
	void *result;

	module_open(module, arg, MARKET_RISK, MODULE_LOSSLESS);
	module_outlet(module, &risk->alert, MARKET_ALERT, "alert");
	module->to_end = 2;		/* of orders and of bbo */
	module_subscribe(module, "add", on_add, risk);
	module_subscribe(module, "cancel", on_less, risk);
	module_subscribe(module, "delete", on_less, risk);
	module_subscribe(module, "trade", on_trade, risk);
	module_subscribe(module, "end", on_end, risk);
	module_subscribe(module, "bbo", on_bbo, risk);
	module_ready(module);
	module_loop(module);

	module_publish(module, &risk->alert, &no_more, sizeof no_more);
	module->summary.of.risk = risk->result;
	result = module_finish(module);
	free(risk->seen.entry);
	free(risk);
	return result;
}
