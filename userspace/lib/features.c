// SPDX-License-Identifier: LGPL-2.1-or-later
/* Names, and what the page says of features. */
#include <errno.h>

#include "internal.h"

#define NR(a)	(sizeof(a) / sizeof((a)[0]))

static const char *const feature_names[MIGRATE_NOTIFY_F_NR] = {
#define MN_FEATURE(nr, id, name, leaf, subleaf, reg, bit, xcr0, need, level) \
	[nr] = name,
#include <linux/migrate_notify_features.def>
};

static const char *word(const char *const *words, size_t nr, unsigned int i)
{
	return i < nr && words[i] ? words[i] : "?";
}

const char *mn_usability_name(int usability)
{
	static const char *const words[] = {
		[MN_ABSENT]		= "absent",
		[MN_USABLE]		= "usable",
		[MN_NO_XCR0]		= "xcr0",
		[MN_NO_KERNEL]		= "kernel",
		[MN_NOT_ALL_CPUS]	= "not-all-cpus",
	};

	return word(words, NR(words), usability);
}

const char *mn_phase_name(unsigned int phase)
{
	static const char *const words[] = {
		[MIGRATE_NOTIFY_IDLE]		= "idle",
		[MIGRATE_NOTIFY_PREPARING]	= "preparing",
		[MIGRATE_NOTIFY_READY]		= "ready",
		[MIGRATE_NOTIFY_TIMED_OUT]	= "timed-out",
		[MIGRATE_NOTIFY_MOVING]		= "moving",
	};

	return word(words, NR(words), phase);
}

const char *mn_type_name(unsigned int type)
{
	static const char *const words[] = {
		[MIGRATE_NOTIFY_EVENT_PREPARE]		= "prepare",
		[MIGRATE_NOTIFY_EVENT_READY]		= "ready",
		[MIGRATE_NOTIFY_EVENT_TIMED_OUT]	= "timed-out",
		[MIGRATE_NOTIFY_EVENT_MOVING]		= "moving",
		[MIGRATE_NOTIFY_EVENT_COMPLETE]		= "complete",
		[MIGRATE_NOTIFY_EVENT_CHANGED]		= "changed",
	};

	return word(words, NR(words), type);
}

const char *mn_status_name(unsigned int status)
{
	static const char *const words[] = {
		[MIGRATE_NOTIFY_STATUS_NONE]	= "none",
		[MIGRATE_NOTIFY_SUCCESS]	= "success",
		[MIGRATE_NOTIFY_CANCELLED]	= "cancelled",
		[MIGRATE_NOTIFY_FAILED]		= "failed",
		[MIGRATE_NOTIFY_UNKNOWN]	= "unknown",
	};

	return word(words, NR(words), status);
}

const char *mn_source_name(unsigned int source)
{
	static const char *const words[] = {
		[MIGRATE_NOTIFY_SOURCE_NONE]	= "driver",
		[MIGRATE_NOTIFY_SOURCE_INJECT]	= "inject",
		[MIGRATE_NOTIFY_SOURCE_XEN]	= "xen",
		[MIGRATE_NOTIFY_SOURCE_VMCLOCK]	= "vmclock",
		[MIGRATE_NOTIFY_SOURCE_PVCLOCK]	= "pvclock",
		[MIGRATE_NOTIFY_SOURCE_HOST]	= "host",
	};

	return word(words, NR(words), source);
}

const char *mn_feature_name(unsigned int nr)
{
	return nr < MIGRATE_NOTIFY_F_NR ? feature_names[nr] : NULL;
}

int mn_feature_find(const char *name)
{
	for (int nr = 0; nr < MIGRATE_NOTIFY_F_NR; nr++)
		if (mn_same(feature_names[nr], name))
			return nr;
	return -ENOENT;
}

/*
 * What compilers switch on along with a feature, or its instructions are encoded with: a
 * hypervisor may hide any bit, and leave those that are nothing without it.
 */
#define F(id)	MIGRATE_NOTIFY_F_##id
static const struct { __u8 nr, needs; } implied[] = {
	{ F(SSE2), F(SSE) }, { F(SSE3), F(SSE2) }, { F(SSSE3), F(SSE3) }, { F(SSE4_1), F(SSSE3) },
	{ F(SSE4_2), F(SSE4_1) }, { F(SSE4_2), F(POPCNT) }, { F(SSE4A), F(SSE3) },
	{ F(AES), F(SSE2) }, { F(PCLMUL), F(SSE2) }, { F(SHA), F(SSE2) }, { F(GFNI), F(SSE2) },
	{ F(AVX), F(SSE4_2) }, { F(FMA), F(AVX) }, { F(F16C), F(AVX) }, { F(FMA4), F(AVX) },
	{ F(FMA4), F(SSE4A) }, { F(XOP), F(FMA4) }, { F(AVX2), F(AVX) },
	{ F(VAES), F(AVX) }, { F(VAES), F(AES) }, { F(VPCLMULQDQ), F(AVX) },
	{ F(VPCLMULQDQ), F(PCLMUL) }, { F(AVXVNNI), F(AVX2) }, { F(AVXIFMA), F(AVX2) },
	{ F(AVXVNNIINT8), F(AVX2) }, { F(AVXVNNIINT16), F(AVX2) }, { F(AVXNECONVERT), F(AVX2) },
	{ F(SHA512), F(AVX2) }, { F(SM3), F(AVX) }, { F(SM4), F(AVX2) },
	{ F(AVX512F), F(AVX2) }, { F(AVX512F), F(FMA) }, { F(AVX512F), F(F16C) },
	{ F(AVX512CD), F(AVX512F) }, { F(AVX512DQ), F(AVX512F) }, { F(AVX512BW), F(AVX512F) },
	{ F(AVX512VL), F(AVX512F) }, { F(AVX512IFMA), F(AVX512F) }, { F(AVX512VBMI), F(AVX512BW) },
	{ F(AVX512VBMI2), F(AVX512BW) }, { F(AVX512VNNI), F(AVX512F) },
	{ F(AVX512BITALG), F(AVX512BW) }, { F(AVX512VPOPCNTDQ), F(AVX512F) },
	{ F(AVX512VP2INTERSECT), F(AVX512F) }, { F(AVX512BF16), F(AVX512BW) },
	{ F(AVX512FP16), F(AVX512BW) }, { F(AVX512FP16), F(AVX512VL) },
	{ F(AVX512FP16), F(AVX512DQ) }, { F(AMX_BF16), F(AMX_TILE) }, { F(AMX_INT8), F(AMX_TILE) },
	{ F(AMX_FP16), F(AMX_TILE) }, { F(AMX_COMPLEX), F(AMX_TILE) },
	{ F(XSAVEOPT), F(XSAVE) }, { F(XSAVEC), F(XSAVE) },
};
#undef F

void mn_feature_needs(unsigned int nr, __u64 *words)
{
	words[nr / 64] |= 1ull << nr % 64;
	for (size_t i = 0; i < NR(implied); i++)
		if (implied[i].nr == nr && !mn_in(words, implied[i].needs))
			mn_feature_needs(implied[i].needs, words);
}

int mn_feature_in(const struct migrate_notify_page *page, unsigned int nr)
{
	if (mn_in(page->usable, nr))
		return MN_USABLE;
	if (!mn_in(page->somewhere, nr))
		return MN_ABSENT;
	if (!mn_in(page->everywhere, nr))
		return MN_NOT_ALL_CPUS;
	return mn_in(page->no_xcr0, nr) ? MN_NO_XCR0 : MN_NO_KERNEL;
}

int mn_feature(const struct mn_ctx *ctx, const char *name)
{
	static const char level[][12] = { "", "x86-64-v1", "x86-64-v2", "x86-64-v3", "x86-64-v4" };
	struct migrate_notify_page page;
	int nr = mn_feature_find(name), wanted, ret;

	for (wanted = 4; wanted && !mn_same(name, level[wanted]); wanted--)
		;
	if (nr < 0 && !wanted)
		return nr;
	ret = mn_page(ctx, &page);
	if (ret)
		return ret;
	if (wanted)
		return page.level >= (unsigned int)wanted ? MN_USABLE : MN_ABSENT;
	return mn_feature_in(&page, nr);
}
