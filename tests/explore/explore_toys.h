/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * explore_toys.h - classical little programs with known answers.
 *
 * The explorer's self-test runs them (selftest.c).  Each is a scenario named
 * toy_<name>; what is right and what is wrong with it is said by its promise.
 */
#ifndef EVBUS_EXPLORE_TOYS_H
#define EVBUS_EXPLORE_TOYS_H

#include <stdint.h>

#include "base/os.h"
#include "explore.h"

#define EXPLORE_TOYS(T) \
	T(mp_relaxed) T(mp_relaxed_read) T(mp_ordered) T(mp_fences) \
	T(mp_spin) T(mp_spin_relaxed) T(race_ordered) T(race_relaxed) \
	T(race_atomic) T(sequence_kept) T(sequence_broken) T(sb_plain) \
	T(sb_fences) T(sb_heavy) T(sb_light) T(sb_sc) T(sb_modify) \
	T(r_one_fence) T(iriw) \
	T(iriw_fences) T(coherence) T(sleep_one_look) T(sleep_two_looks) \
	T(sleep_no_fence) T(sleep_limit) T(sleep_clock) T(seq_fences) \
	T(seq_no_write_fence) T(seq_no_read_fence) T(seq_one_look) \
	T(mutex_counter) T(counter_apart) T(counter_cas) T(pair_fields) \
	T(epoch_waits) T(epoch_not) T(abba_spin) T(crash_found) T(choices) \
	T(race_fences) T(spin_forever) T(map_freed) T(memory_missed) \
	T(memory_looked) T(mutex_order) \
	T(threes) T(late) T(sb_other_modify) T(section_seen) \
	T(overwritten) T(freed_unhooked) T(who_runs) T(freed_late) \
	T(sb_private) T(adds) T(told_twice) T(ways)

#define EXPLORE__TOY(name) extern const struct explore_test toy_##name;
EXPLORE_TOYS(EXPLORE__TOY)
#undef EXPLORE__TOY

/* The memory they share, zero at the begin. */
struct toy_state {
	uint32_t flag, data, left, right;
	uint32_t got[EXPLORE_FIBERS_MAX + 1];
	uint64_t plain, stamp, word[2];
	struct evbus__mutex mutex;
};
extern struct toy_state toy;

void toy_setup(void);

/* TOY(name, promise, setup, finish, one body per fiber...) */
#define TOY(id, promise, setup, finish, ...) \
	const struct explore_test toy_##id = { #id, promise, \
	    (int)(sizeof((void (*[])(void)){ __VA_ARGS__ }) / \
	    sizeof(void (*)(void))), setup, { __VA_ARGS__ }, finish, NULL }

#endif /* EVBUS_EXPLORE_TOYS_H */
