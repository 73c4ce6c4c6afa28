/* SPDX-License-Identifier: GPL-2.0-only */
/* The little of <linux/sched.h> that the KUnit suites need, for user space. */
#ifndef SHIM_LINUX_SCHED_H
#define SHIM_LINUX_SCHED_H

static inline void cond_resched(void)
{
}

#endif
