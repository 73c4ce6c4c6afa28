// SPDX-License-Identifier: GPL-2.0-only
/* hybridctl advise: shows which rules of advice.c apply */
#include <string.h>

#include "advice.h"
#include "commands.h"
#include "out.h"

#define INDENT	10

static void evidence_of(const struct hc_rule *rule, const struct hc_advice_in *in,
			char buf[HC_EVIDENCE_MAX])
{
	buf[0] = '\0';
	if (rule->evidence)
		rule->evidence(in, buf, HC_EVIDENCE_MAX);
}

/* The gravest first, and in the table's order among equals. */
static unsigned int applying(const struct hc_advice_in *in, const struct hc_rule **list)
{
	unsigned int n = 0;

	for (int severity = HC_HIGH; severity >= HC_LOW; severity--)
		for (unsigned int i = 0; i < hc_nr_rules; i++)
			if ((int)hc_rules[i].severity == severity &&
			    hc_rule_judged(&hc_rules[i], in) && hc_rules[i].applies(in))
				list[n++] = &hc_rules[i];
	return n;
}

static void print_text(const struct hc_advice_in *in, const struct hc_rule **list,
		       unsigned int n, FILE *out)
{
	char evidence[HC_EVIDENCE_MAX], label[INDENT + 1];

	for (unsigned int i = 0; i < n; i++) {
		snprintf(label, sizeof(label), "[%s]", hc_severity_name(list[i]->severity));
		hc_wrap(out, INDENT, label, list[i]->what);
		evidence_of(list[i], in, evidence);
		if (*evidence)
			hc_wrap(out, INDENT, "  seen", evidence);
		hc_wrap(out, INDENT, "  why", list[i]->why);
		hc_wrap(out, INDENT, list[i]->where == HC_HOST ? "  host" : "  set",
			list[i]->setting);
		fputc('\n', out);
	}
	if (!n)
		fputs("No advice: nothing was found that should be set otherwise.\n", out);
	if (!in->st->module)
		hc_wrap(out, 0, "", HC_NO_MODULE ". Advice that needs more was left out.");
}

static void print_json(const struct hc_advice_in *in, const struct hc_rule **list,
		       unsigned int n, FILE *out)
{
	struct json_object *o = hc_json_new(in->st->module);
	struct json_object *array = hc_json_array(o, "advice");
	char evidence[HC_EVIDENCE_MAX];

	for (unsigned int i = 0; i < n; i++) {
		struct json_object *j = hc_json_append(array);

		hc_json_text(j, "id", list[i]->id);
		hc_json_text(j, "severity", hc_severity_name(list[i]->severity));
		hc_json_text(j, "where", hc_where_name(list[i]->where));
		hc_json_text(j, "what", list[i]->what);
		hc_json_text(j, "why", list[i]->why);
		hc_json_text(j, "setting", list[i]->setting);
		evidence_of(list[i], in, evidence);
		hc_json_text_or_null(j, "evidence", evidence);
	}
	array = hc_json_array(o, "not_judged");
	for (unsigned int i = 0; i < hc_nr_rules; i++)
		if (!hc_rule_judged(&hc_rules[i], in))
			hc_json_append_text(array, hc_rules[i].id);
	hc_json_print(o, out);
}

int hc_advise(const struct hc_args *a, const struct hc_roots *roots, FILE *out)
{
	const struct hc_rule *list[hc_nr_rules];
	struct hc_state st;
	struct hc_env env;
	const struct hc_advice_in in = { .st = &st, .env = &env };
	unsigned int n;

	hc_state_read(&st, roots, &hc_cpuid_reader);
	hc_env_read(&env, roots, &hc_cpuid_reader);
	n = applying(&in, list);
	if (a->json)
		print_json(&in, list, n, out);
	else
		print_text(&in, list, n, out);
	return HC_EXIT_OK;
}
