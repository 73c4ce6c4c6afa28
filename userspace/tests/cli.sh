#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# hybridctl as its users see it: exit codes, messages, JSON, odd descriptors. Speaks TAP.
# Usage: cli.sh BINARY; environment: VERSION

set -u
tmp=$(mktemp -d) || exit 1
trap 'rm -rf "$tmp"' EXIT
chmod 755 "$tmp"
# Where an ordinary user can execute it, whatever the modes above the build directory are.
cp "$1" "$tmp/hybridctl" && chmod 755 "$tmp/hybridctl" || exit 1
ctl=$tmp/hybridctl
n=0

pass() { n=$((n + 1)); echo "ok $n - $1"; }
skip() { n=$((n + 1)); echo "ok $n - $1 # SKIP $2"; }
fail() {
	n=$((n + 1))
	echo "not ok $n - $1"
	sed 's/^/# out: /' "$tmp/out"
	sed 's/^/# err: /' "$tmp/err"
}

# expect NAME STATUS OUT-PATTERN ERR-PATTERN ARG...: an empty pattern means no output at all
expect() {
	name=$1 status=$2 out=$3 err=$4
	shift 4
	"$@" >"$tmp/out" 2>"$tmp/err" </dev/null
	got=$?
	if [ "$got" != "$status" ]; then
		fail "$name (status $got, expected $status)"
	elif ! matches "$out" "$tmp/out" || ! matches "$err" "$tmp/err"; then
		fail "$name"
	else
		pass "$name"
	fi
}

matches() {
	if [ -z "$1" ]; then [ ! -s "$2" ]; else grep -q -- "$1" "$2"; fi
}

# json NAME EXPRESSION COMMAND...: the output parses, and the expression (Python's, on d) holds
json() {
	name=$1 expr=$2
	shift 2
	if ! command -v python3 >/dev/null; then
		skip "$name" 'no python3'
		return
	fi
	if "$@" >"$tmp/out" 2>"$tmp/err" && python3 -c '
import json, sys
d = json.load(open(sys.argv[1]))
assert eval("(" + sys.argv[2] + ")"), d' "$tmp/out" "$expr" 2>>"$tmp/err"; then
		pass "$name"
	else
		fail "$name"
	fi
}

# A guest with the module, and one without.
export HYBRID_SYSFS="$tmp/sys" HYBRID_PROCFS="$tmp/proc"
mkdir -p "$tmp/proc" "$tmp/nosys"
put() { mkdir -p "$(dirname "$tmp/sys/$1")" && printf '%s\n' "$2" >"$tmp/sys/$1"; }
echo 'quiet idle=poll' >"$tmp/proc/cmdline"
m=module/hybrid
put $m/platform/hypervisor xen
put $m/platform/stack '0x40000000 0x40000006 xen XenVMMXenVMM'
put $m/platform/features 'x2apic
kernel-pv'
put $m/platform/xen_version 4.20
put $m/platform/host_abi msr-faults
put $m/platform/generation 2
put $m/level/estimate 2
put $m/level/confidence medium
put $m/level/ratio 381.0
put $m/level/exits 1
for p in reference cpuid msr pio mmio lapic exit; do put $m/cost/${p}_ns 4321; done
for op in eoi msi_mask msi_affinity ipi idle timer; do
	put $m/$op/path kernel
	put $m/$op/reason not-built
	put $m/$op/detail "A sentence about $op."
	for c in 'done' avoided spurious; do put $m/$op/$c 7; done
	put $m/parameters/$op auto
done
for c in polled_ns ipis_avoided upcalls_avoided; do put $m/idle/$c 7; done
# shellcheck disable=SC2317 # called by expect and json
without() { HYBRID_SYSFS=$tmp/nosys "$@"; }

echo 1..56

# help, version, mistakes
expect 'version' 0 "^hybridctl $VERSION\$" '' "$ctl" --version
expect 'help' 0 '^Usage: hybridctl COMMAND' '' "$ctl" --help
for c in status explain bench advise irq; do
	expect "help of $c" 0 "^Usage: hybridctl $c" '' "$ctl" $c --help
done
expect 'no command' 2 '' 'the commands are status, explain, bench, advise, irq' "$ctl"
expect 'unknown command' 2 '' "unknown command 'frob'" "$ctl" frob
expect 'unknown option' 2 '' 'the options are --help, --json' "$ctl" status --frob
expect 'unknown operation' 2 '' 'the operations are eoi, msi_mask' "$ctl" explain frob
expect 'missing operation' 2 '' 'which operation' "$ctl" explain
expect 'unknown bench operation' 2 '' 'the operations are cpuid' "$ctl" bench frob
expect 'count out of range' 2 '' 'from 1 to 1000000' "$ctl" bench -n 0
expect 'count with a rest' 2 '' 'from 1 to 1000000' "$ctl" bench -n 1k

expect 'irq set without a word' 2 '' 'which interrupt or device' "$ctl" irq set 24
expect 'irq set to nonsense' 2 '' "'fast' makes no sense" "$ctl" irq set 24 fast

# interrupts
expect 'irq without the module' 3 '' 'pvirq.ko is not loaded' "$ctl" irq
put module/pvirq/parameters/force N
expect 'irq without debugfs' 1 '' 'mount -t debugfs' "$ctl" irq
put kernel/debug/pvirq/irqs '24 0000:00:03.0 msix 35 1 lazy saves-exits auto 1 2 3 4 5 6 7 8 9
25 0000:00:04.0 msi 0 0 kernel stacked-domain auto 0 0 0 0 0 0 0 0 0'
expect 'irq' 0 '^  24 0000:00:03.0 msix  35   1 lazy   saves-exits       1/2       3/4       5/6         8/9' '' \
	"$ctl" irq
expect 'irq: reasons' 0 '^stacked-domain  Its domain is stacked' '' "$ctl" irq
json 'irq --json' '[i["path"] for i in d["irqs"]] == ["lazy", "kernel"] and
d["irqs"][0]["remask"] == 7 and d["irqs"][0]["eoi_avoided"] == 9 and
d["irqs"][1]["detail"].startswith("Its domain")' "$ctl" irq --json
expect 'irq set' 0 '' '' "$ctl" irq set 0000:00:03.0 kernel
put kernel/debug/pvirq/irqs '24 nonsense'
expect 'irq: a table that makes no sense' 1 '^ IRQ' 'makes no sense: 24 nonsense' "$ctl" irq
rm -r "$tmp/sys/kernel/debug" "$tmp/sys/module/pvirq"

# with the module
expect 'status' 0 '^Hypervisor  xen 4.20' '' "$ctl" status
expect 'status: level' 0 'a guest of a guest (confidence medium, CPUID costs 381.0 x' '' \
	"$ctl" status
expect 'status: operations' 0 '^msi_affinity   kernel   not-built  *7 *7 *7$' '' "$ctl" status
n80=$("$ctl" status | awk 'length > 80' | wc -l)
if [ "$n80" = 0 ]; then pass 'status fits 80 columns'; else fail 'status fits 80 columns'; fi
expect 'explain' 0 'A sentence about ipi' '' "$ctl" explain ipi
expect 'explain: override' 0 'echo kernel > /sys/module/hybrid/parameters/ipi' '' \
	"$ctl" explain ipi
expect 'advise' 0 'Booted with idle=poll' '' "$ctl" advise
expect 'bench without debugfs' 1 '' 'mount -t debugfs' "$ctl" bench pio
json 'status --json' 'd["module"] is True and d["hypervisor"] == "xen" and
d["generation"] == 2 and d["level"]["ratio"] == 381.0 and d["exit_ns"] == 4321 and
d["stack"][0]["signature"] == "XenVMMXenVMM" and d["features"] == ["x2apic", "kernel-pv"] and
sorted(d["operations"]) == ["eoi", "idle", "ipi", "msi_affinity", "msi_mask", "timer"] and
d["operations"]["eoi"]["avoided"] == 7 and
d["operations"]["idle"]["ipis_avoided"] == 7 and
d["operations"]["idle"]["upcalls_avoided"] == 7 and
"polled_ns" not in d["operations"]["eoi"] and d["cost_ns"]["mmio"] == 4321' "$ctl" status --json
if "$ctl" status --json 2>&1 >/dev/null | grep -q .; then
	fail 'a whole tree leaves nothing to complain of'
else
	pass 'a whole tree leaves nothing to complain of'
fi
json 'explain --json' 'd["operation"] == "eoi" and d["parameter"] == "auto" and
d["inputs"]["features"]["kernel-pv"] is True and
d["inputs"]["features"]["x2apic-on"] is False' "$ctl" explain eoi --json
json 'advise --json' '"idle-poll" in [a["id"] for a in d["advice"]] and d["not_judged"] == []' \
	"$ctl" advise --json

# without it
expect 'status without the module' 0 'hybrid.ko is not loaded' '' without "$ctl" status
expect 'explain without the module' 0 'hybrid.ko is not loaded' '' without "$ctl" explain idle
expect 'advise without the module' 0 'hybrid.ko is not loaded' '' without "$ctl" advise
expect 'bench without the module' 0 'in user space' '' without "$ctl" bench -n 3
expect 'bench of one that needs it' 3 '' 'modprobe hybrid' without "$ctl" bench pio
expect 'bench of cpuid alone' 0 '^cpuid' '' without "$ctl" bench cpuid -n 3
json 'status --json without it' 'd["module"] is False and d["level"]["estimate"] is None and
d["exit_ns"] is None and d["operations"]["eoi"]["path"] is None' without "$ctl" status --json
json 'bench --json without it' 'd["results"][0]["where"] == "user" and
d["results"][0]["count"] == 3 and "pio" in d["unavailable"]' without "$ctl" bench -n 3 --json
json 'bench --list --json' 'd["available"]["cpuid"] and not d["available"]["timer"]' \
	without "$ctl" bench --list --json

# a tree that means harm
head -c 100000 /dev/urandom >"$tmp/sys/$m/platform/features"
head -c 3000 /dev/urandom >"$tmp/sys/$m/platform/stack"
rm "$tmp/sys/$m/eoi/path" && mkdir "$tmp/sys/$m/eoi/path"
expect 'a hostile tree' 0 '^Features    none' 'shown as unknown' "$ctl" status
json 'a hostile tree as JSON' 'd["operations"]["eoi"]["path"] is None' "$ctl" status --json

# descriptors
if [ -w /dev/full ]; then
	expect 'a full disk' 1 '' 'cannot write the output: No space' \
		sh -c "'$ctl' status --json >/dev/full"
else
	skip 'a full disk' 'no /dev/full'
fi
expect 'stdout closed' 1 '' 'cannot write the output' sh -c "'$ctl' --help >&-"
expect 'everything closed' 1 '' '' sh -c "'$ctl' status <&- >&- 2>&-"
expect 'a reader that goes away' 0 '' '' sh -c "
	trap '' PIPE; { '$ctl' status --json 2>/dev/null; echo \$? >'$tmp/status'; } | true
	read -r s <'$tmp/status'; [ \"\$s\" = 1 ] || [ \"\$s\" = 0 ]"

# as an ordinary user
if [ "$(id -u)" != 0 ]; then
	user=
elif command -v setpriv >/dev/null; then
	user='setpriv --reuid=65534 --regid=65534 --clear-groups'
else
	user=none
fi
mkdir -p "$tmp/sys/kernel/debug" && chmod 000 "$tmp/sys/kernel/debug"
if [ "$user" = none ]; then
	skip 'bench as an ordinary user' 'no setpriv'
	skip 'bench of one that needs root' 'no setpriv'
else
	# shellcheck disable=SC2086 # a command and its arguments
	expect 'bench as an ordinary user' 0 'needs root' '' $user "$ctl" bench -n 3
	# shellcheck disable=SC2086
	expect 'bench of one that needs root' 5 '' 'needs root' $user "$ctl" bench pio
fi
unset HYBRID_SYSFS HYBRID_PROCFS
for c in status advise 'bench -n 10'; do
	if [ "$user" = none ]; then
		skip "$c on this machine as an ordinary user" 'no setpriv'
	else
		# shellcheck disable=SC2086 # commands and their arguments
		expect "$c on this machine as an ordinary user" 0 . '' $user "$ctl" $c
	fi
done
exit 0
