/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * race.c - does the thread sanitizer see the orders of atomic.h?
 *
 * One thread fills a payload and stores a stamp, another sees the stamp and
 * reads the payload: the ring in small.  Built with ORDER=RELEASE there must
 * be no report; with ORDER=RELAXED there must be one, and if it does not come,
 * a clean run of the tests says nothing.  CI builds both.
 */
#include <pthread.h>
#include <sched.h>
#include <stdio.h>

#include <evbus/atomic.h>

/* Twice, so that the name is replaced before it is pasted. */
#define STORE(order) EVBUS_STORE(&stamp, 1, order)

static uint64_t payload;
static uint64_t stamp;

static void *
produce(void *unused)
{
	(void)unused;
	payload = 42;
	STORE(ORDER);
	return NULL;
}

int
main(void)
{
	pthread_t producer;

	if (pthread_create(&producer, NULL, produce, NULL) != 0)
		return 2;
	while (EVBUS_LOAD(&stamp, ACQUIRE) == 0)
		sched_yield();
	printf("%d\n", (int)payload);
	pthread_join(producer, NULL);
	return 0;
}
