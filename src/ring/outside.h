/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * outside.h - layer 1: payloads that lie outside their slot: in a block of the
 * stream's pool, or in the publisher's memory (by reference).
 *
 * A table of entries per stream; each entry has a state word:
 *
 *	FREE --take--> TAKEN --publish--> s:HELD --reclaim--> s:GOING --> FREE
 *	                  \--give up------------------------------------^
 *
 * s is the event's sequence; "ticket" is the word in state HELD, so it names
 * the payload as well as the entry's use.  Who may run with whom: anybody.
 *
 * A lossless reader needs no pin: its cursor holds the gate below the event.
 * A lossy reader pins: it publishes the ticket in its cursor, fences, and
 * looks whether the entry still has that state (PIN).  Who reclaims moves the
 * state to GOING, fences, and looks at the pins; if one names the ticket, the
 * state goes back to HELD.  Either the reader sees GOING or the reclaimer sees
 * the pin, so no payload is given back while somebody reads it.
 * (Hazard pointers, M. Michael.)
 */
#ifndef EVBUS_SRC_OUTSIDE_H
#define EVBUS_SRC_OUTSIDE_H

#include <evbus/ring.h>

#include "base/context.h"

#define EVBUS__OUTSIDE_TAKEN	1u	/* low bits of the state word */
#define EVBUS__OUTSIDE_HELD	2u
#define EVBUS__OUTSIDE_GOING	3u
#define EVBUS__OUTSIDE_BITS	2

/* What must not lie in the mapping. */
struct evbus__reference {
	const void *data;
	size_t size;
	evbus_release release;
	void *arg;
};

struct evbus__outside_table {
	uint64_t *state;		/* in the mapping; blocks first, then
					 * references */
	unsigned char *block;		/* in the mapping */
	struct evbus__reference *reference; /* private */
	uint32_t blocks;
	uint32_t references;
	uint32_t block_size;
	uint32_t hint_block;		/* where to look first; atomic */
	uint32_t hint_reference;
	uint32_t in_use;		/* entries not FREE; atomic */
	struct evbus_ring_ctl *ctl;
};

/* Take a free block or reference entry: its index, or -1: none is free. */
int64_t evbus__outside_take_block(struct evbus__outside_table *);
int64_t evbus__outside_take_reference(struct evbus__outside_table *,
    const void *data, size_t size, evbus_release, void *arg);
/* Before commit: the entry now belongs to this event; returns the ticket. */
uint64_t evbus__outside_hold(struct evbus__outside_table *, uint32_t entry,
    uint64_t sequence);
/* A held entry becomes a taken one, which nobody reclaims, until it is held
 * again; the caller pins it, and has seen that it is held. */
void evbus__outside_keep(struct evbus__outside_table *, uint32_t entry,
    uint64_t ticket);
/* The entry was taken but will not be published. */
void evbus__outside_give_up(struct evbus__outside_table *, uint32_t entry);
/*
 * Chain taken entries: a batch needs no memory to remember its own.  `next` is
 * an entry + 1, or 0.
 */
void evbus__outside_link(struct evbus__outside_table *, uint32_t entry,
    uint32_t next);
uint32_t evbus__outside_next(const struct evbus__outside_table *,
    uint32_t entry);
/* The smallest sequence that holds an entry, blocks or references; UINT64_MAX:
 * none does. */
uint64_t evbus__outside_oldest(const struct evbus__outside_table *,
    int references);
/* Where its payload lies. */
const void *evbus__outside_data(const struct evbus__outside_table *,
    uint32_t entry);
unsigned char *evbus__outside_block(const struct evbus__outside_table *,
    uint32_t entry);

/*
 * Take back every entry whose event the gate has passed and that nobody pins
 * (pinned() is asked after the fence).  Runs release functions: no lock may
 * be held, and the caller must not be in a section.  Returns how many.
 */
unsigned evbus__outside_reclaim(struct evbus__outside_table *, uint64_t gate,
    int (*pinned)(uint64_t ticket, void *arg), void *arg);

#endif /* EVBUS_SRC_OUTSIDE_H */
