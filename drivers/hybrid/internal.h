/* SPDX-License-Identifier: GPL-2.0-only */
/* Between the files of hybrid.ko. */
#ifndef HYBRID_INTERNAL_H
#define HYBRID_INTERNAL_H

#include <hybrid/hybrid.h>

/* main.c */

/* Decides anew after a parameter changed; does nothing while nothing is published. */
int hybrid_redecide(void);
/* Copies the snapshot that the current state was made from. */
void hybrid_snapshot_get(struct hybrid_snapshot *out);
/* The sum over all CPUs. */
u64 hybrid_count_sum(enum hybrid_op op, enum hybrid_count what);

/* params.c */
void hybrid_params_get(struct hybrid_policy_params *out);
unsigned int hybrid_params_idle_percent(void);

/* platform.c */
void hybrid_platform_snapshot(struct hybrid_snapshot *s);

/* cost.c */
void hybrid_cost_measure(struct hybrid_cost *cost, const struct hybrid_caps *caps);

/* idle.c */
struct cpuidle_driver;

/* Sums over all CPUs since load; POLLED is in nanoseconds. */
enum hybrid_idle_count {
	HYBRID_IDLE_ENTRIES,	/* sleeps, each woken up by whatever interrupt */
	HYBRID_IDLE_WON,	/* polled, and did not halt */
	HYBRID_IDLE_LOST,	/* polled in vain */
	HYBRID_IDLE_POLLED,
	HYBRID_IDLE_HALTS,
	HYBRID_IDLE_IPIS,	/* won, and no interrupt ended it: an IPI was not sent */
	HYBRID_IDLE_UPCALLS,	/* Xen's, not sent as the poll saw the event */
	HYBRID_IDLE_NR
};

/*
 * Follows the decision on idle; @percent scales what a halt is taken to cost. Serialised by
 * the caller, as is hybrid_idle_stop(). May sleep.
 */
int hybrid_idle_apply(const struct hybrid_state *s, unsigned int percent);
void hybrid_idle_stop(void);
bool hybrid_idle_ours(const struct cpuidle_driver *drv);
/* Whether it saves something at present, and if not, why: one HYBRID_WHY_... */
enum hybrid_reason hybrid_idle_why(void);
u64 hybrid_idle_count(enum hybrid_idle_count what);
/* Nanoseconds that halting and being woken up cost, 0 where HLT does not exit. May sleep. */
u32 hybrid_idle_measure(u32 exit_ns);

/* upcall.c: both with interrupts on, in the idle task */

/* Serves the events that have come; false if there are none. From the first call on, none interrupts. */
bool hybrid_upcall_poll(void);
/* They interrupt again. */
void hybrid_upcall_end(void);

/* hostirq.c */
/* When nobody has one any more. */
void hybrid_host_irq_exit(void);

/* sysfs.c */
int hybrid_sysfs_create(void);
void hybrid_sysfs_remove(void);

/* debugfs.c */
void hybrid_debugfs_create(void);
void hybrid_debugfs_remove(void);

#endif
