#!/bin/busybox sh
# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=dash
# /init of a host's initramfs: Debian under a tmpfs overlay from the first disk, the run's
# payload from the second, then the agent as process 1.
/bin/busybox --install -s /bin
export PATH=/bin
mkdir -p /proc /sys /dev /mnt /payload /run /newroot
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
while read -r m; do insmod "/lib/modules/$m" 2>/dev/null; done < /order
for _ in $(seq 100); do
	[ -b /dev/vda ] && [ -b /dev/vdb ] && break
	sleep 0.1
done
mount -t squashfs -o ro /dev/vda /mnt || poweroff -f
mount -t squashfs -o ro /dev/vdb /payload || poweroff -f
mount -t tmpfs tmpfs /run
mkdir /run/upper /run/work
mount -t overlay -o lowerdir=/mnt,upperdir=/run/upper,workdir=/run/work overlay /newroot
mkdir -p /newroot/lab
mount --move /payload /newroot/lab
for d in proc sys dev; do mount --move /$d /newroot/$d; done
exec switch_root /newroot /usr/bin/python3 /lab/host/agent.py
