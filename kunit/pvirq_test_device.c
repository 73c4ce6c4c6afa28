// SPDX-License-Identifier: GPL-2.0-only
/*
 * A driver for an nvme and an e1000e (MSI-X) and for QEMU's edu (MSI) that does nothing but have
 * one interrupt, so that each operation on it can be counted alone. Bound by driver_override only.
 *
 * Write a command to its "command" file in sysfs; it fails where an interrupt is lost or runs
 * twice.
 *   request | free	the interrupt
 *   mask | unmask	by disable_irq() that masks at once, and enable_irq()
 *   raise N		N times: the device interrupts, the handler runs
 *   held N		N interrupts while it is disabled; the handler runs at least once, at most N
 *			times after it is enabled
 *   stormed N		N times: masked for real, one interrupt, unmasked; the handler runs once
 *   raise_only N	N interrupts, and nothing is waited for
 *   caught N		the handler has run for the last raise_only, at least once, at most N times
 *   move N		N times: to the other CPU, taken there by the next interrupt
 *   stay N		N times: to the CPU where it is
 *   hooked		a move that somebody wants to be told of, as ntb_msi does
 *   reset		the device forgets its message while nobody has the interrupt (nvme only)
 * These two beside another process that raises:
 *   churn N		N times: to the other CPU, wherever that is
 *   storm N		N times: disabled and enabled, masked at once every other time
 *
 * "counts" has five numbers: interrupts that were raised, those that the device said it raised,
 * runs of the handler, and those for nothing; and commands that found an interrupt lost, or run
 * twice. The driver's file "gone" has their sums, of the devices that it is bound to no more.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/cpumask.h>
#include <linux/delay.h>
#include <linux/interrupt.h>
#include <linux/io.h>
#include <linux/irq.h>
#include <linux/ktime.h>
#include <linux/module.h>
#include <linux/msi.h>
#include <linux/sched.h>
#include <linux/sched/signal.h>
#include <linux/string.h>

#include "pvirq_test.h"

#define COMMAND_MAX	10000000
#define PATIENCE	(20 * HZ)	/* an emulated host may be slow */
/* For a handler on another CPU; sleeping takes longer. */
#define SPIN_NS		50000

static irqreturn_t handler(int irq, void *arg)
{
	struct test_device *t = arg;
	unsigned int taken = t->model->take(t);

	/*
	 * The kernel itself repeats an interrupt that it moves where its new vector, on the old
	 * CPU, belongs to another one that is just coming (msi_set_affinity()).
	 */
	if (!taken) {
		if (!t->model->repeats)
			atomic64_inc(&t->spurious);
		return IRQ_HANDLED;
	}
	atomic64_inc(&t->runs);
	atomic64_add(taken, &t->answered);
	complete(&t->ran);
	return IRQ_HANDLED;
}

static void raise(struct test_device *t)
{
	t->model->raise(t, atomic64_fetch_inc(&t->raised));
}

static bool all_answered(struct test_device *t)
{
	return atomic64_read(&t->answered) == atomic64_read(&t->raised);
}

/* The handler has run for all that was raised since reinit_completion(). */
static bool wait_for_all(struct test_device *t)
{
	u64 start = ktime_get_ns();
	long left = PATIENCE;

	while (t->model->at_once && ktime_get_ns() - start < SPIN_NS) {
		if (all_answered(t))
			return true;
		cpu_relax();
	}
	while (left && !all_answered(t))
		left = wait_for_completion_timeout(&t->ran, left);
	return all_answered(t);
}

static int wrong(struct test_device *t)
{
	atomic64_inc(&t->wrong);
	return -EIO;
}

static int raise_one(struct test_device *t)
{
	s64 before = atomic64_read(&t->runs), runs;

	reinit_completion(&t->ran);
	raise(t);
	if (!wait_for_all(t)) {
		pci_err(t->pdev, "an interrupt is lost: %lld raised, %lld answered, CPU %*pbl\n",
			atomic64_read(&t->raised), atomic64_read(&t->answered),
			cpumask_pr_args(irq_get_effective_affinity_mask(t->irq)));
		return wrong(t);
	}
	runs = atomic64_read(&t->runs) - before;
	if (runs != 1) {
		pr_err("%lld runs for one interrupt\n", runs);
		return wrong(t);
	}
	return 0;
}

static int do_request(struct test_device *t, unsigned int n)
{
	int err = request_irq(t->irq, handler, 0, "pvirq-test", t);

	t->requested = !err;
	return err;
}

static int do_free(struct test_device *t, unsigned int n)
{
	free_irq(t->irq, t);
	t->requested = false;
	return 0;
}

static int do_mask(struct test_device *t, unsigned int n)
{
	irq_set_status_flags(t->irq, IRQ_DISABLE_UNLAZY);
	disable_irq(t->irq);
	return 0;
}

static int do_unmask(struct test_device *t, unsigned int n)
{
	enable_irq(t->irq);
	irq_clear_status_flags(t->irq, IRQ_DISABLE_UNLAZY);
	return 0;
}

/* Where raiser and handler are on one CPU interrupts are faster; churn sees to the others. */
#define FOLLOW	64

static int do_raise(struct test_device *t, unsigned int n)
{
	int err = 0;

	while (n-- && !err) {
		if (n % FOLLOW == 0)
			set_cpus_allowed_ptr(current, irq_get_effective_affinity_mask(t->irq));
		err = signal_pending(current) ? -EINTR : raise_one(t);
		cond_resched();
	}
	return err;
}

static s64 all_runs(struct test_device *t)
{
	return atomic64_read(&t->runs) + atomic64_read(&t->spurious);
}

static int do_raise_only(struct test_device *t, unsigned int n)
{
	if (!n || n > t->model->most)
		return -EINVAL;
	t->mark = all_runs(t);
	t->mark_spurious = atomic64_read(&t->spurious);
	reinit_completion(&t->ran);
	while (n--) {
		raise(t);
		udelay(20);
	}
	return 0;
}

static int do_caught(struct test_device *t, unsigned int n)
{
	s64 runs, spurious;

	if (!wait_for_all(t)) {
		pr_err("of %u interrupts some are lost\n", n);
		return wrong(t);
	}
	/* There may be more: of several interrupts the first run takes what there is. */
	msleep(20);
	runs = all_runs(t) - t->mark;
	if (runs > n) {
		pr_err("%lld runs for %u interrupts\n", runs, n);
		return wrong(t);
	}
	spurious = atomic64_read(&t->spurious) - t->mark_spurious;
	atomic64_sub(spurious, &t->spurious);
	atomic64_add(spurious, &t->runs);
	return 0;
}

static int do_held(struct test_device *t, unsigned int n)
{
	s64 runs;
	int err;

	disable_irq(t->irq);
	err = do_raise_only(t, n);
	runs = all_runs(t) - t->mark;
	enable_irq(t->irq);
	if (!err && runs) {
		pr_err("ran while it was disabled\n");
		return wrong(t);
	}
	return err ?: do_caught(t, n);
}

static int do_stormed(struct test_device *t, unsigned int n)
{
	int err = 0;

	while (n-- && !err) {
		do_mask(t, 1);
		err = do_raise_only(t, 1);
		/* Long enough for the device to have sent it. */
		usleep_range(1000, 2000);
		if (!err && all_runs(t) != t->mark) {
			pr_err("ran while it was masked\n");
			err = wrong(t);
		}
		do_unmask(t, 1);
		err = err ?: do_caught(t, 1);
	}
	return err;
}

static int to_cpu(struct test_device *t, bool other)
{
	const struct cpumask *at = irq_get_effective_affinity_mask(t->irq);
	unsigned int cpu = cpumask_first(at);

	if (other)
		cpu = cpumask_any_but(cpu_online_mask, cpu);
	if (cpu >= nr_cpu_ids)
		return -ENODEV;
	return irq_set_affinity(t->irq, cpumask_of(cpu));
}

static int move(struct test_device *t, unsigned int n, bool other)
{
	int err = 0;

	while (n-- && !err) {
		/* Until then the last move is not cleaned up, and the next one has to wait. */
		msleep(20);
		err = to_cpu(t, other);
		/* The first is taken on the old CPU and moves it; the second ends the move. */
		err = err ?: raise_one(t);
		err = err ?: raise_one(t);
	}
	return err;
}

static int do_move(struct test_device *t, unsigned int n)
{
	return move(t, n, true);
}

static int do_stay(struct test_device *t, unsigned int n)
{
	return move(t, n, false);
}

/* What a move finds in its way (no CPU online but this, the last one not over) is no matter. */
static int do_churn(struct test_device *t, unsigned int n)
{
	while (n-- && !signal_pending(current)) {
		to_cpu(t, true);
		usleep_range(500, 1000);
	}
	return 0;
}

static int do_storm(struct test_device *t, unsigned int n)
{
	while (n-- && !signal_pending(current)) {
		if (n % 2)
			irq_set_status_flags(t->irq, IRQ_DISABLE_UNLAZY);
		disable_irq(t->irq);
		udelay(n % 50);
		enable_irq(t->irq);
		irq_clear_status_flags(t->irq, IRQ_DISABLE_UNLAZY);
		usleep_range(300, 600);
	}
	return 0;
}

static void count_message(struct msi_desc *desc, void *data)
{
	unsigned int *told = data;

	(*told)++;
}

static int do_hooked(struct test_device *t, unsigned int n)
{
	struct msi_desc *desc = irq_get_msi_desc(t->irq);
	unsigned int told = 0;
	int err;

	desc->write_msi_msg_data = &told;
	desc->write_msi_msg = count_message;
	err = move(t, 1, true);
	desc->write_msi_msg = NULL;
	if (!err && !told) {
		pr_err("nobody was told of a move\n");
		return -EIO;
	}
	return err;
}

static int do_reset(struct test_device *t, unsigned int n)
{
	void __iomem *bar, *entry;
	u32 table;

	if (!t->pdev->msix_cap)
		return -EINVAL;
	pci_read_config_dword(t->pdev, t->pdev->msix_cap + PCI_MSIX_TABLE, &table);
	bar = pci_iomap(t->pdev, table & PCI_MSIX_TABLE_BIR, 0);
	if (!bar)
		return -ENOMEM;
	entry = bar + (table & PCI_MSIX_TABLE_OFFSET);
	writel(PCI_MSIX_ENTRY_CTRL_MASKBIT, entry + PCI_MSIX_ENTRY_VECTOR_CTRL);
	writel(0, entry + PCI_MSIX_ENTRY_LOWER_ADDR);
	writel(0, entry + PCI_MSIX_ENTRY_UPPER_ADDR);
	writel(0, entry + PCI_MSIX_ENTRY_DATA);
	pci_iounmap(t->pdev, bar);
	return 0;
}

static const struct command {
	const char *name;
	bool requested;		/* what it needs */
	int (*run)(struct test_device *t, unsigned int n);
} commands[] = {
	{ "request", false, do_request },
	{ "free", true, do_free },
	{ "mask", true, do_mask },
	{ "unmask", true, do_unmask },
	{ "raise", true, do_raise },
	{ "held", true, do_held },
	{ "stormed", true, do_stormed },
	{ "raise_only", true, do_raise_only },
	{ "caught", true, do_caught },
	{ "move", true, do_move },
	{ "stay", true, do_stay },
	{ "hooked", true, do_hooked },
	{ "churn", true, do_churn },
	{ "storm", true, do_storm },
	{ "reset", false, do_reset },
};

static ssize_t command_store(struct device *dev, struct device_attribute *attr, const char *buf,
			     size_t count)
{
	struct test_device *t = dev_get_drvdata(dev);
	unsigned int i, n = 1;
	char name[16];
	int err;

	if (sscanf(buf, "%15s %u", name, &n) < 1 || n > COMMAND_MAX)
		return -EINVAL;
	for (i = 0; i < ARRAY_SIZE(commands); i++) {
		if (strcmp(commands[i].name, name) || commands[i].requested != t->requested)
			continue;
		err = commands[i].run(t, n);
		return err ?: count;
	}
	return -EINVAL;
}
static DEVICE_ATTR_WO(command);

static ssize_t show_counts(struct test_device *t, char *buf)
{
	return sysfs_emit(buf, "%lld %lld %lld %lld %lld\n", atomic64_read(&t->raised),
			  atomic64_read(&t->answered), atomic64_read(&t->runs),
			  atomic64_read(&t->spurious), atomic64_read(&t->wrong));
}

static ssize_t counts_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	return show_counts(dev_get_drvdata(dev), buf);
}
static DEVICE_ATTR_RO(counts);

static struct test_device gone;

static void add_to_gone(const struct test_device *t)
{
	atomic64_add(atomic64_read(&t->raised), &gone.raised);
	atomic64_add(atomic64_read(&t->answered), &gone.answered);
	atomic64_add(atomic64_read(&t->runs), &gone.runs);
	atomic64_add(atomic64_read(&t->spurious), &gone.spurious);
	atomic64_add(atomic64_read(&t->wrong), &gone.wrong);
}

static ssize_t gone_show(struct device_driver *driver, char *buf)
{
	return show_counts(&gone, buf);
}
static DRIVER_ATTR_RO(gone);

static ssize_t vector_irq_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	struct test_device *t = dev_get_drvdata(dev);

	return sysfs_emit(buf, "%u\n", t->irq);
}
static DEVICE_ATTR_RO(vector_irq);

/* Where its entry of the MSI-X table is in memory; 0 for edu, which has none. */
static ssize_t table_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	struct pci_dev *pdev = to_pci_dev(dev);
	resource_size_t at = 0;
	u32 table;

	if (pdev->msix_cap) {
		pci_read_config_dword(pdev, pdev->msix_cap + PCI_MSIX_TABLE, &table);
		at = pci_resource_start(pdev, table & PCI_MSIX_TABLE_BIR) +
		     (table & PCI_MSIX_TABLE_OFFSET);
	}
	return sysfs_emit(buf, "0x%llx\n", (u64)at);
}
static DEVICE_ATTR_RO(table);

static struct attribute *test_attrs[] = {
	&dev_attr_command.attr,
	&dev_attr_counts.attr,
	&dev_attr_vector_irq.attr,
	&dev_attr_table.attr,
	NULL
};
ATTRIBUTE_GROUPS(test);

static struct attribute *test_driver_attrs[] = {
	&driver_attr_gone.attr,
	NULL
};
ATTRIBUTE_GROUPS(test_driver);

/* By class: QEMU's nvme has another vendor on the machines that Xen uses. */
static const struct test_model *model_of(const struct pci_dev *pdev)
{
	switch (pdev->class >> 8) {
	case PCI_CLASS_STORAGE_EXPRESS >> 8:	/* which has the interface as well */
		return &test_nvme;
	case PCI_CLASS_NETWORK_ETHERNET:
		return &test_e1000e;
	default:
		return &test_edu;
	}
}

static int test_probe(struct pci_dev *pdev, const struct pci_device_id *id)
{
	struct test_device *t;
	int err;

	t = devm_kzalloc(&pdev->dev, sizeof(*t), GFP_KERNEL);
	if (!t)
		return -ENOMEM;
	t->pdev = pdev;
	t->model = model_of(pdev);
	init_completion(&t->ran);
	pci_set_drvdata(pdev, t);

	err = pci_enable_device(pdev);
	if (err)
		return err;
	err = -ENOMEM;
	t->regs = pci_iomap(pdev, 0, 0);
	if (!t->regs)
		goto err_disable;
	pci_set_master(pdev);
	err = pci_alloc_irq_vectors(pdev, 1, 1, t->model->irq);
	if (err < 0)
		goto err_unmap;
	t->irq = pci_irq_vector(pdev, 0);
	err = t->model->start(t);
	if (err)
		goto err_vectors;
	return 0;

err_vectors:
	pci_free_irq_vectors(pdev);
err_unmap:
	pci_iounmap(pdev, t->regs);
err_disable:
	pci_disable_device(pdev);
	return err;
}

static void test_remove(struct pci_dev *pdev)
{
	struct test_device *t = pci_get_drvdata(pdev);

	if (t->model->stop)
		t->model->stop(t);
	if (t->requested)
		free_irq(t->irq, t);
	add_to_gone(t);
	pci_free_irq_vectors(pdev);
	pci_iounmap(pdev, t->regs);
	pci_disable_device(pdev);
}

static struct pci_driver test_driver = {
	.name = "pvirq-test",
	.probe = test_probe,
	.remove = test_remove,
	.dev_groups = test_groups,
	.groups = test_driver_groups,
};
module_pci_driver(test_driver);

MODULE_DESCRIPTION("One interrupt of a device, for counting what is done to it");
MODULE_LICENSE("GPL");
