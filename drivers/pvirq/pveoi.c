// SPDX-License-Identifier: GPL-2.0-only
/*
 * EOIs that do not exit, by KVM's PV EOI, where the kernel does not use it.
 *
 * A CPU tells KVM of a word (MSR_KVM_PV_EOI_EN). When KVM lets an interrupt in whose EOI it need
 * not see at once, it sets a bit in there. Who finds it set and clears it has done the EOI: KVM
 * learns of it at the next exit, before it does anything else. Where nobody cleared it until
 * then, KVM takes it back. So any EOI may as well be the APIC's, which exits, as those of timers
 * and IPIs are here: the bit is always about the highest interrupt in service, as an EOI is, and
 * never outlives an exit.
 *
 * A host with APICv or AVIC never sets it.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/bitops.h>
#include <linux/cpuhotplug.h>
#include <linux/cpumask.h>
#include <linux/irq.h>
#include <linux/kernel.h>
#include <linux/kvm_para.h>
#include <linux/mutex.h>
#include <linux/notifier.h>
#include <linux/panic_notifier.h>
#include <linux/percpu.h>
#include <linux/reboot.h>
#include <linux/smp.h>

#include <asm/msr.h>
#include <asm/pgtable_types.h>

#include <hybrid/hybrid.h>

#include "internal.h"

/* KVM asks for an alignment of 4, and writes one byte. */
static DEFINE_PER_CPU(unsigned long, flag);
/* What the CPU's MSR holds is the address of that. */
static DEFINE_PER_CPU(bool, ours);

static DEFINE_MUTEX(eoi_mutex);
static enum cpuhp_state hotplug;	/* > 0: CPUs are set up, and those that come will be */
static bool barred;

/*
 * True if that was the EOI. One instruction, so that an exit comes before or after it; and KVM
 * looks at the word in this CPU's exits and entries only. So neither a LOCK nor a barrier is
 * needed, as in the kernel's own kvm_guest_apic_eoi_write().
 */
static bool take_flag(void)
{
	return __test_and_clear_bit(KVM_PV_EOI_BIT, this_cpu_ptr(&flag));
}

/*
 * The kernel's own is apic_ack_edge(). Before the EOI it completes a move, where the interrupt
 * comes on the CPU that it was moved to, and begins one that waits for an interrupt. Whether the
 * latter is so can be seen; of the former nothing is exported. But each move writes a message, and
 * until an interrupt was acknowledged by the kernel on the CPU that it goes to, there may be one
 * to complete.
 */
void pvirq_eoi_ack(struct irq_data *data)
{
	struct pvirq_irq *i = pvirq_to_irq(data);

	if (!READ_ONCE(i->eoi)) {
		i->orig->irq_ack(data);
		return;
	}
	if (!i->settling && !irqd_is_setaffinity_pending(data) && take_flag()) {
		i->count[PVIRQ_COUNT_EOI_AVOIDED]++;
		hybrid_count(HYBRID_OP_EOI, HYBRID_COUNT_AVOIDED);
		return;
	}
	/* First, as the ack may begin the next move. */
	if (cpumask_test_cpu(smp_processor_id(), irq_data_get_effective_affinity_mask(data)))
		i->settling = false;
	i->orig->irq_ack(data);
	i->count[PVIRQ_COUNT_EOI_DONE]++;
	hybrid_count(HYBRID_OP_EOI, HYBRID_COUNT_DONE);
}

static void eoi_write_msg(struct irq_data *data, struct msi_msg *msg)
{
	struct pvirq_irq *i = pvirq_to_irq(data);

	i->settling = true;
	i->orig->irq_write_msi_msg(data, msg);
}

static int eoi_prepare(struct pvirq_irq *i, struct irq_data *data)
{
	i->chip = *i->orig;
	i->chip.irq_ack = pvirq_eoi_ack;
	i->chip.irq_write_msi_msg = eoi_write_msg;
	return 0;
}

static bool eoi_ours(const struct irq_chip *chip)
{
	return chip->irq_write_msi_msg == eoi_write_msg;
}

/* For interrupts of which nothing but the EOI is ours; the others' chips have pvirq_eoi_ack(). */
const struct pvirq_backend pvirq_pv_eoi = {
	.path = HYBRID_PATH_PV_EOI,
	.prepare = eoi_prepare,
	.ours = eoi_ours,
};

/* On each CPU there is, and on each that comes. Without the bit its EOIs are the APIC's. */
static int cpu_on(unsigned int cpu)
{
	u64 value = slow_virt_to_phys(this_cpu_ptr(&flag)) | KVM_MSR_ENABLED;
	u64 found;

	/* Somebody else's, which neither hybrid.ko nor we know of. */
	if (rdmsrl_safe(MSR_KVM_PV_EOI_EN, &found) || found & KVM_MSR_ENABLED)
		return 0;
	this_cpu_write(flag, 0);
	this_cpu_write(ours, !wrmsrl_safe(MSR_KVM_PV_EOI_EN, value));
	return 0;
}

/* The write exits, so that a bit that is still set is taken back. */
static int cpu_off(unsigned int cpu)
{
	if (this_cpu_read(ours))
		wrmsrl_safe(MSR_KVM_PV_EOI_EN, 0);
	this_cpu_write(ours, false);
	return 0;
}

static void follow(void)
{
	bool want = !barred && hybrid_path(HYBRID_OP_EOI) == HYBRID_PATH_PV_EOI;
	int state;

	if (want == (hotplug > 0))
		return;
	if (want) {
		hybrid_claim_pv_eoi(true);
		state = cpuhp_setup_state(CPUHP_AP_ONLINE_DYN, "pvirq/eoi:online", cpu_on, cpu_off);
		if (state > 0) {
			hotplug = state;
			return;
		}
		pr_warn("EOIs stay the kernel's: error %d\n", state);
	} else {
		cpuhp_remove_state(hotplug);
		hotplug = 0;
	}
	hybrid_claim_pv_eoi(false);
}

void pvirq_eoi_follow(void)
{
	mutex_lock(&eoi_mutex);
	follow();
	mutex_unlock(&eoi_mutex);
}

void pvirq_eoi_bar(bool bar)
{
	mutex_lock(&eoi_mutex);
	barred = bar;
	follow();
	mutex_unlock(&eoi_mutex);
}

/* Whoever runs next (kexec) has other uses for the memory. A reset clears the MSR by itself. */
static int rebooting(struct notifier_block *nb, unsigned long action, void *unused)
{
	pvirq_eoi_bar(true);
	return NOTIFY_DONE;
}

static struct notifier_block reboot_notifier = { .notifier_call = rebooting };

/* The other CPUs have been stopped, and what they leave set is taken back at their next exit. */
static int panicking(struct notifier_block *nb, unsigned long action, void *unused)
{
	cpu_off(smp_processor_id());
	return NOTIFY_DONE;
}

static struct notifier_block panic_notifier = { .notifier_call = panicking };

int pvirq_eoi_init(void)
{
	int err = register_reboot_notifier(&reboot_notifier);

	if (!err)
		atomic_notifier_chain_register(&panic_notifier_list, &panic_notifier);
	return err;
}

void pvirq_eoi_exit(void)
{
	pvirq_eoi_bar(true);
	atomic_notifier_chain_unregister(&panic_notifier_list, &panic_notifier);
	unregister_reboot_notifier(&reboot_notifier);
}
