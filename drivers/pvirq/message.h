/* SPDX-License-Identifier: GPL-2.0-only */
/* Which accesses bring a device's interrupt message up to date (pure). */
#ifndef PVIRQ_MESSAGE_H
#define PVIRQ_MESSAGE_H

#include <linux/types.h>

/* An entry of an MSI-X table, in the order of its four words. */
struct pvirq_entry {
	u32 lo, hi, data, ctrl;
};

#define PVIRQ_ENTRY_LO		0
#define PVIRQ_ENTRY_HI		4
#define PVIRQ_ENTRY_DATA	8
#define PVIRQ_ENTRY_CTRL	12
#define PVIRQ_CTRL_MASKED	1u	/* PCI_MSIX_ENTRY_CTRL_MASKBIT */

/**
 * struct pvirq_write - one naturally aligned access
 * @offset: from the start of the entry
 * @bytes: 4 or 8
 * @value: little endian, as the bus is
 */
struct pvirq_write {
	u8 offset;
	u8 bytes;
	u64 value;
};

/* Mask, the four words one by one. */
#define PVIRQ_WRITES_MAX	5

/**
 * pvirq_message_plan() - the fewest writes from one content of an entry to another
 * @w: room for PVIRQ_WRITES_MAX
 * @from: what the entry holds
 * @to: what it is to hold
 * @wide: aligned 8-byte writes work
 *
 * The message changes only while the entry is masked, as PCI demands; and of an 8-byte write
 * that a device model splits in two, either half may come first as long as one that unmasks
 * comes last, in ascending order.
 *
 * Return: the number of writes, 0 where nothing changes.
 */
unsigned int pvirq_message_plan(struct pvirq_write *w, const struct pvirq_entry *from,
				const struct pvirq_entry *to, bool wide);

/* Bits of pvirq_message_changed(). */
#define PVIRQ_CHANGED_LO	1u
#define PVIRQ_CHANGED_HI	2u
#define PVIRQ_CHANGED_DATA	4u

/* Which words of the message differ. */
unsigned int pvirq_message_changed(const struct pvirq_entry *from, const struct pvirq_entry *to);

/**
 * pvirq_message_probe() - an address that differs from another in both halves
 * @e: the entry that holds it now
 *
 * For trying an 8-byte write in a masked entry. Only the bits that name a CPU differ.
 */
u64 pvirq_message_probe(const struct pvirq_entry *e);

/**
 * pvirq_table_trapped() - does the hypervisor see each access to the device?
 * @read_ns: what a read took
 * @exit_ns: what an exit costs, 0 where nothing exits
 *
 * Then a write has arrived when the CPU goes on, and need not be flushed by a read. A device's
 * own read takes less than an exit and its emulation; where in doubt, the answer is no.
 */
bool pvirq_table_trapped(u64 read_ns, u32 exit_ns);

#endif
