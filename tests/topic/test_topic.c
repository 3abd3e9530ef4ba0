/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_topic.c - why: a topic's handle is resolved once and published to for
 * ever (F1); two handles for one name, or a name that slips through the
 * grammar, would split its events or let a program speak in the bus's name.
 */
#include "bus_fixture.h"

#define THREADS 4
#define NAMES 200

static char name255[256];
static char name256[257];

struct hostile {
	const char *name;
	int code;
	const char *says;	/* where, or what */
};

static const struct hostile hostile[] = {
	{ "", EVBUS_ENAME, "empty" },
	{ ".", EVBUS_ENAME, "offset 0" },
	{ "..", EVBUS_ENAME, "offset 0" },
	{ ".a", EVBUS_ENAME, "offset 0" },
	{ "a.", EVBUS_ENAME, "offset 2" },
	{ "a..b", EVBUS_ENAME, "offset 2" },
	{ "../../etc/passwd", EVBUS_ENAME, "offset 0" },
	{ "a b", EVBUS_ENAME, "offset 1" },
	{ " a", EVBUS_ENAME, "offset 0" },
	{ "a ", EVBUS_ENAME, "offset 1" },
	{ "a\tb", EVBUS_ENAME, "offset 1" },
	{ "a\nb", EVBUS_ENAME, "0x0a at offset 1" },
	{ "abc\x7f", EVBUS_ENAME, "0x7f at offset 3" },
	{ "\x01", EVBUS_ENAME, "0x01 at offset 0" },
	{ "a\x1b[31mb", EVBUS_ENAME, "0x1b at offset 1" },
	{ "*", EVBUS_ENAME, "offset 0" },
	{ ">", EVBUS_ENAME, "offset 0" },
	{ "a.*.b", EVBUS_ENAME, "offset 2" },
	{ "a.b>", EVBUS_ENAME, "offset 3" },
	{ "a.>", EVBUS_ENAME, "offset 2" },
	{ "a*", EVBUS_ENAME, "offset 1" },
	{ name256, EVBUS_ENAME, "255" },
	{ "$", EVBUS_EOWNER, "'$'" },
	{ "$bus.x", EVBUS_EOWNER, "$bus.x" },
	{ "$dead.orders", EVBUS_EOWNER, "'$'" },
};

static int
make_long_names(void **state)
{
	(void)state;
	memset(name255, 'n', sizeof name255 - 1);
	memset(name256, 'n', sizeof name256 - 1);
	return 0;
}

static void
topic_open_of_hostile_names_says_what_and_where(void **state)
{
	struct evbus *bus = fixture_open(NULL);
	struct evbus_topic *topic;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof hostile / sizeof hostile[0]; i++) {
		topic = (struct evbus_topic *)1;
		fixture_refused(evbus_topic_open(bus, hostile[i].name, NULL,
		    &topic), hostile[i].code);
		fixture_says(hostile[i].says);
		assert_null(topic);
		fixture_refused(evbus_publish_name(bus, hostile[i].name, "x",
		    1), hostile[i].code);
	}
	fixture_end(bus, 0);
}

/* A sentence may be shown on a terminal: no control byte comes through. */
static void
topic_open_of_a_control_byte_does_not_repeat_it(void **state)
{
	struct evbus *bus = fixture_open(NULL);
	struct evbus_topic *topic;
	const char *p;

	(void)state;
	fixture_refused(evbus_topic_open(bus, "a\x1b[31m\n\x07", NULL,
	    &topic), EVBUS_ENAME);
	for (p = evbus_errmsg(); *p != '\0'; p++)
		assert_true((unsigned char)*p >= ' ' && *p != 0x7f);
	fixture_end(bus, 0);
}

static void
topic_open_of_allowed_names_keeps_them_as_they_are(void **state)
{
	static const char *const allowed[] = { "a", "a.b", "A.b-c_d/e:1",
	    "a.$b", "caf\xc3\xa9.\xe2\x82\xac", "a=b", "0", "a.\\", name255 };
	struct evbus *bus = fixture_open(NULL);
	struct evbus_topic *topic;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof allowed / sizeof allowed[0]; i++) {
		topic = fixture_topic(bus, allowed[i]);
		assert_string_equal(evbus_topic_name(topic), allowed[i]);
		assert_ptr_equal(fixture_topic(bus, allowed[i]), topic);
	}
	fixture_end(bus, 0);
}

static void
topic_open_of_options_not_yet_there_is_enotsup(void **state)
{
	struct evbus_topic_options options[2] = { { .retain = 2 },
	    { .reserved = 1 } }, none = { 0 };
	struct evbus *bus = fixture_open(NULL);
	struct evbus_topic *topic;
	int i;

	(void)state;
	for (i = 0; i < 2; i++)
		fixture_refused(evbus_topic_open(bus, "a", &options[i],
		    &topic), EVBUS_EINVAL);
	assert_int_equal(evbus_topic_open(bus, "a", &none, &topic), 0);
	fixture_end(bus, 0);
}

static void
topics_beyond_max_topics_are_elimit(void **state)
{
	struct evbus_options options = { .max_topics = 3 };
	struct evbus *bus = fixture_open(&options);
	struct evbus_topic *topic;

	(void)state;
	(void)fixture_topic(bus, "a");
	(void)fixture_topic(bus, "b");
	(void)fixture_topic(bus, "c");
	fixture_refused(evbus_topic_open(bus, "d", NULL, &topic),
	    EVBUS_ELIMIT);
	fixture_says("3 topics");
	/* Those that exist are found. */
	(void)fixture_topic(bus, "b");
	assert_int_equal(evbus_publish_name(bus, "c", "x", 1), 0);
	fixture_end(bus, 0);
}

static void
topics_beyond_name_memory_are_elimit(void **state)
{
	struct evbus_options options = { .name_memory = 8 };
	struct evbus *bus = fixture_open(&options);
	struct evbus_topic *topic;

	(void)state;
	(void)fixture_topic(bus, "abc");
	fixture_refused(evbus_topic_open(bus, "defgh", NULL, &topic),
	    EVBUS_ELIMIT);
	fixture_says("name_memory");
	(void)fixture_topic(bus, "def");
	fixture_refused(evbus_topic_open(bus, "g", NULL, &topic),
	    EVBUS_ELIMIT);
	fixture_end(bus, 0);
}

struct race {
	struct evbus *bus;
	pthread_barrier_t barrier;
	struct evbus_topic *topic[THREADS][NAMES];
	atomic_uint next;
};

static void
open_all(struct fixture_thread *thread)
{
	struct race *race = thread->arg;
	unsigned self = atomic_fetch_add(&race->next, 1);
	char name[32];
	int i;

	(void)pthread_barrier_wait(&race->barrier);
	for (i = 0; i < NAMES; i++) {
		(void)snprintf(name, sizeof name, "race.n%d", i);
		fixture_check(thread, evbus_topic_open(race->bus, name, NULL,
		    &race->topic[self][i]) == 0);
		fixture_check(thread, evbus_publish(race->topic[self][i],
		    "x", 1) == 0);
	}
}

/* Four threads open the same names at once: each name has one handle. */
static void
topic_open_by_four_threads_at_once_gives_one_handle(void **state)
{
	struct fixture_thread thread[THREADS];
	struct evbus_reader *reader;
	atomic_uint count = 0;
	struct race race;
	int i, t;

	(void)state;
	memset(&race, 0, sizeof race);
	race.bus = fixture_open(NULL);
	reader = fixture_subscribed(race.bus, "race.*", fixture_count, &count);
	assert_int_equal(pthread_barrier_init(&race.barrier, NULL, THREADS),
	    0);
	for (t = 0; t < THREADS; t++)
		fixture_start(&thread[t], open_all, &race);
	for (t = 0; t < THREADS; t++)
		fixture_join(&thread[t]);
	for (i = 0; i < NAMES; i++)
		for (t = 1; t < THREADS; t++)
			assert_ptr_equal(race.topic[t][i], race.topic[0][i]);
	/* All that was published by any of them is dispatched. */
	(void)fixture_drain(reader);
	assert_int_equal(atomic_load(&count), THREADS * NAMES);
	pthread_barrier_destroy(&race.barrier);
	fixture_end(race.bus, 0);
}

/* Before the topic, after it, or both: a subscription hears of it once. */
static void
topic_made_before_or_after_subscriptions_reaches_each_once(void **state)
{
	struct evbus *bus = fixture_open(NULL);
	struct evbus_topic *early = fixture_topic(bus, "a.early"), *late;
	struct evbus_reader *reader = fixture_reader(bus, NULL);
	atomic_uint count[3] = { 0 };

	(void)state;
	assert_true(evbus_reader_subscribe(reader, "a.*", fixture_count,
	    &count[0], NULL) > 0);
	assert_true(evbus_reader_subscribe(reader, ">", fixture_count,
	    &count[1], NULL) > 0);
	assert_true(evbus_reader_subscribe(reader, "a.late", fixture_count,
	    &count[2], NULL) > 0);
	late = fixture_topic(bus, "a.late");
	assert_int_equal(evbus_publish(early, "x", 1), 0);
	assert_int_equal(evbus_publish(late, "x", 1), 0);
	assert_int_equal(fixture_drain(reader), 2);
	assert_int_equal(atomic_load(&count[0]), 2);
	assert_int_equal(atomic_load(&count[1]), 2);
	assert_int_equal(atomic_load(&count[2]), 1);
	fixture_end(bus, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    topic_open_of_hostile_names_says_what_and_where),
		cmocka_unit_test(
		    topic_open_of_a_control_byte_does_not_repeat_it),
		cmocka_unit_test(
		    topic_open_of_allowed_names_keeps_them_as_they_are),
		cmocka_unit_test(
		    topic_open_of_options_not_yet_there_is_enotsup),
		cmocka_unit_test(topics_beyond_max_topics_are_elimit),
		cmocka_unit_test(topics_beyond_name_memory_are_elimit),
		cmocka_unit_test(
		    topic_open_by_four_threads_at_once_gives_one_handle),
		cmocka_unit_test(
		    topic_made_before_or_after_subscriptions_reaches_each_once),
	};

	return cmocka_run_group_tests(tests, make_long_names, NULL);
}
