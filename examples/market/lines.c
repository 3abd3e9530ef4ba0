/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * lines.c - reads a file, a pipe or a terminal line by line, with a buffer of
 * its own: no line, however long, makes it allocate.
 */
#include "text.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

/* Read more behind what is there; 1, 0 at the end of the file, -1. */
static int
fill(struct lines *lines)
{
	ssize_t got;

	if (lines->begin > 0) {
		memmove(lines->buffer, lines->buffer + lines->begin,
		    lines->end - lines->begin);
		lines->end -= lines->begin;
		lines->begin = 0;
	}
	do
		got = read(lines->fd, lines->buffer + lines->end,
		    LINES_BUFFER - lines->end);
	while (got < 0 && errno == EINTR);
	if (got < 0)
		return -1;
	lines->end += (size_t)got;
	return got > 0;
}

/* Take `length` bytes of the buffer as a line, and its end with it. */
static void
take(struct lines *lines, size_t length, size_t ending, const char **text,
    size_t *size)
{
	*text = lines->buffer + lines->begin;
	*size = length;
	if (ending > 0 && length > 0 && (*text)[length - 1] == '\r')
		(*size)--;
	lines->begin += length + ending;
	lines->bytes += length + ending;
	lines->number++;
}

/* Skip to the end of an over-long line; 1: done, 0: more to read. */
static int
discard(struct lines *lines)
{
	char *end = memchr(lines->buffer + lines->begin, '\n',
	    lines->end - lines->begin);

	size_t rest = end == NULL ? lines->end :
	    (size_t)(end - lines->buffer) + 1;

	lines->bytes += rest - lines->begin;
	lines->begin = rest;
	lines->discard = end == NULL;
	return end != NULL;
}

int
lines_next(struct lines *lines, const char **text, size_t *length)
{
	const char *begin, *end;
	int more;

	for (;;) {
		if (lines->discard && !discard(lines) && lines->at_end)
			return 0;
		begin = lines->buffer + lines->begin;
		end = lines->discard ? NULL :
		    memchr(begin, '\n', lines->end - lines->begin);
		if (end != NULL) {
			take(lines, (size_t)(end - begin), 1, text, length);
			return 1;
		}
		if (lines->end - lines->begin == LINES_BUFFER) {
			take(lines, LINES_BUFFER, 0, text, length);
			lines->discard = 1;
			return 1;
		}
		if (lines->at_end)
			break;
		more = fill(lines);
		if (more < 0)
			return -1;
		lines->at_end = more == 0;
	}
	if (lines->end == lines->begin)
		return 0;
	take(lines, lines->end - lines->begin, 0, text, length);
	if (*length > 0 && (*text)[*length - 1] == '\r')
		(*length)--;
	return 1;
}
