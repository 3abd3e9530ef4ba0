/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * scenario.c - see scenario.h.
 */
#include <string.h>

#include <evbus/claim.h>

#include "bus/bus.h"
#include "scenario.h"

#define TOPIC	"a"

struct payload {
	uint64_t value;		/* fiber << 32 | n */
	uint64_t check;		/* ~value */
};

struct scenario scenario;

static void
set_default(uint32_t *field, uint32_t value)
{
	if (*field == 0)
		*field = value;
}

void
scenario_open(const struct evbus_options *given, int cold)
{
	struct evbus_options options = { 0 };
	int fiber;

	memset(&scenario, 0, sizeof scenario);
	if (given != NULL)
		options = *given;
	set_default(&options.max_topics, 4);
	set_default(&options.max_readers, 4);
	set_default(&options.max_timers, 2);
	options.max_publishers = (uint32_t)explore_fibers() + 1;
	options.max_streams = 2;
	if (options.ring_memory == 0)
		options.ring_memory = 8192;
	options.name_memory = 16 * options.max_topics;
	set_default(&options.stream.capacity, 4);
	set_default(&options.stream.max_payload, 32);
	set_default(&options.stream.pool_blocks, 2);
	set_default(&options.stream.max_references, 2);
	if (options.stream.times == EVBUS_TIMES_SAMPLED)
		options.stream.times = EVBUS_TIMES_NONE;
	if (options.stream.timeout_ns == 0)
		options.stream.timeout_ns = EVBUS_FOREVER;
	explore_assert(evbus_open(&scenario.bus, &options) == 0,
	    "open: %s", evbus_errmsg());
	explore_assert(evbus_topic_open(scenario.bus, TOPIC, NULL,
	    &scenario.topic) == 0, "topic: %s", evbus_errmsg());
	scenario.stream = evbus_stream_default(scenario.bus);
	for (fiber = 1; !cold && fiber <= EXPLORE_FIBERS_MAX &&
	    fiber <= explore_fibers(); fiber++) {
		explore_stand_for(fiber);
		explore_assert(evbus__self(evbus__context_of(scenario.bus)) !=
		    NULL, "record: %s", evbus_errmsg());
	}
	explore_stand_for(0);
}

void
scenario_reader_open(unsigned i, const struct evbus_reader_options *given)
{
	struct evbus_reader_options options = { 0 };

	if (given != NULL)
		options = *given;
	options.spin_ns = -1;
	explore_assert(evbus_reader_open(scenario.bus, &options,
	    &scenario.reader[i]) == 0, "reader: %s", evbus_errmsg());
}

void
scenario_subscribe(unsigned i)
{
	struct evbus_subscribe_options options = {
		.on_closed = scenario_on_closed,
	};
	int64_t id;

	id = evbus_reader_subscribe(scenario.reader[i], TOPIC,
	    scenario_handler, &scenario.log[i], &options);
	explore_assert(id > 0, "subscribe: %s", evbus_errmsg());
	scenario.subscription[i] = id;
	/* The first wait is to sleep at once, and not to look at the stream
	 * that was joined. */
	if (explore_self() == 0)
		(void)evbus__park_nudged(scenario.reader[i]->park);
}

enum evbus_verdict
scenario_handler(const struct evbus_event *event, void *arg)
{
	const struct payload *payload = event->data;
	struct scenario_log *log = arg;
	struct scenario_got *got;
	uint64_t value, check;

	explore_assert(EVBUS_PLAIN_LOAD(&log->ended) == 0 && log->closed == 0,
	    "the handler is called after its end");
	EXPLORE_ASSERT(log->count < SCENARIO_EVENTS);
	EXPLORE_ASSERT(event->size == sizeof *payload);
	EXPLORE_ASSERT(event->topic == scenario.topic);
	got = &log->got[log->count++];
	value = EVBUS_PLAIN_LOAD(&payload->value);
	check = EVBUS_PLAIN_LOAD(&payload->check);
	explore_assert(value == ~check, "payload of %llu is torn: %llx, %llx",
	    (unsigned long long)event->sequence, (unsigned long long)value,
	    (unsigned long long)~check);
	got->sequence = event->sequence;
	got->lost = event->lost;
	got->who = (unsigned)(value >> 32);
	got->n = (unsigned)value;
	return EVBUS_DONE;
}

/* For payloads that are not the scenario's own. */
enum evbus_verdict
scenario_count(const struct evbus_event *event, void *arg)
{
	struct scenario_log *log = arg;

	(void)event;
	log->count++;
	return EVBUS_DONE;
}

void
scenario_on_closed(void *arg)
{
	struct scenario_log *log = arg;

	EXPLORE_ASSERT(EVBUS_PLAIN_LOAD(&log->closed) == 0);
	EVBUS_PLAIN_STORE(&log->closed, 1);
}

static struct payload
next_payload(void)
{
	struct payload payload;
	unsigned self = (unsigned)explore_self();

	payload.value = (uint64_t)self << 32 | (scenario.published[self] + 1);
	payload.check = ~payload.value;
	return payload;
}

/* The running fiber's call to publish has answered. */
static int
note(int result)
{
	scenario.result[explore_self()] = result;
	if (result == 0)
		scenario.published[explore_self()]++;
	return result;
}

int
scenario_publish(void)
{
	struct payload payload = next_payload();

	return note(evbus_publish(scenario.topic, &payload, sizeof payload));
}

int
scenario_try_publish(void)
{
	struct payload payload = next_payload();

	return note(evbus_try_publish(scenario.topic, &payload,
	    sizeof payload));
}

int
scenario_publish_two(void)
{
	struct payload payload[2];
	struct iovec iov[2];
	int i, result;

	for (i = 0; i < 2; i++) {
		payload[i] = next_payload();
		payload[i].value += (unsigned)i;
		payload[i].check = ~payload[i].value;
		iov[i].iov_base = &payload[i];
		iov[i].iov_len = sizeof payload[i];
	}
	result = note(evbus_publish_batch(scenario.topic, iov, 2));
	if (result == 0)
		scenario.published[explore_self()]++;
	return result;
}

int
scenario_claim(struct evbus_claim *claim)
{
	return evbus_claim(scenario.topic, sizeof(struct payload),
	    EVBUS_FOREVER, claim);
}

int
scenario_try_claim(struct evbus_claim *claim)
{
	return evbus_claim(scenario.topic, sizeof(struct payload), 0, claim);
}

int
scenario_commit(struct evbus_claim *claim)
{
	struct payload payload = next_payload();

	EVBUS_PLAIN_COPY_IN(claim->data, &payload, sizeof payload);
	return note(evbus_commit(claim, sizeof payload));
}

void
scenario_read(unsigned i, unsigned count)
{
	int result;

	for (;;) {
		result = evbus_poll(scenario.reader[i], 16);
		explore_assert(result >= 0, "poll: %s", evbus_errmsg());
		if (scenario.log[i].count >= count)
			return;
		if (result > 0)
			continue;
		result = evbus_wait(scenario.reader[i], EVBUS_FOREVER);
		explore_assert(result == 1, "wait answers %d: %s", result,
		    evbus_errmsg());
	}
}

/* Invariant 1 where it stands still, and D2. */
static void
check_counters(unsigned i)
{
	struct evbus_stream_stats stream;
	struct evbus_reader_stats reader;
	uint64_t at;

	EXPLORE_ASSERT(evbus_reader_stats(scenario.reader[i], &reader) == 0);
	EXPLORE_ASSERT(evbus_stream_stats(scenario.stream, &stream) == 0);
	explore_assert(reader.delivered + reader.skipped + reader.holes +
	    reader.lost == reader.passed, "D2: %llu delivered, %llu skipped, "
	    "%llu holes, %llu lost, but %llu passed",
	    (unsigned long long)reader.delivered,
	    (unsigned long long)reader.skipped,
	    (unsigned long long)reader.holes, (unsigned long long)reader.lost,
	    (unsigned long long)reader.passed);
	EXPLORE_ASSERT(reader.delivered + reader.retained ==
	    scenario.log[i].count);
	if (evbus_reader_position(scenario.reader[i], scenario.stream,
	    &at) != 0)
		return;
	EXPLORE_ASSERT(at <= stream.tail);
	if (!scenario.reader[i]->lossy)
		EXPLORE_ASSERT(stream.gate <= at);
	EXPLORE_ASSERT(stream.tail <= stream.gate + stream.capacity);
}

static int
is_open(unsigned i)
{
	return scenario.reader[i] != NULL && EVBUS_LOAD(
	    &scenario.reader[i]->state, ACQUIRE) == EVBUS__READER_OPEN;
}

void
scenario_next_twice(void)
{
	const struct evbus_event *event;
	int i;

	for (i = 0; i < 2; i++) {
		event = evbus_next(scenario.reader[0]);
		if (event != NULL)
			(void)scenario_handler(event, &scenario.log[0]);
	}
	evbus_done(scenario.reader[0]);
}

void
scenario_drain(void)
{
	unsigned i;

	for (i = 0; i < SCENARIO_READERS; i++) {
		if (!is_open(i))
			continue;
		while (evbus_poll(scenario.reader[i], 16) > 0)
			;
		check_counters(i);
	}
}

/* What one reader got of one fiber, in order and, if `all`, everything. */
static void
check_fiber(const struct scenario_log *log, unsigned who, int all)
{
	unsigned i, n = 0;

	for (i = 0; i < log->count; i++) {
		if (log->got[i].who != who)
			continue;
		explore_assert(log->got[i].n > n && (!all ||
		    log->got[i].n == n + 1), "event %u of fiber %u comes after "
		    "its event %u", log->got[i].n, who, n);
		n = log->got[i].n;
	}
	explore_assert(n <= scenario.published[who] && (!all ||
	    n == scenario.published[who]), "of fiber %u's events %u were "
	    "accepted, and the last to come is %u", who,
	    scenario.published[who], n);
}

/* O1: both readers see one order. */
static void
check_same(const struct scenario_log *a, const struct scenario_log *b)
{
	unsigned i, k;

	for (i = 0; i < a->count; i++)
		for (k = 0; k < b->count; k++)
			if (a->got[i].sequence == b->got[k].sequence)
				EXPLORE_ASSERT(a->got[i].who ==
				    b->got[k].who &&
				    a->got[i].n == b->got[k].n);
}

void
scenario_check(unsigned i, int all)
{
	const struct scenario_log *log = &scenario.log[i];
	unsigned k;

	for (k = 1; k < log->count; k++)
		EXPLORE_ASSERT(log->got[k].sequence >
		    log->got[k - 1].sequence);
	for (k = 0; k <= EXPLORE_FIBERS_MAX; k++)
		check_fiber(log, k, all);
	if (i > 0)
		check_same(&scenario.log[0], log);
}

void
scenario_close(void)
{
	unsigned i;
	int result;

	result = evbus_close(scenario.bus, 0, NULL);
	explore_assert(result == 0 || result == EVBUS_ECLOSED, "close: %s",
	    evbus_errmsg());
	for (i = 0; i < SCENARIO_READERS; i++)
		EXPLORE_ASSERT(scenario.subscription[i] == 0 ||
		    scenario.log[i].closed == 1);
	explore_outcome(scenario.log, sizeof scenario.log);
	explore_outcome(scenario.published, sizeof scenario.published);
	explore_outcome(scenario.result, sizeof scenario.result);
	explore_assert(evbus_free(scenario.bus) == 0, "free: %s",
	    evbus_errmsg());
	explore_assert(explore_heap_live() == 0, "%u blocks are left",
	    explore_heap_live());
}

void
scenario_finish(void)
{
	scenario_drain();
	scenario_check(0, 1);
	scenario_close();
}
