#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
#
# fallback.sh - why: where the kernel has no membarrier, both ends of every
# asymmetric fence are full fences (F2).  The tests that park, wake, close and
# unsubscribe run once more with that fallback forced, as far as they are built.

passed=0
failed=0
out=$(mktemp) || exit 1
trap 'rm -f "$out"' EXIT
EVBUS_NO_MEMBARRIER=1
export EVBUS_NO_MEMBARRIER

tests='group/test_group group/test_leave base/test_os_linux bus/test_flush
    reader/test_unsubscribe reader/test_wait reader/test_copy reader/test_after
    reader/test_report run/test_worker run/test_subscribe
    stream/test_full stream/test_set'
# The thread sanitizer does not see fences, and takes long over these.
test "${EVBUS_SANITIZE-}" = thread || tests="$tests base/test_fork bus/test_close"
for test in $tests; do
	program=${EVBUS_BUILD:-build}/tests/$test
	test -x "$program" || continue
	# shellcheck disable=SC2086 # a prefix of several words, or none
	if ${EVBUS_PREFIX-} "$program" >"$out" 2>&1; then
		echo "  ok      F2 $test"
		passed=$((passed + 1))
	else
		echo "  FAILED  F2 $test"
		sed 's/^/    | /' "$out"
		failed=$((failed + 1))
	fi
done
if [ $((passed + failed)) -eq 0 ]; then
	echo "none of the programs is built"
	exit 77
fi
echo "$passed passed, $failed failed"
test $failed -eq 0
