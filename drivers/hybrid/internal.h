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

/* platform.c */
void hybrid_platform_snapshot(struct hybrid_snapshot *s);

/* cost.c */
void hybrid_cost_measure(struct hybrid_cost *cost, const struct hybrid_caps *caps);

/* sysfs.c */
int hybrid_sysfs_create(void);
void hybrid_sysfs_remove(void);

/* debugfs.c */
void hybrid_debugfs_create(void);
void hybrid_debugfs_remove(void);

#endif
