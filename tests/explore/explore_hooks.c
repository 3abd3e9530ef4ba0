/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * explore_hooks.c - where <evbus/atomic.h> comes in.
 *
 * Each access is a scheduling point and then one step of the memory model; in
 * context 0 (setup and finish) it is a plain access to memory.  Not a point:
 * a plain load, because whatever it conflicts with is a race in any order, and
 * fences that act on the running fiber alone.  Under C11 a plain copy is one
 * point and not one per word: a racing load may see any part of it anyhow.
 */
#include <string.h>

#include <evbus/atomic.h>

#include "explore_core.h"

uint64_t
explore__peek(const volatile void *p, unsigned size)
{
	switch (size) {
	case 1:
		return *(const volatile uint8_t *)p;
	case 2:
		return *(const volatile uint16_t *)p;
	case 4:
		return *(const volatile uint32_t *)p;
	default:
		return *(const volatile uint64_t *)p;
	}
}

void
explore__poke(volatile void *p, unsigned size, uint64_t v)
{
	if (size == 1)
		*(volatile uint8_t *)p = (uint8_t)v;
	else if (size == 2)
		*(volatile uint16_t *)p = (uint16_t)v;
	else if (size == 4)
		*(volatile uint32_t *)p = (uint32_t)v;
	else
		*(volatile uint64_t *)p = v;
}

/*
 * Before an access, which may empty the store buffer: 1 if it goes straight to
 * memory, before and after the
 * fibers, or when the execution only goes on to its end somehow.
 */
static int
direct(const volatile void *p, size_t size, int drains, const char *file,
    int line)
{
	if (ex.current == 0)
		return 1;
	explore__point_at(p, size, drains, file, line);
	return ex.pruned;
}

static uint64_t
look(const volatile void *p, unsigned size)
{
	if (ex.current != 0)
		explore__loaded(explore__me());
	return explore__peek(p, size);
}

static void
put(volatile void *p, unsigned size, uint64_t v)
{
	if (ex.current != 0 && explore__peek(p, size) != v)
		explore__changed(explore__me());
	explore__poke(p, size, v);
}

uint64_t
evbus__x_load(const volatile void *p, unsigned size, int order,
    const char *file, int line)
{
	if (direct(p, size, 0, file, line))
		return look(p, size);
	return explore__load(p, size, order, file, line);
}

void
evbus__x_store(volatile void *p, unsigned size, uint64_t v, int order,
    const char *file, int line)
{
	if (direct(p, size, order == __ATOMIC_SEQ_CST, file, line))
		put(p, size, v);
	else
		explore__store(p, size, v, order, file, line);
}

static uint64_t
modify(volatile void *p, unsigned size, int op, uint64_t v, int order,
    const char *file, int line)
{
	uint64_t old;
	int done;

	if (direct(p, size, 1, file, line)) {
		old = look(p, size);
		put(p, size, op == '+' ? old + v :
		    op == '|' ? old | v : op == '&' ? (old & v) : v);
		return old;
	}
	return explore__modify(p, size, op, v, 0, order, order, &done, file,
	    line);
}

uint64_t
evbus__x_xchg(volatile void *p, unsigned size, uint64_t v, int order,
    const char *file, int line)
{
	return modify(p, size, '=', v, order, file, line);
}

uint64_t
evbus__x_add(volatile void *p, unsigned size, uint64_t v, int order,
    const char *file, int line)
{
	return modify(p, size, '+', v, order, file, line);
}

uint64_t
evbus__x_or(volatile void *p, unsigned size, uint64_t v, int order,
    const char *file, int line)
{
	return modify(p, size, '|', v, order, file, line);
}

uint64_t
evbus__x_and(volatile void *p, unsigned size, uint64_t v, int order,
    const char *file, int line)
{
	return modify(p, size, '&', v, order, file, line);
}

int
evbus__x_cas(volatile void *p, unsigned size, volatile void *expected,
    uint64_t v, int success, int failure, const char *file, int line)
{
	uint64_t want = explore__peek(expected, size), old;
	int done;

	if (direct(p, size, 1, file, line)) {
		old = look(p, size);
		done = old == want;
		if (done)
			put(p, size, v);
	} else {
		old = explore__modify(p, size, '?', v, want, success, failure,
		    &done, file, line);
	}
	if (!done)
		explore__poke(expected, size, old);
	return done;
}

void
evbus__x_fence(int order, const char *file, int line)
{
	if (ex.current == 0)
		return;
	if (order == __ATOMIC_SEQ_CST && ex.options.model != EXPLORE_SC)
		explore__point(file, line);
	if (ex.pruned)
		return;
	explore__fence(order);
	TRACE("fence", NULL, 0, 0, order, NULL, file, line);
}

void
evbus__x_fence_light(int full, const char *file, int line)
{
	if (full)
		evbus__x_fence(__ATOMIC_SEQ_CST, file, line);
}

void
evbus__x_plain_store(volatile void *p, unsigned size, uint64_t v,
    const char *file, int line)
{
	if (direct(p, size, 0, file, line))
		put(p, size, v);
	else
		explore__plain_store(p, size, v, file, line);
}

uint64_t
evbus__x_plain_load(const volatile void *p, unsigned size, const char *file,
    int line)
{
	if (explore__direct())
		return look(p, size);
	explore__me()->file = file;
	explore__me()->line = line;
	return explore__plain_load(p, size, file, line);
}

/* The largest aligned piece at `address` that fits in n bytes. */
static unsigned
piece(uintptr_t address, size_t n)
{
	unsigned size = 8;

	while (size > n || (address & (size - 1)) != 0)
		size /= 2;
	return size;
}

void
evbus__x_plain_copy_in(volatile void *dst, const void *src, size_t n,
    const char *file, int line)
{
	volatile unsigned char *to = dst;
	const unsigned char *from = src;
	unsigned size, first = 1;
	uint64_t v;

	while (n > 0) {
		size = piece((uintptr_t)to, n);
		v = 0;
		memcpy(&v, from, size);
		if (ex.current != 0 && ex.options.model == EXPLORE_SC)
			explore__point_at(to, size, 0, file, line);
		else if (ex.current != 0 && first)
			explore__point_at(to, n, 0, file, line);
		if (explore__direct())
			put(to, size, v);
		else
			explore__plain_store(to, size, v, file, line);
		first = 0;
		to += size;
		from += size;
		n -= size;
	}
}

void
evbus__x_pause(const char *file, int line)
{
	explore__pause(file, line);
}
