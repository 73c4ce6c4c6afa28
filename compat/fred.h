/* SPDX-License-Identifier: GPL-2.0-only */
/* Do interrupts enter the kernel by the IDT? */
#ifndef HYBRID_COMPAT_FRED_H
#define HYBRID_COMPAT_FRED_H

#include <linux/types.h>

#include <asm/cpufeature.h>

/* Since 6.9 a kernel may use FRED's single entry instead. */
static inline bool compat_uses_fred(void)
{
#ifdef X86_FEATURE_FRED
	return cpu_feature_enabled(X86_FEATURE_FRED);
#else
	return false;
#endif
}

#endif
