/* SPDX-License-Identifier: GPL-2.0-only */
/* What an exit costs here, and how deep that says we are (the estimate is pure). */
#ifndef HYBRID_COST_H
#define HYBRID_COST_H

#include <hybrid/caps.h>

enum hybrid_probe {
	HYBRID_PROBE_REFERENCE,	/* IRET to self: serialises, never exits */
	HYBRID_PROBE_CPUID,	/* always exits on VMX, and wherever it is intercepted on SVM */
	HYBRID_PROBE_MSR,	/* RDMSR IA32_APIC_BASE: handled in the hypervisor */
	HYBRID_PROBE_PIO,	/* IN from the ACPI PM timer: usually the device model */
	HYBRID_PROBE_MMIO,	/* HPET read: usually the device model */
	HYBRID_PROBE_LAPIC,	/* LAPIC version read: does not exit with APIC virtualisation */
	HYBRID_PROBE_NR
};

/**
 * struct hybrid_cost - minimum over many rounds, per probe
 * @ns: nanoseconds of one operation, measuring overhead removed; 0 = not measured
 * @rounds: how many rounds the minimum was taken over
 * @tsc_ns: what measuring itself takes, about a reading of the TSC; 0 = not measured
 * @exit_ns: what one exit costs: CPUID less the reference; 0 where nothing exits or
 *	nothing was measured
 * @halt_ns: what halting and being woken up by another CPU costs, at least two exits; 0 where
 *	@exit_ns is 0
 */
struct hybrid_cost {
	u32 ns[HYBRID_PROBE_NR];
	u32 rounds[HYBRID_PROBE_NR];
	u32 tsc_ns;
	u32 exit_ns;
	u32 halt_ns;
};

enum hybrid_confidence {
	HYBRID_CONF_NONE,	/* nothing to go by */
	HYBRID_CONF_LOW,	/* near a threshold, or the probes disagree */
	HYBRID_CONF_MEDIUM,
	HYBRID_CONF_HIGH,
};

/**
 * struct hybrid_level - the estimated nesting level
 * @level: 0 bare metal, 1 a guest, 2 a guest of a guest, ... (3 means "3 or more")
 * @confidence: how far to believe it
 * @ratio: what it was taken from: CPUID / reference, in tenths
 * @exits: false where CPUID did not cost an exit (bare metal, an emulator)
 */
struct hybrid_level {
	u8 level;
	enum hybrid_confidence confidence;
	u32 ratio;
	bool exits;
};

void hybrid_level_estimate(struct hybrid_level *l, const struct hybrid_caps *caps,
			   const struct hybrid_cost *cost);

const char *hybrid_probe_name(enum hybrid_probe p);
const char *hybrid_confidence_name(enum hybrid_confidence c);

#endif
