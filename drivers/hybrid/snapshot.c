// SPDX-License-Identifier: GPL-2.0-only
/* Reads CPUID and MSRs into a struct hybrid_snapshot (pure: all access is by the reader). */
#include <linux/bits.h>
#include <linux/minmax.h>
#include <linux/string.h>

#include <hybrid/caps.h>

/* Fewer printing characters than this are no signature: the rest is data of some other leaf. */
#define SIG_MIN_CHARS		4

#define LEAF1_EDX_APIC		BIT(9)
#define LEAF1_ECX_VMX		BIT(5)
#define LEAF1_ECX_HYPERVISOR	BIT(31)
#define EXT1_ECX_SVM		BIT(2)

#define KVM_EAX_STEAL_TIME	BIT(5)
#define KVM_EAX_PV_EOI		BIT(6)
#define KVM_EAX_POLL_CONTROL	BIT(12)

#define VMX_PROCBASED_HAS_2	BIT_ULL(63)

static bool prints(char c)
{
	return c >= ' ' && c <= '~';
}

void hybrid_signature(char sig[HYBRID_SIG_LEN + 1], const struct hybrid_regs *leaf)
{
	const u32 word[] = { leaf->ebx, leaf->ecx, leaf->edx };
	unsigned int i;

	memcpy(sig, word, HYBRID_SIG_LEN);
	sig[HYBRID_SIG_LEN] = '\0';
	for (i = HYBRID_SIG_LEN; i && !sig[i - 1]; i--)
		;
	while (i--)
		if (!prints(sig[i]))
			sig[i] = '?';
}

/*
 * Printing characters, then only NULs. That also rejects the slots of a processor that
 * answers an out-of-range leaf with the data of its maximum basic leaf, as Intel's do
 * and KVM and QEMU imitate: small numbers, with bytes that do not print between them.
 */
static bool signature_plausible(const struct hybrid_regs *leaf)
{
	const u32 word[] = { leaf->ebx, leaf->ecx, leaf->edx };
	char sig[HYBRID_SIG_LEN];
	unsigned int i, n;

	memcpy(sig, word, sizeof(sig));
	for (n = 0; n < sizeof(sig) && prints(sig[n]); n++)
		;
	for (i = n; i < sizeof(sig); i++)
		if (sig[i])
			return false;
	return n >= SIG_MIN_CHARS;
}

static bool is_kvm(const struct hybrid_hv_slot *slot)
{
	char sig[HYBRID_SIG_LEN + 1];

	hybrid_signature(sig, &slot->leaf[0]);
	return !strcmp(sig, "KVMKVMKVM");
}

static struct hybrid_regs cpuid(const struct hybrid_reader *r, u32 leaf)
{
	struct hybrid_regs regs = {};

	r->cpuid(r->ctx, leaf, 0, &regs);
	return regs;
}

/* The slot's signature leaf is read already; how many there are is its EAX's claim. */
static void read_slot(struct hybrid_hv_slot *slot, const struct hybrid_reader *r)
{
	u32 max = slot->leaf[0].eax;
	u32 i;

	/* Old KVM says 0 where it means base + 1 (Documentation/virt/kvm/x86/cpuid.rst) */
	if (!max && is_kvm(slot))
		max = slot->base + 1;
	if (max < slot->base)
		max = slot->base;
	slot->nr_leaves = min_t(u32, max - slot->base, HYBRID_HV_LEAVES - 1) + 1;
	for (i = 1; i < slot->nr_leaves; i++)
		slot->leaf[i] = cpuid(r, slot->base + i);
}

static void read_slots(struct hybrid_snapshot *s, const struct hybrid_reader *r)
{
	u32 i;

	for (i = 0; i < HYBRID_HV_SLOTS; i++) {
		u32 base = HYBRID_HV_BASE + i * HYBRID_HV_STEP;
		struct hybrid_regs regs = cpuid(r, base);

		if (!signature_plausible(&regs))
			continue;
		if (s->nr_slots == HYBRID_HV_KEPT) {
			s->slots_dropped++;
			continue;
		}
		s->slot[s->nr_slots].base = base;
		s->slot[s->nr_slots].leaf[0] = regs;
		read_slot(&s->slot[s->nr_slots], r);
		s->nr_slots++;
	}
}

static u32 kvm_features(const struct hybrid_snapshot *s)
{
	u32 i;

	for (i = 0; i < s->nr_slots; i++)
		if (is_kvm(&s->slot[i]))
			return s->slot[i].leaf[1].eax;
	return 0;
}

static void read_msr(struct hybrid_snapshot *s, const struct hybrid_reader *r,
		     enum hybrid_msr which, u32 msr)
{
	u64 value = 0;

	if (r->rdmsr(r->ctx, msr, &value))
		return;
	s->msr[which].valid = true;
	s->msr[which].value = value;
}

static void read_msrs(struct hybrid_snapshot *s, const struct hybrid_reader *r)
{
	u32 kvm = kvm_features(s);
	struct hybrid_host host;

	if (s->leaf1.edx & LEAF1_EDX_APIC)
		read_msr(s, r, HYBRID_MSR_APICBASE, 0x1b);
	if (s->leaf1.ecx & LEAF1_ECX_VMX) {
		read_msr(s, r, HYBRID_MSR_FEAT_CTL, 0x3a);
		read_msr(s, r, HYBRID_MSR_VMX_PROCBASED, 0x482);
		if (s->msr[HYBRID_MSR_VMX_PROCBASED].value & VMX_PROCBASED_HAS_2)
			read_msr(s, r, HYBRID_MSR_VMX_PROCBASED2, 0x48b);
	}
	if (s->ext1.ecx & EXT1_ECX_SVM)
		read_msr(s, r, HYBRID_MSR_VM_CR, 0xc0010114);
	if (kvm & KVM_EAX_PV_EOI)
		read_msr(s, r, HYBRID_MSR_KVM_PV_EOI, 0x4b564d04);
	if (kvm & KVM_EAX_STEAL_TIME)
		read_msr(s, r, HYBRID_MSR_KVM_STEAL_TIME, 0x4b564d03);
	if (kvm & KVM_EAX_POLL_CONTROL)
		read_msr(s, r, HYBRID_MSR_KVM_POLL_CONTROL, 0x4b564d05);
	hybrid_host_detect(&host, s);
	if (host.state == HYBRID_HOST_USABLE)
		read_msr(s, r, HYBRID_MSR_HOST_TABLE, host.msr);
}

void hybrid_snapshot_read(struct hybrid_snapshot *s, const struct hybrid_reader *r)
{
	memset(s, 0, sizeof(*s));

	s->leaf0 = cpuid(r, 0);
	if (s->leaf0.eax >= 1)
		s->leaf1 = cpuid(r, 1);
	if (s->leaf0.eax >= 6)
		s->leaf6 = cpuid(r, 6);

	/* A processor without extended leaves answers with those of some basic leaf. */
	s->ext0 = cpuid(r, 0x80000000);
	if (s->ext0.eax >> 16 == 0x8000) {
		if (s->ext0.eax >= 0x80000001)
			s->ext1 = cpuid(r, 0x80000001);
		if (s->ext0.eax >= 0x80000007)
			s->ext7 = cpuid(r, 0x80000007);
		if (s->ext0.eax >= 0x8000000a)
			s->ext_svm = cpuid(r, 0x8000000a);
	}

	if (s->leaf1.ecx & LEAF1_ECX_HYPERVISOR)
		read_slots(s, r);
	if (r->rdmsr)
		read_msrs(s, r);
}
