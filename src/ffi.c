/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ffi.c - above all layers: every public inline once more as a real symbol,
 * for other languages and for debuggers.
 */
#define EVBUS_INLINE extern EVBUS_API

/* Their prototypes are the definitions themselves. */
#pragma GCC diagnostic ignored "-Wmissing-prototypes"

#include <evbus/bus.h>
#include <evbus/error.h>
#include <evbus/group.h>
#include <evbus/publish.h>
#include <evbus/reader.h>
#include <evbus/stream.h>
#include <evbus/timer.h>
#include <evbus/topic.h>
#include <evbus/worker.h>
