/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_memory.c - why: memory runs out where nobody looked.  M1: after set-up
 * no event costs an allocation, so none can fail.  And in set-up and change
 * every single allocation is made to fail, once and from then on: the call says
 * EVBUS_ENOMEM, nothing is leaked or lost, and the bus goes on.
 */
#include "bus_fixture.h"
#include "fault_alloc.h"

/* ---- M1 ------------------------------------------------------------------ */

#define EVENTS 5000u

static void
give_back(const void *data, size_t size, void *arg)
{
	(void)data;
	(void)size;
	atomic_fetch_add((atomic_uint *)arg, 1);
}

struct forwarding {
	struct evbus_topic *to;
	atomic_uint calls;
};

static enum evbus_verdict
forward(const struct evbus_event *event, void *arg)
{
	struct forwarding *forwarding = arg;

	atomic_fetch_add(&forwarding->calls, 1);
	return evbus_publish(forwarding->to, event->data, event->size) == 0 ?
	    EVBUS_DONE : EVBUS_RETRY;
}

struct set_up {
	struct evbus *bus;
	struct evbus_topic *topic;	/* default stream, read by all */
	struct evbus_topic *second;	/* a stream of its own */
	struct evbus_reader *reader;	/* with a handler that forwards */
	struct evbus_reader *lossy;
	struct evbus_reader *iterated;
	struct forwarding forwarding;
	atomic_uint given;
	atomic_uint worked;
};

static void
set_up(struct set_up *set, struct fault_alloc *fault)
{
	struct evbus_options options = { .stream = { .capacity = 64,
	    .max_payload = 500, .pool_blocks = 8 } };
	struct evbus_stream_options second = { .capacity = 256,
	    .times = EVBUS_TIMES_PRECISE };
	struct evbus_reader_options lossy = { .lossy = 1 };
	struct evbus_stream *stream;

	memset(set, 0, sizeof *set);
	options.allocator = fault_alloc_hooks(fault);
	set->bus = fixture_open(&options);
	assert_int_equal(evbus_stream_open(set->bus, "second.>", &second,
	    &stream), 0);
	set->topic = fixture_topic(set->bus, "first");
	set->second = fixture_topic(set->bus, "second.a");
	set->forwarding.to = set->second;
	set->reader = fixture_subscribed(set->bus, "first", forward,
	    &set->forwarding);
	set->iterated = fixture_subscribed(set->bus, ">", NULL, NULL);
	set->lossy = fixture_reader(set->bus, &lossy);
	assert_true(evbus_reader_subscribe(set->lossy, "*", fixture_count,
	    &set->worked, NULL) > 0);
	assert_true(evbus_subscribe(set->bus, ">", fixture_count,
	    &set->worked, NULL) > 0);
}

static void
publish_of_each_kind(struct set_up *set)
{
	struct evbus_publish_options by_reference = { .release = give_back,
	    .release_arg = &set->given };
	static char large[500];
	struct iovec batch[3] = { { large, 1 }, { large, 32 }, { large, 200 } };
	struct evbus_claim claim;

	assert_int_equal(evbus_publish(set->topic, "x", 1), 0);
	assert_int_equal(evbus_try_publish(set->topic, "x", 1), 0);
	assert_int_equal(evbus_publish(set->topic, large, sizeof large), 0);
	assert_int_equal(evbus_publish_batch(set->topic, batch, 3), 0);
	assert_int_equal(evbus_publish_with(set->topic, "ref", 3,
	    &by_reference), 0);
	assert_int_equal(evbus_publish_name(set->bus, "first", "x", 1), 0);
	assert_int_equal(evbus_claim(set->topic, 100, FIXTURE_LONG,
	    &claim), 0);
	memset(claim.data, 1, 100);
	assert_int_equal(evbus_commit(&claim, 100), 0);
	assert_int_equal(evbus_claim(set->topic, 8, FIXTURE_LONG,
	    &claim), 0);
	evbus_abort(&claim);
}

/* M1: publish, poll and dispatch allocate nothing. */
static void
events_allocate_nothing_after_set_up_M1(void **state)
{
	struct fault_alloc fault;
	struct set_up set;
	size_t before;
	unsigned i;

	(void)state;
	fault_alloc_init(&fault);
	set_up(&set, &fault);
	/* What is made at first use is made now: records, the worker. */
	publish_of_each_kind(&set);
	(void)fixture_drain(set.reader);
	(void)fixture_drain(set.lossy);
	while (evbus_next(set.iterated) != NULL)
		;
	assert_int_equal(evbus_flush(set.bus, FIXTURE_LONG), 0);
	before = fault_alloc_activity(&fault);
	for (i = 0; i < EVENTS / 10; i++) {
		publish_of_each_kind(&set);
		(void)fixture_drain(set.reader);
		while (evbus_next(set.iterated) != NULL)
			;
		(void)evbus_wait(set.reader, 0);
		if (i % 3 == 0)
			(void)fixture_drain(set.lossy);
		if (i % 7 == 0)
			assert_int_equal(evbus_flush(set.bus, FIXTURE_LONG),
			    0);
	}
	assert_int_equal(evbus_flush(set.bus, FIXTURE_LONG), 0);
	assert_int_equal(fault_alloc_activity(&fault), before);
	assert_int_equal(atomic_load(&set.given), EVENTS / 10 + 1);
	fixture_end(set.bus, 0);
	assert_int_equal(fault_alloc_blocks(&fault), 0);
}

/* M1, the other way round: with no memory at all, events go on. */
static void
events_go_on_without_any_memory_M1(void **state)
{
	struct fault_alloc fault;
	struct set_up set;
	unsigned i;

	(void)state;
	fault_alloc_init(&fault);
	set_up(&set, &fault);
	publish_of_each_kind(&set);
	assert_true(fixture_until_count(&set.worked, 1));
	fault_alloc_arm(&fault, 1, 1);
	for (i = 0; i < 100; i++) {
		(void)fixture_drain(set.reader);
		while (evbus_next(set.iterated) != NULL)
			;
		assert_int_equal(evbus_flush(set.bus, FIXTURE_LONG), 0);
		publish_of_each_kind(&set);
	}
	assert_int_equal(fault_alloc_failed(&fault), 0);
	fault_alloc_arm(&fault, 0, 0);
	fixture_end(set.bus, 0);
	assert_int_equal(fault_alloc_blocks(&fault), 0);
}

/* ---- Every allocation fails ---------------------------------------------- */

struct trial {
	struct fault_alloc *fault;
	int on;			/* all later ones fail as well */
	unsigned refused;	/* calls that were refused */
	atomic_uint closed;
	atomic_uint count;
};

/* A refusal must be EVBUS_ENOMEM; then there is memory again. */
static int
again(struct trial *trial, int64_t result, const char *call)
{
	if (result >= 0)
		return 0;
	if (result != EVBUS_ENOMEM)
		fail_msg("%s: %s: %s", call, evbus_errname((int)result),
		    evbus_errmsg());
	if (strlen(evbus_errmsg()) < 5)
		fail_msg("%s left no sentence", call);
	if (trial->refused++ > 0)
		fail_msg("%s was refused again", call);
	if (fault_alloc_failed(trial->fault) == 0)
		fail_msg("%s was refused for nothing", call);
	fault_alloc_arm(trial->fault, 0, 0);
	return 1;
}

#define TRY(trial, result, call) do { \
	(result) = (call); \
	if (again((trial), (int64_t)(result), #call)) { \
		(result) = (call); \
		(void)again((trial), (int64_t)(result), #call); \
	} \
} while (0)

static void
count_closed(void *arg)
{
	struct trial *trial = arg;

	atomic_fetch_add(&trial->closed, 1);
}

static enum evbus_verdict
count_call(const struct evbus_event *event, void *arg)
{
	struct trial *trial = arg;

	(void)event;
	atomic_fetch_add(&trial->count, 1);
	return EVBUS_DONE;
}

#define TOPICS 12

static void
publish_all(struct evbus_topic **topic, int topics)
{
	static const char large[64];	/* does not fit its slot */
	int i;

	for (i = 0; i < topics; i++)
		assert_int_equal(evbus_publish(topic[i], large,
		    i % 2 ? sizeof large : 8), 0);
}

static void
open_things(struct trial *trial, struct evbus *bus,
    struct evbus_reader *reader[3], struct evbus_topic *topic[TOPICS])
{
	struct evbus_reader_options options[3] = { { .name = "plain" },
	    { .lossy = 1 }, { .worker = "w" } };
	struct evbus_stream_options small = { .capacity = 32 };
	struct evbus_stream *stream;
	char name[32];
	int result, i;

	for (i = 0; i < 3; i++)
		TRY(trial, result, evbus_reader_open(bus, &options[i],
		    &reader[i]));
	TRY(trial, result, evbus_stream_open(bus, "s.>", &small, &stream));
	for (i = 0; i < TOPICS; i++) {
		(void)snprintf(name, sizeof name, i % 3 ? "t.n%d" : "s.n%d",
		    i);
		TRY(trial, result, evbus_topic_open(bus, name, NULL,
		    &topic[i]));
	}
}

static void
use_things(struct trial *trial, struct evbus *bus,
    struct evbus_reader *reader[3], struct evbus_topic *topic[TOPICS])
{
	struct evbus_subscribe_options options = { count_closed };
	struct evbus_stream_options small = { .capacity = 32 };
	struct evbus_stream *stream;
	struct evbus_topic *late;
	int64_t id[5], result;
	int i, error;

	for (i = 0; i < 3; i++)
		TRY(trial, id[i], evbus_reader_subscribe(reader[i], ">",
		    count_call, trial, &options));
	TRY(trial, id[3], evbus_reader_subscribe(reader[0], "t.*", count_call,
	    trial, &options));
	TRY(trial, id[4], evbus_subscribe(bus, "t.n1", count_call, trial,
	    &options));
	publish_all(topic, TOPICS);
	/* A stream that readers must join; a deep name; both are taken back. */
	TRY(trial, error, evbus_stream_open(bus, "u.>", &small, &stream));
	TRY(trial, error, evbus_topic_open(bus, "u.to.the.leaf", NULL, &late));
	TRY(trial, error, evbus_topic_open(bus, "t.late", NULL, &late));
	assert_int_equal(evbus_publish(late, "x", 1), 0);
	assert_int_equal(fixture_drain(reader[0]), TOPICS + 1);
	assert_int_equal(fixture_drain(reader[1]), TOPICS + 1);
	assert_int_equal(evbus_flush(bus, FIXTURE_LONG), 0);
	/* Three times all, "t.*" without the s.n, and one. */
	assert_int_equal(atomic_load(&trial->count), 3 * (TOPICS + 1) +
	    TOPICS - TOPICS / 3 + 1 + 1);
	/* To take away works without memory. */
	TRY(trial, result, evbus_unsubscribe(bus, id[3], FIXTURE_LONG));
	assert_true(fixture_until_count(&trial->closed, 1));
	publish_all(topic, TOPICS);
	assert_int_equal(fixture_drain(reader[0]), TOPICS);
	assert_int_equal(evbus_flush(bus, FIXTURE_LONG), 0);
	TRY(trial, result, evbus_reader_close(reader[2], FIXTURE_LONG));
	assert_true(fixture_until_count(&trial->closed, 2));
	/* Beside a closed reader, too, a topic is taken back. */
	TRY(trial, error, evbus_topic_open(bus, "t.beside", NULL, &late));
	TRY(trial, error, evbus_reader_open(bus, NULL, &reader[2]));
	TRY(trial, id[2], evbus_reader_subscribe(reader[2], "s.>", count_call,
	    trial, &options));
	publish_all(topic, TOPICS);
	assert_int_equal(fixture_drain(reader[2]), TOPICS / 3);
}

static void
run_trial(struct trial *trial)
{
	struct evbus_options options = {
		.stream = { .capacity = 64, .max_payload = 64 },
		.max_topics = 64, .max_readers = 8, .max_publishers = 8,
		.max_streams = 16,	/* refused ones keep a number */
	};
	struct evbus_reader *reader[3];
	struct evbus_topic *topic[TOPICS];
	struct evbus *bus;
	int result;

	options.allocator = fault_alloc_hooks(trial->fault);
	TRY(trial, result, evbus_open(&bus, &options));
	open_things(trial, bus, reader, topic);
	use_things(trial, bus, reader, topic);
	TRY(trial, result, evbus_close(bus, FIXTURE_LONG, NULL));
	/* Every subscription ended once, whatever failed. */
	assert_int_equal(atomic_load(&trial->closed), 6);
	fixture_free(bus);
	assert_int_equal(fault_alloc_blocks(trial->fault), 0);
	assert_int_equal(fault_alloc_wrong(trial->fault), 0);
}

/* One run; 1: it came to the k-th allocation, which failed. */
static int
fail_at(size_t k, int on)
{
	struct fault_alloc fault;
	struct trial trial = { 0 };

	fault_alloc_init(&fault);
	trial.fault = &fault;
	trial.on = on;
	fault_alloc_arm(&fault, k, on);
	run_trial(&trial);
	if (trial.refused > 1)
		fail_msg("allocation %zu: refused %u times", k, trial.refused);
	return fault_alloc_failed(&fault) > 0;
}

/* Until a run ends that never came to the k-th. */
static void
every_allocation(int on)
{
	size_t k = 1;

	while (fail_at(k, on))
		k++;
	print_message("%zu allocations failed in turn, %s\n", k - 1,
	    on ? "and all later ones" : "once");
	assert_in_range(k, 50, 2000);
}

static void
bus_whose_every_allocation_fails_once_goes_on(void **state)
{
	(void)state;
	every_allocation(0);
}

static void
bus_whose_memory_is_used_up_goes_on_later(void **state)
{
	(void)state;
	every_allocation(1);
}

/* Close and free need no memory. */
static void
bus_closes_and_frees_without_any_memory(void **state)
{
	struct fault_alloc fault;
	struct set_up set;

	(void)state;
	fault_alloc_init(&fault);
	set_up(&set, &fault);
	publish_of_each_kind(&set);
	assert_true(fixture_until_count(&set.worked, 1));
	fault_alloc_arm(&fault, 1, 1);
	/* The handler forwards during the close. */
	fixture_end(set.bus, 0);
	assert_int_equal(atomic_load(&set.given), 1);
	assert_int_equal(fault_alloc_blocks(&fault), 0);
	assert_int_equal(fault_alloc_wrong(&fault), 0);
}

/* M2: a bus takes no more than its options say, whatever is opened in it. */
static void
bus_used_to_its_limits_stays_within_them_M2(void **state)
{
	struct evbus_options options = { .max_topics = 100, .max_readers = 10,
	    .max_publishers = 2, .max_streams = 3 };
	struct evbus_stream_options small = { .capacity = 16 };
	struct fault_alloc fault;
	struct evbus *bus;
	struct evbus_topic *topic;
	struct evbus_stream *stream;
	struct evbus_reader *reader;
	size_t blocks;
	char name[32];
	int round, i;

	(void)state;
	fault_alloc_init(&fault);
	options.allocator = fault_alloc_hooks(&fault);
	bus = fixture_open(&options);
	blocks = 0;
	for (round = 0; round < 5; round++) {
		for (i = 0; i < 105; i++) {
			(void)snprintf(name, sizeof name, "t%d", i);
			assert_int_equal(evbus_topic_open(bus, name, NULL,
			    &topic), i < 100 ? 0 : EVBUS_ELIMIT);
		}
		for (i = 0; i < 5; i++) {
			(void)snprintf(name, sizeof name, "s%d", i);
			assert_int_equal(evbus_stream_open(bus, name, &small,
			    &stream), i < 2 ? round == 0 ? 0 : EVBUS_EEXIST :
			    EVBUS_ELIMIT);
		}
		for (i = 0; i < 12; i++)
			if (evbus_reader_open(bus, NULL, &reader) == 0)
				assert_true(evbus_reader_subscribe(reader, ">",
				    NULL, NULL, NULL) > 0);
			else
				assert_true(i >= 10 || round > 0);
		if (round == 0)
			blocks = fault_alloc_blocks(&fault);
		assert_int_equal(fault_alloc_blocks(&fault), blocks);
	}
	fixture_end(bus, 0);
	assert_int_equal(fault_alloc_blocks(&fault), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(events_allocate_nothing_after_set_up_M1),
		cmocka_unit_test(events_go_on_without_any_memory_M1),
		cmocka_unit_test(bus_whose_every_allocation_fails_once_goes_on),
		cmocka_unit_test(bus_whose_memory_is_used_up_goes_on_later),
		cmocka_unit_test(bus_closes_and_frees_without_any_memory),
		cmocka_unit_test(bus_used_to_its_limits_stays_within_them_M2),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
