/* SPDX-License-Identifier: GPL-2.0-only */
/* Between the files of migrate_notify.ko. */
#ifndef MIGRATE_NOTIFY_INTERNAL_H
#define MIGRATE_NOTIFY_INTERNAL_H

#include <linux/compiler.h>
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
 *	since that CPU looked last. In a timer, so it must not sleep. NULL: the source calls by itself
 * @rebase: forgets, on this CPU with interrupts off, what was before. NULL: nothing to forget
 * @moved_status: what a true @check means, enum migrate_notify_status
 * @answer: tells the host of READY, TIMED_OUT and COMPLETE of an operation that this source
 *	began; the core is locked, so it must not wait for the host. Not called any more from
 *	before @stop. NULL: there is no way back
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

extern const struct mn_source mn_source_host, mn_source_xen, mn_source_vmclock,
			      mn_source_pvclock;

/* How many descriptors a user has open; while there are any. */
struct mn_user {
	struct hlist_node node;
	kuid_t uid;
	u32 open;
};

/**
 * struct mn_subscriber - one open file. The core's lock protects it, unless noted
 * @node: in the core's list, ascending by @id
 * @user: who opened it
 * @read_lock: one reader at a time, and none while it subscribes; taken before the core's
 * @record: how much of each event is read; under @read_lock
 * @cursor: the last event that was read; under the ring's lock, written under @read_lock too
 * @events: set of types to read; likewise
 * @lost: the next event is to say that others were lost; likewise
 * @acked: the last operation that it acked
 * The others are as in struct migrate_notify_subscriber.
 */
struct mn_subscriber {
	struct list_head node;
	struct mn_user *user;
	struct mutex read_lock;
	u32 record;
	u64 cursor;
	u32 events;
	bool lost;
	u64 id;
	struct pid *pid;
	bool can_delay, delays, waiting, refused;
	u64 acked;
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
/* Is this operation under way, at this moment? 0: any. */
bool mn_core_active(u64 op_id);
/* Was it found on this machine? For the start of those that come after it. */
bool mn_core_started(const struct mn_source *source);
/* Look now for what @check finds. Any context. */
void mn_core_check(const struct mn_source *source);
/* CPUs have come or gone: features may have changed. Any context. */
void mn_core_remeasure(void);
struct page *mn_core_page(void);
/* On this CPU, with interrupts off. */
void mn_core_rebase(void);

/* A subscriber of the current user comes, who may be the first of @fresh; -EDQUOT, -ENFILE. */
int mn_core_join(struct mn_subscriber *s, struct mn_user *fresh);
void mn_core_leave(struct mn_subscriber *s);
/* What @a says, in one step; fills in what it gives back. The caller has the read_lock. */
int mn_core_subscribe(struct mn_subscriber *s, struct migrate_notify_subscribe *a);
int mn_core_ack(struct mn_subscriber *s, u64 op_id, bool refuse);
/* Those with an id above @after, of one user or of all (NULL); returns how many. */
u32 mn_core_list(u64 after, const kuid_t *uid, struct migrate_notify_subscriber *out, u32 room);

bool mn_core_unread(const struct mn_subscriber *s);
/* The next event to read, and that it was read. The caller has the read_lock. */
bool mn_core_peek(const struct mn_subscriber *s, struct migrate_notify_event *e);
void mn_core_took(struct mn_subscriber *s, u64 seq);
void mn_core_poll(struct file *file, struct poll_table_struct *table);
int mn_core_wait(const struct mn_subscriber *s);

/* chardev.c */
int mn_chardev_create(void);
void mn_chardev_remove(void);

/* measure.c */
/* @rebase: and let all sources forget what was before. */
void mn_measure(struct mn_features *f, bool rebase);

/* watch.c: calls @check of every active source. */
int mn_watch_start(void);
void mn_watch_stop(void);
void mn_core_look(void);
/* Is there a source that looks? */
bool mn_core_looks(void);
/* Did a CPU come or go within the last second? Any context. */
bool mn_watch_disturbed(void);

/* source_vmclock.c: is it there, and can it be read? Any context. */
bool mn_vmclock_works(void);

#endif
