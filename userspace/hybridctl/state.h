/* SPDX-License-Identifier: GPL-2.0-only */
/* What the module found and decided; without it, what CPUID tells user space. */
#ifndef HYBRIDCTL_STATE_H
#define HYBRIDCTL_STATE_H

#include <hybrid/policy.h>

#include "sysfs.h"

#define HC_MAX_LAYERS	8
#define HC_MAX_FEATURES	128

struct hc_layer {
	uint32_t base, max;
	char name[16];
	char sig[32];
};

/* Empty strings are unknown. */
struct hc_op {
	char path[32];
	char reason[32];
	char detail[512];
	char want[32];
	struct hc_num done, avoided, spurious;
	struct hc_num polled_ns, ipis_avoided, upcalls_avoided;	/* of idle; unknown for the others */
};

/**
 * struct hc_state - everything `status` shows
 * @module: hybrid.ko is loaded and the rest comes from it; otherwise it is CPUID's word,
 *	and @generation, @level, @cost and @op are unknown
 * @hv: the hypervisor's name; a newer module may know names that we do not
 * @hv_id: the same as an enum, HYBRID_HV_UNKNOWN for those
 * @feature: names, as given; those of a newer module included
 * @features: mask of those that we know
 * @features_known: mask of those that we could have seen if they were there
 * @nr_cpus: online CPUs
 */
struct hc_state {
	bool module;
	char hv[16];
	enum hybrid_hv hv_id;
	struct hc_layer layer[HC_MAX_LAYERS];
	unsigned int nr_layers;
	char feature[HC_MAX_FEATURES][32];
	unsigned int nr_features;
	uint64_t features;
	uint64_t features_known;
	char xen_version[16];
	char host_abi[32];		/* of our own interface; empty if unknown */
	struct hc_num generation;
	struct {
		struct hc_num estimate;
		char confidence[16];
		struct hc_num ratio;		/* in tenths */
		struct hc_num exits;
	} level;
	struct hc_num cost_ns[HYBRID_PROBE_NR];
	struct hc_num exit_ns;
	struct hc_op op[HYBRID_OP_NR];
	uint32_t nr_cpus;
};

/* CPUID as user space may execute it. */
extern const struct hybrid_reader hc_cpuid_reader;

/**
 * hc_state_read() - fill in @st
 * @roots: where to look
 * @reader: executes CPUID
 *
 * Whatever is missing or makes no sense is left unknown, with a word on stderr where
 * the module should have given it.
 */
void hc_state_read(struct hc_state *st, const struct hc_roots *roots,
		   const struct hybrid_reader *reader);

static inline bool hc_state_has(const struct hc_state *st, enum hybrid_feature f)
{
	return st->features >> f & 1;
}

enum hc_tri hc_state_feature(const struct hc_state *st, enum hybrid_feature f);

/* The index of an operation by its name, or -EINVAL. */
int hc_op_find(const char *name);

#endif
