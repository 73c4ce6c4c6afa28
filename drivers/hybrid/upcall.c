// SPDX-License-Identifier: GPL-2.0-only
/*
 * Xen's events, as a CPU sees them that polls while it is idle.
 *
 * Xen interrupts a vCPU that runs by an exit, and by another one as soon as the upcall has been
 * served. It does so when it sets evtchn_upcall_pending, and not where that is set already
 * (vcpu_mark_events_pending(), xen/arch/x86/domain.c). So a CPU that polls sets it itself, and looks
 * at evtchn_pending_sel, which Xen sets before. What it finds there is served as if it had been
 * interrupted: by way of the entry that the IDT has for the upcall's vector.
 *
 * If something else makes the CPU exit meanwhile, Xen injects an upcall, for which there is nothing
 * to do, unless an event came just then. An interrupt that needs no exit (posted) does not end that:
 * events then wait for its handler, and what softirqs run after it, to return to the poll.
 */
#include <linux/export.h>
#include <linux/percpu.h>

#include <asm/barrier.h>
#include <asm/desc.h>

#include <xen/interface/xen.h>

#include <hybrid/hybrid.h>

#include "../../compat/fred.h"
#include "internal.h"

struct upcall {
	struct vcpu_info *info;		/* NULL: events interrupt */
	unsigned long entry;
};

static DEFINE_PER_CPU(struct upcall, upcalls);

/* interrupt.S */
void hybrid_interrupt(unsigned long entry);

int hybrid_idle_upcall(struct vcpu_info *info, u8 vector)
{
	const gate_desc *gate;
	struct desc_ptr idt;

	this_cpu_write(upcalls.info, NULL);
	if (!info)
		return 0;
	store_idt(&idt);
	gate = (const gate_desc *)idt.address + vector;
	if (compat_uses_fred() || !gate->bits.p || gate->bits.type != GATE_INTERRUPT ||
	    gate->bits.ist || gate->segment != __KERNEL_CS)
		return -EOPNOTSUPP;
	this_cpu_write(upcalls.entry, gate_offset(gate));
	this_cpu_write(upcalls.info, info);
	return 0;
}
EXPORT_SYMBOL_GPL(hybrid_idle_upcall);

noinstr bool hybrid_upcall_poll(void)
{
	struct vcpu_info *info = this_cpu_read(upcalls.info);

	if (!info)
		return false;
	/* Again each time, as an upcall that was injected has cleared it. */
	WRITE_ONCE(info->evtchn_upcall_pending, 1);
	if (!READ_ONCE(info->evtchn_pending_sel))
		return false;
	hybrid_interrupt(this_cpu_read(upcalls.entry));
	return true;
}

noinstr void hybrid_upcall_end(void)
{
	struct vcpu_info *info = this_cpu_read(upcalls.info);

	if (!info)
		return;
	for (;;) {
		WRITE_ONCE(info->evtchn_upcall_pending, 0);
		/* Of what came before this, Xen told nobody. */
		smp_mb();
		if (!READ_ONCE(info->evtchn_pending_sel))
			return;
		/* It sets the flag, although an upcall may have served everything by then. */
		hybrid_upcall_poll();
	}
}
