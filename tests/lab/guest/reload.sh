#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Load and unload hybrid.ko ROUNDS times while the guest's disk and network are busy.
set -u
rounds=${1:?usage: reload.sh ROUNDS}
sectors() { awk '{ print $3 }' "/sys/class/block/${LAB_ROOT_DISK#/dev/}/stat"; }
disk_load() { while dd if="$LAB_ROOT_DISK" of=/dev/null bs=64k count=64 iflag=direct 2>/dev/null; do :; done; }
before=$(sectors)
disk_load & disk=$!
ping -q -i 0.05 10.0.2.2 >/run/lab/ping.out 2>&1 & ping=$!
stop() { kill $disk $ping 2>/dev/null; wait 2>/dev/null; }
trap stop EXIT

for ((i = 1; i <= rounds; i++)); do
	insmod /suite/hybrid.ko || { echo "round $i: insmod failed"; exit 1; }
	cat /sys/module/hybrid/*/* >/dev/null 2>&1 & reader=$!
	((i % 5)) || echo 1 >/sys/module/hybrid/refresh
	# Every other round the module goes while its files are being read.
	((i % 2)) || wait $reader
	rmmod hybrid || { echo "round $i: rmmod failed"; exit 1; }
	wait $reader
done
kill -0 $disk 2>/dev/null || { echo "the disk load died"; exit 1; }
read_mb=$((($(sectors) - before) / 2048))
[ "$read_mb" -gt "$rounds" ] || { echo "the disk was not busy: $read_mb MiB read"; exit 1; }
kill -INT $ping
wait $ping
answered=$(sed -n 's/.* \([0-9]*\) received.*/\1/p' /run/lab/ping.out)
[ "${answered:-0}" -gt "$rounds" ] || { echo "the network was not busy:"; cat /run/lab/ping.out; exit 1; }
echo "$read_mb MiB read, $answered pings answered"
echo "$rounds rounds"
