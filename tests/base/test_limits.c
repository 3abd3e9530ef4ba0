/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_limits.c - why: what is computed from a caller's numbers must not wrap
 * round: time limits, sizes of the mapping's tables, numbers of threads.  A sum
 * that wrapped would be a wait that never ends, or memory of somebody else.
 */
#include "bus_fixture.h"

#include "base/map.h"
#include "base/thread.h"
#include "bus/bus.h"

/* ---- Time ---------------------------------------------------------------- */

static void
deadline_is_passed_in_time_and_never_if_there_is_none(void **state)
{
	int64_t now = evbus__os_now();

	(void)state;
	assert_false(evbus__has_passed(EVBUS_FOREVER));
	assert_true(evbus__has_passed(now));
	assert_false(evbus__has_passed(now + FIXTURE_LONG));
	assert_false(evbus__has_passed(evbus__deadline(INT64_MAX)));
}

static void
slice_of_a_wait_ends_with_the_wait(void **state)
{
	int64_t now = evbus__os_now(), slice;

	(void)state;
	assert_int_equal(evbus__slice(FIXTURE_LONG, now + 1), now + 1);
	slice = evbus__slice(1, now + FIXTURE_LONG);
	assert_true(slice > now && slice < now + FIXTURE_LONG);
	slice = evbus__slice(1, EVBUS_FOREVER);
	assert_true(slice > now && slice < now + FIXTURE_LONG);
}

/* ---- The mapping --------------------------------------------------------- */

static struct evbus__map_shape shape[EVBUS__TABLES];

static void
refused(uint64_t first, uint64_t last)
{
	struct evbus__context context = { 0 };
	int i;

	for (i = 0; i < EVBUS__TABLES; i++) {
		shape[i].count = 1;
		shape[i].stride = 2;
	}
	shape[0].count = first;
	shape[EVBUS__TABLES - 1].count = last;
	fixture_refused(evbus__map_open(&context, "x", shape), EVBUS_EINVAL);
	assert_null(context.map);
}

static void
map_that_is_too_large_is_refused_before_it_is_asked_for(void **state)
{
	(void)state;
	refused(UINT64_MAX, 1);		/* the product wraps */
	refused(UINT64_MAX / 2, 1);	/* the sum would */
	refused(UINT64_C(1) << 46, 1);	/* one table */
	/* All together. */
	refused(UINT64_C(3) << 43, UINT64_C(3) << 43);
}

static void
take_of_more_than_there_is_gives_nothing(void **state)
{
	struct evbus *bus = fixture_open(NULL);
	struct evbus__map *map = bus->context.map;
	struct evbus__table *names = &map->header->table[EVBUS__TABLE_NAMES];
	uint64_t used, left;

	(void)state;
	assert_non_null(evbus__map_take(map, EVBUS__TABLE_NAMES, 1));
	used = names->used;
	left = names->count - used;
	assert_null(evbus__map_take(map, EVBUS__TABLE_NAMES, UINT64_MAX));
	assert_null(evbus__map_take(map, EVBUS__TABLE_NAMES, left + 1));
	assert_int_equal(names->used, used);
	assert_non_null(evbus__map_take(map, EVBUS__TABLE_NAMES, left));
	assert_null(evbus__map_take(map, EVBUS__TABLE_NAMES, 1));
	fixture_end(bus, 0);
}

/* ---- Threads ------------------------------------------------------------- */

/* Ids lie in memory that another version may have written. */
static void
publisher_of_a_number_that_cannot_be_is_nobody(void **state)
{
	struct evbus_options options = { .max_publishers = 3 };
	struct evbus *bus = fixture_open(&options);
	struct evbus_publisher *self = evbus__self(&bus->context);

	(void)state;
	assert_non_null(self);
	assert_ptr_equal(evbus__publisher_by_id(&bus->context, self->id),
	    self);
	assert_null(evbus__publisher_by_id(&bus->context, 0));
	assert_null(evbus__publisher_by_id(&bus->context, 4));
	assert_null(evbus__publisher_by_id(&bus->context, 0xffff));
	assert_null(evbus__publisher_by_id(&bus->context, 3));
	assert_null(evbus__publisher_by_id(&bus->context,
	    self->id + 0x10000));
	fixture_end(bus, 0);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    deadline_is_passed_in_time_and_never_if_there_is_none),
		cmocka_unit_test(slice_of_a_wait_ends_with_the_wait),
		cmocka_unit_test(
		    map_that_is_too_large_is_refused_before_it_is_asked_for),
		cmocka_unit_test(take_of_more_than_there_is_gives_nothing),
		cmocka_unit_test(
		    publisher_of_a_number_that_cannot_be_is_nobody),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
