// SPDX-License-Identifier: GPL-2.0-only
/* mn_dispatch: under AddressSanitizer, and under ThreadSanitizer. */
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "../../lib/internal.h"

/* A machine whose features the test decides. */
static struct migrate_notify_page page = { .size = sizeof(page) };
static struct mn_ctx ctx = { .fd = -1, .page = &page };

static const int best = 3, middle = 2, plain = 1;
static const struct mn_variant variants[] = {
	{ "best", &best, "avx2 aes" },
	{ "middle", &middle, "aes" },
	{ "plain", &plain, NULL },
};

static struct mn_dispatch *d;

static void have(const char *names)
{
	memset(page.usable, 0, sizeof(page.usable));
	for (const char *const *n = (const char *const[]){ "aes", "avx2", NULL }; *n; n++)
		if (strstr(names, *n))
			mn_feature_needs(mn_feature_find(*n), page.usable);
}

static struct migrate_notify_event event(unsigned int type, const char *removed)
{
	struct migrate_notify_event ev = { .type = type };
	int nr = mn_feature_find(removed);

	if (nr >= 0)
		ev.removed[nr / 64] |= 1ull << nr % 64;
	return ev;
}

static int setup(void **state)
{
	(void)state;
	have("aes avx2");
	return mn_dispatch_new(&d, &ctx, variants, 3, 0);
}

static int teardown(void **state)
{
	(void)state;
	mn_dispatch_free(d);
	return 0;
}

static void expect_bound(const int *ops)
{
	struct mn_section s;

	assert_ptr_equal(mn_dispatch_bound(d)->ops, ops);
	assert_ptr_equal(mn_enter(d, &s), ops);
	assert_ptr_equal(s.ops, ops);
	mn_exit(&s);
}

static void choice(void **state)
{
	struct migrate_notify_event prepare = event(MIGRATE_NOTIFY_EVENT_PREPARE, "avx2");
	struct migrate_notify_event blind = event(MIGRATE_NOTIFY_EVENT_PREPARE, "");
	struct migrate_notify_event complete = event(MIGRATE_NOTIFY_EVENT_COMPLETE, "");
	struct migrate_notify_event ready = event(MIGRATE_NOTIFY_EVENT_READY, "");

	(void)state;
	expect_bound(&best);
	assert_int_equal(mn_dispatch_update(d, &ctx, &prepare, 100), 0);
	expect_bound(&middle);
	assert_int_equal(mn_dispatch_update(d, &ctx, &ready, 100), 0);
	expect_bound(&middle);
	have("aes");
	assert_int_equal(mn_dispatch_update(d, &ctx, &complete, 100), 0);
	expect_bound(&middle);
	have("aes avx2");
	assert_int_equal(mn_dispatch_update(d, &ctx, NULL, 100), 0);
	expect_bound(&best);
	/* Nobody says what vanishes: anything may. */
	assert_int_equal(mn_dispatch_update(d, &ctx, &blind, 100), 0);
	expect_bound(&plain);
	have("");
	assert_int_equal(mn_dispatch_update(d, &ctx, &complete, 100), 0);
	expect_bound(&plain);
	/* A page that cannot be read says nothing of any feature. */
	have("aes");
	page.seq = 1;
	assert_int_equal(mn_dispatch_update(d, &ctx, &complete, 100), -EAGAIN);
	expect_bound(&plain);
	page.seq = 0;
}

/* Events that come while another migration is being prepared do not undo that. */
static void pending(void **state)
{
	struct migrate_notify_event complete = event(MIGRATE_NOTIFY_EVENT_COMPLETE, "");
	struct migrate_notify_event changed = event(MIGRATE_NOTIFY_EVENT_CHANGED, "");
	struct migrate_notify_event old = event(MIGRATE_NOTIFY_EVENT_PREPARE, "aes");
	const struct migrate_notify_event *events[] = { &complete, &changed, NULL };
	int avx2 = mn_feature_find("avx2");
	struct mn_dispatch *young;

	(void)state;
	for (int i = 0; i < 3; i++) {
		page.phase = MIGRATE_NOTIFY_READY;
		page.expect_removed[avx2 / 64] = 1ull << avx2 % 64;
		assert_int_equal(mn_dispatch_update(d, &ctx, events[i], 100), 0);
		expect_bound(&middle);
		/* One that is new joins in. */
		assert_int_equal(mn_dispatch_new(&young, &ctx, variants, 3, 0), 0);
		assert_ptr_equal(mn_dispatch_bound(young)->ops, &middle);
		mn_dispatch_free(young);
		page.expect_removed[avx2 / 64] = 0;
		assert_int_equal(mn_dispatch_update(d, &ctx, events[i], 100), 0);
		expect_bound(&plain);
		page.phase = MIGRATE_NOTIFY_IDLE;
		assert_int_equal(mn_dispatch_update(d, &ctx, events[i], 100), 0);
		expect_bound(&best);
	}
	/* Read late: what vanished by then, and what will. */
	page.phase = MIGRATE_NOTIFY_PREPARING;
	page.expect_removed[avx2 / 64] = 1ull << avx2 % 64;
	assert_int_equal(mn_dispatch_update(d, &ctx, &old, 100), 0);
	expect_bound(&plain);
	page.phase = MIGRATE_NOTIFY_IDLE;
	page.expect_removed[avx2 / 64] = 0;
}

/* Without AVX there is no AVX2, whatever CPUID says: a hypervisor may hide one bit alone. */
static void implied(void **state)
{
	struct migrate_notify_event prepare = event(MIGRATE_NOTIFY_EVENT_PREPARE, "avx");
	int avx = mn_feature_find("avx");
	__u64 words[MIGRATE_NOTIFY_FEATURE_WORDS] = { 0 };

	(void)state;
	assert_int_equal(mn_dispatch_update(d, &ctx, &prepare, 100), 0);
	expect_bound(&middle);
	page.usable[avx / 64] &= ~(1ull << avx % 64);
	assert_int_equal(mn_dispatch_update(d, &ctx, NULL, 100), 0);
	expect_bound(&middle);
	mn_feature_needs(mn_feature_find("avx512vbmi2"), words);
	for (const char *const *n = (const char *const[]){ "avx512vbmi2", "avx512bw", "avx512f",
	     "avx2", "fma", "avx", "sse4.2", "popcnt", "ssse3", "sse2", "sse", NULL }; *n; n++)
		assert_true(mn_in(words, mn_feature_find(*n)));
	assert_false(mn_in(words, mn_feature_find("avx512vl")));
}

static void trust(void **state)
{
	struct migrate_notify_event blind = event(MIGRATE_NOTIFY_EVENT_PREPARE, "");
	struct mn_dispatch *trusts;

	(void)state;
	assert_int_equal(mn_dispatch_new(&trusts, &ctx, variants, 3, MN_DISPATCH_TRUST), 0);
	assert_int_equal(mn_dispatch_update(trusts, &ctx, &blind, 100), 0);
	assert_ptr_equal(mn_dispatch_bound(trusts)->ops, &best);
	mn_dispatch_free(trusts);
}

static void mistakes(void **state)
{
	const struct mn_variant unknown[] = { { "x", &best, "aes frob" }, { "y", &plain, NULL } };
	const struct mn_variant needy[] = { { "x", &best, "aes" } };
	struct mn_dispatch *none = NULL;

	(void)state;
	assert_int_equal(mn_dispatch_new(&none, &ctx, unknown, 2, 0), -ENOENT);
	assert_int_equal(mn_dispatch_new(&none, &ctx, needy, 1, 0), -EINVAL);
	assert_int_equal(mn_dispatch_new(&none, &ctx, variants, 0, 0), -EINVAL);
	assert_int_equal(mn_dispatch_new(&none, &ctx, variants, 65, 0), -EINVAL);
	assert_int_equal(mn_dispatch_new(&none, &ctx, variants, 3, 2), -EINVAL);
	assert_null(none);
	mn_dispatch_free(NULL);
}

/* A call in progress is waited for, and not longer than asked. */
static void late_reader(void **state)
{
	struct migrate_notify_event prepare = event(MIGRATE_NOTIFY_EVENT_PREPARE, "avx2");
	struct mn_section outer, inner;

	(void)state;
	mn_enter(d, &outer);
	mn_enter(d, &inner);
	mn_exit(&inner);
	assert_int_equal(mn_dispatch_update(d, &ctx, &prepare, 10), -ETIMEDOUT);
	expect_bound(&middle);		/* new calls */
	assert_ptr_equal(outer.ops, &best);
	assert_int_equal(mn_dispatch_update(d, &ctx, &prepare, 10), -ETIMEDOUT);
	mn_exit(&outer);
	assert_int_equal(mn_dispatch_update(d, &ctx, &prepare, 10), 0);
}

/* Nor is another update, that waits for a call. */
static void *update_for_ever(void *arg)
{
	struct migrate_notify_event prepare = event(MIGRATE_NOTIFY_EVENT_PREPARE, "avx2");

	*(int *)arg = mn_dispatch_update(d, &ctx, &prepare, -1);
	return NULL;
}

static void late_writer(void **state)
{
	struct mn_section s;
	pthread_t thread;
	int ret = -1;

	(void)state;
	mn_enter(d, &s);
	assert_int_equal(pthread_create(&thread, NULL, update_for_ever, &ret), 0);
	while (mn_dispatch_bound(d)->ops == &best)
		usleep(1000);
	assert_int_equal(mn_dispatch_update(d, &ctx, NULL, 20), -ETIMEDOUT);
	mn_exit(&s);
	pthread_join(thread, NULL);
	assert_int_equal(ret, 0);
	assert_int_equal(mn_dispatch_update(d, &ctx, NULL, 1000), 0);
	expect_bound(&best);
}

static void over_fork(void **state)
{
	struct migrate_notify_event prepare = event(MIGRATE_NOTIFY_EVENT_PREPARE, "avx2");
	struct mn_section s;
	int status;
	pid_t pid;

	(void)state;
	mn_enter(d, &s);
	pid = fork();
	if (!pid) {
		struct mn_section own;
		/* Sections of before do not count in the child, also when they end in it. */
		int bad = mn_dispatch_update(d, &ctx, &prepare, 1000);

		mn_exit(&s);
		bad |= mn_dispatch_update(d, &ctx, NULL, 1000);
		mn_enter(d, &own);
		bad |= mn_dispatch_update(d, &ctx, &prepare, 10) != -ETIMEDOUT;
		mn_exit(&own);
		bad |= mn_dispatch_update(d, &ctx, &prepare, 1000);
		_exit(!!bad);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	assert_int_equal(mn_dispatch_update(d, &ctx, &prepare, 10), -ETIMEDOUT);
	mn_exit(&s);
}

/*
 * Readers call through the table all the time while the writer takes away what it has just
 * waited for: a reader that still uses it would be seen by the sanitizers.
 */
#define READERS	3

struct table {
	const int *value;
};

static struct table tables[2];
static bool stop;

static void *read_all_the_time(void *arg)
{
	unsigned long *calls = arg;

	while (!__atomic_load_n(&stop, __ATOMIC_RELAXED)) {
		struct mn_section s;
		const struct table *t = mn_enter(d, &s);

		if (*t->value != 42)
			abort();
		__atomic_fetch_add(calls, 1, __ATOMIC_RELAXED);
		mn_exit(&s);
	}
	return NULL;
}

static bool all_have(const unsigned long *calls, unsigned long n)
{
	for (int i = 0; i < READERS; i++)
		if (__atomic_load_n(&calls[i], __ATOMIC_RELAXED) < n)
			return false;
	return true;
}

static void under_load(void **state)
{
	struct migrate_notify_event prepare = event(MIGRATE_NOTIFY_EVENT_PREPARE, "aes");
	const struct mn_variant two[] = { { "a", &tables[0], "aes" }, { "b", &tables[1], NULL } };
	unsigned long calls[READERS] = { 0 };
	pthread_t thread[READERS];
	int *value[2];

	(void)state;
	mn_dispatch_free(d);
	for (int i = 0; i < 2; i++) {
		value[i] = malloc(sizeof(int));
		*value[i] = 42;
		tables[i].value = value[i];
	}
	stop = false;
	assert_int_equal(mn_dispatch_new(&d, &ctx, two, 2, 0), 0);
	for (int i = 0; i < READERS; i++)
		assert_int_equal(pthread_create(&thread[i], NULL, read_all_the_time, &calls[i]), 0);
	for (int n = 0; n < 2000 || !all_have(calls, 1000); n++) {
		int old = n & 1;

		/* From a to b and back; then nobody is in the old one, and it can go. */
		assert_int_equal(mn_dispatch_update(d, &ctx, old ? NULL : &prepare, -1), 0);
		free(value[old]);
		value[old] = malloc(sizeof(int));
		*value[old] = 42;
		tables[old].value = value[old];
	}
	__atomic_store_n(&stop, true, __ATOMIC_RELAXED);
	for (int i = 0; i < READERS; i++)
		pthread_join(thread[i], NULL);
	free(value[0]);
	free(value[1]);
}

int main(void)
{
#define TEST(f)	cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(choice), TEST(pending), TEST(implied), TEST(trust), TEST(mistakes),
		TEST(late_reader), TEST(late_writer), TEST(over_fork),
		TEST(under_load),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
