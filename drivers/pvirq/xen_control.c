// SPDX-License-Identifier: GPL-2.0-only
/*
 * What Xen's tools ask of a kernel that runs without Xen support, since we set an interrupt for
 * events: before that, they would have saved it unasked, and not shut it down at all.
 *
 * A save takes all event channels away, and the page that is shared with Xen. So everything is
 * given back before it, and taken over anew after it, while the devices go on.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/cpumask.h>
#include <linux/errno.h>
#include <linux/io.h>
#include <linux/jiffies.h>
#include <linux/mm.h>
#include <linux/mutex.h>
#include <linux/nmi.h>
#include <linux/printk.h>
#include <linux/reboot.h>
#include <linux/smp.h>
#include <linux/stddef.h>
#include <linux/workqueue.h>

#include <asm/sync_bitops.h>

#include <xen/interface/hvm/params.h>
#include <xen/interface/io/xs_wire.h>

#include <hybrid/hybrid.h>

#include "internal.h"
#include "xen.h"
#include "xenstore.h"

static_assert(XENSTORE_RING_SIZE == PVIRQ_XENSTORE_RING);
static_assert(offsetof(struct xenstore_domain_interface, req_cons) ==
	      offsetof(struct pvirq_xenstore_page, req_cons));
static_assert(offsetof(struct xenstore_domain_interface, rsp_prod) ==
	      offsetof(struct pvirq_xenstore_page, rsp_prod));
static_assert(sizeof(struct xsd_sockmsg) == sizeof(struct pvirq_xenstore_head));
static_assert(XS_READ == PVIRQ_XENSTORE_READ && XS_WATCH == PVIRQ_XENSTORE_WATCH &&
	      XS_UNWATCH == PVIRQ_XENSTORE_UNWATCH && XS_TRANSACTION_START == PVIRQ_XENSTORE_BEGIN &&
	      XS_TRANSACTION_END == PVIRQ_XENSTORE_END && XS_WRITE == PVIRQ_XENSTORE_WRITE &&
	      XS_WATCH_EVENT == PVIRQ_XENSTORE_WATCH_EVENT && XS_ERROR == PVIRQ_XENSTORE_ERROR);

static DEFINE_MUTEX(mutex);		/* for all of these; the port is also read without it */
static u32 port;			/* 0: we do not listen */
static struct pvirq_xenstore store;

/*
 * Whoever asked gives up a minute after the order was taken, and resumes what was not suspended:
 * what then suspends itself, nobody resumes.
 */
#define PATIENCE	(30 * HZ)

/* Not part of what a reboot waits for, which holds what this takes. */
static void refresh_fn(struct work_struct *work)
{
	hybrid_refresh();
}

static DECLARE_WORK(refresh_work, refresh_fn);

/* The clock goes on meanwhile, and the first tick after it would take that for a lockup. */
static void touch_watchdog(void *unused)
{
	touch_softlockup_watchdog();
}

static void suspend(void)
{
	unsigned long start = jiffies;
	int err;

	pr_info("everything is given back: Xen's tools suspend this machine\n");
	if (!pvirq_fall_asleep()) {
		err = -EBUSY;
	} else if (time_after(jiffies, start + PATIENCE)) {
		err = -ETIME;
	} else {
		on_each_cpu(touch_watchdog, NULL, 1);
		err = pvirq_xen_suspend();
	}
	if (err < 0)
		pr_warn("not suspended (error %d)\n", err);
	pvirq_wake_up();
	/* Perhaps another host. */
	schedule_work(&refresh_work);
}

static void carry_out(enum pvirq_order order)
{
	switch (order) {
	case PVIRQ_ORDER_SUSPEND:
		suspend();
		break;
	case PVIRQ_ORDER_POWEROFF:
		orderly_poweroff(false);
		break;
	case PVIRQ_ORDER_REBOOT:
		orderly_reboot();
		break;
	default:
		break;
	}
}

static void work_fn(struct work_struct *work);
static DECLARE_WORK(control_work, work_fn);

/* At a time; a host that never stops talking is not to keep others waiting. */
#define STEPS	64

/* Until there is nothing to be read (0), an order to be carried out, or enough. */
static int listen(enum pvirq_order *order)
{
	unsigned int steps = STEPS;
	int got;

	/* Before it looks; and in case that its CPU was offline when it came. */
	sync_clear_bit(port, (unsigned long *)pvirq_xen_pending());
	do {
		got = pvirq_xenstore_step(&store, order);
	} while (got > 0 && *order == PVIRQ_ORDER_NONE && --steps);
	/* There is room, or there are requests. */
	pvirq_xen_send(port);
	return got;
}

static void work_fn(struct work_struct *work)
{
	enum pvirq_order order = PVIRQ_ORDER_NONE;
	int got = 0;

	mutex_lock(&mutex);
	if (port)
		got = listen(&order);
	mutex_unlock(&mutex);
	if (got < 0) {
		/* Whoever has an interrupt for events has to listen. */
		pr_warn("xenstore makes no sense (error %d): no event channels any more\n", got);
		if (pvirq_fall_asleep())
			pvirq_resume();
		else
			schedule_work(work);
	} else if (got > 0) {
		carry_out(order);
		schedule_work(work);
	}
}

bool pvirq_control_event(u32 p)
{
	if (p != READ_ONCE(port))
		return false;
	schedule_work(&control_work);
	return true;
}

/* Its event comes to a CPU that is online; what came meanwhile is looked at. */
static void settle(void)
{
	unsigned int cpu = cpumask_first(&pvirq_upcall_cpus);

	if (cpu < nr_cpu_ids)
		pvirq_xen_bind_vcpu(port, pvirq_upcall_vcpu(cpu));
	pvirq_xen_unmask(port);
	schedule_work(&control_work);
}

void pvirq_control_cpus_changed(void)
{
	mutex_lock(&mutex);
	if (port)
		settle();
	mutex_unlock(&mutex);
}

static void serve_on_all(u32 p, bool serve)
{
	unsigned int cpu;

	for_each_possible_cpu(cpu)
		pvirq_upcall_serve(cpu, p, serve);
}

static int connect(void)
{
	struct pvirq_xenstore_page *page;
	u64 frame, p;
	int err;

	/* hvmloader has reserved the page; one that the kernel uses is not believed. */
	if (pvirq_xen_get_param(HVM_PARAM_STORE_PFN, &frame) ||
	    pvirq_xen_get_param(HVM_PARAM_STORE_EVTCHN, &p) || !frame || frame != (u32)frame ||
	    page_is_ram(frame) || p != (u32)p || !pvirq_event_valid(p))
		return -ENODEV;
	page = memremap(PFN_PHYS(frame), PAGE_SIZE, MEMREMAP_WB);
	if (!page)
		return -ENOMEM;
	err = pvirq_xenstore_open(&store, page);
	if (err) {
		memunmap(page);
		return err;
	}
	WRITE_ONCE(port, p);
	serve_on_all(p, true);
	settle();
	return 0;
}

int pvirq_control_start(void)
{
	int err;

	mutex_lock(&mutex);
	err = port ? 0 : connect();
	mutex_unlock(&mutex);
	return err;
}

void pvirq_control_end(void)
{
	u32 was;

	mutex_lock(&mutex);
	was = port;
	WRITE_ONCE(port, 0);
	if (was) {
		sync_set_bit(was, (unsigned long *)pvirq_xen_mask());
		serve_on_all(was, false);
		if (!pvirq_xenstore_close(&store))
			pvirq_xen_send(was);
		memunmap(store.page);
	}
	mutex_unlock(&mutex);
}

void pvirq_control_stop(void)
{
	do {
		pvirq_control_end();
		/* Whoever was being suspended has started anew. */
		cancel_work_sync(&control_work);
	} while (READ_ONCE(port));
}

void pvirq_control_exit(void)
{
	/* What an upcall asked for that was just under way; there are none any more. */
	cancel_work_sync(&control_work);
	cancel_work_sync(&refresh_work);
}
