/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * explore_toys_buffer.c - toys of what empties a store buffer, and of where a
 * search may not be cut (explore_seen.c).
 */
#include <stdlib.h>

#include <evbus/atomic.h>

#include "epoch_explore.h"
#include "explore_toys.h"

/* Store buffering with a read-modify-write of another word in between. */
static void
other_left(void)
{
	EVBUS_STORE(&toy.left, 1, RELAXED);
	(void)EVBUS_FETCH_ADD(&toy.word[0], 1, SEQ_CST);
	toy.got[1] = EVBUS_LOAD(&toy.right, RELAXED);
}

static void
other_right(void)
{
	EVBUS_STORE(&toy.right, 1, RELAXED);
	(void)EVBUS_FETCH_ADD(&toy.word[1], 1, SEQ_CST);
	toy.got[2] = EVBUS_LOAD(&toy.left, RELAXED);
}

static void
other_finish(void)
{
	EXPLORE_ASSERT(toy.got[1] == 1 || toy.got[2] == 1);
}

/* Who has waited for a section sees what was stored in it. */
static struct evbus__epoch epoch;
static struct evbus__epoch_record records[3];

static void
section_setup(void)
{
	toy_setup();
	evbus__epoch_init(&epoch);
	evbus__epoch_register(&epoch, &records[1]);
	evbus__epoch_register(&epoch, &records[2]);
}

static void
section_store(void)
{
	evbus__epoch_begin(&epoch, &records[1]);
	EVBUS_STORE(&toy.left, 1, RELAXED);
	EVBUS_STORE(&toy.data, 1, RELAXED);
	evbus__epoch_end(&epoch, &records[1]);
}

static void
section_wait(void)
{
	if (EVBUS_LOAD(&toy.left, RELAXED) == 0)
		return;
	evbus__epoch_synchronize(&epoch, &records[2]);
	EXPLORE_ASSERT(EVBUS_LOAD(&toy.data, RELAXED) == 1);
}

/* A store that overwrites another comes after all that the other follows. */
static void
over_first(void)
{
	EVBUS_STORE(&toy.data, 1, RELAXED);
	EVBUS_STORE(&toy.flag, 1, RELAXED);
}

static void
over_second(void)
{
	EVBUS_STORE(&toy.flag, 2, RELAXED);
}

static void
over_look(void)
{
	toy.got[1] = EVBUS_LOAD(&toy.flag, ACQUIRE);
	toy.got[2] = EVBUS_LOAD(&toy.data, RELAXED);
}

static void
sb_private_finish(void)
{
	EXPLORE_ASSERT(toy.got[1] == 1 || toy.got[2] == 1);
}

/* flag is 2 at the end: then the first was stored before the second. */
static void
over_finish(void)
{
	EXPLORE_ASSERT(toy.flag != 2 || toy.got[1] != 2 || toy.got[2] == 1);
}

/* A read-modify-write of a word that is not shared empties the buffer. */
static void
own_store(void)
{
	EVBUS_STORE(&toy.left, 1, RELAXED);
	toy.got[1] = EVBUS_LOAD(&toy.right, RELAXED);
	(void)EVBUS_FETCH_OR(&toy.word[0], 1, RELAXED);
}

static void
own_modify(void)
{
	(void)EVBUS_FETCH_OR(&toy.right, 1, RELAXED);
	toy.got[2] = EVBUS_LOAD(&toy.left, RELAXED);
}

/* Additions whose order nobody sees; and one that somebody does. */
static void
add_first(void)
{
	EVBUS_FETCH_ADD(&toy.word[0], 1, RELAXED);
	EVBUS_STORE(&toy.left, 1, RELAXED);
	EVBUS_FETCH_ADD(&toy.word[1], 1, RELAXED);
}

static void
add_second(void)
{
	EVBUS_FETCH_ADD(&toy.word[0], 2, RELAXED);
	toy.got[2] = EVBUS_LOAD(&toy.left, RELAXED);
	EVBUS_FETCH_ADD(&toy.word[1], 2, RELAXED);
	toy.got[3] = (uint32_t)EVBUS_LOAD(&toy.word[1], RELAXED);
}

/* The same value twice; who reads the first knows what was before it. */
static void
told_write(void)
{
	EVBUS_STORE(&toy.data, 1, RELAXED);
	EVBUS_STORE(&toy.flag, 1, RELEASE);
	EVBUS_STORE(&toy.flag, 1, RELAXED);
}

static void
told_read(void)
{
	toy.got[1] = EVBUS_LOAD(&toy.flag, ACQUIRE);
	toy.got[2] = EVBUS_LOAD(&toy.data, RELAXED);
}

/* One way to a state is gone while a fiber sleeps, another while none does. */
static void
ways_first(void)
{
	EVBUS_STORE(&toy.word[0], 1, RELAXED);
	toy.got[1] = EVBUS_LOAD(&toy.left, RELAXED);
	EVBUS_STORE(&toy.word[1], 1, RELAXED);
	toy.got[2] = EVBUS_LOAD(&toy.right, RELAXED);
}

static void
ways_second(void)
{
	EVBUS_STORE(&toy.left, 1, RELAXED);
	toy.got[3] = (uint32_t)EVBUS_LOAD(&toy.word[1], RELAXED);
	EVBUS_STORE(&toy.right, 1, RELAXED);
	toy.got[4] = (uint32_t)EVBUS_LOAD(&toy.word[0], RELAXED);
}

/* Where both stand the same, it matters who goes on for nothing. */
static void
runs_first(void)
{
	EVBUS_STORE(&toy.left, 1, RELAXED);
	toy.got[1] = EVBUS_FETCH_OR(&toy.data, 1, RELAXED);
}

static void
runs_second(void)
{
	toy.got[2] = EVBUS_FETCH_OR(&toy.data, 16, RELAXED);
	toy.got[3] = EVBUS_FETCH_OR(&toy.data, 32, RELAXED);
	toy.got[4] = EVBUS_LOAD(&toy.left, RELAXED);
}

/* Freed memory is read without a hook, and what was read shows late. */
static void *block;

static void
freed_setup(void)
{
	toy_setup();
	block = malloc(sizeof(uint32_t));
	EXPLORE_ASSERT(block != NULL);
	*(volatile uint32_t *)block = 1;
}

static void
freed_use(void)
{
	uint32_t value;

	EVBUS_STORE(&toy.flag, 1, RELAXED);
	EVBUS_STORE(&toy.word[0], 1, RELAXED);
	value = *(volatile uint32_t *)block;
	EVBUS_STORE(&toy.left, 1, RELAXED);
	EVBUS_STORE(&toy.left, 2, RELAXED);
	toy.got[1] = value;
}

static void
freed_drop(void)
{
	if (EVBUS_LOAD(&toy.flag, RELAXED) == 0)
		return;
	free(block);
	(void)EVBUS_LOAD(&toy.left, RELAXED);
}

TOY(who_runs, "who goes on for nothing", toy_setup, NULL, runs_first,
    runs_second);
TOY(freed_late, "freed memory shows late", freed_setup, NULL, freed_use,
    freed_drop);
TOY(sb_other_modify, "a modify of another word", toy_setup, other_finish,
    other_left, other_right);
TOY(section_seen, "stores of a section waited for", section_setup, NULL,
    section_store, section_wait);
TOY(overwritten, "a store that overwrites another", toy_setup, over_finish,
    over_first, over_second, over_look);
TOY(sb_private, "a modify of a private word is no fence", toy_setup,
    sb_private_finish, own_store, own_modify);
TOY(adds, "additions change places", toy_setup, NULL, add_first, add_second);
TOY(told_twice, "a value that tells more the first time", toy_setup, NULL,
    told_write, told_read);
TOY(ways, "four words that cross", toy_setup, NULL, ways_first, ways_second);
