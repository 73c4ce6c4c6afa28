// SPDX-License-Identifier: GPL-2.0-only
/*
 * KVM without vmclock: its clock jumps over a migration, because the guest stood still
 * meanwhile. So it does when a host pauses or suspends, hence the status "unknown". Beside a
 * vmclock it only stands by, in case that one goes bad.
 */
#include <linux/irqflags.h>
#include <linux/percpu.h>

#include <asm/barrier.h>
#include <asm/msr.h>
#include <asm/pvclock.h>

/* Uses the type that the one above defines, and does not include it. */
#include <asm/kvmclock.h>

#include <migrate-notify/parse.h>

#include "internal.h"

#define COPY_TRIES	10

/* What each CPU saw last; used by that CPU only, with interrupts off. */
static DEFINE_PER_CPU(struct mn_pvclock, before);

static bool copy_clock(struct mn_pvclock *out)
{
	struct pvclock_vsyscall_time_info *shared = this_cpu_read(hv_clock_per_cpu);
	const struct pvclock_vcpu_time_info *p;
	unsigned int tries;

	if (!shared)
		return false;
	p = &shared->pvti;
	for (tries = 0; tries < COPY_TRIES; tries++) {
		out->version = READ_ONCE(p->version);
		virt_rmb();	/* pairs with the host's write barriers around its change */
		out->mul = READ_ONCE(p->tsc_to_system_mul);
		out->shift = READ_ONCE(p->tsc_shift);
		out->tsc = READ_ONCE(p->tsc_timestamp);
		out->ns = READ_ONCE(p->system_time);
		virt_rmb();	/* as above */
		if (!(out->version & 1) && READ_ONCE(p->version) == out->version)
			return true;
	}
	return false;
}

static void pvclock_rebase(void)
{
	struct mn_pvclock now;

	if (copy_clock(&now))
		*this_cpu_ptr(&before) = now;
}

static bool pvclock_check(void)
{
	struct mn_pvclock now;
	unsigned long flags;
	bool moved = false;

	local_irq_save(flags);
	if (copy_clock(&now)) {
		struct mn_pvclock *last = this_cpu_ptr(&before);

		/* A CPU that came later has nothing to compare with. */
		if (last->version)
			moved = mn_pvclock_moved(last, &now, rdtsc_ordered(),
						 mn_watch_disturbed());
		*last = now;
	}
	local_irq_restore(flags);
	/* Of two sources that see the same thing the one that knows more is enough. */
	return moved && !mn_vmclock_works();
}

static int pvclock_start(void)
{
	return this_cpu_read(hv_clock_per_cpu) ? 0 : -ENODEV;
}

const struct mn_source mn_source_pvclock = {
	.id		= MIGRATE_NOTIFY_SOURCE_PVCLOCK,
	.name		= "pvclock",
	.start		= pvclock_start,
	.check		= pvclock_check,
	.rebase		= pvclock_rebase,
	.moved_status	= MIGRATE_NOTIFY_UNKNOWN,
};
