// SPDX-License-Identifier: GPL-2.0-only
/*
 * The core: one state machine, the sources that feed it, the subscribers that hear of it.
 * It decides nothing itself: phase.c does.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/atomic.h>
#include <linux/bits.h>
#include <linux/capability.h>
#include <linux/cred.h>
#include <linux/export.h>
#include <linux/hashtable.h>
#include <linux/kernel.h>
#include <linux/ktime.h>
#include <linux/list.h>
#include <linux/mm.h>
#include <linux/moduleparam.h>
#include <linux/mutex.h>
#include <linux/nodemask.h>
#include <linux/notifier.h>
#include <linux/pid.h>
#include <linux/poll.h>
#include <linux/random.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/string.h>
#include <linux/uidgid.h>
#include <linux/user_namespace.h>
#include <linux/vmalloc.h>
#include <linux/wait.h>
#include <linux/workqueue.h>

#include <asm/barrier.h>
#include <asm/tsc.h>

#include <hybrid/hybrid.h>
#include <migrate-notify/migrate_notify.h>

#include "internal.h"

#define MAX_SUBSCRIBERS	16384
/*
 * Besides, for who may write, whom mere watchers cannot lock out (one user can be many users of a
 * namespace of his own); and as many again for who has CAP_SYS_RESOURCE, whom nobody can.
 */
#define RESERVED	1024

static unsigned int timeout_ms = 10000;
module_param(timeout_ms, uint, 0444);
MODULE_PARM_DESC(timeout_ms, "Wait for acks where the host does not say (ms, default 10000)");
static unsigned int max_timeout_ms = 1800000;
module_param(max_timeout_ms, uint, 0444);
MODULE_PARM_DESC(max_timeout_ms, "and at most, whatever the host says (ms, default 1800000)");
static unsigned int abandoned_s = 3600;
module_param(abandoned_s, uint, 0444);
MODULE_PARM_DESC(abandoned_s,
		 "Nobody tells how an operation ended: end it so long after its last phase began (s, default 3600)");
static unsigned int max_per_user = 256;
module_param(max_per_user, uint, 0644);
MODULE_PARM_DESC(max_per_user, "Open descriptors per user without CAP_SYS_RESOURCE (default 256)");

static const struct mn_source source_inject = {
	.id	= MIGRATE_NOTIFY_SOURCE_INJECT,
	.name	= "inject",
	.can	= MIGRATE_NOTIFY_CAN_PREPARE | MIGRATE_NOTIFY_CAN_DELAY |
		  MIGRATE_NOTIFY_CAN_NOTIFY | MIGRATE_NOTIFY_CAN_CANCEL,
};

/* In the order in which they are started. */
static const struct mn_source *const sources[] = {
	&source_inject, &mn_source_host, &mn_source_xen, &mn_source_vmclock, &mn_source_pvclock,
};

/* Protects all that follows, but for what has a lock of its own. */
static DEFINE_MUTEX(lock);
static struct mn_phase machine;
static struct mn_features features;
static struct mn_shown shown;
static struct migrate_notify_event prepared;	/* PREPARE of the operation under way */
static bool kernel_prepared;
static LIST_HEAD(subscribers);
static DEFINE_HASHTABLE(users, 10);
static u64 last_id;

static struct migrate_notify_page *page;	/* seen by programs; written under the lock */
static struct mn_ring *ring;
static DEFINE_SPINLOCK(ring_lock);
static DECLARE_WAIT_QUEUE_HEAD(readers);
static BLOCKING_NOTIFIER_HEAD(notifiers);

/* BIT(source id) of those that have seen something; for look_work. */
static atomic_t seen;
/* BIT(source id); written under the lock. */
static u32 started;

static void tick(struct work_struct *work);
static void look_at_seen(struct work_struct *work);
static void remeasure(struct work_struct *work);
static void refresh_hybrid(struct work_struct *work);
static DECLARE_DELAYED_WORK(tick_work, tick);
static DECLARE_WORK(look_work, look_at_seen);
static DECLARE_WORK(remeasure_work, remeasure);
static DECLARE_WORK(hybrid_work, refresh_hybrid);

int migrate_notify_register(struct notifier_block *nb)
{
	return blocking_notifier_chain_register(&notifiers, nb);
}
EXPORT_SYMBOL_GPL(migrate_notify_register);

int migrate_notify_unregister(struct notifier_block *nb)
{
	return blocking_notifier_chain_unregister(&notifiers, nb);
}
EXPORT_SYMBOL_GPL(migrate_notify_unregister);

/* -- publishing ------------------------------------------------------------------------ */

/*
 * Readers may run at any moment: they see an even @seq twice only around a whole state. Under
 * the ring's lock, so that nobody reads an event of which the page does not know, nor waits
 * for a writer that was preempted half-way.
 */
static void write_page_locked(void)
{
	const size_t from = offsetof(struct migrate_notify_page, feature_generation);
	static struct migrate_notify_page next;
	u32 seq = page->seq;

	mn_page_encode(&next, &machine, &features, &shown);
	page->magic = next.magic;
	page->version = next.version;
	page->size = next.size;
	WRITE_ONCE(page->seq, seq + 1);
	smp_wmb();	/* pairs with the read barriers of a reader of the page */
	memcpy((void *)page + from, (void *)&next + from, sizeof(next) - from);
	/* Who sees this number by one acquire load sees what it stands for. */
	smp_store_release(&page->generation, ring->newest);
	smp_wmb();	/* as above */
	WRITE_ONCE(page->seq, seq + 2);
}

static void write_page(void)
{
	spin_lock(&ring_lock);
	write_page_locked();
	spin_unlock(&ring_lock);
}

/* Measures; true if what is usable has changed. */
static bool measure(bool rebase, u64 added[MN_WORDS], u64 removed[MN_WORDS])
{
	static struct mn_features now;	/* large; under the lock */
	bool changed;

	mn_measure(&now, rebase);
	changed = mn_features_diff(features.usable, now.usable, added, removed);
	features = now;
	if (changed) {
		shown.feature_generation++;
		memcpy(shown.added, added, sizeof(shown.added));
		memcpy(shown.removed, removed, sizeof(shown.removed));
	}
	return changed;
}

static bool is_started(const struct mn_source *source)
{
	return READ_ONCE(started) & BIT(source->id);
}

static void start_waiting(bool wait)
{
	struct mn_subscriber *s;

	list_for_each_entry(s, &subscribers, node) {
		s->refused = false;
		s->waiting = wait && s->delays;
	}
}

static void forget_waiting(void)
{
	struct mn_subscriber *s;

	list_for_each_entry(s, &subscribers, node) {
		s->missed += s->waiting;
		s->waiting = false;
	}
}

static void tell_kernel(const struct migrate_notify_event *e)
{
	switch (e->type) {
	case MIGRATE_NOTIFY_EVENT_PREPARE:
		prepared = *e;
		kernel_prepared = false;
		return;
	case MIGRATE_NOTIFY_EVENT_CHANGED:
		return;
	}
	if (!kernel_prepared)
		blocking_notifier_call_chain(&notifiers, MIGRATE_NOTIFY_PREPARE, &prepared);
	kernel_prepared = true;
	if (e->type == MIGRATE_NOTIFY_EVENT_COMPLETE)
		blocking_notifier_call_chain(&notifiers, MIGRATE_NOTIFY_COMPLETE, (void *)e);
}

static void answer(const struct migrate_notify_event *e, u16 began_by)
{
	unsigned int i;

	if (e->type != MIGRATE_NOTIFY_EVENT_READY && e->type != MIGRATE_NOTIFY_EVENT_TIMED_OUT &&
	    e->type != MIGRATE_NOTIFY_EVENT_COMPLETE)
		return;
	for (i = 0; i < ARRAY_SIZE(sources); i++)
		if (sources[i]->id == began_by && sources[i]->answer && is_started(sources[i]))
			sources[i]->answer(e);
}

static void arm_tick(void)
{
	u64 next = mn_phase_next(&machine), now = ktime_get_ns();

	if (next)
		mod_delayed_work(system_highpri_wq, &tick_work,
				 next > now ? nsecs_to_jiffies(next - now) + 1 : 0);
}

/* Everything that a step of the machine entails; writes the page also if nothing happened. */
static void publish(struct mn_events *out)
{
	u64 added[MN_WORDS], removed[MN_WORDS];
	struct migrate_notify_event *complete = NULL;
	u16 began_by[MN_EVENTS];
	bool moved, rebase;
	u32 i;

	for (i = 0; i < out->n; i++)
		if (out->e[i].type == MIGRATE_NOTIFY_EVENT_COMPLETE)
			complete = &out->e[i];	/* the last: an earlier one was abandoned */
	moved = complete && !(complete->flags & MIGRATE_NOTIFY_EVENT_SIMULATED) &&
		(complete->status == MIGRATE_NOTIFY_SUCCESS ||
		 complete->status == MIGRATE_NOTIFY_UNKNOWN);
	/* Only of what somebody saw the clocks have no more to say: nothing else may hide a move. */
	rebase = moved && complete->source != MIGRATE_NOTIFY_SOURCE_NONE;
	if (complete && measure(rebase, added, removed)) {
		memcpy(complete->added, added, sizeof(added));
		memcpy(complete->removed, removed, sizeof(removed));
	}

	for (i = 0; i < out->n; i++) {
		if (out->e[i].type == MIGRATE_NOTIFY_EVENT_PREPARE)
			start_waiting(out->e[i].waiting);
		else if (out->e[i].waiting)
			forget_waiting();
		tell_kernel(&out->e[i]);
		began_by[i] = prepared.source;
	}
	spin_lock(&ring_lock);
	for (i = 0; i < out->n; i++)
		mn_ring_push(ring, &out->e[i]);
	write_page_locked();
	spin_unlock(&ring_lock);
	if (!out->n)
		return;
	wake_up_interruptible_poll(&readers, EPOLLIN | EPOLLRDNORM);

	for (i = 0; i < out->n; i++)
		answer(&out->e[i], began_by[i]);
	arm_tick();
	/* Not in the middle of a resume, when half of the devices still sleep. */
	if (moved)
		queue_work(system_freezable_wq, &hybrid_work);
}

/* Features may have changed without an operation that said so; @rebase as of mn_measure(). */
static void publish_changed(u16 source, bool rebase)
{
	struct mn_events out = { .n = 1 };
	struct migrate_notify_event *e = out.e;

	if (!measure(rebase, e->added, e->removed))
		return;
	e->size = sizeof(*e);
	e->type = MIGRATE_NOTIFY_EVENT_CHANGED;
	e->time_ns = ktime_get_ns();
	e->source = source;
	publish(&out);
}

/* Off the path on which programs wait: it takes longer than to tell them. */
static void refresh_hybrid(struct work_struct *work)
{
	int err = hybrid_refresh();

	if (err)
		pr_warn_once("hybrid did not decide anew after a migration: %d\n", err);
}

static void tick(struct work_struct *work)
{
	struct mn_events out;

	mutex_lock(&lock);
	mn_phase_tick(&machine, ktime_get_ns(), &out);
	if (out.n)
		publish(&out);
	else
		arm_tick();
	mutex_unlock(&lock);
}

static void remeasure(struct work_struct *work)
{
	mutex_lock(&lock);
	publish_changed(MIGRATE_NOTIFY_SOURCE_NONE, false);
	write_page();	/* the number of CPUs, if nothing else */
	mutex_unlock(&lock);
}

void mn_core_remeasure(void)
{
	queue_work(system_wq, &remeasure_work);
}

/* -- sources --------------------------------------------------------------------------- */

static u32 count_delaying(void)
{
	struct mn_subscriber *s;
	u32 n = 0;

	list_for_each_entry(s, &subscribers, node)
		n += s->delays;
	return n;
}

int mn_core_request(struct mn_request *rq)
{
	struct mn_events out;
	int err;

	mutex_lock(&lock);
	err = mn_phase_request(&machine, ktime_get_ns(), rq, count_delaying(), &out);
	if (!err) {
		publish(&out);
	} else if (err == -EALREADY && rq->action == MIGRATE_NOTIFY_INJECT_COMPLETE) {
		/*
		 * One CPU saw its clock step: the others must not report that again, when the
		 * operation that it was taken for may be over.
		 */
		publish_changed(rq->source, rq->source == MIGRATE_NOTIFY_SOURCE_PVCLOCK);
		arm_tick();	/* a guess ends what it is about, later */
	}
	mutex_unlock(&lock);
	return err;
}

bool mn_core_active(u64 op_id)
{
	bool active;

	mutex_lock(&lock);
	active = machine.phase != MIGRATE_NOTIFY_IDLE && (!op_id || machine.op_id == op_id);
	mutex_unlock(&lock);
	return active;
}

static void look_at_seen(struct work_struct *work)
{
	u32 which = atomic_xchg(&seen, 0);
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(sources); i++) {
		struct mn_request rq = {
			.action	= MIGRATE_NOTIFY_INJECT_COMPLETE,
			.source	= sources[i]->id,
			.status	= sources[i]->moved_status,
		};
		int err;

		if (!(which & BIT(sources[i]->id)))
			continue;
		/* What another CPU saw before all forgot it was the same. */
		err = mn_core_request(&rq);
		if ((!err || err == -EALREADY) && sources[i]->rebase)
			atomic_andnot(BIT(sources[i]->id), &seen);
	}
}

void mn_core_check(const struct mn_source *source)
{
	if (!source->check())
		return;
	atomic_or(BIT(source->id), &seen);
	queue_work(system_highpri_wq, &look_work);
}

void mn_core_look(void)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(sources); i++)
		if (is_started(sources[i]) && sources[i]->check)
			mn_core_check(sources[i]);
}

bool mn_core_looks(void)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(sources); i++)
		if (is_started(sources[i]) && sources[i]->check)
			return true;
	return false;
}

void mn_core_rebase(void)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(sources); i++)
		if (is_started(sources[i]) && sources[i]->rebase)
			sources[i]->rebase();
}

/* -- subscribers ----------------------------------------------------------------------- */

static struct mn_user *user_of(kuid_t uid)
{
	struct mn_user *user;

	hash_for_each_possible(users, user, node, __kuid_val(uid))
		if (uid_eq(user->uid, uid))
			return user;
	return NULL;
}

/* Asks for the capability only where it matters: to ask is to use it. */
static int may_join(const struct mn_user *user, bool can_delay)
{
	int err = 0;

	if (shown.subscribers >= MAX_SUBSCRIBERS + (can_delay ? RESERVED : 0))
		err = -ENFILE;
	else if ((user ? user->open : 0) >= READ_ONCE(max_per_user))
		err = -EDQUOT;
	if (err && shown.subscribers < MAX_SUBSCRIBERS + 2 * RESERVED && capable(CAP_SYS_RESOURCE))
		err = 0;
	return err;
}

int mn_core_join(struct mn_subscriber *s, struct mn_user *fresh)
{
	struct mn_user *user;
	int err;

	mutex_lock(&lock);
	user = user_of(current_uid());
	err = may_join(user, s->can_delay);
	if (!err) {
		if (!user) {
			user = fresh;
			fresh = NULL;
			user->uid = current_uid();
			hash_add(users, &user->node, __kuid_val(user->uid));
		}
		user->open++;
		s->user = user;
		s->id = ++last_id;
		s->cursor = ring->newest;
		list_add_tail(&s->node, &subscribers);
		shown.subscribers++;
		write_page();
	}
	mutex_unlock(&lock);
	kfree(fresh);
	return err;
}

static void ack(struct mn_subscriber *s, bool refuse)
{
	u64 took = ktime_get_ns() - machine.began_ns;
	struct mn_events out;

	s->waiting = false;
	s->refused = refuse;
	s->acked = machine.op_id;
	s->acks++;
	s->last_ack_ns = took;
	s->max_ack_ns = max(s->max_ack_ns, took);
	mn_phase_ack(&machine, ktime_get_ns(), refuse, &out);
	publish(&out);
}

void mn_core_leave(struct mn_subscriber *s)
{
	mutex_lock(&lock);
	list_del(&s->node);
	if (!--s->user->open) {
		hash_del(&s->user->node);
		kfree(s->user);
	}
	shown.subscribers--;
	if (s->waiting)
		ack(s, false);
	else
		write_page();
	mutex_unlock(&lock);
}

int mn_core_subscribe(struct mn_subscriber *s, struct migrate_notify_subscribe *a)
{
	bool delay = a->flags & MIGRATE_NOTIFY_SUBSCRIBE_DELAY;
	bool other = a->instance && a->instance != shown.instance;
	u64 cursor;

	if (delay && !s->can_delay)
		return -EPERM;
	mutex_lock(&lock);
	put_pid(s->pid);
	s->pid = get_pid(task_tgid(current));
	memcpy(s->name, a->name, sizeof(s->name));
	s->delays = delay;
	if (!delay && s->waiting)
		ack(s, false);
	/* No PREPARE comes between: one that waits for us is one that we read. */
	spin_lock(&ring_lock);
	s->events = a->events;
	cursor = other ? 0 : min(a->cursor, ring->newest);
	/* Nor may we skip the one that waits for us already. */
	s->cursor = s->waiting ? min(cursor, s->cursor) : cursor;
	s->lost = other;
	a->cursor = s->cursor;
	spin_unlock(&ring_lock);
	mutex_unlock(&lock);
	/* Who polls may have more to read now, though nothing happened. */
	if (mn_core_unread(s))
		wake_up_interruptible_poll(&readers, EPOLLIN | EPOLLRDNORM);
	a->id = s->id;
	a->instance = shown.instance;
	return 0;
}

int mn_core_ack(struct mn_subscriber *s, u64 op_id, bool refuse)
{
	int err = 0;

	mutex_lock(&lock);
	if (!s->delays)
		err = -EPERM;
	else if (op_id && op_id == s->acked)
		;	/* once was enough */
	else if (machine.phase != MIGRATE_NOTIFY_PREPARING || machine.op_id != op_id)
		err = -ESTALE;
	else if (s->waiting)
		ack(s, refuse);
	mutex_unlock(&lock);
	return err;
}

static void describe(const struct mn_subscriber *s, struct migrate_notify_subscriber *out)
{
	memset(out, 0, sizeof(*out));
	out->id = s->id;
	out->pid = pid_vnr(s->pid);
	out->uid = from_kuid_munged(current_user_ns(), s->user->uid);
	if (s->delays)
		out->flags |= MIGRATE_NOTIFY_SUBSCRIBER_DELAY;
	if (s->waiting)
		out->flags |= MIGRATE_NOTIFY_SUBSCRIBER_WAITING;
	if (s->refused)
		out->flags |= MIGRATE_NOTIFY_SUBSCRIBER_REFUSED;
	out->events = READ_ONCE(s->events);
	out->cursor = READ_ONCE(s->cursor);
	out->acks = s->acks;
	out->missed = s->missed;
	out->last_ack_ns = s->last_ack_ns;
	out->max_ack_ns = s->max_ack_ns;
	memcpy(out->name, s->name, sizeof(out->name));
}

u32 mn_core_list(u64 after, const kuid_t *uid, struct migrate_notify_subscriber *out, u32 room)
{
	const struct mn_subscriber *s;
	u32 n = 0;

	mutex_lock(&lock);
	list_for_each_entry(s, &subscribers, node) {
		if (s->id <= after || (uid && !uid_eq(*uid, s->user->uid)))
			continue;
		if (n == room)
			break;
		describe(s, &out[n++]);
	}
	mutex_unlock(&lock);
	return n;
}

/* -- reading --------------------------------------------------------------------------- */

struct page *mn_core_page(void)
{
	return virt_to_page(page);
}

bool mn_core_unread(const struct mn_subscriber *s)
{
	bool unread;

	spin_lock(&ring_lock);
	unread = mn_ring_unread(ring, s->cursor, s->events);
	spin_unlock(&ring_lock);
	return unread;
}

bool mn_core_peek(const struct mn_subscriber *s, struct migrate_notify_event *e)
{
	bool found;

	spin_lock(&ring_lock);
	found = mn_ring_next(ring, s->cursor, s->events, e);
	if (found && s->lost)
		e->flags |= MIGRATE_NOTIFY_EVENT_LOST;
	spin_unlock(&ring_lock);
	return found;
}

void mn_core_took(struct mn_subscriber *s, u64 seq)
{
	spin_lock(&ring_lock);
	s->cursor = seq;
	s->lost = false;
	spin_unlock(&ring_lock);
}

void mn_core_poll(struct file *file, struct poll_table_struct *table)
{
	poll_wait(file, &readers, table);
}

int mn_core_wait(const struct mn_subscriber *s)
{
	return wait_event_interruptible(readers, mn_core_unread(s));
}

/* -- life ------------------------------------------------------------------------------ */

int mn_core_init(void)
{
	u64 added[MN_WORDS], removed[MN_WORDS];
	int err = -ENOMEM;

	if (!timeout_ms || !max_timeout_ms || !abandoned_s || timeout_ms > max_timeout_ms) {
		pr_err("timeout_ms=%u, max_timeout_ms=%u, abandoned_s=%u: none may be 0, nor the first above the second\n",
		       timeout_ms, max_timeout_ms, abandoned_s);
		return -EINVAL;
	}
	machine.default_ns = (u64)timeout_ms * NSEC_PER_MSEC;
	machine.max_ns = (u64)max_timeout_ms * NSEC_PER_MSEC;
	machine.abandoned_ns = (u64)abandoned_s * NSEC_PER_SEC;
	shown.instance = get_random_u64() ?: 1;
	shown.tsc_khz = tsc_khz;
	shown.numa_nodes = num_online_nodes();

	BUILD_BUG_ON(sizeof(*page) > PAGE_SIZE);
	page = (void *)get_zeroed_page(GFP_KERNEL);
	if (!page)
		return err;
	ring = vzalloc(sizeof(*ring));
	if (!ring)
		goto err_page;

	mutex_lock(&lock);
	measure(false, added, removed);
	/* What was there from the first is no change. */
	shown.feature_generation = 1;
	memset(shown.added, 0, sizeof(shown.added));
	write_page();
	mutex_unlock(&lock);
	return 0;

err_page:
	free_page((unsigned long)page);
	return err;
}

void mn_core_exit(void)
{
	cancel_work_sync(&look_work);
	cancel_work_sync(&remeasure_work);
	cancel_delayed_work_sync(&tick_work);
	cancel_work_sync(&hybrid_work);
	vfree(ring);
	free_page((unsigned long)page);
}

bool mn_core_started(const struct mn_source *source)
{
	return is_started(source);
}

/* Under the lock, so that no answer is under way any more, nor yet. */
static void set_started(const struct mn_source *source, bool on)
{
	mutex_lock(&lock);
	WRITE_ONCE(started, on ? started | BIT(source->id) : started & ~BIT(source->id));
	shown.sources[source->id] = on ? source->can | MIGRATE_NOTIFY_SOURCE_ACTIVE : 0;
	write_page();
	mutex_unlock(&lock);
}

static void stop_sources(void)
{
	unsigned int i = ARRAY_SIZE(sources);

	while (i--) {
		if (!is_started(sources[i]))
			continue;
		set_started(sources[i], false);
		if (sources[i]->stop)
			sources[i]->stop();
	}
}

int mn_core_sources_start(void)
{
	unsigned int i;
	int err;

	for (i = 0; i < ARRAY_SIZE(sources); i++) {
		const struct mn_source *source = sources[i];

		/* Before it can ask for an answer. */
		set_started(source, true);
		err = source->start ? source->start() : 0;
		if (!err)
			continue;
		/* Without one the others still serve. */
		set_started(source, false);
		if (err != -ENODEV)
			pr_warn("source %s cannot be used: %d\n", source->name, err);
	}
	err = mn_watch_start();
	if (err)
		stop_sources();
	return err;
}

void mn_core_sources_stop(void)
{
	mn_watch_stop();
	stop_sources();
}

void mn_core_announce(void)
{
	char names[64] = "";
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(sources); i++) {
		if (!is_started(sources[i]))
			continue;
		strlcat(names, " ", sizeof(names));
		strlcat(names, sources[i]->name, sizeof(names));
	}
	pr_info("sources:%s; x86-64-v%u on %u CPUs\n", names, features.level, features.cpus);
}
