// SPDX-License-Identifier: GPL-2.0-only
/* Any sequence of requests, acks and ticks keeps the rules of kunit/migrate_phase_rules.h. */
#include <stdio.h>
#include <stdlib.h>

#include "../../kunit/migrate_phase_rules.h"

/* One step; small numbers, so that operations and sources meet. */
struct __attribute__((packed)) step {
	u8 what;	/* low bits: the action; bit 7: a drill */
	u8 source;
	u8 op;
	u8 status;
	u8 waiters;
	u8 time;	/* how much passes: 2^(n % 42) ns; bit 7: back */
	u8 timeout;
};

static u64 operation(u8 n)
{
	/* 0, small ones, ours, and the largest that a host may use */
	if (n < 0x80)
		return n;
	return n < 0xf0 ? MN_OP_OURS | (n & 0x7f) : MN_OP_OURS - 1 - (n & 0xf);
}

static void broke(const char *rule, size_t i)
{
	fprintf(stderr, "step %zu: %s\n", i, rule);
	abort();
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	struct mn_phase m = { .default_ns = 10000000000ULL, .max_ns = 1800000000000ULL,
			      .abandoned_ns = 3600000000000ULL };
	const struct step *s = (const struct step *)data;
	u64 now = 1000000000;
	struct rules r = {};
	size_t i;

	for (i = 0; i < size / sizeof(*s); i++, s++) {
		struct mn_request rq = {
			.action = s->what & 7, .source = s->source, .status = s->status,
			.simulated = s->what & 0x80, .op_id = operation(s->op),
			.timeout_ns = s->timeout ? 1ULL << s->timeout % 64 : 0,
		};
		const struct mn_phase before = m;
		struct mn_events out;
		const char *rule;
		int ret = 0;

		now = s->time & 0x80 ? now >> s->time % 8 : now + (1ULL << s->time % 42);
		switch (s->what & 7) {
		case 5:
			mn_phase_tick(&m, now, &out);
			break;
		case 6:
		case 7:
			mn_phase_ack(&m, now, s->what & 1, &out);
			break;
		default:
			ret = mn_phase_request(&m, now, &rq, s->waiters, &out);
		}
		rule = (s->what & 7) < 5 ? rules_drill(&before, &rq, &m) : NULL;
		if (rule)
			broke(rule, i);
		if (ret && out.n)
			broke("events of a refused request", i);
		rule = rules_step(&r, &m, &out);
		if (rule)
			broke(rule, i);
	}
	return 0;
}
