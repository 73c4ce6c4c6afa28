// SPDX-License-Identifier: GPL-2.0-only
/*
 * How long an idle CPU polls before it halts (pure). The why is in <hybrid/poll.h>.
 *
 * noinstr: called where RCU does not watch, so that nothing may trace it.
 */
#include <linux/compiler.h>
#include <linux/minmax.h>
#include <linux/string.h>

#include <hybrid/poll.h>

/* Old idle times fade by 1 / 2^this with each new one. */
#define FADE_SHIFT	3

static noinstr u32 step(const struct hybrid_poll *p, unsigned int i)
{
	return (u64)p->cost * i / HYBRID_POLL_STEPS;
}

static noinstr u64 paid(const struct hybrid_poll *p, u32 limit, u64 length)
{
	/* Without polling, a halt is paid for however short it was. */
	return limit && length <= limit ? length : (u64)limit + p->cost;
}

void hybrid_poll_init(struct hybrid_poll *p, u32 cost)
{
	memset(p, 0, sizeof(*p));
	p->cost = min_t(u32, cost, HYBRID_POLL_COST_MAX);
	p->slack = (u64)p->cost * HYBRID_POLL_CREDIT;
	p->patience = HYBRID_POLL_PROBE_MIN;
	p->steady = HYBRID_POLL_STREAK;
	p->penance = HYBRID_POLL_STEAL_CALM / 2;
}

static noinstr u32 best(const struct hybrid_poll *p)
{
	unsigned int i, found = 0;

	for (i = 1; i <= HYBRID_POLL_STEPS; i++)
		if (p->loss[i] < p->loss[found])
			found = i;
	return step(p, found);
}

noinstr u32 hybrid_poll_limit(const struct hybrid_poll *p)
{
	u32 cost = p->cost;
	u32 limit = p->probe ? HYBRID_POLL_PROBE_REACH * cost : best(p);

	if (!cost || hybrid_poll_overcommitted(p))
		return 0;
	if (p->slack < cost && limit < cost - (u32)p->slack)
		return cost - (u32)p->slack;
	return min_t(u64, limit, cost + p->slack);
}

static noinstr void settle(struct hybrid_poll *p, u32 limit, u64 length)
{
	u64 due = paid(p, limit, length);

	p->slack += 2 * min_t(u64, length, p->cost);
	p->slack -= min_t(u64, p->slack, due);
	p->slack = min_t(u64, p->slack, (u64)p->cost * HYBRID_POLL_SAVINGS);
}

static noinstr void probe_begin(struct hybrid_poll *p)
{
	p->longs = 0;
	p->probe = HYBRID_POLL_PROBE_TIMES;
	p->patience = min_t(u32, 2 * p->patience, HYBRID_POLL_PROBE_MAX);
}

static noinstr void not_won(struct hybrid_poll *p)
{
	if (p->streak >= p->steady) {
		p->retries = HYBRID_POLL_RETRIES;
		/* Until a probe has won: what breaks each time is not two CPUs out of step. */
		p->steady = min_t(u32, 2 * p->steady, HYBRID_POLL_PROBE_MAX);
	}
	p->streak = 0;
	p->probe = 0;
	if (p->retries) {
		p->retries--;
		p->probe = HYBRID_POLL_PROBE_TIMES;
	}
}

static noinstr void schedule_probe(struct hybrid_poll *p, u32 limit, u64 length)
{
	bool won = limit && length <= limit;

	if (!won) {
		not_won(p);
	} else if (p->probe) {
		p->probe--;
		p->steady = HYBRID_POLL_STREAK;
	}

	if (length <= p->cost) {
		if (won) {
			p->streak++;
			p->retries = 0;
		}
		p->longs = 0;
		p->patience /= 2;
		if (p->patience < HYBRID_POLL_PROBE_MIN)
			p->patience = HYBRID_POLL_PROBE_MIN;
	} else if (!p->probe && ++p->longs >= p->patience) {
		probe_begin(p);
	}
}

noinstr void hybrid_poll_learn(struct hybrid_poll *p, u32 limit, u64 length)
{
	unsigned int i;

	/* Without its price, or with time that others stole, it says nothing. */
	if (!p->cost || hybrid_poll_overcommitted(p))
		return;
	settle(p, limit, length);
	schedule_probe(p, limit, length);
	for (i = 0; i <= HYBRID_POLL_STEPS; i++) {
		p->loss[i] -= p->loss[i] >> FADE_SHIFT;
		p->loss[i] += paid(p, step(p, i), length);
	}
}

noinstr void hybrid_poll_steal(struct hybrid_poll *p, u64 stolen, u64 halts, u32 cost, u64 window)
{
	u64 unit = window >> 7;
	u64 wake = clamp_t(u64, HYBRID_POLL_STEAL_WAKE_MAX, cost,
			   (u64)HYBRID_POLL_STEAL_WAKE * cost);

	stolen -= min_t(u64, stolen, halts * wake);
	if (stolen > unit * HYBRID_POLL_STEAL_HIGH) {
		/* Again, and not long after the last time: then it was polling that caused it. */
		if (!p->calm)
			p->penance = min_t(u32, 2 * p->penance, HYBRID_POLL_STEAL_CALM_MAX);
		p->calm = p->penance;
		p->good = 0;
	} else if (p->calm) {
		p->calm = stolen < unit * HYBRID_POLL_STEAL_LOW ? p->calm - 1 : p->penance;
	} else if (++p->good >= HYBRID_POLL_STEAL_CALM_MAX) {
		p->penance = HYBRID_POLL_STEAL_CALM / 2;
		p->good = 0;
	}
}
