/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_publish.c - why: what was accepted must be in the stream, whole and
 * once, with the header that was asked for; what was refused must have left no
 * trace (D5, S1, S5: negative means not published).
 */
#include <sched.h>

#include "support/event_check.h"

static const uint32_t slot_sizes[] = { 64, 128, 256, 512, 1024, 2048, 4096 };

/* ---- Payload sizes ------------------------------------------------------ */

/* The sizes at which something changes, for one slot size. */
static size_t
sizes_of(uint32_t slot_size, uint32_t max_payload, size_t *size)
{
	size_t n = 0, base = slot_size - 32;

	size[n++] = EVENT_FILL_MIN;
	size[n++] = 31;
	size[n++] = 32;
	size[n++] = 33;
	size[n++] = base - 1;
	size[n++] = base;
	size[n++] = base + 1;
	size[n++] = slot_size;
	size[n++] = max_payload - 1;
	size[n++] = max_payload;
	return n;
}

static void
check_whole(const struct evbus_event *event, size_t size, uint64_t number)
{
	uint32_t producer = 0;
	uint64_t seen = 0;

	CHECK_INT(event->size, size);
	CHECK_INT((uintptr_t)event->data % 16, 0);
	CHECK(event_whole(event->data, event->size, &producer, &seen));
	CHECK_INT(seen, number);
}

static void
send_sizes(uint32_t slot_size, enum evbus_producers producers, int lossy)
{
	struct evbus_stream_options options = { .capacity = 16,
	    .slot_size = slot_size, .max_payload = 9000, .pool_blocks = 16,
	    .producers = producers };
	struct evbus *bus = event_bus(&options);
	struct evbus_topic *topic = event_topic(bus, "sizes.of");
	struct evbus_reader *reader = event_reader(bus, lossy,
	    EVBUS_START_NOW);
	const struct evbus_event *event;
	unsigned char data[9001];
	size_t size[16], n, i;

	(void)event_subscribe(reader, "sizes.*", NULL, NULL);
	n = sizes_of(slot_size, 9000, size);
	for (i = 0; i < n; i++) {
		event_fill(data, size[i], 1, i);
		CHECK_INT(evbus_publish(topic, data, size[i]), 0);
	}
	memset(data, 0xee, sizeof data);
	for (i = 0; i < n; i++) {
		event = evbus_next(reader);
		assert_non_null(event);
		check_whole(event, size[i], i);
		CHECK_INT(event->sequence, i);
		CHECK_INT(event->stream, 1);
		CHECK(event->topic == topic);
		CHECK_INT((event->flags & EVBUS_EVENT_OUTSIDE) != 0,
		    size[i] > slot_size - 32);
	}
	assert_null(evbus_next(reader));
	event_check_equation(reader);
	assert_int_equal(evbus_publish(topic, data, 9001), EVBUS_EMSGSIZE);
	assert_int_equal(evbus_try_publish(topic, data, 9001), EVBUS_EMSGSIZE);
	assert_int_equal(event_stream_stats(evbus_stream_default(bus)).tail, n);
	event_bus_close(bus);
}

static void
publish_sizes_around_slot_and_limit_whole(void **state)
{
	size_t i;

	(void)state;
	for (i = 0; i < EVENT_COUNT(slot_sizes); i++) {
		send_sizes(slot_sizes[i], EVBUS_PRODUCERS_MANY, 0);
		send_sizes(slot_sizes[i], EVBUS_PRODUCERS_ONE, 0);
		send_sizes(slot_sizes[i], EVBUS_PRODUCERS_MANY, 1);
	}
}

static void
publish_0_and_1_byte_exact(void **state)
{
	struct evbus *bus = event_bus(NULL);
	struct evbus_topic *topic = event_topic(bus, "small");
	struct evbus_reader *reader = event_reader(bus, 0, EVBUS_START_NOW);
	const struct evbus_event *event;

	(void)state;
	(void)event_subscribe(reader, ">", NULL, NULL);
	assert_int_equal(evbus_publish(topic, NULL, 0), 0);
	assert_int_equal(evbus_publish(topic, "", 0), 0);
	assert_int_equal(evbus_try_publish(topic, "x", 1), 0);
	event = evbus_next(reader);
	assert_non_null(event);
	assert_int_equal(event->size, 0);
	event = evbus_next(reader);
	assert_non_null(event);
	assert_int_equal(event->size, 0);
	event = evbus_next(reader);
	assert_non_null(event);
	assert_int_equal(event->size, 1);
	assert_int_equal(*(const char *)event->data, 'x');
	event_bus_close(bus);
}

static void
publish_null_data_with_size_einval(void **state)
{
	struct evbus_publish_options options = { 0 };
	struct evbus *bus = event_bus(NULL);
	struct evbus_topic *topic = event_topic(bus, "small");

	(void)state;
	assert_int_equal(evbus_publish(topic, NULL, 1), EVBUS_EINVAL);
	assert_int_equal(evbus_try_publish(topic, NULL, 1), EVBUS_EINVAL);
	assert_int_equal(evbus_publish(topic, NULL, 100), EVBUS_EINVAL);
	assert_int_equal(evbus_publish_with(topic, NULL, 1, &options),
	    EVBUS_EINVAL);
	assert_int_equal(evbus_publish(NULL, "x", 1), EVBUS_EINVAL);
	assert_int_equal(evbus_try_publish(NULL, "x", 1), EVBUS_EINVAL);
	assert_int_equal(evbus_publish_with(NULL, "x", 1, &options),
	    EVBUS_EINVAL);
	assert_int_equal(event_stream_stats(evbus_stream_default(bus)).tail, 0);
	event_bus_close(bus);
}

/* D5: an event goes to its topic's subscribers, in whichever mix. */
static void
publish_many_topics_each_to_its_own(void **state)
{
	struct evbus *bus = event_bus_of(256);
	struct evbus_topic *topic[8];
	struct evbus_reader *reader = event_reader(bus, 0, EVBUS_START_NOW);
	struct event_log *log[8];
	char name[16];
	uint64_t i, k;

	(void)state;
	for (i = 0; i < 8; i++) {
		(void)snprintf(name, sizeof name, "own.t%u", (unsigned)i);
		topic[i] = event_topic(bus, name);
		log[i] = event_log();
		(void)event_subscribe(reader, name, event_log_handler, log[i]);
	}
	for (i = 0; i < 200; i++)
		event_publish(topic[i * 7 % 8], i, 1);
	assert_int_equal(event_drain(reader), 200);
	for (i = 0; i < 8; i++) {
		assert_int_equal(log[i]->count, 25);
		for (k = 0; k < log[i]->count; k++) {
			CHECK(log[i]->seen[k].event.topic == topic[i]);
			CHECK_INT(event_number(&log[i]->seen[k].event) * 7 % 8,
			    i);
		}
	}
	event_bus_close(bus);
	for (i = 0; i < 8; i++)
		free(log[i]);
}

/* ---- Full --------------------------------------------------------------- */

struct sender {
	struct evbus_topic *topic;
	uint64_t first;
	unsigned n;
	int result;
};

static void *
send_n(void *arg)
{
	struct sender *sender = arg;
	uint64_t number;
	unsigned i;

	for (i = 0; i < sender->n && sender->result == 0; i++) {
		number = sender->first + i;
		sender->result = evbus_publish(sender->topic, &number,
		    sizeof number);
	}
	return NULL;
}

/* S1 */
static void
full_wait_publisher_held_until_reader_passes(void **state)
{
	struct evbus_stream_options options = { .capacity = 4,
	    .timeout_ns = EVBUS_FOREVER };
	struct evbus *bus = event_bus(&options);
	struct evbus_stream *stream = evbus_stream_default(bus);
	struct evbus_reader *reader = event_reader(bus, 0, EVBUS_START_NOW);
	struct sender sender = { .topic = event_topic(bus, "full"), .n = 5 };
	struct event_log *log = event_log();
	struct evbus_stream_stats stats;
	pthread_t thread;

	(void)state;
	(void)event_subscribe(reader, "full", event_log_handler, log);
	thread = event_thread(send_n, &sender);
	event_until_waiting(stream, 1);
	assert_int_equal(event_stream_stats(stream).tail, 4);
	assert_int_equal(evbus_poll(reader, 1), 1);
	event_join(thread);
	assert_int_equal(sender.result, 0);
	stats = event_stream_stats(stream);
	assert_int_equal(stats.tail, 5);
	assert_int_equal(stats.waits, 1);
	assert_int_equal(stats.waiting, 0);
	assert_int_equal(stats.refused + stats.timedout + stats.deadlocks, 0);
	assert_int_equal(event_drain(reader), 4);
	assert_int_equal(log->count, 5);
	assert_int_equal(event_number(&log->seen[4].event), 4);
	event_bus_close(bus);
	free(log);
}

/* S1: the stream's own time limit, and nothing was claimed. */
static void
full_wait_time_limit_etimedout(void **state)
{
	struct evbus_stream_options options = { .capacity = 4,
	    .timeout_ns = 2000000 };
	struct evbus *bus = event_bus(&options);
	struct evbus_stream *stream = evbus_stream_default(bus);
	struct evbus_reader *reader = event_reader(bus, 0, EVBUS_START_NOW);
	struct sender sender = { .topic = event_topic(bus, "full"), .n = 5 };
	struct evbus_stream_stats stats;

	(void)state;
	(void)event_subscribe(reader, "full", NULL, NULL);
	event_join(event_thread(send_n, &sender));
	assert_int_equal(sender.result, EVBUS_ETIMEDOUT);
	stats = event_stream_stats(stream);
	assert_int_equal(stats.tail, 4);
	assert_int_equal(stats.timedout, 1);
	assert_true(stats.wait_ns >= 2000000);
	assert_int_equal(event_drain(reader), 4);
	event_bus_close(bus);
}

static void
full_fail_and_try_efull_at_once(void **state)
{
	struct evbus_stream_options options = { .capacity = 4,
	    .on_full = EVBUS_ON_FULL_FAIL, .timeout_ns = EVBUS_FOREVER };
	struct evbus *bus = event_bus(&options);
	struct evbus_stream *stream = evbus_stream_default(bus);
	struct evbus_reader *reader = event_reader(bus, 0, EVBUS_START_NOW);
	struct evbus_topic *topic = event_topic(bus, "full");
	struct event_log *log = event_log();

	(void)state;
	(void)event_subscribe(reader, "full", event_log_handler, log);
	event_publish(topic, 0, 4);
	assert_int_equal(evbus_publish(topic, "12345678", 8), EVBUS_EFULL);
	assert_int_equal(evbus_try_publish(topic, "12345678", 8), EVBUS_EFULL);
	assert_int_equal(event_stream_stats(stream).refused, 2);
	assert_int_equal(event_stream_stats(stream).tail, 4);
	assert_int_equal(evbus_poll(reader, 1), 1);
	event_publish(topic, 4, 1);
	assert_int_equal(evbus_publish(topic, "12345678", 8), EVBUS_EFULL);
	assert_int_equal(event_drain(reader), 4);
	assert_int_equal(log->count, 5);
	assert_int_equal(event_number(&log->seen[4].event), 4);
	event_bus_close(bus);
	free(log);
}

/* The gate is the smallest cursor, whichever reader's that is. */
static void
full_slowest_reader_holds(void **state)
{
	struct evbus *bus = event_bus_of(8);
	struct evbus_topic *topic = event_topic(bus, "full");
	struct evbus_reader *reader[3];
	unsigned slow, i;

	(void)state;
	for (i = 0; i < 3; i++) {
		reader[i] = event_reader(bus, 0, EVBUS_START_NOW);
		(void)event_subscribe(reader[i], ">", NULL, NULL);
	}
	for (slow = 0; slow < 3; slow++) {
		event_publish(topic, 0, 8);
		for (i = 0; i < 3; i++)
			if (i != slow)
				assert_int_equal(event_drain(reader[i]), 8);
		assert_int_equal(evbus_try_publish(topic, "x", 1),
		    EVBUS_EFULL);
		assert_int_equal(evbus_poll(reader[slow], 1), 1);
		assert_int_equal(evbus_try_publish(topic, "x", 1), 0);
		assert_int_equal(evbus_try_publish(topic, "x", 1),
		    EVBUS_EFULL);
		for (i = 0; i < 3; i++)
			assert_int_equal(event_drain(reader[i]),
			    i == slow ? 8 : 1);
	}
	event_bus_close(bus);
}

/* S1: a lossy reader that never reads holds nobody. */
static void
full_lossy_reader_harms_nobody(void **state)
{
	struct evbus_stream_options options = { .capacity = 8,
	    .timeout_ns = EVBUS_FOREVER };
	struct evbus *bus = event_bus(&options);
	struct evbus_reader *lossy = event_reader(bus, 1, EVBUS_START_NOW);
	struct evbus_reader *lossless = event_reader(bus, 0, EVBUS_START_NOW);
	struct evbus_topic *topic = event_topic(bus, "full");
	unsigned i;

	(void)state;
	(void)event_subscribe(lossy, ">", NULL, NULL);
	(void)event_subscribe(lossless, ">", NULL, NULL);
	for (i = 0; i < 1000; i++) {
		event_publish(topic, i, 1);
		CHECK_INT(evbus_poll(lossless, 10), 1);
	}
	assert_int_equal(event_stream_stats(evbus_stream_default(bus)).waits,
	    0);
	(void)event_drain(lossy);
	assert_int_equal(event_reader_stats(lossy).lost, 992);
	event_check_equation(lossy);
	event_check_equation(lossless);
	event_bus_close(bus);
}

/* The reader leaves: its publishers are let go. */
static void *
close_reader(void *arg)
{
	CHECK_INT(evbus_reader_close(arg, EVENT_LONG), 0);
	return NULL;
}

static void
full_reader_leaves_publisher_let_go(void **state)
{
	struct evbus_stream_options options = { .capacity = 4,
	    .timeout_ns = EVBUS_FOREVER };
	struct evbus *bus = event_bus(&options);
	struct evbus_stream *stream = evbus_stream_default(bus);
	struct evbus_reader *reader = event_reader(bus, 0, EVBUS_START_NOW);
	struct sender sender = { .topic = event_topic(bus, "full"), .n = 9 };
	pthread_t thread;

	(void)state;
	(void)event_subscribe(reader, ">", NULL, NULL);
	thread = event_thread(send_n, &sender);
	event_until_waiting(stream, 1);
	event_join(event_thread(close_reader, reader));
	event_join(thread);
	assert_int_equal(sender.result, 0);
	assert_int_equal(event_stream_stats(stream).tail, 9);
	event_bus_close(bus);
}

/* ---- publish_with, publish_name ----------------------------------------- */

static void
with_sequence_and_cause_in_event(void **state)
{
	struct evbus_publish_options options = { .set_cause = 1,
	    .cause = EVBUS_CAUSE(3, 77) };
	struct evbus *bus = event_bus(NULL);
	struct evbus_topic *topic = event_topic(bus, "with");
	struct evbus_reader *reader = event_reader(bus, 0, EVBUS_START_NOW);
	const struct evbus_event *event;
	uint64_t sequence = 99;
	char large[3000];

	(void)state;
	(void)event_subscribe(reader, ">", NULL, NULL);
	options.sequence = &sequence;
	assert_int_equal(evbus_publish(topic, "a", 1), 0);
	assert_int_equal(evbus_publish_with(topic, "b", 1, &options), 0);
	assert_int_equal(sequence, 1);
	memset(large, 'c', sizeof large);
	assert_int_equal(evbus_publish_with(topic, large, sizeof large,
	    &options), 0);
	assert_int_equal(sequence, 2);
	assert_int_equal(evbus_publish_with(topic, "d", 1, NULL), 0);
	event = evbus_next(reader);
	assert_int_equal(event->cause, 0);
	event = evbus_next(reader);
	assert_int_equal(event->sequence, 1);
	assert_int_equal(EVBUS_CAUSE_STREAM(event->cause), 3);
	assert_int_equal(EVBUS_CAUSE_SEQUENCE(event->cause), 77);
	event = evbus_next(reader);
	assert_int_equal(event->size, sizeof large);
	assert_int_equal(event->cause, EVBUS_CAUSE(3, 77));
	event = evbus_next(reader);
	assert_int_equal(event->cause, 0);
	event_bus_close(bus);
}

static void
with_time_limit_instead_of_the_streams(void **state)
{
	struct evbus_publish_options options = { .set_timeout = 1,
	    .timeout_ns = 0 };
	struct evbus_stream_options stream = { .capacity = 2,
	    .timeout_ns = EVBUS_FOREVER };
	struct evbus *bus = event_bus(&stream);
	struct evbus_topic *topic = event_topic(bus, "with");
	struct evbus_reader *reader = event_reader(bus, 0, EVBUS_START_NOW);
	uint64_t sequence = 99;

	(void)state;
	(void)event_subscribe(reader, ">", NULL, NULL);
	event_publish(topic, 0, 2);
	options.sequence = &sequence;
	assert_int_equal(evbus_publish_with(topic, "b", 1, &options),
	    EVBUS_EFULL);
	assert_int_equal(sequence, 99);
	options.timeout_ns = -2;
	assert_int_equal(evbus_publish_with(topic, "b", 1, &options),
	    EVBUS_EINVAL);
	assert_int_equal(event_drain(reader), 2);
	options.timeout_ns = EVBUS_FOREVER;
	assert_int_equal(evbus_publish_with(topic, "b", 1, &options), 0);
	assert_int_equal(sequence, 2);
	event_bus_close(bus);
}

static void
with_key_trace_or_other_size_refused(void **state)
{
	struct evbus_publish_options options = { .key = 1 };
	struct evbus *bus = event_bus(NULL);
	struct evbus_topic *topic = event_topic(bus, "with");

	(void)state;
	assert_int_equal(evbus_publish_with(topic, "b", 1, &options),
	    EVBUS_ENOTSUP);
	options.key = 0;
	options.trace = "x";
	assert_int_equal(evbus_publish_with(topic, "b", 1, &options),
	    EVBUS_ENOTSUP);
	options.trace = NULL;
	assert_int_equal(evbus__publish_with(topic, "b", 1, &options,
	    sizeof options + 8), EVBUS_EVERSION);
	assert_int_equal(evbus__publish_with(topic, "b", 1, &options,
	    sizeof options - 8), EVBUS_EVERSION);
	assert_int_equal(event_stream_stats(evbus_stream_default(bus)).tail, 0);
	event_bus_close(bus);
}

static void
name_opens_the_topic_and_publishes(void **state)
{
	struct evbus *bus = event_bus(NULL);
	struct evbus_reader *reader = event_reader(bus, 0, EVBUS_START_NOW);
	struct event_log *log = event_log();

	(void)state;
	(void)event_subscribe(reader, "by.*", event_log_handler, log);
	assert_int_equal(evbus_publish_name(bus, "by.name", "abc", 4), 0);
	assert_int_equal(evbus_publish_name(bus, "by name", "abc", 4),
	    EVBUS_ENAME);
	assert_int_equal(evbus_publish_name(bus, "by.*", "abc", 4),
	    EVBUS_ENAME);
	assert_int_equal(evbus_publish_name(bus, "$by", "abc", 4),
	    EVBUS_EOWNER);
	assert_int_equal(evbus_publish_name(NULL, "by.name", "abc", 4),
	    EVBUS_EINVAL);
	assert_int_equal(event_drain(reader), 1);
	assert_string_equal(log->seen[0].data, "abc");
	assert_string_equal(evbus_topic_name(log->seen[0].event.topic),
	    "by.name");
	event_bus_close(bus);
	free(log);
}

/* ---- Causes ------------------------------------------------------------- */

struct chain {
	struct evbus_topic *next;
	struct event_log *log;
};

static enum evbus_verdict
publish_on(const struct evbus_event *event, void *arg)
{
	struct chain *chain = arg;

	(void)event_log_handler(event, chain->log);
	if (chain->next != NULL)
		CHECK_INT(evbus_publish(chain->next, "x", 1), 0);
	return EVBUS_DONE;
}

static void
cause_chain_through_handlers(void **state)
{
	struct evbus *bus = event_bus_of(16);
	struct evbus_stream *far = event_stream(bus, "far.>", NULL);
	struct evbus_reader *reader = event_reader(bus, 0, EVBUS_START_NOW);
	struct event_log *log = event_log();
	struct chain chain[3] = {
		{ event_topic(bus, "far.b"), log },
		{ event_topic(bus, "c"), log },
		{ NULL, log }
	};
	const struct evbus_event *event;

	(void)state;
	(void)event_subscribe(reader, "a", publish_on, &chain[0]);
	(void)event_subscribe(reader, "far.b", publish_on, &chain[1]);
	(void)event_subscribe(reader, "c", publish_on, &chain[2]);
	event_publish(event_topic(bus, "other"), 0, 3);
	event_publish(event_topic(bus, "a"), 0, 1);
	(void)event_drain(reader);
	assert_int_equal(log->count, 3);
	assert_int_equal(log->seen[0].event.cause, 0);
	assert_int_equal(log->seen[1].event.cause, EVBUS_CAUSE(1, 3));
	assert_int_equal(log->seen[2].event.cause,
	    EVBUS_CAUSE(log->seen[1].event.stream, 0));
	(void)far;
	/* Outside of handlers there is no cause again. */
	event_publish(event_topic(bus, "other"), 0, 1);
	(void)event_subscribe(reader, "other", NULL, NULL);
	event_publish(event_topic(bus, "other"), 1, 1);
	event = evbus_next(reader);
	assert_non_null(event);
	assert_int_equal(event->cause, 0);
	/* What is published while an event is held is caused by it. */
	event_publish(event_topic(bus, "other"), 2, 1);
	event = evbus_next(reader);
	assert_non_null(event);
	assert_int_equal(event->cause, EVBUS_CAUSE(1, 6));
	evbus_done(reader);
	event_bus_close(bus);
	free(log);
}

static enum evbus_verdict
look_inside(const struct evbus_event *event, void *arg)
{
	struct chain *chain = arg;
	struct evbus_reader *inner = (struct evbus_reader *)(void *)chain->log;

	(void)event;
	CHECK(evbus_next(inner) != NULL);
	evbus_done(inner);
	CHECK_INT(evbus_publish(chain->next, "x", 1), 0);
	return EVBUS_DONE;
}

/* Reading another reader inside a handler does not change what is handled. */
static void
cause_after_next_inside_handler_is_the_handlers(void **state)
{
	struct evbus *bus = event_bus_of(16);
	struct evbus_reader *outer = event_reader(bus, 0, EVBUS_START_NOW);
	struct evbus_reader *inner = event_reader(bus, 0, EVBUS_START_NOW);
	struct evbus_reader *last = event_reader(bus, 0, EVBUS_START_NOW);
	struct chain chain = { event_topic(bus, "made"),
	    (struct event_log *)(void *)inner };
	const struct evbus_event *event;

	(void)state;
	(void)event_subscribe(outer, "a", look_inside, &chain);
	(void)event_subscribe(inner, "b", NULL, NULL);
	(void)event_subscribe(last, "made", NULL, NULL);
	event_publish(event_topic(bus, "b"), 0, 2);
	event_publish(event_topic(bus, "a"), 0, 1);
	assert_int_equal(event_drain(outer), 4);
	event = evbus_next(last);
	assert_non_null(event);
	assert_int_equal(event->cause, EVBUS_CAUSE(1, 2));
	event_bus_close(bus);
}

/* ---- Times -------------------------------------------------------------- */

struct fake_clock {
	int64_t now;		/* moves by 1000 at each reading */
	unsigned reads;
};

static int64_t
read_fake(void *arg)
{
	struct fake_clock *clock = arg;

	clock->reads++;
	return clock->now += 1000;
}

static struct evbus *
timed_bus(enum evbus_times times, struct fake_clock *clock)
{
	struct evbus_options options = { .stream = { .times = times },
	    .clock = read_fake, .clock_arg = clock };
	struct evbus *bus = NULL;

	assert_int_equal(evbus_open(&bus, &options), 0);
	return bus;
}

static void
times_precise_one_reading_per_event(void **state)
{
	struct fake_clock clock = { 5000, 0 };
	struct evbus *bus = timed_bus(EVBUS_TIMES_PRECISE, &clock);
	struct evbus_topic *topic = event_topic(bus, "time");
	struct evbus_reader *reader = event_reader(bus, 0, EVBUS_START_NOW);
	struct event_log *log = event_log();
	unsigned i, reads;

	(void)state;
	(void)event_subscribe(reader, ">", event_log_handler, log);
	event_publish(topic, 0, 1);
	reads = clock.reads;
	event_publish(topic, 1, 200);
	assert_int_equal(clock.reads, reads + 200);
	assert_int_equal(event_drain(reader), 201);
	for (i = 2; i < 201; i++)
		CHECK_INT(log->seen[i].event.time,
		    log->seen[i - 1].event.time + 1000);
	CHECK_INT(log->seen[200].event.time, clock.now);
	event_bus_close(bus);
	free(log);
}

/* F7 */
static void
times_sampled_one_reading_per_64(void **state)
{
	struct fake_clock clock = { 5000, 0 };
	struct evbus *bus = timed_bus(EVBUS_TIMES_SAMPLED, &clock);
	struct evbus_topic *topic = event_topic(bus, "time");
	struct evbus_reader *reader = event_reader(bus, 0, EVBUS_START_NOW);
	struct event_log *log = event_log();
	unsigned i, reads;

	(void)state;
	(void)event_subscribe(reader, ">", event_log_handler, log);
	event_publish(topic, 0, 64);
	reads = clock.reads;
	event_publish(topic, 64, 64 * 3);
	assert_int_equal(clock.reads, reads + 3);
	assert_int_equal(event_drain(reader), 256);
	for (i = 0; i < 256; i++) {
		CHECK(log->seen[i].event.time > 0);
		CHECK_INT(log->seen[i].event.time,
		    log->seen[i & ~63u].event.time);
	}
	CHECK(log->seen[64].event.time > log->seen[0].event.time);
	CHECK_INT(log->seen[255].event.time, clock.now);
	event_bus_close(bus);
	free(log);
}

static void
times_none_no_reading_and_0(void **state)
{
	struct fake_clock clock = { 5000, 0 };
	struct evbus *bus = timed_bus(EVBUS_TIMES_NONE, &clock);
	struct evbus_topic *topic = event_topic(bus, "time");
	struct evbus_reader *reader = event_reader(bus, 0, EVBUS_START_NOW);
	struct event_log *log = event_log();
	struct iovec iov[2] = { { (void *)(uintptr_t)"abc", 3 },
	    { (void *)(uintptr_t)"def", 3 } };
	struct evbus_claim claim;
	char large[1000] = { 0 };
	unsigned i, reads;

	(void)state;
	(void)event_subscribe(reader, ">", event_log_handler, log);
	event_publish(topic, 0, 1);
	reads = clock.reads;
	event_publish(topic, 1, 200);
	CHECK_INT(evbus_publish(topic, large, sizeof large), 0);
	CHECK_INT(evbus_publish_with(topic, "x", 1, NULL), 0);
	CHECK_INT(evbus_publish_batch(topic, iov, 2), 0);
	CHECK_INT(evbus_claim(topic, 4, 0, &claim), 0);
	CHECK_INT(evbus_commit(&claim, 0), 0);
	assert_int_equal(clock.reads, reads);
	assert_int_equal(event_drain(reader), 206);
	for (i = 0; i < 206; i++)
		CHECK_INT(log->seen[i].event.time, 0);
	event_bus_close(bus);
	free(log);
}

/* ---- One producer ------------------------------------------------------- */

static void *
publish_once(void *arg)
{
	struct sender *sender = arg;

	sender->result = evbus_publish(sender->topic, "12345678", 8);
	return NULL;
}

static void
one_producer_second_thread_eowner_until_first_ended(void **state)
{
	struct evbus_stream_options options = { .capacity = 16,
	    .producers = EVBUS_PRODUCERS_ONE };
	struct evbus *bus = event_bus(&options);
	struct evbus_topic *topic = event_topic(bus, "one");
	struct sender first = { .topic = topic, .n = 1 };
	struct sender other = { .topic = topic };
	struct evbus_reader *reader = event_reader(bus, 0, EVBUS_START_NOW);
	struct evbus_claim claim;
	struct iovec iov = { (void *)(uintptr_t)"x", 1 };

	(void)state;
	(void)event_subscribe(reader, ">", NULL, NULL);
	/* The first one ends: the stream is the next one's. */
	event_join(event_thread(publish_once, &first));
	assert_int_equal(first.result, 0);
	event_publish(topic, 1, 3);
	/* This one lives. */
	event_join(event_thread(publish_once, &other));
	assert_int_equal(other.result, EVBUS_EOWNER);
	event_publish(topic, 4, 1);
	assert_int_equal(evbus_publish_batch(topic, &iov, 1), 0);
	assert_int_equal(evbus_claim(topic, 1, 0, &claim), 0);
	assert_int_equal(evbus_commit(&claim, 1), 0);
	assert_int_equal(event_stream_stats(evbus_stream_default(bus)).tail, 7);
	assert_int_equal(event_drain(reader), 7);
	event_bus_close(bus);
}

static void *
send_many(void *arg)
{
	struct sender *sender = arg;
	uint64_t number;

	for (number = 0; number < sender->n; number++)
		CHECK_INT(evbus_publish(sender->topic, &number,
		    sizeof number), 0);
	return NULL;
}

/* Both kinds of stream, each slot size: the same events in the same order. */
static void
one_and_many_producers_same_events(void **state)
{
	struct evbus_stream_options options = { .capacity = 8,
	    .timeout_ns = EVBUS_FOREVER };
	struct evbus *bus;
	struct evbus_reader *reader;
	struct sender sender = { .n = 500 };
	const struct evbus_event *event;
	uint16_t publisher = 0;
	pthread_t thread;
	uint64_t number;
	size_t i;

	(void)state;
	for (i = 0; i < 2 * EVENT_COUNT(slot_sizes); i++) {
		options.slot_size = slot_sizes[i / 2];
		options.producers = i % 2 ? EVBUS_PRODUCERS_ONE :
		    EVBUS_PRODUCERS_MANY;
		bus = event_bus(&options);
		reader = event_reader(bus, 0, EVBUS_START_NOW);
		(void)event_subscribe(reader, ">", NULL, NULL);
		sender.topic = event_topic(bus, "same");
		thread = event_thread(send_many, &sender);
		for (number = 0; number < sender.n; number++) {
			while ((event = evbus_next(reader)) == NULL)
				CHECK_INT(evbus_wait(reader, EVENT_LONG), 1);
			CHECK_INT(event->sequence, number);
			CHECK_INT(event_number(event), number);
			CHECK(event->topic == sender.topic);
			CHECK(number == 0 || event->publisher == publisher);
			CHECK_INT(event->lost, 0);
			CHECK_INT(event->key, 0);
			publisher = event->publisher;
		}
		evbus_done(reader);
		event_join(thread);
		event_check_equation(reader);
		event_bus_close(bus);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(publish_sizes_around_slot_and_limit_whole),
		cmocka_unit_test(publish_0_and_1_byte_exact),
		cmocka_unit_test(publish_null_data_with_size_einval),
		cmocka_unit_test(publish_many_topics_each_to_its_own),
		cmocka_unit_test(full_wait_publisher_held_until_reader_passes),
		cmocka_unit_test(full_wait_time_limit_etimedout),
		cmocka_unit_test(full_fail_and_try_efull_at_once),
		cmocka_unit_test(full_slowest_reader_holds),
		cmocka_unit_test(full_lossy_reader_harms_nobody),
		cmocka_unit_test(full_reader_leaves_publisher_let_go),
		cmocka_unit_test(with_sequence_and_cause_in_event),
		cmocka_unit_test(with_time_limit_instead_of_the_streams),
		cmocka_unit_test(with_key_trace_or_other_size_refused),
		cmocka_unit_test(name_opens_the_topic_and_publishes),
		cmocka_unit_test(cause_chain_through_handlers),
		cmocka_unit_test(
		    cause_after_next_inside_handler_is_the_handlers),
		cmocka_unit_test(times_precise_one_reading_per_event),
		cmocka_unit_test(times_sampled_one_reading_per_64),
		cmocka_unit_test(times_none_no_reading_and_0),
		cmocka_unit_test(
		    one_producer_second_thread_eowner_until_first_ended),
		cmocka_unit_test(one_and_many_producers_same_events),
	};

	return cmocka_run_group_tests_name("publish", tests, NULL, NULL);
}
