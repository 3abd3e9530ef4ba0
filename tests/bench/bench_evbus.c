/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * bench_evbus.c - evbus as a user would use it: try_publish on one side, a
 * reader that is polled on the other.
 *
 * System names: evbus-sp (stream with one producer) and evbus-mp (with many);
 * with "-next" behind them the reader takes evbus_next() instead of handlers.
 * Options are the defaults but for capacity and producers.  one_to_three:
 * three readers of one stream; ping_pong: a stream each way.
 */
#include "bench.h"

#include <evbus.h>

struct sender {
	struct evbus_topic *topic;
};

struct receiver {
	struct evbus_reader *reader;
	unsigned budget;	/* 0: by evbus_next() */
	struct bench_check check EVBUS_ALIGNED(EVBUS_LINE);
};

EVBUS__INLINE int
system_send(struct sender *sender, const struct bench_event *event)
{
	int r = evbus_try_publish(sender->topic, event, sizeof *event);

	if (evbus_likely(r == 0))
		return 1;
	if (r != EVBUS_EFULL)
		bench_die("evbus: publish: %s: %s", evbus_errname(r),
		    evbus_errmsg());
	return 0;
}

static enum evbus_verdict
on_event(const struct evbus_event *event, void *arg)
{
	bench_check_event(arg, event->data);
	return EVBUS_DONE;
}

EVBUS__INLINE unsigned
system_receive(struct receiver *receiver)
{
	const struct evbus_event *event;
	int n;

	if (receiver->budget == 0) {
		if ((event = evbus_next(receiver->reader)) == NULL)
			return 0;
		bench_check_event(&receiver->check, event->data);
		return 1;
	}
	n = evbus_poll(receiver->reader, receiver->budget);
	if (evbus_unlikely(n < 0))
		bench_die("evbus: poll: %s: %s", evbus_errname(n),
		    evbus_errmsg());
	return (unsigned)n;
}

#include "workload.h"

static struct evbus *bus;

static void
must(int64_t result, const char *what)
{
	if (result < 0)
		bench_die("evbus: %s: %s: %s", what,
		    evbus_errname((int)result), evbus_errmsg());
}

static struct evbus_topic *
topic_open(const struct bench_order *order, const char *name)
{
	struct evbus_stream_options options = {
		.capacity = order->capacity,
		.producers = strncmp(order->system, "evbus-sp", 8) == 0 ?
		    EVBUS_PRODUCERS_ONE : EVBUS_PRODUCERS_MANY
	};
	struct evbus_stream *stream;
	struct evbus_topic *topic;

	must(evbus_stream_open(bus, name, &options, &stream), "stream_open");
	must(evbus_topic_open(bus, name, NULL, &topic), "topic_open");
	return topic;
}

static void
receiver_open(const struct bench_order *order, struct receiver *receiver,
    const char *name)
{
	/* A ping is one event at a time: evbus_next() is the call for it. */
	int next = strstr(order->system, "-next") != NULL ||
	    order->topology == PING_PONG;

	receiver->budget = next ? 0 : order->budget;
	must(evbus_reader_open(bus, NULL, &receiver->reader), "reader_open");
	must(evbus_reader_subscribe(receiver->reader, name,
	    next ? NULL : on_event, &receiver->check, NULL), "subscribe");
}

static void
system_open(const struct bench_order *order, struct worker *producers,
    struct worker *consumers)
{
	struct evbus_topic *topic;
	unsigned i;

	must(evbus_open(&bus, NULL), "open");
	topic = topic_open(order, "bench.there");
	for (i = 0; i < run.producers; i++) {
		producers[i].out[0].topic = topic;
		producers[i].outs = 1;
	}
	for (i = 0; i < run.consumers; i++)
		receiver_open(order, &consumers[i].in, "bench.there");
	if (order->topology == PING_PONG) {
		consumers[0].out[0].topic = topic_open(order, "bench.back");
		consumers[0].outs = 1;
		receiver_open(order, &producers[0].in, "bench.back");
	}
}

static void
system_close(void)
{
	struct evbus_report report;

	must(evbus_close(bus, 1000000000, &report), "close");
	if (report.left != 0 || report.lost != 0 || report.open_claims != 0)
		bench_die("evbus: %llu events left, %llu lost, %llu claims",
		    (unsigned long long)report.left,
		    (unsigned long long)report.lost,
		    (unsigned long long)report.open_claims);
	must(evbus_free(bus), "free");
}
