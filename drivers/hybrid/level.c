// SPDX-License-Identifier: GPL-2.0-only
/* How deep we are nested, judged by what an exit costs (pure). */
#include <linux/kernel.h>
#include <linux/math64.h>
#include <linux/minmax.h>
#include <linux/string.h>

#include <hybrid/cost.h>

/*
 * An exiting instruction's cost / the reference's, in tenths, from which on we believe in
 * that many levels of exits. The reference, IRET, takes some 100 cycles everywhere, CPUID
 * without an exit as long or twice as long. For an exit, the DVH paper (ASPLOS 2020,
 * table 3) gives 1,575 / 37,733 / 857,578 cycles at level 1 / 2 / 3, that is ratios of
 * about 16 / 380 / 8,600. The thresholds are their geometric means, rounded.
 *
 * Measured in our lab, where level 1 is QEMU's emulator: below 1 at level 1, 260 to 300 in
 * a KVM guest at level 2 (26 us against 90 ns).
 */
static const u32 ratio_from[] = {
	[1] = 60,	/* between 2 and 16, and what noise makes of them */
	[2] = 800,	/* between 16 and 380 */
	[3] = 18000,	/* between 380 and 8,600 */
};

/* A ratio within a quarter of a threshold could as well be on its other side. */
static bool near_threshold(u32 ratio)
{
	unsigned int i;

	for (i = 1; i < ARRAY_SIZE(ratio_from); i++) {
		u32 margin = ratio_from[i] / 4;

		if (ratio >= ratio_from[i] - margin && ratio <= ratio_from[i] + margin)
			return true;
	}
	return false;
}

static u8 level_of(u32 ratio)
{
	u8 level = ARRAY_SIZE(ratio_from) - 1;

	while (level && ratio < ratio_from[level])
		level--;
	return level;
}

static bool measured(const struct hybrid_cost *cost, enum hybrid_probe p)
{
	return cost->ns[p] && cost->ns[HYBRID_PROBE_REFERENCE];
}

static u32 ratio_of(const struct hybrid_cost *cost, enum hybrid_probe p)
{
	u64 ratio;

	if (!measured(cost, p))
		return 0;
	ratio = div_u64((u64)cost->ns[p] * 10, cost->ns[HYBRID_PROBE_REFERENCE]);
	return min_t(u64, ratio, U32_MAX);
}

/* CPUID and RDMSR both go no further than the hypervisor, so they cost about the same. */
static bool probes_disagree(const struct hybrid_cost *cost)
{
	return measured(cost, HYBRID_PROBE_MSR) &&
	       level_of(ratio_of(cost, HYBRID_PROBE_MSR)) !=
	       level_of(ratio_of(cost, HYBRID_PROBE_CPUID));
}

/* @l->ratio is known, and @l->level says whether a hypervisor is announced. */
static void judge_by_cost(struct hybrid_level *l, const struct hybrid_cost *cost)
{
	u8 by_exits = level_of(l->ratio);

	l->exits = by_exits;
	if (near_threshold(l->ratio) || probes_disagree(cost) || !!by_exits != l->level)
		l->confidence = HYBRID_CONF_LOW;
	else
		l->confidence = by_exits > 1 ? HYBRID_CONF_MEDIUM : HYBRID_CONF_HIGH;
	if (by_exits > l->level)
		l->level = by_exits;
}

void hybrid_level_estimate(struct hybrid_level *l, const struct hybrid_caps *caps,
			   const struct hybrid_cost *cost)
{
	memset(l, 0, sizeof(*l));
	l->ratio = ratio_of(cost, HYBRID_PROBE_CPUID);

	/* An emulator that says so: nothing exits, whatever it makes of CPUID's cost. */
	if (caps->hv == HYBRID_HV_TCG) {
		l->level = 1;
		l->confidence = HYBRID_CONF_HIGH;
		return;
	}

	/* Where nothing was measured, this is all we have. */
	l->level = caps->hv != HYBRID_HV_NONE;
	if (measured(cost, HYBRID_PROBE_CPUID))
		judge_by_cost(l, cost);

	/* The host's own word is worth more than a guess, though not than that nothing exits. */
	if (caps->host.level && l->exits) {
		l->level = min_t(u32, caps->host.level, ARRAY_SIZE(ratio_from) - 1);
		l->confidence = HYBRID_CONF_HIGH;
	}
	/* At least 2, says this one. */
	if (hybrid_has(caps, HYBRID_F_HYPERV_NESTED) && l->level <= 2) {
		l->level = 2;
		l->confidence = HYBRID_CONF_HIGH;
	}
}

const char *hybrid_probe_name(enum hybrid_probe p)
{
	static const char *const names[] = {
		[HYBRID_PROBE_REFERENCE]	= "reference",
		[HYBRID_PROBE_CPUID]		= "cpuid",
		[HYBRID_PROBE_MSR]		= "msr",
		[HYBRID_PROBE_PIO]		= "pio",
		[HYBRID_PROBE_MMIO]		= "mmio",
		[HYBRID_PROBE_LAPIC]		= "lapic",
	};

	return (unsigned int)p < HYBRID_PROBE_NR ? names[p] : "invalid";
}

const char *hybrid_confidence_name(enum hybrid_confidence c)
{
	static const char *const names[] = {
		[HYBRID_CONF_NONE]	= "none",
		[HYBRID_CONF_LOW]	= "low",
		[HYBRID_CONF_MEDIUM]	= "medium",
		[HYBRID_CONF_HIGH]	= "high",
	};

	return (unsigned int)c < ARRAY_SIZE(names) ? names[c] : "invalid";
}
