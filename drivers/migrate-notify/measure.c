// SPDX-License-Identifier: GPL-2.0-only
/* Reads the features of every online CPU. */
#include <linux/cpu.h>
#include <linux/cpumask.h>
#include <linux/percpu.h>
#include <linux/smp.h>
#include <linux/string.h>

#include <asm/cpufeature.h>
#include <asm/fpu/xcr.h>
#include <asm/processor.h>

#include "internal.h"

/* Written by each CPU itself, in mn_measure(), of which its caller runs one at a time. */
static DEFINE_PER_CPU(struct mn_cpu, measured);

/* Not the kernel's own copies, which are of the machine that it booted on. */
static void read_cpuid(u32 leaf, u32 subleaf, struct mn_regs *out)
{
	out->r[MIGRATE_NOTIFY_REG_EAX] = leaf;
	out->r[MIGRATE_NOTIFY_REG_ECX] = subleaf;
	native_cpuid(&out->r[MIGRATE_NOTIFY_REG_EAX], &out->r[MIGRATE_NOTIFY_REG_EBX],
		     &out->r[MIGRATE_NOTIFY_REG_ECX], &out->r[MIGRATE_NOTIFY_REG_EDX]);
}

static u64 read_xcr0(void)
{
	return xgetbv(XCR_XFEATURE_ENABLED_MASK);
}

/* Here the kernel's copies are right: what it switched on at boot, it switched on then. */
static u32 switched_on(void)
{
	u32 kernel = 0;

	if (boot_cpu_has(X86_FEATURE_FSGSBASE))
		kernel |= MIGRATE_NOTIFY_NEED_FSGSBASE;
	if (boot_cpu_has(X86_FEATURE_RDTSCP) || boot_cpu_has(X86_FEATURE_RDPID))
		kernel |= MIGRATE_NOTIFY_NEED_TSC_AUX;
	return kernel;
}

static void read_this_cpu(void *reader)
{
	mn_cpu_read(this_cpu_ptr(&measured), reader);
}

static void rebase_this_cpu(void *unused)
{
	mn_core_rebase();
}

void mn_measure(struct mn_features *f, bool rebase)
{
	struct mn_reader reader = {
		.cpuid	= read_cpuid,
		.xgetbv	= read_xcr0,
		.kernel	= switched_on(),
	};
	unsigned int cpu;

	memset(f, 0, sizeof(*f));
	cpus_read_lock();
	on_each_cpu(read_this_cpu, &reader, 1);
	if (rebase)
		on_each_cpu(rebase_this_cpu, NULL, 1);
	for_each_online_cpu(cpu)
		mn_features_add(f, per_cpu_ptr(&measured, cpu));
	cpus_read_unlock();
	mn_features_finish(f);
}
