/* SPDX-License-Identifier: GPL-2.0-only */
/* The command line. */
#ifndef HYBRIDCTL_ARGS_H
#define HYBRIDCTL_ARGS_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#define HC_BENCH_COUNT_DEFAULT	1000
#define HC_BENCH_COUNT_MAX	1000000

/* hc_args.want, where it is no enum pvirq_want */
#define HC_IRQ_LIST	(-1)
#define HC_IRQ_SET	(-2)	/* while the words are being parsed */

/* Exit codes, part of the interface: see hybridctl(8). */
enum hc_exit {
	HC_EXIT_OK	= 0,
	HC_EXIT_FAILURE	= 1,
	HC_EXIT_USAGE	= 2,
	HC_EXIT_MODULE	= 3,
	HC_EXIT_PERM	= 5,
};

/* The operations that debugfs hybrid/bench knows, Documentation/abi/sysfs-module-hybrid.txt */
enum hc_bench_op {
	HC_BENCH_CPUID,
	HC_BENCH_RDMSR_TSC_ADJUST,
	HC_BENCH_WRMSR_TSC_ADJUST,
	HC_BENCH_RDMSR_APICBASE,
	HC_BENCH_PIO,
	HC_BENCH_MMIO,
	HC_BENCH_LAPIC,
	HC_BENCH_HYPERCALL,
	HC_BENCH_IPI,
	HC_BENCH_TIMER,
	HC_BENCH_NR
};

const char *hc_bench_name(enum hc_bench_op op);

enum hc_command {
	HC_CMD_HELP,
	HC_CMD_VERSION,
	HC_CMD_STATUS,
	HC_CMD_EXPLAIN,
	HC_CMD_BENCH,
	HC_CMD_ADVISE,
	HC_CMD_IRQ,
};

/**
 * struct hc_args - a command line that makes sense
 * @help: show the help of @command instead of running it
 * @op: explain: an enum hybrid_op
 * @who: irq set: an interrupt's number or a device's address; empty to list
 * @want: irq set: an enum pvirq_want; HC_IRQ_LIST to list
 * @bench: bench: set of 1 << enum hc_bench_op, 0 for all that there are
 */
struct hc_args {
	enum hc_command command;
	bool help;
	bool json;
	bool list;
	int op;
	char who[24];
	int want;
	uint32_t bench;
	uint32_t count;
};

/**
 * hc_args_parse() - make sense of a command line
 * @a: filled in on success
 * @err: gets one line that says what is wrong and what would be right
 *
 * Return: 0, or -EINVAL.
 */
int hc_args_parse(struct hc_args *a, int argc, char **argv, FILE *err);

void hc_args_help(const struct hc_args *a, FILE *out);

#endif
