// SPDX-License-Identifier: GPL-2.0-only
#include <linux/acpi.h>
#include <linux/io.h>
#include <linux/irqflags.h>
#include <linux/kernel.h>
#include <linux/kvm_para.h>
#include <linux/limits.h>
#include <linux/minmax.h>
#include <linux/mm.h>
#include <linux/pfn.h>

#include <asm/apic.h>
#include <asm/cpufeature.h>
#include <asm/irq_vectors.h>
#include <asm/msr.h>
#include <asm/sync_core.h>
#include <asm/tsc.h>

#include <hybrid/caps.h>

#include "exits.h"

/* Interrupts stay off no longer than this, or one operation if that takes longer. */
#define BURST_OPS	32
#define BURST_US	200

#define XEN_NR_VERSION	17	/* __HYPERVISOR_xen_version; command 0 takes no argument */

/**
 * struct exit_op - one operation
 * @name: for users
 * @begin: with interrupts off on the CPU of the burst, before its first run; NULL: nothing
 * @run: once; exits once on a host without APIC virtualisation
 * @unavailable: says why @run may not be called here, or NULL; NULL: it always may
 */
struct exit_op {
	const char *name;
	void (*begin)(struct hybrid_exits *x);
	void (*run)(struct hybrid_exits *x);
	const char *(*unavailable)(struct hybrid_exits *x);
};

static void run_nothing(struct hybrid_exits *x)
{
}

static void run_reference(struct hybrid_exits *x)
{
	iret_to_self();
}

static void run_cpuid(struct hybrid_exits *x)
{
	native_cpuid_eax(0);
}

static const char *no_tsc_adjust(struct hybrid_exits *x)
{
	u64 value;

	if (!boot_cpu_has(X86_FEATURE_TSC_ADJUST))
		return "CPUID does not announce TSC_ADJUST";
	return rdmsrl_safe(MSR_IA32_TSC_ADJUST, &value) ? "reading TSC_ADJUST faults" : NULL;
}

static void run_rdmsr_tsc_adjust(struct hybrid_exits *x)
{
	u64 value;

	rdmsrl_safe(MSR_IA32_TSC_ADJUST, &value);
}

static void begin_wrmsr_tsc_adjust(struct hybrid_exits *x)
{
	rdmsrl_safe(MSR_IA32_TSC_ADJUST, &x->saved);
}

/* What it holds already, so that nothing changes. */
static void run_wrmsr_tsc_adjust(struct hybrid_exits *x)
{
	wrmsrl_safe(MSR_IA32_TSC_ADJUST, x->saved);
}

static const char *no_apic(struct hybrid_exits *x)
{
	return boot_cpu_has(X86_FEATURE_APIC) ? NULL : "there is no local APIC";
}

static const char *no_apicbase(struct hybrid_exits *x)
{
	u64 value;

	if (no_apic(x))
		return no_apic(x);
	return rdmsrl_safe(MSR_IA32_APICBASE, &value) ? "reading IA32_APIC_BASE faults" : NULL;
}

static void run_rdmsr_apicbase(struct hybrid_exits *x)
{
	u64 value;

	rdmsrl_safe(MSR_IA32_APICBASE, &value);
}

static const char *no_pio(struct hybrid_exits *x)
{
	return x->pm_timer ? NULL : "ACPI announces no PM timer at an I/O port";
}

static void run_pio(struct hybrid_exits *x)
{
	inl(x->pm_timer);
}

static const char *no_mmio(struct hybrid_exits *x)
{
	return x->hpet ? NULL : "ACPI announces no HPET, or not where one can be";
}

/* The HPET's capability register: constant, no side effects. */
static void run_mmio(struct hybrid_exits *x)
{
	readl(x->hpet);
}

static void run_lapic(struct hybrid_exits *x)
{
	apic->read(APIC_LVR);
}

/*
 * Fetches the version (Xen), or polls for an interrupt that is not there (KVM): both do
 * nothing. Returns a negative value where the host does not know the call, or where it
 * takes the instruction for an invalid one. Not the kernel's wrappers, because they
 * belong to its guest code, which "nopv" turns off.
 */
static long hypercall(struct hybrid_exits *x)
{
	unsigned long a1 = 0, a2 = 0;
	long nr = x->caps->hv == HYBRID_HV_XEN ? XEN_NR_VERSION : KVM_HC_VAPIC_POLL_IRQ;
	long ret = nr;

	asm volatile("1: " KVM_HYPERCALL "\n\t"
		     "jmp 3f\n"
		     "2: mov $-1, %0\n"
		     "3:\n\t"
		     _ASM_EXTABLE(1b, 2b)
		     : "+a" (ret), "+D" (a1), "+S" (a2)
		     :
		     : "rdx", "r8", "r10", "memory");
	return ret;
}

static const char *no_hypercall(struct hybrid_exits *x)
{
	if (x->caps->hv != HYBRID_HV_KVM && x->caps->hv != HYBRID_HV_XEN)
		return "neither KVM nor Xen";
	if (boot_cpu_has(X86_FEATURE_TDX_GUEST))
		return "a TDX guest calls its host by another instruction";
	return hypercall(x) < 0 ? "the host refuses it" : NULL;
}

static void run_hypercall(struct hybrid_exits *x)
{
	hypercall(x);
}

/*
 * A real APIC in xAPIC mode may still be busy with the kernel's last IPI, which must not be
 * overwritten. A hypervisor's never is, and looking would be one exit more.
 */
static void begin_ipi(struct hybrid_exits *x)
{
	if (x->caps->hv == HYBRID_HV_NONE)
		safe_apic_wait_icr_idle();
}

/*
 * To this CPU, by shorthand: one register write whatever the APIC's mode, while the kernel's
 * functions also wait for the last IPI or set a destination. A spurious reschedule is
 * harmless, and those of one burst arrive as one, when interrupts are on again.
 */
static void run_ipi(struct hybrid_exits *x)
{
	apic->write(APIC_ICR, APIC_DEST_SELF | APIC_DM_FIXED | RESCHEDULE_VECTOR);
}

static const char *no_deadline(struct hybrid_exits *x)
{
	u64 value;

	if (no_apic(x))
		return no_apic(x);
	if (!boot_cpu_has(X86_FEATURE_TSC_DEADLINE_TIMER))
		return "CPUID does not announce the TSC deadline timer";
	if ((apic->read(APIC_LVTT) & APIC_LVT_TIMER_TSCDEADLINE) != APIC_LVT_TIMER_TSCDEADLINE)
		return "the kernel does not use the TSC deadline timer";
	return rdmsrl_safe(MSR_IA32_TSC_DEADLINE, &value) ? "reading TSC_DEADLINE faults" : NULL;
}

static void begin_timer(struct hybrid_exits *x)
{
	rdmsrl_safe(MSR_IA32_TSC_DEADLINE, &x->saved);
}

/*
 * Arms the timer for when it is armed already. Should it have fired since begin_timer(), it
 * fires at once again, into the same pending interrupt: interrupts are off.
 */
static void run_timer(struct hybrid_exits *x)
{
	wrmsrl_safe(MSR_IA32_TSC_DEADLINE, x->saved);
}

static const struct exit_op ops[HYBRID_EXIT_NR] = {
	[HYBRID_EXIT_CPUID] = {
		.name		= "cpuid",
		.run		= run_cpuid,
	},
	[HYBRID_EXIT_RDMSR_TSC_ADJUST] = {
		.name		= "rdmsr_tsc_adjust",
		.run		= run_rdmsr_tsc_adjust,
		.unavailable	= no_tsc_adjust,
	},
	[HYBRID_EXIT_WRMSR_TSC_ADJUST] = {
		.name		= "wrmsr_tsc_adjust",
		.begin		= begin_wrmsr_tsc_adjust,
		.run		= run_wrmsr_tsc_adjust,
		.unavailable	= no_tsc_adjust,
	},
	[HYBRID_EXIT_RDMSR_APICBASE] = {
		.name		= "rdmsr_apicbase",
		.run		= run_rdmsr_apicbase,
		.unavailable	= no_apicbase,
	},
	[HYBRID_EXIT_PIO] = {
		.name		= "pio",
		.run		= run_pio,
		.unavailable	= no_pio,
	},
	[HYBRID_EXIT_MMIO] = {
		.name		= "mmio",
		.run		= run_mmio,
		.unavailable	= no_mmio,
	},
	[HYBRID_EXIT_LAPIC] = {
		.name		= "lapic",
		.run		= run_lapic,
		.unavailable	= no_apic,
	},
	[HYBRID_EXIT_HYPERCALL] = {
		.name		= "hypercall",
		.run		= run_hypercall,
		.unavailable	= no_hypercall,
	},
	[HYBRID_EXIT_IPI] = {
		.name		= "ipi",
		.begin		= begin_ipi,
		.run		= run_ipi,
		.unavailable	= no_apic,
	},
	[HYBRID_EXIT_TIMER] = {
		.name		= "timer",
		.begin		= begin_timer,
		.run		= run_timer,
		.unavailable	= no_deadline,
	},
	[HYBRID_EXIT_REFERENCE] = {
		.name		= "reference",
		.run		= run_reference,
	},
	[HYBRID_EXIT_NOTHING] = {
		.name		= "nothing",
		.run		= run_nothing,
	},
};

/* The 64-bit field, where it is filled in, says alone where the timer is. */
static u16 find_pm_timer(void)
{
	const struct acpi_generic_address *ext = &acpi_gbl_FADT.xpm_timer_block;
	u64 port = ext->address ?: acpi_gbl_FADT.pm_timer_block;

	if (acpi_disabled || acpi_gbl_FADT.flags & ACPI_FADT_HW_REDUCED)
		return 0;
	if (ext->address && ext->space_id != ACPI_ADR_SPACE_SYSTEM_IO)
		return 0;
	return port <= 0x10000 - sizeof(u32) ? port : 0;
}

/*
 * Where every HPET is: below 4 GiB, aligned to its 1 KiB, not in RAM. Tables that say otherwise
 * exist (acpi_parse_hpet()), and ioremap() warns about some of them with a backtrace.
 */
static bool hpet_plausible(u64 address)
{
	return address && address <= U32_MAX && IS_ALIGNED(address, 1024) &&
	       !page_is_ram(PFN_DOWN(address));
}

static void __iomem *map_hpet(void)
{
	void __iomem *regs = NULL;
	struct acpi_table_header *header;
	struct acpi_table_hpet *table;

	if (acpi_disabled || ACPI_FAILURE(acpi_get_table(ACPI_SIG_HPET, 0, &header)))
		return NULL;
	table = (struct acpi_table_hpet *)header;
	if (header->length >= sizeof(*table) &&
	    table->address.space_id == ACPI_ADR_SPACE_SYSTEM_MEMORY &&
	    hpet_plausible(table->address.address))
		regs = ioremap(table->address.address, sizeof(u64));
	acpi_put_table(header);
	return regs;
}

void hybrid_exits_open(struct hybrid_exits *x, const struct hybrid_caps *caps)
{
	*x = (struct hybrid_exits){ .caps = caps };
	/* In a PV domain these would be the real machine's, if anything. */
	if (hybrid_has(caps, HYBRID_F_XEN_PV))
		return;
	x->pm_timer = find_pm_timer();
	x->hpet = map_hpet();
}

void hybrid_exits_close(struct hybrid_exits *x)
{
	if (x->hpet)
		iounmap(x->hpet);
}

const char *hybrid_exit_name(enum hybrid_exit e)
{
	return ops[e].name;
}

const char *hybrid_exit_unavailable(struct hybrid_exits *x, enum hybrid_exit e)
{
	if (!tsc_khz)
		return "the TSC's frequency is not known";
	if (!ops[e].unavailable)
		return NULL;
	if (hybrid_has(x->caps, HYBRID_F_XEN_PV))
		return "not in a Xen PV domain";
	return ops[e].unavailable(x);
}

void hybrid_exit_burst(struct hybrid_exits *x, enum hybrid_exit e, u32 max,
		       struct hybrid_timing *t)
{
	const struct exit_op *op = &ops[e];
	u64 limit = (u64)tsc_khz * BURST_US / 1000;
	u32 left = min_t(u32, max, BURST_OPS);
	u64 first, before, after;
	unsigned long flags;

	local_irq_save(flags);
	if (op->begin)
		op->begin(x);
	first = rdtsc_ordered();
	do {
		before = rdtsc_ordered();
		op->run(x);
		after = rdtsc_ordered();
		t->min = min(t->min, after - before);
		t->sum += after - before;
		t->count++;
	} while (--left && after - first < limit);
	local_irq_restore(flags);
}

u64 hybrid_exit_overhead(struct hybrid_exits *x)
{
	struct hybrid_timing t = HYBRID_TIMING_INIT;
	unsigned int i;

	for (i = 0; i < 16; i++)
		hybrid_exit_burst(x, HYBRID_EXIT_NOTHING, BURST_OPS, &t);
	return t.min;
}
