/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * libmigrate-notify: a program learns of live migrations of its machine, may ask for time to
 * prepare, and learns which CPU features it has.
 *
 *	struct mn_ctx *ctx;
 *	struct migrate_notify_event ev;
 *	int ret;
 *
 *	mn_open(&ctx, "my program", MN_OPEN_DELAY);
 *	... poll() mn_fd(ctx) with all else that is waited for, then ...
 *	while (mn_next(ctx, &ev) > 0) {
 *		do
 *			ret = mn_dispatch_update(dispatch, ctx, &ev, 1000);
 *		while (ret == -ETIMEDOUT ||	// a call is still in progress: not ready
 *		       (ret == -EAGAIN && ev.type != MIGRATE_NOTIFY_EVENT_PREPARE));
 *		if (ev.type == MIGRATE_NOTIFY_EVENT_PREPARE)
 *			mn_ack(ctx, ev.op_id);
 *	}
 *
 * Events, phases, features and their names are those of <linux/migrate_notify.h>.
 *
 * Without the driver all of this works: no events come, mn_fd() is -1, which poll() ignores,
 * features are what CPUID says whenever it is asked, and mn_supported() says what is missing.
 *
 * libc chooses its memcpy(), strlen() ... by the CPU that the program started on. This library
 * calls none of them; a program that has to survive a move to a poorer CPU must not either, or
 * start with GLIBC_TUNABLES that keep libc from it: see NOTES in migrate-notify(3).
 *
 * Errors are negative errno values. Every function may be called by several threads at once,
 * also with one context, except mn_close() and mn_dispatch_free(), which have to be the last
 * with theirs. After fork(), the child may query features and dispatch; what would take the
 * parent's events or ack for it gives -ECHILD: open a context of its own, and close the old
 * one. (Until then the parent's death goes unnoticed by the driver: both hold the descriptor.)
 * Nothing here is async-signal-safe except mn_changed(), mn_enter() and mn_exit().
 */
#ifndef MIGRATE_NOTIFY_H
#define MIGRATE_NOTIFY_H

#include <stddef.h>
#include <stdint.h>

#include <linux/migrate_notify.h>

#ifdef __cplusplus
extern "C" {
#endif

#pragma GCC visibility push(default)

#define MN_MUST_CHECK	__attribute__((warn_unused_result))

struct mn_ctx;

/* -- contexts -------------------------------------------------------------------------- */

#define MN_OPEN_DELAY		0x1	/* migrations wait for our ack, up to their deadline */
#define MN_OPEN_REQUIRED	0x2	/* fail without the driver */
#define MN_OPEN_ALL_CPUS	0x4	/* without it: features are those of all our CPUs */

/**
 * mn_open() - begin to watch
 * @ctx: gets the context; mn_close() it
 * @name: who we are, for people: printable ASCII, cut to 31 characters; NULL: the program's
 *	short name
 * @flags: MN_OPEN_DELAY | MN_OPEN_REQUIRED | MN_OPEN_ALL_CPUS, or 0
 *
 * Without the driver CPUID is asked on the CPU that the caller happens to run on. With
 * MN_OPEN_ALL_CPUS a thread, in which no signal is handled, is bound to one CPU after the other
 * each time: slow, and sandboxes may kill a program for sched_setaffinity().
 *
 * Events of PREPARE, COMPLETE and CHANGED from now on are read; see mn_subscribe().
 *
 * Return: 0. -EACCES or -EPERM: this user may not use the driver, or not delay (try without
 * MN_OPEN_DELAY); -EDQUOT: it has too many open; -ENODEV: MN_OPEN_REQUIRED, and no driver;
 * -EPROTO: a driver of another ABI version, or what is there is none; -EINVAL: unknown flags;
 * -ENOMEM, -EMFILE, -ENFILE.
 */
int mn_open(struct mn_ctx **ctx, const char *name, unsigned int flags) MN_MUST_CHECK;

/**
 * mn_close() - end it
 * @ctx: or NULL
 *
 * Counts as an ack of what is waited for. Pointers from mn_generation() end here.
 */
void mn_close(struct mn_ctx *ctx);

/**
 * mn_supported() - whether the driver is there
 *
 * Return: 0, or -ENODEV: no events will come.
 */
int mn_supported(const struct mn_ctx *ctx);

/**
 * mn_fd() - the descriptor to poll() for POLLIN
 *
 * Non-blocking, close-on-exec, the context's own: do not read or close it.
 *
 * Return: the descriptor, or -1 without the driver.
 */
int mn_fd(const struct mn_ctx *ctx);

/* -- did anything happen? ---------------------------------------------------------------- */

/**
 * mn_generation() - the word that counts events
 *
 * Return: its address, valid until mn_close(), in a child too. Never NULL.
 */
const __u64 *mn_generation(const struct mn_ctx *ctx);

/**
 * mn_changed() - whether an event has happened, for the price of one load
 * @generation: from mn_generation()
 * @seen: its value when all was dealt with, as mn_changed() or mn_now() saw it
 *
 * What the event changed is visible to loads after it.
 */
static inline int mn_changed(const __u64 *generation, uint64_t seen)
{
	return __atomic_load_n(generation, __ATOMIC_ACQUIRE) != seen;
}

/* mn_now() - the value for @seen: load it before dealing with what happened. */
static inline uint64_t mn_now(const __u64 *generation)
{
	return __atomic_load_n(generation, __ATOMIC_ACQUIRE);
}

/**
 * mn_instance() - which load of the driver it is whose events these are
 *
 * Each load counts them from 1. A program that keeps the seq of the last event that it dealt
 * with, to go on there when it is started again, keeps this as well.
 *
 * Return: a random number; 0 without the driver.
 */
uint64_t mn_instance(const struct mn_ctx *ctx);

/* -- events ---------------------------------------------------------------------------- */

/**
 * mn_subscribe() - say which events, and from where on
 * @events: set of MIGRATE_NOTIFY_MASK(type); 0: the default. Who delays has to read PREPARE
 * @cursor: seq of the last event dealt with: the next ones are read again as far as they are
 *	kept. MIGRATE_NOTIFY_CURSOR_OLDEST, MIGRATE_NOTIFY_CURSOR_NOW
 * @instance: mn_instance() when @cursor was read; 0: of this load. If the driver was loaded anew
 *	since, all that is kept is read, and the first event has MIGRATE_NOTIFY_EVENT_LOST
 *
 * Return: 0. -ENODEV without the driver, -EINVAL, -ECHILD.
 */
int mn_subscribe(struct mn_ctx *ctx, uint32_t events, uint64_t cursor, uint64_t instance);

/**
 * mn_next() - the next event, without waiting
 * @ev: gets it; where the driver is older than this header, the rest is 0
 *
 * Events come in their order, each once, to one of the threads that ask. If @ev->flags has
 * MIGRATE_NOTIFY_EVENT_LOST, older ones were overwritten: look at mn_page().
 *
 * Return: 1 and an event; 0: none now (never one without the driver); -ECHILD, -EPROTO.
 */
int mn_next(struct mn_ctx *ctx, struct migrate_notify_event *ev);

/**
 * mn_wait() - for an event, for programs without a poll() of their own
 * @timeout_ms: at most so long; -1: for ever
 *
 * Return: 1: mn_next() has something (unless another thread takes it); 0: not in time, or
 * without the driver; -EINTR: a signal came; -ECHILD; -EIO: the device is gone.
 */
int mn_wait(struct mn_ctx *ctx, int timeout_ms);

/**
 * mn_ack() - ready for the migration
 * @op_id: of the PREPARE event
 *
 * Return: 0, also if this is the operation that was acked last. -ESTALE: too late, or all is
 * ready already, or no such operation: nobody waits; -EPERM: opened without MN_OPEN_DELAY; -ENODEV,
 * -ECHILD.
 */
int mn_ack(struct mn_ctx *ctx, uint64_t op_id);

/* mn_refuse() - an ack that asks for the migration not to happen; hosts may honour it. */
int mn_refuse(struct mn_ctx *ctx, uint64_t op_id);

/**
 * mn_page() - all that is known now
 * @page: gets a copy that is consistent in itself; without the driver only the features, the
 *	CPU and XCR0 are set, by some 50 CPUID instructions (each an exit to the hypervisor)
 *
 * Return: 0, or -ETIMEDOUT: the driver wrote all the time.
 */
int mn_page(const struct mn_ctx *ctx, struct migrate_notify_page *page);

/* -- features -------------------------------------------------------------------------- */

/* What mn_feature() and mn_feature_in() return. */
enum mn_usability {
	MN_ABSENT	= 0,	/* CPUID does not report it */
	MN_USABLE	= 1,
	MN_NO_XCR0	= 2,	/* reported, but the kernel did not enable its registers */
	MN_NO_KERNEL	= 3,	/* reported, but the kernel did not switch it on */
	MN_NOT_ALL_CPUS	= 4	/* reported by some CPUs only */
};

/**
 * mn_feature() - whether a feature can be used now
 * @name: as in linux/migrate_notify_features.def ("aes", "avx2", "sse4.2"), or
 *	"x86-64-v2" ... "x86-64-v4": MN_USABLE or MN_ABSENT
 *
 * Return: an enum mn_usability. -ENOENT: no feature has that name; -ETIMEDOUT as mn_page().
 */
int mn_feature(const struct mn_ctx *ctx, const char *name);

/* mn_feature_in() - the same in a copy of the page, by number */
int mn_feature_in(const struct migrate_notify_page *page, unsigned int nr);

/* mn_feature_find() - a name's number. Return: MIGRATE_NOTIFY_F_..., or -ENOENT. */
int mn_feature_find(const char *name);

/* mn_feature_name() - a number's name, a constant; NULL: beyond what this library knows */
const char *mn_feature_name(unsigned int nr);

/* mn_in() - whether a set of features, as in events and in the page, has this one */
static inline int mn_in(const __u64 words[MIGRATE_NOTIFY_FEATURE_WORDS], unsigned int nr)
{
	return nr < 64u * MIGRATE_NOTIFY_FEATURE_WORDS && (words[nr / 64] >> nr % 64 & 1);
}

/* Words for numbers: constants, "?" for numbers that this library does not know. */
const char *mn_usability_name(int usability);
const char *mn_phase_name(unsigned int phase);
const char *mn_type_name(unsigned int type);
const char *mn_status_name(unsigned int status);
const char *mn_source_name(unsigned int source);

/* -- for tools ------------------------------------------------------------------------- */

/**
 * mn_list() - who watches
 * @after: those whose id is above this one; 0: from the first
 * @entries: gets them, by ascending id
 * @count: room, 1 to MIGRATE_NOTIFY_LIST_MAX
 *
 * Who may neither delay nor is root sees its own user's only.
 *
 * Return: how many; fewer than @count: these were the last. -ENODEV, -EINVAL, -ENOMEM.
 */
int mn_list(struct mn_ctx *ctx, uint64_t after, struct migrate_notify_subscriber *entries,
	    unsigned int count);

/**
 * mn_inject() - tell the driver of a migration, or play one
 * @inject: its op_id is set on success
 *
 * Return: 0. -EPERM: needs CAP_SYS_ADMIN; -EBUSY: another one is being prepared; -EALREADY:
 * known already; -ENOENT: no such operation; -ENODEV, -EINVAL.
 */
int mn_inject(struct mn_ctx *ctx, struct migrate_notify_inject *inject);

/* -- tables of functions --------------------------------------------------------------- */

struct mn_dispatch;

/**
 * struct mn_variant - one way to do the job
 * @name: for people
 * @ops: the table of functions
 * @needs: names of the features that it needs, separated by blanks; NULL or "": none. What
 *	these need in turn is implied ("avx2": avx, sse4.2, popcnt ...)
 */
struct mn_variant {
	const char *name;
	const void *ops;
	const char *needs;
};

#define MN_DISPATCH_TRUST	0x1	/* a PREPARE that names no features: nothing vanishes */

/**
 * mn_dispatch_new() - a table that changes with the features
 * @d: gets it; mn_dispatch_free() it
 * @ctx: tells which features there are now
 * @variants: best first; the last must need nothing. Copied, but not what they point to
 * @nr: how many, 1 to 64
 * @flags: MN_DISPATCH_TRUST or 0: a PREPARE that names no features binds the last variant,
 *	since any feature may vanish
 *
 * Return: 0; -EINVAL; -ENOENT: a feature's name is not known; -ENOMEM.
 */
int mn_dispatch_new(struct mn_dispatch **d, const struct mn_ctx *ctx,
		    const struct mn_variant *variants, unsigned int nr, unsigned int flags)
	MN_MUST_CHECK;

/* mn_dispatch_free() - no thread may be within mn_enter() */
void mn_dispatch_free(struct mn_dispatch *d);

/**
 * mn_dispatch_update() - bind what fits after an event
 * @ev: PREPARE: the best variant that needs nothing that vanishes; COMPLETE, CHANGED, or NULL:
 *	the best of all, but what the page of this moment says of an operation that is pending
 *	counts as its PREPARE; other events: nothing is done
 * @timeout_ms: how long to wait for calls in progress; -1: for ever
 *
 * When it returns 0, no thread calls through another variant any more: so after a PREPARE,
 * ack then. Do not call it between mn_enter() and mn_exit(). Updates of the same table wait for
 * each other.
 *
 * Return: 0. -ETIMEDOUT: another update, or a call through another variant, is still in
 * progress: call it again, and do not ack. -EAGAIN: the page could not be read, so the last
 * variant is bound, and no call goes through another: safe, but call it again.
 */
int mn_dispatch_update(struct mn_dispatch *d, const struct mn_ctx *ctx,
		       const struct migrate_notify_event *ev, int timeout_ms) MN_MUST_CHECK;

/* The variant that is bound now. */
const struct mn_variant *mn_dispatch_bound(const struct mn_dispatch *d);

/**
 * struct mn_section - calls between mn_enter() and mn_exit()
 * @ops: the table to call through
 *
 * The rest is the library's own.
 */
struct mn_section {
	const void *ops;
	void *counter;
	uint64_t forks;
};

/**
 * mn_enter() - begin to call through the table
 *
 * Never waits, costs an atomic increment. Sections nest. Keep them short: a migration that
 * is to be prepared waits for their end. A section that began before fork() is not waited
 * for in the child.
 *
 * Return: what @s->ops is.
 */
const void *mn_enter(struct mn_dispatch *d, struct mn_section *s);

/* mn_exit() - end it; any thread may */
void mn_exit(struct mn_section *s);

#pragma GCC visibility pop

#ifdef __cplusplus
}
#endif

#endif
