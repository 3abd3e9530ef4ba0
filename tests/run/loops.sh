#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
#
# loops.sh - why: what a loop of one's own asks of a bus is a descriptor that
# each of the usual loops can watch.  Seven of them deliver 300,000 events that
# another thread publishes, and each says so; one whose library is not there, or
# that the kernel does not let us use, is skipped, and that is said.

build=${EVBUS_BUILD-build}
passed=0
failed=0
skipped=0

# loop NAME LIBRARY [ARGUMENT]
loop() {
	program=$build/examples/loop_$1
	if [ ! -x "$program" ]; then
		echo "skipped loop_$1: pkg-config finds no $2"
		skipped=$((skipped + 1))
		return
	fi
	said=$(timeout -k 5 50 "$program" ${3+"$3"} 2>&1)
	status=$?
	echo "$said"
	case $status:$said in
	0:*": 300000 of 300000") passed=$((passed + 1)) ;;
	77:*)
		echo "skipped loop_$1"
		skipped=$((skipped + 1))
		;;
	*)
		echo "FAILED  loop_$1: status $status"
		failed=$((failed + 1))
		;;
	esac
}

loop epoll epoll level
loop epoll epoll edge
loop uv libuv
loop event libevent_core
loop glib glib-2.0
loop systemd libsystemd
loop uring liburing
echo "$passed passed, $failed failed, $skipped skipped"
[ $failed -eq 0 ]
