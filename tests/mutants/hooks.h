/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * hooks.h - put in front of every file of the library and of the scenarios,
 * when they are compiled for the mutants (see `run`).
 *
 * <evbus/atomic.h> tells each access's file and line.  Two accesses may stand
 * on one line, so here the text of the access is told as well: it lies behind
 * the file's name, past a NUL.  A heavy fence tells where it is, too; and what
 * goes over memory in the C library is seen (plain.c).
 */
#ifndef TESTS_MUTANTS_HOOKS_H
#define TESTS_MUTANTS_HOOKS_H

#include <stdlib.h>
#include <string.h>

#include <evbus/atomic.h>

#include "base/os.h"

void mutate_fence_heavy(const char *file, int line);
void *plain_set(void *to, int c, size_t n);
void *plain_copy(void *to, const void *from, size_t n);
int plain_compare(const void *a, const void *b, size_t n);
void plain_free(void *p);
void plain_release(void *p, size_t n);

#undef EVBUS_LOAD
#undef EVBUS_STORE
#undef EVBUS_XCHG
#undef EVBUS_FETCH_ADD
#undef EVBUS_FETCH_OR
#undef EVBUS_FETCH_AND
#undef EVBUS_CAS

#define MUTANTS_AT(p)	__FILE__ "\0" #p, __LINE__

#define EVBUS_LOAD(p, o) EVBUS__R(p, \
	evbus__x_load((p), sizeof *(p), __ATOMIC_##o, MUTANTS_AT(p)))
#define EVBUS_STORE(p, v, o) evbus__x_store((p), sizeof *(p), EVBUS__V(v), \
	__ATOMIC_##o, MUTANTS_AT(p))
#define EVBUS_XCHG(p, v, o) EVBUS__R(p, evbus__x_xchg((p), sizeof *(p), \
	EVBUS__V(v), __ATOMIC_##o, MUTANTS_AT(p)))
#define EVBUS_FETCH_ADD(p, v, o) ((void)evbus__x_add((p), sizeof *(p), \
	EVBUS__V(v), __ATOMIC_##o, MUTANTS_AT(p)))
#define EVBUS_FETCH_OR(p, v, o) EVBUS__R(p, evbus__x_or((p), sizeof *(p), \
	EVBUS__V(v), __ATOMIC_##o, MUTANTS_AT(p)))
#define EVBUS_FETCH_AND(p, v, o) EVBUS__R(p, evbus__x_and((p), sizeof *(p), \
	EVBUS__V(v), __ATOMIC_##o, MUTANTS_AT(p)))
#define EVBUS_CAS(p, ep, v, os, of) evbus__x_cas((p), sizeof *(p), (ep), \
	EVBUS__V(v), __ATOMIC_##os, __ATOMIC_##of, MUTANTS_AT(p))

#define evbus__fence_heavy()	mutate_fence_heavy(__FILE__, __LINE__)

#undef memset
#undef memcpy
#undef memcmp
#define memset(to, c, n)	plain_set((to), (c), (n))
#define memcpy(to, from, n)	plain_copy((to), (from), (n))
#define memcmp(a, b, n)		plain_compare((a), (b), (n))
#define free(p)			plain_free(p)
#define evbus__os_release(p, n)	plain_release((p), (n))

#endif /* TESTS_MUTANTS_HOOKS_H */
