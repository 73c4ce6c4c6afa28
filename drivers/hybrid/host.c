// SPDX-License-Identifier: GPL-2.0-only
/* A host that knows us (Documentation/abi/host-abi.txt), as CPUID tells of it (pure). */
#include <linux/bits.h>
#include <linux/kernel.h>

#include <hybrid/caps.h>
#include <hybrid/host.h>

/* Deeper than anybody nests, and more than an exit may differ from what was measured here. */
#define LEVEL_MAX	8
#define EXIT_FACTOR	16

static const char *const state_names[] = {
	[HYBRID_HOST_ABSENT]	= "absent",
	[HYBRID_HOST_USABLE]	= "usable",
	[HYBRID_HOST_SHORT]	= "leaves-missing",
	[HYBRID_HOST_VERSION_UNKNOWN] = "version-unknown",
	[HYBRID_HOST_BAD_MSR]	= "msr-out-of-range",
	[HYBRID_HOST_BAD_LIMITS] = "limits-out-of-range",
	[HYBRID_HOST_DEAF]	= "msr-faults",
};

bool hybrid_host_presented(const struct hybrid_hv_slot *slot)
{
	const struct hybrid_regs *leaf = &slot->leaf[0];

	return leaf->ebx == HYBRID_HOST_SIGNATURE_EBX && leaf->ecx == HYBRID_HOST_SIGNATURE_ECX &&
	       leaf->edx == HYBRID_HOST_SIGNATURE_EDX;
}

static enum hybrid_host_state judge(struct hybrid_host *h, const struct hybrid_hv_slot *slot)
{
	const struct hybrid_regs *features = &slot->leaf[HYBRID_HOST_LEAF_FEATURES];
	const struct hybrid_regs *limits = &slot->leaf[HYBRID_HOST_LEAF_LIMITS];

	if (slot->nr_leaves < HYBRID_HOST_LEAVES)
		return HYBRID_HOST_SHORT;
	if (features->eax != HYBRID_HOST_VERSION)
		return HYBRID_HOST_VERSION_UNKNOWN;
	if (features->ecx < HYBRID_HOST_MSR_MIN || features->ecx > HYBRID_HOST_MSR_MAX ||
	    features->ecx % 16)
		return HYBRID_HOST_BAD_MSR;
	if (limits->eax > HYBRID_HOST_TABLE_PAGES_MAX || limits->ebx > LEVEL_MAX ||
	    !limits->eax != !(features->ebx & HYBRID_HOST_F_IRQ))
		return HYBRID_HOST_BAD_LIMITS;
	h->features = features->ebx & (HYBRID_HOST_F_IRQ | HYBRID_HOST_F_NOTICE);
	h->msr = features->ecx;
	h->table_pages = limits->eax;
	h->level = limits->ebx;
	h->exit_ns = limits->ecx;
	return HYBRID_HOST_USABLE;
}

void hybrid_host_detect(struct hybrid_host *h, const struct hybrid_snapshot *s)
{
	const struct hybrid_msr_value *table = &s->msr[HYBRID_MSR_HOST_TABLE];
	u32 i;

	*h = (struct hybrid_host){ .state = HYBRID_HOST_ABSENT };
	/* One that we know; where there is none, what is wrong with the first. */
	for (i = 0; i < s->nr_slots && i < HYBRID_HV_KEPT; i++) {
		enum hybrid_host_state state;

		if (!hybrid_host_presented(&s->slot[i]))
			continue;
		state = judge(h, &s->slot[i]);
		if (h->state == HYBRID_HOST_ABSENT || state == HYBRID_HOST_USABLE)
			h->state = state;
		if (state == HYBRID_HOST_USABLE)
			break;
	}
	/* Leaves that nobody stands behind. User space cannot try. */
	if (h->state == HYBRID_HOST_USABLE && s->kernel & BIT(HYBRID_KERNEL_KNOWN) && !table->valid)
		*h = (struct hybrid_host){ .state = HYBRID_HOST_DEAF };
}

u32 hybrid_host_exit_ns(const struct hybrid_host *h, u32 measured)
{
	if (h->exit_ns < measured / EXIT_FACTOR || h->exit_ns / EXIT_FACTOR > measured)
		return measured;
	return h->exit_ns ?: measured;
}

const char *hybrid_host_state_name(enum hybrid_host_state state)
{
	return (unsigned int)state < ARRAY_SIZE(state_names) ? state_names[state] : "invalid";
}
