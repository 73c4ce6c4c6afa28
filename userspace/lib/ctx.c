// SPDX-License-Identifier: LGPL-2.1-or-later
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "internal.h"

#define PAGE_SIZE_VER0	512
#define PAGE_TRIES	100000	/* the driver writes for less than a microsecond */

static bool foreign(const struct mn_ctx *ctx)
{
	return ctx->pid != getpid();
}

/* What all calls that talk to the driver want to know first. */
static int usable(const struct mn_ctx *ctx)
{
	if (ctx->fd < 0)
		return -ENODEV;
	return foreign(ctx) ? -ECHILD : 0;
}

static int map_page(struct mn_ctx *ctx)
{
	size_t size = sysconf(_SC_PAGESIZE);
	const struct migrate_notify_page *p = mmap(NULL, size, PROT_READ, MAP_SHARED, ctx->fd, 0);

	/* -ENODEV would say that there is no driver: here there is something else in its place. */
	if (p == MAP_FAILED)
		return errno == ENODEV ? -EPROTO : -errno;
	ctx->page = p;
	ctx->mapped = size;
	if (p->magic != MIGRATE_NOTIFY_MAGIC || p->version != MIGRATE_NOTIFY_VERSION ||
	    p->size < PAGE_SIZE_VER0)
		return -EPROTO;
	return 0;
}

static int subscribe(struct mn_ctx *ctx, uint32_t events, uint64_t cursor, uint64_t instance)
{
	struct migrate_notify_subscribe s = {
		.flags = ctx->flags & MN_OPEN_DELAY ? MIGRATE_NOTIFY_SUBSCRIBE_DELAY : 0,
		.events = events,
		.cursor = cursor,
		.instance = instance,
		.event_size = sizeof(struct migrate_notify_event),
	};

	mn_copy(s.name, ctx->name, sizeof(s.name));
	if (ioctl(ctx->fd, MIGRATE_NOTIFY_IOC_SUBSCRIBE, &s))
		return -errno;
	if (s.event_size < MIGRATE_NOTIFY_EVENT_SIZE_VER0 ||
	    s.event_size > sizeof(struct migrate_notify_event))
		return -EPROTO;
	__atomic_store_n(&ctx->record, s.event_size, __ATOMIC_RELAXED);
	return 0;
}

static int open_device(struct mn_ctx *ctx)
{
	int mode = ctx->flags & MN_OPEN_DELAY ? O_RDWR : O_RDONLY, ret;

	ctx->fd = open(MIGRATE_NOTIFY_DEVICE, mode | O_NONBLOCK | O_CLOEXEC);
	if (ctx->fd < 0)
		return errno == ENOENT || errno == ENXIO ? -ENODEV : -errno;
	ret = map_page(ctx);
	if (!ret)
		ret = subscribe(ctx, 0, MIGRATE_NOTIFY_CURSOR_NOW, 0);
	return ret;
}

int mn_open(struct mn_ctx **out, const char *name, unsigned int flags)
{
	struct mn_ctx *ctx;
	int ret;

	if (flags & ~(MN_OPEN_DELAY | MN_OPEN_REQUIRED | MN_OPEN_ALL_CPUS))
		return -EINVAL;
	ctx = calloc(1, sizeof(*ctx));
	if (!ctx)
		return -ENOMEM;
	ctx->flags = flags;
	ctx->pid = getpid();
	name = name ? name : program_invocation_short_name;
	for (size_t i = 0; i < sizeof(ctx->name) - 1 && name[i]; i++)
		ctx->name[i] = name[i] >= ' ' && name[i] <= '~' ? name[i] : '?';
	ret = open_device(ctx);
	if (ret == -ENODEV && !(flags & MN_OPEN_REQUIRED)) {
		ctx->why = ret;
		ctx->page = &ctx->own;
	} else if (ret) {
		mn_close(ctx);
		return ret;
	}
	*out = ctx;
	return 0;
}

void mn_close(struct mn_ctx *ctx)
{
	if (!ctx)
		return;
	if (ctx->mapped)
		munmap((void *)ctx->page, ctx->mapped);
	if (ctx->fd >= 0)
		close(ctx->fd);
	free(ctx);
}

int mn_supported(const struct mn_ctx *ctx)
{
	return ctx->why;
}

int mn_fd(const struct mn_ctx *ctx)
{
	return ctx->fd;
}

const __u64 *mn_generation(const struct mn_ctx *ctx)
{
	return &ctx->page->generation;
}

uint64_t mn_instance(const struct mn_ctx *ctx)
{
	return ctx->page->instance;
}

int mn_subscribe(struct mn_ctx *ctx, uint32_t events, uint64_t cursor, uint64_t instance)
{
	int ret = usable(ctx);

	return ret ? ret : subscribe(ctx, events, cursor, instance);
}

int mn_next(struct mn_ctx *ctx, struct migrate_notify_event *ev)
{
	uint32_t record = __atomic_load_n(&ctx->record, __ATOMIC_RELAXED);
	ssize_t n;
	int ret = usable(ctx);

	if (ret)
		return ret == -ENODEV ? 0 : ret;
	/* One and never two, so that nothing is left with us that poll() does not know of. */
	do
		n = read(ctx->fd, ev, record);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return errno == EAGAIN ? 0 : errno == EINVAL ? -EPROTO : -errno;
	if (n != record || ev->size != record)
		return -EPROTO;
	mn_zero((char *)ev + record, sizeof(*ev) - record);
	return 1;
}

int mn_wait(struct mn_ctx *ctx, int timeout_ms)
{
	struct pollfd p = { .fd = ctx->fd, .events = POLLIN };
	int ret = usable(ctx);

	if (ret)
		return ret == -ENODEV ? 0 : ret;
	ret = poll(&p, 1, timeout_ms);
	if (ret < 0)
		return -errno;
	return ret && !(p.revents & POLLIN) ? -EIO : ret;
}

static int ack(struct mn_ctx *ctx, uint64_t op_id, uint32_t flags)
{
	struct migrate_notify_ack a = { .op_id = op_id, .flags = flags };
	ssize_t n;
	int ret = usable(ctx);

	if (ret)
		return ret;
	do
		n = write(ctx->fd, &a, sizeof(a));
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return errno == EBADF ? -EPERM : -errno;	/* not open for writing */
	return n == sizeof(a) ? 0 : -EPROTO;
}

int mn_ack(struct mn_ctx *ctx, uint64_t op_id)
{
	return ack(ctx, op_id, 0);
}

int mn_refuse(struct mn_ctx *ctx, uint64_t op_id)
{
	return ack(ctx, op_id, MIGRATE_NOTIFY_ACK_REFUSE);
}

int mn_page(const struct mn_ctx *ctx, struct migrate_notify_page *page)
{
	const struct migrate_notify_page *p = ctx->page;
	size_t known = p->size < sizeof(*page) ? p->size : sizeof(*page);

	/* Nobody says when this changes. */
	if (p == &ctx->own) {
		mn_cpu_page(page, ctx->flags & MN_OPEN_ALL_CPUS);
		return 0;
	}
	for (int i = 0; i < PAGE_TRIES; i++) {
		uint32_t seq = __atomic_load_n(&p->seq, __ATOMIC_ACQUIRE);

		if (!(seq & 1)) {
			mn_copy(page, p, known);
			mn_zero((char *)page + known, sizeof(*page) - known);
			/* Pairs with the driver's write barrier behind making seq odd. */
			__atomic_thread_fence(__ATOMIC_ACQUIRE);
			if (__atomic_load_n(&p->seq, __ATOMIC_RELAXED) == seq)
				return 0;
		}
		__builtin_ia32_pause();
	}
	return -ETIMEDOUT;
}

int mn_list(struct mn_ctx *ctx, uint64_t after, struct migrate_notify_subscriber *entries,
	    unsigned int count)
{
	struct migrate_notify_list l = {
		.after = after,
		.entries = (uintptr_t)entries,
		.entry_size = sizeof(*entries),
		.count = count,
	};
	int ret = usable(ctx);

	if (ret)
		return ret;
	return ioctl(ctx->fd, MIGRATE_NOTIFY_IOC_LIST, &l) ? -errno : (int)l.count;
}

int mn_inject(struct mn_ctx *ctx, struct migrate_notify_inject *inject)
{
	int ret = usable(ctx);

	if (ret)
		return ret;
	return ioctl(ctx->fd, MIGRATE_NOTIFY_IOC_INJECT, inject) ? -errno : 0;
}
