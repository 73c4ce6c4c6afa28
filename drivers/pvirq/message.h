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
 * @offset: from the start of the entry, or of the capability
 * @bytes: 2, 4 or 8
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
 * @changed: words of the message to write, at least those of pvirq_message_changed()
 * @wide: aligned 8-byte writes work
 *
 * The message changes only while the entry is masked, as PCI demands. Both halves of an 8-byte
 * write are of the address, so that it does not matter where one is split, and which comes first.
 *
 * Return: the number of writes, 0 where nothing changes.
 */
unsigned int pvirq_message_plan(struct pvirq_write *w, const struct pvirq_entry *from,
				const struct pvirq_entry *to, unsigned int changed, bool wide);

/* Plain MSI: in configuration space, from the start of its capability. */
#define PVIRQ_CONFIG_LO		4	/* PCI_MSI_ADDRESS_LO and so on */
#define PVIRQ_CONFIG_HI		8
#define PVIRQ_CONFIG_DATA_32	8
#define PVIRQ_CONFIG_DATA_64	12

/**
 * pvirq_message_plan_config() - the same for plain MSI
 * @w: room for PVIRQ_WRITES_MAX; of 4 bytes, or 2 for the data
 * @from: what the device holds; its ctrl is not looked at
 * @to: what it is to hold
 * @is_64: the capability has a high half of the address
 *
 * In the kernel's order. It does not mask: where pvirq_message_torn(), see to it before.
 *
 * Return: the number of writes, 0 where nothing changes.
 */
unsigned int pvirq_message_plan_config(struct pvirq_write *w, const struct pvirq_entry *from,
				       const struct pvirq_entry *to, bool is_64);

/* Bits of pvirq_message_changed(). */
#define PVIRQ_CHANGED_LO	1u
#define PVIRQ_CHANGED_HI	2u
#define PVIRQ_CHANGED_DATA	4u
#define PVIRQ_CHANGED_ALL	7u

/* Which words of the message differ. */
unsigned int pvirq_message_changed(const struct pvirq_entry *from, const struct pvirq_entry *to);
/* True if a message is neither the old nor the new one while the words of @changed are written. */
bool pvirq_message_torn(unsigned int changed);

/**
 * pvirq_message_probe() - an address that differs from another in both halves
 * @e: the entry that holds it now
 *
 * For trying an 8-byte write in a masked entry. Only the bits that name a CPU differ.
 */
u64 pvirq_message_probe(const struct pvirq_entry *e);

/**
 * pvirq_table_trapped() - does the hypervisor carry out each access to the device at once?
 * @access_ns: what one took: a write of MSI-X, a read of configuration space
 * @clock_ns: what reading the clock took, which is in @access_ns as well
 * @exit_ns: what an exit costs, 0 where nothing exits
 *
 * Then a write has arrived when the CPU goes on, and need not be flushed by a read. The CPU does
 * not wait for a write to silicon, however slow that is. One that exits and is only put into a
 * queue (KVM's coalesced MMIO) takes little more than an exit; one that is emulated takes more.
 * A clock that exits itself cannot tell. Where in doubt, the answer is no.
 */
bool pvirq_table_trapped(u64 access_ns, u64 clock_ns, u32 exit_ns);

#endif
