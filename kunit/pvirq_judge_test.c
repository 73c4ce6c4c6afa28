// SPDX-License-Identifier: GPL-2.0-only
/* Which interrupts are taken over: all facts with all wishes, and examples. */
#include <kunit/test.h>
#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/sched.h>
#include <linux/string.h>

#include "../drivers/pvirq/judge.h"
#include "hybrid_suites.h"

static struct pvirq_facts facts_of_index(u32 i)
{
	return (struct pvirq_facts){
		.has_parent = i & 1, .on_vectors = i & 2, .plain_chip = i & 4, .edge = i & 8,
		.hooked = i & 16, .msix = i & 32, .can_mask = i & 64,
		.vectors = i & 128 ? 4 : 1,
	};
}

#define FACTS	256

static struct pvirq_wishes wishes_of_index(u32 i)
{
	static const enum hybrid_path eois[] = {
		HYBRID_PATH_KERNEL, HYBRID_PATH_PV_EOI, HYBRID_PATH_EVTCHN, HYBRID_PATH_KERNEL
	};
	static const enum hybrid_path paths[] = {
		HYBRID_PATH_KERNEL, HYBRID_PATH_LAZY, HYBRID_PATH_HYPERCALL, HYBRID_PATH_EVTCHN
	};

	return (struct pvirq_wishes){
		.policy_mask = paths[i & 3], .policy_move = paths[i >> 2 & 3], .force = i & 16,
		.policy_eoi = eois[i >> 5 & 3],
		.device = (i >> 7) % PVIRQ_WANT_NR, .irq = (i >> 7) / PVIRQ_WANT_NR,
	};
}

#define WISHES	(128 * PVIRQ_WANT_NR * PVIRQ_WANT_NR)

static bool wants_events(const struct pvirq_wishes *w)
{
	return w->policy_eoi == HYBRID_PATH_EVTCHN && w->policy_mask == HYBRID_PATH_EVTCHN &&
	       w->policy_move == HYBRID_PATH_EVTCHN;
}

static const char *objection(const struct pvirq_facts *f, const struct pvirq_wishes *w,
			     const struct pvirq_verdict *v)
{
	enum pvirq_want want = w->irq ? w->irq : w->device;
	bool eoi_safe = f->has_parent && f->on_vectors && f->plain_chip && f->edge &&
			f->vectors == 1;
	bool safe = eoi_safe && !f->hooked && (f->can_mask || !f->msix);

	if ((unsigned int)v->why >= PVIRQ_WHY_NR)
		return "no reason";
	if ((v->path == HYBRID_PATH_HYPERCALL) != (v->why == PVIRQ_WHY_HOST_ABI))
		return "path and reason disagree";
	if (v->path == HYBRID_PATH_EVTCHN ? !v->mask || !v->move :
	    v->path != (v->why == PVIRQ_WHY_HOST_ABI ? HYBRID_PATH_HYPERCALL :
			v->mask || v->move ? HYBRID_PATH_LAZY :
			v->eoi ? HYBRID_PATH_PV_EOI : HYBRID_PATH_KERNEL))
		return "not the path";
	if (v->eoi != (eoi_safe && w->policy_eoi == HYBRID_PATH_PV_EOI &&
		       want != PVIRQ_WANT_KERNEL))
		return "not the policy for EOIs";
	if (!safe)
		return v->mask || v->move ? "not safe" :
		       v->why <= PVIRQ_WHY_POLICY || v->why == PVIRQ_WHY_FALLBACK ?
		       "not the reason" : NULL;
	if (v->why > PVIRQ_WHY_POLICY && v->why != PVIRQ_WHY_FALLBACK)
		return "nothing is in the way";
	if (v->path == HYBRID_PATH_EVTCHN)
		return !wants_events(w) || want != PVIRQ_WANT_AUTO || w->force ? "not asked for" :
		       !f->msix || !v->mask || !v->move ? "not safe" :
		       v->why != PVIRQ_WHY_SAVES ? "not the reason" : NULL;
	if (v->mask && !f->can_mask)
		return "nothing to mask";
	if (want == PVIRQ_WANT_KERNEL)
		return v->mask || v->move || v->why != PVIRQ_WHY_OPERATOR ? "not asked for" : NULL;
	if (want == PVIRQ_WANT_LAZY || w->force)
		return !v->move || v->why != PVIRQ_WHY_OPERATOR ? "asked for" : NULL;
	if ((v->why == PVIRQ_WHY_HOST_ABI) != (f->msix && w->policy_mask == HYBRID_PATH_HYPERCALL &&
					       w->policy_move == HYBRID_PATH_HYPERCALL))
		return "the host's table has MSI-X only, and both or nothing";
	if (wants_events(w) && f->msix)
		return "not an event";
	if (v->move != (w->policy_move != HYBRID_PATH_KERNEL) ||
	    v->mask != (w->policy_mask != HYBRID_PATH_KERNEL && f->can_mask))
		return "not the policy";
	if (v->why == PVIRQ_WHY_FALLBACK)
		return w->policy_move != HYBRID_PATH_EVTCHN &&
		       w->policy_mask != HYBRID_PATH_EVTCHN ? "no event was asked for" : NULL;
	return (v->why == PVIRQ_WHY_POLICY) == (v->path == HYBRID_PATH_KERNEL) ? NULL : "not the reason";
}

static void judges_everything(struct kunit *test)
{
	u32 fi, wi;

	for (fi = 0; fi < FACTS; fi++, cond_resched())
	for (wi = 0; wi < WISHES; wi++) {
		struct pvirq_facts f = facts_of_index(fi);
		struct pvirq_wishes w = wishes_of_index(wi);
		struct pvirq_verdict v = pvirq_judge(&f, &w);
		const char *wrong = objection(&f, &w, &v);

		KUNIT_ASSERT_TRUE_MSG(test, !wrong, "%s: %s (facts %x, wishes %x)",
				      pvirq_why_name(v.why), wrong ?: "", fi, wi);
	}
}

struct judge_case {
	const char *name;
	struct pvirq_facts facts;
	enum pvirq_why why;
};

#define PLAIN	.has_parent = true, .on_vectors = true, .plain_chip = true, .edge = true, \
		.msix = true, .can_mask = true, .vectors = 1

static const struct judge_case examples[] = {
	{ "an emulated nvme", { PLAIN }, PVIRQ_WHY_SAVES },
	{ "edu: MSI, no mask bit",
	  { .has_parent = true, .on_vectors = true, .plain_chip = true, .edge = true, .vectors = 1 },
	  PVIRQ_WHY_SAVES },
	{ "interrupt remapping, VMD",
	  { .has_parent = true, .plain_chip = true, .edge = true, .msix = true, .can_mask = true,
	    .vectors = 1 }, PVIRQ_WHY_STACKED },
	{ "a Xen pirq", { .msix = true, .vectors = 1 }, PVIRQ_WHY_STACKED },
	{ "Hyper-V",
	  { .has_parent = true, .on_vectors = true, .edge = true, .msix = true, .can_mask = true,
	    .vectors = 1 }, PVIRQ_WHY_CHIP },
};

static void example_desc(const struct judge_case *c, char *desc)
{
	snprintf(desc, KUNIT_PARAM_DESC_SIZE, "%s", c->name);
}

KUNIT_ARRAY_PARAM(examples, examples, example_desc);

static void judges(struct kunit *test)
{
	static const struct pvirq_wishes lazy = {
		.policy_mask = HYBRID_PATH_LAZY, .policy_move = HYBRID_PATH_LAZY
	};
	const struct judge_case *c = test->param_value;
	struct pvirq_verdict v = pvirq_judge(&c->facts, &lazy);

	KUNIT_EXPECT_STREQ(test, pvirq_why_name(v.why), pvirq_why_name(c->why));
}

static void judge_names_are_unique(struct kunit *test)
{
	unsigned int i, j;

	for (i = 0; i < PVIRQ_WHY_NR; i++)
		for (j = 0; j < i; j++)
			KUNIT_EXPECT_STRNEQ(test, pvirq_why_name(i), pvirq_why_name(j));
	for (i = 0; i < PVIRQ_WHY_NR; i++)
		KUNIT_EXPECT_GT(test, strlen(pvirq_why_text(i)), 20);
	KUNIT_EXPECT_STREQ(test, pvirq_why_name(PVIRQ_WHY_NR), "invalid");
	KUNIT_EXPECT_STREQ(test, pvirq_why_text(PVIRQ_WHY_NR), "invalid");
	KUNIT_EXPECT_STREQ(test, pvirq_want_name(PVIRQ_WANT_NR), "invalid");
}

static void parses_wants(struct kunit *test)
{
	static const char *const bad[] = { "", "Lazy", "lazy ", "lazykernel", "l", "\xff" };
	enum pvirq_want want;
	unsigned int i;

	for (i = 0; i < PVIRQ_WANT_NR; i++) {
		KUNIT_EXPECT_EQ(test, pvirq_parse_want(pvirq_want_name(i), &want), 0);
		KUNIT_EXPECT_EQ(test, (unsigned int)want, i);
	}
	want = PVIRQ_WANT_NR;
	for (i = 0; i < ARRAY_SIZE(bad); i++)
		KUNIT_EXPECT_EQ(test, pvirq_parse_want(bad[i], &want), -EINVAL);
	KUNIT_EXPECT_EQ(test, want, PVIRQ_WANT_NR);
}

static struct kunit_case pvirq_judge_cases[] = {
	KUNIT_CASE(judges_everything),
	KUNIT_CASE_PARAM(judges, examples_gen_params),
	KUNIT_CASE(judge_names_are_unique),
	KUNIT_CASE(parses_wants),
	{}
};

struct kunit_suite pvirq_judge_suite = {
	.name = "pvirq_judge",
	.test_cases = pvirq_judge_cases,
};
