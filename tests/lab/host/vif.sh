#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# xl's hotplug script for a guest's network interface: up, with dom0's address on it.
# $1: online | offline; the environment names the interface and its xenstore path.
set -e
[ "$1" = online ] || exit 0
vif=${vif:?}
ip link set "$vif" up
ip addr add 10.0.2.2/24 dev "$vif" 2>/dev/null || true
xenstore-write "$XENBUS_PATH/hotplug-status" connected
