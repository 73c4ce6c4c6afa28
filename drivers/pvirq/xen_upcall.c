// SPDX-License-Identifier: GPL-2.0-only
/*
 * How Xen's events reach the CPUs of a kernel that runs without Xen support.
 *
 * By the callback vector: one number for all vCPUs, which Xen injects past the LAPIC, so that it
 * needs no EOI (and must not get one). The kernel's own vector for this has no handler here. So
 * each CPU gets an interrupt of its own, with a vector that happens to be free on all of them. An
 * upcall that found no handler would come again at once, for ever: no event is sent to a CPU
 * before its vector is there, and has been tried.
 *
 * The alternative, HVMOP_set_evtchn_upcall_vector, goes through the LAPIC: an EOI for each upcall,
 * and it can never be unset. It is not used.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/cpu.h>
#include <linux/cpuhotplug.h>
#include <linux/cpumask.h>
#include <linux/delay.h>
#include <linux/irq.h>
#include <linux/irqdesc.h>
#include <linux/irqdomain.h>
#include <linux/percpu.h>
#include <linux/printk.h>
#include <linux/slab.h>
#include <linux/smp.h>

#include <asm/hw_irq.h>
#include <asm/irqdomain.h>

#include <hybrid/hybrid.h>

#include "xen.h"

/**
 * struct upcall - of one CPU
 * @irq: the interrupt that has the vector; 0 for none
 * @vcpu: Xen's number for the CPU
 * @test_port: a port that is only tried, or 0
 * @arrived: an event came by it
 * @dead: its CPU, since the vector was allocated
 */
struct upcall {
	unsigned int irq;
	u32 vcpu;
	u32 test_port;
	bool arrived;
	bool dead;
};

static DEFINE_PER_CPU(struct upcall, upcalls);
static struct fwnode_handle *fwnode;
static struct irq_domain *domain;
static u8 vector;
static enum cpuhp_state prepare_state, online_state;

struct cpumask pvirq_upcall_cpus;
static DEFINE_PER_CPU(u64 [PVIRQ_EVENT_WORDS], served);

static struct vcpu_info *info_of(const struct upcall *u)
{
	return &pvirq_xen_page->vcpu_info[u->vcpu];
}

u32 pvirq_upcall_vcpu(unsigned int cpu)
{
	return per_cpu(upcalls, cpu).vcpu;
}

void pvirq_upcall_serve(unsigned int cpu, u32 port, bool serve)
{
	unsigned long *ports = (unsigned long *)per_cpu(served, cpu);

	if (serve)
		sync_set_bit(port, ports);
	else
		sync_clear_bit(port, ports);
}

/* Then the host has something to do that never ends; it comes again by itself. */
#define PASSES_MAX	16

static void deliver(u32 port)
{
	if (!pvirq_control_event(port))
		pvirq_evtchn_deliver(port);
}

static void serve(u64 selector)
{
	const struct pvirq_event_page page = {
		.pending = pvirq_xen_pending(),
		.mask = pvirq_xen_mask(),
		.bound = this_cpu_ptr(served),
	};
	struct pvirq_event_scan scan;
	u32 port;

	pvirq_event_scan_start(&scan, selector);
	while ((port = pvirq_event_scan_next(&scan, &page))) {
		/* Another CPU may be serving it, from where it is being moved away. */
		if (sync_test_and_clear_bit(port, (unsigned long *)pvirq_xen_pending()))
			deliver(port);
	}
}

/* Nobody's, so that it is not among those that are served. */
static void serve_test(void)
{
	u32 port = __this_cpu_read(upcalls.test_port);

	if (port && sync_test_and_clear_bit(port, (unsigned long *)pvirq_xen_pending()))
		__this_cpu_write(upcalls.arrived, true);
}

/* In place of a flow handler. Xen sets the pending bit, the selector's, then this flag. */
static void handle_upcall(struct irq_desc *desc)
{
	struct vcpu_info *v = info_of(this_cpu_ptr(&upcalls));
	unsigned int pass;

	for (pass = 0; pass < PASSES_MAX && READ_ONCE(v->evtchn_upcall_pending); pass++) {
		WRITE_ONCE(v->evtchn_upcall_pending, 0);
		serve_test();
		serve(xchg(&v->evtchn_pending_sel, 0));
	}
}

/* There is nothing to do to it: it is a vector only. */
static struct irq_chip upcall_chip = { .name = "xen-upcall" };

static int upcall_alloc(struct irq_domain *d, unsigned int irq, unsigned int nr, void *info)
{
	int err = irq_domain_alloc_irqs_parent(d, irq, nr, info);

	if (!err)
		irq_domain_set_info(d, irq, irq, &upcall_chip, NULL, handle_upcall, NULL,
				    "xen-upcall");
	return err;
}

static const struct irq_domain_ops upcall_ops = {
	.alloc = upcall_alloc,
	.free = irq_domain_free_irqs_common,
};

/* An interrupt with some vector of a CPU: the lowest that is free there. 0 where there is none. */
static unsigned int get_vector(unsigned int cpu)
{
	struct irq_alloc_info info = { .mask = cpumask_of(cpu) };
	int irq = irq_domain_alloc_irqs(domain, 1, cpu_to_node(cpu), &info);

	if (irq <= 0)
		return 0;
	irq_set_status_flags(irq, IRQ_NO_BALANCING | IRQ_NOPROBE | IRQ_NOREQUEST);
	return irq;
}

/**
 * search() - take free vectors of a CPU until the right one comes
 * @cpu: the CPU
 * @want: the right one; 0 for none
 * @max: how many to take at most; the others are given back at the end
 * @seen: those that came are added
 *
 * Return: the interrupt with @want, or 0.
 */
static unsigned int search(unsigned int cpu, u8 want, unsigned int max,
			   struct pvirq_event_vectors *seen)
{
	unsigned int *irqs = kcalloc(max, sizeof(*irqs), GFP_KERNEL);
	unsigned int n = 0, irq = 0;

	while (irqs && n < max) {
		u8 got;

		irq = get_vector(cpu);
		if (!irq)
			break;
		got = irqd_cfg(irq_get_irq_data(irq))->vector;
		seen->word[got / 64] |= BIT_ULL(got % 64);
		if (got == want)
			break;
		irqs[n++] = irq;
		irq = 0;
	}
	while (n)
		irq_dispose_mapping(irqs[--n]);
	kfree(irqs);
	return irq;
}

/* So many are held for a moment when one is looked for that is free on all CPUs. */
#define VECTORS_LOOKED_AT	32

static u8 choose_vector(void)
{
	struct pvirq_event_vectors common = { .word = { ~0ull, ~0ull, ~0ull, ~0ull } };
	unsigned int cpu, w;

	for_each_online_cpu(cpu) {
		struct pvirq_event_vectors seen = {};

		search(cpu, 0, VECTORS_LOOKED_AT, &seen);
		for (w = 0; w < ARRAY_SIZE(common.word); w++)
			common.word[w] &= seen.word[w];
	}
	return pvirq_event_vector(&common);
}

#define TEST_US		100000

/* Sends an event to this CPU. */
static bool event_arrives(struct upcall *u)
{
	int port = pvirq_xen_bind_ipi(u->vcpu);
	unsigned int us;

	if (port < 0)
		return false;
	u->arrived = false;
	u->test_port = port;
	sync_clear_bit(port, (unsigned long *)pvirq_xen_mask());
	pvirq_xen_send(port);
	for (us = 0; us < TEST_US && !READ_ONCE(u->arrived); us += 10)
		udelay(10);
	u->test_port = 0;
	pvirq_xen_close_port(port);
	return READ_ONCE(u->arrived);
}

static void drop_vector(struct upcall *u)
{
	if (u->irq)
		irq_dispose_mapping(u->irq);
	u->irq = 0;
}

static void use_cpu(unsigned int cpu, struct upcall *u)
{
	/* Where it cannot look for events itself they interrupt it, which is all. */
	hybrid_idle_upcall(info_of(u), vector);
	cpumask_set_cpu(cpu, &pvirq_upcall_cpus);
	pvirq_evtchn_cpu_up(cpu);
}

/* On the CPU itself. Where it fails, the CPU gets no events. */
static int cpu_online_event(unsigned int cpu)
{
	struct upcall *u = per_cpu_ptr(&upcalls, cpu);
	struct pvirq_event_vectors seen = {};
	int vcpu = pvirq_xen_vcpu();

	if (vcpu < 0) {
		pr_warn("Xen has no place for events of CPU %u\n", cpu);
		return 0;
	}
	if (u->irq && !u->dead) {
		/* Going offline was called off: it still has its vector. */
		if (u->arrived)
			use_cpu(cpu, u);
		return 0;
	}
	/*
	 * While it was offline its vector stayed allocated, but the kernel has forgotten whose it
	 * is.
	 */
	drop_vector(u);
	u->dead = false;
	u->vcpu = vcpu;
	u->irq = search(cpu, vector, NR_VECTORS, &seen);
	if (!u->irq) {
		pr_warn("vector %u is not free on CPU %u, which gets no events\n", vector, cpu);
		return 0;
	}
	if (!event_arrives(u)) {
		pr_warn("no event arrives on CPU %u\n", cpu);
		return 0;
	}
	use_cpu(cpu, u);
	return 0;
}

/*
 * The kernel moves the CPU's interrupts away later, with all CPUs stopped, forgets whose its vectors
 * are, switches its LAPIC off, and lets it be interrupted for a moment. Xen injects past the LAPIC:
 * an event that came meanwhile would find no handler. So they go elsewhere now, while what still
 * comes is served.
 */
static int cpu_offline_event(unsigned int cpu)
{
	bool had = cpumask_test_and_clear_cpu(cpu, &pvirq_upcall_cpus);
	int err = had ? pvirq_evtchn_cpu_down(cpu) : 0;

	if (err) {
		pr_warn("CPU %u is the last that gets events, and cannot go offline\n", cpu);
		cpumask_set_cpu(cpu, &pvirq_upcall_cpus);
		return err;
	}
	hybrid_idle_upcall(NULL, 0);
	/*
	 * One that is late for its move (see SETTLED_AFTER in evtchn.c) still finds the handler, too.
	 * Where the module goes, and not the CPU, there are no events any more.
	 */
	if (had && !cpu_active(cpu))
		msleep(20);
	return 0;
}

/* Before it comes: what was left pending when it went would interrupt it too early. */
static int cpu_prepare_event(unsigned int cpu)
{
	struct vcpu_info *v = info_of(per_cpu_ptr(&upcalls, cpu));

	if (per_cpu(upcalls, cpu).irq) {
		WRITE_ONCE(v->evtchn_pending_sel, 0);
		WRITE_ONCE(v->evtchn_upcall_pending, 0);
	}
	return 0;
}

static int cpu_dead_event(unsigned int cpu)
{
	per_cpu(upcalls, cpu).dead = true;
	pvirq_evtchn_cpu_dead(cpu);
	return 0;
}

static int start_cpus(void)
{
	int ret;

	ret = cpuhp_setup_state_nocalls(CPUHP_BP_PREPARE_DYN, "pvirq/events:prepare",
					cpu_prepare_event, cpu_dead_event);
	if (ret < 0)
		return ret;
	prepare_state = ret;
	ret = cpuhp_setup_state(CPUHP_AP_ONLINE_DYN, "pvirq/events:online", cpu_online_event,
				cpu_offline_event);
	if (ret < 0) {
		cpuhp_remove_state_nocalls(prepare_state);
		return ret;
	}
	online_state = ret;
	return 0;
}

static void nothing(void *unused)
{
}

static void stop_cpus(void)
{
	unsigned int cpu;

	cpuhp_remove_state(online_state);
	cpuhp_remove_state_nocalls(prepare_state);
	pvirq_xen_set_callback(0);
	/* One that was being injected has arrived when its CPU takes this. */
	on_each_cpu(nothing, NULL, 1);
	for_each_possible_cpu(cpu)
		drop_vector(per_cpu_ptr(&upcalls, cpu));
}

static int create_domain(void)
{
	fwnode = irq_domain_alloc_named_fwnode("pvirq-xen-upcall");
	if (!fwnode)
		return -ENOMEM;
	domain = irq_domain_create_hierarchy(x86_vector_domain, 0, 0, fwnode, &upcall_ops, NULL);
	if (domain)
		return 0;
	irq_domain_free_fwnode(fwnode);
	return -ENOMEM;
}

static void remove_domain(void)
{
	irq_domain_remove(domain);
	irq_domain_free_fwnode(fwnode);
}

int pvirq_upcall_start(void)
{
	bool all;
	int err;

	err = create_domain();
	if (err)
		return err;
	cpus_read_lock();
	vector = choose_vector();
	cpus_read_unlock();
	err = -ENOSPC;
	if (!vector)
		goto err_domain;
	err = pvirq_xen_set_callback(pvirq_event_callback(vector));
	if (err)
		goto err_domain;
	err = start_cpus();
	if (err)
		goto err_callback;
	cpus_read_lock();
	all = cpumask_equal(&pvirq_upcall_cpus, cpu_online_mask);
	cpus_read_unlock();
	if (all)
		return 0;
	pvirq_upcall_stop();
	return -EIO;

err_callback:
	pvirq_xen_set_callback(0);
err_domain:
	remove_domain();
	return err;
}

void pvirq_upcall_stop(void)
{
	stop_cpus();
	remove_domain();
}
