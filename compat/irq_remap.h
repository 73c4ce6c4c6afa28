/* SPDX-License-Identifier: GPL-2.0-only */
/* Does interrupt remapping stand between a device's MSIs and the CPUs? */
#ifndef HYBRID_COMPAT_IRQ_REMAP_H
#define HYBRID_COMPAT_IRQ_REMAP_H

#include <linux/device.h>
#include <linux/irqdomain.h>
#include <linux/msi.h>
#include <linux/version.h>

#include <asm/irqdomain.h>

/**
 * compat_irq_remapped() - true if @dev's MSIs go through an interrupt remapping unit
 * @dev: a device whose MSI domain cannot go away meanwhile
 */
static inline bool compat_irq_remapped(struct device *dev)
{
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 3, 0)
	return msi_device_has_isolated_msi(dev);
#else
	/* A device's MSI domain sits right on the vectors, or on a remapping domain. */
	struct irq_domain *msi = dev_get_msi_domain(dev);

	return msi && msi->parent && msi->parent != x86_vector_domain;
#endif
}

#endif
