// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * An example: threads that checksum, encrypt and encode all the time, with the best variant
 * that the CPU has now. They are told to prepare, switch down before features vanish, and up
 * when features appear, without a wrong byte.
 *
 * usage: worker [--threads N] [--seconds S] [--mask NAMES] [--bench]
 *   --mask   treat these features as absent
 *   --bench  measure each variant instead, and print its throughput
 *
 * Prints one line per switch, and a sum at the end (SIGTERM or --seconds). Exits with 1 if any
 * result was wrong, which can only be if the machine or a variant is broken.
 */
#include <errno.h>
#include <getopt.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <time.h>

#include <migrate-notify.h>

#include "../plain_libc.h"
#include "kernels.h"

#define BLOCK		(12 * 1024)	/* of 3 (base64) and of 16 (AES) */
#define THREADS_MAX	256

static const struct mn_variant variants[] = {
	{ "vaes", &kernels_vaes, "sse4.2 ssse3 aes avx avx2 vaes" },
	{ "avx2", &kernels_avx2, "sse4.2 ssse3 aes avx avx2" },
	{ "aesni", &kernels_aesni, "sse4.2 ssse3 aes" },
	{ "sse42", &kernels_sse42, "sse4.2 ssse3" },
	{ "plain", &kernels_plain, NULL },
};

#define NR_VARIANTS	(sizeof(variants) / sizeof(variants[0]))

struct worker {
	pthread_t thread;
	unsigned long blocks, wrong;
	unsigned long by_variant[NR_VARIANTS];
} __attribute__((aligned(64)));

static struct mn_dispatch *dispatch;
static struct aes128 key;
static uint8_t input[BLOCK];
static bool stop;

/* The whole job on one block: what all variants have to agree on. */
static uint32_t job(const struct kernels *k, uint64_t n)
{
	static _Thread_local uint8_t buf[BLOCK];
	static _Thread_local char text[BLOCK / 3 * 4];

	memcpy(buf, input, sizeof(buf));
	k->aes_ctr(&key, n, 0, buf, sizeof(buf));
	k->base64(text, buf, sizeof(buf));
	return k->crc32c(k->crc32c(0, buf, sizeof(buf)), (const uint8_t *)text, sizeof(text));
}

static void *work(void *arg)
{
	/* What is right is known for these, from the plain variant. */
	enum { KNOWN = 64 };
	struct worker *w = arg;
	uint32_t right[KNOWN];

	for (int i = 0; i < KNOWN; i++)
		right[i] = job(&kernels_plain, i);
	for (uint64_t n = 0; !__atomic_load_n(&stop, __ATOMIC_RELAXED); n++) {
		struct mn_section s;
		const struct kernels *k = mn_enter(dispatch, &s);
		uint32_t result = job(k, n % KNOWN);

		mn_exit(&s);
		w->blocks++;
		w->wrong += result != right[n % KNOWN];
		for (size_t v = 0; v < NR_VARIANTS; v++)
			w->by_variant[v] += k == variants[v].ops;
	}
	return NULL;
}

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec + t.tv_nsec / 1e9;
}

/* --mask makes this machine poorer: what needs a masked feature is not offered. */
static unsigned int offer(struct mn_variant *out, const char *mask)
{
	unsigned int n = 0;

	for (size_t v = 0; v < NR_VARIANTS; v++) {
		char needs[64], *save, *word;
		bool masked = false;

		snprintf(needs, sizeof(needs), "%s", variants[v].needs ? variants[v].needs : "");
		for (word = strtok_r(needs, " ", &save); word; word = strtok_r(NULL, " ", &save)) {
			const char *at = mask;
			size_t len = strlen(word);

			while ((at = strstr(at, word))) {
				if ((at == mask || at[-1] == ',') && (!at[len] || at[len] == ','))
					masked = true;
				at += len;
			}
		}
		if (!masked)
			out[n++] = variants[v];
	}
	return n;
}

/* Each variant alone, best of five; MB/s of input. */
static void bench(const struct mn_ctx *ctx)
{
	for (int v = NR_VARIANTS - 1; v >= 0; v--) {
		struct mn_variant one[2] = { variants[v], variants[NR_VARIANTS - 1] };
		struct mn_dispatch *d;
		double best = 1e9;

		if (mn_dispatch_new(&d, ctx, one, 2, 0))
			return;
		if (mn_dispatch_bound(d)->ops == variants[v].ops) {
			for (int round = 0; round < 5; round++) {
				double start = now();
				int n = v == NR_VARIANTS - 1 ? 1000 : 10000;

				for (int i = 0; i < n; i++)
					job(variants[v].ops, i);
				if ((now() - start) / n < best)
					best = (now() - start) / n;
			}
			printf("%-6s %8.0f MB/s\n", variants[v].name, BLOCK / best / 1e6);
		} else {
			printf("%-6s cannot run here\n", variants[v].name);
		}
		mn_dispatch_free(d);
	}
}

static void switched(const char *why)
{
	static const struct mn_variant *last;
	const struct mn_variant *v = mn_dispatch_bound(dispatch);

	if (!last || last->ops != v->ops)
		printf("%.6f %s: %s\n", now(), why, v->name);
	last = v;
	fflush(stdout);
}

static void watch(struct mn_ctx *ctx, int signals, int seconds)
{
	struct pollfd p[] = {
		{ .fd = signals, .events = POLLIN }, { .fd = mn_fd(ctx), .events = POLLIN },
	};
	double end = now() + seconds;
	struct migrate_notify_event ev;
	int ret;

	for (;;) {
		double left = end - now();

		if (seconds && left <= 0)
			return;
		if (poll(p, 2, seconds ? (int)(left * 1000) + 1 : -1) < 0 || p[0].revents)
			return;
		while (mn_next(ctx, &ev) > 0) {
			/*
			 * After this no thread runs a variant that may fault soon. -EAGAIN: they
			 * all run the last one, which is good enough for PREPARE only.
			 */
			do
				ret = mn_dispatch_update(dispatch, ctx, &ev, 1000);
			while (ret == -ETIMEDOUT ||
			       (ret == -EAGAIN && ev.type != MIGRATE_NOTIFY_EVENT_PREPARE));
			switched(mn_type_name(ev.type));
			if (ev.type == MIGRATE_NOTIFY_EVENT_PREPARE)
				mn_ack(ctx, ev.op_id);
		}
	}
}

static int report(const struct worker *w, int threads)
{
	struct worker sum = { 0 };

	for (int i = 0; i < threads; i++) {
		sum.blocks += w[i].blocks;
		sum.wrong += w[i].wrong;
		for (size_t v = 0; v < NR_VARIANTS; v++)
			sum.by_variant[v] += w[i].by_variant[v];
	}
	printf("blocks %lu wrong %lu", sum.blocks, sum.wrong);
	for (size_t v = 0; v < NR_VARIANTS; v++)
		printf(" %s %lu", variants[v].name, sum.by_variant[v]);
	putchar('\n');
	return sum.wrong || !sum.blocks;
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "threads", required_argument, NULL, 't' },
		{ "seconds", required_argument, NULL, 's' },
		{ "mask", required_argument, NULL, 'm' },
		{ "bench", no_argument, NULL, 'b' }, { 0 }
	};
	static const uint8_t secret[16] = "not really secre";
	static struct worker workers[THREADS_MAX];
	struct mn_variant offered[NR_VARIANTS];
	int opt, threads = 2, seconds = 0, signals, ret;
	const char *mask = "";
	bool measure = false;
	struct mn_ctx *ctx;
	sigset_t set;

	plain_libc(argv);
	while ((opt = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (opt == 't')
			threads = atoi(optarg);
		else if (opt == 's')
			seconds = atoi(optarg);
		else if (opt == 'm')
			mask = optarg;
		else if (opt == 'b')
			measure = true;
		else
			return 2;
	}
	if (threads < 1 || threads > THREADS_MAX || seconds < 0)
		return 2;
	for (int i = 0; i < BLOCK; i++)
		input[i] = i * 2654435761u >> 13;
	aes128_expand(&key, secret);

	/* Who may not delay still follows. */
	ret = mn_open(&ctx, "worker", MN_OPEN_DELAY);
	if (ret == -EACCES || ret == -EPERM)
		ret = mn_open(&ctx, "worker", 0);
	if (!ret && measure) {
		bench(ctx);
		mn_close(ctx);
		return 0;
	}
	if (!ret)
		ret = mn_dispatch_new(&dispatch, ctx, offered, offer(offered, mask), 0);
	if (ret) {
		fprintf(stderr, "worker: %s\n", strerror(-ret));
		return 1;
	}
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigprocmask(SIG_BLOCK, &set, NULL);
	signals = signalfd(-1, &set, SFD_CLOEXEC);
	switched(mn_supported(ctx) ? "start (no driver)" : "start");
	for (int i = 0; i < threads; i++) {
		ret = pthread_create(&workers[i].thread, NULL, work, &workers[i]);
		if (ret) {
			fprintf(stderr, "worker: %s\n", strerror(ret));
			return 1;
		}
	}
	watch(ctx, signals, seconds);
	__atomic_store_n(&stop, true, __ATOMIC_RELAXED);
	for (int i = 0; i < threads; i++)
		pthread_join(workers[i].thread, NULL);
	mn_dispatch_free(dispatch);
	mn_close(ctx);
	return report(workers, threads);
}
