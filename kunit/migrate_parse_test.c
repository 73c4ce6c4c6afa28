// SPDX-License-Identifier: GPL-2.0-only
/* What hosts write, honest and hostile. */
#include <kunit/test.h>
#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/string.h>

#include <asm/byteorder.h>

#include <migrate-notify/featdiff.h>
#include <migrate-notify/parse.h>

#include "hybrid_suites.h"

#define MS	1000000ULL

struct line {
	const char *text;
	int ret;
	u16 action;
	u64 op_id;
	u16 status;
	u64 ns;		/* time-out or downtime */
};

static const struct line lines[] = {
	{ "prepare 1 0", 0, MIGRATE_NOTIFY_INJECT_PREPARE, 1 },
	{ "prepare 42 5000\n", 0, MIGRATE_NOTIFY_INJECT_PREPARE, 42, 0, 5000 * MS },
	{ "prepare 42 5000 +avx2 -aes +of.the-future", 0, MIGRATE_NOTIFY_INJECT_PREPARE, 42, 0,
	  5000 * MS },
	{ "prepare 9223372036854775807 1000000000", 0, MIGRATE_NOTIFY_INJECT_PREPARE,
	  9223372036854775807ULL, 0, 1000000000 * MS },
	{ "moving 7", 0, MIGRATE_NOTIFY_INJECT_MOVING, 7 },
	{ "complete 7 success", 0, MIGRATE_NOTIFY_INJECT_COMPLETE, 7, MIGRATE_NOTIFY_SUCCESS },
	{ "complete 7 failed 95", 0, MIGRATE_NOTIFY_INJECT_COMPLETE, 7, MIGRATE_NOTIFY_FAILED,
	  95 * MS },
	{ "complete 7 cancelled\n", 0, MIGRATE_NOTIFY_INJECT_COMPLETE, 7,
	  MIGRATE_NOTIFY_CANCELLED },
	{ "complete 0007 unknown", 0, MIGRATE_NOTIFY_INJECT_COMPLETE, 7, MIGRATE_NOTIFY_UNKNOWN },
	{ "", -EINVAL },
	{ "\n", -EINVAL },
	{ " ", -EINVAL },
	{ "prepare", -EINVAL },
	{ "prepare ", -EINVAL },
	{ "prepare 1", -EINVAL, 0, 1 },
	{ "prepare 1 ", -EINVAL, 0, 1 },
	{ "prepare 1 0 ", -EINVAL, 0, 1 },
	{ "prepare  1 0", -EINVAL },
	{ "prepare 0 0", -EINVAL },
	{ "prepare -1 0", -EINVAL },
	{ "prepare 0x1 0", -EINVAL },
	{ "prepare 9223372036854775808 0", -EINVAL },
	{ "prepare 99999999999999999999999999 0", -EINVAL },
	{ "prepare 1 1000000001", -EINVAL, 0, 1 },
	{ "prepare 1 0 avx2", -EINVAL, 0, 1 },
	{ "prepare 1 0 +", -EINVAL, 0, 1 },
	{ "prepare 1 0  +aes", -EINVAL, 0, 1 },
	{ "prepare 1 0\n\n", -EINVAL, 0, 1 },
	{ "PREPARE 1 0", -EINVAL, 0, 1 },
	{ "moving 1 2", -EINVAL, 0, 1 },
	{ "moving 1 ", -EINVAL, 0, 1 },
	{ "complete 1", -EINVAL, 0, 1 },
	{ "complete 1 done", -EINVAL, 0, 1 },
	{ "complete 1 success 1 1", -EINVAL, 0, 1 },
	{ "complete 1 success x", -EINVAL, 0, 1 },
	{ "complete 1 succes", -EINVAL, 0, 1 },
	{ "forget 1", -EINVAL, 0, 1 },
};

static void line_desc(const struct line *l, char *desc)
{
	size_t len = strcspn(l->text, "\n");

	memcpy(desc, l->text, len);
	desc[len] = '\0';
}
KUNIT_ARRAY_PARAM(lines, lines, line_desc);

static void parses_lines(struct kunit *test)
{
	const struct line *l = test->param_value;
	struct mn_request rq = { .source = MIGRATE_NOTIFY_SOURCE_XEN };

	KUNIT_EXPECT_EQ(test, mn_request_parse(&rq, l->text, strlen(l->text)), l->ret);
	/* A refused line's number is for the answer. */
	KUNIT_EXPECT_EQ(test, rq.op_id, l->op_id);
	KUNIT_EXPECT_EQ(test, rq.source, MIGRATE_NOTIFY_SOURCE_XEN);
	if (l->ret)
		return;
	KUNIT_EXPECT_EQ(test, rq.action, l->action);
	KUNIT_EXPECT_EQ(test, rq.status, l->status);
	KUNIT_EXPECT_EQ(test, rq.timeout_ns + rq.downtime_ns, l->ns);
}

static void parses_features(struct kunit *test)
{
	static const char text[] = "prepare 1 0 +avx2 -aes -unheard-of +amx-tile";
	struct mn_request rq = {};

	KUNIT_ASSERT_EQ(test, mn_request_parse(&rq, text, strlen(text)), 0);
	KUNIT_EXPECT_TRUE(test, mn_words_test(rq.expect_added, MIGRATE_NOTIFY_F_AVX2));
	KUNIT_EXPECT_TRUE(test, mn_words_test(rq.expect_added, MIGRATE_NOTIFY_F_AMX_TILE));
	KUNIT_EXPECT_TRUE(test, mn_words_test(rq.expect_removed, MIGRATE_NOTIFY_F_AES));
	KUNIT_EXPECT_FALSE(test, mn_words_test(rq.expect_removed, MIGRATE_NOTIFY_F_AVX2));
}

/* No more is read than is there, and no less is looked at. */
static void bounds(struct kunit *test)
{
	char *text = kunit_kzalloc(test, MN_REQUEST_MAX + 1, GFP_KERNEL);
	struct mn_request rq = {};

	KUNIT_ASSERT_NOT_NULL(test, text);
	memset(text, 'a', MN_REQUEST_MAX + 1);
	memcpy(text, "prepare 1 0 +", 13);
	KUNIT_EXPECT_EQ(test, mn_request_parse(&rq, text, MN_REQUEST_MAX), 0);
	KUNIT_EXPECT_EQ(test, mn_request_parse(&rq, text, MN_REQUEST_MAX + 1), -EINVAL);
	KUNIT_EXPECT_EQ(test, mn_request_parse(&rq, "prepare 1 05", 11), 0);
	KUNIT_EXPECT_EQ(test, mn_request_parse(&rq, "prepare 1 0\0", 12), -EINVAL);
}

static void vmclock_page(struct kunit *test)
{
	const struct mn_vmclock good = {
		.magic = __cpu_to_le32(0x4b4c4356), .size = __cpu_to_le32(0x1000),
		.version = __cpu_to_le16(1), .seq = __cpu_to_le32(4),
		.marker = __cpu_to_le64(0x123456789abcdefULL),
	};
	struct mn_vmclock bad = good;
	u64 marker = 0;

	KUNIT_EXPECT_EQ(test, mn_vmclock_parse(&good, &marker), 0);
	KUNIT_EXPECT_EQ(test, marker, 0x123456789abcdefULL);
	marker = 5;
	bad.seq = __cpu_to_le32(5);
	KUNIT_EXPECT_EQ(test, mn_vmclock_parse(&bad, &marker), -EAGAIN);
	bad = good;
	bad.magic = __cpu_to_le32(0x4b4c4357);
	KUNIT_EXPECT_EQ(test, mn_vmclock_parse(&bad, &marker), -EINVAL);
	bad = good;
	bad.size = __cpu_to_le32(sizeof(bad) - 1);
	KUNIT_EXPECT_EQ(test, mn_vmclock_parse(&bad, &marker), -EINVAL);
	bad = good;
	bad.version = __cpu_to_le16(2);
	KUNIT_EXPECT_EQ(test, mn_vmclock_parse(&bad, &marker), -EINVAL);
	KUNIT_EXPECT_EQ(test, marker, 5);
}

struct clocks {
	const char *name;
	struct mn_pvclock before, after;
	u64 tsc;
	s64 step;
};

/* 2 GHz: half a nanosecond per tick. */
#define HALF	0x80000000u

static const struct clocks clocks[] = {
	{ "the same version", { 2, HALF, 0, 0, 0 }, { 2, HALF, 0, 0, 999999999 }, 100, 0 },
	{ "corrected, no step", { 2, HALF, 0, 0, 0 }, { 4, HALF, 0, 2000, 1000 }, 4000, 0 },
	{ "stood still for 62 ms", { 2, HALF, 0, 0, 0 }, { 4, HALF, 0, 2000, 62001000 }, 4000,
	  62000000 },
	{ "paused for 10 s", { 2, HALF, 0, 0, 20000000000ULL },
	  { 4, HALF, 0, 20000000000ULL, 20000000000ULL }, 20000000000ULL, -10000000000LL },
	{ "another frequency", { 2, HALF, 0, 0, 0 }, { 4, HALF, 1, 0, 0 }, 4000000, 2000000 },
	{ "shift to the right", { 2, HALF, -1, 0, 0 }, { 4, HALF, 0, 0, 0 }, 4000, 1000 },
	{ "no multiplier", { 2, HALF, 0, 0, 0 }, { 4, 0, 0, 0, 999999999 }, 100, 0 },
	{ "absurd shift", { 2, HALF, 0, 0, 0 }, { 4, HALF, 64, 0, 999999999 }, 100, 0 },
	{ "absurd negative shift", { 2, HALF, -128, 0, 0 }, { 4, HALF, 0, 0, 999999999 }, 100, 0 },
};

static void clocks_desc(const struct clocks *c, char *desc)
{
	strcpy(desc, c->name);
}
KUNIT_ARRAY_PARAM(clocks, clocks, clocks_desc);

static void clock_steps(struct kunit *test)
{
	const struct clocks *c = test->param_value;

	KUNIT_EXPECT_EQ(test, mn_pvclock_step(&c->before, &c->after, c->tsc), c->step);
}

struct jump {
	const char *name;
	u64 since_ns;
	s64 step;
	bool disturbed, moved;
};

#define HOUR	(3600000 * MS)

/* What a correction can be depends on how long the clocks drifted. */
static const struct jump jumps[] = {
	{ "a short downtime", 10 * MS, MS + 11, .moved = true },
	{ "just no downtime", 10 * MS, MS - 1 },
	{ "back", 10 * MS, -MS - 11, .moved = true },
	{ "an hour's drift", HOUR, 4 * MS },
	{ "more than an hour's drift", HOUR, 5 * MS, .moved = true },
	{ "backwards, an hour's drift", HOUR, -4 * MS },
	{ "a year's drift", 8760 * HOUR, 20 * MS },
	{ "more than any drift", 8760 * HOUR, 22 * MS, .moved = true },
	{ "a CPU comes", 10 * MS, 20 * MS, .disturbed = true },
	{ "a CPU comes and the machine is moved", 10 * MS, 22 * MS, true, true },
	{ "nothing", HOUR, 0 },
};

static void jump_desc(const struct jump *j, char *desc)
{
	strcpy(desc, j->name);
}
KUNIT_ARRAY_PARAM(jumps, jumps, jump_desc);

static void clock_jumps(struct kunit *test)
{
	const struct jump *j = test->param_value;
	const u64 tsc = 2 * j->since_ns;
	const struct mn_pvclock before = { 2, HALF, 0, 0, 5 };
	const struct mn_pvclock after = { 4, HALF, 0, tsc, 5 + j->since_ns + j->step };

	KUNIT_EXPECT_EQ(test, mn_pvclock_step(&before, &after, tsc), j->step);
	KUNIT_EXPECT_EQ(test, mn_pvclock_moved(&before, &after, tsc, j->disturbed), j->moved);
}

static struct kunit_case migrate_parse_cases[] = {
	KUNIT_CASE_PARAM(parses_lines, lines_gen_params),
	KUNIT_CASE(parses_features),
	KUNIT_CASE(bounds),
	KUNIT_CASE(vmclock_page),
	KUNIT_CASE_PARAM(clock_steps, clocks_gen_params),
	KUNIT_CASE_PARAM(clock_jumps, jumps_gen_params),
	{}
};

struct kunit_suite migrate_parse_suite = {
	.name = "migrate_parse",
	.test_cases = migrate_parse_cases,
};
