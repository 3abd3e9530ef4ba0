/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_validate.c - why: a topic's validator is the one place that every
 * payload of the topic passes, however it is published; a way around it, or a
 * rejected payload that leaves something behind, makes it worthless.  And it
 * is user code in the midst of a publish (S2): whatever it does there, the
 * stream stays whole.
 */
#include "support/event_check.h"

/* Rejects what begins with 'x', by its second byte; counts. */
static unsigned validated;

static int
not_x(const void *data, size_t size, void *arg)
{
	const char *text = data;

	validated++;
	assert_string_equal(arg, "arg");
	return size > 0 && text[0] == 'x' ? (size > 1 ? text[1] : 1) : 0;
}

static struct evbus_topic *
open_with(struct evbus *bus, const char *name, evbus_validate validate,
    void *arg)
{
	struct evbus_topic_options options = { .validate = validate,
	    .validate_arg = arg };
	struct evbus_topic *topic;

	assert_int_equal(evbus_topic_open(bus, name, &options, &topic), 0);
	return topic;
}

static struct evbus_topic *
open_not_x(struct evbus *bus)
{
	validated = 0;
	return open_with(bus, "validated", not_x, (void *)(uintptr_t)"arg");
}

static void
says(const char *text)
{
	assert_non_null(strstr(evbus_errmsg(), text));
}

static struct evbus_stream_stats
stats_of(struct evbus *bus)
{
	return event_stream_stats(evbus_stream_default(bus));
}

/* ---- Every way to publish ------------------------------------------------ */

static int
by_publish(struct evbus_topic *topic, const char *text, size_t size)
{
	return evbus_publish(topic, text, size);
}

static int
by_eight_bytes(struct evbus_topic *topic, const char *text, size_t size)
{
	uint64_t word = 0;

	memcpy(&word, text, size < 8 ? size : 8);
	return evbus_publish(topic, &word, sizeof word);
}

static int
by_try(struct evbus_topic *topic, const char *text, size_t size)
{
	return evbus_try_publish(topic, text, size);
}

static int
by_name(struct evbus_topic *topic, const char *text, size_t size)
{
	return evbus_publish_name(topic->stream->bus, topic->name, text, size);
}

static int
by_with(struct evbus_topic *topic, const char *text, size_t size)
{
	return evbus_publish_with(topic, text, size, NULL);
}

static unsigned released;

static void
release(const void *data, size_t size, void *arg)
{
	(void)data;
	(void)size;
	(void)arg;
	released++;
}

static int
by_reference(struct evbus_topic *topic, const char *text, size_t size)
{
	struct evbus_publish_options options = { .release = release };

	return evbus_publish_with(topic, text, size, &options);
}

static int
by_batch(struct evbus_topic *topic, const char *text, size_t size)
{
	struct iovec payload = { (void *)(uintptr_t)text, size };

	return evbus_publish_batch(topic, &payload, 1);
}

static int
by_claim(struct evbus_topic *topic, const char *text, size_t size)
{
	struct evbus_claim claim;
	int result = evbus_claim(topic, size, 0, &claim);

	assert_int_equal(result, 0);
	memcpy(claim.data, text, size);
	result = evbus_commit(&claim, size);
	if (result == EVBUS_EREJECTED) {
		/* Still open: a better payload may follow, or none. */
		assert_int_equal(evbus_commit(&claim, size), result);
		evbus_abort(&claim);
	}
	return result;
}

static int (*const ways[])(struct evbus_topic *, const char *, size_t) = {
	by_publish, by_eight_bytes, by_try, by_name, by_with, by_reference,
	by_batch, by_claim
};

static void
validator_sees_every_payload_of_every_way_to_publish(void **state)
{
	char good[100] = "good", bad[100] = "xbad";
	struct evbus *bus = event_bus_of(64);
	struct evbus_topic *topic = open_not_x(bus);
	struct evbus_reader *reader = event_reader(bus, 0, EVBUS_START_NOW);
	struct event_log *log = event_log();
	static const size_t sizes[] = { 5, 100 };	/* in the slot, pool */
	uint64_t claimed, rejected = 0;
	size_t i, s;
	unsigned before;

	(void)state;
	released = 0;
	(void)event_subscribe(reader, ">", event_log_handler, log);
	for (i = 0; i < 2 * EVENT_COUNT(ways); i++) {
		s = sizes[i % 2];
		before = validated;
		assert_int_equal(ways[i / 2](topic, good, s), 0);
		assert_int_equal(validated, before + 1);
		assert_int_equal(evbus_poll(reader, 9), 1);
		claimed = stats_of(bus).tail;
		assert_int_equal(ways[i / 2](topic, bad, s), EVBUS_EREJECTED);
		says("\"validated\"");
		says("returned 98");
		/* Nothing was claimed, and a claim has become a hole. */
		if (ways[i / 2] != by_claim)
			assert_int_equal(stats_of(bus).tail, claimed);
		assert_int_equal(stats_of(bus).rejected, ++rejected +
		    (i / 2 == EVENT_COUNT(ways) - 1));
		rejected += i / 2 == EVENT_COUNT(ways) - 1;
		(void)evbus_poll(reader, 9);
	}
	assert_int_equal(log->count, 2 * EVENT_COUNT(ways));
	/* A rejected reference is still the caller's. */
	assert_int_equal(evbus_flush(bus, EVENT_LONG), 0);
	assert_int_equal(released, 2);
	event_check_equation(reader);
	free(log);
	event_bus_close(bus);
}

/* All or none: the last one of a batch counts as much as the first. */
static void
batch_with_one_rejected_payload_publishes_none(void **state)
{
	static char text[] = "good", bad[] = "x", first[] = "xbad";
	static char large[200] = "large";
	struct iovec payload[3] = { { text, 4 }, { large, 200 }, { bad, 1 } };
	struct evbus *bus = event_bus_of(16);
	struct evbus_topic *topic = open_not_x(bus);
	struct evbus_stream_stats stats;

	(void)state;
	assert_int_equal(evbus_publish_batch(topic, payload, 3),
	    EVBUS_EREJECTED);
	assert_int_equal(validated, 3);
	stats = stats_of(bus);
	assert_int_equal(stats.tail, 0);
	assert_int_equal(stats.rejected, 1);
	assert_int_equal(stats.outside_taken, stats.outside_given);
	/* The first one says it already. */
	payload[0].iov_base = first;
	assert_int_equal(evbus_publish_batch(topic, payload, 3),
	    EVBUS_EREJECTED);
	assert_int_equal(validated, 4);
	payload[0].iov_base = text;
	/* What does not fit is refused before any validator is asked. */
	payload[2].iov_len = 5000;
	assert_int_equal(evbus_publish_batch(topic, payload, 3),
	    EVBUS_EMSGSIZE);
	assert_int_equal(validated, 4);
	assert_int_equal(evbus_publish_batch(topic, payload, 2), 0);
	assert_int_equal(stats_of(bus).tail, 2);
	event_bus_close(bus);
}

static void
refused_publish_is_not_validated(void **state)
{
	struct evbus *bus = event_bus_of(16);
	struct evbus_topic *topic = open_not_x(bus);
	static const char large[5000] = "x";
	struct evbus_claim claim;

	(void)state;
	assert_int_equal(evbus_publish(topic, large, sizeof large),
	    EVBUS_EMSGSIZE);
	assert_int_equal(evbus_publish(topic, NULL, 5), EVBUS_EINVAL);
	assert_int_equal(evbus_claim(topic, 4, 0, &claim), 0);
	assert_int_equal(evbus_commit(&claim, 5), EVBUS_EMSGSIZE);
	assert_int_equal(validated, 0);
	evbus_abort(&claim);
	assert_int_equal(evbus_close(bus, 0, NULL), 0);
	assert_int_equal(evbus_publish(topic, "x", 1), EVBUS_ECLOSED);
	assert_int_equal(validated, 0);
	assert_int_equal(evbus_free(bus), 0);
}

static void *
close_at_once(void *bus)
{
	CHECK_INT(evbus_close(bus, 0, NULL), EVBUS_ETIMEDOUT);
	return NULL;
}

static void
commit_to_a_closed_bus_is_not_validated(void **state)
{
	struct evbus *bus = event_bus_of(16);
	struct evbus_topic *topic = open_not_x(bus);
	struct evbus_claim claim;

	(void)state;
	assert_int_equal(evbus_claim(topic, 1, 0, &claim), 0);
	memcpy(claim.data, "x", 1);
	event_join(event_thread(close_at_once, bus));
	event_check_done();
	assert_int_equal(evbus_commit(&claim, 1), EVBUS_ECLOSED);
	assert_int_equal(evbus_commit(&claim, 1), EVBUS_ENOENT);
	assert_int_equal(validated, 0);
	assert_int_equal(evbus_free(bus), 0);
}

/* ---- Opening ------------------------------------------------------------- */

static int
anything(const void *data, size_t size, void *arg)
{
	(void)data;
	(void)size;
	(void)arg;
	return 0;
}

static void
topic_opened_again_keeps_its_validator(void **state)
{
	struct evbus_topic_options same = { .validate = not_x,
	    .validate_arg = (void *)(uintptr_t)"arg" };
	struct evbus_topic_options other = { .validate = anything,
	    .validate_arg = same.validate_arg };
	struct evbus_topic_options arg = { .validate = not_x };
	struct evbus_topic_options none = { 0 };
	struct evbus *bus = event_bus_of(16);
	struct evbus_topic *topic, *again;

	(void)state;
	assert_int_equal(evbus_topic_open(bus, "t", &same, &topic), 0);
	assert_int_equal(evbus_topic_open(bus, "t", &same, &again), 0);
	assert_ptr_equal(again, topic);
	assert_int_equal(evbus_topic_open(bus, "t", NULL, &again), 0);
	assert_int_equal(evbus_topic_open(bus, "t", &none, &again), 0);
	assert_ptr_equal(again, topic);
	assert_int_equal(evbus_publish(topic, "x", 1), EVBUS_EREJECTED);
	assert_int_equal(evbus_topic_open(bus, "t", &other, &again),
	    EVBUS_EEXIST);
	says("another validator");
	assert_null(again);
	assert_int_equal(evbus_topic_open(bus, "t", &arg, &again),
	    EVBUS_EEXIST);
	/* Too late: somebody may be publishing already. */
	(void)event_topic(bus, "u");
	assert_int_equal(evbus_topic_open(bus, "u", &same, &again),
	    EVBUS_EEXIST);
	says("without a validator");
	event_bus_close(bus);
}

/* ---- What a validator does ----------------------------------------------- */

struct inside {
	struct evbus_topic *topic;
	struct evbus_claim *claim;
	void (*act)(struct inside *);
	unsigned calls;
	int result;
};

static int
acts(const void *data, size_t size, void *arg)
{
	struct inside *inside = arg;

	(void)data;
	(void)size;
	if (inside->calls++ < 100)
		inside->act(inside);
	return 0;
}

static void
publish_again(struct inside *inside)
{
	int result = evbus_publish(inside->topic, "again", 5);

	if (inside->result == 0)
		inside->result = result;
}

static void
validator_that_publishes_to_its_own_topic_ends(void **state)
{
	struct inside inside = { .act = publish_again };
	struct evbus *bus = event_bus_of(64);
	struct evbus_topic *topic = open_with(bus, "t", acts, &inside);

	(void)state;
	inside.topic = topic;
	assert_int_equal(evbus_publish(topic, "first", 5), 0);
	/* The innermost was refused, all others were published. */
	assert_int_equal(inside.result, EVBUS_ELIMIT);
	assert_int_equal(inside.calls, 8);
	assert_int_equal(stats_of(bus).tail, 8);
	/* And nothing of that stays. */
	inside.calls = 100;
	assert_int_equal(evbus_publish(topic, "next", 4), 0);
	event_bus_close(bus);
}

static void
abort_it(struct inside *inside)
{
	evbus_abort(inside->claim);
}

static void
commit_it(struct inside *inside)
{
	inside->calls = 100;
	inside->result = evbus_commit(inside->claim, 5);
}

/* The same handle, another claim: smaller, and of another topic. */
static void
replace_it(struct inside *inside)
{
	evbus_abort(inside->claim);
	inside->result = evbus_claim(inside->topic, 1, 0, inside->claim);
}

/*
 * The claim that a validator ends under the commit is not committed a second
 * time: its slot may be another event's by then.
 */
static void
commit_of_a_claim_that_the_validator_ended_is_enoent(void **state)
{
	static void (*const act[])(struct inside *) = { abort_it, commit_it,
	    replace_it };
	struct evbus *bus;
	struct evbus_topic *topic;
	struct evbus_claim claim;
	struct inside inside;
	size_t i;

	(void)state;
	for (i = 0; i < EVENT_COUNT(act); i++) {
		bus = event_bus_of(16);
		memset(&inside, 0, sizeof inside);
		inside.act = act[i];
		inside.claim = &claim;
		inside.topic = event_topic(bus, "plain");
		topic = open_with(bus, "t", acts, &inside);
		assert_int_equal(evbus_claim(topic, 5, 0, &claim), 0);
		memcpy(claim.data, "claim", 5);
		assert_int_equal(evbus_commit(&claim, 5), EVBUS_ENOENT);
		assert_int_equal(inside.result, 0);
		assert_int_equal(stats_of(bus).holes, act[i] != commit_it);
		if (act[i] == replace_it)
			assert_int_equal(evbus_commit(&claim, 1), 0);
		event_bus_close(bus);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    validator_sees_every_payload_of_every_way_to_publish),
		cmocka_unit_test(
		    batch_with_one_rejected_payload_publishes_none),
		cmocka_unit_test(refused_publish_is_not_validated),
		cmocka_unit_test(commit_to_a_closed_bus_is_not_validated),
		cmocka_unit_test(topic_opened_again_keeps_its_validator),
		cmocka_unit_test(
		    validator_that_publishes_to_its_own_topic_ends),
		cmocka_unit_test(
		    commit_of_a_claim_that_the_validator_ended_is_enoent),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
