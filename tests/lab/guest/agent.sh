#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# PID 1 of a guest: runs what the host sends down the second serial port, whose traffic
# the kernel's log cannot reach. The protocol is in lablib/link.py.
export PATH=/suite/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C
export LAB_ROOT_DISK=$1 SUITE=/suite
mount -t tmpfs tmpfs /run
mount -t tmpfs tmpfs /tmp
mkdir -p /dev/pts /dev/shm /run/lab
mount -t devpts devpts /dev/pts
mount -t tmpfs tmpfs /dev/shm
mount -t debugfs debugfs /sys/kernel/debug 2>/dev/null
mount -t tracefs tracefs /sys/kernel/tracing 2>/dev/null
hostname guest
ip link set lo up
for n in /sys/class/net/*; do
	n=${n##*/}
	[ "$n" = lo ] && continue
	ip link set "$n" up
	ip addr add "${LAB_IP:-10.0.2.15/24}" dev "$n"
	break
done

if grep -qw lab.shell /proc/cmdline; then
	cat >/etc/motd.lab <<-'MOTD'
		Hybrid HVM lab guest. The suite is in /suite: insmod /suite/hybrid.ko; hybridctl status
		Leave with: poweroff
	MOTD
	printf '#!/bin/sh\nexec busybox poweroff -f\n' >/usr/local/sbin/poweroff
	chmod +x /usr/local/sbin/poweroff
	exec 0<>/dev/ttyS0 1>&0 2>&0
	stty sane
	cat /etc/motd.lab
	cd /suite || exit
	PS1='guest:\w# ' setsid -c bash --norc -i
	exec busybox poweroff -f
fi

if grep -qw lab.busy /proc/cmdline; then
	# A neighbour of the guest that is measured: it takes all the time it can get.
	for _ in $(seq "$(nproc)"); do while :; do :; done & done
	echo BUSY >/dev/ttyS1
	wait
fi

tty=/dev/ttyS1
stty -F $tty raw -echo 115200 min 1 time 0
exec 3<>$tty
printf 'READY\n' >&3
while IFS=' ' read -r id cmd <&3; do
	base64 -d <<<"$cmd" >/run/lab/cmd
	printf 'P %s\n' "$id" >&3
	read -r _ <&3
	bash /run/lab/cmd >/run/lab/out 2>&1 </dev/null
	rc=$?
	printf 'E' >&3
	read -r _ <&3
	out=$(gzip -9c /run/lab/out | base64 -w 0)
	printf 'D %s %d %d\n' "$id" "$rc" "${#out}" >&3
	while [ ${#out} -gt 512 ]; do
		printf %s "${out:0:512}" >&3
		out=${out:512}
		read -r _ <&3
	done
	printf '%s\n' "$out" >&3
done
exec busybox poweroff -f
