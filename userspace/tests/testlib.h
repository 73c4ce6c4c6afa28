/* SPDX-License-Identifier: GPL-2.0-only */
/* A fake sysfs and procfs in a temporary directory. */
#ifndef HYBRIDCTL_TESTLIB_H
#define HYBRIDCTL_TESTLIB_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "sysfs.h"

extern struct hc_roots tree;

/* cmocka setup and teardown: an empty tree for each test */
int tree_setup(void **state);
int tree_teardown(void **state);

/* Write a file below the fake /sys or /proc, with its directories. */
void tree_sys(const char *rel, const char *text);
void tree_proc(const char *rel, const char *text);
void tree_sys_bytes(const char *rel, const void *bytes, size_t len);
void tree_sys_dir(const char *rel);
void tree_sys_fifo(const char *rel);

/* A whole module/hybrid as the ABI document describes it: a KVM guest. */
void tree_module(void);

#endif
