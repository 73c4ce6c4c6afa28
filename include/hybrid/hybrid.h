/* SPDX-License-Identifier: GPL-2.0-only */
/* What hybrid.ko offers the other modules of the suite. */
#ifndef HYBRID_HYBRID_H
#define HYBRID_HYBRID_H

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
 *	what it published. It may sleep and call all of this header except these two functions.
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

#endif
