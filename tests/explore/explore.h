/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * explore.h - run the real code under a scheduler that decides everything.
 *
 * Fibers stand for threads.  The library is compiled with -DEVBUS_EXPLORE, so
 * each atomic access, fence, futex call, mutex call and pause comes here; each
 * is a point where another fiber may go on, and each load may return any value
 * that the memory model allows.  The choices are made at random from a seed or
 * by a depth-first search; either way a failure is replayed exactly.
 *
 * What it finds: failed asserts, data races on plain memory, deadlocks (so:
 * lost wake-ups), livelocks, crashes, and use of freed memory.
 *
 * Building: one program of everything here but selftest.c, the scenarios and
 * the library; and the self-test, of everything here but explore_main.c:
 *
 *	F="-std=c11 -D_GNU_SOURCE -U_FORTIFY_SOURCE -g -O2 -DEVBUS_EXPLORE
 *	    -Iinclude -Isrc -Itests/explore"
 *	W="-Wl,--wrap=malloc,--wrap=calloc,--wrap=realloc,--wrap=free
 *	    -Wl,--wrap=aligned_alloc,--wrap=posix_memalign"
 *	cc $F $EXPLORE SCENARIOS LIBRARY $W -o explore
 *	cc $F $EXPLORE tests/explore/selftest.c $W -o explore-selftest
 *
 * _FORTIFY_SOURCE must be off: its longjmp refuses to change stacks.  The
 * wrapped allocator is optional; see explore_heap.c for what it adds.
 *
 * The memory model and its limits are described in explore_memory.c, races in
 * explore_race.c, fences in explore_clock.c, store buffers in explore_buffer.c,
 * the scheduler in explore_fiber.c, the search in explore.c, what it leaves out
 * in explore_foot.c, explore_preempt.c, explore_sleep.c, explore_share.c and
 * explore_seen.c, and how that is shown to lose nothing in explore_compare.c.  Static variables of the library live on
 * from one execution to the next; the driver runs each line of its table in a
 * process of its own.
 */
#ifndef EVBUS_EXPLORE_H
#define EVBUS_EXPLORE_H

#include <stddef.h>
#include <stdint.h>

#include <evbus/base.h>

#define EXPLORE_FIBERS_MAX	6

/*
 * One scenario.  setup and finish run outside the scheduler, in context 0, at
 * each execution: there accesses go straight to memory, and what setup leaves
 * is the initial value that every fiber sees.  Fibers are numbered from 1;
 * body[i] is fiber i + 1.  finish may be NULL; so may setup.
 */
struct explore_test {
	const char *name;
	const char *promise;	/* what must hold, in a few words */
	int nthreads;
	void (*setup)(void);
	void (*body[EXPLORE_FIBERS_MAX])(void);
	void (*finish)(void);
	const char *flags;	/* of the driver, for more rows: "f", "u"; "L": too large to
				 * be exhausted in all models, as far as known */
};

enum explore_strategy {
	EXPLORE_RANDOM,
	EXPLORE_DFS,		/* with a preemption bound */
	EXPLORE_PCT,		/* random priorities, depth - 1 changes */
	EXPLORE_SLEEP		/* depth first with sleep sets, SC only */
};
enum explore_model { EXPLORE_SC, EXPLORE_TSO, EXPLORE_PSO, EXPLORE_C11 };
#define EXPLORE_STRATEGIES	4
#define EXPLORE_DEPTH_MAX	8	/* of PCT */
#define EXPLORE_MODELS		4
extern const char *const explore_strategy_names[EXPLORE_STRATEGIES];
extern const char *const explore_model_names[EXPLORE_MODELS];

struct explore_options {
	enum explore_strategy strategy;
	enum explore_model model;
	int preemption_bound;	/* DFS: switches away from a fiber that could */
	int stale_bound;	/* DFS: loads of an old value, one more for
				 * each preemption less; -1: no bound */
	int depth;		/* PCT: of the bugs that its bound is for */
	uint64_t seed;		/* RANDOM, PCT: of the first execution */
	uint64_t executions_max;
	double seconds_max;	/* 0: no limit */
	uint32_t steps_max;	/* of one execution; more is a livelock */
	int membarrier;		/* 1: evbus__fence_heavy() reaches everyone */
	int timeouts;		/* 1: a timed wait may time out at any moment */
	int spurious;		/* 1: a futex wait may return for no reason */
	int all_points;		/* 1: a switch before every access */
	int again;		/* 1: go on where all has been seen */
	int check;		/* 1: states taken for the same are compared */
	int forget;		/* a defect of the search, for its self-test */
	int trace;		/* 1: print each step of each execution */
	int quiet;		/* 1: print nothing about a failure */
	const char *schedule;	/* replay these choices, once */
};

/* What the search that cuts what it has seen can be made to leave out. */
enum explore_forget {
	EXPLORE_FORGET_NOTHING,
	EXPLORE_FORGET_READ,	/* which store a load has read */
	EXPLORE_FORGET_ORDER,	/* which store comes before a store */
	EXPLORE_FORGET_BUDGET,	/* how many preemptions are left */
	EXPLORE_FORGET_RUNNING,	/* which fiber goes on for nothing */
	EXPLORE_FORGET_FREED,	/* that memory was freed */
	EXPLORE_FORGET_CONFLICT,	/* that a read depends on a write */
	EXPLORE_FORGET_COST,	/* that a switch may cost nothing */
	EXPLORE_FORGET_TOLD	/* what a store tells beside its value */
};

#define EXPLORE_SCHEDULE_MAX	16384

struct explore_result {
	uint64_t executions;
	uint64_t steps;
	uint64_t pruned;	/* DFS, SLEEP: cut short, not counted above */
	uint64_t states;	/* DFS: remembered */
	uint32_t steps_most;	/* of an execution */
	double seconds;
	int exhausted;		/* DFS: nothing is left within the bounds */
	int complete;		/* and the bounds held nothing back */
	int failed;
	int reproduced;		/* a replay of the failure failed as well */
	char message[512];	/* the failure in a sentence */
	uint64_t seed;		/* RANDOM: of the failing execution */
	int bound;		/* DFS: the preemption bound it was found at */
	int stale_bound;	/* and that of loads of an old value */
	char schedule[EXPLORE_SCHEDULE_MAX]; /* the choices of the failure */
	char command[EXPLORE_SCHEDULE_MAX + 256];	/* that replays it */
};

void explore_options_init(struct explore_options *);
/* Returns 1 if the scenario failed, 0 if not. */
int explore_run(const struct explore_test *, const struct explore_options *,
    struct explore_result *);

/* The search with what has been seen and without it: explore_compare.c. */
struct explore_comparison {
	size_t ends;
	uint64_t executions[2];
	char message[512];	/* of a failure */
};
int explore_compare(const struct explore_test *,
    const struct explore_options *, struct explore_comparison *);
/* In finish: these bytes are part of how the execution has ended. */
void explore_outcome(const void *, size_t size_bytes);

/* The calling fiber, 1 to nthreads; 0 in setup and finish. */
int explore_self(void);
/* How many fibers the scenario has. */
int explore_fibers(void);
/*
 * In setup: from now on the library takes context 0 for this fiber, so that the
 * fiber's record can be made before it runs; 0 ends it.
 */
void explore_stand_for(int fiber);
/* Any number from 0 to n - 1; all of them are explored. */
int explore_choose(int n);
/*
 * In setup: up to n allocations that fibers make fail, any of them; each that
 * could is a choice.
 */
void explore_allocations_fail(int n);
/* Move the virtual clock. */
void explore_advance(int64_t ns);
/* A name for [p, p + size_bytes) in traces; call it in setup. */
void explore_name(const volatile void *p, size_t size_bytes, const char *name);
/* The execution fails here. */
void explore_fail(const char *fmt, ...)
    EVBUS_PRINTF(1, 2) __attribute__((__noreturn__));
void explore_assert_at(int c, const char *what, const char *file, int line);
#define EXPLORE_ASSERT(c) explore_assert_at(!!(c), #c, __FILE__, __LINE__)
#define explore_assert(c, ...) do { \
	if (!(c)) \
		explore_fail(__VA_ARGS__); \
} while (0)
/*
 * Called in setup: the exit functions that the library has set for its threads
 * (evbus__os_at_thread_exit) run at the end of each body, in its fiber.
 * Otherwise they do not run: the threads outlive the execution, and the search
 * is smaller.
 */
void explore_exits(void);
/*
 * In setup: a thread that the library starts, still in setup, is this fiber;
 * its body is explore_run_thread().
 */
void explore_thread(int fiber);
void explore_run_thread(void);
/* A descriptor of evbus__os_event_open(): wait until it is readable, level- or
 * edge-triggered; its count. */
void explore_event_wait(int fd);
void explore_event_wait_edge(int fd);
unsigned explore_event_count(int fd);
/* Blocks of the wrapped allocator not freed yet, in this execution. */
unsigned explore_heap_live(void);

/*
 * Zeroed storage of the calling fiber, the same for each call within an
 * execution; context 0 has its own.  The library's thread record lies here.
 */
void *evbus__x_tls(size_t size_bytes);

/* The driver: explore_cli.c.  The table ends with NULL. */
extern const struct explore_test *const explore_tests[];
int explore_main(int argc, char **argv);

#endif /* EVBUS_EXPLORE_H */
