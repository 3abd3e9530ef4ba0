/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_report.c - why: a publisher that waits is a program that has grown slow,
 * and somebody has to be told which reader is to blame, where it subscribed,
 * and when it is over: once per episode, and without making anybody wait (S1).
 */
#include "bus_fixture.h"
#include "reader/reader.h"

#define CAPACITY 4
#define REPORT (2 * FIXTURE_MS)

struct told {
	unsigned stalled, recovered;
	struct evbus_stall last[2];	/* stalled, recovered */
};

static enum evbus_verdict
note(const struct evbus_event *event, void *arg)
{
	struct told *told = arg;
	int over = strcmp(evbus_topic_name(event->topic),
	    "$bus.reader.stalled") != 0;

	assert_int_equal(event->size, sizeof told->last[over]);
	memcpy(&told->last[over], event->data, sizeof told->last[over]);
	assert_int_equal(told->last[over].version, EVBUS_STALL_VERSION);
	assert_int_equal(told->last[over].size, sizeof told->last[over]);
	if (over)
		told->recovered++;
	else
		told->stalled++;
	/* One after the other. */
	assert_true(told->stalled == told->recovered + !over);
	return EVBUS_DONE;
}

static struct evbus *
open_bus(int64_t report_ns)
{
	struct evbus_options options = { .stream = { .capacity = CAPACITY,
	    .timeout_ns = 10 * REPORT }, .stall_report_ns = report_ns };

	return fixture_open_small(&options);
}

/* A reader that nobody runs: of the past, so that no thread is to blame. */
struct late {
	struct evbus *bus;
	struct evbus_reader_options options;
	struct evbus_reader *reader;
	int line;		/* where it subscribed */
};

static void
open_late(struct fixture_thread *thread)
{
	struct late *late = thread->arg;
	int opened = evbus_reader_open(late->bus, &late->options,
	    &late->reader);

	if (!fixture_check(thread, opened == 0))
		return;
	late->line = __LINE__ + 1;
	(void)evbus_reader_subscribe(late->reader, "a", NULL, NULL, NULL);
	fixture_check(thread, evbus_poll(late->reader, 1) == 0);
}

static struct evbus_reader *
watch(struct evbus *bus, const char *pattern, int lossy, struct told *told)
{
	struct evbus_reader_options options = { .lossy = lossy };
	struct evbus_reader *reader = fixture_reader(bus, &options);

	assert_true(evbus_reader_subscribe(reader, pattern, note, told,
	    NULL) > 0);
	return reader;
}

static void
start_of(struct late *late, int64_t report_ns, int64_t stall_ns,
    const char *group)
{
	struct fixture_thread thread;

	memset(late, 0, sizeof *late);
	late->bus = open_bus(report_ns);
	late->options.name = "late";
	late->options.stall_ns = stall_ns;
	late->options.group = group;
	fixture_start(&thread, open_late, late);
	fixture_join(&thread);
}

static void
start(struct late *late, int64_t report_ns, int64_t stall_ns)
{
	start_of(late, report_ns, stall_ns, NULL);
}

static void
poll_one(struct fixture_thread *thread)
{
	struct late *late = thread->arg;

	fixture_check(thread, evbus_poll(late->reader, 1) > 0);
}

/* The reader goes one step on, by a thread that ends. */
static void
step(struct late *late)
{
	struct fixture_thread thread;

	fixture_start(&thread, poll_one, late);
	fixture_join(&thread);
}

static void
fill(struct evbus_topic *topic, unsigned n)
{
	for (; n > 0; n--)
		assert_int_equal(evbus_try_publish(topic, "x", 1), 0);
}

/* Wait for the reader until that is told. */
static void
until_told(struct evbus_topic *topic, struct evbus_reader *watcher)
{
	do
		assert_int_equal(evbus_publish(topic, "x", 1),
		    EVBUS_ETIMEDOUT);
	while (evbus_wait(watcher, 0) == 0);
}

/* Once per episode, with everything that is to be known. */
static void
report_stalled_and_recovered_are_told_once_S1(void **state)
{
	struct told told = { 0, 0, { { 0 } } };
	struct evbus_reader *watcher;
	struct evbus_topic *topic;
	struct late late;
	const char *name = __FILE__;
	unsigned i, episode;

	(void)state;
	start(&late, REPORT, 0);
	topic = fixture_topic(late.bus, "a");
	watcher = watch(late.bus, "$bus.>", 1, &told);
	fill(topic, CAPACITY);
	for (episode = 1; episode <= 2; episode++) {
		until_told(topic, watcher);
		/* However many wait, and however often. */
		for (i = 0; i < 2; i++)
			assert_int_equal(evbus_publish(topic, "x", 1),
			    EVBUS_ETIMEDOUT);
		assert_int_equal(fixture_drain(watcher), 1);
		assert_int_equal(told.stalled, episode);
		assert_int_equal(told.recovered, episode - 1);
		assert_string_equal(told.last[0].reader, "late");
		assert_int_equal(told.last[0].line, late.line);
		assert_string_equal(told.last[0].file,
		    name + (strlen(name) < sizeof told.last[0].file ? 0 :
		    strlen(name) - sizeof told.last[0].file + 1));
		assert_int_equal(told.last[0].stream, 1);
		assert_int_equal(told.last[0].sequence, episode - 1);
		assert_int_equal(told.last[0].lag, CAPACITY);
		assert_int_equal(told.last[0].flags, 0);
		assert_true(told.last[0].held_ns >= REPORT);
		/* The first step tells, and only that. */
		step(&late);
		assert_int_equal(fixture_drain(watcher), 1);
		assert_int_equal(told.recovered, episode);
		assert_string_equal(told.last[1].reader, "late");
		assert_int_equal(told.last[1].sequence, episode);
		assert_true(told.last[1].held_ns >= told.last[0].held_ns);
		fill(topic, 1);
	}
	while (evbus_poll(late.reader, 1) == 1)
		;
	assert_int_equal(fixture_drain(watcher), 0);
	fixture_end(late.bus, 0);
}

/* Of a group the group is told of, and any member's claim is its recovery. */
static void
report_of_a_group_S1(void **state)
{
	struct told told = { 0, 0, { { 0 } } };
	struct evbus_reader *watcher;
	struct evbus_topic *topic;
	struct late late;

	(void)state;
	start_of(&late, REPORT, 0, "work");
	topic = fixture_topic(late.bus, "a");
	watcher = watch(late.bus, "$bus.>", 1, &told);
	fill(topic, CAPACITY);
	until_told(topic, watcher);
	assert_int_equal(fixture_drain(watcher), 1);
	assert_string_equal(told.last[0].reader, "work");
	assert_int_equal(told.last[0].line, late.line);
	assert_int_equal(told.last[0].lag, CAPACITY);
	step(&late);
	assert_int_equal(fixture_drain(watcher), 1);
	assert_int_equal(told.recovered, 1);
	assert_string_equal(told.last[1].reader, "work");
	assert_int_equal(told.last[1].flags, 0);
	/* It ends with its last member. */
	fill(topic, 1);
	until_told(topic, watcher);
	assert_int_equal(evbus_reader_close(late.reader, 0), 0);
	assert_int_equal(fixture_drain(watcher), 2);
	assert_int_equal(told.recovered, 2);
	assert_int_equal(told.last[1].flags, EVBUS_STALL_CLOSED);
	assert_string_equal(told.last[1].reader, "work");
	assert_int_equal(told.last[1].line, late.line);
	fixture_end(late.bus, 0);
}

/* A reader that is closed recovers, too; its memory's next user has not
 * stalled. */
static void
report_of_a_closed_reader_says_so_S1(void **state)
{
	struct told told = { 0, 0, { { 0 } } };
	struct evbus_reader *watcher;
	struct evbus_topic *topic;
	struct late late;

	(void)state;
	start(&late, REPORT, 0);
	topic = fixture_topic(late.bus, "a");
	watcher = watch(late.bus, "$bus.reader.*", 1, &told);
	fill(topic, CAPACITY);
	until_told(topic, watcher);
	assert_int_equal(evbus_reader_close(late.reader, 0), 0);
	assert_int_equal(fixture_drain(watcher), 2);
	assert_int_equal(told.recovered, 1);
	assert_int_equal(told.last[1].flags, EVBUS_STALL_CLOSED);
	assert_string_equal(told.last[1].reader, "late");
	assert_int_equal(told.last[1].line, late.line);
	fixture_end(late.bus, 0);
}

static void
report_of_a_demoted_reader_says_so_S1(void **state)
{
	struct told told = { 0, 0, { { 0 } } };
	struct evbus_reader *watcher;
	struct evbus_topic *topic;
	struct late late;

	(void)state;
	start(&late, REPORT, FIXTURE_LONG);
	topic = fixture_topic(late.bus, "a");
	watcher = watch(late.bus, "$bus.reader.recovered", 1, &told);
	told.stalled = 1;	/* not subscribed to */
	fill(topic, CAPACITY);
	until_told(topic, watcher);
	/* As if it had taken that long. */
	EVBUS_STORE(&late.reader->place[0]->cursor->demoted, 1, RELAXED);
	step(&late);
	assert_int_equal(fixture_drain(watcher), 2);
	assert_int_equal(told.recovered, 1);
	assert_int_equal(told.last[1].flags, EVBUS_STALL_DEMOTED);
	fixture_end(late.bus, 0);
}

/* The end of a file's name says more than its beginning; there may be none. */
static void
report_names_files_of_any_length(void **state)
{
	static const char *const file[] = { NULL,
	    "a/very/long/name/of/a/folder/that/no/compiler/would/ever/shorten/"
	    "and/that/has/more/than/ninety-five/bytes.c" };
	struct told told = { 0, 0, { { 0 } } };
	struct evbus_reader *watcher;
	struct evbus_topic *topic;
	struct evbus__cursor *cursor;
	struct late late;
	uint64_t next;
	unsigned i;

	(void)state;
	start(&late, REPORT, 0);
	topic = fixture_topic(late.bus, "a");
	watcher = watch(late.bus, "$bus.>", 1, &told);
	for (i = 0; i < 2; i++) {
		EVBUS_STORE(&late.reader->where.file, file[i], RELAXED);
		fill(topic, i == 0 ? CAPACITY : 1);
		until_told(topic, watcher);
		assert_int_equal(fixture_drain(watcher), 1);
		assert_string_equal(told.last[0].file, i == 0 ? "" :
		    file[i] + strlen(file[i]) - sizeof told.last[0].file + 1);
		step(&late);
		assert_int_equal(fixture_drain(watcher), 1);
	}
	/* One that could not leave its stream, for lack of memory, is not
	 * behind any more. */
	fill(topic, 1);
	until_told(topic, watcher);
	cursor = late.reader->place[0]->cursor;
	next = EVBUS_LOAD(&cursor->next, RELAXED);
	EVBUS_STORE(&cursor->next, EVBUS__CURSOR_GONE, RELAXED);
	evbus__stall_over(late.reader->place[0]->stream, cursor,
	    &late.reader->where, EVBUS_STALL_CLOSED);
	EVBUS_STORE(&cursor->next, next, RELAXED);
	assert_int_equal(fixture_drain(watcher), 2);
	assert_int_equal(told.last[1].lag, 0);
	fixture_end(late.bus, 0);
}

/* A time limit of its own that comes first, and a time that never does. */
static void
report_does_not_come_before_its_time(void **state)
{
	struct told told = { 0, 0, { { 0 } } };
	struct evbus_reader *watcher;
	struct evbus_topic *topic;
	struct late late;

	(void)state;
	start(&late, INT64_MAX, REPORT);
	topic = fixture_topic(late.bus, "a");
	watcher = watch(late.bus, "$bus.>", 1, &told);
	fill(topic, CAPACITY);
	assert_int_equal(evbus_publish(topic, "x", 1), 0);
	assert_int_equal(fixture_drain(watcher), 0);
	fixture_end(late.bus, 0);
}

/* A watcher that nobody runs, and that gates, keeps nobody from anything. */
static void
report_never_waits_for_who_watches_S1(void **state)
{
	struct told told = { 0, 0, { { 0 } } };
	struct evbus_reader *watcher;
	struct evbus_topic *topic;
	struct late late;
	unsigned i;

	(void)state;
	start(&late, 1, 0);
	topic = fixture_topic(late.bus, "a");
	watcher = watch(late.bus, "$bus.>", 0, &told);
	told.stalled = 0;
	fill(topic, CAPACITY);
	for (i = 0; i < 100; i++) {
		struct evbus_publish_options soon = { .set_timeout = 1,
		    .timeout_ns = FIXTURE_MS / 10 };
		uint32_t told_of;

		/* It is told, whether there is room for that or not. */
		do {
			assert_int_equal(evbus_publish_with(topic, "x", 1,
			    &soon), EVBUS_ETIMEDOUT);
			told_of = EVBUS_LOAD(
			    &late.reader->place[0]->cursor->stall, RELAXED);
		} while (told_of == 0);
		step(&late);
		fill(topic, 1);
	}
	/* What its stream could hold. */
	assert_int_equal(fixture_drain(watcher), 64);
	assert_int_equal(told.stalled, 32);
	assert_int_equal(told.recovered, 32);
	fixture_end(late.bus, 0);
}

/* Nobody watches; or it is not wanted: no stream, no topics, no reports. */
static void
report_costs_nothing_unless_watched(void **state)
{
	struct told told = { 0, 0, { { 0 } } };
	struct evbus_reader_stats stats;
	struct evbus_reader *watcher;
	struct evbus_topic *topic;
	struct late late;

	(void)state;
	start(&late, -1, 0);
	topic = fixture_topic(late.bus, "a");
	fill(topic, CAPACITY);
	assert_int_equal(evbus_publish(topic, "x", 1), EVBUS_ETIMEDOUT);
	/* Wildcards do not reach it. */
	watcher = watch(late.bus, ">", 1, &told);
	assert_int_equal(evbus_reader_stats(watcher, &stats), 0);
	assert_int_equal(stats.streams, 1);
	assert_int_equal(evbus_reader_close(watcher, 0), 0);
	watcher = watch(late.bus, "$bus.>", 1, &told);
	assert_int_equal(evbus_reader_stats(watcher, &stats), 0);
	assert_int_equal(stats.streams, 1);
	assert_int_equal(evbus_publish(topic, "x", 1), EVBUS_ETIMEDOUT);
	step(&late);
	assert_int_equal(fixture_drain(watcher), 0);
	fixture_end(late.bus, 0);
}

struct holder {
	struct evbus_topic *topic;
	atomic_uint claimed, go_on;
};

static void
hold_claim(struct fixture_thread *thread)
{
	struct holder *holder = thread->arg;
	struct evbus_claim claim;

	if (!fixture_check(thread, evbus_claim(holder->topic, 1, 0,
	    &claim) == 0))
		return;
	atomic_store(&holder->claimed, 1);
	fixture_check(thread, fixture_until_count(&holder->go_on, 1));
	evbus_abort(&claim);
}

/* Who holds a claim open is to blame, and not the reader that waits for it. */
static void
report_is_not_of_a_reader_that_waits_for_a_commit_S5(void **state)
{
	struct told told = { 0, 0, { { 0 } } };
	struct evbus_publish_options soon = { .set_timeout = 1,
	    .timeout_ns = 4 * REPORT };
	struct evbus_reader *watcher;
	struct evbus_topic *topic;
	struct holder holder = { 0 };
	struct fixture_thread thread;
	struct late late;
	unsigned i;

	(void)state;
	start(&late, REPORT, 0);
	topic = fixture_topic(late.bus, "a");
	watcher = watch(late.bus, "$bus.>", 1, &told);
	holder.topic = topic;
	fixture_start(&thread, hold_claim, &holder);
	assert_true(fixture_until_count(&holder.claimed, 1));
	fill(topic, CAPACITY - 1);
	for (i = 0; i < 3; i++)
		assert_int_equal(evbus_publish_with(topic, "x", 1, &soon),
		    EVBUS_ETIMEDOUT);
	assert_int_equal(fixture_drain(watcher), 0);
	atomic_store(&holder.go_on, 1);
	fixture_join(&thread);
	until_told(topic, watcher);
	assert_int_equal(fixture_drain(watcher), 1);
	fixture_end(late.bus, 0);
}

/* Streams and topics that the bus needs for itself are bounded as all are. */
static void
report_stream_that_cannot_be_had_is_a_refusal(void **state)
{
	struct evbus_options options = { .max_streams = 1 };
	struct told told = { 0, 0, { { 0 } } };
	struct evbus_topic *topic = NULL;
	struct evbus_reader *reader;
	struct evbus *bus = fixture_open(&options);

	(void)state;
	reader = fixture_reader(bus, NULL);
	fixture_refused(evbus_reader_subscribe(reader, "$bus.>", note, &told,
	    NULL), EVBUS_ELIMIT);
	fixture_says("max_streams");
	fixture_end(bus, 0);
	options.max_streams = 2;
	options.max_topics = 1;
	bus = fixture_open(&options);
	reader = fixture_reader(bus, NULL);
	fixture_refused(evbus_reader_subscribe(reader, "$bus.>", note, &told,
	    NULL), EVBUS_ELIMIT);
	fixture_says("max_topics");
	assert_int_equal(evbus_topic_open(bus, "x", NULL, &topic), EVBUS_ELIMIT);
	/* Not twice: the stream is there. */
	fixture_refused(evbus_reader_subscribe(reader, "$bus.>", note, &told,
	    NULL), EVBUS_ELIMIT);
	fixture_says("max_topics");
	fixture_end(bus, 0);
	bus = fixture_open(&options);
	reader = fixture_reader(bus, NULL);
	topic = fixture_topic(bus, "x");
	fixture_refused(evbus_reader_subscribe(reader, "$bus.>", note, &told,
	    NULL), EVBUS_ELIMIT);
	fixture_end(bus, 0);
	options.max_topics = 2;
	bus = fixture_open(&options);
	reader = watch(bus, "$bus.>", 0, &told);
	assert_true(evbus_reader_subscribe(reader, "$bus.>", NULL, NULL,
	    NULL) > 0);
	fixture_refused(evbus_topic_open(bus, "$bus.reader.stalled", NULL,
	    &topic), EVBUS_EOWNER);
	fixture_end(bus, 0);
	options.stall_report_ns = -2;
	fixture_refused(evbus_open(&bus, &options), EVBUS_EINVAL);
	fixture_says("stall_report_ns is -2");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(report_stalled_and_recovered_are_told_once_S1),
		cmocka_unit_test(report_of_a_group_S1),
		cmocka_unit_test(report_of_a_closed_reader_says_so_S1),
		cmocka_unit_test(report_of_a_demoted_reader_says_so_S1),
		cmocka_unit_test(report_names_files_of_any_length),
		cmocka_unit_test(report_does_not_come_before_its_time),
		cmocka_unit_test(report_never_waits_for_who_watches_S1),
		cmocka_unit_test(report_costs_nothing_unless_watched),
		cmocka_unit_test(
		    report_is_not_of_a_reader_that_waits_for_a_commit_S5),
		cmocka_unit_test(report_stream_that_cannot_be_had_is_a_refusal),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
