// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Tables of function pointers that are re-bound while other threads call through them.
 *
 * A reader counts itself in, then loads the table; a writer publishes the new table, then waits
 * for each counter to be zero once. All of these are sequentially consistent, so a reader is
 * either seen by the writer or sees the new table. Two banks of counters keep a stream of new
 * readers from holding up the writer: they count in the bank that it does not wait for.
 */
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "internal.h"

#define SLOTS	32	/* threads spread over these; sharing one is slower, not wrong */

struct slot {
	_Alignas(64) atomic_uint in[2];
};

struct mn_dispatch {
	struct slot slot[SLOTS];
	/* What readers read: written on a change only */
	_Alignas(64) _Atomic(const struct mn_variant *) bound;
	atomic_uint bank;
	/* Of writers */
	_Alignas(64) pthread_mutex_t lock;
	struct mn_dispatch *next, **link;
	unsigned int flags;
	unsigned int nr;
	struct mn_variant variant[];
};

/* All of them, for fork(). */
static pthread_mutex_t all_lock = PTHREAD_MUTEX_INITIALIZER;
static struct mn_dispatch *all;
static _Atomic uint64_t forks;

/*
 * In the child only the thread that called fork() goes on: sections of others would be waited
 * for for ever. So all counters start anew; sections of this thread that began before do not
 * count, which is what mn_section.forks is for. Only all_lock is held over fork(); a writer in
 * another thread may hold the others, so they start anew too.
 */
static void before_fork(void)
{
	pthread_mutex_lock(&all_lock);
}

static void after_fork_in_parent(void)
{
	pthread_mutex_unlock(&all_lock);
}

static void after_fork_in_child(void)
{
	atomic_fetch_add(&forks, 1);
	for (struct mn_dispatch *d = all; d; d = d->next) {
		for (int i = 0; i < SLOTS; i++) {
			atomic_init(&d->slot[i].in[0], 0);
			atomic_init(&d->slot[i].in[1], 0);
		}
		pthread_mutex_init(&d->lock, NULL);
	}
	pthread_mutex_unlock(&all_lock);
}

static void watch_forks(void)
{
	pthread_atfork(before_fork, after_fork_in_parent, after_fork_in_child);
}

/*
 * Readers
 */

static struct slot *my_slot(struct mn_dispatch *d)
{
	static atomic_uint threads;
	static _Thread_local unsigned int mine;

	if (!mine)
		mine = 1 + atomic_fetch_add_explicit(&threads, 1, memory_order_relaxed) % SLOTS;
	return &d->slot[mine - 1];
}

const void *mn_enter(struct mn_dispatch *d, struct mn_section *s)
{
	unsigned int bank = atomic_load_explicit(&d->bank, memory_order_relaxed) & 1;
	atomic_uint *in = &my_slot(d)->in[bank];

	s->counter = in;
	s->forks = atomic_load_explicit(&forks, memory_order_relaxed);
	atomic_fetch_add(in, 1);
	s->ops = atomic_load(&d->bound)->ops;
	return s->ops;
}

void mn_exit(struct mn_section *s)
{
	if (s->forks == atomic_load_explicit(&forks, memory_order_relaxed))
		atomic_fetch_sub_explicit((atomic_uint *)s->counter, 1, memory_order_release);
}

/*
 * Writers
 */

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000ull + t.tv_nsec;
}

/* Until every counter of the bank has been zero once. */
static int drain(struct mn_dispatch *d, unsigned int bank, uint64_t until)
{
	static const struct timespec nap = { .tv_nsec = 50000 };

	for (int i = 0; i < SLOTS; i++) {
		for (int spin = 0; atomic_load(&d->slot[i].in[bank]); spin++) {
			if (spin < 100) {
				__builtin_ia32_pause();
				continue;
			}
			if (now_ns() >= until)
				return -ETIMEDOUT;
			nanosleep(&nap, NULL);
		}
	}
	return 0;
}

/* With d->lock. */
static int bind(struct mn_dispatch *d, const struct mn_variant *v, int timeout_ms)
{
	uint64_t until = timeout_ms < 0 ? UINT64_MAX : now_ns() + timeout_ms * 1000000ull;
	int ret = 0;

	atomic_store(&d->bound, v);
	/* Twice: a reader may have chosen its bank long ago and count itself in only now. */
	for (int i = 0; i < 2 && !ret; i++) {
		unsigned int old = atomic_fetch_xor(&d->bank, 1) & 1;

		ret = drain(d, old, until);
	}
	return ret;
}

/* Whether all of @needs is usable, and nothing of it in @vanish. -ENOENT: not a feature. */
static int fits(const char *needs, const struct migrate_notify_page *page, const __u64 *vanish)
{
	char name[32];
	int ret = 1;

	while (needs && *needs) {
		size_t len = strcspn(needs, " ");
		int nr;

		if (len >= sizeof(name))
			return -ENOENT;
		memcpy(name, needs, len);
		name[len] = '\0';
		nr = mn_feature_find(name);
		if (nr < 0)
			return nr;
		if (!mn_in(page->usable, nr) || mn_in(vanish, nr))
			ret = 0;
		needs += len;
		needs += strspn(needs, " ");
	}
	return ret;
}

static const struct mn_variant *choose(const struct mn_dispatch *d,
				       const struct migrate_notify_page *page,
				       const __u64 *vanish)
{
	for (unsigned int i = 0; i < d->nr - 1; i++)
		if (fits(d->variant[i].needs, page, vanish) > 0)
			return &d->variant[i];
	return &d->variant[d->nr - 1];
}

static int any(const __u64 *words)
{
	for (int i = 0; i < MIGRATE_NOTIFY_FEATURE_WORDS; i++)
		if (words[i])
			return 1;
	return 0;
}

int mn_dispatch_update(struct mn_dispatch *d, const struct mn_ctx *ctx,
		       const struct migrate_notify_event *ev, int timeout_ms)
{
	static const __u64 nothing[MIGRATE_NOTIFY_FEATURE_WORDS];
	const struct mn_variant *v = &d->variant[d->nr - 1];
	const __u64 *vanish = nothing;
	struct migrate_notify_page page;
	int ret, blind = 0;

	if (ev && ev->type == MIGRATE_NOTIFY_EVENT_PREPARE) {
		vanish = ev->removed;
		blind = !any(vanish) && !(d->flags & MN_DISPATCH_TRUST);
	} else if (ev && ev->type != MIGRATE_NOTIFY_EVENT_COMPLETE &&
		   ev->type != MIGRATE_NOTIFY_EVENT_CHANGED) {
		return 0;
	}
	pthread_mutex_lock(&d->lock);
	/* A page that cannot be read says nothing of any feature. */
	if (!blind && !mn_page(ctx, &page))
		v = choose(d, &page, vanish);
	ret = bind(d, v, timeout_ms);
	pthread_mutex_unlock(&d->lock);
	return ret;
}

const struct mn_variant *mn_dispatch_bound(const struct mn_dispatch *d)
{
	return atomic_load_explicit(&d->bound, memory_order_acquire);
}

int mn_dispatch_new(struct mn_dispatch **out, const struct mn_ctx *ctx,
		    const struct mn_variant *variants, unsigned int nr, unsigned int flags)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	static const struct migrate_notify_page no_page;
	struct mn_dispatch *d;
	size_t size = sizeof(*d) + nr * sizeof(d->variant[0]);

	if (!nr || nr > 64 || flags & ~MN_DISPATCH_TRUST)
		return -EINVAL;
	for (unsigned int i = 0; i < nr; i++)
		if (fits(variants[i].needs, &no_page, no_page.usable) < 0)
			return -ENOENT;
	if (variants[nr - 1].needs && *variants[nr - 1].needs)
		return -EINVAL;
	d = aligned_alloc(64, (size + 63) & ~63ul);
	if (!d)
		return -ENOMEM;
	memset(d, 0, size);
	d->nr = nr;
	d->flags = flags;
	memcpy(d->variant, variants, nr * sizeof(d->variant[0]));
	pthread_mutex_init(&d->lock, NULL);
	pthread_once(&once, watch_forks);
	pthread_mutex_lock(&all_lock);
	d->next = all;
	d->link = &all;
	if (all)
		all->link = &d->next;
	all = d;
	pthread_mutex_unlock(&all_lock);
	mn_dispatch_update(d, ctx, NULL, 0);
	*out = d;
	return 0;
}

void mn_dispatch_free(struct mn_dispatch *d)
{
	if (!d)
		return;
	pthread_mutex_lock(&all_lock);
	*d->link = d->next;
	if (d->next)
		d->next->link = d->link;
	pthread_mutex_unlock(&all_lock);
	pthread_mutex_destroy(&d->lock);
	free(d);
}
