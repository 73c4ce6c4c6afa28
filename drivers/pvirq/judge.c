// SPDX-License-Identifier: GPL-2.0-only
/* Which interrupts are taken over, and why the others are not (pure). */
#include <linux/errno.h>
#include <linux/string.h>

#include "judge.h"

static const char *const want_names[] = {
	[PVIRQ_WANT_AUTO]	= "auto",
	[PVIRQ_WANT_KERNEL]	= "kernel",
	[PVIRQ_WANT_LAZY]	= "lazy",
};

static const char *const why_names[] = {
	[PVIRQ_WHY_SAVES]	= "saves-exits",
	[PVIRQ_WHY_HOST_ABI]	= "host-abi",
	[PVIRQ_WHY_OPERATOR]	= "operator",
	[PVIRQ_WHY_POLICY]	= "policy",
	[PVIRQ_WHY_STACKED]	= "stacked-domain",
	[PVIRQ_WHY_CHIP]	= "other-chip",
	[PVIRQ_WHY_FLOW]	= "other-flow",
	[PVIRQ_WHY_HOOK]	= "message-hook",
	[PVIRQ_WHY_NO_MASK]	= "no-mask-bit",
	[PVIRQ_WHY_MULTI]	= "multi-msi",
	[PVIRQ_WHY_FALLBACK]	= "fallback",
};

static const char *const why_texts[] = {
	[PVIRQ_WHY_SAVES] =
		"Taken over, as that saves exits: with lazy the device is told only what it has to know, with pv-eoi alone no more than the EOI is ours.",
	[PVIRQ_WHY_HOST_ABI] =
		"Taken over: the host takes masks and moves from memory that it shares with this guest.",
	[PVIRQ_WHY_OPERATOR] =
		"The operator says so (hybridctl irq set, or pvirq's parameters force and skip).",
	[PVIRQ_WHY_POLICY] =
		"hybrid.ko's policy leaves it to the kernel; hybridctl explain msi_mask, msi_affinity and eoi say why.",
	[PVIRQ_WHY_STACKED] =
		"Its domain is stacked on another than the CPUs' vectors (interrupt remapping, VMD, a Xen pirq): what a mask or a move costs is decided there.",
	[PVIRQ_WHY_CHIP] =
		"Its irq_chip is not the kernel's plain one for PCI (Hyper-V's, for example), so that what it does is not known.",
	[PVIRQ_WHY_FLOW] =
		"It is not handled as an edge, and nobody would remember an interrupt that comes while it is masked.",
	[PVIRQ_WHY_HOOK] =
		"Its driver wants to see the messages that are written.",
	[PVIRQ_WHY_NO_MASK] =
		"Its vector cannot be masked.",
	[PVIRQ_WHY_MULTI] =
		"Several interrupts of the device share one message.",
	[PVIRQ_WHY_FALLBACK] =
		"Taken over, but not by the back-end that hybrid.ko's policy names, which could not be had for it: it cannot be masked, the host has no more to give, or the kernel log says why.",
};

/* PVIRQ_WHY_SAVES where nothing is in the way. */
static enum pvirq_why obstacle(const struct pvirq_facts *f)
{
	if (!f->has_parent || !f->on_vectors)
		return PVIRQ_WHY_STACKED;
	if (!f->plain_chip)
		return PVIRQ_WHY_CHIP;
	if (!f->edge)
		return PVIRQ_WHY_FLOW;
	if (f->hooked)
		return PVIRQ_WHY_HOOK;
	if (f->msix && !f->can_mask)
		return PVIRQ_WHY_NO_MASK;
	if (f->vectors != 1)
		return PVIRQ_WHY_MULTI;
	return PVIRQ_WHY_SAVES;
}

/* A device has no part in the EOI, so that fewer obstacles are in its way. */
static bool eoi_is_safe(const struct pvirq_facts *f, enum pvirq_why why)
{
	return f->vectors == 1 && (why == PVIRQ_WHY_SAVES || why == PVIRQ_WHY_HOOK ||
				   why == PVIRQ_WHY_NO_MASK);
}

/*
 * All or nothing: an event channel changes how it is masked, moved and acknowledged. MSI-X only: a
 * plain MSI is not masked while its message is written, so that half of a new one might be sent,
 * and may have no room for the upper part of a pirq.
 */
static bool events(const struct pvirq_facts *f, const struct pvirq_wishes *w)
{
	return w->policy_eoi == HYBRID_PATH_EVTCHN && w->policy_mask == HYBRID_PATH_EVTCHN &&
	       w->policy_move == HYBRID_PATH_EVTCHN && f->msix;
}

/* What neither the host's ABI nor an event channel can serve, the lazy back-end can. */
static bool saves(enum hybrid_path path)
{
	return path == HYBRID_PATH_LAZY || path == HYBRID_PATH_HYPERCALL ||
	       path == HYBRID_PATH_EVTCHN;
}

struct pvirq_verdict pvirq_judge(const struct pvirq_facts *f, const struct pvirq_wishes *w)
{
	enum pvirq_want want = w->irq != PVIRQ_WANT_AUTO ? w->irq : w->device;
	struct pvirq_verdict v = { .path = HYBRID_PATH_KERNEL, .why = obstacle(f) };

	v.eoi = w->policy_eoi == HYBRID_PATH_PV_EOI && want != PVIRQ_WANT_KERNEL &&
		eoi_is_safe(f, v.why);
	if (v.eoi)
		v.path = HYBRID_PATH_PV_EOI;
	/* What is unsafe cannot be asked for. */
	if (v.why != PVIRQ_WHY_SAVES)
		return v;
	if (want != PVIRQ_WANT_AUTO || w->force) {
		v.why = PVIRQ_WHY_OPERATOR;
		v.move = want != PVIRQ_WANT_KERNEL;
		/* Where there is no bit, a mask costs nothing. */
		v.mask = v.move && f->can_mask;
	} else if (events(f, w)) {
		v.path = HYBRID_PATH_EVTCHN;
		v.mask = true;
		v.move = true;
		return v;
	} else if (w->policy_mask == HYBRID_PATH_HYPERCALL &&
		   w->policy_move == HYBRID_PATH_HYPERCALL && f->msix) {
		/* One word for both. */
		v.why = PVIRQ_WHY_HOST_ABI;
		v.path = HYBRID_PATH_HYPERCALL;
		v.mask = true;
		v.move = true;
		return v;
	} else {
		v.move = saves(w->policy_move);
		v.mask = saves(w->policy_mask) && f->can_mask;
		if (w->policy_move == HYBRID_PATH_EVTCHN || w->policy_mask == HYBRID_PATH_EVTCHN)
			v.why = PVIRQ_WHY_FALLBACK;
		if (!v.mask && !v.move && !v.eoi)
			v.why = PVIRQ_WHY_POLICY;
	}
	if (v.mask || v.move)
		v.path = HYBRID_PATH_LAZY;
	return v;
}

int pvirq_parse_want(const char *word, enum pvirq_want *want)
{
	unsigned int i;

	for (i = 0; i < PVIRQ_WANT_NR; i++) {
		if (!strcmp(word, want_names[i])) {
			*want = i;
			return 0;
		}
	}
	return -EINVAL;
}

const char *pvirq_want_name(enum pvirq_want want)
{
	return (unsigned int)want < PVIRQ_WANT_NR ? want_names[want] : "invalid";
}

const char *pvirq_why_name(enum pvirq_why why)
{
	return (unsigned int)why < PVIRQ_WHY_NR ? why_names[why] : "invalid";
}

const char *pvirq_why_text(enum pvirq_why why)
{
	return (unsigned int)why < PVIRQ_WHY_NR ? why_texts[why] : "invalid";
}
