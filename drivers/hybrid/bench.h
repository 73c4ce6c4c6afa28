/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef HYBRID_BENCH_H
#define HYBRID_BENCH_H

#include <linux/types.h>

#define HYBRID_BENCH_MAX	1000000	/* operations per run */
#define HYBRID_BENCH_TEXT	1024	/* enough for either answer */

/* Lists the operations, available or not, as text. */
void hybrid_bench_list(char text[HYBRID_BENCH_TEXT]);

/**
 * hybrid_bench_run() - run one operation many times
 * @request: "OP COUNT"; is modified
 * @text: set to the result on success only
 *
 * Return: 0, or -EINVAL, -ENODEV, -EINTR as documented for the file. Context: may sleep.
 */
int hybrid_bench_run(char *request, char text[HYBRID_BENCH_TEXT]);

#endif
