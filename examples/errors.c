/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * errors.c - what a refusal says.
 *
 * Every call returns 0 or more, or a negative code.  evbus_errname() and
 * evbus_strerror() name the code; where something was refused that should be
 * put right in the program, evbus_errmsg() says in a sentence what was wrong,
 * the value seen and the limit.
 */
#include <stdio.h>
#include <string.h>

#include <evbus.h>

#define SECOND INT64_C(1000000000)

static int wrong;

static void
expect(const char *what, int64_t got, int wanted)
{
	printf("%-26s %s: %s\n", what, evbus_errname((int)got),
	    evbus_errmsg());
	if (got == wanted && evbus_errmsg()[0] != '\0')
		return;
	fprintf(stderr, "errors: %s: expected %s\n", what,
	    evbus_errname(wanted));
	wrong = 1;
}

static void
refuse_streams(struct evbus *bus)
{
	const struct evbus_stream_options odd = { .capacity = 1000 };
	const struct evbus_stream_options thin = { .slot_size = 48 };
	struct evbus_stream *stream;

	expect("a capacity of 1000:",
	    evbus_stream_open(bus, "a.>", &odd, &stream), EVBUS_EINVAL);
	expect("slots of 48 bytes:",
	    evbus_stream_open(bus, "a.>", &thin, &stream), EVBUS_EINVAL);
	expect("a pattern a.b*:",
	    evbus_stream_open(bus, "a.b*", NULL, &stream), EVBUS_EPATTERN);
}

static void
refuse_names(struct evbus *bus)
{
	struct evbus_topic *topic;
	char name[EVBUS_TOPIC_NAME_MAX + 2];

	expect("a topic a..b:", evbus_topic_open(bus, "a..b", NULL, &topic),
	    EVBUS_ENAME);
	expect("a topic orders.*:",
	    evbus_topic_open(bus, "orders.*", NULL, &topic), EVBUS_ENAME);
	expect("a topic $bus.mine:",
	    evbus_topic_open(bus, "$bus.mine", NULL, &topic), EVBUS_EOWNER);
	memset(name, 'n', sizeof name - 1);
	name[sizeof name - 1] = '\0';
	expect("a topic of 256 bytes:",
	    evbus_topic_open(bus, name, NULL, &topic), EVBUS_ENAME);
}

static void
refuse_events(struct evbus *bus)
{
	static const char novel[5000];
	struct evbus_topic *topic;

	if (evbus_topic_open(bus, "books", NULL, &topic) < 0) {
		wrong = 1;
		return;
	}
	expect("a payload of 5000 bytes:",
	    evbus_publish(topic, novel, sizeof novel), EVBUS_EMSGSIZE);
	expect("a payload at NULL:", evbus_publish(topic, NULL, 8),
	    EVBUS_EINVAL);
	expect("unsubscribe from nothing:", evbus_unsubscribe(bus, 12345, 0),
	    EVBUS_ENOENT);
}

int
main(void)
{
	struct evbus *bus;

	if (evbus_open(&bus, NULL) < 0) {
		fprintf(stderr, "errors: %s\n", evbus_errmsg());
		return 1;
	}
	refuse_streams(bus);
	refuse_names(bus);
	refuse_events(bus);
	expect("free before close:", evbus_free(bus), EVBUS_EBUSY);
	if (evbus_close(bus, SECOND, NULL) < 0 || evbus_free(bus) < 0) {
		fprintf(stderr, "errors: %s\n", evbus_errmsg());
		return 1;
	}
	return wrong;
}
