#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
#
# data.sh - the market example finds in a recorded half hour what is known of
# it, and rebuilds the book as far as a rebuild can.  The recordings are not
# ours to pass on, so they are looked for beside the project.
set -eu

root=$(cd "$(dirname "$0")/../.." && pwd)
market=${EVBUS_BUILD:-${BUILD:-build}}/examples/market
case $market in /*) ;; *) market=$root/$market ;; esac
data=$root/../shared/data/lobster-aapl
day=aapl_2012-06-21_0930-1000.csv
pair=AAPL_2012-06-21_34200000_57600000

if [ ! -r "$data/$day" ]; then
	echo "no recordings in ../shared/data/lobster-aapl"
	exit 77
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failures=0

# expect FILE LINE...: each line stands in the output, whatever is before it
expect() {
	output=$1
	shift
	for line in "$@"; do
		if ! sed 's/^ *//' "$output" | grep -Fxq -- "$line"; then
			echo "missing in $(basename "$output"): $line"
			failures=$((failures + 1))
			cat "$output"
		fi
	done
}

# every lossless reader lost nothing
expect_lossless() {
	if ! grep -q ' lossless ' "$1" ||
	    grep ' lossless ' "$1" | grep -vq ', lost 0,'; then
		echo "a lossless reader lost something"
		failures=$((failures + 1))
		cat "$1"
	fi
}

run() {
	output=$1
	shift
	if ! "$market" "$@" >"$output" 2>&1; then
		echo "failed: market $*"
		failures=$((failures + 1))
		cat "$output"
	fi
}

adds_up='delivered + skipped + holes + lost = published, for each of'

# The half hour: full speed, and paced far above real time.
for speed in max 36000x; do
	run "$work/day" --data "$data/$day" --speed $speed
	expect "$work/day" \
	    'messages 42203' \
	    'orders added 20273, cut 233, deleted 18495' \
	    'visible executions 2079, 177888 shares' \
	    'vwap 586.362167' \
	    'buyer-initiated 102461' \
	    'low 584.61, high 587.80, last 586.03' \
	    'hidden executions 1123, 101595 shares' \
	    'unseen orders 54' \
	    'AAPL, 09:30:00.004 to 09:59:59.986' \
	    "$adds_up 5 readers: yes"
	expect_lossless "$work/day"
done

# The pair: as it is, and with a header line before the messages.
book=$data/${pair}_orderbook_10.csv
{
	head -n 1 "$data/$day"
	cat "$data/${pair}_message_10.csv"
} >"$work/aapl_header.csv"
for messages in "$data/${pair}_message_10.csv" "$work/aapl_header.csv"; do
	run "$work/pair" --data "$messages" --book "$book"
	expect "$work/pair" \
	    'messages 999' \
	    'orders added 471, cut 0, deleted 369' \
	    'bid 585.35 x 18, ask 585.71 x 100' \
	    'true book: best bid and ask agree in 954 of 998 rows; 44 differ, first row 441, last row 487' \
	    'true book: 999 rows, the first one seeds' \
	    "$adds_up 6 readers: yes"
	expect_lossless "$work/pair"
done

# Pacing: the first 200 messages were recorded in 1.17 s.
head -n 201 "$data/$day" >"$work/aapl_short.csv"
recorded=$(awk -F, 'NR == 2 { a = $1 } { z = $1 }
    END { printf "%d", (z - a) * 1000 }' "$work/aapl_short.csv")
begin=$(date +%s%N)
run "$work/short" --data "$work/aapl_short.csv" --speed 2x
took=$((($(date +%s%N) - begin) / 1000000))
if [ "$took" -lt $((recorded / 2)) ]; then
	echo "$recorded ms at twice the speed took only $took ms"
	failures=$((failures + 1))
fi

[ "$failures" -eq 0 ]
