// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <getopt.h>
#include <string.h>

#include "../../drivers/pvirq/judge.h"
#include "args.h"
#include "state.h"

enum {
	OPT_JSON = 256,
	OPT_LIST,
	OPT_VERSION,
};

struct command {
	const char *name;
	const char *shortopts;
	struct option longopts[8];
	const char *synopsis;
	const char *summary;
	const char *help;
};

#define OPT_LONG_HELP	{ "help", no_argument, NULL, 'h' }
#define OPT_LONG_JSON	{ "json", no_argument, NULL, OPT_JSON }

#define HELP_JSON \
	"      --json         for programs; the keys are stable\n"
#define HELP_HELP \
	"  -h, --help         this text\n"

static const struct command commands[] = {
	[HC_CMD_HELP] = {
		.name = "",
		.shortopts = "+:hV",
		.longopts = { OPT_LONG_HELP, { "version", no_argument, NULL, OPT_VERSION }, { } },
		.synopsis = "COMMAND [OPTION...]",
	},
	[HC_CMD_STATUS] = {
		.name = "status",
		.shortopts = "+:h",
		.longopts = { OPT_LONG_HELP, OPT_LONG_JSON, { } },
		.synopsis = "status [--json]",
		.summary = "what this machine runs on, what an exit costs, what was decided",
		.help = "Shows the hypervisor, the interfaces it presents, the estimated nesting level,\n"
			"what an exit costs, and for each operation its path, the reason and counters.\n",
	},
	[HC_CMD_EXPLAIN] = {
		.name = "explain",
		.shortopts = "+:h",
		.longopts = { OPT_LONG_HELP, OPT_LONG_JSON, { } },
		.synopsis = "explain OP [--json]",
		.summary = "everything about one operation",
		.help = "Shows the path of one operation, why it was taken, what that was decided by,\n"
			"how to override it, and its counters.\n",
	},
	[HC_CMD_BENCH] = {
		.name = "bench",
		.shortopts = "+:hn:l",
		.longopts = {
			OPT_LONG_HELP, OPT_LONG_JSON,
			{ "count", required_argument, NULL, 'n' },
			{ "list", no_argument, NULL, OPT_LIST }, { }
		},
		.synopsis = "bench [OP...] [-n COUNT] [--list] [--json]",
		.summary = "measure operations that exit",
		.help = "Measures operations that exit to the hypervisor, in TSC cycles and nanoseconds.\n"
			"Needs hybrid.ko and root; otherwise only cpuid is measured, in user space.\n",
	},
	[HC_CMD_ADVISE] = {
		.name = "advise",
		.shortopts = "+:h",
		.longopts = { OPT_LONG_HELP, OPT_LONG_JSON, { } },
		.synopsis = "advise [--json]",
		.summary = "what could be set better, on this machine or its host",
		.help = "Shows what an operator could change so that fewer exits happen, each with its\n"
			"reason. No advice is a normal answer. It changes nothing.\n",
	},
	[HC_CMD_IRQ] = {
		.name = "irq",
		.shortopts = "+:h",
		.longopts = { OPT_LONG_HELP, OPT_LONG_JSON, { } },
		.synopsis = "irq [--json]\n"
			    "       hybridctl irq set IRQ|DEVICE auto|kernel|lazy",
		.summary = "interrupts of PCI devices: whose, by which path, why, what it saved",
		.help = "Shows each MSI of each PCI device: its path, the reason, and how often the device\n"
			"was told (done) or not (avoided). 'set' says for one interrupt, or all of a device\n"
			"(0000:00:04.0), whether pvirq.ko decides, leaves it alone or takes it over.\n"
			"Needs pvirq.ko and root.\n",
	},
};

#define FIRST_COMMAND	HC_CMD_STATUS
#define NR_COMMANDS	((int)(sizeof(commands) / sizeof(commands[0])))

static const char *const bench_names[] = {
	[HC_BENCH_CPUID]		= "cpuid",
	[HC_BENCH_RDMSR_TSC_ADJUST]	= "rdmsr_tsc_adjust",
	[HC_BENCH_WRMSR_TSC_ADJUST]	= "wrmsr_tsc_adjust",
	[HC_BENCH_RDMSR_APICBASE]	= "rdmsr_apicbase",
	[HC_BENCH_PIO]			= "pio",
	[HC_BENCH_MMIO]			= "mmio",
	[HC_BENCH_LAPIC]		= "lapic",
	[HC_BENCH_HYPERCALL]		= "hypercall",
	[HC_BENCH_IPI]			= "ipi",
	[HC_BENCH_TIMER]		= "timer",
};

const char *hc_bench_name(enum hc_bench_op op)
{
	return bench_names[op];
}

static void list_commands(FILE *out)
{
	for (int i = FIRST_COMMAND; i < NR_COMMANDS; i++)
		fprintf(out, "%s %s", i == FIRST_COMMAND ? "" : ",", commands[i].name);
}

static void list_ops(FILE *out)
{
	for (int op = 0; op < HYBRID_OP_NR; op++)
		fprintf(out, "%s %s", op ? "," : "", hybrid_op_name(op));
}

static void list_bench_ops(FILE *out)
{
	for (int op = 0; op < HC_BENCH_NR; op++)
		fprintf(out, "%s %s", op ? "," : "", bench_names[op]);
}

static void list_options(const struct command *c, FILE *out)
{
	for (const struct option *o = c->longopts; o->name; o++)
		fprintf(out, "%s --%s", o == c->longopts ? "" : ",", o->name);
}

static void complain(const struct command *c, FILE *err)
{
	fprintf(err, "hybridctl%s%s: ", *c->name ? " " : "", c->name);
}

static int usage_option(const struct command *c, char **argv, FILE *err)
{
	complain(c, err);
	if (optopt >= 256 || (optopt && strchr(c->shortopts, optopt)))
		fprintf(err, "option '%s' takes no value", argv[optind - 1]);
	else if (optopt)
		fprintf(err, "unknown option '-%c'", optopt);
	else
		fprintf(err, "unknown or ambiguous option '%s'", argv[optind - 1]);
	fputs("; the options are", err);
	list_options(c, err);
	fputc('\n', err);
	return -EINVAL;
}

static int usage_value(const struct command *c, char **argv, FILE *err)
{
	complain(c, err);
	fprintf(err, "option '%s' needs a value\n", argv[optind - 1]);
	return -EINVAL;
}

static int parse_count(struct hc_args *a, const struct command *c, FILE *err)
{
	uint64_t count;

	if (hc_parse_u64(optarg, 1, HC_BENCH_COUNT_MAX, &count)) {
		complain(c, err);
		fprintf(err, "count '%s' is not a number from 1 to %d\n", optarg,
			HC_BENCH_COUNT_MAX);
		return -EINVAL;
	}
	a->count = count;
	return 0;
}

static int parse_options(struct hc_args *a, const struct command *c, int argc, char **argv,
			 FILE *err)
{
	int opt;

	while ((opt = getopt_long(argc, argv, c->shortopts, c->longopts, NULL)) != -1) {
		switch (opt) {
		case 'h':
			a->help = true;
			break;
		case 'V':
		case OPT_VERSION:
			a->command = HC_CMD_VERSION;
			break;
		case OPT_JSON:
			a->json = true;
			break;
		case 'l':
		case OPT_LIST:
			a->list = true;
			break;
		case 'n':
			if (parse_count(a, c, err))
				return -EINVAL;
			break;
		case ':':
			return usage_value(c, argv, err);
		default:
			return usage_option(c, argv, err);
		}
	}
	return 0;
}

static int parse_command(struct hc_args *a, const char *name, FILE *err)
{
	for (int i = FIRST_COMMAND; i < NR_COMMANDS; i++) {
		if (!strcmp(name, commands[i].name)) {
			a->command = i;
			return 0;
		}
	}
	fprintf(err, "hybridctl: unknown command '%s'; the commands are", name);
	list_commands(err);
	fputc('\n', err);
	return -EINVAL;
}

static int parse_explain_op(struct hc_args *a, const char *word, FILE *err)
{
	if (a->op >= 0) {
		fprintf(err, "hybridctl explain: one operation at a time, '%s' is one too many\n",
			word);
		return -EINVAL;
	}
	a->op = hc_op_find(word);
	if (a->op >= 0)
		return 0;
	fprintf(err, "hybridctl explain: unknown operation '%s'; the operations are", word);
	list_ops(err);
	fputc('\n', err);
	return -EINVAL;
}

static int parse_bench_op(struct hc_args *a, const char *word, FILE *err)
{
	for (int op = 0; op < HC_BENCH_NR; op++) {
		if (!strcmp(word, bench_names[op])) {
			a->bench |= 1u << op;
			return 0;
		}
	}
	fprintf(err, "hybridctl bench: unknown operation '%s'; the operations are", word);
	list_bench_ops(err);
	fputc('\n', err);
	return -EINVAL;
}

/* "set", WHO, WANT, one after the other */
static int parse_irq_word(struct hc_args *a, const char *word, FILE *err)
{
	enum pvirq_want want;

	if (a->want == HC_IRQ_LIST && !strcmp(word, "set")) {
		a->want = HC_IRQ_SET;
		return 0;
	}
	if (a->want == HC_IRQ_SET && !*a->who && *word && strlen(word) < sizeof(a->who)) {
		strcpy(a->who, word);
		return 0;
	}
	if (a->want == HC_IRQ_SET && *a->who && !pvirq_parse_want(word, &want)) {
		a->want = want;
		return 0;
	}
	fprintf(err, "hybridctl irq: '%.40s' makes no sense here; try 'irq' or 'irq set IRQ|DEVICE auto|kernel|lazy'\n",
		word);
	return -EINVAL;
}

static int parse_operand(struct hc_args *a, const char *word, FILE *err)
{
	switch (a->command) {
	case HC_CMD_EXPLAIN:
		return parse_explain_op(a, word, err);
	case HC_CMD_BENCH:
		return parse_bench_op(a, word, err);
	case HC_CMD_IRQ:
		return parse_irq_word(a, word, err);
	default:
		complain(&commands[a->command], err);
		fprintf(err, "takes no operand, but got '%s'\n", word);
		return -EINVAL;
	}
}

/* Options may come before, between and after the operands. */
static int parse_rest(struct hc_args *a, int argc, char **argv, FILE *err)
{
	const struct command *c = &commands[a->command];

	for (;;) {
		if (parse_options(a, c, argc, argv, err))
			return -EINVAL;
		if (optind >= argc)
			return 0;
		if (!strcmp(argv[optind - 1], "--"))
			break;
		if (parse_operand(a, argv[optind++], err))
			return -EINVAL;
	}
	while (optind < argc)
		if (parse_operand(a, argv[optind++], err))
			return -EINVAL;
	return 0;
}

int hc_args_parse(struct hc_args *a, int argc, char **argv, FILE *err)
{
	memset(a, 0, sizeof(*a));
	a->op = -1;
	a->count = HC_BENCH_COUNT_DEFAULT;
	a->want = HC_IRQ_LIST;

	opterr = 0;
	optind = 0;	/* GNU: start anew, also in a test's second call */
	if (parse_options(a, &commands[HC_CMD_HELP], argc, argv, err))
		return -EINVAL;
	if (a->help || a->command == HC_CMD_VERSION)
		return 0;
	if (optind >= argc) {
		fputs("hybridctl: no command; the commands are", err);
		list_commands(err);
		fputs(" (see hybridctl --help)\n", err);
		return -EINVAL;
	}
	if (parse_command(a, argv[optind], err))
		return -EINVAL;

	argc -= optind;
	argv += optind;
	optind = 0;
	if (parse_rest(a, argc, argv, err))
		return -EINVAL;
	if (a->command == HC_CMD_EXPLAIN && a->op < 0 && !a->help) {
		fputs("hybridctl explain: which operation? One of", err);
		list_ops(err);
		fputc('\n', err);
		return -EINVAL;
	}
	if (a->want == HC_IRQ_SET && !a->help) {
		fputs("hybridctl irq set: which interrupt or device, and auto, kernel or lazy?\n",
		      err);
		return -EINVAL;
	}
	return 0;
}

void hc_args_help(const struct hc_args *a, FILE *out)
{
	const struct command *c = &commands[a->command];

	fprintf(out, "Usage: hybridctl %s\n\n", c->synopsis);
	if (a->command == HC_CMD_HELP) {
		fputs("Shows what Hybrid HVM found out about this machine and what it does about it.\n"
		      "\nCommands:\n", out);
		for (int i = FIRST_COMMAND; i < NR_COMMANDS; i++)
			fprintf(out, "  %-10s %s\n", commands[i].name, commands[i].summary);
		fputs("\nOptions:\n" HELP_HELP
		      "  -V, --version      the version\n"
		      "\nhybridctl COMMAND --help says more on each; see also hybridctl(8).\n", out);
		return;
	}
	fputs(c->help, out);
	fputs("\nOptions:\n", out);
	if (a->command == HC_CMD_BENCH)
		fprintf(out,
			"  -n, --count=COUNT  how often, 1 to %d (default %d)\n"
			"  -l, --list         what can be measured here\n",
			HC_BENCH_COUNT_MAX, HC_BENCH_COUNT_DEFAULT);
	fputs(HELP_JSON HELP_HELP, out);
	if (a->command == HC_CMD_EXPLAIN) {
		fputs("\nOperations:", out);
		list_ops(out);
		fputc('\n', out);
	} else if (a->command == HC_CMD_BENCH) {
		fputs("\nOperations:\n", out);
		for (int op = 0; op < HC_BENCH_NR; op++)
			fprintf(out, "  %s\n", bench_names[op]);
	}
}
