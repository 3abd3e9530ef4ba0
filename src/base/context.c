/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * context.c - layer 0: allocator, clock and log of a bus.
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/context.h"

void *
evbus__alloc(struct evbus__context *context, size_t size)
{
	void *p = context->alloc(size, context->alloc_arg);

	if (p != NULL)
		memset(p, 0, size);
	return p;
}

void
evbus__free(struct evbus__context *context, void *p, size_t size)
{
	if (p != NULL)
		context->free(p, size, context->alloc_arg);
}

int64_t
evbus__now(struct evbus__context *context)
{
	if (context->clock != NULL)
		return context->clock(context->clock_arg);
	return evbus__os_now();
}

void
evbus__log(struct evbus__context *context, int code, const char *format, ...)
{
	char text[256];
	va_list args;

	if (context->log == NULL)
		return;
	va_start(args, format);
	(void)vsnprintf(text, sizeof text, format, args);
	va_end(args);
	context->log(code, text, context->log_arg);
}

int64_t
evbus__deadline(int64_t timeout_ns)
{
	int64_t now;

	if (timeout_ns < 0)
		return EVBUS_FOREVER;
	now = evbus__os_now();
	if (timeout_ns > INT64_MAX - now)
		return INT64_MAX;
	return now + timeout_ns;
}
