/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Masking an interrupt in software (pure).
 *
 * A mask only sets a flag. Most masks end before another interrupt comes, so that the device
 * need not know. One that comes nevertheless is let in once: handle_edge_irq() marks it
 * pending and calls ->irq_mask_ack(), and the core replays it when it enables the interrupt.
 * Then the device is masked for real and keeps what follows in its pending bit, which
 * unmasking releases. So nothing is lost: each interrupt is in the core's IRQS_PENDING, or in
 * the device's pending bit. And nothing is run twice: neither remembers what the other does.
 */
#ifndef PVIRQ_MASK_H
#define PVIRQ_MASK_H

#include <linux/types.h>

/**
 * struct pvirq_mask - who is not to be interrupted
 * @soft: the core wants it masked
 * @hard: the device's mask bit is set
 */
struct pvirq_mask {
	bool soft;
	bool hard;
};

enum pvirq_mask_event {
	PVIRQ_MASK,		/* the core masks it */
	PVIRQ_MASK_ACK,		/* ... for an interrupt that has just come */
	PVIRQ_UNMASK,
	PVIRQ_SHUTDOWN,		/* its vector is about to go away */
	PVIRQ_SETTLE,		/* from now on the device's bit has to be what the core wants */
	PVIRQ_MASK_EVENTS
};

/**
 * pvirq_mask_step() - what an event does
 * @m: the state before and after
 *
 * Return: true if the device's mask bit has to be written: to @m->hard.
 */
bool pvirq_mask_step(struct pvirq_mask *m, enum pvirq_mask_event event);

#endif
