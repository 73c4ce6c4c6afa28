/* SPDX-License-Identifier: GPL-2.0-only */
/* What we run on, derived from a snapshot (pure). */
#ifndef HYBRID_CAPS_H
#define HYBRID_CAPS_H

#include <hybrid/snapshot.h>

enum hybrid_hv {
	HYBRID_HV_NONE,		/* bare metal */
	HYBRID_HV_UNKNOWN,	/* a hypervisor whose signature we do not know */
	HYBRID_HV_KVM,
	HYBRID_HV_XEN,
	HYBRID_HV_HYPERV,
	HYBRID_HV_VMWARE,
	HYBRID_HV_TCG,		/* QEMU's emulator: nothing exits */
	HYBRID_HV_HYBRID,	/* one that has our own interface, and no other */
	HYBRID_HV_NR
};

/* Bits of hybrid_caps.features. Names: hybrid_feature_name(). */
enum hybrid_feature {
	/* the interface */
	HYBRID_F_VIRIDIAN,		/* Hyper-V leaves presented by KVM or Xen */
	HYBRID_F_XEN_EMULATED,		/* Xen leaves presented by KVM */
	HYBRID_F_XEN_PVH,		/* Xen: PVH rather than HVM */
	HYBRID_F_XEN_PV,		/* Xen: a PV domain; nothing here applies */
	HYBRID_F_HYPERV_NESTED,		/* Hyper-V says: it runs inside a Hyper-V itself */
	HYBRID_F_HV_HOST,		/* this guest can run guests (VMX or SVM exposed) */
	HYBRID_F_HV_HOST_ACTIVE,	/* ... and a hypervisor is loaded (KVM, or this is dom0) */
	HYBRID_F_NESTED_PAGING,		/* ... with EPT or NPT */
	HYBRID_F_VMCS_SHADOWING,	/* ... with VMCS shadowing */
	/* APIC and timer */
	HYBRID_F_X2APIC,		/* CPUID offers x2APIC */
	HYBRID_F_X2APIC_ON,		/* ... and it is in use (IA32_APIC_BASE.EXTD) */
	HYBRID_F_TSC_DEADLINE,
	HYBRID_F_TSC_INVARIANT,
	HYBRID_F_ARAT,
	HYBRID_F_IRQ_REMAP,
	HYBRID_F_APIC_ACCESS_VIRT,	/* host says: APIC accesses virtualised */
	HYBRID_F_X2APIC_VIRT,		/* host says: x2APIC MSRs virtualised */
	HYBRID_F_EXT_DEST_ID,
	/* KVM (Documentation/virt/kvm/x86/cpuid.rst) */
	HYBRID_F_KVM_CLOCK,
	HYBRID_F_KVM_PV_EOI,
	HYBRID_F_KVM_PV_UNHALT,
	HYBRID_F_KVM_PV_IPI,
	HYBRID_F_KVM_PV_TLB_FLUSH,
	HYBRID_F_KVM_STEAL_TIME,
	HYBRID_F_KVM_POLL_CONTROL,
	HYBRID_F_KVM_ASYNC_PF,
	HYBRID_F_KVM_YIELD,
	HYBRID_F_KVM_MIGRATION_CONTROL,
	HYBRID_F_KVM_REALTIME,		/* hint: vCPUs are never preempted for long */
	/* Hyper-V (TLFS, leaf 0x40000004) */
	HYBRID_F_HYPERV_APIC_MSRS,	/* recommends its MSRs for EOI, ICR and TPR */
	HYBRID_F_HYPERV_IPI,		/* recommends IPIs by hypercall */
	/* Xen */
	HYBRID_F_XEN_VCPU_ID,
	HYBRID_F_XEN_UPCALL_VECTOR,
	HYBRID_F_XEN_PIRQS,
	/* what the kernel does by itself already */
	HYBRID_F_KERNEL_PV,		/* runs its guest code for this hypervisor */
	HYBRID_F_KERNEL_PV_EOI,		/* PV EOI enabled by the kernel */
	HYBRID_F_KERNEL_XEN_UPCALL,	/* takes events by per-vCPU vectors, which need an EOI */
	HYBRID_F_KERNEL_STEAL_TIME,
	HYBRID_F_KERNEL_CPUIDLE,
	HYBRID_F_KERNEL_HALTPOLL,
	HYBRID_F_KERNEL_IDLE_POLL,
	HYBRID_F_KERNEL_ENCRYPTED,	/* encrypts memory against the host (SEV, TDX) */
	/* our own interface (Documentation/abi/host-abi.txt), where it can be used */
	HYBRID_F_HOST_IRQ,		/* a table of interrupts in shared memory */
	HYBRID_F_HOST_NOTICE,		/* tells of migrations */
	HYBRID_F_NR
};

/**
 * struct hybrid_layer - one interface of the stack, as presented
 * @hv: whose signature it is
 * @base: its first leaf
 * @max: its highest leaf, as bounded by the snapshot
 * @sig: its signature, NUL-terminated; bytes that do not print are '?'
 */
struct hybrid_layer {
	enum hybrid_hv hv;
	u32 base;
	u32 max;
	char sig[HYBRID_SIG_LEN + 1];
};

/* What became of our own interface; its features are used only where it is usable. */
enum hybrid_host_state {
	HYBRID_HOST_ABSENT,
	HYBRID_HOST_USABLE,
	HYBRID_HOST_SHORT,		/* not all of its leaves are there */
	HYBRID_HOST_VERSION_UNKNOWN,
	HYBRID_HOST_BAD_MSR,		/* its MSRs are where they cannot be */
	HYBRID_HOST_BAD_LIMITS,
	HYBRID_HOST_DEAF,		/* its MSRs fault */
};

/**
 * struct hybrid_host - our own interface, as the host presents it; all 0 but where it is usable
 * @state: whether it is, and if not, why
 * @features: HYBRID_HOST_F_...
 * @msr: the first of its MSRs
 * @table_pages: the most that the table of interrupts may have
 * @level, @exit_ns: its hints; 0: none
 */
struct hybrid_host {
	enum hybrid_host_state state;
	u32 features;
	u32 msr;
	u32 table_pages;
	u32 level;
	u32 exit_ns;
};

/**
 * struct hybrid_caps - what we run on
 * @hv: the hypervisor that really runs us (KVM that presents Xen or Hyper-V
 *	leaves is KVM; Xen with Viridian is Xen)
 * @layer: every interface presented, lowest base first
 * @nr_layers: valid entries of @layer
 * @features: mask of BIT_ULL(enum hybrid_feature)
 * @xen_version: major << 16 | minor of the Xen (or its facade) presented, 0 where unknown
 * @nr_cpus: online CPUs, 0 where unknown
 * @host: our own interface
 */
struct hybrid_caps {
	enum hybrid_hv hv;
	struct hybrid_layer layer[HYBRID_HV_KEPT];
	u32 nr_layers;
	u64 features;
	u32 xen_version;
	u32 nr_cpus;
	struct hybrid_host host;
};

static inline bool hybrid_has(const struct hybrid_caps *c, enum hybrid_feature f)
{
	return c->features >> f & 1;
}

/**
 * hybrid_detect() - derive what we run on
 * @c: filled in completely
 * @s: the snapshot; any content is accepted
 */
void hybrid_detect(struct hybrid_caps *c, const struct hybrid_snapshot *s);

/* Is this interface ours? Any content is accepted. */
bool hybrid_host_presented(const struct hybrid_hv_slot *slot);

/**
 * hybrid_host_detect() - find our own interface
 * @h: filled in completely
 * @s: the snapshot; any content is accepted
 */
void hybrid_host_detect(struct hybrid_host *h, const struct hybrid_snapshot *s);

/**
 * hybrid_host_exit_ns() - what an exit costs
 * @h: says so perhaps
 * @measured: what it cost us, not 0
 *
 * Return: the host's word where it is one and within a factor of 16 of @measured, else @measured.
 */
u32 hybrid_host_exit_ns(const struct hybrid_host *h, u32 measured);

/* Short stable names for users and JSON; "invalid" for values out of range. */
const char *hybrid_hv_name(enum hybrid_hv hv);
const char *hybrid_feature_name(enum hybrid_feature f);
const char *hybrid_host_state_name(enum hybrid_host_state state);

#endif
