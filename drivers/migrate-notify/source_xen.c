// SPDX-License-Identifier: GPL-2.0-only
/*
 * Xen: whoever moves the domain may announce it in xenstore, and the suspend and resume that
 * a migration is end it, cancelled or not.
 *
 * The host makes two nodes in the domain's directory and lets the guest read the first and
 * write the second; data/migrate-notify tells it that somebody listens.
 *
 *   control/migrate-notify-request	as mn_request_parse() takes it
 *   control/migrate-notify-ack		"ready OP REFUSED", "timed-out OP WAITING REFUSED",
 *					"complete OP STATUS" or "error OP ERRNO"
 */
#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/notifier.h>
#include <linux/platform_device.h>
#include <linux/pm.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/string.h>
#include <linux/workqueue.h>

#include <xen/xen.h>
#include <xen/xen-ops.h>
#include <xen/xenbus.h>

#include <migrate-notify/parse.h>

#include "internal.h"

#define REQUEST_NODE	"control/migrate-notify-request"

/* Set by the resume notifier, taken by the device's callbacks: the domain stood still. */
static bool suspended;

/*
 * The latest answer; a node holds no more. Written to xenstore by a work of its own, because
 * nobody here may wait for a xenstore that does not reply.
 */
static char answer_text[64];
static DEFINE_SPINLOCK(answer_lock);

static void write_answer(struct work_struct *work)
{
	char text[sizeof(answer_text)];

	spin_lock(&answer_lock);
	strscpy(text, answer_text, sizeof(text));
	spin_unlock(&answer_lock);
	/* A host that did not make the node does not want to know. */
	xenbus_write(XBT_NIL, "control", "migrate-notify-ack", text);
}

static DECLARE_WORK(answer_work, write_answer);

static __printf(1, 2) void say(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	spin_lock(&answer_lock);
	vscnprintf(answer_text, sizeof(answer_text), fmt, args);
	spin_unlock(&answer_lock);
	va_end(args);
	queue_work(system_wq, &answer_work);
}

static void xen_answer(const struct migrate_notify_event *e)
{
	switch (e->type) {
	case MIGRATE_NOTIFY_EVENT_READY:
		say("ready %llu %u", e->op_id, e->refused);
		break;
	case MIGRATE_NOTIFY_EVENT_TIMED_OUT:
		say("timed-out %llu %u %u", e->op_id, e->waiting, e->refused);
		break;
	case MIGRATE_NOTIFY_EVENT_COMPLETE:
		say("complete %llu %u", e->op_id, e->status);
		break;
	}
}

static void request_changed(struct xenbus_watch *watch, const char *path, const char *token)
{
	struct mn_request rq = { .source = MIGRATE_NOTIFY_SOURCE_XEN };
	unsigned int len;
	char *text;
	int err;

	text = xenbus_read(XBT_NIL, REQUEST_NODE, "", &len);
	if (IS_ERR(text))
		return;		/* not there, or not any more */
	if (!len) {
		kfree(text);
		return;		/* made, and not written yet */
	}
	err = mn_request_parse(&rq, text, len);
	kfree(text);
	if (!err)
		err = mn_core_request(&rq);
	if (err)
		say("error %llu %d", rq.op_id, -err);
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

/* Also at the beginning of a hibernation, which is none of ours: only if we expect it. */
static int xen_freeze(struct device *dev)
{
	struct mn_request rq = {
		.action	= MIGRATE_NOTIFY_INJECT_MOVING,
		.source	= MIGRATE_NOTIFY_SOURCE_XEN,
	};

	suspended = false;
	if (mn_core_active())
		mn_core_request(&rq);
	return 0;
}

static int came_back(u16 status)
{
	struct mn_request rq = {
		.action	= MIGRATE_NOTIFY_INJECT_COMPLETE,
		.source	= MIGRATE_NOTIFY_SOURCE_XEN,
		.status	= status,
	};

	if (suspended)
		mn_core_request(&rq);
	suspended = false;
	return 0;
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
	err = register_xenbus_watch(&watch);
	if (err)
		goto err_notifier;
	xenbus_write(XBT_NIL, "data", "migrate-notify", "1");
	return 0;

err_notifier:
	xen_resume_notifier_unregister(&resume_nb);
	platform_device_unregister(device);
err_driver:
	platform_driver_unregister(&driver);
	return err;
}

static void xen_stop(void)
{
	xenbus_rm(XBT_NIL, "data", "migrate-notify");
	unregister_xenbus_watch(&watch);
	xen_resume_notifier_unregister(&resume_nb);
	platform_device_unregister(device);
	platform_driver_unregister(&driver);
	cancel_work_sync(&answer_work);
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
