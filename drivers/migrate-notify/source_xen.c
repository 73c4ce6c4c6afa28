// SPDX-License-Identifier: GPL-2.0-only
/*
 * Xen: whoever moves the domain may announce it in xenstore, and the suspend and resume that
 * a migration is end it, cancelled or not.
 *
 * The host makes two nodes in the domain's directory and lets the guest read the first and
 * write the second; data/migrate-notify tells it that somebody listens. A restored domain has
 * a directory of its own, in which none of them is.
 *
 *   control/migrate-notify-request	as mn_request_parse() takes it
 *   control/migrate-notify-ack		"ready OP REFUSED", "timed-out OP WAITING REFUSED",
 *					"complete OP STATUS" or "error OP ERRNO"
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/notifier.h>
#include <linux/platform_device.h>
#include <linux/pm.h>
#include <linux/printk.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/string.h>
#include <linux/workqueue.h>

#include <xen/xen.h>
#include <xen/xen-ops.h>
#include <xen/xenbus.h>

#include <migrate-notify/answer.h>
#include <migrate-notify/parse.h>

#include "internal.h"

#define REQUEST_NODE	"control/migrate-notify-request"

/* Set by the resume notifier, taken by the device's callbacks: the domain stood still. */
static bool suspended;
/* We said that the domain is being moved; the end is still to be said. */
static bool said_moving;
/* The watch is registered; changes in the xenstore notifier only. */
static bool watching;

/* What was there before us is none of ours: the node keeps the last request. */
static char *stale;
static unsigned int stale_len;

/*
 * The latest answer; a node holds no more. Written to xenstore by a work of its own, because
 * nobody here may wait for a xenstore that does not reply.
 */
static struct mn_answers answers;
static DEFINE_SPINLOCK(answer_lock);

static void write_answer(struct work_struct *work)
{
	char text[MN_ANSWER_MAX];

	spin_lock(&answer_lock);
	strscpy(text, answers.text, sizeof(text));
	spin_unlock(&answer_lock);
	/* A host that did not make the node does not want to know. */
	xenbus_write(XBT_NIL, "control", "migrate-notify-ack", text);
}

static DECLARE_WORK(answer_work, write_answer);

static void xen_answer(const struct migrate_notify_event *e)
{
	spin_lock(&answer_lock);
	mn_answer_event(&answers, e);
	spin_unlock(&answer_lock);
	queue_work(system_wq, &answer_work);
}

/* To a request that had no effect. A host may ask again: a watch fires for a chmod too. */
static void answer_error(u64 op_id, int err)
{
	bool active = err == -EALREADY && mn_core_active(op_id);
	bool say;

	spin_lock(&answer_lock);
	say = mn_answer_error(&answers, op_id, err, active);
	spin_unlock(&answer_lock);
	if (say)
		queue_work(system_wq, &answer_work);
}

/* Not in the thread of the watch, in which all others of xenstore would wait for programs. */
static void take_request(struct work_struct *work)
{
	struct mn_request rq = { .source = MIGRATE_NOTIFY_SOURCE_XEN };
	unsigned int len;
	char *text;
	u64 op_id;
	int err;

	text = xenbus_read(XBT_NIL, REQUEST_NODE, "", &len);
	if (IS_ERR(text))
		return;		/* not there, or not any more */
	if (!len) {
		kfree(text);
		return;		/* made, and not written yet */
	}
	if (stale && len == stale_len && !memcmp(text, stale, len)) {
		kfree(text);
		return;
	}
	err = mn_request_parse(&rq, text, len);
	kfree(text);
	/* As the host named it: the core may know the operation by a number of ours. */
	op_id = rq.op_id;
	if (!err)
		err = mn_core_request(&rq);
	if (err)
		answer_error(op_id, err);
}

static DECLARE_WORK(request_work, take_request);

static void request_changed(struct xenbus_watch *watch, const char *path, const char *token)
{
	queue_work(system_wq, &request_work);
}

static struct xenbus_watch watch = {
	.node		= REQUEST_NODE,
	.callback	= request_changed,
};

static int resumed(struct notifier_block *nb, unsigned long action, void *data)
{
	suspended = true;
	return NOTIFY_OK;
}

static struct notifier_block resume_nb = { .notifier_call = resumed };

static void thawed(struct work_struct *work);
static DECLARE_WORK(thawed_work, thawed);

/* Also at the beginning of a hibernation, which is none of ours: only if we expect it. */
static int xen_freeze(struct device *dev)
{
	struct mn_request rq = {
		.action	= MIGRATE_NOTIFY_INJECT_MOVING,
		.source	= MIGRATE_NOTIFY_SOURCE_XEN,
	};

	suspended = false;
	if (mn_core_active(0)) {
		int err = mn_core_request(&rq);

		said_moving = !err || err == -EALREADY;
	}
	/* It runs when all is thawed, also where none of the callbacks below is called. */
	queue_work(system_freezable_wq, &thawed_work);
	return 0;
}

static int came_back(u16 status)
{
	struct mn_request rq = {
		.action	= MIGRATE_NOTIFY_INJECT_COMPLETE,
		.source	= MIGRATE_NOTIFY_SOURCE_XEN,
		.status	= suspended ? status : MIGRATE_NOTIFY_FAILED,
	};

	if (suspended || said_moving)
		mn_core_request(&rq);
	suspended = false;
	said_moving = false;
	return 0;
}

/* The end of a suspend that failed on its way, and what a restored domain has to say again. */
static void thawed(struct work_struct *work)
{
	came_back(MIGRATE_NOTIFY_FAILED);
	if (watching)
		xenbus_write(XBT_NIL, "data", "migrate-notify", "1");
}

static int xen_restore(struct device *dev)
{
	return came_back(MIGRATE_NOTIFY_SUCCESS);
}

static int xen_thaw(struct device *dev)
{
	return came_back(MIGRATE_NOTIFY_CANCELLED);
}

static const struct dev_pm_ops xen_pm_ops = {
	.freeze		= xen_freeze,
	.restore	= xen_restore,
	.thaw		= xen_thaw,
};

/* A device of no use but that its driver is called around a suspend. */
static struct platform_driver driver = {
	.driver = {
		.name	= "migrate-notify-xen",
		.pm	= &xen_pm_ops,
	},
};
static struct platform_device *device;

/* Xenstore can be had, now or some time after we were loaded. */
static int xenstore_ready(struct notifier_block *nb, unsigned long action, void *data)
{
	if (watching)
		return NOTIFY_DONE;
	stale = xenbus_read(XBT_NIL, REQUEST_NODE, "", &stale_len);
	if (IS_ERR(stale))
		stale = NULL;
	watching = !register_xenbus_watch(&watch);
	if (watching)
		xenbus_write(XBT_NIL, "data", "migrate-notify", "1");
	else
		pr_warn("requests in xenstore cannot be watched\n");
	return NOTIFY_DONE;
}

static struct notifier_block xenstore_nb = { .notifier_call = xenstore_ready };

static int xen_start(void)
{
	int err;

	if (!xen_domain() || xen_initial_domain())
		return -ENODEV;
	err = platform_driver_register(&driver);
	if (err)
		return err;
	device = platform_device_register_simple("migrate-notify-xen", PLATFORM_DEVID_NONE,
						 NULL, 0);
	if (IS_ERR(device)) {
		err = PTR_ERR(device);
		goto err_driver;
	}
	xen_resume_notifier_register(&resume_nb);
	register_xenstore_notifier(&xenstore_nb);
	return 0;

err_driver:
	platform_driver_unregister(&driver);
	return err;
}

static void xen_stop(void)
{
	unregister_xenstore_notifier(&xenstore_nb);
	if (watching)
		unregister_xenbus_watch(&watch);
	cancel_work_sync(&request_work);
	xen_resume_notifier_unregister(&resume_nb);
	platform_device_unregister(device);
	platform_driver_unregister(&driver);
	cancel_work_sync(&thawed_work);
	if (watching)
		xenbus_rm(XBT_NIL, "data", "migrate-notify");
	/* Nothing queues it any more: the core does not call a source that it stops. */
	cancel_work_sync(&answer_work);
	kfree(stale);
}

const struct mn_source mn_source_xen = {
	.id	= MIGRATE_NOTIFY_SOURCE_XEN,
	.name	= "xen",
	.can	= MIGRATE_NOTIFY_CAN_PREPARE | MIGRATE_NOTIFY_CAN_DELAY |
		  MIGRATE_NOTIFY_CAN_NOTIFY | MIGRATE_NOTIFY_CAN_CANCEL,
	.start	= xen_start,
	.stop	= xen_stop,
	.answer	= xen_answer,
};
