/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * watch.c - layer 4: a reader that a program polls when its descriptor is
 * readable (FD in ring/watch.h).
 *
 * The descriptor belongs to the reader's place in the table and stays open
 * until evbus_free(): a waker that has taken the word of a reader that was
 * closed meanwhile adds to it, and must not find another's there.
 */
#include "reader/run.h"

int
evbus__poll_other(struct evbus_reader *reader, unsigned budget)
{
	int passed;

	if (reader->run_by != EVBUS__RUN_WATCHED)
		return evbus__refuse_worker(reader);
	passed = evbus__reader_poll(reader, budget);
	/* What is left after the budget, or a refusal, is told already: FD, 4. */
	if (passed >= 0 && (unsigned)passed < budget)
		evbus__wait_watched(&reader->watch, reader->park, &reader, 1);
	return passed;
}

/* The caller is inside a call. */
static int
watch(struct evbus_reader *reader)
{
	struct evbus_publisher *self;
	int error;

	/* Entering tells who runs the reader, and whether it may. */
	error = evbus__run_begin(reader, &self);
	if (error != 0)
		return error;
	error = evbus__watch_open(&reader->watch);
	if (error == 0)
		reader->run_by = EVBUS__RUN_WATCHED;
	evbus__run_leave(reader, self);
	return error != 0 ? error : reader->watch.fd;
}

int
evbus_reader_fd(struct evbus_reader *reader)
{
	struct evbus_publisher *self;
	int result;

	if (reader == NULL)
		return evbus__fail(EVBUS_EINVAL,
		    "evbus_reader_fd: reader is NULL");
	if (reader->worker != NULL)
		return evbus__refuse_worker(reader);
	result = evbus__check_alive(reader->context);
	if (result != 0)
		return result;
	self = evbus__self(reader->context);
	if (self == NULL)
		return evbus__failed();
	evbus__call_enter(reader->context, self);
	result = watch(reader);
	evbus__call_leave(self);
	return result;
}
