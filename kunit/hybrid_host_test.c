// SPDX-License-Identifier: GPL-2.0-only
/* A host that knows us: as it should be, and every way in which it can be something else. */
#include <kunit/test.h>
#include <linux/bits.h>
#include <linux/kernel.h>
#include <linux/string.h>

#include <hybrid/caps.h>
#include <hybrid/cost.h>
#include <hybrid/host.h>

#include "hybrid_suites.h"

#define SIG	{ 0x40000102, HYBRID_HOST_SIGNATURE_EBX, HYBRID_HOST_SIGNATURE_ECX, \
		  HYBRID_HOST_SIGNATURE_EDX }
#define BOTH	(HYBRID_HOST_F_IRQ | HYBRID_HOST_F_NOTICE)
#define MSR	HYBRID_HOST_MSR_SUGGESTED

struct host_case {
	const char *name;
	enum hybrid_host_state state;
	u32 features;
	u32 nr_leaves;
	struct hybrid_regs leaf1, leaf2;
	bool no_msr;
};

static const struct host_case cases[] = {
	{ "all of it", HYBRID_HOST_USABLE, BOTH, 3, { 1, BOTH, MSR }, { 4, 2, 1000 } },
	{ "the most", HYBRID_HOST_USABLE, BOTH, 3, { 1, BOTH, HYBRID_HOST_MSR_MAX },
	  { 255, 8, ~0u } },
	{ "interrupts only", HYBRID_HOST_USABLE, HYBRID_HOST_F_IRQ, 3,
	  { 1, HYBRID_HOST_F_IRQ, MSR }, { 1 } },
	{ "notices only", HYBRID_HOST_USABLE, HYBRID_HOST_F_NOTICE, 3,
	  { 1, HYBRID_HOST_F_NOTICE, HYBRID_HOST_MSR_MIN }, {} },
	{ "hints only", HYBRID_HOST_USABLE, 0, 3, { 1, 0, MSR }, { 0, 3, 5000 } },
	{ "features to come", HYBRID_HOST_USABLE, BOTH, 17, { 1, ~0u, MSR, ~0u },
	  { 4, 2, 1000, ~0u } },
	{ "a signature alone", HYBRID_HOST_SHORT, 0, 1 },
	{ "a leaf is missing", HYBRID_HOST_SHORT, 0, 2, { 1, BOTH, MSR }, { 4 } },
	{ "version 0", HYBRID_HOST_VERSION_UNKNOWN, 0, 3, { 0, BOTH, MSR }, { 4 } },
	{ "version 2", HYBRID_HOST_VERSION_UNKNOWN, 0, 3, { 2, BOTH, MSR }, { 4 } },
	{ "version -1", HYBRID_HOST_VERSION_UNKNOWN, 0, 3, { ~0u, BOTH, MSR }, { 4 } },
	{ "EFER", HYBRID_HOST_BAD_MSR, 0, 3, { 1, BOTH, 0xc0000080 }, { 4 } },
	{ "MSR 0", HYBRID_HOST_BAD_MSR, 0, 3, { 1, BOTH, 0 }, { 4 } },
	{ "below the range", HYBRID_HOST_BAD_MSR, 0, 3, { 1, BOTH, 0x3ffffff0 }, { 4 } },
	{ "above the range", HYBRID_HOST_BAD_MSR, 0, 3, { 1, BOTH, 0x50000000 }, { 4 } },
	{ "not a multiple", HYBRID_HOST_BAD_MSR, 0, 3, { 1, BOTH, MSR + 1 }, { 4 } },
	{ "no pages", HYBRID_HOST_BAD_LIMITS, 0, 3, { 1, BOTH, MSR }, { 0 } },
	{ "pages of nothing", HYBRID_HOST_BAD_LIMITS, 0, 3, { 1, HYBRID_HOST_F_NOTICE, MSR },
	  { 1 } },
	{ "too many pages", HYBRID_HOST_BAD_LIMITS, 0, 3, { 1, BOTH, MSR }, { 256 } },
	{ "2^32 - 1 pages", HYBRID_HOST_BAD_LIMITS, 0, 3, { 1, BOTH, MSR }, { ~0u } },
	{ "too deep", HYBRID_HOST_BAD_LIMITS, 0, 3, { 1, BOTH, MSR }, { 4, 9 } },
	{ "all ones", HYBRID_HOST_VERSION_UNKNOWN, 0, 17, { ~0u, ~0u, ~0u, ~0u },
	  { ~0u, ~0u, ~0u, ~0u } },
	{ "its MSRs fault", HYBRID_HOST_DEAF, 0, 3, { 1, BOTH, MSR }, { 4 }, .no_msr = true },
};

static void case_desc(const struct host_case *c, char *desc)
{
	snprintf(desc, KUNIT_PARAM_DESC_SIZE, "%s", c->name);
}

KUNIT_ARRAY_PARAM(cases, cases, case_desc);

static void present(struct hybrid_snapshot *s, const struct host_case *c)
{
	struct hybrid_hv_slot *slot = &s->slot[s->nr_slots++];
	const struct hybrid_regs sig = SIG;

	s->kernel = BIT(HYBRID_KERNEL_KNOWN);
	s->leaf1.ecx = BIT(31);
	slot->base = 0x40000100;
	slot->nr_leaves = c->nr_leaves;
	slot->leaf[0] = sig;
	slot->leaf[1] = c->leaf1;
	slot->leaf[2] = c->leaf2;
	s->msr[HYBRID_MSR_HOST_TABLE].valid = !c->no_msr;
}

static void finds(struct kunit *test)
{
	const struct host_case *c = test->param_value;
	static struct hybrid_snapshot s;
	struct hybrid_caps caps;

	memset(&s, 0, sizeof(s));
	present(&s, c);
	hybrid_detect(&caps, &s);
	KUNIT_EXPECT_STREQ(test, hybrid_host_state_name(caps.host.state),
			   hybrid_host_state_name(c->state));
	KUNIT_EXPECT_EQ(test, caps.host.features, c->features);
	KUNIT_EXPECT_EQ(test, hybrid_has(&caps, HYBRID_F_HOST_IRQ),
			!!(c->features & HYBRID_HOST_F_IRQ));
	KUNIT_EXPECT_EQ(test, hybrid_has(&caps, HYBRID_F_HOST_NOTICE),
			!!(c->features & HYBRID_HOST_F_NOTICE));
	KUNIT_EXPECT_EQ(test, caps.hv, HYBRID_HV_HYBRID);
	if (c->state != HYBRID_HOST_USABLE)
		KUNIT_EXPECT_TRUE(test, !caps.host.msr && !caps.host.table_pages &&
					!caps.host.level && !caps.host.exit_ns);
}

/* Two of them: the one that can be used counts, whichever comes first. */
static void takes_the_usable_one(struct kunit *test)
{
	const struct host_case *c = test->param_value;
	static struct hybrid_snapshot s;
	struct hybrid_host h;
	unsigned int first;

	if (c->no_msr)
		return;
	for (first = 0; first < 2; first++) {
		memset(&s, 0, sizeof(s));
		present(&s, first ? &cases[0] : c);
		present(&s, first ? c : &cases[0]);
		hybrid_host_detect(&h, &s);
		KUNIT_EXPECT_EQ(test, h.state, HYBRID_HOST_USABLE);
	}
}

static u32 asked;

static void read_cpuid(void *ctx, u32 leaf, u32 subleaf, struct hybrid_regs *out)
{
	const struct host_case *c = ctx;
	const struct hybrid_regs sig = SIG;

	if (leaf == 1)
		out->ecx = BIT(31);
	else if (!leaf)
		out->eax = 1;
	else if (leaf == 0x40000100)
		*out = sig;
	else if (leaf == 0x40000101)
		*out = c->leaf1;
	else if (leaf == 0x40000102)
		*out = c->leaf2;
}

static int read_msr(void *ctx, u32 msr, u64 *value)
{
	asked = msr;
	return 0;
}

/* An MSR is touched only where all else is right. */
static void asks_no_other_msr(struct kunit *test)
{
	const struct host_case *c = test->param_value;
	const struct hybrid_reader reader = { read_cpuid, read_msr, (void *)c };
	static struct hybrid_snapshot s;

	if (c->nr_leaves < 3)
		return;
	asked = 0;
	hybrid_snapshot_read(&s, &reader);
	KUNIT_EXPECT_EQ(test, asked, c->state == HYBRID_HOST_USABLE ||
				     c->state == HYBRID_HOST_DEAF ? c->leaf1.ecx : 0);
}

static void absent(struct kunit *test)
{
	static struct hybrid_snapshot s;
	struct hybrid_host h;

	hybrid_host_detect(&h, &s);
	KUNIT_EXPECT_EQ(test, h.state, HYBRID_HOST_ABSENT);
	/* A count that cannot be does not lead out of the array. */
	s.nr_slots = ~0u;
	hybrid_host_detect(&h, &s);
	KUNIT_EXPECT_EQ(test, h.state, HYBRID_HOST_ABSENT);
}

static void hints(struct kunit *test)
{
	static const struct { u32 said, measured, believed; } exits[] = {
		{ 0, 20000, 20000 }, { 25000, 20000, 25000 }, { 1250, 20000, 1250 },
		{ 1249, 20000, 20000 }, { 320000, 20000, 320000 }, { 336000, 20000, 20000 },
		{ ~0u, 20000, 20000 }, { 1, ~0u, ~0u }, { 0, 1, 1 }, { ~0u, 1, 1 },
	};
	struct hybrid_cost cost = { .ns = { [HYBRID_PROBE_REFERENCE] = 40,
					    [HYBRID_PROBE_CPUID] = 700 } };
	struct hybrid_caps caps = { .hv = HYBRID_HV_KVM, .host.level = 3 };
	struct hybrid_level level;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(exits); i++) {
		struct hybrid_host h = { .exit_ns = exits[i].said };

		KUNIT_EXPECT_EQ(test, hybrid_host_exit_ns(&h, exits[i].measured),
				exits[i].believed);
	}
	hybrid_level_estimate(&level, &caps, &cost);
	KUNIT_EXPECT_EQ(test, level.level, 3);
	KUNIT_EXPECT_EQ(test, level.confidence, HYBRID_CONF_HIGH);
	caps.host.level = 8;
	hybrid_level_estimate(&level, &caps, &cost);
	KUNIT_EXPECT_EQ(test, level.level, 3);
	/* Nothing exits: a hint does not change that. */
	cost.ns[HYBRID_PROBE_CPUID] = 60;
	hybrid_level_estimate(&level, &caps, &cost);
	KUNIT_EXPECT_EQ(test, level.level, 1);
}

static void states_have_names(struct kunit *test)
{
	unsigned int i;

	for (i = 0; i <= HYBRID_HOST_DEAF; i++)
		KUNIT_EXPECT_STRNEQ(test, hybrid_host_state_name(i), "invalid");
	KUNIT_EXPECT_STREQ(test, hybrid_host_state_name(i), "invalid");
	KUNIT_EXPECT_STREQ(test, hybrid_host_state_name(-1), "invalid");
}

static struct kunit_case hybrid_host_cases[] = {
	KUNIT_CASE_PARAM(finds, cases_gen_params),
	KUNIT_CASE_PARAM(takes_the_usable_one, cases_gen_params),
	KUNIT_CASE_PARAM(asks_no_other_msr, cases_gen_params),
	KUNIT_CASE(absent),
	KUNIT_CASE(hints),
	KUNIT_CASE(states_have_names),
	{}
};

struct kunit_suite hybrid_host_suite = {
	.name = "hybrid_host",
	.test_cases = hybrid_host_cases,
};
