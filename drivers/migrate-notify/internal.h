/* SPDX-License-Identifier: GPL-2.0-only */
/* Between the files of migrate_notify.ko. */
#ifndef MIGRATE_NOTIFY_INTERNAL_H
#define MIGRATE_NOTIFY_INTERNAL_H

#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/types.h>
#include <linux/uidgid.h>

#include <migrate-notify/page.h>

struct pid;
struct poll_table_struct;

/**
 * struct mn_source - where news of migrations come from
 * @id: enum migrate_notify_source
 * @name: for the log
 * @can: MIGRATE_NOTIFY_CAN_PREPARE ...
 * @start: begins; -ENODEV: not on this machine. NULL: nothing to begin
 * @stop: undoes @start; no callback of this source runs any more. NULL: nothing to undo
 * @check: looks, on each CPU that is not idle, many times a second: true if the machine was moved
 *	since it looked last. In a timer, so it must not sleep. NULL: the source calls by itself
 * @rebase: forgets, on this CPU with interrupts off, what was before. NULL: nothing to forget
 * @moved_status: what a true @check means, enum migrate_notify_status
 * @answer: tells the host of READY, TIMED_OUT and COMPLETE of an operation that this source
 *	began; the core is locked, so it must not wait for the host. NULL: there is no way back
 */
struct mn_source {
	u16 id;
	const char *name;
	u32 can;
	int (*start)(void);
	void (*stop)(void);
	bool (*check)(void);
	void (*rebase)(void);
	u16 moved_status;
	void (*answer)(const struct migrate_notify_event *e);
};

extern const struct mn_source mn_source_xen, mn_source_vmclock, mn_source_pvclock;

/**
 * struct mn_subscriber - one open file. The core's lock protects it, unless noted
 * @node: in the core's list, ascending by @id
 * @read_lock: one reader at a time
 * @cursor: the last event that was read; written under @read_lock
 * @events: set of types to read; written under @read_lock
 * The others are as in struct migrate_notify_subscriber.
 */
struct mn_subscriber {
	struct list_head node;
	struct mutex read_lock;
	u64 cursor;
	u32 events;
	u64 id;
	struct pid *pid;
	kuid_t uid;
	bool can_delay, delays, waiting, refused;
	u64 acks, missed, last_ack_ns, max_ack_ns;
	char name[MIGRATE_NOTIFY_NAME_LEN];
};

/* core.c */
int mn_core_init(void);
void mn_core_exit(void);
int mn_core_sources_start(void);
void mn_core_sources_stop(void);
void mn_core_announce(void);
/* A source says something; returns as mn_phase_request(). May sleep. */
int mn_core_request(struct mn_request *rq);
/* Is an operation under way, at this moment? */
bool mn_core_active(void);
/* Was it found on this machine? For the start of those that come after it. */
bool mn_core_started(const struct mn_source *source);
/* Look now for what @check finds. Any context. */
void mn_core_check(const struct mn_source *source);
/* CPUs have come: features may have changed. Any context. */
void mn_core_remeasure(void);
struct page *mn_core_page(void);
void mn_core_rebase(void);

/* A subscriber comes, with its @uid; -EDQUOT, -ENFILE. */
int mn_core_join(struct mn_subscriber *s, bool unlimited);
void mn_core_leave(struct mn_subscriber *s);
int mn_core_subscribe(struct mn_subscriber *s, bool delay, const char *name);
int mn_core_ack(struct mn_subscriber *s, u64 op_id, bool refuse);
/* Those with an id above @after; returns how many. */
u32 mn_core_list(u64 after, struct migrate_notify_subscriber *out, u32 room);

u64 mn_core_newest(void);
bool mn_core_unread(const struct mn_subscriber *s);
bool mn_core_next(u64 *cursor, u32 mask, struct migrate_notify_event *e);
void mn_core_poll(struct file *file, struct poll_table_struct *table);
int mn_core_wait(const struct mn_subscriber *s);

/* chardev.c */
int mn_chardev_create(void);
void mn_chardev_remove(void);

/* measure.c */
void mn_measure(struct mn_features *f);

/* watch.c: calls @check of every active source. */
int mn_watch_start(void);
void mn_watch_stop(void);
void mn_core_look(void);

#endif
