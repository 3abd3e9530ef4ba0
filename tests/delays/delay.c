/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * delay.c - what EVBUS__DELAY() does in the build with delays (DELAYS=1).
 *
 * Races hide in gaps of a few nanoseconds.  At each point of the library a
 * thread may be held up: it yields, spins for up to 50 microseconds, sleeps for
 * up to 200, rarely for 5 milliseconds.  Which it is comes from a generator of
 * its own that starts from EVBUS_DELAY_SEED.  The seed also says how often each
 * point delays: never, rarely or often; so each seed asks other questions, and
 * a point that is slow meets others that are quick.
 *
 * With EVBUS_DELAY_LOG, a file, the points that were reached are added to it at
 * exit: a point that no program comes to would be no test.
 */
#include <errno.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <evbus/base.h>

#define POINTS		256u	/* a power of two, more than there are */
#define SPIN_NS		50000u
#define SLEEP_NS	200000u
#define LONG_NS		5000000u

static uint64_t seed;
static uint64_t threads;	/* atomic: that came to a point */
static const char *reached[POINTS];	/* atomic, by hash */
static __thread uint64_t state;

static uint64_t
mix(uint64_t x)
{
	x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
	return x ^ x >> 31;
}

static uint64_t
hash(const char *text)
{
	uint64_t h = UINT64_C(0xcbf29ce484222325);

	for (; *text != '\0'; text++)
		h = (h ^ (unsigned char)*text) * UINT64_C(0x100000001b3);
	return mix(h);
}

static uint64_t
next(void)
{
	if (state == 0)
		state = mix(seed + __atomic_add_fetch(&threads, 1,
		    __ATOMIC_RELAXED) * UINT64_C(0x9e3779b97f4a7c15)) | 1;
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return mix(state);
}

/* Not the library's clock, which a test may have stopped. */
static uint64_t
now(void)
{
	struct timespec t;

	(void)syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void
spin(uint64_t ns)
{
	uint64_t until = now() + ns;

	while (now() < until)
		;
}

static void
doze(uint64_t ns)
{
	struct timespec t = { 0, (long)ns };

	(void)syscall(SYS_nanosleep, &t, NULL);
}

/* One in so many delays at this point; 0: none does. */
static uint64_t
rarity(uint64_t point)
{
	static const uint64_t one_in[] = { 0, 4096, 256, 16 };

	return one_in[mix(point ^ seed) % 4];
}

static void
note(const char *point, uint64_t h)
{
	const char *seen;
	unsigned i;

	for (i = 0; i < POINTS; i++) {
		seen = __atomic_load_n(&reached[(h + i) % POINTS],
		    __ATOMIC_RELAXED);
		if (seen == point)
			return;
		if (seen == NULL || strcmp(seen, point) == 0)
			break;
	}
	__atomic_store_n(&reached[(h + i) % POINTS], point, __ATOMIC_RELAXED);
}

void
evbus__delay(const char *point)
{
	uint64_t h = hash(point), one_in = rarity(h), dice = next();
	int saved = errno;

	note(point, h);
	if (one_in == 0 || dice % one_in != 0)
		return;
	dice = next();
	if (dice % 256 == 0)
		doze(LONG_NS);
	else if (dice % 10 == 0)
		doze((dice >> 16) % SLEEP_NS);
	else if (dice % 10 < 5)
		spin(1000 + (dice >> 16) % (SPIN_NS - 1000));
	else
		(void)sched_yield();
	errno = saved;
}

static void __attribute__((__constructor__))
begin(void)
{
	const char *text = getenv("EVBUS_DELAY_SEED");

	seed = text != NULL ? strtoull(text, NULL, 0) : now();
	(void)fprintf(stderr, "delays: EVBUS_DELAY_SEED=%llu\n",
	    (unsigned long long)seed);
}

static void __attribute__((__destructor__))
end(void)
{
	const char *path = getenv("EVBUS_DELAY_LOG");
	FILE *file = path == NULL ? NULL : fopen(path, "a");
	unsigned i;

	if (file == NULL)
		return;
	for (i = 0; i < POINTS; i++)
		if (reached[i] != NULL)
			(void)fprintf(file, "%s\n", reached[i]);
	(void)fclose(file);
}
