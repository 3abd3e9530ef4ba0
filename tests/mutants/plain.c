/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * plain.c - races of accesses that have no hook.
 *
 * The explorer sees what goes through <evbus/atomic.h>.  Here the library and
 * the scenarios are compiled for the thread sanitizer, and instead of its
 * run-time library these functions stand: so every load and store of the
 * program is seen, and one that nothing orders is a failure, as it is one to
 * use freed memory.  Who came when is told by the explorer's clocks.
 *
 * They change nothing in it: no point, no step, no tick of a clock.  What a
 * fiber does without a hook counts as done at its next tick, by which it is
 * before everything that the next hook gives away, and behind what the last
 * one gave away.
 *
 * Limit: of a fiber's accesses of one kind to one half of a word only the last
 * is kept, with its bytes.
 */
#undef _FORTIFY_SOURCE

#include <stdlib.h>
#include <string.h>

#include "base/os.h"
#include "explore_core.h"
#include "mutants.h"

#define WORDS	(1u << 16)

struct entry {
	uint32_t time;
	uint8_t bytes;
	int line;
	const char *file;
};

static struct place {
	uintptr_t word;
	uint64_t execution;
	struct entry entry[PLAIN_KINDS][2][CONTEXTS];
} places[WORDS];

static const unsigned char conflicts[PLAIN_KINDS][PLAIN_KINDS] = {
	[PLAIN_READ] = { 0, 1, 1, 0, 1 },
	[PLAIN_WRITE] = { 1, 1, 1, 1, 1 },
	[PLAIN_PAYLOAD] = { 1, 1, 1, 0, 1 },
	[ATOMIC_READ] = { 0, 1, 0, 0, 0 },
	[ATOMIC_WRITE] = { 1, 1, 1, 0, 0 }
};
static const char *const names[PLAIN_KINDS] = { "plain load", "plain store",
    "plain store", "atomic load", "atomic store" };

extern const char __executable_start[], _end[];

static struct place *
place_of(uintptr_t word)
{
	struct place *p;
	uint32_t i, n;

	i = (uint32_t)((word >> 3) * 0x9e3779b97f4a7c15u >> 48);
	for (n = 0; n < WORDS; n++, i = (i + 1) % WORDS) {
		p = &places[i];
		if (p->execution != ex.executions) {
			memset(p, 0, sizeof *p);
			p->word = word;
			p->execution = ex.executions;
			return p;
		}
		if (p->word == word)
			return p;
	}
	explore_fail("more than %u words are touched", WORDS);
}

static void
race(const volatile void *p, enum plain_kind mine, const char *file, int line,
    int other, const struct entry *e, int id)
{
	explore_fail("data race on %s: %s of fiber %d at %s:%d, %s of fiber %d "
	    "at %s:%d", explore__place(p), names[mine], ex.current,
	    explore__file(file), line, names[other], id,
	    explore__file(e->file), e->line);
}

static void
half(const volatile void *p, struct place *place, int h, uint8_t bytes,
    enum plain_kind kind, uint32_t now, const char *file, int line)
{
	const struct fiber *f = explore__me();
	struct entry *e = &place->entry[kind][h][ex.current];
	int other, id;

	if (e->time == now && (bytes & ~e->bytes) == 0)
		return;
	e->time = now;
	e->bytes = bytes;
	e->file = file;
	e->line = line;
	for (other = 0; other < PLAIN_KINDS; other++) {
		if (!conflicts[kind][other])
			continue;
		e = place->entry[other][h];
		for (id = 1; id <= ex.test->nthreads; id++)
			if (id != ex.current && (e[id].bytes & bytes) != 0 &&
			    e[id].time > f->clock.hb[id])
				race(p, kind, file, line, other, &e[id], id);
	}
}

/* Stacks and thread-local variables are nobody else's. */
static int
is_common(uintptr_t at)
{
	const void *p = (const void *)at;
	size_t offset;

	return at - (uintptr_t)__executable_start <
	    (uintptr_t)_end - (uintptr_t)__executable_start ||
	    explore__heap_offset(p, &offset) ||
	    explore__tls_offset(p, &offset) >= 0;
}

static void
note(const volatile void *p, size_t size, enum plain_kind kind, uint32_t now,
    const char *file, int line)
{
	uintptr_t at = (uintptr_t)p, end = at + size, word;
	struct place *place;
	unsigned bytes;

	if (ex.current == 0 || ex.pruned || size == 0 || !is_common(at))
		return;
	if (explore__heap_freed(p) || explore__heap_freed((const char *)(
	    uintptr_t)p + size - 1))
		explore_fail("use of freed memory %s: %s at %s:%d",
		    explore__place(p), names[kind], explore__file(file), line);
	for (word = at & ~(uintptr_t)7; word < end; word += 8) {
		bytes = 0xff;
		if (word < at)
			bytes &= 0xffu << (at - word);
		if (end - word < 8)
			bytes &= 0xffu >> (8 - (end - word));
		place = place_of(word);
		if ((bytes & 0x0f) != 0)
			half(p, place, 0, bytes & 0x0f, kind, now, file,
			    line);
		if ((bytes & 0xf0) != 0)
			half(p, place, 1, bytes & 0xf0, kind, now, file,
			    line);
	}
}

void
plain_access(const volatile void *p, size_t size, enum plain_kind kind,
    const char *file, int line)
{
	note(p, size, kind, explore__me()->clock.hb[ex.current], file, line);
}

/* From compiled code: `code:N`, for addr2line; about to be done. */
static void
unhooked(const volatile void *p, size_t size, enum plain_kind kind,
    const void *at)
{
	note(p, size, kind, explore__me()->clock.hb[ex.current] + 1, "code",
	    (int)((uintptr_t)at - 1 - (uintptr_t)__executable_start));
}

#define CODE	__builtin_return_address(0)

void *
plain_set(void *to, int c, size_t n)
{
	unhooked(to, n, PLAIN_WRITE, CODE);
	return memset(to, c, n);
}

void *
plain_copy(void *to, const void *from, size_t n)
{
	unhooked(from, n, PLAIN_READ, CODE);
	unhooked(to, n, PLAIN_WRITE, CODE);
	return memcpy(to, from, n);
}

int
plain_compare(const void *a, const void *b, size_t n)
{
	unhooked(a, n, PLAIN_READ, CODE);
	unhooked(b, n, PLAIN_READ, CODE);
	return memcmp(a, b, n);
}

/* Whoever has used the block has to have done so before: its size lies in front
 * of it (explore_heap.c). */
void
plain_free(void *p)
{
	if (p != NULL)
		unhooked(p, ((const size_t *)p)[-2], PLAIN_WRITE, CODE);
	free(p);
}

void
plain_release(void *p, size_t n)
{
	unhooked(p, n, PLAIN_WRITE, CODE);
	evbus__os_release(p, n);
}

/* What gcc and clang call with -fsanitize=thread. */
#define ACCESS(name, size) \
void __tsan_read##name(void *); \
void __tsan_write##name(void *); \
void \
__tsan_read##name(void *p) \
{ \
	unhooked(p, (size), PLAIN_READ, CODE); \
} \
void \
__tsan_write##name(void *p) \
{ \
	unhooked(p, (size), PLAIN_WRITE, CODE); \
}
ACCESS(1, 1)
ACCESS(2, 2)
ACCESS(4, 4)
ACCESS(8, 8)
ACCESS(16, 16)

#define UNALIGNED(size) \
void __tsan_unaligned_read##size(void *); \
void __tsan_unaligned_write##size(void *); \
void \
__tsan_unaligned_read##size(void *p) \
{ \
	unhooked(p, (size), PLAIN_READ, CODE); \
} \
void \
__tsan_unaligned_write##size(void *p) \
{ \
	unhooked(p, (size), PLAIN_WRITE, CODE); \
}
UNALIGNED(2)
UNALIGNED(4)
UNALIGNED(8)
UNALIGNED(16)

void __tsan_read_range(void *, unsigned long);
void __tsan_write_range(void *, unsigned long);
void __tsan_func_entry(void *);
void __tsan_func_exit(void);
void __tsan_init(void);

void
__tsan_read_range(void *p, unsigned long n)
{
	unhooked(p, n, PLAIN_READ, CODE);
}

void
__tsan_write_range(void *p, unsigned long n)
{
	unhooked(p, n, PLAIN_WRITE, CODE);
}

void
__tsan_func_entry(void *pc)
{
	(void)pc;
}

void
__tsan_func_exit(void)
{
}

void
__tsan_init(void)
{
}
