// SPDX-License-Identifier: GPL-2.0-only
/* Reading a snapshot from honest, broken and hostile hosts. */
#include <kunit/test.h>
#include <linux/bits.h>
#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/string.h>

#include <hybrid/host.h>
#include <hybrid/snapshot.h>

#include "hybrid_suites.h"

#define MAX_READS	(HYBRID_HV_SLOTS + HYBRID_HV_KEPT * (HYBRID_HV_LEAVES - 1) + 8)

#define EDX_APIC	BIT(9)
#define ECX_VMX		BIT(5)
#define ECX_HYPERVISOR	BIT(31)
#define ECX_SVM		BIT(2)

/* What a host answers and what was asked of it; the reader's context. */
struct fake_host {
	void (*answer)(u32 leaf, struct hybrid_regs *out);
	int (*msr)(u32 msr, u64 *value);
	u32 leaf[MAX_READS + 1];
	unsigned int nr_reads;
	unsigned int reads_again;	/* of a leaf that was read before */
	unsigned int nonzero_subleaf;
	u32 msrs[HYBRID_MSR_NR + 1];
	unsigned int nr_msrs;
};

static void fake_cpuid(void *ctx, u32 leaf, u32 subleaf, struct hybrid_regs *out)
{
	struct fake_host *h = ctx;
	unsigned int i;

	if (subleaf)
		h->nonzero_subleaf++;
	h->answer(leaf, out);
	for (i = 0; i < h->nr_reads; i++) {
		if (h->leaf[i] != leaf)
			continue;
		/* This host never says the same thing twice. */
		h->reads_again++;
		out->eax ^= h->reads_again;
		out->ebx ^= ~0u;
	}
	if (h->nr_reads < ARRAY_SIZE(h->leaf))
		h->leaf[h->nr_reads++] = leaf;
}

static int fake_rdmsr(void *ctx, u32 msr, u64 *value)
{
	struct fake_host *h = ctx;

	if (h->nr_msrs < ARRAY_SIZE(h->msrs))
		h->msrs[h->nr_msrs++] = msr;
	return h->msr(msr, value);
}

static bool asked_msr(const struct fake_host *h, u32 msr)
{
	unsigned int i;

	for (i = 0; i < h->nr_msrs; i++)
		if (h->msrs[i] == msr)
			return true;
	return false;
}

static bool asked_leaves(const struct fake_host *h, u32 from, u32 to)
{
	unsigned int i;

	for (i = 0; i < h->nr_reads; i++)
		if (h->leaf[i] >= from && h->leaf[i] <= to)
			return true;
	return false;
}

static void signature(struct hybrid_regs *out, u32 max, const char sig[HYBRID_SIG_LEN])
{
	out->eax = max;
	memcpy(&out->ebx, sig, 4);
	memcpy(&out->ecx, sig + 4, 4);
	memcpy(&out->edx, sig + 8, 4);
}

/* The basic leaves of a guest: maximum leaf 7, APIC, a hypervisor. */
static bool guest_basics(u32 leaf, struct hybrid_regs *out)
{
	*out = (struct hybrid_regs){};
	switch (leaf) {
	case 0:
		signature(out, 7, "AuthcAMDenti");
		return true;
	case 1:
		out->ecx = ECX_HYPERVISOR;
		out->edx = EDX_APIC;
		return true;
	case 0x80000000:
		out->eax = 0x8000000a;
		return true;
	}
	return leaf < HYBRID_HV_BASE || leaf >= 0x80000000;
}

/* Which slot and which leaf of it. */
static u32 base_of(u32 leaf)
{
	return leaf & ~(HYBRID_HV_STEP - 1);
}

static void answer_zero(u32 leaf, struct hybrid_regs *out)
{
	*out = (struct hybrid_regs){};
}

static void answer_ones(u32 leaf, struct hybrid_regs *out)
{
	memset(out, 0xff, sizeof(*out));
}

/* All bits set but a signature: each slot claims every leaf there could be. */
static void answer_endless(u32 leaf, struct hybrid_regs *out)
{
	if (guest_basics(leaf, out))
		return;
	if (leaf == HYBRID_HV_BASE)
		signature(out, 0xffffffff, "XenVMMXenVMM");
	else if (base_of(leaf) == HYBRID_HV_BASE)
		*out = (struct hybrid_regs){ leaf, leaf, leaf, leaf };
}

static void answer_max_below_base(u32 leaf, struct hybrid_regs *out)
{
	if (guest_basics(leaf, out))
		return;
	if (leaf == HYBRID_HV_BASE)
		signature(out, 0x3fffffff, "VMwareVMware");
	else
		memset(out, 0xff, sizeof(*out));
}

static void answer_max_zero(u32 leaf, struct hybrid_regs *out)
{
	if (guest_basics(leaf, out))
		return;
	if (leaf == HYBRID_HV_BASE)
		signature(out, 0, "VMwareVMware");
}

/* KVM before 3.10: maximum 0 means base + 1 */
static void answer_old_kvm(u32 leaf, struct hybrid_regs *out)
{
	if (guest_basics(leaf, out))
		return;
	if (leaf == HYBRID_HV_BASE)
		signature(out, 0, "KVMKVMKVM\0\0");
	else if (leaf == HYBRID_HV_BASE + 1)
		out->eax = BIT(5) | BIT(6) | BIT(12);
}

static void answer_kvm(u32 leaf, struct hybrid_regs *out)
{
	answer_old_kvm(leaf, out);
	if (leaf == HYBRID_HV_BASE)
		out->eax = HYBRID_HV_BASE + 1;
}

/* Hyper-V's interface first, KVM's behind it, as with QEMU's hv-* flags */
static void answer_kvm_behind_hyperv(u32 leaf, struct hybrid_regs *out)
{
	if (guest_basics(leaf, out))
		return;
	switch (leaf) {
	case HYBRID_HV_BASE:
		signature(out, HYBRID_HV_BASE + 5, "Microsoft Hv");
		break;
	case HYBRID_HV_BASE + 1:
		out->eax = 0x31237648;
		break;
	case HYBRID_HV_BASE + 0x100:
		signature(out, HYBRID_HV_BASE + 0x101, "KVMKVMKVM\0\0");
		break;
	case HYBRID_HV_BASE + 0x101:
		out->eax = BIT(6);
		break;
	}
}

static void answer_every_slot(u32 leaf, struct hybrid_regs *out)
{
	if (guest_basics(leaf, out))
		return;
	if (leaf == base_of(leaf))
		signature(out, 0xffffffff, "bhyve bhyve ");
	else
		out->eax = leaf;
}

static void answer_last_slot(u32 leaf, struct hybrid_regs *out)
{
	if (guest_basics(leaf, out))
		return;
	if (leaf == 0x4000ff00)
		signature(out, 0x4000ff04, "XenVMMXenVMM");
}

static void answer_no_signature(u32 leaf, struct hybrid_regs *out)
{
	if (guest_basics(leaf, out))
		return;
	if (leaf == base_of(leaf))
		signature(out, leaf + 4, "\x01\xff" "enVMMXenV\x80");
	else
		out->eax = leaf;
}

static void answer_short_signature(u32 leaf, struct hybrid_regs *out)
{
	if (guest_basics(leaf, out))
		return;
	if (leaf == HYBRID_HV_BASE)
		signature(out, leaf + 1, "abc\0\0\0\0\0\0\0\0");
	else if (leaf == HYBRID_HV_BASE + 0x100)
		signature(out, leaf + 1, "KVMK\0VMKVM\0");
	else if (leaf == HYBRID_HV_BASE + 0x200)
		signature(out, leaf + 1, "ACRN\0\0\0\0\0\0\0");
}

/*
 * A processor that knows no hypervisor leaves answers them with its highest basic leaf,
 * here extended topology (0xb) of CPU 3 and, in the other case, cache geometry (4).
 */
static void answer_intel_topology(u32 leaf, struct hybrid_regs *out)
{
	if (!guest_basics(leaf, out))
		*out = (struct hybrid_regs){ 1, 2, 0x100, 3 };
}

static void answer_intel_cache(u32 leaf, struct hybrid_regs *out)
{
	if (!guest_basics(leaf, out))
		*out = (struct hybrid_regs){ 0x1c004121, 0x02c0003f, 0x3f, 0x202020 };
}

/* Basic and extended maximum below everything that could be asked. */
static void answer_ancient(u32 leaf, struct hybrid_regs *out)
{
	memset(out, 0xff, sizeof(*out));
	if (!leaf || leaf == 0x80000000)
		out->eax = 0;
}

static void answer_short_basic(u32 leaf, struct hybrid_regs *out)
{
	if (leaf == 0)
		signature(out, 1, "GenuntelineI");
	else if (leaf == 1)
		*out = (struct hybrid_regs){ .edx = EDX_APIC };
	else if (leaf == 0x80000000)
		*out = (struct hybrid_regs){ .eax = 0x80000001 };
	else
		memset(out, 0x5a, sizeof(*out));
}

/* Real: the extended maximum of a processor without extended leaves is any number. */
static void answer_no_extended(u32 leaf, struct hybrid_regs *out)
{
	if (leaf == 0)
		signature(out, 1, "GenuntelineI");
	else if (leaf == 1)
		*out = (struct hybrid_regs){ .edx = EDX_APIC };
	else
		*out = (struct hybrid_regs){ 0x12345678, 0xffffffff, 0xffffffff, 0xffffffff };
}

static void answer_vmx(u32 leaf, struct hybrid_regs *out)
{
	guest_basics(leaf, out);
	if (leaf == 1)
		out->ecx |= ECX_VMX;
}

static void answer_svm(u32 leaf, struct hybrid_regs *out)
{
	guest_basics(leaf, out);
	if (leaf == 0x80000001)
		out->ecx |= ECX_SVM;
}

struct host_case {
	const char *name;
	void (*answer)(u32 leaf, struct hybrid_regs *out);
	u32 nr_slots, slots_dropped;
	u32 base, nr_leaves;		/* of the last slot */
};

static const struct host_case hosts[] = {
	{ "zero", answer_zero },
	{ "all ones", answer_ones },
	{ "endless leaves", answer_endless, 1, 0, HYBRID_HV_BASE, HYBRID_HV_LEAVES },
	{ "max leaf below base", answer_max_below_base, 1, 0, HYBRID_HV_BASE, 1 },
	{ "max leaf zero", answer_max_zero, 1, 0, HYBRID_HV_BASE, 1 },
	{ "max leaf zero, KVM", answer_old_kvm, 1, 0, HYBRID_HV_BASE, 2 },
	{ "KVM", answer_kvm, 1, 0, HYBRID_HV_BASE, 2 },
	{ "KVM behind Hyper-V", answer_kvm_behind_hyperv, 2, 0, HYBRID_HV_BASE + 0x100, 2 },
	{ "every slot valid and endless", answer_every_slot, HYBRID_HV_KEPT,
	  HYBRID_HV_SLOTS - HYBRID_HV_KEPT, HYBRID_HV_BASE + 0x300, HYBRID_HV_LEAVES },
	{ "last slot only", answer_last_slot, 1, 0, 0x4000ff00, 5 },
	{ "signatures that do not print", answer_no_signature },
	{ "short signatures", answer_short_signature, 1, 0, HYBRID_HV_BASE + 0x200, 2 },
	{ "Intel echo of topology", answer_intel_topology },
	{ "Intel echo of caches", answer_intel_cache },
	{ "no leaves at all", answer_ancient },
	{ "basic leaves up to 1", answer_short_basic },
	{ "no extended leaves", answer_no_extended },
	{ "VMX", answer_vmx },
	{ "SVM", answer_svm },
};

static void host_desc(const struct host_case *c, char *desc)
{
	snprintf(desc, KUNIT_PARAM_DESC_SIZE, "%s", c->name);
}

KUNIT_ARRAY_PARAM(hosts, hosts, host_desc);

static int msr_is_number(u32 msr, u64 *value)
{
	*value = ~(u64)msr;
	return 0;
}

/* Leaves something behind, too. */
static int msr_faults(u32 msr, u64 *value)
{
	*value = 0x1234567812345678;
	return -EIO;
}

static struct fake_host *fake_host(struct kunit *test,
				   void (*answer)(u32 leaf, struct hybrid_regs *out),
				   int (*msr)(u32 msr, u64 *value))
{
	struct fake_host *h = kunit_kzalloc(test, sizeof(*h), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, h);
	h->answer = answer;
	h->msr = msr;
	return h;
}

static struct hybrid_snapshot *take(struct kunit *test, struct fake_host *h)
{
	const struct hybrid_reader r = {
		.cpuid = fake_cpuid, .rdmsr = h->msr ? fake_rdmsr : NULL, .ctx = h,
	};
	struct hybrid_snapshot *s = kunit_kzalloc(test, sizeof(*s), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, s);
	memset(s, 0xa5, sizeof(*s));	/* "filled in completely" */
	hybrid_snapshot_read(s, &r);
	return s;
}

/* True of every snapshot, whatever the host. */
static void expect_sane(struct kunit *test, const struct fake_host *h,
			const struct hybrid_snapshot *s)
{
	static const struct hybrid_regs zero;
	u32 i, j;

	KUNIT_EXPECT_EQ(test, h->reads_again, 0);
	KUNIT_EXPECT_EQ(test, h->nonzero_subleaf, 0);
	KUNIT_EXPECT_LE(test, h->nr_reads, MAX_READS);
	KUNIT_EXPECT_EQ(test, s->kernel, 0);
	KUNIT_EXPECT_EQ(test, s->nr_cpus, 0);

	KUNIT_ASSERT_LE(test, s->nr_slots, HYBRID_HV_KEPT);
	KUNIT_EXPECT_LE(test, s->nr_slots + s->slots_dropped, HYBRID_HV_SLOTS);
	if (s->nr_slots < HYBRID_HV_KEPT)
		KUNIT_EXPECT_EQ(test, s->slots_dropped, 0);
	for (i = 0; i < HYBRID_HV_KEPT; i++) {
		const struct hybrid_hv_slot *slot = &s->slot[i];

		if (i >= s->nr_slots) {
			KUNIT_EXPECT_EQ(test, slot->base, 0);
			KUNIT_EXPECT_EQ(test, slot->nr_leaves, 0);
		} else {
			KUNIT_EXPECT_EQ(test, slot->base % HYBRID_HV_STEP, 0);
			KUNIT_EXPECT_GE(test, slot->base, HYBRID_HV_BASE);
			KUNIT_EXPECT_LE(test, slot->base, 0x4000ff00);
			KUNIT_EXPECT_GE(test, slot->nr_leaves, 1);
			if (i)
				KUNIT_EXPECT_GT(test, slot->base, s->slot[i - 1].base);
		}
		KUNIT_ASSERT_LE(test, slot->nr_leaves, HYBRID_HV_LEAVES);
		for (j = slot->nr_leaves; j < HYBRID_HV_LEAVES; j++)
			KUNIT_EXPECT_EQ(test, memcmp(&slot->leaf[j], &zero, sizeof(zero)), 0);
	}
	for (i = 0; i < HYBRID_MSR_NR; i++)
		if (!s->msr[i].valid)
			KUNIT_EXPECT_EQ(test, s->msr[i].value, 0);
}

static void reads_any_host(struct kunit *test)
{
	const struct host_case *c = test->param_value;
	struct fake_host *h = fake_host(test, c->answer, msr_is_number);
	struct hybrid_snapshot *s = take(test, h);

	expect_sane(test, h, s);
	KUNIT_EXPECT_EQ(test, s->nr_slots, c->nr_slots);
	KUNIT_EXPECT_EQ(test, s->slots_dropped, c->slots_dropped);
	if (c->nr_slots && s->nr_slots == c->nr_slots) {
		KUNIT_EXPECT_EQ(test, s->slot[c->nr_slots - 1].base, c->base);
		KUNIT_EXPECT_EQ(test, s->slot[c->nr_slots - 1].nr_leaves, c->nr_leaves);
	}
}

/* Each leaf lands where the structure says. */
static void keeps_leaves(struct kunit *test)
{
	struct fake_host *h = fake_host(test, answer_endless, NULL);
	struct hybrid_snapshot *s = take(test, h);
	u32 i;

	KUNIT_ASSERT_EQ(test, s->slot[0].nr_leaves, HYBRID_HV_LEAVES);
	for (i = 1; i < HYBRID_HV_LEAVES; i++) {
		KUNIT_EXPECT_EQ(test, s->slot[0].leaf[i].eax, HYBRID_HV_BASE + i);
		KUNIT_EXPECT_EQ(test, s->slot[0].leaf[i].edx, HYBRID_HV_BASE + i);
	}
}

static void no_hypervisor_no_search(struct kunit *test)
{
	struct fake_host *h = fake_host(test, answer_short_basic, NULL);

	take(test, h);
	KUNIT_EXPECT_FALSE(test, asked_leaves(h, HYBRID_HV_BASE, 0x7fffffff));
}

/* Leaves above a maximum may hold anything: they are not read, and stay zero. */
static void respects_maximum(struct kunit *test)
{
	static const struct hybrid_regs zero;
	struct fake_host *h = fake_host(test, answer_short_basic, NULL);
	struct hybrid_snapshot *s = take(test, h);

	KUNIT_EXPECT_EQ(test, s->leaf1.edx, EDX_APIC);
	KUNIT_EXPECT_EQ(test, s->ext1.eax, 0x5a5a5a5a);
	KUNIT_EXPECT_FALSE(test, asked_leaves(h, 2, HYBRID_HV_BASE));
	KUNIT_EXPECT_FALSE(test, asked_leaves(h, 0x80000002, 0xffffffff));
	KUNIT_EXPECT_EQ(test, memcmp(&s->leaf6, &zero, sizeof(zero)), 0);
	KUNIT_EXPECT_EQ(test, memcmp(&s->ext7, &zero, sizeof(zero)), 0);
	KUNIT_EXPECT_EQ(test, memcmp(&s->ext_svm, &zero, sizeof(zero)), 0);

	h = fake_host(test, answer_no_extended, NULL);
	s = take(test, h);
	KUNIT_EXPECT_FALSE(test, asked_leaves(h, 0x80000001, 0xffffffff));
	KUNIT_EXPECT_EQ(test, s->ext1.ecx, 0);
}

struct msr_case {
	const char *name;
	void (*answer)(u32 leaf, struct hybrid_regs *out);
	u32 read;	/* bits of enum hybrid_msr */
};

/* msr_is_number() sets bit 63 of VMX_PROCBASED: secondary controls exist. */
static const struct msr_case msr_cases[] = {
	{ "zero", answer_zero },
	{ "APIC only", answer_max_zero, BIT(HYBRID_MSR_APICBASE) },
	{ "VMX", answer_vmx, BIT(HYBRID_MSR_APICBASE) | BIT(HYBRID_MSR_FEAT_CTL) |
			     BIT(HYBRID_MSR_VMX_PROCBASED) | BIT(HYBRID_MSR_VMX_PROCBASED2) },
	{ "SVM", answer_svm, BIT(HYBRID_MSR_APICBASE) | BIT(HYBRID_MSR_VM_CR) },
	{ "KVM", answer_kvm, BIT(HYBRID_MSR_APICBASE) | BIT(HYBRID_MSR_KVM_PV_EOI) |
			     BIT(HYBRID_MSR_KVM_STEAL_TIME) | BIT(HYBRID_MSR_KVM_POLL_CONTROL) },
	{ "KVM behind Hyper-V", answer_kvm_behind_hyperv,
	  BIT(HYBRID_MSR_APICBASE) | BIT(HYBRID_MSR_KVM_PV_EOI) },
	{ "Xen", answer_endless, BIT(HYBRID_MSR_APICBASE) },
};

static void msr_desc(const struct msr_case *c, char *desc)
{
	snprintf(desc, KUNIT_PARAM_DESC_SIZE, "%s", c->name);
}

KUNIT_ARRAY_PARAM(msr_cases, msr_cases, msr_desc);

static const u32 msr_number[] = {
	[HYBRID_MSR_APICBASE]		= 0x1b,
	[HYBRID_MSR_FEAT_CTL]		= 0x3a,
	[HYBRID_MSR_VMX_PROCBASED2]	= 0x48b,
	[HYBRID_MSR_VMX_PROCBASED]	= 0x482,
	[HYBRID_MSR_VM_CR]		= 0xc0010114,
	[HYBRID_MSR_KVM_PV_EOI]		= 0x4b564d04,
	[HYBRID_MSR_KVM_STEAL_TIME]	= 0x4b564d03,
	[HYBRID_MSR_KVM_POLL_CONTROL]	= 0x4b564d05,
	[HYBRID_MSR_HOST_TABLE]		= HYBRID_HOST_MSR_SUGGESTED,
};

/* An MSR is read where CPUID announces it, and nowhere else: it could fault. */
static void reads_announced_msrs(struct kunit *test)
{
	const struct msr_case *c = test->param_value;
	struct fake_host *h = fake_host(test, c->answer, msr_is_number);
	struct hybrid_snapshot *s = take(test, h);
	unsigned int i, n = 0;

	for (i = 0; i < HYBRID_MSR_NR; i++) {
		bool read = c->read >> i & 1;

		n += read;
		KUNIT_EXPECT_EQ_MSG(test, asked_msr(h, msr_number[i]), read,
				    "MSR 0x%x", msr_number[i]);
		KUNIT_EXPECT_EQ_MSG(test, s->msr[i].valid, read, "MSR 0x%x", msr_number[i]);
		if (read)
			KUNIT_EXPECT_EQ(test, s->msr[i].value, ~(u64)msr_number[i]);
	}
	KUNIT_EXPECT_EQ(test, h->nr_msrs, n);
}

static void survives_msr_faults(struct kunit *test)
{
	const struct msr_case *c = test->param_value;
	struct fake_host *h = fake_host(test, c->answer, msr_faults);
	struct hybrid_snapshot *s = take(test, h);
	unsigned int i;

	for (i = 0; i < HYBRID_MSR_NR; i++) {
		KUNIT_EXPECT_FALSE(test, s->msr[i].valid);
		KUNIT_EXPECT_EQ(test, s->msr[i].value, 0);
	}
	/* Whether there are secondary controls is in an MSR that faulted. */
	KUNIT_EXPECT_FALSE(test, asked_msr(h, 0x48b));
}

static void works_without_msrs(struct kunit *test)
{
	const struct msr_case *c = test->param_value;
	struct fake_host *h = fake_host(test, c->answer, NULL);

	expect_sane(test, h, take(test, h));
}

struct sig_case {
	const char *name;
	const char raw[HYBRID_SIG_LEN + 1];
	const char *text;
};

static const struct sig_case sigs[] = {
	{ "full", "XenVMMXenVMM", "XenVMMXenVMM" },
	{ "padded", "KVMKVMKVM", "KVMKVMKVM" },
	{ "space inside and at the end", "bhyve bhyve ", "bhyve bhyve " },
	{ "empty", "", "" },
	{ "NUL inside", "ab\0cd", "ab?cd" },
	{ "line break and escape", "a\n\x1b[2Jb", "a??[2Jb" },
	{ "eighth bit and DEL", "\xff\x80\x7f" "abcdefghi", "???abcdefghi" },
};

static void sig_desc(const struct sig_case *c, char *desc)
{
	snprintf(desc, KUNIT_PARAM_DESC_SIZE, "%s", c->name);
}

KUNIT_ARRAY_PARAM(sigs, sigs, sig_desc);

static void prints_signature(struct kunit *test)
{
	const struct sig_case *c = test->param_value;
	struct hybrid_regs leaf;
	char sig[HYBRID_SIG_LEN + 1];

	signature(&leaf, 0, c->raw);
	memset(sig, 'x', sizeof(sig));
	hybrid_signature(sig, &leaf);
	KUNIT_EXPECT_STREQ(test, sig, c->text);
}

static struct kunit_case hybrid_snapshot_cases[] = {
	KUNIT_CASE_PARAM(reads_any_host, hosts_gen_params),
	KUNIT_CASE(keeps_leaves),
	KUNIT_CASE(no_hypervisor_no_search),
	KUNIT_CASE(respects_maximum),
	KUNIT_CASE_PARAM(reads_announced_msrs, msr_cases_gen_params),
	KUNIT_CASE_PARAM(survives_msr_faults, msr_cases_gen_params),
	KUNIT_CASE_PARAM(works_without_msrs, msr_cases_gen_params),
	KUNIT_CASE_PARAM(prints_signature, sigs_gen_params),
	{}
};

struct kunit_suite hybrid_snapshot_suite = {
	.name = "hybrid_snapshot",
	.test_cases = hybrid_snapshot_cases,
};
