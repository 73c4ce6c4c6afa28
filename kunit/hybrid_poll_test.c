// SPDX-License-Identifier: GPL-2.0-only
/* Polling in idle: replayed against somebody who knows the future. */
#include <kunit/test.h>
#include <linux/kernel.h>
#include <linux/string.h>

#include <hybrid/poll.h>

#include "hybrid_suites.h"
#include "traces/list.h"

/* What a run of idle times cost. */
struct bill {
	u64 paid, optimum, polled, idle;
	u32 n, halts, clairvoyant;	/* halts of ours, and of one who knows the future */
};

static void pay(struct hybrid_poll *p, struct bill *b, u64 length)
{
	u32 limit = hybrid_poll_limit(p);
	bool won = limit && length <= limit;

	b->n++;
	b->idle += length;
	b->optimum += length < p->cost ? length : p->cost;
	b->polled += won ? length : limit;
	b->paid += won ? length : (u64)limit + p->cost;
	b->halts += !won;
	b->clairvoyant += length > p->cost;
	hybrid_poll_learn(p, limit, length);
}

static bool bound_holds(const struct hybrid_poll *p, const struct bill *b)
{
	return b->paid <= 2 * b->optimum + (u64)HYBRID_POLL_CREDIT * p->cost;
}

static u32 random32(u32 *seed)
{
	*seed = *seed * 1664525 + 1013904223;
	return *seed >> 8 ^ *seed << 16;
}

/* Every sequence of 8 idle times out of 6 that lie around the thresholds. */
static void bound_exhaustive(struct kunit *test)
{
	static const u32 lengths[] = { 0, 3, 8, 9, 16, 17 };
	u32 run, i, rest, runs = 1;

	for (i = 0; i < 8; i++)
		runs *= ARRAY_SIZE(lengths);
	for (run = 0; run < runs; run++) {
		struct hybrid_poll p;
		struct bill b = {};

		hybrid_poll_init(&p, 8);
		for (i = 0, rest = run; i < 8; i++, rest /= ARRAY_SIZE(lengths)) {
			KUNIT_ASSERT_LE(test, hybrid_poll_limit(&p), HYBRID_POLL_PROBE_REACH * p.cost);
			pay(&p, &b, lengths[rest % ARRAY_SIZE(lengths)]);
			KUNIT_ASSERT_TRUE_MSG(test, bound_holds(&p, &b), "run %u, %u", run, i);
		}
	}
}

/* Whoever makes the idle times, and even if he knows the limit before. */
enum adversary {
	JUST_MISSED,	/* ends right after we gave up */
	CRUELLEST,	/* whatever hurts the account most */
	ALTERNATING,
	ALL_LONG,
	ALL_SHORT,
	BLOCKS,		/* as many of a kind as make the opposite be learned */
	STREAKS,	/* as many short ones as make probes come at once, which are missed */
	RANDOM,
	HEAVY_TAIL,
	ADVERSARIES
};

static const char *const adversary_names[] = {
	[JUST_MISSED] = "just missed", [CRUELLEST] = "cruellest", [ALTERNATING] = "alternating",
	[ALL_LONG] = "all long", [ALL_SHORT] = "all short", [BLOCKS] = "blocks", [STREAKS] = "streaks",
	[RANDOM] = "random", [HEAVY_TAIL] = "heavy tail",
};

static u64 next_length(enum adversary a, const struct hybrid_poll *p, u32 i, u32 *seed)
{
	u32 limit = hybrid_poll_limit(p);

	switch (a) {
	case JUST_MISSED:
		return (u64)limit + 1;
	case CRUELLEST:
		/* Without a poll, the shortest; with a long one, one that is missed. */
		return limit < p->cost / 2 ? 0 : (u64)limit + 1;
	case ALTERNATING:
		return i & 1 ? 1 : 100ull * p->cost;
	case ALL_LONG:
		return 100ull * p->cost;
	case ALL_SHORT:
		return p->cost / 5;
	case BLOCKS:
		return i / 12 & 1 ? p->cost / 9 : 2ull * p->cost + 1;
	case STREAKS:
		return p->streak < p->steady && !p->retries ? p->cost / 9 : (u64)limit + 1;
	case RANDOM:
		return random32(seed) % (3ull * p->cost + 1);
	default:
		return (u64)p->cost * (random32(seed) % 64) / (1 + random32(seed) % 64);
	}
}

struct adversary_case {
	enum adversary adversary;
};

static const struct adversary_case adversaries[] = {
	{ JUST_MISSED }, { CRUELLEST }, { ALTERNATING }, { ALL_LONG }, { ALL_SHORT },
	{ BLOCKS }, { STREAKS }, { RANDOM }, { HEAVY_TAIL },
};

static_assert(ARRAY_SIZE(adversaries) == ADVERSARIES, "an adversary is missing");

static void adversary_desc(const struct adversary_case *c, char *desc)
{
	snprintf(desc, KUNIT_PARAM_DESC_SIZE, "%s", adversary_names[c->adversary]);
}

KUNIT_ARRAY_PARAM(adversaries, adversaries, adversary_desc);

static void bound_adversary(struct kunit *test)
{
	const struct adversary_case *c = test->param_value;
	static const u32 costs[] = { 1, 2, 7, 8, 1000, 123457, HYBRID_POLL_COST_MAX };
	u32 i, k, seed = 1;

	for (k = 0; k < ARRAY_SIZE(costs); k++) {
		struct hybrid_poll p;
		struct bill b = {};

		hybrid_poll_init(&p, costs[k]);
		for (i = 0; i < 20000; i++) {
			pay(&p, &b, next_length(c->adversary, &p, i, &seed));
			KUNIT_ASSERT_TRUE_MSG(test, bound_holds(&p, &b),
					      "cost %u, idle time %u", costs[k], i);
			/* Also never more than twice what the kernel pays, who always halts. */
			KUNIT_ASSERT_LE(test, b.paid, 2ull * (b.n + 1) * p.cost);
		}
	}
}

/* What is learned, where it is easy: nearly the optimum. */
static void learns_short(struct kunit *test)
{
	struct hybrid_poll p;
	struct bill b = {};
	u32 i;

	hybrid_poll_init(&p, 1000);
	for (i = 0; i < 1000; i++)
		pay(&p, &b, 300);
	KUNIT_EXPECT_LE_MSG(test, b.halts, 16, "%u halts", b.halts);
	KUNIT_EXPECT_LE_MSG(test, b.paid, b.optimum + 16 * p.cost, "%llu",
			    (unsigned long long)b.paid);
	/* ... and polls no longer than they take: one step more at most. */
	KUNIT_EXPECT_LE(test, hybrid_poll_limit(&p), 300 + p.cost / HYBRID_POLL_STEPS);
}

/*
 * Sleeps that seem to take no time: what halting costs is subtracted from what was measured, and
 * may be more. They are not free: each was a halt.
 */
static void learns_nothing_is_short(struct kunit *test)
{
	struct hybrid_poll p;
	u32 i;

	hybrid_poll_init(&p, 1000);
	for (i = 0; i < 100; i++)
		hybrid_poll_learn(&p, 0, 0);
	KUNIT_EXPECT_GT(test, hybrid_poll_limit(&p), 0);
}

/* An idle CPU: at most 2 % of its time, even if its idle times are just long. */
static void idle_polls_little(struct kunit *test)
{
	static const u32 lengths[] = { 1001, 1500, 2000, 2001, 5000, 100000, 0xffffffff };
	u32 i, k;

	for (k = 0; k < ARRAY_SIZE(lengths); k++) {
		struct hybrid_poll p;
		struct bill b = {};

		hybrid_poll_init(&p, 1000);
		for (i = 0; i < 10000; i++)
			pay(&p, &b, lengths[k]);
		/* Shorter ones are won by probes: then the CPU was not idle that long. */
		if (lengths[k] > HYBRID_POLL_PROBE_REACH * p.cost)
			KUNIT_EXPECT_LE_MSG(test, 50 * b.polled, b.idle, "%u: polled %llu of %llu",
					    lengths[k], (unsigned long long)b.polled,
					    (unsigned long long)b.idle);
		KUNIT_EXPECT_LE(test, b.paid, b.optimum + b.optimum / 50 + 2 * p.cost);
	}
}

/* Bursts of short ones, which are won, and then long ones, which are not: 4 % at most. */
static void bursts_poll_little(struct kunit *test)
{
	struct hybrid_poll p;
	struct bill b = {};
	u32 i;

	hybrid_poll_init(&p, 320);
	for (i = 0; i < 12000; i++)
		pay(&p, &b, i % 12 < 8 ? 40 : 4000);
	KUNIT_EXPECT_LE_MSG(test, 25 * b.polled, b.idle, "polled %llu of %llu",
			    (unsigned long long)b.polled, (unsigned long long)b.idle);
}

static void trace_desc(const struct trace *t, char *desc)
{
	snprintf(desc, KUNIT_PARAM_DESC_SIZE, "%s", t->name);
}

KUNIT_ARRAY_PARAM(traces, traces, trace_desc);

/*
 * Real ones, recorded while every CPU halted: the bound holds, and it never costs noticeably more
 * than what the kernel does, who always halts. (What it saves shows only where polling makes the
 * other CPU's idle times short as well: in the lab.)
 */
static void recorded(struct kunit *test)
{
	const struct trace *t = test->param_value;
	u32 cost = t->ns[0], i;
	struct hybrid_poll p;
	struct bill b = {};

	hybrid_poll_init(&p, cost);
	for (i = 1; i < t->n; i++) {
		pay(&p, &b, t->ns[i] > cost ? t->ns[i] - cost : 0);
		KUNIT_ASSERT_TRUE_MSG(test, bound_holds(&p, &b), "idle time %u", i);
	}
	KUNIT_EXPECT_LE(test, b.paid, (u64)cost * (b.n + b.n / 20 + 2 * HYBRID_POLL_CREDIT));
	kunit_info(test, "%u idle times, %u halts, a clairvoyant %u; polled %llu of %llu us\n",
		   b.n, b.halts, b.clairvoyant,
		   (unsigned long long)b.polled / 1000, (unsigned long long)b.idle / 1000);
}

/* After long idle times short ones are seen soon, and the other way round. */
static void changes_its_mind(struct kunit *test)
{
	struct hybrid_poll p;
	u32 i, round;

	hybrid_poll_init(&p, 1000);
	for (round = 0; round < 10; round++) {
		struct bill b = {};

		for (i = 0; i < 100; i++)
			pay(&p, &b, 50000);
		KUNIT_EXPECT_EQ(test, hybrid_poll_limit(&p), 0);
		for (i = 0; i < 16 && hybrid_poll_limit(&p) < 100; i++)
			pay(&p, &b, 100);
		KUNIT_EXPECT_LT_MSG(test, i, 16, "round %u", round);
	}
}

/*
 * Two CPUs that wake each other after @work, of which each @every-th takes @longer: if one halts,
 * the other one's idle time is longer by the wake-up. Returns how many of @n idle times were halts.
 */
static u32 ping_pong(struct hybrid_poll p[2], u32 n, u32 every, u32 longer)
{
	u32 cost = p[0].cost, work = 600, wake = cost, i;
	struct bill b[2] = {};

	for (i = 0; i < n; i++) {
		u32 limit = hybrid_poll_limit(&p[i & 1]);
		u64 length = wake + work + (i % every == every - 1 ? longer : 0);

		pay(&p[i & 1], &b[i & 1], length);
		wake = limit && length <= limit ? 0 : cost;
	}
	return b[0].halts + b[1].halts;
}

static void ping_pong_begin(struct hybrid_poll p[2])
{
	struct bill b[2] = {};
	u32 i;

	hybrid_poll_init(&p[0], 1000);
	hybrid_poll_init(&p[1], 1000);
	for (i = 0; i < 100; i++) {	/* long ones first, so that both halt */
		pay(&p[0], &b[0], 50000);
		pay(&p[1], &b[1], 50000);
	}
}

/* From both halting always, they have to get to both polling. */
static void ping_pong_wakes_up(struct kunit *test)
{
	struct hybrid_poll p[2];
	u32 halts;

	ping_pong_begin(p);
	halts = ping_pong(p, 4000, 5000, 0);
	KUNIT_EXPECT_LE_MSG(test, halts, 400, "%u halts of 4000", halts);
	/* Each of these runs begins with a wake-up. */
	KUNIT_EXPECT_LE(test, ping_pong(p, 1000, 5000, 0), 2);
}

/* ... and after an interruption, at once. */
static void ping_pong_is_interrupted(struct kunit *test)
{
	struct hybrid_poll p[2];
	u32 halts;

	ping_pong_begin(p);
	ping_pong(p, 4000, 5000, 0);
	halts = ping_pong(p, 4000, 100, 10000);
	KUNIT_EXPECT_LE_MSG(test, halts, 4 * 40, "%u halts after 40 interruptions", halts);
}

static void never_polls(struct kunit *test)
{
	struct hybrid_poll p;
	struct bill b = {};
	u32 i;

	hybrid_poll_init(&p, 0);
	for (i = 0; i < 1000; i++)
		pay(&p, &b, i % 7);
	KUNIT_EXPECT_EQ(test, b.polled, 0);
}

static void overcommit(struct kunit *test)
{
	struct hybrid_poll p;
	struct bill b = {};
	u32 i;

	hybrid_poll_init(&p, 1000);
	for (i = 0; i < 100; i++)
		pay(&p, &b, 10);
	KUNIT_EXPECT_GT(test, hybrid_poll_limit(&p), 0);

	hybrid_poll_steal(&p, 600, 5, 25, 1000);	/* mostly the host waking it up, and else */
	hybrid_poll_steal(&p, 70, 0, 0, 1000);	/* between the thresholds: begins nothing */
	KUNIT_EXPECT_FALSE(test, hybrid_poll_overcommitted(&p));
	hybrid_poll_steal(&p, 150, 0, 0, 1000);
	KUNIT_EXPECT_TRUE(test, hybrid_poll_overcommitted(&p));
	KUNIT_EXPECT_EQ(test, hybrid_poll_limit(&p), 0);
	for (i = 0; i < HYBRID_POLL_STEAL_CALM - 1; i++)
		hybrid_poll_steal(&p, 0, 0, 0, 1000);
	hybrid_poll_steal(&p, 70, 0, 0, 1000);	/* ... but ends nothing either */
	for (i = 0; i < HYBRID_POLL_STEAL_CALM - 1; i++)
		hybrid_poll_steal(&p, 0, 0, 0, 1000);
	KUNIT_EXPECT_TRUE(test, hybrid_poll_overcommitted(&p));
	hybrid_poll_steal(&p, 0, 0, 0, 1000);
	KUNIT_EXPECT_FALSE(test, hybrid_poll_overcommitted(&p));
	KUNIT_EXPECT_GT(test, hybrid_poll_limit(&p), 0);

	/* It comes back as soon as it is polled again: each time that takes longer, up to a limit. */
	for (i = 0; i < 10; i++) {
		u32 quiet = 0;

		hybrid_poll_steal(&p, 500, 0, 0, 1000);
		while (hybrid_poll_overcommitted(&p) && quiet <= HYBRID_POLL_STEAL_CALM_MAX) {
			hybrid_poll_steal(&p, 0, 0, 0, 1000);
			quiet++;
		}
		KUNIT_EXPECT_EQ(test, quiet, i < 3 ? 2 * HYBRID_POLL_STEAL_CALM << i :
				HYBRID_POLL_STEAL_CALM_MAX);
	}
	/* After as long without it, that is forgotten. */
	for (i = 0; i < HYBRID_POLL_STEAL_CALM_MAX; i++)
		hybrid_poll_steal(&p, 0, 0, 0, 1000);
	hybrid_poll_steal(&p, 500, 0, 0, 1000);
	KUNIT_EXPECT_EQ(test, p.calm, HYBRID_POLL_STEAL_CALM);

	/* Deep inside other guests C does not hide it. */
	hybrid_poll_init(&p, 1000);
	hybrid_poll_steal(&p, 400000000, 220, 1000000, 1000000000);
	KUNIT_EXPECT_FALSE(test, hybrid_poll_overcommitted(&p));
	hybrid_poll_steal(&p, 700000000, 220, 1000000, 1000000000);
	KUNIT_EXPECT_TRUE(test, hybrid_poll_overcommitted(&p));
}

/* Whatever comes, and whatever is in the struct: no limit but 0 ... 3 * C. */
static void poll_extremes(struct kunit *test)
{
	static const u64 values[] = { 0, 1, 127, 128, HYBRID_POLL_COST_MAX, 0xffffffff,
				      0x100000000ull, ~0ull >> 1, ~0ull };
	static const u32 costs[] = { 0, 1, HYBRID_POLL_COST_MAX, 0xffffffff };
	u32 c, i, j, k;

	for (c = 0; c < ARRAY_SIZE(costs); c++)
	for (i = 0; i < ARRAY_SIZE(values); i++)
	for (j = 0; j < ARRAY_SIZE(values); j++) {
		struct hybrid_poll p;

		memset(&p, 0xff, sizeof(p));
		hybrid_poll_init(&p, costs[c]);
		KUNIT_ASSERT_LE(test, p.cost, HYBRID_POLL_COST_MAX);
		for (k = 0; k < 300; k++) {
			u32 limit = hybrid_poll_limit(&p);

			KUNIT_ASSERT_LE(test, limit, HYBRID_POLL_PROBE_REACH * p.cost);
			hybrid_poll_learn(&p, limit, values[k & 1 ? i : j]);
			KUNIT_ASSERT_LE(test, p.slack, (u64)p.cost * HYBRID_POLL_SAVINGS);
		}
		hybrid_poll_steal(&p, values[i], values[j] / 2, values[i], values[j]);
		KUNIT_ASSERT_LE(test, hybrid_poll_limit(&p), HYBRID_POLL_PROBE_REACH * p.cost);
	}
}

static struct kunit_case hybrid_poll_cases[] = {
	KUNIT_CASE(bound_exhaustive),
	KUNIT_CASE_PARAM(bound_adversary, adversaries_gen_params),
	KUNIT_CASE(learns_short),
	KUNIT_CASE(learns_nothing_is_short),
	KUNIT_CASE(idle_polls_little),
	KUNIT_CASE(bursts_poll_little),
	KUNIT_CASE_PARAM(recorded, traces_gen_params),
	KUNIT_CASE(changes_its_mind),
	KUNIT_CASE(ping_pong_wakes_up),
	KUNIT_CASE(ping_pong_is_interrupted),
	KUNIT_CASE(never_polls),
	KUNIT_CASE(overcommit),
	KUNIT_CASE(poll_extremes),
	{}
};

struct kunit_suite hybrid_poll_suite = {
	.name = "hybrid_poll",
	.test_cases = hybrid_poll_cases,
};
