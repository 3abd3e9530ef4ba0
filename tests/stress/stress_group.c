/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * stress_group.c - why: members of a SHARED group come and go by hundreds while
 * two producers publish, and every event is accounted for exactly (D3): each was
 * handled once.  Members leave by being closed, with an event in hand or
 * without, by the end of their thread, and by its end inside the handler; and a
 * flush now and then.
 */
#include <stdio.h>
#include <stdlib.h>

#include <evbus.h>

#include "event_check.h"
#include "stress/limit.h"

#define PRODUCERS	2u
#define MEMBERS		3u
#define EVENTS		(UINT64_C(1) << 22)	/* of a producer, at most */
#define SECOND		INT64_C(1000000000)

static struct evbus *bus;
static struct evbus_topic *topic;
static int64_t until;
static unsigned char *times[PRODUCERS];	/* handled, by number; atomic */
static uint64_t published[PRODUCERS];
static uint64_t left_how[4];		/* by way of leaving; atomic */
static unsigned over;			/* atomic: members end */
static unsigned failures;		/* atomic */

static void
failed(const char *what)
{
	(void)printf("FAILED %s: %s\n", what, evbus_errmsg());
	__atomic_add_fetch(&failures, 1, __ATOMIC_RELAXED);
}

struct member {
	struct evbus_reader *reader;
	uint64_t seed;
	unsigned how;		/* it leaves */
	unsigned after;		/* so many events */
	unsigned handled;
};

static enum evbus_verdict
on_event(const struct evbus_event *event, void *arg)
{
	const uint64_t *word = event->data;
	struct member *member = arg;

	if (event->size != 16 && event->size != 256)
		failed("size");
	if (word[0] != ~word[event->size / 8 - 1])
		failed("torn");
	if (member->how == 3 && member->handled == member->after)
		pthread_exit(NULL);
	member->handled++;
	__atomic_add_fetch(&times[word[0] >> 32][(uint32_t)word[0]], 1,
	    __ATOMIC_RELAXED);
	return EVBUS_DONE;
}

static void
join_group(struct member *member)
{
	struct evbus_reader_options options = { .group = "g",
	    .keep_group = 1 };

	if (evbus_reader_open(bus, &options, &member->reader) != 0 ||
	    evbus_reader_subscribe(member->reader, "a", on_event, member,
	    NULL) < 0)
		failed("join");
}

static void *
be_member(void *arg)
{
	struct member *member = arg;

	while (!__atomic_load_n(&over, __ATOMIC_RELAXED)) {
		if (evbus_poll(member->reader,
		    1 + (unsigned)event_random(&member->seed) % 32) == 0)
			(void)evbus_wait(member->reader, 1000000);
		if (member->handled >= member->after)
			break;
	}
	/* One more is in hand, and is never done. */
	if (member->how == 1 || member->how == 2)
		(void)evbus_next(member->reader);
	if (member->how < 2 &&
	    evbus_reader_close(member->reader, 10 * SECOND) != 0)
		failed("close");
	return NULL;
}

/* One member after the other. */
static void *
come_and_go(void *arg)
{
	struct member member;
	uint64_t seed = *(uint64_t *)arg;

	while (!__atomic_load_n(&over, __ATOMIC_RELAXED)) {
		member = (struct member){ .seed = event_random(&seed),
		    .how = (unsigned)event_random(&seed) % 4,
		    .after = 1 + (unsigned)event_random(&seed) % 2000 };
		join_group(&member);
		event_join(event_thread(be_member, &member));
		if (member.how >= 2 &&
		    evbus_reader_close(member.reader, 10 * SECOND) != 0)
			failed("close of another's");
		__atomic_add_fetch(&left_how[member.how], 1,
		    __ATOMIC_RELAXED);
	}
	return NULL;
}

static void *
produce(void *arg)
{
	uint64_t number = *(uint64_t *)arg, n, word[32];
	size_t size;
	unsigned i;

	for (n = 0; n < EVENTS && stress_now() < until; n++) {
		for (i = 0; i < 32; i++)
			word[i] = number << 32 | n;
		size = n % 16 == 0 ? 256 : 16;
		word[size / 8 - 1] = ~word[0];
		if (evbus_publish(topic, word, size) != 0) {
			failed("publish");
			break;
		}
		if (n % 4096 == 0 && evbus_flush(bus, 30 * SECOND) != 0)
			failed("flush");
	}
	published[number] = n;
	return NULL;
}

static void
account(void)
{
	struct member last = { .after = UINT32_MAX };
	struct evbus_group_stats stats = { 0 };
	uint64_t all = 0, n;
	unsigned i;

	join_group(&last);
	while (evbus_poll(last.reader, 64) > 0)
		continue;
	if (evbus_group_stats(bus, "g", &stats) != 0)
		failed("stats");
	for (i = 0; i < PRODUCERS; i++) {
		all += published[i];
		for (n = 0; n < published[i]; n++)
			if (times[i][n] != 1) {
				(void)printf("FAILED event %llu of producer %u"
				    " was handled %u times\n",
				    (unsigned long long)n, i, times[i][n]);
				failures++;
				break;
			}
	}
	if (stats.delivered != all || stats.claimed != all ||
	    stats.in_hand != 0 || stats.left != 0)
		failed("the group's counters");
	(void)printf("group: %llu events, %llu handed over; members that left: "
	    "closed %llu, with an event %llu, by their thread's end %llu, in "
	    "the handler %llu\n", (unsigned long long)all,
	    (unsigned long long)stats.redelivered,
	    (unsigned long long)left_how[0], (unsigned long long)left_how[1],
	    (unsigned long long)left_how[2], (unsigned long long)left_how[3]);
}

int
main(void)
{
	struct evbus_options options = { .stream = { .capacity = 256,
	    .max_payload = 256, .pool_blocks = 64,
	    .timeout_ns = 30 * SECOND } };
	pthread_t member[MEMBERS], producer[PRODUCERS];
	uint64_t seed[MEMBERS], number[PRODUCERS], first = event_seed();
	unsigned i;

	until = stress_until();
	if (evbus_open(&bus, &options) != 0 ||
	    evbus_topic_open(bus, "a", NULL, &topic) != 0)
		return 1;
	for (i = 0; i < PRODUCERS; i++)
		times[i] = calloc(EVENTS, 1);
	for (i = 0; i < MEMBERS; i++) {
		seed[i] = first + i;
		member[i] = event_thread(come_and_go, &seed[i]);
	}
	for (i = 0; i < PRODUCERS; i++) {
		number[i] = i;
		producer[i] = event_thread(produce, &number[i]);
	}
	for (i = 0; i < PRODUCERS; i++)
		event_join(producer[i]);
	__atomic_store_n(&over, 1, __ATOMIC_RELAXED);
	for (i = 0; i < MEMBERS; i++)
		event_join(member[i]);
	account();
	if (evbus_close(bus, 30 * SECOND, NULL) != 0 || evbus_free(bus) != 0)
		failed("close of the bus");
	for (i = 0; i < PRODUCERS; i++)
		free(times[i]);
	return failures != 0;
}
