/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Xen's event channels, seen from a guest (pure).
 *
 * An event channel is a port: two bits in a page that is shared with Xen. Xen sets the pending
 * bit; where the mask bit is clear and it was not pending before, it also sets the bit of the
 * word that the port is in, in the selector of the port's vCPU, and interrupts that vCPU.
 * xen/include/public/event_channel.h, "two-level ABI".
 *
 * The page belongs to the host as much as to us. Nothing in it is trusted: only ports that we bound,
 * and that this CPU is to serve, are looked at, each word of the page is read once, and no loop
 * depends on its content.
 */
#ifndef PVIRQ_EVENT_H
#define PVIRQ_EVENT_H

#include <linux/types.h>

#define PVIRQ_EVENT_WORDS	64
#define PVIRQ_EVENT_PORTS	(PVIRQ_EVENT_WORDS * 64)

/* Port 0 is none. */
static inline bool pvirq_event_valid(u32 port)
{
	return port && port < PVIRQ_EVENT_PORTS;
}

static inline unsigned int pvirq_event_word(u32 port)
{
	return port / 64;
}

static inline unsigned int pvirq_event_bit(u32 port)
{
	return port % 64;
}

/**
 * struct pvirq_event_page - the bits of all ports
 * @pending, @mask: those that are shared, or a test's
 * @bound: those that we bound, and the CPU that looks is to serve
 */
struct pvirq_event_page {
	const u64 *pending;
	const u64 *mask;
	const u64 *bound;
};

/**
 * struct pvirq_event_scan - where one pass over the pending ports is
 * @words: words that are still to be looked at
 * @word: the one that is looked at
 * @ports: its ports that are still to be handed out
 */
struct pvirq_event_scan {
	u64 words;
	unsigned int word;
	u64 ports;
};

/**
 * pvirq_event_scan_start() - start a pass
 * @s: set
 * @selector: the vCPU's selector, as it was taken from the page
 */
void pvirq_event_scan_start(struct pvirq_event_scan *s, u64 selector);

/**
 * pvirq_event_scan_next() - the next port that is to be served
 * @s: the pass
 * @page: may change meanwhile
 *
 * Return: a port of @page->bound, each at most once in a pass; 0 at the end, after at most
 * PVIRQ_EVENT_PORTS - 1 ports.
 */
u32 pvirq_event_scan_next(struct pvirq_event_scan *s, const struct pvirq_event_page *page);

/* An MSI's message. */
struct pvirq_event_message {
	u32 lo, hi, data;
};

/**
 * pvirq_event_message() - the message that makes Xen raise a pirq instead of a vector
 * @pirq: its number, not 0
 *
 * Vector 0 does not exist, so that the host looks for the number of a pirq in the destination:
 * bits 7:0 where an APIC id has them, the others in the high half of the address.
 */
struct pvirq_event_message pvirq_event_message(u32 pirq);

/* The value of HVM_PARAM_CALLBACK_IRQ for a vector, which needs no EOI. */
u64 pvirq_event_callback(u8 vector);

/**
 * struct pvirq_event_note - the pirqs that are ours, kept at the end of Xen's page
 * @magic: PVIRQ_EVENT_MAGIC where there is a note
 * @nr: valid entries of @pirq
 * @pirq: their numbers
 *
 * Xen never takes back a pirq that a guest has asked for, and has some dozens of them. The page
 * lives as long as the domain does in Xen, and as what Xen keeps of the pirqs: what one load of
 * the driver has asked for, the next one finds here.
 */
#define PVIRQ_EVENT_MAGIC	0x65746f6e71726970ull	/* "pirqnote" */
#define PVIRQ_EVENT_NOTE_MAX	120

struct pvirq_event_note {
	u64 magic;
	u32 nr;
	u32 pirq[PVIRQ_EVENT_NOTE_MAX];
};

/**
 * pvirq_event_note_read() - copy what is sound of a note
 * @to: a sound note, which may be empty
 * @from: may be anything, and change meanwhile
 *
 * Numbers out of range, and those that were seen already, are left out.
 */
void pvirq_event_note_read(struct pvirq_event_note *to, const struct pvirq_event_note *from);

/* More than Xen has of them. */
#define PVIRQ_EVENT_PIRQS	0x10000u

/**
 * struct pvirq_event_vectors - the vectors that are free on CPUs, as a set
 * @word: bit v % 64 of word v / 64
 */
struct pvirq_event_vectors {
	u64 word[4];
};

/**
 * pvirq_event_vector() - the vector for upcalls, which is one number on all CPUs
 * @free: those that are free on all of them
 *
 * The highest of them: what the kernel allocates next is the lowest.
 *
 * Return: the vector, or 0 where there is none.
 */
u8 pvirq_event_vector(const struct pvirq_event_vectors *free);

#endif
