/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_space.c - why: beside memory a bus takes address space: for its mapping,
 * the table of topics, and one table per reader.  Each of these reservations is
 * refused in turn, by a limit that rises step by step; a refusal says so, and
 * takes nothing.
 */
#include <sys/resource.h>
#include <unistd.h>

#include "bus_fixture.h"

#define STEP ((rlim_t)2 << 20)
#define STEPS_MAX 200

/* Address space in use, in bytes. */
static rlim_t
space_used(void)
{
	unsigned long pages = 0;
	FILE *file = fopen("/proc/self/statm", "r");

	assert_non_null(file);
	assert_int_equal(fscanf(file, "%lu", &pages), 1);
	(void)fclose(file);
	return (rlim_t)pages * (rlim_t)sysconf(_SC_PAGESIZE);
}

/* With this much space left: what `call` says. */
static int
call_with(rlim_t left, int (*call)(void *), void *arg)
{
	struct rlimit before, limit;
	int result;

	assert_int_equal(getrlimit(RLIMIT_AS, &before), 0);
	limit = before;
	limit.rlim_cur = space_used() + left;
	assert_int_equal(setrlimit(RLIMIT_AS, &limit), 0);
	result = call(arg);
	assert_int_equal(setrlimit(RLIMIT_AS, &before), 0);
	return result;
}

struct space {
	struct evbus_options options;
	struct evbus *bus;
	struct evbus_reader_options reader_options;
	struct evbus_reader *reader;
};

static int
open_bus(void *arg)
{
	struct space *space = arg;

	return evbus_open(&space->bus, &space->options);
}

static int
open_reader(void *arg)
{
	struct space *space = arg;

	return evbus_reader_open(space->bus, &space->reader_options,
	    &space->reader);
}

/* Refused until there is room; how often.  What is taken is not kept. */
static unsigned
refused_until_room(int (*call)(void *), struct space *space)
{
	rlim_t used = space_used();
	unsigned i;
	int result = -1;

	for (i = 0; i < STEPS_MAX; i++) {
		result = call_with(i * STEP, call, space);
		if (result == 0)
			break;
		if (result != EVBUS_ENOMEM && result != EVBUS_ESYSTEM)
			fail_msg("step %u: %s", i, evbus_errname(result));
		if (strstr(evbus_errmsg(), "space") == NULL &&
		    strstr(evbus_errmsg(), "thread") == NULL)
			fail_msg("step %u: %s", i, evbus_errmsg());
		assert_in_range(space_used(), 0, used + STEP);
	}
	assert_int_equal(result, 0);
	return i;
}

static void
set_up(struct space *space)
{
	memset(space, 0, sizeof *space);
	/* Topics take 8 MiB of space a table, as each reader does. */
	space->options.max_topics = 1u << 20;
	space->options.ring_memory = 8u << 20;
	space->options.max_readers = 4;
}

static void
skip_with_a_sanitizer(void)
{
	const char *sanitize = getenv("EVBUS_SANITIZE");

	/* It takes terabytes of address space for itself. */
	if (sanitize != NULL && sanitize[0] != '\0')
		skip();
}

static void
open_without_address_space_is_refused_and_takes_nothing(void **state)
{
	struct space space;

	(void)state;
	skip_with_a_sanitizer();
	set_up(&space);
	/* The mapping, and then the table of topics, are several steps. */
	assert_in_range(refused_until_room(open_bus, &space), 8, STEPS_MAX);
	assert_int_equal(evbus_publish(fixture_topic(space.bus, "a"), "x", 1),
	    0);
	fixture_end(space.bus, 0);
}

static void
reader_without_address_space_is_refused_and_the_next_one_works(void **state)
{
	const char *worker[2] = { NULL, "w" };
	struct evbus_reader *reader[2];
	struct space space;
	atomic_uint count = 0;
	int i;

	(void)state;
	skip_with_a_sanitizer();
	set_up(&space);
	assert_int_equal(open_bus(&space), 0);
	for (i = 0; i < 2; i++) {
		space.reader_options.worker = worker[i];
		assert_in_range(refused_until_room(open_reader, &space), 2,
		    STEPS_MAX);
		assert_true(evbus_reader_subscribe(space.reader, "a",
		    fixture_count, &count, NULL) > 0);
		reader[i] = space.reader;
	}
	assert_int_equal(evbus_publish(fixture_topic(space.bus, "a"), "x", 1),
	    0);
	assert_int_equal(fixture_drain(reader[0]), 1);
	assert_true(fixture_until_count(&count, 2));
	fixture_end(space.bus, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    open_without_address_space_is_refused_and_takes_nothing),
		cmocka_unit_test(
		reader_without_address_space_is_refused_and_the_next_one_works),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
