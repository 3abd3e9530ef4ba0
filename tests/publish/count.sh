#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
#
# count.sh - F1, by counting instructions and not by the clock:
#   - a publish does the same work with 10,000 subscriptions and 100,000 topics
#     as with one of each (of 1000 publishes together, 1 in 1000 instructions
#     may differ: the clock is read now and then);
#   - opening a topic with 10,000 patterns in place does at most 3 times the
#     work of opening one with 10 (where one of the 10,000 matches each name,
#     and of the ten mostly none).
# The times beside them are for people; they are not asserted.

build=${EVBUS_BUILD:-build}
program=$build/tests/publish/prog_count

skip() {
	echo "$1"
	exit 77
}

command -v valgrind >/dev/null || skip "valgrind is not installed"
test -z "${EVBUS_SANITIZE-}" || skip "built with a sanitizer"
test -z "${EVBUS_COVERAGE-}" || skip "built to count lines"
"$program" callgrind || skip "built without valgrind/callgrind.h"

dir=$(mktemp -d) || exit 1
trap 'rm -rf "$dir"' EXIT
out=$dir/out
# Older valgrinds stumble over the newest debug information.
strip -g -o "$dir/prog_count" "$program" && program=$dir/prog_count

# The instructions that were collected; what it prints goes to stderr.
collected() {
	valgrind --tool=callgrind --callgrind-out-file=/dev/null \
	    --instr-atstart=no --collect-atstart=no "$program" "$@" \
	    >"$out" 2>&1 || { cat "$out" >&2; exit 1; }
	awk '/Collected :/ { n = $NF } END { print n + 0 }' "$out"
}

few=$(collected publish 1 1) || exit 1
many=$(collected publish 10000 100000) || exit 1
echo "1000 publishes, 1 subscription and 1 topic: $few instructions"
echo "10,000 subscriptions and 100,000 topics: $many instructions"
test "$few" -gt 10000 || { echo "nothing was counted"; exit 1; }
test "$many" -le $((few + few / 1000)) &&
    test "$few" -le $((many + many / 1000)) ||
    { echo "the work is not the same"; exit 1; }

few=$(collected open 10) || exit 1
many=$(collected open 10000) || exit 1
echo "1000 topics opened with 10 patterns in place: $few instructions"
echo "with 10,000 patterns: $many instructions"
test "$few" -gt 10000 || { echo "nothing was counted"; exit 1; }
test "$many" -le $((3 * few)) ||
    { echo "patterns make opening a topic dear"; exit 1; }

# As fast as they go.
"$program" publish 1 1 && "$program" publish 10000 100000 &&
    "$program" open 10 && "$program" open 10000 && "$program" million
