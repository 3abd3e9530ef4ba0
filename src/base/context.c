/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * context.c - layer 0: allocator, clock and log of a bus.
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/context.h"

/*
 * Our structures keep fields of different threads a line apart, an allocator
 * need not: the block is aligned here, and its first address kept in front.
 */
void *
evbus__alloc_aligned(void *(*alloc)(size_t, void *), void *arg, size_t size)
{
	unsigned char *raw, *p;

	raw = alloc(size + EVBUS_LINE + sizeof raw, arg);
	if (raw == NULL)
		return NULL;
	p = (unsigned char *)(((uintptr_t)raw + sizeof raw + EVBUS_LINE - 1) &
	    ~(uintptr_t)(EVBUS_LINE - 1));
	memcpy(p - sizeof raw, &raw, sizeof raw);
	memset(p, 0, size);
	return p;
}

void
evbus__free_aligned(void (*release)(void *, size_t, void *), void *arg,
    void *p, size_t size)
{
	unsigned char *raw;

	memcpy(&raw, (unsigned char *)p - sizeof raw, sizeof raw);
	release(raw, size + EVBUS_LINE + sizeof raw, arg);
}

void *
evbus__alloc(struct evbus__context *context, size_t size)
{
	return evbus__alloc_aligned(context->alloc, context->alloc_arg, size);
}

void
evbus__free(struct evbus__context *context, void *p, size_t size)
{
	if (p != NULL)
		evbus__free_aligned(context->free, context->alloc_arg, p,
		    size);
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

int
evbus__check_timeout(int64_t timeout_ns)
{
	return timeout_ns >= EVBUS_FOREVER ? 0 : evbus__fail(EVBUS_EINVAL,
	    "timeout_ns is %lld; it must be EVBUS_FOREVER or a number of "
	    "nanoseconds", (long long)timeout_ns);
}

int
evbus__has_passed(int64_t deadline)
{
	return deadline != EVBUS_FOREVER && evbus__os_now() >= deadline;
}

int64_t
evbus__slice(int64_t slice_ns, int64_t deadline)
{
	int64_t slice = evbus__deadline(slice_ns);

	return deadline != EVBUS_FOREVER && deadline < slice ? deadline :
	    slice;
}
