/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * exit.c - in the coverage build _exit() writes down what was reached: children
 * of fork() end by it, and the explorer runs each scenario in such a child.
 */
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Of the compiler's runtime. */
int __llvm_profile_write_file(void);

/*
 * Tests take from their children what a process needs.  Where that could not be
 * given back, half a file would spoil what others have written to it.
 */
static int
may_write(void)
{
	struct rlimit limit;

	if (prctl(PR_GET_SECCOMP) != 0 ||
	    getrlimit(RLIMIT_FSIZE, &limit) != 0)
		return 0;
	limit.rlim_cur = limit.rlim_max;
	(void)setrlimit(RLIMIT_FSIZE, &limit);
	return limit.rlim_max == RLIM_INFINITY;
}

void
_exit(int status)
{
	if (may_write())
		(void)__llvm_profile_write_file();
	for (;;)
		(void)syscall(SYS_exit_group, status);
}
