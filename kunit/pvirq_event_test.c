// SPDX-License-Identifier: GPL-2.0-only
/* Xen's event channels: what is in a page that the host may fill as it likes. */
#include <kunit/test.h>
#include <linux/bits.h>
#include <linux/kernel.h>
#include <linux/string.h>

#include "../drivers/pvirq/event.h"
#include "hybrid_suites.h"

struct pages {
	u64 pending[PVIRQ_EVENT_WORDS], mask[PVIRQ_EVENT_WORDS], bound[PVIRQ_EVENT_WORDS];
};

static u32 next_random(u32 *state)
{
	*state = *state * 1664525u + 1013904223u;
	return *state >> 8;
}

static void fill(u64 *words, u32 *state, unsigned int kind)
{
	unsigned int i;

	for (i = 0; i < PVIRQ_EVENT_WORDS; i++)
		words[i] = kind == 0 ? 0 : kind == 1 ? ~0ull :
			   (u64)next_random(state) << 40 ^ (u64)next_random(state) << 20 ^
			   next_random(state);
}

static bool is_set(const u64 *words, u32 port)
{
	return words[pvirq_event_word(port)] >> pvirq_event_bit(port) & 1;
}

/* Each port that is pending, not masked, ours and selected: once, and no other. */
static void scans_exactly_what_is_ready(struct kunit *test)
{
	static struct pages p;
	static u8 seen[PVIRQ_EVENT_PORTS];
	u32 state = 1, round, port;

	for (round = 0; round < 3 * 3 * 3 * 3; round++) {
		struct pvirq_event_page page = { p.pending, p.mask, p.bound };
		struct pvirq_event_scan scan;
		u64 selector[PVIRQ_EVENT_WORDS];
		u32 got = 0;

		fill(p.pending, &state, round % 3);
		fill(p.mask, &state, round / 3 % 3);
		fill(p.bound, &state, round / 9 % 3);
		fill(selector, &state, round / 27);
		p.bound[0] &= ~1ull;
		memset(seen, 0, sizeof(seen));
		pvirq_event_scan_start(&scan, selector[0]);
		while ((port = pvirq_event_scan_next(&scan, &page))) {
			KUNIT_ASSERT_TRUE(test, pvirq_event_valid(port));
			KUNIT_ASSERT_EQ(test, seen[port], 0);
			seen[port] = 1;
			KUNIT_ASSERT_LT(test, got++, PVIRQ_EVENT_PORTS);
		}
		for (port = 1; port < PVIRQ_EVENT_PORTS; port++) {
			bool ready = is_set(p.pending, port) && !is_set(p.mask, port) &&
				     is_set(p.bound, port) &&
				     selector[0] >> pvirq_event_word(port) & 1;

			KUNIT_ASSERT_EQ_MSG(test, seen[port], ready, "port %u, round %u", port,
					    round);
		}
	}
}

/* A host that sets everything again at once does not keep us in a pass. */
static void a_pass_ends(struct kunit *test)
{
	static struct pages p;
	struct pvirq_event_page page = { p.pending, p.mask, p.bound };
	struct pvirq_event_scan scan;
	u32 n = 0, state = 1;

	fill(p.mask, &state, 0);
	fill(p.bound, &state, 1);
	p.bound[0] &= ~1ull;
	pvirq_event_scan_start(&scan, ~0ull);
	do {
		fill(p.pending, &state, 1);
		n++;
		KUNIT_ASSERT_LE(test, n, PVIRQ_EVENT_PORTS);
	} while (pvirq_event_scan_next(&scan, &page));
	KUNIT_EXPECT_EQ(test, n, PVIRQ_EVENT_PORTS);
}

static void knows_ports(struct kunit *test)
{
	u32 port;

	for (port = 1; port < PVIRQ_EVENT_PORTS; port++) {
		KUNIT_ASSERT_TRUE(test, pvirq_event_valid(port));
		KUNIT_ASSERT_LT(test, pvirq_event_word(port), PVIRQ_EVENT_WORDS);
		KUNIT_ASSERT_EQ(test, pvirq_event_word(port) * 64 + pvirq_event_bit(port), port);
	}
	KUNIT_EXPECT_FALSE(test, pvirq_event_valid(0));
	KUNIT_EXPECT_FALSE(test, pvirq_event_valid(PVIRQ_EVENT_PORTS));
	KUNIT_EXPECT_FALSE(test, pvirq_event_valid(~0u));
}

/* As hvm_inject_msi() of Xen takes it apart (xen/arch/x86/hvm/irq.c). */
static void message_names_the_pirq(struct kunit *test)
{
	u32 pirq;

	for (pirq = 1; pirq < PVIRQ_EVENT_PIRQS; pirq++) {
		struct pvirq_event_message m = pvirq_event_message(pirq);

		KUNIT_ASSERT_EQ(test, m.data & 0xff, 0u);
		KUNIT_ASSERT_EQ(test, m.lo & 0xfff00fffu, 0xfee00000u);
		KUNIT_ASSERT_EQ(test, (m.hi & 0xffffff00u) | (m.lo >> 12 & 0xff), pirq);
	}
}

static void callback_is_a_vector(struct kunit *test)
{
	KUNIT_EXPECT_EQ(test, pvirq_event_callback(0xec), 0x02000000000000ecull);
}

/* All or nothing of one word at a time: whatever is there, what comes out is sound. */
static void reads_a_note(struct kunit *test)
{
	struct pvirq_event_note from = { .magic = PVIRQ_EVENT_MAGIC, .nr = 6,
		.pirq = { 55, 0, 54, 55, PVIRQ_EVENT_PIRQS, 53 } };
	struct pvirq_event_note to;
	u32 i, j;

	pvirq_event_note_read(&to, &from);
	KUNIT_ASSERT_EQ(test, to.nr, 3u);
	KUNIT_EXPECT_EQ(test, to.pirq[0], 55u);
	KUNIT_EXPECT_EQ(test, to.pirq[1], 54u);
	KUNIT_EXPECT_EQ(test, to.pirq[2], 53u);
	KUNIT_EXPECT_EQ(test, to.magic, PVIRQ_EVENT_MAGIC);

	from.nr = PVIRQ_EVENT_NOTE_MAX + 1;
	pvirq_event_note_read(&to, &from);
	KUNIT_EXPECT_EQ(test, to.nr, 0u);
	from.nr = ~0u;
	pvirq_event_note_read(&to, &from);
	KUNIT_EXPECT_EQ(test, to.nr, 0u);

	from.nr = PVIRQ_EVENT_NOTE_MAX;
	for (i = 0; i < PVIRQ_EVENT_NOTE_MAX; i++)
		from.pirq[i] = i % 100 + 1;
	pvirq_event_note_read(&to, &from);
	KUNIT_EXPECT_EQ(test, to.nr, 100u);
	for (i = 0; i < to.nr; i++)
		for (j = 0; j < i; j++)
			KUNIT_ASSERT_TRUE(test, to.pirq[i] != to.pirq[j]);

	from.magic++;
	pvirq_event_note_read(&to, &from);
	KUNIT_EXPECT_EQ(test, to.nr, 0u);
	KUNIT_EXPECT_EQ(test, to.magic, PVIRQ_EVENT_MAGIC);
}

static void takes_the_highest_vector(struct kunit *test)
{
	struct pvirq_event_vectors free = {};
	unsigned int v;

	KUNIT_EXPECT_EQ(test, pvirq_event_vector(&free), 0);
	for (v = 32; v < 256; v++) {
		free.word[v / 64] |= BIT_ULL(v % 64);
		KUNIT_ASSERT_EQ(test, pvirq_event_vector(&free), v);
	}
	free = (struct pvirq_event_vectors){ .word = { BIT_ULL(33), 0, 0, 0 } };
	KUNIT_EXPECT_EQ(test, pvirq_event_vector(&free), 33);
}

static struct kunit_case pvirq_event_cases[] = {
	KUNIT_CASE(scans_exactly_what_is_ready),
	KUNIT_CASE(a_pass_ends),
	KUNIT_CASE(knows_ports),
	KUNIT_CASE(message_names_the_pirq),
	KUNIT_CASE(callback_is_a_vector),
	KUNIT_CASE(reads_a_note),
	KUNIT_CASE(takes_the_highest_vector),
	{}
};

struct kunit_suite pvirq_event_suite = {
	.name = "pvirq_event",
	.test_cases = pvirq_event_cases,
};
