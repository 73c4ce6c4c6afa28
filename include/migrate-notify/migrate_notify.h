/* SPDX-License-Identifier: GPL-2.0-only */
/* What migrate_notify.ko offers the rest of the kernel. */
#ifndef MIGRATE_NOTIFY_MIGRATE_NOTIFY_H
#define MIGRATE_NOTIFY_MIGRATE_NOTIFY_H

struct notifier_block;

/*
 * Notifier events; the data pointer is a const struct migrate_notify_event * (its seq is not
 * set). Always in pairs; only who registers while an operation is under way may be told of its
 * COMPLETE alone. Kernel subscribers prepare last, when programs have acked or time is up,
 * and complete first, before programs are told; features are measured by then.
 */
#define MIGRATE_NOTIFY_PREPARE	1	/* the event of type PREPARE */
#define MIGRATE_NOTIFY_COMPLETE	2	/* the event of type COMPLETE */

/**
 * migrate_notify_register() - be told of migrations
 * @nb: called in process context, one event at a time. It may sleep, but every program waits
 *	for it, and so may a suspend of the machine: it must not wait for anything that is
 *	frozen then. It must not call these functions. It has to return NOTIFY_DONE or
 *	NOTIFY_OK: NOTIFY_BAD and NOTIFY_STOP keep the event from those after it.
 *
 * Return: 0, or -EEXIST where @nb is registered already. Context: may sleep.
 */
int migrate_notify_register(struct notifier_block *nb);

/**
 * migrate_notify_unregister() - not any longer
 * @nb: is not running any more on return
 *
 * Return: 0, or -ENOENT where @nb is not registered. Context: may sleep.
 */
int migrate_notify_unregister(struct notifier_block *nb);

#endif
