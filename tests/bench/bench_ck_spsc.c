/* SPDX-License-Identifier: BSD-2-Clause */
/* bench_ck_spsc.c - ck_ring, one producer and one consumer, by value. */
#define CK_CALL(operation) ck_ring_##operation##_spsc_event
#include "ck.h"
