// SPDX-License-Identifier: GPL-2.0-only
/*
 * A device that keeps the machine from being suspended, for the lab: what was frozen before it is
 * thawed again. Devices are frozen in the opposite order of their registration.
 */
#include <linux/err.h>
#include <linux/module.h>
#include <linux/platform_device.h>
#include <linux/pm.h>

static int fails(struct device *dev)
{
	return -EBUSY;
}

static const struct dev_pm_ops pm_ops = { .freeze = fails };

static struct platform_driver driver = {
	.driver = {
		.name	= KBUILD_MODNAME,
		.pm	= &pm_ops,
	},
};
static struct platform_device *device;

static int __init freeze_fails_init(void)
{
	int err = platform_driver_register(&driver);

	if (err)
		return err;
	device = platform_device_register_simple(KBUILD_MODNAME, PLATFORM_DEVID_NONE, NULL, 0);
	if (!IS_ERR(device))
		return 0;
	platform_driver_unregister(&driver);
	return PTR_ERR(device);
}
module_init(freeze_fails_init);

static void __exit freeze_fails_exit(void)
{
	platform_device_unregister(device);
	platform_driver_unregister(&driver);
}
module_exit(freeze_fails_exit);

MODULE_DESCRIPTION("A device whose freezing fails");
MODULE_LICENSE("GPL");
