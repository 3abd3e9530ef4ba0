/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * results.c - the tables at the end: what the modules found out, what the bus
 * did, and whether it adds up.
 */
#include "report.h"
#include "text.h"

#include <stdio.h>
#include <string.h>

static void
print_feed(const struct market_feed_result *feed)
{
	double seconds = (double)feed->elapsed / 1e9;

	printf("  messages %" PRIu64 "\n", feed->messages);
	printf("  orders added %" PRIu64 ", cut %" PRIu64 ", deleted %" PRIu64
	    "\n", feed->count[MARKET_ADD], feed->count[MARKET_CANCEL],
	    feed->count[MARKET_DELETE]);
	if (feed->count[MARKET_CROSS] > 0 || feed->count[MARKET_HALT] > 0)
		printf("  auctions %" PRIu64 ", halts %" PRIu64 "\n",
		    feed->count[MARKET_CROSS], feed->count[MARKET_HALT]);
	if (seconds > 0)
		printf("  fed in %.3f s, %.0f messages a second\n", seconds,
		    (double)feed->messages / seconds);
}

static void
print_tape(const struct market_tape_result *tape)
{
	char low[MARKET_TEXT], high[MARKET_TEXT], last[MARKET_TEXT];

	printf("  visible executions %" PRIu64 ", %" PRIu64 " shares\n",
	    tape->trades, tape->volume);
	if (tape->volume > 0)
		printf("  vwap %" PRIu64 ".%06" PRIu64 "\n",
		    tape->vwap / 1000000, tape->vwap % 1000000);
	printf("  buyer-initiated %" PRIu64 "\n", tape->buyer_volume);
	if (tape->trades > 0)
		printf("  low %s, high %s, last %s\n",
		    market_price(tape->low, low),
		    market_price(tape->high, high),
		    market_price(tape->last, last));
	printf("  hidden executions %" PRIu64 ", %" PRIu64 " shares\n",
	    tape->hidden_trades, tape->hidden_volume);
}

static void
print_book(const struct market_book_result *book)
{
	const struct market_bbo *best = &book->best;
	char bid[MARKET_TEXT], ask[MARKET_TEXT];

	printf("  best bid or ask changed %" PRIu64 " times; at the end "
	    "%" PRIu64 " bid levels, %" PRIu64 " ask levels\n",
	    book->changes, book->bids, book->asks);
	if (best->bid_size > 0 && best->ask_size > 0)
		printf("  bid %s x %" PRIu32 ", ask %s x %" PRIu32 "\n",
		    market_price(best->bid, bid), best->bid_size,
		    market_price(best->ask, ask), best->ask_size);
}

static void
print_risk(const struct market_risk_result *risk)
{
	printf("  unseen orders %" PRIu64 "\n", risk->unseen);
	printf("  price jumps %" PRIu64 ", crossed books %" PRIu64 "\n",
	    risk->jumps, risk->crossed);
}

static void
print_check(const struct market_check_result *check)
{
	uint64_t missing = check->rows - (check->rows > 0) - check->compared;

	printf("  true book: best bid and ask agree in %" PRIu64 " of %" PRIu64
	    " rows", check->agree, check->compared);
	if (check->differ > 0)
		printf("; %" PRIu64 " differ, first row %" PRIu64
		    ", last row %" PRIu64, check->differ, check->first,
		    check->last);
	printf("\n  true book: %" PRIu64 " rows, the first one seeds\n",
	    check->rows);
	if (missing > 0)
		printf("  true book: rows without a message %" PRIu64 "\n",
		    missing);
	if (check->malformed > 0)
		printf("  true book: malformed rows %" PRIu64 "\n",
		    check->malformed);
}

static void
print_malformed(const struct report *report, uint64_t count)
{
	const struct market_alert *alert;
	unsigned i;

	if (count == 0)
		return;
	printf("  malformed lines %" PRIu64 "\n", count);
	for (i = 0; i < report->told; i++) {
		alert = &report->malformed[i];
		printf("    line %" PRIu32 ": %s\n", alert->row,
		    text_reason((enum text_reason)alert->id));
	}
	if (count > report->told)
		printf("    and %" PRIu64 " more\n", count - report->told);
}

/* How many events a stream took, and what its publishers met. */
static int
print_stream(const struct report *report, int number)
{
	struct evbus_stream_stats stats;
	uint64_t told = 0, published;
	int module, result;

	result = evbus_stream_stats(report->config->stream[number], &stats);
	if (result < 0) {
		fprintf(stderr, "market: no counters: %s\n",
		    evbus_strerror(result));
		return 1;
	}
	published = stats.tail - report->start[number];
	printf("  %-8s published %" PRIu64 ", holes %" PRIu64
	    ", capacity %" PRIu64 ", waited %" PRIu64 " times, %.1f ms\n",
	    market_stream_name[number], published, stats.holes, stats.capacity,
	    stats.waits, (double)stats.wait_ns / 1e6);
	for (module = 0; module < MARKET_MODULES; module++)
		told += report->summary[module].published[number];
	if (told + stats.holes == published)
		return 0;
	printf("    but its publishers count %" PRIu64 "\n", told);
	return 1;
}

/* What was published in the streams that a reader reads. */
static int
count_published(const struct report *report, const struct market_reader *reader,
    uint64_t *published)
{
	struct evbus_stream_stats stats;
	int wrong = 0, i;

	*published = 0;
	for (i = 0; i < MARKET_STREAMS; i++) {
		if (reader->position[i] == MARKET_NOWHERE)
			continue;
		if (evbus_stream_stats(report->config->stream[i], &stats) < 0)
			return 1;
		*published += stats.tail - report->start[i];
		wrong |= reader->position[i] != stats.tail;
	}
	return wrong;
}

static int
print_reader(const struct report *report, const char *name, int lossy,
    const struct market_reader *reader)
{
	uint64_t published, sum = reader->delivered + reader->skipped +
	    reader->holes + reader->lost;
	int wrong = count_published(report, reader, &published);

	printf("  %-8s %-8s delivered %" PRIu64 ", skipped %" PRIu64
	    ", holes %" PRIu64 ", lost %" PRIu64 ", lag peak %" PRIu64 "\n",
	    name, lossy ? "lossy" : "lossless", reader->delivered,
	    reader->skipped, reader->holes, reader->lost, reader->lag_max);
	if (!wrong && sum == published && reader->passed == published &&
	    (lossy || reader->lost == 0))
		return 0;
	printf("    but %" PRIu64 " events were published for it, and it has "
	    "passed %" PRIu64 "\n", published, reader->passed);
	return 1;
}

/* evbus_close() counts for itself; both must agree. */
static int
check_report(const struct report *report, const struct evbus_report *bus)
{
	const struct evbus_reader_report *found;
	const struct market_reader *reader;
	unsigned i, module;
	int wrong = bus->left != 0 || bus->open_claims != 0 ||
	    bus->running != 0;

	for (i = 0; i < bus->readers; i++) {
		found = &bus->reader[i];
		reader = &report->own;
		for (module = 0; module < MARKET_MODULES; module++)
			if (strcmp(found->name, market_module_name[module]) ==
			    0)
				reader = &report->summary[module].reader;
		if (found->delivered == reader->delivered &&
		    found->lost == reader->lost && found->left == 0)
			continue;
		printf("  but at the close %s had delivered %" PRIu64
		    ", lost %" PRIu64 ", left %" PRIu64 "\n", found->name,
		    found->delivered, found->lost, found->left);
		wrong = 1;
	}
	return wrong;
}

static int
print_bus(struct report *report, const struct evbus_report *bus,
    unsigned modules)
{
	const struct market_summary *summary;
	int wrong = 0, i, readers = 1;

	printf("\nStreams\n");
	for (i = 0; i < MARKET_STREAMS; i++)
		wrong |= print_stream(report, i);
	printf("\nReaders\n");
	for (i = 0; i < MARKET_MODULES; i++) {
		summary = &report->summary[i];
		if (!(modules >> i & 1) || !summary->has_reader)
			continue;
		wrong |= print_reader(report, market_module_name[i],
		    summary->lossy != 0, &summary->reader);
		readers++;
	}
	wrong |= print_reader(report, "report", 0, &report->own);
	wrong |= check_report(report, bus);
	printf("\ndelivered + skipped + holes + lost = published, for each of "
	    "%d readers: %s\n", readers, wrong ? "NO" : "yes");
	return wrong;
}

int
results_print(struct report *report, const struct evbus_report *bus,
    unsigned modules)
{
	const struct market_summary *summary = report->summary;
	const struct market_feed_result *feed = &summary[MARKET_FEED].of.feed;
	char first[MARKET_TEXT], last[MARKET_TEXT];

	printf("\n%s", report->config->symbol);
	if (feed->messages > 0)
		printf(", %s to %s", market_time(feed->first, first),
		    market_time(feed->last, last));
	printf("\n");
	print_feed(feed);
	print_tape(&summary[MARKET_TAPE].of.tape);
	print_book(&summary[MARKET_BOOK].of.book);
	print_risk(&summary[MARKET_RISK].of.risk);
	if (modules >> MARKET_CHECK & 1)
		print_check(&summary[MARKET_CHECK].of.check);
	print_malformed(report, feed->malformed);
	return print_bus(report, bus, modules);
}
