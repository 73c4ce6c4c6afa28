#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# migrate-notify as its users see it, without a driver and with its stand-in. Speaks TAP.
# Usage: cli.sh BINARY PRELOAD; environment: VERSION
# shellcheck disable=SC2016,SC2317 # scripts for another shell; functions that expect calls

set -u
here=$(dirname "$0")
tmp=$(mktemp -d) || exit 1
trap 'rm -rf "$tmp"' EXIT
mn=$(realpath "$1")
export mn tmp
preload=$(realpath "$2")
n=0

fail() {
	echo "not ok $n - $1"
	sed 's/^/# out: /' "$tmp/out"
	sed 's/^/# err: /' "$tmp/err"
}

matches() {
	if [ -z "$1" ]; then [ ! -s "$2" ]; else grep -q -e "$1" "$2"; fi
}

# expect NAME STATUS OUT-PATTERN ERR-PATTERN COMMAND...: an empty pattern means no output at all
expect() {
	name=$1 status=$2 out=$3 err=$4
	shift 4
	n=$((n + 1))
	"$@" >"$tmp/out" 2>"$tmp/err" </dev/null
	got=$?
	if [ "$got" != "$status" ]; then
		fail "$name (status $got, expected $status)"
	elif ! matches "$out" "$tmp/out" || ! matches "$err" "$tmp/err"; then
		fail "$name"
	else
		echo "ok $n - $name"
	fi
}

# json NAME EXPRESSION COMMAND...: each line parses, and the expression (Python's, on d: a list)
json() {
	name=$1 expr=$2
	shift 2
	n=$((n + 1))
	if "$@" >"$tmp/out" 2>"$tmp/err" && python3 -c '
import json, sys
d = [json.loads(line) for line in open(sys.argv[1])]
assert eval("(" + sys.argv[2] + ")"), d' "$tmp/out" "$expr" 2>>"$tmp/err"; then
		echo "ok $n - $name"
	else
		fail "$name"
	fi
}

# The rest of the line is a shell script, run where the stand-in is the driver.
driver() {
	"$here/standin.py" --usable aes,sse4.2 --after aes,avx2 "$preload" sh -c "$1"
}
denied() {
	"$here/standin.py" --deny "$preload" sh -c "$1"
}

echo 1..56

# help, version, mistakes
expect 'version' 0 "^migrate-notify $VERSION\$" '' "$mn" --version
expect 'help' 0 '^Usage: migrate-notify COMMAND' '' "$mn" --help
for c in status watch list ack features history simulate inhibit agent; do
	expect "help of $c" 0 "^Usage: migrate-notify $c" '' "$mn" $c --help
done
expect 'no command' 2 '' 'no command' "$mn"
expect 'unknown command' 2 '' "the commands are status, watch" "$mn" frob
expect 'unknown option' 2 '' 'usage: migrate-notify status' "$mn" status --frob
expect 'no value' 2 '' 'a value is missing' "$mn" watch --since
expect 'no operand wanted' 2 '' "takes no operand" "$mn" status x
expect 'unknown feature' 2 '' "no feature 'frob'" "$mn" features frob
expect 'unknown feature to vanish' 2 '' "no feature 'frob'" "$mn" simulate --vanish aes,frob
expect 'bad status' 2 '' 'success, cancelled, failed, unknown' "$mn" simulate --status great
expect 'bad number' 2 '' 'is not a number from 1' "$mn" watch -n 1k
expect 'bad instance' 2 '' "instance '-1' is not a number" "$mn" history --instance -1
expect 'bad time' 2 '' 'from 1 to 1800000' "$mn" simulate --timeout 0
expect 'ack without a descriptor' 2 '' 'fd N is needed' "$mn" ack 5
expect 'ack of nonsense' 2 '' "is not an operation" "$mn" ack --fd 9 -- -5
expect 'inhibit without a command' 2 '' 'no command' "$mn" inhibit

# without the driver
for c in status watch list history simulate; do
	expect "$c without the driver" 3 '' 'modprobe migrate_notify' "$mn" $c
done
expect 'features without the driver' 0 '^Usable .*sse2' '' "$mn" features
expect 'one feature' 0 '^sse2  *usable' '' "$mn" features sse2
json 'features --json' 'd[0]["driver"] is False and d[0]["features"]["sse2"] == "usable" and
len(d[0]["features"]) > 90 and d[0]["level"] >= 1' "$mn" features --json
expect 'inhibit without the driver' 7 'ran' 'nothing is inhibited' \
	"$mn" inhibit -- sh -c 'echo ran; exit 7'

# with it
expect 'status' 0 '^Phase       idle' '' driver '"$mn" status'
json 'status --json' 'd[0]["phase"] == "idle" and d[0]["sources"]["inject"]["delay"] and
d[0]["vendor"] == "StandInStand"' driver '"$mn" status --json'
expect 'absent feature' 1 '^sha  *absent' '' driver '"$mn" features aes sha'
json 'a drill' '[e["event"] for e in d] == ["prepare", "ready", "moving", "complete"] and
d[0]["removed"] == ["aes"] and d[0]["simulated"] and d[3]["status"] == "cancelled" and
len({e["op"] for e in d}) == 1 and int(d[0]["op"]) > 1 << 63' driver \
	'"$mn" simulate --json --vanish aes --status cancelled --moving 5'
json 'watch acks' '[e["event"] for e in d] == ["prepare", "complete"]' driver '
"$mn" watch --json --ack -n 2 --timeout 20000 & while ! "$mn" list | grep -q delays; do :; done
"$mn" simulate >"$tmp/drill"; wait $!'
for sig in INT TERM HUP; do
	expect "a drill that SIG$sig ends" 0 'complete .*cancelled' '' driver '
"$mn" inhibit sleep 5 2>/dev/null & while ! "$mn" list | grep -q delays; do :; done
python3 -c "
import signal, sys, os
signal.signal(signal.SIGINT, signal.SIG_DFL)
os.execv(sys.argv[1], sys.argv[1:])" "$mn" simulate >/dev/null 2>&1 & sim=$!
until "$mn" status | grep -q "^Phase *preparing"; do :; done
kill -'$sig' $sim; wait $sim && exit 9
"$mn" status | grep "^Phase *idle" && "$mn" history'
done
expect 'a drill with one who is late' 4 'timed-out.*1 not ready' '' driver \
	'"$mn" inhibit -- sh -c '\''"$mn" simulate --timeout 50'\'' 2>/dev/null'
expect 'inhibit refuses' 0 'ready.*1 refused' '' driver \
	'"$mn" inhibit --refuse -- "$mn" simulate 2>/dev/null'
expect 'inhibit waits' 0 '^first$' '' driver '
"$mn" inhibit -- sh -c "sleep .3; echo first" 2>/dev/null &
while ! "$mn" list | grep -q delays; do :; done; "$mn" simulate >"$tmp/drill"; cat "$tmp/drill"
grep -q ready "$tmp/drill"'
expect 'watch runs a command' 0 '^complete success - +$' '' driver '
"$mn" watch --ack -n 2 --timeout 20000 --run "echo \$PHASE \$STATUS -\$REMOVED +\$ADDED" |
	grep -v " op " & while ! "$mn" list | grep -q delays; do :; done
"$mn" simulate >/dev/null; wait $!'
json 'history' '[e["seq"] for e in d] == [1, 2, 3, 4, 5, 6, 7, 8]' driver \
	'"$mn" simulate >/dev/null; "$mn" simulate >/dev/null; "$mn" history --json'
json 'history, of this load' '[e["seq"] for e in d] == [4] and not d[0]["lost"]' driver '
"$mn" simulate >/dev/null
"$mn" history --json --since 3 --instance "$("$mn" status --json |
	sed "s/.*\"instance\":\"\([0-9]*\).*/\1/")"'
json 'history, of another load' '[e["seq"] for e in d] == [1, 2, 3, 4] and
[e["lost"] for e in d] == [True, False, False, False]' driver \
	'"$mn" simulate >/dev/null; "$mn" history --json --since 9 --instance 1'
json 'watch since another load' 'd[0]["seq"] == 1 and d[0]["lost"]' driver \
	'"$mn" simulate >/dev/null; "$mn" watch --json -n 1 --since 9 --instance 1'
json 'history, the last' '[e["seq"] for e in d] == [3, 4]' driver \
	'"$mn" simulate >/dev/null; "$mn" history --json -n 2'
expect 'watch in vain' 4 '' 'not in time' driver '"$mn" watch --timeout 20'
expect 'list' 0 '^1 .*watches.* migrate-notify$' '' driver '"$mn" list'
expect 'a drill without privileges' 5 '' 'permission denied' denied '"$mn" simulate'
expect 'inhibit without privileges' 5 '' 'permission denied' denied '"$mn" inhibit -- true'
expect 'a full disk' 1 '' 'cannot write the output' sh -c '"$mn" features >/dev/full'
exit 0
