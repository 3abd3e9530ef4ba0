/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * os_explore.c - the operating system as the explorer plays it (base/os.h).
 *
 * Mutexes and futexes block fibers; the clock is virtual; maps come from an
 * arena that begins anew with each execution; threads are the scenario's
 * fibers, of which setup can start one (explore_thread).
 *
 * A futex call orders nothing by itself: Linux documents only that the compare
 * and the going to sleep are one step, and that it is ordered with the waking:
 * so a store of the word leaves the buffer of who wakes.  Who of several
 * sleepers is woken is not promised either, so it is a choice.
 */
#include <limits.h>
#include <string.h>

#include <evbus/error.h>

#include "base/os.h"
#include "explore_memory.h"

#define TLS_SIZE	((size_t)64 * 1024)
#define SPURIOUS_MAX	2	/* of a fiber in an execution */

static struct {
	EVBUS_ALIGNED(EVBUS_LINE) unsigned char bytes[TLS_SIZE];
} tls[CONTEXTS];
static size_t tls_used[CONTEXTS];

static void (*exit_function)(void *);
static void *exit_value[CONTEXTS];
static int exits;
static struct {			/* the one that the library may start */
	int fiber;		/* 0: none */
	uint32_t ended;
	void (*body)(void *);
	void *arg;
} thread;
static int standing_for;	/* context 0 is taken for this fiber */

/* Descriptors that count: additions ever << 16 | the count. */
#define EVENTS	4
#define ADDED	0x10001u
#define COUNT	0xffffu
static uint32_t events[EVENTS];
static uint32_t edges_seen[EVENTS];
static int events_open;

void
explore__tls_reset(void)
{
	int i;

	for (i = 0; i < CONTEXTS; i++) {
		memset(tls[i].bytes, 0, tls_used[i]);
		tls_used[i] = 0;
		exit_value[i] = NULL;
	}
	exits = 0;
	memset(&thread, 0, sizeof thread);
	memset(events, 0, sizeof events);
	memset(edges_seen, 0, sizeof edges_seen);
	events_open = 0;
	standing_for = 0;
}

/* Whose thread-local things the running code gets. */
static int
thread_self(void)
{
	return ex.current != 0 ? ex.current : standing_for;
}

int
explore_fibers(void)
{
	return ex.test->nthreads;
}

void
explore_stand_for(int fiber)
{
	standing_for = fiber;
}

/* Which context's record holds p; -1: none does. */
int
explore__tls_offset(const volatile void *p, size_t *offset)
{
	uintptr_t at = (uintptr_t)p - (uintptr_t)tls;

	if (at >= sizeof tls)
		return -1;
	*offset = at % sizeof tls[0];
	return (int)(at / sizeof tls[0]);
}

void
explore_exits(void)
{
	exits = 1;
}

void
explore_thread(int fiber)
{
	thread.fiber = fiber;
}

/* The body of the running fiber has returned. */
void
explore__thread_end(void)
{
	if (exits && exit_value[ex.current] != NULL)
		exit_function(exit_value[ex.current]);
}

void *
evbus__x_tls(size_t size_bytes)
{
	if (size_bytes > TLS_SIZE)
		explore_fail("evbus__x_tls: %zu bytes, at most %zu",
		    size_bytes, TLS_SIZE);
	if (size_bytes > tls_used[thread_self()])
		tls_used[thread_self()] = size_bytes;
	return tls[thread_self()].bytes;
}

void
evbus__mutex_init(struct evbus__mutex *m)
{
	m->owner = 0;
}

void
evbus__mutex_destroy(struct evbus__mutex *m)
{
	if (m->owner != 0)
		explore_fail("a locked mutex is destroyed: %s",
		    explore__place(m));
}

/* One try; the owner word carries the clock of the last unlock. */
static int
mutex_take(struct evbus__mutex *m)
{
	int done;

	explore__modify(&m->owner, sizeof m->owner, '?',
	    (uint64_t)ex.current + 1, 0, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED,
	    &done, "mutex", 0);
	return done;
}

void
evbus__mutex_lock(struct evbus__mutex *m)
{
	if (ex.current == 0) {
		if (m->owner != 0)
			explore_fail("deadlock: context 0 locks %s, which "
			    "fiber %d has left locked", explore__place(m),
			    m->owner - 1);
		m->owner = 1;
		return;
	}
	explore__point("mutex_lock", 0);
	explore__touch(&m->owner, sizeof m->owner, EXPLORE_WRITES);
	if (m->owner == ex.current + 1)
		explore_fail("deadlock: fiber %d locks %s twice", ex.current,
		    explore__place(m));
	while (m->owner != 0)
		explore__block(FIBER_MUTEX, &m->owner, "mutex_lock", 0);
	mutex_take(m);
}

void
evbus__mutex_unlock(struct evbus__mutex *m)
{
	if (ex.current == 0) {
		m->owner = 0;
		return;
	}
	explore__point("mutex_unlock", 0);
	if (m->owner != ex.current + 1)
		explore_fail("fiber %d unlocks %s, owner is %d", ex.current,
		    explore__place(m), m->owner - 1);
	explore__store(&m->owner, sizeof m->owner, 0, __ATOMIC_RELEASE,
	    "mutex", 0);
}

int
evbus__futex_wait(uint32_t *word, uint32_t value, int64_t deadline_ns)
{
	static uint64_t arrivals;
	struct fiber *f = explore__me();
	int found;

	if (ex.current == 0) {
		if (*word == value && deadline_ns < 0)
			explore_fail("deadlock: context 0 waits for %s",
			    explore__place(word));
		return *word == value ? EVBUS_ETIMEDOUT : 0;
	}
	explore__point("futex_wait", 0);
	found = explore__load_newest(word, sizeof *word) == value;
	TRACE("futex wait", word, sizeof *word, value, -1,
	    found ? NULL : "other value", "", 0);
	if (!found)
		return 0;
	explore__touch(&ex.now_ns, sizeof ex.now_ns, EXPLORE_READS);
	if (deadline_ns >= 0 && deadline_ns <= ex.now_ns)
		return EVBUS_ETIMEDOUT;
	if (ex.options.spurious && f->spurious < SPURIOUS_MAX &&
	    explore__choose(2) == 1) {
		f->spurious++;
		return 0;
	}
	f->deadline_ns = deadline_ns;
	f->timed_out = 0;
	f->queued = ++arrivals;
	explore__block(FIBER_FUTEX, word, "futex_wait", 0);
	explore__event((uint64_t)f->timed_out, (uint64_t)ex.now_ns);
	TRACE(f->timed_out ? "timed out" : "woken", word, 0, 0, -1, NULL, "",
	    0);
	return f->timed_out ? EVBUS_ETIMEDOUT : 0;
}

/* The sleepers on a word, in order of arrival. */
static int
sleepers(const uint32_t *word, struct fiber **found)
{
	struct fiber *f;
	int id, i, n = 0;

	for (id = 1; id <= ex.test->nthreads; id++) {
		f = &ex.fiber[id];
		if (f->state != FIBER_FUTEX || f->where != word)
			continue;
		for (i = n++; i > 0 && found[i - 1]->queued > f->queued; i--)
			found[i] = found[i - 1];
		found[i] = f;
	}
	return n;
}

void
evbus__futex_wake(uint32_t *word, int n)
{
	struct fiber *asleep[EXPLORE_FIBERS_MAX];
	uint64_t event;
	int count, k;

	if (ex.current == 0)
		return;
	explore__point("futex_wake", 0);
	explore__touch(word, sizeof *word, EXPLORE_WRITES);
	event = explore__event((uintptr_t)word, 0);
	if (explore__buffered())
		explore__buffer_show_word(word);
	TRACE("futex wake", word, 0, 0, -1, NULL, "", 0);
	for (; n > 0; n--) {
		count = sleepers(word, asleep);
		if (count == 0)
			return;
		k = count > 1 && n < count ? explore__choose(count) : 0;
		asleep[k]->state = FIBER_READY;
		explore__event_of(asleep[k], event);
	}
}

int64_t
evbus__os_now(void)
{
	struct fiber *f = explore__me();

	if (ex.current != 0) {
		explore__loaded(f);
		explore__event(0, (uint64_t)ex.now_ns);
		explore__touch(&ex.now_ns, sizeof ex.now_ns, EXPLORE_READS);
		f->timed = 1;
	}
	return ex.now_ns;
}

void
evbus__os_yield(void)
{
	explore__pause("os_yield", 0);
}

uint32_t
evbus__os_tid(void)
{
	return 1000 + (uint32_t)ex.current;
}

uint32_t
evbus__os_pid(void)
{
	return 1000;
}

unsigned
evbus__os_threads(void)
{
	return (unsigned)ex.test->nthreads;
}

void
evbus__fence_heavy(void)
{
	if (ex.current == 0)
		return;
	if (!ex.options.membarrier) {
		evbus__x_fence(__ATOMIC_SEQ_CST, "fence_heavy", 0);
		return;
	}
	if (ex.options.model != EXPLORE_SC)
		explore__point("fence_heavy", 0);
	if (ex.pruned)
		return;
	explore__touch_all();
	explore__fence_heavy();
	TRACE("heavy fence", NULL, 0, 0, -1, NULL, "", 0);
}

int
evbus__fence_full(void)
{
	return !ex.options.membarrier;
}

int
evbus__os_map(size_t size, const char *name, void **base, int *fd)
{
	(void)name;
	*fd = -1;
	*base = explore__heap_fails() ? NULL :
	    explore__heap_alloc(size, 4096);
	return *base == NULL ? EVBUS_ENOMEM : 0;
}

void
evbus__os_unmap(void *base, size_t size, int fd)
{
	(void)fd;
	explore__heap_release(base, size);
}

void
evbus__os_map_blank(void *base, size_t size, int fd)
{
	(void)fd;
	memset(base, 0, size);
}

void *
evbus__os_reserve(size_t size)
{
	return explore__heap_fails() ? NULL : explore__heap_alloc(size, 4096);
}

void
evbus__os_release(void *base, size_t size)
{
	explore__heap_release(base, size);
}

/* Nothing forks here. */
int
evbus__os_hook(void (*function)(void *), void (*prepare)(void),
    void (*parent)(void), void (*child)(void))
{
	(void)prepare;
	(void)parent;
	(void)child;
	exit_function = function;
	return 0;
}

int
evbus__os_at_thread_exit(void *value)
{
	exit_value[thread_self()] = value;
	return 0;
}

int
evbus__os_thread_start(struct evbus__os_thread *t, void (*body)(void *),
    void *arg, const char *name)
{
	(void)name;
	if (ex.current != 0 || thread.fiber == 0 || thread.body != NULL)
		return EVBUS_ESYSTEM;
	t->id = thread.fiber;
	thread.body = body;
	thread.arg = arg;
	return 0;
}

void
explore_run_thread(void)
{
	thread.body(thread.arg);
	EVBUS_STORE(&thread.ended, 1, SEQ_CST);
}

void
evbus__os_thread_join(struct evbus__os_thread *t)
{
	(void)t;
	/* The system knows who has ended: there is no old answer. */
	while (EVBUS_LOAD(&thread.ended, SEQ_CST) == 0 && ex.current != 0)
		EVBUS_SPIN();
}

int
evbus__os_cpus(struct evbus__cpus *cpus)
{
	memset(cpus, 0, sizeof *cpus);
	cpus->bits[0] = 1;
	return 0;
}

int
evbus__os_thread_pin(struct evbus__os_thread *t,
    const struct evbus__cpus *cpus)
{
	(void)t;
	(void)cpus;
	return 0;
}

/* Each is one step, and orders nothing else. */
int
evbus__os_event_open(int *fd)
{
	if (events_open == EVENTS)
		return EVBUS_ESYSTEM;
	*fd = events_open++;
	return 0;
}

void
evbus__os_event_close(int fd)
{
	(void)fd;
}

void
evbus__os_event_signal(int fd)
{
	(void)EVBUS_FETCH_ADD(&events[fd], ADDED, RELAXED);
	evbus__futex_wake(&events[fd], INT_MAX);
}

uint64_t
evbus__os_event_clear(int fd)
{
	return EVBUS_FETCH_AND(&events[fd], ~COUNT, RELAXED) & COUNT;
}

unsigned
explore_event_count(int fd)
{
	return EVBUS_FETCH_OR(&events[fd], 0, RELAXED) & COUNT;
}

void
explore_event_wait(int fd)
{
	uint32_t now;

	for (;;) {
		now = EVBUS_FETCH_OR(&events[fd], 0, RELAXED);
		if ((now & COUNT) != 0)
			return;
		(void)evbus__futex_wait(&events[fd], now, -1);
	}
}

/* As epoll does: an addition is told if the count is not 0 when it is looked
 * for, and then only once. */
void
explore_event_wait_edge(int fd)
{
	uint32_t now;

	for (;;) {
		now = EVBUS_FETCH_OR(&events[fd], 0, RELAXED);
		if (now >> 16 != edges_seen[fd]) {
			edges_seen[fd] = now >> 16;
			if ((now & COUNT) != 0)
				return;
		}
		(void)evbus__futex_wait(&events[fd], now, -1);
	}
}
