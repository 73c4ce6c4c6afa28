#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Load, switch and unload ROUNDS times, while CPU 1 goes and comes and two tasks wake each other.
set -u
rounds=${1:?usage: idle-stress.sh ROUNDS}
cpu=/sys/devices/system/cpu/cpu1/online
wake_ups() { while :; do pingpong 50 >/dev/null 2>&1 || sleep 0.01; done; }
wake_ups & load=$!
# A lost wake-up shows as a sleep that does not end: so the clock has to go on as well.
stop() { kill $load 2>/dev/null; wait 2>/dev/null; echo 1 >$cpu; }
trap stop EXIT

for ((i = 1; i <= rounds; i++)); do
	((i % 4)) || echo 0 >$cpu
	insmod /suite/hybrid.ko idle_poll_percent=$((i % 3 * 300)) || { echo "round $i: insmod"; exit 1; }
	echo 1 >$cpu
	((i % 3)) || echo 0 >$cpu
	echo kernel >/sys/module/hybrid/parameters/idle || { echo "round $i: kernel"; exit 1; }
	echo auto >/sys/module/hybrid/parameters/idle || { echo "round $i: auto"; exit 1; }
	timeout 20 sleep 0.01 || { echo "round $i: the clock stood still"; exit 1; }
	((i % 5)) || echo 1 >/sys/module/hybrid/refresh
	rmmod hybrid || { echo "round $i: rmmod failed"; exit 1; }
	echo 1 >$cpu
done
echo "$rounds rounds"
