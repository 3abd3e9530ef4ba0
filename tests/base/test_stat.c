/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_stat.c - why: how many threads the process has is read from a text of
 * the system's, for who looks for deadlocks (S3).  A text that is cut off, or
 * another than is known, must say "cannot be told" and not a wrong number: of a
 * process with one thread too few, a wait that another would end is refused.
 * So this program answers read(2) itself.
 */
#include <sys/syscall.h>

#include <unistd.h>

#include "bus_fixture.h"

#include "base/os.h"

static const char *fake;	/* what /proc/self/stat has in it; NULL: all
				 * reads are the system's */
ssize_t read(int, void *, size_t);

ssize_t
read(int fd, void *to, size_t size)
{
	size_t length;

	if (fake == NULL)
		return (ssize_t)syscall(SYS_read, fd, to, size);
	length = strlen(fake);
	if (length > size)
		length = size;
	memcpy(to, fake, length);
	return (ssize_t)length;
}

static unsigned
threads_in(const char *text)
{
	unsigned threads;

	fake = text;
	threads = evbus__os_threads();
	fake = NULL;
	return threads;
}

#define FIELDS " S 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 "

static void
threads_are_the_field_behind_the_name_whatever_the_name_is(void **state)
{
	(void)state;
	assert_int_equal(threads_in("1 (a)" FIELDS "7 0 1"), 7);
	assert_int_equal(threads_in("1 (a b) S 1 2 (c)" FIELDS "8 0 1"), 8);
	assert_int_equal(threads_in("1 ()" FIELDS "12"), 12);
}

static void
threads_of_a_text_without_them_cannot_be_told(void **state)
{
	(void)state;
	assert_int_equal(threads_in(""), 0);
	assert_int_equal(threads_in("1 (a"), 0);
	assert_int_equal(threads_in("1 (a)"), 0);
	assert_int_equal(threads_in("1 (a) S 1 2 3"), 0);
	assert_int_equal(threads_in("none"), 0);
}

static int
are_told(void *arg)
{
	(void)arg;
	return evbus__os_threads() == fixture_threads();
}

/* A sanitizer's own thread may begin between the two looks. */
static void
threads_of_this_process_are_told(void **state)
{
	(void)state;
	assert_true(fixture_until(are_told, NULL));
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    threads_are_the_field_behind_the_name_whatever_the_name_is),
		cmocka_unit_test(threads_of_a_text_without_them_cannot_be_told),
		cmocka_unit_test(threads_of_this_process_are_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
