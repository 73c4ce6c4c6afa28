// SPDX-License-Identifier: GPL-2.0-only
/*
 * Runs the KUnit suites in user space: each case, and each parameter of a parameterised
 * case, is one cmocka test.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "../hybrid_suites.h"

/* One case with one parameter; run_leaf()'s state. */
struct leaf {
	const struct kunit_suite *suite;
	const struct kunit_case *test_case;
	struct kunit test;
	char name[KUNIT_PARAM_DESC_SIZE * 2];
};

struct allocation {
	struct allocation *next;
	max_align_t data[];
};

struct totals {
	unsigned int passed, failed, skipped;
};

void *kunit_kmalloc_array(struct kunit *test, size_t n, size_t size, int gfp)
{
	struct allocation *a;

	(void)gfp;
	if (size && n > (SIZE_MAX - sizeof(*a)) / size)
		return NULL;
	a = calloc(1, sizeof(*a) + n * size);
	if (!a)
		return NULL;
	a->next = test->allocations;
	test->allocations = a;
	return a->data;
}

static void free_allocations(struct kunit *test)
{
	struct allocation *a = test->allocations;

	while (a) {
		struct allocation *next = a->next;

		free(a);
		a = next;
	}
	test->allocations = NULL;
}

void kunit_info(struct kunit *test, const char *fmt, ...)
{
	va_list args;

	(void)test;
	va_start(args, fmt);
	vprint_message(fmt, args);
	va_end(args);
}

void kunit_skip(struct kunit *test, const char *fmt, ...)
{
	va_list args;

	test->status = KUNIT_SKIPPED;
	va_start(args, fmt);
	vprint_message(fmt, args);
	va_end(args);
	print_message("\n");
	skip();
	abort();	/* skip() does not return, but is not declared so */
}

void kunit_user_fail(struct kunit *test, const char *file, int line, bool fatal,
		     const char *text, const char *fmt, ...)
{
	va_list args;

	test->status = KUNIT_FAILURE;
	print_error("%s:%d: expected %s\n", file, line, text);
	if (fmt) {
		va_start(args, fmt);
		vprint_error(fmt, args);
		va_end(args);
		print_error("\n");
	}
	if (fatal)
		_fail(file, line);
}

static int setup_leaf(void **state)
{
	struct leaf *leaf = *state;

	return leaf->suite->init ? leaf->suite->init(&leaf->test) : 0;
}

static int teardown_leaf(void **state)
{
	struct leaf *leaf = *state;

	if (leaf->suite->exit)
		leaf->suite->exit(&leaf->test);
	free_allocations(&leaf->test);
	return 0;
}

static void run_leaf(void **state)
{
	struct leaf *leaf = *state;

	leaf->test.status = KUNIT_SUCCESS;
	leaf->test_case->run_case(&leaf->test);
	if (leaf->test.status == KUNIT_FAILURE)
		fail();
}

/* Returns how many leaves a suite has; fills in @out unless it is NULL. */
static size_t for_each_leaf(const struct kunit_suite *suite, struct leaf *out)
{
	const struct kunit_case *c;
	char desc[KUNIT_PARAM_DESC_SIZE];
	size_t n = 0;

	for (c = suite->test_cases; c->run_case; c++) {
		const void *param = NULL;

		do {
			desc[0] = '\0';
			if (c->generate_params) {
				param = c->generate_params(param, desc);
				if (!param)
					break;
			}
			if (out) {
				out[n].suite = suite;
				out[n].test_case = c;
				out[n].test.param_value = param;
				/* Until run_leaf() says better, also if its setup fails. */
				out[n].test.status = KUNIT_FAILURE;
				snprintf(out[n].name, sizeof(out[n].name), "%s%s%s", c->name,
					 *desc ? ": " : "", desc);
			}
			n++;
		} while (param);
	}
	return n;
}

static int run_suite(const struct kunit_suite *suite, struct totals *totals)
{
	size_t i, n = for_each_leaf(suite, NULL);
	struct leaf *leaves = calloc(n, sizeof(*leaves));
	struct CMUnitTest *tests = calloc(n, sizeof(*tests));
	int ret = 1;

	if (!leaves || !tests)
		goto out;
	for_each_leaf(suite, leaves);
	for (i = 0; i < n; i++) {
		tests[i].name = leaves[i].name;
		tests[i].test_func = run_leaf;
		tests[i].setup_func = setup_leaf;
		tests[i].teardown_func = teardown_leaf;
		tests[i].initial_state = &leaves[i];
	}

	ret = _cmocka_run_group_tests(suite->name, tests, n, NULL, NULL);
	for (i = 0; i < n; i++) {
		if (leaves[i].test.status == KUNIT_SUCCESS)
			totals->passed++;
		else if (leaves[i].test.status == KUNIT_SKIPPED)
			totals->skipped++;
		else
			totals->failed++;
	}
out:
	free(tests);
	free(leaves);
	return ret;
}

int main(void)
{
	static struct kunit_suite *const suites[] = { HYBRID_SUITES };
	struct totals totals = {};
	int failed = 0;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(suites); i++)
		failed |= run_suite(suites[i], &totals);

	fflush(stderr);
	printf("%u passed, %u failed, %u skipped\n", totals.passed, totals.failed, totals.skipped);
	return failed || totals.failed || !totals.passed;
}
