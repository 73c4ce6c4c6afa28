// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "testlib.h"
#include "args.h"
#include "state.h"

static struct hc_args a;
static char message[4096];

/* Splits @line at blanks and parses it; stderr's text goes into message. */
static int parse(const char *line)
{
	char words[1024], *argv[32] = { "hybridctl" }, *save;
	FILE *err = fmemopen(message, sizeof(message), "w");
	int argc = 1, ret;

	assert_non_null(err);
	message[0] = '\0';
	strcpy(words, line);
	for (char *w = strtok_r(words, " ", &save); w; w = strtok_r(NULL, " ", &save))
		argv[argc++] = w;
	argv[argc] = NULL;
	ret = hc_args_parse(&a, argc, argv, err);
	fclose(err);
	return ret;
}

static void refuse(const char *line, const char *expect)
{
	assert_int_equal(parse(line), -EINVAL);
	if (!strstr(message, expect))
		fail_msg("'%s' said: %s", line, message);
	/* one line, for one mistake */
	assert_ptr_equal(strchr(message, '\n'), message + strlen(message) - 1);
}

static void commands(void **state)
{
	(void)state;
	assert_int_equal(parse("status"), 0);
	assert_int_equal(a.command, HC_CMD_STATUS);
	assert_false(a.json);
	assert_int_equal(parse("status --json"), 0);
	assert_true(a.json);
	assert_int_equal(parse("advise"), 0);
	assert_int_equal(a.command, HC_CMD_ADVISE);
	assert_int_equal(parse("--version"), 0);
	assert_int_equal(a.command, HC_CMD_VERSION);
	assert_int_equal(parse("-V"), 0);
	assert_int_equal(a.command, HC_CMD_VERSION);
}

static void explain(void **state)
{
	(void)state;
	assert_int_equal(parse("explain msi_mask"), 0);
	assert_int_equal(a.op, HYBRID_OP_MSI_MASK);
	assert_int_equal(parse("explain --json idle"), 0);
	assert_int_equal(a.op, HYBRID_OP_IDLE);
	assert_true(a.json);
	assert_int_equal(parse("explain idle --json"), 0);
	assert_true(a.json);
	assert_int_equal(parse("explain -- eoi"), 0);
	assert_int_equal(a.op, HYBRID_OP_EOI);
	refuse("explain", "eoi, msi_mask, msi_affinity, ipi, idle, timer");
	refuse("explain EOI", "unknown operation 'EOI'; the operations are eoi, msi_mask");
	refuse("explain eoi idle", "one operation at a time");
	refuse("explain -- --json", "unknown operation '--json'");
}

static void bench(void **state)
{
	(void)state;
	assert_int_equal(parse("bench"), 0);
	assert_int_equal(a.bench, 0);
	assert_int_equal(a.count, HC_BENCH_COUNT_DEFAULT);
	assert_int_equal(parse("bench cpuid -n 7 timer --json"), 0);
	assert_int_equal(a.bench, 1u << HC_BENCH_CPUID | 1u << HC_BENCH_TIMER);
	assert_int_equal(a.count, 7);
	assert_true(a.json);
	assert_int_equal(parse("bench --count=1000000 --list"), 0);
	assert_int_equal(a.count, 1000000);
	assert_true(a.list);
	refuse("bench hlt", "unknown operation 'hlt'; the operations are cpuid, rdmsr_tsc_adjust");
	refuse("bench -n", "option '-n' needs a value");
	refuse("bench --count", "option '--count' needs a value");
	refuse("bench -n 0", "count '0' is not a number from 1 to 1000000");
	refuse("bench -n 1000001", "is not a number from 1 to 1000000");
	refuse("bench -n -5", "is not a number");
	refuse("bench -n 0x10", "is not a number");
	refuse("bench -n 99999999999999999999", "is not a number");
	refuse("bench -n 5k", "count '5k'");
}

static void help(void **state)
{
	(void)state;
	assert_int_equal(parse("--help"), 0);
	assert_true(a.help);
	assert_int_equal(a.command, HC_CMD_HELP);
	assert_int_equal(parse("bench -h"), 0);
	assert_true(a.help);
	assert_int_equal(a.command, HC_CMD_BENCH);
	/* also where it would be incomplete otherwise */
	assert_int_equal(parse("explain --help"), 0);
	assert_true(a.help);
	for (int c = HC_CMD_HELP; c <= HC_CMD_ADVISE; c++) {
		char text[4096] = "", *line, *save;
		FILE *out = fmemopen(text, sizeof(text), "w");

		if (c == HC_CMD_VERSION) {
			fclose(out);
			continue;
		}
		hc_args_help(&(struct hc_args){ .command = c }, out);
		fclose(out);
		assert_non_null(strstr(text, "Usage: hybridctl "));
		for (line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save))
			assert_true(strlen(line) <= 80);
	}
}

static void mistakes(void **state)
{
	(void)state;
	refuse("", "the commands are status, explain, bench, advise");
	refuse("stat", "unknown command 'stat'; the commands are status, explain, bench, advise");
	refuse("--json status", "unknown or ambiguous option '--json'; the options are --help");
	refuse("status --xml", "unknown or ambiguous option '--xml'; the options are --help, --json");
	refuse("status -x", "unknown option '-x'");
	refuse("status --json=yes", "option '--json=yes' takes no value");
	refuse("status --help=x", "option '--help=x' takes no value");
	refuse("status eoi", "takes no operand, but got 'eoi'");
	refuse("advise -n 3", "unknown option '-n'");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(commands), cmocka_unit_test(explain), cmocka_unit_test(bench),
		cmocka_unit_test(help), cmocka_unit_test(mistakes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
