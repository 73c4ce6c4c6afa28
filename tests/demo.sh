#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# make demo: from nothing to hybridctl status inside a KVM guest and a Xen guest.
set -eu
cd "$(dirname "$0")/.."

if [ "$(id -u)" -ne 0 ] || ! tests/deps.sh install; then
	echo "The demonstration boots real hypervisors: it needs root on Debian 12 or 13." >&2
	tests/deps.sh missing >&2 || :
	echo "Building without the lab instead." >&2
	make userspace
	echo "Built build/userspace/hybridctl. Here it says:"
	build/userspace/hybridctl status
	exit 1
fi
exec tests/lab/lab demo
