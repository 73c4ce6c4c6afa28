/* SPDX-License-Identifier: GPL-2.0-only */
/* Operations that exit, one at a time: what the cost probes and the bench run. */
#ifndef HYBRID_EXITS_H
#define HYBRID_EXITS_H

#include <linux/types.h>

struct hybrid_caps;

enum hybrid_exit {
	HYBRID_EXIT_CPUID,
	HYBRID_EXIT_RDMSR_TSC_ADJUST,
	HYBRID_EXIT_WRMSR_TSC_ADJUST,
	HYBRID_EXIT_RDMSR_APICBASE,
	HYBRID_EXIT_PIO,
	HYBRID_EXIT_MMIO,
	HYBRID_EXIT_LAPIC,
	HYBRID_EXIT_HYPERCALL,
	HYBRID_EXIT_IPI,
	HYBRID_EXIT_TIMER,
	HYBRID_EXIT_BENCH_NR,
	/* These do not exit: what the others are compared with. */
	HYBRID_EXIT_REFERENCE = HYBRID_EXIT_BENCH_NR,
	HYBRID_EXIT_NOTHING,
	HYBRID_EXIT_NR
};

/**
 * struct hybrid_exits - what the operations need
 * @caps: what we run on
 * @hpet: the HPET's registers, NULL where there is none
 * @pm_timer: port of the ACPI PM timer, 0 where there is none
 * @saved: this CPU's value that a write operation writes back, for one burst
 */
struct hybrid_exits {
	const struct hybrid_caps *caps;
	void __iomem *hpet;
	u16 pm_timer;
	u64 saved;
};

/**
 * struct hybrid_timing - TSC cycles of one operation, measuring overhead included
 */
struct hybrid_timing {
	u64 min;
	u64 sum;
	u32 count;
};

/* Both may sleep. @caps must outlive @x. */
void hybrid_exits_open(struct hybrid_exits *x, const struct hybrid_caps *caps);
void hybrid_exits_close(struct hybrid_exits *x);

const char *hybrid_exit_name(enum hybrid_exit e);

/* Why @e cannot be run here, NULL if it can. */
const char *hybrid_exit_unavailable(struct hybrid_exits *x, enum hybrid_exit e);

/**
 * hybrid_exit_burst() - run an available operation a few times, interrupts off
 * @x: opened
 * @e: the operation
 * @max: at most so many times, at least once; less where that takes too long
 * @t: what it cost is added to this; start with HYBRID_TIMING_INIT
 */
void hybrid_exit_burst(struct hybrid_exits *x, enum hybrid_exit e, u32 max,
		       struct hybrid_timing *t);

#define HYBRID_TIMING_INIT	((struct hybrid_timing){ .min = U64_MAX })

/* What measuring an operation costs by itself, in TSC cycles. */
u64 hybrid_exit_overhead(struct hybrid_exits *x);

#endif
