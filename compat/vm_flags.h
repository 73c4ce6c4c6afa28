/* SPDX-License-Identifier: GPL-2.0-only */
/* Flags of a mapping have setters since 6.3. */
#ifndef HYBRID_COMPAT_VM_FLAGS_H
#define HYBRID_COMPAT_VM_FLAGS_H

#include <linux/mm.h>
#include <linux/version.h>

/**
 * compat_vm_flags_mod() - set and clear flags of a mapping that is being made
 * @vma: the mapping, in its ->mmap()
 * @set: VM_ flags to set
 * @clear: VM_ flags to clear
 */
static inline void compat_vm_flags_mod(struct vm_area_struct *vma, unsigned long set,
				       unsigned long clear)
{
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 3, 0)
	vm_flags_mod(vma, set, clear);
#else
	vma->vm_flags = (vma->vm_flags | set) & ~clear;
#endif
}

#endif
