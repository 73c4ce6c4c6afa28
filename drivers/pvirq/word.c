// SPDX-License-Identifier: GPL-2.0-only
/* An entry of the table that we share with the host (pure). */
#include <linux/errno.h>

#include "word.h"

/* Intel SDM vol. 3, 11.11, and the 15-bit destinations of KVM and Xen in bits 11:5. */
#define ADDRESS			0xfee00000u
#define ADDRESS_MASK		0xfff00000u
#define ADDRESS_DEST		0x000ff000u
#define ADDRESS_DEST_SHIFT	12
#define ADDRESS_EXT_DEST	0x00000fe0u
#define ADDRESS_EXT_DEST_SHIFT	3	/* to bits 14:8 */
#define ADDRESS_REDIRECT	0x00000008u
#define ADDRESS_LOGICAL		0x00000004u
#define ADDRESS_NOT_OURS	0x00000013u	/* remappable, reserved */
#define HIGH_DEST		0xffffff00u
#define DATA_OURS		0x000007ffu	/* delivery mode, vector */
#define VECTOR_MIN		16

int pvirq_word_of(u64 *word, const struct pvirq_entry *msg)
{
	u32 dest = (msg->lo & ADDRESS_DEST) >> ADDRESS_DEST_SHIFT |
		   (msg->lo & ADDRESS_EXT_DEST) << ADDRESS_EXT_DEST_SHIFT | (msg->hi & HIGH_DEST);

	if ((msg->lo & ADDRESS_MASK) != ADDRESS || msg->lo & ADDRESS_NOT_OURS ||
	    msg->hi & ~HIGH_DEST || msg->data & ~DATA_OURS ||
	    (msg->data & HYBRID_IRQ_VECTOR) < VECTOR_MIN)
		return -EINVAL;
	*word = (u64)dest << HYBRID_IRQ_DEST_SHIFT | HYBRID_IRQ_VALID | msg->data |
		(msg->lo & ADDRESS_LOGICAL ? HYBRID_IRQ_LOGICAL : 0) |
		(msg->lo & ADDRESS_REDIRECT ? HYBRID_IRQ_REDIRECT : 0);
	return 0;
}

void pvirq_word_message(struct pvirq_entry *msg, u64 word, u16 tag)
{
	u32 dest = word >> HYBRID_IRQ_DEST_SHIFT;

	msg->lo = ADDRESS | (dest << ADDRESS_DEST_SHIFT & ADDRESS_DEST) |
		  (word & HYBRID_IRQ_LOGICAL ? ADDRESS_LOGICAL : 0) |
		  (word & HYBRID_IRQ_REDIRECT ? ADDRESS_REDIRECT : 0);
	msg->hi = dest & HIGH_DEST;
	/* Up to 15 bits go where all who take more than 8 look for them. */
	if (dest <= 0x7fff) {
		msg->lo |= dest >> ADDRESS_EXT_DEST_SHIFT & ADDRESS_EXT_DEST;
		msg->hi = 0;
	}
	msg->data = (word & (HYBRID_IRQ_VECTOR | HYBRID_IRQ_MODE)) |
		    (u32)tag << HYBRID_IRQ_TAG_SHIFT;
	msg->ctrl = 0;
}

bool pvirq_word_kick(u64 host, u64 old, u64 new)
{
	if (old == new)
		return false;
	/* Whose vector goes away next waits until no interrupt is under way. */
	if (!(new & HYBRID_IRQ_VALID))
		return true;
	if (host & HYBRID_IRQ_PENDING && !(new & HYBRID_IRQ_MASKED))
		return true;
	return host & HYBRID_IRQ_CACHED && (old ^ new) & ~HYBRID_IRQ_MASKED;
}
