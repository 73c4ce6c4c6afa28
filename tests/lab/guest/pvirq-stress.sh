#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# pvirq-stress.sh INTERRUPTS ROUNDS comes|stays|without [PARAMETERS]
# Until the test devices have interrupted so often, and for at least ROUNDS rounds, pvirq.ko (with
# PARAMETERS) comes and goes, or stays loaded, or is not there at all (what the kernel alone does).
# Meanwhile nvme, the root disk and the network are busy, all interrupts move from CPU to CPU,
# those of the test devices are also disabled and enabled all the time, a CPU goes offline and
# comes back, and devices are unbound, bound, removed and found again. What is not there is left
# out; devices may be unplugged and plugged in, and the machine may migrate.
#
# Between two turns, of $TURN operations, each load but the test devices' interrupts rests for $PAUSE
# seconds: on an emulated hypervisor they would leave nothing for anything else. Ten times as long
# is each round after the ROUNDS.
#
# Each interrupt of a test device is counted by the device and by its handler; a lost one of
# another device shows as a timeout in the log, or as a load that stands still.
set -u
interrupts=${1:?usage: pvirq-stress.sh INTERRUPTS ROUNDS comes|stays|without [PARAMETERS]}
rounds=${2:?}
mode=${3:?}
parameters=${4:-}
pause=${PAUSE:-.1}
turn=${TURN:-1000}
driver=/sys/bus/pci/drivers/pvirq-test
nic=0000:00:11.0				# e1000e
nic=$(cd /sys/bus/pci/drivers/e1000e 2>/dev/null && ls -d $nic 2>/dev/null)
disk=$(cd /sys/bus/pci/devices/0000:00:10.0/nvme/nvme*/ 2>/dev/null && ls -d nvme*n1)
disk=${disk:-${LAB_ROOT_DISK#/dev/}}
devices=$(cd $driver && ls -d 0000:*)
dmesg -C

die() { stop; dmesg | tail -n 20; echo "$*"; exit 1; }
sectors() { awk '{ print $3 }' "/sys/class/block/$1/stat"; }
read_disk() { while :; do dd if="/dev/$1" of=/dev/null bs=64k count=16 iflag=direct 2>/dev/null; sleep "$pause"; done; }
# What fails, by a device that goes or by a mistake, the driver counts.
raise() {
	local command=/sys/bus/pci/devices/$1/command i
	while :; do
		# In short turns: who unbinds the device waits for the end of one.
		for ((i = 0; i < 10; i++)); do
			echo raise 500 >"$command" || echo request >"$command" || sleep .1
		done
		echo held 4 >"$command"
	done 2>/dev/null
}
again_and_again() {
	while :; do
		echo "$2 $turn" >"/sys/bus/pci/devices/$1/command" || sleep .1
		sleep "${PAUSE:-0}"
	done 2>/dev/null
}
move_all() {
	local irq cpu=0
	while :; do
		cpu=$((1 - cpu))
		for irq in /proc/irq/[0-9]*; do
			echo $cpu >"$irq/smp_affinity_list"
		done 2>/dev/null
		sleep "$pause"
	done
}
# One that was plugged in a moment ago has no interrupt yet; one that goes has none any more.
free_interrupt() {
	local command=$driver/$1/command
	{
		echo free >"$command" || { echo request >"$command" && echo free >"$command"; }
	} 2>/dev/null || [ ! -e "$command" ]
}
# Raised, answered, run, for nothing, wrong: of all test devices since the driver is there.
counts() {
	cat "$driver/gone" $driver/0000:*/counts 2>/dev/null |
		awk '{ for (i = 1; i <= 5; i++) sum[i] += $i } END { print sum[1], sum[2], sum[3], sum[4], sum[5] }'
}

jobs=
stop() {
	# shellcheck disable=SC2086 # a list
	kill $jobs 2>/dev/null
	wait 2>/dev/null
}
read -r raised answered runs spurious wrong <<<"$(counts)"
before=$(sectors "$disk")
for device in $devices; do
	raise "$device" & jobs+=" $!"
	again_and_again "$device" churn & jobs+=" $!"
	again_and_again "$device" storm & jobs+=" $!"
done
for name in "$disk" "${LAB_ROOT_DISK#/dev/}"; do
	read_disk "$name" & jobs+=" $!"
done
move_all & jobs+=" $!"
ping -q -i "${PAUSE:-.05}" 10.0.2.2 >/run/lab/ping.out 2>&1 & jobs+=" $!"
trap stop EXIT

loaded() { [ "$mode" != without ]; }
load() {
	# shellcheck disable=SC2086 # a list
	insmod /suite/pvirq.ko $parameters || die "round $round: insmod failed"
}
unload() { rmmod pvirq || die "round $round: rmmod failed"; }
one_round() {
	[ "$mode" != comes ] || load
	sleep .1
	case $(($1 % 6)) in
	0)
		echo 0 >/sys/devices/system/cpu/cpu1/online
		! loaded || cat /sys/kernel/debug/pvirq/irqs >/dev/null
		echo 1 >/sys/devices/system/cpu/cpu1/online
		;;
	1)
		[ -z "$nic" ] || for what in unbind bind; do
			echo "$nic" >/sys/bus/pci/drivers/e1000e/$what
		done
		;;
	2)
		! loaded || for word in kernel lazy auto; do
			for device in $devices; do
				echo "$device $word" >/sys/kernel/debug/pvirq/irqs
			done
			cat /sys/kernel/debug/pvirq/irqs >/dev/null
			sleep .05
		done 2>/dev/null
		;;
	3)
		for device in $devices; do
			echo "$device" >$driver/unbind
			echo "$device" >/sys/bus/pci/drivers_probe
		done 2>/dev/null
		;;
	4)
		[ -z "$nic" ] || echo 1 >"/sys/bus/pci/devices/$nic/remove"
		echo 1 >/sys/bus/pci/rescan
		;;
	*) sleep 1 ;;
	esac
	# What is still to be raised comes faster without all this.
	(($1 <= rounds)) || for ((i = 0; i < 10; i++)); do sleep "$pause"; done
	# Every other round it goes while everything is busy, without a pause.
	(($1 % 2)) || sleep .1
	# While it can still be seen where it is.
	! dmesg | grep -qE '(is|are) lost' || { cat /sys/kernel/debug/pvirq/irqs; die "round $1"; }
	[ "$mode" != comes ] || unload
}

round=1
[ "$mode" != stays ] || load
for ((; ; round++)); do
	one_round "$round"
	read -r now _ <<<"$(counts)"
	((round % 20)) || echo "round $round: $((now - raised)) interrupts"
	((round < rounds || now - raised < interrupts)) || break
done
[ "$mode" != stays ] || unload

# Whatever comes last is without it: nothing may have been left masked. A lost interrupt lets nvme
# stand still for the 30 seconds of its timeout; a busy machine does for a few.
sleep .5
after=$(sectors "$disk")
for ((i = 0; i < 20; i++)); do
	sleep 1
	[ "$(sectors "$disk")" -le "$after" ] || break
done
((i < 20)) || die "nvme stands still for $i s"
stop
trap - EXIT
for device in $devices; do
	free_interrupt "$device" || die "$device: its interrupt cannot be requested and freed"
done
if dmesg | grep -iE 'timeout|timed out|lost|no irq handler|aborting|nobody cared|runs for|ran while'; then
	exit 1
fi
read -r raised_ answered_ runs_ spurious_ wrong_ <<<"$(counts)"
((raised_ -= raised, answered_ -= answered, runs_ -= runs, spurious_ -= spurious, wrong_ -= wrong))
echo "$raised_ interrupts raised, $answered_ as the devices say, $runs_ runs, $spurious_ for nothing, $wrong_ wrong, $((($(sectors "$disk") - before) / 2048)) MiB read, $round rounds"
((raised_ == answered_ && runs_ <= answered_ && !wrong_))
