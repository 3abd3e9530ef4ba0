/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * limit.c - see limit.h.
 */
#include <stdlib.h>
#include <time.h>

#include "stress/limit.h"

int64_t
stress_now(void)
{
	struct timespec time;

	(void)clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec * INT64_C(1000000000) + time.tv_nsec;
}

int64_t
stress_until(void)
{
	const char *text = getenv("EVBUS_STRESS_SECONDS");
	int64_t seconds = text != NULL ? strtoll(text, NULL, 10) : 1;

	return stress_now() + (seconds > 0 ? seconds : 1) *
	    INT64_C(1000000000);
}
