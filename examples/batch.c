/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * batch.c - publish several events at once: all or none, next to each other.
 *
 * Two threads publish the lines of their pages; with a page in one batch, no
 * line of the other thread's pages comes between.
 */
#include <pthread.h>
#include <stdio.h>

#include <evbus.h>

#define SECOND INT64_C(1000000000)
#define LINES 16u
#define PAGES 200u
#define WRITERS 2u

struct line {
	uint32_t writer;
	uint32_t page;
	uint32_t line;
};

struct writer {
	struct evbus_topic *topic;
	uint32_t number;
	int result;
};

struct printer {
	struct line last;
	unsigned lines;
	unsigned torn;			/* pages with another's line in them */
};

static int
fail(const char *what, int code)
{
	fprintf(stderr, "batch: %s: %s: %s\n", what, evbus_strerror(code),
	    evbus_errmsg());
	return 1;
}

static enum evbus_verdict
on_line(const struct evbus_event *event, void *arg)
{
	const struct line *line = event->data;
	struct printer *printer = arg;

	if (line->line > 0 && (line->writer != printer->last.writer ||
	    line->page != printer->last.page ||
	    line->line != printer->last.line + 1))
		printer->torn++;
	printer->last = *line;
	printer->lines++;
	return EVBUS_DONE;
}

static void *
write_pages(void *arg)
{
	struct writer *writer = arg;
	struct line line[LINES];
	struct iovec part[LINES];
	uint32_t page, i;

	for (i = 0; i < LINES; i++) {
		part[i].iov_base = &line[i];
		part[i].iov_len = sizeof line[i];
	}
	for (page = 0; page < PAGES && writer->result >= 0; page++) {
		for (i = 0; i < LINES; i++) {
			line[i].writer = writer->number;
			line[i].page = page;
			line[i].line = i;
		}
		writer->result = evbus_publish_batch(writer->topic, part,
		    LINES);
	}
	return NULL;
}

int
main(void)
{
	struct writer writer[WRITERS];
	struct printer printer = { .lines = 0 };
	pthread_t thread[WRITERS];
	struct evbus *bus;
	struct evbus_topic *topic;
	uint32_t i;
	int result;

	result = evbus_open(&bus, NULL);
	if (result < 0)
		return fail("open", result);
	if (evbus_topic_open(bus, "printer.line", NULL, &topic) < 0 ||
	    evbus_subscribe(bus, "printer.line", on_line, &printer, NULL) < 0)
		return fail("set up", EVBUS_EINVAL);
	for (i = 0; i < WRITERS; i++) {
		writer[i].topic = topic;
		writer[i].number = i;
		writer[i].result = 0;
		if (pthread_create(&thread[i], NULL, write_pages,
		    &writer[i]) != 0)
			return 1;
	}
	for (i = 0; i < WRITERS; i++) {
		pthread_join(thread[i], NULL);
		if (writer[i].result < 0)
			return fail("publish", writer[i].result);
	}
	result = evbus_close(bus, SECOND, NULL);
	if (result < 0)
		return fail("close", result);
	printf("%u lines, %u pages torn\n", printer.lines, printer.torn);
	if (evbus_free(bus) < 0 || printer.torn != 0 ||
	    printer.lines != WRITERS * PAGES * LINES)
		return fail("lines are missing or out of place", 0);
	return 0;
}
