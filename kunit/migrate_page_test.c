// SPDX-License-Identifier: GPL-2.0-only
/* The ring under readers of every speed, and what the page says. */
#include <kunit/test.h>
#include <linux/kernel.h>
#include <linux/string.h>

#include <migrate-notify/page.h>

#include "hybrid_suites.h"

#define ALL		(MIGRATE_NOTIFY_MASK(MIGRATE_NOTIFY_EVENT_TYPES) - 2)
#define PREPARE		MIGRATE_NOTIFY_MASK(MIGRATE_NOTIFY_EVENT_PREPARE)

static u32 push(struct mn_ring *ring)
{
	/* 1 2 3 4 5 6 1 2 ... */
	struct migrate_notify_event e = {
		.type = ring->newest % (MIGRATE_NOTIFY_EVENT_TYPES - 1) + 1,
	};

	mn_ring_push(ring, &e);
	return e.seq;
}

static const struct migrate_notify_event *kept(const struct mn_ring *ring, u64 seq)
{
	return &ring->event[seq % MN_RING_EVENTS];
}

/* By looking at each event that is kept. */
static u64 first_after(const struct mn_ring *ring, u64 cursor, u32 mask)
{
	u64 seq = ring->newest > MN_RING_EVENTS ? ring->newest - MN_RING_EVENTS : 0;

	while (++seq <= ring->newest)
		if (seq > cursor && mask >> kept(ring, seq)->type & 1)
			return seq;
	return 0;
}

struct reader {
	const char *name;
	u32 every;	/* reads after so many events */
	u32 mask;
	bool loses;
};

static const struct reader readers[] = {
	{ "at once", 1, ALL },
	{ "now and then", 128, ALL },
	{ "when it is full", MN_RING_EVENTS, ALL },
	{ "one too late", MN_RING_EVENTS + 1, ALL, true },
	{ "far too late", 3 * MN_RING_EVENTS, ALL, true },
	{ "one type", 7, PREPARE },
	{ "one type, too late", 2 * MN_RING_EVENTS, PREPARE, true },
	{ "nothing", 10, 0 },
};

static void reader_desc(const struct reader *r, char *desc)
{
	strcpy(desc, r->name);
}
KUNIT_ARRAY_PARAM(readers, readers, reader_desc);

/* In order, each once, nothing missing that is not said to be. */
static void reads_in_order(struct kunit *test)
{
	const struct reader *r = test->param_value;
	struct mn_ring *ring = kunit_kzalloc(test, sizeof(*ring), GFP_KERNEL);
	struct migrate_notify_event e;
	u64 cursor = 0, last = 0;
	u32 i, lost = 0, got = 0;

	KUNIT_ASSERT_NOT_NULL(test, ring);
	for (i = 1; i <= 10 * MN_RING_EVENTS; i++) {
		KUNIT_ASSERT_EQ(test, push(ring), i);
		if (i % r->every)
			continue;
		while (mn_ring_next(ring, cursor, r->mask, &e)) {
			KUNIT_ASSERT_LT(test, last, e.seq);
			KUNIT_ASSERT_EQ(test, e.seq, first_after(ring, cursor, r->mask));
			cursor = e.seq;
			KUNIT_ASSERT_EQ(test, e.type, (e.seq - 1) % 6 + 1);
			KUNIT_ASSERT_TRUE(test, r->mask >> e.type & 1);
			lost += !!(e.flags & MIGRATE_NOTIFY_EVENT_LOST);
			last = e.seq;
			got++;
		}
		KUNIT_ASSERT_TRUE_MSG(test, !mn_ring_unread(ring, cursor, r->mask), "%u", i);
	}
	KUNIT_EXPECT_EQ(test, !!lost, r->loses);
	if (!r->loses && r->mask == ALL)
		KUNIT_EXPECT_EQ(test, got, i - 1);
}

/* A cursor is whatever a program says. */
static void any_cursor(struct kunit *test)
{
	static const u64 cursors[] = { 0, 1, 1023, 1024, 2046, 2047, 2048, 2049, 1ULL << 32,
				       ~0ULL - 1, ~0ULL };
	struct mn_ring *ring = kunit_kzalloc(test, sizeof(*ring), GFP_KERNEL);
	struct migrate_notify_event e;
	u32 i;

	KUNIT_ASSERT_NOT_NULL(test, ring);
	for (i = 0; i < ARRAY_SIZE(cursors); i++) {
		u64 cursor = cursors[i];

		KUNIT_EXPECT_FALSE(test, mn_ring_next(ring, cursor, ALL, &e));
	}
	for (i = 0; i < 2 * MN_RING_EVENTS; i++)
		push(ring);
	for (i = 0; i < ARRAY_SIZE(cursors); i++) {
		u64 cursor = cursors[i];
		bool found = mn_ring_next(ring, cursor, ALL, &e);

		KUNIT_EXPECT_EQ(test, found, cursors[i] < ring->newest);
		if (found)
			KUNIT_EXPECT_EQ(test, !!(e.flags & MIGRATE_NOTIFY_EVENT_LOST),
					cursors[i] < ring->newest - MN_RING_EVENTS);
	}
}

/* One that was overwritten cannot be read, but the loss of it is told with the next. */
static void overwritten(struct kunit *test)
{
	struct mn_ring *ring = kunit_kzalloc(test, sizeof(*ring), GFP_KERNEL);
	struct migrate_notify_event e = { .type = MIGRATE_NOTIFY_EVENT_CHANGED };
	const u32 changed = MIGRATE_NOTIFY_MASK(MIGRATE_NOTIFY_EVENT_CHANGED);
	u32 i;

	KUNIT_ASSERT_NOT_NULL(test, ring);
	mn_ring_push(ring, &e);
	for (i = 0; i < MN_RING_EVENTS; i++) {
		KUNIT_EXPECT_TRUE(test, mn_ring_unread(ring, 0, changed));
		e.type = MIGRATE_NOTIFY_EVENT_READY;
		mn_ring_push(ring, &e);
	}
	KUNIT_EXPECT_FALSE(test, mn_ring_unread(ring, 0, changed));
	KUNIT_EXPECT_FALSE(test, mn_ring_next(ring, 0, changed, &e));
	e = (struct migrate_notify_event){ .type = MIGRATE_NOTIFY_EVENT_CHANGED };
	mn_ring_push(ring, &e);
	KUNIT_ASSERT_TRUE(test, mn_ring_next(ring, 0, changed, &e));
	KUNIT_EXPECT_EQ(test, e.flags, MIGRATE_NOTIFY_EVENT_LOST);
	/* Nothing that this one reads was overwritten after the first. */
	KUNIT_ASSERT_TRUE(test, mn_ring_next(ring, 1, changed, &e));
	KUNIT_EXPECT_EQ(test, e.flags, 0);
}

static void encodes(struct kunit *test)
{
	struct mn_phase m = { .phase = MIGRATE_NOTIFY_PREPARING, .op_id = 3, .waiting = 2,
			      .deadline_ns = 77, .default_ns = 5000000, .max_ns = ~0ULL,
			      .expect_added = { 0, 8 } };
	struct mn_features f = { .usable = { 1 }, .no_xcr0 = { 2 }, .level = 3, .cpus = 2,
				 .vendor = "GenuineInte" };
	struct mn_shown s = { .feature_generation = 9, .tsc_khz = 4, .subscribers = 5,
			      .instance = 8 };
	struct migrate_notify_page p;

	memset(&p, 0xff, sizeof(p));
	mn_page_encode(&p, &m, &f, &s);
	KUNIT_EXPECT_EQ(test, p.magic, MIGRATE_NOTIFY_MAGIC);
	KUNIT_EXPECT_EQ(test, p.size, 512);
	KUNIT_EXPECT_EQ(test, p.op_id, 3);
	KUNIT_EXPECT_EQ(test, p.waiting, 2);
	KUNIT_EXPECT_EQ(test, p.default_timeout_ms, 5);
	KUNIT_EXPECT_EQ(test, p.max_timeout_ms, U32_MAX);
	KUNIT_EXPECT_EQ(test, p.expect_added[1], 8);
	KUNIT_EXPECT_EQ(test, p.usable[0] | p.no_xcr0[0] << 8, 0x201);
	KUNIT_EXPECT_EQ(test, p.tsc_khz, 4);
	KUNIT_EXPECT_EQ(test, p.subscribers, 5);
	KUNIT_EXPECT_EQ(test, p.instance, 8);
	KUNIT_EXPECT_EQ(test, p.nr_features, (u32)MIGRATE_NOTIFY_F_NR);
	KUNIT_EXPECT_EQ(test, p.reserved[2], 0);
	f.tsc_khz = 6;
	mn_page_encode(&p, &m, &f, &s);
	KUNIT_EXPECT_EQ(test, p.tsc_khz, 6);
}

static struct kunit_case migrate_page_cases[] = {
	KUNIT_CASE_PARAM(reads_in_order, readers_gen_params),
	KUNIT_CASE(any_cursor),
	KUNIT_CASE(overwritten),
	KUNIT_CASE(encodes),
	{}
};

struct kunit_suite migrate_page_suite = {
	.name = "migrate_page",
	.test_cases = migrate_page_cases,
};
