// SPDX-License-Identifier: GPL-2.0-only
/*
 * Idle CPUs poll for a moment, so that short sleeps need no exits: a cpuidle driver.
 *
 * One state that polls, then halts, rather than one for each: the menu governor (all that
 * 6.1 has) takes a polling state only if a timer is about to expire, and stops the tick
 * before a single state just as the kernel does without any cpuidle driver. How long to poll
 * is the pure part (poll.c).
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/cpu.h>
#include <linux/cpuidle.h>
#include <linux/cpumask.h>
#include <linux/delay.h>
#include <linux/kernel_stat.h>
#include <linux/kvm_para.h>
#include <linux/math64.h>
#include <linux/minmax.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/percpu.h>
#include <linux/reboot.h>
#include <linux/sched.h>
#include <linux/sched/idle.h>
#include <linux/smp.h>
#include <linux/sort.h>
#include <linux/time64.h>

#include <asm/asm.h>
#include <asm/msr.h>
#include <asm/tsc.h>
#include <asm/xen/hypercall.h>

#include <xen/interface/vcpu.h>
#include <xen/xen.h>
#include <xen/xen-ops.h>

#include <hybrid/poll.h>

#include "../../compat/idle.h"
#include "internal.h"

/* All times are in TSC cycles: reading it does not exit. */
struct sleeper {
	struct cpuidle_device dev;
	struct hybrid_poll poll;
	bool polled;		/* in vain so far, and has not halted yet: */
	u32 length;		/* ... for how long, */
	u32 limit;		/* ... of how long at most; 0 = that is void, */
	u64 start;		/* ... since when, */
	unsigned long sleep;	/* ... and in which sleep */
	u64 window_start;
	u64 window_steal;
	u64 runnable;		/* Xen: what it says at the end of the last window, at most */
	u64 window_won;
	u64 window_halts;
	bool gains;		/* won something in the last window */
	u64 host_polls;		/* what the host's poll control was */
	bool host_poll_off;	/* ... and we have switched it off */
	u64 count[HYBRID_IDLE_NR];
};

static DEFINE_PER_CPU(struct sleeper, sleepers);

static bool registered;		/* under hybrid's state mutex */
static DEFINE_MUTEX(control_mutex);	/* for writing these two */
static bool have_poll_control;
static bool rebooting;
static enum cpuhp_state hotplug;
static u32 halt_cost;		/* what the CPUs' algorithms are set up with */
static u32 halt_ns;		/* what was measured */
static bool paused;		/* while halts are measured */

static __always_inline u64 to_ns(u64 cycles)
{
	return mul_u64_u32_div(cycles, USEC_PER_SEC, tsc_khz);
}

/* Changes each time the idle task is switched away from: a new sleep has begun. */
static __always_inline unsigned long this_sleep(void)
{
	return current->nvcsw + current->nivcsw;
}

/* Interrupts of this CPU, of all kinds that can wake a task up. */
static __always_inline unsigned long interrupts_seen(void)
{
	unsigned long n = this_cpu_read(kstat.irqs_sum);

	n += this_cpu_read(irq_stat.apic_timer_irqs);
	n += this_cpu_read(irq_stat.x86_platform_ipis);
	n += this_cpu_read(irq_stat.apic_irq_work_irqs);
#ifdef CONFIG_SMP
	n += this_cpu_read(irq_stat.irq_resched_count);
	n += this_cpu_read(irq_stat.irq_call_count);
#endif
#ifdef CONFIG_X86_HV_CALLBACK_VECTOR
	n += this_cpu_read(irq_stat.irq_hv_callback_count);
#endif
#if IS_ENABLED(CONFIG_HYPERV)
	n += this_cpu_read(irq_stat.hyperv_stimer0_count);
#endif
	return n;
}

static noinstr void won(struct sleeper *c)
{
	c->count[HYBRID_IDLE_WON]++;
	c->window_won++;
	if (c->limit)
		hybrid_poll_learn(&c->poll, c->limit, c->length);
}

/* wrmsrl_safe() that nothing traces, since RCU does not watch here. */
static __always_inline int wrmsr_quietly(u32 msr, u64 value)
{
	int err;

	asm volatile("1: wrmsr; xorl %[err], %[err]\n"
		     "2:\n"
		     _ASM_EXTABLE_TYPE_REG(1b, 2b, EX_TYPE_WRMSR_SAFE, %[err])
		     : [err] "=a" (err)
		     : "c" (msr), "0" ((u32)value), "d" ((u32)(value >> 32))
		     : "memory");
	return err;
}

static __always_inline void host_poll_set(struct sleeper *c, bool off)
{
	/* The host's polling on top of ours would be for nothing; without ours, it may help. */
	if (wrmsr_quietly(MSR_KVM_POLL_CONTROL, off ? 0 : c->host_polls)) {
		/* Migrated to a host that does not have it. */
		c->host_polls = 0;
		off = false;
	}
	c->host_poll_off = off;
}

/* How long Xen has let this CPU wait for a processor, ever. */
static noinstr int xen_runnable(u64 *ns)
{
	struct vcpu_runstate_info info;
	int err;

	instrumentation_begin();
	err = HYPERVISOR_vcpu_op(VCPUOP_get_runstate_info, xen_vcpu_nr(smp_processor_id()), &info);
	instrumentation_end();
	if (!err)
		*ns = info.time[RUNSTATE_runnable];
	return err;
}

/*
 * What Xen's guest code takes for stolen includes the time that a vCPU waits for its device model,
 * which is no lack of processors (RUNSTATE_offline). So where that is much, ask Xen itself: one
 * hypercall a window. Of windows where it is not, all of it may have been for lack of them.
 */
static noinstr u64 xen_stolen(struct sleeper *c, u64 stolen, u64 much)
{
	u64 before = c->runnable, runnable = 0;

	if (stolen <= much) {
		c->runnable += stolen;
		return stolen;
	}
	if (xen_runnable(&c->runnable))
		return stolen;
	if (c->runnable > before)
		runnable = min(stolen, c->runnable - before);
	/*
	 * The rest is what it waited for the device model. Each of these waits ends with a wake-up, as
	 * a halt does; that takes no longer than the wait, which has a wake-up of the device model.
	 */
	return runnable - min(runnable, stolen - runnable);
}

/*
 * The host's polling is for sleeps that are too long for ours as well. It is only for nothing where
 * nearly all end while we poll.
 */
#define HOST_POLL_WINS	4

/* About once a second; on a CPU that is never idle, there is nothing to decide. */
static noinstr void judge_window(struct sleeper *c, u64 now)
{
	u64 steal = __this_cpu_read(kernel_cpustat.cpustat[CPUTIME_STEAL]);
	/* Bounded, as the TSC may have jumped back and the quotient has to fit. */
	u64 cycles = min_t(u64, now - c->window_start, 1ull << 50);
	u64 ns = to_ns(cycles);
	u64 stolen = steal - c->window_steal;
	bool off;

	if (xen_domain())
		stolen = xen_stolen(c, stolen, ns >> 5);
	hybrid_poll_steal(&c->poll, stolen, c->window_halts, READ_ONCE(halt_ns), ns);
	off = c->window_won > HOST_POLL_WINS * c->window_halts &&
	      !hybrid_poll_overcommitted(&c->poll);
	if (READ_ONCE(have_poll_control) && c->host_polls && off != c->host_poll_off)
		host_poll_set(c, off);
	c->window_start = now;
	c->window_steal = steal;
	c->gains = c->window_won;
	c->window_won = 0;
	c->window_halts = 0;
}

/*
 * PAUSEs that follow each other within less (Intel: ple_gap, AMD: the pause filter's threshold, both
 * 128 cycles unless set otherwise) are a spinning lock for the host, which makes them exit.
 */
#define PAUSE_GAP	512

/* For what is left of c->limit. */
static noinstr void poll(struct sleeper *c)
{
	unsigned long before = interrupts_seen();
	u32 limit = c->limit, polled = c->length;
	u64 start = c->start, now, paused_at;
	bool early, seen, ready;

	compat_idle_irq_enable();
	ready = early = current_set_polling_and_test();
	now = paused_at = rdtsc();
	/*
	 * A TSC that jumps back (a migration) looks like a long time and ends it. So does an
	 * interrupt, for now: it may have set a timer that only the idle loop programs.
	 */
	while (!ready && now - start <= limit && interrupts_seen() == before &&
	       !READ_ONCE(paused)) {
		if (now - paused_at >= PAUSE_GAP) {
			cpu_relax();
			paused_at = now;
		}
		if (hybrid_upcall_poll())
			c->count[HYBRID_IDLE_UPCALLS]++;
		ready = need_resched();
		now = rdtsc();
	}
	hybrid_upcall_end();
	compat_idle_irq_disable();
	seen = !early && need_resched();
	ready = current_clr_polling_and_test();

	c->length = min_t(u64, now - start, limit);
	c->count[HYBRID_IDLE_POLLED] += c->length - min(polled, c->length);
	if (!ready) {
		/* Let the idle loop look at its timers, and go on when it comes back. */
		c->polled = true;
		c->sleep = this_sleep();
		return;
	}
	won(c);
	/* Nothing interrupted us, so a CPU must have seen us poll, and sent no IPI. */
	if (seen && interrupts_seen() == before)
		c->count[HYBRID_IDLE_IPIS]++;
}

/* After c->limit was polled in vain; 0 = nothing was. */
static noinstr void halt_cpu(struct sleeper *c, u64 start)
{
	u64 length;
	u32 limit;

	compat_idle_halt();
	compat_idle_irq_disable();
	length = rdtsc() - start;
	c->count[HYBRID_IDLE_HALTS]++;
	c->window_halts++;
	/* While halts are measured nothing is polled, whatever the account says: no experience. */
	if (READ_ONCE(paused))
		return;
	/* Read after it ended: another cost may be in force, and the limit has gone with the old. */
	limit = READ_ONCE(c->limit);
	/* What halting cost is not part of the sleep; but it did not end within the limit. */
	length -= min_t(u64, length, c->poll.cost);
	hybrid_poll_learn(&c->poll, limit, limit ? max_t(u64, length, (u64)limit + 1) : length);
}

/* Whether this is still the sleep of the last poll, and with it done. */
static noinstr bool go_on(struct sleeper *c, u64 now)
{
	if (!c->polled)
		return false;
	c->polled = false;
	if (c->sleep != this_sleep()) {
		/* It was woken up after the poll and before it halted: no exit either. */
		won(c);
		return false;
	}
	if (now - c->start < c->limit && !READ_ONCE(paused)) {
		/* What ran in between is no polling. */
		c->length = now - c->start;
		poll(c);
		return true;
	}
	c->count[HYBRID_IDLE_LOST]++;
	halt_cpu(c, c->limit ? c->start : now);
	return true;
}

static noinstr int enter(struct cpuidle_device *dev, struct cpuidle_driver *drv, int index)
{
	struct sleeper *c = this_cpu_ptr(&sleepers);
	u64 start = rdtsc();

	if (go_on(c, start))
		return 0;
	if (start - c->window_start >= (u64)tsc_khz * MSEC_PER_SEC)
		judge_window(c, start);
	c->count[HYBRID_IDLE_ENTRIES]++;
	c->limit = READ_ONCE(paused) ? 0 : hybrid_poll_limit(&c->poll);
	if (!c->limit) {
		halt_cpu(c, start);
	} else {
		c->start = start;
		c->length = 0;
		poll(c);
	}
	/* Not 1, see below: after that the haltpoll governor would poll, with the tick running. */
	return 0;
}

static struct cpuidle_driver driver = {
	.name = "hybrid",
	/* No .owner: the reference would be ours to drop, and keep us loaded. */
	.states = {
		[0] = {
			.name = "POLL-HLT",
			.desc = "poll while it pays, then halt",
			.enter = enter,
			.exit_latency = 1,
			.target_residency = 1,
		},
		/* The haltpoll governor may ask for state 1 however many states there are. */
		[1] = {
			.enter = enter,
			.exit_latency = 1,
			.target_residency = 1,
		},
	},
	.state_count = 1,
};

static void host_poll_find(struct sleeper *c)
{
	c->host_poll_off = false;
	if (!READ_ONCE(have_poll_control) || rdmsrl_safe(MSR_KVM_POLL_CONTROL, &c->host_polls))
		c->host_polls = 0;
}

static int sleeper_online(unsigned int cpu)
{
	struct sleeper *c = per_cpu_ptr(&sleepers, cpu);

	/* Against set_cost(), whose call may come at any time. */
	local_irq_disable();
	hybrid_poll_init(&c->poll, READ_ONCE(halt_cost));
	local_irq_enable();
	c->polled = false;
	c->window_start = rdtsc();
	c->window_steal = kcpustat_cpu(cpu).cpustat[CPUTIME_STEAL];
	c->runnable = 0;
	if (xen_domain())
		xen_runnable(&c->runnable);
	c->window_won = 0;
	c->window_halts = 0;
	c->gains = true;	/* until a window has shown otherwise */
	host_poll_find(c);
	c->dev.cpu = cpu;
	/* Where it fails, the CPU idles as without us: no reason not to let it come. */
	cpuidle_register_device(&c->dev);
	return 0;
}

static void host_poll_restore(void *unused)
{
	struct sleeper *c = this_cpu_ptr(&sleepers);

	/* After a migration the host may not have it any more. */
	if (c->host_poll_off)
		wrmsrl_safe(MSR_KVM_POLL_CONTROL, c->host_polls);
	c->host_poll_off = false;
}

static int sleeper_offline(unsigned int cpu)
{
	cpuidle_unregister_device(&per_cpu_ptr(&sleepers, cpu)->dev);
	/* On this CPU, which no longer enters our state. */
	local_irq_disable();
	host_poll_restore(NULL);
	local_irq_enable();
	return 0;
}

/*
 * Another kernel, by kexec, knows nothing of what was switched off. (One that runs after a crash
 * finds it off, and sleeps without the host's polling, which is all.)
 */
static int before_reboot(struct notifier_block *nb, unsigned long action, void *data)
{
	mutex_lock(&control_mutex);
	rebooting = true;
	WRITE_ONCE(have_poll_control, false);
	mutex_unlock(&control_mutex);
	on_each_cpu(host_poll_restore, NULL, 1);
	return NOTIFY_DONE;
}

static struct notifier_block reboot_notifier = { .notifier_call = before_reboot };

static int driver_start(void)
{
	int err;

	/* First: nothing is switched off by then that it would have to restore. */
	register_reboot_notifier(&reboot_notifier);
	err = cpuidle_register_driver(&driver);
	if (err)
		goto no_driver;
	err = cpuhp_setup_state(CPUHP_AP_ONLINE_DYN, "hybrid/idle:online", sleeper_online,
				sleeper_offline);
	if (err < 0)
		goto no_hotplug;
	hotplug = err;
	registered = true;
	return 0;

no_hotplug:
	cpuidle_unregister_driver(&driver);
no_driver:
	unregister_reboot_notifier(&reboot_notifier);
	return err;
}

void hybrid_idle_stop(void)
{
	if (!registered)
		return;
	/* sleeper_offline() runs on each CPU, which has thereby left our state for good. */
	cpuhp_remove_state(hotplug);
	cpuidle_unregister_driver(&driver);
	/* Last: a reboot meanwhile finds CPUs that it has to restore. */
	unregister_reboot_notifier(&reboot_notifier);
	registered = false;
}

static u32 ns_to_cycles(u32 ns)
{
	return min_t(u64, mul_u64_u32_div(ns, tsc_khz, USEC_PER_SEC), HYBRID_POLL_COST_MAX);
}

/* What was learned in terms of the old cost is void; not so whether the host is overcommitted. */
static void set_cost(void *unused)
{
	struct sleeper *c = this_cpu_ptr(&sleepers);
	struct hybrid_poll old = c->poll;

	hybrid_poll_init(&c->poll, READ_ONCE(halt_cost));
	c->poll.calm = old.calm;
	c->poll.penance = old.penance;
	/* If it interrupts a poll: that goes by the old cost, and ends. */
	c->limit = 0;
	host_poll_restore(NULL);
	host_poll_find(c);
}

/* Returns true if that is something else than before. */
static bool set_poll_control(bool have)
{
	bool changed;

	mutex_lock(&control_mutex);
	have = have && !rebooting;
	changed = have != have_poll_control;
	WRITE_ONCE(have_poll_control, have);
	mutex_unlock(&control_mutex);
	return changed;
}

int hybrid_idle_apply(const struct hybrid_state *s, unsigned int percent)
{
	u32 cost = ns_to_cycles(s->cost.halt_ns);
	bool changed;

	if (s->policy.op[HYBRID_OP_IDLE].path != HYBRID_PATH_POLL) {
		hybrid_idle_stop();
		return 0;
	}
	cost = min_t(u64, div_u64((u64)cost * percent, 100), HYBRID_POLL_COST_MAX);
	changed = set_poll_control(hybrid_has(&s->caps, HYBRID_F_KVM_POLL_CONTROL));
	if (registered && cost == halt_cost && !changed)
		return 0;
	WRITE_ONCE(halt_ns, s->cost.halt_ns);
	WRITE_ONCE(halt_cost, cost);
	if (registered) {
		on_each_cpu(set_cost, NULL, 1);
		return 0;
	}
	return driver_start();
}

bool hybrid_idle_ours(const struct cpuidle_driver *drv)
{
	return drv == &driver;
}

enum hybrid_reason hybrid_idle_why(void)
{
	enum hybrid_reason why = HYBRID_WHY_NO_GAIN;
	unsigned int cpu;

	for_each_online_cpu(cpu) {
		const struct sleeper *c = per_cpu_ptr(&sleepers, cpu);

		if (hybrid_poll_overcommitted(&c->poll))
			why = HYBRID_WHY_OVERCOMMIT;
		else if (READ_ONCE(c->gains) || READ_ONCE(c->window_won))
			return HYBRID_WHY_SAVES;
	}
	return why;
}

u64 hybrid_idle_count(enum hybrid_idle_count what)
{
	unsigned int cpu;
	u64 sum = 0;

	for_each_possible_cpu(cpu)
		sum += READ_ONCE(per_cpu(sleepers, cpu).count[what]);
	if (what == HYBRID_IDLE_POLLED && tsc_khz)
		return to_ns(sum);
	return sum;
}

/*
 * What a sleep costs that ends right away: the time of a call to another CPU that has halted.
 */
#define HALT_ROUNDS	15
#define HALT_TRIES	(4 * HALT_ROUNDS)
/* Fewer idle CPUs say nothing; half as many have to have halted. */
#define HALT_ENOUGH	8
/* In exits. Less, and the HLT did not exit: the sending did. More is noise. */
#define HALT_EXITS_MIN	2
#define HALT_EXITS_MAX	16

static void says_idle(void *idle)
{
	*(bool *)idle = is_idle_task(current);
}

static int compare(const void *a, const void *b)
{
	const u64 *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

/* The first online CPU from that one on that is not this one. */
static unsigned int other_cpu(unsigned int from)
{
	unsigned int cpu, this = smp_processor_id();

	for_each_cpu_wrap(cpu, cpu_online_mask, from)
		if (cpu != this)
			return cpu;
	return nr_cpu_ids;
}

u32 hybrid_idle_measure(u32 exit_ns)
{
	/* What was measured last. Just after a migration CPUs may be too busy to be measured. */
	static u64 last_halt;
	static u32 last_exit;
	u64 cycles[HALT_ROUNDS], ns = 0;
	unsigned int i, n = 0, other;

	if (!exit_ns)
		return 0;
	WRITE_ONCE(paused, true);
	for (i = 0; i < HALT_TRIES && n < HALT_ROUNDS; i++) {
		usleep_range(1000, 1500);
		cpus_read_lock();
		preempt_disable();
		other = other_cpu(i % nr_cpu_ids);
		if (other < nr_cpu_ids) {
			u64 begin = rdtsc_ordered();
			bool idle = false;

			smp_call_function_single(other, says_idle, &idle, 1);
			cycles[n] = rdtsc_ordered() - begin;
			/* One that was busy says nothing of halts. */
			n += idle;
		}
		preempt_enable();
		cpus_read_unlock();
	}
	WRITE_ONCE(paused, false);
	if (n >= HALT_ENOUGH) {
		unsigned int awake = 0;

		sort(cycles, n, sizeof(cycles[0]), compare, NULL);
		/* An idle CPU may have been about to halt: that takes less than two exits. */
		while (awake < n && to_ns(cycles[awake]) < (u64)HALT_EXITS_MIN * exit_ns)
			awake++;
		if (n - awake < HALT_ENOUGH / 2)
			return 0;
		/* The median of the others: waiting for a busy host is part of it, but no outliers. */
		ns = to_ns(cycles[awake + (n - awake) / 2]);
		last_halt = ns;
		last_exit = exit_ns;
	} else if (last_exit) {
		ns = mul_u64_u32_div(last_halt, exit_ns, last_exit);
	}
	/* Where there never was another CPU that was idle, the least it can be. */
	ns = clamp_t(u64, ns, (u64)HALT_EXITS_MIN * exit_ns, (u64)HALT_EXITS_MAX * exit_ns);
	return min_t(u64, ns, U32_MAX);
}
