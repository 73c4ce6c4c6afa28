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
#include <time.h>

#include "internal.h"

#define SLOTS	32	/* threads spread over these; sharing one is slower, not wrong */

struct slot {
	_Alignas(64) atomic_uint in[2];
};

/* @need: all that @v->needs names and implies, as a set */
struct choice {
	struct mn_variant v;
	__u64 need[MIGRATE_NOTIFY_FEATURE_WORDS];
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
	struct choice choice[];
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
	/* Not what a library that is loaded late would get: that takes a lock, and malloc(). */
	static _Thread_local unsigned int mine __attribute__((tls_model("initial-exec")));

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

static const struct timespec nap = { .tv_nsec = 50000 };

/* Until every counter of the bank has been zero once. */
static int drain(struct mn_dispatch *d, unsigned int bank, uint64_t until)
{
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
static int bind(struct mn_dispatch *d, const struct mn_variant *v, uint64_t until)
{
	int ret = 0;

	atomic_store(&d->bound, v);
	/* Twice: a reader may have chosen its bank long ago and count itself in only now. */
	for (int i = 0; i < 2 && !ret; i++) {
		unsigned int old = atomic_fetch_xor(&d->bank, 1) & 1;

		ret = drain(d, old, until);
	}
	return ret;
}

/* Names separated by blanks. -ENOENT: one is no feature's. */
static int resolve(const char *needs, __u64 *need)
{
	char name[32];

	while (needs && *needs) {
		size_t len = 0;
		int nr;

		for (; *needs && *needs != ' '; needs++) {
			if (len == sizeof(name) - 1)
				return -ENOENT;
			name[len++] = *needs;
		}
		name[len] = '\0';
		nr = len ? mn_feature_find(name) : 0;
		if (nr < 0)
			return nr;
		if (len)
			mn_feature_needs(nr, need);
		needs += *needs == ' ';
	}
	return 0;
}

static bool any(const __u64 *words)
{
	for (int w = 0; w < MIGRATE_NOTIFY_FEATURE_WORDS; w++)
		if (words[w])
			return true;
	return false;
}

/*
 * The best that the CPU can run and that needs nothing that may vanish: as @prepare says, and as
 * the page says while an operation is pending, which another event, or none, does not end.
 */
static const struct mn_variant *choose(const struct mn_dispatch *d,
				       const struct migrate_notify_page *page,
				       const struct migrate_notify_event *prepare)
{
	const __u64 *told = page->phase != MIGRATE_NOTIFY_IDLE ? page->expect_removed :
			    prepare ? prepare->removed : NULL;
	unsigned int i, w;

	/* Nobody says what: anything may. */
	if (told && !any(told) && !(d->flags & MN_DISPATCH_TRUST))
		return &d->choice[d->nr - 1].v;
	for (i = 0; i < d->nr - 1; i++) {
		for (w = 0; w < MIGRATE_NOTIFY_FEATURE_WORDS; w++) {
			__u64 gone = (told ? told[w] : 0) | (prepare ? prepare->removed[w] : 0);

			if (d->choice[i].need[w] & ~(page->usable[w] & ~gone))
				break;
		}
		if (w == MIGRATE_NOTIFY_FEATURE_WORDS)
			break;
	}
	return &d->choice[i].v;
}

/* (Sanitizers know no pthread_mutex_clocklock().) */
static int lock_until(pthread_mutex_t *lock, uint64_t until)
{
	if (until == UINT64_MAX)
		return pthread_mutex_lock(lock);
	while (pthread_mutex_trylock(lock)) {
		if (now_ns() >= until)
			return -ETIMEDOUT;
		nanosleep(&nap, NULL);
	}
	return 0;
}

int mn_dispatch_update(struct mn_dispatch *d, const struct mn_ctx *ctx,
		       const struct migrate_notify_event *ev, int timeout_ms)
{
	uint64_t until = timeout_ms < 0 ? UINT64_MAX : now_ns() + timeout_ms * 1000000ull;
	const struct migrate_notify_event *prepare = NULL;
	const struct mn_variant *v = &d->choice[d->nr - 1].v;
	struct migrate_notify_page page;
	int ret, unknown;

	if (ev && ev->type == MIGRATE_NOTIFY_EVENT_PREPARE)
		prepare = ev;
	else if (ev && ev->type != MIGRATE_NOTIFY_EVENT_COMPLETE &&
		 ev->type != MIGRATE_NOTIFY_EVENT_CHANGED)
		return 0;
	if (lock_until(&d->lock, until))
		return -ETIMEDOUT;
	/* A page that cannot be read says nothing of any feature. */
	unknown = mn_page(ctx, &page);
	if (!unknown)
		v = choose(d, &page, prepare);
	ret = bind(d, v, until);
	pthread_mutex_unlock(&d->lock);
	return ret ? ret : unknown ? -EAGAIN : 0;
}

const struct mn_variant *mn_dispatch_bound(const struct mn_dispatch *d)
{
	return atomic_load_explicit(&d->bound, memory_order_acquire);
}

int mn_dispatch_new(struct mn_dispatch **out, const struct mn_ctx *ctx,
		    const struct mn_variant *variants, unsigned int nr, unsigned int flags)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	struct mn_dispatch *d;
	size_t size = sizeof(*d) + nr * sizeof(d->choice[0]);
	int ret;

	if (!nr || nr > 64 || flags & ~MN_DISPATCH_TRUST)
		return -EINVAL;
	if (variants[nr - 1].needs && *variants[nr - 1].needs)
		return -EINVAL;
	d = aligned_alloc(64, (size + 63) & ~63ul);
	if (!d)
		return -ENOMEM;
	mn_zero(d, size);
	d->nr = nr;
	d->flags = flags;
	for (unsigned int i = 0; i < nr; i++) {
		d->choice[i].v = variants[i];
		ret = resolve(variants[i].needs, d->choice[i].need);
		if (ret) {
			free(d);
			return ret;
		}
	}
	pthread_mutex_init(&d->lock, NULL);
	pthread_once(&once, watch_forks);
	pthread_mutex_lock(&all_lock);
	d->next = all;
	d->link = &all;
	if (all)
		all->link = &d->next;
	all = d;
	pthread_mutex_unlock(&all_lock);
	/* Nobody calls through it yet; a page that cannot be read has bound the last one. */
	ret = mn_dispatch_update(d, ctx, NULL, -1);
	(void)ret;
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
