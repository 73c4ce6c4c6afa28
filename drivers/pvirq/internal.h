/* SPDX-License-Identifier: GPL-2.0-only */
/* Between the files of pvirq.ko. */
#ifndef PVIRQ_INTERNAL_H
#define PVIRQ_INTERNAL_H

#include <linux/irq.h>
#include <linux/list.h>
#include <linux/msi.h>
#include <linux/pci.h>

#include "judge.h"
#include "message.h"

enum pvirq_count {
	PVIRQ_COUNT_MASK_DONE,		/* the device was told */
	PVIRQ_COUNT_MASK_AVOIDED,	/* it was not */
	PVIRQ_COUNT_UNMASK_DONE,
	PVIRQ_COUNT_UNMASK_AVOIDED,
	PVIRQ_COUNT_MOVE_DONE,		/* a message was written */
	PVIRQ_COUNT_MOVE_AVOIDED,	/* the device had it already, or needs none any more */
	PVIRQ_COUNT_REMASK,		/* interrupts that came while masked in software only */
	PVIRQ_COUNT_EOI_DONE,		/* EOIs of ours that had to be the APIC's */
	PVIRQ_COUNT_EOI_AVOIDED,	/* ... and those that were not */
	PVIRQ_COUNT_NR
};

enum pvirq_width {
	PVIRQ_WIDTH_UNKNOWN,
	PVIRQ_WIDTH_NARROW,
	PVIRQ_WIDTH_WIDE,
};

/**
 * struct pvirq_dev - a device that has had MSIs
 * @node: in the list of devices
 * @pdev: with a reference
 * @irqs: its interrupts
 * @want: what the operator wants for them
 * @left: everything is given back; reset when it is looked at again
 * @measured: @trapped is known
 * @trapped: accesses need no flush
 * @width: of accesses that work, where they are trapped; found out when a message is first
 *	written. Its interrupts may do so at the same time, and come to the same result.
 */
struct pvirq_dev {
	struct list_head node;
	struct pci_dev *pdev;
	struct list_head irqs;
	enum pvirq_want want;
	bool left;
	bool measured;
	bool trapped;
	enum pvirq_width width;
};

/**
 * struct pvirq_event - what the evtchn back-end keeps of an interrupt
 * @port: its event channel
 * @pirq: what the device is told instead of a vector
 * @cpu: where its events go
 * @moved: when that was changed, in jiffies
 * @native: where its vector is; nr_cpu_ids where it has none, or one that is not known
 * @live: the device is told the pirq, and the port is what is masked and moved
 * @eoi: Xen has to be told when it has been served
 */
struct pvirq_event {
	u32 port;
	u32 pirq;
	unsigned int cpu;
	unsigned long moved;
	unsigned int native;
	bool live;
	bool eoi;
};

/**
 * struct pvirq_irq - an interrupt, taken over or not
 * @chip: what it has for a chip while it is taken over: a copy of its own, changed
 * @backend: whose chip that is; NULL where it is not taken over
 * @orig: the one it had
 * @dev: whose it is
 * @node: in @dev's list, or among those that wait to be freed
 * @desc: what it was when it was first seen; to compare, not to follow
 * @irq: its number
 * @vector, @cpu: where it went when it was last looked at; 0 where not on the CPUs' vectors
 * @msix: MSI-X rather than MSI
 * @seen: by the pass over @dev that is going on
 * @want: what the operator wants for it
 * @path: the back-end that was chosen; another one serves it where that could not
 * @why: why it is taken over, or not
 * @mask, @move, @eoi: which operations are ours
 * @settling: the kernel may have a move to complete at an interrupt (see pvirq_eoi_ack())
 * @soft: masked by the core (see mask.h); the device's bit is in the msi_desc
 * @again, @acking: see mask.h
 * @moving: irq_set_affinity() is at work and tells more than one message
 * @stale: the device may have lost its message; the next one is written whole
 * @deferred: @message waits for the unmasking
 * @message: what the core wants the device to send
 * @tag: hypercall: its entry in the host's table; 0: none, and the chip does as the original
 * @attached: hypercall: the device's message names the entry
 * @word: hypercall: what the entry says
 * @next: hypercall: where it is to go, while @moving
 * @event: the evtchn back-end's
 * @count: what happened since it was taken over
 *
 * From @mask on all is under the interrupt's desc->lock while it is taken over, or while it is
 * activated and deactivated in its device's MSI mutex; the rest is under the list's lock.
 *
 * What the device was last told is what the msi_desc says, but for the message of one that is
 * deactivated, where the kernel has zeros: it restores the device from there after a reset or a
 * suspend without asking. Who resets a device behind the kernel's back loses what it held, as
 * ever; @stale sees to it that activating it then tells it all, as the kernel does.
 */
struct pvirq_irq {
	struct irq_chip chip;
	const struct pvirq_backend *backend;
	struct irq_chip *orig;
	struct pvirq_dev *dev;
	struct list_head node;
	const struct msi_desc *desc;
	unsigned int irq;
	unsigned int vector;
	unsigned int cpu;
	bool msix;
	bool seen;
	enum pvirq_want want;
	enum hybrid_path path;
	enum pvirq_why why;
	bool mask;
	bool move;
	bool eoi;
	bool settling;
	bool soft;
	bool again;
	bool acking;
	bool moving;
	bool stale;
	bool deferred;
	struct msi_msg message;
	u16 tag;
	bool attached;
	u64 word;
	u64 next;
	struct pvirq_event event;
	u64 count[PVIRQ_COUNT_NR];
};

/**
 * struct pvirq_backend - a way to serve interrupts
 * @path: its name
 * @prepare: makes @i->chip from @i->orig; the chip is exchanged next. An error: nothing has
 *	changed, and the lazy one is asked, which always works.
 * @entered: the chip has been exchanged. NULL: nothing is left to do.
 * @mode: says which operations are ours from now on, and brings the device in line with it.
 *	NULL: all are, always.
 * @leave: brings the device to where the original chip would have it; the chip is exchanged next.
 *	NULL: it is there.
 * @drop: the interrupt is gone, and its chip with it. NULL: nothing is left to do.
 * @ours: true if a chip is one of this back-end's; of any context, and any interrupt's chip
 *
 * But for @ours and @drop, all run under the device's lock and its MSI mutex, and may sleep; interrupts
 * come and their chip is used meanwhile.
 */
struct pvirq_backend {
	enum hybrid_path path;
	int (*prepare)(struct pvirq_irq *i, struct irq_data *data);
	void (*entered)(struct pvirq_irq *i, struct irq_data *data);
	void (*mode)(struct pvirq_irq *i, struct irq_data *data, bool mask, bool move);
	void (*leave)(struct pvirq_irq *i, struct irq_data *data);
	void (*drop)(struct pvirq_irq *i);
	bool (*ours)(const struct irq_chip *chip);
};

static inline struct pvirq_irq *pvirq_to_irq(struct irq_data *data)
{
	return container_of(data->chip, struct pvirq_irq, chip);
}

/* The device's mask bit. The two words share their place. */
static inline bool pvirq_is_hard(const struct msi_desc *desc)
{
	return (desc->pci.msi_attrib.is_msix ? desc->pci.msix_ctrl : desc->pci.msi_mask) &
	       PVIRQ_CTRL_MASKED;
}

/* What the core writes when it deactivates an interrupt. */
static inline bool pvirq_is_nothing(const struct msi_msg *m)
{
	return !m->address_lo && !m->address_hi && !m->data;
}

/* pveoi.c */
extern const struct pvirq_backend pvirq_pv_eoi;
/*
 * ->irq_ack() of every chip of ours that has no better one. A chip that has it sets @settling
 * each time that its interrupt's message is written.
 */
void pvirq_eoi_ack(struct irq_data *data);
/* Sets up the CPUs as hybrid.ko's policy has it. May sleep. */
void pvirq_eoi_follow(void);
/* From now on, or no longer, whatever the policy says, the CPUs are as the kernel has them. */
void pvirq_eoi_bar(bool bar);
int pvirq_eoi_init(void);
void pvirq_eoi_exit(void);

/* lazy.c */
extern const struct pvirq_backend pvirq_lazy;
/* Finds out whether accesses to the device are trapped. */
void pvirq_lazy_measure(struct pvirq_dev *dev, struct msi_desc *desc);
/* Gives an MSI-X entry of the device a message, whole, and its mask bit. Under desc->lock. */
void pvirq_lazy_tell(struct pvirq_irq *i, struct msi_desc *desc, const struct msi_msg *msg,
		     bool hard);
/* Counts, for @i and for hybrid.ko. Under desc->lock. */
void pvirq_count(struct pvirq_irq *i, enum pvirq_count what);

/* hypercall.c: under the list's lock, unless noted */
extern const struct pvirq_backend pvirq_hypercall;
/* The host may be another one. */
void pvirq_hypercall_check(void);
/* It has the ABI, and yet cannot be used. */
bool pvirq_hypercall_refused(void);
/* The host looks nothing up any more, for good, whoever still needs it. */
void pvirq_hypercall_silence(void);
/* When everything is given back, and nobody calls for more; without the lock. */
void pvirq_hypercall_exit(void);

/* evtchn.c */
extern const struct pvirq_backend pvirq_evtchn;
/*
 * Brings event channels up, and down. Until then, and where it fails, lazy serves. May sleep;
 * stopping takes that nothing is taken over, and bars starting until it is allowed again.
 */
void pvirq_evtchn_start(void);
void pvirq_evtchn_stop(void);
void pvirq_evtchn_allow(void);
/* No event arrives any more, whoever still waits for one, and none is started. May sleep. */
void pvirq_evtchn_silence(void);

/*
 * xen_control.c: nobody listens to Xen's tools any more, until event channels start again. Waits for
 * what they asked for. May sleep; not with a lock that pvirq_suspend() takes.
 */
void pvirq_control_stop(void);
/* The module goes, and there are no event channels any more. May sleep. */
void pvirq_control_exit(void);

/*
 * main.c: everything is given back, and stays so until the other; both may sleep. False: a device is
 * busy, and not all is.
 */
bool pvirq_fall_asleep(void);
void pvirq_wake_up(void);

/* irqset.c: all may sleep */

struct seq_file;

/* Looks at all devices and does what is wanted. False: some were busy, come again. */
bool pvirq_scan(void);
/* The same for one device, whose lock is held. */
void pvirq_scan_device(struct pci_dev *pdev);
/* It is gone. */
void pvirq_forget_device(struct pci_dev *pdev);
/*
 * Gives everything back, and takes nothing over until pvirq_resume(). False where a driver was coming
 * or going all the time (10 s): its device's interrupts are still ours.
 */
bool pvirq_suspend(void);
/*
 * Where that failed, and this kernel ends. A device that is lost to it is better than a next kernel
 * whose memory the host writes into, or that an event interrupts for ever. May sleep.
 */
void pvirq_abandon(void);
void pvirq_resume(void);
/* The machine is another one perhaps: what was measured of it counts no more. */
void pvirq_remeasure(void);
/* True if @chip is one of ours. Any context. */
bool pvirq_ours(const struct irq_chip *chip);
/* Anybody wants anything taken over. Any context. */
bool pvirq_wanted(void);
/* Gives everything back for good. */
void pvirq_exit_all(void);
/**
 * pvirq_set() - the operator's word
 * @who: an interrupt's number, or a device's address ("0000:00:04.0")
 *
 * Return: 0, -EINVAL for neither, -ENOENT where it has no MSIs, -EINTR for a signal while
 * somebody else is busy with the device.
 */
int pvirq_set(const char *who, enum pvirq_want want);
void pvirq_show(struct seq_file *m);

/* main.c */
bool pvirq_force(void);
bool pvirq_events_with_kdump(void);
bool pvirq_skipped(struct pci_dev *pdev);
/* Calls for a pvirq_scan() soon. Any context. */
void pvirq_rescan_soon(void);

/* debugfs.c */
void pvirq_debugfs_create(void);
void pvirq_debugfs_remove(void);

#endif
