/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_subscribe.c - why: D1 is the promise that everything hangs on: each
 * subscription gets every matching event from its start on, exactly once, in
 * order, however topics, subscriptions and events come to be in turn, and
 * while other threads subscribe and publish.
 */
#include <sched.h>

#include "support/event_check.h"

/* ---- Topics before and after subscriptions ------------------------------ */

static void
topics_before_and_after_subscriptions_all_match(void **state)
{
	static const char *const patterns[] = { "a.b", "a.*", "a.>", ">",
	    "*.b", "*.*" };
	struct evbus *bus = event_bus_of(64);
	struct evbus_topic *before = event_topic(bus, "a.b"), *after;
	struct evbus_reader *reader = event_reader(bus, 0, EVBUS_START_NOW);
	struct event_log *log[EVENT_COUNT(patterns)];
	size_t i;

	(void)state;
	for (i = 0; i < EVENT_COUNT(patterns); i++) {
		log[i] = event_log();
		(void)event_subscribe(reader, patterns[i], event_log_handler,
		    log[i]);
	}
	event_publish(before, 1, 1);
	after = event_topic(bus, "a.c");
	event_publish(after, 2, 1);
	event_publish(event_topic(bus, "c"), 3, 1);
	event_publish(event_topic(bus, "a.b.c"), 4, 1);
	event_publish(before, 5, 1);
	assert_int_equal(event_drain(reader), 5);
	assert_int_equal(log[0]->count, 2);	/* a.b: 1 5 */
	assert_int_equal(log[1]->count, 3);	/* a.*: 1 2 5 */
	assert_int_equal(log[2]->count, 4);	/* a.>: 1 2 4 5 */
	assert_int_equal(log[3]->count, 5);
	assert_int_equal(log[4]->count, 2);	/* *.b: 1 5 */
	assert_int_equal(log[5]->count, 3);
	assert_int_equal(event_number(&log[2]->seen[2].event), 4);
	assert_int_equal(event_reader_stats(reader).calls, 19);
	assert_int_equal(event_reader_stats(reader).delivered, 5);
	event_bus_close(bus);
	for (i = 0; i < EVENT_COUNT(patterns); i++)
		free(log[i]);
}

/* The same handler twice is two subscriptions. */
static void
many_subscriptions_on_one_reader_each_once(void **state)
{
	struct evbus *bus = event_bus_of(256);
	struct evbus_reader *reader = event_reader(bus, 0, EVBUS_START_NOW);
	struct event_log *log = event_log();
	struct evbus_topic *topic = event_topic(bus, "many");
	int64_t id[300];
	unsigned i;

	(void)state;
	for (i = 0; i < 300; i++)
		id[i] = event_subscribe(reader, i % 2 ? "many" : "*",
		    event_log_handler, log);
	event_publish(topic, 0, 3);
	assert_int_equal(event_drain(reader), 3);
	assert_int_equal(log->count, 900);
	for (i = 0; i < 300; i += 2)
		assert_int_equal(evbus_unsubscribe(bus, id[i], 0), 0);
	event_publish(topic, 0, 3);
	assert_int_equal(event_drain(reader), 3);
	assert_int_equal(log->count, 900 + 450);
	/* One event counts once, however many handlers it had. */
	assert_int_equal(event_reader_stats(reader).delivered, 6);
	event_check_equation(reader);
	event_bus_close(bus);
	free(log);
}

static void
subscribe_bad_arguments_refused(void **state)
{
	static const char *const bad[] = { "", ".", "a.", ".a", "a..b", "a b",
	    "a.>.b", "a*", "a.b>", "a\tb", ">>", "**" };
	struct evbus *bus = event_bus(NULL);
	struct evbus_reader *reader = event_reader(bus, 0, EVBUS_START_NOW);
	char large[258];
	size_t i;

	(void)state;
	for (i = 0; i < EVENT_COUNT(bad); i++)
		assert_int_equal(evbus_reader_subscribe(reader, bad[i], NULL,
		    NULL, NULL), EVBUS_EPATTERN);
	memset(large, 'a', sizeof large);
	large[257] = '\0';
	assert_int_equal(evbus_reader_subscribe(reader, large, NULL, NULL,
	    NULL), EVBUS_EPATTERN);
	assert_int_equal(evbus_reader_subscribe(NULL, "a", NULL, NULL, NULL),
	    EVBUS_EINVAL);
	assert_true(evbus_reader_subscribe(reader, NULL, NULL, NULL, NULL) <
	    0);
	assert_int_equal(evbus__reader_subscribe(reader, "a", NULL, NULL,
	    NULL, 1, "f", 1), EVBUS_EVERSION);
	assert_int_equal(event_reader_stats(reader).streams, 0);
	event_bus_close(bus);
}

/* ---- Inside handlers ---------------------------------------------------- */

struct grow {
	struct evbus_reader *reader;
	struct event_log *log;
	uint64_t at;		/* subscribe at this number */
};

static enum evbus_verdict
subscribe_inside(const struct evbus_event *event, void *arg)
{
	struct grow *grow = arg;

	if (event_number(event) == grow->at)
		CHECK(evbus_reader_subscribe(grow->reader, "*",
		    event_log_handler, grow->log, NULL) > 0);
	return EVBUS_DONE;
}

/* Subscribed in a handler: what is committed after, from the tail on. */
static void
subscribe_inside_a_handler_starts_at_the_tail(void **state)
{
	struct evbus *bus = event_bus_of(64);
	struct evbus_topic *topic = event_topic(bus, "grow");
	struct grow grow = { event_reader(bus, 0, EVBUS_START_NOW),
	    event_log(), 3 };

	(void)state;
	(void)event_subscribe(grow.reader, "grow", subscribe_inside, &grow);
	event_publish(topic, 0, 10);
	assert_int_equal(event_drain(grow.reader), 10);
	event_publish(topic, 10, 5);
	assert_int_equal(event_drain(grow.reader), 5);
	assert_int_equal(grow.log->count, 5);
	assert_int_equal(event_number(&grow.log->seen[0].event), 10);
	event_bus_close(bus);
	free(grow.log);
}

/*
 * If the reader starts at the oldest event, it gets what the reader has not
 * come to yet, also of the same poll (D1).  The bug: the reader went on with
 * the list of matches that it had looked up for the event before.
 */
static void
subscribe_inside_a_handler_oldest_gets_the_rest_D1(void **state)
{
	struct evbus *bus = event_bus_of(64);
	struct grow grow = { event_reader(bus, 0, EVBUS_START_OLDEST),
	    event_log(), 4 };

	(void)state;
	(void)event_subscribe(grow.reader, "grow", subscribe_inside, &grow);
	event_publish(event_topic(bus, "grow"), 0, 16);
	assert_int_equal(evbus_poll(grow.reader, 16), 16);
	assert_int_equal(grow.log->count, 11);
	assert_int_equal(event_number(&grow.log->seen[0].event), 5);
	event_bus_close(bus);
	free(grow.log);
}

/* ---- While events flow -------------------------------------------------- */

#define CHURNERS 2u
#define ROUNDS 150u

struct flow {
	struct evbus *bus;
	struct evbus_reader *reader;
	struct evbus_topic *topic;
	uint64_t begun;		/* atomic: publishes that have begun */
	uint64_t done;		/* atomic: ... that have returned */
	unsigned churning;	/* atomic: threads */
	unsigned stop;		/* atomic */
};

static void *
publish_flow(void *arg)
{
	struct flow *flow = arg;
	uint64_t i;

	for (i = 0; __atomic_load_n(&flow->stop, __ATOMIC_ACQUIRE) == 0; i++) {
		__atomic_store_n(&flow->begun, i + 1, __ATOMIC_SEQ_CST);
		CHECK_INT(evbus_publish(flow->topic, &i, sizeof i), 0);
		__atomic_store_n(&flow->done, i + 1, __ATOMIC_SEQ_CST);
	}
	return NULL;
}

static void *
run_flow(void *arg)
{
	struct flow *flow = arg;

	while (__atomic_load_n(&flow->stop, __ATOMIC_ACQUIRE) == 0)
		if (evbus_wait(flow->reader, 1000000) == 1)
			CHECK(evbus_poll(flow->reader, 64) > 0);
	(void)event_drain(flow->reader);
	return NULL;
}

/* One subscription's life. */
struct life {
	uint64_t first;		/* numbers seen; UINT64_MAX: none */
	uint64_t last;
	int ended;		/* written and read as L2 allows: plainly */
	int closed;
};

static enum evbus_verdict
live(const struct evbus_event *event, void *arg)
{
	struct life *life = arg;
	uint64_t number = event_number(event);

	CHECK_INT(life->ended, 0);
	if (life->first == UINT64_MAX)
		life->first = number;
	else
		CHECK_INT(number, life->last + 1);
	life->last = number;
	return EVBUS_DONE;
}

static void
life_closed(void *arg)
{
	struct life *life = arg;

	life->closed++;
}

/*
 * Every event begun after subscribe returned and done before the flush must
 * have come; none that was done before subscribe was called.
 */
static void
live_once(struct flow *flow, const char *pattern)
{
	struct evbus_subscribe_options options = { life_closed };
	struct life *life = calloc(1, sizeof *life);
	uint64_t before, after, until;
	int64_t id;

	if (life == NULL)
		return;
	life->first = UINT64_MAX;
	before = __atomic_load_n(&flow->done, __ATOMIC_SEQ_CST);
	id = evbus_reader_subscribe(flow->reader, pattern, live, life,
	    &options);
	after = __atomic_load_n(&flow->begun, __ATOMIC_SEQ_CST);
	CHECK(id > 0);
	while (__atomic_load_n(&flow->done, __ATOMIC_SEQ_CST) < after + 3)
		(void)sched_yield();
	until = __atomic_load_n(&flow->done, __ATOMIC_SEQ_CST);
	CHECK_INT(evbus_flush(flow->bus, EVENT_LONG), 0);
	CHECK_INT(evbus_unsubscribe(flow->bus, id, EVENT_LONG), 0);
	CHECK(life->first >= before);
	CHECK(life->first <= after);
	CHECK(life->last + 1 >= until);
	CHECK_INT(life->closed, 1);
	life->ended = 1;
	/* The memory is ours again (a late call would be told by a
	 * sanitizer). */
	free(life);
}

static void *
churn(void *arg)
{
	static const char *const patterns[] = { "flow.x", "flow.*", ">",
	    "*.x" };
	struct flow *flow = arg;
	unsigned i;

	for (i = 0; i < ROUNDS; i++)
		live_once(flow, patterns[i % EVENT_COUNT(patterns)]);
	(void)__atomic_sub_fetch(&flow->churning, 1, __ATOMIC_ACQ_REL);
	return NULL;
}

static void
churn_while_events_flow(int later)
{
	struct evbus_stream_options options = { .capacity = 128,
	    .timeout_ns = EVBUS_FOREVER };
	struct flow flow = { .bus = event_bus(&options),
	    .churning = CHURNERS };
	pthread_t thread[CHURNERS], publisher, reader;
	struct life life = { .first = UINT64_MAX };
	unsigned i;

	/* One subscription is there all the time and sees all there is. */
	flow.reader = event_reader(flow.bus, 0, EVBUS_START_NOW);
	if (!later)
		flow.topic = event_topic(flow.bus, "flow.x");
	(void)event_subscribe(flow.reader, "flow.>", live, &life);
	if (later)
		flow.topic = event_topic(flow.bus, "flow.x");
	publisher = event_thread(publish_flow, &flow);
	reader = event_thread(run_flow, &flow);
	for (i = 0; i < CHURNERS; i++)
		thread[i] = event_thread(churn, &flow);
	for (i = 0; i < CHURNERS; i++)
		event_join(thread[i]);
	__atomic_store_n(&flow.stop, 1, __ATOMIC_RELEASE);
	event_join(publisher);
	event_join(reader);
	(void)event_drain(flow.reader);
	assert_int_equal(life.first, 0);
	assert_int_equal(life.last + 1, flow.done);
	event_check_equation(flow.reader);
	assert_int_equal(event_reader_stats(flow.reader).delivered, flow.done);
	event_bus_close(flow.bus);
}

static void
churn_from_two_threads_exact_starts_and_ends(void **state)
{
	(void)state;
	churn_while_events_flow(0);
	churn_while_events_flow(1);
}

/* Topics made by one thread while another subscribes: none is missed. */
struct maker {
	struct evbus *bus;
	unsigned from;
	unsigned n;
};

static void *
make_topics(void *arg)
{
	struct maker *maker = arg;
	struct evbus_topic *topic;
	char name[32];
	unsigned i;

	for (i = maker->from; i < maker->from + maker->n; i++) {
		(void)snprintf(name, sizeof name, "made.%u.x", i);
		CHECK_INT(evbus_topic_open(maker->bus, name, NULL, &topic), 0);
	}
	return NULL;
}

static void
topics_made_while_subscribing_none_missed(void **state)
{
	struct evbus *bus = event_bus_of(4096);
	struct evbus_reader *reader = event_reader(bus, 0, EVBUS_START_NOW);
	struct maker maker[2] = { { bus, 0, 1000 }, { bus, 500, 1000 } };
	struct event_log *log[20];
	char name[32];
	pthread_t thread[2];
	unsigned i;

	(void)state;
	for (i = 0; i < 2; i++)
		thread[i] = event_thread(make_topics, &maker[i]);
	for (i = 0; i < 20; i++) {
		log[i] = event_log();
		(void)event_subscribe(reader, i % 2 ? "made.>" : "made.*.x",
		    event_log_handler, log[i]);
	}
	for (i = 0; i < 2; i++)
		event_join(thread[i]);
	for (i = 0; i < 1500; i++) {
		(void)snprintf(name, sizeof name, "made.%u.x", i);
		event_publish(event_topic(bus, name), i, 1);
	}
	assert_int_equal(event_drain(reader), 1500);
	for (i = 0; i < 20; i++)
		assert_int_equal(log[i]->count, 1500);
	event_bus_close(bus);
	for (i = 0; i < 20; i++)
		free(log[i]);
}

/* An open claim from before is committed after: it is after the start. */
struct early {
	struct evbus_topic *topic;
	struct event_step step;
};

static void *
claim_early(void *arg)
{
	struct early *early = arg;
	struct evbus_claim claim;
	uint64_t number = 0;

	CHECK_INT(evbus_claim(early->topic, 8, 0, &claim), 0);
	event_step_to(&early->step, 1);
	event_step_wait(&early->step, 2);
	memcpy(claim.data, &number, 8);
	CHECK_INT(evbus_commit(&claim, 8), 0);
	return NULL;
}

/* D1 */
static void
claim_from_before_committed_after_is_delivered(void **state)
{
	struct evbus *bus = event_bus_of(8);
	struct early early = { event_topic(bus, "early"), EVENT_STEP_INIT };
	struct evbus_reader *reader = event_reader(bus, 0, EVBUS_START_NOW);
	struct event_log *log = event_log();
	pthread_t thread;

	(void)state;
	thread = event_thread(claim_early, &early);
	event_step_wait(&early.step, 1);
	(void)event_subscribe(reader, "early", event_log_handler, log);
	event_step_to(&early.step, 2);
	event_join(thread);
	event_publish(early.topic, 1, 7);
	assert_int_equal(event_drain(reader), 8);
	assert_int_equal(log->count, 8);
	event_publish(early.topic, 8, 8);
	(void)event_drain(reader);
	assert_int_equal(log->count, 16);
	event_bus_close(bus);
	free(log);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    topics_before_and_after_subscriptions_all_match),
		cmocka_unit_test(many_subscriptions_on_one_reader_each_once),
		cmocka_unit_test(subscribe_bad_arguments_refused),
		cmocka_unit_test(subscribe_inside_a_handler_starts_at_the_tail),
		cmocka_unit_test(
		    subscribe_inside_a_handler_oldest_gets_the_rest_D1),
		cmocka_unit_test(churn_from_two_threads_exact_starts_and_ends),
		cmocka_unit_test(topics_made_while_subscribing_none_missed),
		cmocka_unit_test(
		    claim_from_before_committed_after_is_delivered),
	};

	return cmocka_run_group_tests_name("subscribe", tests, NULL, NULL);
}
