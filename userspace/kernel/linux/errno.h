/* SPDX-License-Identifier: GPL-2.0-only */
/* The C library's <errno.h> includes <linux/errno.h> itself: hand on to the real one. */
#ifndef SHIM_LINUX_ERRNO_H
#define SHIM_LINUX_ERRNO_H

#include_next <linux/errno.h>

#endif
