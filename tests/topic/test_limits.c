/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_limits.c - why: names and patterns have limits that no test can fill
 * for real: 2^31 nodes, 2^31 values of one pattern, a hash that is 0 once in
 * 2^32 names.  Who comes there must be refused, or served, like anybody else;
 * so the counters are moved there, and the name was looked for beforehand.
 */
#include "bus_fixture.h"
#include "fault_alloc.h"

#include "bus/bus.h"
#include "topic/registry.h"
#include "topic/trie_node.h"

#define NODES_MAX	(UINT32_C(1) << 31)
#define ROOM_MAX	31

static void *
heap_alloc(size_t size, void *arg)
{
	(void)arg;
	return malloc(size);
}

static void
heap_free(void *p, size_t size, void *arg)
{
	(void)size;
	(void)arg;
	free(p);
}

static struct evbus__context context = {
	.alloc = heap_alloc, .free = heap_free,
};

/* ---- The trie ------------------------------------------------------------ */

static void
trie_with_all_nodes_in_use_refuses_and_is_unchanged(void **state)
{
	struct evbus__trie trie;
	uint32_t live;
	int value;

	(void)state;
	assert_int_equal(evbus__trie_init(&trie, &context, 0), 0);
	assert_int_equal(evbus__trie_insert(&trie, "a", &value), 0);
	live = trie.live;
	trie.live = NODES_MAX;
	fixture_refused(evbus__trie_insert(&trie, "b", &value), EVBUS_ENOMEM);
	/* No node is needed for what is there. */
	assert_int_equal(evbus__trie_insert(&trie, "a", &value), 0);
	trie.live = live;
	assert_int_equal(evbus__trie_remove(&trie, "b", &value), EVBUS_ENOENT);
	assert_int_equal(evbus__trie_insert(&trie, "b", &value), 0);
	assert_int_equal(trie.values, 3);
	evbus__trie_destroy(&trie);
}

static void
pattern_with_2_to_the_31_values_takes_no_more(void **state)
{
	struct evbus__trie_node node = {
		.room = ROOM_MAX, .count = UINT32_C(1) << ROOM_MAX,
	};
	struct evbus__trie trie;

	(void)state;
	assert_int_equal(evbus__trie_init(&trie, &context, 0), 0);
	assert_int_equal(evbus__trie_reserve_value(&trie, &node),
	    EVBUS_ENOMEM);
	assert_int_equal(node.room, ROOM_MAX);
	/* There is room for the last one. */
	node.count--;
	assert_int_equal(evbus__trie_reserve_value(&trie, &node), 0);
	evbus__trie_destroy(&trie);
}

/* ---- The registry -------------------------------------------------------- */

/* Of this name, the low half of the hash is 0 with the key 0: in a table that
 * would be a free place.  (Words are hashed as the machine has them: it is so
 * where the first byte is the lowest.) */
#define ZERO_NAME "uksuiim"

static void
name_whose_hash_is_0_is_found_like_any_other(void **state)
{
	static const uint16_t order = 1;
	struct evbus__registry registry;
	struct evbus__epoch_record own;
	struct evbus_topic zero = { .name = ZERO_NAME };
	struct evbus_topic other = { .name = "other" };

	(void)state;
	if (*(const unsigned char *)&order != 1)
		skip();
	zero.length = (uint32_t)strlen(zero.name);
	other.length = (uint32_t)strlen(other.name);
	memset(&own, 0, sizeof own);
	evbus__epoch_init(&context.epoch);
	evbus__epoch_register(&context.epoch, &own);
	assert_int_equal(evbus__registry_init(&registry, &context, 0), 0);
	memset(&registry.key, 0, sizeof registry.key);
	assert_int_equal((uint32_t)evbus__name_hash(&registry.key, zero.name,
	    zero.length), 0);
	assert_null(evbus__registry_find(&registry, zero.name, zero.length));
	assert_int_equal(evbus__registry_insert(&registry, &zero, &own), 0);
	assert_int_equal(evbus__registry_insert(&registry, &other, &own), 0);
	assert_ptr_equal(evbus__registry_find(&registry, zero.name,
	    zero.length), &zero);
	assert_ptr_equal(evbus__registry_find(&registry, other.name,
	    other.length), &other);
	assert_int_equal(evbus__registry_insert(&registry, &zero, &own),
	    EVBUS_EEXIST);
	evbus__registry_destroy(&registry);
	evbus__epoch_unregister(&context.epoch, &own);
}

/* ---- Topics -------------------------------------------------------------- */

/*
 * Nodes come 64 at a time, so most topics need no memory for them: the one that
 * does is refused whole, whichever allocation it is that fails, and opens with
 * memory.
 */
static void
topic_is_made_whole_or_not_at_all_whatever_fails(void **state)
{
	struct evbus_options options = { .max_topics = 256 };
	struct fault_alloc fault;
	struct evbus_topic *topic;
	struct evbus *bus;
	char name[16];
	size_t k, most = 0;
	int i, result;

	(void)state;
	fault_alloc_init(&fault);
	options.allocator = fault_alloc_hooks(&fault);
	bus = fixture_open(&options);
	(void)fixture_subscribed(bus, ">", NULL, NULL);
	for (i = 1; i <= 200; i++) {
		(void)snprintf(name, sizeof name, "t%d", i);
		for (k = 1;; k++) {
			fault_alloc_arm(&fault, k, 0);
			result = evbus_topic_open(bus, name, NULL, &topic);
			if (result == 0)
				break;
			fixture_refused(result, EVBUS_ENOMEM);
			assert_null(topic);
		}
		fault_alloc_arm(&fault, 0, 0);
		assert_int_equal(bus->context.topics->count, i);
		if (k > most)
			most = k;
	}
	/* Two for each; some need nodes, buckets or a larger table as well. */
	assert_true(most > 3);
	fixture_end(bus, 0);
	assert_int_equal(fault_alloc_blocks(&fault), 0);
	assert_int_equal(fault_alloc_wrong(&fault), 0);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    trie_with_all_nodes_in_use_refuses_and_is_unchanged),
		cmocka_unit_test(
		    pattern_with_2_to_the_31_values_takes_no_more),
		cmocka_unit_test(
		    name_whose_hash_is_0_is_found_like_any_other),
		cmocka_unit_test(
		    topic_is_made_whole_or_not_at_all_whatever_fails),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
