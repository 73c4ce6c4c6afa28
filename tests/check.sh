#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# make check: every test there is. Each part ends with "N passed, N failed, N skipped";
# the last line here is their sum, and the exit code is 0 only if nothing failed.
#   check.sh user   what needs neither root nor the lab
#   check.sh all    that, and the lab; in $CHECK_MINUTES, if given, and not much more
set -u
cd "$(dirname "$0")/.." || exit 1
mode=${1:-all}
mkdir -p build/check
passed=0 failed=0 skipped=0
times=()
# After so many minutes the lab begins nothing new; what it leaves out it skips by name.
[ -z "${CHECK_MINUTES:-}" ] || export LAB_DEADLINE=$(($(date +%s) + CHECK_MINUTES * 60))

part() {
	local name=$1 log=build/check/$1.log started=$SECONDS rc last
	shift
	echo "== $name"
	"$@" 2>&1 | tee "$log"
	rc=${PIPESTATUS[0]}
	times+=("$name $((SECONDS - started)) s")
	# Not simply the last line: make has a word of its own after a failure.
	last=$(grep -E '^[0-9]+ passed, [0-9]+ failed, [0-9]+ skipped$' "$log" | tail -n 1)
	if [ "$rc" -ge 128 ]; then
		echo "$name: interrupted"
		exit "$rc"
	fi
	if [[ $last =~ ^([0-9]+)\ passed,\ ([0-9]+)\ failed,\ ([0-9]+)\ skipped$ ]]; then
		((passed += BASH_REMATCH[1], failed += BASH_REMATCH[2], skipped += BASH_REMATCH[3]))
		# An exit code and a verdict that contradict each other are a failure.
		[ "$rc" -eq 0 ] || [ "${BASH_REMATCH[2]}" -gt 0 ] || ((failed += 1))
	else
		echo "$name: no verdict (exit code $rc)"
		((failed += 1))
	fi
}

skip() {
	echo "SKIP $1: $2"
	((skipped += 1))
}

trap 'exit 130' INT TERM
if [ "$mode" = all ] && [ "$(id -u)" -eq 0 ]; then
	tests/deps.sh install || exit 1
fi
make -s userspace || exit 1
part style tests/style.sh
part userspace make -s --no-print-directory -C userspace check
part kunit-user make -s --no-print-directory -C kunit/user check
part fuzz make -s --no-print-directory -C tests/fuzz check
part models tests/model/run.sh
part lab-unit tests/lab/test.sh
if [ "$mode" = all ]; then
	if [ "$(id -u)" -eq 0 ]; then
		part sparse tests/lab/lab sparse
		part lab tests/lab/lab check
		part shell tests/lab/shell_test.py
	else
		skip sparse "needs root: it builds in Debian systems of its own"
		skip lab "needs root: it makes Debian systems and boots them"
		skip shell "needs root: it boots a guest of the lab"
	fi
fi
echo "== times"
printf '%s\n' "${times[@]}"
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
