/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * scenario.h - what the scenarios share: a tiny bus, two readers that write
 * down what they get, and the checks of what was written down.
 *
 * A payload is two words that must match: which fiber, its how-manyth event,
 * and the complement of that.  Handlers read it through the explorer, so that
 * a payload that is written again while it is read is a data race.
 */
#ifndef EVBUS_SCENARIO_H
#define EVBUS_SCENARIO_H

#include <evbus.h>

#include "explore.h"

#define SCENARIO_READERS	2
#define SCENARIO_EVENTS		16

/* What a reader got, in its order. */
struct scenario_got {
	uint64_t sequence;
	uint64_t lost;		/* just before it */
	unsigned who;		/* fiber that published it */
	unsigned n;		/* its how-manyth, from 1 */
};

struct scenario_log {
	struct scenario_got got[SCENARIO_EVENTS];
	unsigned count;
	unsigned closed;	/* calls of on_closed */
	unsigned ended;		/* the handler must not be called any more */
};

struct scenario {
	struct evbus *bus;
	struct evbus_topic *topic;
	struct evbus_stream *stream;
	struct evbus_reader *reader[SCENARIO_READERS];
	int64_t subscription[SCENARIO_READERS];
	struct scenario_log log[SCENARIO_READERS];
	unsigned published[EXPLORE_FIBERS_MAX + 1];	/* accepted, by fiber */
	int result[EXPLORE_FIBERS_MAX + 1];	/* of a fiber's last call */
};
extern struct scenario scenario;

/*
 * In setup: a bus with one topic on its default stream; zero in a field of
 * `options` means: tiny.  Each of the scenario's fibers gets its record made,
 * unless `cold`.
 */
void scenario_open(const struct evbus_options *options, int cold);
/* In setup or in a body: reader number i and its subscription. */
void scenario_reader_open(unsigned i, const struct evbus_reader_options *);
void scenario_subscribe(unsigned i);
enum evbus_verdict scenario_handler(const struct evbus_event *, void *log);
enum evbus_verdict scenario_count(const struct evbus_event *, void *log);
void scenario_on_closed(void *log);

/* Publish the running fiber's next event; what evbus_publish() answers. */
int scenario_publish(void);
int scenario_try_publish(void);
int scenario_publish_two(void);		/* as a batch */
/* The same in parts. */
int scenario_claim(struct evbus_claim *);
int scenario_try_claim(struct evbus_claim *);
int scenario_commit(struct evbus_claim *);
/* Poll until `count` events have come, sleeping in between. */
void scenario_read(unsigned i, unsigned count);
/* Take up to two events of the first reader by evbus_next(). */
void scenario_next_twice(void);

/*
 * In finish: every reader that is still open reads what is left; then each log
 * must have rising sequences, whole payloads, and of each fiber its events in
 * order and, if `all`, every one that was accepted; D2's equation must hold.
 * At last the bus is closed and freed, and nothing may be left.
 */
void scenario_drain(void);
void scenario_check(unsigned i, int all);
void scenario_close(void);
/* All of that, for one lossless reader. */
void scenario_finish(void);

/* All scenarios. */
#define SCENARIOS(S) \
	S(publish_x_publish) S(publish_x_batch) \
	S(publish_x_gate) S(publish_x_gate_sp) \
	S(publish_x_gate_high) S(publish_x_gate_two) S(publish_x_next) \
	S(publish_x_full) S(publish_x_full_two) S(publish_x_lap) \
	S(wait_x_wake) S(wait_x_wake_two) S(wait_x_wake_next) \
	S(wait_x_wake_claim) S(wait_x_publish_two) S(wait_x_subscribe) \
	S(wait_x_reader_close) S(lossy_x_lap) S(lossy_x_lap_two) \
	S(lossy_x_lap_high) S(lossy_x_wake) S(join_x_publish) \
	S(join_x_publish_used) S(join_x_publish_two) S(join_x_oldest) \
	S(join_x_reader) S(join_x_claim) S(subscribe_x_poll) \
	S(leave_x_blocked_publisher) S(leave_x_publisher_own) \
	S(leave_x_publisher_two) S(unsubscribe_x_poll) \
	S(unsubscribe_x_stretch) \
	S(unsubscribe_x_publish) S(leave_x_poll) S(claim_x_abort) \
	S(claim_x_lap) S(claim_x_exit) S(close_x_publish) \
	S(close_x_publish_two) S(close_x_publish_timeout) S(close_x_full) \
	S(close_x_wait) S(close_x_subscribe) S(close_x_handler) \
	S(close_x_lossy) S(pin_x_reclaim) S(pin_x_release) \
	S(gate_x_reclaim) S(first_x_first) S(topic_x_topic) \
	S(topic_x_subscribe) S(flush_x_poll) S(flush_x_publish) \
	S(batch_x_batch) S(claim_x_exit_full) S(unsubscribe_in_handler) \
	S(unsubscribe_x_unsubscribe) S(unsubscribe_x_end) S(leave_x_publish) \
	S(pool_take_x_take) S(pool_take_x_give) S(close_x_flush) \
	S(close_x_claim) S(close_x_batch) S(close_x_unsubscribe) \
	S(close_x_leave) S(close_x_topic) S(close_x_close) \
	S(publish_x_gate_32) S(publish_x_gate_47) S(lossy_x_lap_32) \
	S(lossy_x_lap_47) S(wait_x_wake_32) S(wait_x_wake_47) \
	S(join_x_publish_32) S(join_x_publish_47) S(subscribe_x_no_memory) \
	S(open_x_no_memory) S(topic_x_no_memory) S(unsubscribe_x_no_memory) \
	S(leave_x_no_memory) S(single_x_single) S(lossy_x_lap_twice) \
	S(wait_x_timeout) S(close_x_timeout) S(owner_x_exit) \
	S(unsubscribe_x_other) S(next_x_subscribe) S(stats_x_subscribe) \
	S(flush_x_open) S(lossy_x_lap_ahead) S(reclaim_x_join) S(pin_x_leave) \
	S(claim_x_look) S(topic_x_grow) \
	S(look_x_topic) S(look_x_reader) S(look_x_thread) S(free_x_poll) \
	S(free_x_close) \
	S(subscribe_x_stretch) S(next_x_table) S(leave_in_handler) \
	S(unsubscribe_x_kept) S(hold_x_reclaim) S(poll_x_look) \
	S(close_x_exit) S(close_x_answer) S(pool_x_join) \
	S(demotion_x_publish) S(demotion_x_publish_two) S(demotion_x_stall) \
	S(demotion_x_stall_two) S(demotion_x_flush) S(demotion_x_leave) \
	S(close_x_run) S(batch_x_lap) S(worker_x_change) S(worker_x_close) \
	S(reuse_x_poll) S(reuse_x_end) S(reuse_x_close) \
	S(free_x_leave) \
	S(holder_x_subscribe) S(holder_x_claim) \
	S(holder_x_join) S(reuse_x_close_two) S(close_x_first_poll) \
	S(retained_x_publish) S(retained_x_stamp) S(retained_x_poll) \
	S(retained_x_poll_lossy) S(retained_x_next) \
	S(retained_x_next_lossy) S(retained_x_all) \
	S(retained_x_retained) S(retained_x_unsubscribe) \
	S(fd_x_publish) S(fd_x_publish_two) S(fd_x_publish_edge) \
	S(fd_x_producers) S(fd_x_budget) S(fd_x_subscribe) S(fd_x_open) \
	S(fd_x_fd) S(fd_x_unsubscribe) S(fd_x_close) S(fd_x_reader) \
	S(fd_x_reader_next) \
	S(fd_x_reader_close) \
	S(timer_x_cancel) S(timer_x_cancel_late) S(timer_x_run) \
	S(timer_x_arm_due) S(timer_x_close) S(timer_x_close_at_once) \
	S(timer_x_close_arm) S(timer_x_arm) S(timer_x_worker) \
	S(after_x_publish) S(after_x_next) S(after_x_wake) \
	S(after_x_wake_next) S(after_x_wake_lossy) S(after_x_close) \
	S(after_x_reuse) S(after_x_flag) \
	S(after_x_leave) S(after_x_join) S(after_x_demote) S(after_x_lap) \
	S(stall_x_move) S(stall_x_stall) S(stall_x_leave) \
	S(group_claim_x_claim) S(group_claim_x_next) S(group_x_gate) \
	S(group_x_lap) S(group_join_x_claim) S(group_join_x_publish) \
	S(group_x_wake) S(group_x_flush) S(group_x_flush_two) \
	S(group_x_close) S(group_leave_x_claim) S(group_leave_x_run) \
	S(group_leave_x_next) S(group_take_x_take) S(group_take_x_flush) \
	S(group_leave_x_flush_two) \
	S(group_hold_x_close) S(group_subscribe_x_poll) \
	S(group_subscribe_x_holder) \
	S(group_leave_x_publish) S(group_leave_x_flush) S(group_exit_x_claim) \
	S(group_exit_x_run) S(group_end_x_publish) S(group_leave_x_reclaim) \
	S(group_keep_x_reclaim)

#define SCENARIO__DECLARE(name) extern const struct explore_test name;
SCENARIOS(SCENARIO__DECLARE)
#undef SCENARIO__DECLARE

#endif /* EVBUS_SCENARIO_H */
