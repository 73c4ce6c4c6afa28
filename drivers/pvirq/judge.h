/* SPDX-License-Identifier: GPL-2.0-only */
/* Which interrupts are taken over, and why the others are not (pure). */
#ifndef PVIRQ_JUDGE_H
#define PVIRQ_JUDGE_H

#include <linux/types.h>

#include <hybrid/policy.h>

/* What an operator wants for an interrupt, or for all of a device. */
enum pvirq_want {
	PVIRQ_WANT_AUTO,	/* what hybrid.ko's policy says */
	PVIRQ_WANT_KERNEL,	/* leave it alone */
	PVIRQ_WANT_LAZY,	/* take it over, wherever that is safe */
	PVIRQ_WANT_NR
};

enum pvirq_why {
	PVIRQ_WHY_SAVES,	/* taken over, to save exits */
	PVIRQ_WHY_HOST_ABI,	/* taken over, by the host's own interface */
	PVIRQ_WHY_OPERATOR,	/* the operator says so, whichever it is */
	PVIRQ_WHY_POLICY,	/* hybrid.ko leaves it to the kernel; its reason says more */
	PVIRQ_WHY_STACKED,	/* not directly on the CPUs' vectors */
	PVIRQ_WHY_CHIP,		/* not the kernel's plain PCI code */
	PVIRQ_WHY_FLOW,		/* not handled as an edge */
	PVIRQ_WHY_HOOK,		/* somebody wants to see its messages; its EOI may be ours */
	PVIRQ_WHY_NO_MASK,	/* an MSI-X vector that cannot be masked; its EOI may be ours */
	PVIRQ_WHY_MULTI,	/* several MSIs share one message */
	PVIRQ_WHY_FALLBACK,	/* taken over, but not by the back-end that the policy names */
	PVIRQ_WHY_NR
};

/**
 * struct pvirq_facts - all there is to know about one interrupt
 * @has_parent: its domain is stacked on another
 * @on_vectors: ... which is that of the CPUs' vectors
 * @plain_chip: its chip has what PCI's has, and nothing more
 * @edge: handled by handle_edge_irq()
 * @hooked: its messages are handed to somebody else as well
 * @msix: MSI-X rather than MSI
 * @can_mask: the device can mask it
 * @vectors: interrupts that share its message
 */
struct pvirq_facts {
	bool has_parent;
	bool on_vectors;
	bool plain_chip;
	bool edge;
	bool hooked;
	bool msix;
	bool can_mask;
	unsigned int vectors;
};

/**
 * struct pvirq_wishes - what is wanted for it
 * @policy_eoi, @policy_mask, @policy_move: hybrid.ko's policy for EOIs, masks and messages
 * @device, @irq: the operator's; the interrupt's own counts more than its device's
 * @force: whatever the policy says of masks and messages; EOIs are the host's to make cheap
 */
struct pvirq_wishes {
	enum hybrid_path policy_eoi;
	enum hybrid_path policy_mask;
	enum hybrid_path policy_move;
	enum pvirq_want device;
	enum pvirq_want irq;
	bool force;
};

/**
 * struct pvirq_verdict - what becomes of it
 * @path: the back-end that serves it; HYBRID_PATH_KERNEL where it is left alone
 * @mask: masks are ours
 * @move: messages are ours
 * @eoi: EOIs are ours
 * @why: for all of them
 */
struct pvirq_verdict {
	enum hybrid_path path;
	bool mask;
	bool move;
	bool eoi;
	enum pvirq_why why;
};

struct pvirq_verdict pvirq_judge(const struct pvirq_facts *f, const struct pvirq_wishes *w);

/**
 * pvirq_parse_want() - read a word
 * @word: "auto", "kernel" or "lazy", NUL-terminated
 * @want: set on success only
 *
 * Return: 0, or -EINVAL.
 */
int pvirq_parse_want(const char *word, enum pvirq_want *want);

/* One word each; "invalid" for values out of range. */
const char *pvirq_want_name(enum pvirq_want want);
const char *pvirq_why_name(enum pvirq_why why);
/* One sentence, in words an operator understands. */
const char *pvirq_why_text(enum pvirq_why why);

#endif
