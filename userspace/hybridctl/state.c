// SPDX-License-Identifier: GPL-2.0-only
#include <cpuid.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "state.h"

#define MODULE		"module/hybrid"
#define BIT64(n)	(UINT64_C(1) << (n))

/* sysfs shows a page at most */
#define FILE_MAX	4097

/* An operator's refresh may run while we read: then read again, but not for ever. */
#define MAX_TRIES	5

static void cpuid_user(void *ctx, u32 leaf, u32 subleaf, struct hybrid_regs *out)
{
	(void)ctx;
	__cpuid_count(leaf, subleaf, out->eax, out->ebx, out->ecx, out->edx);
}

const struct hybrid_reader hc_cpuid_reader = { .cpuid = cpuid_user };

int hc_op_find(const char *name)
{
	for (int op = 0; op < HYBRID_OP_NR; op++)
		if (!strcmp(name, hybrid_op_name(op)))
			return op;
	return -EINVAL;
}

enum hc_tri hc_state_feature(const struct hc_state *st, enum hybrid_feature f)
{
	if (hc_state_has(st, f))
		return HC_YES;
	return st->features_known >> f & 1 ? HC_NO : HC_UNKNOWN;
}

static void feature_add(struct hc_state *st, const char *name)
{
	if (st->nr_features == HC_MAX_FEATURES || !*name || strlen(name) >= sizeof(st->feature[0]))
		return;
	strcpy(st->feature[st->nr_features++], name);
	for (int f = 0; f < HYBRID_F_NR; f++)
		if (!strcmp(name, hybrid_feature_name(f)))
			st->features |= BIT64(f);
}

/*
 * The module's own files
 */

static void complain(const char *rel, const char *what)
{
	fprintf(stderr, "hybridctl: /sys/%s: %s: shown as unknown\n", rel, what);
}

static void module_path(char *rel, size_t size, const char *dir, const char *name)
{
	snprintf(rel, size, MODULE "/%s/%s", dir, name);
}

static void module_text(const struct hc_roots *roots, const char *dir, const char *name,
			char *buf, size_t size)
{
	char rel[128];
	ssize_t len;

	module_path(rel, sizeof(rel), dir, name);
	len = hc_read_word(roots->sys, rel, buf, size);
	if (len < 0)
		complain(rel, strerror(-len));
}

static struct hc_num module_num(const struct hc_roots *roots, const char *dir, const char *name)
{
	struct hc_num num;
	char rel[128];

	module_path(rel, sizeof(rel), dir, name);
	num = hc_read_num(roots->sys, rel);
	if (!num.known)
		complain(rel, "not a number that can be read");
	return num;
}

/* "0x40000000 0x40000001 kvm KVMKVMKVM"; the signature ends the line and may hold blanks */
static bool parse_layer(struct hc_layer *l, const char *line)
{
	unsigned int base, max;
	int end = 0;

	if (sscanf(line, "0x%8x 0x%8x %15s%n", &base, &max, l->name, &end) != 3)
		return false;
	l->base = base;
	l->max = max;
	line += end;
	if (*line == ' ')
		line++;
	if (strlen(line) >= sizeof(l->sig))
		return false;
	strcpy(l->sig, line);
	return true;
}

static void module_stack(struct hc_state *st, const struct hc_roots *roots)
{
	static const char rel[] = MODULE "/platform/stack";
	char buf[FILE_MAX], *line, *save;
	ssize_t len = hc_read(roots->sys, rel, buf, sizeof(buf));

	if (len < 0) {
		complain(rel, strerror(-len));
		return;
	}
	for (line = strtok_r(buf, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		if (st->nr_layers == HC_MAX_LAYERS)
			break;
		if (!parse_layer(&st->layer[st->nr_layers], line)) {
			complain(rel, "a line that is no interface");
			break;
		}
		st->nr_layers++;
	}
}

static void module_features(struct hc_state *st, const struct hc_roots *roots)
{
	static const char rel[] = MODULE "/platform/features";
	char buf[FILE_MAX], *name, *save;
	ssize_t len = hc_read(roots->sys, rel, buf, sizeof(buf));

	if (len < 0) {
		complain(rel, strerror(-len));
		return;
	}
	for (name = strtok_r(buf, " \n", &save); name; name = strtok_r(NULL, " \n", &save))
		feature_add(st, name);
	st->features_known = BIT64(HYBRID_F_NR) - 1;
}

static void module_hv(struct hc_state *st, const struct hc_roots *roots)
{
	module_text(roots, "platform", "hypervisor", st->hv, sizeof(st->hv));
	st->hv_id = HYBRID_HV_UNKNOWN;
	for (int hv = 0; hv < HYBRID_HV_NR; hv++)
		if (!strcmp(st->hv, hybrid_hv_name(hv)))
			st->hv_id = hv;
}

static void module_level(struct hc_state *st, const struct hc_roots *roots)
{
	static const char ratio[] = MODULE "/level/ratio";

	st->level.estimate = module_num(roots, "level", "estimate");
	st->level.exits = module_num(roots, "level", "exits");
	module_text(roots, "level", "confidence", st->level.confidence,
		    sizeof(st->level.confidence));
	st->level.ratio = hc_read_tenths(roots->sys, ratio);
	if (!st->level.ratio.known)
		complain(ratio, "not a number with one decimal");
}

static void module_cost(struct hc_state *st, const struct hc_roots *roots)
{
	for (int p = 0; p < HYBRID_PROBE_NR; p++) {
		char name[32];

		snprintf(name, sizeof(name), "%s_ns", hybrid_probe_name(p));
		st->cost_ns[p] = module_num(roots, "cost", name);
	}
	st->exit_ns = module_num(roots, "cost", "exit_ns");
}

static void module_op(struct hc_op *op, const char *name, const struct hc_roots *roots)
{
	module_text(roots, name, "path", op->path, sizeof(op->path));
	module_text(roots, name, "reason", op->reason, sizeof(op->reason));
	module_text(roots, name, "detail", op->detail, sizeof(op->detail));
	module_text(roots, "parameters", name, op->want, sizeof(op->want));
	op->done = module_num(roots, name, "done");
	op->avoided = module_num(roots, name, "avoided");
	op->spurious = module_num(roots, name, "spurious");
}

static void module_read(struct hc_state *st, const struct hc_roots *roots)
{
	st->generation = module_num(roots, "platform", "generation");
	module_hv(st, roots);
	module_stack(st, roots);
	module_features(st, roots);
	module_text(roots, "platform", "xen_version", st->xen_version, sizeof(st->xen_version));
	module_text(roots, "platform", "host_abi", st->host_abi, sizeof(st->host_abi));
	module_level(st, roots);
	module_cost(st, roots);
	for (int op = 0; op < HYBRID_OP_NR; op++)
		module_op(&st->op[op], hybrid_op_name(op), roots);
	st->op[HYBRID_OP_IDLE].polled_ns = module_num(roots, "idle", "polled_ns");
	st->op[HYBRID_OP_IDLE].ipis_avoided = module_num(roots, "idle", "ipis_avoided");
	st->op[HYBRID_OP_IDLE].upcalls_avoided = module_num(roots, "idle", "upcalls_avoided");
}

/*
 * Without the module
 */

/* What user space may see of what the module would take from the kernel. */
static u32 kernel_facts(const struct hc_roots *roots)
{
	char buf[FILE_MAX];
	u32 facts = 0;

	if (hc_read_word(roots->sys, "hypervisor/type", buf, sizeof(buf)) > 0 &&
	    !strcmp(buf, "xen") &&
	    hc_read_word(roots->sys, "hypervisor/guest_type", buf, sizeof(buf)) > 0) {
		if (!strcmp(buf, "PV"))
			facts |= BIT64(HYBRID_KERNEL_XEN_PV);
		if (!strcmp(buf, "PVH"))
			facts |= BIT64(HYBRID_KERNEL_XEN_PVH);
	}
	if (hc_read_word(roots->sys, "devices/system/cpu/cpuidle/current_driver",
			 buf, sizeof(buf)) > 0 && strcmp(buf, "none")) {
		facts |= BIT64(HYBRID_KERNEL_CPUIDLE);
		if (!strcmp(buf, "haltpoll"))
			facts |= BIT64(HYBRID_KERNEL_HALTPOLL);
	}
	if (hc_read_word(roots->proc, "cmdline", buf, sizeof(buf)) > 0 &&
	    hc_has_word(buf, "idle=poll"))
		facts |= BIT64(HYBRID_KERNEL_IDLE_POLL);
	if (hc_exists(roots->sys, "module/kvm_intel") || hc_exists(roots->sys, "module/kvm_amd"))
		facts |= BIT64(HYBRID_KERNEL_KVM_HOST);
	return facts;
}

/* Those that need an MSR, or a kernel fact that user space cannot see. */
static uint64_t features_unseen(const struct hybrid_snapshot *s)
{
	uint64_t unseen = BIT64(HYBRID_F_X2APIC_ON) | BIT64(HYBRID_F_IRQ_REMAP) |
			  BIT64(HYBRID_F_XEN_PIRQS) | BIT64(HYBRID_F_KERNEL_XEN_UPCALL) |
			  BIT64(HYBRID_F_KERNEL_PV) | BIT64(HYBRID_F_KERNEL_PV_EOI) |
			  BIT64(HYBRID_F_KERNEL_STEAL_TIME) | BIT64(HYBRID_F_KERNEL_ENCRYPTED);

	if (s->leaf1.ecx & BIT64(5))	/* VMX: its capabilities are in MSRs */
		unseen |= BIT64(HYBRID_F_NESTED_PAGING) | BIT64(HYBRID_F_VMCS_SHADOWING);
	return unseen;
}

static void cpuid_read(struct hc_state *st, struct hybrid_snapshot *s,
		       const struct hc_roots *roots)
{
	struct hybrid_caps caps;

	s->kernel = kernel_facts(roots);
	s->nr_cpus = st->nr_cpus;
	hybrid_detect(&caps, s);

	st->hv_id = caps.hv;
	snprintf(st->hv, sizeof(st->hv), "%s", hybrid_hv_name(caps.hv));
	for (u32 i = 0; i < caps.nr_layers; i++) {
		struct hc_layer *l = &st->layer[st->nr_layers++];

		l->base = caps.layer[i].base;
		l->max = caps.layer[i].max;
		snprintf(l->name, sizeof(l->name), "%s", hybrid_hv_name(caps.layer[i].hv));
		snprintf(l->sig, sizeof(l->sig), "%s", caps.layer[i].sig);
	}
	for (int f = 0; f < HYBRID_F_NR; f++)
		if (hybrid_has(&caps, f))
			feature_add(st, hybrid_feature_name(f));
	st->features_known = (BIT64(HYBRID_F_NR) - 1) & ~features_unseen(s);
	/* Whether its MSRs are there too only the module can tell. */
	if (caps.host.state != HYBRID_HOST_USABLE)
		snprintf(st->host_abi, sizeof(st->host_abi), "%s",
			 hybrid_host_state_name(caps.host.state));
	if (caps.xen_version)
		snprintf(st->xen_version, sizeof(st->xen_version), "%u.%u",
			 caps.xen_version >> 16, caps.xen_version & 0xffff);
}

void hc_state_read(struct hc_state *st, const struct hc_roots *roots,
		   const struct hybrid_reader *reader)
{
	struct hybrid_snapshot snapshot;
	long nr_cpus = sysconf(_SC_NPROCESSORS_ONLN);

	for (int try = 0; try < MAX_TRIES; try++) {
		struct hc_num generation;

		memset(st, 0, sizeof(*st));
		st->module = hc_exists(roots->sys, MODULE "/platform");
		if (!st->module)
			break;
		module_read(st, roots);
		generation = hc_read_num(roots->sys, MODULE "/platform/generation");
		if (!generation.known || generation.v == st->generation.v)
			break;
	}

	st->nr_cpus = nr_cpus > 0 ? nr_cpus : 0;
	if (!st->module) {
		hybrid_snapshot_read(&snapshot, reader);
		cpuid_read(st, &snapshot, roots);
	}
}
