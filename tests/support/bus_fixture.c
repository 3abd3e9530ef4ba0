/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * bus_fixture.c - see bus_fixture.h.
 */
#include <sched.h>
#include <time.h>

#include "bus_fixture.h"

/* ---- A bus --------------------------------------------------------------- */

static void
must(int64_t result, const char *what)
{
	if (result < 0)
		fail_msg("%s: %s: %s", what, evbus_errname((int)result),
		    evbus_errmsg());
}

struct evbus *
fixture_open(const struct evbus_options *options)
{
	struct evbus *bus = NULL;

	must(evbus_open(&bus, options), "evbus_open");
	assert_non_null(bus);
	return bus;
}

struct evbus *
fixture_open_small(const struct evbus_options *given)
{
	struct evbus_options options = { 0 };

	if (given != NULL)
		options = *given;
	if (options.stream.capacity == 0)
		options.stream.capacity = 64;
	options.ring_memory = 4 << 20;
	options.max_topics = 1024;
	options.max_readers = 64;
	options.max_streams = 16;
	return fixture_open(&options);
}

struct evbus_topic *
fixture_topic(struct evbus *bus, const char *name)
{
	struct evbus_topic *topic = NULL;

	must(evbus_topic_open(bus, name, NULL, &topic), name);
	assert_non_null(topic);
	return topic;
}

struct evbus_reader *
fixture_reader(struct evbus *bus, const struct evbus_reader_options *options)
{
	struct evbus_reader *reader = NULL;

	must(evbus_reader_open(bus, options, &reader), "evbus_reader_open");
	assert_non_null(reader);
	return reader;
}

struct evbus_reader *
fixture_subscribed(struct evbus *bus, const char *pattern,
    evbus_handler handler, void *arg)
{
	struct evbus_reader *reader = fixture_reader(bus, NULL);

	must(evbus_reader_subscribe(reader, pattern, handler, arg, NULL),
	    pattern);
	return reader;
}

static int
is_freed(void *bus)
{
	return evbus_free(bus) == 0;
}

void
fixture_free(struct evbus *bus)
{
	if (!fixture_until(is_freed, bus))
		fail_msg("evbus_free: %s", evbus_errmsg());
}

void
fixture_end(struct evbus *bus, int expected)
{
	int result = evbus_close(bus, FIXTURE_LONG, NULL);

	if (result != expected)
		fail_msg("evbus_close: %s: %s", evbus_errname(result),
		    evbus_errmsg());
	fixture_free(bus);
}

unsigned
fixture_drain(struct evbus_reader *reader)
{
	unsigned passed = 0;
	int n;

	do {
		n = evbus_poll(reader, 64);
		must(n, "evbus_poll");
		passed += (unsigned)n;
	} while (n > 0);
	return passed;
}

void
fixture_refused_at(int64_t result, int code, const char *text,
    const char *file, int line)
{
	const char *said = evbus_errmsg();

	if (result != code)
		fail_msg("%s:%d: %s is %lld, %s, and not %s: %s", file, line,
		    text, (long long)result, evbus_errname((int)result),
		    evbus_errname(code), said);
	if (strlen(said) < 10 || strcmp(said, evbus_strerror(code)) == 0)
		fail_msg("%s:%d: %s left no sentence but \"%s\"", file, line,
		    text, said);
}

void
fixture_says_at(const char *text, const char *file, int line)
{
	if (strstr(evbus_errmsg(), text) == NULL)
		fail_msg("%s:%d: \"%s\" is not in \"%s\"", file, line, text,
		    evbus_errmsg());
}

/* ---- Handlers ------------------------------------------------------------ */

enum evbus_verdict
fixture_count(const struct evbus_event *event, void *arg)
{
	(void)event;
	atomic_fetch_add((atomic_uint *)arg, 1);
	return EVBUS_DONE;
}

void
fixture_hold_init(struct fixture_hold *hold)
{
	memset(hold, 0, sizeof *hold);
	pthread_mutex_init(&hold->lock, NULL);
	pthread_cond_init(&hold->changed, NULL);
}

enum evbus_verdict
fixture_holding(const struct evbus_event *event, void *arg)
{
	struct fixture_hold *hold = arg;

	(void)event;
	pthread_mutex_lock(&hold->lock);
	hold->entered++;
	pthread_cond_broadcast(&hold->changed);
	while (!hold->open)
		pthread_cond_wait(&hold->changed, &hold->lock);
	pthread_mutex_unlock(&hold->lock);
	return EVBUS_DONE;
}

void
fixture_hold_entered(struct fixture_hold *hold)
{
	pthread_mutex_lock(&hold->lock);
	while (hold->entered == 0)
		pthread_cond_wait(&hold->changed, &hold->lock);
	pthread_mutex_unlock(&hold->lock);
}

void
fixture_hold_open(struct fixture_hold *hold)
{
	pthread_mutex_lock(&hold->lock);
	hold->open = 1;
	pthread_cond_broadcast(&hold->changed);
	pthread_mutex_unlock(&hold->lock);
}

/* ---- Threads ------------------------------------------------------------- */

static void *
thread_body(void *arg)
{
	struct fixture_thread *thread = arg;

	thread->body(thread);
	return NULL;
}

void
fixture_start(struct fixture_thread *thread,
    void (*body)(struct fixture_thread *), void *arg)
{
	memset(thread, 0, sizeof *thread);
	thread->body = body;
	thread->arg = arg;
	assert_int_equal(pthread_create(&thread->thread, NULL, thread_body,
	    thread), 0);
}

void
fixture_join(struct fixture_thread *thread)
{
	assert_int_equal(pthread_join(thread->thread, NULL), 0);
	if (thread->failure[0] != '\0')
		fail_msg("in a thread: %s", thread->failure);
}

int
fixture_check_at(struct fixture_thread *thread, int holds, const char *text,
    const char *file, int line)
{
	if (!holds && thread->failure[0] == '\0')
		(void)snprintf(thread->failure, sizeof thread->failure,
		    "%s:%d: %s; last refusal: %.100s", file, line, text,
		    evbus_errmsg());
	return holds;
}

static int64_t
now(void)
{
	struct timespec at;

	clock_gettime(CLOCK_MONOTONIC, &at);
	return (int64_t)at.tv_sec * FIXTURE_SECOND + (int64_t)at.tv_nsec;
}

int
fixture_until(int (*holds)(void *), void *arg)
{
	int64_t end = now() + FIXTURE_LONG;

	while (!holds(arg)) {
		if (now() > end)
			return 0;
		sched_yield();
	}
	return 1;
}

struct wanted {
	atomic_uint *counter;
	const struct evbus_stream *stream;
	const struct evbus_reader *reader;
	uint64_t at_least;
};

static int
has_counted(void *arg)
{
	const struct wanted *wanted = arg;

	return atomic_load(wanted->counter) >= wanted->at_least;
}

int
fixture_until_count(atomic_uint *counter, unsigned at_least)
{
	struct wanted wanted = { .counter = counter, .at_least = at_least };

	return fixture_until(has_counted, &wanted);
}

static int
is_waiting(void *arg)
{
	const struct wanted *wanted = arg;
	struct evbus_stream_stats stats;

	return evbus_stream_stats(wanted->stream, &stats) == 0 &&
	    stats.waiting >= wanted->at_least;
}

int
fixture_until_waiting(const struct evbus_stream *stream, unsigned publishers)
{
	struct wanted wanted = { .stream = stream, .at_least = publishers };

	return fixture_until(is_waiting, &wanted);
}

static int
is_parked(void *arg)
{
	const struct wanted *wanted = arg;
	struct evbus_reader_stats stats;

	return evbus_reader_stats(wanted->reader, &stats) == 0 &&
	    stats.parks > wanted->at_least;
}

int
fixture_until_parked(const struct evbus_reader *reader, uint64_t parks)
{
	struct wanted wanted = { .reader = reader, .at_least = parks };

	return fixture_until(is_parked, &wanted);
}

static void *
do_nothing(void *arg)
{
	return arg;
}

/* A sanitizer may start a thread of its own with the first one. */
static void
start_the_first_thread(void)
{
	pthread_t thread;

	if (pthread_create(&thread, NULL, do_nothing, NULL) == 0)
		(void)pthread_join(thread, NULL);
}

static unsigned
count_threads(void)
{
	char line[256];
	unsigned threads = 0;
	FILE *file = fopen("/proc/self/status", "r");

	while (file != NULL && fgets(line, sizeof line, file) != NULL)
		if (sscanf(line, "Threads: %u", &threads) == 1)
			break;
	if (file != NULL)
		(void)fclose(file);
	return threads;
}

static int
has_settled(void *arg)
{
	unsigned *seen = arg, now_seen = count_threads();

	if (seen[0] == now_seen)
		return ++seen[1] > 100;
	seen[0] = now_seen;
	seen[1] = 0;
	return 0;
}

unsigned
fixture_threads(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	static int settled;
	unsigned seen[2] = { 0, 0 };

	(void)pthread_once(&once, start_the_first_thread);
	if (!settled++)
		(void)fixture_until(has_settled, seen);
	return count_threads();
}

static int
are_threads(void *arg)
{
	return fixture_threads() == *(unsigned *)arg;
}

int
fixture_until_threads(unsigned threads)
{
	return fixture_until(are_threads, &threads);
}

/* ---- All calls ----------------------------------------------------------- */

static const char *
fresh_name(struct fixture_world *world, char name[32])
{
	(void)snprintf(name, 32, "fresh.n%u", ++world->names);
	return name;
}

static int64_t
pointer(const void *p)
{
	return p == NULL ? FIXTURE_NOTHING : FIXTURE_SOMETHING;
}

static int64_t
text(const char *p)
{
	return p == NULL || p[0] == '\0' || strcmp(p, "?") == 0 ?
	    FIXTURE_NOTHING : FIXTURE_SOMETHING;
}

static int64_t
call_flush(struct fixture_world *world)
{
	return evbus_flush(world->bus, 0);
}

static int64_t
call_close(struct fixture_world *world)
{
	struct evbus_report report;

	return evbus_close(world->bus, 0, &report);
}

static int64_t
call_free(struct fixture_world *world)
{
	return evbus_free(world->bus);
}

static int64_t
call_stream_open(struct fixture_world *world)
{
	struct evbus_stream_options options = { .capacity = 4 };
	struct evbus_stream *stream;
	char name[32];

	return evbus_stream_open(world->bus, fresh_name(world, name), &options,
	    &stream);
}

static int64_t
call_stream_default(struct fixture_world *world)
{
	return pointer(evbus_stream_default(world->bus));
}

static int64_t
call_stream_stats(struct fixture_world *world)
{
	struct evbus_stream_stats stats;

	return evbus_stream_stats(world->stream, &stats);
}

static int64_t
call_topic_open(struct fixture_world *world)
{
	struct evbus_topic *topic;
	char name[32];

	return evbus_topic_open(world->bus, fresh_name(world, name), NULL,
	    &topic);
}

static int64_t
call_topic_open_old(struct fixture_world *world)
{
	struct evbus_topic *topic;

	return evbus_topic_open(world->bus, "world.topic", NULL, &topic);
}

static int64_t
call_topic_name(struct fixture_world *world)
{
	return text(evbus_topic_name(world->topic));
}

static int64_t
call_topic_valid(struct fixture_world *world)
{
	(void)world;
	return evbus_topic_valid("a.b") == 1 ? 0 : EVBUS_EINVAL;
}

static int64_t
call_pattern_valid(struct fixture_world *world)
{
	(void)world;
	return evbus_pattern_valid("a.*") == 1 ? 0 : EVBUS_EINVAL;
}

static int64_t
call_topic_match(struct fixture_world *world)
{
	(void)world;
	return evbus_topic_match("a.*", "a.b") == 1 ? 0 : EVBUS_EINVAL;
}

static int64_t
call_publish(struct fixture_world *world)
{
	return evbus_publish(world->topic, "x", 1);
}

static int64_t
call_publish_large(struct fixture_world *world)
{
	static const char large[500];

	return evbus_publish(world->topic, large, sizeof large);
}

static int64_t
call_try_publish(struct fixture_world *world)
{
	return evbus_try_publish(world->topic, "x", 1);
}

static int64_t
call_publish_at(struct fixture_world *world)
{
	int64_t now = evbus_clock_now(world->bus);

	return evbus_publish_at(world->topic, "x", 1, FIXTURE_LONG +
	    (now > 0 ? now : 0));
}

static int64_t
call_publish_after(struct fixture_world *world)
{
	return evbus_publish_after(world->topic, "x", 1, FIXTURE_LONG);
}

static int64_t
call_publish_every(struct fixture_world *world)
{
	return evbus_publish_every(world->topic, "x", 1, FIXTURE_LONG);
}

static int64_t
call_timer_cancel(struct fixture_world *world)
{
	int64_t id = call_publish_after(world);

	return evbus_timer_cancel(world->bus, id > 0 ? id : 1);
}

static int64_t
call_timer_stats(struct fixture_world *world)
{
	struct evbus_timer_stats stats;

	return evbus_timer_stats(world->bus, &stats);
}

static int64_t
call_clock_now(struct fixture_world *world)
{
	return evbus_clock_now(world->bus);
}

static int64_t
call_clock_changed(struct fixture_world *world)
{
	return evbus_clock_changed(world->bus);
}

static int64_t
call_publish_batch(struct fixture_world *world)
{
	char a[] = "a", b[] = "b";
	struct iovec batch[2] = { { a, 1 }, { b, 1 } };

	return evbus_publish_batch(world->topic, batch, 2);
}

static int64_t
call_publish_with(struct fixture_world *world)
{
	struct evbus_publish_options options = { .set_timeout = 1 };

	return evbus_publish_with(world->topic, "x", 1, &options);
}

static int64_t
call_publish_name(struct fixture_world *world)
{
	return evbus_publish_name(world->bus, "world.topic", "x", 1);
}

static int64_t
call_claim(struct fixture_world *world)
{
	struct evbus_claim claim;
	int result = evbus_claim(world->topic, 8, 0, &claim);

	if (result == 0)
		evbus_abort(&claim);
	return result;
}

static int64_t
call_commit(struct fixture_world *world)
{
	struct evbus_claim claim = world->claim;
	int result = 0;

	if (!world->claimed)
		result = evbus_claim(world->topic, 8, 0, &claim);
	if (result == 0)
		memset(claim.data, 7, 8);
	return result != 0 ? result : evbus_commit(&claim, 8);
}

static int64_t
call_abort(struct fixture_world *world)
{
	struct evbus_claim claim = world->claim;

	if (world->claimed || evbus_claim(world->topic, 8, 0, &claim) == 0)
		evbus_abort(&claim);
	return FIXTURE_NOTHING;
}

static int64_t
call_subscribe(struct fixture_world *world)
{
	static atomic_uint count;

	return evbus_subscribe(world->bus, "elsewhere", fixture_count, &count,
	    NULL);
}

static int64_t
call_reader_subscribe(struct fixture_world *world)
{
	static atomic_uint count;

	return evbus_reader_subscribe(world->reader, "elsewhere",
	    fixture_count, &count, NULL);
}

static int64_t
call_unsubscribe(struct fixture_world *world)
{
	static atomic_uint count;
	int64_t id = evbus_reader_subscribe(world->reader, "elsewhere",
	    fixture_count, &count, NULL);

	return evbus_unsubscribe(world->bus, id > 0 ? id :
	    world->subscription, 0);
}

static int64_t
call_reader_open(struct fixture_world *world)
{
	struct evbus_reader *reader;
	int result = evbus_reader_open(world->bus, NULL, &reader);

	return result != 0 ? result : evbus_reader_close(reader, 0);
}

static int64_t
call_reader_close(struct fixture_world *world)
{
	struct evbus_reader *reader;

	if (evbus_reader_open(world->bus, NULL, &reader) != 0)
		reader = world->reader;
	return evbus_reader_close(reader, 0);
}

static int64_t
call_reader_stats(struct fixture_world *world)
{
	struct evbus_reader_stats stats;

	return evbus_reader_stats(world->reader, &stats);
}

static int64_t
call_reader_position(struct fixture_world *world)
{
	uint64_t sequence;

	return evbus_reader_position(world->reader, world->stream, &sequence);
}

/* There is none of that name. */
static int64_t
call_group_stats(struct fixture_world *world)
{
	struct evbus_group_stats stats;
	int result = evbus_group_stats(world->bus, "none", &stats);

	return result == EVBUS_ENOENT ? 0 : result;
}

static int64_t
call_group_end(struct fixture_world *world)
{
	int result = evbus_group_end(world->bus, "none", NULL);

	return result == EVBUS_ENOENT ? 0 : result;
}

static int64_t
call_poll(struct fixture_world *world)
{
	return evbus_poll(world->reader, 1);
}

static int64_t
call_next(struct fixture_world *world)
{
	return pointer(evbus_next(world->reader));
}

static int64_t
call_done(struct fixture_world *world)
{
	evbus_done(world->reader);
	return FIXTURE_NOTHING;
}

static int64_t
call_wait(struct fixture_world *world)
{
	return evbus_wait(world->reader, 0);
}

static int64_t
call_wait_long(struct fixture_world *world)
{
	return evbus_wait(world->reader, EVBUS_FOREVER);
}

/* Of its own: who watches one does not wait for it otherwise. */
static int64_t
call_reader_fd(struct fixture_world *world)
{
	struct evbus_reader *reader;
	int result;

	if (evbus_reader_open(world->bus, NULL, &reader) != 0)
		return evbus_reader_fd(world->reader);
	result = evbus_reader_fd(reader);
	(void)evbus_reader_close(reader, 0);
	return result;
}

static int64_t
call_worker_open(struct fixture_world *world)
{
	return evbus_worker_open(world->bus, "worker", NULL);
}

static int64_t
call_worker_close(struct fixture_world *world)
{
	char name[16];

	(void)snprintf(name, sizeof name, "w%u", world->names++);
	(void)evbus_worker_open(world->bus, name, NULL);
	return evbus_worker_close(world->bus, name, FIXTURE_LONG);
}

static int64_t
call_fd(struct fixture_world *world)
{
	return evbus_fd(world->bus);
}

static int64_t
call_timeout_ns(struct fixture_world *world)
{
	return evbus_timeout_ns(world->bus);
}

static int64_t
call_run_once(struct fixture_world *world)
{
	return evbus_run_once(world->bus, 1);
}

static int64_t
call_strerror(struct fixture_world *world)
{
	(void)world;
	return text(evbus_strerror(EVBUS_EFULL));
}

static int64_t
call_errname(struct fixture_world *world)
{
	(void)world;
	return text(evbus_errname(EVBUS_EFULL));
}

static int64_t
call_errmsg(struct fixture_world *world)
{
	(void)world;
	(void)evbus_topic_open(NULL, NULL, NULL, NULL);
	return text(evbus_errmsg());
}

static int64_t
call_publisher_name(struct fixture_world *world)
{
	return text(evbus_publisher_name(world->bus, 1));
}

static int64_t
call_publisher_set_name(struct fixture_world *world)
{
	return evbus_publisher_set_name(world->bus, "named");
}

static int64_t
call_open(struct fixture_world *world)
{
	struct evbus_options options = {
		.stream = { .capacity = 4, .max_payload = 32 },
		.max_topics = 4, .max_readers = 4, .max_publishers = 4,
		.max_streams = 2,
	};
	struct evbus *other;
	int result = evbus_open(&other, &options);

	(void)world;
	if (result == 0)
		result = evbus_close(other, 0, NULL);
	return result != 0 ? result : evbus_free(other);
}

#define ALWAYS(name, result) { #name, call_##name, result, result, result }

const struct fixture_call fixture_calls[] = {
	ALWAYS(open, FIXTURE_YES),
	{ "flush", call_flush, EVBUS_EDEADLK, EVBUS_ECLOSED, EVBUS_EFORKED },
	{ "close", call_close, EVBUS_EDEADLK, EVBUS_ECLOSED, EVBUS_EFORKED },
	/* A free that succeeds is another test's. */
	{ "free", call_free, EVBUS_EBUSY, FIXTURE_UNSAID, EVBUS_EFORKED },
	{ "stream_open", call_stream_open, FIXTURE_YES, EVBUS_ECLOSED,
	    EVBUS_EFORKED },
	ALWAYS(stream_default, FIXTURE_SOMETHING),
	{ "stream_stats", call_stream_stats, FIXTURE_YES, FIXTURE_YES,
	    EVBUS_EFORKED },
	{ "topic_open", call_topic_open, FIXTURE_YES, EVBUS_ECLOSED,
	    EVBUS_EFORKED },
	{ "topic_open", call_topic_open_old, FIXTURE_YES, EVBUS_ECLOSED,
	    EVBUS_EFORKED },
	{ "topic_name", call_topic_name, FIXTURE_SOMETHING, FIXTURE_SOMETHING,
	    FIXTURE_NOTHING },
	ALWAYS(topic_valid, FIXTURE_YES),
	ALWAYS(pattern_valid, FIXTURE_YES),
	ALWAYS(topic_match, FIXTURE_YES),
	{ "publish", call_publish, FIXTURE_YES, EVBUS_ECLOSED, EVBUS_EFORKED },
	{ "publish", call_publish_large, FIXTURE_YES, EVBUS_ECLOSED,
	    EVBUS_EFORKED },
	{ "try_publish", call_try_publish, FIXTURE_YES, EVBUS_ECLOSED,
	    EVBUS_EFORKED },
	{ "publish_batch", call_publish_batch, FIXTURE_YES, EVBUS_ECLOSED,
	    EVBUS_EFORKED },
	{ "publish_with", call_publish_with, FIXTURE_YES, EVBUS_ECLOSED,
	    EVBUS_EFORKED },
	{ "publish_name", call_publish_name, FIXTURE_YES, EVBUS_ECLOSED,
	    EVBUS_EFORKED },
	{ "publish_at", call_publish_at, FIXTURE_YES, EVBUS_ECLOSED,
	    EVBUS_EFORKED },
	{ "publish_after", call_publish_after, FIXTURE_YES, EVBUS_ECLOSED,
	    EVBUS_EFORKED },
	{ "publish_every", call_publish_every, FIXTURE_YES, EVBUS_ECLOSED,
	    EVBUS_EFORKED },
	{ "timer_cancel", call_timer_cancel, FIXTURE_YES, EVBUS_ECLOSED,
	    EVBUS_EFORKED },
	{ "timer_stats", call_timer_stats, FIXTURE_YES, FIXTURE_YES,
	    EVBUS_EFORKED },
	{ "clock_now", call_clock_now, FIXTURE_YES, FIXTURE_YES,
	    EVBUS_EFORKED },
	{ "clock_changed", call_clock_changed, FIXTURE_YES, EVBUS_ECLOSED,
	    EVBUS_EFORKED },
	{ "claim", call_claim, FIXTURE_YES, EVBUS_ECLOSED, EVBUS_EFORKED },
	{ "commit", call_commit, FIXTURE_YES, EVBUS_ECLOSED, EVBUS_EFORKED },
	ALWAYS(abort, FIXTURE_NOTHING),
	{ "subscribe", call_subscribe, FIXTURE_YES, EVBUS_ECLOSED,
	    EVBUS_EFORKED },
	{ "reader_subscribe", call_reader_subscribe, FIXTURE_YES,
	    EVBUS_ECLOSED, EVBUS_EFORKED },
	{ "unsubscribe", call_unsubscribe, FIXTURE_YES, EVBUS_ECLOSED,
	    EVBUS_EFORKED },
	{ "reader_open", call_reader_open, FIXTURE_YES, EVBUS_ECLOSED,
	    EVBUS_EFORKED },
	{ "reader_close", call_reader_close, FIXTURE_YES, EVBUS_ECLOSED,
	    EVBUS_EFORKED },
	{ "reader_stats", call_reader_stats, FIXTURE_YES, EVBUS_ECLOSED,
	    EVBUS_EFORKED },
	{ "reader_position", call_reader_position, FIXTURE_YES, EVBUS_ENOENT,
	    EVBUS_EFORKED },
	{ "group_stats", call_group_stats, FIXTURE_YES, EVBUS_ECLOSED,
	    EVBUS_EFORKED },
	{ "group_end", call_group_end, FIXTURE_YES, EVBUS_ECLOSED,
	    EVBUS_EFORKED },
	{ "poll", call_poll, EVBUS_EDEADLK, EVBUS_ECLOSED, EVBUS_EFORKED },
	ALWAYS(next, FIXTURE_NOTHING),
	ALWAYS(done, FIXTURE_NOTHING),
	{ "wait", call_wait, EVBUS_EDEADLK, EVBUS_ECLOSED, EVBUS_EFORKED },
	{ "wait", call_wait_long, EVBUS_EDEADLK, EVBUS_ECLOSED,
	    EVBUS_EFORKED },
	{ "reader_fd", call_reader_fd, FIXTURE_YES, EVBUS_ECLOSED,
	    EVBUS_EFORKED },
	{ "worker_open", call_worker_open, FIXTURE_YES, EVBUS_ECLOSED,
	    EVBUS_EFORKED },
	{ "worker_close", call_worker_close, FIXTURE_YES, EVBUS_ECLOSED,
	    EVBUS_EFORKED },
	/* Of a bus with own_loop: test_loop.c. */
	{ "fd", call_fd, FIXTURE_UNSAID, EVBUS_ECLOSED, EVBUS_EFORKED },
	ALWAYS(timeout_ns, FIXTURE_YES),
	{ "run_once", call_run_once, EVBUS_EDEADLK, EVBUS_ECLOSED,
	    EVBUS_EFORKED },
	ALWAYS(strerror, FIXTURE_SOMETHING),
	ALWAYS(errname, FIXTURE_SOMETHING),
	ALWAYS(errmsg, FIXTURE_SOMETHING),
	{ "publisher_name", call_publisher_name, FIXTURE_SOMETHING,
	    FIXTURE_SOMETHING, FIXTURE_NOTHING },
	{ "publisher_set_name", call_publisher_set_name, FIXTURE_YES,
	    EVBUS_ECLOSED, EVBUS_EFORKED },
};
const size_t fixture_calls_count = sizeof fixture_calls /
    sizeof fixture_calls[0];

void
fixture_world_open(struct fixture_world *world)
{
	struct evbus_options options = { .stream = { .capacity = 1024 } };

	memset(world, 0, sizeof *world);
	world->bus = fixture_open(&options);
	world->stream = evbus_stream_default(world->bus);
	world->topic = fixture_topic(world->bus, "world.topic");
	world->reader = fixture_reader(world->bus, NULL);
	world->subscription = evbus_reader_subscribe(world->reader,
	    "world.>", NULL, NULL, NULL);
	assert_true(world->subscription > 0);
}

int
fixture_call_agrees(int64_t result, int expected)
{
	if (expected == FIXTURE_UNSAID)
		return 1;
	if (expected == FIXTURE_YES)
		return result >= 0;
	return result == expected;
}
