// SPDX-License-Identifier: GPL-2.0-only
/*
 * A driver for an nvme (MSI-X) and for QEMU's edu (MSI) that does nothing but have one interrupt,
 * so that each operation on it can be counted alone. Bound by driver_override only.
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
 *   caught N		the handler has run since the last raise_only, at least once, at most N times
 *   move N		N times: to the other CPU, taken there by the next interrupt
 *   stay N		N times: to the CPU where it is
 *   hooked		a move that somebody wants to be told of, as ntb_msi does
 *   reset		the device forgets its message while nobody has the interrupt (MSI-X only)
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/completion.h>
#include <linux/cpumask.h>
#include <linux/delay.h>
#include <linux/dma-mapping.h>
#include <linux/interrupt.h>
#include <linux/io.h>
#include <linux/irq.h>
#include <linux/module.h>
#include <linux/msi.h>
#include <linux/pci.h>
#include <linux/string.h>

#define EDU_STATUS	0x24
#define EDU_RAISE	0x60
#define EDU_ACK		0x64

/* NVM Express base specification; one admin queue is all that is used of it. */
#define NVME_CC		0x14
#define  CC_ENABLE	(1 | 6 << 16 | 4 << 20)	/* entries of 64 and 16 bytes */
#define NVME_CSTS	0x1c
#define NVME_AQA	0x24
#define NVME_ASQ	0x28
#define NVME_ACQ	0x30
#define NVME_SQ_TAIL	0x1000
#define NVME_CQ_HEAD	0x1004
#define  GET_FEATURES	0x0a
#define  QUEUES		0x07
#define DEPTH		64

struct nvme_command {
	__le32 opcode;
	__le32 unused[9];
	__le32 feature;
	__le32 unused2[5];
};

struct nvme_completion {
	__le32 unused[3];
	__le16 id;
	__le16 status;
};

#define COMMAND_MAX	1000000

struct test_device {
	struct pci_dev *pdev;
	void __iomem *regs;
	bool is_edu;
	bool requested;
	struct nvme_command *commands;
	struct nvme_completion *completions;
	dma_addr_t commands_dma, completions_dma;
	u16 tail, head, phase;
	unsigned int irq;
	atomic_t runs;
	int mark;		/* @runs before raise_only */
	atomic_t spurious;
	struct completion ran;
};

static bool take_completions(struct test_device *t)
{
	u16 before = t->head;

	while ((le16_to_cpu(READ_ONCE(t->completions[t->head].status)) & 1) == t->phase) {
		t->head = (t->head + 1) % DEPTH;
		if (!t->head)
			t->phase = !t->phase;
	}
	if (t->head == before)
		return false;
	writel(t->head, t->regs + NVME_CQ_HEAD);
	return true;
}

static bool take_status(struct test_device *t)
{
	u32 status = readl(t->regs + EDU_STATUS);

	writel(status, t->regs + EDU_ACK);
	return status;
}

static irqreturn_t handler(int irq, void *arg)
{
	struct test_device *t = arg;

	/*
	 * The kernel itself repeats an interrupt that it moves where its new vector, on the old
	 * CPU, belongs to another one that is just coming (msi_set_affinity()).
	 */
	if (!(t->is_edu ? take_status(t) : take_completions(t))) {
		atomic_inc(&t->spurious);
		return IRQ_HANDLED;
	}
	atomic_inc(&t->runs);
	complete(&t->ran);
	return IRQ_HANDLED;
}

/* No more than DEPTH / 2 before the handler runs. */
static void raise(struct test_device *t)
{
	if (t->is_edu) {
		writel(1, t->regs + EDU_RAISE);
		return;
	}
	t->commands[t->tail] = (struct nvme_command){
		.opcode = cpu_to_le32(GET_FEATURES), .feature = cpu_to_le32(QUEUES),
	};
	t->tail = (t->tail + 1) % DEPTH;
	writel(t->tail, t->regs + NVME_SQ_TAIL);
}

static int raise_one(struct test_device *t)
{
	int before = atomic_read(&t->runs);

	reinit_completion(&t->ran);
	raise(t);
	if (!wait_for_completion_timeout(&t->ran, 5 * HZ)) {
		pr_err("an interrupt is lost\n");
		return -ETIMEDOUT;
	}
	if (atomic_read(&t->runs) != before + 1) {
		pr_err("%d runs for one interrupt\n", atomic_read(&t->runs) - before);
		return -EIO;
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

static int do_raise(struct test_device *t, unsigned int n)
{
	int err = 0;

	while (n-- && !err)
		err = raise_one(t);
	return err;
}

static int do_raise_only(struct test_device *t, unsigned int n)
{
	if (!n || n > DEPTH / 2)
		return -EINVAL;
	t->mark = atomic_read(&t->runs);
	reinit_completion(&t->ran);
	while (n--) {
		raise(t);
		udelay(20);
	}
	return 0;
}

static int do_caught(struct test_device *t, unsigned int n)
{
	int runs;

	if (!wait_for_completion_timeout(&t->ran, 5 * HZ)) {
		pr_err("interrupts are lost\n");
		return -ETIMEDOUT;
	}
	/* There may be more. */
	msleep(20);
	runs = atomic_read(&t->runs) - t->mark;
	if (runs > n) {
		pr_err("%d runs for %u interrupts\n", runs, n);
		return -EIO;
	}
	return 0;
}

static int do_held(struct test_device *t, unsigned int n)
{
	int err, runs;

	disable_irq(t->irq);
	err = do_raise_only(t, n);
	runs = atomic_read(&t->runs) - t->mark;
	enable_irq(t->irq);
	if (!err && runs) {
		pr_err("ran while it was disabled\n");
		return -EIO;
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
		if (!err && atomic_read(&t->runs) != t->mark) {
			pr_err("ran while it was masked\n");
			err = -EIO;
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
	void __iomem *entry;
	u32 table;

	if (!t->pdev->msix_cap)
		return -EINVAL;
	/* QEMU's nvme has its table where its registers are. */
	pci_read_config_dword(t->pdev, t->pdev->msix_cap + PCI_MSIX_TABLE, &table);
	if (table & PCI_MSIX_TABLE_BIR)
		return -ENODEV;
	entry = t->regs + (table & PCI_MSIX_TABLE_OFFSET);
	writel(PCI_MSIX_ENTRY_CTRL_MASKBIT, entry + PCI_MSIX_ENTRY_VECTOR_CTRL);
	writel(0, entry + PCI_MSIX_ENTRY_LOWER_ADDR);
	writel(0, entry + PCI_MSIX_ENTRY_UPPER_ADDR);
	writel(0, entry + PCI_MSIX_ENTRY_DATA);
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

static ssize_t runs_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	struct test_device *t = dev_get_drvdata(dev);

	return sysfs_emit(buf, "%d\n", atomic_read(&t->runs));
}
static DEVICE_ATTR_RO(runs);

/* Times the handler ran and the device had nothing. */
static ssize_t spurious_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	struct test_device *t = dev_get_drvdata(dev);

	return sysfs_emit(buf, "%d\n", atomic_read(&t->spurious));
}
static DEVICE_ATTR_RO(spurious);

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
	&dev_attr_runs.attr,
	&dev_attr_spurious.attr,
	&dev_attr_vector_irq.attr,
	&dev_attr_table.attr,
	NULL
};
ATTRIBUTE_GROUPS(test);

static int nvme_wait(struct test_device *t, u32 ready)
{
	unsigned int i;

	for (i = 0; i < 1000; i++) {
		if ((readl(t->regs + NVME_CSTS) & 1) == ready)
			return 0;
		msleep(5);
	}
	return -ETIMEDOUT;
}

static int nvme_start(struct test_device *t)
{
	struct device *dev = &t->pdev->dev;
	int err;

	writel(0, t->regs + NVME_CC);
	err = nvme_wait(t, 0);
	if (err)
		return err;
	t->commands = dmam_alloc_coherent(dev, DEPTH * sizeof(*t->commands), &t->commands_dma,
					  GFP_KERNEL);
	t->completions = dmam_alloc_coherent(dev, DEPTH * sizeof(*t->completions),
					     &t->completions_dma, GFP_KERNEL);
	if (!t->commands || !t->completions)
		return -ENOMEM;
	t->phase = 1;
	writel((DEPTH - 1) << 16 | (DEPTH - 1), t->regs + NVME_AQA);
	writeq(t->commands_dma, t->regs + NVME_ASQ);
	writeq(t->completions_dma, t->regs + NVME_ACQ);
	writel(CC_ENABLE, t->regs + NVME_CC);
	return nvme_wait(t, 1);
}

static void nvme_stop(struct test_device *t)
{
	writel(0, t->regs + NVME_CC);
	nvme_wait(t, 0);
}

static int test_probe(struct pci_dev *pdev, const struct pci_device_id *id)
{
	struct test_device *t;
	int err;

	t = devm_kzalloc(&pdev->dev, sizeof(*t), GFP_KERNEL);
	if (!t)
		return -ENOMEM;
	t->pdev = pdev;
	t->is_edu = pdev->vendor == 0x1234;
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
	err = pci_alloc_irq_vectors(pdev, 1, 1, t->is_edu ? PCI_IRQ_MSI : PCI_IRQ_MSIX);
	if (err < 0)
		goto err_unmap;
	t->irq = pci_irq_vector(pdev, 0);
	if (!t->is_edu) {
		err = nvme_start(t);
		if (err)
			goto err_vectors;
	}
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

	if (!t->is_edu)
		nvme_stop(t);
	if (t->requested)
		free_irq(t->irq, t);
	pci_free_irq_vectors(pdev);
	pci_iounmap(pdev, t->regs);
	pci_disable_device(pdev);
}

static struct pci_driver test_driver = {
	.name = "pvirq-test",
	.probe = test_probe,
	.remove = test_remove,
	.dev_groups = test_groups,
};
module_pci_driver(test_driver);

MODULE_DESCRIPTION("One interrupt of a device, for counting what is done to it");
MODULE_LICENSE("GPL");
