// SPDX-License-Identifier: GPL-2.0-only
/* Which accesses bring a device's interrupt message up to date (pure). */
#include "message.h"

/* The destination of an x86 message: bits 19:12 of the low half, 31:8 of the high one. */
#define DEST_LO		0x000ff000u
#define DEST_HI		0x00000100u

static u64 pair(u32 low, u32 high)
{
	return (u64)high << 32 | low;
}

static void add(struct pvirq_write *w, unsigned int *n, u8 offset, u8 bytes, u64 value)
{
	w[(*n)++] = (struct pvirq_write){ .offset = offset, .bytes = bytes, .value = value };
}

unsigned int pvirq_message_changed(const struct pvirq_entry *from, const struct pvirq_entry *to)
{
	return (from->lo != to->lo ? PVIRQ_CHANGED_LO : 0) |
	       (from->hi != to->hi ? PVIRQ_CHANGED_HI : 0) |
	       (from->data != to->data ? PVIRQ_CHANGED_DATA : 0);
}

unsigned int pvirq_message_plan(struct pvirq_write *w, const struct pvirq_entry *from,
				const struct pvirq_entry *to, unsigned int changed, bool wide)
{
	u32 ctrl = from->ctrl;
	unsigned int n = 0;

	if (changed && !(ctrl & PVIRQ_CTRL_MASKED)) {
		ctrl |= PVIRQ_CTRL_MASKED;
		add(w, &n, PVIRQ_ENTRY_CTRL, 4, ctrl);
	}

	if (wide && (changed & PVIRQ_CHANGED_LO) && (changed & PVIRQ_CHANGED_HI)) {
		add(w, &n, PVIRQ_ENTRY_LO, 8, pair(to->lo, to->hi));
	} else {
		if (changed & PVIRQ_CHANGED_LO)
			add(w, &n, PVIRQ_ENTRY_LO, 4, to->lo);
		if (changed & PVIRQ_CHANGED_HI)
			add(w, &n, PVIRQ_ENTRY_HI, 4, to->hi);
	}

	/* One by one: of a write of both, the half that unmasks might take effect first. */
	if (changed & PVIRQ_CHANGED_DATA)
		add(w, &n, PVIRQ_ENTRY_DATA, 4, to->data);
	if (ctrl != to->ctrl)
		add(w, &n, PVIRQ_ENTRY_CTRL, 4, to->ctrl);
	return n;
}

unsigned int pvirq_message_plan_config(struct pvirq_write *w, const struct pvirq_entry *from,
				       const struct pvirq_entry *to, bool is_64)
{
	unsigned int changed = pvirq_message_changed(from, to);
	unsigned int n = 0;

	if (changed & PVIRQ_CHANGED_LO)
		add(w, &n, PVIRQ_CONFIG_LO, 4, to->lo);
	if (is_64 && (changed & PVIRQ_CHANGED_HI))
		add(w, &n, PVIRQ_CONFIG_HI, 4, to->hi);
	if (changed & PVIRQ_CHANGED_DATA)
		add(w, &n, is_64 ? PVIRQ_CONFIG_DATA_64 : PVIRQ_CONFIG_DATA_32, 2, to->data & 0xffff);
	return n;
}

bool pvirq_message_torn(unsigned int changed)
{
	return changed & (changed - 1);
}

u64 pvirq_message_probe(const struct pvirq_entry *e)
{
	return pair(e->lo ^ DEST_LO, e->hi ^ DEST_HI);
}

bool pvirq_table_trapped(u64 access_ns, u64 clock_ns, u32 exit_ns)
{
	return exit_ns && clock_ns < exit_ns / 2 && access_ns > (u64)exit_ns + exit_ns / 2;
}
