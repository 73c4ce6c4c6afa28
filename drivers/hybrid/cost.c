// SPDX-License-Identifier: GPL-2.0-only
/* Measures what exits cost here. */
#include <linux/limits.h>
#include <linux/math64.h>
#include <linux/minmax.h>
#include <linux/preempt.h>
#include <linux/sched.h>
#include <linux/string.h>
#include <linux/time64.h>

#include <asm/tsc.h>

#include "exits.h"
#include "internal.h"
#include "trace.h"

/*
 * Per probe. Where one exit takes half a millisecond (level 3), time is what ends it; but
 * never after so few rounds that one that the host delayed would count.
 */
#define PROBE_ROUNDS		2048
#define PROBE_ROUNDS_MIN	8
#define PROBE_MS		5

static const enum hybrid_exit probe_exit[HYBRID_PROBE_NR] = {
	[HYBRID_PROBE_REFERENCE]	= HYBRID_EXIT_REFERENCE,
	[HYBRID_PROBE_CPUID]		= HYBRID_EXIT_CPUID,
	[HYBRID_PROBE_MSR]		= HYBRID_EXIT_RDMSR_APICBASE,
	[HYBRID_PROBE_PIO]		= HYBRID_EXIT_PIO,
	[HYBRID_PROBE_MMIO]		= HYBRID_EXIT_MMIO,
	[HYBRID_PROBE_LAPIC]		= HYBRID_EXIT_LAPIC,
};

/* 0 would mean "not measured", so what measures as nothing costs 1. */
static u32 cycles_to_ns(u64 cycles)
{
	return clamp_t(u64, mul_u64_u32_div(cycles, USEC_PER_SEC, tsc_khz), 1, U32_MAX);
}

static void measure(struct hybrid_exits *x, enum hybrid_probe p, struct hybrid_cost *cost)
{
	struct hybrid_timing t = HYBRID_TIMING_INIT;
	u64 overhead, end;

	if (hybrid_exit_unavailable(x, probe_exit[p]))
		return;

	/* The overhead must be this CPU's: they may differ in speed. */
	migrate_disable();
	overhead = hybrid_exit_overhead(x);
	end = rdtsc_ordered() + (u64)tsc_khz * PROBE_MS;
	do {
		hybrid_exit_burst(x, probe_exit[p], PROBE_ROUNDS - t.count, &t);
		cond_resched();
	} while (t.count < PROBE_ROUNDS_MIN ||
		 (t.count < PROBE_ROUNDS && rdtsc_ordered() < end));
	migrate_enable();

	cost->ns[p] = cycles_to_ns(t.min > overhead ? t.min - overhead : 0);
	cost->rounds[p] = t.count;
	cost->tsc_ns = cycles_to_ns(overhead);
	trace_hybrid_cost(p, cost->ns[p], cost->rounds[p]);
}

void hybrid_cost_measure(struct hybrid_cost *cost, const struct hybrid_caps *caps)
{
	struct hybrid_exits x;
	unsigned int p;

	memset(cost, 0, sizeof(*cost));
	hybrid_exits_open(&x, caps);
	for (p = 0; p < HYBRID_PROBE_NR; p++)
		measure(&x, p, cost);
	hybrid_exits_close(&x);
}
