/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fault_alloc.c - see fault_alloc.h.
 *
 * In front of each block lies its size.  Blocks are aligned as little as an
 * allocator may do it.  New ones are filled with garbage, old ones too.
 */
#include <stdlib.h>
#include <string.h>

#include "fault_alloc.h"

#define HEAD ((size_t)16)

static void *
fault_get(size_t size, void *arg)
{
	struct fault_alloc *fault = arg;
	unsigned char *block = NULL;
	int refused;

	pthread_mutex_lock(&fault->lock);
	fault->calls++;
	refused = fault->fail_at != 0 && (fault->calls == fault->fail_at ||
	    (fault->fail_on && fault->calls > fault->fail_at));
	if (!refused)
		block = malloc(HEAD + size);
	if (block != NULL) {
		memcpy(block, &size, sizeof size);
		memset(block + HEAD, 0xa5, size);
		fault->blocks++;
		fault->bytes += size;
	} else
		fault->failed++;
	pthread_mutex_unlock(&fault->lock);
	return block == NULL ? NULL : block + HEAD;
}

static void
fault_put(void *p, size_t size, void *arg)
{
	struct fault_alloc *fault = arg;
	unsigned char *block = (unsigned char *)p - HEAD;
	size_t asked;

	memcpy(&asked, block, sizeof asked);
	memset(p, 0xdd, asked);
	pthread_mutex_lock(&fault->lock);
	fault->wrong += asked != size;
	fault->frees++;
	fault->blocks--;
	fault->bytes -= asked;
	pthread_mutex_unlock(&fault->lock);
	free(block);
}

void
fault_alloc_init(struct fault_alloc *fault)
{
	memset(fault, 0, sizeof *fault);
	pthread_mutex_init(&fault->lock, NULL);
}

struct evbus_allocator
fault_alloc_hooks(struct fault_alloc *fault)
{
	struct evbus_allocator hooks = { fault_get, fault_put, fault };

	return hooks;
}

void
fault_alloc_arm(struct fault_alloc *fault, size_t k, int on)
{
	pthread_mutex_lock(&fault->lock);
	fault->calls = 0;
	fault->fail_at = k;
	fault->fail_on = on;
	pthread_mutex_unlock(&fault->lock);
}

static size_t
read_locked(struct fault_alloc *fault, const size_t *value)
{
	size_t seen;

	pthread_mutex_lock(&fault->lock);
	seen = *value;
	pthread_mutex_unlock(&fault->lock);
	return seen;
}

size_t
fault_alloc_calls(struct fault_alloc *fault)
{
	return read_locked(fault, &fault->calls);
}

size_t
fault_alloc_blocks(struct fault_alloc *fault)
{
	return read_locked(fault, &fault->blocks);
}

size_t
fault_alloc_wrong(struct fault_alloc *fault)
{
	return read_locked(fault, &fault->wrong);
}

size_t
fault_alloc_failed(struct fault_alloc *fault)
{
	return read_locked(fault, &fault->failed);
}

size_t
fault_alloc_activity(struct fault_alloc *fault)
{
	return read_locked(fault, &fault->calls) +
	    read_locked(fault, &fault->frees);
}
