/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_holder.c - why: who holds a stream up is told to somebody who looks for
 * a defect at night (S1, S5).  The sentence must name who is really in the way:
 * the lowest of readers and open claims, no reader that was demoted, and
 * nobody if they have all gone on meanwhile.
 */
#include "bus_fixture.h"

#include "bus/bus.h"

#define CAPACITY 8

struct held {
	struct evbus *bus;
	struct evbus__stream *stream;
	struct evbus_publisher *self;
	struct evbus_topic *topic;
};

static void
open_held(struct held *held)
{
	struct evbus_options options = {
		.stream = { .capacity = CAPACITY },
	};

	held->bus = fixture_open(&options);
	held->stream = evbus__stream_of(evbus_stream_default(held->bus));
	held->self = evbus__self(&held->bus->context);
	held->topic = fixture_topic(held->bus, "a");
}

static void
publish(struct held *held, unsigned n)
{
	while (n-- > 0)
		assert_int_equal(evbus_try_publish(held->topic, "x", 1), 0);
}

/* Does the sentence about the gate at `gate` have this in it? */
static void
says(struct held *held, uint64_t gate, const char *wanted)
{
	char text[256];

	memset(text, 0, sizeof text);
	evbus__describe_holder(held->stream, held->self, gate, text,
	    sizeof text);
	if (strstr(text, wanted) == NULL)
		fail_msg("\"%s\" is not in \"%s\"", wanted, text);
}

static void
holder_is_the_lowest_of_readers_and_claims_S5(void **state)
{
	struct evbus_claim claim;
	struct evbus_reader *first, *second;
	struct held held;

	(void)state;
	open_held(&held);
	says(&held, 1, "nobody");
	first = fixture_subscribed(held.bus, "a", NULL, NULL);
	second = fixture_subscribed(held.bus, "a", NULL, NULL);
	publish(&held, 2);
	assert_int_equal(evbus_claim(held.topic, 1, 0, &claim), 0);
	/* At 0, 0 and 2. */
	says(&held, 3, "reader \"reader-1\"");
	says(&held, 3, "test");
	assert_int_equal(evbus_poll(first, 2), 2);
	says(&held, 3, "reader \"reader-2\"");
	says(&held, 3, "is at sequence 0");
	assert_int_equal(evbus_poll(second, 2), 2);
	says(&held, 3, "claimed sequence 2");
	says(&held, 2, "nobody");
	evbus_abort(&claim);
	says(&held, 3, "reader \"reader-1\"");
	fixture_end(held.bus, 0);
}

static void
holder_is_no_reader_that_was_demoted_S1(void **state)
{
	struct evbus_reader_options options = { .max_lag = CAPACITY };
	struct evbus_reader *reader;
	struct held held;

	(void)state;
	open_held(&held);
	reader = fixture_reader(held.bus, &options);
	assert_true(evbus_reader_subscribe(reader, "a", NULL, NULL, NULL) > 0);
	publish(&held, CAPACITY);
	says(&held, 1, "reader \"reader-1\"");
	publish(&held, 1);
	says(&held, 1, "nobody");
	fixture_end(held.bus, 0);
}

/* Before its first subscription is made, and where there is little room. */
static void
holder_is_told_as_far_as_it_is_known_and_fits(void **state)
{
	struct evbus_reader *reader;
	struct held held;
	char text[16];

	(void)state;
	open_held(&held);
	reader = fixture_subscribed(held.bus, "a", NULL, NULL);
	publish(&held, 1);
	memset(text, 'x', sizeof text);
	evbus__describe_holder(held.stream, held.self, 1, text, 10);
	assert_string_equal(text, "reader \"r");
	assert_int_equal(text[10], 'x');
	EVBUS_STORE(&reader->where.file, NULL, RELEASE);
	says(&held, 1, "reader \"reader-1\" is at sequence 0");
	fixture_end(held.bus, 0);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(holder_is_the_lowest_of_readers_and_claims_S5),
		cmocka_unit_test(holder_is_no_reader_that_was_demoted_S1),
		cmocka_unit_test(holder_is_told_as_far_as_it_is_known_and_fits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
