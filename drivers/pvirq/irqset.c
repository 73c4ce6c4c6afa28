// SPDX-License-Identifier: GPL-2.0-only
/*
 * Which interrupts there are, and which of them are ours.
 *
 * Locks, outermost first: a device's device_lock, irqs_mutex, the device's MSI mutex, an
 * interrupt's desc->lock. device_lock keeps the device's MSI data; its MSI mutex keeps the
 * interrupts.
 */
#include <linux/delay.h>
#include <linux/device.h>
#include <linux/interrupt.h>
#include <linux/irq.h>
#include <linux/irqdomain.h>
#include <linux/jiffies.h>
#include <linux/kstrtox.h>
#include <linux/lockdep.h>
#include <linux/mutex.h>
#include <linux/rcupdate.h>
#include <linux/sched/mm.h>
#include <linux/seq_file.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/workqueue.h>

#include <asm/hw_irq.h>
#include <asm/irqdomain.h>

#include <hybrid/hybrid.h>

#include "internal.h"

/* Those that there are; what is not among them is served by the last one, which always works. */
static const struct pvirq_backend *const backends[] = {
	&pvirq_evtchn, &pvirq_hypercall, &pvirq_pv_eoi, &pvirq_lazy
};

static DEFINE_MUTEX(irqs_mutex);
static LIST_HEAD(devices);
static LIST_HEAD(graveyard);
static bool suspended;
static bool operator_lazy;	/* somebody has asked for lazy */

/* Who looks at a chip without a lock may have been preempted, or interrupted an idle CPU. */
static void bury(struct work_struct *work)
{
	struct pvirq_irq *i, *next;
	LIST_HEAD(dead);

	mutex_lock(&irqs_mutex);
	list_splice_init(&graveyard, &dead);
	mutex_unlock(&irqs_mutex);
	synchronize_rcu_tasks();
	synchronize_rcu();
	list_for_each_entry_safe(i, next, &dead, node)
		kfree(i);
}

static DECLARE_WORK(bury_work, bury);

bool pvirq_ours(const struct irq_chip *chip)
{
	unsigned int b;

	for (b = 0; b < ARRAY_SIZE(backends); b++)
		if (backends[b]->ours(chip))
			return true;
	return false;
}

static const struct pvirq_backend *find_backend(enum hybrid_path path)
{
	unsigned int b;

	for (b = 0; b < ARRAY_SIZE(backends) - 1; b++)
		if (backends[b]->path == path)
			break;
	return backends[b];
}

static struct pvirq_dev *find_device(const struct pci_dev *pdev)
{
	struct pvirq_dev *dev;

	lockdep_assert_held(&irqs_mutex);
	list_for_each_entry(dev, &devices, node)
		if (dev->pdev == pdev)
			return dev;
	return NULL;
}

static struct pvirq_irq *find_irq(struct pvirq_dev *dev, unsigned int irq)
{
	struct pvirq_irq *i;

	list_for_each_entry(i, &dev->irqs, node)
		if (i->irq == irq)
			return i;
	return NULL;
}

static struct pvirq_dev *add_device(struct pci_dev *pdev)
{
	struct pvirq_dev *dev = kzalloc(sizeof(*dev), GFP_KERNEL);

	if (!dev)
		return NULL;
	dev->pdev = pci_dev_get(pdev);
	INIT_LIST_HEAD(&dev->irqs);
	dev->want = pvirq_skipped(pdev) ? PVIRQ_WANT_KERNEL : PVIRQ_WANT_AUTO;
	list_add_tail(&dev->node, &devices);
	return dev;
}

static struct pvirq_irq *add_irq(struct pvirq_dev *dev, const struct msi_desc *desc)
{
	struct pvirq_irq *i = kzalloc(sizeof(*i), GFP_KERNEL);

	if (!i)
		return NULL;
	i->dev = dev;
	i->desc = desc;
	i->irq = desc->irq;
	list_add_tail(&i->node, &dev->irqs);
	return i;
}

static void drop_irq(struct pvirq_irq *i)
{
	if (i->backend && i->backend->drop)
		i->backend->drop(i);
	list_move(&i->node, &graveyard);
	queue_work(system_long_wq, &bury_work);
}

static void drop_device(struct pvirq_dev *dev)
{
	struct pvirq_irq *i, *next;

	list_for_each_entry_safe(i, next, &dev->irqs, node)
		drop_irq(i);
	list_del(&dev->node);
	pci_dev_put(dev->pdev);
	kfree(dev);
}

/*
 * What the kernel's PCI chip on the CPUs' vectors has, and nothing more. Hyper-V's composes
 * messages, for example.
 */
static bool plain_chip(const struct irq_chip *c)
{
	return c->irq_mask && c->irq_unmask && c->irq_ack && c->irq_write_msi_msg &&
	       c->irq_set_affinity && c->irq_retrigger && !c->irq_compose_msi_msg &&
	       !c->irq_mask_ack && !c->irq_eoi && !c->irq_startup && !c->irq_shutdown &&
	       !c->irq_enable && !c->irq_disable && !c->irq_bus_lock &&
	       !c->irq_request_resources;
}

static struct pvirq_facts facts_of(const struct msi_desc *desc, struct irq_data *data,
				   const struct irq_chip *chip)
{
	struct irq_data *parent = data->parent_data;

	return (struct pvirq_facts){
		.has_parent = parent,
		.on_vectors = parent && parent->domain == x86_vector_domain,
		.plain_chip = plain_chip(chip),
		.edge = irq_data_to_desc(data)->handle_irq == handle_edge_irq,
		.hooked = desc->write_msi_msg,
		.msix = desc->pci.msi_attrib.is_msix,
		.can_mask = desc->pci.msi_attrib.can_mask,
		.vectors = desc->nvec_used,
	};
}

static void take(struct pvirq_irq *i, struct irq_data *data, const struct pvirq_verdict *v)
{
	const struct pvirq_backend *b = find_backend(v->path);

	i->orig = data->chip;
	i->mask = v->mask;
	i->move = v->move;
	i->eoi = v->eoi;
	i->settling = true;
	i->soft = false;
	i->again = false;
	i->acking = false;
	i->moving = false;
	i->deferred = false;
	/* Nobody knows whether the device still holds what the msi_desc says. */
	i->stale = true;
	memset(i->count, 0, sizeof(i->count));
	if (b->prepare(i, data)) {
		b = &pvirq_lazy;
		b->prepare(i, data);
	}
	if (irq_set_chip(i->irq, &i->chip)) {
		if (b->drop)
			b->drop(i);
		return;
	}
	i->backend = b;
	if (b->entered)
		b->entered(i, data);
}

static void give_back(struct pvirq_irq *i, struct irq_data *data)
{
	if (i->backend->leave)
		i->backend->leave(i, data);
	irq_set_chip(i->irq, i->orig);
	/* A flow handler may have looked the chip up before. */
	synchronize_hardirq(i->irq);
	i->backend = NULL;
}

/* The interrupt that @i was about may be gone, and its number somebody else's. */
static bool still_ours(const struct pvirq_irq *i)
{
	const struct irq_data *data;
	bool ours;

	rcu_read_lock();
	data = irq_get_irq_data(i->irq);
	ours = i->backend && data && data->chip == &i->chip;
	rcu_read_unlock();
	return ours;
}

static enum hybrid_path policy(enum hybrid_op op)
{
	enum hybrid_path path = hybrid_path(op);

	return path == HYBRID_PATH_HYPERCALL && pvirq_hypercall_refused() ? HYBRID_PATH_LAZY : path;
}

static void look_at(struct pvirq_dev *dev, struct msi_desc *desc)
{
	struct irq_data *data = irq_get_irq_data(desc->irq);
	struct pvirq_irq *i = find_irq(dev, desc->irq);
	struct pvirq_wishes wishes;
	struct pvirq_verdict v;
	struct pvirq_facts facts;

	if (!data)
		return;
	/* Its number is another interrupt's now: neither its chip nor the operator's wish is. */
	if (i && (i->desc != desc || (i->backend && !still_ours(i)))) {
		drop_irq(i);
		i = NULL;
	}
	if (!i)
		i = add_irq(dev, desc);
	if (!i)
		return;

	facts = facts_of(desc, data, i->backend ? i->orig : data->chip);
	wishes = (struct pvirq_wishes){
		.policy_mask = policy(HYBRID_OP_MSI_MASK),
		.policy_move = policy(HYBRID_OP_MSI_AFFINITY),
		.policy_eoi = hybrid_path(HYBRID_OP_EOI),
		.device = dev->want,
		.irq = i->want,
		.force = pvirq_force(),
	};
	v = pvirq_judge(&facts, &wishes);

	i->seen = true;
	i->why = v.why;
	i->msix = facts.msix;
	i->vector = facts.on_vectors ? irqd_cfg(data)->vector : 0;
	i->cpu = facts.on_vectors ? cpumask_first(irq_data_get_effective_affinity_mask(data)) : 0;
	if (i->backend && i->path != v.path)
		give_back(i, data);
	i->path = v.path;
	if (v.path == HYBRID_PATH_KERNEL)
		return;
	/* Where only the EOI is ours, it may have no entry in the table at all. */
	if (!dev->measured && (v.mask || v.move))
		pvirq_lazy_measure(dev, desc);
	if (!i->backend) {
		take(i, data, &v);
	} else {
		if (i->backend->mode)
			i->backend->mode(i, data, v.mask, v.move);
		/* An interrupt that comes meanwhile may do either. */
		WRITE_ONCE(i->eoi, v.eoi);
	}
	if (i->backend && i->backend->path != v.path)
		i->why = PVIRQ_WHY_FALLBACK;
}

/* The caller holds the device's lock, so that its MSI data stays. */
static void scan_locked(struct pci_dev *pdev)
{
	struct pvirq_dev *dev = find_device(pdev);
	bool has_msis = pdev->dev.msi.data;
	struct pvirq_irq *i, *next;
	struct msi_desc *desc;

	if (suspended || (!dev && !has_msis))
		return;
	if (!dev)
		dev = add_device(pdev);
	if (!dev)
		return;
	dev->left = false;
	list_for_each_entry(i, &dev->irqs, node)
		i->seen = false;
	if (has_msis) {
		msi_lock_descs(&pdev->dev);
		msi_for_each_desc(desc, &pdev->dev, MSI_DESC_ASSOCIATED)
			look_at(dev, desc);
		msi_unlock_descs(&pdev->dev);
	}
	/* They are freed: nobody calls their chips any more. */
	list_for_each_entry_safe(i, next, &dev->irqs, node)
		if (!i->seen)
			drop_irq(i);
}

void pvirq_scan_device(struct pci_dev *pdev)
{
	/* A disk's reset may wait for its MSIs' lock: no memory by writing to it meanwhile. */
	unsigned int noio = memalloc_noio_save();

	mutex_lock(&irqs_mutex);
	scan_locked(pdev);
	mutex_unlock(&irqs_mutex);
	memalloc_noio_restore(noio);
}

bool pvirq_wanted(void)
{
	return pvirq_force() || READ_ONCE(operator_lazy) ||
	       hybrid_path(HYBRID_OP_MSI_MASK) != HYBRID_PATH_KERNEL ||
	       hybrid_path(HYBRID_OP_MSI_AFFINITY) != HYBRID_PATH_KERNEL ||
	       hybrid_path(HYBRID_OP_EOI) == HYBRID_PATH_PV_EOI;
}

void pvirq_remeasure(void)
{
	struct pvirq_dev *dev;

	mutex_lock(&irqs_mutex);
	pvirq_hypercall_check();
	list_for_each_entry(dev, &devices, node) {
		dev->measured = false;
		WRITE_ONCE(dev->trapped, false);
		WRITE_ONCE(dev->width, PVIRQ_WIDTH_UNKNOWN);
	}
	mutex_unlock(&irqs_mutex);
}

/* A look without its lock: what comes or goes at this moment tells of itself. */
static bool has_or_had_msis(struct pci_dev *pdev)
{
	bool known;

	if (READ_ONCE(pdev->dev.msi.data))
		return true;
	mutex_lock(&irqs_mutex);
	known = find_device(pdev);
	mutex_unlock(&irqs_mutex);
	return known;
}

bool pvirq_scan(void)
{
	struct pci_dev *pdev = NULL;
	bool all = true;

	for_each_pci_dev(pdev) {
		/* Others try for that lock as well, and give up where we have it. */
		if (!has_or_had_msis(pdev))
			continue;
		/* One whose driver is being bound may take long, and tells when it is done. */
		if (!device_trylock(&pdev->dev)) {
			all = false;
			continue;
		}
		pvirq_scan_device(pdev);
		device_unlock(&pdev->dev);
	}
	return all;
}

void pvirq_forget_device(struct pci_dev *pdev)
{
	struct pvirq_dev *dev;

	mutex_lock(&irqs_mutex);
	dev = find_device(pdev);
	if (dev)
		drop_device(dev);
	mutex_unlock(&irqs_mutex);
}

static void leave_locked(struct pvirq_dev *dev)
{
	struct pvirq_irq *i, *next;

	dev->left = true;
	if (dev->pdev->dev.msi.data) {
		msi_lock_descs(&dev->pdev->dev);
		list_for_each_entry(i, &dev->irqs, node)
			if (still_ours(i))
				give_back(i, irq_get_irq_data(i->irq));
		msi_unlock_descs(&dev->pdev->dev);
	}
	/*
	 * The others are freed: nobody calls their chips any more. What their back-ends keep for them
	 * goes now, as the host's interfaces are closed next.
	 */
	list_for_each_entry_safe(i, next, &dev->irqs, node)
		if (i->backend)
			drop_irq(i);
}

/* With a reference. */
static struct pci_dev *next_to_leave(void)
{
	struct pvirq_dev *dev;
	struct pci_dev *pdev = NULL;

	mutex_lock(&irqs_mutex);
	suspended = true;
	list_for_each_entry(dev, &devices, node) {
		if (!dev->left) {
			pdev = pci_dev_get(dev->pdev);
			break;
		}
	}
	mutex_unlock(&irqs_mutex);
	return pdev;
}

/*
 * Called by notifier chains, while a driver that is being unbound, with its device's lock, may wait
 * to be taken off the same chain.
 */
#define SUSPEND_PATIENCE	(10 * HZ)

static bool try_to_leave(struct pci_dev *pdev)
{
	bool locked = device_trylock(&pdev->dev);
	struct pvirq_dev *dev;

	mutex_lock(&irqs_mutex);
	dev = find_device(pdev);
	if (dev && locked)
		leave_locked(dev);
	else if (dev)
		list_move_tail(&dev->node, &devices);	/* the others first */
	mutex_unlock(&irqs_mutex);
	if (locked)
		device_unlock(&pdev->dev);
	return locked;
}

bool pvirq_suspend(void)
{
	unsigned long end = jiffies + SUSPEND_PATIENCE;
	struct pci_dev *pdev;

	while ((pdev = next_to_leave())) {
		bool left = try_to_leave(pdev);

		if (!left && time_after(jiffies, end)) {
			pci_warn(pdev, "its interrupts are not given back: its driver comes or goes\n");
			pci_dev_put(pdev);
			return false;
		}
		pci_dev_put(pdev);
		if (!left)
			msleep(10);
	}
	return true;
}

void pvirq_resume(void)
{
	pvirq_remeasure();
	mutex_lock(&irqs_mutex);
	suspended = false;
	mutex_unlock(&irqs_mutex);
	pvirq_rescan_soon();
}

void pvirq_abandon(void)
{
	pvirq_evtchn_silence();
	mutex_lock(&irqs_mutex);
	pvirq_hypercall_silence();
	mutex_unlock(&irqs_mutex);
}

void pvirq_exit_all(void)
{
	struct pvirq_dev *dev, *next;

	/* Nobody can wait for the end of this. */
	while (!pvirq_suspend())
		;
	mutex_lock(&irqs_mutex);
	list_for_each_entry_safe(dev, next, &devices, node)
		drop_device(dev);
	mutex_unlock(&irqs_mutex);
	flush_work(&bury_work);
}

/* Sets the wish; returns its device, with a reference, or NULL where there is none. */
static struct pci_dev *set_wish(const char *who, unsigned int irq, enum pvirq_want want)
{
	struct pci_dev *pdev = NULL;
	struct pvirq_dev *dev;
	struct pvirq_irq *i;

	mutex_lock(&irqs_mutex);
	if (want == PVIRQ_WANT_LAZY)
		WRITE_ONCE(operator_lazy, true);
	list_for_each_entry(dev, &devices, node) {
		i = irq ? find_irq(dev, irq) : NULL;
		if (i) {
			i->want = want;
		} else if (!irq && !strcmp(pci_name(dev->pdev), who)) {
			dev->want = want;
			list_for_each_entry(i, &dev->irqs, node)
				i->want = PVIRQ_WANT_AUTO;
		} else {
			continue;
		}
		pdev = pci_dev_get(dev->pdev);
		break;
	}
	mutex_unlock(&irqs_mutex);
	return pdev;
}

int pvirq_set(const char *who, enum pvirq_want want)
{
	struct pci_dev *pdev;
	unsigned int irq = 0;
	int err;

	if (!strchr(who, ':') && (kstrtouint(who, 10, &irq) || !irq))
		return -EINVAL;
	/* The number may have been another's when it was looked at. */
	pvirq_scan();
	pdev = set_wish(who, irq, want);
	if (!pdev)
		return -ENOENT;
	err = device_lock_interruptible(&pdev->dev);
	if (!err) {
		pvirq_scan_device(pdev);
		device_unlock(&pdev->dev);
	}
	pci_dev_put(pdev);
	return err;
}

static enum pvirq_want want_of(const struct pvirq_irq *i)
{
	return i->want != PVIRQ_WANT_AUTO ? i->want : i->dev->want;
}

void pvirq_show(struct seq_file *m)
{
	struct pvirq_dev *dev;
	struct pvirq_irq *i;
	unsigned int c;

	mutex_lock(&irqs_mutex);
	list_for_each_entry(dev, &devices, node) {
		list_for_each_entry(i, &dev->irqs, node) {
			seq_printf(m, "%u %s %s %u %u %s %s %s", i->irq, pci_name(dev->pdev),
				   i->msix ? "msix" : "msi", i->vector, i->cpu,
				   hybrid_path_name(i->backend ? i->backend->path :
								 HYBRID_PATH_KERNEL),
				   pvirq_why_name(i->why),
				   pvirq_want_name(want_of(i)));
			for (c = 0; c < PVIRQ_COUNT_NR; c++)
				seq_printf(m, " %llu", i->backend ? READ_ONCE(i->count[c]) : 0);
			seq_putc(m, '\n');
		}
	}
	mutex_unlock(&irqs_mutex);
}
