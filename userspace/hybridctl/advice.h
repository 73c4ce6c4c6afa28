/* SPDX-License-Identifier: GPL-2.0-only */
/* What an operator could change: rules over plain data (pure). */
#ifndef HYBRIDCTL_ADVICE_H
#define HYBRIDCTL_ADVICE_H

#include "state.h"

#define HC_EVIDENCE_MAX	256

enum hc_severity {
	HC_LOW,
	HC_MEDIUM,
	HC_HIGH,
};

/* Where the setting is made: in this machine, or on the host that runs it. */
enum hc_where {
	HC_HERE,
	HC_HOST,
};

/**
 * struct hc_env - what the rules need to know beyond struct hc_state
 * @cmdline: the kernel's
 * @clocksource, @clocksources: the current one, and all that are available
 * @cpuidle_driver: "none" or a name; empty where the kernel has no cpuidle
 * @haltpoll_force: cpuidle_haltpoll.force
 * @vmx_flags: "vmx flags" of /proc/cpuinfo, empty where there are none
 * @svm: CPUID offers SVM
 * @svm_edx: CPUID 0x8000000a, EDX
 * @kvm_intel, @kvm_amd: the modules and their parameters; unknown where not loaded
 * @halt_poll_ns: kvm.halt_poll_ns
 * @xen_dom0: this is Xen's initial domain
 * @xen_capabilities: the guest types that Xen offers, empty where unknown
 */
struct hc_env {
	char cmdline[4097];
	char clocksource[64];
	char clocksources[256];
	char cpuidle_driver[64];
	enum hc_tri haltpoll_force;
	char vmx_flags[1024];
	bool svm;
	uint32_t svm_edx;
	struct {
		bool loaded;
		enum hc_tri nested, enable_apicv, enable_ipiv, ept, enable_shadow_vmcs;
	} kvm_intel;
	struct {
		bool loaded;
		enum hc_tri nested, avic, npt;
	} kvm_amd;
	struct hc_num halt_poll_ns;
	bool xen_dom0;
	char xen_capabilities[256];
};

struct hc_advice_in {
	const struct hc_state *st;
	const struct hc_env *env;
};

/**
 * struct hc_rule - one thing to advise
 * @id: stable name for programs
 * @needs_module: cannot be judged without what the module knows
 * @applies: whether to advise it
 * @what: the finding, one line
 * @why: the reason
 * @setting: what to set, concretely
 * @evidence: the facts it was seen by; NULL where @what says it all
 */
struct hc_rule {
	const char *id;
	enum hc_severity severity;
	enum hc_where where;
	bool needs_module;
	bool (*applies)(const struct hc_advice_in *in);
	const char *what;
	const char *why;
	const char *setting;
	void (*evidence)(const struct hc_advice_in *in, char *buf, size_t size);
};

extern const struct hc_rule hc_rules[];
extern const unsigned int hc_nr_rules;

/* Whether @rule can be judged with what is known. */
static inline bool hc_rule_judged(const struct hc_rule *rule, const struct hc_advice_in *in)
{
	return in->st->module || !rule->needs_module;
}

const char *hc_severity_name(enum hc_severity severity);
const char *hc_where_name(enum hc_where where);

/* Reads what struct hc_env holds (env.c, not pure). */
void hc_env_read(struct hc_env *env, const struct hc_roots *roots,
		 const struct hybrid_reader *reader);

#endif
