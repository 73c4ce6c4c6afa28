#!/bin/busybox sh
# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=dash
# /init of every guest's initramfs: find the root image, put a tmpfs over it, hand over to the agent.
/bin/busybox --install -s /bin
export PATH=/bin
mkdir -p /proc /sys /dev /mnt /run /newroot
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
[ -f /order ] && while read -r m; do insmod "/lib/modules/$m" 2>/dev/null; done < /order

found=
for _ in $(seq 900); do
	# Which nvme is the first is left to chance: it may be a spare one, or one without a disk.
	nvme=$(grep -l '^lab *$' /sys/class/nvme/nvme*/serial 2>/dev/null)
	nvme=${nvme%/serial}
	for d in /dev/vda /dev/xvde "/dev/${nvme##*/}n1" /dev/sda; do
		[ -b "$d" ] && mount -t squashfs -o ro "$d" /mnt 2>/dev/null && found=$d && break 2
	done
	sleep 0.1
done
if [ -z "$found" ]; then
	echo "lab: no root image found on any disk" >/dev/console
	poweroff -f
fi
mount -t tmpfs tmpfs /run
mkdir /run/upper /run/work
mount -t overlay -o lowerdir=/mnt,upperdir=/run/upper,workdir=/run/work overlay /newroot
mkdir -p /newroot/suite
cp -a /suite/. /newroot/suite/
for d in proc sys dev; do mount --move /$d /newroot/$d; done
exec switch_root /newroot /bin/bash /suite/lab/agent.sh "$found"
