// SPDX-License-Identifier: GPL-2.0-only
/*
 * Looks for migrations that nobody tells of. A deferrable timer on every CPU: one that runs
 * anything looks twenty times a second, and one that idles, or whose tick nohz_full stopped, is
 * not woken for it. Where all idle, the network card often tells: over a migration a virtio
 * one is asked to announce its address to its new neighbours.
 */
#include <linux/compiler.h>
#include <linux/cpuhotplug.h>
#include <linux/irqflags.h>
#include <linux/jiffies.h>
#include <linux/netdevice.h>
#include <linux/notifier.h>
#include <linux/percpu.h>
#include <linux/timer.h>

#include "internal.h"

#define LOOK_PER_S	20

static DEFINE_PER_CPU(struct timer_list, look_timer);
static int hotplug_state;
static bool looking;			/* there is something to look at */
static unsigned long disturbed_at;	/* when a CPU came or went, in jiffies */

static void disturb(void)
{
	WRITE_ONCE(disturbed_at, jiffies);
	mn_core_remeasure();
}

bool mn_watch_disturbed(void)
{
	return time_before(jiffies, READ_ONCE(disturbed_at) + HZ);
}

static void look(struct timer_list *timer)
{
	mn_core_look();
	mod_timer(timer, jiffies + HZ / LOOK_PER_S);
}

static int cpu_comes(unsigned int cpu)
{
	struct timer_list *timer = per_cpu_ptr(&look_timer, cpu);

	/* What this CPU saw before it went is no measure. */
	local_irq_disable();
	mn_core_rebase();
	local_irq_enable();
	if (looking) {
		timer->expires = jiffies + HZ / LOOK_PER_S;
		add_timer_on(timer, cpu);
	}
	disturb();
	return 0;
}

static int cpu_goes(unsigned int cpu)
{
	if (looking)
		del_timer_sync(per_cpu_ptr(&look_timer, cpu));
	disturb();
	return 0;
}

static int announced(struct notifier_block *nb, unsigned long event, void *info)
{
	if (event == NETDEV_NOTIFY_PEERS)
		mn_core_look();
	return NOTIFY_DONE;
}

static struct notifier_block netdev_nb = { .notifier_call = announced };

int mn_watch_start(void)
{
	unsigned int cpu;
	int err;

	looking = mn_core_looks();
	for_each_possible_cpu(cpu)
		timer_setup(per_cpu_ptr(&look_timer, cpu), look, TIMER_DEFERRABLE | TIMER_PINNED);
	hotplug_state = cpuhp_setup_state(CPUHP_AP_ONLINE_DYN, "migrate_notify:online",
					  cpu_comes, cpu_goes);
	if (hotplug_state < 0)
		return hotplug_state;
	err = register_netdevice_notifier(&netdev_nb);
	if (err)
		cpuhp_remove_state(hotplug_state);
	return err;
}

void mn_watch_stop(void)
{
	unregister_netdevice_notifier(&netdev_nb);
	cpuhp_remove_state(hotplug_state);
}
