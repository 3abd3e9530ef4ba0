/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fault_alloc.h - an allocator hook that counts, fails when it is told to, and
 * finds out wrong sizes.  Any thread may be inside; it asserts nothing, but
 * collects, so that the test's own thread asserts.
 */
#ifndef EVBUS_TESTS_FAULT_ALLOC_H
#define EVBUS_TESTS_FAULT_ALLOC_H

#include <pthread.h>
#include <stddef.h>

#include <evbus/bus.h>

struct fault_alloc {
	pthread_mutex_t lock;
	size_t blocks;		/* held now */
	size_t bytes;
	size_t calls;		/* of alloc, since the last arm */
	size_t frees;		/* ever */
	size_t failed;		/* calls that were answered NULL, ever */
	size_t wrong;		/* frees with another size than asked for */
	size_t fail_at;		/* this call fails, from 1; 0: none */
	int fail_on;		/* and all that follow */
};

void fault_alloc_init(struct fault_alloc *);

/* For evbus_options.allocator. */
struct evbus_allocator fault_alloc_hooks(struct fault_alloc *);

/* The k-th call from now on fails, with `on` all later ones too; 0: none. */
void fault_alloc_arm(struct fault_alloc *, size_t k, int on);

/* Calls since the last arm; blocks held; wrong sizes. */
size_t fault_alloc_calls(struct fault_alloc *);
size_t fault_alloc_blocks(struct fault_alloc *);
size_t fault_alloc_wrong(struct fault_alloc *);
size_t fault_alloc_failed(struct fault_alloc *);
/* Allocations and frees together, ever growing. */
size_t fault_alloc_activity(struct fault_alloc *);

#endif /* EVBUS_TESTS_FAULT_ALLOC_H */
