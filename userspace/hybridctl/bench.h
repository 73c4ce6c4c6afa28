/* SPDX-License-Identifier: GPL-2.0-only */
/* The measuring device, debugfs hybrid/bench, and its replacement in user space. */
#ifndef HYBRIDCTL_BENCH_H
#define HYBRIDCTL_BENCH_H

#include "args.h"
#include "sysfs.h"

/**
 * struct hc_bench_result - cycles of one operation, measuring overhead removed
 * @khz: TSC frequency
 * @user: measured in user space
 */
struct hc_bench_result {
	uint64_t count, min, avg, khz;
	bool user;
};

/* One operation that can be measured, or why not. */
struct hc_bench_avail {
	bool available;
	char reason[192];
};

/*
 * Parse what the device says; 0, or -EINVAL.
 * The list: lines of "OP available" or "OP unavailable REASON"; unknown OPs are skipped.
 * A result: "OP COUNT MIN AVG KHZ".
 */
int hc_bench_parse_list(const char *text, struct hc_bench_avail avail[HC_BENCH_NR]);
int hc_bench_parse_result(const char *text, enum hc_bench_op op, struct hc_bench_result *r);

/* Nanoseconds of @cycles, in tenths. */
uint64_t hc_bench_tenths_ns(uint64_t cycles, uint64_t khz);

/* Measures CPUID in user space. */
void hc_bench_user_cpuid(uint32_t count, struct hc_bench_result *r);

#endif
