/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * map.c - layer 0: lay out, reserve and hand out the mapping (see map.h).
 * Called under the bus's lock, or before the bus is known to anybody.
 */
#include <stdio.h>
#include <string.h>

#include "base/map.h"

#define PAGE 4096u

static uint64_t
round_up(uint64_t value, uint64_t unit)
{
	return (value + unit - 1) & ~(unit - 1);
}

/* All that a mapping may take; with 32-bit addresses it is less. */
#if SIZE_MAX < UINT64_MAX
#define SIZE_LIMIT ((uint64_t)SIZE_MAX / 2)
#else
#define SIZE_LIMIT (UINT64_C(1) << 46)
#endif

/* The tables' places; the size of it all, or 0 where it is too much. */
static uint64_t
lay_out(struct evbus__table *table, const struct evbus__map_shape *shape)
{
	uint64_t at = PAGE, bytes;
	int i;

	for (i = 0; i < EVBUS__TABLES; i++) {
		if (__builtin_mul_overflow(shape[i].count,
		    (uint64_t)shape[i].stride, &bytes) || bytes > SIZE_LIMIT)
			return 0;
		table[i].offset = at;
		table[i].count = shape[i].count;
		table[i].stride = shape[i].stride;
		table[i].used = 0;
		at = round_up(at + bytes, i + 1 >= EVBUS__TABLE_RINGS ?
		    PAGE : EVBUS_LINE);
		if (at > SIZE_LIMIT)
			return 0;
	}
	return at;
}

int
evbus__map_open(struct evbus__context *context, const char *name,
    const struct evbus__map_shape shape[EVBUS__TABLES])
{
	struct evbus__table table[EVBUS__TABLES];
	struct evbus__map_header *header;
	struct evbus__map *map;
	uint64_t size;
	void *base;
	int error;

	size = lay_out(table, shape);
	if (size == 0)
		return evbus__fail(EVBUS_EINVAL, "the limits in evbus_options "
		    "ask for more than %llu bytes of address space",
		    (unsigned long long)SIZE_LIMIT);
	map = evbus__alloc(context, sizeof *map);
	if (map == NULL)
		return evbus__fail(EVBUS_ENOMEM, "no memory for a bus");
	error = evbus__os_map((size_t)size, name, &base, &map->fd);
	if (error != 0) {
		evbus__free(context, map, sizeof *map);
		return error;
	}
	header = base;
	memcpy(header->magic, EVBUS__MAP_MAGIC, sizeof header->magic);
	header->layout = EVBUS_LAYOUT;
	header->tables = EVBUS__TABLES;
	header->size = size;
	header->pid = evbus__os_pid();
	header->opened_ns = evbus__os_now();
	(void)snprintf(header->name, sizeof header->name, "%s", name);
	(void)snprintf(header->version, sizeof header->version, "%s",
	    EVBUS_VERSION);
	memcpy(header->table, table, sizeof table);
	map->header = header;
	map->base = base;
	map->size = (size_t)size;
	context->map = map;
	return 0;
}

void
evbus__map_close(struct evbus__context *context)
{
	struct evbus__map *map = context->map;

	if (map == NULL)
		return;
	evbus__os_unmap(map->base, map->size, map->fd);
	evbus__free(context, map, sizeof *map);
	context->map = NULL;
}

void *
evbus__map_entry(const struct evbus__map *map, enum evbus__table_kind kind,
    uint64_t index)
{
	const struct evbus__table *table = &map->header->table[kind];

	EVBUS_ASSERT(index < table->count);
	return map->base + table->offset + index * table->stride;
}

void *
evbus__map_take(struct evbus__map *map, enum evbus__table_kind kind,
    uint64_t size)
{
	struct evbus__table *table = &map->header->table[kind];
	uint64_t from = table->used, end;

	if (kind == EVBUS__TABLE_RINGS)
		from = round_up(from, size >= PAGE ? PAGE : EVBUS_LINE);
	if (__builtin_add_overflow(from, size, &end) || end > table->count)
		return NULL;
	EVBUS_STORE(&table->used, end, RELAXED);
	return map->base + table->offset + from;
}

void
evbus__map_used(struct evbus__map *map, enum evbus__table_kind kind,
    uint64_t index)
{
	struct evbus__table *table = &map->header->table[kind];

	if (index >= table->used)
		EVBUS_STORE(&table->used, index + 1, RELEASE);
}

uint64_t
evbus__map_offset(const struct evbus__map *map, const void *p)
{
	return (uint64_t)((const unsigned char *)p - map->base);
}
