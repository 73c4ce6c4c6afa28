// SPDX-License-Identifier: GPL-2.0-only
/* What detection makes of snapshots: made up, captured and hostile ones. */
#include <kunit/test.h>
#include <linux/bits.h>
#include <linux/kernel.h>
#include <linux/string.h>

#include <hybrid/caps.h>

#include "hybrid_suites.h"

#define F(name)		BIT_ULL(HYBRID_F_##name)
#define KERNEL(name)	BIT(HYBRID_KERNEL_##name)

#define ECX_VMX		BIT(5)
#define ECX_X2APIC	BIT(21)
#define ECX_DEADLINE	BIT(24)
#define ECX_HYPERVISOR	BIT(31)

/* A signature leaf. The strings are little-endian words, as CPUID returns them. */
#define W(a, b, c, d)	((u32)(a) | (u32)(b) << 8 | (u32)(c) << 16 | (u32)(d) << 24)
#define SIG_KVM(max)	{ max, W('K', 'V', 'M', 'K'), W('V', 'M', 'K', 'V'), W('M', 0, 0, 0) }
#define SIG_XEN(max)	{ max, W('X', 'e', 'n', 'V'), W('M', 'M', 'X', 'e'), W('n', 'V', 'M', 'M') }
#define SIG_HYPERV(max)	{ max, W('M', 'i', 'c', 'r'), W('o', 's', 'o', 'f'), W('t', ' ', 'H', 'v') }
#define SIG_VMWARE(max)	{ max, W('V', 'M', 'w', 'a'), W('r', 'e', 'V', 'M'), W('w', 'a', 'r', 'e') }
#define SIG_TCG(max)	{ max, W('T', 'C', 'G', 'T'), W('C', 'G', 'T', 'C'), W('G', 'T', 'C', 'G') }
#define SIG_OTHER(max)	{ max, W('b', 'h', 'y', 'v'), W('e', ' ', 'b', 'h'), W('y', 'v', 'e', ' ') }
#define SIG_JUNK(max)	{ max, W(1, 2, '[', 0x1b), W(0, 'V', 'M', 0xff), W('n', 0, 0, 0) }
#define HV1		W('H', 'v', '#', '1')

/*
 * a snapshot and what it must lead to
 * @must: features that have to be found
 * @must_not: features that must not be; all others are not looked at
 */
struct detect_case {
	const char *name;
	enum hybrid_hv hv;
	u32 nr_layers;
	u32 xen_version;
	u64 must, must_not;
	struct hybrid_snapshot s;
};

#define ALL	(~0ULL)

static const struct detect_case made_up[] = {
	{
		.name = "bare metal", .hv = HYBRID_HV_NONE, .must_not = ALL,
	}, {
		.name = "hypervisor bit only", .hv = HYBRID_HV_UNKNOWN, .must_not = ALL,
		.s.leaf1.ecx = ECX_HYPERVISOR,
	}, {
		.name = "unknown signature", .hv = HYBRID_HV_UNKNOWN, .nr_layers = 1,
		.must_not = ALL,
		.s = {
			.leaf1.ecx = ECX_HYPERVISOR, .nr_slots = 1,
			.slot[0] = { 0x40000000, 5, { SIG_OTHER(0x40000004), { ~0u, ~0u, ~0u, ~0u },
				     { ~0u, ~0u, ~0u, ~0u }, { ~0u, ~0u, ~0u, ~0u },
				     { ~0u, ~0u, ~0u, ~0u } } },
		},
	}, {
		.name = "signature that does not print", .hv = HYBRID_HV_UNKNOWN, .nr_layers = 1,
		.must_not = ALL,
		.s = {
			.leaf1.ecx = ECX_HYPERVISOR, .nr_slots = 1,
			.slot[0] = { 0x40000000, 1, { SIG_JUNK(0) } },
		},
	}, {
		.name = "KVM, every feature", .hv = HYBRID_HV_KVM, .nr_layers = 1,
		.must = F(KVM_CLOCK) | F(KVM_PV_EOI) | F(KVM_PV_UNHALT) | F(KVM_PV_IPI) |
			F(KVM_PV_TLB_FLUSH) | F(KVM_STEAL_TIME) | F(KVM_POLL_CONTROL) |
			F(KVM_ASYNC_PF) | F(KVM_YIELD) | F(KVM_MIGRATION_CONTROL) |
			F(KVM_REALTIME) | F(EXT_DEST_ID),
		.must_not = F(VIRIDIAN) | F(XEN_EMULATED) | F(KERNEL_PV) | F(KERNEL_PV_EOI) |
			    F(APIC_ACCESS_VIRT) | F(X2APIC_VIRT),
		.s = {
			.leaf1.ecx = ECX_HYPERVISOR, .nr_slots = 1,
			.slot[0] = { 0x40000000, 2, { SIG_KVM(0x40000001),
				     { .eax = ~0u, .edx = ~0u } } },
		},
	}, {
		.name = "KVM, clock by its old MSRs only", .hv = HYBRID_HV_KVM, .nr_layers = 1,
		.must = F(KVM_CLOCK), .must_not = ~F(KVM_CLOCK),
		.s = {
			.leaf1.ecx = ECX_HYPERVISOR, .nr_slots = 1,
			.slot[0] = { 0x40000000, 2, { SIG_KVM(0x40000001), { .eax = BIT(0) } } },
		},
	}, {
		.name = "KVM, signature without leaves", .hv = HYBRID_HV_KVM, .nr_layers = 1,
		.must_not = ALL,
		.s = {
			.leaf1.ecx = ECX_HYPERVISOR, .nr_slots = 1,
			.slot[0] = { 0x40000000, 1, { SIG_KVM(0x40000000) } },
		},
	}, {
		.name = "KVM guest kernel", .hv = HYBRID_HV_KVM, .nr_layers = 1,
		.must = F(KERNEL_PV) | F(KERNEL_PV_EOI) | F(KERNEL_STEAL_TIME),
		.must_not = F(XEN_PV) | F(XEN_PVH),
		.s = {
			.leaf1.ecx = ECX_HYPERVISOR, .nr_slots = 1,
			.slot[0] = { 0x40000000, 2, { SIG_KVM(0x40000001), { .eax = 0x60 } } },
			.msr = {
				[HYBRID_MSR_KVM_PV_EOI] = { true, 0x1234001 },
				[HYBRID_MSR_KVM_STEAL_TIME] = { true, 0x1235001 },
			},
			.kernel = KERNEL(KNOWN) | KERNEL(KVM_GUEST),
		},
	}, {
		.name = "KVM, kernel booted with nopv", .hv = HYBRID_HV_KVM, .nr_layers = 1,
		.must = F(KVM_PV_EOI),
		.must_not = F(KERNEL_PV) | F(KERNEL_PV_EOI) | F(KERNEL_STEAL_TIME),
		.s = {
			.leaf1.ecx = ECX_HYPERVISOR, .nr_slots = 1,
			.slot[0] = { 0x40000000, 2, { SIG_KVM(0x40000001), { .eax = 0x60 } } },
			/* an address, but not enabled */
			.msr = {
				[HYBRID_MSR_KVM_PV_EOI] = { true, 0x1234000 },
				[HYBRID_MSR_KVM_STEAL_TIME] = { true, 0 },
			},
			.kernel = KERNEL(KNOWN),
		},
	}, {
		.name = "KVM, nopv, PV EOI by pvirq.ko, memory encrypted", .hv = HYBRID_HV_KVM,
		.nr_layers = 1,
		.must = F(KVM_PV_EOI) | F(KERNEL_ENCRYPTED), .must_not = F(KERNEL_PV_EOI),
		.s = {
			.leaf1.ecx = ECX_HYPERVISOR, .nr_slots = 1,
			.slot[0] = { 0x40000000, 2, { SIG_KVM(0x40000001), { .eax = 0x40 } } },
			.msr = { [HYBRID_MSR_KVM_PV_EOI] = { true, 0x1234001 } },
			.kernel = KERNEL(KNOWN) | KERNEL(OUR_PV_EOI) | KERNEL(ENCRYPTED),
		},
	}, {
		.name = "KVM that pleases Windows", .hv = HYBRID_HV_KVM, .nr_layers = 2,
		.must = F(VIRIDIAN) | F(KVM_PV_EOI),
		.must_not = F(XEN_EMULATED) | F(HYPERV_NESTED) | F(APIC_ACCESS_VIRT),
		.s = {
			.leaf1.ecx = ECX_HYPERVISOR, .nr_slots = 2,
			/* its recommendations and hardware bits are for Windows */
			.slot[0] = { 0x40000000, 7, { SIG_HYPERV(0x40000006), { .eax = HV1 },
				     {}, {}, { .eax = ~0u }, {}, { .eax = ~0u } } },
			.slot[1] = { 0x40000100, 2, { SIG_KVM(0x40000101), { .eax = BIT(6) } } },
		},
	}, {
		.name = "KVM that presents Xen", .hv = HYBRID_HV_KVM, .nr_layers = 2,
		.must = F(XEN_EMULATED) | F(KVM_PV_EOI),
		.must_not = F(VIRIDIAN) | F(APIC_ACCESS_VIRT) | F(X2APIC_VIRT) |
			    F(XEN_UPCALL_VECTOR),
		.xen_version = 0x40013,
		.s = {
			.leaf1.ecx = ECX_HYPERVISOR, .nr_slots = 2,
			.slot[0] = { 0x40000000, 5, { SIG_XEN(0x40000004), { .eax = 0x40013 },
				     {}, {}, { .eax = ~0u } } },
			.slot[1] = { 0x40000100, 2, { SIG_KVM(0x40000101), { .eax = BIT(6) } } },
		},
	}, {
		.name = "KVM behind an unknown interface", .hv = HYBRID_HV_KVM, .nr_layers = 2,
		.must = F(KVM_PV_EOI), .must_not = F(VIRIDIAN) | F(XEN_EMULATED),
		.s = {
			.leaf1.ecx = ECX_HYPERVISOR, .nr_slots = 2,
			.slot[0] = { 0x40000000, 1, { SIG_OTHER(0x40000000) } },
			.slot[1] = { 0x40000100, 2, { SIG_KVM(0x40000101), { .eax = BIT(6) } } },
		},
	}, {
		.name = "Xen 4.20, every feature", .hv = HYBRID_HV_XEN, .nr_layers = 1,
		.xen_version = 0x40014,
		.must = F(APIC_ACCESS_VIRT) | F(X2APIC_VIRT) | F(XEN_VCPU_ID) | F(EXT_DEST_ID) |
			F(XEN_UPCALL_VECTOR),
		.must_not = F(VIRIDIAN) | F(KERNEL_PV) | F(KVM_PV_EOI) | F(KVM_CLOCK),
		.s = {
			.leaf1.ecx = ECX_HYPERVISOR, .nr_slots = 1,
			.slot[0] = { 0x40000000, 6, { SIG_XEN(0x40000005), { .eax = 0x40014 },
				     {}, {}, { .eax = ~0u } } },
		},
	}, {
		.name = "Xen without APIC virtualisation, PVHVM kernel", .hv = HYBRID_HV_XEN,
		.nr_layers = 1, .xen_version = 0x40014,
		.must = F(XEN_VCPU_ID) | F(XEN_UPCALL_VECTOR) | F(KERNEL_PV) |
			F(KERNEL_XEN_UPCALL) | F(XEN_PIRQS),
		.must_not = F(APIC_ACCESS_VIRT) | F(X2APIC_VIRT) | F(XEN_PV) | F(XEN_PVH),
		.s = {
			.leaf1.ecx = ECX_HYPERVISOR, .nr_slots = 1,
			.slot[0] = { 0x40000000, 6, { SIG_XEN(0x40000005), { .eax = 0x40014 },
				     {}, {}, { .eax = 0x48 } } },
			.kernel = KERNEL(KNOWN) | KERNEL(XEN_HVM) | KERNEL(XEN_UPCALL) |
				  KERNEL(XEN_PIRQS),
		},
	}, {
		.name = "Xen PVH", .hv = HYBRID_HV_XEN, .nr_layers = 1, .xen_version = 0x40014,
		.must = F(XEN_PVH) | F(KERNEL_PV), .must_not = F(XEN_PV),
		.s = {
			.leaf1.ecx = ECX_HYPERVISOR, .nr_slots = 1,
			.slot[0] = { 0x40000000, 2, { SIG_XEN(0x40000001), { .eax = 0x40014 } } },
			.kernel = KERNEL(KNOWN) | KERNEL(XEN_HVM) | KERNEL(XEN_PVH),
		},
	}, {
		.name = "Xen PV without leaves (CPUID not faulted)", .hv = HYBRID_HV_XEN,
		.must = F(XEN_PV) | F(KERNEL_PV),
		.s.kernel = KERNEL(KNOWN) | KERNEL(XEN_PV),
	}, {
		.name = "Xen with Viridian", .hv = HYBRID_HV_XEN, .nr_layers = 2,
		.xen_version = 0x40014,
		.must = F(VIRIDIAN) | F(XEN_VCPU_ID), .must_not = F(XEN_EMULATED) | F(HYPERV_NESTED),
		.s = {
			.leaf1.ecx = ECX_HYPERVISOR, .nr_slots = 2,
			.slot[0] = { 0x40000000, 7, { SIG_HYPERV(0x40000006), { .eax = HV1 },
				     {}, {}, { .eax = ~0u }, {}, { .eax = ~0u } } },
			.slot[1] = { 0x40000100, 5, { SIG_XEN(0x40000104), { .eax = 0x40014 },
				     {}, {}, { .eax = BIT(3) } } },
		},
	}, {
		.name = "Hyper-V", .hv = HYBRID_HV_HYPERV, .nr_layers = 1,
		.must = F(KERNEL_PV),
		.must_not = F(VIRIDIAN) | F(HYPERV_NESTED) | F(APIC_ACCESS_VIRT),
		.s = {
			.leaf1.ecx = ECX_HYPERVISOR, .nr_slots = 1,
			.slot[0] = { 0x40000000, 7, { SIG_HYPERV(0x4000000b), { .eax = HV1 } } },
			.kernel = KERNEL(KNOWN) | KERNEL(HYPERV_GUEST),
		},
	}, {
		.name = "Hyper-V in Hyper-V", .hv = HYBRID_HV_HYPERV, .nr_layers = 1,
		.must = F(HYPERV_NESTED) | F(APIC_ACCESS_VIRT), .must_not = F(VIRIDIAN),
		.s = {
			.leaf1.ecx = ECX_HYPERVISOR, .nr_slots = 1,
			.slot[0] = { 0x40000000, 7, { SIG_HYPERV(0x4000000b), { .eax = HV1 },
				     {}, {}, { .eax = BIT(12) }, {}, { .eax = BIT(0) } } },
		},
	}, {
		.name = "Hyper-V's signature, not its interface", .hv = HYBRID_HV_UNKNOWN,
		.nr_layers = 1, .must_not = ALL,
		.s = {
			.leaf1.ecx = ECX_HYPERVISOR, .nr_slots = 1,
			.slot[0] = { 0x40000000, 7, { SIG_HYPERV(0x40000006), { .eax = ~0u },
				     {}, {}, { .eax = ~0u }, {}, { .eax = ~0u } } },
		},
	}, {
		.name = "VMware", .hv = HYBRID_HV_VMWARE, .nr_layers = 1, .must = F(KERNEL_PV),
		.s = {
			.leaf1.ecx = ECX_HYPERVISOR, .nr_slots = 1,
			.slot[0] = { 0x40000000, 17, { SIG_VMWARE(0x40000010) } },
			.kernel = KERNEL(KNOWN) | KERNEL(VMWARE_GUEST),
		},
	}, {
		.name = "TCG", .hv = HYBRID_HV_TCG, .nr_layers = 1, .must_not = F(KERNEL_PV),
		.s = {
			.leaf1.ecx = ECX_HYPERVISOR, .nr_slots = 1,
			.slot[0] = { 0x40000000, 2, { SIG_TCG(0x40000001) } },
			.kernel = KERNEL(KNOWN),
		},
	}, {
		.name = "four interfaces", .hv = HYBRID_HV_KVM, .nr_layers = 4,
		.must = F(VIRIDIAN) | F(XEN_EMULATED) | F(KVM_PV_EOI),
		.s = {
			.leaf1.ecx = ECX_HYPERVISOR, .nr_slots = 4, .slots_dropped = 252,
			.slot = {
				{ 0x40000000, 2, { SIG_HYPERV(0x40000001), { .eax = HV1 } } },
				{ 0x40000100, 2, { SIG_XEN(0x40000101), {} } },
				{ 0x40000200, 1, { SIG_VMWARE(0x40000200) } },
				{ 0x4000ff00, 2, { SIG_KVM(0x4000ff01), { .eax = BIT(6) } } },
			},
		},
	}, {
		.name = "kernel of another hypervisor's guest", .hv = HYBRID_HV_KVM,
		.nr_layers = 1, .must_not = F(KERNEL_PV),
		.s = {
			.leaf1.ecx = ECX_HYPERVISOR, .nr_slots = 1,
			.slot[0] = { 0x40000000, 2, { SIG_KVM(0x40000001) } },
			.kernel = KERNEL(KNOWN) | KERNEL(XEN_HVM) | KERNEL(HYPERV_GUEST) |
				  KERNEL(VMWARE_GUEST),
		},
	}, {
		.name = "processor: x2APIC, deadline, invariant TSC, ARAT", .hv = HYBRID_HV_NONE,
		.must = F(X2APIC) | F(X2APIC_ON) | F(TSC_DEADLINE) | F(TSC_INVARIANT) | F(ARAT) |
			F(IRQ_REMAP),
		.must_not = F(HV_HOST) | F(KERNEL_CPUIDLE),
		.s = {
			.leaf1.ecx = ECX_X2APIC | ECX_DEADLINE, .leaf6.eax = BIT(2),
			.ext7.edx = BIT(8), .kernel = KERNEL(KNOWN) | KERNEL(IRQ_REMAP),
			.msr[HYBRID_MSR_APICBASE] = { true, 0xfee00d00 },
		},
	}, {
		.name = "processor: x2APIC offered, not on", .hv = HYBRID_HV_NONE,
		.must = F(X2APIC), .must_not = F(X2APIC_ON),
		.s.leaf1.ecx = ECX_X2APIC, .s.msr[HYBRID_MSR_APICBASE] = { true, 0xfee00900 },
	}, {
		.name = "processor: x2APIC without APIC is no state", .hv = HYBRID_HV_NONE,
		.must = F(X2APIC), .must_not = F(X2APIC_ON),
		.s.leaf1.ecx = ECX_X2APIC, .s.msr[HYBRID_MSR_APICBASE] = { true, 0xfee00400 },
	}, {
		.name = "idle: driver, haltpoll, idle=poll", .hv = HYBRID_HV_NONE,
		.must = F(KERNEL_CPUIDLE) | F(KERNEL_HALTPOLL) | F(KERNEL_IDLE_POLL),
		.s.kernel = KERNEL(KNOWN) | KERNEL(CPUIDLE) | KERNEL(HALTPOLL) | KERNEL(IDLE_POLL),
	}, {
		.name = "host: VMX with EPT and shadowing", .hv = HYBRID_HV_NONE,
		.must = F(HV_HOST) | F(NESTED_PAGING) | F(VMCS_SHADOWING) | F(HV_HOST_ACTIVE),
		.s = {
			.leaf1.ecx = ECX_VMX, .kernel = KERNEL(KNOWN) | KERNEL(KVM_HOST),
			.msr = {
				[HYBRID_MSR_FEAT_CTL] = { true, 5 },
				[HYBRID_MSR_VMX_PROCBASED2] = { true, 0x400200000000 },
			},
		},
	}, {
		.name = "host: VMX, controls that must be 1 are no offer", .hv = HYBRID_HV_NONE,
		.must = F(HV_HOST), .must_not = F(NESTED_PAGING) | F(VMCS_SHADOWING),
		.s = {
			.leaf1.ecx = ECX_VMX,
			.msr[HYBRID_MSR_VMX_PROCBASED2] = { true, 0xffffffff },
		},
	}, {
		.name = "host: VMX, firmware left it open", .hv = HYBRID_HV_NONE,
		.must = F(HV_HOST),
		.s.leaf1.ecx = ECX_VMX, .s.msr[HYBRID_MSR_FEAT_CTL] = { true, 0 },
	}, {
		.name = "host: VMX, firmware locked it off", .hv = HYBRID_HV_NONE,
		.must_not = F(HV_HOST) | F(NESTED_PAGING),
		.s = {
			.leaf1.ecx = ECX_VMX,
			.msr = {
				[HYBRID_MSR_FEAT_CTL] = { true, 1 },
				[HYBRID_MSR_VMX_PROCBASED2] = { true, ~0ULL },
			},
		},
	}, {
		.name = "host: VMX, its MSR faulted", .hv = HYBRID_HV_NONE, .must = F(HV_HOST),
		.must_not = F(NESTED_PAGING),
		.s.leaf1.ecx = ECX_VMX,
	}, {
		.name = "host: SVM with NPT", .hv = HYBRID_HV_NONE,
		.must = F(HV_HOST) | F(NESTED_PAGING), .must_not = F(VMCS_SHADOWING),
		.s = {
			.ext1.ecx = BIT(2), .ext_svm.edx = BIT(0),
			.msr[HYBRID_MSR_VM_CR] = { true, 0 },
		},
	}, {
		.name = "host: SVM, firmware disabled it", .hv = HYBRID_HV_NONE,
		.must_not = F(HV_HOST) | F(NESTED_PAGING),
		.s = {
			.ext1.ecx = BIT(2), .ext_svm.edx = BIT(0),
			.msr[HYBRID_MSR_VM_CR] = { true, BIT(4) },
		},
	}, {
		.name = "host: dom0", .hv = HYBRID_HV_XEN, .must = F(HV_HOST_ACTIVE) | F(XEN_PV),
		.s.kernel = KERNEL(KNOWN) | KERNEL(XEN_PV) | KERNEL(XEN_DOM0),
	},
};

/* Real machines: see snapshots/README. */
static const struct detect_case captured[] = {
#include "snapshots/list.h"
};

static void detect_desc(const struct detect_case *c, char *desc)
{
	snprintf(desc, KUNIT_PARAM_DESC_SIZE, "%s", c->name);
}

KUNIT_ARRAY_PARAM(made_up, made_up, detect_desc);
KUNIT_ARRAY_PARAM(captured, captured, detect_desc);

static void *zalloc(struct kunit *test, size_t size)
{
	void *p = kunit_kzalloc(test, size, GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, p);
	return p;
}

static const char *first_feature(u64 features)
{
	unsigned int f;

	for (f = 0; f < HYBRID_F_NR; f++)
		if (features & BIT_ULL(f))
			return hybrid_feature_name(f);
	return "none";
}

static bool presented(const struct hybrid_caps *c, enum hybrid_hv hv)
{
	u32 i;

	for (i = 0; i < c->nr_layers; i++)
		if (c->layer[i].hv == hv)
			return true;
	return false;
}

/* What is wrong with these capabilities in themselves, whatever the snapshot; or NULL. */
static const char *contradiction(const struct hybrid_caps *c, const struct hybrid_snapshot *s)
{
	const u64 of_kvm = F(KVM_CLOCK) | F(KVM_PV_EOI) | F(KVM_PV_UNHALT) | F(KVM_PV_IPI) |
			   F(KVM_PV_TLB_FLUSH) | F(KVM_STEAL_TIME) | F(KVM_POLL_CONTROL) |
			   F(KVM_ASYNC_PF) | F(KVM_YIELD) | F(KVM_MIGRATION_CONTROL) |
			   F(KVM_REALTIME) | F(XEN_EMULATED);
	u64 f = c->features;
	u32 i, j;

	if ((unsigned int)c->hv >= HYBRID_HV_NR)
		return "hypervisor out of range";
	if (c->nr_layers > HYBRID_HV_KEPT)
		return "too many layers";
	if (f >> HYBRID_F_NR)
		return "feature out of range";
	if (f & of_kvm && c->hv != HYBRID_HV_KVM)
		return "KVM's feature, not KVM";
	if (f & (F(XEN_VCPU_ID) | F(XEN_UPCALL_VECTOR)) && c->hv != HYBRID_HV_XEN)
		return "Xen's feature, not Xen";
	if (f & F(HYPERV_NESTED) && c->hv != HYBRID_HV_HYPERV)
		return "Hyper-V's feature, not Hyper-V";
	if (f & F(VIRIDIAN) && c->hv == HYBRID_HV_HYPERV)
		return "Hyper-V that imitates Hyper-V";
	if (f & (F(NESTED_PAGING) | F(VMCS_SHADOWING)) && !(f & F(HV_HOST)))
		return "a host's feature, not a host";
	if (f & F(HV_HOST) && !(s->leaf1.ecx & ECX_VMX) && !(s->ext1.ecx & BIT(2)))
		return "a host without VMX or SVM";
	if (f & F(KERNEL_PV) && !s->kernel)
		return "guest code in a kernel that runs none";
	if (c->nr_layers && c->hv == HYBRID_HV_NONE)
		return "interfaces of no hypervisor";
	if (c->hv > HYBRID_HV_UNKNOWN && !presented(c, c->hv) &&
	    !(s->kernel & KERNEL(XEN_PV)))
		return "a hypervisor that nothing presents";

	for (i = 0; i < c->nr_layers; i++) {
		const struct hybrid_layer *l = &c->layer[i];

		if ((unsigned int)l->hv >= HYBRID_HV_NR || l->hv == HYBRID_HV_NONE)
			return "layer of no hypervisor";
		if (l->base != s->slot[i].base)
			return "layer of another slot";
		for (j = 0; j < sizeof(l->sig) && l->sig[j]; j++)
			if (l->sig[j] < ' ' || l->sig[j] > '~')
				return "signature that does not print";
		if (j == sizeof(l->sig))
			return "signature without an end";
	}
	return NULL;
}

static void detects(struct kunit *test)
{
	const struct detect_case *d = test->param_value;
	struct hybrid_caps *c = zalloc(test, sizeof(*c));
	u64 must_not = d->must_not & ~d->must;
	const char *wrong;

	memset(c, 0xa5, sizeof(*c));	/* "filled in completely" */
	hybrid_detect(c, &d->s);

	wrong = contradiction(c, &d->s);
	KUNIT_EXPECT_TRUE_MSG(test, !wrong, "%s", wrong ?: "");
	KUNIT_EXPECT_STREQ(test, hybrid_hv_name(c->hv), hybrid_hv_name(d->hv));
	KUNIT_EXPECT_EQ(test, c->nr_layers, d->nr_layers);
	KUNIT_EXPECT_EQ(test, c->xen_version, d->xen_version);
	KUNIT_EXPECT_EQ(test, c->nr_cpus, d->s.nr_cpus);
	KUNIT_EXPECT_TRUE_MSG(test, (c->features & d->must) == d->must,
			      "not found: %s", first_feature(d->must & ~c->features));
	KUNIT_EXPECT_TRUE_MSG(test, !(c->features & must_not),
			      "found: %s", first_feature(c->features & must_not));
}

static void detects_captured(struct kunit *test)
{
	detects(test);
}

static void describes_layers(struct kunit *test)
{
	struct hybrid_snapshot *s = zalloc(test, sizeof(*s));
	struct hybrid_caps *c = zalloc(test, sizeof(*c));

	s->leaf1.ecx = ECX_HYPERVISOR;
	s->nr_slots = 2;
	s->slot[0] = (struct hybrid_hv_slot){ 0x40000000, 6, { SIG_HYPERV(~0u), { .eax = HV1 } } };
	s->slot[1] = (struct hybrid_hv_slot){ 0x40000100, 1, { SIG_JUNK(~0u) } };
	hybrid_detect(c, s);

	KUNIT_ASSERT_EQ(test, c->nr_layers, 2);
	KUNIT_EXPECT_EQ(test, c->layer[0].hv, HYBRID_HV_HYPERV);
	KUNIT_EXPECT_EQ(test, c->layer[0].base, 0x40000000);
	KUNIT_EXPECT_EQ(test, c->layer[0].max, 0x40000005);	/* not what it claims */
	KUNIT_EXPECT_STREQ(test, c->layer[0].sig, "Microsoft Hv");
	KUNIT_EXPECT_EQ(test, c->layer[1].hv, HYBRID_HV_UNKNOWN);
	KUNIT_EXPECT_EQ(test, c->layer[1].max, 0x40000100);
	KUNIT_EXPECT_STREQ(test, c->layer[1].sig, "??[??VM?n");
}

/* xorshift32: the same sequence everywhere, so that a failure can be repeated */
static u32 next_random(u32 *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 17;
	*state ^= *state << 5;
	return *state;
}

/* Random words; bool is kept a bool, and some slots get a real signature. */
static void scramble(struct hybrid_snapshot *s, u32 *state)
{
	static const struct hybrid_regs sig[] = {
		SIG_KVM(0), SIG_XEN(0), SIG_HYPERV(0), SIG_VMWARE(0), SIG_TCG(0), SIG_OTHER(0),
	};
	unsigned char *byte = (unsigned char *)s;
	size_t i;

	for (i = 0; i < sizeof(*s); i++)
		byte[i] = next_random(state);
	for (i = 0; i < HYBRID_MSR_NR; i++)
		memset(&s->msr[i].valid, next_random(state) & 1, sizeof(bool));
	for (i = 0; i < HYBRID_HV_KEPT; i++) {
		u32 r = next_random(state) % (ARRAY_SIZE(sig) + 2);

		if (r < ARRAY_SIZE(sig))
			s->slot[i].leaf[0] = sig[r];
		if (next_random(state) & 1)
			s->slot[i].leaf[1].eax = HV1;
	}
	/* Both what a reader can leave behind and what it cannot. */
	if (next_random(state) & 3)
		s->nr_slots %= HYBRID_HV_KEPT + 1;
}

static void survives_anything(struct kunit *test)
{
	struct hybrid_snapshot *s = zalloc(test, sizeof(*s));
	struct hybrid_caps *c = zalloc(test, sizeof(*c));
	u32 state = 0x4b564d58;
	unsigned int round;

	for (round = 0; round < 2000; round++) {
		const char *wrong;

		scramble(s, &state);
		hybrid_detect(c, s);
		wrong = contradiction(c, s);
		KUNIT_ASSERT_TRUE_MSG(test, !wrong, "round %u: %s", round, wrong ?: "");
	}
}

static void survives_all_ones(struct kunit *test)
{
	struct hybrid_snapshot *s = zalloc(test, sizeof(*s));
	struct hybrid_caps *c = zalloc(test, sizeof(*c));
	const char *wrong;
	unsigned int i;

	memset(s, 0xff, sizeof(*s));
	for (i = 0; i < HYBRID_MSR_NR; i++)
		memset(&s->msr[i].valid, true, sizeof(bool));
	hybrid_detect(c, s);
	wrong = contradiction(c, s);
	KUNIT_EXPECT_TRUE_MSG(test, !wrong, "%s", wrong ?: "");
}

/* Users and programs read them: each there, none twice, none "invalid". */
static void names_are_unique(struct kunit *test)
{
	unsigned int i, j;

	for (i = 0; i < HYBRID_F_NR; i++) {
		KUNIT_ASSERT_NOT_NULL_MSG(test, hybrid_feature_name(i), "feature %u", i);
		KUNIT_EXPECT_STRNEQ(test, hybrid_feature_name(i), "invalid");
		for (j = 0; j < i; j++)
			KUNIT_EXPECT_STRNEQ(test, hybrid_feature_name(i), hybrid_feature_name(j));
	}
	for (i = 0; i < HYBRID_HV_NR; i++) {
		KUNIT_ASSERT_NOT_NULL_MSG(test, hybrid_hv_name(i), "hypervisor %u", i);
		KUNIT_EXPECT_STRNEQ(test, hybrid_hv_name(i), "invalid");
		for (j = 0; j < i; j++)
			KUNIT_EXPECT_STRNEQ(test, hybrid_hv_name(i), hybrid_hv_name(j));
	}
	KUNIT_EXPECT_STREQ(test, hybrid_feature_name(HYBRID_F_NR), "invalid");
	KUNIT_EXPECT_STREQ(test, hybrid_feature_name(-1), "invalid");
	KUNIT_EXPECT_STREQ(test, hybrid_hv_name(HYBRID_HV_NR), "invalid");
	KUNIT_EXPECT_STREQ(test, hybrid_hv_name(-1), "invalid");
}

static struct kunit_case hybrid_detect_cases[] = {
	KUNIT_CASE_PARAM(detects, made_up_gen_params),
	KUNIT_CASE_PARAM(detects_captured, captured_gen_params),
	KUNIT_CASE(describes_layers),
	KUNIT_CASE(survives_anything),
	KUNIT_CASE(survives_all_ones),
	KUNIT_CASE(names_are_unique),
	{}
};

struct kunit_suite hybrid_detect_suite = {
	.name = "hybrid_detect",
	.test_cases = hybrid_detect_cases,
};
