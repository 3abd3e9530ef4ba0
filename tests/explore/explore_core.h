/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * explore_core.h - what the explorer's own files share.
 *
 * One process explores one execution at a time, so the state is one global
 * structure.  Nothing here is used by scenarios.
 */
#ifndef EVBUS_EXPLORE_CORE_H
#define EVBUS_EXPLORE_CORE_H

#include <setjmp.h>
#include <stdint.h>
#include <ucontext.h>

#include "explore.h"

#define CONTEXTS	(EXPLORE_FIBERS_MAX + 1)	/* and context 0 */
#define CLOCKS		8	/* CONTEXTS and the SC slot */
#define SC_SLOT		7
#define CHOICES_MAX	(1 << 17)
#define NEVER		UINT32_MAX
#define CHANGES_MAX	(EXPLORE_DEPTH_MAX - 1)

EVBUS_STATIC_ASSERT(CONTEXTS <= SC_SLOT, "the SC slot is one of its own");

/*
 * Two vector clocks side by side.  hb: what happens before, for the race
 * detector.  view: what must be seen; it is hb and, beyond it, what SC fences
 * and the process-wide barrier make visible without a happens-before edge.
 * view[SC_SLOT] counts the SC stores that must be seen.
 */
struct explore_clock {
	uint32_t hb[CLOCKS];
	uint32_t view[CLOCKS];
};

enum fiber_state {
	FIBER_READY,
	FIBER_PAUSED,		/* until another fiber changes some memory */
	FIBER_FUTEX,		/* until woken or the deadline */
	FIBER_MUTEX,		/* until the owner word is 0 */
	FIBER_EPOCH,		/* until the sections waited for have ended */
	FIBER_DONE
};

struct fiber {
	struct explore_clock clock;	/* what it knows */
	struct explore_clock acquired;	/* what an acquire fence would add */
	struct explore_clock released;	/* at its last release fence */
	struct explore_clock epoch;	/* from the sections it waited for */
	enum fiber_state state;
	int entered;		/* has a live context to jump to */
	const void *where;	/* the word it is blocked on */
	int64_t deadline_ns;	/* of a futex wait, or EVBUS_FOREVER */
	int timed_out;
	uint64_t queued;	/* order of arrival at the futex */
	unsigned sections;	/* epoch sections still to end */
	const char *file;	/* of the operation it is at */
	int line;

	/* Since its last pause. */
	int loaded;		/* has read memory or the clock: mark is set */
	int timed;		/* has read the clock */
	int stale;		/* has read an old value */
	int news;		/* another has changed what it had read */
	int acted;		/* has done more than read */
	uint64_t local;		/* its stack at the last one, as a hash */
	int repeats;		/* which is as it was at the one before */
	uint64_t mark;		/* foreign changes at its first load */
	uint64_t idle;		/* foreign changes when it last went on so */
	uint32_t pauses;
	uint64_t changes;	/* its own changes of memory */
	int spurious;		/* wake-ups without reason so far */

	uint64_t trace;		/* all that it did and read, as a hash */
	int after;		/* its last operation was worth a switch */
	int undrained;		/* may have stores in its buffer */
	uint64_t priority;	/* random strategy, one of its modes */
	jmp_buf jump;
	ucontext_t context;
	void *stack;
};

/* Who accessed one half of a word, and when by its own clock. */
enum access_kind { ACCESS_PLAIN_STORE, ACCESS_PLAIN_LOAD, ACCESS_STORE };
#define ACCESS_KINDS	3

struct explore_race {
	uint32_t time[ACCESS_KINDS][CLOCKS];
	const char *file[ACCESS_KINDS];	/* of the last one of a kind */
	int line[ACCESS_KINDS];
};

struct choice {
	uint16_t taken;
	uint16_t of;
	uint16_t skip;		/* not to be taken, as bits */
};

struct explorer {
	const struct explore_test *test;
	struct explore_options options;
	struct fiber fiber[CONTEXTS];
	int current;		/* 0: context 0 */
	int scheduled;		/* fibers are running */
	jmp_buf home;

	/* This execution. */
	uint32_t steps;
	uint64_t changes;	/* of memory, by all fibers */
	int64_t now_ns;
	int64_t idle_ns;	/* next jump of the clock when all only poll */
	uint64_t executions;	/* begun so far, never reset */
	int preemptions;
	int stales;
	int pruned;		/* all that follows has been seen */
	int learnt;		/* that a word is shared: begin anew */
	int switching;		/* at this point there may be a switch */
	int withheld;		/* a bound has hidden an alternative */
	struct explore_clock sc;	/* of the SC fences */
	uint32_t sc_stores;
	int failed;
	uint64_t outcome;	/* see explore_outcome() */
	char message[512];

	/* Choices: those to follow, then those made. */
	struct choice choice[CHOICES_MAX];
	uint32_t nchoices;
	uint32_t follow;	/* this many are prescribed */
	int replaying;
	int bound;		/* preemption bound of this pass */
	int stale_bound;	/* and that of loads of an old value */

	/* The random strategy. */
	uint64_t random;
	unsigned mode;
	unsigned stale_shift;
	int changes_due;	/* of priority */
	uint32_t change_at[CHANGES_MAX];

	int tracing;
	uint32_t trace_from;	/* first step that is worth printing */
};

extern struct explorer ex;

/* explore_report.c */
int explore__read_schedule(const char *);
struct explore_replayer {
	int child;
	int fd;
};
void explore__report_prepare(struct explore_replayer *);
void explore__report(struct explore_replayer *, struct explore_result *);

/* explore.c */
void explore__catch_signals(void);
void explore__run_one(void);
int explore__choose(int n);
int explore__choose_fiber(const int *candidates, int n, int current_enabled);
int explore__choose_store(int n, unsigned skip);
int explore__choose_but(int n, int drawn, unsigned skip);
void explore__stop(void) __attribute__((__noreturn__));
uint64_t explore__random(void);

/* explore_fiber.c */
int explore__is_enabled(int id);
const void *explore__stack_end(const struct fiber *);
int explore__goes_on(const struct fiber *);	/* after its next pause */
void explore__fibers_reset(void);
void explore__fibers_abandon(void);
void explore__fibers_run(void);	/* comes back through ex.home only */
/* A scheduling point before an operation; voluntary: a switch costs nothing. */
void explore__point(const char *file, int line);
/* The same before an access to these bytes. */
void explore__point_at(const volatile void *, size_t size, int drains,
    const char *file, int line);
void explore__block(enum fiber_state, const void *where, const char *file,
    int line);
void explore__pause(const char *file, int line);
void explore__loaded(struct fiber *);
void explore__changed(struct fiber *);

/* explore_memory.c */
void explore__memory_reset(void);
uint64_t explore__load(const volatile void *, unsigned size, int order,
    const char *file, int line);
uint64_t explore__load_newest(const volatile void *, unsigned size);
void explore__store(volatile void *, unsigned size, uint64_t v, int order,
    const char *file, int line);
/* op: '=' '+' '|' '&', or '?' to compare with *expected first. */
uint64_t explore__modify(volatile void *, unsigned size, int op, uint64_t v,
    uint64_t expected, int success, int failure, int *done, const char *file,
    int line);
void explore__plain_store(volatile void *, unsigned size, uint64_t v,
    const char *file, int line);
uint64_t explore__plain_load(const volatile void *, unsigned size,
    const char *file, int line);
uint64_t explore__peek(const volatile void *, unsigned size);
void explore__poke(volatile void *, unsigned size, uint64_t v);

/* explore_foot.c: what the running transition reads or writes. */
enum explore_touch { EXPLORE_READS, EXPLORE_WRITES, EXPLORE_ADDS };
int explore__touch(const volatile void *, unsigned size, enum explore_touch);
void explore__touch_only(const volatile void *, enum explore_touch);
void explore__touch_all(void);

/* explore_preempt.c: who was preempted, and sleeps. */
void explore__preempt_reset(void);
void explore__preempt_end(void);
void explore__preempt_arrive(int running);
unsigned explore__preempt_asleep(void);
void explore__preempt_taken(int id);

/* explore_sleep.c */
void explore__sleep_reset(void);
void explore__sleep_end(void);
int explore__sleep_choose(const int *candidate, int n);

/* explore_seen.c: what the running fiber did, and on what; its new trace. */
uint64_t explore__event(uint64_t what, uint64_t read);
void explore__event_read(uint64_t what, uint64_t read);
/* The same, where order matters among all that are done on an object. */
enum explore_object { OBJECT_SC, OBJECT_EPOCH };
#define OBJECTS		2
uint64_t explore__event_on(enum explore_object, uint64_t read);
/* After the last of those; before the next one; after all of both. */
uint64_t explore__event_following(enum explore_object);
uint64_t explore__event_before(enum explore_object);
uint64_t explore__event_woken(enum explore_object);
/* Something befalls another fiber, or all of them. */
void explore__event_of(struct fiber *, uint64_t event);
void explore__event_all(void);
uint64_t explore__hash(uint64_t, uint64_t);
void explore__seen_forget(void);
void explore__seen_reset(void);
int explore__seen(int running);
int explore__seen_turn(const void *frame);
uint64_t explore__states(void);

/* explore_compare.c */
void explore__end(void);

/* explore_share.c */
void explore__share_reset(void);
void explore__share_all(void);
void explore__share_freed(void);
int explore__is_shared(const volatile void *, size_t size);
int explore__is_after(void);
int explore__share(const volatile void *, enum explore_touch);

/* explore_clock.c */
void explore__join(struct explore_clock *, const struct explore_clock *);
void explore__fence(int order);
void explore__fence_heavy(void);

/* explore_race.c: the running fiber's access to these bytes of a word. */
void explore__race(struct explore_race halves[2], unsigned bytes,
    enum access_kind, const volatile void *p);

/* explore_heap.c */
void explore__heap_reset(void);
void *explore__heap_alloc(size_t size, size_t align);
void explore__heap_release(void *, size_t size);
int explore__heap_fails(void);
/* 1: the explorer is about to read freed memory. */
int explore__heap_freed(const volatile void *);
int explore__heap_offset(const volatile void *, size_t *offset);
void explore__heap_enter(void);
void explore__heap_leave(void);
int explore__heap_left(void);	/* failures still to come */
void explore__heap_mark(void);
uint64_t explore__heap_hash(void);	/* of what changed since then */

/* explore_trace.c */
void explore__names_reset(void);
const char *explore__place(const volatile void *);
const char *explore__file(const char *file);
void explore__trace(const char *op, const volatile void *p, unsigned size,
    uint64_t value, int order, const char *note, const char *file, int line);
#define TRACE(...) do { \
	if (evbus_unlikely(ex.tracing)) \
		explore__trace(__VA_ARGS__); \
} while (0)

/* os_explore.c */
void explore__tls_reset(void);
int explore__tls_offset(const volatile void *, size_t *offset);
void explore__thread_end(void);

static inline struct fiber *
explore__me(void)
{
	return &ex.fiber[ex.current];
}

/*
 * Accesses go straight to memory: before and after the fibers, and when the
 * execution only goes on to its end somehow.
 */
static inline int
explore__direct(void)
{
	return ex.current == 0 || ex.pruned;
}

/* An operation of the running fiber: the moment it happens at. */
static inline void
explore__tick(struct fiber *f)
{
	uint32_t t;

	t = ++f->clock.hb[ex.current];
	f->clock.view[ex.current] = t;
}

#endif /* EVBUS_EXPLORE_CORE_H */
