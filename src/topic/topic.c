/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * topic.c - layer 3: open topics.
 *
 * A name that exists is found without a lock, inside an epoch section; a new
 * one is made under the bus's lock: entry in the mapping, handle, places in
 * the dispatch tables of all readers that match, and only then the registry.
 */
#include <string.h>

#include "topic/retain.h"
#include "topic/topic.h"

int
evbus__topics_init(struct evbus__context *context, uint32_t limit)
{
	struct evbus__topics *topics;
	int error;

	topics = evbus__alloc(context, sizeof *topics);
	if (topics == NULL)
		return evbus__fail(EVBUS_ENOMEM, "no memory for topics");
	topics->limit = limit;
	topics->topic = evbus__os_reserve(((size_t)limit + 1) *
	    sizeof topics->topic[0]);
	error = topics->topic == NULL ? evbus__fail(EVBUS_ENOMEM,
	    "no address space for %u topics", limit) : 0;
	if (error == 0)
		error = evbus__registry_init(&topics->registry, context, 0);
	if (error == 0) {
		error = evbus__trie_init(&topics->names, context, 1);
		if (error == 0) {
			error = evbus__trie_init(&topics->patterns, context, 0);
			if (error == 0) {
				context->topics = topics;
				return 0;
			}
			evbus__trie_destroy(&topics->names);
		}
		evbus__registry_destroy(&topics->registry);
	}
	if (topics->topic != NULL)
		evbus__os_release(topics->topic, ((size_t)limit + 1) *
		    sizeof topics->topic[0]);
	evbus__free(context, topics, sizeof *topics);
	return error;
}

static void
free_topic(struct evbus__context *context, struct evbus_topic *topic)
{
	evbus__retained_destroy(context, topic->retained);
	evbus__free(context, topic, sizeof *topic);
}

void
evbus__topics_destroy(struct evbus__context *context)
{
	struct evbus__topics *topics = context->topics;
	uint32_t i;

	if (topics == NULL)
		return;
	evbus__trie_destroy(&topics->patterns);
	evbus__trie_destroy(&topics->names);
	evbus__registry_destroy(&topics->registry);
	for (i = 1; i <= topics->count; i++)
		free_topic(context, topics->topic[i]);
	evbus__os_release(topics->topic, ((size_t)topics->limit + 1) *
	    sizeof topics->topic[0]);
	evbus__free(context, topics, sizeof *topics);
	context->topics = NULL;
}

/* The stream whose pattern matches, or the default one. */
static struct evbus__stream *
stream_for(const struct evbus__context *context, const char *name)
{
	struct evbus__streams *streams = context->streams;
	uint32_t i;

	for (i = 1; i < streams->count; i++)
		if (evbus_topic_match(streams->stream[i]->pattern, name))
			return streams->stream[i];
	return streams->stream[0];
}

/* Handle and name of a topic with the next id; nobody knows it yet. */
static int
allocate(struct evbus__context *context, const char *name, size_t length,
    const struct evbus_topic_options *options, struct evbus_topic **result)
{
	struct evbus__topics *topics = context->topics;
	struct evbus__stream *stream = stream_for(context, name);
	struct evbus__topic_entry *entry;
	struct evbus_topic *topic;
	uint32_t id = topics->count + 1;
	char *text;

	if (id > topics->limit)
		return evbus__fail(EVBUS_ELIMIT, "%u topics exist, as many as "
		    "max_topics allows", topics->limit);
	topic = evbus__alloc(context, sizeof *topic);
	if (topic == NULL)
		return evbus__fail(EVBUS_ENOMEM, "no memory for a topic");
	if (options->retain && evbus__retained_make(context,
	    stream->pub.max_payload, &topic->retained) != 0) {
		free_topic(context, topic);
		return EVBUS_ENOMEM;
	}
	text = evbus__map_take(context->map, EVBUS__TABLE_NAMES, length + 1);
	if (text == NULL) {
		free_topic(context, topic);
		return evbus__fail(EVBUS_ELIMIT, "topic names use all of "
		    "name_memory, %llu bytes", (unsigned long long)
		    context->map->header->table[EVBUS__TABLE_NAMES].count);
	}
	memcpy(text, name, length + 1);
	topic->stream = &stream->pub;
	topic->meta = id;
	topic->name = text;
	topic->magic = EVBUS__TOPIC_MAGIC;
	topic->length = (uint32_t)length;
	topic->validate = options->validate;
	topic->validate_arg = options->validate_arg;
	topic->fast_size = options->validate != NULL || options->retain ? 0 :
	    stream->pub.fast_size;
	entry = evbus__map_entry(context->map, EVBUS__TABLE_TOPICS, id);
	entry->name = evbus__map_offset(context->map, text);
	entry->length = (uint16_t)length;
	entry->stream = stream->pub.number;
	*result = topic;
	return 0;
}

static int
make(struct evbus__context *context, struct evbus_publisher *self,
    const char *name, size_t length, const struct evbus_topic_options *options,
    struct evbus_topic **result)
{
	struct evbus__topics *topics = context->topics;
	struct evbus_topic *topic = NULL;
	uint32_t id;
	int error;

	error = allocate(context, name, length, options, &topic);
	if (error != 0)
		return error;
	id = evbus__topic_id(topic);
	topics->topic[id] = topic;
	error = evbus__trie_insert(&topics->names, topic->name, topic);
	if (error == 0) {
		error = evbus__trie_match(&topics->patterns, topic->name,
		    topics->matched, topic);
		if (error == 0)
			error = evbus__registry_insert(&topics->registry,
			    topic, &evbus__thread_of(context, self)->epoch);
		if (error != 0) {
			topics->undo(context, id);
			(void)evbus__trie_remove(&topics->names, topic->name,
			    topic);
		}
	}
	if (error != 0) {
		/* The name's bytes stay taken: at most once per failure. */
		topics->topic[id] = NULL;
		free_topic(context, topic);
		return error;
	}
	EVBUS_STORE(&topics->count, id, RELAXED);
	evbus__map_used(context->map, EVBUS__TABLE_TOPICS, id);
	*result = topic;
	return 0;
}

static struct evbus_topic *
find(struct evbus__context *context, struct evbus_publisher *self,
    const char *name, size_t length)
{
	struct evbus__epoch_record *record =
	    &evbus__thread_of(context, self)->epoch;
	struct evbus_topic *topic;

	evbus__epoch_begin(&context->epoch, record);
	topic = evbus__registry_find(&context->topics->registry, name, length);
	evbus__epoch_end(&context->epoch, record);
	return topic;
}

/* A topic that exists is to have these options. */
static int
check_same(struct evbus_topic *topic, const struct evbus_topic_options *options,
    struct evbus_topic **result)
{
	if (options->validate != NULL &&
	    (options->validate != topic->validate ||
	    options->validate_arg != topic->validate_arg))
		return evbus__fail(EVBUS_EEXIST, "topic \"%s\" exists already, "
		    "%s: who gives the validator must open it first",
		    topic->name, topic->validate == NULL ?
		    "without a validator" : "with another validator or arg");
	if (options->retain && topic->retained == NULL)
		return evbus__fail(EVBUS_EEXIST, "topic \"%s\" exists already, "
		    "and retains nothing: who wants it to must open it first",
		    topic->name);
	*result = topic;
	return 0;
}

int
evbus__topic_own(struct evbus__context *context, struct evbus_publisher *self,
    const char *name, struct evbus_topic **result)
{
	static const struct evbus_topic_options defaults;
	struct evbus_topic *topic = find(context, self, name, strlen(name));

	if (topic == NULL)
		return make(context, self, name, strlen(name), &defaults,
		    result);
	*result = topic;
	return 0;
}

int
evbus__topic_get(struct evbus__context *context, const char *name,
    const struct evbus_topic_options *options, struct evbus_topic **result)
{
	struct evbus_publisher *self;
	struct evbus_topic *topic;
	size_t length;
	int error = evbus__topic_check(name, &length);

	if (error != 0)
		return error;
	if (name[0] == '$')
		return evbus__fail(EVBUS_EOWNER, "topic \"%s\" begins with "
		    "'$': such names belong to the bus", name);
	self = evbus__self(context);
	if (self == NULL)
		return evbus__failed();
	topic = find(context, self, name, length);
	if (topic != NULL)
		return check_same(topic, options, result);
	evbus__call_enter(context, self);
	evbus__mutex_lock(&context->lock);
	topic = find(context, self, name, length);
	if (topic != NULL)
		error = check_same(topic, options, result);
	else
		error = make(context, self, name, length, options, result);
	evbus__mutex_unlock(&context->lock);
	evbus__call_leave(self);
	return error;
}

int
evbus__topic_open(struct evbus *bus, const char *name,
    const struct evbus_topic_options *options, size_t options_size,
    unsigned layout, struct evbus_topic **topic)
{
	static const struct evbus_topic_options defaults;
	struct evbus__context *context = (struct evbus__context *)(void *)bus;
	int error = evbus__check_layout(layout);

	if (error == 0)
		error = evbus__check_options("struct evbus_topic_options",
		    options_size, sizeof *options);
	if (error != 0)
		return error;
	if (bus == NULL || topic == NULL)
		return evbus__fail(EVBUS_EINVAL, "evbus_topic_open: %s is NULL",
		    bus == NULL ? "bus" : "topic");
	*topic = NULL;
	error = evbus__check_alive(context);
	if (options == NULL)
		options = &defaults;
	if (error == 0 && (options->retain > 1 || options->reserved != 0))
		error = evbus__fail(EVBUS_EINVAL, "retain is %u and reserved "
		    "%u; a topic keeps its newest event (1) or none (0)",
		    options->retain, options->reserved);
	return error != 0 ? error : evbus__topic_get(context, name, options,
	    topic);
}
