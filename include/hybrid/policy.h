/* SPDX-License-Identifier: GPL-2.0-only */
/* Which path each operation takes, and why (pure). */
#ifndef HYBRID_POLICY_H
#define HYBRID_POLICY_H

#include <hybrid/cost.h>

enum hybrid_op {
	HYBRID_OP_EOI,
	HYBRID_OP_MSI_MASK,
	HYBRID_OP_MSI_AFFINITY,
	HYBRID_OP_IPI,
	HYBRID_OP_IDLE,
	HYBRID_OP_TIMER,
	HYBRID_OP_NR
};

enum hybrid_path {
	HYBRID_PATH_KERNEL,	/* what the kernel does without us */
	HYBRID_PATH_POLL,	/* idle: poll for as long as halting costs, then halt */
	HYBRID_PATH_LAZY,	/* MSIs: the device is told only what it has to know (pvirq.ko) */
	HYBRID_PATH_PV_EOI,	/* EOI: KVM's flag in memory, served by pvirq.ko */
	HYBRID_PATH_EVTCHN,	/* MSIs and their EOIs: as Xen's event channels (pvirq.ko) */
	HYBRID_PATH_HYPERCALL,	/* MSIs: by the ABI of a host that knows us (pvirq.ko) */
	HYBRID_PATH_NR
};

/* Why. One word for programs (hybrid_reason_name()), one sentence for people. */
enum hybrid_reason {
	HYBRID_WHY_BARE_METAL,		/* no hypervisor: nothing exits */
	HYBRID_WHY_EMULATED,		/* an emulator: nothing exits */
	HYBRID_WHY_UNKNOWN_HV,		/* a hypervisor we do not know: touch nothing */
	HYBRID_WHY_XEN_PV,		/* a PV domain has no LAPIC and no HLT of its own */
	HYBRID_WHY_APIC_VIRT,		/* the hardware avoids the exit */
	HYBRID_WHY_KERNEL_PV,		/* the kernel's own paravirtual path is on */
	HYBRID_WHY_IRQ_REMAP,		/* interrupt remapping keeps the device out of it */
	HYBRID_WHY_ONE_CPU,		/* there is no other CPU */
	HYBRID_WHY_KERNEL_IDLE,		/* a cpuidle driver, haltpoll or idle=poll is active */
	HYBRID_WHY_NOT_WORTH,		/* measured: too little to gain */
	HYBRID_WHY_NOT_BUILT,		/* an exit could be saved, we have no code for it */
	HYBRID_WHY_NO_EXIT,		/* it does not exit here, or that was not measured */
	HYBRID_WHY_NO_STEAL_TIME,	/* nobody would tell us that the host is overcommitted */
	HYBRID_WHY_OVERCOMMIT,		/* the host has no processor time to spare */
	HYBRID_WHY_NO_GAIN,		/* our path is ready, but saves nothing at present */
	HYBRID_WHY_SAVES,		/* our path saves exits */
	HYBRID_WHY_TABLE_EXITS,		/* each access to a device's MSI table exits */
	HYBRID_WHY_EOI_FLAG,		/* the host takes a flag in memory for an EOI */
	HYBRID_WHY_ENCRYPTED,		/* the host cannot read what we would tell it */
	HYBRID_WHY_HOST_ABI,		/* the host takes it from shared memory */
	HYBRID_WHY_NO_PIRQS,		/* Xen has no pirqs for this guest */
	HYBRID_WHY_XEN_UPCALL,		/* the kernel's own upcalls go through the LAPIC for good */
	HYBRID_WHY_EVENTS,		/* an event channel needs neither an EOI nor the table */
	HYBRID_WHY_OPERATOR,		/* a module parameter says so */
	HYBRID_WHY_NR
};

/* Per operation, what the operator asked for. */
enum hybrid_want {
	HYBRID_WANT_AUTO,
	HYBRID_WANT_KERNEL,
	HYBRID_WANT_POLL,		/* idle only */
	HYBRID_WANT_NR
};

struct hybrid_policy_params {
	enum hybrid_want want[HYBRID_OP_NR];
};

struct hybrid_decision {
	enum hybrid_path path;
	enum hybrid_reason why;
};

struct hybrid_policy {
	struct hybrid_decision op[HYBRID_OP_NR];
};

void hybrid_policy_decide(struct hybrid_policy *p, const struct hybrid_caps *caps,
			  const struct hybrid_cost *cost,
			  const struct hybrid_policy_params *params);

/**
 * hybrid_policy_parse() - read one operation's parameter
 * @op: whose
 * @word: "auto" or the name of a path that @op has; one trailing newline is allowed
 * @want: set on success only
 *
 * Return: 0, or -EINVAL for anything else.
 */
int hybrid_policy_parse(enum hybrid_op op, const char *word, enum hybrid_want *want);

const char *hybrid_op_name(enum hybrid_op op);
/* One word; "invalid" for values out of range. Exported; any context. */
const char *hybrid_path_name(enum hybrid_path path);
const char *hybrid_reason_name(enum hybrid_reason why);
/* One sentence on @why for @op, in words an operator understands. */
const char *hybrid_reason_text(enum hybrid_op op, enum hybrid_reason why);
const char *hybrid_want_name(enum hybrid_want want);

#endif
