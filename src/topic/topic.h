/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * topic.h - layer 3: all topics of a bus, and who wants to hear of new ones.
 *
 * A topic has an id (1..), a name in the mapping and the stream that carries
 * it; none of these ever changes.  The trie of patterns holds what the layer
 * above hung in it (subscriptions); when a topic is made, matched() is called
 * for each that matches, under the bus's lock, before anybody can publish to
 * the topic.
 */
#ifndef EVBUS_SRC_TOPIC_H
#define EVBUS_SRC_TOPIC_H

#include "stream/stream.h"
#include "topic/registry.h"
#include "topic/trie.h"

#define EVBUS__TOPIC_MAGIC	0x65765470u

/* A topic in the mapping, for those who look from outside. */
struct evbus__topic_entry {
	uint64_t name;		/* offset */
	uint16_t length;
	uint16_t stream;
	uint32_t schema;	/* 0: none */
};

struct evbus__topics {
	struct evbus__registry registry;
	struct evbus__trie names;	/* of topics */
	struct evbus__trie patterns;	/* of subscriptions */
	struct evbus_topic **topic;	/* by id */
	uint32_t count;			/* ids 1 .. count are in use */
	uint32_t limit;
	/* A new topic matches a pattern: 0, or why it cannot be (given by the
	 * layer above), and the undoing of that for all. */
	int (*matched)(void *value, void *topic);
	void (*undo)(struct evbus__context *, uint32_t id);
};

int evbus__topics_init(struct evbus__context *, uint32_t limit);
void evbus__topics_destroy(struct evbus__context *);

/* Find or make; the bus's lock is not held. */
int evbus__topic_get(struct evbus__context *, const char *name,
    const struct evbus_topic_options *, struct evbus_topic **);

/* The same for a name that belongs to the bus, with the lock held. */
int evbus__topic_own(struct evbus__context *, struct evbus_publisher *,
    const char *name, struct evbus_topic **);

static inline uint32_t
evbus__topic_id(const struct evbus_topic *topic)
{
	return evbus__meta_topic(topic->meta);
}

#endif /* EVBUS_SRC_TOPIC_H */
