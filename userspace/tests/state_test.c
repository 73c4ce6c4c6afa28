// SPDX-License-Identifier: GPL-2.0-only
#include <stdio.h>
#include <string.h>

#include "testlib.h"
#include "state.h"

/* A KVM guest with PV EOI on a processor with x2APIC. */
static void cpuid_kvm(void *ctx, u32 leaf, u32 subleaf, struct hybrid_regs *out)
{
	(void)ctx;
	(void)subleaf;
	memset(out, 0, sizeof(*out));
	switch (leaf) {
	case 0:
		out->eax = 1;
		break;
	case 1:
		out->ecx = 1u << 31 | 1u << 21;
		break;
	case 0x40000000:
		out->eax = 0x40000001;
		memcpy(&out->ebx, "KVMKVMKVM\0\0\0", 12);
		break;
	case 0x40000001:
		out->eax = 1u << 6;
		break;
	}
}

static void cpuid_bare(void *ctx, u32 leaf, u32 subleaf, struct hybrid_regs *out)
{
	(void)ctx;
	(void)leaf;
	(void)subleaf;
	memset(out, 0, sizeof(*out));
}

static void cpuid_ones(void *ctx, u32 leaf, u32 subleaf, struct hybrid_regs *out)
{
	(void)ctx;
	(void)leaf;
	(void)subleaf;
	memset(out, 0xff, sizeof(*out));
}

static const struct hybrid_reader kvm = { .cpuid = cpuid_kvm };
static const struct hybrid_reader bare = { .cpuid = cpuid_bare };
static const struct hybrid_reader ones = { .cpuid = cpuid_ones };

static struct hc_state st;

static void module_is_believed(void **state)
{
	(void)state;
	tree_module();
	hc_state_read(&st, &tree, &bare);
	assert_true(st.module);
	assert_string_equal(st.hv, "kvm");
	assert_int_equal(st.hv_id, HYBRID_HV_KVM);
	assert_int_equal(st.generation.v, 3);
	assert_int_equal(st.nr_layers, 2);
	assert_int_equal(st.layer[0].base, 0x40000000);
	assert_int_equal(st.layer[0].max, 0x40000010);
	assert_string_equal(st.layer[0].name, "hyperv");
	assert_string_equal(st.layer[0].sig, "Microsoft Hv");
	assert_string_equal(st.layer[1].sig, "KVMKVMKVM");
	assert_int_equal(st.nr_features, 9);
	assert_string_equal(st.feature[8], "from-the-future");
	assert_true(hc_state_has(&st, HYBRID_F_KERNEL_PV));
	assert_int_equal(hc_state_feature(&st, HYBRID_F_XEN_PIRQS), HC_NO);
	assert_int_equal(st.level.estimate.v, 1);
	assert_string_equal(st.level.confidence, "high");
	assert_int_equal(st.level.ratio.v, 162);
	assert_int_equal(st.cost_ns[HYBRID_PROBE_REFERENCE].v, 80);
	assert_int_equal(st.exit_ns.v, 1220);
	assert_string_equal(st.op[HYBRID_OP_EOI].reason, "kernel-pv");
	assert_string_equal(st.op[HYBRID_OP_EOI].want, "auto");
	assert_true(st.op[HYBRID_OP_EOI].avoided.v == UINT64_MAX);
}

static void module_with_parts_missing(void **state)
{
	(void)state;
	tree_sys("module/hybrid/platform/hypervisor", "kvm\n");
	hc_state_read(&st, &tree, &bare);
	assert_true(st.module);
	assert_string_equal(st.hv, "kvm");
	assert_false(st.generation.known);
	assert_false(st.exit_ns.known);
	assert_int_equal(st.features_known, 0);
	assert_int_equal(hc_state_feature(&st, HYBRID_F_X2APIC), HC_UNKNOWN);
	assert_string_equal(st.op[HYBRID_OP_IDLE].path, "");
}

static void module_with_hostile_files(void **state)
{
	static char big[100000];

	(void)state;
	memset(big, '\n', sizeof(big));
	tree_module();
	tree_sys("module/hybrid/platform/hypervisor", "a-name-that-is-much-too-long-for-any\n");
	tree_sys_bytes("module/hybrid/platform/features", big, sizeof(big));
	tree_sys("module/hybrid/platform/stack",
		 "rubbish\n0x40000000\n0x1234567890 0x1 kvm x\n0x40000000 0x40000001 kvm\n"
		 "0x40000000 0x40000001 kvm a-signature-that-is-much-too-long-to-be-one\n"
		 "0x40000000 0x40000001 a-name-much-too-long KVM\n");
	tree_sys_bytes("module/hybrid/level/ratio", "\xff\0\xff", 3);
	tree_sys("module/hybrid/level/estimate", "-1\n");
	tree_sys("module/hybrid/cost/exit_ns", "99999999999999999999999\n");
	hc_state_read(&st, &tree, &bare);
	assert_true(st.module);
	assert_int_equal(st.hv_id, HYBRID_HV_UNKNOWN);
	assert_string_equal(st.hv, "");
	assert_int_equal(st.nr_features, 0);
	assert_false(st.level.ratio.known);
	assert_false(st.level.estimate.known);
	assert_false(st.exit_ns.known);
	for (unsigned int i = 0; i < st.nr_layers; i++)
		assert_true(strlen(st.layer[i].sig) < sizeof(st.layer[i].sig));
}

static void module_with_many_lines(void **state)
{
	char text[4096];
	size_t n = 0;

	(void)state;
	tree_module();
	while (n + 32 < sizeof(text))
		n += sprintf(text + n, "f%zu\n", n);
	tree_sys("module/hybrid/platform/features", text);
	for (n = 0; n < 1000; n += strlen("0x40000000 0x40000001 kvm K\n"))
		strcpy(text + n, "0x40000000 0x40000001 kvm K\n");
	tree_sys("module/hybrid/platform/stack", text);
	hc_state_read(&st, &tree, &bare);
	assert_int_equal(st.nr_features, HC_MAX_FEATURES);
	assert_int_equal(st.nr_layers, HC_MAX_LAYERS);
}

static void a_name_from_the_future(void **state)
{
	(void)state;
	tree_module();
	tree_sys("module/hybrid/platform/hypervisor", "bhyve\n");
	hc_state_read(&st, &tree, &bare);
	assert_string_equal(st.hv, "bhyve");
	assert_int_equal(st.hv_id, HYBRID_HV_UNKNOWN);
}

static void without_module_cpuid_is_asked(void **state)
{
	(void)state;
	hc_state_read(&st, &tree, &kvm);
	assert_false(st.module);
	assert_string_equal(st.hv, "kvm");
	assert_int_equal(st.nr_layers, 1);
	assert_string_equal(st.layer[0].sig, "KVMKVMKVM");
	assert_int_equal(hc_state_feature(&st, HYBRID_F_KVM_PV_EOI), HC_YES);
	assert_int_equal(hc_state_feature(&st, HYBRID_F_KVM_PV_IPI), HC_NO);
	/* needs an MSR, or the kernel */
	assert_int_equal(hc_state_feature(&st, HYBRID_F_X2APIC_ON), HC_UNKNOWN);
	assert_int_equal(hc_state_feature(&st, HYBRID_F_KERNEL_PV), HC_UNKNOWN);
	assert_false(st.generation.known);
	assert_false(st.exit_ns.known);
	assert_false(st.level.estimate.known);
	assert_string_equal(st.op[HYBRID_OP_EOI].path, "");
}

static void without_module_on_bare_metal(void **state)
{
	(void)state;
	hc_state_read(&st, &tree, &bare);
	assert_string_equal(st.hv, "none");
	assert_int_equal(st.nr_layers, 0);
}

static void without_module_hostile_cpuid(void **state)
{
	(void)state;
	hc_state_read(&st, &tree, &ones);
	assert_false(st.module);
	assert_string_equal(st.hv, "unknown");
}

static void without_module_kernel_facts(void **state)
{
	(void)state;
	tree_sys("hypervisor/type", "xen\n");
	tree_sys("hypervisor/guest_type", "PV\n");
	tree_sys("devices/system/cpu/cpuidle/current_driver", "haltpoll\n");
	tree_proc("cmdline", "quiet idle=poll\n");
	hc_state_read(&st, &tree, &bare);
	/* CPUID in a PV domain may be the processor's own */
	assert_string_equal(st.hv, "xen");
	assert_true(hc_state_has(&st, HYBRID_F_XEN_PV));
	assert_true(hc_state_has(&st, HYBRID_F_KERNEL_CPUIDLE));
	assert_true(hc_state_has(&st, HYBRID_F_KERNEL_HALTPOLL));
	assert_true(hc_state_has(&st, HYBRID_F_KERNEL_IDLE_POLL));
}

static void operations_by_name(void **state)
{
	(void)state;
	for (int op = 0; op < HYBRID_OP_NR; op++)
		assert_int_equal(hc_op_find(hybrid_op_name(op)), op);
	assert_true(hc_op_find("") < 0);
	assert_true(hc_op_find("EOI") < 0);
	assert_true(hc_op_find("invalid") < 0);
}

int main(void)
{
#define TEST(f)	cmocka_unit_test_setup_teardown(f, tree_setup, tree_teardown)
	const struct CMUnitTest tests[] = {
		TEST(module_is_believed), TEST(module_with_parts_missing),
		TEST(module_with_hostile_files), TEST(module_with_many_lines),
		TEST(a_name_from_the_future), TEST(without_module_cpuid_is_asked),
		TEST(without_module_on_bare_metal), TEST(without_module_hostile_cpuid),
		TEST(without_module_kernel_facts), TEST(operations_by_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
