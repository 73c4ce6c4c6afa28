// SPDX-License-Identifier: GPL-2.0-only
/* The words that we share with the host, and messages: examples, and all host words there are. */
#include <kunit/test.h>
#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/string.h>

#include "../drivers/pvirq/word.h"
#include "hybrid_suites.h"

#define TO(dest)	((u64)(dest) << HYBRID_IRQ_DEST_SHIFT | HYBRID_IRQ_VALID)

struct word_case {
	const char *name;
	struct pvirq_entry msg;
	int ret;
	u64 word;
};

static const struct word_case cases[] = {
	{ "CPU 0", { 0xfee00000, 0, 0x31 }, 0, TO(0) | 0x31 },
	{ "CPU 1, logical", { 0xfee02004, 0, 0x22 }, 0, TO(2) | HYBRID_IRQ_LOGICAL | 0x22 },
	{ "lowest priority, hint", { 0xfee0300c, 0, 0x141 }, 0,
	  TO(3) | HYBRID_IRQ_LOGICAL | HYBRID_IRQ_REDIRECT | 0x141 },
	{ "last vector", { 0xfeeff000, 0, 0xff }, 0, TO(0xff) | 0xff },
	{ "first vector", { 0xfee00000, 0, 0x10 }, 0, TO(0) | 0x10 },
	{ "15-bit destination", { 0xfeeabfe0, 0, 0x50 }, 0, TO(0x7fab) | 0x50 },
	{ "32-bit destination", { 0xfeecd000, 0xffffff00, 0x50 }, 0, TO(0xffffffcd) | 0x50 },
	{ "nothing", { 0, 0, 0 }, -EINVAL },
	{ "not to the LAPICs", { 0xfed00000, 0, 0x31 }, -EINVAL },
	{ "remappable", { 0xfee00010, 0, 0x31 }, -EINVAL },
	{ "reserved bit", { 0xfee00001, 0, 0x31 }, -EINVAL },
	{ "memory above", { 0xfee00000, 1, 0x31 }, -EINVAL },
	{ "a vector of the processor's", { 0xfee00000, 0, 0x0f }, -EINVAL },
	{ "Xen's pirq", { 0xfee04000, 0, 0x4300 }, -EINVAL },
	{ "level-triggered", { 0xfee00000, 0, 0x8031 }, -EINVAL },
	{ "asserted", { 0xfee00000, 0, 0x4031 }, -EINVAL },
	{ "names an entry", { 0xfee00000, 0, 0x10031 }, -EINVAL },
};

static void case_desc(const struct word_case *c, char *desc)
{
	snprintf(desc, KUNIT_PARAM_DESC_SIZE, "%s", c->name);
}

KUNIT_ARRAY_PARAM(cases, cases, case_desc);

static void there_and_back(struct kunit *test)
{
	const struct word_case *c = test->param_value;
	struct pvirq_entry msg;
	u64 word = 7;

	KUNIT_EXPECT_EQ(test, pvirq_word_of(&word, &c->msg), c->ret);
	KUNIT_EXPECT_EQ(test, word, c->ret ? 7 : c->word);
	if (c->ret)
		return;
	pvirq_word_message(&msg, word, 0);
	KUNIT_EXPECT_TRUE(test, !memcmp(&msg, &c->msg, sizeof(msg)));
	/* Masked goes to the same place; the entry is in the upper half of the data. */
	pvirq_word_message(&msg, word | HYBRID_IRQ_MASKED, 0xffff);
	KUNIT_EXPECT_EQ(test, msg.data, c->msg.data | 0xffff0000);
	KUNIT_EXPECT_EQ(test, msg.lo, c->msg.lo);
	KUNIT_EXPECT_EQ(test, msg.hi, c->msg.hi);
}

/* When to tell the host, for every host word and change: what may never happen, and what must. */
static void kicks(struct kunit *test)
{
	static const u64 words[] = {
		0, TO(0) | 0x31, TO(0) | 0x31 | HYBRID_IRQ_MASKED, TO(1) | 0x31, TO(0) | 0x32,
		TO(1) | 0x32 | HYBRID_IRQ_MASKED, TO(1) | 0x31 | HYBRID_IRQ_LOGICAL,
	};
	static const u64 hosts[] = { 0, 1, 2, 3, ~0ULL, ~3ULL, 1ULL << 63 };
	u32 h, o, n;

	for (h = 0; h < ARRAY_SIZE(hosts); h++)
	for (o = 0; o < ARRAY_SIZE(words); o++)
	for (n = 0; n < ARRAY_SIZE(words); n++) {
		u64 old = words[o], new = words[n], moved = (old ^ new) & ~HYBRID_IRQ_MASKED;
		/* An interrupt that was held back would wait for ever. */
		bool held = hosts[h] & HYBRID_IRQ_PENDING && !(new & HYBRID_IRQ_MASKED);
		/* It would go to where the copy says. */
		bool astray = hosts[h] & HYBRID_IRQ_CACHED && moved;

		/* All others would be exits for nothing. */
		KUNIT_ASSERT_EQ(test, pvirq_word_kick(hosts[h], old, new),
				old != new && (!new || held || astray));
	}
}

static struct kunit_case pvirq_word_cases[] = {
	KUNIT_CASE_PARAM(there_and_back, cases_gen_params),
	KUNIT_CASE(kicks),
	{}
};

struct kunit_suite pvirq_word_suite = {
	.name = "pvirq_word",
	.test_cases = pvirq_word_cases,
};
