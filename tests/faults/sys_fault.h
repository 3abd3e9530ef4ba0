/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sys_fault.h - the library's system calls, failing when they are told to.
 *
 * The programs that use this are linked with a copy of the library in which
 * each symbol that tests/faults/outside marks "fails" is called fault_*: only
 * the library's own calls come here, never those of a test, of cmocka or of a
 * sanitizer.  What the library holds is counted on the way: descriptors,
 * mappings, blocks of malloc, threads.  Any thread may be inside.
 */
#ifndef EVBUS_TESTS_SYS_FAULT_H
#define EVBUS_TESTS_SYS_FAULT_H

enum sys_call {
	SYS_FAULT_NONE,
	SYS_FAULT_MEMFD_CREATE,
	SYS_FAULT_FTRUNCATE,
	SYS_FAULT_MMAP,
	SYS_FAULT_MUNMAP,
	SYS_FAULT_MADVISE,
	SYS_FAULT_SEAL,			/* fcntl(F_ADD_SEALS) */
	SYS_FAULT_CLOSE,
	SYS_FAULT_OPEN,
	SYS_FAULT_READ,
	SYS_FAULT_CLOCK,
	SYS_FAULT_SLEEP,		/* nanosleep() */
	SYS_FAULT_YIELD,
	SYS_FAULT_GETTID,
	SYS_FAULT_GETRLIMIT,
	SYS_FAULT_FUTEX_WAIT,
	SYS_FAULT_FUTEX,		/* both waits and wakes */
	SYS_FAULT_REGISTER,		/* membarrier(REGISTER_...) */
	SYS_FAULT_BARRIER,		/* membarrier(PRIVATE_EXPEDITED) */
	SYS_FAULT_KEY_CREATE,
	SYS_FAULT_KEY_DELETE,
	SYS_FAULT_SETSPECIFIC,
	SYS_FAULT_ATFORK,
	SYS_FAULT_THREAD,		/* pthread_create() */
	SYS_FAULT_SETNAME,
	SYS_FAULT_EVENTFD,
	SYS_FAULT_WRITE,
	SYS_FAULT_GETAFFINITY,
	SYS_FAULT_SETAFFINITY,
	SYS_FAULT_MALLOC,
	SYS_FAULT_CALLS
};

/* What the library has, and has not given back. */
struct sys_fault_held {
	int descriptors;
	int mappings;
	int blocks;
	int threads;
};

/* Count from 0, in this process and in its children; 0: no memory for that. */
int sys_fault_begin(void);
/*
 * The k-th such call from now on (from 1) fails with `error`, with `on` all
 * later ones too.  Error 0: a futex wait that wakes for no reason, a read that
 * finds the end of the file.  SYS_FAULT_NONE: none fails.
 */
void sys_fault_arm(enum sys_call, int error, unsigned k, int on);
void sys_fault_disarm(void);
/* Beside that, this one fails with ENOSYS after its first `spared` calls. */
void sys_fault_always(enum sys_call, unsigned spared);
unsigned sys_fault_calls(enum sys_call);	/* of this kind, ever */
unsigned sys_fault_fired(void);			/* that were made to fail */
struct sys_fault_held sys_fault_held(void);

#endif /* EVBUS_TESTS_SYS_FAULT_H */
