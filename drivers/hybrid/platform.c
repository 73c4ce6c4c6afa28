// SPDX-License-Identifier: GPL-2.0-only
/* Reads the snapshot in the kernel: CPUID, MSRs, and what the kernel itself found. */
#include <linux/cc_platform.h>
#include <linux/compiler.h>
#include <linux/cpuidle.h>
#include <linux/cpumask.h>
#include <linux/export.h>
#include <linux/kobject.h>
#include <linux/module.h>
#include <linux/pci.h>
#include <linux/preempt.h>
#include <linux/sched.h>
#include <linux/string.h>

#include <asm/hypervisor.h>
#include <asm/msr.h>
#include <asm/processor.h>

#include <asm/xen/hypercall.h>

#include <xen/events.h>
#include <xen/features.h>
#include <xen/interface/version.h>
#include <xen/xen.h>

#include "../../compat/irq_remap.h"
#include "internal.h"

/*
 * The processor's own, not a paravirtual kernel's edition of it: a Xen PV domain would get
 * a copy that Linux edited.
 */
static void read_cpuid(void *ctx, u32 leaf, u32 subleaf, struct hybrid_regs *out)
{
	out->eax = leaf;
	out->ecx = subleaf;
	native_cpuid(&out->eax, &out->ebx, &out->ecx, &out->edx);
	/* Hundreds of these, of up to a millisecond each */
	cond_resched();
}

static int read_msr(void *ctx, u32 msr, u64 *value)
{
	return rdmsrl_safe(msr, value);
}

static u32 hypervisor_facts(void)
{
	switch (x86_hyper_type) {
	case X86_HYPER_KVM:
		return BIT(HYBRID_KERNEL_KVM_GUEST);
	case X86_HYPER_MS_HYPERV:
		return BIT(HYBRID_KERNEL_HYPERV_GUEST);
	case X86_HYPER_VMWARE:
		return BIT(HYBRID_KERNEL_VMWARE_GUEST);
	default:
		return 0;
	}
}

static u32 xen_facts(void)
{
	u32 facts = 0;

	if (!xen_domain())
		return 0;
	if (xen_pv_domain())
		facts |= BIT(HYBRID_KERNEL_XEN_PV);
	if (xen_hvm_domain())
		facts |= BIT(HYBRID_KERNEL_XEN_HVM);
	if (xen_pvh_domain())
		facts |= BIT(HYBRID_KERNEL_XEN_PVH);
	if (xen_initial_domain())
		facts |= BIT(HYBRID_KERNEL_XEN_DOM0);
	if (xen_feature(XENFEAT_hvm_pirqs))
		facts |= BIT(HYBRID_KERNEL_XEN_PIRQS);
	if (xen_percpu_upcall)
		facts |= BIT(HYBRID_KERNEL_XEN_UPCALL);
	return facts;
}

/* Of a kernel that runs without its Xen support, and did not ask. */
static u32 ask_xen(const struct hybrid_snapshot *s)
{
	struct xen_feature_info info = { .submap_idx = 0 };
	struct hybrid_caps caps;

	if (xen_domain())
		return 0;
	hybrid_detect(&caps, s);
	/* Not one that only looks like it: KVM presents its leaves, and has other hypercalls. */
	if (caps.hv != HYBRID_HV_XEN || HYPERVISOR_xen_version(XENVER_get_features, &info))
		return 0;
	return info.submap & BIT(XENFEAT_hvm_pirqs) ? BIT(HYBRID_KERNEL_XEN_PIRQS) : 0;
}

static bool irq_remapped(void)
{
	struct pci_dev *pdev = NULL;
	bool remapped = false;

	/* Keeps the devices, and with them their MSI domains. */
	pci_lock_rescan_remove();
	for_each_pci_dev(pdev) {
		remapped = compat_irq_remapped(&pdev->dev);
		if (remapped) {
			pci_dev_put(pdev);
			break;
		}
	}
	pci_unlock_rescan_remove();
	return remapped;
}

static u32 idle_facts(void)
{
	struct cpuidle_driver *drv;
	u32 facts = 0;

	/* A driver's module goes away only after an RCU grace period. */
	preempt_disable();
	drv = cpuidle_get_driver();
	if (hybrid_idle_ours(drv))
		drv = NULL;
	/*
	 * Without a driver, a kernel that may use MWAIT does: neither an exit nor an IPI. And one in
	 * TDX has its own way to halt (tdx_safe_halt()): HLT itself may lose a wake-up there.
	 */
	if (drv || boot_cpu_has(X86_FEATURE_MWAIT) || boot_cpu_has(X86_FEATURE_TDX_GUEST))
		facts |= BIT(HYBRID_KERNEL_CPUIDLE);
	if (drv && !strcmp(drv->name, "haltpoll"))
		facts |= BIT(HYBRID_KERNEL_HALTPOLL);
	preempt_enable();

	if (boot_option_idle_override == IDLE_POLL)
		facts |= BIT(HYBRID_KERNEL_IDLE_POLL);
	return facts;
}

/* By its directory in /sys/module, which is in the same kset as ours. */
static bool module_loaded(const char *name)
{
	struct kobject *kobj = kset_find_obj(THIS_MODULE->mkobj.kobj.kset, name);

	kobject_put(kobj);
	return kobj != NULL;
}

static bool our_pv_eoi;

void hybrid_claim_pv_eoi(bool ours)
{
	WRITE_ONCE(our_pv_eoi, ours);
}
EXPORT_SYMBOL_GPL(hybrid_claim_pv_eoi);

static u32 kernel_facts(void)
{
	u32 facts = BIT(HYBRID_KERNEL_KNOWN) | hypervisor_facts() | xen_facts() | idle_facts();

	if (irq_remapped())
		facts |= BIT(HYBRID_KERNEL_IRQ_REMAP);
	if (module_loaded("kvm_intel") || module_loaded("kvm_amd"))
		facts |= BIT(HYBRID_KERNEL_KVM_HOST);
	if (cc_platform_has(CC_ATTR_GUEST_MEM_ENCRYPT))
		facts |= BIT(HYBRID_KERNEL_ENCRYPTED);
	return facts;
}

void hybrid_platform_snapshot(struct hybrid_snapshot *s)
{
	static const struct hybrid_reader reader = {
		.cpuid = read_cpuid,
		.rdmsr = read_msr,
	};

	/* Claimed before the MSRs are set, disclaimed after they are cleared: either look will do. */
	bool ours = READ_ONCE(our_pv_eoi);

	/* All of it from one CPU */
	migrate_disable();
	hybrid_snapshot_read(s, &reader);
	migrate_enable();

	s->kernel = kernel_facts() | ask_xen(s);
	if (ours || READ_ONCE(our_pv_eoi))
		s->kernel |= BIT(HYBRID_KERNEL_OUR_PV_EOI);
	s->nr_cpus = num_online_cpus();
}
