/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * selftest.c - is the explorer any good?
 *
 * Classical toys with known answers: each is run in one memory model by both
 * strategies.  A bug must be found, and its replay must fail in the same way;
 * a correct toy must stay clean, and the search must be exhausted.  With
 * options the program is the driver over the same toys, so that the replay
 * line of a failure can be pasted.
 */
#include <stdio.h>
#include <string.h>

#include "explore_toys.h"

enum expect { CLEAN, FOUND };

struct row {
	const struct explore_test *test;
	enum explore_model model;
	const char *flags;	/* of the driver: f, d, u */
	enum expect expect;
	const char *says;	/* part of the message */
};

static const struct row table[] = {
	{ &toy_mp_relaxed, EXPLORE_SC, "", CLEAN, NULL },
	{ &toy_mp_relaxed, EXPLORE_C11, "", FOUND, "assert" },
	{ &toy_mp_relaxed_read, EXPLORE_C11, "", FOUND, "assert" },
	{ &toy_mp_ordered, EXPLORE_C11, "", CLEAN, NULL },
	{ &toy_mp_fences, EXPLORE_C11, "", CLEAN, NULL },
	{ &toy_mp_spin, EXPLORE_C11, "", CLEAN, NULL },
	{ &toy_mp_spin, EXPLORE_SC, "", CLEAN, NULL },
	{ &toy_mp_spin_relaxed, EXPLORE_C11, "", FOUND, "assert" },
	{ &toy_race_ordered, EXPLORE_SC, "", CLEAN, NULL },
	{ &toy_race_ordered, EXPLORE_C11, "", CLEAN, NULL },
	{ &toy_race_relaxed, EXPLORE_SC, "", FOUND, "data race" },
	{ &toy_race_relaxed, EXPLORE_C11, "", FOUND, "data race" },
	{ &toy_race_atomic, EXPLORE_SC, "", FOUND, "data race" },
	{ &toy_sequence_kept, EXPLORE_C11, "", CLEAN, NULL },
	{ &toy_sequence_broken, EXPLORE_SC, "", FOUND, "data race" },
	{ &toy_sequence_broken, EXPLORE_C11, "", FOUND, "data race" },
	{ &toy_sb_plain, EXPLORE_SC, "", CLEAN, NULL },
	{ &toy_sb_plain, EXPLORE_C11, "", FOUND, "assert" },
	{ &toy_sb_fences, EXPLORE_C11, "", CLEAN, NULL },
	{ &toy_sb_heavy, EXPLORE_C11, "", CLEAN, NULL },
	{ &toy_sb_heavy, EXPLORE_C11, "f", CLEAN, NULL },
	{ &toy_sb_light, EXPLORE_C11, "", FOUND, "assert" },
	{ &toy_sb_light, EXPLORE_C11, "f", CLEAN, NULL },
	{ &toy_sb_sc, EXPLORE_C11, "", CLEAN, NULL },
	{ &toy_sb_modify, EXPLORE_SC, "", CLEAN, NULL },
	{ &toy_sb_modify, EXPLORE_C11, "", FOUND, "assert" },
	{ &toy_iriw, EXPLORE_SC, "", CLEAN, NULL },
	{ &toy_iriw, EXPLORE_C11, "", FOUND, "assert" },
	{ &toy_iriw_fences, EXPLORE_C11, "", CLEAN, NULL },
	{ &toy_coherence, EXPLORE_C11, "", CLEAN, NULL },
	{ &toy_sleep_one_look, EXPLORE_SC, "", FOUND, "deadlock" },
	{ &toy_sleep_two_looks, EXPLORE_SC, "", CLEAN, NULL },
	{ &toy_sleep_two_looks, EXPLORE_C11, "", CLEAN, NULL },
	{ &toy_sleep_no_fence, EXPLORE_SC, "", CLEAN, NULL },
	{ &toy_sleep_no_fence, EXPLORE_C11, "", FOUND, "deadlock" },
	{ &toy_sleep_limit, EXPLORE_SC, "", CLEAN, NULL },
	{ &toy_sleep_limit, EXPLORE_SC, "d", FOUND, "assert" },
	{ &toy_sleep_limit, EXPLORE_SC, "u", FOUND, "assert" },
	{ &toy_sleep_clock, EXPLORE_SC, "", CLEAN, NULL },
	{ &toy_seq_fences, EXPLORE_SC, "", CLEAN, NULL },
	{ &toy_seq_fences, EXPLORE_C11, "", CLEAN, NULL },
	{ &toy_seq_no_write_fence, EXPLORE_SC, "", CLEAN, NULL },
	{ &toy_seq_no_write_fence, EXPLORE_C11, "", FOUND, "assert" },
	{ &toy_seq_no_read_fence, EXPLORE_C11, "", FOUND, "assert" },
	{ &toy_seq_one_look, EXPLORE_SC, "", FOUND, "assert" },
	{ &toy_seq_one_look, EXPLORE_C11, "", FOUND, "assert" },
	{ &toy_mutex_counter, EXPLORE_SC, "", CLEAN, NULL },
	{ &toy_mutex_counter, EXPLORE_C11, "", CLEAN, NULL },
	{ &toy_counter_apart, EXPLORE_SC, "", FOUND, "assert" },
	{ &toy_counter_cas, EXPLORE_C11, "", CLEAN, NULL },
	{ &toy_pair_fields, EXPLORE_SC, "", CLEAN, NULL },
	{ &toy_pair_fields, EXPLORE_C11, "", FOUND, "assert" },
	{ &toy_epoch_waits, EXPLORE_SC, "", CLEAN, NULL },
	{ &toy_epoch_waits, EXPLORE_C11, "", CLEAN, NULL },
	{ &toy_epoch_not, EXPLORE_C11, "", FOUND, "data race" },
	{ &toy_race_fences, EXPLORE_C11, "", FOUND, "data race" },
	{ &toy_spin_forever, EXPLORE_C11, "", FOUND, "livelock" },
	{ &toy_map_freed, EXPLORE_SC, "", FOUND, "freed memory" },
	{ &toy_abba_spin, EXPLORE_C11, "", FOUND, "deadlock" },
	{ &toy_crash_found, EXPLORE_C11, "", FOUND, "crash" },
	{ &toy_choices, EXPLORE_SC, "", FOUND, "assert" },
};

#define ROWS (sizeof table / sizeof table[0])

#define TOY_ENTRY(name) &toy_##name,
const struct explore_test *const explore_tests[] = {
	EXPLORE_TOYS(TOY_ENTRY)
	NULL
};

/* The failure must come again from its seed or its schedule. */
static int
replays(const struct row *row, const struct explore_options *o,
    const struct explore_result *found)
{
	static struct explore_result again;
	struct explore_options replay = *o;

	replay.executions_max = 1;
	if (o->strategy == EXPLORE_RANDOM) {
		replay.seed = found->seed;
	} else {
		replay.preemption_bound = found->bound;
		replay.stale_bound = found->stale_bound;
		replay.schedule = found->schedule;
	}
	explore_run(row->test, &replay, &again);
	return again.failed && strcmp(again.message, found->message) == 0;
}

static const char *
judge(const struct row *row, const struct explore_options *o,
    const struct explore_result *r)
{
	if (row->expect == CLEAN && r->failed)
		return r->message;
	if (row->expect == CLEAN)
		return o->strategy == EXPLORE_DFS && !r->exhausted ?
		    "not exhausted" : NULL;
	if (!r->failed)
		return "bug not found";
	if (strstr(r->message, row->says) == NULL)
		return r->message;
	if (!r->reproduced || !replays(row, o, r))
		return "not reproduced";
	return NULL;
}

int
main(int argc, char **argv)
{
	static struct explore_result r;
	struct explore_options o;
	const char *wrong;
	int failed = 0, passed = 0, strategy;
	size_t i;

	if (argc > 1)
		return explore_main(argc, argv);
	for (i = 0; i < 2 * ROWS; i++) {
		const struct row *row = &table[i / 2];

		strategy = i % 2 == 0 ? EXPLORE_DFS : EXPLORE_RANDOM;
		explore_options_init(&o);
		o.strategy = (enum explore_strategy)strategy;
		o.model = row->model;
		o.membarrier = strchr(row->flags, 'f') == NULL;
		o.timeouts = strchr(row->flags, 'd') != NULL;
		o.spurious = strchr(row->flags, 'u') != NULL;
		o.executions_max = strategy == EXPLORE_DFS ? 1000000 : 5000;
		o.quiet = 1;
		explore_run(row->test, &o, &r);
		wrong = judge(row, &o, &r);
		printf("%-18s %-32s %-3s %-1s %-6s %7llu %-9s %s%s\n",
		    row->test->name, row->test->promise,
		    o.model == EXPLORE_SC ? "sc" : "c11",
		    row->flags, strategy == EXPLORE_DFS ? "dfs" : "random",
		    (unsigned long long)r.executions,
		    r.failed ? "found" : r.exhausted ? "exhausted" : "clean",
		    wrong != NULL ? "FAILED: " : "ok",
		    wrong != NULL ? wrong : "");
		if (wrong != NULL)
			failed++;
		else
			passed++;
	}
	printf("%d passed, %d failed\n", passed, failed);
	return failed != 0;
}
