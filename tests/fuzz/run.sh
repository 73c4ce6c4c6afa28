#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# run.sh BUILD SECONDS TARGET...: each target for that long, from the kept corpus. What it finds
# that is new stays in BUILD; a crash is kept there too, and shown.
set -u
cd "$(dirname "$0")" || exit 1
build=${1:?} seconds=${2:?}
shift 2
passed=0 failed=0
for target; do
	mkdir -p "$build/new-$target"
	if "$build/$target" -max_total_time="$seconds" -max_len=2048 -timeout=10 -verbosity=0 \
		-print_final_stats=1 -artifact_prefix="$build/$target-" \
		"$build/new-$target" "corpus/$target" >"$build/$target.log" 2>&1; then
		runs=$(sed -n 's/^stat::number_of_executed_units: *//p' "$build/$target.log")
		echo "PASS fuzz $target: $runs runs in $seconds s"
		((passed += 1))
	else
		echo "FAIL fuzz $target"
		tail -n 40 "$build/$target.log"
		((failed += 1))
	fi
done
echo "$passed passed, $failed failed, 0 skipped"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
