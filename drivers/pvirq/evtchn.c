// SPDX-License-Identifier: GPL-2.0-only
/*
 * The evtchn back-end: MSIs as Xen's event channels, in a kernel that runs without Xen support.
 *
 * The device is told a message that names a pirq instead of a vector, and the pirq is bound to an
 * event channel, whose upcall needs no EOI. A mask is a bit in the page that is shared with Xen, a
 * move one hypercall; the device is told nothing more.
 *
 * The interrupt's vector stays allocated: what the device sent before it was told arrives there,
 * and gets its EOI. So each acknowledgement looks how its interrupt came.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/cpumask.h>
#include <linux/delay.h>
#include <linux/irq.h>
#include <linux/irqdesc.h>
#include <linux/jiffies.h>
#include <linux/kexec.h>
#include <linux/minmax.h>
#include <linux/mutex.h>
#include <linux/panic_notifier.h>
#include <linux/percpu.h>
#include <linux/printk.h>
#include <linux/rcupdate.h>
#include <linux/workqueue.h>
#include <linux/xarray.h>

#include <asm/sync_bitops.h>

#include <hybrid/hybrid.h>

#include "internal.h"
#include "xen.h"

/* Ports and whose they are; changed under ports_mutex, which keeps entries from being freed. */
static DEFINE_XARRAY(ports);
static DEFINE_MUTEX(ports_mutex);
static bool running;

/* The interrupt that came as an event, while it is handed to the core. */
static DEFINE_PER_CPU(unsigned int, delivering);
/* How many ports go to a CPU. */
static DEFINE_PER_CPU(atomic_t, load);

static bool port_is_masked(const struct pvirq_irq *i)
{
	return sync_test_bit(i->event.port, (unsigned long *)pvirq_xen_mask());
}

static bool port_is_pending(const struct pvirq_irq *i)
{
	return sync_test_bit(i->event.port, (unsigned long *)pvirq_xen_pending());
}

/* Returns what it was before. */
static bool mask_port(struct pvirq_irq *i)
{
	return sync_test_and_set_bit(i->event.port, (unsigned long *)pvirq_xen_mask());
}

/* Returns true if Xen had to be asked: it told nobody of what came while the port was masked. */
static bool unmask_port(struct pvirq_irq *i)
{
	sync_clear_bit(i->event.port, (unsigned long *)pvirq_xen_mask());
	if (!port_is_pending(i))
		return false;
	mask_port(i);
	pvirq_xen_unmask(i->event.port);
	return true;
}

/* The one of @mask with the fewest ports; where no event can be sent to any of them, another. */
static unsigned int choose_cpu(const struct cpumask *mask)
{
	unsigned int cpu, best = nr_cpu_ids;
	bool found = cpumask_intersects(mask, &pvirq_upcall_cpus);

	for_each_cpu(cpu, &pvirq_upcall_cpus) {
		if (found && !cpumask_test_cpu(cpu, mask))
			continue;
		if (best == nr_cpu_ids ||
		    atomic_read(per_cpu_ptr(&load, cpu)) < atomic_read(per_cpu_ptr(&load, best)))
			best = cpu;
	}
	return best;
}

/*
 * Xen reads where an event goes without the lock under which that is changed (send_guest_pirq() and
 * evtchn_bind_vcpu() in its source), so that one may be late and tell the old CPU only. So old ones go
 * on serving a port until nothing can be under way any more.
 */
#define SETTLED_AFTER	HZ
static void settle_fn(struct work_struct *work);
static DECLARE_DELAYED_WORK(settle_work, settle_fn);

static void settle_later(void)
{
	queue_delayed_work(system_wq, &settle_work, SETTLED_AFTER);
}

/* The port is masked. */
static void set_cpu(struct pvirq_irq *i, unsigned int cpu)
{
	if (i->event.cpu != nr_cpu_ids)
		atomic_dec(per_cpu_ptr(&load, i->event.cpu));
	i->event.cpu = cpu;
	if (cpu != nr_cpu_ids) {
		atomic_inc(per_cpu_ptr(&load, cpu));
		pvirq_upcall_serve(cpu, i->event.port, true);
		i->event.moved = jiffies;
		settle_later();
	}
}

/* Those that had it before serve it no more. */
static void settle_cpu(struct pvirq_irq *i)
{
	unsigned int cpu;

	for_each_possible_cpu(cpu)
		if (cpu != i->event.cpu)
			pvirq_upcall_serve(cpu, i->event.port, false);
}

/*
 * Where it goes. One of the kernel's own choice (managed) that another CPU serves, as its own gets no
 * events, stays with its own: its end is the interrupt's.
 */
static void tell_cpu(struct pvirq_irq *i, struct irq_data *data, const struct cpumask *mask)
{
	unsigned int cpu = i->event.cpu;

	if (irqd_affinity_is_managed(data) && i->event.native < nr_cpu_ids &&
	    !cpumask_test_cpu(cpu, mask))
		cpu = i->event.native;
	irq_data_update_effective_affinity(data, cpumask_of(cpu));
}

/* Returns true if Xen had to be asked. What is pending arrives on the new CPU. */
static bool move_port(struct pvirq_irq *i, const struct cpumask *mask)
{
	unsigned int cpu = i->event.cpu;
	bool masked;

	if (cpu != nr_cpu_ids && cpumask_test_cpu(cpu, mask) &&
	    cpumask_test_cpu(cpu, &pvirq_upcall_cpus))
		return false;
	cpu = choose_cpu(mask);
	if (cpu == nr_cpu_ids || cpu == i->event.cpu)
		return false;
	masked = mask_port(i);
	if (!pvirq_xen_bind_vcpu(i->event.port, pvirq_upcall_vcpu(cpu)))
		set_cpu(i, cpu);
	if (!masked)
		unmask_port(i);
	return true;
}

static void evtchn_mask(struct irq_data *data)
{
	struct pvirq_irq *i = pvirq_to_irq(data);

	if (!i->event.live) {
		i->orig->irq_mask(data);
		return;
	}
	mask_port(i);
	pvirq_count(i, PVIRQ_COUNT_MASK_AVOIDED);
}

static void evtchn_unmask(struct irq_data *data)
{
	struct pvirq_irq *i = pvirq_to_irq(data);
	bool done;

	if (!i->event.live) {
		i->orig->irq_unmask(data);
		return;
	}
	/* Once, after it was started. */
	done = pvirq_is_hard(irq_data_get_msi_desc(data));
	if (done)
		i->orig->irq_unmask(data);
	done |= unmask_port(i);
	pvirq_count(i, done ? PVIRQ_COUNT_UNMASK_DONE : PVIRQ_COUNT_UNMASK_AVOIDED);
}

static void evtchn_ack(struct irq_data *data)
{
	bool event = __this_cpu_read(delivering) == data->irq;
	struct pvirq_irq *i = pvirq_to_irq(data);

	/* By its vector; or there is a move to be done that was asked for before it was ours. */
	if (!event || irqd_is_setaffinity_pending(data))
		i->orig->irq_ack(data);
	if (!event)
		return;
	if (i->event.eoi)
		pvirq_xen_eoi(i->event.pirq);
	i->count[i->event.eoi ? PVIRQ_COUNT_EOI_DONE : PVIRQ_COUNT_EOI_AVOIDED]++;
	hybrid_count(HYBRID_OP_EOI, i->event.eoi ? HYBRID_COUNT_DONE : HYBRID_COUNT_AVOIDED);
}

static int evtchn_retrigger(struct irq_data *data)
{
	struct pvirq_irq *i = pvirq_to_irq(data);

	if (!i->event.live)
		return i->orig->irq_retrigger(data);
	sync_set_bit(i->event.port, (unsigned long *)pvirq_xen_pending());
	if (!port_is_masked(i))
		unmask_port(i);
	return 1;
}

static int evtchn_set_affinity(struct irq_data *data, const struct cpumask *mask, bool force)
{
	struct pvirq_irq *i = pvirq_to_irq(data);
	bool done;

	if (!i->event.live)
		return i->orig->irq_set_affinity(data, mask, force);
	done = move_port(i, mask);
	tell_cpu(i, data, mask);
	pvirq_count(i, done ? PVIRQ_COUNT_MOVE_DONE : PVIRQ_COUNT_MOVE_AVOIDED);
	return IRQ_SET_MASK_OK;
}

#define UNMAP_TRIES	8

/* It is activated, and has a vector. The event goes to where that is. */
static void connect(struct pvirq_irq *i, struct irq_data *data)
{
	struct pvirq_event_message m = pvirq_event_message(i->event.pirq);
	struct msi_msg msg = { .address_lo = m.lo, .address_hi = m.hi, .data = m.data };
	unsigned int tries = 0;

	i->event.native = cpumask_first(irq_data_get_effective_affinity_mask(data));
	move_port(i, irq_data_get_effective_affinity_mask(data));
	tell_cpu(i, data, irq_data_get_affinity_mask(data));
	/* A move from before it was deactivated may not be settled. */
	settle_later();
	i->orig->irq_write_msi_msg(data, &msg);
	/*
	 * A device of the host's own is mapped to the pirq by what it was told. Xen maps a device
	 * model's when its first interrupt comes, and then says of it, too, that it needs an EOI;
	 * that may be between these two, but not each time.
	 */
	do {
		pvirq_xen_unmap_pirq(i->event.pirq);
		i->event.eoi = pvirq_xen_needs_eoi(i->event.pirq);
	} while (i->event.eoi && ++tries < UNMAP_TRIES);
}

/* While it is live only its activation and deactivation do this; nobody else moves its vector. */
static void evtchn_write_msg(struct irq_data *data, struct msi_msg *msg)
{
	struct pvirq_irq *i = pvirq_to_irq(data);

	if (!i->event.live) {
		i->orig->irq_write_msi_msg(data, msg);
	} else if (pvirq_is_nothing(msg)) {
		/* Without a vector. The device keeps its message: the port is masked. */
		mask_port(i);
		i->event.native = nr_cpu_ids;
	} else {
		connect(i, data);
	}
}

static bool evtchn_ours(const struct irq_chip *chip)
{
	return chip->irq_write_msi_msg == evtchn_write_msg;
}

static void make_chip(struct pvirq_irq *i)
{
	i->chip = *i->orig;
	i->chip.irq_mask = evtchn_mask;
	i->chip.irq_unmask = evtchn_unmask;
	i->chip.irq_ack = evtchn_ack;
	i->chip.irq_retrigger = evtchn_retrigger;
	i->chip.irq_set_affinity = evtchn_set_affinity;
	i->chip.irq_write_msi_msg = evtchn_write_msg;
}

/* The port is bound, and leads nowhere. */
static void release(struct pvirq_irq *i)
{
	set_cpu(i, nr_cpu_ids);
	settle_cpu(i);
	pvirq_xen_close_port(i->event.port);
	pvirq_xen_unmap_pirq(i->event.pirq);
	pvirq_xen_put_pirq(i->event.pirq);
	mutex_lock(&ports_mutex);
	xa_erase(&ports, i->event.port);
	mutex_unlock(&ports_mutex);
}

static int evtchn_prepare(struct pvirq_irq *i, struct irq_data *data)
{
	int pirq, port, err;

	if (!READ_ONCE(running))
		return -ENODEV;
	pirq = pvirq_xen_get_pirq();
	if (pirq < 0)
		return pirq;
	/* This may be its interrupt, which would not come: Xen must map a pirq before it is bound. */
	if (pvirq_xen_passes_through()) {
		pr_warn_once("a device of the host's own is passed through: no event channels for what is taken over from now on\n");
		port = -EBUSY;
	} else {
		port = pvirq_xen_bind_pirq(pirq);
	}
	if (port < 0) {
		pvirq_xen_put_pirq(pirq);
		return port;
	}
	i->event = (struct pvirq_event){
		.port = port, .pirq = pirq, .cpu = nr_cpu_ids, .native = nr_cpu_ids,
	};
	mask_port(i);
	make_chip(i);
	move_port(i, cpu_online_mask);
	mutex_lock(&ports_mutex);
	err = xa_err(xa_store(&ports, port, i, GFP_KERNEL));
	mutex_unlock(&ports_mutex);
	if (!err && i->event.cpu == nr_cpu_ids)
		err = -EIO;
	if (err)
		release(i);
	return err;
}

static void evtchn_entered(struct pvirq_irq *i, struct irq_data *data)
{
	struct irq_desc *desc = irq_data_to_desc(data);
	unsigned long flags;

	raw_spin_lock_irqsave(&desc->lock, flags);
	i->event.live = true;
	if (irqd_is_activated(data)) {
		connect(i, data);
		if (!irqd_irq_masked(data))
			unmask_port(i);
		/* A move of its vector ends with the next interrupt at the new one: with this. */
		if (irqd_is_started(data))
			i->orig->irq_retrigger(data);
	}
	raw_spin_unlock_irqrestore(&desc->lock, flags);
	/* A move is a hypercall, and need not wait for the next interrupt. */
	irq_set_status_flags(i->irq, IRQ_MOVE_PCNTXT);
}

/*
 * Its vector's CPU is to be the one that it came to as an event. False if it stays without one: a
 * vector that was moved just now cannot be moved on before the old one has been cleaned up, a tick
 * later.
 */
static bool move_vector(struct pvirq_irq *i, struct irq_data *data, const struct cpumask *mask)
{
	bool has = i->event.native < nr_cpu_ids;
	int err;

	if (has && cpumask_test_cpu(i->event.native, mask) && cpu_online(i->event.native))
		return true;
	/* The kernel leaves this as it is where it leaves the vector. */
	irq_data_update_effective_affinity(data, has ? cpumask_of(i->event.native) : cpu_none_mask);
	err = irq_chip_set_affinity_parent(data, mask, true);
	if (err < 0)
		err = irq_chip_set_affinity_parent(data, irqd_affinity_is_managed(data) ?
						   irq_data_get_affinity_mask(data) :
						   cpu_online_mask, true);
	if (err >= 0)
		i->event.native = cpumask_first(irq_data_get_effective_affinity_mask(data));
	return i->event.native < nr_cpu_ids && cpu_online(i->event.native);
}

/*
 * Back to the vector. A device model does not look at the mask bit while the message names a pirq:
 * so the data, which says what it names, is written first, with the bit set.
 */
static void disconnect(struct pvirq_irq *i, struct irq_data *data)
{
	struct irq_data *parent = data->parent_data;
	struct msi_msg native, mixed;

	if (move_vector(i, data, cpumask_of(i->event.cpu)))
		irq_data_update_effective_affinity(data, cpumask_of(i->event.native));
	else
		pr_warn("irq %u: no vector where it goes\n", i->irq);
	parent->chip->irq_compose_msi_msg(parent, &native);
	mixed = irq_data_get_msi_desc(data)->msg;
	mixed.data = native.data;
	i->orig->irq_mask(data);
	i->orig->irq_write_msi_msg(data, &mixed);
	i->orig->irq_write_msi_msg(data, &native);
	if (!irqd_irq_masked(data))
		i->orig->irq_unmask(data);
}

static void evtchn_leave(struct pvirq_irq *i, struct irq_data *data)
{
	struct irq_desc *desc = irq_data_to_desc(data);
	struct msi_msg nothing[2] = {};
	unsigned long flags;

	irq_clear_status_flags(i->irq, IRQ_MOVE_PCNTXT);
	raw_spin_lock_irqsave(&desc->lock, flags);
	mask_port(i);
	i->event.live = false;
	if (irqd_is_activated(data)) {
		disconnect(i, data);
		/*
		 * What came as an event, and was not served: it may be pending, or in the hands of
		 * a CPU that will not find us any more.
		 */
		if (irqd_is_started(data))
			i->orig->irq_retrigger(data);
	} else {
		i->orig->irq_mask(data);
		i->orig->irq_write_msi_msg(data, nothing);
	}
	raw_spin_unlock_irqrestore(&desc->lock, flags);
	release(i);
}

const struct pvirq_backend pvirq_evtchn = {
	.path = HYBRID_PATH_EVTCHN,
	.prepare = evtchn_prepare,
	.entered = evtchn_entered,
	.leave = evtchn_leave,
	.drop = release,
	.ours = evtchn_ours,
};

void pvirq_evtchn_deliver(u32 port)
{
	const struct pvirq_irq *i = xa_load(&ports, port);
	struct irq_data *data = i ? irq_get_irq_data(i->irq) : NULL;

	/* It may have been freed just now, and its number be another's. */
	if (!data || data->chip != &i->chip)
		return;
	__this_cpu_write(delivering, i->irq);
	generic_handle_irq_desc(irq_data_to_desc(data));
	__this_cpu_write(delivering, 0);
}

/* Calls @change for all that are live, with the interrupt's lock. False if it failed for one. */
static bool for_each_live(bool (*change)(struct pvirq_irq *i, struct irq_data *data,
					 unsigned int cpu), unsigned int cpu)
{
	struct pvirq_irq *i;
	unsigned long port;
	bool done = true;

	mutex_lock(&ports_mutex);
	xa_for_each(&ports, port, i) {
		struct irq_data *data;
		unsigned long flags;

		/* The interrupt may be gone, and its number another's. */
		rcu_read_lock();
		data = irq_get_irq_data(i->irq);
		if (data) {
			struct irq_desc *desc = irq_data_to_desc(data);

			raw_spin_lock_irqsave(&desc->lock, flags);
			if (data->chip == &i->chip && i->event.live && irqd_is_activated(data))
				done &= change(i, data, cpu);
			raw_spin_unlock_irqrestore(&desc->lock, flags);
		}
		rcu_read_unlock();
	}
	mutex_unlock(&ports_mutex);
	return done;
}

/* What somebody else was told of comes to its CPU. */
static bool ask_again(struct pvirq_irq *i, struct irq_data *data, unsigned int unused)
{
	if (!port_is_masked(i))
		unmask_port(i);
	return true;
}

static bool settle(struct pvirq_irq *i, struct irq_data *data, unsigned int unused)
{
	if (time_before(jiffies, i->event.moved + SETTLED_AFTER))
		return false;
	settle_cpu(i);
	return ask_again(i, data, unused);
}

static void settle_fn(struct work_struct *work)
{
	if (!for_each_live(settle, 0))
		settle_later();
}

/*
 * The kernel starts those that belong to a CPU before events can be sent there. Where going offline
 * was called off, it has not been told of what went away (see go_away()).
 */
static bool come_home(struct pvirq_irq *i, struct irq_data *data, unsigned int cpu)
{
	const struct cpumask *mask = irq_data_get_affinity_mask(data);

	if (cpumask_test_cpu(cpu, mask) && !cpumask_test_cpu(i->event.cpu, mask))
		move_port(i, mask);
	tell_cpu(i, data, mask);
	return true;
}

void pvirq_evtchn_cpu_up(unsigned int cpu)
{
	for_each_live(come_home, cpu);
	pvirq_control_cpus_changed();
}

/*
 * The kernel is not told: it still does with the interrupt what it does with all of the CPU's that
 * are started.
 */
static bool go_away(struct pvirq_irq *i, struct irq_data *data, unsigned int cpu)
{
	const struct cpumask *mask = irq_data_get_affinity_mask(data);

	if (i->event.cpu != cpu)
		return true;
	move_port(i, mask);
	if (!irqd_is_started(data))
		tell_cpu(i, data, mask);
	return true;
}

int pvirq_evtchn_cpu_down(unsigned int cpu)
{
	if (cpumask_empty(&pvirq_upcall_cpus) && atomic_read(per_cpu_ptr(&load, cpu)))
		return -EBUSY;
	for_each_live(go_away, cpu);
	pvirq_control_cpus_changed();
	return 0;
}

/* The kernel knows of one CPU only, the event's or the vector's (see tell_cpu()). */
static bool leave_dead(struct pvirq_irq *i, struct irq_data *data, unsigned int cpu)
{
	bool left;

	if (i->event.native != cpu && i->event.native != nr_cpu_ids)
		return true;
	i->event.native = nr_cpu_ids;
	left = move_vector(i, data, cpumask_of(i->event.cpu));
	tell_cpu(i, data, irq_data_get_affinity_mask(data));
	return left;
}

void pvirq_evtchn_cpu_dead(unsigned int cpu)
{
	unsigned int tries;

	/* An event that was late may wait there; also one of xenstore. */
	pvirq_control_cpus_changed();
	for_each_live(ask_again, cpu);
	for (tries = 0; tries < 10; tries++) {
		if (for_each_live(leave_dead, cpu))
			return;
		msleep(20);
	}
	pr_warn("an interrupt's vector stays with CPU %u, which is offline\n", cpu);
}

/* A crash kernel would be interrupted by events that it knows nothing of, again and again. */
static int panicked(struct notifier_block *nb, unsigned long action, void *unused)
{
	pvirq_xen_set_callback(0);
	return NOTIFY_DONE;
}

static struct notifier_block panic_notifier = { .notifier_call = panicked, .priority = INT_MAX };

static DEFINE_MUTEX(running_mutex);
/* It failed; or was stopped, for good or for sleep, which nobody who comes late must undo. */
static bool barred;

static void close(void)
{
	atomic_notifier_chain_unregister(&panic_notifier_list, &panic_notifier);
	pvirq_xen_close();
}

static int start(void)
{
	int err;

	if (kexec_crash_loaded() && !pvirq_events_with_kdump()) {
		pr_warn("a crash kernel is loaded, which an event would interrupt for ever; with the kernel's parameter crash_kexec_post_notifiers, load with events_with_kdump=1\n");
		return -EBUSY;
	}
	err = pvirq_xen_open();
	if (err)
		return err;
	atomic_notifier_chain_register(&panic_notifier_list, &panic_notifier);
	err = pvirq_upcall_start();
	if (err)
		goto err_close;
	err = pvirq_control_start();
	if (err)
		goto err_upcall;
	WRITE_ONCE(running, true);
	return 0;

err_upcall:
	pvirq_upcall_stop();
err_close:
	close();
	return err;
}

void pvirq_evtchn_start(void)
{
	int err = 0;

	mutex_lock(&running_mutex);
	if (!running && !barred) {
		err = start();
		/* Each attempt takes vectors, and lets Xen's tools see a callback, for a moment. */
		barred = err;
	}
	mutex_unlock(&running_mutex);
	if (err)
		pr_warn("no event channels (error %d): lazy serves instead\n", err);
}

void pvirq_evtchn_stop(void)
{
	mutex_lock(&running_mutex);
	barred = true;
	if (running) {
		WRITE_ONCE(running, false);
		cancel_delayed_work_sync(&settle_work);
		pvirq_control_end();
		pvirq_upcall_stop();
		close();
	}
	mutex_unlock(&running_mutex);
}

void pvirq_evtchn_silence(void)
{
	mutex_lock(&running_mutex);
	barred = true;
	if (running)
		pvirq_xen_set_callback(0);
	mutex_unlock(&running_mutex);
}

void pvirq_evtchn_allow(void)
{
	mutex_lock(&running_mutex);
	barred = false;
	/* Where falling asleep failed it may have been stopped. */
	if (running && pvirq_control_start())
		pr_warn("nobody listens to Xen's tools\n");
	mutex_unlock(&running_mutex);
}
