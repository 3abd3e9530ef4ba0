#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
#
# input.sh - the market example survives what is no message, says which line it
# was, and refuses clearly what it cannot read.
set -eu

root=$(cd "$(dirname "$0")/../.." && pwd)
market=${EVBUS_BUILD:-${BUILD:-build}}/examples/market
case $market in /*) ;; *) market=$root/$market ;; esac
work=$(mktemp -d)
trap 'chmod -R u+rw "$work"; rm -rf "$work"' EXIT
cd "$work"
failures=0

wrong() {
	echo "$*"
	failures=$((failures + 1))
}

# accept NAME ARGUMENT...: must exit 0; its output goes to the file NAME
accept() {
	name=$1
	shift
	if ! "$market" "$@" >"$name" 2>&1; then
		wrong "failed: market $*"
		cat "$name"
	fi
}

# refuse PATTERN ARGUMENT...: must exit 1 and say why
refuse() {
	pattern=$1
	shift
	status=0
	"$market" "$@" >out 2>err || status=$?
	[ "$status" -eq 1 ] || wrong "exit status $status: market $*"
	grep -q -- "$pattern" err || {
		wrong "market $*: no '$pattern' in the message:"
		cat err
	}
}

# expect NAME LINE...
expect() {
	name=$1
	shift
	for line in "$@"; do
		sed 's/^ *//' "$name" | grep -Fxq -- "$line" || {
			wrong "missing in $name: $line"
			cat "$name"
		}
	done
}

# what was found out, without names and times of the run
results() {
	sed -n '/^[A-Z]*, /,/^Streams/p' "$1" | grep -v 'fed in'
}

# Five good messages.
cat >good_1.csv <<'END'
34200.000000001,1,11,100,1000000,1
34200.5,1,12,50,1000200,-1
34201,4,12,20,1000200,-1
34201.25,2,11,40,1000000,1
34202.000000009001,3,11,60,1000000,1
END
header=seconds,message_type,order_id,quantity,price,direction

accept good --data good_1.csv
expect good 'messages 5' 'visible executions 1, 20 shares' \
    'vwap 100.020000' 'buyer-initiated 20' \
    'low 100.02, high 100.02, last 100.02' 'unseen orders 0'
head -n 1 good | grep -q GOOD || wrong 'the symbol is not GOOD'

# The same in other clothes: header, CRLF, empty lines, no last line end.
{ echo $header; cat good_1.csv; } >good_2.csv
sed 's/$/\r/' good_2.csv >good_3.csv
sed 's/$/\n/' good_1.csv >good_4.csv
printf %s "$(cat good_1.csv)" >good_5.csv
printf '%s\r' "$(cat good_1.csv)" >good_6.csv
for i in 2 3 4 5 6; do
	accept good$i --data good_$i.csv
	results good >a
	results good$i >b
	cmp -s a b || {
		wrong "good_$i.csv is not read as good_1.csv is"
		diff a b || true
	}
done

# Malformed lines between good ones.
{
	sed -n 1,2p good_1.csv
	echo 34200.6,1,13,100,1000000		# 3: five fields
	echo 34200.6,1,13,100,1000000,1,9	# 4: seven
	echo x,1,13,100,1000000,1		# 5: no time
	echo 34200.6,8,13,100,1000000,1		# 6: type 8
	echo 34200.6,0,13,100,1000000,1		# 7: type 0
	echo 34200.6,1,13,-100,1000000,1	# 8: fewer than no shares
	echo 34200.6,1,13,100,cheap,1		# 9: no price
	echo 34200.6,1,13,100,1000000,2		# 10: direction 2
	printf '34200.6,1,13,1\00000,1000000,1\n' # 11: a NUL byte
	head -c 300 /dev/zero | tr '\0' 1; echo	# 12: long
	echo 34200.6,1,1e1,100,1000000,1	# 13: no order
	head -c 200000 /dev/zero | tr '\0' ,; echo # 14: very long
	echo					# 15: empty
	echo $header				# 16: not the first line
	echo 34200.,1,13,100,1000000,1		# 17: no decimals
	sed -n 3,5p good_1.csv
	printf '34203,1'			# 21: cut off
} >bad_1.csv
accept bad --data bad_1.csv
expect bad 'messages 5' 'visible executions 1, 20 shares' 'unseen orders 0' \
    'malformed lines 15' \
    'line 3: does not have six fields' \
    'line 4: does not have six fields' \
    'line 5: the time is not a number of seconds' \
    'line 6: the type is not a number from 1 to 7' \
    'line 7: the type is not a number from 1 to 7' \
    'line 8: the quantity is not a number of shares' \
    'line 9: the price is not a number of ten thousandths of a dollar' \
    'line 10: the direction is neither 1 nor -1' \
    'line 11: holds a NUL byte' \
    'line 12: longer than 255 bytes' \
    'and 5 more'

# Auctions and halts have rules of their own.
{ cat good_1.csv; echo 34300,7,0,0,-1,-1; echo 34400,6,-1,10,1000000,-1; } \
    >halt_1.csv
accept halt --data halt_1.csv
expect halt 'messages 7' 'auctions 1, halts 1' 'visible executions 1, 20 shares'

# The largest values, and a book whose first row is the only one.
cat >max_1.csv <<'END'
34200,4,9223372036854775,2147483647,1000000000000,-1
34200,4,1,2147483647,1000000000000,1
34200,4,1,2147483648,1,1
34200,4,1,99999999999999999999,1,1
END
accept max --data max_1.csv
expect max 'messages 2' 'vwap 100000000.000000' 'malformed lines 2' \
    'buyer-initiated 2147483647' 'unseen orders 2'
echo 1000200,50,1000000,100,9999999999,0,-9999999999,0 >book_1.csv
accept short --data good_1.csv --book book_1.csv
expect short 'true book: best bid and ask agree in 0 of 0 rows'
{ cat book_1.csv; echo 1000200,50,1000000,100; echo no; echo 1,2,3,4; } \
    >book_2.csv
accept three --data good_1.csv --book book_2.csv
expect three 'true book: best bid and ask agree in 0 of 3 rows; 3 differ, first row 2, last row 4' \
    'true book: 4 rows, the first one seeds' 'true book: malformed rows 1'

# Nothing at all, and what cannot be read.
: >empty_1.csv
accept empty --data empty_1.csv
expect empty 'messages 0'
refuse 'no_such.csv: No such file' --data no_such.csv
refuse 'Is a directory' --data "$work"
refuse 'not a LOBSTER message file' --data book_1.csv
refuse 'no_book.csv: No such file' --data good_1.csv --book no_book.csv
refuse 'Is a directory' --data good_1.csv --book "$work"
refuse 'the true book is empty' --data good_1.csv --book empty_1.csv
refuse 'not a row of levels' --data good_1.csv --book good_1.csv
if [ "$(id -u)" -ne 0 ]; then
	cp good_1.csv secret_1.csv
	chmod 000 secret_1.csv
	refuse 'Permission denied' --data secret_1.csv
fi

# The command line.
refuse 'no such option: --dada' --dada good_1.csv
refuse 'a value is missing: --data' --data
refuse 'not a speed' --speed fast
refuse 'not a speed' --speed 0x
refuse 'not a speed' --speed 1
refuse 'not a number of seconds' --seconds -1
refuse 'not a number of seconds' --seconds 0
refuse 'not a symbol' --symbol a.b
refuse 'needs its messages' --book book_1.csv
accept help --help
grep -q usage help || wrong 'no help'

# A made-up feed of a given seed and length is always the same.
for i in 1 2; do
	accept made$i --messages 20000 --seed 7 --seconds 50
	expect made$i 'market: DEMO, a made-up feed with seed 7, for 50.0 s, at full speed'
	results made$i | grep -v 'fed in' >m$i
done
cmp -s m1 m2 || wrong 'the same seed gave another feed'

[ "$failures" -eq 0 ]
