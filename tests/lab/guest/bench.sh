#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# bench.sh WORKLOAD COUNT: run a workload of the bench, between two looks at what the guest
# itself counts: lines "before NAME VALUE" and "after NAME VALUE". To be sourced; the looks use
# builtins only, since the host is counting and each process costs exits.
set -u

look() {
	local file name value sum line word
	[ "$1" = before ] || printf 'after time_us %s\n' "${EPOCHREALTIME/./}"
	for name in entries polls_won polls_lost polled_ns halts ipis_avoided reason; do
		file=/sys/module/hybrid/idle/$name
		[ -r "$file" ] || continue
		read -r value <"$file"
		printf '%s suite.%s %s\n' "$1" "$name" "$value"
	done
	if [ -r /sys/module/hybrid/cost/halt_ns ]; then
		read -r value </sys/module/hybrid/cost/halt_ns
		printf '%s suite.halt_ns %sns\n' "$1" "$value"
	fi
	sum=0
	for file in /sys/devices/system/cpu/cpu*/cpuidle/state*; do
		[ -r "$file/time" ] || continue
		read -r name <"$file/name"
		read -r value <"$file/time"
		[ "$name" != POLL ] || ((sum += value))
	done
	printf '%s poll_us %s\n' "$1" "$sum"
	read -r line </proc/stat
	# shellcheck disable=SC2086 # split into words: cpu user nice system idle iowait irq softirq steal
	set -- "$1" $line
	printf '%s idle_ticks %s\n%s steal_ticks %s\n' "$1" $(($6 + $7)) "$1" "${10}"
	sum=0
	while read -r name line; do
		[[ $name = RES: || $name = CAL: ]] || continue
		for word in $line; do
			[[ $word != *[!0-9]* ]] || break
			((sum += word))
		done
	done </proc/interrupts
	printf '%s wake_ipis %s\n' "$1" "$sum"
	[ "$1" = after ] || printf 'before time_us %s\n' "${EPOCHREALTIME/./}"
}

# Wake-ups until hybrid.ko stands down, but at most so many seconds; without it, for two.
stand_down() {
	local begin=$EPOCHREALTIME reason=none
	[ -e /sys/module/hybrid ] || set -- 2
	while ((${EPOCHREALTIME/./} - ${begin/./} < $1 * 1000000)); do
		pingpong 20 >/dev/null || return
		[ ! -e /sys/module/hybrid ] || read -r reason </sys/module/hybrid/idle/reason
		[ "$reason" != overcommit ] || break
	done
	printf 'stood_down %s %s\n' "$reason" $((${EPOCHREALTIME/./} - ${begin/./}))
}

work() {
	case $1 in
	stand-down) stand_down "$2" ;;
	pingpong) pingpong "$2" ;;
	pipe) perf bench sched pipe -l "$2" ;;
	messaging) perf bench sched messaging -g 1 -l "$2" ;;
	fio)
		fio --name=bench --filename="$LAB_ROOT_DISK" --readonly --rw=randread --bs=4k --direct=1 \
			--ioengine=psync --size=128M --number_ios="$2" --randseed=1 --eta=never --thread
		;;
	ping) ping -A -q -c "$2" 10.0.2.2 ;;
	ping-paced) ping -i 0.01 -q -c "$2" 10.0.2.2 ;;
	idle) sleep "$2" ;;
	# As the system is: by itself it would forbid all idle states but polling.
	cyclictest) cyclictest --default-system -q -m -a 1 -t 1 -i 10000 -l "$2" ;;
	*)
		echo "bench.sh: no workload '$1'"
		return 2
		;;
	esac
}

look before
work "$1" "$2"
rc=$?
look after
exit $rc
