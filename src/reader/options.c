/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * options.c - layer 4: are a reader's options within their ranges?
 */
#include <string.h>

#include "reader/reader.h"

static int
check_group(const struct evbus_reader_options *options)
{
	if (options->group == NULL) {
		if (options->share == 0 && !options->keep_group)
			return 0;
		return evbus__fail(EVBUS_EINVAL, "share is %d and keep_group "
		    "is %d, but group is NULL", (int)options->share,
		    options->keep_group);
	}
	if (options->group[0] == '\0' ||
	    strlen(options->group) >= EVBUS_NAME_MAX)
		return evbus__fail(EVBUS_EINVAL, "the group's name has %zu "
		    "bytes; it must have 1 to %d", strlen(options->group),
		    EVBUS_NAME_MAX - 1);
	if (options->share == EVBUS_KEYED)
		return evbus__fail(EVBUS_ENOTSUP, "group \"%s\" is to be "
		    "EVBUS_KEYED, which this version cannot do",
		    options->group);
	if ((unsigned)options->share > EVBUS_KEYED)
		return evbus__fail(EVBUS_EINVAL, "share is %d; it must be "
		    "EVBUS_SHARED or EVBUS_KEYED", (int)options->share);
	if (options->start == EVBUS_START_RETAINED)
		return evbus__fail(EVBUS_EINVAL, "group \"%s\" cannot start "
		    "with what topics retain: each member would get it",
		    options->group);
	if (options->after_count != 0)
		return evbus__fail(EVBUS_EINVAL, "group \"%s\" stands after "
		    "nobody: its members take what is there", options->group);
	if (options->lossy || options->max_lag != 0 || options->stall_ns != 0)
		return evbus__fail(EVBUS_EINVAL, "group \"%s\" is lossless: "
		    "its members can be neither lossy nor demoted",
		    options->group);
	return 0;
}

int
evbus__reader_options_check(const struct evbus_reader_options *options)
{
	if (options->name != NULL && strlen(options->name) >= EVBUS_NAME_MAX)
		return evbus__fail(EVBUS_EINVAL, "the reader's name has %zu "
		    "bytes; the limit is %d", strlen(options->name),
		    EVBUS_NAME_MAX - 1);
	if (options->worker != NULL && (options->worker[0] == '\0' ||
	    strlen(options->worker) >= EVBUS_NAME_MAX))
		return evbus__fail(EVBUS_EINVAL, "the worker's name has %zu "
		    "bytes; it must have 1 to %d", strlen(options->worker),
		    EVBUS_NAME_MAX - 1);
	if ((unsigned)options->start > EVBUS_START_RETAINED)
		return evbus__fail(EVBUS_EINVAL, "start is %d; it must be "
		    "EVBUS_START_NOW, _OLDEST, _SEQUENCE or _RETAINED",
		    (int)options->start);
	if (options->spin_ns < -1)
		return evbus__fail(EVBUS_EINVAL, "spin_ns is %lld; it must be "
		    "-1 or a number of nanoseconds",
		    (long long)options->spin_ns);
	if (options->stall_ns < 0)
		return evbus__fail(EVBUS_EINVAL, "stall_ns is %lld; it must be "
		    "0 or a number of nanoseconds",
		    (long long)options->stall_ns);
	if (options->lossy && (options->max_lag != 0 || options->stall_ns != 0))
		return evbus__fail(EVBUS_EINVAL, "max_lag and stall_ns make a "
		    "lossless reader lossy; this one is lossy already");
	return check_group(options);
}
