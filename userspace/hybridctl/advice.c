// SPDX-License-Identifier: GPL-2.0-only
/*
 * The rules of `hybridctl advise` (pure).
 *
 * A rule fires on what was seen only: a fact that is unknown never makes one apply. Kernel
 * parameters are those of Documentation/admin-guide/kernel-parameters.txt and of KVM's
 * modules, in 6.1 and 6.12; costs are from DVH (Lim, Nieh, ASPLOS 2020), table 3.
 */
#include <stdio.h>
#include <string.h>

#include "advice.h"

#define SVM_NPT		(1u << 0)
#define SVM_AVIC	(1u << 13)

static bool has(const struct hc_advice_in *in, enum hybrid_feature f)
{
	return hc_state_has(in->st, f);
}

/* The feature is known not to be there. */
static bool lacks(const struct hc_advice_in *in, enum hybrid_feature f)
{
	return hc_state_feature(in->st, f) == HC_NO;
}

static bool booted_with(const struct hc_advice_in *in, const char *word)
{
	return hc_has_word(in->env->cmdline, word);
}

/* A guest whose exits we can reason about; Xen PV and dom0 have neither LAPIC nor choice. */
static bool guest(const struct hc_advice_in *in)
{
	switch (in->st->hv_id) {
	case HYBRID_HV_KVM:
	case HYBRID_HV_XEN:
	case HYBRID_HV_HYPERV:
	case HYBRID_HV_VMWARE:
		return !has(in, HYBRID_F_XEN_PV) && !in->env->xen_dom0;
	default:
		return false;
	}
}

static bool guest_of(const struct hc_advice_in *in, enum hybrid_hv hv)
{
	return guest(in) && in->st->hv_id == hv;
}

static bool kvm_host(const struct hc_advice_in *in)
{
	return in->env->kvm_intel.loaded || in->env->kvm_amd.loaded;
}

static bool nested_kvm_host(const struct hc_advice_in *in)
{
	return guest(in) && kvm_host(in);
}

/*
 * The guest's own kernel
 */

static bool nopv(const struct hc_advice_in *in)
{
	return booted_with(in, "nopv") ||
	       (booted_with(in, "xen_nopv") && in->st->hv_id == HYBRID_HV_XEN);
}

static bool booted_nopv(const struct hc_advice_in *in)
{
	return guest(in) && nopv(in);
}

static bool kernel_without_guest_support(const struct hc_advice_in *in)
{
	/* With several interfaces on offer the kernel may have taken another one. */
	return (guest_of(in, HYBRID_HV_KVM) || guest_of(in, HYBRID_HV_XEN)) &&
	       lacks(in, HYBRID_F_KERNEL_PV) && lacks(in, HYBRID_F_VIRIDIAN) &&
	       lacks(in, HYBRID_F_XEN_EMULATED) && !nopv(in);
}

static bool x2apic_off(const struct hc_advice_in *in)
{
	/* Where xAPIC accesses are virtualised and x2APIC's are not, off is right. */
	return guest(in) && has(in, HYBRID_F_X2APIC) && lacks(in, HYBRID_F_X2APIC_ON) &&
	       !(has(in, HYBRID_F_APIC_ACCESS_VIRT) && !has(in, HYBRID_F_X2APIC_VIRT));
}

static void x2apic_evidence(const struct hc_advice_in *in, char *buf, size_t size)
{
	snprintf(buf, size, "CPUID offers x2APIC, IA32_APIC_BASE says that it is off%s",
		 booted_with(in, "nox2apic") ? "; booted with nox2apic" :
		 nopv(in) ? "; booted with nopv" : "");
}

static bool idle_poll(const struct hc_advice_in *in)
{
	return guest(in) && !has(in, HYBRID_F_KVM_REALTIME) &&
	       (has(in, HYBRID_F_KERNEL_IDLE_POLL) || booted_with(in, "idle=poll"));
}

static bool haltpoll_forced(const struct hc_advice_in *in)
{
	return guest_of(in, HYBRID_HV_KVM) && lacks(in, HYBRID_F_KVM_REALTIME) &&
	       in->env->haltpoll_force == HC_YES &&
	       !strcmp(in->env->cpuidle_driver, "haltpoll");
}

static bool steal_time_ignored(const struct hc_advice_in *in)
{
	return guest_of(in, HYBRID_HV_KVM) && has(in, HYBRID_F_KVM_STEAL_TIME) &&
	       booted_with(in, "no-steal-acc");
}

/*
 * Clocks. A read of these leaves the guest, and user space cannot do it without a system
 * call either.
 */

static bool slow_clock(const struct hc_advice_in *in)
{
	static const char slow[] = "hpet acpi_pm pit jiffies refined-jiffies";

	return guest(in) && *in->env->clocksource && hc_has_word(slow, in->env->clocksource);
}

static const char *better_clock(const struct hc_advice_in *in)
{
	static const char *const fast[] = {
		"tsc", "kvm-clock", "hyperv_clocksource_tsc_page", "xen",
	};

	for (unsigned int i = 0; i < sizeof(fast) / sizeof(fast[0]); i++)
		if (hc_has_word(in->env->clocksources, fast[i]))
			return fast[i];
	return NULL;
}

static bool clock_could_be_better(const struct hc_advice_in *in)
{
	return slow_clock(in) && better_clock(in);
}

static void clock_better_evidence(const struct hc_advice_in *in, char *buf, size_t size)
{
	snprintf(buf, size, "current clocksource %s; NAME can be %s", in->env->clocksource,
		 better_clock(in));
}

static bool clock_none_better(const struct hc_advice_in *in)
{
	return slow_clock(in) && !better_clock(in);
}

static void clock_evidence(const struct hc_advice_in *in, char *buf, size_t size)
{
	snprintf(buf, size, "current clocksource %s; available: %s", in->env->clocksource,
		 in->env->clocksources);
}

static bool no_stable_clock(const struct hc_advice_in *in)
{
	return guest_of(in, HYBRID_HV_KVM) && lacks(in, HYBRID_F_TSC_INVARIANT) &&
	       lacks(in, HYBRID_F_KVM_CLOCK) && !slow_clock(in);
}

/*
 * What the guest's host offers
 */

static bool emulated(const struct hc_advice_in *in)
{
	return in->st->hv_id == HYBRID_HV_TCG;
}

static bool hv_unknown(const struct hc_advice_in *in)
{
	return in->st->hv_id == HYBRID_HV_UNKNOWN;
}

static void hv_unknown_evidence(const struct hc_advice_in *in, char *buf, size_t size)
{
	if (in->st->nr_layers)
		snprintf(buf, size, "CPUID 0x%08x says \"%s\"", in->st->layer[0].base,
			 in->st->layer[0].sig);
	else
		snprintf(buf, size, "CPUID announces a hypervisor, but no interface of it");
}

static bool kvm_without_pv_eoi(const struct hc_advice_in *in)
{
	return guest_of(in, HYBRID_HV_KVM) && lacks(in, HYBRID_F_KVM_PV_EOI);
}

static bool kvm_without_pv_ipi(const struct hc_advice_in *in)
{
	return guest_of(in, HYBRID_HV_KVM) && lacks(in, HYBRID_F_KVM_PV_IPI) &&
	       in->st->nr_cpus > 1;
}

static bool kvm_without_steal_time(const struct hc_advice_in *in)
{
	return guest_of(in, HYBRID_HV_KVM) && lacks(in, HYBRID_F_KVM_STEAL_TIME) &&
	       lacks(in, HYBRID_F_KVM_REALTIME);
}

static bool kvm_without_poll_control(const struct hc_advice_in *in)
{
	return guest_of(in, HYBRID_HV_KVM) && lacks(in, HYBRID_F_KVM_POLL_CONTROL) &&
	       !strcmp(in->env->cpuidle_driver, "haltpoll");
}

static bool xen_viridian(const struct hc_advice_in *in)
{
	return guest_of(in, HYBRID_HV_XEN) && has(in, HYBRID_F_VIRIDIAN);
}

static bool xen_without_pirqs(const struct hc_advice_in *in)
{
	return guest_of(in, HYBRID_HV_XEN) && has(in, HYBRID_F_KERNEL_PV) &&
	       lacks(in, HYBRID_F_XEN_PIRQS) && lacks(in, HYBRID_F_XEN_PVH) &&
	       lacks(in, HYBRID_F_APIC_ACCESS_VIRT) && lacks(in, HYBRID_F_X2APIC_VIRT);
}

/*
 * This machine as a KVM host
 */

static bool intel_offers(const struct hc_advice_in *in, const char *flag)
{
	return in->env->kvm_intel.loaded && hc_has_word(in->env->vmx_flags, flag);
}

static bool amd_offers(const struct hc_advice_in *in, uint32_t bit)
{
	return in->env->kvm_amd.loaded && in->env->svm_edx & bit;
}

static bool intel_ept_off(const struct hc_advice_in *in)
{
	return in->env->kvm_intel.ept == HC_NO && intel_offers(in, "ept");
}

static bool intel_apicv_off(const struct hc_advice_in *in)
{
	return in->env->kvm_intel.enable_apicv == HC_NO && intel_offers(in, "apicv");
}

static bool intel_ipiv_off(const struct hc_advice_in *in)
{
	/* It builds on APICv: that comes first. */
	return in->env->kvm_intel.enable_ipiv == HC_NO && intel_offers(in, "ipi_virt") &&
	       in->env->kvm_intel.enable_apicv == HC_YES;
}

static bool intel_shadow_vmcs_off(const struct hc_advice_in *in)
{
	return in->env->kvm_intel.enable_shadow_vmcs == HC_NO &&
	       intel_offers(in, "shadow_vmcs") && in->env->kvm_intel.nested == HC_YES;
}

static bool intel_nested_off(const struct hc_advice_in *in)
{
	return in->env->kvm_intel.nested == HC_NO;
}

static bool amd_npt_off(const struct hc_advice_in *in)
{
	return in->env->kvm_amd.npt == HC_NO && amd_offers(in, SVM_NPT);
}

static bool amd_avic_off(const struct hc_advice_in *in)
{
	/* KVM refuses AVIC without nested paging: that comes first. */
	return in->env->kvm_amd.avic == HC_NO && amd_offers(in, SVM_AVIC) &&
	       in->env->kvm_amd.npt == HC_YES;
}

static bool amd_nested_off(const struct hc_advice_in *in)
{
	return in->env->kvm_amd.nested == HC_NO;
}

static bool halt_poll_off(const struct hc_advice_in *in)
{
	return in->st->hv_id == HYBRID_HV_NONE && in->env->halt_poll_ns.known &&
	       !in->env->halt_poll_ns.v;
}

/*
 * This machine as a KVM host that is itself a guest
 */

static bool nested_guests(const struct hc_advice_in *in)
{
	return nested_kvm_host(in);
}

static void level_evidence(const struct hc_advice_in *in, char *buf, size_t size)
{
	const struct hc_state *st = in->st;

	if (st->exit_ns.known && st->exit_ns.v)
		snprintf(buf, size, "runs on %s; an exit of this machine costs %llu ns, "
			 "its guests' cost several of those", st->hv,
			 (unsigned long long)st->exit_ns.v);
	else
		snprintf(buf, size, "runs on %s, and has KVM's module for the processor loaded",
			 st->hv);
}

static bool nested_without_paging(const struct hc_advice_in *in)
{
	const struct hc_env *env = in->env;

	if (!nested_kvm_host(in) || has(in, HYBRID_F_NESTED_PAGING))
		return false;
	if (env->kvm_amd.loaded)
		return env->svm && !(env->svm_edx & SVM_NPT);
	return *env->vmx_flags && !hc_has_word(env->vmx_flags, "ept");
}

static bool nested_without_shadowing(const struct hc_advice_in *in)
{
	return nested_kvm_host(in) && in->env->kvm_intel.loaded && *in->env->vmx_flags &&
	       !has(in, HYBRID_F_VMCS_SHADOWING) && in->env->kvm_intel.nested == HC_YES &&
	       !hc_has_word(in->env->vmx_flags, "shadow_vmcs");
}

/*
 * This machine as Xen's dom0
 */

static bool xen_without_hvm(const struct hc_advice_in *in)
{
	return in->env->xen_dom0 && *in->env->xen_capabilities &&
	       !strstr(in->env->xen_capabilities, "hvm-");
}

static void xen_capabilities_evidence(const struct hc_advice_in *in, char *buf, size_t size)
{
	snprintf(buf, size, "Xen offers: %s", in->env->xen_capabilities);
}

const struct hc_rule hc_rules[] = {
	{
		.id = "nopv", .severity = HC_HIGH, .where = HC_HERE,
		.applies = booted_nopv,
		.what = "Booted with nopv: the kernel's own guest code is off",
		.why = "Without it, every EOI, IPI and timer goes the way of real hardware, and "
		       "most of them exit; the paravirtual clock and steal time are off too.",
		.setting = "remove nopv (xen_nopv) from the kernel command line and reboot",
	}, {
		.id = "no-guest-kernel", .severity = HC_MEDIUM, .where = HC_HERE,
		.needs_module = true, .applies = kernel_without_guest_support,
		.what = "The kernel has no guest code for this hypervisor",
		.why = "The hypervisor offers a paravirtual interface that avoids exits for EOI, "
		       "IPI, clock and timer, and the kernel does not use it.",
		.setting = "use a kernel with CONFIG_KVM_GUEST=y (on KVM) or CONFIG_XEN_PVHVM=y "
			   "(on Xen); stock distribution kernels have both",
	}, {
		.id = "clocksource", .severity = HC_HIGH, .where = HC_HERE,
		.applies = clock_could_be_better, .evidence = clock_better_evidence,
		.what = "The clock is one whose every read exits, and a better one is available",
		.why = "HPET, the ACPI timer and the PIT are emulated by the device model: each "
		       "clock_gettime() is a system call and an exit, the slowest kind. The TSC "
		       "and the paravirtual clocks are read in user space without one.",
		.setting = "echo NAME > /sys/devices/system/clocksource/clocksource0/"
			   "current_clocksource; then remove clocksource= from the kernel "
			   "command line",
	}, {
		.id = "no-clocksource", .severity = HC_HIGH, .where = HC_HOST,
		.applies = clock_none_better, .evidence = clock_evidence,
		.what = "The clock is one whose every read exits, and there is no better one",
		.why = "HPET, the ACPI timer and the PIT are emulated by the device model: each "
		       "clock_gettime() is a system call and an exit, the slowest kind.",
		.setting = "KVM: QEMU -cpu MODEL,kvmclock=on,kvmclock-stable-bit=on (or "
			   "invtsc=on); in the guest, remove nopv, no-kvmclock, notsc and "
			   "tsc=unstable from the kernel command line",
	}, {
		.id = "no-stable-clock", .severity = HC_MEDIUM, .where = HC_HOST,
		.applies = no_stable_clock,
		.what = "The host offers neither an invariant TSC nor kvm-clock",
		.why = "The kernel may have to give the TSC up at any time, for instance after a "
		       "migration; it then falls back to a clock whose every read exits.",
		.setting = "QEMU: -cpu MODEL,kvmclock=on,kvmclock-stable-bit=on (migratable), or "
			   "invtsc=on (QEMU then migrates only with a fixed tsc-frequency=)",
	}, {
		.id = "idle-poll", .severity = HC_MEDIUM, .where = HC_HERE,
		.applies = idle_poll,
		.what = "Booted with idle=poll: idle CPUs never let the host have them",
		.why = "No HLT exits, but each vCPU takes a whole host CPU for ever; where others "
		       "share it, the host preempts the vCPU while it has work to do.",
		.setting = "remove idle=poll; on KVM, cpuidle_haltpoll polls for a short time "
			   "only (the host's kvm-hint-dedicated=on enables it)",
	}, {
		.id = "haltpoll-forced", .severity = HC_LOW, .where = HC_HERE,
		.applies = haltpoll_forced,
		.what = "The kernel's haltpoll is forced on a host that does not ask for it",
		.why = "The host does not promise dedicated CPUs (hint kvm-realtime), and haltpoll "
		       "polls up to guest_halt_poll_ns, 200 us by default, before each HLT: "
		       "time that other guests of a shared host CPU would use.",
		.setting = "remove cpuidle_haltpoll.force=1; or, if the CPUs are dedicated, let "
			   "the host say so: QEMU -cpu MODEL,kvm-hint-dedicated=on",
	}, {
		.id = "x2apic-off", .severity = HC_MEDIUM, .where = HC_HERE,
		.needs_module = true, .applies = x2apic_off, .evidence = x2apic_evidence,
		.what = "x2APIC is offered but not in use",
		.why = "An exit for an xAPIC register is a page fault whose instruction the host "
		       "must fetch and decode; for x2APIC it is an MSR access, which needs "
		       "neither. An IPI is one access instead of two.",
		.setting = "remove nox2apic and nopv from the kernel command line; the kernel "
			   "needs CONFIG_X86_X2APIC=y and its guest code, since without "
			   "interrupt remapping it trusts only a known hypervisor with it",
	}, {
		.id = "steal-time-ignored", .severity = HC_LOW, .where = HC_HERE,
		.applies = steal_time_ignored,
		.what = "Booted with no-steal-acc: the scheduler ignores stolen time",
		.why = "The host tells how long it took the CPU away, and the scheduler charges "
		       "that time to whichever task happened to run.",
		.setting = "remove no-steal-acc from the kernel command line",
	}, {
		.id = "emulated", .severity = HC_HIGH, .where = HC_HOST,
		.applies = emulated,
		.what = "The CPU is emulated by QEMU (TCG)",
		.why = "Every instruction is translated, at a small part of the speed of "
		       "hardware virtualisation. Nothing exits, so there is nothing to tune.",
		.setting = "QEMU: -accel kvm, if the host has /dev/kvm; if the host is a guest "
			   "itself, its host must allow nested virtualisation",
	}, {
		.id = "unknown-hypervisor", .severity = HC_LOW, .where = HC_HERE,
		.applies = hv_unknown, .evidence = hv_unknown_evidence,
		.what = "This hypervisor is not one we know",
		.why = "Nothing can be said about what it offers, and every operation stays with "
		       "the kernel.",
		.setting = "nothing to set; report the signature if it should be supported",
	}, {
		.id = "kvm-pv-eoi", .severity = HC_MEDIUM, .where = HC_HOST,
		.applies = kvm_without_pv_eoi,
		.what = "KVM does not offer PV EOI",
		.why = "Each interrupt ends in an EOI that exits, unless the host has APICv or "
		       "AVIC; with PV EOI the guest clears a bit in memory instead.",
		.setting = "QEMU: -cpu MODEL,kvm-pv-eoi=on (needs the in-kernel irqchip)",
	}, {
		.id = "kvm-pv-ipi", .severity = HC_LOW, .where = HC_HOST,
		.applies = kvm_without_pv_ipi,
		.what = "KVM does not offer PV IPIs",
		.why = "An IPI to several CPUs is an exit for each of them (in x2APIC mode, for "
		       "each cluster); as a hypercall it is one exit for up to 128.",
		.setting = "QEMU: -cpu MODEL,kvm-pv-ipi=on (not needed with AVIC or with IPI "
			   "virtualisation)",
	}, {
		.id = "kvm-steal-time", .severity = HC_MEDIUM, .where = HC_HOST,
		.applies = kvm_without_steal_time,
		.what = "KVM does not offer steal time",
		.why = "The guest cannot see that the host took a CPU away: it charges that time "
		       "to its tasks, spins for locks of preempted vCPUs, and cannot use PV TLB "
		       "flush or PV yield, which need it.",
		.setting = "QEMU: -cpu MODEL,kvm-steal-time=on",
	}, {
		.id = "kvm-poll-control", .severity = HC_LOW, .where = HC_HOST,
		.applies = kvm_without_poll_control,
		.what = "The guest polls before HLT and cannot tell the host not to",
		.why = "Without poll control the host polls again after each HLT of a guest that "
		       "has just polled in vain: the same time is burnt twice.",
		.setting = "QEMU: -cpu MODEL,kvm-poll-control=on",
	}, {
		.id = "xen-viridian", .severity = HC_LOW, .where = HC_HOST,
		.applies = xen_viridian,
		.what = "Xen presents Viridian (Hyper-V) leaves to a Linux guest",
		.why = "They are made for Windows. Linux takes Xen's own interface, which they "
		       "move to 0x40000100, where simpler software does not look.",
		.setting = "remove viridian= from the domain's xl configuration",
	}, {
		.id = "xen-hvm-pirq", .severity = HC_LOW, .where = HC_HOST,
		.needs_module = true, .applies = xen_without_pirqs,
		.what = "MSIs of emulated and assigned devices go through the virtual APIC",
		.why = "This host does not virtualise the APIC in hardware. As pirqs, MSIs become "
		       "event channels, masked by a bit in memory instead of accesses to the "
		       "device. Xen has them off by default since 4.19, since they defeat APIC "
		       "virtualisation and broke some assigned GPUs. PV devices gain nothing.",
		.setting = "hvm_pirq=1 in the domain's xl configuration, if it has such devices",
	}, {
		.id = "kvm-intel-ept", .severity = HC_HIGH, .where = HC_HERE,
		.applies = intel_ept_off,
		.what = "kvm_intel runs without EPT, although the processor has it",
		.why = "Without it KVM shadows the guests' page tables: page faults, CR3 loads and "
		       "TLB flushes of guests exit.",
		.setting = "options kvm_intel ept=1 in /etc/modprobe.d, reload kvm_intel",
	}, {
		.id = "kvm-intel-apicv", .severity = HC_HIGH, .where = HC_HERE,
		.applies = intel_apicv_off,
		.what = "kvm_intel runs without APICv, although the processor has it",
		.why = "Every EOI and most APIC accesses of guests exit, and interrupts for a "
		       "running vCPU force it out first; APICv does all this in hardware.",
		.setting = "options kvm_intel enable_apicv=1 in /etc/modprobe.d, reload kvm_intel",
	}, {
		.id = "kvm-intel-ipiv", .severity = HC_LOW, .where = HC_HERE,
		.applies = intel_ipiv_off,
		.what = "kvm_intel runs without IPI virtualisation, although the processor has it",
		.why = "An IPI of a guest exits; with it, one to a running vCPU does not.",
		.setting = "options kvm_intel enable_ipiv=1 in /etc/modprobe.d, reload kvm_intel",
	}, {
		.id = "kvm-intel-shadow-vmcs", .severity = HC_MEDIUM, .where = HC_HERE,
		.applies = intel_shadow_vmcs_off,
		.what = "kvm_intel runs without VMCS shadowing, although the processor has it",
		.why = "A hypervisor in a guest reads and writes its VMCS ten times and more for "
		       "each exit of its own guests; without shadowing each access exits.",
		.setting = "options kvm_intel enable_shadow_vmcs=1 in /etc/modprobe.d, reload "
			   "kvm_intel",
	}, {
		.id = "kvm-intel-nested", .severity = HC_LOW, .where = HC_HERE,
		.applies = intel_nested_off,
		.what = "kvm_intel does not let guests run guests of their own",
		.why = "The kernel's default is to allow it. A guest that needs a hypervisor falls "
		       "back to emulation.",
		.setting = "if guests shall do so: options kvm_intel nested=1 in /etc/modprobe.d, "
			   "reload kvm_intel",
	}, {
		.id = "kvm-amd-npt", .severity = HC_HIGH, .where = HC_HERE,
		.applies = amd_npt_off,
		.what = "kvm_amd runs without nested paging, although the processor has it",
		.why = "Without it KVM shadows the guests' page tables: page faults, CR3 loads and "
		       "TLB flushes of guests exit.",
		.setting = "options kvm_amd npt=1 in /etc/modprobe.d, reload kvm_amd",
	}, {
		.id = "kvm-amd-avic", .severity = HC_MEDIUM, .where = HC_HERE,
		.applies = amd_avic_off,
		.what = "kvm_amd runs without AVIC, although the processor has it",
		.why = "EOIs, and IPIs to running vCPUs, exit; AVIC does them in hardware. KVM has "
		       "it off by default. Guests that use x2APIC gain in full only where the "
		       "processor has x2AVIC too.",
		.setting = "options kvm_amd avic=1 in /etc/modprobe.d, reload kvm_amd; measure",
	}, {
		.id = "kvm-amd-nested", .severity = HC_LOW, .where = HC_HERE,
		.applies = amd_nested_off,
		.what = "kvm_amd does not let guests run guests of their own",
		.why = "The kernel's default is to allow it. A guest that needs a hypervisor falls "
		       "back to emulation.",
		.setting = "if guests shall do so: options kvm_amd nested=1 in /etc/modprobe.d, "
			   "reload kvm_amd",
	}, {
		.id = "kvm-halt-poll", .severity = HC_LOW, .where = HC_HERE,
		.applies = halt_poll_off,
		.what = "KVM does not poll when a guest halts",
		.why = "Each wake-up of a guest that sleeps for a short time pays a full switch "
		       "of the host's scheduler. The kernel's default is to poll up to 200 us, "
		       "less where it does not help.",
		.setting = "echo 200000 > /sys/module/kvm/parameters/halt_poll_ns; leave it at "
			   "0 where the host's CPUs are overcommitted",
	}, {
		.id = "nested-paging", .severity = HC_HIGH, .where = HC_HOST,
		.applies = nested_without_paging,
		.what = "KVM runs here without EPT or NPT: the host does not offer it",
		.why = "Page faults, CR3 loads and TLB flushes of the guests started here exit, "
		       "and each of these exits costs several of this machine's own.",
		.setting = "QEMU: -cpu host, or -cpu MODEL,+npt (AMD), -cpu MODEL,+vmx-ept "
			   "(Intel); xl: hap=1, nestedhvm=1",
	}, {
		.id = "nested-vmcs-shadowing", .severity = HC_LOW, .where = HC_HOST,
		.applies = nested_without_shadowing,
		.what = "The host does not offer VMCS shadowing to this hypervisor",
		.why = "Guests of the guests started here pay for it: their hypervisor's accesses "
		       "to its VMCS, ten and more for each exit, exit one by one.",
		.setting = "QEMU: -cpu host, or -cpu MODEL,+vmx-shadow-vmcs",
	}, {
		.id = "nested-cost", .severity = HC_LOW, .where = HC_HERE,
		.applies = nested_guests, .evidence = level_evidence,
		.what = "Guests started here are nested, and their exits are expensive",
		.why = "Each exit of such a guest goes through the outer host, several times: a "
		       "hypercall takes 37,733 cycles instead of 1,575, some 24 times as many "
		       "(DVH, ASPLOS 2020, table 3).",
		.setting = "run guests that exit often on the outer host where you can; in the "
			   "nested ones, load hybrid.ko and follow `hybridctl advise`",
	}, {
		.id = "xen-no-hvm", .severity = HC_HIGH, .where = HC_HERE,
		.applies = xen_without_hvm, .evidence = xen_capabilities_evidence,
		.what = "This Xen cannot run HVM or PVH guests",
		.why = "It found no VT-x or AMD-V, so only PV guests start, whose page table "
		       "updates and system calls go through the hypervisor.",
		.setting = "enable VT-x or AMD-V in the firmware; if this Xen runs in a guest, "
			   "nested virtualisation in its host",
	},
};

const unsigned int hc_nr_rules = sizeof(hc_rules) / sizeof(hc_rules[0]);

const char *hc_severity_name(enum hc_severity severity)
{
	static const char *const names[] = {
		[HC_LOW] = "low", [HC_MEDIUM] = "medium", [HC_HIGH] = "high",
	};

	return names[severity];
}

const char *hc_where_name(enum hc_where where)
{
	static const char *const names[] = { [HC_HERE] = "here", [HC_HOST] = "host" };

	return names[where];
}
