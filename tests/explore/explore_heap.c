/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * explore_heap.c - memory that begins anew with each execution.
 *
 * Maps and reservations of the library come from here, and with the linker's
 * --wrap so do malloc and its family, between the begin of setup and the end
 * of finish.  Memory is handed out once per execution and never again, so
 * freed memory stays recognisable: the next hooked access to it is a failure.
 * Each context allocates from a part of its own, so that addresses do not
 * depend on which fiber came first (explore_seen.c).  Large blocks lie on pages of
 * their own which are given back to the kernel instead of being cleared, so
 * that a sparse table costs what was touched of it.
 */
#include <sys/mman.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "explore_core.h"

#define PARTS		8	/* one for each context */
#define SMALL_PART	((size_t)4 << 20)
#define LARGE_PART	((size_t)512 << 20)
#define SMALL_SIZE	(PARTS * SMALL_PART)
#define LARGE_SIZE	(PARTS * LARGE_PART)
#define LARGE_FROM	((size_t)128 << 10)
#define GRAIN		((size_t)16)
#define PAGE		((size_t)4096)
#define RUBBISH		0xd5

EVBUS_STATIC_ASSERT(CONTEXTS <= PARTS, "each context has its memory");

struct head {
	size_t size;
	size_t pad;
};

static struct {
	unsigned char *small, *large;
	unsigned char *freed;	/* one byte per grain of small... */
	unsigned char *freed_large;	/* ...and per page of large */
	size_t small_used[PARTS], large_used[PARTS];
	unsigned char *begun;	/* copy of small when the fibers begin */
	size_t small_begun[PARTS];
	unsigned live;
	int active;
	int failures;		/* allocations that may still fail */
	int failures_at_first;
} heap;

void	*__real_malloc(size_t) __attribute__((__weak__));
void	*__real_calloc(size_t, size_t) __attribute__((__weak__));
void	*__real_realloc(void *, size_t) __attribute__((__weak__));
void	*__real_aligned_alloc(size_t, size_t) __attribute__((__weak__));
int	__real_posix_memalign(void **, size_t, size_t)
	    __attribute__((__weak__));
void	__real_free(void *) __attribute__((__weak__));
void	*__wrap_malloc(size_t);
void	*__wrap_calloc(size_t, size_t);
void	*__wrap_realloc(void *, size_t);
void	*__wrap_aligned_alloc(size_t, size_t);
int	__wrap_posix_memalign(void **, size_t, size_t);
void	__wrap_free(void *);

static unsigned char *
map(size_t size)
{
	void *p;

	p = mmap(NULL, size, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (p == MAP_FAILED) {
		perror("explore: arena");
		exit(2);
	}
	return p;
}

void
explore__heap_reset(void)
{
	size_t small, large;
	unsigned i;

	if (heap.small == NULL) {
		heap.small = map(SMALL_SIZE);
		heap.large = map(LARGE_SIZE);
		heap.freed = map(SMALL_SIZE / GRAIN);
		heap.freed_large = map(LARGE_SIZE / PAGE);
	}
	for (i = 0; i < PARTS; i++) {
		small = i * SMALL_PART;
		large = i * LARGE_PART;
		memset(heap.small + small, 0, heap.small_used[i]);
		memset(heap.freed + small / GRAIN, 0,
		    heap.small_used[i] / GRAIN);
		if (heap.large_used[i] > 0) {
			madvise(heap.large + large, heap.large_used[i],
			    MADV_DONTNEED);
			memset(heap.freed_large + large / PAGE, 0,
			    heap.large_used[i] / PAGE);
		}
		heap.small_used[i] = heap.large_used[i] = 0;
	}
	heap.live = 0;
	heap.failures = heap.failures_at_first = 0;
}

void
explore_allocations_fail(int n)
{
	heap.failures = heap.failures_at_first = n;
}

/* Is there no memory for the running fiber this time? */
int
explore__heap_fails(void)
{
	if (ex.current == 0 || heap.failures_at_first == 0)
		return 0;
	explore__touch(&heap.failures, sizeof heap.failures, EXPLORE_WRITES);
	if (heap.failures == 0 || explore__choose(2) == 0)
		return 0;
	heap.failures--;
	TRACE("no memory", NULL, 0, 0, -1, NULL, "", 0);
	return 1;
}

int
explore__heap_left(void)
{
	return heap.failures;
}

/* What the fibers begin with. */
void
explore__heap_mark(void)
{
	size_t at;
	int part;

	if (heap.begun == NULL)
		heap.begun = map(SMALL_SIZE);
	for (part = 0; part < PARTS; part++) {
		at = (size_t)part * SMALL_PART;
		memcpy(heap.begun + at, heap.small + at,
		    heap.small_used[part]);
		heap.small_begun[part] = heap.small_used[part];
	}
}

/*
 * Of what has changed since then.  Large blocks are left out, and the number of
 * the execution: the library numbers buses for as long as the process lives.
 */
uint64_t
explore__heap_hash(void)
{
	size_t at, end, begun;
	uint64_t h = 0, now, then;
	int part;

	for (part = 0; part < PARTS; part++) {
		at = (size_t)part * SMALL_PART;
		begun = at + heap.small_begun[part];
		end = at + heap.small_used[part];
		for (; at < end; at += sizeof now) {
			memcpy(&now, heap.small + at, sizeof now);
			then = 0;
			if (at < begun)
				memcpy(&then, heap.begun + at, sizeof then);
			if (now != then && now != ex.executions)
				h = explore__hash(h, at ^ now);
		}
	}
	return h;
}

void
explore__heap_enter(void)
{
	heap.active = 1;
}

void
explore__heap_leave(void)
{
	heap.active = 0;
}

static size_t
round_up(size_t n, size_t to)
{
	return (n + to - 1) / to * to;
}

/* Zeroed.  Blocks of the small arena have a head with their size. */
void *
explore__heap_alloc(size_t size, size_t align)
{
	unsigned char *part;
	struct head *h;
	size_t at;

	if (align < GRAIN)
		align = GRAIN;
	if (size >= LARGE_FROM) {
		at = round_up(heap.large_used[ex.current] + sizeof *h,
		    align > PAGE ? align : PAGE);
		if (size > LARGE_PART - at)
			return NULL;
		heap.large_used[ex.current] = round_up(at + size, PAGE);
		part = heap.large + (size_t)ex.current * LARGE_PART;
	} else {
		at = round_up(heap.small_used[ex.current] + sizeof *h, align);
		if (size > SMALL_PART - at)
			return NULL;
		heap.small_used[ex.current] = round_up(at + size, GRAIN);
		part = heap.small + (size_t)ex.current * SMALL_PART;
	}
	h = (struct head *)(void *)(part + at) - 1;
	h->size = size;
	return h + 1;
}

int
explore__heap_offset(const volatile void *p, size_t *offset)
{
	uintptr_t at = (uintptr_t)p;

	if (heap.small == NULL)
		return 0;
	if (at - (uintptr_t)heap.small < SMALL_SIZE) {
		*offset = at - (uintptr_t)heap.small;
		return 1;
	}
	if (at - (uintptr_t)heap.large < LARGE_SIZE) {
		*offset = SMALL_SIZE + at - (uintptr_t)heap.large;
		return 1;
	}
	return 0;
}

int
explore__heap_freed(const volatile void *p)
{
	size_t at = (uintptr_t)p - (uintptr_t)heap.small;

	if (at < SMALL_SIZE)
		return heap.freed[at / GRAIN] != 0;
	at = (uintptr_t)p - (uintptr_t)heap.large;
	return at < LARGE_SIZE && heap.freed_large[at / PAGE] != 0;
}

unsigned
explore_heap_live(void)
{
	return heap.live;
}

/*
 * Whoever touches [p, p + size) from now on uses freed memory.  Accesses
 * without a hook find rubbish there.
 */
void
explore__heap_release(void *p, size_t size)
{
	size_t at;

	if (explore__heap_freed(p))
		explore_fail("freed twice: %s", explore__place(p));
	if (ex.current != 0) {
		explore__share_freed();
		explore__touch_all();
		if (ex.options.forget != EXPLORE_FORGET_FREED) {
			explore__event((uintptr_t)p, 0);
			explore__event_all();
		}
	}
	at = (uintptr_t)p - (uintptr_t)heap.small;
	if (at < SMALL_SIZE) {
		memset(p, RUBBISH, size);
		memset(heap.freed + at / GRAIN, 1,
		    round_up(size, GRAIN) / GRAIN);
		return;
	}
	at = (uintptr_t)p - (uintptr_t)heap.large;
	memset(heap.freed_large + at / PAGE, 1, round_up(size, PAGE) / PAGE);
}

static void
block_free(void *p)
{
	explore__heap_release(p, ((struct head *)p - 1)->size);
	heap.live--;
}

void *
__wrap_malloc(size_t size)
{
	void *p;

	if (!heap.active)
		return __real_malloc(size);
	if (explore__heap_fails())
		return NULL;
	p = explore__heap_alloc(size, GRAIN);
	if (p != NULL)
		heap.live++;
	return p;
}

void *
__wrap_calloc(size_t n, size_t size)
{
	if (!heap.active)
		return __real_calloc(n, size);
	if (size != 0 && n > LARGE_SIZE / size)
		return NULL;
	return __wrap_malloc(n * size);
}

void *
__wrap_aligned_alloc(size_t align, size_t size)
{
	void *p;

	if (!heap.active)
		return __real_aligned_alloc(align, size);
	if (explore__heap_fails())
		return NULL;
	p = explore__heap_alloc(size, align);
	if (p != NULL)
		heap.live++;
	return p;
}

int
__wrap_posix_memalign(void **p, size_t align, size_t size)
{
	if (!heap.active)
		return __real_posix_memalign(p, align, size);
	*p = __wrap_aligned_alloc(align, size);
	return *p == NULL ? ENOMEM : 0;
}

void *
__wrap_realloc(void *p, size_t size)
{
	size_t offset, old;
	void *q;

	if (p == NULL)
		return __wrap_malloc(size);
	if (!explore__heap_offset(p, &offset))
		return __real_realloc(p, size);
	q = __wrap_malloc(size);
	if (q == NULL)
		return NULL;
	old = ((struct head *)p - 1)->size;
	memcpy(q, p, old < size ? old : size);
	block_free(p);
	return q;
}

void
__wrap_free(void *p)
{
	size_t offset;

	if (p == NULL)
		return;
	if (explore__heap_offset(p, &offset))
		block_free(p);
	else
		__real_free(p);
}
