// SPDX-License-Identifier: GPL-2.0-only
/*
 * vmclock: an ACPI device with a page in which the host counts disruptions. Found by its name
 * rather than bound as a driver: newer kernels have a driver (ptp_vmclock), which only reads
 * the page too.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/acpi.h>
#include <linux/atomic.h>
#include <linux/io.h>
#include <linux/ioport.h>
#include <linux/list.h>
#include <linux/printk.h>
#include <linux/string.h>

#include <asm/barrier.h>

#include <migrate-notify/parse.h>

#include "internal.h"

#define ACPI_HID	"AMZNC10C"
#define COPY_TRIES	10

static struct acpi_device *adev;
static const struct mn_vmclock *clock;
static atomic64_t marker;
static bool notified;
/* To read the page, since it could be read last. So many: there is none any more. */
static atomic_t failures;
#define FAILURES_MAX	100

/* The host may write at any moment; a page that never stands still says nothing. */
static int read_marker(u64 *out)
{
	struct mn_vmclock head;
	unsigned int tries;
	int err = -EAGAIN;

	for (tries = 0; tries < COPY_TRIES && err == -EAGAIN; tries++) {
		head.seq = READ_ONCE(clock->seq);
		virt_rmb();	/* pairs with the host's write barriers around its change */
		head.magic = READ_ONCE(clock->magic);
		head.size = READ_ONCE(clock->size);
		head.version = READ_ONCE(clock->version);
		head.marker = READ_ONCE(clock->marker);
		virt_rmb();	/* as above */
		err = mn_vmclock_parse(&head, out);
		if (!err && READ_ONCE(clock->seq) != head.seq)
			err = -EAGAIN;
	}
	return err;
}

bool mn_vmclock_works(void)
{
	return mn_core_started(&mn_source_vmclock) && atomic_read(&failures) < FAILURES_MAX;
}

static bool vmclock_check(void)
{
	u64 last = atomic64_read(&marker), now;
	int err;

	smp_rmb();	/* a marker that is older than @last is not news */
	err = read_marker(&now);
	if (err) {
		if (atomic_add_unless(&failures, 1, FAILURES_MAX) && !mn_vmclock_works())
			pr_warn_ratelimited("the host's vmclock page became unusable: %d\n", err);
		return false;
	}
	if (atomic_read(&failures))
		atomic_set(&failures, 0);
	if (now == last)
		return false;
	/* Of several CPUs that look at once, one reports it. */
	return atomic64_cmpxchg(&marker, last, now) == last;
}

static void vmclock_notify(acpi_handle handle, u32 event, void *data)
{
	mn_core_check(&mn_source_vmclock);
}

static int map_page(void)
{
	struct resource_entry *entry;
	LIST_HEAD(resources);

	if (acpi_dev_get_memory_resources(adev, &resources) < 0)
		return -ENODEV;
	entry = list_first_entry_or_null(&resources, struct resource_entry, node);
	if (entry && resource_size(entry->res) >= sizeof(*clock))
		clock = memremap(entry->res->start, PAGE_SIZE, MEMREMAP_WB);
	acpi_dev_free_resource_list(&resources);
	return clock ? 0 : -ENODEV;
}

static void vmclock_stop(void)
{
	if (notified)
		acpi_remove_notify_handler(adev->handle, ACPI_DEVICE_NOTIFY, vmclock_notify);
	notified = false;
	memunmap((void *)clock);
	clock = NULL;
	acpi_dev_put(adev);
}

static int vmclock_start(void)
{
	u64 now;

	if (acpi_disabled)
		return -ENODEV;
	adev = acpi_dev_get_first_match_dev(ACPI_HID, NULL, -1);
	if (!adev)
		return -ENODEV;
	if (map_page())
		goto err_put;
	if (read_marker(&now))
		goto err_unmap;
	atomic64_set(&marker, now);
	/* Few hosts notify. Where it cannot be had, the timer finds it. */
	notified = ACPI_SUCCESS(acpi_install_notify_handler(adev->handle, ACPI_DEVICE_NOTIFY,
							    vmclock_notify, NULL));
	return 0;

err_unmap:
	memunmap((void *)clock);
	clock = NULL;
err_put:
	acpi_dev_put(adev);
	return -ENODEV;
}

const struct mn_source mn_source_vmclock = {
	.id		= MIGRATE_NOTIFY_SOURCE_VMCLOCK,
	.name		= "vmclock",
	.start		= vmclock_start,
	.stop		= vmclock_stop,
	.check		= vmclock_check,
	.moved_status	= MIGRATE_NOTIFY_SUCCESS,
};
