/* SPDX-License-Identifier: GPL-2.0-only */
/* Which CPU features every online CPU has, and may be used (pure). */
#ifndef MIGRATE_NOTIFY_FEATDIFF_H
#define MIGRATE_NOTIFY_FEATDIFF_H

#include <linux/migrate_notify.h>
#include <linux/types.h>

#define MN_WORDS	MIGRATE_NOTIFY_FEATURE_WORDS

/* One CPUID answer, indexed by enum migrate_notify_reg. */
struct mn_regs {
	u32 r[4];
};

/*
 * Leaf and subleaf, named as the table of features writes them: a feature of a leaf that is
 * not read does not compile.
 */
enum mn_leaf {
	MN_LEAF_0x0_0,
	MN_LEAF_0x1_0,
	MN_LEAF_0x7_0,
	MN_LEAF_0x7_1,
	MN_LEAF_0xb_0,
	MN_LEAF_0xb_1,
	MN_LEAF_0xd_1,
	MN_LEAF_0x15_0,
	MN_LEAF_0x80000000_0,
	MN_LEAF_0x80000001_0,
	MN_LEAF_0x80000007_0,
	MN_LEAF_0x80000008_0,
	MN_LEAVES
};

/**
 * struct mn_cpu - one CPU, read once
 * @leaf: CPUID; all 0 where the CPU does not have the leaf
 * @xcr0: 0 without OSXSAVE
 * @kernel: MIGRATE_NOTIFY_NEED_ bits that are switched on
 */
struct mn_cpu {
	struct mn_regs leaf[MN_LEAVES];
	u64 xcr0;
	u32 kernel;
};

/**
 * struct mn_reader - how to look at the CPU that runs this
 * @cpuid: any leaf
 * @xgetbv: XCR0; called only with OSXSAVE
 * @kernel: MIGRATE_NOTIFY_NEED_ bits that CPUID does not tell: FSGSBASE, TSC_AUX
 */
struct mn_reader {
	void (*cpuid)(u32 leaf, u32 subleaf, struct mn_regs *out);
	u64 (*xgetbv)(void);
	u32 kernel;
};

/**
 * struct mn_features - all online CPUs together
 * Fields are named and mean as in struct migrate_notify_page.
 * @kernel: MIGRATE_NOTIFY_NEED_ bits that all CPUs have
 */
struct mn_features {
	u64 usable[MN_WORDS];
	u64 everywhere[MN_WORDS];
	u64 somewhere[MN_WORDS];
	u64 no_xcr0[MN_WORDS];
	u64 no_kernel[MN_WORDS];
	u64 xcr0;
	u32 kernel;
	u32 cpus;
	u32 level;
	u32 signature;
	char vendor[12];
	u32 tsc_khz;
	u32 threads_per_core;
	u32 cpus_per_package;
};

/* Reads the CPU that runs this, bounded by its maximum leaves. About a dozen CPUIDs. */
void mn_cpu_read(struct mn_cpu *c, const struct mn_reader *r);

/* All zero, then one CPU after the other, then what follows from them. */
void mn_features_add(struct mn_features *f, const struct mn_cpu *c);
void mn_features_finish(struct mn_features *f);

/* What is in @after and not in @before, and the other way round; true if anything. */
bool mn_features_diff(const u64 before[MN_WORDS], const u64 after[MN_WORDS],
		      u64 added[MN_WORDS], u64 removed[MN_WORDS]);

/* The feature of that name, of @len bytes, or -1. */
int mn_feature_find(const char *name, size_t len);

/* NULL if there is no such feature. */
const char *mn_feature_name(u32 nr);

static inline bool mn_words_test(const u64 words[MN_WORDS], u32 nr)
{
	return words[nr / 64] >> nr % 64 & 1;
}

static inline void mn_words_set(u64 words[MN_WORDS], u32 nr)
{
	words[nr / 64] |= 1ULL << nr % 64;
}

#endif
