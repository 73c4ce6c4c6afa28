// SPDX-License-Identifier: GPL-2.0-only
/* hybridctl explain OP */
#include <inttypes.h>
#include <string.h>

#include "commands.h"
#include "out.h"

#define INDENT	12
#define MAX_FEATURES	10

/* The bits of struct inputs.numbers. */
#define IN_CPUS		1	/* online CPUs */
#define IN_LAPIC	2	/* a LAPIC read, against an exit */

/*
 * What drivers/hybrid/policy.c looks at for each operation, besides the hypervisor, the cost
 * of an exit and the module parameter. HYBRID_F_NR ends the list of features.
 */
static const struct inputs {
	unsigned int numbers;
	enum hybrid_feature feature[MAX_FEATURES];
} inputs[HYBRID_OP_NR] = {
	[HYBRID_OP_EOI] = {
		.numbers = IN_LAPIC,
		.feature = {
			HYBRID_F_X2APIC_ON, HYBRID_F_APIC_ACCESS_VIRT, HYBRID_F_X2APIC_VIRT,
			HYBRID_F_KERNEL_PV, HYBRID_F_KERNEL_PV_EOI, HYBRID_F_KERNEL_XEN_UPCALL,
			HYBRID_F_HYPERV_APIC_MSRS, HYBRID_F_KVM_PV_EOI, HYBRID_F_KERNEL_ENCRYPTED,
			HYBRID_F_NR,
		},
	},
	[HYBRID_OP_MSI_MASK] = {
		.feature = {
			HYBRID_F_X2APIC_ON, HYBRID_F_APIC_ACCESS_VIRT, HYBRID_F_X2APIC_VIRT,
			HYBRID_F_KERNEL_PV, HYBRID_F_XEN_PIRQS, HYBRID_F_IRQ_REMAP, HYBRID_F_NR,
		},
	},
	[HYBRID_OP_MSI_AFFINITY] = {
		.numbers = IN_CPUS,
		.feature = {
			HYBRID_F_X2APIC_ON, HYBRID_F_APIC_ACCESS_VIRT, HYBRID_F_X2APIC_VIRT,
			HYBRID_F_KERNEL_PV, HYBRID_F_XEN_PIRQS, HYBRID_F_IRQ_REMAP, HYBRID_F_NR,
		},
	},
	[HYBRID_OP_IPI] = {
		.numbers = IN_CPUS | IN_LAPIC,
		.feature = {
			HYBRID_F_X2APIC_ON, HYBRID_F_APIC_ACCESS_VIRT, HYBRID_F_X2APIC_VIRT,
			HYBRID_F_KERNEL_PV, HYBRID_F_KVM_PV_IPI, HYBRID_F_HYPERV_IPI,
			HYBRID_F_NR,
		},
	},
	[HYBRID_OP_IDLE] = {
		.feature = {
			HYBRID_F_KERNEL_CPUIDLE, HYBRID_F_KERNEL_HALTPOLL,
			HYBRID_F_KERNEL_IDLE_POLL, HYBRID_F_NR,
		},
	},
	[HYBRID_OP_TIMER] = { .feature = { HYBRID_F_KERNEL_PV, HYBRID_F_NR } },
};

static const char *tri_text(enum hc_tri v)
{
	return v == HC_YES ? "yes" : v == HC_NO ? "no" : "unknown";
}

static void print_inputs(const struct hc_state *st, int op, FILE *out)
{
	struct hc_num lapic = st->cost_ns[HYBRID_PROBE_LAPIC];
	char num[32];

	fprintf(out, "\nDecided by\n  %-22s%s\n", "hypervisor", *st->hv ? st->hv : "unknown");
	fprintf(out, "  %-22s%s%s\n", "cost of an exit",
		hc_num_text(st->exit_ns, num, sizeof(num)), st->exit_ns.known ? " ns" : "");
	if (inputs[op].numbers & IN_LAPIC)
		fprintf(out, "  %-22s%s%s\n", "cost of a LAPIC read",
			hc_num_text(lapic, num, sizeof(num)), lapic.known ? " ns" : "");
	if (inputs[op].numbers & IN_CPUS)
		fprintf(out, "  %-22s%u\n", "online CPUs", st->nr_cpus);
	for (const enum hybrid_feature *f = inputs[op].feature; *f != HYBRID_F_NR; f++)
		fprintf(out, "  %-22s%s\n", hybrid_feature_name(*f),
			tri_text(hc_state_feature(st, *f)));
}

static void print_text(const struct hc_state *st, int i, FILE *out)
{
	const struct hc_op *op = &st->op[i];
	const char *name = hybrid_op_name(i);
	char num[32];

	fprintf(out, "%-*s%s\n", INDENT, "Operation", name);
	if (st->module) {
		fprintf(out, "%-*s%s\n", INDENT, "Path", *op->path ? op->path : "unknown");
		fprintf(out, "%-*s%s\n", INDENT, "Reason", *op->reason ? op->reason : "unknown");
		hc_wrap(out, INDENT, "", op->detail);
		fprintf(out, "%-*s%s\n", INDENT, "Parameter", *op->want ? op->want : "unknown");
	} else {
		hc_wrap(out, INDENT, "Path", "kernel, as for every operation without hybrid.ko");
	}
	print_inputs(st, i, out);
	if (!st->module) {
		fputc('\n', out);
		hc_wrap(out, 0, "", HC_NO_MODULE ".");
		return;
	}
	fprintf(out, "\nCounted since load\n");
	fprintf(out, "  %-22s%s\n", "done", hc_num_text(op->done, num, sizeof(num)));
	fprintf(out, "  %-22s%s\n", "avoided", hc_num_text(op->avoided, num, sizeof(num)));
	fprintf(out, "  %-22s%s\n", "spurious", hc_num_text(op->spurious, num, sizeof(num)));
	if (i == HYBRID_OP_IDLE) {
		fprintf(out, "  %-22s%s\n", "IPIs avoided",
			hc_num_text(op->ipis_avoided, num, sizeof(num)));
		fprintf(out, "  %-22s%s\n", "Xen's upcalls avoided",
			hc_num_text(op->upcalls_avoided, num, sizeof(num)));
		fprintf(out, "  %-22s%s\n", "polled, ns",
			hc_num_text(op->polled_ns, num, sizeof(num)));
	}
	fprintf(out, "\nTo override, as root\n"
		"  now      echo kernel > /sys/module/hybrid/parameters/%s\n"
		"  at load  modprobe hybrid %s=kernel\n"
		"  back     echo auto > /sys/module/hybrid/parameters/%s\n", name, name, name);
}

static void print_json(const struct hc_state *st, int i, FILE *out)
{
	struct json_object *o = hc_json_new(st->module), *in, *features, *override;
	const struct hc_op *op = &st->op[i];
	const char *name = hybrid_op_name(i);
	char text[128];

	hc_json_num(o, "generation", st->generation);
	hc_json_text(o, "operation", name);
	hc_json_text_or_null(o, "path", op->path);
	hc_json_text_or_null(o, "reason", op->reason);
	hc_json_text_or_null(o, "detail", op->detail);
	hc_json_text_or_null(o, "parameter", op->want);
	hc_json_num(o, "done", op->done);
	hc_json_num(o, "avoided", op->avoided);
	hc_json_num(o, "spurious", op->spurious);
	if (i == HYBRID_OP_IDLE) {
		hc_json_num(o, "polled_ns", op->polled_ns);
		hc_json_num(o, "ipis_avoided", op->ipis_avoided);
		hc_json_num(o, "upcalls_avoided", op->upcalls_avoided);
	}

	in = hc_json_sub(o, "inputs");
	hc_json_text_or_null(in, "hypervisor", st->hv);
	hc_json_u64(in, "cpus", st->nr_cpus);
	hc_json_num(in, "exit_ns", st->exit_ns);
	hc_json_num(in, "lapic_ns", st->cost_ns[HYBRID_PROBE_LAPIC]);
	features = hc_json_sub(in, "features");
	for (const enum hybrid_feature *f = inputs[i].feature; *f != HYBRID_F_NR; f++)
		hc_json_tri(features, hybrid_feature_name(*f), hc_state_feature(st, *f));

	override = hc_json_sub(o, "override");
	snprintf(text, sizeof(text), "echo kernel > /sys/module/hybrid/parameters/%s", name);
	hc_json_text(override, "now", text);
	snprintf(text, sizeof(text), "modprobe hybrid %s=kernel", name);
	hc_json_text(override, "load", text);
	hc_json_print(o, out);
}

int hc_explain(const struct hc_args *a, const struct hc_roots *roots, FILE *out)
{
	struct hc_state st;

	hc_state_read(&st, roots, &hc_cpuid_reader);
	if (a->json)
		print_json(&st, a->op, out);
	else
		print_text(&st, a->op, out);
	return HC_EXIT_OK;
}
