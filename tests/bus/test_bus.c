/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_bus.c - why: open and free frame everything else.  What they promise by
 * themselves: a library of another layout is told and not crashed into, hooks
 * are used for what they are for, buses know nothing of each other, a bus that
 * opens and closes leaves nothing behind, and opening one does nothing to the
 * process that was not asked for (S6).
 */
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include "bus_fixture.h"
#include "fault_alloc.h"

/* ---- Versions ------------------------------------------------------------ */

/* Each call that takes a struct of options or shares inline code. */
static int64_t
with_size(struct evbus *bus, struct evbus_reader *reader,
    struct evbus_topic *topic, int call, int more)
{
	size_t by = (size_t)more;
	struct evbus_stream *stream;
	struct evbus_topic *other;
	struct evbus_reader *another;
	struct evbus *second;

	switch (call) {
	case 0:
		return evbus__open(&second, NULL,
		    sizeof(struct evbus_options) + by, EVBUS_LAYOUT);
	case 1:
		return evbus__stream_open(bus, "s", NULL,
		    sizeof(struct evbus_stream_options) + by, EVBUS_LAYOUT,
		    &stream);
	case 2:
		return evbus__topic_open(bus, "t", NULL,
		    sizeof(struct evbus_topic_options) + by, EVBUS_LAYOUT,
		    &other);
	case 3:
		return evbus__reader_open(bus, NULL,
		    sizeof(struct evbus_reader_options) + by, EVBUS_LAYOUT,
		    &another);
	case 4:
		return evbus__reader_subscribe(reader, "t", NULL, NULL, NULL,
		    sizeof(struct evbus_subscribe_options) + by, "f", 1);
	case 5:
		return evbus__subscribe(bus, "t", fixture_count, NULL, NULL,
		    sizeof(struct evbus_subscribe_options) + by, "f", 1);
	case 6:
		return evbus__publish_with(topic, "x", 1, NULL,
		    sizeof(struct evbus_publish_options) + by);
	default:
		return 1;
	}
}

static void
open_with_options_of_another_size_is_eversion(void **state)
{
	static const int more[] = { 8, -8, 1, 100000 };
	struct evbus *bus = fixture_open(NULL);
	struct evbus_topic *topic = fixture_topic(bus, "a");
	struct evbus_reader *reader = fixture_reader(bus, NULL);
	unsigned threads = fixture_threads();
	size_t i;
	int call;

	(void)state;
	for (i = 0; i < sizeof more / sizeof more[0]; i++)
		for (call = 0; with_size(bus, reader, topic, call, more[i]) !=
		    1; call++) {
			fixture_refused(with_size(bus, reader, topic, call,
			    more[i]), EVBUS_EVERSION);
			fixture_says("bytes in the program");
			fixture_says(EVBUS_VERSION);
		}
	assert_int_equal(call, 7);
	assert_int_equal(fixture_threads(), threads);
	fixture_end(bus, 0);
}

static void
open_with_another_layout_is_eversion(void **state)
{
	static const unsigned layout[] = { 0, EVBUS_LAYOUT + 1, UINT32_MAX };
	struct evbus *bus = fixture_open(NULL), *second;
	struct evbus_stream *stream;
	struct evbus_topic *topic;
	struct evbus_reader *reader;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof layout / sizeof layout[0]; i++) {
		fixture_refused(evbus__open(&second, NULL,
		    sizeof(struct evbus_options), layout[i]), EVBUS_EVERSION);
		fixture_refused(evbus__stream_open(bus, "s", NULL,
		    sizeof(struct evbus_stream_options), layout[i], &stream),
		    EVBUS_EVERSION);
		fixture_refused(evbus__topic_open(bus, "t", NULL,
		    sizeof(struct evbus_topic_options), layout[i], &topic),
		    EVBUS_EVERSION);
		fixture_refused(evbus__reader_open(bus, NULL,
		    sizeof(struct evbus_reader_options), layout[i], &reader),
		    EVBUS_EVERSION);
		fixture_says("layout");
	}
	fixture_end(bus, 0);
}

/* ---- Free ---------------------------------------------------------------- */

static void
free_of_an_open_bus_is_ebusy_and_harmless(void **state)
{
	struct evbus *bus = fixture_open(NULL);

	(void)state;
	fixture_refused(evbus_free(bus), EVBUS_EBUSY);
	fixture_says("evbus_close");
	assert_int_equal(evbus_publish_name(bus, "a", "x", 1), 0);
	fixture_end(bus, 0);
	assert_int_equal(evbus_free(NULL), 0);
}

static unsigned
open_descriptors(void)
{
	DIR *folder = opendir("/proc/self/fd");
	unsigned n = 0;

	assert_non_null(folder);
	while (readdir(folder) != NULL)
		n++;
	(void)closedir(folder);
	return n;
}

static unsigned
mappings(void)
{
	FILE *file = fopen("/proc/self/maps", "r");
	char line[512];
	unsigned n = 0;

	assert_non_null(file);
	while (fgets(line, sizeof line, file) != NULL)
		n += strstr(line, "memfd:evbus") != NULL;
	(void)fclose(file);
	return n;
}

static void
free_leaves_no_descriptor_mapping_or_block(void **state)
{
	struct evbus_options options = { 0 };
	struct fault_alloc fault;
	struct evbus *bus;
	unsigned descriptors = open_descriptors(), maps = mappings();
	atomic_uint count = 0;
	int i;

	(void)state;
	fault_alloc_init(&fault);
	options.allocator = fault_alloc_hooks(&fault);
	for (i = 0; i < 20; i++) {
		bus = fixture_open(&options);
		assert_int_equal(mappings(), maps + 1);
		assert_true(evbus_subscribe(bus, "a.>", fixture_count, &count,
		    NULL) > 0);
		assert_int_equal(evbus_publish_name(bus, "a.b", "x", 1), 0);
		fixture_end(bus, 0);
	}
	assert_int_equal(atomic_load(&count), 20);
	assert_int_equal(open_descriptors(), descriptors);
	assert_int_equal(mappings(), maps);
	assert_int_equal(fault_alloc_blocks(&fault), 0);
	assert_int_equal(fault_alloc_wrong(&fault), 0);
}

/* ---- S6 ------------------------------------------------------------------ */

static int
handlers_of_signals(struct sigaction action[64])
{
	int i, n = 0;

	for (i = 1; i < 64; i++)
		if (sigaction(i, NULL, &action[i]) == 0)
			n++;
	return n;
}

/* S6: no thread, no signal handler, nothing printed unless asked. */
static void
open_starts_no_thread_and_installs_no_signal_handler_S6(void **state)
{
	struct sigaction before[64], after[64];
	unsigned threads = fixture_threads();
	struct evbus_reader *reader;
	struct evbus *bus;
	int i;

	(void)state;
	memset(before, 0, sizeof before);
	memset(after, 0, sizeof after);
	(void)handlers_of_signals(before);
	bus = fixture_open(NULL);
	reader = fixture_subscribed(bus, ">", NULL, NULL);
	assert_int_equal(evbus_publish_name(bus, "a", "x", 1), 0);
	assert_int_equal(evbus_poll(reader, 1), 1);
	assert_int_equal(evbus_flush(bus, 0), 0);
	assert_int_equal(fixture_threads(), threads);
	(void)handlers_of_signals(after);
	for (i = 1; i < 64; i++)
		assert_true(before[i].sa_handler == after[i].sa_handler);
	fixture_end(bus, 0);
	assert_true(fixture_until_threads(threads));
}

static void
print_and_refuse(void)
{
	struct evbus *bus = fixture_open(NULL);
	struct evbus_topic *topic;
	int i;

	for (i = 0; i < 3; i++) {
		(void)evbus_topic_open(bus, "not a name", NULL, &topic);
		(void)evbus_publish_name(bus, "a", "x", 1u << 30);
	}
	fixture_end(bus, 0);
}

/* S6: prints nothing unless given a log function. */
static void
bus_without_log_function_prints_nothing_S6(void **state)
{
	char path[] = "/tmp/evbus-test-XXXXXX", text[64] = "";
	int saved[2], file = mkstemp(path), i;
	ssize_t n;

	(void)state;
	assert_true(file >= 0);
	(void)fflush(NULL);
	for (i = 0; i < 2; i++) {
		saved[i] = dup(i + 1);
		assert_int_equal(dup2(file, i + 1), i + 1);
	}
	print_and_refuse();
	(void)fflush(NULL);
	for (i = 0; i < 2; i++) {
		assert_int_equal(dup2(saved[i], i + 1), i + 1);
		(void)close(saved[i]);
	}
	n = pread(file, text, sizeof text - 1, 0);
	(void)close(file);
	(void)unlink(path);
	assert_string_equal(text, "");
	assert_int_equal(n, 0);
}

/* ---- More than one bus --------------------------------------------------- */

#define BUSES 5		/* more than the places in a thread's cache */

struct buses {
	struct evbus *bus[BUSES];
	struct evbus_topic *topic[BUSES];
	struct evbus_reader *reader[BUSES];
	atomic_uint count[BUSES];
};

static void
open_buses(struct buses *buses, unsigned n)
{
	struct evbus_options options = { .max_publishers = 4 };
	char name[16];
	unsigned i;

	memset(buses, 0, sizeof *buses);
	options.name = name;
	for (i = 0; i < n; i++) {
		(void)snprintf(name, sizeof name, "bus-%u", i);
		buses->bus[i] = fixture_open(&options);
		buses->topic[i] = fixture_topic(buses->bus[i], "a");
		buses->reader[i] = fixture_subscribed(buses->bus[i], "a",
		    fixture_count, &buses->count[i]);
	}
}

static void
publish_to_all(struct fixture_thread *thread)
{
	struct buses *buses = thread->arg;
	unsigned i, round;

	for (round = 0; round < 100; round++)
		for (i = 0; i < BUSES; i++)
			fixture_check(thread, evbus_publish(buses->topic[i],
			    "x", 1) == 0);
}

/* Five buses share four places in each thread's cache of records. */
static void
buses_that_collide_in_the_cache_are_kept_apart(void **state)
{
	struct fixture_thread thread[2];
	struct evbus_stream_stats stats;
	struct buses buses;
	unsigned i;

	(void)state;
	open_buses(&buses, BUSES);
	fixture_start(&thread[0], publish_to_all, &buses);
	fixture_start(&thread[1], publish_to_all, &buses);
	fixture_join(&thread[0]);
	fixture_join(&thread[1]);
	for (i = 0; i < BUSES; i++) {
		assert_int_equal(evbus_publish(buses.topic[i], "x", 1), 0);
		/* One record a thread, though it was looked up often. */
		assert_string_equal(evbus_publisher_name(buses.bus[i], 4),
		    "?");
		assert_int_equal(fixture_drain(buses.reader[i]), 201);
		assert_int_equal(evbus_stream_stats(evbus_stream_default(
		    buses.bus[i]), &stats), 0);
		assert_int_equal(stats.tail, 201);
		assert_int_equal(atomic_load(&buses.count[i]), 201);
	}
	for (i = 0; i < BUSES; i++)
		fixture_end(buses.bus[(i * 2) % BUSES], 0);
}

/* One bus closes and is freed; the other goes on with the same thread. */
static void
bus_beside_one_that_is_freed_goes_on(void **state)
{
	struct buses buses;

	(void)state;
	open_buses(&buses, 2);
	assert_int_equal(evbus_publish(buses.topic[0], "x", 1), 0);
	assert_int_equal(evbus_publish(buses.topic[1], "x", 1), 0);
	fixture_end(buses.bus[0], 0);
	assert_int_equal(atomic_load(&buses.count[0]), 1);
	assert_int_equal(evbus_publish(buses.topic[1], "x", 1), 0);
	assert_int_equal(fixture_drain(buses.reader[1]), 2);
	fixture_end(buses.bus[1], 0);
}

static enum evbus_verdict
forward(const struct evbus_event *event, void *arg)
{
	struct evbus *other;

	if (evbus_publish(arg, event->data, event->size) != 0)
		return EVBUS_RETRY;
	/* "Inside a handler of another bus" a bus may be opened and closed. */
	if (evbus_open(&other, NULL) != 0 ||
	    evbus_close(other, 0, NULL) != 0 || evbus_free(other) != 0)
		return EVBUS_RETRY;
	return EVBUS_DONE;
}

static void
bus_inside_a_handler_of_another_is_a_bus_like_any(void **state)
{
	struct evbus_reader *reader;
	struct buses buses;

	(void)state;
	open_buses(&buses, 2);
	reader = fixture_subscribed(buses.bus[0], "a", forward,
	    buses.topic[1]);
	assert_int_equal(evbus_publish(buses.topic[0], "x", 1), 0);
	assert_int_equal(evbus_poll(reader, 1), 1);
	assert_int_equal(fixture_drain(buses.reader[1]), 1);
	fixture_end(buses.bus[0], 0);
	fixture_end(buses.bus[1], 0);
}

/* ---- Names --------------------------------------------------------------- */

static void
publisher_names_of_every_length_are_checked(void **state)
{
	static const char name31[] = "thirty-one-bytes-are-the-limit!";
	static const char name32[] = "thirty-two-bytes-are-one-too-far";
	const struct evbus_event *event;
	struct evbus_reader *reader;
	struct evbus *bus = fixture_open(NULL);

	(void)state;
	reader = fixture_subscribed(bus, ">", NULL, NULL);
	assert_int_equal(evbus_publisher_set_name(bus, name31), 0);
	fixture_refused(evbus_publisher_set_name(bus, name32), EVBUS_EINVAL);
	fixture_says("32");
	assert_int_equal(evbus_publish_name(bus, "a", "x", 1), 0);
	event = evbus_next(reader);
	assert_non_null(event);
	assert_string_equal(evbus_publisher_name(bus, event->publisher),
	    name31);
	evbus_done(reader);
	assert_int_equal(evbus_close(bus, 0, NULL), 0);
	/* Valid until evbus_free(). */
	assert_string_equal(evbus_publisher_name(bus, 1), name31);
	fixture_free(bus);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(open_with_options_of_another_size_is_eversion),
		cmocka_unit_test(open_with_another_layout_is_eversion),
		cmocka_unit_test(free_of_an_open_bus_is_ebusy_and_harmless),
		cmocka_unit_test(free_leaves_no_descriptor_mapping_or_block),
		cmocka_unit_test(
		    open_starts_no_thread_and_installs_no_signal_handler_S6),
		cmocka_unit_test(bus_without_log_function_prints_nothing_S6),
		cmocka_unit_test(
		    buses_that_collide_in_the_cache_are_kept_apart),
		cmocka_unit_test(bus_beside_one_that_is_freed_goes_on),
		cmocka_unit_test(
		    bus_inside_a_handler_of_another_is_a_bus_like_any),
		cmocka_unit_test(publisher_names_of_every_length_are_checked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
