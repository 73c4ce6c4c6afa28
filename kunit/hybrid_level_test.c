// SPDX-License-Identifier: GPL-2.0-only
/* How deep the measured costs say we are. */
#include <kunit/test.h>
#include <linux/bits.h>
#include <linux/kernel.h>
#include <linux/string.h>

#include <hybrid/cost.h>

#include "hybrid_suites.h"

/*
 * costs in nanoseconds, and what they mean
 * @msr: 0 = not measured
 * @exact: @confidence is the very one; else the highest that is acceptable
 */
struct level_case {
	const char *name;
	enum hybrid_hv hv;
	u64 features;
	u32 reference, cpuid, msr;
	u8 level;
	bool exits;
	enum hybrid_confidence confidence;
	bool exact;
};

static const struct level_case cases[] = {
	/* DVH (ASPLOS 2020, table 3): 1,575 / 37,733 / 857,578 cycles, here at 2.2 GHz */
	{ "DVH, level 1", HYBRID_HV_KVM, 0, 45, 716, 0, 1, true, HYBRID_CONF_HIGH, true },
	{ "DVH, level 2", HYBRID_HV_KVM, 0, 45, 17151, 0, 2, true, HYBRID_CONF_MEDIUM, true },
	{ "DVH, level 3", HYBRID_HV_KVM, 0, 45, 389808, 0, 3, true, HYBRID_CONF_MEDIUM, true },
	{ "DVH, level 1, MSR agrees", HYBRID_HV_KVM, 0, 45, 716, 650, 1, true, HYBRID_CONF_HIGH,
	  true },
	{ "DVH, level 2, MSR says 1", HYBRID_HV_XEN, 0, 45, 17151, 700, 2, true, HYBRID_CONF_LOW,
	  true },
	{ "just below level 2", HYBRID_HV_KVM, 0, 45, 3150, 0, 1, true, HYBRID_CONF_LOW, true },
	{ "just level 2", HYBRID_HV_KVM, 0, 45, 3600, 0, 2, true, HYBRID_CONF_LOW, true },
	{ "bare metal", HYBRID_HV_NONE, 0, 40, 70, 30, 0, false, HYBRID_CONF_HIGH, true },
	{ "bare metal, nothing measured", HYBRID_HV_NONE, 0, 0, 0, 0, 0, false, HYBRID_CONF_NONE,
	  true },
	{ "guest, nothing measured", HYBRID_HV_XEN, 0, 0, 0, 0, 1, false, HYBRID_CONF_NONE, true },
	{ "guest, no reference", HYBRID_HV_KVM, 0, 0, 700, 650, 1, false, HYBRID_CONF_NONE, true },
	{ "guest, reference only", HYBRID_HV_KVM, 0, 45, 0, 0, 1, false, HYBRID_CONF_NONE, true },
	{ "guest where CPUID is free", HYBRID_HV_KVM, 0, 45, 80, 0, 1, false, HYBRID_CONF_LOW,
	  true },
	{ "exits, but nobody is announced", HYBRID_HV_NONE, 0, 45, 716, 650, 1, true,
	  HYBRID_CONF_LOW, true },
	{ "unknown hypervisor", HYBRID_HV_UNKNOWN, 0, 45, 716, 0, 1, true, HYBRID_CONF_HIGH, true },
	{ "TCG, cheap CPUID", HYBRID_HV_TCG, 0, 900, 500, 100, 1, false, HYBRID_CONF_HIGH },
	{ "TCG, dear CPUID", HYBRID_HV_TCG, 0, 20, 400000, 100, 1, false, HYBRID_CONF_HIGH },
	{ "Hyper-V says nested, costs agree", HYBRID_HV_HYPERV, BIT_ULL(HYBRID_F_HYPERV_NESTED),
	  45, 17151, 0, 2, true, HYBRID_CONF_HIGH, true },
	{ "Hyper-V says nested, costs like level 1", HYBRID_HV_HYPERV,
	  BIT_ULL(HYBRID_F_HYPERV_NESTED), 45, 716, 0, 2, true, HYBRID_CONF_HIGH, true },
	{ "Hyper-V says nested, costs like level 3", HYBRID_HV_HYPERV,
	  BIT_ULL(HYBRID_F_HYPERV_NESTED), 45, 389808, 0, 3, true, HYBRID_CONF_MEDIUM, true },
	{ "Hyper-V says nested, nothing measured", HYBRID_HV_HYPERV,
	  BIT_ULL(HYBRID_F_HYPERV_NESTED), 0, 0, 0, 2, false, HYBRID_CONF_HIGH, true },
	{ "extreme: slowest exit", HYBRID_HV_KVM, 0, 1, 0xffffffff, 0xffffffff, 3, true,
	  HYBRID_CONF_HIGH },
	{ "extreme: slowest reference", HYBRID_HV_KVM, 0, 0xffffffff, 1, 1, 1, false,
	  HYBRID_CONF_LOW },
	{ "extreme: all the slowest", HYBRID_HV_KVM, 0, 0xffffffff, 0xffffffff, 0xffffffff, 1,
	  false, HYBRID_CONF_LOW },
};

static void case_desc(const struct level_case *c, char *desc)
{
	snprintf(desc, KUNIT_PARAM_DESC_SIZE, "%s", c->name);
}

KUNIT_ARRAY_PARAM(cases, cases, case_desc);

static void estimate(struct hybrid_level *l, enum hybrid_hv hv, u64 features,
		     const struct hybrid_cost *cost)
{
	const struct hybrid_caps caps = { .hv = hv, .features = features };

	memset(l, 0xa5, sizeof(*l));	/* "filled in completely" */
	hybrid_level_estimate(l, &caps, cost);
}

static void estimates(struct kunit *test)
{
	const struct level_case *c = test->param_value;
	const struct hybrid_cost cost = {
		.ns = {
			[HYBRID_PROBE_REFERENCE] = c->reference,
			[HYBRID_PROBE_CPUID] = c->cpuid,
			[HYBRID_PROBE_MSR] = c->msr,
		},
	};
	struct hybrid_level l;

	estimate(&l, c->hv, c->features, &cost);
	KUNIT_EXPECT_EQ(test, l.level, c->level);
	KUNIT_EXPECT_EQ(test, l.exits, c->exits);
	if (c->exact)
		KUNIT_EXPECT_STREQ(test, hybrid_confidence_name(l.confidence),
				   hybrid_confidence_name(c->confidence));
	else
		KUNIT_EXPECT_LE(test, l.confidence, c->confidence);
	if (!c->reference || !c->cpuid)
		KUNIT_EXPECT_EQ(test, l.ratio, 0);
}

/* The published cycles, on processors of any clock, with a reference of 70 to 140 cycles. */
static void estimates_dvh_at_any_clock(struct kunit *test)
{
	static const u32 cycles[] = { 1575, 37733, 857578 };
	u32 mhz, reference, i;

	for (mhz = 1500; mhz <= 5500; mhz += 500) {
		for (reference = 70; reference <= 140; reference += 10) {
			for (i = 0; i < ARRAY_SIZE(cycles); i++) {
				const struct hybrid_cost cost = {
					.ns = {
						[HYBRID_PROBE_REFERENCE] = reference * 1000 / mhz,
						[HYBRID_PROBE_CPUID] = cycles[i] * 1000 / mhz,
					},
				};
				struct hybrid_level l;

				estimate(&l, HYBRID_HV_KVM, 0, &cost);
				KUNIT_EXPECT_EQ_MSG(test, l.level, i + 1,
						    "%u cycles, reference %u, %u MHz",
						    cycles[i], reference, mhz);
			}
		}
	}
}

/* A dearer exit never means a lower level, up to where the numbers end. */
static void level_follows_ratio(struct kunit *test)
{
	static const enum hybrid_hv hvs[] = { HYBRID_HV_NONE, HYBRID_HV_KVM, HYBRID_HV_XEN };
	static const u32 references[] = { 1, 7, 45, 1000, 0xffffffff };
	unsigned int i, j;

	for (i = 0; i < ARRAY_SIZE(hvs); i++) {
		for (j = 0; j < ARRAY_SIZE(references); j++) {
			struct hybrid_cost cost = {
				.ns[HYBRID_PROBE_REFERENCE] = references[j],
			};
			struct hybrid_level l, last = {};
			u64 ns;

			/* by a quarter each time, and 0xffffffff last */
			for (ns = 1; ns <= 0x13ffffffeULL; ns += ns / 4 + 1) {
				cost.ns[HYBRID_PROBE_CPUID] = ns < 0xffffffff ? ns : 0xffffffff;
				estimate(&l, hvs[i], 0, &cost);
				KUNIT_ASSERT_LE(test, l.level, 3);
				KUNIT_ASSERT_LE(test, l.confidence, HYBRID_CONF_HIGH);
				KUNIT_ASSERT_LE_MSG(test, last.level, l.level, "CPUID %u / %u",
						    cost.ns[HYBRID_PROBE_CPUID], references[j]);
				KUNIT_ASSERT_LE(test, last.ratio, l.ratio);
				KUNIT_ASSERT_LE(test, last.exits, l.exits);
				last = l;
			}
		}
	}
}

/* Whatever is measured, a guest is a guest; and a level above 1 needs an exit or a word. */
static void never_contradicts(struct kunit *test)
{
	static const u32 ns[] = { 0, 1, 45, 700, 20000, 400000, 0xffffffff };
	struct hybrid_cost cost = {};
	struct hybrid_level l;
	unsigned int hv, r, c, m;

	for (hv = 0; hv < HYBRID_HV_NR; hv++)
	for (r = 0; r < ARRAY_SIZE(ns); r++)
	for (c = 0; c < ARRAY_SIZE(ns); c++)
	for (m = 0; m < ARRAY_SIZE(ns); m++) {
		cost.ns[HYBRID_PROBE_REFERENCE] = ns[r];
		cost.ns[HYBRID_PROBE_CPUID] = ns[c];
		cost.ns[HYBRID_PROBE_MSR] = ns[m];
		estimate(&l, hv, 0, &cost);
		if (hv != HYBRID_HV_NONE)
			KUNIT_ASSERT_TRUE(test, l.level >= 1);
		KUNIT_ASSERT_TRUE(test, l.level <= 1 || l.exits);
		KUNIT_ASSERT_TRUE(test, l.level || !l.exits);
		if (hv == HYBRID_HV_TCG)
			KUNIT_ASSERT_TRUE(test, !l.exits);
		if (!ns[r] || !ns[c])
			KUNIT_ASSERT_TRUE(test, !l.exits && !l.ratio);
	}
}

static void level_names_are_unique(struct kunit *test)
{
	unsigned int i, j;

	for (i = 0; i < HYBRID_PROBE_NR; i++) {
		KUNIT_EXPECT_STRNEQ(test, hybrid_probe_name(i), "invalid");
		for (j = 0; j < i; j++)
			KUNIT_EXPECT_STRNEQ(test, hybrid_probe_name(i), hybrid_probe_name(j));
	}
	for (i = HYBRID_CONF_NONE; i <= HYBRID_CONF_HIGH; i++) {
		KUNIT_EXPECT_STRNEQ(test, hybrid_confidence_name(i), "invalid");
		for (j = 0; j < i; j++)
			KUNIT_EXPECT_STRNEQ(test, hybrid_confidence_name(i),
					    hybrid_confidence_name(j));
	}
	KUNIT_EXPECT_STREQ(test, hybrid_probe_name(HYBRID_PROBE_NR), "invalid");
	KUNIT_EXPECT_STREQ(test, hybrid_probe_name(-1), "invalid");
	KUNIT_EXPECT_STREQ(test, hybrid_confidence_name(HYBRID_CONF_HIGH + 1), "invalid");
	KUNIT_EXPECT_STREQ(test, hybrid_confidence_name(-1), "invalid");
}

static struct kunit_case hybrid_level_cases[] = {
	KUNIT_CASE_PARAM(estimates, cases_gen_params),
	KUNIT_CASE(estimates_dvh_at_any_clock),
	KUNIT_CASE(level_follows_ratio),
	KUNIT_CASE(never_contradicts),
	KUNIT_CASE(level_names_are_unique),
	{}
};

struct kunit_suite hybrid_level_suite = {
	.name = "hybrid_level",
	.test_cases = hybrid_level_cases,
};
