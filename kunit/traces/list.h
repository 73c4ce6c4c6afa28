/* SPDX-License-Identifier: GPL-2.0-only */
/* Recorded idle times, see README: first what halting cost, then their lengths. */
static const u32 trace_pingpong[] = {
#include "kvm-6.1-pingpong.inc"
};
static const u32 trace_pipe[] = {
#include "kvm-6.1-pipe.inc"
};
static const u32 trace_messaging[] = {
#include "kvm-6.1-messaging.inc"
};
static const u32 trace_fio[] = {
#include "kvm-6.1-fio.inc"
};
static const u32 trace_ping[] = {
#include "kvm-6.1-ping.inc"
};
static const u32 trace_idle[] = {
#include "kvm-6.1-idle.inc"
};

static const struct trace {
	const char *name;
	const u32 *ns;
	u32 n;
} traces[] = {
	{ "KVM, ping-pong", trace_pingpong, ARRAY_SIZE(trace_pingpong) },
	{ "KVM, pipe", trace_pipe, ARRAY_SIZE(trace_pipe) },
	{ "KVM, messaging", trace_messaging, ARRAY_SIZE(trace_messaging) },
	{ "KVM, fio QD1", trace_fio, ARRAY_SIZE(trace_fio) },
	{ "KVM, ping", trace_ping, ARRAY_SIZE(trace_ping) },
	{ "KVM, idle", trace_idle, ARRAY_SIZE(trace_idle) },
};
