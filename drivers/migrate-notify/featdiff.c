// SPDX-License-Identifier: GPL-2.0-only
/* CPUID of every CPU -> which features may be used, and what changed (pure). */
#include <linux/bits.h>
#include <linux/kernel.h>
#include <linux/math64.h>
#include <linux/string.h>

#include <migrate-notify/featdiff.h>

#define EAX	MIGRATE_NOTIFY_REG_EAX
#define EBX	MIGRATE_NOTIFY_REG_EBX
#define ECX	MIGRATE_NOTIFY_REG_ECX
#define EDX	MIGRATE_NOTIFY_REG_EDX

#define LEAF1_ECX_XSAVE		BIT(26)
#define LEAF1_ECX_OSXSAVE	BIT(27)
#define LEAF1_EDX_HTT		BIT(28)
#define LEAF7_ECX_OSPKE		BIT(4)
#define TOPOLOGY_SMT		1
#define TOPOLOGY_CORE		2

struct feature {
	const char *name;
	u64 xcr0;
	u8 leaf;	/* enum mn_leaf */
	u8 reg;
	u8 bit;
	u8 need;
	u8 level;
};

static const struct feature table[MIGRATE_NOTIFY_F_NR] = {
#define MN_FEATURE(nr, id, its_name, its_leaf, subleaf, its_reg, its_bit, its_xcr0, its_need, lvl) \
	[nr] = {								\
		.name	= its_name,						\
		.xcr0	= MIGRATE_NOTIFY_XCR0_##its_xcr0,			\
		.leaf	= MN_LEAF_##its_leaf##_##subleaf,			\
		.reg	= its_reg,						\
		.bit	= its_bit,						\
		.need	= MIGRATE_NOTIFY_NEED_##its_need,			\
		.level	= lvl,							\
	},
#include <linux/migrate_notify_features.def>
};

static void read_leaf(struct mn_cpu *c, const struct mn_reader *r, enum mn_leaf which,
		      u32 leaf, u32 subleaf)
{
	r->cpuid(leaf, subleaf, &c->leaf[which]);
}

/* A CPU answers a leaf that it does not have with the data of another one: never ask. */
void mn_cpu_read(struct mn_cpu *c, const struct mn_reader *r)
{
	u32 basic, ext;

	memset(c, 0, sizeof(*c));
	read_leaf(c, r, MN_LEAF_0x0_0, 0, 0);
	basic = c->leaf[MN_LEAF_0x0_0].r[EAX];
	if (basic >= 0x1)
		read_leaf(c, r, MN_LEAF_0x1_0, 0x1, 0);
	if (basic >= 0x7)
		read_leaf(c, r, MN_LEAF_0x7_0, 0x7, 0);
	if (c->leaf[MN_LEAF_0x7_0].r[EAX] >= 1)
		read_leaf(c, r, MN_LEAF_0x7_1, 0x7, 1);
	if (basic >= 0xb) {
		read_leaf(c, r, MN_LEAF_0xb_0, 0xb, 0);
		read_leaf(c, r, MN_LEAF_0xb_1, 0xb, 1);
	}
	if (basic >= 0xd && c->leaf[MN_LEAF_0x1_0].r[ECX] & LEAF1_ECX_XSAVE)
		read_leaf(c, r, MN_LEAF_0xd_1, 0xd, 1);
	if (basic >= 0x15)
		read_leaf(c, r, MN_LEAF_0x15_0, 0x15, 0);

	read_leaf(c, r, MN_LEAF_0x80000000_0, 0x80000000, 0);
	ext = c->leaf[MN_LEAF_0x80000000_0].r[EAX];
	if (ext >> 16 == 0x8000) {
		if (ext >= 0x80000001)
			read_leaf(c, r, MN_LEAF_0x80000001_0, 0x80000001, 0);
		if (ext >= 0x80000007)
			read_leaf(c, r, MN_LEAF_0x80000007_0, 0x80000007, 0);
		if (ext >= 0x80000008)
			read_leaf(c, r, MN_LEAF_0x80000008_0, 0x80000008, 0);
	}

	c->kernel = r->kernel;
	if (c->leaf[MN_LEAF_0x1_0].r[ECX] & LEAF1_ECX_OSXSAVE) {
		c->kernel |= MIGRATE_NOTIFY_NEED_OSXSAVE;
		c->xcr0 = r->xgetbv();
	}
	if (c->leaf[MN_LEAF_0x7_0].r[ECX] & LEAF7_ECX_OSPKE)
		c->kernel |= MIGRATE_NOTIFY_NEED_OSPKE;
}

static void read_topology(struct mn_features *f, const struct mn_cpu *c)
{
	const u32 *smt = c->leaf[MN_LEAF_0xb_0].r, *core = c->leaf[MN_LEAF_0xb_1].r;
	const u32 *leaf1 = c->leaf[MN_LEAF_0x1_0].r;

	if ((smt[ECX] >> 8 & 0xff) == TOPOLOGY_SMT)
		f->threads_per_core = smt[EBX] & 0xffff;
	if ((core[ECX] >> 8 & 0xff) == TOPOLOGY_CORE)
		f->cpus_per_package = core[EBX] & 0xffff;
	else if (leaf1[EDX] & LEAF1_EDX_HTT)
		f->cpus_per_package = leaf1[EBX] >> 16 & 0xff;
}

/* Crystal clock x numerator / denominator; a CPU that does not say leaves one of them 0. */
static u32 tsc_khz(const u32 leaf15[4])
{
	u64 khz;

	if (!leaf15[EAX])
		return 0;
	khz = div_u64((u64)leaf15[ECX] * leaf15[EBX], leaf15[EAX]);
	khz = div_u64(khz, 1000);
	return khz <= U32_MAX ? khz : 0;
}

static void first_cpu(struct mn_features *f, const struct mn_cpu *c)
{
	const u32 *leaf0 = c->leaf[MN_LEAF_0x0_0].r;
	const u32 vendor[] = { leaf0[EBX], leaf0[EDX], leaf0[ECX] };

	memcpy(f->vendor, vendor, sizeof(f->vendor));
	f->signature = c->leaf[MN_LEAF_0x1_0].r[EAX];
	f->tsc_khz = tsc_khz(c->leaf[MN_LEAF_0x15_0].r);
	read_topology(f, c);
	f->xcr0 = c->xcr0;
	f->kernel = c->kernel;
	memset(f->everywhere, 0xff, sizeof(f->everywhere));
}

void mn_features_add(struct mn_features *f, const struct mn_cpu *c)
{
	u64 has[MN_WORDS] = {};
	u32 i;

	if (!f->cpus++)
		first_cpu(f, c);
	for (i = 0; i < ARRAY_SIZE(table); i++)
		if (c->leaf[table[i].leaf].r[table[i].reg] >> table[i].bit & 1)
			mn_words_set(has, i);
	for (i = 0; i < MN_WORDS; i++) {
		f->everywhere[i] &= has[i];
		f->somewhere[i] |= has[i];
	}
	f->xcr0 &= c->xcr0;
	f->kernel &= c->kernel;
}

void mn_features_finish(struct mn_features *f)
{
	u32 i, missing = 5;

	for (i = 0; i < ARRAY_SIZE(table); i++) {
		const struct feature *t = &table[i];

		if (mn_words_test(f->everywhere, i)) {
			/* Without the state, what else the kernel did does not matter. */
			if ((f->xcr0 & t->xcr0) != t->xcr0)
				mn_words_set(f->no_xcr0, i);
			else if ((f->kernel & t->need) != t->need)
				mn_words_set(f->no_kernel, i);
			else
				mn_words_set(f->usable, i);
		}
		if (t->level && t->level < missing && !mn_words_test(f->usable, i))
			missing = t->level;
	}
	f->level = missing - 1;
}

bool mn_features_diff(const u64 before[MN_WORDS], const u64 after[MN_WORDS],
		      u64 added[MN_WORDS], u64 removed[MN_WORDS])
{
	u64 any = 0;
	u32 i;

	for (i = 0; i < MN_WORDS; i++) {
		added[i] = after[i] & ~before[i];
		removed[i] = before[i] & ~after[i];
		any |= added[i] | removed[i];
	}
	return any;
}

int mn_feature_find(const char *name, size_t len)
{
	u32 i;

	for (i = 0; i < ARRAY_SIZE(table); i++)
		if (strlen(table[i].name) == len && !memcmp(table[i].name, name, len))
			return i;
	return -1;
}

const char *mn_feature_name(u32 nr)
{
	return nr < ARRAY_SIZE(table) ? table[nr].name : NULL;
}
