/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * selftest.c - is the explorer any good?
 *
 * Classical toys with known answers: each is run in all memory models by all
 * strategies that know the model.  A bug must be found in the models that are
 * weak enough to show it, and its replay must fail in the same way; in the
 * others, and of a correct toy in all, nothing must be found, and the search
 * must be exhausted.  And where executions end in many ways, neither sleep sets
 * nor the points that are left out (explore_share.c) may lose one of the ends
 * that the search without them comes to; and they must be shorter searches.
 * With options the program is the driver over the same toys, so that the
 * replay line of a failure can be pasted.
 */
#include <stdio.h>
#include <string.h>

#include "explore_core.h"
#include "explore_toys.h"

struct row {
	const struct explore_test *test;
	const char *flags;	/* of the driver: f, d, u */
	unsigned found;		/* in these models */
	const char *says;	/* part of the message */
};

#define NONE	0u
#define SC	(1u << EXPLORE_SC)
#define TSO	(1u << EXPLORE_TSO)
#define PSO	(1u << EXPLORE_PSO)
#define C11	(1u << EXPLORE_C11)
#define ALL	(SC | TSO | PSO | C11)

static const struct row table[] = {
	{ &toy_mp_relaxed, "", PSO | C11, "assert" },
	{ &toy_mp_relaxed_read, "", C11, "assert" },
	{ &toy_mp_ordered, "", NONE, NULL },
	{ &toy_mp_fences, "", NONE, NULL },
	{ &toy_mp_spin, "", NONE, NULL },
	{ &toy_mp_spin_relaxed, "", C11, "assert" },
	{ &toy_race_ordered, "", NONE, NULL },
	{ &toy_race_relaxed, "", ALL, "data race" },
	{ &toy_race_atomic, "", ALL, "data race" },
	{ &toy_sequence_kept, "", NONE, NULL },
	{ &toy_sequence_broken, "", ALL, "data race" },
	{ &toy_sb_plain, "", TSO | PSO | C11, "assert" },
	{ &toy_sb_fences, "", NONE, NULL },
	{ &toy_sb_heavy, "", NONE, NULL },
	{ &toy_sb_heavy, "f", NONE, NULL },
	{ &toy_sb_light, "", TSO | PSO | C11, "assert" },
	{ &toy_sb_light, "f", NONE, NULL },
	{ &toy_sb_sc, "", NONE, NULL },
	{ &toy_sb_modify, "", C11, "assert" },
	{ &toy_sb_other_modify, "", C11, "assert" },
	{ &toy_sb_private, "", TSO | PSO | C11, "assert" },
	{ &toy_section_seen, "", NONE, NULL },
	{ &toy_overwritten, "", PSO | C11, "assert" },
	{ &toy_r_one_fence, "", C11, "assert" },
	{ &toy_iriw, "", C11, "assert" },
	{ &toy_iriw_fences, "", NONE, NULL },
	{ &toy_coherence, "", NONE, NULL },
	{ &toy_sleep_one_look, "", ALL, "deadlock" },
	{ &toy_sleep_two_looks, "", NONE, NULL },
	{ &toy_sleep_no_fence, "", TSO | PSO | C11, "deadlock" },
	{ &toy_sleep_limit, "", C11, "assert" },
	{ &toy_sleep_limit, "d", ALL, "assert" },
	{ &toy_sleep_limit, "u", ALL, "assert" },
	{ &toy_sleep_clock, "", NONE, NULL },
	{ &toy_seq_fences, "", NONE, NULL },
	{ &toy_seq_no_write_fence, "", PSO | C11, "assert" },
	{ &toy_seq_no_read_fence, "", C11, "assert" },
	{ &toy_seq_one_look, "", ALL, "assert" },
	{ &toy_mutex_counter, "", NONE, NULL },
	{ &toy_counter_apart, "", ALL, "assert" },
	{ &toy_counter_cas, "", NONE, NULL },
	{ &toy_pair_fields, "", PSO | C11, "assert" },
	{ &toy_epoch_waits, "", NONE, NULL },
	{ &toy_epoch_not, "", ALL, "data race" },
	{ &toy_race_fences, "", ALL, "data race" },
	{ &toy_spin_forever, "", ALL, "livelock" },
	{ &toy_map_freed, "", ALL, "freed memory" },
	{ &toy_freed_unhooked, "", ALL, "assert" },
	{ &toy_abba_spin, "", ALL, "deadlock" },
	{ &toy_crash_found, "", ALL, "crash" },
	{ &toy_memory_missed, "", ALL, "assert" },
	{ &toy_memory_looked, "", NONE, NULL },
	{ &toy_choices, "", ALL, "assert" },
};

#define ROWS (sizeof table / sizeof table[0])

/* Their executions end in more than one way. */
static const struct explore_test *const many[] = {
	&toy_sb_plain, &toy_sb_modify, &toy_iriw, &toy_coherence,
	&toy_counter_apart, &toy_sleep_two_looks,
	&toy_mutex_order, &toy_threes, &toy_late, &toy_adds,
};

/* They end in some way in all models. */
static const struct explore_test *const ended[] = {
	&toy_sb_plain, &toy_sb_modify, &toy_iriw, &toy_coherence,
	&toy_counter_apart, &toy_counter_cas, &toy_sleep_two_looks,
	&toy_mutex_order, &toy_threes, &toy_late, &toy_mp_spin, &toy_sb_fences,
	&toy_sb_heavy, &toy_sb_sc, &toy_sb_other_modify, &toy_r_one_fence,
	&toy_section_seen, &toy_overwritten,
	&toy_memory_looked, &toy_mutex_counter, &toy_iriw_fences,
	&toy_who_runs, &toy_freed_late, &toy_adds, &toy_told_twice, &toy_ways,
};

#define BOUND_MAX	3
#define ENDS_MAX	256

/* What memory was like when executions ended, as hashes. */
struct ends {
	uint64_t hash[ENDS_MAX];
	unsigned count;
};
static struct ends *ends;

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
		if (o->strategy == EXPLORE_DFS)
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
	const int search = o->strategy == EXPLORE_DFS ||
	    o->strategy == EXPLORE_SLEEP;

	if ((row->found & 1u << o->model) == 0) {
		if (r->failed)
			return r->message;
		return search && !r->exhausted ? "not exhausted" : NULL;
	}
	if (!r->failed)
		return "bug not found";
	if (strstr(r->message, row->says) == NULL)
		return r->message;
	if (!r->reproduced || !replays(row, o, r))
		return "not reproduced";
	return NULL;
}

static int
run(const struct row *row, enum explore_model model,
    enum explore_strategy strategy)
{
	static struct explore_result r;
	struct explore_options o;
	const char *wrong;

	explore_options_init(&o);
	o.strategy = strategy;
	o.model = model;
	o.membarrier = strchr(row->flags, 'f') == NULL;
	o.timeouts = strchr(row->flags, 'd') != NULL;
	o.spurious = strchr(row->flags, 'u') != NULL;
	o.executions_max = strategy == EXPLORE_DFS ||
	    strategy == EXPLORE_SLEEP ? 1000000 : 5000;
	o.quiet = 1;
	explore_run(row->test, &o, &r);
	wrong = judge(row, &o, &r);
	printf("%-18s %-32s %-3s %-1s %-6s %7llu %-9s %s%s\n",
	    row->test->name, row->test->promise, explore_model_names[model],
	    row->flags, explore_strategy_names[strategy],
	    (unsigned long long)r.executions,
	    r.failed ? "found" : r.exhausted ? "exhausted" : "clean",
	    wrong != NULL ? "FAILED: " : "ok", wrong != NULL ? wrong : "");
	return wrong != NULL;
}

static void
note_end(void)
{
	const unsigned char *byte = (const unsigned char *)&toy;
	uint64_t hash = 14695981039346656037u;
	unsigned i;

	if (ex.pruned)	/* was seen; it only went on somehow */
		return;
	for (i = 0; i < sizeof toy; i++)
		hash = (hash ^ byte[i]) * 1099511628211u;
	for (i = 0; i < ends->count; i++)
		if (ends->hash[i] == hash)
			return;
	if (ends->count == ENDS_MAX)
		explore_fail("more than %d ends", ENDS_MAX);
	ends->hash[ends->count++] = hash;
}

static int
is_in(const struct ends *e, uint64_t hash)
{
	unsigned i;

	for (i = 0; i < e->count; i++)
		if (e->hash[i] == hash)
			return 1;
	return 0;
}

static void
find_ends(const struct explore_test *t, struct ends *found,
    enum explore_strategy strategy, int all_points, struct explore_result *r)
{
	struct explore_options o;

	explore_options_init(&o);
	o.model = EXPLORE_SC;
	o.strategy = strategy;
	o.preemption_bound = 1000;
	o.executions_max = 10000000;
	o.all_points = all_points;
	memset(found, 0, sizeof *found);
	ends = found;
	explore_run(t, &o, r);
}

static int
same(const struct ends *a, const struct ends *b)
{
	unsigned i;

	for (i = 0; i < a->count; i++)
		if (!is_in(b, a->hash[i]))
			return 0;
	return a->count == b->count;
}

/* The search through all, with fewer points, and with sleep sets. */
static int
compare(const struct explore_test *toy_test)
{
	static struct explore_result r[3];
	static struct ends found[3];
	struct explore_test t = *toy_test;
	int right = 1, i;

	t.finish = note_end;
	find_ends(&t, &found[0], EXPLORE_DFS, 1, &r[0]);
	find_ends(&t, &found[1], EXPLORE_DFS, 0, &r[1]);
	find_ends(&t, &found[2], EXPLORE_SLEEP, 0, &r[2]);
	for (i = 0; i < 3; i++)
		right = right && r[i].exhausted && !r[i].failed &&
		    found[i].count > 1 && same(&found[0], &found[i]);
	right = right && r[2].executions < r[0].executions;
	if (toy_test == &toy_late)	/* the others share all they have */
		right = right && r[1].executions < r[0].executions / 2;
	printf("%-18s %u ends; dfs %llu, fewer points %llu, sleep %llu and "
	    "%llu pruned  %s\n", t.name, found[0].count,
	    (unsigned long long)r[0].executions,
	    (unsigned long long)r[1].executions,
	    (unsigned long long)r[2].executions,
	    (unsigned long long)r[2].pruned, right ? "ok" : "FAILED");
	return !right;
}

static void
outcome(void)
{
	explore_outcome(&toy, sizeof toy);
}

/* All toys that end well: is anything lost where a search is cut? */
static void
compare_seen(enum explore_forget forget, int *runs, int *wrong)
{
	static struct explore_comparison c;
	struct explore_options o;
	struct explore_test t;
	int answer, bound, model;
	size_t i;

	explore_options_init(&o);
	o.stale_bound = -1;
	o.executions_max = 200000;
	o.quiet = 1;
	o.forget = (int)forget;
	for (i = 0; i < sizeof ended / sizeof ended[0]; i++) {
		t = *ended[i];
		t.finish = outcome;
		for (model = 0; model < EXPLORE_MODELS; model++)
			for (bound = 0; bound <= BOUND_MAX; bound++) {
				o.model = (enum explore_model)model;
				o.preemption_bound = bound;
				answer = explore_compare(&t, &o, &c);
				++*runs;
				*wrong += answer != 0;
				if (forget != EXPLORE_FORGET_NOTHING)
					continue;
				printf("%-18s cut or not %-3s b%d %7llu %7llu "
				    "%5zu ends %s%s\n", t.name,
				    explore_model_names[model], bound,
				    (unsigned long long)c.executions[0],
				    (unsigned long long)c.executions[1],
				    c.ends, answer == 0 ? "ok" : "FAILED ",
				    c.message);
			}
	}
}

/* The same with a defect of the search: it must show. */
static int
compare_defect(enum explore_forget forget)
{
	static const char *const names[] = { "nothing", "what was read",
	    "the order of stores", "preemptions left", "who runs",
	    "memory freed", "reads and writes", "what switches cost",
	    "what stores carry" };
	int runs = 0, wrong = 0;

	compare_seen(forget, &runs, &wrong);
	printf("forgets %-20s %3d of %d comparisons show it  %s\n",
	    names[forget], wrong, runs, wrong > 0 ? "ok" : "FAILED");
	return wrong == 0;
}

int
main(int argc, char **argv)
{
	int failed = 0, runs = 0, model, strategy, forget;
	size_t i;

	if (argc > 1)
		return explore_main(argc, argv);
	for (i = 0; i < ROWS; i++)
		for (model = 0; model < EXPLORE_MODELS; model++)
			for (strategy = 0; strategy < EXPLORE_STRATEGIES;
			    strategy++) {
				if (strategy == EXPLORE_SLEEP &&
				    model != EXPLORE_SC)
					continue;
				failed += run(&table[i],
				    (enum explore_model)model,
				    (enum explore_strategy)strategy);
				runs++;
			}
	for (i = 0; i < sizeof many / sizeof many[0]; i++, runs++)
		failed += compare(many[i]);
	compare_seen(EXPLORE_FORGET_NOTHING, &runs, &failed);
	for (forget = 1; forget <= EXPLORE_FORGET_TOLD; forget++, runs++)
		failed += compare_defect((enum explore_forget)forget);
	printf("%d passed, %d failed\n", runs - failed, failed);
	return failed != 0;
}
