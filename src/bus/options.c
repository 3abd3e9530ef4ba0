/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * options.c - layer 6: the options of a bus, checked and completed.
 */
#include <string.h>

#include "bus/bus.h"

#define STALL_REPORT_NS	100000000

static int
default_and_check(const char *what, uint32_t *value, uint32_t standard,
    uint32_t most)
{
	if (*value == 0)
		*value = standard;
	if (*value <= most)
		return 0;
	return evbus__fail(EVBUS_EINVAL, "%s is %u; the limit is %u", what,
	    *value, most);
}

static int
check_hooks(const struct evbus_options *options)
{
	const struct evbus_allocator *allocator = &options->allocator;

	if ((allocator->alloc == NULL) != (allocator->free == NULL))
		return evbus__fail(EVBUS_EINVAL,
		    "allocator has one of alloc and free; it needs both");
	return 0;
}

static int
check_memory(struct evbus_options *options)
{
	uint64_t names = (uint64_t)options->max_topics * 64;

	if (options->ring_memory == 0)
		options->ring_memory = UINT64_C(1) << 30;
	if (options->ring_memory > UINT64_C(1) << 44)
		return evbus__fail(EVBUS_EINVAL, "ring_memory is %llu; the "
		    "limit is 2^44", (unsigned long long)options->ring_memory);
	if (options->name_memory == 0)
		options->name_memory = names < 65536 ? 65536 :
		    (uint32_t)names;
	return 0;
}

int
evbus__options_check(struct evbus_options *options)
{
	int error;

	if (options->name == NULL || options->name[0] == '\0')
		options->name = "evbus";
	if (strlen(options->name) >= EVBUS_NAME_MAX)
		return evbus__fail(EVBUS_EINVAL, "the bus's name has %zu "
		    "bytes; the limit is %d", strlen(options->name),
		    EVBUS_NAME_MAX - 1);
	if (options->stall_report_ns < -1)
		return evbus__fail(EVBUS_EINVAL, "stall_report_ns is %lld; it "
		    "must be -1 or a number of nanoseconds",
		    (long long)options->stall_report_ns);
	if (options->stall_report_ns == 0)
		options->stall_report_ns = STALL_REPORT_NS;
	error = default_and_check("max_topics", &options->max_topics, 65536,
	    EVBUS_TOPIC_LIMIT - 1);
	if (error == 0)
		error = default_and_check("max_readers", &options->max_readers,
		    1024, 65535);
	if (error == 0)
		error = default_and_check("max_publishers",
		    &options->max_publishers, 256, 65535);
	if (error == 0)
		error = default_and_check("max_streams", &options->max_streams,
		    64, 1024);
	if (error == 0)
		error = default_and_check("max_timers", &options->max_timers,
		    1024, 1u << 20);
	if (error == 0)
		error = check_hooks(options);
	if (error == 0)
		error = check_memory(options);
	if (error == 0)
		error = evbus__stream_options_check(&options->stream);
	if (error == 0)
		error = default_and_check("timer_payload",
		    &options->timer_payload, options->stream.max_payload,
		    1u << 24);
	return error;
}
