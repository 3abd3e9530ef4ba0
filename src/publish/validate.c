/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * validate.c - layer 4: a topic's validator, in the publisher's thread, before
 * anything is claimed (at the commit of a claim: before its header is filled).
 *
 * It is user code (S2): no lock is held, the publish's section is not open, and
 * no entry of the pool is taken.  Any call of the bus may stand inside, and does
 * what it would do in the publish's place; the thread counts as inside a call,
 * so that evbus_free() is refused.  A validator that publishes to a topic with a
 * validator ends at a depth, and not at the end of the stack.
 */
#include "publish/publish.h"

#define VALIDATORS_MAX	8u	/* inside of each other */

int
evbus__validate_call(const struct evbus_topic *topic,
    struct evbus_publisher *publisher, const void *data, size_t size)
{
	int answer;

	if (publisher->validating == VALIDATORS_MAX)
		return evbus__fail(EVBUS_ELIMIT, "validators publish to topics "
		    "with validators, %u inside of each other; the limit is "
		    "%u", VALIDATORS_MAX + 1, VALIDATORS_MAX);
	publisher->validating++;
	answer = topic->validate(data, size, topic->validate_arg);
	publisher->validating--;
	if (answer == 0)
		return 0;
	(void)EVBUS_FETCH_ADD(&topic->stream->ctl->rejected, 1, RELAXED);
	return evbus__fail(EVBUS_EREJECTED, "the validator of topic \"%s\" "
	    "rejected a payload of %zu bytes: it returned %d", topic->name,
	    size, answer);
}
