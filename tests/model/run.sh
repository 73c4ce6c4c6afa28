#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# The models, checked exhaustively by SPIN. Each mutant has to be found out, so that a model
# that proves nothing does not pass. Ends with N passed, N failed, N skipped.
set -u
cd "$(dirname "$0")" || exit 1
if ! command -v spin >/dev/null; then
	echo "SKIP models: spin is not installed"
	echo "0 passed, 0 failed, 1 skipped"
	exit 0
fi
passed=0 failed=0
model=$PWD/mask.pml
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 1

# errors MUTANT: how many errors an exhaustive search finds
errors() {
	spin -DMUTANT="$1" -a "$model" >spin.log 2>&1 &&
		gcc -O2 -DSAFETY -DMEMLIM=512 -o pan pan.c 2>>spin.log &&
		./pan -m100000 >pan.log 2>&1 || return 1
	! grep -q 'max search depth too small' pan.log || return 1
	sed -n 's/.*errors: \([0-9]*\)$/\1/p' pan.log
}

for mutant in 0 1 2 3 4; do
	found=$(errors $mutant)
	if { [ $mutant -eq 0 ] && [ "$found" = 0 ]; } || { [ $mutant -gt 0 ] && [ "${found:-0}" -gt 0 ]; }; then
		echo "PASS mask, mutant $mutant: $found errors, $(sed -n 's/ states, stored.*//p' pan.log | tr -d ' ') states"
		((passed += 1))
	else
		echo "FAIL mask, mutant $mutant: '$found' errors"
		tail -n 5 spin.log pan.log
		((failed += 1))
	fi
done
echo "$passed passed, $failed failed, 0 skipped"
[ "$failed" -eq 0 ]
