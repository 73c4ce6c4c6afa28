/* SPDX-License-Identifier: ((GPL-2.0 WITH Linux-syscall-note) OR MIT) */
/*
 * The suite's own interface between a guest and its host, version 1. What both sides do with it,
 * and why it is as it is, is in Documentation/abi/host-abi.txt. Included by guests and hosts
 * alike; plain C with <linux/types.h>.
 *
 * Everything is little-endian, naturally aligned and without padding. What is reserved is 0 when
 * written and ignored when read, except by WRMSR, which faults (#GP) where reserved bits are set.
 */
#ifndef _UAPI_HYBRID_HOST_H
#define _UAPI_HYBRID_HOST_H

#include <linux/types.h>

/*
 * CPUID. One of the leaves 0x40000000, 0x40000100 ... 0x4000ff00 is the first of these; the other
 * interfaces of the host may be before and after it. The same on every vCPU.
 */

/* Leaf + 0: EAX the highest leaf, EBX ECX EDX "HybridHVM", the rest NULs. */
#define HYBRID_HOST_SIGNATURE_EBX	0x72627948U	/* "Hybr" */
#define HYBRID_HOST_SIGNATURE_ECX	0x56486469U	/* "idHV" */
#define HYBRID_HOST_SIGNATURE_EDX	0x0000004dU	/* "M" */

/* Leaf + 1: EAX the version, EBX features, ECX the first of the MSRs, EDX reserved. */
#define HYBRID_HOST_LEAF_FEATURES	1
#define HYBRID_HOST_VERSION		1
#define HYBRID_HOST_F_IRQ		0x1	/* the table of interrupts */
#define HYBRID_HOST_F_NOTICE		0x2	/* notices of migrations */

/*
 * Leaf + 2: EAX the most pages that the table of interrupts may have, 1 to 255, 0 without
 * HYBRID_HOST_F_IRQ. EBX how deep the guest is nested: 1 on a host that is bare metal, 2 in a
 * guest of one, ...; 0 unknown. ECX what an exit to this host costs, in nanoseconds; 0 unknown.
 * EDX reserved.
 */
#define HYBRID_HOST_LEAF_LIMITS		2
#define HYBRID_HOST_LEAVES		3	/* that version 1 has */

/*
 * MSRs, from the number that the host gives: a multiple of 16 in the range below. RDMSR gives
 * back what was written last, 0 at reset; HYBRID_HOST_MSR_KICK gives 0. Any vCPU may use them.
 */
#define HYBRID_HOST_MSR_MIN		0x40000000U
#define HYBRID_HOST_MSR_MAX		0x4ffffff0U
#define HYBRID_HOST_MSR_SUGGESTED	0x48594200U	/* free on KVM, Xen and Hyper-V */

#define HYBRID_HOST_MSR_TABLE		0	/* address | pages << 1 | enable */
#define HYBRID_HOST_MSR_NOTICE		1	/* address | enable */
#define HYBRID_HOST_MSR_NOTICE_IRQ	2	/* HYBRID_IRQ_...: how to interrupt for a notice */
#define HYBRID_HOST_MSR_KICK		3	/* entry | entries << 16 | HYBRID_HOST_KICK_... */
#define HYBRID_HOST_MSRS		4

#define HYBRID_HOST_ENABLE		0x1ULL
#define HYBRID_HOST_ADDRESS		0x000ffffffffff000ULL	/* of memory, of whole pages */
#define HYBRID_HOST_PAGE_SIZE		4096
#define HYBRID_HOST_TABLE_PAGES_SHIFT	1
#define HYBRID_HOST_TABLE_PAGES_MAX	255	/* 8 bits */
#define HYBRID_HOST_KICK_COUNT_SHIFT	16	/* 16 bits; 0: no entry is meant */
#define HYBRID_HOST_KICK_NOTICE		(1ULL << 32)	/* the guest has written to the notice page */

/*
 * Where an interrupt goes, and whether: one word, so that it is read and written in one piece.
 * Its fields are those of an x86 MSI, edge-triggered.
 */
#define HYBRID_IRQ_VECTOR		0xffULL		/* 16 to 255 */
#define HYBRID_IRQ_MODE			0x700ULL	/* delivery mode, as in bits 10:8 of MSI data */
#define HYBRID_IRQ_LOGICAL		0x800ULL	/* bit 2 of an MSI address */
#define HYBRID_IRQ_REDIRECT		0x1000ULL	/* bit 3 of an MSI address */
#define HYBRID_IRQ_MASKED		0x40000000ULL
#define HYBRID_IRQ_VALID		0x80000000ULL
#define HYBRID_IRQ_DEST_SHIFT		32		/* 32 bits: APIC ID, or logical */

/* The host's word on it. */
#define HYBRID_IRQ_PENDING		0x1ULL	/* held back: kick after unmasking */
#define HYBRID_IRQ_CACHED		0x2ULL	/* the host has a copy: kick after any other change */

/**
 * struct hybrid_irq_entry - an interrupt of a device
 * @guest: HYBRID_IRQ_VECTOR ...; written by the guest only
 * @host: HYBRID_IRQ_PENDING ...; written by the host only
 *
 * Which one an MSI-X message is about is in bits 31:16 of its data; 0 stands for none.
 */
struct hybrid_irq_entry {
	__u64 guest;
	__u64 host;
};

#define HYBRID_IRQ_TAG_SHIFT		16
#define HYBRID_IRQ_ENTRIES_PER_PAGE	256

#define HYBRID_NOTICE_REQUEST_MAX	1024
#define HYBRID_NOTICE_ANSWER_MAX	256

/**
 * struct hybrid_notice - the page by which host and guest talk of a migration
 * @seq: the host's: one more when it begins to write a request and one more when it has: odd
 *	while it writes; 0: there is none yet
 * @request_len: the host's: bytes of @request
 * @request: the host's: one line of text, without a NUL
 * @taken: the guest's: @seq of the request that it took last; then the host may write the next
 * @answer_seq: the guest's: as @seq, of the answer
 * @answer_len: the guest's: bytes of @answer
 * @answer: the guest's: one line of text, without a NUL
 */
struct hybrid_notice {
	__u32 seq;
	__u32 request_len;
	__u8 request[HYBRID_NOTICE_REQUEST_MAX];
	__u32 taken;
	__u32 answer_seq;
	__u32 answer_len;
	__u8 answer[HYBRID_NOTICE_ANSWER_MAX];
	__u8 reserved[HYBRID_HOST_PAGE_SIZE - 1300];
};

#ifdef __cplusplus
#define HYBRID_HOST_ASSERT(what)	static_assert(what, #what)
#else
#define HYBRID_HOST_ASSERT(what)	_Static_assert(what, #what)
#endif
#define HYBRID_HOST_AT(type, field, offset) \
	HYBRID_HOST_ASSERT(__builtin_offsetof(struct type, field) == (offset))

HYBRID_HOST_ASSERT(sizeof(struct hybrid_irq_entry) == 16);
HYBRID_HOST_ASSERT(sizeof(struct hybrid_irq_entry) * HYBRID_IRQ_ENTRIES_PER_PAGE ==
		   HYBRID_HOST_PAGE_SIZE);
HYBRID_HOST_AT(hybrid_irq_entry, guest, 0);
HYBRID_HOST_AT(hybrid_irq_entry, host, 8);
HYBRID_HOST_ASSERT(sizeof(struct hybrid_notice) == HYBRID_HOST_PAGE_SIZE);
HYBRID_HOST_AT(hybrid_notice, seq, 0);
HYBRID_HOST_AT(hybrid_notice, request_len, 4);
HYBRID_HOST_AT(hybrid_notice, request, 8);
HYBRID_HOST_AT(hybrid_notice, taken, 1032);
HYBRID_HOST_AT(hybrid_notice, answer_seq, 1036);
HYBRID_HOST_AT(hybrid_notice, answer_len, 1040);
HYBRID_HOST_AT(hybrid_notice, answer, 1044);
HYBRID_HOST_AT(hybrid_notice, reserved, 1300);

#undef HYBRID_HOST_AT
#undef HYBRID_HOST_ASSERT

#endif
