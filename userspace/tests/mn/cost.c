// SPDX-License-Identifier: GPL-2.0-only
/* For measure.sh: nanoseconds of the library's fast paths, minimum of many rounds. */
#include <stdio.h>
#include <time.h>

#include <migrate-notify.h>

#define LOOPS	1000000
#define ROUNDS	50

int changed(const __u64 *generation, uint64_t seen);

/* What a program's compiler makes of it. */
__attribute__((noinline)) int changed(const __u64 *generation, uint64_t seen)
{
	return mn_changed(generation, seen);
}

static double now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1e9 + t.tv_nsec;
}

/* The empty loop is subtracted: a program has a loop of its own. */
#define MEASURE(name, body) do { \
	double best = 1e18, empty = 1e18; \
	for (int r = 0; r < ROUNDS; r++) { \
		double start = now_ns(); \
		for (int i = 0; i < LOOPS; i++) { \
			asm volatile("" ::: "memory"); \
			body; \
		} \
		double used = now_ns() - start; \
		best = used < best ? used : best; \
		start = now_ns(); \
		for (int i = 0; i < LOOPS; i++) \
			asm volatile("" ::: "memory"); \
		used = now_ns() - start; \
		empty = used < empty ? used : empty; \
	} \
	printf("%-28s %6.2f ns, %.2f with its loop\n", name, (best - empty) / LOOPS, \
	       best / LOOPS); \
} while (0)

int main(void)
{
	static const struct mn_variant variants[] = { { "only", variants, NULL } };
	const __u64 *generation;
	struct mn_section s;
	struct mn_dispatch *d;
	struct mn_ctx *ctx;
	int events = 0;
	uint64_t seen;

	if (mn_open(&ctx, "cost", 0) || mn_dispatch_new(&d, ctx, variants, 1, 0))
		return 1;
	generation = mn_generation(ctx);
	seen = mn_now(generation);
	MEASURE("mn_changed()", if (mn_changed(generation, seen)) events++);
	MEASURE("mn_enter(), mn_exit()", mn_enter(d, &s); mn_exit(&s));
	mn_dispatch_free(d);
	mn_close(ctx);
	return events;
}
