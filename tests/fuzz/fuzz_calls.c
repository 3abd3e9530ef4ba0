/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fuzz_calls.c - the input is a sequence of API calls on one thread, also
 * inside handlers; the model of calls.h says what must come of each.
 *
 * Why: each call has tests of its own, but the promises are about sequences
 * of calls, and nobody thinks of them all: a subscription made in a handler of
 * a reader that holds up a publisher whose claim is open.  A difference in
 * what is delivered, in its order, in a result or in a counter is a failure.
 */
#include "calls.h"

static void handler_acts(void);

#ifdef FUZZ_CONTROL
/* What a handler unsubscribes goes on being called. */
static int
broken_unsubscribe(struct evbus *bus, int64_t id, int64_t timeout_ns)
{
	return world.depth > 0 ? 0 : evbus_unsubscribe(bus, id, timeout_ns);
}
#define evbus_unsubscribe broken_unsubscribe
#endif

static void
on_closed(void *arg)
{
	struct sub *sub = arg;

	FUZZ_CHECK(world.closing || !sub->alive);
	FUZZ_EQUAL(sub->closed, 0);
	sub->closed++;
}

static enum evbus_verdict
on_event(const struct evbus_event *seen, void *arg)
{
	struct sub *sub = arg;
	struct reader *reader = &world.reader[sub->reader];
	uint32_t bit = UINT32_C(1) << (sub - world.sub);
	unsigned answer;

	FUZZ_CHECK(sub->alive && reader->running);
	if (reader->expected == 0)
		begin_event(reader, seen);
	FUZZ_EQUAL(seen->sequence, reader->at);
	FUZZ_EQUAL(seen->stream, reader->at_stream + 1);
	FUZZ_CHECK(reader->expected & bit);
	reader->expected &= ~bit;
	reader->calls++;
	check_event(seen);
	world.cause = EVBUS_CAUSE(seen->stream, seen->sequence);
	world.cause_known = 1;
	world.depth++;
	reader->inside = 1;
	handler_acts();
	reader->inside = 0;
	world.depth--;
	answer = pick(32);
	if (answer == 1 && sub->alive) {
		end_sub(sub);
		return EVBUS_STOP;
	}
	if (answer == 2 && !world.closing) {
		reader->refused = 1;
		return EVBUS_RETRY;
	}
	return EVBUS_DONE;
}

static void
subscribe(void)
{
	static const char *const patterns[] = {
		">", "a", "a.*", "a.>", "*", "*.c", "b.>", "a.>.b"
	};
	struct evbus_subscribe_options options = { .on_closed = on_closed };
	struct reader *reader = pick_reader();
	const char *pattern = patterns[pick(COUNT(patterns))];
	int handles = pick(8) != 0;
	struct sub *sub = world.sub;
	int64_t id;
	unsigned i;

	while (sub < world.sub + SUBS && sub->used)
		sub++;
	if (reader == NULL || sub == world.sub + SUBS)
		return;
	if (reader->running)
		sync_other_places(reader);
	memset(sub, 0, sizeof *sub);
	sub->reader = (unsigned)(reader - world.reader);
	sub->pattern = pattern;
	sub->handles = handles;
	id = evbus_reader_subscribe(reader->handle, pattern,
	    handles ? on_event : NULL, sub, &options);
	if (world.closing || !naive_valid(pattern, 1)) {
		FUZZ_EQUAL(id, world.closing ? EVBUS_ECLOSED :
		    EVBUS_EPATTERN);
		return;
	}
	check_streams();
	sync_joins(reader, 0);
	FUZZ_EQUAL(sub->closed, 0);
	if (id < 0) {
		check_refused_join(reader, (int)id);
		return;
	}
	for (i = 0; i < world.topics; i++) {
		if (!naive_match(pattern, world.topic[i].name))
			continue;
		FUZZ_CHECK(reader->place[world.topic[i].stream].joined);
		sub->start[i] = reader->start == EVBUS_START_OLDEST ? 0 :
		    reader->start == EVBUS_START_SEQUENCE ? reader->sequence :
		    frontier_of(&world.stream[world.topic[i].stream]);
	}
	sub->id = id;
	sub->used = 1;
	sub->alive = 1;
}

static void
unsubscribe(void)
{
	struct sub *sub = &world.sub[pick(SUBS)];

	if (!sub->used || !sub->alive) {
		if (world.stale != 0)
			FUZZ_EQUAL(evbus_unsubscribe(world.bus, world.stale,
			    0), EVBUS_ENOENT);
		return;
	}
	end_sub(sub);
	FUZZ_EQUAL(evbus_unsubscribe(world.bus, sub->id, 0), 0);
	if (!world.reader[sub->reader].running)
		FUZZ_EQUAL(sub->closed, 1);
	else
		FUZZ_EQUAL(sub->closed, 0);
}

static void
act_everywhere(unsigned what)
{
	struct reader *reader;

	switch (what) {
	case 0:
	case 1:
	case 2:
		publish((int)what);
		break;
	case 3:
		publish_batch();
		break;
	case 4:
		reader = pick_reader();
		if (reader != NULL && !world.closing)
			poll_reader(reader);
		break;
	case 5:
		subscribe();
		break;
	case 6:
		unsubscribe();
		break;
	case 7:
		close_reader();
		break;
	case 8:
		open_topic();
		break;
	default:
		flush();
		break;
	}
}

static void
handler_acts(void)
{
	unsigned what = fuzz_byte(&world.input);

	if (what == 0 || world.depth > DEPTH)
		return;
	act_everywhere(what % 10);
	if (!world.closing)
		FUZZ_EQUAL(evbus_close(world.bus, 0, NULL), EVBUS_EDEADLK);
}

static void
act(unsigned what)
{
	struct reader *reader = pick_reader();

	switch (what) {
	case 10:
		claim();
		break;
	case 11:
	case 12:
		end_claim(&world.claim[pick(CLAIMS)], what == 11, pick(140));
		break;
	case 13:
		if (reader != NULL)
			next_event(reader);
		break;
	case 14:
		if (reader != NULL)
			done(reader);
		break;
	case 15:
		if (reader != NULL)
			check_stats(reader);
		break;
	case 16:
		if (reader != NULL)
			wait_reader(reader);
		break;
	case 17:
		open_reader();
		break;
	case 18:
		open_stream();
		break;
	default:
		act_everywhere(what % 10);
		break;
	}
}

void
fuzz_one(const uint8_t *data, size_t size)
{
	open_world(data, size);
	while (world.input.at < world.input.end) {
		act(pick(20));
		check_subs();
		check_streams();
	}
	close_world();
}
