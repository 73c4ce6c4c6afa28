// SPDX-License-Identifier: GPL-2.0-only
/* The lazy back-end: an irq_chip that tells the device only what it has to know. */
#include <linux/bits.h>
#include <linux/io.h>
#include <linux/irq.h>
#include <linux/kernel.h>
#include <linux/ktime.h>
#include <linux/minmax.h>
#include <linux/slab.h>

#include <hybrid/hybrid.h>

#include "internal.h"
#include "mask.h"

void pvirq_count(struct pvirq_irq *i, enum pvirq_count what)
{
	i->count[what]++;
	switch (what) {
	case PVIRQ_COUNT_MASK_DONE:
	case PVIRQ_COUNT_UNMASK_DONE:
		hybrid_count(HYBRID_OP_MSI_MASK, HYBRID_COUNT_DONE);
		break;
	case PVIRQ_COUNT_MASK_AVOIDED:
	case PVIRQ_COUNT_UNMASK_AVOIDED:
		hybrid_count(HYBRID_OP_MSI_MASK, HYBRID_COUNT_AVOIDED);
		break;
	case PVIRQ_COUNT_MOVE_DONE:
		hybrid_count(HYBRID_OP_MSI_AFFINITY, HYBRID_COUNT_DONE);
		break;
	case PVIRQ_COUNT_MOVE_AVOIDED:
		hybrid_count(HYBRID_OP_MSI_AFFINITY, HYBRID_COUNT_AVOIDED);
		break;
	default:
		hybrid_count(HYBRID_OP_MSI_MASK, HYBRID_COUNT_SPURIOUS);
	}
}

static bool is_msix(const struct msi_desc *desc)
{
	return desc->pci.msi_attrib.is_msix;
}

static struct pvirq_entry to_entry(const struct msi_msg *m, u32 ctrl)
{
	return (struct pvirq_entry){ m->address_lo, m->address_hi, m->data, ctrl };
}

/* As the kernel does: what it does not hear now it is told when it is restored. */
static bool is_there(const struct pci_dev *pdev)
{
	return pdev->current_state == PCI_D0 && pdev->error_state != pci_channel_io_perm_failure;
}

static void __iomem *table_entry(const struct msi_desc *desc)
{
	return desc->pci.mask_base + desc->msi_index * PCI_MSIX_ENTRY_SIZE;
}

/*
 * Tries an 8-byte write in a masked entry. Leaves @e as what the entry then holds, which the
 * caller is about to write anyway.
 */
static void probe_width(struct pvirq_dev *dev, void __iomem *base, struct pvirq_entry *e)
{
	u64 probe = pvirq_message_probe(e);

	if (!(e->ctrl & PVIRQ_CTRL_MASKED)) {
		e->ctrl |= PVIRQ_CTRL_MASKED;
		writel(e->ctrl, base + PVIRQ_ENTRY_CTRL);
	}
	writeq(probe, base + PVIRQ_ENTRY_LO);
	e->lo = readl(base + PVIRQ_ENTRY_LO);
	e->hi = readl(base + PVIRQ_ENTRY_HI);
	WRITE_ONCE(dev->width, e->lo == lower_32_bits(probe) && e->hi == upper_32_bits(probe) ?
			       PVIRQ_WIDTH_WIDE : PVIRQ_WIDTH_NARROW);
}

/* A driver may ask to be told after its interrupt was taken over (ntb_msi). */
static void tell_hook(struct msi_desc *desc)
{
	if (desc->write_msi_msg)
		desc->write_msi_msg(desc, desc->write_msi_msg_data);
}

/*
 * Brings an MSI-X entry to the message that is wanted, and to @hard. As the kernel does: a device
 * that is not there is not told its message, which it is given when it is restored.
 */
static void write_entry(struct pvirq_irq *i, struct msi_desc *desc, bool hard)
{
	u32 ctrl = (desc->pci.msix_ctrl & ~PVIRQ_CTRL_MASKED) | (hard ? PVIRQ_CTRL_MASKED : 0);
	struct pvirq_entry from = to_entry(&desc->msg, desc->pci.msix_ctrl);
	bool tell = i->deferred && is_there(i->dev->pdev);
	struct pvirq_entry to = to_entry(tell ? &i->message : &desc->msg, ctrl);
	bool trapped = READ_ONCE(i->dev->trapped);
	struct pvirq_write w[PVIRQ_WRITES_MAX];
	void __iomem *base = table_entry(desc);
	unsigned int changed = 0, n, k;
	bool wide;

	if (tell) {
		if (trapped && READ_ONCE(i->dev->width) == PVIRQ_WIDTH_UNKNOWN)
			probe_width(i->dev, base, &from);
		changed = i->stale ? PVIRQ_CHANGED_ALL : pvirq_message_changed(&from, &to);
	}
	/* Silicon would gain nothing by it, and may act otherwise than it reads. */
	wide = trapped && READ_ONCE(i->dev->width) == PVIRQ_WIDTH_WIDE;
	n = pvirq_message_plan(w, &from, &to, changed, wide);
	/* First, as the kernel does: it may be restoring the device by this, with another lock. */
	desc->pci.msix_ctrl = ctrl;
	for (k = 0; k < n; k++) {
		if (w[k].bytes == 8)
			writeq(w[k].value, base + w[k].offset);
		else
			writel(w[k].value, base + w[k].offset);
	}
	/* The kernel flushes the same, masks and messages, but not unmasks. */
	if (n && (tell || hard) && !trapped)
		readl(base + PVIRQ_ENTRY_DATA);

	if (!i->deferred)
		return;
	i->stale = !tell;
	i->deferred = false;
	desc->msg = i->message;
	tell_hook(desc);
	pvirq_count(i, PVIRQ_COUNT_MOVE_DONE);
}

void pvirq_lazy_tell(struct pvirq_irq *i, struct msi_desc *desc, const struct msi_msg *msg,
		     bool hard)
{
	i->message = *msg;
	i->deferred = true;
	i->stale = true;
	write_entry(i, desc, hard);
}

static void write_mask(struct pvirq_irq *i, struct irq_data *data, bool hard)
{
	struct msi_desc *desc = irq_data_get_msi_desc(data);

	if (is_msix(desc))
		write_entry(i, desc, hard);
	else if (hard)
		i->orig->irq_mask(data);
	else
		i->orig->irq_unmask(data);
}

/* Returns true if the device was told. */
static bool step(struct pvirq_irq *i, struct irq_data *data, enum pvirq_mask_event event)
{
	struct pvirq_mask m = {
		.soft = i->soft,
		.hard = pvirq_is_hard(irq_data_get_msi_desc(data)),
		.again = i->again,
		.acking = i->acking,
	};
	bool write = pvirq_mask_step(&m, event);

	i->soft = m.soft;
	i->again = m.again;
	i->acking = m.acking;
	if (write)
		write_mask(i, data, m.hard);
	return write;
}

static void lazy_mask(struct irq_data *data)
{
	struct pvirq_irq *i = pvirq_to_irq(data);

	/* A pending move, see PVIRQ_ACKED. */
	if (i->acking)
		return;
	if (!i->mask) {
		i->orig->irq_mask(data);
		return;
	}
	pvirq_count(i, step(i, data, PVIRQ_MASK) ? PVIRQ_COUNT_MASK_DONE : PVIRQ_COUNT_MASK_AVOIDED);
}

/* The only one of these that runs for an interrupt, and only for one that may not run now. */
static void lazy_mask_ack(struct irq_data *data)
{
	struct pvirq_irq *i = pvirq_to_irq(data);

	if (i->mask) {
		bool masked = i->soft;

		if (step(i, data, PVIRQ_MASK_ACK))
			pvirq_count(i, masked ? PVIRQ_COUNT_REMASK : PVIRQ_COUNT_MASK_DONE);
		else if (!masked)
			pvirq_count(i, PVIRQ_COUNT_MASK_AVOIDED);
	} else if (!irqd_irq_masked(data)) {
		i->orig->irq_mask(data);
	}
	i->acking = true;
	pvirq_eoi_ack(data);
	step(i, data, PVIRQ_ACKED);
}

static void lazy_unmask(struct irq_data *data)
{
	struct pvirq_irq *i = pvirq_to_irq(data);

	if (i->acking)
		return;
	if (!i->mask && !i->deferred) {
		i->orig->irq_unmask(data);
		return;
	}
	pvirq_count(i, step(i, data, PVIRQ_UNMASK) ? PVIRQ_COUNT_UNMASK_DONE :
					       PVIRQ_COUNT_UNMASK_AVOIDED);
}

/* Its vector goes away next: the device has to be quiet. */
static void lazy_shutdown(struct irq_data *data)
{
	struct pvirq_irq *i = pvirq_to_irq(data);

	if (!i->mask) {
		i->orig->irq_mask(data);
		return;
	}
	pvirq_count(i, step(i, data, PVIRQ_SHUTDOWN) ? PVIRQ_COUNT_MASK_DONE :
						 PVIRQ_COUNT_MASK_AVOIDED);
}

/* What pci_write_msg_msi() does, without its accesses to what stays the same. */
static void write_config(struct pvirq_irq *i, struct msi_desc *desc, const struct msi_msg *msg)
{
	struct pvirq_entry from = to_entry(&desc->msg, 0);
	struct pvirq_entry to = to_entry(msg, 0);
	struct pci_dev *pdev = i->dev->pdev;
	struct pvirq_write w[PVIRQ_WRITES_MAX];
	bool there = is_there(pdev);
	unsigned int n, k;
	u16 flags;

	n = pvirq_message_plan_config(w, &from, &to, desc->pci.msi_attrib.is_64);
	if (there) {
		for (k = 0; k < n; k++) {
			if (w[k].bytes == 2)
				pci_write_config_word(pdev, pdev->msi_cap + w[k].offset, w[k].value);
			else
				pci_write_config_dword(pdev, pdev->msi_cap + w[k].offset, w[k].value);
		}
		if (n && !READ_ONCE(i->dev->trapped))
			pci_read_config_word(pdev, pdev->msi_cap + PCI_MSI_FLAGS, &flags);
	}
	i->stale = !there;
	desc->msg = *msg;
	pvirq_count(i, n ? PVIRQ_COUNT_MOVE_DONE : PVIRQ_COUNT_MOVE_AVOIDED);
}

/* As the kernel does it, with all words. */
static void write_native(struct pvirq_irq *i, struct irq_data *data, struct msi_msg *msg)
{
	i->deferred = false;
	i->orig->irq_write_msi_msg(data, msg);
	i->stale = pvirq_is_nothing(msg) || !is_there(i->dev->pdev);
}

static void lazy_write_msg(struct irq_data *data, struct msi_msg *msg)
{
	struct pvirq_irq *i = pvirq_to_irq(data);
	struct msi_desc *desc = irq_data_get_msi_desc(data);
	struct pvirq_entry from = to_entry(&desc->msg, 0), to = to_entry(msg, 0);
	unsigned int changed = pvirq_message_changed(&from, &to);
	struct pci_dev *pdev = i->dev->pdev;

	i->settling = true;
	/* Until it is activated again the device may be reset, of which nobody tells. */
	i->stale |= pvirq_is_nothing(msg);
	/* The core has masked it, and trusts that no interrupt sees half of the message. */
	if (!is_msix(desc) && i->soft && (i->stale || pvirq_message_torn(changed)))
		step(i, data, PVIRQ_SETTLE);
	/* Who wants to see messages sees each. */
	if (!i->move || desc->write_msi_msg) {
		write_native(i, data, msg);
		return;
	}
	/* It is deactivated. A device that is masked keeps its message, and none that is off acts. */
	if (pvirq_is_nothing(msg) && desc->pci.msi_attrib.can_mask) {
		i->deferred = false;
		if (!pvirq_is_hard(desc) && (pdev->msi_enabled || pdev->msix_enabled))
			write_mask(i, data, true);
		pvirq_count(i, PVIRQ_COUNT_MOVE_AVOIDED);
		return;
	}
	if (!is_msix(desc) && i->stale) {
		write_native(i, data, msg);
		pvirq_count(i, PVIRQ_COUNT_MOVE_DONE);
		return;
	}
	if (!is_msix(desc)) {
		write_config(i, desc, msg);
		return;
	}
	i->message = *msg;
	i->deferred = i->stale || changed;
	if (!i->deferred)
		pvirq_count(i, PVIRQ_COUNT_MOVE_AVOIDED);
	else if (!i->moving && !pvirq_is_hard(desc))
		write_entry(i, desc, false);
}

static int lazy_set_affinity(struct irq_data *data, const struct cpumask *mask, bool force)
{
	struct pvirq_irq *i = pvirq_to_irq(data);
	struct msi_desc *desc = irq_data_get_msi_desc(data);
	int ret;

	/*
	 * The kernel first sends the interrupt to its new vector on the old CPU, as it cannot
	 * change address and data at once. Ours changes them behind the mask bit: only the last
	 * message counts, and no interrupt can go astray meanwhile.
	 */
	i->moving = true;
	ret = i->orig->irq_set_affinity(data, mask, force);
	i->moving = false;
	if (i->deferred && !pvirq_is_hard(desc))
		write_entry(i, desc, false);
	return ret;
}

/*
 * After a move the kernel looks whether its new vector is pending on the old CPU, where it may
 * be somebody else's. Ours never went there.
 */
static int lazy_retrigger(struct irq_data *data)
{
	struct pvirq_irq *i = pvirq_to_irq(data);

	const struct msi_desc *desc = irq_data_get_msi_desc(data);

	if (i->moving && i->move && is_msix(desc) && !desc->write_msi_msg)
		return 1;
	return i->orig->irq_retrigger(data);
}

static int lazy_prepare(struct pvirq_irq *i, struct irq_data *data)
{
	i->chip = *i->orig;
	i->chip.irq_ack = pvirq_eoi_ack;
	i->chip.irq_mask = lazy_mask;
	i->chip.irq_mask_ack = lazy_mask_ack;
	i->chip.irq_unmask = lazy_unmask;
	i->chip.irq_shutdown = lazy_shutdown;
	i->chip.irq_write_msi_msg = lazy_write_msg;
	i->chip.irq_set_affinity = lazy_set_affinity;
	i->chip.irq_retrigger = lazy_retrigger;
	return 0;
}

static bool lazy_ours(const struct irq_chip *chip)
{
	return chip->irq_write_msi_msg == lazy_write_msg;
}

static void set_mode(struct pvirq_irq *i, struct irq_data *data, bool mask, bool move)
{
	struct msi_desc *desc = irq_data_get_msi_desc(data);

	if (i->mask && !mask) {
		step(i, data, PVIRQ_SETTLE);
		i->soft = false;
	}
	if (i->deferred && !move)
		write_entry(i, desc, pvirq_is_hard(desc));
	i->mask = mask;
	i->move = move;
}

static void lazy_mode(struct pvirq_irq *i, struct irq_data *data, bool mask, bool move)
{
	struct irq_desc *desc = irq_data_to_desc(data);
	unsigned long flags;

	raw_spin_lock_irqsave(&desc->lock, flags);
	set_mode(i, data, mask, move);
	raw_spin_unlock_irqrestore(&desc->lock, flags);
}

static void lazy_leave(struct pvirq_irq *i, struct irq_data *data)
{
	struct irq_desc *desc = irq_data_to_desc(data);
	struct msi_msg nothing[2] = {};
	unsigned long flags;

	raw_spin_lock_irqsave(&desc->lock, flags);
	set_mode(i, data, false, false);
	if (!irqd_is_activated(data))
		i->orig->irq_write_msi_msg(data, nothing);
	raw_spin_unlock_irqrestore(&desc->lock, flags);
}

const struct pvirq_backend pvirq_lazy = {
	.path = HYBRID_PATH_LAZY,
	.prepare = lazy_prepare,
	.mode = lazy_mode,
	.leave = lazy_leave,
	.ours = lazy_ours,
};

#define MEASURE_ROUNDS	3

static u64 time_access(struct pci_dev *pdev, struct msi_desc *desc)
{
	struct irq_desc *irq = irq_data_to_desc(irq_get_irq_data(desc->irq));
	unsigned long flags;
	u64 start, ns;
	u16 word;

	if (!is_msix(desc)) {
		start = ktime_get_ns();
		pci_read_config_word(pdev, pdev->msi_cap + PCI_MSI_FLAGS, &word);
		return ktime_get_ns() - start;
	}
	/* A write: silicon may be slow to answer a read, but nobody waits for a write. */
	raw_spin_lock_irqsave(&irq->lock, flags);
	start = ktime_get_ns();
	writel(desc->pci.msix_ctrl, table_entry(desc) + PVIRQ_ENTRY_CTRL);
	ns = ktime_get_ns() - start;
	raw_spin_unlock_irqrestore(&irq->lock, flags);
	return ns;
}

void pvirq_lazy_measure(struct pvirq_dev *dev, struct msi_desc *desc)
{
	u64 start, clock = U64_MAX, access = U64_MAX;
	struct hybrid_state *s;
	unsigned int k;

	if (!is_there(dev->pdev))
		return;
	s = kmalloc(sizeof(*s), GFP_KERNEL);
	if (!s)
		return;
	/* A longer one may have been interrupted; the shortest decides. */
	for (k = 0; k < MEASURE_ROUNDS; k++) {
		start = ktime_get_ns();
		clock = min(clock, ktime_get_ns() - start);
		access = min(access, time_access(dev->pdev, desc));
	}
	hybrid_state_get(s);
	WRITE_ONCE(dev->trapped, pvirq_table_trapped(access, clock, s->cost.exit_ns));
	dev->measured = true;
	kfree(s);
}
