/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * backpressure.c - what a publisher meets when a stream is full.
 *
 * A lossless reader that lags holds publishers back, since nothing may be lost.
 * Then a publish ends in one of these ways; each negative one means that the
 * event was not published, and each leaves the program running:
 *
 *	EVBUS_EFULL	evbus_try_publish(), or a stream with on_full = fail:
 *			full, and no waiting was asked for
 *	EVBUS_ETIMEDOUT	waited, and the other thread's reader made no room
 *	EVBUS_EDEADLK	the reader that would have to make room is run by the
 *			caller itself: no wait could end
 *	0		room was made in time
 */
#include <pthread.h>
#include <stdio.h>

#include <evbus.h>

#define MILLISECOND INT64_C(1000000)
#define SECOND INT64_C(1000000000)
#define CAPACITY 16u

/* The other thread: opens a reader, and runs it when it is told to. */
struct other {
	struct evbus *bus;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	int opened;
	int go;				/* 1: poll once, 2: leave */
	int result;
};

static int
fail(const char *what, int code)
{
	fprintf(stderr, "backpressure: %s: %s: %s\n", what,
	    evbus_strerror(code), evbus_errmsg());
	return 1;
}

static int
await_go(struct other *other, int go)
{
	pthread_mutex_lock(&other->lock);
	other->opened = 1;
	pthread_cond_broadcast(&other->changed);
	while (other->go < go)
		pthread_cond_wait(&other->changed, &other->lock);
	pthread_mutex_unlock(&other->lock);
	return go;
}

static void
set_go(struct other *other, int go)
{
	pthread_mutex_lock(&other->lock);
	while (!other->opened)
		pthread_cond_wait(&other->changed, &other->lock);
	other->go = go;
	pthread_cond_broadcast(&other->changed);
	pthread_mutex_unlock(&other->lock);
}

static void *
run(void *arg)
{
	struct other *other = arg;
	struct evbus_reader *reader;

	other->result = evbus_reader_open(other->bus, NULL, &reader);
	if (other->result >= 0)
		other->result = evbus_reader_subscribe(reader, "work.*", NULL,
		    NULL, NULL) < 0 ? EVBUS_EINVAL : 0;
	await_go(other, 1);
	if (other->result >= 0)
		other->result = evbus_poll(reader, CAPACITY);
	await_go(other, 2);
	if (other->result >= 0)
		other->result = evbus_reader_close(reader, SECOND);
	return NULL;
}

static int
fill(struct evbus_topic *topic)
{
	int result;

	do
		result = evbus_try_publish(topic, "work", sizeof "work");
	while (result == 0);
	return result;
}

static int
publish(struct evbus_topic *topic, int64_t timeout_ns)
{
	struct evbus_publish_options options = {
		.timeout_ns = timeout_ns,
		.set_timeout = 1
	};

	return evbus_publish_with(topic, "work", sizeof "work", &options);
}

static int
expect(const char *what, int got, int wanted)
{
	printf("%-44s %s\n", what, evbus_errname(got));
	return got == wanted ? 0 : fail(what, got);
}

/* The reader belongs to another thread. */
static int
show_waiting(struct evbus_topic *topic, struct other *other)
{
	pthread_t thread;
	int wrong;

	if (pthread_create(&thread, NULL, run, other) != 0)
		return 1;
	set_go(other, 0);		/* until the reader is there */
	wrong = expect("full, no waiting:", fill(topic), EVBUS_EFULL);
	wrong |= expect("full, the other thread does not poll:",
	    publish(topic, 10 * MILLISECOND), EVBUS_ETIMEDOUT);
	set_go(other, 1);
	wrong |= expect("full, the other thread polls:",
	    publish(topic, 10 * SECOND), 0);
	set_go(other, 2);
	pthread_join(thread, NULL);
	if (other->result < 0)
		return fail("the other thread", other->result);
	return wrong;
}

/* The reader is run by the thread that publishes. */
static int
show_deadlock(struct evbus *bus, struct evbus_topic *topic)
{
	struct evbus_reader *reader;
	int wrong;

	if (evbus_reader_open(bus, NULL, &reader) < 0 ||
	    evbus_reader_subscribe(reader, "work.*", NULL, NULL, NULL) < 0)
		return fail("set up", EVBUS_EINVAL);
	if (evbus_poll(reader, 1) < 0)	/* who polls a reader, runs it */
		return fail("poll", EVBUS_EINVAL);
	wrong = expect("full again, with a reader of our own:", fill(topic),
	    EVBUS_EFULL);
	wrong |= expect("full, and only we could make room:",
	    evbus_publish(topic, "work", sizeof "work"), EVBUS_EDEADLK);
	if (evbus_poll(reader, CAPACITY) <= 0)
		return fail("poll", EVBUS_EINVAL);
	wrong |= expect("we polled:",
	    evbus_publish(topic, "work", sizeof "work"), 0);
	return wrong;
}

int
main(void)
{
	const struct evbus_options options = { .stream.capacity = CAPACITY };
	struct other other = {
		.lock = PTHREAD_MUTEX_INITIALIZER,
		.changed = PTHREAD_COND_INITIALIZER
	};
	struct evbus_topic *topic;
	int wrong, result;

	result = evbus_open(&other.bus, &options);
	if (result >= 0)
		result = evbus_topic_open(other.bus, "work.new", NULL, &topic);
	if (result < 0)
		return fail("set up", result);
	wrong = show_waiting(topic, &other);
	if (!wrong)
		wrong = show_deadlock(other.bus, topic);
	if (wrong)
		return 1;
	result = evbus_close(other.bus, SECOND, NULL);
	if (result >= 0)
		result = evbus_free(other.bus);
	return result < 0 ? fail("close", result) : 0;
}
