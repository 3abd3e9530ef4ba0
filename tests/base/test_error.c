/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_error.c - why: a program decides by the code and its user reads the
 * sentence.  A code without a name, two codes of one number, or the sentence
 * of another thread would send both of them the wrong way.
 */
#include "bus_fixture.h"

struct row {
	int code;
	const char *name;
	const char *text;
};

static const struct row rows[] = {
#define ROW(name, number, text) { EVBUS_##name, "EVBUS_" #name, text },
	EVBUS_ERRORS(ROW)
#undef ROW
};
#define ROWS ((int)(sizeof rows / sizeof rows[0]))

static void
errname_of_every_code_is_its_name(void **state)
{
	int i;

	(void)state;
	for (i = 0; i < ROWS; i++)
		assert_string_equal(evbus_errname(rows[i].code), rows[i].name);
	assert_string_equal(evbus_errname(0), "EVBUS_OK");
	assert_string_equal(evbus_errname(17), "EVBUS_OK");
}

static void
strerror_of_every_code_is_its_text(void **state)
{
	int i;

	(void)state;
	for (i = 0; i < ROWS; i++) {
		assert_string_equal(evbus_strerror(rows[i].code),
		    rows[i].text);
		assert_true(strlen(rows[i].text) > 3);
	}
	assert_string_equal(evbus_strerror(0), "success");
	assert_string_equal(evbus_strerror(17), "success");
}

/* Codes are negative, dense and each there once: other languages copy them. */
static void
error_codes_are_dense_and_unique(void **state)
{
	int i, j;

	(void)state;
	for (i = 0; i < ROWS; i++) {
		assert_int_equal(rows[i].code, -(i + 1));
		for (j = 0; j < i; j++) {
			assert_string_not_equal(rows[i].name, rows[j].name);
			assert_string_not_equal(rows[i].text, rows[j].text);
		}
	}
	assert_int_equal(EVBUS__ERROR_LAST, -(ROWS + 1));
}

static void
error_of_an_unknown_number_is_told_as_unknown(void **state)
{
	static const int unknown[] = { EVBUS__ERROR_LAST, -1000, INT32_MIN };
	size_t i;

	(void)state;
	for (i = 0; i < sizeof unknown / sizeof unknown[0]; i++) {
		assert_string_equal(evbus_errname(unknown[i]), "EVBUS_?");
		assert_string_equal(evbus_strerror(unknown[i]),
		    "unknown error");
	}
}

static void
refuse_in_a_thread(struct fixture_thread *thread)
{
	fixture_check(thread, evbus_errmsg() != NULL);
	fixture_check(thread, strcmp(evbus_errmsg(), "") == 0);
	fixture_check(thread, evbus_close(NULL, 0, NULL) == EVBUS_EINVAL);
	fixture_check(thread, strstr(evbus_errmsg(), "evbus_close") != NULL);
}

static void
errmsg_is_the_calling_threads_own(void **state)
{
	struct fixture_thread thread;

	(void)state;
	fixture_refused(evbus_flush(NULL, 0), EVBUS_EINVAL);
	fixture_says("evbus_flush");
	fixture_start(&thread, refuse_in_a_thread, NULL);
	fixture_join(&thread);
	fixture_says("evbus_flush");
}

/* Success and the plain result EVBUS_EFULL leave the sentence as it is. */
static void
errmsg_after_success_and_efull_stays(void **state)
{
	struct evbus_options options = { .stream = { .capacity = 2,
	    .on_full = EVBUS_ON_FULL_FAIL } };
	struct evbus_topic *topic;
	atomic_uint count = 0;
	struct evbus *bus;

	(void)state;
	bus = fixture_open(&options);
	topic = fixture_topic(bus, "a");
	(void)fixture_subscribed(bus, "a", fixture_count, &count);
	fixture_refused(evbus_flush(NULL, 0), EVBUS_EINVAL);
	assert_int_equal(evbus_publish(topic, "x", 1), 0);
	assert_int_equal(evbus_publish(topic, "x", 1), 0);
	fixture_says("evbus_flush");
	assert_int_equal(evbus_publish(topic, "x", 1), EVBUS_EFULL);
	assert_int_equal(evbus_try_publish(topic, "x", 1), EVBUS_EFULL);
	fixture_says("evbus_flush");
	fixture_end(bus, 0);
	assert_int_equal(atomic_load(&count), 2);
}

/* A sentence names the value that was seen and the limit. */
static void
errmsg_of_a_limit_names_value_and_limit(void **state)
{
	struct evbus_options options = { .max_topics = 1u << 24 };
	struct evbus *bus = (struct evbus *)1;

	(void)state;
	fixture_refused(evbus_open(&bus, &options), EVBUS_EINVAL);
	assert_null(bus);
	fixture_says("max_topics");
	fixture_says("16777216");
	fixture_says("16777215");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(errname_of_every_code_is_its_name),
		cmocka_unit_test(strerror_of_every_code_is_its_text),
		cmocka_unit_test(error_codes_are_dense_and_unique),
		cmocka_unit_test(error_of_an_unknown_number_is_told_as_unknown),
		cmocka_unit_test(errmsg_is_the_calling_threads_own),
		cmocka_unit_test(errmsg_after_success_and_efull_stays),
		cmocka_unit_test(errmsg_of_a_limit_names_value_and_limit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
