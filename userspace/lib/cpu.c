// SPDX-License-Identifier: LGPL-2.1-or-later
/* What the driver would say of the CPU's features, where there is no driver. */
#include <cpuid.h>
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/auxv.h>

#include "internal.h"

#define CPUS_MAX	8192	/* what the kernel can have */

static const struct feature {
	uint32_t leaf, subleaf;
	uint8_t reg, bit;
	uint64_t xcr0;
	uint32_t need;
	uint8_t level;
} features[MIGRATE_NOTIFY_F_NR] = {
#define MN_FEATURE(nr, id, name, leaf, subleaf, reg, bit, xcr0, need, level) \
	[nr] = { leaf, subleaf, MIGRATE_NOTIFY_REG_##reg, bit, MIGRATE_NOTIFY_XCR0_##xcr0, \
		 MIGRATE_NOTIFY_NEED_##need, level },
#include <linux/migrate_notify_features.def>
};

static void set(__u64 *words, unsigned int nr)
{
	words[nr / 64] |= 1ull << nr % 64;
}

/* Out of range, a CPU answers with other leaves' data. */
static bool read_leaf(uint32_t leaf, uint32_t subleaf, uint32_t r[4])
{
	uint32_t subleaves, b, c, d;

	if ((uint32_t)__get_cpuid_max(leaf & 0x80000000, NULL) < leaf)
		return false;
	if (leaf == 7 && subleaf) {
		__cpuid_count(7, 0, subleaves, b, c, d);
		if (subleaf > subleaves)
			return false;
	}
	__cpuid_count(leaf, subleaf, r[0], r[1], r[2], r[3]);
	return true;
}

static bool has(uint32_t leaf, int reg, int bit)
{
	uint32_t r[4];

	return read_leaf(leaf, 0, r) && r[reg] >> bit & 1;
}

static uint64_t read_xcr0(void)
{
	uint32_t lo, hi;

	if (!has(1, MIGRATE_NOTIFY_REG_ECX, 27))
		return 0;
	asm volatile("xgetbv" : "=a"(lo), "=d"(hi) : "c"(0));
	return (uint64_t)hi << 32 | lo;
}

/* The kernel sets the register on CPUs that it knew to have RDTSCP or RDPID at boot. */
static bool tsc_aux_is_cpu(void)
{
	uint32_t lo, hi, aux;
	unsigned int cpu;

	if (!has(0x80000001, MIGRATE_NOTIFY_REG_EDX, 27))
		return false;
	/* The scheduler may move us between the two. */
	for (int i = 0; i < 5; i++) {
		if (getcpu(&cpu, NULL))
			return false;
		asm volatile("rdtscp" : "=a"(lo), "=d"(hi), "=c"(aux));
		if ((aux & 0xfff) == cpu)
			return true;
	}
	return false;
}

/* One CPU, that we are bound to (or the only one that we can see). */
static void read_cpu(struct migrate_notify_page *p)
{
	const struct feature *last = NULL;
	uint64_t xcr0 = read_xcr0();
	uint32_t kernel = 0, r[4];
	bool there = false;
	__u64 here[MIGRATE_NOTIFY_FEATURE_WORDS] = { 0 };

	if (has(1, MIGRATE_NOTIFY_REG_ECX, 27))
		kernel |= MIGRATE_NOTIFY_NEED_OSXSAVE;
	if (has(7, MIGRATE_NOTIFY_REG_ECX, 4))
		kernel |= MIGRATE_NOTIFY_NEED_OSPKE;
	if (getauxval(AT_HWCAP2) & 2)
		kernel |= MIGRATE_NOTIFY_NEED_FSGSBASE;
	if (tsc_aux_is_cpu())
		kernel |= MIGRATE_NOTIFY_NEED_TSC_AUX;

	for (unsigned int nr = 0; nr < MIGRATE_NOTIFY_F_NR; nr++) {
		const struct feature *f = &features[nr];

		/* Each CPUID is an exit to the hypervisor. */
		if (!last || last->leaf != f->leaf || last->subleaf != f->subleaf)
			there = read_leaf(f->leaf, f->subleaf, r);
		last = f;
		if (!there || !(r[f->reg] >> f->bit & 1))
			continue;
		set(here, nr);
		set(p->somewhere, nr);
		if ((xcr0 & f->xcr0) != f->xcr0)
			set(p->no_xcr0, nr);
		if (f->need & ~kernel)
			set(p->no_kernel, nr);
	}
	for (int w = 0; w < MIGRATE_NOTIFY_FEATURE_WORDS; w++)
		p->everywhere[w] = p->cpus ? p->everywhere[w] & here[w] : here[w];
	p->xcr0 = p->cpus ? p->xcr0 & xcr0 : xcr0;
	p->cpus++;
}

static uint32_t level_of(const __u64 *usable)
{
	for (uint32_t level = 1; level <= 4; level++)
		for (unsigned int nr = 0; nr < MIGRATE_NOTIFY_F_NR; nr++)
			if (features[nr].level == level && !mn_in(usable, nr))
				return level - 1;
	return 4;
}

/* In a thread of its own, whose binding to one CPU after the other disturbs nobody. */
static void *read_all(void *arg)
{
	struct migrate_notify_page *p = arg;
	size_t size = CPU_ALLOC_SIZE(CPUS_MAX);
	cpu_set_t *mine = CPU_ALLOC(CPUS_MAX), *one = CPU_ALLOC(CPUS_MAX);

	if (mine && one && !sched_getaffinity(0, size, mine)) {
		for (int cpu = 0; cpu < CPUS_MAX; cpu++) {
			if (!CPU_ISSET_S(cpu, size, mine))
				continue;
			mn_zero(one, size);
			CPU_SET_S(cpu, size, one);
			/* It may have gone offline. */
			if (!sched_setaffinity(0, size, one))
				read_cpu(p);
		}
	}
	CPU_FREE(mine);
	CPU_FREE(one);
	return NULL;
}

/* Signals are for the program's own threads. */
static void read_in_thread(struct migrate_notify_page *p)
{
	sigset_t every, old;
	pthread_t thread;

	sigfillset(&every);
	pthread_sigmask(SIG_SETMASK, &every, &old);
	if (!pthread_create(&thread, NULL, read_all, p))
		pthread_join(thread, NULL);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
}

void mn_cpu_page(struct migrate_notify_page *p, bool all)
{
	uint32_t a, b, c, d;

	mn_zero(p, sizeof(*p));
	p->magic = MIGRATE_NOTIFY_MAGIC;
	p->version = MIGRATE_NOTIFY_VERSION;
	p->size = sizeof(*p);
	p->nr_features = MIGRATE_NOTIFY_F_NR;
	p->feature_generation = 1;
	__cpuid(0, a, b, c, d);
	mn_copy(p->vendor, (uint32_t[]){ b, d, c }, sizeof(p->vendor));
	if (a >= 1)
		__cpuid(1, p->signature, b, c, d);
	if (all)
		read_in_thread(p);
	/* Also if no thread was to be had, or no CPU to be bound to: this one stands for all. */
	if (!p->cpus)
		read_cpu(p);
	for (int w = 0; w < MIGRATE_NOTIFY_FEATURE_WORDS; w++) {
		p->no_xcr0[w] &= p->everywhere[w];
		p->no_kernel[w] &= p->everywhere[w];
		p->usable[w] = p->everywhere[w] & ~p->no_xcr0[w] & ~p->no_kernel[w];
	}
	p->level = level_of(p->usable);
}
