// SPDX-License-Identifier: GPL-2.0-only
/* Reads what the advice rules want to know of kernel, KVM and Xen. */
#include <stdio.h>
#include <string.h>

#include "advice.h"

#define CPUIDLE		"devices/system/cpu/cpuidle/"
#define CLOCKSOURCE	"devices/system/clocksource/clocksource0/"

/* The first CPU's is enough, and the file grows with the number of CPUs. */
static void read_vmx_flags(struct hc_env *env, const struct hc_roots *roots)
{
	static const char key[] = "\nvmx flags";
	char buf[16384], *line, *colon;

	if (hc_read_head(roots->proc, "cpuinfo", buf, sizeof(buf)) <= 0)
		return;
	line = strstr(buf, key);
	if (!line)
		return;
	line++;
	line[strcspn(line, "\n")] = '\0';
	colon = strchr(line, ':');
	if (colon && strlen(colon + 1) < sizeof(env->vmx_flags))
		strcpy(env->vmx_flags, colon + 1);
}

static void read_svm(struct hc_env *env, const struct hybrid_reader *reader)
{
	struct hybrid_regs max = {}, ext1 = {}, svm = {};

	reader->cpuid(reader->ctx, 0x80000000, 0, &max);
	if (max.eax >> 16 != 0x8000 || max.eax < 0x8000000a)
		return;
	reader->cpuid(reader->ctx, 0x80000001, 0, &ext1);
	env->svm = ext1.ecx >> 2 & 1;
	if (!env->svm)
		return;
	reader->cpuid(reader->ctx, 0x8000000a, 0, &svm);
	env->svm_edx = svm.edx;
}

static void read_kvm_host(struct hc_env *env, const char *sys)
{
	static const char intel[] = "module/kvm_intel", amd[] = "module/kvm_amd";

	env->kvm_intel.loaded = hc_exists(sys, intel);
	env->kvm_intel.nested = hc_read_bool(sys, "module/kvm_intel/parameters/nested");
	env->kvm_intel.enable_apicv = hc_read_bool(sys, "module/kvm_intel/parameters/enable_apicv");
	env->kvm_intel.enable_ipiv = hc_read_bool(sys, "module/kvm_intel/parameters/enable_ipiv");
	env->kvm_intel.ept = hc_read_bool(sys, "module/kvm_intel/parameters/ept");
	env->kvm_intel.enable_shadow_vmcs =
		hc_read_bool(sys, "module/kvm_intel/parameters/enable_shadow_vmcs");
	env->kvm_amd.loaded = hc_exists(sys, amd);
	env->kvm_amd.nested = hc_read_bool(sys, "module/kvm_amd/parameters/nested");
	env->kvm_amd.avic = hc_read_bool(sys, "module/kvm_amd/parameters/avic");
	env->kvm_amd.npt = hc_read_bool(sys, "module/kvm_amd/parameters/npt");
	if (env->kvm_intel.loaded || env->kvm_amd.loaded)
		env->halt_poll_ns = hc_read_num(sys, "module/kvm/parameters/halt_poll_ns");
}

static void read_xen(struct hc_env *env, const struct hc_roots *roots)
{
	char buf[64];

	if (hc_read_word(roots->sys, "hypervisor/type", buf, sizeof(buf)) < 0 ||
	    strcmp(buf, "xen"))
		return;
	/* Since 6.3, and the older way. */
	env->xen_dom0 = hc_read_bool(roots->sys, "hypervisor/start_flags/initdomain") == HC_YES ||
			(hc_read_word(roots->proc, "xen/capabilities", buf, sizeof(buf)) > 0 &&
			 hc_has_word(buf, "control_d"));
	hc_read_word(roots->sys, "hypervisor/properties/capabilities", env->xen_capabilities,
		     sizeof(env->xen_capabilities));
}

void hc_env_read(struct hc_env *env, const struct hc_roots *roots,
		 const struct hybrid_reader *reader)
{
	memset(env, 0, sizeof(*env));
	hc_read_word(roots->proc, "cmdline", env->cmdline, sizeof(env->cmdline));
	hc_read_word(roots->sys, CLOCKSOURCE "current_clocksource", env->clocksource,
		     sizeof(env->clocksource));
	hc_read_word(roots->sys, CLOCKSOURCE "available_clocksource", env->clocksources,
		     sizeof(env->clocksources));
	hc_read_word(roots->sys, CPUIDLE "current_driver", env->cpuidle_driver,
		     sizeof(env->cpuidle_driver));
	env->haltpoll_force = hc_read_bool(roots->sys, "module/cpuidle_haltpoll/parameters/force");
	read_vmx_flags(env, roots);
	read_svm(env, reader);
	read_kvm_host(env, roots->sys);
	read_xen(env, roots);
}
