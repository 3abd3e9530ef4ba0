/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * publisher.h - layer 0: a thread's record on a bus.
 *
 * Each thread that publishes or polls has one record per bus, made at its
 * first call and given back when the thread ends.  It lies in the mapping and
 * is written by its thread alone (the wait note under the bus's lock).
 */
#ifndef EVBUS_PUBLISHER_H
#define EVBUS_PUBLISHER_H

#include <evbus/atomic.h>

#define EVBUS_CLAIMS_MAX 8	/* open claims a thread may hold */
#define EVBUS_NAME_MAX	32	/* bytes of a name, with its NUL */

struct evbus__open_claim {
	uint64_t sequence;
	uint32_t stream;	/* 0: free */
	uint32_t entry;		/* payload outside the slot + 1; 0: none */
};

struct evbus_publisher {
	/* Written by the thread at each publish. */
	uint64_t section EVBUS_ALIGNED(EVBUS_LINE);
				/* odd: inside a publish, not in user code;
				 * half of it: events published */
	uint32_t id;		/* generation:16 | number:16, from 1 */
	uint32_t depth;		/* handlers this thread is inside of */
	uint32_t calls;		/* out-of-line calls it is inside of */
	uint32_t validating;	/* validators it is inside of */
	uint64_t meta;		/* its part of a slot's meta word */
	uint64_t cause;		/* the event being handled, or 0 */
	uint64_t time;		/* the last reading of the clock */
	uint64_t bytes;		/* payload bytes outside of slots */
	uint64_t claims;	/* claims opened */
	uint64_t aborts;	/* claims given up */

	/* Written when the thread claims, waits, starts and ends. */
	struct evbus__open_claim claim[EVBUS_CLAIMS_MAX]
	    EVBUS_ALIGNED(EVBUS_LINE);

	uint32_t used EVBUS_ALIGNED(EVBUS_LINE);
				/* 0 free, 1 live, 2 ended */
	uint32_t generation;
	uint32_t tid;
	uint32_t wait_kind;	/* what it waits for, EVBUS__WAIT_* */
	uint64_t wait_what;	/* stream or reader number */
	uint64_t wait_need;	/* sequence the gate must reach */
	int64_t wait_since;
	char name[EVBUS_NAME_MAX];
};
EVBUS_STATIC_ASSERT(offsetof(struct evbus_publisher, claim) == 128 &&
    offsetof(struct evbus_publisher, used) == 256 &&
    sizeof(struct evbus_publisher) == 384, "publisher record is locked");

/* The calling thread's records, by bus: a small direct-mapped cache. */
#define EVBUS__SELVES 4
struct evbus__self {
	uint64_t serial;	/* of the bus; 0: empty */
	struct evbus_publisher *publisher;
};
struct evbus__tls {
	struct evbus__self last;	/* the bus last used */
	struct evbus__self self[EVBUS__SELVES];
};

EVBUS_BEGIN_DECLS
#ifdef EVBUS_EXPLORE
void *evbus__x_tls(size_t size);
#define EVBUS__TLS() ((struct evbus__tls *)evbus__x_tls(sizeof(struct evbus__tls)))
#else
/* Initial-exec: found with one instruction, also from a shared library. */
extern EVBUS_API __thread struct evbus__tls evbus__tls
    __attribute__((__tls_model__("initial-exec")));
#define EVBUS__TLS() (&evbus__tls)
#endif
EVBUS_END_DECLS

#endif /* EVBUS_PUBLISHER_H */
