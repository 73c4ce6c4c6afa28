// SPDX-License-Identifier: GPL-2.0-only
/* pvirq: interrupts of PCI devices with fewer exits, without a change to their drivers. */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/init.h>
#include <linux/irq.h>
#include <linux/irq_work.h>
#include <linux/jiffies.h>
#include <linux/kernel.h>
#include <linux/minmax.h>
#include <linux/module.h>
#include <linux/moduleparam.h>
#include <linux/mutex.h>
#include <linux/notifier.h>
#include <linux/reboot.h>
#include <linux/string.h>
#include <linux/suspend.h>
#include <linux/tracepoint.h>
#include <linux/workqueue.h>

#include <hybrid/hybrid.h>

#include "internal.h"

static bool force;
module_param(force, bool, 0444);
MODULE_PARM_DESC(force, "Take interrupts over whatever hybrid's policy says, for tests (default 0)");

static char *skip[16];
static int nr_skip;
module_param_array(skip, charp, &nr_skip, 0444);
MODULE_PARM_DESC(skip, "Addresses of PCI devices to leave alone, e.g. 0000:00:04.0,0000:00:05.0");

static bool events_with_kdump;
module_param(events_with_kdump, bool, 0444);
MODULE_PARM_DESC(events_with_kdump, "Use Xen's event channels although a crash kernel is loaded, which needs crash_kexec_post_notifiers then (default 0)");

bool pvirq_force(void)
{
	return force;
}

bool pvirq_events_with_kdump(void)
{
	return events_with_kdump;
}

bool pvirq_skipped(struct pci_dev *pdev)
{
	int i;

	for (i = 0; i < nr_skip; i++)
		if (!strcmp(pci_name(pdev), skip[i]))
			return true;
	return false;
}

/*
 * Rescans: a moment after interrupts were allocated, so that one finds all of a device; and
 * where devices are busy, again and again, more and more rarely.
 */
#define RESCAN_DELAY	(HZ / 20)
#define RESCAN_AGAIN	HZ
#define RESCAN_RARELY	(64 * HZ)

static unsigned long rescan_again = RESCAN_AGAIN;

static void rescan(struct work_struct *work)
{
	if (pvirq_scan()) {
		rescan_again = RESCAN_AGAIN;
		return;
	}
	schedule_delayed_work(to_delayed_work(work), rescan_again);
	rescan_again = min(2 * rescan_again, (unsigned long)RESCAN_RARELY);
}

static DECLARE_DELAYED_WORK(rescan_work, rescan);

static void rescan_kick(struct irq_work *work)
{
	mod_delayed_work(system_wq, &rescan_work, RESCAN_DELAY);
}

/* Lazy: it waits for the tick, rather than send an IPI to this CPU. */
static struct irq_work rescan_irq_work = IRQ_WORK_INIT_LAZY(rescan_kick);

void pvirq_rescan_soon(void)
{
	irq_work_queue(&rescan_irq_work);
}

/*
 * The kernel activates an interrupt: of a device whose driver allocates them some time after
 * it was bound (virtio, a network card's "ethtool -L"). Under the vector lock.
 */
static void vector_activated(void *unused, unsigned int irq, bool is_managed, bool can_reserve,
			     bool reserve)
{
	const struct irq_data *data = irq_get_irq_data(irq);

	if (data && data->chip && data->chip->irq_write_msi_msg &&
	    !pvirq_ours(data->chip) && pvirq_wanted())
		pvirq_rescan_soon();
}

static struct tracepoint *activate_tp;

static void find_tracepoint(struct tracepoint *tp, void *unused)
{
	if (!strcmp(tp->name, "vector_activate"))
		activate_tp = tp;
}

/* Without it, interrupts are found when drivers are bound, and when somebody asks. */
static void tracepoint_start(void)
{
	for_each_kernel_tracepoint(find_tracepoint, NULL);
	if (activate_tp && tracepoint_probe_register(activate_tp, vector_activated, NULL))
		activate_tp = NULL;
}

static void tracepoint_stop(void)
{
	if (activate_tp)
		tracepoint_probe_unregister(activate_tp, vector_activated, NULL);
	tracepoint_synchronize_unregister();
}

/* Bound and unbound: the device's lock is held. */
static int bus_changed(struct notifier_block *nb, unsigned long action, void *dev)
{
	switch (action) {
	case BUS_NOTIFY_BOUND_DRIVER:
	case BUS_NOTIFY_UNBOUND_DRIVER:
		pvirq_scan_device(to_pci_dev(dev));
		break;
	case BUS_NOTIFY_REMOVED_DEVICE:
		pvirq_forget_device(to_pci_dev(dev));
		break;
	}
	return NOTIFY_DONE;
}

static struct notifier_block bus_notifier = { .notifier_call = bus_changed };

static void start_evtchn(void)
{
	if (hybrid_path(HYBRID_OP_EOI) == HYBRID_PATH_EVTCHN)
		pvirq_evtchn_start();
}

/* Xen's tools may order the one while the kernel does the other. */
static DEFINE_MUTEX(sleep_mutex);

bool pvirq_fall_asleep(void)
{
	bool all;

	mutex_lock(&sleep_mutex);
	all = pvirq_suspend();
	if (all)
		pvirq_evtchn_stop();
	mutex_unlock(&sleep_mutex);
	return all;
}

void pvirq_wake_up(void)
{
	mutex_lock(&sleep_mutex);
	pvirq_evtchn_allow();
	start_evtchn();
	pvirq_resume();
	mutex_unlock(&sleep_mutex);
}

/*
 * Xen's save and restore calls none of these. In a kernel with Xen support it freezes and restores
 * the devices as a suspend does: masks in software go on, as the core's state does, and
 * pci_restore_msi_state() writes what the msi_descs say, which is what the devices were told (see
 * struct pvirq_irq). In one without, see xen_control.c.
 */
static int power_changed(struct notifier_block *nb, unsigned long action, void *unused)
{
	switch (action) {
	case PM_HIBERNATION_PREPARE:
	case PM_SUSPEND_PREPARE:
	case PM_RESTORE_PREPARE:
		pvirq_control_stop();
		if (!pvirq_fall_asleep()) {
			pvirq_wake_up();
			return notifier_from_errno(-EBUSY);
		}
		pvirq_eoi_bar(true);
		break;
	case PM_POST_HIBERNATION:
	case PM_POST_SUSPEND:
	case PM_POST_RESTORE:
		pvirq_eoi_bar(false);
		pvirq_wake_up();
		break;
	}
	return NOTIFY_DONE;
}

static struct notifier_block power_notifier = { .notifier_call = power_changed };

/* The next kernel, perhaps by kexec, is to find the devices and the host as it expects them. */
static int reboots(struct notifier_block *nb, unsigned long action, void *unused)
{
	pvirq_control_stop();
	if (!pvirq_fall_asleep())
		pvirq_abandon();
	return NOTIFY_DONE;
}

static struct notifier_block reboot_notifier = { .notifier_call = reboots };

static int policy_decided(struct notifier_block *nb, unsigned long event, void *state)
{
	/* After a migration, too. */
	pvirq_remeasure();
	pvirq_eoi_follow();
	start_evtchn();
	if (!pvirq_scan())
		pvirq_rescan_soon();
	return NOTIFY_DONE;
}

static struct notifier_block policy_notifier = { .notifier_call = policy_decided };

/* When nobody calls for a scan any more. */
static void stop(void)
{
	/* Asks for a scan where it has suspended the machine. */
	pvirq_control_stop();
	irq_work_sync(&rescan_irq_work);
	cancel_delayed_work_sync(&rescan_work);
	pvirq_exit_all();
	/* Not before, as that may take its time. */
	unregister_reboot_notifier(&reboot_notifier);
	pvirq_evtchn_stop();
	pvirq_control_exit();
	pvirq_eoi_exit();
	pvirq_hypercall_exit();
}

static int __init pvirq_init(void)
{
	int err;

	err = pvirq_eoi_init();
	if (err)
		return err;
	err = register_pm_notifier(&power_notifier);
	if (err)
		goto err_eoi;
	err = register_reboot_notifier(&reboot_notifier);
	if (err)
		goto err_power;
	start_evtchn();
	err = hybrid_notifier_register(&policy_notifier);
	if (err)
		goto err_power;
	err = bus_register_notifier(&pci_bus_type, &bus_notifier);
	if (err)
		goto err_policy;
	tracepoint_start();
	pvirq_eoi_follow();
	if (!pvirq_scan())
		pvirq_rescan_soon();
	pvirq_debugfs_create();
	pr_info("by policy MSIs are masked by %s, moved by %s and ended by %s%s\n",
		hybrid_path_name(hybrid_path(HYBRID_OP_MSI_MASK)),
		hybrid_path_name(hybrid_path(HYBRID_OP_MSI_AFFINITY)),
		hybrid_path_name(hybrid_path(HYBRID_OP_EOI)),
		force ? "; but lazy is forced" : "");
	return 0;

err_policy:
	hybrid_notifier_unregister(&policy_notifier);
err_power:
	unregister_pm_notifier(&power_notifier);
	stop();
	return err;
err_eoi:
	pvirq_eoi_exit();
	return err;
}

static void __exit pvirq_exit(void)
{
	pvirq_debugfs_remove();
	tracepoint_stop();
	unregister_pm_notifier(&power_notifier);
	bus_unregister_notifier(&pci_bus_type, &bus_notifier);
	hybrid_notifier_unregister(&policy_notifier);
	stop();
}

module_init(pvirq_init);
module_exit(pvirq_exit);

MODULE_DESCRIPTION("Hybrid HVM: interrupts of PCI devices with fewer exits");
MODULE_AUTHOR("The Hybrid HVM developers");
MODULE_VERSION(HYBRID_VERSION);
MODULE_LICENSE("GPL");
