// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "testlib.h"
#include "bench.h"
#include "commands.h"

static struct hc_bench_avail avail[HC_BENCH_NR];
static struct hc_bench_result r;
static char text[8192];

/*
 * The device answers a write by what the next read returns; a plain file does not, so the
 * linker has us called for write() (--wrap): @device makes the answer.
 */
static int (*device)(const char *request, char *answer);

ssize_t __real_write(int fd, const void *buf, size_t len);
ssize_t __wrap_write(int fd, const void *buf, size_t len);

ssize_t __wrap_write(int fd, const void *buf, size_t len)
{
	char request[64], answer[256] = "";
	int err;

	if (!device)
		return __real_write(fd, buf, len);
	snprintf(request, sizeof(request), "%.*s", (int)len, (const char *)buf);
	err = device(request, answer);
	if (err) {
		errno = -err;
		return -1;
	}
	assert_int_equal(ftruncate(fd, 0), 0);
	assert_int_equal(pwrite(fd, answer, strlen(answer), 0), strlen(answer));
	return len;
}

static int device_works(const char *request, char *answer)
{
	if (!strncmp(request, "ipi ", 4))
		return -ENODEV;
	if (!strncmp(request, "timer ", 6))
		return -EINTR;
	sprintf(answer, "%s 2500 5000 2500000\n", request);
	return 0;
}

static int bench(const struct hc_args *a)
{
	FILE *out = fmemopen(text, sizeof(text), "w");
	int ret;

	assert_non_null(out);
	memset(text, 0, sizeof(text));
	ret = hc_bench(a, &tree, out);
	fclose(out);
	return ret;
}

static void lists(void **state)
{
	(void)state;
	assert_int_equal(hc_bench_parse_list("cpuid available\npio unavailable no PM timer\n"
					     "teleport available\nmmio unavailable\n", avail), 0);
	assert_true(avail[HC_BENCH_CPUID].available);
	assert_false(avail[HC_BENCH_PIO].available);
	assert_string_equal(avail[HC_BENCH_PIO].reason, "no PM timer");
	assert_false(avail[HC_BENCH_MMIO].available);
	assert_true(*avail[HC_BENCH_MMIO].reason);
	/* not mentioned */
	assert_false(avail[HC_BENCH_TIMER].available);
	assert_true(*avail[HC_BENCH_TIMER].reason);
	assert_int_equal(hc_bench_parse_list("", avail), 0);
	assert_int_equal(hc_bench_parse_list("cpuid", avail), -EINVAL);
	assert_int_equal(hc_bench_parse_list("cpuid perhaps\n", avail), -EINVAL);
	memset(text, 'x', sizeof(text) - 1);
	assert_int_equal(hc_bench_parse_list(text, avail), -EINVAL);
}

static void results(void **state)
{
	static const char *const bad[] = {
		"", "cpuid", "cpuid 1 2 3", "pio 1 2 3 4", "cpuid 1 2 3 4 5", "cpuid 0 2 3 4",
		"cpuid 1 2 3 0", "cpuid one 2 3 4", "cpuid available\npio available\n",
	};

	(void)state;
	assert_int_equal(hc_bench_parse_result("cpuid 1000 1200 1350 2500000\n", HC_BENCH_CPUID,
					       &r), 0);
	assert_int_equal(r.count, 1000);
	assert_int_equal(r.min, 1200);
	assert_int_equal(r.avg, 1350);
	assert_int_equal(r.khz, 2500000);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(hc_bench_parse_result(bad[i], HC_BENCH_CPUID, &r), -EINVAL);
}

static void nanoseconds(void **state)
{
	(void)state;
	assert_int_equal(hc_bench_tenths_ns(2500, 2500000), 10000);
	assert_int_equal(hc_bench_tenths_ns(1, 3000000), 3);
	assert_int_equal(hc_bench_tenths_ns(5, 0), 0);
	/* no overflow on the way */
	assert_int_equal(hc_bench_tenths_ns(UINT64_C(1) << 62, 1000000000), UINT64_C(46116860184273879));
}

static void user_space(void **state)
{
	(void)state;
	hc_bench_user_cpuid(10, &r);
	assert_int_equal(r.count, 10);
	assert_true(r.user);
	assert_true(r.min <= r.avg);
	assert_true(r.khz > 10000);
}

static void without_module(void **state)
{
	(void)state;
	assert_int_equal(bench(&(struct hc_args){ .count = 5 }), HC_EXIT_OK);
	assert_non_null(strstr(text, "in user space"));
	assert_non_null(strstr(text, "hybrid.ko is not loaded"));
	assert_int_equal(bench(&(struct hc_args){ .count = 5, .bench = 1 << HC_BENCH_CPUID }),
			 HC_EXIT_OK);
	assert_int_equal(bench(&(struct hc_args){ .count = 5, .bench = 1 << HC_BENCH_PIO }),
			 HC_EXIT_MODULE);
}

static void without_debugfs(void **state)
{
	(void)state;
	tree_module();
	assert_int_equal(bench(&(struct hc_args){ .count = 5 }), HC_EXIT_OK);
	assert_non_null(strstr(text, "mount -t debugfs"));
	assert_int_equal(bench(&(struct hc_args){ .count = 5, .bench = 1 << HC_BENCH_PIO }),
			 HC_EXIT_FAILURE);
}

static void garbled_device(void **state)
{
	(void)state;
	tree_module();
	tree_sys("kernel/debug/hybrid/bench", "rubbish\n");
	assert_int_equal(bench(&(struct hc_args){ .count = 5, .bench = 1 << HC_BENCH_PIO }),
			 HC_EXIT_FAILURE);
	/* answers a request as if it were a read on a fresh open */
	tree_sys("kernel/debug/hybrid/bench", "cpuid available\n");
	assert_int_equal(bench(&(struct hc_args){ .count = 5 }), HC_EXIT_FAILURE);
	assert_non_null(strstr(text, "makes no sense"));
}

static void with_device(void **state)
{
	static const char list[] = "cpuid available\npio unavailable no PM timer\nipi available\n"
				   "timer available\n";
	struct hc_args a = { .count = 5 };

	(void)state;
	tree_module();
	device = device_works;
	tree_sys("kernel/debug/hybrid/bench", list);
	assert_int_equal(bench(&a), HC_EXIT_FAILURE);
	assert_non_null(strstr(text, "2500         5000       1000.0       2000.0\n"));
	assert_non_null(strstr(text, "5 times each, in the kernel"));
	assert_non_null(strstr(text, "no PM timer\n"));
	assert_non_null(strstr(text, "interrupted by a signal\n"));

	tree_sys("kernel/debug/hybrid/bench", list);
	a.bench = 1 << HC_BENCH_CPUID;
	a.json = true;
	assert_int_equal(bench(&a), HC_EXIT_OK);
	assert_non_null(strstr(text, "\"where\": \"kernel\""));
	assert_non_null(strstr(text, "\"min_ns\": 1000.0"));

	tree_sys("kernel/debug/hybrid/bench", list);
	a.bench = 1 << HC_BENCH_PIO;
	assert_int_equal(bench(&a), HC_EXIT_FAILURE);
	device = NULL;
}

static void listing(void **state)
{
	(void)state;
	tree_module();
	tree_sys("kernel/debug/hybrid/bench", "cpuid available\npio unavailable no PM timer\n");
	assert_int_equal(bench(&(struct hc_args){ .list = true }), HC_EXIT_OK);
	assert_non_null(strstr(text, "cpuid               available\n"));
	assert_non_null(strstr(text, "pio                 no PM timer\n"));
}

int main(void)
{
#define TEST(f)	cmocka_unit_test_setup_teardown(f, tree_setup, tree_teardown)
	const struct CMUnitTest tests[] = {
		TEST(lists), TEST(results), TEST(nanoseconds), TEST(user_space),
		TEST(without_module), TEST(without_debugfs), TEST(garbled_device), TEST(with_device), TEST(listing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
