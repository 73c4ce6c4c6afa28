#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# xl's hotplug script for a guest's disk: hands blkback a block device as it is. Xen's own
# "block" script waits for udev, which a lab host does not run.
# $1: add | remove; XENBUS_PATH: the backend's xenstore directory.
set -e
[ "$1" = add ] || exit 0
dev=$(xenstore-read "$XENBUS_PATH/params")
xenstore-write "$XENBUS_PATH/physical-device" "$(stat -L -c %t:%T "$dev")" \
	"$XENBUS_PATH/physical-device-path" "$dev" "$XENBUS_PATH/hotplug-status" connected
