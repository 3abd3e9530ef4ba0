/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_stretch.c - why: a reader that is fed takes events in stretches, or in
 * copied batches, and looks at fewer things than at single ones.  Where a
 * stretch ends early, or a copy is not to be believed, is where it would hand
 * over an event that is not there (D5), or one twice.
 */
#include "reader/reader.h"
#include "support/event_check.h"

struct at {
	uint64_t seen;
	uint64_t last;		/* number of the last event */
	uint64_t refuse;	/* this number is answered EVBUS_RETRY */
};

static enum evbus_verdict
note(const struct evbus_event *event, void *arg)
{
	struct at *at = arg;

	at->last = event_number(event);
	CHECK_INT(at->last, at->seen);
	at->seen++;
	return at->last == at->refuse ? EVBUS_RETRY : EVBUS_DONE;
}

/* Poll full batches until the reader takes the longest stretches. */
static void
feed(struct evbus_reader *reader, struct evbus_topic *topic, struct at *at)
{
	unsigned i;

	for (i = 0; i < 8; i++) {
		event_publish(topic, at->seen, 512);
		assert_int_equal(evbus_poll(reader, 512), 512);
	}
	assert_int_equal(at->seen, 8 * 512);
}

/* O1, D5: an open claim in the midst of a stretch ends it there. */
static void
stretch_ends_at_an_open_claim_O1(void **state)
{
	struct evbus *bus = event_bus_of(1024);
	struct evbus_topic *topic = event_topic(bus, "a");
	struct evbus_reader *reader = event_reader(bus, 0, EVBUS_START_NOW);
	struct at at = { .refuse = UINT64_MAX };
	struct evbus_claim claim;
	uint64_t first;
	unsigned i;

	(void)state;
	(void)event_subscribe(reader, "a", note, &at);
	for (i = 0; i < 20; i++) {
		at.seen = 0;
		feed(reader, topic, &at);
		first = at.seen;
		event_publish(topic, first, i);
		assert_int_equal(evbus_claim(topic, 8, 0, &claim), 0);
		event_publish(topic, first + i + 1, 600);
		assert_int_equal(evbus_poll(reader, 1000), i);
		assert_int_equal(at.seen, first + i);
		assert_int_equal(evbus_poll(reader, 1000), 0);
		first += i;
		memcpy(claim.data, &first, 8);
		assert_int_equal(evbus_commit(&claim, 8), 0);
		assert_int_equal(event_drain(reader), 601);
		assert_int_equal(at.seen, first + 601);
	}
	event_check_equation(reader);
	event_bus_close(bus);
}

/* The verdict of an event amid a stretch ends the poll behind that event. */
static void
stretch_ends_at_a_refused_verdict(void **state)
{
	struct evbus *bus = event_bus_of(1024);
	struct evbus_topic *topic = event_topic(bus, "a");
	struct evbus_reader *reader = event_reader(bus, 0, EVBUS_START_NOW);
	struct at at = { .refuse = UINT64_MAX };
	uint64_t position;
	unsigned i;

	(void)state;
	(void)event_subscribe(reader, "a", note, &at);
	feed(reader, topic, &at);
	for (i = 0; i < 40; i++) {
		at.refuse = at.seen + i * 7;
		event_publish(topic, at.seen, 512);
		assert_int_equal(evbus_poll(reader, 512), EVBUS_EVERDICT);
		assert_int_equal(at.last, at.refuse);
		assert_int_equal(evbus_reader_position(reader,
		    evbus_stream_default(bus), &position), 0);
		assert_int_equal(position, at.refuse + 1);
		assert_int_equal(event_drain(reader), 511 - i * 7);
	}
	assert_int_equal(event_reader_stats(reader).verdicts, 40);
	event_check_equation(reader);
	event_bus_close(bus);
}

/* The same from copies, and the copies that are left are not forgotten. */
static void
lossy_batch_ends_at_a_refused_verdict(void **state)
{
	struct evbus *bus = event_bus_of(64);
	struct evbus_topic *topic = event_topic(bus, "a");
	struct evbus_reader *reader = event_reader(bus, 1, EVBUS_START_NOW);
	struct at at = { .refuse = 5 };

	(void)state;
	(void)event_subscribe(reader, "a", note, &at);
	event_publish(topic, 0, 20);
	assert_int_equal(evbus_poll(reader, 100), EVBUS_EVERDICT);
	assert_int_equal(at.seen, 6);
	/* What was copied is there though it was overwritten meanwhile. */
	event_publish(topic, 20, 200);
	assert_int_equal(evbus_wait(reader, 0), 1);
	assert_int_equal(evbus_poll(reader, 14), 14);
	assert_int_equal(at.seen, 20);
	at.seen = 220 - 64;
	assert_int_equal(event_drain(reader), 200);
	assert_int_equal(event_reader_stats(reader).lost, 200 - 64);
	event_check_equation(reader);
	event_bus_close(bus);
}

/* A refused verdict ends the poll: no other stream is looked at. */
static void
refused_verdict_ends_the_poll_of_all_streams(void **state)
{
	struct evbus *bus = event_bus(NULL);
	struct evbus_stream *stream = event_stream(bus, "s.>", NULL);
	struct evbus_topic *one = event_topic(bus, "one");
	struct evbus_topic *two = event_topic(bus, "s.two");
	struct evbus_reader *reader = event_reader(bus, 0, EVBUS_START_NOW);
	struct event_log *log = event_log();
	unsigned i;

	(void)state;
	assert_non_null(stream);
	log->verdict = EVBUS_RETRY;
	(void)event_subscribe(reader, ">", event_log_handler, log);
	for (i = 0; i < 5; i++) {
		event_publish(one, i, 1);
		event_publish(two, i, 1);
	}
	for (i = 1; i <= 10; i++) {
		assert_int_equal(evbus_poll(reader, 100), EVBUS_EVERDICT);
		assert_int_equal(log->count, i);
	}
	assert_int_equal(evbus_poll(reader, 100), 0);
	event_check_equation(reader);
	event_bus_close(bus);
	free(log);
}

/* D2: a reader further behind than an int counts tells how far all the same. */
static void
lossy_more_than_2_31_behind_is_exact_D2(void **state)
{
	struct evbus *bus = event_bus_of(64);
	struct evbus_topic *topic = event_topic(bus, "a");
	struct evbus_reader *reader = event_reader(bus, 1, EVBUS_START_NOW);
	struct evbus_ring_ctl *ctl = evbus_stream_default(bus)->ctl;
	const uint64_t far = UINT64_C(1) << 32;
	struct at at = { .refuse = UINT64_MAX };

	(void)state;
	(void)event_subscribe(reader, "a", note, &at);
	event_publish(topic, 0, 3);
	/* As if so many events had been published. */
	ctl->tail += far;
	ctl->frontier = ctl->tail;
	ctl->limit = ctl->tail + 64;
	assert_int_equal(evbus_poll(reader, 1), INT32_MAX);
	assert_int_equal(at.seen, 0);
	assert_int_equal(event_reader_stats(reader).lost, far + 3 - 64);
	event_check_equation(reader);
	/* The 64 that could still be there never were. */
	event_publish(topic, 0, 64);
	assert_int_equal(event_drain(reader), 128);
	assert_int_equal(at.seen, 64);
	assert_int_equal(event_reader_stats(reader).lost, far + 3);
	event_check_equation(reader);
	event_bus_close(bus);
}

static struct evbus_header *
slot_of(struct evbus *bus, uint64_t sequence)
{
	return evbus__slot(evbus_stream_default(bus), sequence);
}

/* D5: a size that is being written is not copied by: the last of a batch, so
 * that the address sanitizer sees what is copied behind it. */
static void
lossy_size_is_bounded_by_the_slot_D5(void **state)
{
	struct evbus *bus = event_bus_of(64);
	struct evbus_topic *topic = event_topic(bus, "a");
	struct evbus_reader *reader = event_reader(bus, 1, EVBUS_START_NOW);
	struct at at = { .refuse = UINT64_MAX };

	(void)state;
	(void)event_subscribe(reader, "a", note, &at);
	event_publish(topic, 0, EVBUS__COPY_BATCH);
	slot_of(bus, EVBUS__COPY_BATCH - 1)->meta = evbus__meta(1000, 0,
	    0xffff, 1);
	event_publish(topic, EVBUS__COPY_BATCH - 1, 1);
	assert_int_equal(event_drain(reader), EVBUS__COPY_BATCH + 1);
	assert_int_equal(at.seen, EVBUS__COPY_BATCH);
	event_check_equation(reader);
	event_bus_close(bus);
}

/* D5: the same for the number of a payload outside the slot. */
static void
lossy_payload_outside_the_table_is_lost_D5(void **state)
{
	static unsigned char large[1000];
	struct evbus *bus = event_bus_of(64);
	struct evbus_topic *topic = event_topic(bus, "a");
	struct evbus_reader *reader = event_reader(bus, 1, EVBUS_START_NOW);
	struct event_log *log = event_log();
	struct evbus_outside outside;

	(void)state;
	(void)event_subscribe(reader, "a", event_log_handler, log);
	assert_int_equal(evbus_publish(topic, large, sizeof large), 0);
	memcpy(&outside, slot_of(bus, 0) + 1, sizeof outside);
	outside.entry = 1u << 30;
	memcpy(slot_of(bus, 0) + 1, &outside, sizeof outside);
	event_publish(topic, 1, 1);
	assert_int_equal(event_drain(reader), 2);
	assert_int_equal(log->count, 1);
	assert_int_equal(log->lost, 1);
	assert_int_equal(event_reader_stats(reader).lost, 1);
	event_check_equation(reader);
	event_bus_close(bus);
	free(log);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(stretch_ends_at_an_open_claim_O1),
		cmocka_unit_test(stretch_ends_at_a_refused_verdict),
		cmocka_unit_test(lossy_batch_ends_at_a_refused_verdict),
		cmocka_unit_test(refused_verdict_ends_the_poll_of_all_streams),
		cmocka_unit_test(lossy_more_than_2_31_behind_is_exact_D2),
		cmocka_unit_test(lossy_size_is_bounded_by_the_slot_D5),
		cmocka_unit_test(lossy_payload_outside_the_table_is_lost_D5),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
