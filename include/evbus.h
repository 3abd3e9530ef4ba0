/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * evbus.h - the umbrella for users: an embeddable publish/subscribe bus.
 * Start with evbus(7).
 */
#ifndef EVBUS_H
#define EVBUS_H

#include <evbus/base.h>
#include <evbus/error.h>
#include <evbus/event.h>
#include <evbus/stream.h>
#include <evbus/topic.h>
#include <evbus/publish.h>
#include <evbus/reader.h>
#include <evbus/stall.h>
#include <evbus/timer.h>
#include <evbus/group.h>
#include <evbus/bus.h>
#include <evbus/worker.h>

#endif /* EVBUS_H */
