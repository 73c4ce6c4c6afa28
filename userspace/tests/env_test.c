// SPDX-License-Identifier: GPL-2.0-only
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "testlib.h"
#include "advice.h"

static void cpuid_amd(void *ctx, u32 leaf, u32 subleaf, struct hybrid_regs *out)
{
	(void)ctx;
	(void)subleaf;
	memset(out, 0, sizeof(*out));
	if (leaf == 0x80000000)
		out->eax = 0x8000000a;
	else if (leaf == 0x80000001)
		out->ecx = 1u << 2;
	else if (leaf == 0x8000000a)
		out->edx = 0x2001;
}

static void cpuid_none(void *ctx, u32 leaf, u32 subleaf, struct hybrid_regs *out)
{
	(void)ctx;
	(void)leaf;
	(void)subleaf;
	memset(out, 0xff, sizeof(*out));
	out->eax = 0x17;
}

static const struct hybrid_reader amd = { .cpuid = cpuid_amd };
static const struct hybrid_reader none = { .cpuid = cpuid_none };

static struct hc_env env;

static void empty_machine(void **state)
{
	struct hc_env zero;

	(void)state;
	memset(&zero, 0, sizeof(zero));
	hc_env_read(&env, &tree, &none);
	assert_memory_equal(&env, &zero, sizeof(env));
}

static void amd_host(void **state)
{
	(void)state;
	tree_proc("cmdline", "ro quiet nopv\n");
	tree_sys("devices/system/clocksource/clocksource0/current_clocksource", "hpet\n");
	tree_sys("devices/system/clocksource/clocksource0/available_clocksource",
		 "tsc hpet acpi_pm \n");
	tree_sys("module/kvm_amd/parameters/nested", "1\n");
	tree_sys("module/kvm_amd/parameters/avic", "N\n");
	tree_sys("module/kvm_amd/parameters/npt", "Y\n");
	tree_sys("module/kvm/parameters/halt_poll_ns", "200000\n");
	hc_env_read(&env, &tree, &amd);
	assert_string_equal(env.cmdline, "ro quiet nopv");
	assert_string_equal(env.clocksource, "hpet");
	assert_string_equal(env.clocksources, "tsc hpet acpi_pm");
	assert_true(env.kvm_amd.loaded);
	assert_false(env.kvm_intel.loaded);
	assert_int_equal(env.kvm_amd.nested, HC_YES);
	assert_int_equal(env.kvm_amd.avic, HC_NO);
	assert_int_equal(env.kvm_amd.npt, HC_YES);
	assert_int_equal(env.kvm_intel.ept, HC_UNKNOWN);
	assert_int_equal(env.halt_poll_ns.v, 200000);
	assert_true(env.svm);
	assert_int_equal(env.svm_edx, 0x2001);
}

static void vmx_flags_of_a_big_machine(void **state)
{
	static const char cpu[] = "processor\t: 0\nflags\t\t: fpu vmx ept\n"
				  "vmx flags\t: vnmi ept shadow_vmcs\nbugs\t\t:\n\n";
	char *text = malloc(200 * sizeof(cpu));
	size_t n = 0;

	(void)state;
	assert_non_null(text);
	for (int i = 0; i < 200; i++)
		n += sprintf(text + n, "%s", cpu);
	tree_proc("cpuinfo", text);
	free(text);
	hc_env_read(&env, &tree, &none);
	assert_true(hc_has_word(env.vmx_flags, "shadow_vmcs"));
	assert_false(hc_has_word(env.vmx_flags, "fpu"));
	assert_false(hc_has_word(env.vmx_flags, "bugs"));
}

static void vmx_flags_that_are_none(void **state)
{
	static char text[8192];

	(void)state;
	tree_proc("cpuinfo", "processor\t: 0\nvmx flags without a colon\n");
	hc_env_read(&env, &tree, &none);
	assert_string_equal(env.vmx_flags, "");
	strcpy(text, "\nvmx flags\t:");
	memset(text + strlen(text), 'x', 4000);
	strcat(text, "\n");
	tree_proc("cpuinfo", text);
	hc_env_read(&env, &tree, &none);
	assert_string_equal(env.vmx_flags, "");
}

static void xen_dom0(void **state)
{
	(void)state;
	tree_sys("hypervisor/type", "xen\n");
	tree_sys("hypervisor/properties/capabilities", "xen-3.0-x86_64 \n");
	hc_env_read(&env, &tree, &none);
	assert_false(env.xen_dom0);
	tree_proc("xen/capabilities", "control_d\n");
	hc_env_read(&env, &tree, &none);
	assert_true(env.xen_dom0);
	tree_proc("xen/capabilities", "");
	tree_sys("hypervisor/start_flags/initdomain", "1\n");
	hc_env_read(&env, &tree, &none);
	assert_true(env.xen_dom0);
	assert_string_equal(env.xen_capabilities, "xen-3.0-x86_64");
	tree_sys("hypervisor/type", "other\n");
	hc_env_read(&env, &tree, &none);
	assert_false(env.xen_dom0);
}

int main(void)
{
#define TEST(f)	cmocka_unit_test_setup_teardown(f, tree_setup, tree_teardown)
	const struct CMUnitTest tests[] = {
		TEST(empty_machine), TEST(amd_host), TEST(vmx_flags_of_a_big_machine),
		TEST(vmx_flags_that_are_none), TEST(xen_dom0),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
