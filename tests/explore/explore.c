/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * explore.c - the search: executions, choices, and what a failure leaves.
 *
 * Everything that is not determined goes through explore__choose(): who runs,
 * which store a load reads, who is woken.  An execution is its list of
 * choices; the depth-first search counts through all lists, the random
 * strategy draws them from a seed, a replay follows a given one.
 *
 * The depth-first search goes with preemption bound 0, then 1, and so on, so
 * that the first failure found is one of the simplest; each preemption less
 * buys a load of an old value more.  It ends an execution where it has been
 * before (explore_seen.c), and does not go back to who was preempted before it
 * matters (explore_preempt.c).  It is exhausted when no list is left at the last
 * bound, and complete when no bound held anything back.  Sleep sets, which are
 * not sound with a bound, are a strategy of their own (explore_sleep.c).
 *
 * The random strategy draws a manner for each execution: switching at each
 * step, seldom, rarely, or by random priorities with three changes; and how
 * often a load reads an old value.
 *
 * PCT runs the fiber of the highest priority; priorities are drawn, and at
 * d - 1 steps, drawn among as many as the longest execution so far had, the
 * running fiber gets a new lowest one.  Of n fibers and k steps, a bug that
 * needs d scheduling constraints is found by one execution with a probability
 * of at least 1/(n k^(d-1)).  That holds for the schedule; where loads choose
 * among old values, they do it as in the random strategy.
 */
#undef _FORTIFY_SOURCE

#include <sys/time.h>

#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "explore_core.h"

#define HANG_S		10	/* of processor time without a step */
#define PCT_STEPS	64	/* what the first execution is taken for */

struct explorer ex;

static volatile sig_atomic_t running;

uint64_t
explore__random(void)
{
	uint64_t z = (ex.random += 0x9e3779b97f4a7c15u);

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
	return z ^ (z >> 31);
}

static int
drawing(void)
{
	return (ex.options.strategy == EXPLORE_RANDOM ||
	    ex.options.strategy == EXPLORE_PCT) && !ex.replaying;
}

/* Record a choice; `drawn` is what is taken if nothing is prescribed. */
int
explore__choose_but(int n, int drawn, unsigned skip)
{
	struct choice *c;
	int taken = drawn;

	if (ex.pruned)
		return 0;
	if (ex.nchoices == CHOICES_MAX)
		explore_fail("livelock: more than %d choices", CHOICES_MAX);
	c = &ex.choice[ex.nchoices];
	if (ex.nchoices < ex.follow) {
		taken = c->taken;
		if (taken >= n || (c->of != 0 && c->of != n)) {
			ex.follow = 0;
			explore_fail("choice %u does not fit: the schedule is "
			    "of another program, or the scenario is not "
			    "deterministic", ex.nchoices);
		}
	}
	c->taken = (uint16_t)taken;
	c->of = (uint16_t)n;
	c->skip = (uint16_t)skip;
	ex.nchoices++;
	return taken;
}

int
explore__choose(int n)
{
	int k = explore__choose_but(n, drawing() ?
	    (int)(explore__random() % (unsigned)n) : 0, 0);

	explore__event((uint64_t)n, (uint64_t)k);
	return k;
}

int
explore_choose(int n)
{
	int k;

	if (n < 2)
		return 0;
	k = explore__choose(n);
	TRACE("choose", NULL, 0, (uint64_t)k, -1, NULL, "", 0);
	return k;
}

/* The highest priority, after the changes due at this step. */
static int
draw_by_priority(const int *candidate, int n)
{
	int best = 0, i;

	for (i = 0; i < ex.changes_due; i++)
		if (ex.change_at[i] == ex.steps && ex.current != 0)
			ex.fiber[ex.current].priority = (unsigned)i;
	for (i = 1; i < n; i++)
		if (ex.fiber[candidate[i]].priority >
		    ex.fiber[candidate[best]].priority)
			best = i;
	return best;
}

int
explore__choose_fiber(const int *candidate, int n, int current_enabled)
{
	unsigned asleep, skip = 0;
	uint64_t r;
	int drawn = 0, i;

	if (!ex.switching && (n > 1 || ex.options.strategy == EXPLORE_SLEEP))
		return explore__choose_but(n, 0, ~1u);
	if (ex.options.strategy == EXPLORE_SLEEP)
		return explore__sleep_choose(candidate, n);
	asleep = explore__preempt_asleep();
	for (i = 0; asleep != 0 && i < n; i++)
		if ((asleep & 1u << candidate[i]) != 0)
			skip |= 1u << i;
	if (skip == (1u << n) - 1)
		ex.pruned = 1;
	if (n == 1 || ex.pruned)
		return 0;
	if (drawing()) {
		r = explore__random();
		if (ex.mode == 3)
			drawn = draw_by_priority(candidate, n);
		else if (current_enabled && ex.mode > 0 &&
		    (r >> 32) % (1u << 2 * ex.mode) != 0)
			drawn = 0;
		else
			drawn = (int)(r % (unsigned)n);
	}
	while ((skip & 1u << drawn) != 0)
		drawn++;
	return explore__choose_but(n, drawn, skip);
}

int
explore__choose_store(int n, unsigned skip)
{
	uint64_t r;
	int drawn = 0;

	if (drawing()) {
		r = explore__random();
		if ((r >> 32) % (1u << ex.stale_shift) == 0)
			drawn = 1 + (int)(r % (unsigned)(n - 1));
	}
	while ((skip & 1u << drawn) != 0)
		drawn++;
	return explore__choose_but(n, drawn, skip);
}

/* End of the execution: back to explore__run_one(). */
void
explore__stop(void)
{
	_longjmp(ex.home, 1);
}

void
explore_fail(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(ex.message, sizeof ex.message, fmt, ap);
	va_end(ap);
	if (!running) {
		fprintf(stderr, "explore: %s\n", ex.message);
		exit(2);
	}
	ex.failed = 1;
	TRACE("FAILED", NULL, 0, 0, -1, ex.message, "", 0);
	explore__stop();
}

void
explore_assert_at(int c, const char *what, const char *file, int line)
{
	if (evbus_unlikely(!c))
		explore_fail("assert \"%s\" fails at %s:%d", what,
		    explore__file(file), line);
}

static void
on_signal(int sig)
{
	static uint64_t last;
	uint64_t now;

	if (sig == SIGVTALRM) {
		now = (ex.executions << 20) + ex.steps;
		if (!running || now != last) {
			last = now;
			return;
		}
		explore_fail("hang: fiber %d makes no step after %s:%d",
		    ex.current, explore__file(explore__me()->file),
		    explore__me()->line);
	}
	if (!running) {
		signal(sig, SIG_DFL);
		raise(sig);
		return;
	}
	explore_fail("crash: signal %d (%s) in %s %d after %s:%d", sig,
	    strsignal(sig), ex.current ? "fiber" : "context", ex.current,
	    explore__file(explore__me()->file), explore__me()->line);
}

/* Crashes are failures that replay like any other; so are hangs. */
void
explore__catch_signals(void)
{
	static const int signals[] = { SIGSEGV, SIGBUS, SIGFPE, SIGILL,
	    SIGABRT, SIGVTALRM };
	static char stack[64 * 1024];
	struct itimerval every = { { HANG_S, 0 }, { HANG_S, 0 } };
	struct sigaction sa;
	stack_t ss;
	size_t i;

	memset(&ss, 0, sizeof ss);
	ss.ss_sp = stack;
	ss.ss_size = sizeof stack;
	sigaltstack(&ss, NULL);
	memset(&sa, 0, sizeof sa);
	sa.sa_handler = on_signal;
	sa.sa_flags = SA_ONSTACK | SA_NODEFER | SA_RESTART;
	for (i = 0; i < sizeof signals / sizeof *signals; i++)
		sigaction(signals[i], &sa, NULL);
	setitimer(ITIMER_VIRTUAL, &every, NULL);
}

static void
reset(void)
{
	explore__heap_reset();
	explore__memory_reset();
	explore__tls_reset();
	explore__names_reset();
	explore__fibers_reset();
	explore__sleep_reset();
	explore__preempt_reset();
	explore__seen_reset();
	ex.current = 0;
	ex.steps = 0;
	ex.changes = 0;
	ex.now_ns = 1000000;
	ex.executions++;
	ex.preemptions = ex.stales = 0;
	ex.failed = ex.pruned = 0;
	ex.switching = 1;
	ex.nchoices = 0;
}

/* One execution, following the first ex.follow choices. */
void
explore__run_one(void)
{
	reset();
	running = 1;
	explore__heap_enter();
	if (_setjmp(ex.home) == 0) {
		if (ex.test->setup != NULL)
			ex.test->setup();
		explore__fibers_run();
	}
	ex.current = 0;
	explore__sleep_end();
	explore__preempt_end();
	if (ex.failed)
		explore__fibers_abandon();
	else if (ex.test->finish != NULL) {
		if (_setjmp(ex.home) == 0)
			ex.test->finish();
	}
	explore__heap_leave();
	explore__end();
	running = 0;
}

/* k: steps that an execution has, or 0: this is not PCT. */
static void
draw_manner(uint64_t seed, uint32_t k)
{
	uint32_t span;
	int i;

	ex.random = seed;
	ex.mode = (unsigned)(explore__random() % 4);
	ex.stale_shift = 1 + (unsigned)(explore__random() % 4);
	span = 16u << explore__random() % 6;
	ex.changes_due = 3;
	if (k != 0) {
		ex.mode = 3;
		span = k;
		ex.changes_due = ex.options.depth - 1;
	}
	for (i = 0; i < ex.changes_due; i++)
		ex.change_at[i] = 1 + (uint32_t)(explore__random() % span);
	for (i = 0; i < CONTEXTS; i++)
		ex.fiber[i].priority = CHANGES_MAX +
		    explore__random() % (1u << 30);
}

static double
seconds(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static int
out_of_budget(const struct explore_result *r, double began)
{
	uint64_t begun = r->executions + r->pruned;

	if (begun >= ex.options.executions_max)
		return 1;
	return ex.options.seconds_max > 0 && begun % 64 == 0 &&
	    seconds() - began > ex.options.seconds_max;
}

static void
count(struct explore_result *r)
{
	if (ex.pruned)
		r->pruned++;
	else
		r->executions++;
	r->steps += ex.steps;
	if (ex.steps > r->steps_most)
		r->steps_most = ex.steps;
}

static void
run_random(struct explore_result *r, double began)
{
	while (!out_of_budget(r, began)) {
		r->seed = ex.options.seed + r->executions;
		draw_manner(r->seed, ex.options.strategy != EXPLORE_PCT ? 0 :
		    r->steps_most != 0 ? r->steps_most : PCT_STEPS);
		ex.follow = 0;
		explore__run_one();
		count(r);
		if (ex.failed)
			return;
	}
}

/* The next list of choices; 0: there is none. */
static int
dfs_next(void)
{
	uint32_t n = ex.nchoices;

	struct choice *c;
	unsigned next;

	for (; n > 0; n--) {
		c = &ex.choice[n - 1];
		next = c->taken + 1u;
		while (next < c->of && next < 16 &&
		    (c->skip & 1u << next) != 0)
			next++;
		if (next < c->of) {
			c->taken = (uint16_t)next;
			ex.follow = n;
			return 1;
		}
	}
	return 0;
}

static void
run_dfs(struct explore_result *r, double began)
{
	/* Sleep sets go without a bound, in one pass. */
	ex.bound = 0;
	if (ex.options.strategy == EXPLORE_SLEEP)
		ex.bound = ex.options.preemption_bound;
	for (; ex.bound <= ex.options.preemption_bound;
	    ex.bound++) {
		if (ex.options.stale_bound >= 0)
			ex.stale_bound = ex.options.stale_bound +
			    ex.options.preemption_bound - ex.bound;
		ex.follow = 0;
		ex.withheld = 0;
		for (;;) {
			if (out_of_budget(r, began))
				return;
			explore__run_one();
			count(r);
			r->bound = ex.bound;
			r->stale_bound = ex.stale_bound;
			if (ex.failed)
				return;
			if (ex.learnt) {
				ex.learnt = 0;
				explore__seen_forget();
				ex.follow = 0;
				ex.withheld = 0;
			} else if (!dfs_next()) {
				break;
			}
		}
		r->complete = !ex.withheld;
		if (r->complete)
			break;
	}
	r->exhausted = 1;
}

void
explore_options_init(struct explore_options *o)
{
	memset(o, 0, sizeof *o);
	o->strategy = EXPLORE_DFS;
	o->model = EXPLORE_C11;
	o->preemption_bound = 2;
	o->stale_bound = 3;
	o->depth = 3;
	o->seed = 1;
	o->executions_max = 100000;
	o->steps_max = 20000;
	o->membarrier = 1;
}

int
explore_run(const struct explore_test *t, const struct explore_options *o,
    struct explore_result *r)
{
	struct explore_replayer replayer;
	double began = seconds();

	memset(r, 0, sizeof *r);
	explore__catch_signals();
	ex.test = t;
	ex.options = *o;
	ex.tracing = o->trace && !o->quiet;
	ex.trace_from = 0;
	ex.replaying = o->schedule != NULL;
	ex.bound = o->preemption_bound;
	ex.stale_bound = o->stale_bound;
	explore__fibers_abandon();
	explore__share_reset();
	explore__seen_forget();
	if (ex.replaying && explore__read_schedule(o->schedule) != 0)
		explore_fail("not a schedule: %s", o->schedule);
	explore__report_prepare(&replayer);
	if (ex.replaying) {
		r->bound = ex.bound;
		r->stale_bound = ex.stale_bound;
		explore__run_one();
		count(r);
	} else if (o->strategy == EXPLORE_RANDOM ||
	    o->strategy == EXPLORE_PCT) {
		run_random(r, began);
	} else {
		run_dfs(r, began);
	}
	r->failed = ex.failed;
	r->states = explore__states();
	r->seconds = seconds() - began;
	explore__report(&replayer, r);
	running = 0;
	return r->failed;
}
