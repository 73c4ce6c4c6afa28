// SPDX-License-Identifier: GPL-2.0-only
/* hybrid: what this guest runs on, what an exit costs, and which path each operation takes. */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/export.h>
#include <linux/init.h>
#include <linux/kernel.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/notifier.h>
#include <linux/percpu.h>
#include <linux/rcupdate.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "internal.h"

#define CREATE_TRACE_POINTS
#include "trace.h"

/* One moment. Immutable once published. */
struct published {
	struct hybrid_snapshot snapshot;
	struct hybrid_state state;
	struct rcu_head rcu;
};

static DEFINE_MUTEX(state_mutex);
/* Written under state_mutex; NULL before init and after exit, when only parameters come by. */
static struct published __rcu *published;

static BLOCKING_NOTIFIER_HEAD(notifiers);

struct counters {
	unsigned long n[HYBRID_OP_NR][HYBRID_COUNT_NR];
};

static DEFINE_PER_CPU(struct counters, counters);

static void decide(struct hybrid_state *s)
{
	struct hybrid_decision *idle = &s->policy.op[HYBRID_OP_IDLE];
	unsigned int percent = hybrid_params_idle_percent(), op;
	struct hybrid_policy_params params;
	int err;

	hybrid_params_get(&params);
	hybrid_policy_decide(&s->policy, &s->caps, &s->cost, &params);
	if (idle->path == HYBRID_PATH_POLL && !percent)
		*idle = (struct hybrid_decision) { HYBRID_PATH_KERNEL, HYBRID_WHY_OPERATOR };
	err = hybrid_idle_apply(s, percent);
	/* Somebody may have come before us since the snapshot, or cpuidle is switched off. */
	if (err)
		*idle = (struct hybrid_decision) { HYBRID_PATH_KERNEL, HYBRID_WHY_KERNEL_IDLE };
	if (err && err != -EBUSY && err != -ENODEV)
		pr_warn("idle: no cpuidle driver of ours: error %d\n", err);
	for (op = 0; op < HYBRID_OP_NR; op++)
		trace_hybrid_decide(op, &s->policy.op[op]);
}

static void measure(struct published *p)
{
	struct hybrid_state *s = &p->state;

	hybrid_platform_snapshot(&p->snapshot);
	hybrid_detect(&s->caps, &p->snapshot);
	hybrid_cost_measure(&s->cost, &s->caps);
	hybrid_level_estimate(&s->level, &s->caps, &s->cost);
	/* If CPUID exits, it takes a multiple of the reference: no underflow. */
	if (s->level.exits)
		s->cost.exit_ns = hybrid_host_exit_ns(&s->caps.host,
						      s->cost.ns[HYBRID_PROBE_CPUID] -
						      s->cost.ns[HYBRID_PROBE_REFERENCE]);
	s->cost.halt_ns = hybrid_idle_measure(s->cost.exit_ns);
}

static struct published *current_locked(void)
{
	return rcu_dereference_protected(published, lockdep_is_held(&state_mutex));
}

static void publish(struct published *new)
{
	struct published *old = current_locked();

	rcu_assign_pointer(published, new);
	if (old)
		kfree_rcu(old, rcu);
	blocking_notifier_call_chain(&notifiers, HYBRID_EVENT_DECIDED, &new->state);
}

int hybrid_refresh(void)
{
	struct published *new = kzalloc(sizeof(*new), GFP_KERNEL);
	struct published *old;

	if (!new)
		return -ENOMEM;

	mutex_lock(&state_mutex);
	old = current_locked();
	new->state.generation = old ? old->state.generation + 1 : 1;
	measure(new);
	decide(&new->state);
	publish(new);
	mutex_unlock(&state_mutex);
	return 0;
}
EXPORT_SYMBOL_GPL(hybrid_refresh);

int hybrid_redecide(void)
{
	struct published *old, *new;
	int err = 0;

	mutex_lock(&state_mutex);
	old = current_locked();
	if (!old)
		goto unlock;
	new = kmemdup(old, sizeof(*old), GFP_KERNEL);
	if (!new) {
		err = -ENOMEM;
		goto unlock;
	}
	decide(&new->state);
	publish(new);
unlock:
	mutex_unlock(&state_mutex);
	return err;
}

static void retract(void)
{
	struct published *old;

	mutex_lock(&state_mutex);
	old = current_locked();
	RCU_INIT_POINTER(published, NULL);
	hybrid_idle_stop();
	mutex_unlock(&state_mutex);
	/* Its users, modules and files, are gone; grace periods of older ones may still run. */
	kfree(old);
}

void hybrid_state_get(struct hybrid_state *out)
{
	rcu_read_lock();
	*out = rcu_dereference(published)->state;
	rcu_read_unlock();
	/* What the CPUs learn comes and goes by itself: while none of them polls, say so. */
	if (out->policy.op[HYBRID_OP_IDLE].path == HYBRID_PATH_POLL) {
		enum hybrid_reason why = hybrid_idle_why();

		if (why != HYBRID_WHY_SAVES)
			out->policy.op[HYBRID_OP_IDLE] = (struct hybrid_decision) {
				HYBRID_PATH_KERNEL, why
			};
	}
}
EXPORT_SYMBOL_GPL(hybrid_state_get);

void hybrid_snapshot_get(struct hybrid_snapshot *out)
{
	rcu_read_lock();
	*out = rcu_dereference(published)->snapshot;
	rcu_read_unlock();
}

enum hybrid_path hybrid_path(enum hybrid_op op)
{
	enum hybrid_path path;

	rcu_read_lock();
	path = rcu_dereference(published)->state.policy.op[op].path;
	rcu_read_unlock();
	return path;
}
EXPORT_SYMBOL_GPL(hybrid_path);
EXPORT_SYMBOL_GPL(hybrid_path_name);

int hybrid_notifier_register(struct notifier_block *nb)
{
	return blocking_notifier_chain_register(&notifiers, nb);
}
EXPORT_SYMBOL_GPL(hybrid_notifier_register);

int hybrid_notifier_unregister(struct notifier_block *nb)
{
	return blocking_notifier_chain_unregister(&notifiers, nb);
}
EXPORT_SYMBOL_GPL(hybrid_notifier_unregister);

void hybrid_count(enum hybrid_op op, enum hybrid_count what)
{
	this_cpu_inc(counters.n[op][what]);
}
EXPORT_SYMBOL_GPL(hybrid_count);

u64 hybrid_count_sum(enum hybrid_op op, enum hybrid_count what)
{
	u64 sum = 0;
	int cpu;

	/* It counts for itself, in more detail. */
	if (op == HYBRID_OP_IDLE)
		return hybrid_idle_count(what == HYBRID_COUNT_DONE ? HYBRID_IDLE_HALTS :
					 what == HYBRID_COUNT_AVOIDED ? HYBRID_IDLE_WON :
					 HYBRID_IDLE_LOST);

	for_each_possible_cpu(cpu)
		sum += per_cpu(counters, cpu).n[op][what];
	return sum;
}

static void __init announce(void)
{
	struct hybrid_state s;
	char exits[40] = "nothing exits";

	hybrid_state_get(&s);
	if (s.cost.exit_ns)
		snprintf(exits, sizeof(exits), "an exit costs %u ns", s.cost.exit_ns);
	else if (!s.cost.ns[HYBRID_PROBE_CPUID] && s.caps.hv != HYBRID_HV_TCG)
		strscpy(exits, "exits could not be measured", sizeof(exits));
	else if (s.caps.hv != HYBRID_HV_NONE && s.caps.hv != HYBRID_HV_TCG)
		strscpy(exits, "CPUID does not exit", sizeof(exits));
	pr_info("hypervisor %s, nesting level %u (confidence %s), %s; idle: %s (%s)\n",
		hybrid_hv_name(s.caps.hv), s.level.level,
		hybrid_confidence_name(s.level.confidence), exits,
		hybrid_path_name(s.policy.op[HYBRID_OP_IDLE].path),
		hybrid_reason_name(s.policy.op[HYBRID_OP_IDLE].why));
}

static int __init hybrid_init(void)
{
	int err;

	err = hybrid_refresh();
	if (err)
		return err;
	err = hybrid_sysfs_create();
	if (err)
		goto err_retract;
	hybrid_debugfs_create();
	announce();
	return 0;

err_retract:
	retract();
	return err;
}

static void __exit hybrid_exit(void)
{
	hybrid_debugfs_remove();
	hybrid_sysfs_remove();
	hybrid_host_irq_exit();
	retract();
}

module_init(hybrid_init);
module_exit(hybrid_exit);

MODULE_DESCRIPTION("Hybrid HVM: what this guest runs on, what an exit costs, which path each operation takes");
MODULE_AUTHOR("The Hybrid HVM developers");
MODULE_VERSION(HYBRID_VERSION);
MODULE_LICENSE("GPL");
