/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the CPU and the kernel say about the machine, as plain data.
 *
 * Read once (hybrid_snapshot_read()), then only this copy is looked at: a host
 * that changes a CPUID leaf between two reads cannot make two decisions disagree.
 */
#ifndef HYBRID_SNAPSHOT_H
#define HYBRID_SNAPSHOT_H

#include <linux/types.h>

/* Hypervisor leaves: Linux searches the same range (asm/processor.h). */
#define HYBRID_HV_BASE		0x40000000u
#define HYBRID_HV_STEP		0x100u
#define HYBRID_HV_SLOTS		256	/* 0x40000000 ... 0x4000ff00 */
#define HYBRID_HV_LEAVES	17	/* base ... base + 0x10 (VMware's frequency leaf) */
#define HYBRID_HV_KEPT		4	/* deepest stack anybody presents is two */
#define HYBRID_SIG_LEN		12

struct hybrid_regs {
	u32 eax, ebx, ecx, edx;
};

/**
 * struct hybrid_hv_slot - the leaves one hypervisor interface presents
 * @base: first leaf, a multiple of HYBRID_HV_STEP
 * @nr_leaves: valid entries of @leaf, at least 1 (the signature)
 * @leaf: leaf[i] is CPUID(@base + i), subleaf 0; entries from @nr_leaves on are zero
 */
struct hybrid_hv_slot {
	u32 base;
	u32 nr_leaves;
	struct hybrid_regs leaf[HYBRID_HV_LEAVES];
};

/* MSRs that are read, each only where its CPUID bit says that it exists. */
enum hybrid_msr {
	HYBRID_MSR_APICBASE,		/* 0x1b, CPUID.1:EDX.APIC */
	HYBRID_MSR_FEAT_CTL,		/* 0x3a, CPUID.1:ECX.VMX */
	HYBRID_MSR_VMX_PROCBASED2,	/* 0x48b, if VMX_PROCBASED bit 63 */
	HYBRID_MSR_VMX_PROCBASED,	/* 0x482 */
	HYBRID_MSR_VM_CR,		/* 0xc0010114, CPUID.80000001:ECX.SVM */
	HYBRID_MSR_KVM_PV_EOI,		/* 0x4b564d04, KVM feature 6 */
	HYBRID_MSR_KVM_STEAL_TIME,	/* 0x4b564d03, KVM feature 5 */
	HYBRID_MSR_KVM_POLL_CONTROL,	/* 0x4b564d05, KVM feature 12 */
	HYBRID_MSR_HOST_TABLE,		/* of a host that knows us: proves that it has them */
	HYBRID_MSR_NR
};

struct hybrid_msr_value {
	bool valid;			/* false: not read, or the read faulted */
	u64 value;
};

/* What the running kernel made of the machine: bits of hybrid_snapshot.kernel. */
enum hybrid_kernel_fact {
	HYBRID_KERNEL_KNOWN,		/* filled in at all (user space cannot) */
	HYBRID_KERNEL_KVM_GUEST,	/* runs its KVM guest code */
	HYBRID_KERNEL_XEN_HVM,		/* runs its Xen HVM guest code */
	HYBRID_KERNEL_XEN_PV,		/* is a Xen PV domain (no HVM at all) */
	HYBRID_KERNEL_XEN_PVH,		/* Xen HVM container without a platform device */
	HYBRID_KERNEL_XEN_DOM0,		/* the initial domain */
	HYBRID_KERNEL_XEN_PIRQS,	/* XENFEAT_hvm_pirqs offered by the host */
	HYBRID_KERNEL_XEN_UPCALL,	/* events arrive by per-vCPU LAPIC vectors */
	HYBRID_KERNEL_HYPERV_GUEST,	/* runs its Hyper-V guest code */
	HYBRID_KERNEL_VMWARE_GUEST,	/* runs its VMware guest code */
	HYBRID_KERNEL_IRQ_REMAP,	/* interrupt remapping is active */
	HYBRID_KERNEL_CPUIDLE,		/* a cpuidle driver is active */
	HYBRID_KERNEL_HALTPOLL,		/* ... and it is the kernel's haltpoll */
	HYBRID_KERNEL_IDLE_POLL,	/* booted with idle=poll */
	HYBRID_KERNEL_KVM_HOST,		/* /dev/kvm's vendor module is loaded here */
	HYBRID_KERNEL_OUR_PV_EOI,	/* what MSR_KVM_PV_EOI_EN holds is pvirq.ko's */
	HYBRID_KERNEL_ENCRYPTED,	/* the host cannot read this guest's memory */
	HYBRID_KERNEL_FACTS
};

/**
 * struct hybrid_snapshot - everything detection and policy may look at
 * @leaf0, @leaf1, @leaf6: basic CPUID, zero above the maximum leaf
 * @ext0, @ext1, @ext7, @ext_svm: 0x80000000, ..01, ..07 and 0x8000000a
 * @slot: hypervisor interfaces found, in ascending order of base
 * @nr_slots: valid entries of @slot
 * @slots_dropped: interfaces found beyond HYBRID_HV_KEPT (a hostile or broken host)
 * @msr: indexed by enum hybrid_msr
 * @kernel: bit mask of BIT(enum hybrid_kernel_fact)
 * @nr_cpus: online CPUs
 */
struct hybrid_snapshot {
	struct hybrid_regs leaf0, leaf1, leaf6;
	struct hybrid_regs ext0, ext1, ext7, ext_svm;
	struct hybrid_hv_slot slot[HYBRID_HV_KEPT];
	u32 nr_slots;
	u32 slots_dropped;
	struct hybrid_msr_value msr[HYBRID_MSR_NR];
	u32 kernel;
	u32 nr_cpus;
};

/**
 * struct hybrid_reader - how a snapshot is read
 * @cpuid: executes CPUID(leaf, subleaf)
 * @rdmsr: reads an MSR by its number; returns 0, or a negative errno where it
 *	faulted. NULL where MSRs cannot be read (user space).
 *
 * The kernel's, hybridctl's and the tests' (also hostile ones) differ only here.
 */
struct hybrid_reader {
	void (*cpuid)(void *ctx, u32 leaf, u32 subleaf, struct hybrid_regs *out);
	int (*rdmsr)(void *ctx, u32 msr, u64 *value);
	void *ctx;
};

/**
 * hybrid_snapshot_read() - read CPUID and MSRs
 * @s: filled in completely, except @kernel and @nr_cpus, which are set to 0
 * @r: the reader
 *
 * Reads every leaf at most once and at most 256 + 4 * 16 + 8 leaves, whatever
 * the host answers. Any context in which @r may be called.
 */
void hybrid_snapshot_read(struct hybrid_snapshot *s, const struct hybrid_reader *r);

/**
 * hybrid_signature() - the signature in a slot's first leaf, as text
 * @sig: set; NUL-terminated, bytes that do not print are '?'
 * @leaf: the leaf; any content is accepted
 */
void hybrid_signature(char sig[HYBRID_SIG_LEN + 1], const struct hybrid_regs *leaf);

#endif
