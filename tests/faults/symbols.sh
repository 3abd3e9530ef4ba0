#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
#
# symbols.sh - why: a call that no test makes fail would go unnoticed.  All that
# the library takes from outside stands in tests/faults/outside, and all that is
# to fail there is still used.

library=${1-${EVBUS_BUILD:-build}/libevbus.a}
if [ -n "${EVBUS_SANITIZE-}${EVBUS_COVERAGE-}" ]; then
	echo "this build has the symbols of a tool in it"
	exit 77
fi
list=tests/faults/outside
used=$(mktemp) || exit 1
trap 'rm -f "$used"' EXIT
# Those of our own that other objects define, and the checking twins of libc.
# (readelf sees the code itself, whatever the linker would make of it.)
readelf -sW "$library" | awk '
    $7 == "UND" && $8 != "" { wanted[$8] = 1 }
    $5 ~ /^(GLOBAL|WEAK)$/ && $7 ~ /^[0-9]+$/ { ours[$8] = 1 }
    END { for (s in wanted) if (!(s in ours)) print s }' |
    sed -e 's/^__\(.*\)_chk$/\1/' -e 's/^__open_2$/open/' | sort -u >"$used"
if [ "$(wc -l <"$used")" -lt 20 ]; then
	echo "only $(wc -l <"$used") symbols found in $library"
	exit 1
fi
awk '
    FNR == NR {
	if ($1 != "" && $1 !~ /^#/)
		class[$1] = $2
	next
    }
    !($1 in class) { print "not in tests/faults/outside: " $1; bad = 1 }
    { seen[$1] = 1 }
    END {
	for (s in class)
		if (class[s] == "fails" && !(s in seen)) {
			print "not used any more: " s
			bad = 1
		}
	exit bad
    }' "$list" "$used" || exit 1
echo "$(wc -l <"$used") symbols, all known"
