// SPDX-License-Identifier: GPL-2.0-only
/* What hosts are answered. */
#include <kunit/test.h>
#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/string.h>

#include <migrate-notify/answer.h>

#include "hybrid_suites.h"

#define LARGEST	18446744073709551615ULL

static void answers_events(struct kunit *test)
{
	static const struct {
		struct migrate_notify_event e;
		const char *text;
	} cases[] = {
		{ { .type = MIGRATE_NOTIFY_EVENT_READY, .op_id = 42, .refused = 1 }, "ready 42 1" },
		{ { .type = MIGRATE_NOTIFY_EVENT_TIMED_OUT, .op_id = 42, .waiting = 3,
		    .refused = 2 }, "timed-out 42 3 2" },
		{ { .type = MIGRATE_NOTIFY_EVENT_COMPLETE, .op_id = 42, .status = 4 },
		  "complete 42 4" },
		/* The longest there is */
		{ { .type = MIGRATE_NOTIFY_EVENT_TIMED_OUT, .op_id = LARGEST, .waiting = ~0u,
		    .refused = ~0u }, "timed-out 18446744073709551615 4294967295 4294967295" },
	};
	struct mn_answers a = {};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		mn_answer_event(&a, &cases[i].e);
		KUNIT_EXPECT_STREQ(test, a.text, cases[i].text);
		/* Asked again: the same again, and then still. */
		KUNIT_EXPECT_TRUE(test, mn_answer_error(&a, cases[i].e.op_id, -EALREADY, true));
		KUNIT_EXPECT_STREQ(test, a.text, cases[i].text);
	}
}

static void answers_errors(struct kunit *test)
{
	const struct migrate_notify_event ready = {
		.type = MIGRATE_NOTIFY_EVENT_READY, .op_id = 42,
	};
	struct mn_answers a = {};

	KUNIT_EXPECT_TRUE(test, mn_answer_error(&a, 0, -EINVAL, false));
	KUNIT_EXPECT_STREQ(test, a.text, "error 0 22");
	mn_answer_event(&a, &ready);
	KUNIT_EXPECT_TRUE(test, mn_answer_error(&a, 43, -EBUSY, false));
	KUNIT_EXPECT_STREQ(test, a.text, "error 43 16");
	/* An error does not make it forget. */
	KUNIT_EXPECT_TRUE(test, mn_answer_error(&a, 42, -EALREADY, true));
	KUNIT_EXPECT_STREQ(test, a.text, "ready 42 0");
	/* One whose acks are awaited is answered when they have come. */
	KUNIT_EXPECT_FALSE(test, mn_answer_error(&a, 44, -EALREADY, true));
	KUNIT_EXPECT_STREQ(test, a.text, "ready 42 0");
	KUNIT_EXPECT_TRUE(test, mn_answer_error(&a, 41, -EALREADY, false));
	KUNIT_EXPECT_STREQ(test, a.text, "error 41 114");
}

static struct kunit_case migrate_answer_cases[] = {
	KUNIT_CASE(answers_events),
	KUNIT_CASE(answers_errors),
	{}
};

struct kunit_suite migrate_answer_suite = {
	.name = "migrate_answer",
	.test_cases = migrate_answer_cases,
};
