// SPDX-License-Identifier: GPL-2.0-only
/*
 * Interrupts that the host sends by itself, of no device: a vector of the CPUs', in a domain of
 * our own on top of theirs.
 */
#include <linux/cpumask.h>
#include <linux/err.h>
#include <linux/export.h>
#include <linux/interrupt.h>
#include <linux/irq.h>
#include <linux/irqdomain.h>
#include <linux/mutex.h>

#include <asm/apic.h>
#include <asm/hw_irq.h>
#include <asm/irqdomain.h>

#include <hybrid/host.h>
#include <hybrid/hybrid.h>

#include "internal.h"

static DEFINE_MUTEX(domain_mutex);
static struct irq_domain *domain;	/* made for the first, stays until the module goes */
static struct fwnode_handle *fwnode;

static u64 word_of(struct irq_data *data)
{
	const struct irq_cfg *cfg = irqd_cfg(data);

	return (u64)cfg->dest_apicid << HYBRID_IRQ_DEST_SHIFT | HYBRID_IRQ_VALID | cfg->vector |
	       (apic->dest_mode_logical ? HYBRID_IRQ_LOGICAL : 0);
}

static int set_affinity(struct irq_data *data, const struct cpumask *mask, bool force)
{
	const struct hybrid_host_irq *h = irq_data_get_irq_chip_data(data);
	int ret = irq_chip_set_affinity_parent(data, mask, force);

	if (ret >= 0 && ret != IRQ_SET_MASK_OK_DONE && h->moved)
		h->moved(word_of(data));
	return ret;
}

/* There is nothing to mask: who does not want it any more takes the word back first. */
static void no_mask(struct irq_data *data)
{
}

static struct irq_chip chip = {
	.name			= "hybrid-host",
	.irq_mask		= no_mask,
	.irq_unmask		= no_mask,
	.irq_ack		= irq_chip_ack_parent,
	.irq_set_affinity	= set_affinity,
	.irq_retrigger		= irq_chip_retrigger_hierarchy,
	.flags			= IRQCHIP_SKIP_SET_WAKE,
};

static int alloc(struct irq_domain *d, unsigned int irq, unsigned int nr, void *arg)
{
	struct irq_alloc_info info = { .mask = cpumask_of(0) };
	int err = irq_domain_alloc_irqs_parent(d, irq, nr, &info);

	if (!err)
		irq_domain_set_info(d, irq, irq, &chip, arg, handle_edge_irq, NULL, "edge");
	return err;
}

static const struct irq_domain_ops ops = {
	.alloc	= alloc,
	.free	= irq_domain_free_irqs_common,
};

static int make_domain(void)
{
	int err = 0;

	mutex_lock(&domain_mutex);
	if (domain)
		goto unlock;
	err = -ENOMEM;
	fwnode = irq_domain_alloc_named_fwnode("hybrid-host");
	if (!fwnode)
		goto unlock;
	domain = irq_domain_create_hierarchy(x86_vector_domain, 0, 0, fwnode, &ops, NULL);
	if (IS_ERR_OR_NULL(domain)) {
		domain = NULL;
		irq_domain_free_fwnode(fwnode);
		goto unlock;
	}
	err = 0;
unlock:
	mutex_unlock(&domain_mutex);
	return err;
}

int hybrid_host_irq_request(struct hybrid_host_irq *h, irq_handler_t handler,
			    unsigned long flags, const char *name)
{
	int irq, err = make_domain();

	if (err)
		return err;
	irq = irq_domain_alloc_irqs(domain, 1, NUMA_NO_NODE, h);
	if (irq < 0)
		return irq;
	h->irq = irq;
	/* One that nobody moves is where it was allocated, not where the default affinity would have it. */
	if (flags & IRQF_NOBALANCING)
		err = irq_set_affinity(irq, cpumask_of(0));
	err = err ?: request_irq(irq, handler, flags, name, h);
	if (err)
		irq_dispose_mapping(irq);
	return err;
}
EXPORT_SYMBOL_GPL(hybrid_host_irq_request);

u64 hybrid_host_irq_word(const struct hybrid_host_irq *h)
{
	return word_of(irq_get_irq_data(h->irq));
}
EXPORT_SYMBOL_GPL(hybrid_host_irq_word);

void hybrid_host_irq_free(struct hybrid_host_irq *h)
{
	free_irq(h->irq, h);
	irq_dispose_mapping(h->irq);
}
EXPORT_SYMBOL_GPL(hybrid_host_irq_free);

void hybrid_host_irq_exit(void)
{
	if (!domain)
		return;
	irq_domain_remove(domain);
	irq_domain_free_fwnode(fwnode);
}
