// SPDX-License-Identifier: GPL-2.0-only
/*
 * The hypercall back-end: an irq_chip that writes to a table shared with the host
 * (Documentation/abi/host-abi.txt), and to the device only its first message.
 *
 * That message leads, where the host does not look it up, to a vector of ours that nothing else
 * uses, the stray one. So nothing is lost when the machine is moved to a host without the ABI:
 * the first interrupt tells us, we repeat all, and hybrid.ko's policy is made anew.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/bitmap.h>
#include <linux/bitops.h>
#include <linux/cc_platform.h>
#include <linux/gfp.h>
#include <linux/interrupt.h>
#include <linux/io.h>
#include <linux/irq.h>
#include <linux/jiffies.h>
#include <linux/kernel.h>
#include <linux/minmax.h>
#include <linux/printk.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/workqueue.h>

#include <asm/barrier.h>
#include <asm/msr.h>

#include <hybrid/host.h>
#include <hybrid/hybrid.h>

#include "internal.h"
#include "word.h"

/* 1023 interrupts. */
#define PAGES_MAX	4
#define TAGS_MAX	(PAGES_MAX * HYBRID_IRQ_ENTRIES_PER_PAGE)

/* How often, at most, the machine is looked at anew because something went astray. */
#define LOOK_AGAIN	HZ

/*
 * Changed in the list's lock, and @tags_lock where a handler looks: which entries are whose. The
 * table is there while any is.
 */
static struct hybrid_irq_entry *table;
static unsigned int pages;
static u32 first_msr;
static DECLARE_BITMAP(tags, TAGS_MAX);
static struct pvirq_irq *owner[TAGS_MAX];
static DEFINE_RAW_SPINLOCK(tags_lock);
/*
 * Which interrupts are attached. All but a deactivation is under desc->lock, inside which this is
 * taken; without it that might meet a device that is just given back.
 */
static DEFINE_RAW_SPINLOCK(attach_lock);
static bool refused;		/* the host does not take it, until the machine is another one */
static bool silenced;		/* for good: the next kernel may have the table's memory by now */

static void look_again(struct work_struct *work)
{
	/* Once refused, what is given back kicks in vain: only another host changes that. */
	if (!READ_ONCE(refused))
		hybrid_refresh();
}

static DECLARE_DELAYED_WORK(look_work, look_again);
static unsigned long looked_at;

/* The host is not what it was. Any context. */
static void suspect_host(void)
{
	unsigned long last = READ_ONCE(looked_at);

	if (!schedule_delayed_work(&look_work, time_after(jiffies, last + LOOK_AGAIN) ?
					       0 : LOOK_AGAIN))
		return;
	WRITE_ONCE(looked_at, jiffies);
}

static void kick(u16 tag)
{
	if (wrmsrl_safe(first_msr + HYBRID_HOST_MSR_KICK, tag | 1 << HYBRID_HOST_KICK_COUNT_SHIFT))
		suspect_host();
}

/* The stray one. */
static struct hybrid_host_irq stray_irq;

/* Under desc->lock. True if it took an exit. */
static bool set_word(struct pvirq_irq *i, u64 word)
{
	struct hybrid_irq_entry *e = &table[i->tag];
	u64 old = i->word;

	i->word = word;
	WRITE_ONCE(e->guest, word);
	/* The host writes its word before it reads ours once more. */
	virt_mb();
	if (!pvirq_word_kick(READ_ONCE(e->host), old, word))
		return false;
	kick(i->tag);
	return true;
}

static u64 masked(const struct pvirq_irq *i, u64 word)
{
	return word & HYBRID_IRQ_VALID ? word | (i->soft ? HYBRID_IRQ_MASKED : 0) : word;
}

static struct pvirq_entry to_entry(const struct msi_msg *m)
{
	return (struct pvirq_entry){ .lo = m->address_lo, .hi = m->address_hi, .data = m->data };
}

static struct msi_msg to_msg(u64 word, u16 tag)
{
	struct pvirq_entry e;

	pvirq_word_message(&e, word, tag);
	return (struct msi_msg){ .address_lo = e.lo, .address_hi = e.hi, .data = e.data };
}

/* -- the chip -------------------------------------------------------------------------- */

static void hypercall_mask(struct irq_data *data)
{
	struct pvirq_irq *i = pvirq_to_irq(data);

	i->soft = true;
	if (!i->attached)
		i->orig->irq_mask(data);
	else
		pvirq_count(i, set_word(i, masked(i, i->word)) ? PVIRQ_COUNT_MASK_DONE :
								 PVIRQ_COUNT_MASK_AVOIDED);
}

static void hypercall_unmask(struct irq_data *data)
{
	struct pvirq_irq *i = pvirq_to_irq(data);

	i->soft = false;
	if (!i->attached)
		i->orig->irq_unmask(data);
	else
		pvirq_count(i, set_word(i, i->word & ~HYBRID_IRQ_MASKED) ?
			       PVIRQ_COUNT_UNMASK_DONE : PVIRQ_COUNT_UNMASK_AVOIDED);
}

/* Gives the device the message that names the entry, unmasked: the entry masks. */
static void attach(struct pvirq_irq *i, struct msi_desc *desc, u64 word)
{
	struct msi_msg msg = to_msg(hybrid_host_irq_word(&stray_irq), i->tag);

	set_word(i, masked(i, word));
	pvirq_lazy_tell(i, desc, &msg, false);
	i->attached = true;
}

/*
 * And takes it back: the device is brought to where the core would have it.
 *
 * A message that the device sent before may be looked up after the entry is gone, and is dropped;
 * and a host that has forgotten us never lets go what it held back. So the caller repeats the
 * interrupt, always, but not here: that takes the kernel's vector lock, which msi_set_affinity()
 * has when it writes messages.
 */
static void detach(struct pvirq_irq *i, struct irq_data *data)
{
	struct msi_msg msg = to_msg(i->word, 0);

	i->attached = false;
	pvirq_lazy_tell(i, irq_data_get_msi_desc(data), &msg, i->soft);
	/* What the host held back comes now; then there is nothing under way any more. */
	set_word(i, i->word & ~HYBRID_IRQ_MASKED);
	set_word(i, 0);
}

static bool is_nothing(const struct msi_msg *m)
{
	return !m->address_lo && !m->address_hi && !m->data;
}

static void write_msg(struct pvirq_irq *i, struct irq_data *data, struct msi_msg *msg)
{
	struct msi_desc *desc = irq_data_get_msi_desc(data);
	struct pvirq_entry e = to_entry(msg);
	u64 word;

	/* Deactivated. Until it is activated again the device may be reset, of which nobody tells. */
	if (is_nothing(msg) && i->attached) {
		i->attached = false;
		set_word(i, 0);
		pvirq_count(i, PVIRQ_COUNT_MOVE_DONE);
		return;
	}
	/* Who wants to see messages sees each. Attached ones are only moved: see set_affinity. */
	if (!i->tag || desc->write_msi_msg || pvirq_word_of(&word, &e)) {
		if (i->attached)
			detach(i, data);
		i->orig->irq_write_msi_msg(data, msg);
		return;
	}
	i->next = word;
	if (!i->attached)
		attach(i, desc, word);
	else if (!i->moving)
		pvirq_count(i, set_word(i, masked(i, word)) ? PVIRQ_COUNT_MOVE_DONE :
							      PVIRQ_COUNT_MOVE_AVOIDED);
}

static void hypercall_write_msg(struct irq_data *data, struct msi_msg *msg)
{
	struct pvirq_irq *i = pvirq_to_irq(data);
	unsigned long flags;

	i->settling = true;
	raw_spin_lock_irqsave(&attach_lock, flags);
	write_msg(i, data, msg);
	raw_spin_unlock_irqrestore(&attach_lock, flags);
}

static int hypercall_set_affinity(struct irq_data *data, const struct cpumask *mask, bool force)
{
	struct pvirq_irq *i = pvirq_to_irq(data);
	bool attached = i->attached;
	int ret;

	/*
	 * The kernel writes two messages, as it cannot change address and data at once; we can. But if
	 * the first attaches, the host may deliver there: then it is told of both.
	 */
	i->moving = attached;
	i->next = i->word & ~HYBRID_IRQ_MASKED;
	ret = i->orig->irq_set_affinity(data, mask, force);
	i->moving = false;
	if (i->attached)
		pvirq_count(i, set_word(i, masked(i, i->next)) ? PVIRQ_COUNT_MOVE_DONE :
								 PVIRQ_COUNT_MOVE_AVOIDED);
	else if (attached)
		i->orig->irq_retrigger(data);
	return ret;
}

/* As pvirq_lazy's. */
static int hypercall_retrigger(struct irq_data *data)
{
	struct pvirq_irq *i = pvirq_to_irq(data);

	return i->moving && i->attached ? 1 : i->orig->irq_retrigger(data);
}

static bool hypercall_ours(const struct irq_chip *chip)
{
	return chip->irq_write_msi_msg == hypercall_write_msg;
}

/* -- the table ------------------------------------------------------------------------- */

/* An interrupt that the host did not look up: it is another host, or forgot. */
static irqreturn_t stray(int irq, void *arg)
{
	unsigned int tag;

	/* All of ours, as it does not say which: a device that has nothing says so. */
	raw_spin_lock(&tags_lock);
	for_each_set_bit(tag, tags, TAGS_MAX) {
		struct pvirq_irq *i = owner[tag];
		struct irq_data *data = i ? irq_get_irq_data(i->irq) : NULL;
		struct irq_desc *d;

		if (!data)
			continue;
		/* So that it is not shut down meanwhile, and its vector goes. */
		d = irq_data_to_desc(data);
		raw_spin_lock(&d->lock);
		if (data->chip == &i->chip && irqd_is_started(data))
			i->orig->irq_retrigger(data);
		raw_spin_unlock(&d->lock);
	}
	raw_spin_unlock(&tags_lock);
	suspect_host();
	return IRQ_HANDLED;
}

/* The first is nobody's. */
static u64 entries(void)
{
	return pages * HYBRID_IRQ_ENTRIES_PER_PAGE;
}

static u64 registration(void)
{
	return virt_to_phys(table) | (u64)pages << HYBRID_HOST_TABLE_PAGES_SHIFT |
	       HYBRID_HOST_ENABLE;
}

static int start(void)
{
	struct hybrid_state *s = kmalloc(sizeof(*s), GFP_KERNEL);
	int err;

	if (!s)
		return -ENOMEM;
	hybrid_state_get(s);
	first_msr = s->caps.host.msr;
	pages = min_t(unsigned int, s->caps.host.table_pages, PAGES_MAX);
	kfree(s);
	/* The host could not read an encrypted guest's memory. */
	if (!pages || cc_platform_has(CC_ATTR_MEM_ENCRYPT))
		return -ENODEV;
	table = alloc_pages_exact(pages * HYBRID_HOST_PAGE_SIZE, GFP_KERNEL | __GFP_ZERO);
	if (!table)
		return -ENOMEM;
	err = hybrid_host_irq_request(&stray_irq, stray, IRQF_NOBALANCING | IRQF_NO_THREAD,
				      "pvirq-stray");
	if (err)
		goto err_table;
	err = wrmsrl_safe(first_msr + HYBRID_HOST_MSR_TABLE, registration());
	if (err)
		goto err_irq;
	return 0;

err_irq:
	hybrid_host_irq_free(&stray_irq);
err_table:
	free_pages_exact(table, pages * HYBRID_HOST_PAGE_SIZE);
	table = NULL;
	return err;
}

/*
 * When nobody has an entry any more: when all is given back for a reboot, too, as the host must not
 * write into what kexec loads there. That runs in a notifier chain, so no notifier is to be
 * registered or unregistered here.
 */
static void stop(void)
{
	int err = wrmsrl_safe(first_msr + HYBRID_HOST_MSR_TABLE, 0);

	hybrid_host_irq_free(&stray_irq);
	/* Where it does not take this, it may write there for ever. */
	if (err)
		pr_warn("the host does not give our table back: %u pages are lost\n", pages);
	else
		free_pages_exact(table, pages * HYBRID_HOST_PAGE_SIZE);
	table = NULL;
}

/* Another host may know nothing of our table, although it has the ABI. */
static bool still_registered(const struct hybrid_host *host)
{
	u64 value;

	if (host->table_pages < pages)
		return false;
	first_msr = host->msr;
	if ((rdmsrl_safe(first_msr + HYBRID_HOST_MSR_TABLE, &value) || value != registration()) &&
	    wrmsrl_safe(first_msr + HYBRID_HOST_MSR_TABLE, registration()))
		return false;
	/* What was kicked while it was not, or failed, was not heard: an interrupt may wait there. */
	return !wrmsrl_safe(first_msr + HYBRID_HOST_MSR_KICK,
			    1 | (entries() - 1) << HYBRID_HOST_KICK_COUNT_SHIFT);
}

void pvirq_hypercall_check(void)
{
	struct hybrid_state *s;

	refused = silenced;
	if (!table || silenced)
		return;
	s = kmalloc(sizeof(*s), GFP_KERNEL);
	if (s)
		hybrid_state_get(s);
	refused = !s || !still_registered(&s->caps.host);
	kfree(s);
}

bool pvirq_hypercall_refused(void)
{
	return refused;
}

void pvirq_hypercall_silence(void)
{
	silenced = true;
	if (table)
		wrmsrl_safe(first_msr + HYBRID_HOST_MSR_TABLE, 0);
}

void pvirq_hypercall_exit(void)
{
	cancel_delayed_work_sync(&look_work);
}

/* -- the back-end ---------------------------------------------------------------------- */

/* Gives an entry to an interrupt, or to nobody. */
static void set_owner(unsigned int tag, struct pvirq_irq *i)
{
	unsigned long flags;

	raw_spin_lock_irqsave(&tags_lock, flags);
	__assign_bit(tag, tags, i);
	owner[tag] = i;
	raw_spin_unlock_irqrestore(&tags_lock, flags);
}

static void release(unsigned int tag)
{
	set_owner(tag, NULL);
	if (bitmap_empty(tags, TAGS_MAX))
		stop();
}

static void hypercall_drop(struct pvirq_irq *i)
{
	release(i->tag);
	i->tag = 0;
}

static int hypercall_prepare(struct pvirq_irq *i, struct irq_data *data)
{
	unsigned int tag;
	int err;

	if (!table) {
		err = start();
		refused = err;
		if (err)
			return err;
	}
	tag = find_next_zero_bit(tags, entries(), 1);
	if (tag == entries())
		return -ENOSPC;
	set_owner(tag, i);
	i->tag = tag;
	i->word = 0;
	i->attached = false;
	i->chip = *i->orig;
	i->chip.irq_ack = pvirq_eoi_ack;
	i->chip.irq_mask = hypercall_mask;
	i->chip.irq_unmask = hypercall_unmask;
	i->chip.irq_write_msi_msg = hypercall_write_msg;
	i->chip.irq_set_affinity = hypercall_set_affinity;
	i->chip.irq_retrigger = hypercall_retrigger;
	return 0;
}

static void hypercall_entered(struct pvirq_irq *i, struct irq_data *data)
{
	struct msi_desc *desc = irq_data_get_msi_desc(data);
	struct irq_desc *d = irq_data_to_desc(data);
	struct pvirq_entry e;
	unsigned long flags;
	u64 word;

	raw_spin_lock_irqsave(&d->lock, flags);
	raw_spin_lock(&attach_lock);
	i->soft = irqd_irq_masked(data);
	e = to_entry(&desc->msg);
	if (irqd_is_activated(data) && !i->attached && !desc->write_msi_msg &&
	    !pvirq_word_of(&word, &e))
		attach(i, desc, word);
	raw_spin_unlock(&attach_lock);
	raw_spin_unlock_irqrestore(&d->lock, flags);
}

static void hypercall_leave(struct pvirq_irq *i, struct irq_data *data)
{
	struct irq_desc *d = irq_data_to_desc(data);
	const struct msi_msg nothing = {};
	unsigned int tag = i->tag;
	unsigned long flags;
	bool attached;

	raw_spin_lock_irqsave(&d->lock, flags);
	raw_spin_lock(&attach_lock);
	i->soft = irqd_irq_masked(data);
	attached = i->attached;
	if (attached)
		detach(i, data);
	else if (!irqd_is_activated(data))
		pvirq_lazy_tell(i, irq_data_get_msi_desc(data), &nothing, true);
	/* Until the chip is exchanged it does what the original does. */
	i->tag = 0;
	raw_spin_unlock(&attach_lock);
	if (attached && irqd_is_activated(data))
		i->orig->irq_retrigger(data);
	raw_spin_unlock_irqrestore(&d->lock, flags);
	release(tag);
}

const struct pvirq_backend pvirq_hypercall = {
	.path = HYBRID_PATH_HYPERCALL,
	.prepare = hypercall_prepare,
	.entered = hypercall_entered,
	.leave = hypercall_leave,
	.drop = hypercall_drop,
	.ours = hypercall_ours,
};
