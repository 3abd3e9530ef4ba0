/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * map.h - layer 0: the one mapping of a bus.
 *
 * Sparse, reserved at its greatest size at open, never moved, referring to
 * itself by offset, without a function pointer in it, sealed against foreign
 * writing.  It holds a header page, then tables of fixed strides, then the
 * area from which rings and pools are taken:
 *
 *	+--------+------------+---------+-----+----------+------------------+
 *	| header | publishers | streams | ... | names    | rings and pools  |
 *	+--------+------------+---------+-----+----------+------------------+
 *
 * The header says where each table lies, how many entries it may hold and how
 * large one is, so that a reader of another process can find and bound-check
 * everything.  Pages come into being when they are touched (M2).
 */
#ifndef EVBUS_SRC_MAP_H
#define EVBUS_SRC_MAP_H

#include "base/context.h"

#define EVBUS__MAP_MAGIC "EVBUSMAP"

enum evbus__table_kind {
	EVBUS__TABLE_PUBLISHERS,	/* struct evbus_publisher */
	EVBUS__TABLE_STREAMS,		/* struct evbus__stream_entry */
	EVBUS__TABLE_CONTROLS,		/* struct evbus_ring_ctl */
	EVBUS__TABLE_READERS,		/* struct evbus__reader_entry */
	EVBUS__TABLE_CURSORS,		/* struct evbus__cursor */
	EVBUS__TABLE_PARKS,		/* struct evbus__park */
	EVBUS__TABLE_TOPICS,		/* struct evbus__topic_entry */
	EVBUS__TABLE_NAMES,		/* bytes, each name with its NUL */
	EVBUS__TABLE_SCHEMAS,		/* none yet */
	EVBUS__TABLE_RINGS,		/* bytes */
	EVBUS__TABLES
};

struct evbus__table {
	uint64_t offset;	/* from the start of the mapping */
	uint64_t count;		/* entries at most */
	uint64_t used;		/* bytes taken (names, rings), else entries
				 * ever used; atomic */
	uint32_t stride;	/* bytes of an entry */
	uint32_t reserved;
};

struct evbus__map_header {
	char magic[8];
	uint32_t layout;	/* EVBUS_LAYOUT */
	uint32_t tables;	/* how many */
	uint64_t size;		/* bytes of the mapping */
	uint32_t pid;
	uint32_t state;		/* enum evbus__state; a copy to look at */
	int64_t opened_ns;	/* monotonic */
	char name[EVBUS_NAME_MAX];
	char version[16];
	struct evbus__table table[16];
};
_Static_assert(sizeof(struct evbus__map_header) <= 4096, "one page");
_Static_assert(EVBUS__TABLES <= 16, "tables fit the header");

struct evbus__map {
	struct evbus__map_header *header;
	unsigned char *base;
	size_t size;
	int fd;
};

struct evbus__map_shape {
	uint64_t count;
	uint32_t stride;
};

/* Reserve the mapping; 0, or a refusal with its sentence. */
int evbus__map_open(struct evbus__context *, const char *name,
    const struct evbus__map_shape shape[EVBUS__TABLES]);
void evbus__map_close(struct evbus__context *);

/* Entry `index` of a table; the index must be below its count. */
void *evbus__map_entry(const struct evbus__map *, enum evbus__table_kind,
    uint64_t index);
/*
 * Take `size` bytes, 128-byte aligned in the rings' area (page-aligned from a
 * page on), not at all in the names'; NULL: used up.  The bus's lock is held.
 */
void *evbus__map_take(struct evbus__map *, enum evbus__table_kind,
    uint64_t size);
/* Note that entry `index` is in use, for those who look from outside. */
void evbus__map_used(struct evbus__map *, enum evbus__table_kind,
    uint64_t index);
uint64_t evbus__map_offset(const struct evbus__map *, const void *);

#endif /* EVBUS_SRC_MAP_H */
