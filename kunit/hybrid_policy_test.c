// SPDX-License-Identifier: GPL-2.0-only
/* Which path each operation takes: examples, and all there is to decide from. */
#include <kunit/test.h>
#include <linux/bits.h>
#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/sched.h>
#include <linux/string.h>

#include <hybrid/policy.h>

#include "hybrid_suites.h"

#define F(name)		BIT_ULL(HYBRID_F_##name)

static const struct hybrid_policy_params all_auto;

/*
 * What policy looks at: all combinations of these are tried. Two in one place are of different
 * operations, so that none of their combinations is left out.
 */
static const u64 matters[] = {
	F(APIC_ACCESS_VIRT), F(X2APIC_VIRT), F(X2APIC_ON), F(IRQ_REMAP),
	F(KVM_PV_IPI) | F(KVM_PV_EOI), F(XEN_PV), F(XEN_PIRQS) | F(XEN_VCPU_ID) | F(KERNEL_ENCRYPTED),
	F(KERNEL_PV), F(KERNEL_PV_EOI), F(KERNEL_XEN_UPCALL), F(KERNEL_CPUIDLE),
	F(KERNEL_HALTPOLL), F(KERNEL_IDLE_POLL) | F(HOST_IRQ), F(HYPERV_APIC_MSRS), F(HYPERV_IPI),
	F(KERNEL_STEAL_TIME),
};

static u64 features_of_index(u32 index)
{
	u64 features = 0;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(matters); i++)
		if (index >> i & 1)
			features |= matters[i];
	return features;
}

/* Measured costs that make a difference. */
static const struct hybrid_cost costs[] = {
	{},
	{ .ns = { [HYBRID_PROBE_REFERENCE] = 40, [HYBRID_PROBE_CPUID] = 700,
		  [HYBRID_PROBE_LAPIC] = 900 }, .exit_ns = 660, .halt_ns = 5000 },
	{ .ns = { [HYBRID_PROBE_REFERENCE] = 40, [HYBRID_PROBE_CPUID] = 700,
		  [HYBRID_PROBE_LAPIC] = 30 }, .exit_ns = 660, .halt_ns = 5000 },
	{ .ns = { [HYBRID_PROBE_REFERENCE] = 40, [HYBRID_PROBE_CPUID] = 700,
		  [HYBRID_PROBE_LAPIC] = 900 }, .tsc_ns = 1300, .exit_ns = 660, .halt_ns = 5000 },
};

/* What is wrong with one decision, or NULL. Claims have to be true of the capabilities. */
static const char *objection(enum hybrid_op op, const struct hybrid_decision *d,
			     const struct hybrid_caps *c, const struct hybrid_cost *cost)
{
	if ((unsigned int)d->path >= HYBRID_PATH_NR)
		return "path out of range";
	if ((c->hv == HYBRID_HV_NONE || c->hv == HYBRID_HV_UNKNOWN || c->hv == HYBRID_HV_TCG) &&
	    d->path != HYBRID_PATH_KERNEL)
		return "a path of ours where nothing exits, or we do not know";

	if ((d->path == HYBRID_PATH_POLL) != (d->why == HYBRID_WHY_SAVES) ||
	    (d->path == HYBRID_PATH_LAZY) != (d->why == HYBRID_WHY_TABLE_EXITS) ||
	    (d->path == HYBRID_PATH_PV_EOI) != (d->why == HYBRID_WHY_EOI_FLAG) ||
	    (d->path == HYBRID_PATH_HYPERCALL) != (d->why == HYBRID_WHY_HOST_ABI) ||
	    (d->path == HYBRID_PATH_EVTCHN) != (d->why == HYBRID_WHY_EVENTS))
		return "path and reason disagree";

	switch (d->why) {
	case HYBRID_WHY_BARE_METAL:
		return c->hv == HYBRID_HV_NONE && !cost->exit_ns ? NULL : "not bare metal";
	case HYBRID_WHY_EMULATED:
		return c->hv == HYBRID_HV_TCG ? NULL : "not emulated";
	case HYBRID_WHY_UNKNOWN_HV:
		if (c->hv == HYBRID_HV_NONE && cost->exit_ns)
			return NULL;
		return c->hv == HYBRID_HV_UNKNOWN ? NULL : "hypervisor is known";
	case HYBRID_WHY_XEN_PV:
		return hybrid_has(c, HYBRID_F_XEN_PV) ? NULL : "not a PV domain";
	case HYBRID_WHY_APIC_VIRT:
		if (cost->ns[HYBRID_PROBE_LAPIC] && cost->exit_ns)
			return cost->ns[HYBRID_PROBE_LAPIC] < cost->exit_ns ?
			       NULL : "measured: it exits";
		return c->features & (F(APIC_ACCESS_VIRT) | F(X2APIC_VIRT)) ?
		       NULL : "nobody virtualises the APIC";
	case HYBRID_WHY_KERNEL_PV:
		return c->features & (F(KERNEL_PV) | F(KERNEL_PV_EOI)) ?
		       NULL : "the kernel has no guest code on";
	case HYBRID_WHY_IRQ_REMAP:
		return hybrid_has(c, HYBRID_F_IRQ_REMAP) ? NULL : "no interrupt remapping";
	case HYBRID_WHY_ONE_CPU:
		return c->nr_cpus == 1 ? NULL : "more CPUs, or unknown";
	case HYBRID_WHY_KERNEL_IDLE:
		return op == HYBRID_OP_IDLE && c->features & (F(KERNEL_CPUIDLE) |
			F(KERNEL_HALTPOLL) | F(KERNEL_IDLE_POLL)) ? NULL : "no idle driver";
	case HYBRID_WHY_NOT_WORTH:
		if (op == HYBRID_OP_IDLE)
			return cost->tsc_ns > cost->exit_ns / 2 ? NULL : "the TSC does not exit";
		return op == HYBRID_OP_TIMER ? NULL : "not measured";
	case HYBRID_WHY_NOT_BUILT:
		return d->path == HYBRID_PATH_KERNEL ? NULL : "what is not built cannot be taken";
	case HYBRID_WHY_NO_EXIT:
		return op == HYBRID_OP_IDLE && !(cost->exit_ns && cost->halt_ns) ?
		       NULL : "it exits";
	case HYBRID_WHY_NO_STEAL_TIME:
		return op == HYBRID_OP_IDLE && !hybrid_has(c, HYBRID_F_KERNEL_STEAL_TIME) ?
		       NULL : "steal time is known";
	case HYBRID_WHY_OVERCOMMIT:
	case HYBRID_WHY_NO_GAIN:
		return "nobody looked";
	case HYBRID_WHY_SAVES:
		if (op != HYBRID_OP_IDLE || d->path != HYBRID_PATH_POLL)
			return "no path that saves anything";
		if (!cost->exit_ns || !cost->halt_ns)
			return "nothing exits";
		return c->features & (F(KERNEL_STEAL_TIME) | F(KERNEL_PV)) ?
		       NULL : "overcommit would not be seen";
	case HYBRID_WHY_TABLE_EXITS:
	case HYBRID_WHY_HOST_ABI:
		if (op != HYBRID_OP_MSI_MASK && op != HYBRID_OP_MSI_AFFINITY)
			return "not done by the device's table";
		if ((d->why == HYBRID_WHY_HOST_ABI) != hybrid_has(c, HYBRID_F_HOST_IRQ))
			return "not what the host has";
		return hybrid_has(c, HYBRID_F_IRQ_REMAP) ? "stacked domains are left alone" : NULL;
	case HYBRID_WHY_EOI_FLAG:
		if (op != HYBRID_OP_EOI || !hybrid_has(c, HYBRID_F_KVM_PV_EOI))
			return "not offered";
		if (cost->exit_ns && cost->ns[HYBRID_PROBE_LAPIC] < cost->exit_ns / 4)
			return "measured: an EOI does not exit";
		return c->features & (F(KERNEL_PV_EOI) | F(KERNEL_ENCRYPTED)) ?
		       "the kernel's, or out of the host's sight" : NULL;
	case HYBRID_WHY_ENCRYPTED:
		return op == HYBRID_OP_EOI && hybrid_has(c, HYBRID_F_KERNEL_ENCRYPTED) ?
		       NULL : "nothing is encrypted";
	case HYBRID_WHY_NO_PIRQS:
		return op == HYBRID_OP_EOI && c->hv == HYBRID_HV_XEN &&
		       !(c->features & (F(XEN_PIRQS) | F(KERNEL_PV))) ?
		       NULL : "not Xen, or it has pirqs, or the kernel would know";
	case HYBRID_WHY_XEN_UPCALL:
		return op == HYBRID_OP_EOI && c->hv == HYBRID_HV_XEN &&
		       hybrid_has(c, HYBRID_F_KERNEL_PV) &&
		       hybrid_has(c, HYBRID_F_KERNEL_XEN_UPCALL) ? NULL : "no such upcalls";
	case HYBRID_WHY_EVENTS:
		if (op != HYBRID_OP_EOI && op != HYBRID_OP_MSI_MASK && op != HYBRID_OP_MSI_AFFINITY)
			return "not about a device's interrupt";
		/* Never worse: where the APIC is virtualised they cost exits. */
		if (c->features & F(APIC_ACCESS_VIRT) ||
		    (c->features & F(X2APIC_VIRT) && c->features & F(X2APIC_ON)) ||
		    (cost->ns[HYBRID_PROBE_LAPIC] && cost->ns[HYBRID_PROBE_LAPIC] < cost->exit_ns / 4))
			return "the APIC is virtualised";
		return c->hv == HYBRID_HV_XEN && hybrid_has(c, HYBRID_F_XEN_PIRQS) &&
		       hybrid_has(c, HYBRID_F_XEN_VCPU_ID) &&
		       !(c->features & (F(KERNEL_PV) | F(IRQ_REMAP) | F(XEN_PV))) ?
		       NULL : "not possible";
	case HYBRID_WHY_OPERATOR:
		return "nobody asked for it";
	default:
		return "reason out of range";
	}
}

struct hv_case {
	enum hybrid_hv hv;
};

static const struct hv_case hvs[] = {
	{ HYBRID_HV_NONE }, { HYBRID_HV_UNKNOWN }, { HYBRID_HV_KVM }, { HYBRID_HV_XEN },
	{ HYBRID_HV_HYPERV }, { HYBRID_HV_VMWARE }, { HYBRID_HV_TCG }, { HYBRID_HV_HYBRID },
};

static_assert(ARRAY_SIZE(hvs) == HYBRID_HV_NR, "a hypervisor is missing");

static void hv_desc(const struct hv_case *c, char *desc)
{
	snprintf(desc, KUNIT_PARAM_DESC_SIZE, "%s", hybrid_hv_name(c->hv));
}

KUNIT_ARRAY_PARAM(hvs, hvs, hv_desc);

static void decides_everything(struct kunit *test)
{
	const struct hv_case *param = test->param_value;
	struct hybrid_caps c = {};
	struct hybrid_policy p;
	u32 index, cost, op;

	c.hv = param->hv;
	for (c.nr_cpus = 0; c.nr_cpus <= 2; c.nr_cpus++)
	for (cost = 0; cost < ARRAY_SIZE(costs); cost++)
	for (index = 0; index < 1u << ARRAY_SIZE(matters); index++) {
		/* Emulated, all of them take longer than the soft lockup detector allows. */
		if (!(index & 0xfff))
			cond_resched();
		c.features = features_of_index(index);
		memset(&p, 0xa5, sizeof(p));
		hybrid_policy_decide(&p, &c, &costs[cost], &all_auto);
		for (op = 0; op < HYBRID_OP_NR; op++) {
			const char *wrong = objection(op, &p.op[op], &c, &costs[cost]);

			KUNIT_ASSERT_TRUE_MSG(test, !wrong,
					      "%s: %s: %s (features %x, cost %u, %u CPUs)",
					      hybrid_op_name(op), hybrid_reason_name(p.op[op].why),
					      wrong ?: "", index, cost, c.nr_cpus);
		}
	}
}

/* The operator's word counts for the operation it is about, and for no other. */
static void operator_wins(struct kunit *test)
{
	const struct hv_case *param = test->param_value;
	struct hybrid_caps c = {};
	struct hybrid_policy p, automatic;
	unsigned int op, other;

	c.hv = param->hv;
	c.features = F(KERNEL_PV) | F(KVM_PV_IPI);
	c.nr_cpus = 2;
	hybrid_policy_decide(&automatic, &c, &costs[1], &all_auto);
	for (op = 0; op < HYBRID_OP_NR; op++) {
		struct hybrid_policy_params params = {};

		params.want[op] = HYBRID_WANT_KERNEL;
		hybrid_policy_decide(&p, &c, &costs[1], &params);
		for (other = 0; other < HYBRID_OP_NR; other++) {
			if (other == op) {
				KUNIT_EXPECT_EQ(test, p.op[op].path, HYBRID_PATH_KERNEL);
				KUNIT_EXPECT_EQ(test, p.op[op].why, HYBRID_WHY_OPERATOR);
			} else {
				KUNIT_EXPECT_EQ(test, p.op[other].path, automatic.op[other].path);
				KUNIT_EXPECT_EQ(test, p.op[other].why, automatic.op[other].why);
			}
		}
	}
}

/* Who asks for polling gets it where only the steal time is unknown, and nowhere else. */
static void poll_is_forced_only_where_safe(struct kunit *test)
{
	const struct hv_case *param = test->param_value;
	struct hybrid_policy_params params = { .want[HYBRID_OP_IDLE] = HYBRID_WANT_POLL };
	struct hybrid_caps c = {};
	struct hybrid_policy p, automatic;
	u32 index, cost;

	c.hv = param->hv;
	c.nr_cpus = 2;
	for (cost = 0; cost < ARRAY_SIZE(costs); cost++)
	for (index = 0; index < 1u << ARRAY_SIZE(matters); index++) {
		const struct hybrid_decision *d = &p.op[HYBRID_OP_IDLE];
		const struct hybrid_decision *a = &automatic.op[HYBRID_OP_IDLE];

		if (!(index & 0xfff))
			cond_resched();
		c.features = features_of_index(index);
		hybrid_policy_decide(&automatic, &c, &costs[cost], &all_auto);
		hybrid_policy_decide(&p, &c, &costs[cost], &params);
		if (a->why == HYBRID_WHY_NO_STEAL_TIME) {
			KUNIT_ASSERT_EQ(test, d->path, HYBRID_PATH_POLL);
			KUNIT_ASSERT_EQ(test, d->why, HYBRID_WHY_OPERATOR);
		} else {
			KUNIT_ASSERT_EQ(test, d->path, a->path);
			KUNIT_ASSERT_EQ(test, d->why, a->why);
		}
	}
}

struct policy_case {
	const char *name;
	enum hybrid_hv hv;
	u64 features;
	u32 nr_cpus;
	unsigned int cost;		/* index of costs[] */
	enum hybrid_reason why[HYBRID_OP_NR];
};

#define WHY(eoi, mask, affinity, ipi, idle, timer)					\
	{ [HYBRID_OP_EOI] = HYBRID_WHY_##eoi, [HYBRID_OP_MSI_MASK] = HYBRID_WHY_##mask,	\
	  [HYBRID_OP_MSI_AFFINITY] = HYBRID_WHY_##affinity,				\
	  [HYBRID_OP_IPI] = HYBRID_WHY_##ipi, [HYBRID_OP_IDLE] = HYBRID_WHY_##idle,	\
	  [HYBRID_OP_TIMER] = HYBRID_WHY_##timer }
#define WHY_ALL(why)	WHY(why, why, why, why, why, why)

static const struct policy_case examples[] = {
	{ "bare metal", HYBRID_HV_NONE, F(X2APIC_ON), 8, 0, WHY_ALL(BARE_METAL) },
	{ "a hypervisor that hides", HYBRID_HV_NONE, 0, 8, 1, WHY_ALL(UNKNOWN_HV) },
	{ "unknown hypervisor", HYBRID_HV_UNKNOWN, 0, 2, 1, WHY_ALL(UNKNOWN_HV) },
	{ "TCG", HYBRID_HV_TCG, F(KERNEL_CPUIDLE), 2, 0, WHY_ALL(EMULATED) },
	{ "Xen PV", HYBRID_HV_XEN, F(XEN_PV) | F(KERNEL_PV), 2, 1, WHY_ALL(XEN_PV) },
	{ "KVM, Debian's kernel", HYBRID_HV_KVM,
	  F(KERNEL_PV) | F(KVM_PV_EOI) | F(KERNEL_PV_EOI) | F(KVM_PV_IPI) | F(KERNEL_STEAL_TIME),
	  2, 1, WHY(KERNEL_PV, TABLE_EXITS, TABLE_EXITS, KERNEL_PV, SAVES, NOT_WORTH) },
	{ "KVM, reading the TSC exits", HYBRID_HV_KVM, F(KERNEL_PV) | F(KERNEL_STEAL_TIME), 2, 3,
	  WHY(NOT_BUILT, TABLE_EXITS, TABLE_EXITS, NOT_BUILT, NOT_WORTH, NOT_WORTH) },
	{ "KVM, but nothing exits", HYBRID_HV_KVM, F(KERNEL_PV) | F(KERNEL_STEAL_TIME), 2, 0,
	  WHY(NOT_BUILT, TABLE_EXITS, TABLE_EXITS, NOT_BUILT, NO_EXIT, NOT_WORTH) },
	{ "KVM, nopv", HYBRID_HV_KVM, F(KVM_PV_EOI) | F(KVM_PV_IPI), 2, 1,
	  WHY(EOI_FLAG, TABLE_EXITS, TABLE_EXITS, NOT_BUILT, NO_STEAL_TIME, NOT_WORTH) },
	{ "KVM, nopv, AVIC", HYBRID_HV_KVM, F(KVM_PV_EOI), 2, 2,
	  WHY(APIC_VIRT, TABLE_EXITS, TABLE_EXITS, APIC_VIRT, NO_STEAL_TIME, NOT_WORTH) },
	{ "KVM, nopv, nothing measured, APIC virtualised", HYBRID_HV_KVM,
	  F(KVM_PV_EOI) | F(APIC_ACCESS_VIRT), 2, 0,
	  WHY(APIC_VIRT, TABLE_EXITS, TABLE_EXITS, APIC_VIRT, NO_EXIT, NOT_WORTH) },
	{ "KVM, nopv, memory encrypted", HYBRID_HV_KVM, F(KVM_PV_EOI) | F(KERNEL_ENCRYPTED), 2, 1,
	  WHY(ENCRYPTED, TABLE_EXITS, TABLE_EXITS, NOT_BUILT, NO_STEAL_TIME, NOT_WORTH) },
	{ "KVM, nopv, one CPU", HYBRID_HV_KVM, F(KVM_PV_EOI) | F(KVM_PV_IPI), 1, 1,
	  WHY(EOI_FLAG, TABLE_EXITS, ONE_CPU, ONE_CPU, NO_STEAL_TIME, NOT_WORTH) },
	{ "KVM with haltpoll", HYBRID_HV_KVM,
	  F(KERNEL_PV) | F(KERNEL_CPUIDLE) | F(KERNEL_HALTPOLL), 2, 1,
	  WHY(NOT_BUILT, TABLE_EXITS, TABLE_EXITS, NOT_BUILT, KERNEL_IDLE, NOT_WORTH) },
	{ "KVM, nopv, measured: the LAPIC does not exit", HYBRID_HV_KVM, 0, 2, 2,
	  WHY(APIC_VIRT, TABLE_EXITS, TABLE_EXITS, APIC_VIRT, NO_STEAL_TIME, NOT_WORTH) },
	{ "Xen on AMD, PVHVM kernel", HYBRID_HV_XEN, F(KERNEL_PV) | F(KERNEL_XEN_UPCALL), 2, 1,
	  WHY(XEN_UPCALL, TABLE_EXITS, TABLE_EXITS, KERNEL_PV, SAVES, KERNEL_PV) },
	{ "Xen with hvm_pirq, PVHVM kernel", HYBRID_HV_XEN,
	  F(KERNEL_PV) | F(KERNEL_XEN_UPCALL) | F(XEN_PIRQS) | F(XEN_VCPU_ID), 2, 1,
	  WHY(XEN_UPCALL, KERNEL_PV, KERNEL_PV, KERNEL_PV, SAVES, KERNEL_PV) },
	{ "Xen with hvm_pirq, callback vector", HYBRID_HV_XEN, F(KERNEL_PV) | F(XEN_PIRQS), 2, 1,
	  WHY(KERNEL_PV, KERNEL_PV, KERNEL_PV, KERNEL_PV, SAVES, KERNEL_PV) },
	{ "Xen on APICv, x2APIC", HYBRID_HV_XEN,
	  F(KERNEL_PV) | F(KERNEL_XEN_UPCALL) | F(X2APIC_VIRT) | F(APIC_ACCESS_VIRT) |
	  F(X2APIC_ON) | F(XEN_PIRQS), 2, 2,
	  WHY(APIC_VIRT, TABLE_EXITS, TABLE_EXITS, KERNEL_PV, SAVES, KERNEL_PV) },
	{ "Xen that claims APICv, measured to exit", HYBRID_HV_XEN,
	  F(KERNEL_PV) | F(KERNEL_XEN_UPCALL) | F(X2APIC_VIRT) | F(X2APIC_ON), 2, 1,
	  WHY(XEN_UPCALL, TABLE_EXITS, TABLE_EXITS, KERNEL_PV, SAVES, KERNEL_PV) },
	{ "Hyper-V, Debian's kernel", HYBRID_HV_HYPERV,
	  F(KERNEL_PV) | F(HYPERV_APIC_MSRS) | F(HYPERV_IPI), 2, 1,
	  WHY(KERNEL_PV, TABLE_EXITS, TABLE_EXITS, KERNEL_PV, NO_STEAL_TIME, NOT_WORTH) },
	{ "Hyper-V, nopv", HYBRID_HV_HYPERV, F(HYPERV_APIC_MSRS) | F(HYPERV_IPI), 2, 1,
	  WHY(NOT_BUILT, TABLE_EXITS, TABLE_EXITS, NOT_BUILT, NO_STEAL_TIME, NOT_WORTH) },
	{ "Xen, nopv", HYBRID_HV_XEN, F(XEN_VCPU_ID), 2, 1,
	  WHY(NO_PIRQS, TABLE_EXITS, TABLE_EXITS, NOT_BUILT, NO_STEAL_TIME, NOT_WORTH) },
	{ "Xen with hvm_pirq, nopv", HYBRID_HV_XEN, F(XEN_PIRQS) | F(XEN_VCPU_ID), 2, 1,
	  WHY(EVENTS, EVENTS, EVENTS, NOT_BUILT, NO_STEAL_TIME, NOT_WORTH) },
	{ "Xen with hvm_pirq, nopv, one CPU", HYBRID_HV_XEN, F(XEN_PIRQS) | F(XEN_VCPU_ID), 1, 1,
	  WHY(EVENTS, EVENTS, EVENTS, ONE_CPU, NO_STEAL_TIME, NOT_WORTH) },
	{ "Xen with hvm_pirq, nopv, APICv", HYBRID_HV_XEN,
	  F(XEN_PIRQS) | F(XEN_VCPU_ID) | F(APIC_ACCESS_VIRT), 2, 2,
	  WHY(APIC_VIRT, TABLE_EXITS, TABLE_EXITS, APIC_VIRT, NO_STEAL_TIME, NOT_WORTH) },
	{ "Xen with hvm_pirq, nopv, x2APIC virtualised", HYBRID_HV_XEN,
	  F(XEN_PIRQS) | F(XEN_VCPU_ID) | F(X2APIC_VIRT) | F(X2APIC_ON), 2, 0,
	  WHY(APIC_VIRT, TABLE_EXITS, TABLE_EXITS, APIC_VIRT, NO_EXIT, NOT_WORTH) },
	{ "Xen with hvm_pirq, nopv, no vCPU ids", HYBRID_HV_XEN, F(XEN_PIRQS), 2, 1,
	  WHY(NOT_BUILT, TABLE_EXITS, TABLE_EXITS, NOT_BUILT, NO_STEAL_TIME, NOT_WORTH) },
	{ "x2APIC on, only the other mode virtualised", HYBRID_HV_KVM,
	  F(X2APIC_ON) | F(APIC_ACCESS_VIRT), 2, 1,
	  WHY(NOT_BUILT, TABLE_EXITS, TABLE_EXITS, NOT_BUILT, NO_STEAL_TIME, NOT_WORTH) },
	{ "KVM with our own interface", HYBRID_HV_KVM, F(KERNEL_PV) | F(HOST_IRQ), 2, 1,
	  WHY(NOT_BUILT, HOST_ABI, HOST_ABI, NOT_BUILT, NO_STEAL_TIME, NOT_WORTH) },
	{ "a VMM with nothing else", HYBRID_HV_HYBRID, F(HOST_IRQ) | F(HOST_NOTICE), 2, 1,
	  WHY(NOT_BUILT, HOST_ABI, HOST_ABI, NOT_BUILT, NO_STEAL_TIME, NOT_WORTH) },
	{ "our own interface, one CPU", HYBRID_HV_KVM, F(HOST_IRQ), 1, 1,
	  WHY(NOT_BUILT, HOST_ABI, ONE_CPU, ONE_CPU, NO_STEAL_TIME, NOT_WORTH) },
	{ "interrupt remapping", HYBRID_HV_KVM, F(IRQ_REMAP), 2, 1,
	  WHY(NOT_BUILT, IRQ_REMAP, IRQ_REMAP, NOT_BUILT, NO_STEAL_TIME, NOT_WORTH) },
};

static void example_desc(const struct policy_case *c, char *desc)
{
	snprintf(desc, KUNIT_PARAM_DESC_SIZE, "%s", c->name);
}

KUNIT_ARRAY_PARAM(examples, examples, example_desc);

static void decides(struct kunit *test)
{
	const struct policy_case *example = test->param_value;
	struct hybrid_caps c = {};
	struct hybrid_policy p;
	unsigned int op;

	c.hv = example->hv;
	c.features = example->features;
	c.nr_cpus = example->nr_cpus;
	hybrid_policy_decide(&p, &c, &costs[example->cost], &all_auto);
	for (op = 0; op < HYBRID_OP_NR; op++) {
		enum hybrid_path path = example->why[op] == HYBRID_WHY_SAVES ? HYBRID_PATH_POLL :
					example->why[op] == HYBRID_WHY_TABLE_EXITS ?
					HYBRID_PATH_LAZY :
					example->why[op] == HYBRID_WHY_EOI_FLAG ?
					HYBRID_PATH_PV_EOI :
					example->why[op] == HYBRID_WHY_HOST_ABI ?
					HYBRID_PATH_HYPERCALL :
					example->why[op] == HYBRID_WHY_EVENTS ?
					HYBRID_PATH_EVTCHN : HYBRID_PATH_KERNEL;

		KUNIT_EXPECT_EQ(test, p.op[op].path, path);
		KUNIT_EXPECT_STREQ_MSG(test, hybrid_reason_name(p.op[op].why),
				       hybrid_reason_name(example->why[op]),
				       "%s", hybrid_op_name(op));
	}
}

/* Each reason can be given for each operation, and says something. */
static void reasons_have_words(struct kunit *test)
{
	unsigned int op, why;

	for (op = 0; op < HYBRID_OP_NR; op++) {
		for (why = 0; why < HYBRID_WHY_NR; why++) {
			const char *text = hybrid_reason_text(op, why);

			KUNIT_ASSERT_NOT_NULL_MSG(test, text, "%u, %u", op, why);
			KUNIT_EXPECT_STRNEQ(test, text, "invalid");
			KUNIT_EXPECT_GT_MSG(test, strlen(text), 10, "%s", text);
			KUNIT_EXPECT_EQ_MSG(test, text[strlen(text) - 1], '.', "%s", text);
			/* one line in sysfs */
			KUNIT_EXPECT_TRUE_MSG(test, !strchr(text, '\n'), "%s", text);
		}
	}
	KUNIT_EXPECT_STREQ(test, hybrid_reason_text(HYBRID_OP_NR, 0), "invalid");
	KUNIT_EXPECT_STREQ(test, hybrid_reason_text(0, HYBRID_WHY_NR), "invalid");
	KUNIT_EXPECT_STREQ(test, hybrid_reason_text(-1, -1), "invalid");
}

static const char *op_name(unsigned int i)
{
	return hybrid_op_name(i);
}

static const char *path_name(unsigned int i)
{
	return hybrid_path_name(i);
}

static const char *reason_name(unsigned int i)
{
	return hybrid_reason_name(i);
}

static const char *want_name(unsigned int i)
{
	return hybrid_want_name(i);
}

struct name_case {
	const char *what;
	const char *(*name)(unsigned int i);
	unsigned int nr;
};

static const struct name_case names[] = {
	{ "operations", op_name, HYBRID_OP_NR },
	{ "paths", path_name, HYBRID_PATH_NR },
	{ "reasons", reason_name, HYBRID_WHY_NR },
	{ "wishes", want_name, HYBRID_WANT_NR },
};

static void name_desc(const struct name_case *c, char *desc)
{
	snprintf(desc, KUNIT_PARAM_DESC_SIZE, "%s", c->what);
}

KUNIT_ARRAY_PARAM(names, names, name_desc);

static void policy_names_are_unique(struct kunit *test)
{
	const struct name_case *c = test->param_value;
	unsigned int i, j;

	for (i = 0; i < c->nr; i++) {
		KUNIT_ASSERT_NOT_NULL_MSG(test, c->name(i), "%u", i);
		KUNIT_EXPECT_STRNEQ(test, c->name(i), "invalid");
		for (j = 0; j < i; j++)
			KUNIT_EXPECT_STRNEQ(test, c->name(i), c->name(j));
	}
	KUNIT_EXPECT_STREQ(test, c->name(c->nr), "invalid");
	KUNIT_EXPECT_STREQ(test, c->name(-1), "invalid");
}

struct word_case {
	const char *name;
	const char *word;
	int ret;
	enum hybrid_want want;
	enum hybrid_op op;		/* EOI, unless said otherwise */
};

static const struct word_case words[] = {
	{ "auto", "auto", 0, HYBRID_WANT_AUTO },
	{ "auto, newline", "auto\n", 0, HYBRID_WANT_AUTO },
	{ "kernel", "kernel", 0, HYBRID_WANT_KERNEL },
	{ "kernel, newline", "kernel\n", 0, HYBRID_WANT_KERNEL },
	{ "empty", "", -EINVAL },
	{ "newline only", "\n", -EINVAL },
	{ "prefix", "kern", -EINVAL },
	{ "more after it", "kernels", -EINVAL },
	{ "two newlines", "auto\n\n", -EINVAL },
	{ "newline inside", "au\nto", -EINVAL },
	{ "word after newline", "auto\nkernel", -EINVAL },
	{ "space before", " auto", -EINVAL },
	{ "space after", "auto ", -EINVAL },
	{ "upper case", "AUTO", -EINVAL },
	{ "number", "1", -EINVAL },
	{ "another operation's path", "poll", -EINVAL },
	{ "poll", "poll", 0, HYBRID_WANT_POLL, HYBRID_OP_IDLE },
	{ "poll, newline", "poll\n", 0, HYBRID_WANT_POLL, HYBRID_OP_IDLE },
	{ "poll, more after it", "polls", -EINVAL, 0, HYBRID_OP_IDLE },
	{ "carriage return", "auto\r\n", -EINVAL },
	{ "eighth bit", "\xff\xfe", -EINVAL },
};

static void word_desc(const struct word_case *c, char *desc)
{
	snprintf(desc, KUNIT_PARAM_DESC_SIZE, "%s", c->name);
}

KUNIT_ARRAY_PARAM(words, words, word_desc);

static void parses(struct kunit *test)
{
	const struct word_case *c = test->param_value;
	enum hybrid_want want = HYBRID_WANT_NR;

	KUNIT_EXPECT_EQ(test, hybrid_policy_parse(c->op, c->word, &want), c->ret);
	KUNIT_EXPECT_EQ(test, want, c->ret ? HYBRID_WANT_NR : c->want);
}

static struct kunit_case hybrid_policy_cases[] = {
	KUNIT_CASE_PARAM(decides, examples_gen_params),
	KUNIT_CASE_PARAM(decides_everything, hvs_gen_params),
	KUNIT_CASE_PARAM(operator_wins, hvs_gen_params),
	KUNIT_CASE_PARAM(poll_is_forced_only_where_safe, hvs_gen_params),
	KUNIT_CASE(reasons_have_words),
	KUNIT_CASE_PARAM(policy_names_are_unique, names_gen_params),
	KUNIT_CASE_PARAM(parses, words_gen_params),
	{}
};

struct kunit_suite hybrid_policy_suite = {
	.name = "hybrid_policy",
	.test_cases = hybrid_policy_cases,
};
