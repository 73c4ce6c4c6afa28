/* SPDX-License-Identifier: GPL-2.0-only */
/* Interrupts on and off inside of a cpuidle driver's ->enter(). */
#ifndef HYBRID_COMPAT_IDLE_H
#define HYBRID_COMPAT_IDLE_H

#include <linux/irqflags.h>
#include <linux/version.h>

/*
 * Since 6.3 cpuidle tells lockdep and the tracers that interrupts come on before it calls
 * ->enter(), which must use the raw ones and return with interrupts off. Before that, ->enter()
 * had to say it itself.
 */
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 3, 0)
#define compat_idle_irq_enable()	raw_local_irq_enable()
#define compat_idle_irq_disable()	raw_local_irq_disable()
#define compat_idle_halt()		raw_safe_halt()
#else
#define compat_idle_irq_enable()	local_irq_enable()
#define compat_idle_irq_disable()	local_irq_disable()
#define compat_idle_halt()		safe_halt()
#endif

#endif
