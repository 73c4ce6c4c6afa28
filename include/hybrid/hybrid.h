/* SPDX-License-Identifier: GPL-2.0-only */
/* What hybrid.ko offers the other modules of the suite. */
#ifndef HYBRID_HYBRID_H
#define HYBRID_HYBRID_H

#include <linux/interrupt.h>

#include <hybrid/policy.h>

struct notifier_block;

/**
 * struct hybrid_state - all that hybrid.ko found and decided, of one moment
 * @generation: 1 at load, one more each time the state is taken anew
 */
struct hybrid_state {
	u32 generation;
	struct hybrid_caps caps;
	struct hybrid_cost cost;
	struct hybrid_level level;
	struct hybrid_policy policy;
};

/**
 * hybrid_state_get() - copy the current state
 * @out: filled in; consistent in itself
 *
 * Context: any (reads under RCU, does not sleep).
 */
void hybrid_state_get(struct hybrid_state *out);

/**
 * hybrid_path() - the path of one operation, without copying the rest
 * @op: the operation, in range
 *
 * Return: its path at this moment. Context: any (reads under RCU, does not sleep).
 */
enum hybrid_path hybrid_path(enum hybrid_op op);

/**
 * hybrid_refresh() - take snapshot, cost and policy anew, publish, and tell who registered
 *
 * For after a migration, and whatever else changes the machine under a running kernel.
 *
 * Return: 0 or -ENOMEM, then nothing has changed. Context: sleeps; takes milliseconds, on
 * a nested guest up to seconds.
 */
int hybrid_refresh(void);

/* Notifier events. The data pointer is a const struct hybrid_state *. */
#define HYBRID_EVENT_DECIDED	1	/* snapshot, cost or policy were taken anew */

/**
 * hybrid_notifier_register() - be told of each new state
 * @nb: called in process context, one event at a time, after the state is published and with
 *	what it published. It may sleep and call all of this header except these two functions
 *	and hybrid_refresh().
 *
 * What was decided before is not repeated: call hybrid_state_get() after this.
 *
 * Return: 0, or -EEXIST where @nb is registered already. Context: may sleep.
 */
int hybrid_notifier_register(struct notifier_block *nb);

/**
 * hybrid_notifier_unregister() - not any longer
 * @nb: is not running any more on return
 *
 * Return: 0, or -ENOENT where @nb is not registered. Context: may sleep.
 */
int hybrid_notifier_unregister(struct notifier_block *nb);

/**
 * hybrid_claim_pv_eoi() - say whose MSR_KVM_PV_EOI_EN is
 * @ours: true before pvirq.ko sets it on any CPU, false when it has cleared it on all
 *
 * Otherwise the next state would take it for the kernel's. Context: any.
 */
void hybrid_claim_pv_eoi(bool ours);

struct vcpu_info;

/**
 * hybrid_idle_upcall() - whether Xen's events need not interrupt this CPU while it polls
 * @info: its vcpu_info, until this is called again: a poll sets evtchn_upcall_pending, and looks at
 *	evtchn_pending_sel; NULL: they interrupt
 * @vector: that upcalls have, and an interrupt handler without an EOI: it is called as if interrupted
 *
 * Return: 0; -EOPNOTSUPP where the vector has no ordinary entry in the IDT, they interrupt then.
 * Context: a task that cannot leave this CPU, on each CPU for itself (CPU hotplug). Does not sleep.
 */
int hybrid_idle_upcall(struct vcpu_info *info, u8 vector);

/* What happened to an operation on this CPU since load. */
enum hybrid_count {
	HYBRID_COUNT_DONE,	/* took our path and still needed the exit */
	HYBRID_COUNT_AVOIDED,	/* took our path without an exit */
	HYBRID_COUNT_SPURIOUS,	/* our path was tried for nothing */
	HYBRID_COUNT_NR
};

/**
 * hybrid_count() - count one event of an operation on this CPU
 * @op: the operation, in range
 * @what: what happened to it, in range
 *
 * Context: any, NMI included.
 */
void hybrid_count(enum hybrid_op op, enum hybrid_count what);

/**
 * struct hybrid_host_irq - an interrupt of no device, for the host to send
 * @irq: its number, set by hybrid_host_irq_request()
 * @moved: it goes somewhere else now: the host has to be told this HYBRID_IRQ_... word
 *	(<hybrid/host.h>). Also before hybrid_host_irq_request() returns. In hardirq context or with
 *	interrupts off. NULL: it is not moved, nor may be (IRQF_NOBALANCING)
 */
struct hybrid_host_irq {
	unsigned int irq;
	void (*moved)(u64 word);
};

/**
 * hybrid_host_irq_request() - a vector, with IRQF_NOBALANCING on CPU 0
 * @h: stays where it is until hybrid_host_irq_free()
 * @handler: called in hardirq context, with @h
 * @flags: as for request_irq()
 * @name: for /proc/interrupts; stays
 *
 * It cannot be masked: before it is freed, the host has to have been told not to send it.
 *
 * Return: 0 or -ENOMEM, -ENOSPC (no vector is free). Context: sleeps.
 */
int hybrid_host_irq_request(struct hybrid_host_irq *h, irq_handler_t handler,
			    unsigned long flags, const char *name);

/* Where it goes: HYBRID_IRQ_... with HYBRID_IRQ_VALID. Context: any. */
u64 hybrid_host_irq_word(const struct hybrid_host_irq *h);

/* Not any longer. Its handler is not running on return. Context: sleeps. */
void hybrid_host_irq_free(struct hybrid_host_irq *h);

#endif
