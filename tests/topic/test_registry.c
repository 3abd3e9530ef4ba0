/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_registry.c - why: every evbus_topic_open() of a name that exists goes
 * through this table without a lock, while another thread may be inserting,
 * and growing it.  A name missed would make a second topic of the same name;
 * memory given back too early would be read.  The thread test runs under the
 * sanitizers, with freed memory overwritten.
 */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "topic/registry.h"

#define MILLION 1000000u
#define THREADS 4
#define GROWING 20000u
#define ABSENT 16u

/*
 * A context of our own: counts, fails at the allocation that is asked for,
 * and finds out a wrong size at free.  Used by one thread at a time.
 */
struct heap {
	size_t bytes;
	size_t peak;
	size_t calls;
	size_t fail_at;		/* counted from 1; 0: never */
};

static void *
heap_alloc(size_t size, void *arg)
{
	struct heap *heap = arg;
	size_t *head;

	if (++heap->calls == heap->fail_at)
		return NULL;
	head = malloc(16 + size);
	assert_non_null(head);
	head[0] = size;
	memset(head + 2, 0xa5, size);
	heap->bytes += size;
	if (heap->bytes > heap->peak)
		heap->peak = heap->bytes;
	return head + 2;
}

static void
heap_free(void *p, size_t size, void *arg)
{
	struct heap *heap = arg;
	size_t *head = (size_t *)p - 2;

	assert_int_equal(head[0], size);
	heap->bytes -= size;
	memset(p, 0xdd, size);
	free(head);
}

/* Topics with names of their own: "bus.topic<number>". */
struct world {
	struct evbus__context context;
	struct evbus__epoch_record own;
	struct evbus__registry registry;
	struct heap heap;
	struct evbus_topic *topic;
	char (*name)[24];	/* constant; a topic gets its name later */
	unsigned count;
};

static void
world_make(struct world *world, unsigned count, size_t expected)
{
	unsigned i;

	memset(world, 0, sizeof *world);
	world->context.alloc = heap_alloc;
	world->context.free = heap_free;
	world->context.alloc_arg = &world->heap;
	evbus__epoch_init(&world->context.epoch);
	evbus__epoch_register(&world->context.epoch, &world->own);
	world->count = count;
	world->topic = calloc(count, sizeof *world->topic);
	world->name = calloc(count, sizeof *world->name);
	assert_non_null(world->topic);
	assert_non_null(world->name);
	for (i = 0; i < count; i++) {
		(void)snprintf(world->name[i], sizeof world->name[i],
		    "bus.topic%u", i);
	}
	assert_int_equal(evbus__registry_init(&world->registry,
	    &world->context, expected), 0);
}

static void
world_free(struct world *world)
{
	evbus__registry_destroy(&world->registry);
	assert_int_equal(world->heap.bytes, 0);
	evbus__epoch_unregister(&world->context.epoch, &world->own);
	free(world->topic);
	free(world->name);
}

static int
world_insert(struct world *world, unsigned i)
{
	/* Written as late as can be: the insert has to publish it. */
	world->topic[i].name = world->name[i];
	world->topic[i].length = (uint32_t)strlen(world->name[i]);
	return evbus__registry_insert(&world->registry, &world->topic[i],
	    &world->own);
}

static struct evbus_topic *
world_find(const struct world *world, unsigned i)
{
	return evbus__registry_find(&world->registry, world->name[i],
	    strlen(world->name[i]));
}

/* Exactly the first `present` topics are there. */
static void
world_check(const struct world *world, unsigned present)
{
	unsigned i;

	for (i = 0; i < world->count; i++)
		if (world_find(world, i) != (i < present ? &world->topic[i] :
		    NULL))
			fail_msg("topic %u of %u", i, present);
}

static void
registry_find_compares_the_whole_name(void **state)
{
	struct world world;

	(void)state;
	world_make(&world, 2, 0);
	assert_null(world_find(&world, 0));
	assert_int_equal(world_insert(&world, 0), 0);
	assert_ptr_equal(world_find(&world, 0), &world.topic[0]);
	assert_null(world_find(&world, 1));
	assert_null(evbus__registry_find(&world.registry, "bus.topic0", 9));
	assert_null(evbus__registry_find(&world.registry, "bus.topic0x", 11));
	assert_null(evbus__registry_find(&world.registry, "", 0));
	/* The name is bytes and a length: what follows is not looked at. */
	assert_ptr_equal(evbus__registry_find(&world.registry, "bus.topic0x",
	    10), &world.topic[0]);
	world_free(&world);
}

static void
registry_insert_of_a_name_that_exists_is_refused(void **state)
{
	struct evbus_topic twin;
	struct world world;

	(void)state;
	world_make(&world, 1, 0);
	assert_int_equal(world_insert(&world, 0), 0);
	twin = world.topic[0];
	assert_int_equal(evbus__registry_insert(&world.registry, &twin,
	    &world.own), EVBUS_EEXIST);
	assert_ptr_equal(world_find(&world, 0), &world.topic[0]);
	assert_int_equal(world.registry.count, 1);
	world_free(&world);
}

static void
registry_growing_keeps_every_topic(void **state)
{
	struct world world;
	unsigned i;

	(void)state;
	world_make(&world, 1000, 0);
	for (i = 0; i < world.count; i++) {
		assert_int_equal(world_insert(&world, i), 0);
		world_check(&world, i + 1);
	}
	assert_in_range(world.heap.calls, 5, 6);
	world_free(&world);
}

static void
registry_with_room_expected_does_not_allocate(void **state)
{
	struct world world;
	unsigned i;

	(void)state;
	world_make(&world, 5000, 5000);
	world.heap.fail_at = 2;
	for (i = 0; i < world.count; i++)
		assert_int_equal(world_insert(&world, i), 0);
	assert_int_equal(world.heap.calls, 1);
	world_free(&world);
}

static void
registry_insert_without_memory_changes_nothing(void **state)
{
	struct world world;
	unsigned i, failed = 0;
	int rc;

	(void)state;
	world_make(&world, 1000, 0);
	for (i = 0; i < world.count; i++) {
		world.heap.fail_at = world.heap.calls + 1;
		rc = world_insert(&world, i);
		if (rc == 0)
			continue;
		assert_int_equal(rc, EVBUS_ENOMEM);
		assert_non_null(strstr(evbus_errmsg(), "no memory to keep "
		    "more than"));
		assert_int_equal(world.registry.count, i);
		world_check(&world, i);
		world.heap.fail_at = 0;
		assert_int_equal(world_insert(&world, i), 0);
		world_check(&world, i + 1);
		failed++;
	}
	assert_in_range(failed, 4, 5);
	world_free(&world);
}

static void
registry_init_without_memory_leaves_nothing(void **state)
{
	struct world world;

	(void)state;
	world_make(&world, 1, 0);
	evbus__registry_destroy(&world.registry);
	world.heap.fail_at = world.heap.calls + 1;
	assert_int_equal(evbus__registry_init(&world.registry, &world.context,
	    7), EVBUS_ENOMEM);
	assert_string_equal(evbus_errmsg(),
	    "no memory for a registry of 7 topics");
	world_free(&world);
}

static void
registry_beyond_the_limit_is_refused(void **state)
{
	struct world world;

	(void)state;
	world_make(&world, 1, 0);
	world.registry.count = EVBUS_TOPIC_LIMIT;
	assert_int_equal(world_insert(&world, 0), EVBUS_ELIMIT);
	assert_string_equal(evbus_errmsg(),
	    "16777216 topics exist; the limit is 16777216");
	evbus__registry_destroy(&world.registry);
	assert_int_equal(evbus__registry_init(&world.registry, &world.context,
	    (size_t)EVBUS_TOPIC_LIMIT + 1), EVBUS_EINVAL);
	assert_string_equal(evbus_errmsg(), "room for 16777217 topics was "
	    "asked for; the limit is 16777216");
	world_free(&world);
}

/*
 * Threads look up what the writer says is there, what is being inserted this
 * moment, and what never will be; several times in each section, so that a
 * table is still in use when another takes its place.
 */
struct lookup {
	struct world *world;
	uint32_t *present;	/* atomic; inserted and told */
	uint32_t *ready;	/* atomic; threads under way */
	uint64_t seed;
	unsigned wrong;
	unsigned found;
	unsigned early;		/* found before it was told */
};

/* `i` is there, and is the right one. */
static void
lookup_present(struct lookup *lookup, unsigned i)
{
	if (world_find(lookup->world, i) != &lookup->world->topic[i])
		lookup->wrong++;
	else
		lookup->found++;
}

/* `i` comes next: it is there whole, or not at all. */
static void
lookup_next(struct lookup *lookup, unsigned i)
{
	struct evbus_topic *topic = world_find(lookup->world, i);

	if (topic == NULL)
		return;
	lookup->early++;
	if (topic != &lookup->world->topic[i] ||
	    topic->name != lookup->world->name[i])
		lookup->wrong++;
}

static void
lookup_some(struct lookup *lookup, unsigned present)
{
	unsigned turn, i;

	for (turn = 0; turn < 8; turn++) {
		lookup->seed = lookup->seed * UINT64_C(6364136223846793005) +
		    UINT64_C(1442695040888963407);
		i = (unsigned)(lookup->seed >> 33);
		if (present > 0) {
			lookup_present(lookup, i % present);
			lookup_present(lookup, present - 1);
		}
		if (present + turn < GROWING)
			lookup_next(lookup, present + turn);
		if (world_find(lookup->world, GROWING + i % ABSENT) != NULL)
			lookup->wrong++;
	}
}

static void *
lookup_thread(void *arg)
{
	struct lookup *lookup = arg;
	struct evbus__epoch *epoch = &lookup->world->context.epoch;
	struct evbus__epoch_record *own;
	unsigned present;

	/* ck_epoch never forgets a record: it stays until the process ends. */
	own = aligned_alloc(EVBUS_LINE, (sizeof *own + EVBUS_LINE - 1) /
	    EVBUS_LINE * EVBUS_LINE);
	if (own == NULL)
		abort();
	memset(own, 0, sizeof *own);
	evbus__epoch_register(epoch, own);
	(void)EVBUS_FETCH_ADD(lookup->ready, 1, ACQ_REL);
	do {
		present = EVBUS_LOAD(lookup->present, ACQUIRE);
		evbus__epoch_begin(epoch, own);
		lookup_some(lookup, present);
		evbus__epoch_end(epoch, own);
	} while (present < GROWING);
	evbus__epoch_unregister(epoch, own);
	return own;
}

static void
registry_looked_up_while_growing_finds_what_was_inserted(void **state)
{
	struct lookup lookup[THREADS];
	pthread_t thread[THREADS];
	uint32_t present = 0, ready = 0;
	void *record[THREADS];
	struct world world;
	unsigned i, found = 0, early = 0;

	(void)state;
	world_make(&world, GROWING + ABSENT, 0);
	for (i = 0; i < THREADS; i++) {
		lookup[i] = (struct lookup){ .world = &world,
		    .present = &present, .ready = &ready, .seed = i };
		assert_int_equal(pthread_create(&thread[i], NULL,
		    lookup_thread, &lookup[i]), 0);
	}
	while (EVBUS_LOAD(&ready, ACQUIRE) < THREADS)
		evbus__os_yield();
	for (i = 0; i < GROWING; i++) {
		assert_int_equal(world_insert(&world, i), 0);
		EVBUS_STORE(&present, i + 1, RELEASE);
	}
	for (i = 0; i < THREADS; i++)
		assert_int_equal(pthread_join(thread[i], &record[i]), 0);
	for (i = 0; i < THREADS; i++) {
		assert_int_equal(lookup[i].wrong, 0);
		found += lookup[i].found;
		early += lookup[i].early;
	}
	print_message("%u found, %u of them early\n", found + early, early);
	assert_true(found >= THREADS * 8);
	assert_int_equal(world.heap.calls, 10);
	world_check(&world, GROWING);
	world_free(&world);
	for (i = 0; i < THREADS; i++)
		free(record[i]);
}

/* Enough that tags of 32 bits collide. */
static void
registry_of_a_million_finds_each(void **state)
{
	struct world world;
	unsigned i;

	(void)state;
	world_make(&world, MILLION + 1000, 0);
	for (i = 0; i < MILLION; i++)
		if (world_insert(&world, i) != 0)
			fail_msg("insert %u", i);
	world_check(&world, MILLION);
	assert_in_range(world.heap.bytes, MILLION, 30u * MILLION);
	assert_in_range(world.heap.peak, MILLION, 40u * MILLION);
	world_free(&world);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(registry_find_compares_the_whole_name),
		cmocka_unit_test(
		    registry_insert_of_a_name_that_exists_is_refused),
		cmocka_unit_test(registry_growing_keeps_every_topic),
		cmocka_unit_test(registry_with_room_expected_does_not_allocate),
		cmocka_unit_test(
		    registry_insert_without_memory_changes_nothing),
		cmocka_unit_test(registry_init_without_memory_leaves_nothing),
		cmocka_unit_test(registry_beyond_the_limit_is_refused),
		cmocka_unit_test(
		    registry_looked_up_while_growing_finds_what_was_inserted),
		cmocka_unit_test(registry_of_a_million_finds_each),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
