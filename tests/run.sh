#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
#
# run.sh - run test programs, show those that fail, add up.
#
#	tests/run.sh [-t SECONDS] [-o FOLDER] PROGRAM ...
#
# Two programs run at a time, each with a time limit; what they print goes to
# files in FOLDER.  How a program is counted:
#
#   - if it prints lines such as "3 passed, 1 failed, 2 skipped": by their sum;
#   - if it prints what cmocka prints: by the tests that cmocka counts;
#   - else it is one test: status 0 passed, 77 skipped, others failed.
#
# A program that fails, crashes or takes too long and admits no failure counts
# as one failed; so does a test_* program that ran no test.  Ends with
# "N passed, M failed" alone on a line; exit status 1 if M > 0 or N = 0.
#
# In the environment of a program stand EVBUS_BUILD (the build directory),
# EVBUS_SANITIZE (empty without a sanitizer; a test that starts valgrind skips
# itself when it is not), EVBUS_HEADERS, CC and CXX; the working directory is
# the top of the tree, and standard input is empty.

set -u

seconds=60
folder=build/log
self=$0

# Count one program's output: prints "passed failed skipped".
count() {
	awk -v status="$2" -v cmocka="$3" '
	/^[0-9]+ passed, [0-9]+ failed/ {
		plain = 1
		p += $1; f += $3
		if ($5 ~ /^[0-9]+$/)
			s += $5
	}
	/^\[       OK \]/ { ok++ }
	/^\[ +RUN +\]/ { open++ }
	/^\[  PASSED  \] [0-9]+ test/ { group_p += $4; open = 0; ok = 0 }
	/^\[  SKIPPED \] [0-9]+ test/ { group_s += $4 }
	/^\[  FAILED  \] [0-9]+ test/ { group_f += $4 }
	END {
		# A group that never reached its summary: its finished tests.
		if (!plain) {
			p = group_p + ok; f = group_f; s = group_s
		}
		seen = p + f + s
		if (status == 77 && seen == 0)
			s = 1
		else if (status != 0 && f == 0)
			f = 1
		else if (seen == 0 && cmocka)
			f = 1
		else if (seen == 0)
			p = 1
		print p + 0, f + 0, s + 0
	}' "$1"
}

# Run one program; its numbers go to FOLDER/NAME.count.
run_one() {
	program=$1
	name=$(echo "$program" | sed 's|^build[^ ]*/\(tests\|examples\)/|\1/|' |
	    tr / .)
	out=$folder/$name.out
	start=$(date +%s)
	# shellcheck disable=SC2086 # a prefix of several words, or none
	$limit $EVBUS_PREFIX "$program" </dev/null >"$out" 2>&1
	status=$?
	took=$(($(date +%s) - start))
	case $program in
	*/test_*.sh) cmocka=0 ;;
	*/test_*) cmocka=1 ;;
	*) cmocka=0 ;;
	esac
	numbers=$(count "$out" "$status" "$cmocka")
	echo "$numbers" >"$folder/$name.count"
	# shellcheck disable=SC2086 # three numbers
	set -- $numbers
	if [ "$2" -gt 0 ]; then
		case $status in
		124 | 137) why="no end after $seconds s (status $status)" ;;
		*) why="status $status" ;;
		esac
		{
			echo "  FAILED  $program: $1 passed, $2 failed; $why"
			tail -c 20000 "$out" | sed 's/^/    | /'
		} >"$folder/$name.report"
		cat "$folder/$name.report"
	elif [ "$1" -eq 0 ]; then
		echo "  skipped $program: $(tail -n 1 "$out")"
	else
		echo "  ok      $program: $1 passed, $took s"
	fi
}

while getopts t:o:1: option; do
	case $option in
	t) seconds=$OPTARG ;;
	o) folder=$OPTARG ;;
	1) one=$OPTARG ;;
	*) exit 2 ;;
	esac
done
shift $((OPTIND - 1))

limit=
if command -v timeout >/dev/null 2>&1; then
	limit="timeout -k 5 $seconds"
fi

if [ -n "${one-}" ]; then
	run_one "$one"
	exit 0
fi

# The thread sanitizer of gcc 12 does not know how far apart recent kernels lay
# out a process; without that randomness it works on all of them.
EVBUS_PREFIX=
if [ "${EVBUS_SANITIZE-}" = thread ] && setarch -R true 2>/dev/null; then
	EVBUS_PREFIX='setarch -R'
fi
export EVBUS_PREFIX
export TSAN_OPTIONS="${TSAN_OPTIONS-halt_on_error=0 exitcode=66}"
export ASAN_OPTIONS="${ASAN_OPTIONS-detect_leaks=1}"
export UBSAN_OPTIONS="${UBSAN_OPTIONS-print_stacktrace=1}"

if [ $# -eq 0 ]; then
	echo "no program to run"
	echo "0 passed, 0 failed"
	exit 1
fi
rm -rf "$folder" && mkdir -p "$folder" || exit 1
begin=$(date +%s)
printf '%s\n' "$@" | xargs -n 1 -P 2 "$self" -t "$seconds" -o "$folder" -1

cat "$folder"/*.count 2>/dev/null | awk -v took=$(($(date +%s) - begin)) '
    { p += $1; f += $2; s += $3; programs++ }
    END {
	printf "%d programs in %d s\n", programs, took
	printf "%d passed, %d failed%s\n", p, f, s ? ", " s " skipped" : ""
	exit (f > 0 || p == 0)
    }'
