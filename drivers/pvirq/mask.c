// SPDX-License-Identifier: GPL-2.0-only
/* Masking an interrupt in software (pure); the why is in mask.h. */
#include "mask.h"

bool pvirq_mask_step(struct pvirq_mask *m, enum pvirq_mask_event event)
{
	bool before = m->hard;

	switch (event) {
	case PVIRQ_MASK:
		m->soft = true;
		break;
	case PVIRQ_MASK_ACK:
		/* The second one that comes while it is masked, or was last time: there may be more. */
		if (m->soft) {
			m->again |= !m->hard;
			m->hard = true;
		} else {
			m->hard |= m->again;
			m->again = false;
		}
		m->soft = true;
		m->acking = true;
		break;
	case PVIRQ_ACKED:
		m->acking = false;
		break;
	case PVIRQ_UNMASK:
		if (m->acking)
			break;
		m->soft = false;
		m->hard = false;
		break;
	case PVIRQ_SHUTDOWN:
		m->soft = true;
		m->hard = true;
		break;
	case PVIRQ_SETTLE:
		m->hard |= m->soft;
		break;
	default:
		break;
	}
	return m->hard != before;
}
