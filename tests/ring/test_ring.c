/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_ring.c - why: the layout is a contract with programs that are compiled
 * and with tools that look from outside; and the arithmetic of sequences must
 * hold where numbers wrap a width, in the smallest ring as in a large one.
 */
#include <evbus/claim.h>

#include "support/event_check.h"

/* ---- Layout ------------------------------------------------------------- */

static void
layout_header_extensions_and_control_block_locked(void **state)
{
	(void)state;
	assert_int_equal(sizeof(struct evbus_header), 32);
	assert_int_equal(offsetof(struct evbus_header, stamp), 0);
	assert_int_equal(offsetof(struct evbus_header, meta), 8);
	assert_int_equal(offsetof(struct evbus_header, time), 16);
	assert_int_equal(offsetof(struct evbus_header, cause), 24);
	assert_int_equal(sizeof(struct evbus_ext_key) % 16, 0);
	assert_int_equal(sizeof(struct evbus_ext_request) % 16, 0);
	assert_int_equal(sizeof(struct evbus_ext_trace) % 16, 0);
	assert_int_equal(sizeof(struct evbus_outside), 16);
	assert_int_equal(sizeof(struct evbus_ring_ctl), 512);
	assert_int_equal(offsetof(struct evbus_ring_ctl, tail), 0);
	assert_int_equal(offsetof(struct evbus_ring_ctl, attention), 128);
	assert_int_equal(offsetof(struct evbus_ring_ctl, space), 256);
	assert_int_equal(offsetof(struct evbus_ring_ctl, holes), 384);
	assert_int_equal(_Alignof(struct evbus_ring_ctl), 128);
}

/* F6: no two lines of the control block have two kinds of writers. */
static void
layout_lines_128_bytes_apart(void **state)
{
	(void)state;
	assert_true(offsetof(struct evbus_ring_ctl, attention) / 128 !=
	    offsetof(struct evbus_ring_ctl, tail) / 128);
	assert_int_equal(offsetof(struct evbus_ring_ctl, limit) / 128,
	    offsetof(struct evbus_ring_ctl, tail) / 128);
	assert_int_equal(sizeof(struct evbus_publisher) % 128, 0);
	assert_int_equal(offsetof(struct evbus_publisher, claim) % 128, 0);
	assert_int_equal(offsetof(struct evbus_publisher, used) % 128, 0);
}

static void
meta_fields_in_their_bits(void **state)
{
	uint64_t meta = evbus__meta(0xabcdef, 0x12, 0x3456, 0x789a);

	(void)state;
	assert_int_equal(meta, UINT64_C(0x789a345612abcdef));
	assert_int_equal(evbus__meta_topic(meta), 0xabcdef);
	assert_int_equal(evbus__meta_flags(meta), 0x12);
	assert_int_equal(evbus__meta_size(meta), 0x3456);
	assert_int_equal(evbus__meta_publisher(meta), 0x789a);
	assert_int_equal(EVBUS_CAUSE(0xffff, UINT64_MAX), UINT64_MAX);
	assert_int_equal(EVBUS_CAUSE_STREAM(EVBUS_CAUSE(7, 9)), 7);
	assert_int_equal(EVBUS_CAUSE_SEQUENCE(EVBUS_CAUSE(7, 9)), 9);
}

/* F4: a 32-byte event is one line, and its stamp lies in it. */
static void
slot_as_drawn_in_memory(void **state)
{
	struct evbus *bus = event_bus_of(8);
	struct evbus_stream *stream = evbus_stream_default(bus);
	struct evbus_topic *topic = event_topic(bus, "slot");
	struct evbus_claim claim;
	const struct evbus_header *slot;
	unsigned char data[32];
	uint64_t i;

	(void)state;
	assert_int_equal((uintptr_t)stream->slots % 128, 0);
	assert_int_equal((uintptr_t)stream->ctl % 128, 0);
	for (i = 0; i < 20; i++) {
		event_fill(data, sizeof data, 1, i);
		assert_int_equal(evbus_publish(topic, data, sizeof data), 0);
		slot = evbus__slot(stream, i);
		assert_ptr_equal(slot, stream->slots + i % 8 * 64);
		assert_int_equal(slot->stamp, i + 1);
		assert_int_equal(evbus__meta_topic(slot->meta),
		    evbus__meta_topic(topic->meta));
		assert_int_equal(evbus__meta_flags(slot->meta), 0);
		assert_int_equal(evbus__meta_size(slot->meta), 32);
		assert_true(evbus__meta_publisher(slot->meta) > 0);
		assert_int_equal(slot->cause, 0);
		assert_memory_equal(slot + 1, data, sizeof data);
	}
	/* Claimed: the stamp is another lap's until the commit. */
	assert_int_equal(evbus_claim(topic, 8, 0, &claim), 0);
	slot = evbus__slot(stream, 20);
	assert_ptr_equal(claim.data, slot + 1);
	assert_int_equal(slot->stamp, 13);
	evbus_abort(&claim);
	assert_int_equal(slot->stamp, 21);
	assert_int_equal(evbus__meta_flags(slot->meta), EVBUS_SLOT_HOLE);
	event_bus_close(bus);
}

/* ---- Sequences ---------------------------------------------------------- */

/* What a run looked like, with the sequences counted from the first. */
struct trace {
	uint64_t hash;
	uint64_t events;
};

static void
note(struct trace *trace, uint64_t value)
{
	trace->hash = (trace->hash ^ value) * UINT64_C(0x100000001b3);
}

static void
read_all(struct evbus_reader *reader, uint64_t first, struct trace *trace)
{
	const struct evbus_event *event;
	uint32_t producer = 0;
	uint64_t number = 0;

	while ((event = evbus_next(reader)) != NULL) {
		CHECK(event_whole(event->data, event->size, &producer,
		    &number));
		note(trace, event->sequence - first);
		note(trace, number);
		note(trace, event->size);
		note(trace, event->lost);
		note(trace, event->cause == 0 ? 0 :
		    EVBUS_CAUSE_SEQUENCE(event->cause) - first);
		note(trace, event->flags);
		trace->events++;
	}
}

/* One thread's mix of all there is; the same for every seed. */
static struct trace
run_from(uint64_t first, uint32_t capacity, uint64_t seed)
{
	struct evbus_stream_options options = { .capacity = capacity,
	    .pool_blocks = 4, .max_payload = 500, .first_sequence = first,
	    .times = EVBUS_TIMES_NONE };
	struct evbus *bus = event_bus(&options);
	struct evbus_topic *topic = event_topic(bus, "run");
	struct evbus_reader *reader[2], *late;
	struct trace trace = { 0 };
	struct evbus_reader_stats stats;
	struct evbus_reader_options late_options = {
	    .start = EVBUS_START_OLDEST };
	unsigned char data[500];
	struct evbus_claim claim;
	unsigned i, k;
	size_t size;
	int result;

	for (i = 0; i < 2; i++) {
		reader[i] = event_reader(bus, (int)i, EVBUS_START_NOW);
		(void)event_subscribe(reader[i], ">", NULL, NULL);
	}
	for (i = 0; i < 400; i++) {
		size = event_random(&seed) % 8 == 0 ? 400 : 16 +
		    event_random(&seed) % 17;
		event_fill(data, size, 0, i);
		if (event_random(&seed) % 16 == 0) {
			result = evbus_claim(topic, size, 0, &claim);
			if (result == 0)
				evbus_abort(&claim);
		} else
			result = evbus_try_publish(topic, data, size);
		note(&trace, (uint64_t)(int64_t)result);
		CHECK(result == 0 || result == EVBUS_EFULL);
		if (result != 0 || event_random(&seed) % 4 == 0)
			read_all(reader[0], first, &trace);
		if (event_random(&seed) % 32 == 0)
			read_all(reader[1], first, &trace);
		if (event_random(&seed) % 50 != 0)
			continue;
		assert_int_equal(evbus_reader_open(bus, &late_options, &late),
		    0);
		(void)event_subscribe(late, ">", NULL, NULL);
		read_all(late, first, &trace);
		event_check_equation(late);
		assert_int_equal(evbus_reader_close(late, 0), 0);
	}
	for (i = 0; i < 2; i++) {
		read_all(reader[i], first, &trace);
		event_check_equation(reader[i]);
		stats = event_reader_stats(reader[i]);
		for (k = 0; k < 6; k++)
			note(&trace, (&stats.delivered)[k]);
	}
	note(&trace, event_stream_stats(evbus_stream_default(bus)).tail -
	    first);
	event_bus_close(bus);
	return trace;
}

static void
sequences_run_identically_from_any_first(void **state)
{
	static const uint64_t firsts[] = { 1, 3, UINT32_MAX - 7,
	    (UINT64_C(1) << 32) - 8, (UINT64_C(1) << 32) - 1,
	    (UINT64_C(1) << 47) - 8, (UINT64_C(1) << 47) - 1 };
	static const uint32_t capacities[] = { 2, 4, 8, 64 };
	uint64_t seed = event_seed();
	struct trace zero, other;
	size_t i, k;

	(void)state;
	for (k = 0; k < EVENT_COUNT(capacities); k++) {
		zero = run_from(0, capacities[k], seed);
		assert_true(zero.events > 300);
		for (i = 0; i < EVENT_COUNT(firsts); i++) {
			other = run_from(firsts[i], capacities[k], seed);
			assert_int_equal(other.events, zero.events);
			assert_int_equal(other.hash, zero.hash);
		}
	}
}

static void
first_sequence_out_of_range_einval(void **state)
{
	struct evbus_options options = { .stream = { .first_sequence =
	    (UINT64_C(1) << 48) - (UINT64_C(1) << 32) } };
	struct evbus *bus = NULL;

	(void)state;
	assert_int_equal(evbus_open(&bus, &options), EVBUS_EINVAL);
	options.stream.first_sequence--;
	assert_int_equal(evbus_open(&bus, &options), 0);
	event_publish(event_topic(bus, "last"), 0, 5000);
	event_bus_close(bus);
}

/* ---- The smallest ring, threads ----------------------------------------- */

#define EACH 20000u

struct sender {
	struct evbus_topic *topic;
	uint32_t producer;
};

static void *
send(void *arg)
{
	struct sender *sender = arg;
	unsigned char data[32];
	uint64_t i;

	for (i = 0; i < EACH; i++) {
		event_fill(data, sizeof data, sender->producer, i);
		CHECK_INT(evbus_publish(sender->topic, data, sizeof data), 0);
	}
	return NULL;
}

static void
threads_through(uint32_t capacity, uint64_t first)
{
	struct evbus_stream_options options = { .capacity = capacity,
	    .timeout_ns = EVBUS_FOREVER, .first_sequence = first };
	struct evbus *bus = event_bus(&options);
	struct evbus_reader *reader = event_reader(bus, 0, EVBUS_START_NOW);
	struct sender sender[2] = { { event_topic(bus, "a"), 0 },
	    { event_topic(bus, "b"), 1 } };
	const struct evbus_event *event;
	pthread_t thread[2];
	uint64_t next[2] = { 0 }, number = 0, i;
	uint32_t producer = 0;

	(void)event_subscribe(reader, ">", NULL, NULL);
	for (i = 0; i < 2; i++)
		thread[i] = event_thread(send, &sender[i]);
	for (i = 0; i < 2 * EACH; i++) {
		while ((event = evbus_next(reader)) == NULL)
			CHECK_INT(evbus_wait(reader, EVENT_LONG), 1);
		CHECK_INT(event->sequence, first + i);
		CHECK(event_whole(event->data, event->size, &producer,
		    &number));
		CHECK(producer < 2);
		if (producer < 2)
			CHECK_INT(number, next[producer]++);
	}
	evbus_done(reader);
	for (i = 0; i < 2; i++)
		event_join(thread[i]);
	event_check_equation(reader);
	event_bus_close(bus);
}

static void
capacity_2_two_producers_whole_and_in_order(void **state)
{
	(void)state;
	threads_through(2, 0);
	threads_through(2, (UINT64_C(1) << 47) - 8);
	threads_through(4, (UINT64_C(1) << 32) - 8);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    layout_header_extensions_and_control_block_locked),
		cmocka_unit_test(layout_lines_128_bytes_apart),
		cmocka_unit_test(meta_fields_in_their_bits),
		cmocka_unit_test(slot_as_drawn_in_memory),
		cmocka_unit_test(sequences_run_identically_from_any_first),
		cmocka_unit_test(first_sequence_out_of_range_einval),
		cmocka_unit_test(capacity_2_two_producers_whole_and_in_order),
	};

	return cmocka_run_group_tests_name("ring", tests, NULL, NULL);
}
