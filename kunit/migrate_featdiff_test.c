// SPDX-License-Identifier: GPL-2.0-only
/* Features of honest, mixed and hostile CPUs. */
#include <kunit/test.h>
#include <linux/bits.h>
#include <linux/kernel.h>
#include <linux/string.h>

#include <migrate-notify/featdiff.h>

#include "hybrid_suites.h"

#define EAX	MIGRATE_NOTIFY_REG_EAX
#define EBX	MIGRATE_NOTIFY_REG_EBX
#define ECX	MIGRATE_NOTIFY_REG_ECX
#define EDX	MIGRATE_NOTIFY_REG_EDX
#define F(id)	MIGRATE_NOTIFY_F_##id

#define OSXSAVE	BIT(27)
#define AVX	BIT(28)

/* The CPU that the reader sees. */
static struct {
	u32 max_basic, max_ext, max_7;
	u32 leaf1_ecx, leaf7_ebx, all;
	u64 xcr0;
	u32 beyond;	/* leaves asked for that are not there */
	bool xgetbv_faults;
} cpu;

static void fake_cpuid(u32 leaf, u32 subleaf, struct mn_regs *out)
{
	bool ext = leaf >= 0x80000000;

	memset(out, 0xff, sizeof(*out));
	if (leaf > (ext ? cpu.max_ext : cpu.max_basic) || (leaf == 7 && subleaf > cpu.max_7)) {
		/* A real CPU answers with another leaf's data: ones. */
		cpu.beyond += leaf != 0x80000000;
		return;
	}
	memset(out, cpu.all, sizeof(*out));
	if (!leaf) {
		memcpy(&out->r[EBX], "Auth", 4);
		memcpy(&out->r[EDX], "enti", 4);
		memcpy(&out->r[ECX], "cAMD", 4);
		out->r[EAX] = cpu.max_basic;
	} else if (leaf == 1) {
		out->r[ECX] |= cpu.leaf1_ecx;
	} else if (leaf == 7 && !subleaf) {
		out->r[EAX] = cpu.max_7;
		out->r[EBX] |= cpu.leaf7_ebx;
	} else if (leaf == 0x80000000) {
		out->r[EAX] = cpu.max_ext;
	}
}

static u64 fake_xgetbv(void)
{
	cpu.xgetbv_faults |= !((cpu.leaf1_ecx | cpu.all) & OSXSAVE);
	return cpu.xcr0;
}

static void look(struct mn_features *f, u32 kernel)
{
	const struct mn_reader reader = { fake_cpuid, fake_xgetbv, kernel };
	struct mn_cpu c;

	mn_cpu_read(&c, &reader);
	mn_features_add(f, &c);
}

static int setup(struct kunit *test)
{
	memset(&cpu, 0, sizeof(cpu));
	cpu.max_basic = 0x1f;
	cpu.max_ext = 0x80000028;
	cpu.max_7 = 1;
	return 0;
}

static void disjoint(struct kunit *test, const struct mn_features *f)
{
	u32 i;

	for (i = 0; i < MN_WORDS; i++) {
		KUNIT_EXPECT_EQ(test, f->usable[i] | f->no_xcr0[i] | f->no_kernel[i],
				f->everywhere[i]);
		KUNIT_EXPECT_EQ(test, f->usable[i] & (f->no_xcr0[i] | f->no_kernel[i]), 0);
		KUNIT_EXPECT_EQ(test, f->no_xcr0[i] & f->no_kernel[i], 0);
		KUNIT_EXPECT_EQ(test, f->everywhere[i] & ~f->somewhere[i], 0);
	}
	for (i = MIGRATE_NOTIFY_F_NR; i < 64 * MN_WORDS; i++)
		KUNIT_EXPECT_FALSE(test, mn_words_test(f->somewhere, i));
}

/* AVX without its state, then with it. */
static void state_decides(struct kunit *test)
{
	struct mn_features f = {};

	cpu.leaf1_ecx = AVX;
	cpu.leaf7_ebx = BIT(5);
	look(&f, 0);
	mn_features_finish(&f);
	KUNIT_EXPECT_TRUE(test, mn_words_test(f.no_xcr0, F(AVX2)));
	KUNIT_EXPECT_FALSE(test, mn_words_test(f.usable, F(AVX)));
	KUNIT_EXPECT_FALSE(test, cpu.xgetbv_faults);
	disjoint(test, &f);

	memset(&f, 0, sizeof(f));
	cpu.leaf1_ecx |= OSXSAVE;
	cpu.xcr0 = 7;
	look(&f, 0);
	mn_features_finish(&f);
	KUNIT_EXPECT_TRUE(test, mn_words_test(f.usable, F(AVX2)));
	KUNIT_EXPECT_EQ(test, f.xcr0, 7);
	KUNIT_EXPECT_EQ(test, f.level, 0);
	disjoint(test, &f);
}

/* Everything there, and everything switched on by degrees: the level follows. */
static void levels(struct kunit *test)
{
	static const struct { u64 xcr0; u32 level; } steps[] = {
		{ 0, 2 }, { 3, 2 }, { 7, 3 }, { 0x67, 3 }, { 0xe7, 4 }, { ~0ULL, 4 },
	};
	u32 i;

	cpu.all = 0xff;
	for (i = 0; i < ARRAY_SIZE(steps); i++) {
		struct mn_features f = {};

		cpu.xcr0 = steps[i].xcr0;
		look(&f, ~0u);
		mn_features_finish(&f);
		KUNIT_EXPECT_EQ_MSG(test, f.level, steps[i].level, "xcr0 %llx",
				    (unsigned long long)steps[i].xcr0);
		disjoint(test, &f);
	}
}

static void kernel_decides(struct kunit *test)
{
	struct mn_features f = {};

	cpu.leaf7_ebx = BIT(0);
	look(&f, 0);
	mn_features_finish(&f);
	KUNIT_EXPECT_TRUE(test, mn_words_test(f.no_kernel, F(FSGSBASE)));
	memset(&f, 0, sizeof(f));
	look(&f, MIGRATE_NOTIFY_NEED_FSGSBASE);
	mn_features_finish(&f);
	KUNIT_EXPECT_TRUE(test, mn_words_test(f.usable, F(FSGSBASE)));
}

/* One of two CPUs has it: it is somewhere, and not usable. */
static void every_cpu(struct kunit *test)
{
	struct mn_features f = {};

	cpu.leaf7_ebx = BIT(8) | BIT(29);
	look(&f, 0);
	cpu.leaf7_ebx = BIT(29);
	look(&f, 0);
	mn_features_finish(&f);
	KUNIT_EXPECT_EQ(test, f.cpus, 2);
	KUNIT_EXPECT_TRUE(test, mn_words_test(f.usable, F(SHA)));
	KUNIT_EXPECT_FALSE(test, mn_words_test(f.usable, F(BMI2)));
	KUNIT_EXPECT_FALSE(test, mn_words_test(f.everywhere, F(BMI2)));
	KUNIT_EXPECT_TRUE(test, mn_words_test(f.somewhere, F(BMI2)));
	disjoint(test, &f);
}

struct last_leaves {
	const char *name;
	u32 max_basic, max_ext, max_7;
};

static const struct last_leaves ranges[] = {
	{ "nothing", 0, 0, 0 },
	{ "leaf 1", 1, 0x80000000, 0 },
	{ "leaf 6", 6, 0x80000001, 0 },
	{ "leaf 7", 7, 0x80000006, 0 },
	{ "leaf 7.1", 7, 0x80000007, 1 },
	{ "leaf 0xc", 0xc, 0x80000008, 1 },
	{ "leaf 0x14", 0x14, 0x8000ffff, ~0u },
	{ "extended above", ~0u, 0x80010000, 0 },
	{ "extended of another kind", 0x1f, 0x40000001, 0 },
	{ "all", ~0u, ~0u, ~0u },
};

static void range_desc(const struct last_leaves *r, char *desc)
{
	strcpy(desc, r->name);
}
KUNIT_ARRAY_PARAM(ranges, ranges, range_desc);

/* No leaf is asked for that the CPU does not have: it would answer with ones here. */
static void bounded(struct kunit *test)
{
	const struct last_leaves *r = test->param_value;
	struct mn_features f = {};

	cpu.max_basic = r->max_basic;
	cpu.max_ext = r->max_ext;
	cpu.max_7 = r->max_7;
	look(&f, 0);
	mn_features_finish(&f);
	KUNIT_EXPECT_EQ(test, cpu.beyond, 0);
	disjoint(test, &f);
}

/* Each bit of each leaf, alone, is no more than one feature, and each feature is one's. */
static void table_is_sound(struct kunit *test)
{
	u32 leaf, reg, bit, hits = 0;

	for (leaf = 0; leaf < MN_LEAVES; leaf++)
	for (reg = 0; reg < 4; reg++)
	for (bit = 0; bit < 32; bit++) {
		struct mn_features f = {};
		struct mn_cpu c = { .xcr0 = ~0ULL, .kernel = ~0u };
		u32 i, n = 0;

		c.leaf[leaf].r[reg] = BIT(bit);
		mn_features_add(&f, &c);
		mn_features_finish(&f);
		for (i = 0; i < MIGRATE_NOTIFY_F_NR; i++)
			n += mn_words_test(f.usable, i);
		KUNIT_ASSERT_LE(test, n, 1u);
		hits += n;
	}
	KUNIT_EXPECT_EQ(test, hits, (u32)MIGRATE_NOTIFY_F_NR);
}

static void names(struct kunit *test)
{
	int i;

	for (i = 0; i < MIGRATE_NOTIFY_F_NR; i++) {
		const char *name = mn_feature_name(i);

		KUNIT_ASSERT_NOT_NULL(test, name);
		KUNIT_EXPECT_EQ_MSG(test, mn_feature_find(name, strlen(name)), i, "%s", name);
	}
	KUNIT_EXPECT_TRUE(test, !mn_feature_name(i));
	KUNIT_EXPECT_EQ(test, mn_feature_find("avx", 3), F(AVX));
	KUNIT_EXPECT_EQ(test, mn_feature_find("avx2", 3), F(AVX));
	KUNIT_EXPECT_EQ(test, mn_feature_find("", 0), -1);
	KUNIT_EXPECT_EQ(test, mn_feature_find("AVX", 3), -1);
	/* ABI: these numbers never change. */
	KUNIT_EXPECT_EQ(test, F(FPU), 0);
	KUNIT_EXPECT_EQ(test, F(AES), 18);
	KUNIT_EXPECT_EQ(test, F(AVX2), 36);
	KUNIT_EXPECT_EQ(test, F(AMX_TILE), 71);
	KUNIT_EXPECT_EQ(test, F(RDPRU), 96);
}

static void differences(struct kunit *test)
{
	const u64 a[MN_WORDS] = { 0xff, 0, 0, 1 }, b[MN_WORDS] = { 0xf1, 2, 0, 1 };
	u64 added[MN_WORDS], removed[MN_WORDS];

	KUNIT_EXPECT_FALSE(test, mn_features_diff(a, a, added, removed));
	KUNIT_EXPECT_TRUE(test, mn_features_diff(a, b, added, removed));
	KUNIT_EXPECT_EQ(test, added[0], 0);
	KUNIT_EXPECT_EQ(test, added[1], 2);
	KUNIT_EXPECT_EQ(test, removed[0], 0xe);
	KUNIT_EXPECT_EQ(test, removed[3] | added[3], 0);
}

static void hints(struct kunit *test)
{
	struct mn_features f = {};
	struct mn_cpu c = {};

	c.leaf[MN_LEAF_0x15_0] = (struct mn_regs){ { 2, 200, 24000000, 0 } };
	c.leaf[MN_LEAF_0xb_0] = (struct mn_regs){ { 1, 2, 0x100, 0 } };
	c.leaf[MN_LEAF_0xb_1] = (struct mn_regs){ { 4, 16, 0x201, 0 } };
	mn_features_add(&f, &c);
	KUNIT_EXPECT_EQ(test, f.tsc_khz, 2400000);
	KUNIT_EXPECT_EQ(test, f.threads_per_core, 2);
	KUNIT_EXPECT_EQ(test, f.cpus_per_package, 16);

	memset(&f, 0, sizeof(f));
	c.leaf[MN_LEAF_0x15_0] = (struct mn_regs){ { 1, ~0u, ~0u, 0 } };
	mn_features_add(&f, &c);
	KUNIT_EXPECT_EQ(test, f.tsc_khz, 0);
}

static struct kunit_case migrate_featdiff_cases[] = {
	KUNIT_CASE(state_decides),
	KUNIT_CASE(levels),
	KUNIT_CASE(kernel_decides),
	KUNIT_CASE(every_cpu),
	KUNIT_CASE_PARAM(bounded, ranges_gen_params),
	KUNIT_CASE(table_is_sound),
	KUNIT_CASE(names),
	KUNIT_CASE(differences),
	KUNIT_CASE(hints),
	{}
};

struct kunit_suite migrate_featdiff_suite = {
	.name = "migrate_featdiff",
	.init = setup,
	.test_cases = migrate_featdiff_cases,
};
