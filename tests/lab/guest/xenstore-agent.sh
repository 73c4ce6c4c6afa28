#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Runs what dom0 writes into xenstore, beside agent.sh: over a save and restore the emulated serial
# port loses bytes, xenstore does not. The protocol is in lablib/xslink.py.
# Usage: xenstore-agent.sh DIRECTORY
dir=$1 last=
# It also tells when a restored domain has got its new directory.
xenstore-watch data/lab-command | while read -r _; do
	read -r id cmd <<<"$(xenstore-read data/lab-command 2>/dev/null)"
	if [ -z "$id" ] || [ "$id" = "$last" ]; then
		continue
	fi
	last=$id
	base64 -d <<<"$cmd" >"$dir/command"
	bash "$dir/command" >"$dir/out" 2>&1 </dev/null
	rc=$?
	out=$(gzip -9c "$dir/out" | base64 -w 0)
	# A domain's values are limited to 2 KiB.
	nodes=() n=0
	for ((at = 0; at < ${#out}; at += 2000, n++)); do
		nodes+=("data/lab-out-$n" "${out:at:2000}")
	done
	xenstore-write "${nodes[@]}" data/lab-done "$id $rc $n"
done
