#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
#
# flakes.sh - run every test over and over, and be red if one fails once.
#
#	tests/flakes.sh [-n ROUNDS] [-s SEED] [-t SECONDS] [-o DIR] PROGRAM ...
#
# Each round runs all programs in another order, with another seed
# (EVBUS_TEST_SEED), and while as many endless loops run as there are
# processors.  Addresses are laid out at random, in every other round not at
# all.  A failure is printed with the line that repeats it.

set -u

rounds=5
seed=
seconds=60
folder=build/log-flakes
while getopts n:s:t:o: option; do
	case $option in
	n) rounds=$OPTARG ;;
	s) seed=$OPTARG ;;
	t) seconds=$OPTARG ;;
	o) folder=$OPTARG ;;
	*) exit 2 ;;
	esac
done
shift $((OPTIND - 1))
test -n "$seed" || seed=$(od -An -N4 -tu4 /dev/urandom | tr -d ' ')
rm -rf "$folder" && mkdir -p "$folder" || exit 1

burners=
stop() {
	for pid in $burners; do
		kill "$pid" 2>/dev/null
	done
}
trap stop EXIT
trap 'exit 1' INT TERM
for _ in $(seq "$(getconf _NPROCESSORS_ONLN 2>/dev/null || echo 2)"); do
	(while :; do :; done) &
	burners="$burners $!"
done

# The programs in an order that the seed decides.
shuffled() {
	printf '%s\n' "$@" | awk -v seed="$EVBUS_TEST_SEED" '
	    BEGIN { srand(seed) } { print rand() "\t" $0 }' | sort -k 1,1g |
	    cut -f 2
}

echo "flakes: $rounds rounds of $# programs, SEED=$seed"
failures=0
round=1
while [ "$round" -le "$rounds" ]; do
	export EVBUS_TEST_SEED=$((seed + round - 1))
	still=
	if [ $((round % 2)) -eq 0 ] && setarch -R true 2>/dev/null; then
		still='setarch -R '
	fi
	out=$folder/round-$round
	# shellcheck disable=SC2046,SC2086 # names without spaces; a prefix
	$still tests/run.sh -t $((seconds * 4)) -o "$out" \
	    $(shuffled "$@") >"$out.out" 2>&1
	status=$?
	echo "round $round: seed $EVBUS_TEST_SEED, $(tail -n 1 "$out.out")"
	if [ "$status" -ne 0 ]; then
		failures=$((failures + 1))
		cat "$out"/*.report 2>/dev/null
		sed -n 's/^  FAILED  \([^:]*\): .*/\1/p' "$out.out" |
		while read -r program; do
			echo "again: EVBUS_TEST_SEED=$EVBUS_TEST_SEED" \
			    "EVBUS_BUILD=${EVBUS_BUILD-build} $still$program"
		done
	fi
	round=$((round + 1))
done
echo "$rounds rounds, $failures with a failure"
test "$failures" -eq 0
