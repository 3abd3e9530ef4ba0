/* SPDX-License-Identifier: BSD-2-Clause */
/* bench_ck_mpmc.c - ck_ring, many producers and consumers, by value. */
#define CK_CALL(operation) ck_ring_##operation##_mpmc_event
#include "ck.h"
