/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_group.c - why: in a SHARED group each event is handled by exactly one
 * member (D3), while members come and go; the group holds publishers back as one
 * lossless reader does; and what does not fit together is refused with a
 * sentence.
 */
#include "bus_fixture.h"

#define MEMBERS 3

static struct evbus *
open_bus(uint32_t capacity)
{
	struct evbus_options options = { .stream = { .capacity = capacity,
	    .timeout_ns = FIXTURE_LONG },
	    .max_streams = 4 };

	return fixture_open(&options);
}

static struct evbus_reader *
open_member(struct evbus *bus, atomic_uint *count)
{
	struct evbus_reader_options options = { .group = "work" };
	struct evbus_reader *reader = fixture_reader(bus, &options);

	assert_true(evbus_reader_subscribe(reader, "job.>", fixture_count,
	    count, NULL) > 0);
	return reader;
}

/* What a group's counters must come to when nobody polls any more. */
struct settled {
	struct evbus *bus;
	struct evbus_group_stats stats;
};

static int
is_settled(void *arg)
{
	struct settled *settled = arg;
	struct evbus_group_stats *stats = &settled->stats;

	assert_int_equal(evbus_group_stats(settled->bus, "work", stats), 0);
	return stats->claimed == stats->delivered + stats->skipped +
	    stats->holes + stats->lost + stats->in_hand;
}

/* A worker that has let a flush go on may be about to count what it did. */
static struct evbus_group_stats
stats_of(struct evbus *bus)
{
	struct settled settled = { .bus = bus };

	assert_true(fixture_until(is_settled, &settled));
	return settled.stats;
}

static void
publish(struct evbus_topic *topic, unsigned n)
{
	for (; n > 0; n--)
		assert_int_equal(evbus_try_publish(topic, &n, sizeof n), 0);
}

/* ---- Each event to one member -------------------------------------------- */

static void
members_get_each_event_once_D3(void **state)
{
	struct evbus *bus = open_bus(64);
	struct evbus_topic *topic = fixture_topic(bus, "job.a");
	struct evbus_topic *other = fixture_topic(bus, "other");
	struct evbus_reader *member[MEMBERS];
	struct evbus_reader_stats stats;
	struct evbus_claim claim;
	atomic_uint count[MEMBERS] = { 0 };
	unsigned i, all = 0;
	int passed;

	(void)state;
	for (i = 0; i < MEMBERS; i++)
		member[i] = open_member(bus, &count[i]);
	publish(topic, 20);
	publish(other, 5);
	assert_int_equal(evbus_claim(topic, 4, 0, &claim), 0);
	evbus_abort(&claim);
	/* In turn: a member takes no more than it is asked to. */
	do {
		for (i = 0, passed = 0; i < MEMBERS; i++)
			passed += evbus_poll(member[i], 2);
	} while (passed > 0);
	for (i = 0; i < MEMBERS; i++) {
		assert_true(count[i] > 0);
		all += count[i];
		assert_int_equal(evbus_reader_stats(member[i], &stats), 0);
		assert_int_equal(stats.delivered, count[i]);
		assert_int_equal(stats.passed, stats.delivered +
		    stats.skipped + stats.holes);
		assert_int_equal(stats.lag, 0);
	}
	assert_int_equal(all, 20);
	assert_int_equal(stats_of(bus).delivered, 20);
	assert_int_equal(stats_of(bus).skipped, 5);
	assert_int_equal(stats_of(bus).holes, 1);
	assert_int_equal(stats_of(bus).members, MEMBERS);
	assert_int_equal(stats_of(bus).in_hand, 0);
	fixture_end(bus, 0);
}

/* A member takes its share, and at most eight, so that others have some. */
static void
a_member_takes_its_share_D3(void **state)
{
	struct evbus *bus = open_bus(64);
	struct evbus_topic *topic = fixture_topic(bus, "job.a");
	struct fixture_hold hold;
	struct evbus_reader_options options = { .group = "work",
	    .worker = "slow" };
	struct evbus_reader *slow, *quick;
	atomic_uint count = 0;

	(void)state;
	fixture_hold_init(&hold);
	slow = fixture_reader(bus, &options);
	assert_true(evbus_reader_subscribe(slow, "job.>", fixture_holding,
	    &hold, NULL) > 0);
	quick = open_member(bus, &count);
	publish(topic, 1);
	fixture_hold_entered(&hold);
	publish(topic, 40);
	/* What the slow one has not claimed is the other's, and no slot waits
	 * for the slow one. */
	assert_int_equal(fixture_drain(quick), 40);
	assert_int_equal(stats_of(bus).in_hand, 1);
	publish(topic, 64);
	assert_int_equal(fixture_drain(quick), 64);
	fixture_hold_open(&hold);
	assert_int_equal(evbus_flush(bus, FIXTURE_LONG), 0);
	assert_int_equal(stats_of(bus).delivered, 105);
	assert_int_equal(count, 104);
	fixture_end(bus, 0);
}

static void
next_takes_one_event_at_a_time_D3(void **state)
{
	struct evbus *bus = open_bus(64);
	struct evbus_topic *topic = fixture_topic(bus, "job.a");
	struct evbus_topic *other = fixture_topic(bus, "other");
	const struct evbus_event *first, *second;
	struct evbus_reader *member[2];
	atomic_uint count = 0;
	unsigned i;

	(void)state;
	for (i = 0; i < 2; i++)
		member[i] = open_member(bus, &count);
	publish(other, 1);
	publish(topic, 2);
	first = evbus_next(member[0]);
	second = evbus_next(member[1]);
	assert_non_null(first);
	assert_non_null(second);
	assert_int_equal(first->sequence, 1);
	assert_int_equal(second->sequence, 2);
	assert_int_equal(stats_of(bus).in_hand, 2);
	evbus_done(member[0]);
	assert_int_equal(stats_of(bus).in_hand, 1);
	assert_null(evbus_next(member[1]));
	assert_int_equal(stats_of(bus).in_hand, 0);
	fixture_end(bus, 0);
}

/* It gates like a reader, also where nobody reads, and is named. */
static void
a_group_holds_publishers_back_S1(void **state)
{
	struct evbus *bus = open_bus(4);
	struct evbus_topic *topic = fixture_topic(bus, "job.a");
	struct evbus_publish_options soon = { .set_timeout = 1,
	    .timeout_ns = FIXTURE_MS };
	struct evbus_reader_options options = { .group = "work",
	    .worker = "slow" };
	struct evbus_reader *reader = fixture_reader(bus, &options);
	struct fixture_hold hold;

	(void)state;
	fixture_hold_init(&hold);
	assert_true(evbus_reader_subscribe(reader, "job.>", fixture_holding,
	    &hold, NULL) > 0);
	publish(topic, 1);
	fixture_hold_entered(&hold);
	publish(topic, 4);
	fixture_refused(evbus_publish_with(topic, "x", 1, &soon),
	    EVBUS_ETIMEDOUT);
	fixture_says("group \"work\", subscribed at ");
	fixture_refused(evbus_flush(bus, FIXTURE_MS), EVBUS_ETIMEDOUT);
	fixture_hold_open(&hold);
	assert_int_equal(evbus_flush(bus, FIXTURE_LONG), 0);
	fixture_end(bus, 0);
}

static void
a_flush_names_the_member_that_has_events_in_hand_S1(void **state)
{
	struct evbus *bus = open_bus(4);
	struct evbus_topic *topic = fixture_topic(bus, "job.a");
	struct evbus_reader_options options = { .group = "work",
	    .name = "sleepy", .worker = "slow" };
	struct evbus_reader_options lossy = { .lossy = 1 };
	struct evbus_reader *reader, *quick, *other;
	struct fixture_hold hold;
	atomic_uint count = 0;

	(void)state;
	fixture_hold_init(&hold);
	/* Others in the set: one that is no member, one with nothing in hand,
	 * one that is further. */
	other = fixture_reader(bus, &lossy);
	assert_true(evbus_reader_subscribe(other, ">", NULL, NULL, NULL) > 0);
	(void)open_member(bus, &count);
	quick = open_member(bus, &count);
	reader = fixture_reader(bus, &options);
	assert_true(evbus_reader_subscribe(reader, "job.>", fixture_holding,
	    &hold, NULL) > 0);
	publish(topic, 1);
	fixture_hold_entered(&hold);
	publish(topic, 1);
	assert_int_equal(fixture_drain(quick), 1);
	fixture_refused(evbus_flush(bus, FIXTURE_MS), EVBUS_ETIMEDOUT);
	fixture_says("reader \"sleepy\"");
	fixture_hold_open(&hold);
	assert_int_equal(evbus_flush(bus, FIXTURE_LONG), 0);
	fixture_end(bus, 0);
}

/* Only where the caller runs every member. */
static void
a_wait_for_ones_own_members_is_refused_S3(void **state)
{
	struct evbus *bus = open_bus(4);
	struct evbus_topic *topic = fixture_topic(bus, "job.a");
	struct evbus_publish_options soon = { .set_timeout = 1,
	    .timeout_ns = FIXTURE_MS };
	struct evbus_reader_options options = { .group = "work",
	    .worker = "slow" };
	struct evbus_reader_options lossy = { .lossy = 1 };
	struct evbus_reader *own, *others;
	struct fixture_hold hold;
	atomic_uint count = 0;

	(void)state;
	fixture_hold_init(&hold);
	/* It is in the set and no member. */
	assert_true(evbus_reader_subscribe(fixture_reader(bus, &lossy), ">",
	    NULL, NULL, NULL) > 0);
	own = open_member(bus, &count);
	publish(topic, 1);
	assert_int_equal(evbus_poll(own, 1), 1);
	publish(topic, 4);
	fixture_refused(evbus_publish(topic, "x", 1), EVBUS_EDEADLK);
	fixture_refused(evbus_flush(bus, FIXTURE_LONG), EVBUS_EDEADLK);
	/* In hand, and claimed by nobody else. */
	assert_int_equal(fixture_drain(own), 4);
	publish(topic, 1);
	assert_non_null(evbus_next(own));
	fixture_refused(evbus_flush(bus, FIXTURE_LONG), EVBUS_EDEADLK);
	evbus_done(own);
	/* A member of another thread could go on. */
	others = fixture_reader(bus, &options);
	assert_true(evbus_reader_subscribe(others, "job.>", fixture_holding,
	    &hold, NULL) > 0);
	publish(topic, 1);
	fixture_hold_entered(&hold);
	publish(topic, 4);
	fixture_refused(evbus_publish_with(topic, "x", 1, &soon),
	    EVBUS_ETIMEDOUT);
	fixture_hold_open(&hold);
	assert_int_equal(evbus_publish(topic, "x", 1), 0);
	fixture_end(bus, 0);
}

/* Streams opened later are the group's as well. */
static void
a_group_spans_streams_D3(void **state)
{
	struct evbus *bus = open_bus(16);
	struct evbus_topic *a = fixture_topic(bus, "job.a"), *b;
	struct evbus_reader *member[2], *late;
	struct evbus_stream *stream;
	atomic_uint count = 0;
	uint64_t at;

	(void)state;
	member[0] = open_member(bus, &count);
	assert_int_equal(evbus_stream_open(bus, "job.b.>", NULL, &stream), 0);
	member[1] = open_member(bus, &count);
	b = fixture_topic(bus, "job.b.c");
	publish(a, 3);
	publish(b, 3);
	assert_int_equal(stats_of(bus).streams, 2);
	assert_int_equal(fixture_drain(member[1]), 6);
	assert_int_equal(fixture_drain(member[0]), 0);
	assert_int_equal(count, 6);
	assert_int_equal(evbus_reader_position(member[0], stream, &at), 0);
	assert_int_equal(at, 3);
	late = open_member(bus, &count);
	publish(b, 1);
	assert_int_equal(fixture_drain(late), 1);
	fixture_end(bus, 0);
}

/* A payload that was given back before the group came. */
static void
a_group_may_start_in_the_past_D6(void **state)
{
	struct evbus_options bus_options = { .stream = { .capacity = 16,
	    .max_payload = 512, .pool_blocks = 1 } };
	struct evbus_reader_options options = { .group = "work",
	    .start = EVBUS_START_OLDEST };
	struct evbus *bus = fixture_open(&bus_options);
	struct evbus_topic *topic = fixture_topic(bus, "job.a");
	struct evbus_reader *first, *second;
	struct evbus_reader_stats stats;
	atomic_uint count = 0;
	char large[512] = { 0 };

	(void)state;
	/* The second needs the only block: the first's payload is gone. */
	assert_int_equal(evbus_try_publish(topic, "x", 1), 0);
	assert_int_equal(evbus_publish(topic, large, sizeof large), 0);
	assert_int_equal(evbus_publish(topic, large, sizeof large), 0);
	first = fixture_reader(bus, &options);
	second = fixture_reader(bus, &options);
	assert_true(evbus_reader_subscribe(first, "job.>", fixture_count,
	    &count, NULL) > 0);
	assert_true(evbus_reader_subscribe(second, "job.>", fixture_count,
	    &count, NULL) > 0);
	assert_int_equal(fixture_drain(first), 3);
	assert_int_equal(count, 2);
	assert_int_equal(evbus_reader_stats(first, &stats), 0);
	assert_int_equal(stats.lost, 1);
	assert_int_equal(stats_of(bus).lost, 1);
	publish(topic, 1);
	assert_int_equal(fixture_drain(second), 1);
	fixture_end(bus, 0);
}

/* ---- The end ------------------------------------------------------------- */

static char told[256];

static void
hear(int code, const char *message, void *arg)
{
	(void)code;
	(void)arg;
	(void)snprintf(told, sizeof told, "%s", message);
}

static void
a_group_ends_with_its_last_member_D3(void **state)
{
	struct evbus_options options = { .stream = { .capacity = 4 },
	    .log = hear };
	struct evbus *bus = fixture_open(&options);
	struct evbus_topic *topic = fixture_topic(bus, "job.a");
	struct evbus_group_stats stats;
	struct evbus_reader *member[2];
	atomic_uint count = 0;

	(void)state;
	told[0] = '\0';
	member[0] = open_member(bus, &count);
	member[1] = open_member(bus, &count);
	publish(topic, 4);
	assert_int_equal(evbus_poll(member[0], 1), 1);
	assert_int_equal(evbus_reader_close(member[0], 0), 0);
	assert_string_equal(told, "");
	assert_int_equal(evbus_try_publish(topic, "x", 1), 0);
	assert_int_equal(evbus_try_publish(topic, "x", 1), EVBUS_EFULL);
	assert_int_equal(evbus_reader_close(member[1], 0), 0);
	assert_string_equal(told, "group \"work\" has ended: 1 events "
	    "delivered, 0 handed over, 4 left");
	fixture_refused(evbus_group_stats(bus, "work", &stats), EVBUS_ENOENT);
	/* It holds nobody back any more, and may be opened anew. */
	publish(topic, 8);
	member[0] = open_member(bus, &count);
	assert_int_equal(fixture_drain(member[0]), 0);
	fixture_end(bus, 0);
}

static void
a_kept_group_waits_for_members_D3(void **state)
{
	struct evbus_reader_options options = { .group = "work",
	    .keep_group = 1 };
	struct evbus *bus = open_bus(8);
	struct evbus_topic *topic = fixture_topic(bus, "job.a");
	struct evbus_group_stats stats;
	struct evbus_reader *member = fixture_reader(bus, &options);
	atomic_uint count = 0;

	(void)state;
	assert_true(evbus_reader_subscribe(member, "job.>", fixture_count,
	    &count, NULL) > 0);
	publish(topic, 2);
	assert_int_equal(evbus_poll(member, 1), 1);
	fixture_refused(evbus_group_end(bus, "work", &stats), EVBUS_EBUSY);
	assert_int_equal(evbus_reader_close(member, 0), 0);
	publish(topic, 1);
	assert_int_equal(stats_of(bus).left, 2);
	assert_int_equal(stats_of(bus).kept, 1);
	/* Its pattern stays, too. */
	member = fixture_reader(bus, &options);
	fixture_refused(evbus_reader_subscribe(member, "other", fixture_count,
	    &count, NULL), EVBUS_EINVAL);
	fixture_says("pattern \"other\" is not that of group \"work\"");
	assert_true(evbus_reader_subscribe(member, "job.>", fixture_count,
	    &count, NULL) > 0);
	assert_int_equal(fixture_drain(member), 2);
	assert_int_equal(count, 3);
	assert_int_equal(evbus_reader_close(member, 0), 0);
	publish(topic, 1);
	assert_int_equal(evbus_group_end(bus, "work", &stats), 0);
	assert_int_equal(stats.left, 1);
	assert_int_equal(stats.delivered, 3);
	fixture_refused(evbus_group_end(bus, "work", NULL), EVBUS_ENOENT);
	member = fixture_reader(bus, &options);
	assert_true(evbus_reader_subscribe(member, "other", fixture_count,
	    &count, NULL) > 0);
	assert_int_equal(evbus_reader_close(member, 0), 0);
	assert_int_equal(evbus_group_end(bus, "work", NULL), 0);
	fixture_end(bus, 0);
}

/* The group has a row, with what nobody claimed and what was done before. */
static void
close_reports_groups_L3(void **state)
{
	struct evbus_reader_options options = { .group = "work",
	    .keep_group = 1, .name = "member" };
	struct evbus_reader_options second = { .group = "idle",
	    .keep_group = 1 };
	struct evbus *bus = open_bus(8);
	struct evbus_topic *topic = fixture_topic(bus, "job.a");
	struct evbus_reader *member = fixture_reader(bus, &options);
	struct evbus_report report;
	atomic_uint count = 0;

	(void)state;
	assert_true(evbus_reader_subscribe(member, "job.>", fixture_count,
	    &count, NULL) > 0);
	publish(topic, 1);
	assert_int_equal(fixture_drain(member), 1);
	assert_int_equal(evbus_reader_close(member, 0), 0);
	/* Groups are found by name, and end in any order. */
	member = fixture_reader(bus, &second);
	assert_true(evbus_reader_subscribe(member, ">", NULL, NULL, NULL) > 0);
	publish(topic, 2);
	assert_int_equal(stats_of(bus).left, 2);
	assert_int_equal(fixture_drain(member), 2);
	assert_int_equal(evbus_reader_close(member, 0), 0);
	second.group = "third";
	member = fixture_reader(bus, &second);
	assert_true(evbus_reader_subscribe(member, ">", NULL, NULL, NULL) > 0);
	assert_int_equal(evbus_reader_close(member, 0), 0);
	assert_int_equal(evbus_group_end(bus, "idle", NULL), 0);
	publish(topic, 1);
	/* Nobody is there to handle them. */
	fixture_refused(evbus_close(bus, 0, &report), EVBUS_ETIMEDOUT);
	assert_int_equal(report.readers, 2);
	assert_string_equal(report.reader[0].name, "third");
	assert_int_equal(report.reader[0].left, 1);
	assert_string_equal(report.reader[1].name, "work");
	assert_int_equal(report.reader[1].delivered, 1);
	assert_int_equal(report.reader[1].left, 3);
	assert_int_equal(report.left, 4);
	assert_int_equal(evbus_free(bus), 0);
}

/* What a member has in hand counts as left, too; close drains both. */
static void
close_drains_members_L3(void **state)
{
	struct evbus *bus = open_bus(8);
	struct evbus_topic *topic = fixture_topic(bus, "job.a");
	struct evbus_reader *member;
	struct evbus_report report;
	atomic_uint count = 0;

	(void)state;
	member = open_member(bus, &count);
	publish(topic, 3);
	assert_non_null(evbus_next(member));
	assert_int_equal(evbus_close(bus, FIXTURE_LONG, &report), 0);
	assert_int_equal(report.left, 0);
	/* The first was done when the next was polled. */
	assert_int_equal(report.delivered, 3);
	assert_int_equal(count, 2);
	assert_int_equal(evbus_free(bus), 0);
}

static void
close_tells_what_a_member_has_in_hand_L3(void **state)
{
	struct evbus_reader_options options = { .group = "work",
	    .worker = "slow", .name = "member" };
	struct evbus *bus = open_bus(8);
	struct evbus_topic *topic = fixture_topic(bus, "job.a");
	struct evbus_reader *member = fixture_reader(bus, &options);
	struct evbus_report report;
	struct fixture_hold hold;

	(void)state;
	fixture_hold_init(&hold);
	assert_true(evbus_reader_subscribe(member, "job.>", fixture_holding,
	    &hold, NULL) > 0);
	publish(topic, 1);
	fixture_hold_entered(&hold);
	fixture_refused(evbus_close(bus, 0, &report), EVBUS_ETIMEDOUT);
	assert_int_equal(report.left, 1);
	assert_int_equal(report.reader[0].left, 0);
	assert_string_equal(report.reader[1].name, "member");
	assert_int_equal(report.reader[1].left, 1);
	assert_int_equal(report.reader[1].running, 1);
	fixture_hold_open(&hold);
	fixture_free(bus);
}

/* ---- Refusals ------------------------------------------------------------ */

static void
refuse(struct evbus *bus, const struct evbus_reader_options *options, int code,
    const char *text)
{
	struct evbus_reader *reader;

	fixture_refused(evbus_reader_open(bus, options, &reader), code);
	fixture_says(text);
}

/* What others of a group have in hand is not known: nobody stands after a
 * member, and a member after nobody (D4). */
static void
a_group_stands_in_no_row_D4(void **state)
{
	struct evbus *bus = open_bus(4);
	struct evbus_reader *member, *plain, *reader = NULL;
	struct evbus_reader_options options = { .after = &plain,
	    .after_count = 1, .group = "work" };
	atomic_uint count = 0;

	(void)state;
	member = open_member(bus, &count);
	plain = fixture_reader(bus, NULL);
	fixture_refused(evbus_reader_open(bus, &options, &reader),
	    EVBUS_EINVAL);
	fixture_says("after");
	assert_null(reader);
	options.group = NULL;
	options.after = &member;
	fixture_refused(evbus_reader_open(bus, &options, &reader),
	    EVBUS_EINVAL);
	fixture_says("a member of a group");
	assert_null(reader);
	fixture_end(bus, 0);
}

static void
options_that_do_not_fit_are_refused(void **state)
{
	struct evbus *bus = open_bus(8);

	(void)state;
#define REFUSE(code, text, ...) \
	refuse(bus, &(struct evbus_reader_options){ __VA_ARGS__ }, code, text)
	REFUSE(EVBUS_EINVAL, "but group is NULL", .share = EVBUS_SHARED);
	REFUSE(EVBUS_EINVAL, "but group is NULL", .keep_group = 1);
	REFUSE(EVBUS_EINVAL, "has 0 bytes", .group = "");
	REFUSE(EVBUS_EINVAL, "has 32 bytes",
	    .group = "01234567890123456789012345678901");
	REFUSE(EVBUS_ENOTSUP, "EVBUS_KEYED", .group = "g",
	    .share = EVBUS_KEYED);
	REFUSE(EVBUS_EINVAL, "share is 3", .group = "g",
	    .share = (enum evbus_share)3);
	REFUSE(EVBUS_EINVAL, "retain", .group = "g",
	    .start = EVBUS_START_RETAINED);
	REFUSE(EVBUS_EINVAL, "lossless", .group = "g", .lossy = 1);
	REFUSE(EVBUS_EINVAL, "lossless", .group = "g", .max_lag = 1);
	REFUSE(EVBUS_EINVAL, "lossless", .group = "g", .stall_ns = 1);
	(void)fixture_reader(bus, &(struct evbus_reader_options){
	    .group = "g", .share = EVBUS_SHARED,
	    .start = EVBUS_START_SEQUENCE, .sequence = 0 });
	REFUSE(EVBUS_EINVAL, "keep_group is 1", .group = "g",
	    .keep_group = 1);
	REFUSE(EVBUS_EINVAL, "another start", .group = "g",
	    .start = EVBUS_START_OLDEST);
	REFUSE(EVBUS_EINVAL, "another start", .group = "g",
	    .start = EVBUS_START_SEQUENCE, .sequence = 1);
	(void)fixture_reader(bus, &(struct evbus_reader_options){
	    .group = "g", .start = EVBUS_START_SEQUENCE });
	fixture_end(bus, 0);
}

static void
null_pointers_are_refused(void **state)
{
	struct evbus *bus = open_bus(8);
	struct evbus_group_stats stats;

	(void)state;
	fixture_refused(evbus_group_stats(NULL, "g", &stats), EVBUS_EINVAL);
	fixture_refused(evbus_group_stats(bus, NULL, &stats), EVBUS_EINVAL);
	fixture_refused(evbus_group_stats(bus, "g", NULL), EVBUS_EINVAL);
	fixture_refused(evbus_group_end(NULL, "g", &stats), EVBUS_EINVAL);
	fixture_refused(evbus_group_end(bus, NULL, &stats), EVBUS_EINVAL);
	fixture_refused(evbus_group_end(bus, "g", &stats), EVBUS_ENOENT);
	assert_int_equal(evbus_close(bus, 0, NULL), 0);
	fixture_refused(evbus_group_stats(bus, "g", &stats), EVBUS_ECLOSED);
	fixture_refused(evbus_group_end(bus, "g", &stats), EVBUS_ECLOSED);
	assert_int_equal(evbus_free(bus), 0);
}

static void
a_member_subscribes_once_and_ends_by_its_close(void **state)
{
	struct evbus *bus = open_bus(8);
	struct evbus_reader_options options = { .group = "work" };
	struct evbus_reader *member = fixture_reader(bus, &options);
	struct evbus_topic *topic = fixture_topic(bus, "job.a");
	atomic_uint count = 0;
	int64_t id;

	(void)state;
	/* Without a subscription it is no member, and takes nothing. */
	(void)open_member(bus, &count);
	publish(topic, 1);
	assert_int_equal(evbus_poll(member, 1), 0);
	assert_int_equal(stats_of(bus).members, 1);
	id = evbus_reader_subscribe(member, "job.>", NULL, NULL, NULL);
	assert_true(id > 0);
	fixture_refused(evbus_reader_subscribe(member, "job.>", NULL, NULL,
	    NULL), EVBUS_EINVAL);
	fixture_refused(evbus_unsubscribe(bus, id, 0), EVBUS_EINVAL);
	fixture_says("close the reader");
	/* Without a handler a poll passes what it takes. */
	assert_int_equal(evbus_poll(member, 1), 1);
	assert_int_equal(stats_of(bus).skipped, 1);
	fixture_end(bus, 0);
}

static void
a_subscription_that_failed_leaves_no_trace(void **state)
{
	struct evbus *bus = open_bus(4);
	struct evbus_topic *topic = fixture_topic(bus, "job.a");
	struct evbus_reader_options options = { .group = "work",
	    .start = EVBUS_START_SEQUENCE };
	struct evbus_reader *member = fixture_reader(bus, &options);

	(void)state;
	publish(topic, 12);
	fixture_refused(evbus_reader_subscribe(member, "job.>", NULL, NULL,
	    NULL), EVBUS_EGONE);
	fixture_refused(evbus_reader_subscribe(member, "job.>", NULL, NULL,
	    NULL), EVBUS_EINVAL);
	fixture_says("close it and open another");
	publish(topic, 12);
	assert_int_equal(evbus_reader_close(member, 0), 0);
	options.start = EVBUS_START_NOW;
	member = fixture_reader(bus, &options);
	assert_true(evbus_reader_subscribe(member, "job.>", NULL, NULL,
	    NULL) > 0);
	fixture_end(bus, 0);
}

static void
a_group_counts_as_a_reader_M2(void **state)
{
	struct evbus_options options = { .max_readers = 2 };
	struct evbus *bus = fixture_open(&options);
	struct evbus_reader_options member = { .group = "work" };
	struct evbus_reader *reader;

	(void)state;
	(void)fixture_reader(bus, &member);
	fixture_refused(evbus_reader_open(bus, &member, &reader),
	    EVBUS_ELIMIT);
	fixture_end(bus, 0);
	options.max_readers = 1;
	bus = fixture_open(&options);
	fixture_refused(evbus_reader_open(bus, &member, &reader),
	    EVBUS_ELIMIT);
	assert_int_equal(evbus_reader_open(bus, NULL, &reader), 0);
	fixture_end(bus, 0);
}

/* Whoever asks needs a record; so does a worker. */
static void
ask(struct fixture_thread *thread)
{
	struct evbus_group_stats stats;

	fixture_check(thread, evbus_group_stats(thread->arg, "work",
	    &stats) == EVBUS_ELIMIT);
}

static void
without_records_a_group_is_refused(void **state)
{
	struct evbus_options options = { .max_publishers = 1 };
	struct evbus_reader_options member = { .group = "work",
	    .worker = "w" };
	struct evbus *bus = fixture_open(&options);
	struct evbus_group_stats stats;
	struct evbus_reader *reader;
	struct fixture_thread thread;

	(void)state;
	(void)fixture_topic(bus, "a");
	fixture_refused(evbus_reader_open(bus, &member, &reader),
	    EVBUS_ELIMIT);
	fixture_refused(evbus_group_stats(bus, "work", &stats), EVBUS_ENOENT);
	fixture_start(&thread, ask, bus);
	fixture_join(&thread);
	fixture_end(bus, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(members_get_each_event_once_D3),
		cmocka_unit_test(a_member_takes_its_share_D3),
		cmocka_unit_test(next_takes_one_event_at_a_time_D3),
		cmocka_unit_test(a_group_holds_publishers_back_S1),
		cmocka_unit_test(
		    a_flush_names_the_member_that_has_events_in_hand_S1),
		cmocka_unit_test(a_wait_for_ones_own_members_is_refused_S3),
		cmocka_unit_test(a_group_spans_streams_D3),
		cmocka_unit_test(a_group_may_start_in_the_past_D6),
		cmocka_unit_test(a_group_ends_with_its_last_member_D3),
		cmocka_unit_test(a_kept_group_waits_for_members_D3),
		cmocka_unit_test(close_reports_groups_L3),
		cmocka_unit_test(close_drains_members_L3),
		cmocka_unit_test(close_tells_what_a_member_has_in_hand_L3),
		cmocka_unit_test(a_group_stands_in_no_row_D4),
		cmocka_unit_test(options_that_do_not_fit_are_refused),
		cmocka_unit_test(null_pointers_are_refused),
		cmocka_unit_test(
		    a_member_subscribes_once_and_ends_by_its_close),
		cmocka_unit_test(a_subscription_that_failed_leaves_no_trace),
		cmocka_unit_test(a_group_counts_as_a_reader_M2),
		cmocka_unit_test(without_records_a_group_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
