// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <string.h>

#include "testlib.h"

static void read_takes_text(void **state)
{
	char buf[64];

	(void)state;
	tree_sys("a/b", "  one two\t\n");
	assert_int_equal(hc_read(tree.sys, "a/b", buf, sizeof(buf)), 11);
	assert_string_equal(buf, "  one two\t\n");
	assert_int_equal(hc_read_word(tree.sys, "a/b", buf, sizeof(buf)), 7);
	assert_string_equal(buf, "one two");
}

static void read_of_nothing(void **state)
{
	char buf[64] = "old";

	(void)state;
	assert_int_equal(hc_read(tree.sys, "missing", buf, sizeof(buf)), -ENOENT);
	assert_string_equal(buf, "");
	tree_sys("empty", "");
	assert_int_equal(hc_read(tree.sys, "empty", buf, sizeof(buf)), 0);
	assert_int_equal(hc_read_word(tree.sys, "empty", buf, sizeof(buf)), 0);
	assert_string_equal(buf, "");
}

static void read_refuses_what_is_no_file(void **state)
{
	char buf[64];

	(void)state;
	tree_sys_dir("dir");
	tree_sys_fifo("fifo");
	assert_int_equal(hc_read(tree.sys, "dir", buf, sizeof(buf)), -EISDIR);
	assert_int_equal(hc_read(tree.sys, "fifo", buf, sizeof(buf)), -EINVAL);
	assert_int_equal(hc_read("/dev", "zero", buf, sizeof(buf)), -EINVAL);
}

static void read_is_bounded(void **state)
{
	char big[5000], buf[64];

	(void)state;
	memset(big, 'x', sizeof(big));
	tree_sys_bytes("big", big, sizeof(big));
	assert_int_equal(hc_read(tree.sys, "big", buf, sizeof(buf)), -EFBIG);
	assert_string_equal(buf, "");
	/* one byte is for the NUL */
	tree_sys_bytes("fits", big, sizeof(buf) - 1);
	assert_int_equal(hc_read(tree.sys, "fits", buf, sizeof(buf)), sizeof(buf) - 1);
	tree_sys_bytes("fits-not", big, sizeof(buf));
	assert_int_equal(hc_read(tree.sys, "fits-not", buf, sizeof(buf)), -EFBIG);
}

static void read_head_keeps_whole_lines(void **state)
{
	char buf[8];

	(void)state;
	tree_sys("lines", "aa\nbb\ncccccccc\n");
	assert_int_equal(hc_read_head(tree.sys, "lines", buf, sizeof(buf)), 6);
	assert_string_equal(buf, "aa\nbb\n");
	tree_sys("one", "cccccccccccccc");
	assert_int_equal(hc_read_head(tree.sys, "one", buf, sizeof(buf)), 0);
	tree_sys("exact", "aa\nbbbb\nc");
	assert_int_equal(hc_read_head(tree.sys, "exact", buf, sizeof(buf)), 8);
	assert_string_equal(buf, "aa\nbbbb");
}

static void read_makes_bytes_printable(void **state)
{
	static const char bytes[] = "a\0b\x1b[2J\xff\x80z";
	char buf[64];

	(void)state;
	tree_sys_bytes("binary", bytes, sizeof(bytes) - 1);
	assert_int_equal(hc_read(tree.sys, "binary", buf, sizeof(buf)), sizeof(bytes) - 1);
	assert_string_equal(buf, "a?b?[2J??z");
}

static void word_is_one_line(void **state)
{
	char buf[64];

	(void)state;
	tree_sys("two", "a\nb\n");
	assert_int_equal(hc_read_word(tree.sys, "two", buf, sizeof(buf)), -EINVAL);
	assert_string_equal(buf, "");
}

static void long_path(void **state)
{
	char name[5000], buf[64];

	(void)state;
	memset(name, 'n', sizeof(name));
	name[sizeof(name) - 1] = '\0';
	assert_int_equal(hc_read(tree.sys, name, buf, sizeof(buf)), -ENAMETOOLONG);
	assert_false(hc_exists(tree.sys, name));
}

static void numbers_are_strict(void **state)
{
	static const char *const bad[] = {
		"", "-1", "+1", " 1", "1 ", "0x10", "1e3", "1.0", "ten", "1\n",
	};
	uint64_t v = 42;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(hc_parse_u64(bad[i], 0, UINT64_MAX, &v), -EINVAL);
	assert_int_equal(hc_parse_u64("0", 1, 10, &v), -ERANGE);
	assert_int_equal(hc_parse_u64("11", 1, 10, &v), -ERANGE);
	assert_int_equal(hc_parse_u64("18446744073709551616", 0, UINT64_MAX, &v), -ERANGE);
	assert_int_equal(v, 42);
	assert_int_equal(hc_parse_u64("10", 1, 10, &v), 0);
	assert_int_equal(v, 10);
	assert_int_equal(hc_parse_u64("18446744073709551615", 0, UINT64_MAX, &v), 0);
	assert_true(v == UINT64_MAX);
}

static void number_files(void **state)
{
	(void)state;
	tree_sys("n", "17\n");
	tree_sys("garbage", "17 apples\n");
	tree_sys("tenths", "16.2\n");
	tree_sys("hundredths", "16.25\n");
	assert_true(hc_read_num(tree.sys, "n").known);
	assert_int_equal(hc_read_num(tree.sys, "n").v, 17);
	assert_false(hc_read_num(tree.sys, "garbage").known);
	assert_false(hc_read_num(tree.sys, "missing").known);
	assert_true(hc_read_tenths(tree.sys, "tenths").known);
	assert_int_equal(hc_read_tenths(tree.sys, "tenths").v, 162);
	assert_false(hc_read_tenths(tree.sys, "hundredths").known);
	assert_false(hc_read_tenths(tree.sys, "n").known);
}

static void bool_files(void **state)
{
	(void)state;
	tree_sys("y", "Y\n");
	tree_sys("n", "N\n");
	tree_sys("one", "1\n");
	tree_sys("zero", "0\n");
	tree_sys("odd", "perhaps\n");
	assert_int_equal(hc_read_bool(tree.sys, "y"), HC_YES);
	assert_int_equal(hc_read_bool(tree.sys, "one"), HC_YES);
	assert_int_equal(hc_read_bool(tree.sys, "n"), HC_NO);
	assert_int_equal(hc_read_bool(tree.sys, "zero"), HC_NO);
	assert_int_equal(hc_read_bool(tree.sys, "odd"), HC_UNKNOWN);
	assert_int_equal(hc_read_bool(tree.sys, "missing"), HC_UNKNOWN);
}

static void words_of_a_list(void **state)
{
	(void)state;
	assert_true(hc_has_word("quiet nopv idle=poll", "nopv"));
	assert_true(hc_has_word("\tnopv\n", "nopv"));
	assert_false(hc_has_word("xen_nopv nopvspin", "nopv"));
	assert_false(hc_has_word("", "nopv"));
	assert_false(hc_has_word("a b", ""));
}

int main(void)
{
#define TEST(f)	cmocka_unit_test_setup_teardown(f, tree_setup, tree_teardown)
	const struct CMUnitTest tests[] = {
		TEST(read_takes_text), TEST(read_of_nothing), TEST(read_refuses_what_is_no_file),
		TEST(read_is_bounded), TEST(read_head_keeps_whole_lines),
		TEST(read_makes_bytes_printable), TEST(word_is_one_line), TEST(long_path),
		TEST(numbers_are_strict), TEST(number_files), TEST(bool_files),
		TEST(words_of_a_list),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
