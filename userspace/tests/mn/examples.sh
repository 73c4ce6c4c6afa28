#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# The examples, hot-switched under load by drills. Speaks TAP. Usage: examples.sh BUILD PRELOAD
# shellcheck disable=SC2016,SC2317 # scripts for the shell of standin.py; functions called by it

set -u
here=$(dirname "$0")
build=$(realpath "$1")
preload=$(realpath "$2")
tmp=$(mktemp -d) || exit 1
trap 'rm -rf "$tmp"' EXIT
export build tmp
n=0

verdict() {
	n=$((n + 1))
	if [ "$1" = 0 ]; then echo "ok $n - $2"; else
		echo "not ok $n - $2"
		sed 's/^/# /' "$tmp/out"
	fi
}

# What this CPU has, of what the examples may need
names=avx512f,avx512vl,avx512bw,avx512dq,avx512cd,avx512vbmi2,avx2,bmi,bmi2,fma,f16c,avx,lzcnt
names=$names,sse4.1,sse4.2,popcnt,avx512vbmi,pclmul,aes,ssse3,sse3,sse2,sse,vaes
have=$("$build/migrate-notify" features | tr ' ' '\n' | grep -xF "$(echo $names | tr , '\n')" |
	paste -sd,)

# drills PROGRAM...: a drill each 100 ms, half of them naming what vanishes, for three seconds
drills() {
	"$here/standin.py" --usable "$have" "$preload" sh -c '
"$@" >"$tmp/out" 2>&1 & pid=$!
for i in $(seq 12); do
	sleep .1
	"$build/migrate-notify" simulate --vanish avx2 || exit 1
	sleep .1
	"$build/migrate-notify" simulate || exit 1
done >/dev/null
wait $pid' sh "$@"
}

# The variants that were bound, by the example's own words
bound() { sed -n 's/.*\(start\|prepare\|complete\)[^:]*: \([^ ,]*\).*/\2/p' "$tmp/out" | sort -u; }

echo 1..6
"$build/migrate-notify-worker" --threads 2 --seconds 1 >"$tmp/out" 2>&1
verdict $? 'worker without a driver'
"$build/migrate-notify-worker" --threads 2 --seconds 1 --mask ssse3,aes >"$tmp/out" 2>&1 &&
	grep -q 'start (no driver): plain' "$tmp/out"
verdict $? 'worker on a machine made poorer'

# What glibc chooses once must not be what vanishes later.
"$build/migrate-notify-worker" --threads 1 --seconds 20 >"$tmp/out" & pid=$!
i=0
until tr '\0' '\n' <"/proc/$pid/environ" 2>&1 | grep -q 'GLIBC_TUNABLES=.*-AVX2' || [ $i = 50 ]; do
	sleep .1
	i=$((i + 1))
done
tr '\0' '\n' <"/proc/$pid/environ" >>"$tmp/out"
kill $pid
wait $pid
grep -q 'GLIBC_TUNABLES=.*-AVX2' "$tmp/out"
verdict $? "worker starts with a libc for any CPU"

drills "$build/migrate-notify-worker" --threads 3 --seconds 4 &&
	grep -q 'wrong 0' "$tmp/out" && bound | grep -qx plain
verdict $? "worker switched under load: $(bound | paste -sd' ')"
for e in highway simdjson; do
	if [ ! -x "$build/migrate-notify-$e" ]; then
		n=$((n + 1))
		echo "ok $n - $e switched under load # SKIP lib$e is not installed"
		continue
	fi
	drills "$build/migrate-notify-$e" 4 && grep -q 'wrong 0' "$tmp/out" &&
		[ "$(bound | wc -l)" -ge 2 ]
	verdict $? "$e switched under load: $(bound | paste -sd' ')"
done
