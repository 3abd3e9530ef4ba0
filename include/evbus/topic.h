/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * topic.h - layer 3: names, patterns, topic handles.
 *
 * A topic is a dotted name, "orders.eu.created": 1 to 255 bytes, non-empty
 * tokens, no space, no control byte, no '*' and no '>'.  A pattern is a topic
 * in which '*' stands for one whole token and a last '>' for one or more.
 * Names that begin with '$' belong to the bus; a pattern that begins with a
 * wildcard does not match them.
 */
#ifndef EVBUS_TOPIC_H
#define EVBUS_TOPIC_H

#include <evbus/stream.h>

#define EVBUS_TOPIC_NAME_MAX 255

/*
 * Looks at a payload before it is published: 0: it may be; anything else: the
 * publish answers EVBUS_EREJECTED, and says the number.  Called in the
 * publisher's thread, by any number of them at once, with no lock held; `data`
 * is aligned for 8 bytes if the publisher's was, and valid during the call.
 * Calls of the bus do inside what they would do in the publish's place.
 */
typedef int (*evbus_validate)(const void *data, size_t size, void *arg);

struct evbus__retained;

/* Zero means default. */
struct evbus_topic_options {
	uint32_t retain;	/* 1: the newest event is kept for readers
				 * with EVBUS_START_RETAINED; 0: not */
	uint32_t reserved;
	evbus_validate validate;	/* NULL: every payload is fine */
	void *validate_arg;
};

/* The handle of a topic.  The fields are for the inlines only; constant. */
struct evbus_topic {
	struct evbus_stream *stream;
	uint64_t meta;			/* topic id, flags 0 */
	const char *name;
	uint32_t magic;
	uint32_t length;		/* of the name, bytes */
	uint32_t fast_size;		/* sizes below it go the inline way; 0:
					 * none does: the stream's, or 0 with a
					 * validator or a retained event */
	uint32_t reserved;
	evbus_validate validate;
	void *validate_arg;
	struct evbus__retained *retained;	/* NULL: it retains nothing */
};
EVBUS_STATIC_ASSERT(sizeof(struct evbus_topic) <= EVBUS_CACHELINE,
    "a publish reads one line of it");

EVBUS_BEGIN_DECLS

/*
 * evbus_topic_open() - the handle of a topic; made at the first call for a
 * name, the same one ever after.  It belongs to the bus and lives until
 * evbus_free().  `options` may be NULL.  Any thread, also inside handlers; a
 * name that exists is found without a lock, a new one takes the bus's lock.
 * Validator and retain are given at the first call, or not at all: later calls
 * give the same or none.  EVBUS_ENAME, EVBUS_ELIMIT (max_topics), EVBUS_EOWNER
 * ('$'), EVBUS_EEXIST (another validator, or it came too late).
 * evbus_topic_open(3)
 */
EVBUS_API int evbus__topic_open(struct evbus *, const char *name,
    const struct evbus_topic_options *, size_t options_size, unsigned layout,
    struct evbus_topic **);

EVBUS_INLINE int
evbus_topic_open(struct evbus *bus, const char *name,
    const struct evbus_topic_options *options, struct evbus_topic **topic)
{
	return evbus__topic_open(bus, name, options, sizeof *options,
	    EVBUS_LAYOUT, topic);
}

/* evbus_topic_name() - its name, constant; NULL for NULL.  Wait-free. */
EVBUS_INLINE const char *
evbus_topic_name(const struct evbus_topic *topic)
{
	return topic == NULL ? NULL : topic->name;
}

/*
 * evbus_topic_valid(), evbus_pattern_valid() - 1 or 0.  `text` may be NULL.
 * evbus_topic_match() - does the valid `pattern` match the valid `name`?
 * Wait-free.  evbus_topic_match(3)
 */
EVBUS_API int evbus_topic_valid(const char *text);
EVBUS_API int evbus_pattern_valid(const char *text);
EVBUS_API int evbus_topic_match(const char *pattern, const char *name);

EVBUS_END_DECLS

#endif /* EVBUS_TOPIC_H */
