/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * format.c - names of modules, streams and kinds; prices and times as text.
 */
#include "market.h"

#include <stdio.h>
#include <time.h>

const char *const market_module_name[MARKET_MODULES] = {
	"feed", "book", "tape", "risk", "screen", "check"
};

const char *const market_stream_name[MARKET_STREAMS] = {
	"orders", "bbo", "state", "alert", "summary"
};

const char *const market_kind[MARKET_TYPES] = {
	NULL, "add", "cancel", "delete", "trade", "hidden", "cross", "halt"
};

/* Two decimals, or all four where the last two say something. */
const char *
market_price(int64_t price, char buffer[MARKET_TEXT])
{
	const char *sign = price < 0 ? "-" : "";
	uint64_t value = price < 0 ? 0 - (uint64_t)price : (uint64_t)price;

	if (value % 100 == 0)
		snprintf(buffer, MARKET_TEXT, "%s%" PRIu64 ".%02u", sign,
		    value / 10000, (unsigned)(value % 10000 / 100));
	else
		snprintf(buffer, MARKET_TEXT, "%s%" PRIu64 ".%04u", sign,
		    value / 10000, (unsigned)(value % 10000));
	return buffer;
}

/* Time of day to the millisecond. */
const char *
market_time(int64_t time_ns, char buffer[MARKET_TEXT])
{
	int64_t seconds = time_ns / MARKET_SECOND;
	int64_t rest = time_ns % MARKET_SECOND;

	snprintf(buffer, MARKET_TEXT, "%02" PRId64 ":%02d:%02d.%03d",
	    seconds / 3600, (int)(seconds / 60 % 60), (int)(seconds % 60),
	    (int)(rest / 1000000));
	return buffer;
}

/* Nanoseconds of a clock that never goes back. */
int64_t
market_clock(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * MARKET_SECOND + now.tv_nsec;
}
