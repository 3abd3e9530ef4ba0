/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_reentry.c - why: user code that the bus calls calls the bus again (S2).
 *
 * Every public call is made inside every kind of callback that may call the
 * bus: a worker's handler, on_closed in each place where it runs, a release
 * function in each place where it runs, a topic's validator.  What a polled handler may do is
 * test_calls.c's.  The expected results are those of evbus(7), whose table is
 * read and compared as well; the list of calls is that of the library's
 * symbols, so that a new one without a row is a failure.
 *
 * The hooks for memory, log and clock must not call the bus: no rows.
 */
#include "bus_fixture.h"

#define REFERENCES 256u		/* capacity / 4: all that the stream has */

/* How the bus stands while the callback runs. */
enum stand {
	INSIDE,			/* the rules of handlers hold */
	OUTSIDE,		/* as anywhere else */
	CLOSED
};

static struct fixture_world world;
static struct evbus_reader *other;
static struct {
	enum stand stand;
	int own;		/* the callback's reader is world.reader, or
				 * CLOSED: the readers are not closed yet */
	int close;		/* only evbus_close() is called */
	unsigned runs;
	int64_t seen;		/* the first result that differs */
	const char *name;	/* ... and its call */
	char said[160];
} probed;

/* What the table says of the call while the bus stands so. */
static int
expected_of(const struct fixture_call *call)
{
	static const struct {
		const char *name;
		int result;
	} elsewhere[] = {
		{ "poll", FIXTURE_YES }, { "wait", FIXTURE_YES },
		{ "next", FIXTURE_UNSAID },
		{ "flush", FIXTURE_YES },	/* from here on: OUTSIDE only */
		{ "run_once", EVBUS_EINVAL },
	};
	size_t i, n = probed.stand == OUTSIDE ? 5 : 3;

	if (probed.stand == CLOSED) {
		if (probed.own && strncmp(call->name, "reader_", 7) == 0)
			return FIXTURE_UNSAID;
		return strcmp(call->name, "free") == 0 ? EVBUS_EBUSY :
		    call->closed;
	}
	for (i = 0; i < n && !probed.own; i++)
		if (strcmp(call->name, elsewhere[i].name) == 0)
			return elsewhere[i].result;
	return call->inside;
}

static void
differs(const char *name, int64_t result)
{
	if (probed.name != NULL)
		return;
	probed.name = name;
	probed.seen = result;
	(void)snprintf(probed.said, sizeof probed.said, "%s", evbus_errmsg());
}

static void
close_only(void)
{
	int result = evbus_close(world.bus, FIXTURE_LONG, NULL);

	if (result != (probed.stand == INSIDE ? EVBUS_EDEADLK :
	    probed.stand == CLOSED ? EVBUS_ECLOSED : 0))
		differs("close", result);
	result = evbus_free(world.bus);
	if (result != EVBUS_EBUSY)
		differs("free", result);
}

/* The callback: calls everything, once. */
static void
probe(void)
{
	int64_t result;
	size_t i;

	if (probed.runs++ > 0)
		return;
	if (probed.close) {
		close_only();
		return;
	}
	for (i = 0; i < fixture_calls_count; i++) {
		if (strcmp(fixture_calls[i].name, "close") == 0 &&
		    probed.stand == OUTSIDE)
			continue;
		result = fixture_calls[i].call(&world);
		if (!fixture_call_agrees(result,
		    expected_of(&fixture_calls[i])))
			differs(fixture_calls[i].name, result);
	}
}

static void
probe_closed(void *arg)
{
	(void)arg;
	probe();
}

static void
probe_release(const void *data, size_t size, void *arg)
{
	(void)data;
	(void)size;
	(void)arg;
	probe();
}

static int
probe_validate(const void *data, size_t size, void *arg)
{
	(void)data;
	(void)size;
	(void)arg;
	probe();
	return 0;
}

static atomic_uint handled;

static enum evbus_verdict
probe_handler(const struct evbus_event *event, void *arg)
{
	(void)event;
	(void)arg;
	probe();
	(void)atomic_fetch_add(&handled, 1);
	return EVBUS_DONE;
}

static enum evbus_verdict
stop_handler(const struct evbus_event *event, void *arg)
{
	(void)event;
	(void)arg;
	return EVBUS_STOP;
}

static const struct evbus_subscribe_options closing = { probe_closed };
static const struct evbus_publish_options by_reference = {
	.release = probe_release };

static void
publish_references(unsigned n)
{
	unsigned i;

	for (i = 0; i < n; i++)
		assert_int_equal(evbus_publish_with(world.topic, "x", 1,
		    &by_reference), 0);
}

/* ---- The places ---------------------------------------------------------- */

static void
in_a_workers_handler(void)
{
	assert_true(evbus_subscribe(world.bus, "probe", probe_handler, NULL,
	    NULL) > 0);
	assert_int_equal(evbus_publish_name(world.bus, "probe", "x", 1), 0);
	assert_true(fixture_until_count(&handled, 1));
}

static int64_t
subscribe_closing(struct evbus_reader *reader, evbus_handler handler)
{
	int64_t id = evbus_reader_subscribe(reader, "world.>", handler, NULL,
	    &closing);

	assert_true(id > 0);
	return id;
}

static void
in_on_closed_of_unsubscribe(void)
{
	int64_t id = subscribe_closing(other, NULL);

	assert_int_equal(evbus_unsubscribe(world.bus, id, FIXTURE_LONG), 0);
}

static void
in_on_closed_of_reader_close(void)
{
	(void)subscribe_closing(other, NULL);
	assert_int_equal(evbus_reader_close(other, FIXTURE_LONG), 0);
	other = NULL;
}

/* The thread that runs the reader leaves it. */
static void
in_on_closed_of_a_poll(void)
{
	(void)subscribe_closing(other, stop_handler);
	assert_int_equal(evbus_publish(world.topic, "x", 1), 0);
	assert_true(evbus_poll(other, 1) == 1);
}

static void
in_on_closed_of_close(void)
{
	(void)subscribe_closing(world.reader, NULL);
	assert_int_equal(evbus_close(world.bus, FIXTURE_LONG, NULL), 0);
}

static void
in_release_of_publish(void)
{
	int result;

	publish_references(REFERENCES);
	(void)fixture_drain(world.reader);
	result = evbus_publish_with(world.topic, "x", 1, &by_reference);
	assert_int_equal(result, probed.close ? EVBUS_ECLOSED : 0);
}

static enum evbus_verdict
publish_handler(const struct evbus_event *event, void *arg)
{
	(void)event;
	(void)arg;
	if (evbus_publish_with(world.topic, "x", 1, &by_reference) != 0)
		differs("publish_with", -1);
	return EVBUS_STOP;
}

/* The rules of the handler hold that publishes. */
static void
in_release_of_publish_in_a_handler(void)
{
	publish_references(REFERENCES);
	(void)fixture_drain(world.reader);
	assert_true(evbus_reader_subscribe(world.reader, "world.>",
	    publish_handler, NULL, NULL) > 0);
	assert_int_equal(evbus_publish(world.topic, "x", 1), 0);
	assert_true(evbus_poll(world.reader, 1) == 1);
}

static void
in_release_of_flush(void)
{
	int result;

	publish_references(1);
	(void)fixture_drain(world.reader);
	result = evbus_flush(world.bus, FIXTURE_LONG);
	if (!probed.close)
		assert_int_equal(result, 0);
}

static void
in_release_of_close(void)
{
	publish_references(1);
	(void)fixture_drain(world.reader);
	assert_int_equal(evbus_close(world.bus, FIXTURE_LONG, NULL), 0);
}

/* Nobody is left who could be seen inside of the bus. */
static void
in_release_of_close_without_readers(void)
{
	assert_int_equal(evbus_reader_close(world.reader, FIXTURE_LONG), 0);
	assert_int_equal(evbus_reader_close(other, FIXTURE_LONG), 0);
	other = NULL;
	publish_references(1);
	assert_int_equal(evbus_close(world.bus, FIXTURE_LONG, NULL), 0);
}

static struct evbus_topic *
validated_topic(void)
{
	struct evbus_topic_options options = { .validate = probe_validate };
	struct evbus_topic *topic;

	assert_int_equal(evbus_topic_open(world.bus, "validated", &options,
	    &topic), 0);
	return topic;
}

static void
in_validator_of_publish(void)
{
	assert_int_equal(evbus_publish(validated_topic(), "x", 1),
	    probed.close ? EVBUS_ECLOSED : 0);
}

static enum evbus_verdict
publish_validated(const struct evbus_event *event, void *arg)
{
	(void)event;
	if (evbus_publish(arg, "x", 1) != 0)
		differs("publish", -1);
	return EVBUS_STOP;
}

static void
in_validator_of_publish_in_a_handler(void)
{
	assert_true(evbus_reader_subscribe(world.reader, "world.>",
	    publish_validated, validated_topic(), NULL) > 0);
	assert_int_equal(evbus_publish(world.topic, "x", 1), 0);
	assert_true(evbus_poll(world.reader, 1) == 1);
}

static const struct place {
	const char *name;
	void (*go)(void);
	enum stand stand;
	int own;
} places[] = {
	{ "a worker's handler", in_a_workers_handler, INSIDE, 0 },
	{ "on_closed, evbus_unsubscribe", in_on_closed_of_unsubscribe,
	    OUTSIDE, 0 },
	{ "on_closed, evbus_reader_close", in_on_closed_of_reader_close,
	    OUTSIDE, 0 },
	{ "on_closed, evbus_poll", in_on_closed_of_a_poll, INSIDE, 0 },
	{ "on_closed, evbus_close", in_on_closed_of_close, CLOSED, 0 },
	{ "release, evbus_publish_with", in_release_of_publish, OUTSIDE, 0 },
	{ "release, evbus_publish_with in a handler",
	    in_release_of_publish_in_a_handler, INSIDE, 1 },
	{ "release, evbus_flush", in_release_of_flush, OUTSIDE, 0 },
	{ "release, evbus_close", in_release_of_close, CLOSED, 1 },
	{ "release, evbus_close without readers",
	    in_release_of_close_without_readers, CLOSED, 0 },
	{ "validator, evbus_publish", in_validator_of_publish, OUTSIDE, 0 },
	{ "validator, evbus_publish in a handler",
	    in_validator_of_publish_in_a_handler, INSIDE, 1 },
};
#define PLACES (sizeof places / sizeof places[0])

static void
visit(const struct place *place, int close)
{
	memset(&probed, 0, sizeof probed);
	probed.stand = place->stand;
	probed.own = place->own;
	probed.close = close;
	atomic_store(&handled, 0);
	fixture_world_open(&world);
	other = fixture_reader(world.bus, NULL);
	place->go();
	if (probed.name != NULL)
		fail_msg("%s: evbus_%s is %lld: %s", place->name, probed.name,
		    (long long)probed.seen, probed.said);
	if (probed.runs == 0)
		fail_msg("%s: was not called", place->name);
	/* Run by this thread again: then close runs them. */
	(void)evbus_poll(world.reader, 0);
	if (other != NULL)
		(void)evbus_poll(other, 0);
	(void)evbus_close(world.bus, FIXTURE_LONG, NULL);
	fixture_free(world.bus);
}

static void
calls_in_every_callback_do_as_the_table_says_S2(void **state)
{
	size_t i;

	(void)state;
	for (i = 0; i < PLACES; i++)
		visit(&places[i], 0);
}

static void
close_in_every_callback_does_as_the_table_says_S3(void **state)
{
	size_t i;

	(void)state;
	for (i = 0; i < PLACES; i++)
		visit(&places[i], 1);
}

/* ---- Every symbol has a row, and the manual says the same ---------------- */

static int
has_row(const char *name)
{
	size_t i;

	for (i = 0; i < fixture_calls_count; i++)
		if (strcmp(fixture_calls[i].name, name) == 0)
			return 1;
	return 0;
}

static void
symbols_of_the_library_all_have_a_row(void **state)
{
	const char *build = getenv("EVBUS_BUILD");
	char command[256], line[256], name[128];
	unsigned found = 0;
	FILE *pipe;

	(void)state;
	if (build == NULL)
		build = "build";
	(void)snprintf(command, sizeof command,
	    "nm -g --defined-only '%s/libevbus.a' 2>/dev/null", build);
	pipe = popen(command, "r");
	assert_non_null(pipe);
	while (fgets(line, sizeof line, pipe) != NULL) {
		if (sscanf(line, "%*s T evbus_%127s", name) != 1 ||
		    name[0] == '_')
			continue;
		found++;
		if (!has_row(name))
			fail_msg("evbus_%s() has no row", name);
	}
	(void)pclose(pipe);
	if (found == 0)
		skip();		/* not at the top of the tree */
	assert_true(found >= 35);
}

/* Is this what evbus(7) has for a result? */
static int
says(const char *text, int expected)
{
	static const struct {
		const char *text;
		int result;
	} word[] = {
		{ "EDEADLK", EVBUS_EDEADLK }, { "EBUSY", EVBUS_EBUSY },
		{ "ECLOSED", EVBUS_ECLOSED }, { "EFORKED", EVBUS_EFORKED },
		{ "ENOENT", EVBUS_ENOENT }, { "no wait", FIXTURE_YES },
		{ "yes", FIXTURE_YES }, { "yes", FIXTURE_SOMETHING },
		{ "yes", FIXTURE_NOTHING }, { "yes", FIXTURE_UNSAID },
		{ "nothing", FIXTURE_NOTHING }, { "empty", FIXTURE_NOTHING },
		{ "NULL", FIXTURE_NOTHING }, { "\\(dq?\\(dq", FIXTURE_NOTHING },
		{ "\\-", FIXTURE_YES },
	};
	size_t i;

	/* Told in a sentence below the table, and tested by test_calls.c. */
	if (strcmp(text, "see below") == 0)
		return 1;
	for (i = 0; i < sizeof word / sizeof word[0]; i++)
		if (strcmp(text, word[i].text) == 0 &&
		    word[i].result == expected)
			return 1;
	return 0;
}

#define COLUMNS 6u	/* name, threads, handler, closed, forked, signal */

/* Cut the row into its columns; how many there are. */
static unsigned
cut(char *line, char *column[COLUMNS])
{
	unsigned n = 0;
	char *next;

	line[strcspn(line, "\n")] = '\0';
	for (; line != NULL && n < COLUMNS; line = next) {
		next = strstr(line, " Ta ");
		if (next != NULL) {
			*next = '\0';
			next += 4;
		}
		column[n++] = line;
	}
	return n;
}

static unsigned
compare_row(char *line)
{
	char *column[COLUMNS];
	unsigned found = 0;
	size_t i;

	if (strncmp(line, ".It ", 4) != 0 || cut(line + 4, column) != COLUMNS)
		return 0;
	for (i = 0; i < fixture_calls_count; i++) {
		if (strcmp(fixture_calls[i].name, column[0]) != 0)
			continue;
		found = 1;
		if (!says(column[2], fixture_calls[i].inside) ||
		    !says(column[3], fixture_calls[i].closed) ||
		    !says(column[4], fixture_calls[i].forked))
			fail_msg("evbus(7) says of evbus_%s: %s, %s, %s",
			    column[0], column[2], column[3], column[4]);
	}
	return found;
}

static void
manual_says_what_the_table_says(void **state)
{
	FILE *file = fopen("man/evbus.7", "r");
	unsigned rows = 0, calls = 0;
	char line[256];
	size_t i, j;

	(void)state;
	if (file == NULL)
		skip();		/* not at the top of the tree */
	while (fgets(line, sizeof line, file) != NULL)
		rows += compare_row(line);
	(void)fclose(file);
	for (i = 0; i < fixture_calls_count; i++) {
		for (j = 0; j < i; j++)
			if (strcmp(fixture_calls[i].name,
			    fixture_calls[j].name) == 0)
				break;
		calls += j == i;
	}
	assert_int_equal(rows, calls);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    calls_in_every_callback_do_as_the_table_says_S2),
		cmocka_unit_test(
		    close_in_every_callback_does_as_the_table_says_S3),
		cmocka_unit_test(symbols_of_the_library_all_have_a_row),
		cmocka_unit_test(manual_says_what_the_table_says),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
