#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Load and unload hybrid.ko ROUNDS times while the guest's disk and network are busy.
set -u
rounds=${1:?usage: reload.sh ROUNDS}
disk_load() { while :; do dd if="$LAB_ROOT_DISK" of=/dev/null bs=64k count=64 iflag=direct 2>/dev/null; done; }
disk_load & disk=$!
ping -q -i 0.05 10.0.2.2 >/run/lab/ping.out 2>&1 & ping=$!
stop() { kill $disk $ping 2>/dev/null; wait 2>/dev/null; }
trap stop EXIT

for ((i = 1; i <= rounds; i++)); do
	insmod /suite/hybrid.ko || { echo "round $i: insmod failed"; exit 1; }
	# Readers that hold files open while the module goes away.
	cat /sys/module/hybrid/*/* >/dev/null 2>&1 & reader=$!
	((i % 5)) || echo 1 >/sys/module/hybrid/refresh
	wait $reader
	rmmod hybrid || { echo "round $i: rmmod failed"; exit 1; }
done
kill -0 $disk || { echo "the disk load died"; exit 1; }
kill -INT $ping
wait $ping
grep 'packets transmitted' /run/lab/ping.out
echo "$rounds rounds"
