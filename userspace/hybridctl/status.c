// SPDX-License-Identifier: GPL-2.0-only
/* hybridctl status */
#include <inttypes.h>
#include <string.h>

#include "commands.h"
#include "out.h"

#define INDENT	12

static const char *level_text(uint64_t level)
{
	static const char *const text[] = {
		"bare metal", "a guest", "a guest of a guest",
		"a guest of a guest of a guest, or deeper",
	};

	return level < sizeof(text) / sizeof(text[0]) ? text[level] : "?";
}

static const char *or_unknown(const char *text)
{
	return *text ? text : "unknown";
}

/*
 * For people
 */

static void print_stack(const struct hc_state *st, FILE *out)
{
	if (!st->nr_layers)
		fprintf(out, "%-*snone\n", INDENT, "Interfaces");
	for (unsigned int i = 0; i < st->nr_layers; i++) {
		const struct hc_layer *l = &st->layer[i];

		fprintf(out, "%-*s0x%08x to 0x%08x  %-8s \"%s\"\n", INDENT, i ? "" : "Interfaces",
			l->base, l->max, l->name, l->sig);
	}
}

static void print_features(const struct hc_state *st, FILE *out)
{
	char text[sizeof(st->feature)] = "";
	size_t n = 0;

	for (unsigned int i = 0; i < st->nr_features; i++)
		n += snprintf(text + n, sizeof(text) - n, "%s ", st->feature[i]);
	hc_wrap(out, INDENT, "Features", n ? text : "none");
}

static void print_level(const struct hc_state *st, FILE *out)
{
	char text[256], ratio[64] = "";

	if (!st->level.estimate.known) {
		hc_wrap(out, INDENT, "Level", "unknown");
		return;
	}
	if (st->level.ratio.known && st->level.ratio.v)
		snprintf(ratio, sizeof(ratio), ", CPUID costs %" PRIu64 ".%" PRIu64
			 " x the reference", st->level.ratio.v / 10, st->level.ratio.v % 10);
	snprintf(text, sizeof(text), "%" PRIu64 ", %s (confidence %s%s)", st->level.estimate.v,
		 level_text(st->level.estimate.v), or_unknown(st->level.confidence), ratio);
	hc_wrap(out, INDENT, "Level", text);
}

static void print_cost(const struct hc_state *st, FILE *out)
{
	char text[512], num[32];
	size_t n = 0;

	if (st->exit_ns.known && !st->exit_ns.v)
		fprintf(out, "%-*snothing exits, or it could not be measured\n", INDENT, "Exit cost");
	else
		fprintf(out, "%-*s%s%s\n", INDENT, "Exit cost",
			hc_num_text(st->exit_ns, num, sizeof(num)), st->exit_ns.known ? " ns" : "");
	if (!st->module)
		return;
	for (int p = 0; p < HYBRID_PROBE_NR; p++)
		n += snprintf(text + n, sizeof(text) - n, "%s%s %s", p ? ", " : "",
			      hybrid_probe_name(p), st->cost_ns[p].known && !st->cost_ns[p].v ? "-" :
			      hc_num_text(st->cost_ns[p], num, sizeof(num)));
	snprintf(text + n, sizeof(text) - n, " (ns; - not measured)");
	hc_wrap(out, INDENT, "Measured", text);
}

static void print_ops(const struct hc_state *st, FILE *out)
{
	char done[32], avoided[32], spurious[32];

	fprintf(out, "\n%-14s %-8s %-20s %10s %10s %10s\n", "Operation", "Path", "Reason", "Done",
		"Avoided", "Spurious");
	for (int i = 0; i < HYBRID_OP_NR; i++) {
		const struct hc_op *op = &st->op[i];

		fprintf(out, "%-14s %-8s %-20s %10s %10s %10s\n", hybrid_op_name(i),
			or_unknown(op->path), or_unknown(op->reason),
			hc_num_text(op->done, done, sizeof(done)),
			hc_num_text(op->avoided, avoided, sizeof(avoided)),
			hc_num_text(op->spurious, spurious, sizeof(spurious)));
	}
	fputs("\nhybridctl explain OP says more on each.\n", out);
}

static void print_text(const struct hc_state *st, FILE *out)
{
	char num[32];

	fprintf(out, "%-*s%s%s%s\n", INDENT, "Hypervisor", or_unknown(st->hv),
		*st->xen_version ? " " : "", st->xen_version);
	print_stack(st, out);
	if (strcmp(st->host_abi, hybrid_host_state_name(HYBRID_HOST_ABSENT)))
		fprintf(out, "%-*s%s\n", INDENT, "Host ABI", or_unknown(st->host_abi));
	print_level(st, out);
	print_cost(st, out);
	print_features(st, out);
	if (!st->module) {
		fputc('\n', out);
		hc_wrap(out, 0, "", HC_NO_MODULE ". Unknown without it: the level, what exits "
			"cost, the path of each operation, the counters, and features that need "
			"an MSR or the kernel's word.");
		return;
	}
	fprintf(out, "%-*s%s\n", INDENT, "Generation",
		hc_num_text(st->generation, num, sizeof(num)));
	print_ops(st, out);
}

/*
 * For programs
 */

static void json_stack(const struct hc_state *st, struct json_object *o)
{
	struct json_object *stack = hc_json_array(o, "stack");

	for (unsigned int i = 0; i < st->nr_layers; i++) {
		const struct hc_layer *l = &st->layer[i];
		struct json_object *layer = hc_json_append(stack);
		char hex[16];

		snprintf(hex, sizeof(hex), "0x%08x", l->base);
		hc_json_text(layer, "base", hex);
		snprintf(hex, sizeof(hex), "0x%08x", l->max);
		hc_json_text(layer, "max", hex);
		hc_json_text(layer, "name", l->name);
		hc_json_text(layer, "signature", l->sig);
	}
}

static void json_level(const struct hc_state *st, struct json_object *o)
{
	struct json_object *level = hc_json_sub(o, "level");

	hc_json_num(level, "estimate", st->level.estimate);
	hc_json_text_or_null(level, "confidence", st->level.confidence);
	hc_json_tenths(level, "ratio", st->level.ratio);
	hc_json_tri(level, "exits", !st->level.exits.known ? HC_UNKNOWN :
		    st->level.exits.v ? HC_YES : HC_NO);
}

static void json_ops(const struct hc_state *st, struct json_object *o)
{
	struct json_object *ops = hc_json_sub(o, "operations");

	for (int i = 0; i < HYBRID_OP_NR; i++) {
		const struct hc_op *op = &st->op[i];
		struct json_object *j = hc_json_sub(ops, hybrid_op_name(i));

		hc_json_text_or_null(j, "path", op->path);
		hc_json_text_or_null(j, "reason", op->reason);
		hc_json_text_or_null(j, "detail", op->detail);
		hc_json_text_or_null(j, "parameter", op->want);
		hc_json_num(j, "done", op->done);
		hc_json_num(j, "avoided", op->avoided);
		hc_json_num(j, "spurious", op->spurious);
		if (i == HYBRID_OP_IDLE) {
			hc_json_num(j, "polled_ns", op->polled_ns);
			hc_json_num(j, "ipis_avoided", op->ipis_avoided);
			hc_json_num(j, "upcalls_avoided", op->upcalls_avoided);
		}
	}
}

static void print_json(const struct hc_state *st, FILE *out)
{
	struct json_object *o = hc_json_new(st->module), *features, *cost;

	hc_json_num(o, "generation", st->generation);
	hc_json_text_or_null(o, "hypervisor", st->hv);
	hc_json_text_or_null(o, "xen_version", st->xen_version);
	hc_json_text_or_null(o, "host_abi", st->host_abi);
	json_stack(st, o);
	features = hc_json_array(o, "features");
	for (unsigned int i = 0; i < st->nr_features; i++)
		hc_json_append_text(features, st->feature[i]);
	json_level(st, o);
	hc_json_num(o, "exit_ns", st->exit_ns);
	cost = hc_json_sub(o, "cost_ns");
	for (int p = 0; p < HYBRID_PROBE_NR; p++)
		hc_json_num(cost, hybrid_probe_name(p), st->cost_ns[p]);
	json_ops(st, o);
	hc_json_print(o, out);
}

int hc_status(const struct hc_args *a, const struct hc_roots *roots, FILE *out)
{
	struct hc_state st;

	hc_state_read(&st, roots, &hc_cpuid_reader);
	if (a->json)
		print_json(&st, out);
	else
		print_text(&st, out);
	return HC_EXIT_OK;
}
