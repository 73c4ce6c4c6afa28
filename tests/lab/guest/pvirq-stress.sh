#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# pvirq-stress.sh ROUNDS [PARAMETERS | without]: pvirq.ko (with PARAMETERS) comes and goes, or
# stays away ("without": for comparison, what the kernel alone does), while nvme,
# virtio and e1000e are busy, all interrupts move from CPU to CPU, a CPU goes offline and
# comes back, and devices are unbound and bound. The test device counts its interrupts one by
# one; a lost one of another device shows as a timeout in the log, or as a load that stands still.
set -u
die() { dmesg | tail -n 20; echo "$*"; exit 1; }
rounds=${1:?usage: pvirq-stress.sh ROUNDS [PARAMETERS]}
parameters=${2:-}
device=/sys/bus/pci/devices/0000:00:12.0	# nvme, with the test driver
edu=/sys/bus/pci/devices/0000:00:13.0
nic=0000:00:11.0				# e1000e
disk=$(cd /sys/bus/pci/devices/0000:00:10.0/nvme/nvme*/ && ls -d nvme*n1)
dmesg -C

sectors() { awk '{ print $3 }' "/sys/class/block/$1/stat"; }
read_disk() { while :; do dd if="/dev/$1" of=/dev/null bs=64k count=64 iflag=direct 2>/dev/null || sleep .1; done; }
raise() { while echo raise 50 >$device/command; do echo; done >/run/lab/raised; echo failed >>/run/lab/raised; }
move_all() {
	local irq cpu=0
	while :; do
		cpu=$((1 - cpu))
		for irq in /proc/irq/[0-9]*; do
			echo $cpu >"$irq/smp_affinity_list"
		done 2>/dev/null
		sleep .02
	done
}
hold() { while echo held 5 >$edu/command; do sleep .05; done; echo failed >/run/lab/held; }
rm -f /run/lab/held

echo request >$device/command || die "request failed"
echo request >$edu/command || die "request of edu failed"
before=$(sectors "$disk")
runs=$(cat $device/runs)
spurious=$(cat $device/spurious)
read_disk "$disk" & jobs=$!
read_disk "${LAB_ROOT_DISK#/dev/}" & jobs+=" $!"
raise & raiser=$!
hold & holder=$!
move_all & jobs+=" $!"
ping -q -i .02 10.0.2.2 >/run/lab/ping.out 2>&1 & jobs+=" $!"
# shellcheck disable=SC2086 # lists
stop() { kill $raiser $holder $jobs 2>/dev/null; wait 2>/dev/null; }
trap stop EXIT

for ((i = 1; i <= rounds; i++)); do
	# shellcheck disable=SC2086 # a list
	[ "$parameters" = without ] || insmod /suite/pvirq.ko $parameters ||
		die "round $i: insmod failed"
	sleep .1
	case $((i % 4)) in
	0)
		echo 0 >/sys/devices/system/cpu/cpu1/online
		[ "$parameters" = without ] || cat /sys/kernel/debug/pvirq/irqs >/dev/null
		echo 1 >/sys/devices/system/cpu/cpu1/online
		;;
	1)
		echo $nic >/sys/bus/pci/drivers/e1000e/unbind
		echo $nic >/sys/bus/pci/drivers/e1000e/bind
		;;
	2)
		[ "$parameters" = without ] || for word in kernel lazy auto; do
			echo "${device##*/} $word" >/sys/kernel/debug/pvirq/irqs
			cat /sys/kernel/debug/pvirq/irqs >/dev/null
			sleep .05
		done
		;;
	esac
	# Every other round it goes while everything is busy, without a pause.
	((i % 2)) || sleep .1
	[ "$parameters" = without ] || rmmod pvirq || die "round $i: rmmod failed"
done

# Whatever comes last is without it: nothing may have been left masked.
sleep .5
kill -0 $raiser 2>/dev/null || die "the test device lost an interrupt"
[ ! -e /run/lab/held ] || die "edu lost an interrupt"
after=$(sectors "$disk")
sleep 1
[ "$(sectors "$disk")" -gt "$after" ] || die "nvme stands still"
stop
trap - EXIT
echo free >$device/command || exit 1
echo free >$edu/command || exit 1
if dmesg | grep -iE 'timeout|timed out|lost|no irq handler|aborting|nobody cared'; then
	exit 1
fi
runs=$(($(cat $device/runs) - runs))
expected=$(($(wc -l </run/lab/raised) * 50))
# The last write was interrupted, perhaps.
if [ "$runs" -lt "$expected" ] || [ "$runs" -gt $((expected + 50)) ]; then
	die "$runs interrupts for $expected"
fi
mb=$((($(sectors "$disk") - before) / 2048))
[ "$mb" -gt 0 ] || die "nvme was not busy"
echo "$mb MiB of nvme, $runs interrupts counted one by one, and $(($(cat $device/spurious) - spurious)) that the kernel repeated"
echo "$rounds rounds"
