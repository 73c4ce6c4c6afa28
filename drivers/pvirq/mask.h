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
 *
 * Where interrupts keep coming while it is masked, the flag costs one of them more than the
 * kernel's mask does. So after a mask that ended like this, the next interrupt that comes while
 * it may not run masks the device at once.
 */
#ifndef PVIRQ_MASK_H
#define PVIRQ_MASK_H

#include <linux/types.h>

/**
 * struct pvirq_mask - who is not to be interrupted
 * @soft: the core wants it masked
 * @hard: the device's mask bit is set
 * @again: the last mask did not end before a second interrupt came
 * @acking: between PVIRQ_MASK_ACK and PVIRQ_ACKED
 */
struct pvirq_mask {
	bool soft;
	bool hard;
	bool again;
	bool acking;
};

enum pvirq_mask_event {
	PVIRQ_MASK,		/* the core masks it */
	PVIRQ_MASK_ACK,		/* ... for an interrupt that has just come */
	/*
	 * ... and it is acknowledged. Meanwhile a pending move masks and unmasks (__irq_move_irq()),
	 * as the core notes the mask only afterwards: neither must undo it.
	 */
	PVIRQ_ACKED,
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
