// SPDX-License-Identifier: GPL-2.0-only
/* libmigrate-notify, with a driver's stand-in (standin.py) or, where there is none, without. */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <linux/filter.h>
#include <linux/seccomp.h>

#include <cmocka.h>

#include "../../lib/internal.h"

#define ALL	0x7e

static struct mn_ctx *ctx;
static bool driver;

static int setup(void **state)
{
	(void)state;
	if (mn_open(&ctx, "test", 0))
		return -1;
	driver = !mn_supported(ctx);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	mn_close(ctx);
	return 0;
}

static int inject(unsigned int action, uint64_t op, unsigned int status, unsigned int timeout_ms)
{
	struct migrate_notify_inject in = {
		.action = action, .op_id = op, .status = status, .timeout_ms = timeout_ms,
	};

	return mn_inject(ctx, &in);
}

static void expect_event(struct mn_ctx *c, unsigned int type, struct migrate_notify_event *ev)
{
	assert_int_equal(mn_wait(c, 5000), 1);
	assert_int_equal(mn_next(c, ev), 1);
	assert_int_equal(ev->type, type);
}

static void without_driver(void **state)
{
	struct migrate_notify_event ev;
	struct mn_ctx *c = NULL;

	(void)state;
	assert_int_equal(mn_supported(ctx), -ENODEV);
	assert_int_equal(mn_fd(ctx), -1);
	assert_int_equal(mn_instance(ctx), 0);
	assert_int_equal(mn_next(ctx, &ev), 0);
	assert_int_equal(mn_wait(ctx, -1), 0);
	assert_int_equal(mn_ack(ctx, 1), -ENODEV);
	assert_int_equal(mn_subscribe(ctx, 0, 0, 0), -ENODEV);
	assert_int_equal(inject(1, 0, 0, 0), -ENODEV);
	assert_false(mn_changed(mn_generation(ctx), 0));
	assert_int_equal(mn_open(&c, NULL, MN_OPEN_REQUIRED), -ENODEV);
	assert_int_equal(mn_open(&c, NULL, 0x8), -EINVAL);
	assert_null(c);
}

/* Sandboxes kill for less than binding a thread to a CPU: only who asks for it does so. */
static int in_sandbox(unsigned int flags)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_sched_setaffinity, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog prog = { sizeof(code) / sizeof(code[0]), code };
	struct mn_ctx *c;
	int status;
	pid_t pid = fork();

	if (!pid) {
		if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) ||
		    prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &prog))
			_exit(77);
		_exit(mn_open(&c, NULL, flags) || mn_feature(c, "sse2") != MN_USABLE);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return status;
}

static void sandbox(void **state)
{
	int status = in_sandbox(0);

	(void)state;
	if (WIFEXITED(status) && WEXITSTATUS(status) == 77)
		skip();
	assert_int_equal(status, 0);
	assert_true(WIFSIGNALED(in_sandbox(MN_OPEN_ALL_CPUS)));
}

/* What CPUID said at mn_open() is not kept. */
static void measured_anew(void **state)
{
	struct migrate_notify_page page;
	struct mn_ctx *all;

	(void)state;
	ctx->own.usable[0] = ~0ull;
	assert_int_equal(mn_page(ctx, &page), 0);
	assert_int_equal(page.cpus, 1);
	assert_int_not_equal(page.usable[0], ~0ull);
	assert_int_equal(mn_open(&all, NULL, MN_OPEN_ALL_CPUS), 0);
	assert_int_equal(mn_page(all, &page), 0);
	assert_true(page.cpus >= 1);
	assert_int_equal(mn_feature(all, "sse2"), MN_USABLE);
	mn_close(all);
}

/* The compiler has its own code to ask CPUID and XCR0: both have to agree. */
static void features_by_cpuid(void **state)
{
	(void)state;
	__builtin_cpu_init();
#define SAME(theirs, ours) \
	assert_int_equal(!!__builtin_cpu_supports(theirs), mn_feature(ctx, ours) == MN_USABLE)
	SAME("sse2", "sse2"); SAME("sse3", "sse3"); SAME("ssse3", "ssse3");
	SAME("sse4.1", "sse4.1"); SAME("sse4.2", "sse4.2"); SAME("popcnt", "popcnt");
	SAME("aes", "aes"); SAME("pclmul", "pclmul"); SAME("avx", "avx"); SAME("avx2", "avx2");
	SAME("bmi", "bmi"); SAME("bmi2", "bmi2"); SAME("fma", "fma"); SAME("gfni", "gfni");
	SAME("avx512f", "avx512f"); SAME("avx512vl", "avx512vl"); SAME("avx512bw", "avx512bw");
	SAME("avx512dq", "avx512dq"); SAME("avx512cd", "avx512cd");
	SAME("avx512vbmi", "avx512vbmi"); SAME("avx512vbmi2", "avx512vbmi2");
	SAME("avx512vnni", "avx512vnni"); SAME("avx512bitalg", "avx512bitalg");
	SAME("vpclmulqdq", "vpclmulqdq"); SAME("xop", "xop"); SAME("fma4", "fma4");
#ifndef __clang__
	SAME("x86-64-v2", "x86-64-v2"); SAME("x86-64-v3", "x86-64-v3");
	SAME("x86-64-v4", "x86-64-v4");
#endif
#undef SAME
}

static void names(void **state)
{
	(void)state;
	assert_int_equal(mn_feature(ctx, "no-such"), -ENOENT);
	assert_int_equal(mn_feature(ctx, ""), -ENOENT);
	assert_int_equal(mn_feature(ctx, "x86-64-v5"), -ENOENT);
	assert_int_equal(mn_feature(ctx, "x86-64-v"), -ENOENT);
	assert_int_equal(mn_feature(ctx, "x86-64-v1x"), -ENOENT);
	assert_int_equal(mn_feature_find("avx2"), MIGRATE_NOTIFY_F_AVX2);
	for (unsigned int nr = 0; nr < MIGRATE_NOTIFY_F_NR; nr++)
		assert_int_equal(mn_feature_find(mn_feature_name(nr)), nr);
	assert_null(mn_feature_name(MIGRATE_NOTIFY_F_NR));
	assert_string_equal(mn_phase_name(99), "?");
	assert_string_equal(mn_type_name(0), "?");
	assert_string_equal(mn_type_name(5), "complete");
	assert_string_equal(mn_status_name(2), "cancelled");
	assert_string_equal(mn_source_name(3), "vmclock");
	assert_string_equal(mn_usability_name(-1), "?");
}

static void usability(void **state)
{
	struct migrate_notify_page p = { 0 };

	(void)state;
	p.somewhere[0] = 0xf;
	p.everywhere[0] = 0x7;
	p.no_xcr0[0] = 0x2;
	p.no_kernel[0] = 0x6;
	p.usable[0] = 0x1;
	assert_int_equal(mn_feature_in(&p, 0), MN_USABLE);
	assert_int_equal(mn_feature_in(&p, 1), MN_NO_XCR0);
	assert_int_equal(mn_feature_in(&p, 2), MN_NO_KERNEL);
	assert_int_equal(mn_feature_in(&p, 3), MN_NOT_ALL_CPUS);
	assert_int_equal(mn_feature_in(&p, 4), MN_ABSENT);
	assert_int_equal(mn_feature_in(&p, 100000), MN_ABSENT);
}

static void whole_cycle(void **state)
{
	struct migrate_notify_event ev, last;
	struct migrate_notify_page page;
	struct mn_ctx *delays;
	const __u64 *generation = mn_generation(ctx);
	uint64_t seen = mn_now(generation);

	(void)state;
	assert_int_equal(mn_open(&delays, NULL, MN_OPEN_DELAY), 0);
	assert_false(mn_changed(generation, seen));
	assert_int_equal(inject(MIGRATE_NOTIFY_INJECT_PREPARE, 77, 0, 5000), 0);
	assert_true(mn_changed(generation, seen));
	expect_event(delays, MIGRATE_NOTIFY_EVENT_PREPARE, &ev);
	assert_int_equal(ev.op_id, 77);
	assert_int_equal(ev.waiting, 1);
	assert_int_equal(ev.seq, seen + 1);
	assert_int_equal(mn_page(ctx, &page), 0);
	assert_int_equal(page.phase, MIGRATE_NOTIFY_PREPARING);
	assert_int_equal(mn_ack(ctx, 77), -EPERM);		/* who watches */
	assert_int_equal(mn_ack(delays, 78), -ESTALE);
	assert_int_equal(inject(MIGRATE_NOTIFY_INJECT_PREPARE, 78, 0, 0), -EBUSY);
	assert_int_equal(inject(MIGRATE_NOTIFY_INJECT_PREPARE, 77, 0, 0), -EALREADY);
	assert_int_equal(mn_ack(delays, 77), 0);
	assert_int_equal(mn_ack(delays, 77), 0);		/* once was enough */
	assert_int_equal(mn_page(ctx, &page), 0);
	assert_int_equal(page.phase, MIGRATE_NOTIFY_READY);
	assert_int_equal(inject(MIGRATE_NOTIFY_INJECT_COMPLETE, 77, MIGRATE_NOTIFY_SUCCESS, 0), 0);
	expect_event(delays, MIGRATE_NOTIFY_EVENT_COMPLETE, &last);
	assert_int_equal(last.op_id, 77);
	assert_int_equal(last.status, MIGRATE_NOTIFY_SUCCESS);
	assert_true(mn_in(last.added, MIGRATE_NOTIFY_F_AVX2));
	assert_true(mn_in(last.removed, MIGRATE_NOTIFY_F_SSE4_2));
	assert_int_equal(mn_feature(ctx, "avx2"), MN_USABLE);
	assert_int_equal(mn_feature(ctx, "sse4.2"), MN_ABSENT);
	assert_int_equal(mn_ack(delays, 77), 0);
	assert_int_equal(mn_subscribe(delays, MIGRATE_NOTIFY_MASK(MIGRATE_NOTIFY_EVENT_READY), 0,
				      0), -EINVAL);
	assert_int_equal(mn_next(delays, &last), 0);
	mn_close(delays);
	/* The other one had both as well, and replays them. */
	expect_event(ctx, MIGRATE_NOTIFY_EVENT_PREPARE, &last);
	expect_event(ctx, MIGRATE_NOTIFY_EVENT_COMPLETE, &last);
	assert_int_equal(mn_subscribe(ctx, ALL, ev.seq, mn_instance(ctx)), 0);
	expect_event(ctx, MIGRATE_NOTIFY_EVENT_READY, &last);
	assert_int_equal(last.seq, ev.seq + 1);
	assert_false(last.flags & MIGRATE_NOTIFY_EVENT_LOST);
	expect_event(ctx, MIGRATE_NOTIFY_EVENT_COMPLETE, &last);
	assert_int_equal(mn_wait(ctx, 0), 0);
	/* The number of another load's event says nothing of what happened since. */
	assert_int_equal(mn_subscribe(ctx, ALL, ev.seq, mn_instance(ctx) + 1), 0);
	expect_event(ctx, MIGRATE_NOTIFY_EVENT_PREPARE, &last);
	assert_true(last.flags & MIGRATE_NOTIFY_EVENT_LOST);
	while (mn_next(ctx, &last) > 0)
		assert_false(last.flags & MIGRATE_NOTIFY_EVENT_LOST);
}

static void refusal_and_late(void **state)
{
	struct migrate_notify_event ev;
	struct mn_ctx *delays;

	(void)state;
	assert_int_equal(mn_open(&delays, "stubborn", MN_OPEN_DELAY), 0);
	assert_int_equal(mn_subscribe(ctx, ALL, MIGRATE_NOTIFY_CURSOR_NOW, 0), 0);
	assert_int_equal(inject(MIGRATE_NOTIFY_INJECT_PREPARE, 200, 0, 30), 0);
	expect_event(ctx, MIGRATE_NOTIFY_EVENT_PREPARE, &ev);
	expect_event(ctx, MIGRATE_NOTIFY_EVENT_TIMED_OUT, &ev);
	assert_int_equal(ev.waiting, 1);
	assert_int_equal(mn_ack(delays, 200), -ESTALE);
	assert_int_equal(inject(MIGRATE_NOTIFY_INJECT_COMPLETE, 200, MIGRATE_NOTIFY_CANCELLED, 0), 0);
	expect_event(ctx, MIGRATE_NOTIFY_EVENT_COMPLETE, &ev);
	assert_int_equal(inject(MIGRATE_NOTIFY_INJECT_PREPARE, 201, 0, 5000), 0);
	expect_event(ctx, MIGRATE_NOTIFY_EVENT_PREPARE, &ev);
	assert_int_equal(mn_refuse(delays, 201), 0);
	expect_event(ctx, MIGRATE_NOTIFY_EVENT_READY, &ev);
	assert_int_equal(ev.refused, 1);
	/* The end of a subscriber acks. */
	assert_int_equal(inject(MIGRATE_NOTIFY_INJECT_COMPLETE, 0, MIGRATE_NOTIFY_FAILED, 0), 0);
	expect_event(ctx, MIGRATE_NOTIFY_EVENT_COMPLETE, &ev);
	assert_int_equal(inject(MIGRATE_NOTIFY_INJECT_PREPARE, 202, 0, 5000), 0);
	mn_close(delays);
	expect_event(ctx, MIGRATE_NOTIFY_EVENT_PREPARE, &ev);
	expect_event(ctx, MIGRATE_NOTIFY_EVENT_READY, &ev);
	assert_int_equal(inject(MIGRATE_NOTIFY_INJECT_COMPLETE, 0, MIGRATE_NOTIFY_UNKNOWN, 0), 0);
	expect_event(ctx, MIGRATE_NOTIFY_EVENT_COMPLETE, &ev);
}

static void listing(void **state)
{
	struct migrate_notify_subscriber e[8];
	struct mn_ctx *other;
	int n;

	(void)state;
	assert_int_equal(mn_open(&other, "a very long name that is cut somewhere \n", MN_OPEN_DELAY),
			 0);
	n = mn_list(ctx, 0, e, 8);
	assert_int_equal(n, 2);
	assert_string_equal(e[0].name, "test");
	assert_string_equal(e[1].name, "a very long name that is cut so");
	assert_int_equal(e[1].flags, MIGRATE_NOTIFY_SUBSCRIBER_DELAY);
	assert_int_equal(e[0].pid, getpid());
	assert_int_equal(mn_list(ctx, e[0].id, e, 8), 1);
	assert_int_equal(mn_list(ctx, 0, e, 1), 1);
	assert_int_equal(mn_list(ctx, 0, e, 0), -EINVAL);
	mn_close(other);
}

static void forked_child(void **state)
{
	struct migrate_notify_event ev;
	struct mn_ctx *own;
	int status;
	pid_t pid;

	(void)state;
	pid = fork();
	if (!pid) {
		int bad = mn_feature(ctx, "aes") < 0 || mn_changed(mn_generation(ctx),
								   mn_now(mn_generation(ctx)));

		if (driver)
			bad |= mn_next(ctx, &ev) != -ECHILD || mn_wait(ctx, -1) != -ECHILD ||
			       mn_ack(ctx, 1) != -ECHILD || mn_subscribe(ctx, 0, 0, 0) != -ECHILD;
		mn_close(ctx);
		bad |= mn_open(&own, "child", 0) != 0 || mn_next(own, &ev) != 0;
		mn_close(own);
		_exit(bad);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	assert_int_equal(mn_next(ctx, &ev), 0);
}

/* 1000 migrations, told by one thread and taken by two others: each event once, in order. */
static struct {
	uint64_t last;
	unsigned int events, out_of_order;
} taken[2];
static bool done;

static void *take(void *arg)
{
	int i = (long)arg;
	struct migrate_notify_event ev;
	bool last = false;

	for (;;) {
		last = __atomic_load_n(&done, __ATOMIC_ACQUIRE);
		while (mn_next(ctx, &ev) == 1) {
			taken[i].events++;
			if (ev.seq <= taken[i].last)
				taken[i].out_of_order++;
			taken[i].last = ev.seq;
		}
		if (last)
			return NULL;
		mn_wait(ctx, 20);
	}
}

static void many_events(void **state)
{
	pthread_t thread[2];
	struct migrate_notify_page page;

	(void)state;
	memset(taken, 0, sizeof(taken));
	done = false;
	for (long i = 0; i < 2; i++)
		assert_int_equal(pthread_create(&thread[i], NULL, take, (void *)i), 0);
	for (unsigned int i = 0; i < 1000; i++) {
		assert_int_equal(inject(MIGRATE_NOTIFY_INJECT_PREPARE, 1000 + i, 0, 0), 0);
		assert_int_equal(inject(MIGRATE_NOTIFY_INJECT_COMPLETE, 1000 + i,
					MIGRATE_NOTIFY_SUCCESS, 0), 0);
		assert_int_equal(mn_page(ctx, &page), 0);
		assert_int_equal(page.generation, mn_now(mn_generation(ctx)));
	}
	for (int i = 0; i < 200 && taken[0].events + taken[1].events < 2000; i++)
		poll(NULL, 0, 10);
	__atomic_store_n(&done, true, __ATOMIC_RELEASE);
	for (int i = 0; i < 2; i++)
		pthread_join(thread[i], NULL);
	assert_int_equal(taken[0].events + taken[1].events, 2000);
	assert_int_equal(taken[0].out_of_order + taken[1].out_of_order, 0);
}

/* A page that is written all the time: what is read is never torn, or it is said. */
static struct migrate_notify_page torn = { .size = sizeof(torn) };

static void *write_page(void *arg)
{
	(void)arg;
	for (uint64_t n = 1; !__atomic_load_n(&done, __ATOMIC_RELAXED); n++) {
		__atomic_store_n(&torn.seq, torn.seq + 1, __ATOMIC_RELAXED);
		__atomic_thread_fence(__ATOMIC_RELEASE);
		for (int w = 0; w < MIGRATE_NOTIFY_FEATURE_WORDS; w++) {
			__atomic_store_n(&torn.usable[w], n, __ATOMIC_RELAXED);
			__atomic_store_n(&torn.removed[w], n, __ATOMIC_RELAXED);
		}
		__atomic_store_n(&torn.seq, torn.seq + 1, __ATOMIC_RELEASE);
		for (int i = 0; i < 20; i++)
			__builtin_ia32_pause();
	}
	return NULL;
}

static void torn_page(void **state)
{
	struct mn_ctx c = { .fd = -1, .page = &torn };
	struct migrate_notify_page p;
	pthread_t thread;
	int whole = 0;

	(void)state;
	done = false;
	assert_int_equal(pthread_create(&thread, NULL, write_page, NULL), 0);
	for (int i = 0; i < 100000; i++) {
		if (mn_page(&c, &p))
			continue;
		whole++;
		for (int w = 0; w < MIGRATE_NOTIFY_FEATURE_WORDS; w++)
			if (p.usable[w] != p.usable[0] || p.removed[w] != p.usable[0])
				fail_msg("torn");
	}
	__atomic_store_n(&done, true, __ATOMIC_RELAXED);
	pthread_join(thread, NULL);
	assert_true(whole > 1000);
	/* An older driver's: what it does not have is 0. */
	torn.usable[0] = torn.instance = 7;
	torn.size = offsetof(struct migrate_notify_page, instance);
	assert_int_equal(mn_page(&c, &p), 0);
	assert_int_equal(p.usable[0], 7);
	assert_int_equal(p.instance, 0);
	/* A driver that died while it wrote. */
	torn.seq |= 1;
	assert_int_equal(mn_page(&c, &p), -ETIMEDOUT);
	assert_int_equal(mn_feature(&c, "aes"), -ETIMEDOUT);
}

int main(void)
{
#define TEST(f)	cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest with[] = {
		TEST(names), TEST(usability), TEST(whole_cycle), TEST(refusal_and_late), TEST(listing),
		TEST(forked_child), TEST(many_events), TEST(torn_page),
	};
	const struct CMUnitTest without[] = {
		TEST(without_driver), TEST(sandbox), TEST(measured_anew), TEST(features_by_cpuid), TEST(names), TEST(forked_child),
	};

	if (setup(NULL))
		return 1;
	teardown(NULL);
	return driver ? cmocka_run_group_tests(with, NULL, NULL) :
			cmocka_run_group_tests(without, NULL, NULL);
}
