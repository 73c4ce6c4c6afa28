/* SPDX-License-Identifier: GPL-2.0-only */
/* One function per command; each returns an enum hc_exit. */
#ifndef HYBRIDCTL_COMMANDS_H
#define HYBRIDCTL_COMMANDS_H

#include "args.h"
#include "state.h"

/* What all of them say when it is so. */
#define HC_NO_MODULE \
	"hybrid.ko is not loaded (modprobe hybrid): this is what CPUID tells user space"

int hc_status(const struct hc_args *a, const struct hc_roots *roots, FILE *out);
int hc_explain(const struct hc_args *a, const struct hc_roots *roots, FILE *out);
int hc_bench(const struct hc_args *a, const struct hc_roots *roots, FILE *out);
int hc_irq(const struct hc_args *a, const struct hc_roots *roots, FILE *out);
int hc_advise(const struct hc_args *a, const struct hc_roots *roots, FILE *out);

#endif
