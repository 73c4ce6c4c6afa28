// SPDX-License-Identifier: GPL-2.0-only
/* Runs one exiting operation so often that the host's count of it shows. */
#include <linux/kernel.h>
#include <linux/math64.h>
#include <linux/mutex.h>
#include <linux/sched.h>
#include <linux/sched/signal.h>
#include <linux/string.h>

#include <asm/tsc.h>

#include "bench.h"
#include "exits.h"
#include "internal.h"

/* Two at a time would measure each other. */
static DEFINE_MUTEX(bench_mutex);

void hybrid_bench_list(char text[HYBRID_BENCH_TEXT])
{
	struct hybrid_state state;
	struct hybrid_exits x;
	unsigned int e;
	int len = 0;

	hybrid_state_get(&state);
	hybrid_exits_open(&x, &state.caps);
	for (e = 0; e < HYBRID_EXIT_BENCH_NR; e++) {
		const char *why = hybrid_exit_unavailable(&x, e);

		len += scnprintf(text + len, HYBRID_BENCH_TEXT - len, "%s %s%s\n",
				 hybrid_exit_name(e), why ? "unavailable " : "available",
				 why ?: "");
	}
	hybrid_exits_close(&x);
}

static int parse(char *request, enum hybrid_exit *exit, u32 *count)
{
	char *arg = strim(request);
	char *op = strsep(&arg, " ");
	unsigned int e;

	if (!arg || kstrtou32(arg, 10, count) || !*count || *count > HYBRID_BENCH_MAX)
		return -EINVAL;
	for (e = 0; e < HYBRID_EXIT_BENCH_NR; e++) {
		if (!strcmp(op, hybrid_exit_name(e))) {
			*exit = e;
			return 0;
		}
	}
	return -EINVAL;
}

static int run(struct hybrid_exits *x, enum hybrid_exit e, u32 count, char *text)
{
	struct hybrid_timing t = HYBRID_TIMING_INIT;
	u64 overhead, average;

	if (hybrid_exit_unavailable(x, e))
		return -ENODEV;

	overhead = hybrid_exit_overhead(x);
	while (t.count < count) {
		if (signal_pending(current))
			return -EINTR;
		hybrid_exit_burst(x, e, count - t.count, &t);
		cond_resched();
	}

	average = div_u64(t.sum, t.count);
	scnprintf(text, HYBRID_BENCH_TEXT, "%s %u %llu %llu %u\n", hybrid_exit_name(e), t.count,
		  t.min > overhead ? t.min - overhead : 0,
		  average > overhead ? average - overhead : 0, tsc_khz);
	return 0;
}

int hybrid_bench_run(char *request, char text[HYBRID_BENCH_TEXT])
{
	struct hybrid_state state;
	struct hybrid_exits x;
	enum hybrid_exit e;
	u32 count;
	int err;

	err = parse(request, &e, &count);
	if (err)
		return err;
	if (mutex_lock_interruptible(&bench_mutex))
		return -EINTR;
	hybrid_state_get(&state);
	hybrid_exits_open(&x, &state.caps);
	err = run(&x, e, count, text);
	hybrid_exits_close(&x);
	mutex_unlock(&bench_mutex);
	return err;
}
