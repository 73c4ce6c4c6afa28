// SPDX-License-Identifier: GPL-2.0-only
/*
 * What Xen's tools ask of a kernel that runs without Xen support, since we set an interrupt for
 * events: before that, they would have saved it unasked, and not shut it down at all.
 *
 * A save takes all event channels away, and the page that is shared with Xen. So everything is
 * given back before it, and taken over anew after it, while the devices go on.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/io.h>
#include <linux/lockdep.h>
#include <linux/mm.h>
#include <linux/mutex.h>
#include <linux/printk.h>
#include <linux/reboot.h>
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
	      XS_UNWATCH == PVIRQ_XENSTORE_UNWATCH && XS_WRITE == PVIRQ_XENSTORE_WRITE &&
	      XS_WATCH_EVENT == PVIRQ_XENSTORE_WATCH_EVENT && XS_ERROR == PVIRQ_XENSTORE_ERROR);

static DEFINE_MUTEX(mutex);		/* for all of these; the port is also read without it */
static u32 port;			/* 0: we do not listen */
static struct pvirq_xenstore_page *page;
static enum pvirq_order taken;

static void disconnect(void)
{
	u32 was = port;

	lockdep_assert_held(&mutex);
	if (!was)
		return;
	WRITE_ONCE(port, 0);
	sync_set_bit(was, (unsigned long *)pvirq_xen_mask());
	sync_clear_bit(was, (unsigned long *)pvirq_upcall_bound);
	if (!pvirq_xenstore_watch(page, false))
		pvirq_xen_send(was);
	memunmap(page);
}

static void suspend(void)
{
	int err;

	pr_info("everything is given back: Xen's tools suspend this machine\n");
	mutex_lock(&mutex);
	disconnect();
	mutex_unlock(&mutex);
	pvirq_fall_asleep();
	err = pvirq_xen_suspend();
	if (err < 0)
		pr_warn("Xen does not suspend (error %d)\n", err);
	pvirq_wake_up();
	/* Perhaps another host. */
	hybrid_refresh();
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

/* Until there is nothing to be read, or an order to be carried out. */
static enum pvirq_order listen(void)
{
	enum pvirq_order order = PVIRQ_ORDER_NONE;
	int got;

	do {
		got = pvirq_xenstore_step(page, &taken, &order);
	} while (got > 0 && order == PVIRQ_ORDER_NONE);
	/* There is room, or there are requests. */
	pvirq_xen_send(port);
	if (got < 0) {
		pr_warn("xenstore makes no sense (error %d): Xen's tools are not heard\n", got);
		disconnect();
	}
	return order;
}

static void work_fn(struct work_struct *work)
{
	enum pvirq_order order = PVIRQ_ORDER_NONE;

	mutex_lock(&mutex);
	if (port)
		order = listen();
	mutex_unlock(&mutex);
	if (order != PVIRQ_ORDER_NONE) {
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

static void connect(void)
{
	u64 frame, p;

	/* hvmloader has reserved the page; one that the kernel uses is not believed. */
	if (pvirq_xen_get_param(HVM_PARAM_STORE_PFN, &frame) ||
	    pvirq_xen_get_param(HVM_PARAM_STORE_EVTCHN, &p) || !frame || frame != (u32)frame ||
	    page_is_ram(frame) || p != (u32)p || !pvirq_event_valid(p)) {
		pr_warn("no xenstore: Xen's tools are not heard, and cannot save this machine\n");
		return;
	}
	page = memremap(PFN_PHYS(frame), PAGE_SIZE, MEMREMAP_WB);
	if (!page)
		return;
	taken = PVIRQ_ORDER_NONE;
	WRITE_ONCE(port, p);
	sync_set_bit(p, (unsigned long *)pvirq_upcall_bound);
	pvirq_xen_unmask(p);
	if (pvirq_xenstore_watch(page, true))
		disconnect();
	else
		schedule_work(&control_work);	/* which sends what was asked, too */
}

void pvirq_control_start(void)
{
	mutex_lock(&mutex);
	connect();
	mutex_unlock(&mutex);
}

void pvirq_control_stop(void)
{
	do {
		mutex_lock(&mutex);
		disconnect();
		mutex_unlock(&mutex);
		/* Whoever was being suspended has started anew. */
		cancel_work_sync(&control_work);
	} while (READ_ONCE(port));
}
