/* SPDX-License-Identifier: GPL-2.0-only */
/* Between the files of pvirq-test.ko. */
#ifndef PVIRQ_TEST_H
#define PVIRQ_TEST_H

#include <linux/atomic.h>
#include <linux/completion.h>
#include <linux/pci.h>

struct nvme_command;
struct nvme_completion;

/**
 * struct test_device - a device with one interrupt
 * @raised: how often it was told to interrupt
 * @answered: ... and has itself said that it was
 * @runs: of the handler, when the device had something to say
 * @spurious: ... and when it had nothing
 * @wrong: times one was lost, or ran twice
 * @ran: after each of @runs
 * @mark, @mark_spurious: all runs, and those for nothing, before the last raise_only
 */
struct test_device {
	struct pci_dev *pdev;
	const struct test_model *model;
	void __iomem *regs;
	bool requested;
	unsigned int irq;
	atomic64_t raised, answered, runs, spurious, wrong;
	struct completion ran;
	s64 mark, mark_spurious;

	/* nvme's */
	struct nvme_command *commands;
	struct nvme_completion *completions;
	dma_addr_t commands_dma, completions_dma;
	u16 tail, head, phase;
};

/**
 * struct test_model - how a kind of device is made to interrupt
 * @irq: PCI_IRQ_MSI or PCI_IRQ_MSIX
 * @most: how many interrupts it tells apart, if none is taken meanwhile
 * @at_once: interrupts before the write that tells it has ended
 * @repeats: interrupts again where the handler is late
 * @start: before the others; may sleep; returns 0 or an errno
 * @stop: after the others; may be NULL
 * @raise: tells it to interrupt; @n counts from 0
 * @take: in the handler: how many of them the device has had since the last time
 */
struct test_model {
	unsigned int irq;
	unsigned int most;
	bool at_once;
	bool repeats;
	int (*start)(struct test_device *t);
	void (*stop)(struct test_device *t);
	void (*raise)(struct test_device *t, u64 n);
	unsigned int (*take)(struct test_device *t);
};

extern const struct test_model test_nvme, test_e1000e, test_edu;

#endif
