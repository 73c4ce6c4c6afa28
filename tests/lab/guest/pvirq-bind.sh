#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# pvirq-bind.sh DEVICE...: the test driver takes these devices, as soon as they are there, and anew
# what it has already: whoever had it before may have left its interrupt requested.
[ -e /sys/bus/pci/drivers/pvirq-test ] || insmod /suite/pvirq-test.ko || exit
for device; do
	echo "$device" >/sys/bus/pci/drivers/pvirq-test/unbind 2>/dev/null
	d=/sys/bus/pci/devices/$device
	for ((i = 0; i < 300; i++)); do
		[ ! -e "$d/command" ] || continue 2
		if [ -e "$d" ]; then
			echo pvirq-test >"$d/driver_override"
			[ ! -e "$d/driver" ] || echo "$device" >"$d/driver/unbind"
			echo "$device" >/sys/bus/pci/drivers_probe
		fi 2>/dev/null
		sleep .1
	done
	echo "$device was not bound"
	exit 1
done
