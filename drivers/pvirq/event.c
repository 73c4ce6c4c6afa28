// SPDX-License-Identifier: GPL-2.0-only
/* Xen's event channels, seen from a guest (pure); the why is in event.h. */
#include <linux/compiler.h>
#include <linux/string.h>

#include "event.h"

/* asm/msi.h and asm/msidef.h */
#define MESSAGE_LO		0xfee00000u
#define MESSAGE_DEST_SHIFT	12
#define MESSAGE_EXTINT		0x700u		/* what Linux's own Xen code says */

#define CALLBACK_VECTOR		2ull		/* HVM_PARAM_CALLBACK_TYPE_VECTOR */

static unsigned int lowest(u64 bits)
{
	return __builtin_ctzll(bits);
}

void pvirq_event_scan_start(struct pvirq_event_scan *s, u64 selector)
{
	s->words = selector;
	s->word = 0;
	s->ports = 0;
}

u32 pvirq_event_scan_next(struct pvirq_event_scan *s, const struct pvirq_event_page *page)
{
	unsigned int bit;

	while (!s->ports) {
		if (!s->words)
			return 0;
		s->word = lowest(s->words);
		s->words &= s->words - 1;
		s->ports = READ_ONCE(page->pending[s->word]) & ~READ_ONCE(page->mask[s->word]) &
			   READ_ONCE(page->bound[s->word]);
	}
	bit = lowest(s->ports);
	s->ports &= s->ports - 1;
	return s->word * 64 + bit;
}

struct pvirq_event_message pvirq_event_message(u32 pirq)
{
	return (struct pvirq_event_message){
		.lo = MESSAGE_LO | (pirq & 0xff) << MESSAGE_DEST_SHIFT,
		.hi = pirq & ~0xffu,
		.data = MESSAGE_EXTINT,
	};
}

u64 pvirq_event_callback(u8 vector)
{
	return CALLBACK_VECTOR << 56 | vector;
}

static bool noted(const struct pvirq_event_note *note, u32 pirq)
{
	u32 i;

	for (i = 0; i < note->nr; i++)
		if (note->pirq[i] == pirq)
			return true;
	return false;
}

void pvirq_event_note_read(struct pvirq_event_note *to, const struct pvirq_event_note *from)
{
	u32 nr = READ_ONCE(from->nr);
	u32 i;

	memset(to, 0, sizeof(*to));
	to->magic = PVIRQ_EVENT_MAGIC;
	if (READ_ONCE(from->magic) != PVIRQ_EVENT_MAGIC || nr > PVIRQ_EVENT_NOTE_MAX)
		return;
	for (i = 0; i < nr; i++) {
		u32 pirq = READ_ONCE(from->pirq[i]);

		if (pirq && pirq < PVIRQ_EVENT_PIRQS && !noted(to, pirq))
			to->pirq[to->nr++] = pirq;
	}
}

u8 pvirq_event_vector(const struct pvirq_event_vectors *free)
{
	unsigned int v;

	for (v = 255; v; v--)
		if (free->word[v / 64] >> v % 64 & 1)
			break;
	return v;
}
