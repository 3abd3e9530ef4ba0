/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * outside.c - layer 1: see outside.h.
 */
#include "ring/outside.h"

static uint64_t
ticket_of(uint64_t sequence)
{
	return sequence << EVBUS__OUTSIDE_BITS | EVBUS__OUTSIDE_HELD;
}

static int64_t
take(struct evbus__outside_table *table, uint32_t from, uint32_t count,
    uint32_t *hint)
{
	uint32_t i, at = EVBUS_LOAD(hint, RELAXED);
	uint64_t state;

	for (i = 0; i < count; i++, at++) {
		if (at >= count)
			at = 0;
		state = 0;
		if (EVBUS_LOAD(&table->state[from + at], RELAXED) != 0)
			continue;
		EVBUS__DELAY(outside_take);
		/* GIVE: acquire: who freed the entry is done with it. */
		if (EVBUS_CAS(&table->state[from + at], &state,
		    EVBUS__OUTSIDE_TAKEN, ACQUIRE, RELAXED)) {
			EVBUS_STORE(hint, at + 1, RELAXED);
			(void)EVBUS_FETCH_ADD(&table->in_use, 1, RELAXED);
			(void)EVBUS_FETCH_ADD(&table->ctl->outside_taken, 1,
			    RELAXED);
			return (int64_t)from + at;
		}
	}
	return -1;
}

static void
make_free(struct evbus__outside_table *table, uint32_t entry)
{
	EVBUS__DELAY(outside_give);
	/* GIVE: release, partner take(). */
	EVBUS_STORE(&table->state[entry], 0, RELEASE);
	(void)EVBUS_FETCH_ADD(&table->in_use, (uint32_t)-1, RELAXED);
	(void)EVBUS_FETCH_ADD(&table->ctl->outside_given, 1, RELAXED);
}

int64_t
evbus__outside_take_block(struct evbus__outside_table *table)
{
	return take(table, 0, table->blocks, &table->hint_block);
}

int64_t
evbus__outside_take_reference(struct evbus__outside_table *table,
    const void *data, size_t size, evbus_release release, void *arg)
{
	int64_t entry = take(table, table->blocks, table->references,
	    &table->hint_reference);
	struct evbus__reference *reference;

	if (entry < 0)
		return -1;
	reference = &table->reference[entry - table->blocks];
	reference->data = data;
	reference->size = size;
	reference->release = release;
	reference->arg = arg;
	return entry;
}

uint64_t
evbus__outside_hold(struct evbus__outside_table *table, uint32_t entry,
    uint64_t sequence)
{
	uint64_t ticket = ticket_of(sequence);

	/* HOLD: release: who reclaims sees the reference's fields. */
	EVBUS_STORE(&table->state[entry], ticket, RELEASE);
	return ticket;
}

void
evbus__outside_keep(struct evbus__outside_table *table, uint32_t entry,
    uint64_t ticket)
{
	uint64_t state = ticket;

	/* Who reclaims may look at it just now: it finds the pin (PIN). */
	while (!EVBUS_CAS(&table->state[entry], &state, EVBUS__OUTSIDE_TAKEN,
	    RELAXED, RELAXED)) {
		EVBUS_ASSERT((state & 3) == EVBUS__OUTSIDE_GOING);
		EVBUS_SPIN();
		state = ticket;
	}
}

void
evbus__outside_give_up(struct evbus__outside_table *table, uint32_t entry)
{
	make_free(table, entry);
}

void
evbus__outside_link(struct evbus__outside_table *table, uint32_t entry,
    uint32_t next)
{
	EVBUS_STORE(&table->state[entry], (uint64_t)next <<
	    EVBUS__OUTSIDE_BITS | EVBUS__OUTSIDE_TAKEN, RELAXED);
}

uint32_t
evbus__outside_next(const struct evbus__outside_table *table, uint32_t entry)
{
	return (uint32_t)(EVBUS_LOAD(&table->state[entry], RELAXED) >>
	    EVBUS__OUTSIDE_BITS);
}

uint64_t
evbus__outside_oldest(const struct evbus__outside_table *table, int references)
{
	uint32_t i = references ? table->blocks : 0;
	uint32_t end = references ? table->blocks + table->references :
	    table->blocks;
	uint64_t oldest = UINT64_MAX, state;

	for (; i < end; i++) {
		state = EVBUS_LOAD(&table->state[i], RELAXED);
		if ((state & 3) == EVBUS__OUTSIDE_HELD &&
		    state >> EVBUS__OUTSIDE_BITS < oldest)
			oldest = state >> EVBUS__OUTSIDE_BITS;
	}
	return oldest;
}

unsigned char *
evbus__outside_block(const struct evbus__outside_table *table, uint32_t entry)
{
	EVBUS_ASSERT(entry < table->blocks);
	return table->block + (size_t)entry * table->block_size;
}

const void *
evbus__outside_data(const struct evbus__outside_table *table, uint32_t entry)
{
	if (entry < table->blocks)
		return evbus__outside_block(table, entry);
	EVBUS_ASSERT(entry - table->blocks < table->references);
	return table->reference[entry - table->blocks].data;
}

/* The entry is GOING: free it, and tell its owner if it was a reference. */
static void
give_back(struct evbus__outside_table *table, uint32_t entry)
{
	struct evbus__reference reference;

	if (entry < table->blocks) {
		make_free(table, entry);
		return;
	}
	reference = table->reference[entry - table->blocks];
	make_free(table, entry);
	if (reference.release != NULL)
		reference.release(reference.data, reference.size,
		    reference.arg);
}

unsigned
evbus__outside_reclaim(struct evbus__outside_table *table, uint64_t gate,
    int (*pinned)(uint64_t, void *), void *arg)
{
	uint32_t i, all = table->blocks + table->references;
	uint64_t state, ticket;
	unsigned given = 0;

	if (EVBUS_LOAD(&table->in_use, RELAXED) == 0)
		return 0;
	for (i = 0; i < all; i++) {
		/* HOLD: acquire, partner evbus__outside_hold(). */
		state = EVBUS_LOAD(&table->state[i], ACQUIRE);
		if ((state & 3) != EVBUS__OUTSIDE_HELD ||
		    state >> EVBUS__OUTSIDE_BITS >= gate)
			continue;
		ticket = state;
		EVBUS__DELAY(outside_going);
		if (!EVBUS_CAS(&table->state[i], &state,
		    ticket | EVBUS__OUTSIDE_GOING, RELAXED, RELAXED))
			continue;
		/*
		 * PIN: state GOING, fence, look at the pins.  Partner:
		 * reader/copy.c: pin, fence, look at the state.
		 */
		EVBUS_FENCE(SEQ_CST);
		EVBUS__DELAY(outside_gone);
		if (pinned(ticket, arg)) {
			/* A read-modify-write: HOLD goes on through it. */
			(void)EVBUS_XCHG(&table->state[i], ticket, RELAXED);
			continue;
		}
		give_back(table, i);
		given++;
	}
	return given;
}
