// SPDX-License-Identifier: GPL-2.0-only
/* migrate_notify: tells programs of live migrations, and which CPU features they have after. */
#include <linux/init.h>
#include <linux/module.h>

#include "internal.h"

static int __init mn_init(void)
{
	int err;

	err = mn_core_init();
	if (err)
		return err;
	err = mn_core_sources_start();
	if (err)
		goto err_core;
	err = mn_chardev_create();
	if (err)
		goto err_sources;
	mn_core_announce();
	return 0;

err_sources:
	mn_core_sources_stop();
err_core:
	mn_core_exit();
	return err;
}

/* No descriptor is open any more: each holds a reference on the module. */
static void __exit mn_exit(void)
{
	mn_chardev_remove();
	mn_core_sources_stop();
	mn_core_exit();
}

module_init(mn_init);
module_exit(mn_exit);

MODULE_DESCRIPTION("Hybrid HVM: tells programs of live migrations and CPU features");
MODULE_AUTHOR("The Hybrid HVM developers");
MODULE_VERSION(HYBRID_VERSION);
MODULE_LICENSE("GPL");
