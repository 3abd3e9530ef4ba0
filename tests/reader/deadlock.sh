#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
#
# deadlock.sh - a process of one thread that publishes more than fits before it
# has ever polled gets EVBUS_EDEADLK (S3): prog_deadlock.c.

# The thread sanitizer runs a thread of its own: then it is not alone.
case ${EVBUS_SANITIZE-} in
*thread*)
	echo "the thread sanitizer has a thread of its own"
	exit 77
	;;
esac
exec "${EVBUS_BUILD:-build}/tests/reader/prog_deadlock"
