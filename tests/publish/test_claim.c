/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_claim.c - why: a claim is a promise to all readers, who stand before
 * it.  So each must end: by its commit, its abort, or its thread's end, and by
 * nobody else's hand (S5, D5).
 */
#include "support/event_check.h"

/* ---- Commit and abort --------------------------------------------------- */

static void
claim_write_commit_event(void **state)
{
	static const size_t sizes[] = { 0, 1, 31, 32, 33, 1000, 4096 };
	struct evbus *bus = event_bus_of(16);
	struct evbus_topic *topic = event_topic(bus, "claim");
	struct evbus_reader *reader = event_reader(bus, 0, EVBUS_START_NOW);
	const struct evbus_event *event;
	struct evbus_claim claim;
	size_t i;

	(void)state;
	(void)event_subscribe(reader, ">", NULL, NULL);
	for (i = 0; i < EVENT_COUNT(sizes); i++) {
		assert_int_equal(evbus_claim(topic, sizes[i], 0, &claim), 0);
		assert_int_equal(claim.size, sizes[i]);
		assert_int_equal((uintptr_t)claim.data % 16, 0);
		memset(claim.data, (int)i + 1, sizes[i]);
		/* Readers stop before it. */
		assert_null(evbus_next(reader));
		assert_int_equal(evbus_commit(&claim, sizes[i]), 0);
		event = evbus_next(reader);
		assert_non_null(event);
		assert_int_equal(event->size, sizes[i]);
		assert_int_equal(event->sequence, claim.sequence);
		if (sizes[i] > 0) {
			const unsigned char *data = event->data;

			CHECK_INT(data[0], i + 1);
			CHECK_INT(data[sizes[i] - 1], i + 1);
		}
	}
	event_check_equation(reader);
	event_bus_close(bus);
}

static void
commit_of_less_is_shorter(void **state)
{
	struct evbus *bus = event_bus_of(16);
	struct evbus_topic *topic = event_topic(bus, "claim");
	struct evbus_reader *reader = event_reader(bus, 0, EVBUS_START_NOW);
	struct evbus_claim small, large;
	struct event_log *log = event_log();

	(void)state;
	(void)event_subscribe(reader, ">", event_log_handler, log);
	assert_int_equal(evbus_claim(topic, 32, 0, &small), 0);
	assert_int_equal(evbus_claim(topic, 2000, 0, &large), 0);
	memcpy(small.data, "abc", 4);
	memcpy(large.data, "defgh", 6);
	/* Out of turn: readers stop before the earlier one all the same. */
	assert_int_equal(evbus_commit(&large, 6), 0);
	assert_int_equal(evbus_poll(reader, 10), 0);
	assert_int_equal(evbus_commit(&small, 4), 0);
	assert_int_equal(evbus_poll(reader, 10), 2);
	assert_int_equal(log->seen[0].event.size, 4);
	assert_string_equal(log->seen[0].data, "abc");
	assert_int_equal(log->seen[1].event.size, 6);
	assert_string_equal(log->seen[1].data, "defgh");
	event_bus_close(bus);
	free(log);
}

static void
commit_of_more_emsgsize_and_still_open(void **state)
{
	struct evbus *bus = event_bus_of(16);
	struct evbus_topic *topic = event_topic(bus, "claim");
	struct evbus_reader *reader = event_reader(bus, 0, EVBUS_START_NOW);
	struct evbus_claim claim;

	(void)state;
	(void)event_subscribe(reader, ">", NULL, NULL);
	assert_int_equal(evbus_claim(topic, 10, 0, &claim), 0);
	assert_int_equal(evbus_commit(&claim, 11), EVBUS_EMSGSIZE);
	assert_int_equal(evbus_poll(reader, 10), 0);
	assert_int_equal(evbus_commit(&claim, 10), 0);
	assert_int_equal(evbus_poll(reader, 10), 1);
	event_bus_close(bus);
}

static void
commit_or_abort_twice_enoent_and_nothing_more(void **state)
{
	struct evbus *bus = event_bus_of(16);
	struct evbus_topic *topic = event_topic(bus, "claim");
	struct evbus_reader *reader = event_reader(bus, 0, EVBUS_START_NOW);
	struct evbus_claim claim, other, blank = { 0 };

	(void)state;
	(void)event_subscribe(reader, ">", NULL, NULL);
	assert_int_equal(evbus_claim(topic, 8, 0, &claim), 0);
	memset(claim.data, 0, 8);
	assert_int_equal(evbus_commit(&claim, 8), 0);
	assert_int_equal(evbus_commit(&claim, 8), EVBUS_ENOENT);
	evbus_abort(&claim);
	/* The place in the thread's record is another claim's now. */
	assert_int_equal(evbus_claim(topic, 8, 0, &other), 0);
	assert_int_equal(evbus_commit(&claim, 8), EVBUS_ENOENT);
	evbus_abort(&claim);
	evbus_abort(&other);
	evbus_abort(&other);
	assert_int_equal(evbus_commit(&other, 8), EVBUS_ENOENT);
	assert_int_equal(evbus_commit(&blank, 0), EVBUS_ENOENT);
	assert_int_equal(evbus_commit(NULL, 0), EVBUS_EINVAL);
	evbus_abort(NULL);
	evbus_abort(&blank);
	assert_int_equal(event_drain(reader), 2);
	assert_int_equal(event_reader_stats(reader).holes, 1);
	assert_int_equal(event_reader_stats(reader).delivered +
	    event_reader_stats(reader).skipped, 1);
	assert_int_equal(event_stream_stats(evbus_stream_default(bus)).holes,
	    1);
	event_bus_close(bus);
}

/* D5: aborted events are never seen, by lossless and lossy readers. */
static void
abort_never_seen_counted_as_hole(void **state)
{
	struct evbus *bus = event_bus_of(256);
	struct evbus_stream *stream = evbus_stream_default(bus);
	struct evbus_topic *topic = event_topic(bus, "claim");
	struct evbus_reader *reader[2];
	struct event_log *log[2];
	struct evbus_claim claim;
	uint64_t number;
	unsigned i;

	(void)state;
	for (i = 0; i < 2; i++) {
		reader[i] = event_reader(bus, (int)i, EVBUS_START_NOW);
		log[i] = event_log();
		(void)event_subscribe(reader[i], ">", event_log_handler,
		    log[i]);
	}
	for (number = 0; number < 200; number++) {
		assert_int_equal(evbus_claim(topic, number % 2 ? 8 : 100, 0,
		    &claim), 0);
		memcpy(claim.data, &number, sizeof number);
		if (number % 4 < 2)
			evbus_abort(&claim);
		else
			assert_int_equal(evbus_commit(&claim, 8), 0);
	}
	for (i = 0; i < 2; i++) {
		assert_int_equal(event_drain(reader[i]), 200);
		assert_int_equal(log[i]->count, 100);
		for (number = 0; number < 100; number++)
			CHECK_INT(event_number(&log[i]->seen[number].event),
			    number / 2 * 4 + 2 + number % 2);
		assert_int_equal(event_reader_stats(reader[i]).holes, 100);
		event_check_equation(reader[i]);
		free(log[i]);
	}
	assert_int_equal(event_stream_stats(stream).holes, 100);
	event_bus_close(bus);
}

/* ---- Limits ------------------------------------------------------------- */

static void
claim_more_than_max_elimit(void **state)
{
	struct evbus *bus = event_bus_of(64);
	struct evbus_topic *topic = event_topic(bus, "claim");
	struct evbus_claim claim[EVBUS_CLAIMS_MAX], more;
	unsigned i;

	(void)state;
	for (i = 0; i < EVBUS_CLAIMS_MAX; i++)
		assert_int_equal(evbus_claim(topic, 8, 0, &claim[i]), 0);
	assert_int_equal(evbus_claim(topic, 8, EVBUS_FOREVER, &more),
	    EVBUS_ELIMIT);
	assert_int_equal(event_stream_stats(evbus_stream_default(bus)).tail,
	    EVBUS_CLAIMS_MAX);
	evbus_abort(&claim[3]);
	assert_int_equal(evbus_claim(topic, 8, 0, &claim[3]), 0);
	for (i = 0; i < EVBUS_CLAIMS_MAX; i++)
		assert_int_equal(evbus_commit(&claim[i], 0), 0);
	event_bus_close(bus);
}

static void
claim_bad_arguments_refused(void **state)
{
	struct evbus *bus = event_bus_of(64);
	struct evbus_topic *topic = event_topic(bus, "claim");
	struct evbus_claim claim;

	(void)state;
	assert_int_equal(evbus_claim(NULL, 8, 0, &claim), EVBUS_EINVAL);
	assert_int_equal(evbus_claim(topic, 8, 0, NULL), EVBUS_EINVAL);
	assert_int_equal(evbus_claim(topic, 8, -2, &claim), EVBUS_EINVAL);
	assert_int_equal(evbus_claim(topic, 4097, 0, &claim), EVBUS_EMSGSIZE);
	assert_int_equal(evbus_claim(topic, SIZE_MAX, 0, &claim),
	    EVBUS_EMSGSIZE);
	assert_int_equal(event_stream_stats(evbus_stream_default(bus)).tail, 0);
	event_bus_close(bus);
}

/* S4: the claim's own time limit. */
static void *
claim_on_full(void *arg)
{
	struct evbus_claim claim;

	CHECK_INT(evbus_claim(arg, 8, 0, &claim), EVBUS_EFULL);
	CHECK_INT(evbus_claim(arg, 8, 1000000, &claim), EVBUS_ETIMEDOUT);
	return NULL;
}

static void
claim_on_full_stream_efull_or_etimedout(void **state)
{
	struct evbus *bus = event_bus_of(4);
	struct evbus_topic *topic = event_topic(bus, "claim");
	struct evbus_reader *reader = event_reader(bus, 0, EVBUS_START_NOW);

	(void)state;
	(void)event_subscribe(reader, ">", NULL, NULL);
	event_publish(topic, 0, 4);
	event_join(event_thread(claim_on_full, topic));
	assert_int_equal(event_stream_stats(evbus_stream_default(bus)).tail, 4);
	assert_int_equal(event_drain(reader), 4);
	event_bus_close(bus);
}

/* ---- Threads ------------------------------------------------------------ */

static void *
commit_by_another(void *arg)
{
	CHECK_INT(evbus_commit(arg, 8), EVBUS_EOWNER);
	evbus_abort(arg);
	return NULL;
}

static void
commit_by_another_thread_eowner_and_still_open(void **state)
{
	struct evbus *bus = event_bus_of(16);
	struct evbus_topic *topic = event_topic(bus, "claim");
	struct evbus_reader *reader = event_reader(bus, 0, EVBUS_START_NOW);
	struct evbus_claim claim;

	(void)state;
	(void)event_subscribe(reader, ">", NULL, NULL);
	assert_int_equal(evbus_claim(topic, 8, 0, &claim), 0);
	memset(claim.data, 0, 8);
	event_join(event_thread(commit_by_another, &claim));
	assert_int_equal(evbus_poll(reader, 10), 0);
	assert_int_equal(evbus_commit(&claim, 8), 0);
	assert_int_equal(evbus_poll(reader, 10), 1);
	event_bus_close(bus);
}

static void *
claim_and_end(void *arg)
{
	struct evbus_claim claim;
	unsigned i;

	for (i = 0; i < 6; i++) {
		CHECK_INT(evbus_claim(arg, i % 2 ? 1000 : 8, 0, &claim), 0);
		memset(claim.data, 0xff, 8);
		if (i == 2)
			CHECK_INT(evbus_commit(&claim, 8), 0);
	}
	return NULL;
}

/* S5 */
static void
thread_ends_its_claims_become_counted_holes(void **state)
{
	struct evbus_stream_options options = { .capacity = 8,
	    .pool_blocks = 3 };
	struct evbus *bus = event_bus(&options);
	struct evbus_stream *stream = evbus_stream_default(bus);
	struct evbus_topic *topic = event_topic(bus, "claim");
	struct evbus_reader *reader = event_reader(bus, 0, EVBUS_START_NOW);
	struct event_log *log = event_log();
	struct evbus_stream_stats stats;
	unsigned i;

	(void)state;
	(void)event_subscribe(reader, ">", event_log_handler, log);
	/* More rounds than the pool has blocks and the bus has records. */
	for (i = 0; i < 300; i++) {
		event_join(event_thread(claim_and_end, topic));
		event_publish(topic, i, 1);
		assert_int_equal(event_drain(reader), 7);
	}
	assert_int_equal(log->count, 600);
	assert_int_equal(event_reader_stats(reader).holes, 1500);
	stats = event_stream_stats(stream);
	assert_int_equal(stats.holes, 1500);
	assert_int_equal(stats.outside_taken, stats.outside_given);
	event_check_equation(reader);
	event_bus_close(bus);
	free(log);
}

struct holder {
	struct evbus_topic *topic;
	struct event_step step;
	struct evbus_claim claim;
};

static void *
hold_claim(void *arg)
{
	struct holder *holder = arg;

	CHECK_INT(evbus_claim(holder->topic, 8, 0, &holder->claim), 0);
	event_step_to(&holder->step, 1);
	event_step_wait(&holder->step, 2);
	return NULL;
}

static void *
publish_8(void *arg)
{
	event_publish(arg, 0, 8);
	return NULL;
}

/* S5: a live thread's open claim holds the stream, without readers too. */
static void
open_claim_holds_stream_until_it_ends(void **state)
{
	struct evbus_stream_options options = { .capacity = 8,
	    .timeout_ns = EVBUS_FOREVER };
	struct evbus *bus = event_bus(&options);
	struct evbus_stream *stream = evbus_stream_default(bus);
	struct holder holder = { .topic = event_topic(bus, "claim"),
	    .step = EVENT_STEP_INIT };
	pthread_t owner, other;

	(void)state;
	owner = event_thread(hold_claim, &holder);
	event_step_wait(&holder.step, 1);
	other = event_thread(publish_8, holder.topic);
	event_until_waiting(stream, 1);
	assert_int_equal(event_stream_stats(stream).tail, 8);
	event_step_to(&holder.step, 2);
	event_join(owner);
	event_join(other);
	assert_int_equal(event_stream_stats(stream).tail, 9);
	assert_int_equal(event_stream_stats(stream).holes, 1);
	event_bus_close(bus);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(claim_write_commit_event),
		cmocka_unit_test(commit_of_less_is_shorter),
		cmocka_unit_test(commit_of_more_emsgsize_and_still_open),
		cmocka_unit_test(commit_or_abort_twice_enoent_and_nothing_more),
		cmocka_unit_test(abort_never_seen_counted_as_hole),
		cmocka_unit_test(claim_more_than_max_elimit),
		cmocka_unit_test(claim_bad_arguments_refused),
		cmocka_unit_test(claim_on_full_stream_efull_or_etimedout),
		cmocka_unit_test(
		    commit_by_another_thread_eowner_and_still_open),
		cmocka_unit_test(thread_ends_its_claims_become_counted_holes),
		cmocka_unit_test(open_claim_holds_stream_until_it_ends),
	};

	return cmocka_run_group_tests_name("claim", tests, NULL, NULL);
}
