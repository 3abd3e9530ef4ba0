/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_outside.c - why: the table of payloads outside the ring is where a
 * mistake gives memory back that somebody reads.  Here alone, without a ring:
 * each state is reached, and release runs once, only in GOING.
 */
#include "ring/outside.h"
#include "support/event_check.h"

#define BLOCKS 3u
#define REFERENCES 2u

struct table {
	struct evbus__outside_table table;
	uint64_t state[BLOCKS + REFERENCES];
	struct evbus__reference reference[REFERENCES];
	unsigned char block[BLOCKS * 64];
	struct evbus_ring_ctl ctl;
	uint64_t pinned;	/* this ticket is */
	unsigned asked;
	unsigned released;
};

static struct table *
table_new(void)
{
	struct table *table = NULL;

	assert_int_equal(posix_memalign((void **)&table,
	    _Alignof(struct table), sizeof *table), 0);
	memset(table, 0, sizeof *table);
	table->table.state = table->state;
	table->table.block = table->block;
	table->table.reference = table->reference;
	table->table.blocks = BLOCKS;
	table->table.references = REFERENCES;
	table->table.block_size = 64;
	table->table.ctl = &table->ctl;
	return table;
}

static int
is_pinned(uint64_t ticket, void *arg)
{
	struct table *table = arg;

	table->asked++;
	return ticket == table->pinned;
}

static void
release(const void *data, size_t size, void *arg)
{
	struct table *table = arg;

	CHECK(data == table->block);
	CHECK_INT(size, 7);
	table->released++;
}

static unsigned
reclaim(struct table *table, uint64_t gate)
{
	return evbus__outside_reclaim(&table->table, gate, is_pinned, table);
}

static void
blocks_taken_given_up_and_taken_again(void **state)
{
	struct table *table = table_new();
	int64_t entry[BLOCKS];
	unsigned i;

	(void)state;
	for (i = 0; i < BLOCKS; i++) {
		entry[i] = evbus__outside_take_block(&table->table);
		assert_in_range(entry[i], 0, BLOCKS - 1);
		assert_true(i == 0 || entry[i] != entry[i - 1]);
	}
	assert_int_equal(evbus__outside_take_block(&table->table), -1);
	assert_int_equal(table->table.in_use, BLOCKS);
	/* Taken and not held: nobody takes them back. */
	assert_int_equal(reclaim(table, UINT64_MAX), 0);
	assert_int_equal(evbus__outside_oldest(&table->table, 0), UINT64_MAX);
	evbus__outside_give_up(&table->table, (uint32_t)entry[1]);
	assert_int_equal(evbus__outside_take_block(&table->table), entry[1]);
	assert_int_equal(table->ctl.outside_taken, BLOCKS + 1);
	assert_int_equal(table->ctl.outside_given, 1);
	free(table);
}

static void
held_below_the_gate_and_not_pinned_given_back(void **state)
{
	struct table *table = table_new();
	uint64_t ticket[2];
	uint32_t entry[2];
	unsigned i;

	(void)state;
	for (i = 0; i < 2; i++) {
		entry[i] = (uint32_t)evbus__outside_take_block(&table->table);
		ticket[i] = evbus__outside_hold(&table->table, entry[i],
		    10 + i);
		assert_int_equal(table->state[entry[i]], ticket[i]);
	}
	assert_true(ticket[0] != ticket[1]);
	assert_int_equal(evbus__outside_oldest(&table->table, 0), 10);
	assert_int_equal(reclaim(table, 10), 0);
	assert_int_equal(table->asked, 0);
	table->pinned = ticket[0];
	assert_int_equal(reclaim(table, 12), 1);
	assert_int_equal(table->asked, 2);
	/* The pinned one is as it was. */
	assert_int_equal(table->state[entry[0]], ticket[0]);
	assert_int_equal(table->state[entry[1]], 0);
	table->pinned = 0;
	assert_int_equal(reclaim(table, 12), 1);
	assert_int_equal(table->table.in_use, 0);
	assert_int_equal(evbus__outside_oldest(&table->table, 0), UINT64_MAX);
	/* With nothing in use nobody is asked. */
	table->asked = 0;
	assert_int_equal(reclaim(table, UINT64_MAX), 0);
	assert_int_equal(table->asked, 0);
	free(table);
}

static void
reference_released_once_when_given_back_only(void **state)
{
	struct table *table = table_new();
	int64_t entry, other;

	(void)state;
	entry = evbus__outside_take_reference(&table->table, table->block, 7,
	    release, table);
	other = evbus__outside_take_reference(&table->table, table->block, 7,
	    release, table);
	assert_true(entry >= (int64_t)BLOCKS && other >= (int64_t)BLOCKS);
	assert_int_equal(evbus__outside_take_reference(&table->table,
	    table->block, 7, release, table), -1);
	assert_ptr_equal(evbus__outside_data(&table->table, (uint32_t)entry),
	    table->block);
	/* Not published: it stays the caller's. */
	evbus__outside_give_up(&table->table, (uint32_t)other);
	assert_int_equal(table->released, 0);
	table->pinned = evbus__outside_hold(&table->table, (uint32_t)entry, 5);
	assert_int_equal(evbus__outside_oldest(&table->table, 1), 5);
	assert_int_equal(evbus__outside_oldest(&table->table, 0), UINT64_MAX);
	assert_int_equal(reclaim(table, 6), 0);
	assert_int_equal(table->released, 0);
	table->pinned = 0;
	assert_int_equal(reclaim(table, 6), 1);
	assert_int_equal(reclaim(table, 6), 0);
	assert_int_equal(table->released, 1);
	/* One that nobody wants back is free again without a word. */
	entry = evbus__outside_take_reference(&table->table, table->block, 7,
	    NULL, table);
	(void)evbus__outside_hold(&table->table, (uint32_t)entry, 7);
	assert_int_equal(reclaim(table, 8), 1);
	assert_int_equal(table->released, 1);
	assert_int_equal(table->table.in_use, 0);
	event_check_done();
	free(table);
}

static void
chain_of_taken_entries_in_order(void **state)
{
	struct table *table = table_new();
	uint32_t head = 0, entry[BLOCKS], at;
	unsigned i;

	(void)state;
	for (i = 0; i < BLOCKS; i++) {
		entry[i] = (uint32_t)evbus__outside_take_block(&table->table);
		evbus__outside_link(&table->table, entry[i], head);
		head = entry[i] + 1;
	}
	for (at = head; i > 0; i--) {
		assert_int_equal(at, entry[i - 1] + 1);
		assert_ptr_equal(evbus__outside_block(&table->table, at - 1),
		    table->block + (at - 1) * 64);
		at = evbus__outside_next(&table->table, at - 1);
	}
	assert_int_equal(at, 0);
	assert_int_equal(reclaim(table, UINT64_MAX), 0);
	free(table);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(blocks_taken_given_up_and_taken_again),
		cmocka_unit_test(held_below_the_gate_and_not_pinned_given_back),
		cmocka_unit_test(reference_released_once_when_given_back_only),
		cmocka_unit_test(chain_of_taken_entries_in_order),
	};

	return cmocka_run_group_tests_name("outside", tests, NULL, NULL);
}
