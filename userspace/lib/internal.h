/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef MN_INTERNAL_H
#define MN_INTERNAL_H

#include <sys/types.h>

#include "migrate-notify.h"

/**
 * struct mn_ctx - one subscriber
 * @fd: -1 without the driver
 * @why: 0, or why there is no driver
 * @flags: of mn_open()
 * @pid: who opened it
 * @page: the driver's, or @own
 * @mapped: bytes to unmap, 0 if @page is @own
 * @own: what CPUID says, where there is no driver
 */
struct mn_ctx {
	int fd;
	int why;
	unsigned int flags;
	pid_t pid;
	const struct migrate_notify_page *page;
	size_t mapped;
	char name[MIGRATE_NOTIFY_NAME_LEN];
	struct migrate_notify_page own;
};

/* Fills in the fields of CPU and features, by the rules of the driver. */
void mn_cpu_page(struct migrate_notify_page *page);

#endif
