// SPDX-License-Identifier: GPL-2.0-only
/*
 * Masking in software, in a model of all that is around it: the device, an interrupt on its
 * way, and what kernel/irq does (handle_edge_irq(), disable, enable, resend, a pending move that
 * the next interrupt carries out). Every state that any interleaving of their steps can reach is
 * visited.
 */
#include <kunit/test.h>
#include <linux/bits.h>
#include <linux/kernel.h>
#include <linux/string.h>

#include "../drivers/pvirq/mask.h"
#include "hybrid_suites.h"

#define RAISES	5

/* One moment of the world, as an index of the set of visited ones. */
union world {
	struct {
		u32 raised:3;		/* interrupts that the device has raised */
		u32 runs:3;		/* times the handler has run */
		u32 owed:1;		/* one was raised since the handler last began */
		u32 pba:1;		/* the device holds one back */
		u32 irr:1;		/* one is on its way, or resent by the core */
		u32 soft:1;
		u32 hard:1;
		u32 disabled:1;		/* the core's flags of the same name */
		u32 masked:1;
		u32 pending:1;
		u32 inprogress:1;
		u32 native:1;		/* given back */
		u32 told:1;		/* the device was masked while it was ours */
		u32 again:1;
		u32 moving:1;		/* irq_set_affinity() waits for an interrupt */
		u32 acking:1;		/* within a step only */
	};
	u32 index;
};

#define WORLDS	BIT(19)
#define STACK	(WORLDS / 4)

static void apply(union world *w, enum pvirq_mask_event event)
{
	struct pvirq_mask m = { w->soft, w->hard, w->again, w->acking };
	bool write = pvirq_mask_step(&m, event);

	if (w->native) {
		/* The original chip: the device's bit is what the core wants. */
		m.soft = false;
		write = true;
		m.hard = event != PVIRQ_UNMASK;
	}
	w->soft = m.soft;
	w->again = m.again;
	w->acking = m.acking;
	if (!write)
		return;
	w->hard = m.hard;
	w->told |= w->hard && !w->native && event != PVIRQ_SETTLE;
	if (!w->hard && w->pba) {
		w->pba = 0;
		w->irr = 1;
	}
}

static void run(union world *w)
{
	w->pending = 0;
	w->owed = 0;
	w->runs++;
}

/* The steps. Each returns false where it cannot be taken. */

static bool raise(union world *w)
{
	if (w->raised == RAISES)
		return false;
	w->raised++;
	w->owed = 1;
	if (w->hard)
		w->pba = 1;
	else
		w->irr = 1;
	return true;
}

/* irq_ack: irq_move_irq() */
static void ack(union world *w)
{
	if (!w->moving || w->disabled)
		return;
	w->moving = 0;
	if (w->masked)
		return;
	apply(w, PVIRQ_MASK);
	apply(w, PVIRQ_UNMASK);
}

static void mask_ack(union world *w)
{
	if (w->native) {
		if (!w->masked)
			apply(w, PVIRQ_MASK);
		w->masked = 1;
		ack(w);
		return;
	}
	apply(w, PVIRQ_MASK_ACK);
	ack(w);
	apply(w, PVIRQ_ACKED);
	w->masked = 1;
}

static bool deliver(union world *w)
{
	if (!w->irr)
		return false;
	w->irr = 0;
	if (w->inprogress || w->disabled) {
		w->pending = 1;
		mask_ack(w);
		return true;
	}
	ack(w);
	w->inprogress = 1;
	run(w);
	return true;
}

static void unmask(union world *w)
{
	if (w->masked)
		apply(w, PVIRQ_UNMASK);
	w->masked = 0;
}

static bool finish(union world *w)
{
	if (!w->inprogress)
		return false;
	if (w->pending && !w->disabled) {
		unmask(w);
		run(w);
	} else {
		w->inprogress = 0;
	}
	return true;
}

static bool disable(union world *w)
{
	if (w->disabled)
		return false;
	w->disabled = 1;
	return true;
}

static bool disable_unlazy(union world *w)
{
	if (!disable(w))
		return false;
	if (!w->masked)
		apply(w, PVIRQ_MASK);
	w->masked = 1;
	return true;
}

static bool enable(union world *w)
{
	if (!w->disabled)
		return false;
	w->disabled = 0;
	unmask(w);
	if (w->pending) {
		w->pending = 0;
		w->irr = 1;
	}
	return true;
}

static bool move(union world *w)
{
	if (w->moving)
		return false;
	w->moving = 1;
	return true;
}

static bool give_back(union world *w)
{
	if (w->native)
		return false;
	apply(w, PVIRQ_SETTLE);
	w->soft = 0;
	w->native = 1;
	return true;
}

/* What the interrupt looks like to us when it is taken over, with its device's bit as it is. */
static bool take(union world *w)
{
	if (!w->native)
		return false;
	w->native = 0;
	w->again = 0;
	return true;
}

static bool (*const steps[])(union world *w) = {
	raise, deliver, finish, disable, disable_unlazy, enable, move, give_back, take,
};

/* All that is still on its way arrives, and nothing more is raised. */
static union world settled(union world w)
{
	unsigned int i;

	enable(&w);
	for (i = 0; i < 4 * RAISES; i++)
		if (!deliver(&w) && !finish(&w))
			break;
	return w;
}

static const char *objection(union world w)
{
	union world end = settled(w);

	if (w.runs > w.raised)
		return "the handler ran for an interrupt that was none";
	if (end.runs > end.raised)
		return "the handler will run for an interrupt that was none";
	if (end.owed)
		return "an interrupt is lost";
	if (end.irr || end.pba || end.pending || end.inprogress || end.hard || end.soft)
		return "something is left over";
	if (w.native && w.hard != w.masked)
		return "given back, and not masked as the core wants it";
	if (w.masked && !w.soft && !w.hard)
		return "the core has masked it, and nobody remembers";
	if (w.pba && !w.hard)
		return "held back, though not masked";
	/* Where nothing comes, the device need not know of any mask. */
	if (!w.raised && w.told)
		return "masked for nothing";
	return NULL;
}

static void nothing_is_lost_or_runs_twice(struct kunit *test)
{
	u32 *stack = kunit_kzalloc(test, STACK * sizeof(*stack), GFP_KERNEL);
	u8 *visited = kunit_kzalloc(test, WORLDS, GFP_KERNEL);
	u32 depth = 0, reached = 0;
	unsigned int s;

	KUNIT_ASSERT_NOT_NULL(test, stack);
	KUNIT_ASSERT_NOT_NULL(test, visited);
	stack[depth++] = 0;
	visited[0] = 1;
	while (depth) {
		union world w = { .index = stack[--depth] };
		const char *wrong = objection(w);

		KUNIT_ASSERT_TRUE_MSG(test, !wrong, "%s: world %x", wrong ?: "", w.index);
		reached++;
		for (s = 0; s < ARRAY_SIZE(steps); s++) {
			union world next = w;

			if (!steps[s](&next))
				continue;
			KUNIT_ASSERT_LT(test, next.index, (u32)WORLDS);
			if (visited[next.index])
				continue;
			visited[next.index] = 1;
			KUNIT_ASSERT_LT(test, depth, (u32)STACK);
			stack[depth++] = next.index;
		}
	}
	kunit_info(test, "%u states reached\n", reached);
	KUNIT_EXPECT_GT(test, reached, 1000u);
}

struct mask_case {
	const char *name;
	struct pvirq_mask before;
	enum pvirq_mask_event event;
	struct pvirq_mask after;
	bool write;
};

static const struct mask_case transitions[] = {
	{ "mask", { false, false }, PVIRQ_MASK, { true, false }, false },
	{ "unmask", { true, false }, PVIRQ_UNMASK, { false, false }, false },
	{ "mask for the first that comes", { false, false }, PVIRQ_MASK_ACK,
	  { true, false, false, true }, false },
	{ "another comes", { true, false }, PVIRQ_MASK_ACK, { true, true, true, true }, true },
	{ "one was on its way", { true, true }, PVIRQ_MASK_ACK, { true, true, false, true },
	  false },
	{ "unmask for real", { true, true }, PVIRQ_UNMASK, { false, false }, true },
	{ "taken over masked, unmask", { false, true }, PVIRQ_UNMASK, { false, false }, true },
	{ "taken over masked, mask", { false, true }, PVIRQ_MASK, { true, true }, false },
	{ "shut down", { false, false }, PVIRQ_SHUTDOWN, { true, true }, true },
	{ "shut down, masked", { true, false }, PVIRQ_SHUTDOWN, { true, true }, true },
	{ "shut down, masked for real", { true, true }, PVIRQ_SHUTDOWN, { true, true }, false },
	{ "settle", { false, false }, PVIRQ_SETTLE, { false, false }, false },
	{ "settle, masked", { true, false }, PVIRQ_SETTLE, { true, true }, true },
	{ "settle, masked for real", { true, true }, PVIRQ_SETTLE, { true, true }, false },
	{ "a move in the ack masks", { true, false, false, true }, PVIRQ_MASK,
	  { true, false, false, true }, false },
	{ "a move in the ack unmasks", { true, false, false, true }, PVIRQ_UNMASK,
	  { true, false, false, true }, false },
	{ "a move in the ack unmasks for real", { true, true, false, true }, PVIRQ_UNMASK,
	  { true, true, false, true }, false },
	{ "acked", { true, true, false, true }, PVIRQ_ACKED, { true, true, false, false }, false },
	{ "another came last time", { false, false, true }, PVIRQ_MASK_ACK,
	  { true, true, false, true }, true },
	{ "another comes again", { true, false, true }, PVIRQ_MASK_ACK,
	  { true, true, true, true }, true },
	{ "mask, another came last time", { false, false, true }, PVIRQ_MASK,
	  { true, false, true }, false },
	{ "no such event", { true, false }, PVIRQ_MASK_EVENTS, { true, false }, false },
};

static void transition_desc(const struct mask_case *c, char *desc)
{
	snprintf(desc, KUNIT_PARAM_DESC_SIZE, "%s", c->name);
}

KUNIT_ARRAY_PARAM(transitions, transitions, transition_desc);

static void steps_as_documented(struct kunit *test)
{
	const struct mask_case *c = test->param_value;
	struct pvirq_mask m = c->before;

	KUNIT_EXPECT_EQ(test, pvirq_mask_step(&m, c->event), c->write);
	KUNIT_EXPECT_EQ(test, m.soft, c->after.soft);
	KUNIT_EXPECT_EQ(test, m.hard, c->after.hard);
	KUNIT_EXPECT_EQ(test, m.again, c->after.again);
	KUNIT_EXPECT_EQ(test, m.acking, c->after.acking);
}

/* disable_irq() while a device goes on: interrupts that get in, period by period. */
static void what_keeps_coming_is_masked_sooner(struct kunit *test)
{
	static const unsigned int in[] = { 2, 1, 2, 1 };
	struct pvirq_mask m = {};
	unsigned int period, n;

	for (period = 0; period < ARRAY_SIZE(in); period++) {
		for (n = 0; !m.hard && n < 10; n++) {
			pvirq_mask_step(&m, PVIRQ_MASK_ACK);
			pvirq_mask_step(&m, PVIRQ_ACKED);
		}
		KUNIT_EXPECT_EQ(test, n, in[period]);
		pvirq_mask_step(&m, PVIRQ_UNMASK);
	}
}

static struct kunit_case pvirq_mask_cases[] = {
	KUNIT_CASE(what_keeps_coming_is_masked_sooner),
	KUNIT_CASE(nothing_is_lost_or_runs_twice),
	KUNIT_CASE_PARAM(steps_as_documented, transitions_gen_params),
	{}
};

struct kunit_suite pvirq_mask_suite = {
	.name = "pvirq_mask",
	.test_cases = pvirq_mask_cases,
};
