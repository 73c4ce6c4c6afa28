#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# What the library costs and what features gain, on this machine: Documentation/migrate-notify.md
# has the figures of one. Usage: measure.sh BUILD

set -eu
cd "$(dirname "$0")/../.."
build=$1
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
flags="-Wall -Wextra -Werror -O2 -D_GNU_SOURCE -Ilib -I../include/uapi"

echo "== $(sed -n 's/^model name\t*: //p' /proc/cpuinfo | head -n 1)"
echo "== mn_changed()"
# shellcheck disable=SC2086 # a list
cc $flags -o "$tmp/cost" tests/mn/cost.c "$build/libmigrate-notify.a" -pthread
objdump -d --no-show-raw-insn --disassemble=changed "$tmp/cost" | sed -n 's/^ *[0-9a-f]*:/ /p'
"$tmp/cost"
echo "== worker, each variant alone (1 thread, input)"
"$build/migrate-notify-worker" --bench
echo "== worker, 2 threads, 3 s: blocks, by what the machine has"
for mask in '' vaes vaes,avx2 aes aes,ssse3; do
	printf '%-12s %s\n' "${mask:-nothing}" "$("$build/migrate-notify-worker" --threads 2 --seconds 3 \
		--mask "$mask" | sed -n 's/^\(blocks [0-9]* wrong [0-9]*\).*/\1/p') masked"
done
