/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * subscribe.c - layer 6: subscriptions on the bus itself: one reader, run by
 * one worker thread, both made at the first call and not before (S6).
 */
#include "bus/bus.h"

static int
default_reader(struct evbus *bus, struct evbus_reader **reader)
{
	struct evbus_reader_options options = {
		.name = "bus",
		.worker = EVBUS__DEFAULT_WORKER,
	};
	int error = 0;

	evbus__mutex_lock(&bus->default_lock);
	if (bus->reader == NULL)
		error = evbus__reader_make(&bus->context, &options,
		    &bus->reader);
	*reader = bus->reader;
	evbus__mutex_unlock(&bus->default_lock);
	return error;
}

static int64_t
subscribe_at(struct evbus *bus, const char *pattern, evbus_handler handler,
    void *arg, const struct evbus_subscribe_options *options,
    const char *file, int line)
{
	struct evbus_reader *reader;
	int error;

	if (bus == NULL)
		return evbus__fail(EVBUS_EINVAL,
		    "evbus_subscribe: bus is NULL");
	if (handler == NULL)
		return evbus__fail(EVBUS_EINVAL,
		    "evbus_subscribe: handler is NULL");
	error = evbus__check_open(&bus->context);
	if (error == 0)
		error = evbus__pattern_check(pattern, NULL);
	if (error == 0)
		error = default_reader(bus, &reader);
	return error != 0 ? error : evbus__reader_subscribe_at(reader, pattern,
	    handler, arg, options, file, line);
}

int64_t
evbus__subscribe(struct evbus *bus, const char *pattern, evbus_handler handler,
    void *arg, const struct evbus_subscribe_options *options,
    size_t options_size, const char *file, int line)
{
	int error = evbus__check_options("struct evbus_subscribe_options",
	    options_size, sizeof *options);

	return error != 0 ? error : subscribe_at(bus, pattern, handler, arg,
	    options, file, line);
}

/* The real symbol behind the macro, for other languages. */
int64_t
(evbus_subscribe)(struct evbus *bus, const char *pattern,
    evbus_handler handler, void *arg,
    const struct evbus_subscribe_options *options)
{
	return subscribe_at(bus, pattern, handler, arg, options, "?", 0);
}
