// SPDX-License-Identifier: GPL-2.0-only
/* A kernel subscriber of migrate_notify, for the lab: logs what it is told. */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/module.h>
#include <linux/notifier.h>

#include <linux/migrate_notify.h>
#include <migrate-notify/migrate_notify.h>

static int told(struct notifier_block *nb, unsigned long what, void *data)
{
	const struct migrate_notify_event *e = data;

	pr_info("%s %llu status %u\n", what == MIGRATE_NOTIFY_PREPARE ? "prepare" : "complete",
		e->op_id, e->status);
	return NOTIFY_OK;
}

static struct notifier_block nb = { .notifier_call = told };

static int __init chain_init(void)
{
	return migrate_notify_register(&nb);
}
module_init(chain_init);

static void __exit chain_exit(void)
{
	migrate_notify_unregister(&nb);
}
module_exit(chain_exit);

MODULE_DESCRIPTION("Logs what migrate_notify tells kernel subscribers");
MODULE_LICENSE("GPL");
