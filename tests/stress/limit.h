/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * limit.h - how long a stress program runs: EVBUS_STRESS_SECONDS, or 1.
 */
#ifndef STRESS_LIMIT_H
#define STRESS_LIMIT_H

#include <stdint.h>

/* Monotonic nanoseconds. */
int64_t stress_now(void);
/* When to stop, if it starts now. */
int64_t stress_until(void);

#endif /* STRESS_LIMIT_H */
