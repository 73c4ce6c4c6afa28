// SPDX-License-Identifier: GPL-2.0-only
/* Any CPUs at all: no leaf beyond the maximum is asked for, and every feature has one state. */
#include <stdlib.h>
#include <string.h>

#include <migrate-notify/featdiff.h>

static const u8 *data;
static size_t size;

static void take(void *to, size_t n)
{
	size_t have = n < size ? n : size;

	memset(to, 0, n);
	memcpy(to, data, have);
	data += have;
	size -= have;
}

static u32 max_basic, max_ext, max_7;

static void cpuid(u32 leaf, u32 subleaf, struct mn_regs *out)
{
	take(out, sizeof(*out));
	if (leaf == 0)
		max_basic = out->r[0];
	else if (leaf == 0x80000000)
		max_ext = out->r[0];
	else if (leaf > (leaf >= 0x80000000 ? max_ext : max_basic))
		abort();
	if (leaf == 7 && !subleaf)
		max_7 = out->r[0];
	else if (leaf == 7 && subleaf > max_7)
		abort();
}

static u64 xgetbv(void)
{
	u64 xcr0;

	take(&xcr0, sizeof(xcr0));
	return xcr0;
}

int LLVMFuzzerTestOneInput(const u8 *input, size_t n)
{
	struct mn_features f[2] = {};
	u64 added[MN_WORDS], removed[MN_WORDS];
	u32 i, which;

	data = input;
	size = n;
	for (which = 0; which < 2; which++) {
		u8 cpus;

		take(&cpus, 1);
		for (i = 0; i <= cpus % 4; i++) {
			struct mn_reader r = { cpuid, xgetbv, 0 };
			struct mn_cpu c;

			take(&r.kernel, 1);
			mn_cpu_read(&c, &r);
			mn_features_add(&f[which], &c);
		}
		mn_features_finish(&f[which]);
		for (i = 0; i < MN_WORDS; i++) {
			const struct mn_features *g = &f[which];

			if ((g->usable[i] | g->no_xcr0[i] | g->no_kernel[i]) != g->everywhere[i] ||
			    g->usable[i] & (g->no_xcr0[i] | g->no_kernel[i]) ||
			    g->no_xcr0[i] & g->no_kernel[i] || g->everywhere[i] & ~g->somewhere[i])
				abort();
		}
		if (f[which].level > 4)
			abort();
	}
	mn_features_diff(f[0].usable, f[1].usable, added, removed);
	for (i = 0; i < MN_WORDS; i++)
		if (((f[0].usable[i] | added[i]) & ~removed[i]) != f[1].usable[i])
			abort();
	return 0;
}
