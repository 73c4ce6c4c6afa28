// SPDX-License-Identifier: GPL-2.0-only
/*
 * Idle CPUs poll for a moment, so that short sleeps need no exits: a cpuidle driver.
 *
 * Its states are all the same one, which polls, then halts. Not one for each: the menu governor
 * (all that 6.1 has) takes a polling state only if a timer is about to expire. And not a single
 * one: then no governor is asked whether to stop the tick, which so is stopped only after it
 * has woken the CPU up once, in each long sleep. How long to poll is the pure part (poll.c).
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
	bool polled;		/* but not to the end of the sleep, and has not halted yet: */
	u32 limit;		/* ... for how long at most, */
	u64 start;		/* ... since when, */
	unsigned long sleep;	/* ... and in which sleep */
	u64 window_start;
	u64 window_steal;
	u64 runnable;		/* Xen: what it said at the end of the last window, */
	bool asked;		/* ... if it was asked */
	u64 window_won;
	u64 window_halts;
	bool gains;		/* won something in the last window */
	u64 host_polls;		/* what the host's poll control was */
	bool host_poll_off;	/* ... and we have switched it off */
	u64 count[HYBRID_IDLE_NR];
};

static DEFINE_PER_CPU(struct sleeper, sleepers);

static bool registered;		/* under hybrid's state mutex, */
static u32 applied;		/* ... the generation of what is in force as well */
static bool have_poll_control;
static enum cpuhp_state hotplug;
static u32 halt_cost;		/* what the CPUs' algorithms are set up with */
static u32 halt_ns;		/* what was measured */
static bool paused;		/* while halts are measured */

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
	return n;
}

static noinstr void won(struct sleeper *c, u64 length)
{
	c->count[HYBRID_IDLE_WON]++;
	c->window_won++;
	hybrid_poll_learn(&c->poll, c->limit, min_t(u64, length, c->limit));
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

/*
 * What Xen's guest code takes for stolen includes the time that a vCPU waits for its device model,
 * which is no lack of processors (RUNSTATE_offline). So where that is much, ask Xen itself: one
 * hypercall a window. The first time there is nothing to compare with.
 */
static noinstr u64 xen_stolen(struct sleeper *c, u64 stolen, u64 much)
{
	struct vcpu_runstate_info info;
	bool asked = c->asked;
	u64 runnable;
	int err;

	c->asked = false;
	if (stolen <= much)
		return stolen;
	instrumentation_begin();
	err = HYPERVISOR_vcpu_op(VCPUOP_get_runstate_info, xen_vcpu_nr(smp_processor_id()), &info);
	instrumentation_end();
	if (err)
		return stolen;
	runnable = info.time[RUNSTATE_runnable] - c->runnable;
	c->runnable = info.time[RUNSTATE_runnable];
	c->asked = true;
	return asked ? min(stolen, runnable) : 0;
}

/* About once a second; on a CPU that is never idle, there is nothing to decide. */
static noinstr void judge_window(struct sleeper *c, u64 now)
{
	u64 steal = __this_cpu_read(kernel_cpustat.cpustat[CPUTIME_STEAL]);
	/* Bounded, as the TSC may have jumped back and the quotient has to fit. */
	u64 cycles = min_t(u64, now - c->window_start, 1ull << 50);
	u64 ns = mul_u64_u32_div(cycles, USEC_PER_SEC, tsc_khz);
	bool off = c->window_won && !hybrid_poll_overcommitted(&c->poll);
	u64 stolen = steal - c->window_steal;

	if (xen_domain())
		stolen = xen_stolen(c, stolen, ns >> 4);
	hybrid_poll_steal(&c->poll, stolen, c->window_halts * READ_ONCE(halt_ns), ns);
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

/* Returns true if there is something to do. */
static noinstr bool poll(struct sleeper *c, u64 begin)
{
	unsigned long before = interrupts_seen();
	bool early, seen, ready;
	u64 now, paused_at;

	compat_idle_irq_enable();
	ready = early = current_set_polling_and_test();
	now = paused_at = rdtsc();
	/*
	 * A TSC that jumps back (a migration) looks like a long time and ends it. So does an
	 * interrupt: it may have set a timer that only the idle loop programs.
	 */
	while (!ready && now - c->start <= c->limit && interrupts_seen() == before &&
	       !READ_ONCE(paused)) {
		if (now - paused_at >= PAUSE_GAP) {
			cpu_relax();
			paused_at = now;
		}
		ready = need_resched();
		now = rdtsc();
	}
	compat_idle_irq_disable();
	seen = !early && need_resched();
	ready = current_clr_polling_and_test();

	c->count[HYBRID_IDLE_POLLED] += min_t(u64, now - begin, c->limit);
	if (!ready)
		return false;
	won(c, now - c->start);
	/* Nothing interrupted us, so a CPU must have seen us poll, and sent no IPI. */
	if (seen && interrupts_seen() == before)
		c->count[HYBRID_IDLE_IPIS]++;
	return true;
}

static noinstr void halt_cpu(struct sleeper *c)
{
	u32 limit = c->limit;
	u64 length;

	compat_idle_halt();
	compat_idle_irq_disable();
	length = rdtsc() - c->start;
	c->count[HYBRID_IDLE_HALTS]++;
	c->window_halts++;
	/* What halting cost is not part of the sleep; but it did not end within the limit. */
	length -= min_t(u64, length, c->poll.cost);
	hybrid_poll_learn(&c->poll, limit, limit ? max_t(u64, length, (u64)limit + 1) : length);
}

static noinstr void begin_sleep(struct sleeper *c, u64 now)
{
	if (now - c->window_start >= (u64)tsc_khz * MSEC_PER_SEC)
		judge_window(c, now);
	c->count[HYBRID_IDLE_ENTRIES]++;
	c->start = now;
	c->sleep = this_sleep();
	c->limit = hybrid_poll_limit(&c->poll);
}

static noinstr int enter(struct cpuidle_device *dev, struct cpuidle_driver *drv, int index)
{
	struct sleeper *c = this_cpu_ptr(&sleepers);
	u64 now = rdtsc();

	if (c->polled && c->sleep != this_sleep()) {
		/* It was woken up after the poll and before it halted: no exit either. */
		c->polled = false;
		won(c, c->limit);
	}
	if (!c->polled)
		begin_sleep(c, now);

	/* What interrupts and wakes nobody up does not end the sleep, so a poll goes on after it. */
	if (c->limit && now - c->start <= c->limit && !READ_ONCE(paused)) {
		c->polled = !poll(c, now);
		/* In vain: the idle loop looks at its timers; the governor is not told of a sleep. */
		return c->polled ? -EBUSY : index;
	}
	if (c->polled)
		c->count[HYBRID_IDLE_LOST]++;
	else
		c->limit = 0;
	c->polled = false;
	halt_cpu(c);
	return index;
}

#define STATE {							\
	.name = "POLL-HLT",					\
	.desc = "poll while it pays, then halt",		\
	.enter = enter,						\
	.exit_latency = 1,					\
	.target_residency = 1,					\
}

static struct cpuidle_driver driver = {
	.name = "hybrid",
	/* No .owner: the reference would be ours to drop, and keep us loaded. */
	.states = { STATE, STATE },
	.state_count = 2,
};

static void host_poll_find(struct sleeper *c)
{
	c->host_poll_off = false;
	if (!READ_ONCE(have_poll_control) || rdmsrl_safe(MSR_KVM_POLL_CONTROL, &c->host_polls))
		c->host_polls = 0;
}

/* On its CPU, or before that idles by us; interrupts off. */
static void forget(struct sleeper *c, unsigned int cpu)
{
	hybrid_poll_init(&c->poll, READ_ONCE(halt_cost));
	c->window_start = rdtsc();
	c->window_steal = kcpustat_cpu(cpu).cpustat[CPUTIME_STEAL];
	c->asked = false;
	c->window_won = 0;
	c->window_halts = 0;
	c->gains = true;	/* until a window has shown otherwise */
	host_poll_find(c);
}

static int sleeper_online(unsigned int cpu)
{
	struct sleeper *c = per_cpu_ptr(&sleepers, cpu);

	/* Against start_anew(), whose call may come at any time. */
	local_irq_disable();
	c->polled = false;
	forget(c, cpu);
	local_irq_enable();
	c->dev.cpu = cpu;
	/* The haltpoll governor, should somebody want it, would else keep the tick for ever. */
	c->dev.poll_time_limit = true;
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
	WRITE_ONCE(have_poll_control, false);
	on_each_cpu(host_poll_restore, NULL, 1);
	return NOTIFY_DONE;
}

static struct notifier_block reboot_notifier = { .notifier_call = before_reboot };

static int driver_start(void)
{
	int err;

	err = cpuidle_register_driver(&driver);
	if (err)
		return err;
	err = cpuhp_setup_state(CPUHP_AP_ONLINE_DYN, "hybrid/idle:online", sleeper_online,
				sleeper_offline);
	if (err < 0) {
		cpuidle_unregister_driver(&driver);
		return err;
	}
	hotplug = err;
	register_reboot_notifier(&reboot_notifier);
	registered = true;
	return 0;
}

void hybrid_idle_stop(void)
{
	if (!registered)
		return;
	unregister_reboot_notifier(&reboot_notifier);
	/* sleeper_offline() runs on each CPU, which has thereby left our state for good. */
	cpuhp_remove_state(hotplug);
	cpuidle_unregister_driver(&driver);
	registered = false;
}

static u32 ns_to_cycles(u32 ns)
{
	return min_t(u64, mul_u64_u32_div(ns, tsc_khz, USEC_PER_SEC), HYBRID_POLL_COST_MAX);
}

/*
 * What was learned in terms of the old cost is void. So is whether the host is overcommitted, when
 * it may be another host: what was stolen while the guest moved says nothing of where it is now.
 */
static void start_anew(void *unused)
{
	struct sleeper *c = this_cpu_ptr(&sleepers);

	host_poll_restore(NULL);
	forget(c, smp_processor_id());
}

int hybrid_idle_apply(const struct hybrid_state *s, unsigned int percent)
{
	bool control = hybrid_has(&s->caps, HYBRID_F_KVM_POLL_CONTROL);
	u32 cost = ns_to_cycles(s->cost.halt_ns);

	if (s->policy.op[HYBRID_OP_IDLE].path != HYBRID_PATH_POLL) {
		hybrid_idle_stop();
		return 0;
	}
	cost = min_t(u64, div_u64((u64)cost * percent, 100), HYBRID_POLL_COST_MAX);
	if (registered && cost == halt_cost && s->generation == applied)
		return 0;
	applied = s->generation;
	WRITE_ONCE(have_poll_control, control);
	WRITE_ONCE(halt_ns, s->cost.halt_ns);
	WRITE_ONCE(halt_cost, cost);
	if (registered) {
		on_each_cpu(start_anew, NULL, 1);
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
		return mul_u64_u32_div(sum, USEC_PER_SEC, tsc_khz);
	return sum;
}

/*
 * What a sleep costs that ends right away: the time of a call to another CPU that has halted.
 */
#define HALT_CALLS	60
#define HALT_ENOUGH	15	/* of them that found it idle */
#define HALT_FEW	4
/* In exits. Less, and the HLT did not exit: the sending did. More is noise. */
#define HALT_EXITS_MIN	2
#define HALT_EXITS_MAX	16

static void is_idle(void *answer)
{
	*(bool *)answer = is_idle_task(current);
}

static int compare(const void *a, const void *b)
{
	const u64 *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

/* The time that a call to another, idle CPU took, in cycles; 0: it was not idle. */
static u64 call_idle(void)
{
	bool idle = false;
	unsigned int other;
	u64 cycles = 0;

	cpus_read_lock();
	preempt_disable();
	other = cpumask_any_but(cpu_online_mask, smp_processor_id());
	if (other < nr_cpu_ids) {
		u64 begin = rdtsc_ordered();

		smp_call_function_single(other, is_idle, &idle, 1);
		cycles = rdtsc_ordered() - begin;
	}
	preempt_enable();
	cpus_read_unlock();
	return idle ? cycles : 0;
}

u32 hybrid_idle_measure(u32 exit_ns)
{
	u64 cycles[HALT_ENOUGH], ns = 0;
	unsigned int i, n = 0;

	if (!exit_ns)
		return 0;
	WRITE_ONCE(paused, true);
	/* A busy CPU answers at once, as if halting it were free. */
	for (i = 0; i < HALT_CALLS && n < HALT_ENOUGH; i++) {
		usleep_range(1000, 1500);
		cycles[n] = call_idle();
		if (cycles[n])
			n++;
	}
	WRITE_ONCE(paused, false);
	/* The lower quartile: a few find the other CPU about to wake up, more find the host busy. */
	if (n >= HALT_FEW) {
		sort(cycles, n, sizeof(cycles[0]), compare, NULL);
		ns = mul_u64_u32_div(cycles[n / 4], USEC_PER_SEC, tsc_khz);
		if (ns < (u64)HALT_EXITS_MIN * exit_ns)
			return 0;
	}
	ns = clamp_t(u64, ns, (u64)HALT_EXITS_MIN * exit_ns, (u64)HALT_EXITS_MAX * exit_ns);
	return min_t(u64, ns, U32_MAX);
}
