#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# Fuzzes each parser for $FUZZ_SECONDS (8), from the corpus kept here. Speaks TAP.
# Usage: run.sh DIRECTORY-OF-FUZZERS NAME...
#   FUZZ_KEEP=1   add what was found new to the corpus

set -u
here=$(dirname "$0")
bin=$1
shift
tmp=$(mktemp -d) || exit 1
trap 'rm -rf "$tmp"' EXIT
n=0

echo "1..$#"
for name in "$@"; do
	n=$((n + 1))
	if [ ! -x "$bin/${name}_fuzz" ]; then
		echo "ok $n - fuzz $name # SKIP no clang"
		continue
	fi
	mkdir "$tmp/$name"
	if "$bin/${name}_fuzz" -max_total_time="${FUZZ_SECONDS:-8}" -max_len=20000 -timeout=10 \
		-artifact_prefix="$tmp/" -print_final_stats=1 "$tmp/$name" "$here/corpus/$name" \
		>"$tmp/log" 2>&1; then
		echo "ok $n - fuzz $name: $(sed -n 's/^stat::number_of_executed_units: //p' "$tmp/log") runs"
		[ -z "${FUZZ_KEEP:-}" ] ||
			"$bin/${name}_fuzz" -merge=1 "$here/corpus/$name" "$tmp/$name" 2>/dev/null
	else
		echo "not ok $n - fuzz $name"
		tail -n 40 "$tmp/log" | sed 's/^/# /'
		for f in "$tmp"/crash-* "$tmp"/timeout-* "$tmp"/leak-*; do
			[ ! -f "$f" ] || { echo "# $f:"; base64 "$f" | sed 's/^/# /'; }
		done
	fi
done
