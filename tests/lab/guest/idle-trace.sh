#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# idle-trace.sh CPU COMMAND...: how long that CPU's idle times were while COMMAND ran, as the
# kernel's cpu_idle tracepoint saw them: nanoseconds, comma-separated (resolution 1 us).
set -eu
cpu=${1:?usage: idle-trace.sh CPU COMMAND...}
shift
cd /sys/kernel/tracing
trap 'echo 0 >events/power/cpu_idle/enable; echo >trace' EXIT
echo mono >trace_clock
echo 8192 >buffer_size_kb
echo >trace
echo 1 >events/power/cpu_idle/enable
"$@" >/dev/null
echo 0 >events/power/cpu_idle/enable
awk -v cpu="cpu_id=$cpu" '
	$NF != cpu { next }
	{ match($0, /[0-9]+\.[0-9]+: cpu_idle/); now = substr($0, RSTART, RLENGTH - 10) }
	$(NF - 1) == "state=4294967295" { if (begin) printf "%d,\n", (now - begin) * 1e9; begin = 0; next }
	{ begin = now }' trace
