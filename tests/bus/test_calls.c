/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_calls.c - why: a program that passes NULL, or uses a bus that is closed,
 * forked or just handling an event, gets a named code and a sentence from every
 * single call, and nothing else happens (S2, S6, L3).  The tables here and the
 * one in evbus(7) say the same; that no public call is missing from them is
 * read from the headers.
 */
#include <sys/wait.h>

#include <regex.h>
#include <unistd.h>

#include "bus_fixture.h"

/* ---- NULL ---------------------------------------------------------------- */

static struct fixture_world world;

static int64_t
pointer_result(const void *p)
{
	return p == NULL ? FIXTURE_NOTHING : FIXTURE_SOMETHING;
}

static int64_t
text_result(const char *text)
{
	return strcmp(text, "?") == 0 ? FIXTURE_NOTHING : FIXTURE_SOMETHING;
}

static int64_t
abort_null(void)
{
	evbus_abort(NULL);
	return FIXTURE_NOTHING;
}

static int64_t
done_null(void)
{
	evbus_done(NULL);
	return FIXTURE_NOTHING;
}

static struct evbus_claim claim;
static struct evbus_stream *stream;
static struct evbus_topic *topic;
static struct evbus_reader *reader;
static struct evbus_stream_stats stream_stats;
static struct evbus_reader_stats reader_stats;
static struct evbus_publish_options by_reference;
static struct iovec hollow = { NULL, 3 };
static atomic_uint count;
static uint64_t sequence;

static void
release(const void *data, size_t size, void *arg)
{
	(void)data;
	(void)size;
	(void)arg;
}

#define W (&world)
#define NULLS(N) \
	N(open, evbus_open(NULL, NULL), EVBUS_EINVAL) \
	N(flush, evbus_flush(NULL, 0), EVBUS_EINVAL) \
	N(flush, evbus_flush(W->bus, -2), EVBUS_EINVAL) \
	N(close, evbus_close(NULL, 0, NULL), EVBUS_EINVAL) \
	N(close, evbus_close(W->bus, -2, NULL), EVBUS_EINVAL) \
	N(close, evbus_close(W->bus, INT64_MIN, NULL), EVBUS_EINVAL) \
	N(free, evbus_free(NULL), EVBUS_OK) \
	N(publisher_name, text_result(evbus_publisher_name(NULL, 1)), \
	    FIXTURE_NOTHING) \
	N(publisher_name, text_result(evbus_publisher_name(W->bus, 0)), \
	    FIXTURE_NOTHING) \
	N(publisher_name, text_result(evbus_publisher_name(W->bus, 65535)), \
	    FIXTURE_NOTHING) \
	N(publisher_set_name, evbus_publisher_set_name(NULL, "a"), \
	    EVBUS_EINVAL) \
	N(publisher_set_name, evbus_publisher_set_name(W->bus, NULL), \
	    EVBUS_EINVAL) \
	N(publisher_set_name, evbus_publisher_set_name(W->bus, ""), \
	    EVBUS_EINVAL) \
	N(stream_open, evbus_stream_open(NULL, "a", NULL, &stream), \
	    EVBUS_EINVAL) \
	N(stream_open, evbus_stream_open(W->bus, NULL, NULL, &stream), \
	    EVBUS_EINVAL) \
	N(stream_open, evbus_stream_open(W->bus, "a", NULL, NULL), \
	    EVBUS_EINVAL) \
	N(stream_default, pointer_result(evbus_stream_default(NULL)), \
	    FIXTURE_NOTHING) \
	N(stream_stats, evbus_stream_stats(NULL, &stream_stats), \
	    EVBUS_EINVAL) \
	N(stream_stats, evbus_stream_stats(W->stream, NULL), EVBUS_EINVAL) \
	N(topic_open, evbus_topic_open(NULL, "a", NULL, &topic), \
	    EVBUS_EINVAL) \
	N(topic_open, evbus_topic_open(W->bus, NULL, NULL, &topic), \
	    EVBUS_EINVAL) \
	N(topic_open, evbus_topic_open(W->bus, "a", NULL, NULL), \
	    EVBUS_EINVAL) \
	N(topic_name, pointer_result(evbus_topic_name(NULL)), \
	    FIXTURE_NOTHING) \
	N(topic_valid, evbus_topic_valid(NULL), EVBUS_OK) \
	N(pattern_valid, evbus_pattern_valid(NULL), EVBUS_OK) \
	N(topic_match, evbus_topic_match(NULL, "a"), EVBUS_OK) \
	N(topic_match, evbus_topic_match("a", NULL), EVBUS_OK) \
	N(publish, evbus_publish(NULL, "x", 1), EVBUS_EINVAL) \
	N(publish, evbus_publish(W->topic, NULL, 1), EVBUS_EINVAL) \
	N(publish, evbus_publish(W->topic, NULL, SIZE_MAX), EVBUS_EINVAL) \
	N(try_publish, evbus_try_publish(NULL, "x", 1), EVBUS_EINVAL) \
	N(try_publish, evbus_try_publish(W->topic, NULL, 1), EVBUS_EINVAL) \
	N(publish_batch, evbus_publish_batch(NULL, &hollow, 1), \
	    EVBUS_EINVAL) \
	N(publish_batch, evbus_publish_batch(W->topic, NULL, 1), \
	    EVBUS_EINVAL) \
	N(publish_batch, evbus_publish_batch(W->topic, &hollow, 0), \
	    EVBUS_EINVAL) \
	N(publish_batch, evbus_publish_batch(W->topic, &hollow, 1), \
	    EVBUS_EINVAL) \
	N(publish_with, evbus_publish_with(NULL, "x", 1, NULL), \
	    EVBUS_EINVAL) \
	N(publish_with, evbus_publish_with(W->topic, NULL, 1, NULL), \
	    EVBUS_EINVAL) \
	N(publish_with, evbus_publish_with(W->topic, NULL, 0, \
	    &by_reference), EVBUS_EINVAL) \
	N(publish_name, evbus_publish_name(NULL, "a", "x", 1), \
	    EVBUS_EINVAL) \
	N(publish_name, evbus_publish_name(W->bus, NULL, "x", 1), \
	    EVBUS_EINVAL) \
	N(publish_name, evbus_publish_name(W->bus, "world.topic", NULL, 1), \
	    EVBUS_EINVAL) \
	N(claim, evbus_claim(NULL, 1, 0, &claim), EVBUS_EINVAL) \
	N(claim, evbus_claim(W->topic, 1, 0, NULL), EVBUS_EINVAL) \
	N(claim, evbus_claim(W->topic, 1, -2, &claim), EVBUS_EINVAL) \
	N(commit, evbus_commit(NULL, 0), EVBUS_EINVAL) \
	N(abort, abort_null(), FIXTURE_NOTHING) \
	N(reader_open, evbus_reader_open(NULL, NULL, &reader), \
	    EVBUS_EINVAL) \
	N(reader_open, evbus_reader_open(W->bus, NULL, NULL), EVBUS_EINVAL) \
	N(reader_close, evbus_reader_close(NULL, 0), EVBUS_EINVAL) \
	N(reader_close, evbus_reader_close(W->reader, -2), EVBUS_EINVAL) \
	N(reader_subscribe, evbus_reader_subscribe(NULL, "a", \
	    fixture_count, &count, NULL), EVBUS_EINVAL) \
	N(reader_subscribe, evbus_reader_subscribe(W->reader, NULL, \
	    fixture_count, &count, NULL), EVBUS_EINVAL) \
	N(reader_subscribe, (evbus_reader_subscribe)(NULL, "a", \
	    fixture_count, &count, NULL), EVBUS_EINVAL) \
	N(subscribe, evbus_subscribe(NULL, "a", fixture_count, &count, \
	    NULL), EVBUS_EINVAL) \
	N(subscribe, evbus_subscribe(W->bus, NULL, fixture_count, &count, \
	    NULL), EVBUS_EINVAL) \
	N(subscribe, evbus_subscribe(W->bus, "a", NULL, &count, NULL), \
	    EVBUS_EINVAL) \
	N(subscribe, (evbus_subscribe)(NULL, "a", fixture_count, &count, \
	    NULL), EVBUS_EINVAL) \
	N(unsubscribe, evbus_unsubscribe(NULL, W->subscription, 0), \
	    EVBUS_EINVAL) \
	N(unsubscribe, evbus_unsubscribe(W->bus, W->subscription, -2), \
	    EVBUS_EINVAL) \
	N(unsubscribe, evbus_unsubscribe(W->bus, 0, 0), EVBUS_ENOENT) \
	N(unsubscribe, evbus_unsubscribe(W->bus, -1, 0), EVBUS_ENOENT) \
	N(unsubscribe, evbus_unsubscribe(W->bus, INT64_MAX, 0), \
	    EVBUS_ENOENT) \
	N(poll, evbus_poll(NULL, 1), EVBUS_EINVAL) \
	N(next, pointer_result(evbus_next(NULL)), FIXTURE_NOTHING) \
	N(done, done_null(), FIXTURE_NOTHING) \
	N(wait, evbus_wait(NULL, 0), EVBUS_EINVAL) \
	N(reader_fd, evbus_reader_fd(NULL), EVBUS_EINVAL) \
	N(worker_open, evbus_worker_open(NULL, "w", NULL), EVBUS_EINVAL) \
	N(worker_open, evbus_worker_open(W->bus, NULL, NULL), EVBUS_EINVAL) \
	N(worker_open, evbus_worker_open(W->bus, "", NULL), EVBUS_EINVAL) \
	N(worker_close, evbus_worker_close(NULL, "w", 0), EVBUS_EINVAL) \
	N(worker_close, evbus_worker_close(W->bus, NULL, 0), EVBUS_EINVAL) \
	N(worker_close, evbus_worker_close(W->bus, "w", -2), EVBUS_EINVAL) \
	N(fd, evbus_fd(NULL), EVBUS_EINVAL) \
	N(timeout_ns, evbus_timeout_ns(NULL), EVBUS_OK) \
	N(run_once, evbus_run_once(NULL, 1), EVBUS_EINVAL) \
	N(run_once, evbus_run_once(W->bus, 0), EVBUS_EINVAL) \
	N(wait, evbus_wait(W->reader, -2), EVBUS_EINVAL) \
	N(reader_stats, evbus_reader_stats(NULL, &reader_stats), \
	    EVBUS_EINVAL) \
	N(reader_stats, evbus_reader_stats(W->reader, NULL), EVBUS_EINVAL) \
	N(reader_position, evbus_reader_position(NULL, W->stream, \
	    &sequence), EVBUS_EINVAL) \
	N(reader_position, evbus_reader_position(W->reader, NULL, \
	    &sequence), EVBUS_EINVAL) \
	N(reader_position, evbus_reader_position(W->reader, W->stream, \
	    NULL), EVBUS_EINVAL)

struct null_call {
	const char *name;
	const char *text;
	int expected;
};

#define NULL_ROW(name, expression, code) { #name, #expression, code },
static const struct null_call null_calls[] = { NULLS(NULL_ROW) };
#define NULL_CALLS (sizeof null_calls / sizeof null_calls[0])

/* Makes the i-th call; the others are not evaluated. */
static int64_t
null_result(size_t i)
{
	size_t at = 0;

#define NULL_CASE(name, expression, code) \
	if (at++ == i) \
		return (int64_t)(expression);
	NULLS(NULL_CASE)
#undef NULL_CASE
	return INT64_MIN;
}

static void
calls_with_null_are_refused_with_a_sentence(void **state)
{
	size_t i;
	int64_t result;

	(void)state;
	by_reference.release = release;
	fixture_world_open(&world);
	for (i = 0; i < NULL_CALLS; i++) {
		/* Something else, so that an old sentence does not pass. */
		(void)evbus_topic_open(world.bus, "no such topic", NULL,
		    &topic);
		result = null_result(i);
		if (!fixture_call_agrees(result, null_calls[i].expected))
			fail_msg("%s is %lld", null_calls[i].text,
			    (long long)result);
		if (result < 0 && strstr(evbus_errmsg(), "no such") != NULL)
			fail_msg("%s left no sentence", null_calls[i].text);
		if (result < 0 && strlen(evbus_errmsg()) < 10)
			fail_msg("%s: \"%s\"", null_calls[i].text,
			    evbus_errmsg());
	}
	/* Nothing has happened. */
	assert_int_equal(evbus_stream_stats(world.stream, &stream_stats), 0);
	assert_int_equal(stream_stats.tail, 0);
	assert_int_equal(evbus_publish(world.topic, NULL, 0), 0);
	assert_non_null(evbus_next(world.reader));
	fixture_end(world.bus, 0);
}

/* ---- Every call is in the tables ----------------------------------------- */

static int
is_in_tables(const char *name)
{
	size_t i;
	int in_nulls = 0, in_calls = 0;

	for (i = 0; i < NULL_CALLS; i++)
		in_nulls |= strcmp(null_calls[i].name, name) == 0;
	for (i = 0; i < fixture_calls_count; i++)
		in_calls |= strcmp(fixture_calls[i].name, name) == 0;
	/* These take no pointer. */
	in_nulls |= strcmp(name, "strerror") == 0 ||
	    strcmp(name, "errname") == 0 || strcmp(name, "errmsg") == 0;
	return in_nulls && in_calls;
}

static unsigned
look_through(const char *path, const regex_t *public)
{
	FILE *file = fopen(path, "r");
	regmatch_t match[3];
	unsigned found = 0;
	char line[512];

	if (file == NULL)
		return 0;
	while (fgets(line, sizeof line, file) != NULL) {
		if (regexec(public, line, 3, match, 0) != 0)
			continue;
		line[match[2].rm_eo] = '\0';
		found++;
		if (!is_in_tables(line + match[2].rm_so))
			fail_msg("%s: evbus_%s() is in no table", path,
			    line + match[2].rm_so);
	}
	(void)fclose(file);
	return found;
}

static void
calls_of_the_headers_are_all_in_the_tables(void **state)
{
	static const char *const header[] = { "bus", "claim", "error", "event",
	    "publish", "publisher", "reader", "ring", "stream", "topic" };
	char path[64];
	unsigned found = 0;
	regex_t public;
	size_t i;

	(void)state;
	assert_int_equal(regcomp(&public,
	    "^(EVBUS_API [^(]*[ *])?evbus_([a-z][a-z_]*)\\(", REG_EXTENDED),
	    0);
	for (i = 0; i < sizeof header / sizeof header[0]; i++) {
		(void)snprintf(path, sizeof path, "include/evbus/%s.h",
		    header[i]);
		found += look_through(path, &public);
	}
	regfree(&public);
	if (found == 0)
		skip();		/* not at the top of the tree */
	assert_true(found >= 35);
}

/* ---- Inside a handler, after close, after fork --------------------------- */

struct seen {
	size_t wrong;		/* index + 1 of the first call that differs */
	int64_t result;
	char said[160];
	unsigned runs;
};

static void
note(struct seen *seen, size_t i, int64_t result)
{
	if (seen->wrong != 0)
		return;
	seen->wrong = i + 1;
	seen->result = result;
	(void)snprintf(seen->said, sizeof seen->said, "%s", evbus_errmsg());
}

static void
assert_as_told(const struct seen *seen)
{
	if (seen->wrong != 0)
		fail_msg("evbus_%s is %lld: %s",
		    fixture_calls[seen->wrong - 1].name,
		    (long long)seen->result, seen->said);
}

static enum evbus_verdict
call_everything(const struct evbus_event *event, void *arg)
{
	struct seen *seen = arg;
	int64_t result;
	size_t i;

	(void)event;
	if (seen->runs++ > 0)
		return EVBUS_DONE;
	for (i = 0; i < fixture_calls_count; i++) {
		result = fixture_calls[i].call(&world);
		if (!fixture_call_agrees(result, fixture_calls[i].inside))
			note(seen, i, result);
	}
	return EVBUS_DONE;
}

/* S2: every call has a defined result inside a handler. */
static void
calls_inside_a_handler_do_as_the_table_says_S2(void **state)
{
	struct seen seen = { 0 };

	(void)state;
	fixture_world_open(&world);
	assert_true(evbus_reader_subscribe(world.reader, "world.>",
	    call_everything, &seen, NULL) > 0);
	assert_int_equal(evbus_publish(world.topic, "x", 1), 0);
	assert_int_equal(evbus_poll(world.reader, 1), 1);
	assert_as_told(&seen);
	/* What the handler published has come. */
	assert_true(fixture_drain(world.reader) > 5);
	assert_true(seen.runs > 5);
	fixture_end(world.bus, 0);
}

/* L3: from then on every handle answers ECLOSED. */
static void
calls_after_close_do_as_the_table_says_L3(void **state)
{
	struct seen seen = { 0 };
	int64_t result;
	size_t i;

	(void)state;
	fixture_world_open(&world);
	assert_int_equal(evbus_publish(world.topic, "x", 1), 0);
	assert_int_equal(evbus_poll(world.reader, 1), 1);
	assert_int_equal(evbus_close(world.bus, FIXTURE_LONG, NULL), 0);
	for (i = 0; i < fixture_calls_count; i++) {
		if (fixture_calls[i].closed == FIXTURE_UNSAID)
			continue;
		(void)evbus_commit(NULL, 0);
		result = fixture_calls[i].call(&world);
		if (!fixture_call_agrees(result, fixture_calls[i].closed))
			note(&seen, i, result);
		if (result < 0)
			fixture_refused(result, fixture_calls[i].closed);
	}
	assert_as_told(&seen);
	fixture_free(world.bus);
}

/* S6: in a child of fork every call gives EFORKED, and is harmless. */
static int
child_calls_everything(void)
{
	int64_t result;
	int round;
	size_t i;

	for (round = 0; round < 2; round++)
		for (i = 0; i < fixture_calls_count; i++) {
			result = fixture_calls[i].call(&world);
			if (!fixture_call_agrees(result,
			    fixture_calls[i].forked)) {
				fprintf(stderr, "child: evbus_%s is %lld: "
				    "%s\n", fixture_calls[i].name,
				    (long long)result, evbus_errmsg());
				return 1;
			}
		}
	return 0;
}

static void
calls_after_fork_do_as_the_table_says_S6(void **state)
{
	struct evbus_stream_stats before, after;
	const struct evbus_event *event;
	int status;
	pid_t pid;

	(void)state;
	fixture_world_open(&world);
	assert_int_equal(evbus_publish(world.topic, "before", 6), 0);
	assert_int_equal(evbus_claim(world.topic, 8, 0, &world.claim), 0);
	world.claimed = 1;
	assert_int_equal(evbus_stream_stats(world.stream, &before), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0)
		_exit(child_calls_everything());
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
	assert_int_equal(evbus_stream_stats(world.stream, &after), 0);
	assert_memory_equal(&before, &after, sizeof before);
	/* The parent's claim is still open, and only the parent commits it. */
	memcpy(world.claim.data, "parent's", 8);
	assert_int_equal(evbus_commit(&world.claim, 8), 0);
	event = evbus_next(world.reader);
	assert_non_null(event);
	assert_memory_equal(event->data, "before", 6);
	event = evbus_next(world.reader);
	assert_non_null(event);
	assert_memory_equal(event->data, "parent's", 8);
	assert_null(evbus_next(world.reader));
	fixture_end(world.bus, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(calls_with_null_are_refused_with_a_sentence),
		cmocka_unit_test(calls_of_the_headers_are_all_in_the_tables),
		cmocka_unit_test(
		    calls_inside_a_handler_do_as_the_table_says_S2),
		cmocka_unit_test(calls_after_close_do_as_the_table_says_L3),
		cmocka_unit_test(calls_after_fork_do_as_the_table_says_S6),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
