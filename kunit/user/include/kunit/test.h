/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The part of the KUnit API that our suites use, for user space: the same suite file
 * builds in the kernel and here. The runner (../../runner.c) hands the cases to cmocka.
 */
#ifndef SHIM_KUNIT_TEST_H
#define SHIM_KUNIT_TEST_H

#include <assert.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include <linux/kernel.h>
#include <linux/types.h>

#define KUNIT_PARAM_DESC_SIZE	128
#define GFP_KERNEL		0

enum kunit_status {
	KUNIT_SUCCESS,
	KUNIT_FAILURE,
	KUNIT_SKIPPED,
};

struct kunit {
	void *priv;
	const void *param_value;
	enum kunit_status status;
	void *allocations;
};

struct kunit_case {
	void (*run_case)(struct kunit *test);
	const char *name;
	const void *(*generate_params)(const void *prev, char *desc);
};

struct kunit_suite {
	const char name[256];
	int (*init)(struct kunit *test);
	void (*exit)(struct kunit *test);
	struct kunit_case *test_cases;
};

#define KUNIT_CASE(test)		{ .run_case = test, .name = #test }
#define KUNIT_CASE_PARAM(test, gen)	{ .run_case = test, .name = #test, .generate_params = gen }

#define KUNIT_ARRAY_PARAM(prefix, array, get_desc)					\
	static const void *prefix##_gen_params(const void *prev, char *desc)		\
	{										\
		__typeof__((array)[0]) *next = prev;					\
											\
		next = prev ? next + 1 : (array);					\
		if (next - (array) >= (ptrdiff_t)ARRAY_SIZE(array))			\
			return NULL;							\
		get_desc(next, desc);							\
		return next;								\
	}

/* Freed when the case ends. */
void *kunit_kmalloc_array(struct kunit *test, size_t n, size_t size, int gfp);
#define kunit_kzalloc(test, size, gfp)	kunit_kmalloc_array(test, 1, size, gfp)

__attribute__((format(printf, 2, 3)))
void kunit_info(struct kunit *test, const char *fmt, ...);

/* Ends the case; neither passed nor failed. */
__attribute__((format(printf, 2, 3), noreturn))
void kunit_skip(struct kunit *test, const char *fmt, ...);

/* @text: what was expected; @fmt: more about it, or NULL. Does not return if @fatal. */
__attribute__((format(printf, 6, 7)))
void kunit_user_fail(struct kunit *test, const char *file, int line, bool fatal,
		     const char *text, const char *fmt, ...);

#define KUNIT_USER_CHECK(test, fatal, ok, text, ...)					\
	do {										\
		if (!(ok))								\
			kunit_user_fail(test, __FILE__, __LINE__, fatal, text, __VA_ARGS__); \
	} while (0)

#define KUNIT_USER_BINARY(test, fatal, left, op, right, ...)				\
	do {										\
		const __typeof__(left) left_ = (left);					\
		const __typeof__(right) right_ = (right);				\
		char text_[256];							\
											\
		if (left_ op right_)							\
			break;								\
		snprintf(text_, sizeof(text_), "%s %s %s: they are %lld and %lld",	\
			 #left, #op, #right, (long long)left_, (long long)right_);	\
		kunit_user_fail(test, __FILE__, __LINE__, fatal, text_, __VA_ARGS__);	\
	} while (0)

#define KUNIT_USER_STR(test, fatal, left, op, right, ...)				\
	do {										\
		const char *left_ = (left);						\
		const char *right_ = (right);						\
		char text_[256];							\
											\
		if (strcmp(left_, right_) op 0)						\
			break;								\
		snprintf(text_, sizeof(text_), "%s %s %s: they are \"%s\" and \"%s\"",	\
			 #left, #op, #right, left_, right_);				\
		kunit_user_fail(test, __FILE__, __LINE__, fatal, text_, __VA_ARGS__);	\
	} while (0)

#define KUNIT_FAIL(test, ...) \
	kunit_user_fail(test, __FILE__, __LINE__, false, "failed", __VA_ARGS__)

#define KUNIT_EXPECT_TRUE_MSG(test, c, ...)	KUNIT_USER_CHECK(test, false, c, #c, __VA_ARGS__)
#define KUNIT_EXPECT_FALSE_MSG(test, c, ...) \
	KUNIT_USER_CHECK(test, false, !(c), "!(" #c ")", __VA_ARGS__)
#define KUNIT_EXPECT_NOT_NULL_MSG(test, p, ...) \
	KUNIT_USER_CHECK(test, false, (p) != NULL, #p " != NULL", __VA_ARGS__)
#define KUNIT_EXPECT_EQ_MSG(test, l, r, ...) KUNIT_USER_BINARY(test, false, l, ==, r, __VA_ARGS__)
#define KUNIT_EXPECT_NE_MSG(test, l, r, ...) KUNIT_USER_BINARY(test, false, l, !=, r, __VA_ARGS__)
#define KUNIT_EXPECT_LT_MSG(test, l, r, ...) KUNIT_USER_BINARY(test, false, l, <, r, __VA_ARGS__)
#define KUNIT_EXPECT_LE_MSG(test, l, r, ...) KUNIT_USER_BINARY(test, false, l, <=, r, __VA_ARGS__)
#define KUNIT_EXPECT_GT_MSG(test, l, r, ...) KUNIT_USER_BINARY(test, false, l, >, r, __VA_ARGS__)
#define KUNIT_EXPECT_GE_MSG(test, l, r, ...) KUNIT_USER_BINARY(test, false, l, >=, r, __VA_ARGS__)
#define KUNIT_EXPECT_STREQ_MSG(test, l, r, ...) KUNIT_USER_STR(test, false, l, ==, r, __VA_ARGS__)
#define KUNIT_EXPECT_STRNEQ_MSG(test, l, r, ...) KUNIT_USER_STR(test, false, l, !=, r, __VA_ARGS__)

#define KUNIT_ASSERT_TRUE_MSG(test, c, ...)	KUNIT_USER_CHECK(test, true, c, #c, __VA_ARGS__)
#define KUNIT_ASSERT_NOT_NULL_MSG(test, p, ...) \
	KUNIT_USER_CHECK(test, true, (p) != NULL, #p " != NULL", __VA_ARGS__)
#define KUNIT_ASSERT_EQ_MSG(test, l, r, ...) KUNIT_USER_BINARY(test, true, l, ==, r, __VA_ARGS__)
#define KUNIT_ASSERT_LT_MSG(test, l, r, ...) KUNIT_USER_BINARY(test, true, l, <, r, __VA_ARGS__)
#define KUNIT_ASSERT_LE_MSG(test, l, r, ...) KUNIT_USER_BINARY(test, true, l, <=, r, __VA_ARGS__)

#define KUNIT_EXPECT_TRUE(test, c)	KUNIT_EXPECT_TRUE_MSG(test, c, NULL)
#define KUNIT_EXPECT_FALSE(test, c)	KUNIT_EXPECT_FALSE_MSG(test, c, NULL)
#define KUNIT_EXPECT_NOT_NULL(test, p)	KUNIT_EXPECT_NOT_NULL_MSG(test, p, NULL)
#define KUNIT_EXPECT_EQ(test, l, r)	KUNIT_EXPECT_EQ_MSG(test, l, r, NULL)
#define KUNIT_EXPECT_NE(test, l, r)	KUNIT_EXPECT_NE_MSG(test, l, r, NULL)
#define KUNIT_EXPECT_LT(test, l, r)	KUNIT_EXPECT_LT_MSG(test, l, r, NULL)
#define KUNIT_EXPECT_LE(test, l, r)	KUNIT_EXPECT_LE_MSG(test, l, r, NULL)
#define KUNIT_EXPECT_GT(test, l, r)	KUNIT_EXPECT_GT_MSG(test, l, r, NULL)
#define KUNIT_EXPECT_GE(test, l, r)	KUNIT_EXPECT_GE_MSG(test, l, r, NULL)
#define KUNIT_EXPECT_STREQ(test, l, r)	KUNIT_EXPECT_STREQ_MSG(test, l, r, NULL)
#define KUNIT_EXPECT_STRNEQ(test, l, r)	KUNIT_EXPECT_STRNEQ_MSG(test, l, r, NULL)
#define KUNIT_ASSERT_TRUE(test, c)	KUNIT_ASSERT_TRUE_MSG(test, c, NULL)
#define KUNIT_ASSERT_NOT_NULL(test, p)	KUNIT_ASSERT_NOT_NULL_MSG(test, p, NULL)
#define KUNIT_ASSERT_EQ(test, l, r)	KUNIT_ASSERT_EQ_MSG(test, l, r, NULL)
#define KUNIT_ASSERT_LT(test, l, r)	KUNIT_ASSERT_LT_MSG(test, l, r, NULL)
#define KUNIT_ASSERT_LE(test, l, r)	KUNIT_ASSERT_LE_MSG(test, l, r, NULL)

#endif
