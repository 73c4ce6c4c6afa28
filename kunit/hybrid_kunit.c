// SPDX-License-Identifier: GPL-2.0-only
/*
 * Runs the suites when the module is loaded.
 *
 * Not kunit_test_suites(): distribution kernels are built without KUnit, so their module
 * loader does not look for suites. Calling the core works there and in a KUnit kernel.
 */
#include <linux/module.h>

#include "hybrid_suites.h"

static struct kunit_suite *suites[] = { HYBRID_SUITES };

static int __init hybrid_kunit_init(void)
{
	/* The plan, so that a run that dies half-way cannot look complete. */
	pr_info("KTAP version 1\n");
	pr_info("1..%zu\n", ARRAY_SIZE(suites));
	return __kunit_test_suites_init(suites, ARRAY_SIZE(suites));
}
module_init(hybrid_kunit_init);

static void __exit hybrid_kunit_exit(void)
{
	__kunit_test_suites_exit(suites, ARRAY_SIZE(suites));
}
module_exit(hybrid_kunit_exit);

MODULE_DESCRIPTION("KUnit suites of the Hybrid HVM drivers");
MODULE_LICENSE("GPL");
