// SPDX-License-Identifier: GPL-2.0-only
#include <stdio.h>
#include <string.h>

#include "testlib.h"
#include "advice.h"

#define BIT64(n)	(UINT64_C(1) << (n))
#define ALL_FEATURES	(BIT64(HYBRID_F_NR) - 1)

static struct hc_state st;
static struct hc_env env;
static const struct hc_advice_in in = { .st = &st, .env = &env };

static const struct hc_rule *rule_find(const char *id)
{
	for (unsigned int i = 0; i < hc_nr_rules; i++)
		if (!strcmp(hc_rules[i].id, id))
			return &hc_rules[i];
	fail_msg("no rule %s", id);
	return NULL;
}

static bool advises(const char *id)
{
	const struct hc_rule *rule = rule_find(id);

	return hc_rule_judged(rule, &in) && rule->applies(&in);
}

/* Exactly the rules of @ids, separated by blanks, apply. */
static void expect(const char *ids)
{
	unsigned int n = 0, asked = 0;

	for (unsigned int i = 0; i < hc_nr_rules; i++) {
		char evidence[HC_EVIDENCE_MAX] = "";
		bool wanted = hc_has_word(ids, hc_rules[i].id);

		asked += wanted;
		if (advises(hc_rules[i].id) != wanted)
			fail_msg("%s: %s", hc_rules[i].id, wanted ? "missing" : "not expected");
		if (wanted && hc_rules[i].evidence) {
			hc_rules[i].evidence(&in, evidence, sizeof(evidence));
			assert_true(*evidence);
		}
	}
	for (const char *p = ids; *p; p += strcspn(p, " "), p += strspn(p, " "))
		n++;
	assert_int_equal(asked, n);
}

static void machine(enum hybrid_hv hv, uint64_t features)
{
	memset(&st, 0, sizeof(st));
	memset(&env, 0, sizeof(env));
	st.module = true;
	st.hv_id = hv;
	st.features = features;
	st.features_known = ALL_FEATURES;
	st.nr_cpus = 2;
}

static void feature(enum hybrid_feature f, bool v)
{
	st.features = v ? st.features | BIT64(f) : st.features & ~BIT64(f);
}

static void good_kvm_guest(void)
{
	machine(HYBRID_HV_KVM, BIT64(HYBRID_F_KERNEL_PV) | BIT64(HYBRID_F_KVM_PV_EOI) |
		BIT64(HYBRID_F_KVM_PV_IPI) | BIT64(HYBRID_F_KVM_STEAL_TIME) |
		BIT64(HYBRID_F_KVM_POLL_CONTROL) | BIT64(HYBRID_F_KVM_CLOCK) |
		BIT64(HYBRID_F_X2APIC) | BIT64(HYBRID_F_X2APIC_ON));
	strcpy(env.cmdline, "quiet nopvspin");
	strcpy(env.clocksource, "kvm-clock");
	strcpy(env.clocksources, "kvm-clock tsc hpet acpi_pm");
	strcpy(env.cpuidle_driver, "none");
}

static void good_xen_guest(void)
{
	machine(HYBRID_HV_XEN, BIT64(HYBRID_F_KERNEL_PV) | BIT64(HYBRID_F_X2APIC) |
		BIT64(HYBRID_F_X2APIC_ON) | BIT64(HYBRID_F_XEN_PIRQS));
	strcpy(env.clocksource, "xen");
}

static void good_intel_host(void)
{
	machine(HYBRID_HV_NONE, 0);
	strcpy(env.clocksource, "tsc");
	strcpy(env.vmx_flags, "vnmi apicv ept shadow_vmcs ipi_virt");
	env.kvm_intel.loaded = true;
	env.kvm_intel.nested = env.kvm_intel.enable_apicv = env.kvm_intel.enable_ipiv =
		env.kvm_intel.ept = env.kvm_intel.enable_shadow_vmcs = HC_YES;
	env.halt_poll_ns = (struct hc_num){ true, 200000 };
}

static void good_amd_host(void)
{
	machine(HYBRID_HV_NONE, 0);
	env.svm = true;
	env.svm_edx = 0x2001;
	env.kvm_amd.loaded = true;
	env.kvm_amd.nested = env.kvm_amd.avic = env.kvm_amd.npt = HC_YES;
	env.halt_poll_ns = (struct hc_num){ true, 200000 };
}

static void table_is_complete(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < hc_nr_rules; i++) {
		const struct hc_rule *r = &hc_rules[i];

		assert_true(*r->id && *r->what && *r->why && *r->setting);
		assert_true(*hc_severity_name(r->severity) && *hc_where_name(r->where));
		assert_non_null(r->applies);
		assert_ptr_equal(rule_find(r->id), r);
	}
}

/* No fact, no advice: whatever the hypervisor is. */
static void nothing_known(void **state)
{
	(void)state;
	for (int hv = 0; hv < HYBRID_HV_NR; hv++) {
		for (int module = 0; module < 2; module++) {
			machine(hv, 0);
			st.module = module;
			st.features_known = 0;
			if (hv == HYBRID_HV_TCG)
				expect("emulated");
			else if (hv == HYBRID_HV_UNKNOWN)
				expect("unknown-hypervisor");
			else
				expect("");
		}
	}
}

static void no_advice_where_all_is_well(void **state)
{
	(void)state;
	machine(HYBRID_HV_NONE, 0);
	expect("");
	good_kvm_guest();
	expect("");
	good_xen_guest();
	expect("");
	good_intel_host();
	expect("");
	good_amd_host();
	expect("");
}

static void guest_kernel(void **state)
{
	(void)state;
	good_kvm_guest();
	strcpy(env.cmdline, "quiet nopv");
	feature(HYBRID_F_KERNEL_PV, false);
	expect("nopv");
	feature(HYBRID_F_X2APIC_ON, false);
	expect("nopv x2apic-off");

	good_xen_guest();
	strcpy(env.cmdline, "xen_nopv");
	expect("nopv");
	good_kvm_guest();
	strcpy(env.cmdline, "xen_nopv");
	expect("");

	good_kvm_guest();
	feature(HYBRID_F_KERNEL_PV, false);
	expect("no-guest-kernel");
	st.module = false;
	expect("");
	st.module = true;
	/* the kernel may be the guest of the other interface */
	feature(HYBRID_F_XEN_EMULATED, true);
	expect("");

	good_kvm_guest();
	strcpy(env.cmdline, "no-steal-acc");
	expect("steal-time-ignored");

	machine(HYBRID_HV_NONE, 0);
	strcpy(env.cmdline, "nopv idle=poll");
	expect("");
}

static void guest_x2apic(void **state)
{
	(void)state;
	good_xen_guest();
	feature(HYBRID_F_X2APIC_ON, false);
	expect("x2apic-off");
	feature(HYBRID_F_APIC_ACCESS_VIRT, true);
	expect("");
	feature(HYBRID_F_X2APIC_VIRT, true);
	expect("x2apic-off");
	feature(HYBRID_F_X2APIC, false);
	expect("");
}

static void guest_idle(void **state)
{
	(void)state;
	good_kvm_guest();
	strcpy(env.cmdline, "idle=poll");
	expect("idle-poll");
	feature(HYBRID_F_KVM_REALTIME, true);
	expect("");

	good_kvm_guest();
	env.haltpoll_force = HC_YES;
	expect("");
	strcpy(env.cpuidle_driver, "haltpoll");
	expect("haltpoll-forced");
	env.haltpoll_force = HC_NO;
	expect("");
	feature(HYBRID_F_KVM_POLL_CONTROL, false);
	expect("kvm-poll-control");
}

static void guest_clock(void **state)
{
	(void)state;
	good_kvm_guest();
	strcpy(env.clocksource, "hpet");
	expect("clocksource");
	strcpy(env.clocksources, "hpet acpi_pm");
	expect("no-clocksource");
	strcpy(env.clocksource, "some-new-clock");
	expect("");

	good_kvm_guest();
	strcpy(env.clocksource, "tsc");
	feature(HYBRID_F_KVM_CLOCK, false);
	expect("no-stable-clock");
	feature(HYBRID_F_TSC_INVARIANT, true);
	expect("");

	machine(HYBRID_HV_NONE, 0);
	strcpy(env.clocksource, "hpet");
	strcpy(env.clocksources, "tsc hpet");
	expect("");
}

static void kvm_offers_little(void **state)
{
	(void)state;
	good_kvm_guest();
	feature(HYBRID_F_KVM_PV_EOI, false);
	feature(HYBRID_F_KVM_PV_IPI, false);
	feature(HYBRID_F_KVM_STEAL_TIME, false);
	feature(HYBRID_F_KVM_POLL_CONTROL, false);
	expect("kvm-pv-eoi kvm-pv-ipi kvm-steal-time");
	st.module = false;
	expect("kvm-pv-eoi kvm-pv-ipi kvm-steal-time");
	st.nr_cpus = 1;
	feature(HYBRID_F_KVM_REALTIME, true);
	expect("kvm-pv-eoi");
}

static void xen_offers_otherwise(void **state)
{
	(void)state;
	good_xen_guest();
	feature(HYBRID_F_VIRIDIAN, true);
	expect("xen-viridian");

	good_xen_guest();
	feature(HYBRID_F_XEN_PIRQS, false);
	expect("xen-hvm-pirq");
	feature(HYBRID_F_APIC_ACCESS_VIRT, true);
	expect("");
	feature(HYBRID_F_APIC_ACCESS_VIRT, false);
	feature(HYBRID_F_XEN_PVH, true);
	expect("");
	/* a PV domain has neither LAPIC nor choice */
	good_xen_guest();
	feature(HYBRID_F_XEN_PV, true);
	feature(HYBRID_F_VIRIDIAN, true);
	strcpy(env.cmdline, "idle=poll nopv");
	expect("");
}

static void intel_host(void **state)
{
	(void)state;
	good_intel_host();
	env.kvm_intel.ept = HC_NO;
	env.kvm_intel.enable_apicv = HC_NO;
	env.kvm_intel.enable_ipiv = HC_NO;
	env.kvm_intel.enable_shadow_vmcs = HC_NO;
	expect("kvm-intel-ept kvm-intel-apicv kvm-intel-shadow-vmcs");
	/* what the processor lacks, or does not say, cannot be set */
	strcpy(env.vmx_flags, "vnmi");
	expect("");

	good_intel_host();
	env.kvm_intel.enable_ipiv = HC_NO;
	expect("kvm-intel-ipiv");

	good_intel_host();
	env.kvm_intel.nested = HC_NO;
	env.kvm_intel.enable_shadow_vmcs = HC_NO;
	env.halt_poll_ns.v = 0;
	expect("kvm-intel-nested kvm-halt-poll");
}

static void amd_host(void **state)
{
	(void)state;
	good_amd_host();
	env.kvm_amd.avic = HC_NO;
	env.kvm_amd.nested = HC_NO;
	expect("kvm-amd-avic kvm-amd-nested");
	env.kvm_amd.npt = HC_NO;
	expect("kvm-amd-npt kvm-amd-nested");
	env.svm_edx = 0;
	expect("kvm-amd-nested");
}

static void nested_host(void **state)
{
	(void)state;
	good_kvm_guest();
	feature(HYBRID_F_NESTED_PAGING, true);
	env.kvm_amd.loaded = env.svm = true;
	env.svm_edx = 1;
	expect("nested-cost");
	st.exit_ns = (struct hc_num){ true, 1200 };
	expect("nested-cost");
	feature(HYBRID_F_NESTED_PAGING, false);
	env.svm_edx = 0;
	expect("nested-cost nested-paging");

	good_kvm_guest();
	env.kvm_intel.loaded = true;
	env.kvm_intel.nested = HC_YES;
	feature(HYBRID_F_NESTED_PAGING, true);
	expect("nested-cost");
	strcpy(env.vmx_flags, "ept vpid");
	expect("nested-cost nested-vmcs-shadowing");
	strcpy(env.vmx_flags, "ept shadow_vmcs");
	expect("nested-cost");
	feature(HYBRID_F_NESTED_PAGING, false);
	strcpy(env.vmx_flags, "vnmi shadow_vmcs");
	expect("nested-cost nested-paging");
}

static void xen_dom0(void **state)
{
	(void)state;
	machine(HYBRID_HV_XEN, BIT64(HYBRID_F_XEN_PV));
	env.xen_dom0 = true;
	expect("");
	strcpy(env.xen_capabilities, "xen-3.0-x86_64 hvm-3.0-x86_64");
	expect("");
	strcpy(env.xen_capabilities, "xen-3.0-x86_64");
	expect("xen-no-hvm");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(table_is_complete), cmocka_unit_test(nothing_known),
		cmocka_unit_test(no_advice_where_all_is_well), cmocka_unit_test(guest_kernel),
		cmocka_unit_test(guest_x2apic), cmocka_unit_test(guest_idle),
		cmocka_unit_test(guest_clock), cmocka_unit_test(kvm_offers_little),
		cmocka_unit_test(xen_offers_otherwise), cmocka_unit_test(intel_host),
		cmocka_unit_test(amd_host), cmocka_unit_test(nested_host),
		cmocka_unit_test(xen_dom0),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
