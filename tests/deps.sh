#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# The packages that building, testing and the lab need.
#   deps.sh install   install what is missing (root, Debian)
#   deps.sh missing   print what is missing; exit code 1 if anything is
set -eu

build="gcc make libc6-dev pkg-config libjson-c-dev"
checks="libcmocka-dev shellcheck mandoc python3 clang spin g++ libhwy-dev libsimdjson-dev"
lab="mmdebstrap squashfs-tools cpio zstd xz-utils kmod util-linux mount debian-archive-keyring
	gnuplot-nox libfaketime"

list_missing() {
	for p in $build $checks $lab; do
		dpkg-query -W -f '${db:Status-Status}\n' "$p" 2>/dev/null | grep -qx installed ||
			printf '%s ' "$p"
	done
	# An older one does not know the keys of Debian 13.
	ls /usr/share/keyrings/debian-archive-trixie-* >/dev/null 2>&1 ||
		printf 'debian-archive-keyring '
}

if ! command -v dpkg-query >/dev/null; then
	echo "This is not Debian. Wanted: a C compiler, make, pkg-config, json-c, and for the tests"
	echo "cmocka, shellcheck, mandoc and clang. The lab itself needs Debian."
	exit 1
fi
missing=$(list_missing)
[ -n "$missing" ] || exit 0
if [ "${1:-}" != install ] || [ "$(id -u)" -ne 0 ]; then
	echo "missing packages: $missing"
	[ "${1:-}" != install ] || echo "run 'make deps' as root to install them"
	exit 1
fi
echo "installing: $missing"
export DEBIAN_FRONTEND=noninteractive
apt-get update -q
# shellcheck disable=SC2086 # a list
apt-get install -q -y --no-install-recommends $missing
