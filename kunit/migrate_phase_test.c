// SPDX-License-Identifier: GPL-2.0-only
/* Migrations as hosts tell of them: rightly, twice, too late, not at all. */
#include <kunit/test.h>
#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/string.h>

#include <migrate-notify/phase.h>

#include "hybrid_suites.h"
#include "migrate_phase_rules.h"

#define MS	1000000ULL
#define SECOND	1000000000ULL

#define PREPARE		MIGRATE_NOTIFY_INJECT_PREPARE
#define MOVING		MIGRATE_NOTIFY_INJECT_MOVING
#define COMPLETE	MIGRATE_NOTIFY_INJECT_COMPLETE
#define INJECT		MIGRATE_NOTIFY_SOURCE_INJECT
#define XEN		MIGRATE_NOTIFY_SOURCE_XEN
#define VMCLOCK		MIGRATE_NOTIFY_SOURCE_VMCLOCK
#define PVCLOCK		MIGRATE_NOTIFY_SOURCE_PVCLOCK
#define SUCCESS		MIGRATE_NOTIFY_SUCCESS
#define CANCELLED	MIGRATE_NOTIFY_CANCELLED
#define UNKNOWN		MIGRATE_NOTIFY_UNKNOWN

/* What a step does besides the actions of a request. */
#define ACK		101
#define REFUSE		102
#define TICK		103

static const struct mn_phase fresh = { .default_ns = 10 * SECOND, .max_ns = 1800 * SECOND,
				      .abandoned_ns = 3600 * SECOND };

struct step {
	u64 after_ns;
	u16 action;
	u16 source;
	u64 op_id;
	u16 status;
	u32 waiters;
	u64 timeout_ns;
	bool simulated;
	int ret;
	/* The types of the events that follow, one letter each: P R T M C; small: made up. */
	const char *events;
};

static struct mn_request request(const struct step *s)
{
	return (struct mn_request){
		.action = s->action, .source = s->source, .status = s->status, .op_id = s->op_id,
		.timeout_ns = s->timeout_ns, .simulated = s->simulated,
	};
}

static int take(struct mn_phase *m, u64 now, const struct step *s, struct mn_events *out)
{
	struct mn_request rq = request(s);

	switch (s->action) {
	case ACK:
	case REFUSE:
		mn_phase_ack(m, now, s->action == REFUSE, out);
		return 0;
	case TICK:
		mn_phase_tick(m, now, out);
		return 0;
	default:
		return mn_phase_request(m, now, &rq, s->waiters, out);
	}
}

static void letters(const struct mn_events *out, char text[MN_EVENTS + 1])
{
	u32 i;

	for (i = 0; i < out->n; i++) {
		text[i] = "?PRTMC"[out->e[i].type];
		if (out->e[i].flags & MIGRATE_NOTIFY_EVENT_SYNTHETIC)
			text[i] += 'a' - 'A';
	}
	text[i] = '\0';
}

struct story {
	const char *name;
	struct step step[8];
};

static const struct story stories[] = {
	{ "all is well", {
		{ 0, PREPARE, INJECT, 7, .waiters = 2, .events = "P" },
		{ MS, ACK, .events = "" },
		{ MS, ACK, .events = "R" },
		{ MS, MOVING, INJECT, 7, .events = "M" },
		{ MS, COMPLETE, INJECT, 7, SUCCESS, .events = "C" } } },
	{ "nobody to wait for", {
		{ 0, PREPARE, XEN, 7, .events = "PR" },
		{ MS, COMPLETE, XEN, 0, CANCELLED, .events = "C" } } },
	{ "nobody acks", {
		{ 0, PREPARE, XEN, 7, .waiters = 1, .timeout_ns = SECOND, .events = "P" },
		{ SECOND - 1, TICK, .events = "" },
		{ 1, TICK, .events = "T" },
		{ MS, ACK, .events = "" },
		{ MS, COMPLETE, XEN, 7, SUCCESS, .events = "C" } } },
	{ "the default deadline", {
		{ 0, PREPARE, XEN, 7, .waiters = 1, .events = "P" },
		{ 10 * SECOND - 1, TICK, .events = "" },
		{ 1, TICK, .events = "T" } } },
	{ "the longest deadline", {
		{ 0, PREPARE, XEN, 7, .waiters = 1, .timeout_ns = ~0ULL, .events = "P" },
		{ 1800 * SECOND - 1, TICK, .events = "" },
		{ 1, TICK, .events = "T" } } },
	{ "moved before the acks", {
		{ 0, PREPARE, INJECT, 7, .waiters = 3, .events = "P" },
		{ MS, COMPLETE, VMCLOCK, 0, SUCCESS, .events = "C" },
		{ MS, ACK, .events = "" } } },
	{ "nobody announced it", {
		{ 0, COMPLETE, VMCLOCK, 0, SUCCESS, .events = "pC" },
		{ 60 * SECOND, COMPLETE, VMCLOCK, 0, SUCCESS, .events = "pC" } } },
	{ "nobody announced it, Xen", {
		{ 0, MOVING, XEN, 0, .events = "pM" },
		{ 0, MOVING, XEN, 0, .ret = -EALREADY, .events = "" },
		{ MS, COMPLETE, XEN, 0, SUCCESS, .events = "C" } } },
	{ "everything twice", {
		{ 0, PREPARE, INJECT, 7, .waiters = 1, .events = "P" },
		{ MS, PREPARE, INJECT, 7, .waiters = 1, .ret = -EALREADY, .events = "" },
		{ MS, MOVING, INJECT, 7, .events = "M" },
		{ MS, MOVING, INJECT, 7, .ret = -EALREADY, .events = "" },
		{ MS, COMPLETE, INJECT, 7, SUCCESS, .events = "C" },
		{ MS, COMPLETE, INJECT, 7, SUCCESS, .ret = -EALREADY, .events = "" },
		{ 3600 * SECOND, PREPARE, INJECT, 7, .ret = -EALREADY, .events = "" } } },
	{ "told by number, then seen by the clock", {
		{ 0, PREPARE, INJECT, 7, .events = "PR" },
		{ MS, COMPLETE, INJECT, 7, SUCCESS, .events = "C" },
		{ 100 * MS, COMPLETE, VMCLOCK, 0, SUCCESS, .ret = -EALREADY, .events = "" },
		{ MS, COMPLETE, VMCLOCK, 0, SUCCESS, .events = "pC" } } },
	{ "seen by the clock, then told by number", {
		{ 0, COMPLETE, VMCLOCK, 0, SUCCESS, .events = "pC" },
		{ 100 * MS, COMPLETE, INJECT, 7, SUCCESS, .ret = -EALREADY, .events = "" },
		{ MS, COMPLETE, INJECT, 7, SUCCESS, .ret = -EALREADY, .events = "" },
		{ 3600 * SECOND, COMPLETE, INJECT, 7, SUCCESS, .ret = -EALREADY, .events = "" },
		{ MS, PREPARE, INJECT, 7, .ret = -EALREADY, .events = "" },
		{ MS, COMPLETE, XEN, 0, SUCCESS, .events = "pC" } } },
	{ "seen by the clock, then told by two numbers", {
		{ 0, COMPLETE, VMCLOCK, 0, SUCCESS, .events = "pC" },
		{ MS, COMPLETE, INJECT, 7, SUCCESS, .ret = -EALREADY, .events = "" },
		{ MS, COMPLETE, XEN, 8, SUCCESS, .events = "pC" },
		{ MS, COMPLETE, XEN, 7, SUCCESS, .ret = -EALREADY, .events = "" } } },
	{ "seen by the clock, then told by a number of ours that is no operation's", {
		{ 0, COMPLETE, VMCLOCK, 0, SUCCESS, .events = "pC" },
		{ MS, COMPLETE, INJECT, MN_OP_OURS | 2, SUCCESS, .ret = -ENOENT, .events = "" },
		{ MS, PREPARE, INJECT, 0, .events = "PR" },
		{ MS, COMPLETE, INJECT, MN_OP_OURS | 2, SUCCESS, .events = "C" } } },
	{ "seen by two, long after each other: two migrations", {
		{ 0, COMPLETE, VMCLOCK, 0, SUCCESS, .events = "pC" },
		{ MN_SAME_NS, COMPLETE, XEN, 0, SUCCESS, .events = "pC" } } },
	{ "two numbers are two migrations", {
		{ 0, COMPLETE, XEN, 7, SUCCESS, .events = "pC" },
		{ MS, COMPLETE, INJECT, 8, SUCCESS, .events = "pC" } } },
	{ "an echo of the last one does not end the next", {
		{ 0, PREPARE, INJECT, 7, .events = "PR" },
		{ MS, COMPLETE, INJECT, 7, SUCCESS, .events = "C" },
		{ MS, PREPARE, INJECT, 8, .waiters = 1, .events = "P" },
		{ MS, COMPLETE, VMCLOCK, 0, SUCCESS, .ret = -EALREADY, .events = "" },
		{ MS, ACK, .events = "R" } } },
	{ "a cancelled one is not what the clock saw", {
		{ 0, PREPARE, INJECT, 7, .events = "PR" },
		{ MS, COMPLETE, INJECT, 7, CANCELLED, .events = "C" },
		{ MS, COMPLETE, VMCLOCK, 0, SUCCESS, .events = "pC" } } },
	{ "a drill is not what the clock saw", {
		{ 0, PREPARE, INJECT, 7, .simulated = true, .events = "PR" },
		{ MS, COMPLETE, VMCLOCK, 0, SUCCESS, .events = "CpC" } } },
	{ "a prepare in a prepare", {
		{ 0, PREPARE, INJECT, 7, .waiters = 1, .events = "P" },
		{ MS, PREPARE, XEN, 8, .waiters = 1, .ret = -EBUSY, .events = "" },
		{ MS, ACK, .events = "R" },
		{ MS, PREPARE, XEN, 8, .waiters = 1, .events = "CP" },
		{ MS, COMPLETE, INJECT, 7, SUCCESS, .ret = -EALREADY, .events = "" } } },
	{ "the end of another", {
		{ 0, PREPARE, INJECT, 7, .waiters = 1, .events = "P" },
		{ MS, MOVING, INJECT, 8, .ret = -ENOENT, .events = "" },
		{ MS, COMPLETE, INJECT, 8, SUCCESS, .ret = -EBUSY, .events = "" },
		{ MS, COMPLETE, XEN, 8, SUCCESS, .events = "CpC" } } },
	{ "a guess does not end what was announced", {
		{ 0, PREPARE, INJECT, 7, .events = "PR" },
		{ MS, COMPLETE, PVCLOCK, 0, UNKNOWN, .ret = -EALREADY, .events = "" },
		{ MN_SAME_NS - 1, TICK, .events = "" },
		{ 0, MOVING, INJECT, 7, .events = "M" },
		{ MN_SAME_NS, TICK, .events = "" },
		{ 60 * SECOND, COMPLETE, INJECT, 7, SUCCESS, .events = "C" } } },
	{ "a guess, and then nobody says a word", {
		{ 0, PREPARE, INJECT, 7, .events = "PR" },
		{ MS, COMPLETE, PVCLOCK, 0, UNKNOWN, .ret = -EALREADY, .events = "" },
		{ MS, COMPLETE, PVCLOCK, 0, UNKNOWN, .ret = -EALREADY, .events = "" },
		{ MN_SAME_NS - MS - 1, TICK, .events = "" },
		{ 1, TICK, .events = "C" },
		{ MS, COMPLETE, INJECT, 7, SUCCESS, .ret = -EALREADY, .events = "" } } },
	{ "a guess while the acks are awaited", {
		{ 0, PREPARE, INJECT, 7, .waiters = 1, .events = "P" },
		{ MS, COMPLETE, PVCLOCK, 0, UNKNOWN, .ret = -EALREADY, .events = "" },
		{ 5 * SECOND, TICK, .events = "" },
		{ MS, ACK, .events = "R" },
		{ 5 * SECOND, TICK, .events = "" } } },
	{ "a guess while the acks are awaited, which do not come", {
		{ 0, PREPARE, INJECT, 7, .waiters = 1, .events = "P" },
		{ MS, COMPLETE, PVCLOCK, 0, UNKNOWN, .ret = -EALREADY, .events = "" },
		{ 10 * SECOND - MS, TICK, .events = "T" },
		{ MN_SAME_NS, TICK, .events = "" },
		{ MS, COMPLETE, PVCLOCK, 0, UNKNOWN, .ret = -EALREADY, .events = "" },
		{ MN_SAME_NS, TICK, .events = "C" } } },
	/* So the core has all CPUs forget what one of them guessed by: it is told once. */
	{ "a guess of what was cancelled then: the next one is another pause", {
		{ 0, PREPARE, INJECT, 7, .events = "PR" },
		{ MS, COMPLETE, PVCLOCK, 0, UNKNOWN, .ret = -EALREADY, .events = "" },
		{ MS, COMPLETE, INJECT, 7, CANCELLED, .events = "C" },
		{ MN_SAME_NS, TICK, .events = "" },
		{ MS, COMPLETE, PVCLOCK, 0, UNKNOWN, .events = "pC" } } },
	{ "a drill gives way", {
		{ 0, PREPARE, INJECT, 7, .waiters = 1, .simulated = true, .events = "P" },
		{ MS, PREPARE, INJECT, 8, .waiters = 1, .events = "CP" },
		{ MS, ACK, .events = "R" },
		{ MS, COMPLETE, INJECT, 7, SUCCESS, .ret = -EALREADY, .events = "" } } },
	{ "a drill touches nothing real", {
		{ 0, PREPARE, INJECT, 7, .events = "PR" },
		{ MS, PREPARE, INJECT, 8, .simulated = true, .ret = -EBUSY, .events = "" },
		{ MS, MOVING, INJECT, 0, .simulated = true, .ret = -ENOENT, .events = "" },
		{ MS, COMPLETE, INJECT, 0, SUCCESS, .simulated = true, .ret = -ENOENT,
		  .events = "" },
		{ MS, COMPLETE, INJECT, 8, SUCCESS, .simulated = true, .ret = -ENOENT,
		  .events = "" },
		{ MS, COMPLETE, INJECT, 7, SUCCESS, .events = "C" } } },
	{ "a real suspend in a drill", {
		{ 0, PREPARE, INJECT, 7, .simulated = true, .events = "PR" },
		{ MS, MOVING, XEN, 0, .events = "CpM" },
		{ MS, COMPLETE, XEN, 0, SUCCESS, .events = "C" } } },
	{ "a drill in a drill", {
		{ 0, PREPARE, INJECT, 7, .waiters = 1, .simulated = true, .events = "P" },
		{ MS, PREPARE, INJECT, 8, .simulated = true, .ret = -EBUSY, .events = "" },
		{ MS, ACK, .events = "R" },
		{ MS, COMPLETE, INJECT, 8, SUCCESS, .simulated = true, .ret = -EBUSY,
		  .events = "" },
		{ MS, PREPARE, INJECT, 8, .simulated = true, .events = "CPR" } } },
	{ "the clock saw what came after one that was forgotten", {
		{ 0, PREPARE, INJECT, 7, .events = "PR" },
		{ MS, PREPARE, INJECT, 8, .events = "CPR" },
		{ MS, COMPLETE, VMCLOCK, 0, SUCCESS, .events = "C" } } },
	{ "forgotten by its source", {
		{ 0, PREPARE, INJECT, 7, .events = "PR" },
		{ 3600 * SECOND - 1, TICK, .events = "" },
		{ 1, TICK, .events = "C" },
		{ MS, TICK, .events = "" } } },
	{ "refused", {
		{ 0, PREPARE, INJECT, 7, .waiters = 2, .events = "P" },
		{ MS, REFUSE, .events = "" },
		{ MS, ACK, .events = "R" },
		{ MS, COMPLETE, INJECT, 7, MIGRATE_NOTIFY_FAILED, .events = "C" } } },
	{ "nonsense", {
		{ 0, 0, INJECT, 7, .ret = -EINVAL, .events = "" },
		{ 0, 4, INJECT, 7, .ret = -EINVAL, .events = "" },
		{ 0, PREPARE, 8, 7, .ret = -EINVAL, .events = "" },
		{ 0, PREPARE, INJECT, MN_OP_OURS, .ret = -EINVAL, .events = "" },
		{ 0, COMPLETE, INJECT, 7, 0, .ret = -EINVAL, .events = "" },
		{ 0, COMPLETE, INJECT, 7, 5, .ret = -EINVAL, .events = "" },
		{ 0, COMPLETE, INJECT, MN_OP_OURS | 9, SUCCESS, .ret = -ENOENT, .events = "" },
		{ 0, MOVING, INJECT, 7, .ret = -ENOENT, .events = "" } } },
};

static void story_desc(const struct story *s, char *desc)
{
	strcpy(desc, s->name);
}
KUNIT_ARRAY_PARAM(stories, stories, story_desc);

static void tells(struct kunit *test)
{
	const struct story *story = test->param_value;
	struct mn_phase m = fresh;
	struct rules r = {};
	u64 now = SECOND;
	u32 i;

	for (i = 0; i < ARRAY_SIZE(story->step) && story->step[i].events; i++) {
		const struct step *s = &story->step[i];
		char text[MN_EVENTS + 1];
		struct mn_events out;
		const char *broken;

		now += s->after_ns;
		KUNIT_EXPECT_EQ_MSG(test, take(&m, now, s, &out), s->ret, "step %u", i);
		letters(&out, text);
		KUNIT_EXPECT_STREQ_MSG(test, &text[0], s->events, "step %u", i);
		broken = rules_step(&r, &m, &out);
		KUNIT_EXPECT_TRUE_MSG(test, !broken, "step %u: %s", i, broken);
	}
}

/* All sequences of these, to a depth. */
static const struct step alphabet[] = {
	{ MS, PREPARE, INJECT, 7 },
	{ MS, PREPARE, INJECT, 7, .waiters = 2 },
	{ MS, PREPARE, XEN, 8, .waiters = 1, .timeout_ns = MS },
	{ MS, PREPARE, INJECT, 0, .waiters = 1, .simulated = true },
	{ MS, MOVING, XEN, 0 },
	{ MS, MOVING, INJECT, 7 },
	{ MS, COMPLETE, VMCLOCK, 0, SUCCESS },
	{ MS, COMPLETE, INJECT, 7, SUCCESS },
	{ MS, COMPLETE, XEN, 8, CANCELLED },
	{ MS, COMPLETE, XEN, 0, UNKNOWN },
	{ MS, COMPLETE, INJECT, 0, SUCCESS, .simulated = true },
	{ MS, ACK },
	{ SECOND * 11, TICK },
	{ SECOND * 3601, TICK },
	{ -SECOND, REFUSE },	/* the clock goes back */
};

#define DEPTH	4

static const char *explore(const struct mn_phase *m, const struct rules *r, u64 now, u32 depth)
{
	u32 i;

	for (i = 0; i < ARRAY_SIZE(alphabet); i++) {
		const struct mn_request rq = request(&alphabet[i]);
		struct mn_phase next = *m;
		struct rules rules = *r;
		struct mn_events out;
		const char *broken;
		int ret;

		ret = take(&next, now + alphabet[i].after_ns, &alphabet[i], &out);
		if (ret && out.n)
			return "events of a refused request";
		broken = rules_drill(m, &rq, &next);
		if (!broken)
			broken = rules_step(&rules, &next, &out);
		if (!broken && depth > 1)
			broken = explore(&next, &rules, now + alphabet[i].after_ns, depth - 1);
		if (broken)
			return broken;
	}
	return NULL;
}

static void every_sequence(struct kunit *test)
{
	static const struct rules none;
	const char *broken = explore(&fresh, &none, 3600 * SECOND, DEPTH);

	KUNIT_EXPECT_TRUE_MSG(test, !broken, "%s", broken);
}

/* However it is driven, time alone brings it back to rest. */
static void always_ends(struct kunit *test)
{
	u32 i;

	for (i = 0; i < ARRAY_SIZE(alphabet); i++) {
		struct mn_phase m = fresh;
		struct mn_events out;
		u32 ticks = 0;

		take(&m, SECOND, &alphabet[i], &out);
		while (mn_phase_next(&m) && ticks++ < 4)
			mn_phase_tick(&m, mn_phase_next(&m), &out);
		KUNIT_EXPECT_EQ_MSG(test, m.phase, MIGRATE_NOTIFY_IDLE, "%u", i);
	}
}

/* What the host expects is told with PREPARE, and gone with COMPLETE. */
static void expectations(struct kunit *test)
{
	struct mn_request rq = { .action = PREPARE, .source = XEN, .op_id = 1,
				 .expect_added = { 5 }, .expect_removed = { 0, 6 } };
	struct mn_phase m = fresh;
	struct mn_events out;

	KUNIT_ASSERT_EQ(test, mn_phase_request(&m, 1, &rq, 1, &out), 0);
	KUNIT_EXPECT_EQ(test, out.e[0].added[0], 5);
	KUNIT_EXPECT_EQ(test, out.e[0].removed[1], 6);
	KUNIT_EXPECT_EQ(test, m.expect_added[0], 5);
	rq.action = COMPLETE;
	rq.status = SUCCESS;
	rq.downtime_ns = 99;
	KUNIT_ASSERT_EQ(test, mn_phase_request(&m, 2, &rq, 1, &out), 0);
	KUNIT_EXPECT_EQ(test, out.e[0].downtime_ns, 99);
	KUNIT_EXPECT_EQ(test, out.e[0].waiting, 1);
	KUNIT_EXPECT_EQ(test, m.expect_added[0] | m.expect_removed[1], 0);
	KUNIT_EXPECT_EQ(test, m.migrations, 1);
	KUNIT_EXPECT_EQ(test, m.status, SUCCESS);
	/* Neither a drill nor one that nobody told the end of counts. */
	rq = (struct mn_request){ .action = PREPARE, .source = INJECT, .simulated = true };
	KUNIT_ASSERT_EQ(test, mn_phase_request(&m, 3, &rq, 0, &out), 0);
	rq = (struct mn_request){ .action = PREPARE, .source = INJECT };
	KUNIT_ASSERT_EQ(test, mn_phase_request(&m, 4, &rq, 0, &out), 0);
	mn_phase_tick(&m, mn_phase_next(&m), &out);
	KUNIT_EXPECT_EQ(test, out.n, 1);
	KUNIT_EXPECT_EQ(test, m.migrations, 1);
}

static struct kunit_case migrate_phase_cases[] = {
	KUNIT_CASE_PARAM(tells, stories_gen_params),
	KUNIT_CASE(every_sequence),
	KUNIT_CASE(always_ends),
	KUNIT_CASE(expectations),
	{}
};

struct kunit_suite migrate_phase_suite = {
	.name = "migrate_phase",
	.test_cases = migrate_phase_cases,
};
