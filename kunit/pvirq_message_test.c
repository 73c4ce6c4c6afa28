// SPDX-License-Identifier: GPL-2.0-only
/* Which accesses a message takes: examples, and a table that they are written to. */
#include <kunit/test.h>
#include <linux/bits.h>
#include <linux/kernel.h>
#include <linux/string.h>

#include "../drivers/pvirq/message.h"
#include "hybrid_suites.h"

struct plan_case {
	const char *name;
	struct pvirq_entry from, to;
	unsigned int wide, narrow;	/* writes */
};

#define CPU0	0xfee00000u
#define CPU1	0xfee01000u

static const struct plan_case plans[] = {
	{ "nothing", { CPU0, 0, 33, 0 }, { CPU0, 0, 33, 0 }, 0, 0 },
	{ "mask", { CPU0, 0, 33, 0 }, { CPU0, 0, 33, 1 }, 1, 1 },
	{ "unmask", { CPU0, 0, 33, 1 }, { CPU0, 0, 33, 0 }, 1, 1 },
	{ "another CPU and vector", { CPU0, 0, 33, 0 }, { CPU1, 0, 34, 0 }, 4, 4 },
	{ "another CPU, same vector", { CPU0, 0, 33, 0 }, { CPU1, 0, 33, 0 }, 3, 3 },
	{ "another vector", { CPU0, 0, 33, 0 }, { CPU0, 0, 34, 0 }, 3, 3 },
	{ "start up", { 0, 0, 0, 1 }, { CPU0, 0, 33, 0 }, 3, 3 },
	{ "start up, high address", { 0, 0, 0, 1 }, { CPU0, 0x100, 33, 0 }, 3, 4 },
	{ "start up, message known", { CPU0, 0, 33, 1 }, { CPU0, 0, 33, 0 }, 1, 1 },
	{ "masked, stays so", { CPU0, 0, 33, 1 }, { CPU1, 0, 34, 1 }, 2, 2 },
	{ "masked, high address only", { CPU0, 0, 33, 1 }, { CPU0, 0x100, 33, 1 }, 1, 1 },
};

static void plan_desc(const struct plan_case *c, char *desc)
{
	snprintf(desc, KUNIT_PARAM_DESC_SIZE, "%s", c->name);
}

KUNIT_ARRAY_PARAM(plans, plans, plan_desc);

static void costs_as_promised(struct kunit *test)
{
	const struct plan_case *c = test->param_value;
	struct pvirq_write w[PVIRQ_WRITES_MAX];

	unsigned int changed = pvirq_message_changed(&c->from, &c->to);

	KUNIT_EXPECT_EQ(test, pvirq_message_plan(w, &c->from, &c->to, changed, true), c->wide);
	KUNIT_EXPECT_EQ(test, pvirq_message_plan(w, &c->from, &c->to, changed, false), c->narrow);
}

/*
 * After it was perhaps reset behind our back: all words, whatever the msi_desc says. As many as
 * request_irq may take, and a move.
 */
static void stale_is_written_whole(struct kunit *test)
{
	struct pvirq_entry from = { CPU0, 0, 33, PVIRQ_CTRL_MASKED }, to = { CPU0, 0, 33, 0 };
	struct pvirq_write w[PVIRQ_WRITES_MAX];

	KUNIT_EXPECT_EQ(test, pvirq_message_plan(w, &from, &to, PVIRQ_CHANGED_ALL, true), 3u);
	KUNIT_EXPECT_EQ(test, pvirq_message_plan(w, &from, &to, PVIRQ_CHANGED_ALL, false), 4u);
	from.ctrl = 0;
	KUNIT_EXPECT_EQ(test, pvirq_message_plan(w, &from, &to, PVIRQ_CHANGED_ALL, true), 4u);
	KUNIT_EXPECT_EQ(test, pvirq_message_plan(w, &from, &to, PVIRQ_CHANGED_ALL, false), 5u);
}

/* A device: gets 4 bytes at a time, as most models do; returns what was wrong with it. */
static const char *device_write(struct pvirq_entry *e, u8 offset, u32 value)
{
	u32 *words[] = { &e->lo, &e->hi, &e->data, &e->ctrl };

	if (offset % 4 || offset > PVIRQ_ENTRY_CTRL)
		return "outside of the words";
	if (offset != PVIRQ_ENTRY_CTRL && !(e->ctrl & PVIRQ_CTRL_MASKED))
		return "the message is changed while it is in use";
	*words[offset / 4] = value;
	return NULL;
}

/* @high_first: where it splits 8 bytes, in which order */
static const char *carry_out(struct pvirq_entry *e, const struct pvirq_write *w, bool wide,
			     bool high_first)
{
	unsigned int first = high_first ? 4 : 0;
	const char *wrong;

	if (w->bytes == 4)
		return w->value >> 32 ? "too long a value" : device_write(e, w->offset, w->value);
	if (w->bytes != 8 || !wide || w->offset % 8)
		return "no such access";
	wrong = device_write(e, w->offset + first, w->value >> 8 * first);
	first = 4 - first;
	return wrong ?: device_write(e, w->offset + first, w->value >> 8 * first);
}

static struct pvirq_entry entry_of_index(u32 index)
{
	return (struct pvirq_entry){
		.lo = index & 1 ? CPU1 : CPU0,
		.hi = index & 2 ? 0x100 : 0,
		.data = index & 4 ? 34 : 33,
		/* Bit 16: a steering tag, which is not ours to change. */
		.ctrl = (index & 8 ? PVIRQ_CTRL_MASKED : 0) | BIT(16),
	};
}

#define ENTRIES	16

static void any_to_any(struct kunit *test)
{
	u32 from, to, how;

	for (from = 0; from < ENTRIES; from++)
	for (to = 0; to < ENTRIES; to++)
	for (how = 0; how < 8; how++) {
		bool wide = how & 1, high_first = how & 2, stale = how & 4;
		struct pvirq_entry old = entry_of_index(from), e = old;
		struct pvirq_entry new = entry_of_index(to);
		struct pvirq_write w[PVIRQ_WRITES_MAX];
		unsigned int changed = stale ? PVIRQ_CHANGED_ALL : pvirq_message_changed(&old, &new);
		unsigned int i, n = pvirq_message_plan(w, &old, &new, changed, wide);

		/* The device was reset: masked, and without a message. */
		if (stale)
			e = (struct pvirq_entry){ .ctrl = PVIRQ_CTRL_MASKED | BIT(16) };
		KUNIT_ASSERT_LE(test, n, (unsigned int)PVIRQ_WRITES_MAX);
		KUNIT_EXPECT_EQ(test, !n, !stale && !memcmp(&old, &new, sizeof(old)));
		for (i = 0; i < n; i++) {
			const char *wrong = carry_out(&e, &w[i], wide, high_first);

			KUNIT_ASSERT_TRUE_MSG(test, !wrong, "%s: %u to %u, write %u", wrong ?: "",
					      from, to, i);
		}
		KUNIT_EXPECT_TRUE_MSG(test, !memcmp(&e, &new, sizeof(e)), "%u to %u", from, to);
		/* Today's kernel takes 4 of them, besides flushes, and 6 where it is in use. */
		KUNIT_EXPECT_LE(test, n, 5u);
	}
}

/* Configuration space, behind which a device without a mask sends whatever it holds. */
static void config_any_to_any(struct kunit *test)
{
	u32 from, to, is_64;

	for (from = 0; from < ENTRIES; from++)
	for (to = 0; to < ENTRIES; to++)
	for (is_64 = 0; is_64 < 2; is_64++) {
		struct pvirq_entry e = entry_of_index(from), old = e, new = entry_of_index(to);
		unsigned int changed, i, n, torn = 0;
		struct pvirq_write w[PVIRQ_WRITES_MAX];

		if (!is_64)
			e.hi = old.hi = new.hi = 0;
		changed = pvirq_message_changed(&old, &new);
		n = pvirq_message_plan_config(w, &old, &new, is_64);
		KUNIT_ASSERT_LE(test, n, 3u);
		for (i = 0; i < n; i++) {
			u8 data = is_64 ? 12 : 8;

			KUNIT_EXPECT_EQ(test, w[i].bytes, w[i].offset == data ? 2 : 4);
			if (i)
				KUNIT_EXPECT_GT(test, w[i].offset, w[i - 1].offset);
			if (w[i].offset == data)
				e.data = w[i].value;
			else if (w[i].offset == 4)
				e.lo = w[i].value;
			else
				e.hi = w[i].value;
			torn += pvirq_message_changed(&e, &old) && pvirq_message_changed(&e, &new);
		}
		KUNIT_EXPECT_EQ(test, pvirq_message_changed(&e, &new), 0u);
		KUNIT_EXPECT_EQ(test, pvirq_message_torn(changed), torn > 0);
	}
}

static void probe_differs_in_both_halves(struct kunit *test)
{
	u32 i;

	for (i = 0; i < ENTRIES; i++) {
		struct pvirq_entry e = entry_of_index(i);
		u64 probe = pvirq_message_probe(&e);

		KUNIT_EXPECT_NE(test, (u32)probe, e.lo);
		KUNIT_EXPECT_NE(test, (u32)(probe >> 32), e.hi);
		/* Still an interrupt message, should anybody look. */
		KUNIT_EXPECT_EQ(test, (u32)probe >> 20, e.lo >> 20);
	}
}

static void trapped_only_where_sure(struct kunit *test)
{
	KUNIT_EXPECT_FALSE(test, pvirq_table_trapped(1000, 0, 0));
	KUNIT_EXPECT_FALSE(test, pvirq_table_trapped(0, 0, 0));
	KUNIT_EXPECT_FALSE(test, pvirq_table_trapped(U32_MAX, 0, 0));
	KUNIT_EXPECT_FALSE(test, pvirq_table_trapped(1500, 20, 1000));
	KUNIT_EXPECT_TRUE(test, pvirq_table_trapped(1501, 20, 1000));
	KUNIT_EXPECT_FALSE(test, pvirq_table_trapped(U32_MAX, 20, U32_MAX));
	KUNIT_EXPECT_TRUE(test, pvirq_table_trapped(2ull * U32_MAX, 20, U32_MAX));
	/* The clock is an emulated device itself. */
	KUNIT_EXPECT_TRUE(test, pvirq_table_trapped(5000, 499, 1000));
	KUNIT_EXPECT_FALSE(test, pvirq_table_trapped(5000, 500, 1000));
	KUNIT_EXPECT_FALSE(test, pvirq_table_trapped(~0ull, ~0ull, 1000));
	KUNIT_EXPECT_FALSE(test, pvirq_table_trapped(~0ull, 0, 0));
}

static struct kunit_case pvirq_message_cases[] = {
	KUNIT_CASE_PARAM(costs_as_promised, plans_gen_params),
	KUNIT_CASE(stale_is_written_whole),
	KUNIT_CASE(any_to_any),
	KUNIT_CASE(config_any_to_any),
	KUNIT_CASE(probe_differs_in_both_halves),
	KUNIT_CASE(trapped_only_where_sure),
	{}
};

struct kunit_suite pvirq_message_suite = {
	.name = "pvirq_message",
	.test_cases = pvirq_message_cases,
};
