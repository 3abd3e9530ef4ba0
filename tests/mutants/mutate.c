/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * mutate.c - one order weaker than it is written.
 *
 * The linker puts these functions in front of the explorer's hooks (--wrap).
 * Each hands the access on, with the order of the mutant if it is the mutant's
 * place; so nothing is compiled anew from one mutant to the next.  The plain
 * half of each access is told to plain.c.
 */
#include <string.h>

#include <evbus/atomic.h>

#include "explore_core.h"
#include "base/os.h"
#include "mutants.h"

const struct mutant *mutant;
uint32_t *mutants_reached;
struct mutant mutants[MUTANTS_MAX];
unsigned mutants_count;

uint64_t __real_evbus__x_load(const volatile void *, unsigned, int,
    const char *, int);
uint64_t __wrap_evbus__x_load(const volatile void *, unsigned, int,
    const char *, int);
void __real_evbus__x_store(volatile void *, unsigned, uint64_t, int,
    const char *, int);
void __wrap_evbus__x_store(volatile void *, unsigned, uint64_t, int,
    const char *, int);
int __real_evbus__x_cas(volatile void *, unsigned, volatile void *, uint64_t,
    int, int, const char *, int);
int __wrap_evbus__x_cas(volatile void *, unsigned, volatile void *, uint64_t,
    int, int, const char *, int);
void __real_evbus__x_fence(int, const char *, int);
void __wrap_evbus__x_fence(int, const char *, int);
void __real_evbus__x_fence_light(int, const char *, int);
void __wrap_evbus__x_fence_light(int, const char *, int);
void __real_evbus__x_plain_store(volatile void *, unsigned, uint64_t,
    const char *, int);
void __wrap_evbus__x_plain_store(volatile void *, unsigned, uint64_t,
    const char *, int);
uint64_t __real_evbus__x_plain_load(const volatile void *, unsigned,
    const char *, int);
uint64_t __wrap_evbus__x_plain_load(const volatile void *, unsigned,
    const char *, int);
void __real_evbus__x_plain_copy_in(volatile void *, const void *, size_t,
    const char *, int);
void __wrap_evbus__x_plain_copy_in(volatile void *, const void *, size_t,
    const char *, int);
void mutate_fence_heavy(const char *, int);

/* Fences have no text. */
static int
is_at(const struct mutant *m, const char *kind, const char *file, int line)
{
	return m->line == line && strcmp(m->kind, kind) == 0 &&
	    strcmp(m->file, file) == 0 && (m->text[0] == '\0' ||
	    strcmp(m->text, file + strlen(file) + 1) == 0);
}

/* The order to go with. */
static int
order_at(const char *kind, int order, const char *file, int line)
{
	unsigned i;

	if (evbus_unlikely(mutants_reached != NULL) && ex.current != 0)
		for (i = 0; i < mutants_count; i++)
			if (mutants[i].from == order &&
			    is_at(&mutants[i], kind, file, line))
				mutants_reached[i]++;
	if (mutant != NULL && mutant->from == order &&
	    is_at(mutant, kind, file, line))
		return mutant->to;
	return order;
}

uint64_t
__wrap_evbus__x_load(const volatile void *p, unsigned size, int order,
    const char *file, int line)
{
	uint64_t value;

	value = __real_evbus__x_load(p, size,
	    order_at("load", order, file, line), file, line);
	plain_access(p, size, ATOMIC_READ, file, line);
	return value;
}

void
__wrap_evbus__x_store(volatile void *p, unsigned size, uint64_t v, int order,
    const char *file, int line)
{
	__real_evbus__x_store(p, size, v,
	    order_at("store", order, file, line), file, line);
	plain_access(p, size, ATOMIC_WRITE, file, line);
}

#define MODIFY(name) \
uint64_t __real_evbus__x_##name(volatile void *, unsigned, uint64_t, int, \
    const char *, int); \
uint64_t __wrap_evbus__x_##name(volatile void *, unsigned, uint64_t, int, \
    const char *, int); \
uint64_t \
__wrap_evbus__x_##name(volatile void *p, unsigned size, uint64_t v, \
    int order, const char *file, int line) \
{ \
	uint64_t old; \
\
	old = __real_evbus__x_##name(p, size, v, \
	    order_at(#name, order, file, line), file, line); \
	plain_access(p, size, ATOMIC_WRITE, file, line); \
	return old; \
}
MODIFY(xchg)
MODIFY(add)
MODIFY(or)
MODIFY(and)

int
__wrap_evbus__x_cas(volatile void *p, unsigned size, volatile void *expected,
    uint64_t v, int success, int failure, const char *file, int line)
{
	int done;

	done = __real_evbus__x_cas(p, size, expected, v,
	    order_at("cas", success, file, line),
	    order_at("fail", failure, file, line), file, line);
	plain_access(p, size, done ? ATOMIC_WRITE : ATOMIC_READ, file, line);
	return done;
}

void
__wrap_evbus__x_fence(int order, const char *file, int line)
{
	order = order_at("fence", order, file, line);
	if (order != GONE)
		__real_evbus__x_fence(order, file, line);
}

void
__wrap_evbus__x_fence_light(int full, const char *file, int line)
{
	if (order_at("light", __ATOMIC_SEQ_CST, file, line) != GONE)
		__real_evbus__x_fence_light(full, file, line);
}

void
mutate_fence_heavy(const char *file, int line)
{
	int id;

	if (order_at("heavy", __ATOMIC_SEQ_CST, file, line) == GONE ||
	    ex.current == 0)
		return;
	/* What the others have done by now is before their fence. */
	for (id = 1; id < CONTEXTS; id++)
		ex.fiber[id].clock.view[id] = ++ex.fiber[id].clock.hb[id];
	evbus__fence_heavy();
}

void
__wrap_evbus__x_plain_store(volatile void *p, unsigned size, uint64_t v,
    const char *file, int line)
{
	__real_evbus__x_plain_store(p, size, v, file, line);
	plain_access(p, size, PLAIN_PAYLOAD, file, line);
}

uint64_t
__wrap_evbus__x_plain_load(const volatile void *p, unsigned size,
    const char *file, int line)
{
	uint64_t value;

	value = __real_evbus__x_plain_load(p, size, file, line);
	plain_access(p, size, PLAIN_READ, file, line);
	return value;
}

void
__wrap_evbus__x_plain_copy_in(volatile void *to, const void *from, size_t n,
    const char *file, int line)
{
	__real_evbus__x_plain_copy_in(to, from, n, file, line);
	plain_access(to, n, PLAIN_PAYLOAD, file, line);
}
