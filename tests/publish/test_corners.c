/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_corners.c - why: what a caller may pass that hardly anybody does: empty
 * payloads, handles that are none, sizes beyond what an event can say, a pool
 * that his own claims hold, and each kind of size known at compile time, which
 * goes another way than the same size at run time.
 */
#include "bus_fixture.h"

#include "bus/bus.h"

/* ---- Sizes that the compiler knows --------------------------------------- */

struct sized {
	size_t size;
	unsigned char data[64];
};

static enum evbus_verdict
keep(const struct evbus_event *event, void *arg)
{
	struct sized *sized = arg;

	sized->size = event->size;
	memset(sized->data, 0, sizeof sized->data);
	memcpy(sized->data, event->data, event->size);
	return EVBUS_DONE;
}

/* All that is called is made part of the caller, which knows the size. */
#define PUBLISHER(bytes) \
static __attribute__((__flatten__, __noinline__)) int \
publish_##bytes(struct evbus_topic *topic, const void *data) \
{ \
	return evbus_publish(topic, data, bytes); \
}
#define SIZES(S) \
	S(0) S(1) S(8) S(12) S(16) S(24) S(32) S(33) S(40) S(54)
SIZES(PUBLISHER)

#define ROW(bytes) { bytes, publish_##bytes },
static const struct {
	size_t size;
	int (*publish)(struct evbus_topic *, const void *);
} sizes[] = {
	SIZES(ROW)
};

static void
payload_of_every_kind_of_constant_size_arrives_whole_D5(void **state)
{
	static const char text[] =
	    "one word, two words, three, four and far more than that";
	struct evbus_options options = { .stream = { .slot_size = 128 } };
	struct evbus *bus = fixture_open(&options);
	struct evbus_topic *topic = fixture_topic(bus, "a");
	struct sized sized = { 0 };
	struct evbus_reader *reader;
	size_t i;

	(void)state;
	reader = fixture_subscribed(bus, "a", keep, &sized);
	for (i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
		assert_true(sizes[i].size <= sizeof text);
		assert_int_equal(sizes[i].publish(topic, text), 0);
		assert_int_equal(evbus_poll(reader, 1), 1);
		assert_int_equal(sized.size, sizes[i].size);
		assert_memory_equal(sized.data, text, sizes[i].size);
	}
	fixture_end(bus, 0);
}

/* ---- Empty and none ------------------------------------------------------ */

static void
batch_with_empty_payloads_is_published_whole(void **state)
{
	struct iovec batch[3] = { { NULL, 0 }, { &batch, 0 }, { &batch, 8 } };
	struct evbus *bus = fixture_open(NULL);
	struct evbus_topic *topic = fixture_topic(bus, "a");
	atomic_uint count = 0;
	struct evbus_reader *reader;

	(void)state;
	reader = fixture_subscribed(bus, "a", fixture_count, &count);
	assert_int_equal(evbus_publish_batch(topic, batch, 3), 0);
	assert_int_equal(evbus_poll(reader, 9), 3);
	assert_int_equal(atomic_load(&count), 3);
	fixture_end(bus, 0);
}

static void
publish_to_what_is_no_topic_is_refused(void **state)
{
	struct evbus *bus = fixture_open(NULL);
	struct evbus_topic copy = *fixture_topic(bus, "a");

	(void)state;
	copy.magic++;
	fixture_refused(evbus_publish_with(&copy, "x", 1, NULL), EVBUS_EINVAL);
	fixture_says("not a topic");
	fixture_end(bus, 0);
}

static void
claim_that_was_never_made_is_refused(void **state)
{
	struct evbus *bus = fixture_open(NULL);
	struct evbus_claim claim = { .topic = fixture_topic(bus, "a") };

	(void)state;
	claim.index = EVBUS_CLAIMS_MAX;
	fixture_refused(evbus_commit(&claim, 0), EVBUS_ENOENT);
	fixture_says("never made");
	claim.topic = NULL;
	claim.index = 0;
	fixture_refused(evbus_commit(&claim, 0), EVBUS_ENOENT);
	fixture_end(bus, 0);
}

static void
release(const void *data, size_t size, void *arg)
{
	(void)data;
	(void)size;
	++*(unsigned *)arg;
}

/* An event says its size in 32 bits. */
static void
reference_of_more_than_4_GiB_stays_the_callers(void **state)
{
	struct evbus *bus = fixture_open(NULL);
	struct evbus_topic *topic = fixture_topic(bus, "a");
	unsigned released = 0;
	struct evbus_publish_options options = {
		.release = release, .release_arg = &released,
	};

	(void)state;
	if (SIZE_MAX == UINT32_MAX)
		skip();
	fixture_refused(evbus_publish_with(topic, "x", (size_t)UINT32_MAX + 1,
	    &options), EVBUS_EMSGSIZE);
	assert_int_equal(released, 0);
	fixture_end(bus, 0);
	assert_int_equal(released, 0);
}

/* ---- The pool ------------------------------------------------------------ */

static const struct evbus_options two_blocks = {
	.stream = { .capacity = 8, .pool_blocks = 2,
	    .timeout_ns = FIXTURE_MS },
};
static const char large[1000];

/* Only claims that hold a block count against who waits for one (S3). */
static void
claim_in_its_slot_holds_no_block_of_the_pool_S3(void **state)
{
	struct evbus *bus = fixture_open(&two_blocks);
	struct evbus_topic *topic = fixture_topic(bus, "a");
	struct evbus_claim small, block;

	(void)state;
	assert_int_equal(evbus_claim(topic, 8, 0, &small), 0);
	assert_int_equal(evbus_claim(topic, sizeof large, 0, &block), 0);
	assert_int_equal(evbus_publish(topic, large, sizeof large), 0);
	/* One block is the caller's own, and one is all that it asks for; but
	 * the gate stands before the claims, and only the caller ends them. */
	fixture_refused(evbus_publish(topic, large, sizeof large),
	    EVBUS_EDEADLK);
	fixture_says("open claim");
	assert_int_equal(evbus_commit(&small, 8), 0);
	evbus_abort(&block);
	assert_int_equal(evbus_publish(topic, large, sizeof large), 0);
	fixture_end(bus, 0);
}

struct full_pool {
	struct evbus *bus;
	struct evbus_topic *topic;
	unsigned calls;
	int open, closing;
};

static void
set_state(struct evbus *bus, uint32_t state)
{
	EVBUS_STORE(&bus->context.state, state, RELEASE);
}

/* In a handler the caller may wait on while the bus closes, and until it is
 * closed. */
static enum evbus_verdict
publish_large(const struct evbus_event *event, void *arg)
{
	struct full_pool *full = arg;

	(void)event;
	if (full->calls++ > 0)
		return EVBUS_DONE;
	full->open = evbus_publish(full->topic, large, sizeof large);
	set_state(full->bus, EVBUS__CLOSING);
	full->closing = evbus_publish(full->topic, large, sizeof large);
	set_state(full->bus, EVBUS__OPEN);
	return EVBUS_DONE;
}

static void
wait_for_the_pool_ends_with_the_bus_L3(void **state)
{
	struct full_pool full = { .bus = fixture_open(&two_blocks) };
	struct evbus_reader *reader;

	(void)state;
	full.topic = fixture_topic(full.bus, "a");
	reader = fixture_subscribed(full.bus, "a", publish_large, &full);
	assert_int_equal(evbus_publish(full.topic, large, sizeof large), 0);
	assert_int_equal(evbus_publish(full.topic, large, sizeof large), 0);
	assert_int_equal(evbus_poll(reader, 1), 1);
	/* Its own reader is what it would wait for. */
	assert_int_equal(full.open, EVBUS_EDEADLK);
	assert_int_equal(full.closing, EVBUS_EDEADLK);
	assert_int_equal(evbus_publish(full.topic, large, sizeof large), 0);
	set_state(full.bus, EVBUS__CLOSING);
	fixture_refused(evbus_publish(full.topic, large, sizeof large),
	    EVBUS_ECLOSED);
	set_state(full.bus, EVBUS__OPEN);
	fixture_end(full.bus, 0);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    payload_of_every_kind_of_constant_size_arrives_whole_D5),
		cmocka_unit_test(batch_with_empty_payloads_is_published_whole),
		cmocka_unit_test(publish_to_what_is_no_topic_is_refused),
		cmocka_unit_test(claim_that_was_never_made_is_refused),
		cmocka_unit_test(
		    reference_of_more_than_4_GiB_stays_the_callers),
		cmocka_unit_test(
		    claim_in_its_slot_holds_no_block_of_the_pool_S3),
		cmocka_unit_test(wait_for_the_pool_ends_with_the_bus_L3),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
