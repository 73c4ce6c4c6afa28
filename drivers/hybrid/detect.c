// SPDX-License-Identifier: GPL-2.0-only
/* What a snapshot says about the machine (pure). */
#include <linux/bits.h>
#include <linux/kernel.h>
#include <linux/string.h>

#include <hybrid/caps.h>
#include <hybrid/host.h>

#define HYPERV_INTERFACE	0x31237648	/* "Hv#1" */

static const char *const hv_names[] = {
	[HYBRID_HV_NONE]	= "none",
	[HYBRID_HV_UNKNOWN]	= "unknown",
	[HYBRID_HV_KVM]		= "kvm",
	[HYBRID_HV_XEN]		= "xen",
	[HYBRID_HV_HYPERV]	= "hyperv",
	[HYBRID_HV_VMWARE]	= "vmware",
	[HYBRID_HV_TCG]		= "tcg",
	[HYBRID_HV_HYBRID]	= "hybrid",
};

static const char *const feature_names[] = {
	[HYBRID_F_VIRIDIAN]		= "viridian",
	[HYBRID_F_XEN_EMULATED]		= "xen-emulated",
	[HYBRID_F_XEN_PVH]		= "xen-pvh",
	[HYBRID_F_XEN_PV]		= "xen-pv",
	[HYBRID_F_HYPERV_NESTED]	= "hyperv-nested",
	[HYBRID_F_HV_HOST]		= "hv-host",
	[HYBRID_F_HV_HOST_ACTIVE]	= "hv-host-active",
	[HYBRID_F_NESTED_PAGING]	= "nested-paging",
	[HYBRID_F_VMCS_SHADOWING]	= "vmcs-shadowing",
	[HYBRID_F_X2APIC]		= "x2apic",
	[HYBRID_F_X2APIC_ON]		= "x2apic-on",
	[HYBRID_F_TSC_DEADLINE]		= "tsc-deadline",
	[HYBRID_F_TSC_INVARIANT]	= "tsc-invariant",
	[HYBRID_F_ARAT]			= "arat",
	[HYBRID_F_IRQ_REMAP]		= "irq-remap",
	[HYBRID_F_APIC_ACCESS_VIRT]	= "apic-access-virt",
	[HYBRID_F_X2APIC_VIRT]		= "x2apic-virt",
	[HYBRID_F_EXT_DEST_ID]		= "ext-dest-id",
	[HYBRID_F_KVM_CLOCK]		= "kvm-clock",
	[HYBRID_F_KVM_PV_EOI]		= "kvm-pv-eoi",
	[HYBRID_F_KVM_PV_UNHALT]	= "kvm-pv-unhalt",
	[HYBRID_F_KVM_PV_IPI]		= "kvm-pv-ipi",
	[HYBRID_F_KVM_PV_TLB_FLUSH]	= "kvm-pv-tlb-flush",
	[HYBRID_F_KVM_STEAL_TIME]	= "kvm-steal-time",
	[HYBRID_F_KVM_POLL_CONTROL]	= "kvm-poll-control",
	[HYBRID_F_KVM_ASYNC_PF]		= "kvm-async-pf",
	[HYBRID_F_KVM_YIELD]		= "kvm-yield",
	[HYBRID_F_KVM_MIGRATION_CONTROL] = "kvm-migration-control",
	[HYBRID_F_KVM_REALTIME]		= "kvm-realtime",
	[HYBRID_F_HYPERV_APIC_MSRS]	= "hyperv-apic-msrs",
	[HYBRID_F_HYPERV_IPI]		= "hyperv-ipi",
	[HYBRID_F_XEN_VCPU_ID]		= "xen-vcpu-id",
	[HYBRID_F_XEN_UPCALL_VECTOR]	= "xen-upcall-vector",
	[HYBRID_F_XEN_PIRQS]		= "xen-pirqs",
	[HYBRID_F_KERNEL_PV]		= "kernel-pv",
	[HYBRID_F_KERNEL_PV_EOI]	= "kernel-pv-eoi",
	[HYBRID_F_KERNEL_XEN_UPCALL]	= "kernel-xen-upcall",
	[HYBRID_F_KERNEL_STEAL_TIME]	= "kernel-steal-time",
	[HYBRID_F_KERNEL_CPUIDLE]	= "kernel-cpuidle",
	[HYBRID_F_KERNEL_HALTPOLL]	= "kernel-haltpoll",
	[HYBRID_F_KERNEL_IDLE_POLL]	= "kernel-idle-poll",
	[HYBRID_F_KERNEL_ENCRYPTED]	= "kernel-encrypted",
	[HYBRID_F_HOST_IRQ]		= "host-irq",
	[HYBRID_F_HOST_NOTICE]		= "host-notice",
};

/* One bit of a register, and the feature that it announces. */
struct bit_feature {
	u8 bit;
	enum hybrid_feature f;
};

/* Documentation/virt/kvm/x86/cpuid.rst; clock has two versions of its MSRs */
static const struct bit_feature kvm_eax[] = {
	{ 0, HYBRID_F_KVM_CLOCK }, { 3, HYBRID_F_KVM_CLOCK },
	{ 4, HYBRID_F_KVM_ASYNC_PF }, { 5, HYBRID_F_KVM_STEAL_TIME },
	{ 6, HYBRID_F_KVM_PV_EOI }, { 7, HYBRID_F_KVM_PV_UNHALT },
	{ 9, HYBRID_F_KVM_PV_TLB_FLUSH }, { 11, HYBRID_F_KVM_PV_IPI },
	{ 12, HYBRID_F_KVM_POLL_CONTROL }, { 13, HYBRID_F_KVM_YIELD },
	{ 15, HYBRID_F_EXT_DEST_ID }, { 17, HYBRID_F_KVM_MIGRATION_CONTROL },
};

static const struct bit_feature kvm_edx[] = {
	{ 0, HYBRID_F_KVM_REALTIME },
};

/* xen/include/public/arch-x86/cpuid.h, XEN_HVM_CPUID_* */
static const struct bit_feature xen_hvm_eax[] = {
	{ 0, HYBRID_F_APIC_ACCESS_VIRT }, { 1, HYBRID_F_X2APIC_VIRT },
	{ 3, HYBRID_F_XEN_VCPU_ID }, { 5, HYBRID_F_EXT_DEST_ID },
	{ 6, HYBRID_F_XEN_UPCALL_VECTOR },
};

/* TLFS: implementation recommendations, then hardware features in use */
static const struct bit_feature hyperv_recommend_eax[] = {
	{ 3, HYBRID_F_HYPERV_APIC_MSRS }, { 10, HYBRID_F_HYPERV_IPI },
	{ 12, HYBRID_F_HYPERV_NESTED },
};

static const struct bit_feature hyperv_hardware_eax[] = {
	{ 0, HYBRID_F_APIC_ACCESS_VIRT },
};

static const struct bit_feature leaf1_ecx[] = {
	{ 21, HYBRID_F_X2APIC }, { 24, HYBRID_F_TSC_DEADLINE },
};

static const struct bit_feature leaf6_eax[] = { { 2, HYBRID_F_ARAT } };
static const struct bit_feature ext7_edx[] = { { 8, HYBRID_F_TSC_INVARIANT } };

static const struct bit_feature kernel_facts[] = {
	{ HYBRID_KERNEL_XEN_PV, HYBRID_F_XEN_PV },
	{ HYBRID_KERNEL_XEN_PVH, HYBRID_F_XEN_PVH },
	{ HYBRID_KERNEL_XEN_DOM0, HYBRID_F_HV_HOST_ACTIVE },
	{ HYBRID_KERNEL_XEN_PIRQS, HYBRID_F_XEN_PIRQS },
	{ HYBRID_KERNEL_XEN_UPCALL, HYBRID_F_KERNEL_XEN_UPCALL },
	{ HYBRID_KERNEL_IRQ_REMAP, HYBRID_F_IRQ_REMAP },
	{ HYBRID_KERNEL_CPUIDLE, HYBRID_F_KERNEL_CPUIDLE },
	{ HYBRID_KERNEL_HALTPOLL, HYBRID_F_KERNEL_HALTPOLL },
	{ HYBRID_KERNEL_IDLE_POLL, HYBRID_F_KERNEL_IDLE_POLL },
	{ HYBRID_KERNEL_KVM_HOST, HYBRID_F_HV_HOST_ACTIVE },
	{ HYBRID_KERNEL_ENCRYPTED, HYBRID_F_KERNEL_ENCRYPTED },
};

static u64 features_of(u32 reg, const struct bit_feature *t, unsigned int n)
{
	u64 features = 0;

	while (n--)
		if (reg >> t[n].bit & 1)
			features |= BIT_ULL(t[n].f);
	return features;
}

#define FEATURES_OF(reg, table)	features_of(reg, table, ARRAY_SIZE(table))

static enum hybrid_hv hv_of(const struct hybrid_hv_slot *slot, const char *sig)
{
	if (!strcmp(sig, "KVMKVMKVM"))
		return HYBRID_HV_KVM;
	if (!strcmp(sig, "XenVMMXenVMM"))
		return HYBRID_HV_XEN;
	if (!strcmp(sig, "VMwareVMware"))
		return HYBRID_HV_VMWARE;
	if (!strcmp(sig, "TCGTCGTCGTCG"))
		return HYBRID_HV_TCG;
	/* The vendor string is free for all; the interface is what makes it Hyper-V. */
	if (!strcmp(sig, "Microsoft Hv") && slot->leaf[1].eax == HYPERV_INTERFACE)
		return HYBRID_HV_HYPERV;
	if (hybrid_host_presented(slot))
		return HYBRID_HV_HYBRID;
	return HYBRID_HV_UNKNOWN;
}

/*
 * Who really runs us when several interfaces are presented, the highest wins. KVM presents
 * Xen's and Hyper-V's to please guests, Xen presents Hyper-V's. Who imitates KVM (VirtualBox)
 * presents nothing else.
 */
static int hv_rank(enum hybrid_hv hv)
{
	static const u8 rank[] = {
		[HYBRID_HV_NONE]	= 0,
		[HYBRID_HV_UNKNOWN]	= 1,
		[HYBRID_HV_HYBRID]	= 2,
		[HYBRID_HV_HYPERV]	= 3,
		[HYBRID_HV_VMWARE]	= 4,
		[HYBRID_HV_TCG]		= 4,
		[HYBRID_HV_XEN]		= 5,
		[HYBRID_HV_KVM]		= 6,
	};

	return rank[hv];
}

static void detect_layers(struct hybrid_caps *c, const struct hybrid_snapshot *s)
{
	u32 i;

	for (i = 0; i < s->nr_slots && i < HYBRID_HV_KEPT; i++) {
		const struct hybrid_hv_slot *slot = &s->slot[i];
		struct hybrid_layer *layer = &c->layer[i];

		hybrid_signature(layer->sig, &slot->leaf[0]);
		layer->hv = hv_of(slot, layer->sig);
		layer->base = slot->base;
		layer->max = slot->base + (slot->nr_leaves ? slot->nr_leaves - 1 : 0);
		if (hv_rank(layer->hv) > hv_rank(c->hv))
			c->hv = layer->hv;
	}
	c->nr_layers = i;

	/* Announced, but no interface that we could read. */
	if (c->hv == HYBRID_HV_NONE && s->leaf1.ecx & BIT(31))
		c->hv = HYBRID_HV_UNKNOWN;
	/* A PV domain may see the processor's own CPUID; its kernel knows better. */
	if (s->kernel & BIT(HYBRID_KERNEL_XEN_PV))
		c->hv = HYBRID_HV_XEN;
}

/* The first slot of one kind; leaves that it does not have are zero. */
static const struct hybrid_regs *leaves_of(const struct hybrid_caps *c,
					   const struct hybrid_snapshot *s, enum hybrid_hv hv)
{
	static const struct hybrid_regs none[HYBRID_HV_LEAVES];
	u32 i;

	for (i = 0; i < c->nr_layers; i++)
		if (c->layer[i].hv == hv)
			return s->slot[i].leaf;
	return none;
}

static bool presents(const struct hybrid_caps *c, enum hybrid_hv hv)
{
	u32 i;

	for (i = 0; i < c->nr_layers; i++)
		if (c->layer[i].hv == hv)
			return true;
	return false;
}

static u64 facade_features(const struct hybrid_caps *c)
{
	u64 features = 0;

	if (presents(c, HYBRID_HV_HYPERV) && c->hv != HYBRID_HV_HYPERV)
		features |= BIT_ULL(HYBRID_F_VIRIDIAN);
	if (presents(c, HYBRID_HV_XEN) && c->hv == HYBRID_HV_KVM)
		features |= BIT_ULL(HYBRID_F_XEN_EMULATED);
	return features;
}

/* What the interface of the real hypervisor announces; a facade's bits are ignored. */
static u64 hv_features(const struct hybrid_caps *c, const struct hybrid_snapshot *s)
{
	const struct hybrid_regs *leaf = leaves_of(c, s, c->hv);

	switch (c->hv) {
	case HYBRID_HV_KVM:
		return FEATURES_OF(leaf[1].eax, kvm_eax) | FEATURES_OF(leaf[1].edx, kvm_edx);
	case HYBRID_HV_XEN:
		return FEATURES_OF(leaf[4].eax, xen_hvm_eax);
	case HYBRID_HV_HYPERV:
		return FEATURES_OF(leaf[4].eax, hyperv_recommend_eax) |
		       FEATURES_OF(leaf[6].eax, hyperv_hardware_eax);
	default:
		return 0;
	}
}

static bool vmx_usable(const struct hybrid_snapshot *s)
{
	const struct hybrid_msr_value *ctl = &s->msr[HYBRID_MSR_FEAT_CTL];

	if (!(s->leaf1.ecx & BIT(5)))
		return false;
	/* Locked by the firmware without VMXON outside SMX: announced, but off. */
	return !ctl->valid || !(ctl->value & BIT(0)) || ctl->value & BIT(2);
}

static bool svm_usable(const struct hybrid_snapshot *s)
{
	/* VM_CR.SVMDIS; an MSR that was not read has value 0 */
	return s->ext1.ecx & BIT(2) && !(s->msr[HYBRID_MSR_VM_CR].value & BIT(4));
}

static u64 host_features(const struct hybrid_snapshot *s)
{
	/* The upper half of a VMX capability MSR says which controls may be 1. */
	u32 procbased2 = s->msr[HYBRID_MSR_VMX_PROCBASED2].value >> 32;
	u64 features = 0;

	/* CPUID may be the processor's own there, but a PV domain runs no guests. */
	if (s->kernel & BIT(HYBRID_KERNEL_XEN_PV))
		return 0;
	if (vmx_usable(s)) {
		features |= BIT_ULL(HYBRID_F_HV_HOST);
		if (procbased2 & BIT(1))
			features |= BIT_ULL(HYBRID_F_NESTED_PAGING);
		if (procbased2 & BIT(14))
			features |= BIT_ULL(HYBRID_F_VMCS_SHADOWING);
	}
	if (svm_usable(s)) {
		features |= BIT_ULL(HYBRID_F_HV_HOST);
		if (s->ext_svm.edx & BIT(0))
			features |= BIT_ULL(HYBRID_F_NESTED_PAGING);
	}
	return features;
}

static bool kernel_is_guest_of(const struct hybrid_snapshot *s, enum hybrid_hv hv)
{
	switch (hv) {
	case HYBRID_HV_KVM:
		return s->kernel & BIT(HYBRID_KERNEL_KVM_GUEST);
	case HYBRID_HV_XEN:
		return s->kernel & (BIT(HYBRID_KERNEL_XEN_HVM) | BIT(HYBRID_KERNEL_XEN_PV) |
				    BIT(HYBRID_KERNEL_XEN_PVH));
	case HYBRID_HV_HYPERV:
		return s->kernel & BIT(HYBRID_KERNEL_HYPERV_GUEST);
	case HYBRID_HV_VMWARE:
		return s->kernel & BIT(HYBRID_KERNEL_VMWARE_GUEST);
	default:
		return false;
	}
}

static u64 kernel_features(const struct hybrid_caps *c, const struct hybrid_snapshot *s)
{
	u64 features = FEATURES_OF(s->kernel, kernel_facts);

	if (kernel_is_guest_of(s, c->hv))
		features |= BIT_ULL(HYBRID_F_KERNEL_PV);
	/* Bit 0 of both: somebody gave the host a page, and it is enabled. */
	if (s->msr[HYBRID_MSR_KVM_PV_EOI].value & BIT(0) &&
	    !(s->kernel & BIT(HYBRID_KERNEL_OUR_PV_EOI)))
		features |= BIT_ULL(HYBRID_F_KERNEL_PV_EOI);
	if (s->msr[HYBRID_MSR_KVM_STEAL_TIME].value & BIT(0))
		features |= BIT_ULL(HYBRID_F_KERNEL_STEAL_TIME);
	return features;
}

static u64 cpu_features(const struct hybrid_snapshot *s)
{
	/* EN and EXTD; EXTD alone is no valid state */
	const u64 x2apic_on = BIT(11) | BIT(10);
	u64 features = FEATURES_OF(s->leaf1.ecx, leaf1_ecx) |
		       FEATURES_OF(s->leaf6.eax, leaf6_eax) |
		       FEATURES_OF(s->ext7.edx, ext7_edx);

	if ((s->msr[HYBRID_MSR_APICBASE].value & x2apic_on) == x2apic_on)
		features |= BIT_ULL(HYBRID_F_X2APIC_ON);
	return features;
}

static u64 abi_features(const struct hybrid_caps *c)
{
	u64 features = 0;

	if (c->host.features & HYBRID_HOST_F_IRQ)
		features |= BIT_ULL(HYBRID_F_HOST_IRQ);
	if (c->host.features & HYBRID_HOST_F_NOTICE)
		features |= BIT_ULL(HYBRID_F_HOST_NOTICE);
	return features;
}

void hybrid_detect(struct hybrid_caps *c, const struct hybrid_snapshot *s)
{
	memset(c, 0, sizeof(*c));
	detect_layers(c, s);
	hybrid_host_detect(&c->host, s);
	c->features = facade_features(c) | hv_features(c, s) | abi_features(c) | host_features(s) |
		      kernel_features(c, s) | cpu_features(s);
	c->xen_version = leaves_of(c, s, HYBRID_HV_XEN)[1].eax;
	c->nr_cpus = s->nr_cpus;
}

const char *hybrid_hv_name(enum hybrid_hv hv)
{
	return (unsigned int)hv < HYBRID_HV_NR ? hv_names[hv] : "invalid";
}

const char *hybrid_feature_name(enum hybrid_feature f)
{
	return (unsigned int)f < HYBRID_F_NR ? feature_names[f] : "invalid";
}
