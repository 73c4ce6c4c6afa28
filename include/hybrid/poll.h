/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * How long an idle CPU polls before it halts (pure; one struct hybrid_poll per CPU).
 *
 * The problem is ski rental. A CPU that goes idle does not know for how long. Polling costs
 * the time it takes; halting costs a fixed price C, however long the sleep: the exit of HLT,
 * the waker's exit to send the wake-up, the entry, and what the host does in between. The
 * waker of a CPU that polls sends nothing. An idle time of length t therefore costs
 *
 *	ALG = t		if it ends within the limit L that we poll
 *	ALG = L + C	otherwise
 *	OPT = min(t, C)	for somebody who knows the future
 *
 * What C is: hybrid.ko measures it, as the time that a call to a halted CPU takes (one CPU
 * only: see below). It is never taken for less than two exits, the HLT and the sending,
 * each as dear as CPUID's, since a hypervisor cannot do less; the time it needs to take
 * the vCPU off and on a processor comes on top and is why two exits alone are too low
 * an estimate.
 *
 * The bound: over any sequence of idle times, by whomever it is made,
 *
 *	sum(ALG) <= 2 * sum(OPT) + HYBRID_POLL_CREDIT * C
 *
 * No deterministic algorithm does better than the factor 2. L = C each time has it too, but
 * is poor at what is common: sleeps that are all long, or all short. So L is learned, and an
 * account makes sure of the bound: @slack is 2 * sum(OPT) - sum(ALG) so far, plus the
 * credit. The worst that one idle time can do to it is
 *
 *	L < C:	t is just more than L:	(L + C) - 2 * L = C - L
 *	L > C:	t is more than L:	(L + C) - 2 * C = L - C
 *
 * so any L with |L - C| <= slack keeps the account from becoming negative, and others are
 * not taken. While nothing is in the account, that leaves L = C.
 *
 * What is learned: for each of the limits 0, C/8, ... C, what it would have cost lately. The
 * best of them is taken, the lower one if they are equal. An idle time that was slept through
 * counts with its length less what halting cost, so short ones are seen without polling.
 *
 * Probes: two CPUs that wake each other in turn and both halt see idle times of more than C,
 * as each one contains the other's wake-up; if one of them polled, they would become short.
 * So after HYBRID_POLL_PROBE_MIN long idle times in a row, one is polled for up to 3 * C, and
 * as long as that wins, the next ones as well, HYBRID_POLL_PROBE_TIMES in all: enough to learn
 * what has become of them. Unless they became short, the next probe comes after twice as many,
 * up to HYBRID_POLL_PROBE_MAX; each idle time that is short halves that again. On a CPU that only
 * has idle times that cannot be won (each more than 3 * C) this takes less than
 * 1 / HYBRID_POLL_PROBE_MIN = 4.2 % of its time, and soon 1 / HYBRID_POLL_PROBE_MAX.
 *
 * One interruption of two such CPUs that both poll has both halt, which is what lasts, not the
 * interruption. So after HYBRID_POLL_STREAK short idle times that polls won, and then one that was
 * not, the next one is a probe, up to HYBRID_POLL_RETRIES of them until one wins. If none does, the
 * streak has to be twice as long the next time, up to HYBRID_POLL_PROBE_MAX.
 *
 * What that costs: bursts of 8 to 15 short idle times with single long ones between them look the
 * same, and each long one is polled for up to 3 * C, within the bound. Ending the probes, or not
 * forgetting @steady, when what was learned would have won as well spares that; but these probes
 * are what gets two CPUs over ticks. (In the lab fewer halts were saved without them, while the
 * machine's speed changed as well: not proven.)
 *
 * The bound is in terms of the C that the algorithm is given, since hybrid_poll_init(), and but
 * for overcommit (below). If the real price is C / r, the factor is 2 * max(r, 1 / r): polls and
 * halts cost at most max(1, 1 / r) times what they do at C, and the optimum at C is at most
 * max(1, r) times the real one.
 *
 * While the host lacks processors for its guests, a poller takes the time from those
 * that it waits for: see hybrid_poll_steal(). Then nothing is polled and the bound is that
 * of halting: C each time.
 */
#ifndef HYBRID_POLL_H
#define HYBRID_POLL_H

#include <linux/types.h>

#define HYBRID_POLL_STEPS	8
#define HYBRID_POLL_CREDIT	2	/* times C: what it may spend before it has earned it */
#define HYBRID_POLL_SAVINGS	16	/* times C: more than that is not kept in the account */
#define HYBRID_POLL_PROBE_REACH	3	/* times C: the other one's wake-up, and what it does */
#define HYBRID_POLL_PROBE_MIN	24
#define HYBRID_POLL_PROBE_MAX	4096
#define HYBRID_POLL_PROBE_TIMES	16
#define HYBRID_POLL_STREAK	8
#define HYBRID_POLL_RETRIES	3
#define HYBRID_POLL_COST_MAX	(1u << 30)

/* Overcommit: shares of a window, in 1/128ths, and how many quiet windows end it. */
#define HYBRID_POLL_STEAL_HIGH	16	/* 12.5 % */
#define HYBRID_POLL_STEAL_LOW	4	/* 3.1 % */
#define HYBRID_POLL_STEAL_WAKE	4	/* times C, for each halt ... */
#define HYBRID_POLL_STEAL_WAKE_MAX 2000000 /* ... but no more than 2 ms, or C */
#define HYBRID_POLL_STEAL_CALM	4
#define HYBRID_POLL_STEAL_CALM_MAX	64

/**
 * struct hybrid_poll - what one CPU has learned
 * @cost: C, in any unit of time as long as it is always the same one; 0 = never poll
 * @slack: the account, see above
 * @loss: what polling for at most i / HYBRID_POLL_STEPS * C would have cost lately
 * @longs: long idle times in a row, since the last probe
 * @patience: how many of them until the next probe
 * @probe: how many probes are still to come, if they win
 * @streak: how many short idle times polls have won in a row
 * @steady: how many of them it takes for probes to come at once
 * @retries: how many more of these there are
 * @calm: windows without overcommit that are still to be seen; 0 = not overcommitted
 * @penance: how many there have to be
 * @good: windows without overcommit, since the last one
 */
struct hybrid_poll {
	u32 cost;
	u64 slack;
	u64 loss[HYBRID_POLL_STEPS + 1];
	u32 longs;
	u32 patience;
	u32 probe;
	u32 streak;
	u32 steady;
	u32 retries;
	u32 calm;
	u32 penance;
	u32 good;
};

/**
 * hybrid_poll_init() - forget everything
 * @p: filled in completely
 * @cost: C; more than HYBRID_POLL_COST_MAX counts as that
 */
void hybrid_poll_init(struct hybrid_poll *p, u32 cost);

/**
 * hybrid_poll_limit() - how long to poll at most, this time
 * @p: any content
 *
 * Return: 0 (do not) ... 3 * C
 */
u32 hybrid_poll_limit(const struct hybrid_poll *p);

/**
 * hybrid_poll_learn() - an idle time has ended
 * @p: what hybrid_poll_limit() was called with, unchanged since
 * @limit: what it returned
 * @length: how long the CPU was idle, without what halting cost; any value
 */
void hybrid_poll_learn(struct hybrid_poll *p, u32 limit, u64 length);

/**
 * hybrid_poll_steal() - judge a window, about a second, by the time the host stole in it
 * @p: what has to be judged
 * @stolen: how long the CPU was ready to run while the host ran something else, ns
 * @halts: how often the CPU has halted
 * @cost: C, ns
 * @window: the length of the window, ns
 *
 * A halted CPU is ready to run from its wake-up on. What that takes is part of C, and where the host
 * is busy a multiple; but who waits for another's time slice waits longer. So for each halt
 * HYBRID_POLL_STEAL_WAKE * C are no lack of processors, but no more than 2 ms, which is less than a
 * slice (Linux on many processors 3 ms, Xen 10 ms): deep inside other guests C alone is as long.
 *
 * A share of HYBRID_POLL_STEAL_HIGH begins overcommit; it ends when so many windows in a row as
 * HYBRID_POLL_STEAL_CALM have less than HYBRID_POLL_STEAL_LOW. Where it comes back within
 * HYBRID_POLL_STEAL_CALM_MAX windows, polling is what brought it back, and each time twice as
 * many are asked for, up to that.
 */
void hybrid_poll_steal(struct hybrid_poll *p, u64 stolen, u64 halts, u32 cost, u64 window);

static inline bool hybrid_poll_overcommitted(const struct hybrid_poll *p)
{
	return p->calm;
}

#endif
