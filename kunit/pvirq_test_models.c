// SPDX-License-Identifier: GPL-2.0-only
/* The devices of pvirq-test.ko: how each is made to interrupt, and what it says about it. */
#include <linux/bitops.h>
#include <linux/bits.h>
#include <linux/delay.h>
#include <linux/dma-mapping.h>
#include <linux/io.h>

#include "pvirq_test.h"

/*
 * nvme (MSI-X): NVM Express base specification; one admin queue is all that is used of it.
 * Interrupts some time after it was told, from a thread of its own.
 */
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

static void nvme_raise(struct test_device *t, u64 n)
{
	t->commands[t->tail] = (struct nvme_command){
		.opcode = cpu_to_le32(GET_FEATURES), .feature = cpu_to_le32(QUEUES),
	};
	t->tail = (t->tail + 1) % DEPTH;
	writel(t->tail, t->regs + NVME_SQ_TAIL);
}

static unsigned int nvme_take(struct test_device *t)
{
	unsigned int taken = 0;

	while ((le16_to_cpu(READ_ONCE(t->completions[t->head].status)) & 1) == t->phase) {
		t->head = (t->head + 1) % DEPTH;
		if (!t->head)
			t->phase = !t->phase;
		taken++;
	}
	if (taken)
		writel(t->head, t->regs + NVME_CQ_HEAD);
	return taken;
}

const struct test_model test_nvme = {
	.irq = PCI_IRQ_MSIX, .most = DEPTH / 2,
	.start = nvme_start, .stop = nvme_stop, .raise = nvme_raise, .take = nvme_take,
};

/*
 * e1000e (MSI-X): Intel 82574 datasheet, section 10.2.4. The only one that QEMU can migrate. Four
 * causes that need no packets, all by the first vector. It throttles itself (section 10.2.4.11;
 * QEMU to one in 128 us), and what was not taken by then interrupts again.
 */
#define E1000_CTRL	0x0000
#define  CTRL_RESET	BIT(26)
#define E1000_ICR	0x00c0
#define E1000_ICS	0x00c8
#define E1000_IMS	0x00d0
#define E1000_IMC	0x00d8
#define E1000_IVAR	0x00e4
#define  IVAR_FIRST	0x8888		/* of both receive and both transmit queues */
#define CAUSES		4
#define FIRST_CAUSE	20

static int e1000e_start(struct test_device *t)
{
	writel(CTRL_RESET, t->regs + E1000_CTRL);
	msleep(20);
	writel(~0u, t->regs + E1000_IMC);
	writel(~0u, t->regs + E1000_ICR);
	writel(IVAR_FIRST, t->regs + E1000_IVAR);
	writel(GENMASK(FIRST_CAUSE + CAUSES - 1, FIRST_CAUSE), t->regs + E1000_IMS);
	return 0;
}

static void e1000e_stop(struct test_device *t)
{
	writel(~0u, t->regs + E1000_IMC);
}

static void e1000e_raise(struct test_device *t, u64 n)
{
	writel(BIT(FIRST_CAUSE + n % CAUSES), t->regs + E1000_ICS);
}

static unsigned int e1000e_take(struct test_device *t)
{
	u32 causes = readl(t->regs + E1000_ICR) & GENMASK(FIRST_CAUSE + CAUSES - 1, FIRST_CAUSE);

	if (causes)
		writel(causes, t->regs + E1000_ICR);
	return hweight32(causes);
}

const struct test_model test_e1000e = {
	.irq = PCI_IRQ_MSIX, .most = CAUSES, .repeats = true,
	.start = e1000e_start, .stop = e1000e_stop, .raise = e1000e_raise, .take = e1000e_take,
};

/* edu (MSI without a mask bit): QEMU's documentation, specs/edu. Interrupts at once, too. */
#define EDU_STATUS	0x24
#define EDU_RAISE	0x60
#define EDU_ACK		0x64
#define EDU_BITS	32

static int edu_start(struct test_device *t)
{
	writel(~0u, t->regs + EDU_ACK);
	return 0;
}

static void edu_raise(struct test_device *t, u64 n)
{
	writel(BIT(n % EDU_BITS), t->regs + EDU_RAISE);
}

static unsigned int edu_take(struct test_device *t)
{
	u32 status = readl(t->regs + EDU_STATUS);

	if (status)
		writel(status, t->regs + EDU_ACK);
	return hweight32(status);
}

const struct test_model test_edu = {
	.irq = PCI_IRQ_MSI, .most = EDU_BITS, .at_once = true,
	.start = edu_start, .raise = edu_raise, .take = edu_take,
};
