// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <unistd.h>

#include "xs.h"
#include "../proto/clock.h"

#define ANSWER_MS	5000

int xs_decode(const void *bytes, size_t len, struct xs_reply *r)
{
	if (len < sizeof(r->h))
		return 0;
	memcpy(&r->h, bytes, sizeof(r->h));
	if (r->h.len > XS_PAYLOAD_MAX)
		return -EPROTO;
	if (len - sizeof(r->h) < r->h.len)
		return 0;
	memcpy(r->payload, (const char *)bytes + sizeof(r->h), r->h.len);
	r->payload[r->h.len] = '\0';
	return sizeof(r->h) + r->h.len;
}

int xs_error(const struct xs_reply *r)
{
	static const struct {
		const char *name;
		int err;
	} known[] = {
		{ "EINVAL", -EINVAL }, { "EACCES", -EACCES }, { "ENOENT", -ENOENT },
		{ "ENOSPC", -ENOSPC }, { "E2BIG", -E2BIG }, { "EPERM", -EPERM },
		{ "EEXIST", -EEXIST }, { "EBUSY", -EBUSY }, { "ENOSYS", -ENOSYS },
	};

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (!strcmp(r->payload, known[i].name))
			return known[i].err;
	return -EIO;
}

int xs_open(struct xs *x, const char *socket_path)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int err;

	memset(x, 0, sizeof(*x));
	x->fd = -1;
	if (strlen(socket_path) >= sizeof(addr.sun_path))
		return -ENAMETOOLONG;
	strcpy(addr.sun_path, socket_path);
	x->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (x->fd < 0)
		return -errno;
	if (!connect(x->fd, (struct sockaddr *)&addr, sizeof(addr)))
		return 0;
	err = -errno;
	xs_close(x);
	return err;
}

void xs_close(struct xs *x)
{
	if (x->fd >= 0)
		close(x->fd);
	x->fd = -1;
}

/* One message within @until: 1, 0 at that time, or a negative errno. */
static int next_message(struct xs *x, struct xs_reply *r, uint64_t until)
{
	for (;;) {
		struct pollfd p = { .fd = x->fd, .events = POLLIN };
		int used = xs_decode(x->buf, x->len, r);
		ssize_t n;

		if (used < 0)
			return used;
		if (used) {
			x->len -= used;
			memmove(x->buf, x->buf + used, x->len);
			return 1;
		}
		n = poll(&p, 1, mn_ms_left(until));
		if (!n)
			return 0;
		if (n > 0)
			n = recv(x->fd, x->buf + x->len, sizeof(x->buf) - x->len, 0);
		if (!n)
			return -ECONNRESET;
		if (n > 0)
			x->len += n;
		else if (errno != EINTR)
			return -errno;
	}
}

/* @parts end where the next would be NULL; each is sent with its NUL if @nul says so. */
static int ask(struct xs *x, enum xs_type type, const char *const parts[], unsigned int nul,
	       struct xs_reply *r)
{
	struct xs_header h = { .type = type, .req_id = ++x->next_id };
	char packet[sizeof(h) + XS_PAYLOAD_MAX];
	uint64_t until = mn_now_ms() + ANSWER_MS;
	int ret;

	for (int i = 0; parts[i]; i++) {
		size_t len = strlen(parts[i]) + (nul >> i & 1);

		if (h.len + len > XS_PAYLOAD_MAX)
			return -E2BIG;
		memcpy(packet + sizeof(h) + h.len, parts[i], len);
		h.len += len;
	}
	memcpy(packet, &h, sizeof(h));
	if (send(x->fd, packet, sizeof(h) + h.len, MSG_NOSIGNAL) != (ssize_t)(sizeof(h) + h.len))
		return errno ? -errno : -EIO;
	/* Watch events may come between: whoever waits looks at the node itself as well. */
	do {
		ret = next_message(x, r, until);
		if (ret <= 0)
			return ret ? ret : -ETIMEDOUT;
	} while (r->h.type == XS_WATCH_EVENT || r->h.req_id != h.req_id);
	if (r->h.type == XS_ERROR)
		return xs_error(r);
	return r->h.type == h.type ? 0 : -EPROTO;
}

int xs_read(struct xs *x, const char *path, char *value, size_t size)
{
	struct xs_reply r;
	int ret = ask(x, XS_READ, (const char *[]){ path, NULL }, 1, &r);

	if (ret)
		return ret;
	if (r.h.len >= size)
		return -EMSGSIZE;
	memcpy(value, r.payload, r.h.len);
	value[r.h.len] = '\0';
	for (size_t i = 0; i < r.h.len; i++)
		if (value[i] < ' ' || value[i] > '~')
			value[i] = '?';
	return r.h.len;
}

int xs_write(struct xs *x, const char *path, const char *value)
{
	struct xs_reply r;

	return ask(x, XS_WRITE, (const char *[]){ path, value, NULL }, 1, &r);
}

int xs_remove(struct xs *x, const char *path)
{
	struct xs_reply r;

	return ask(x, XS_RM, (const char *[]){ path, NULL }, 1, &r);
}

int xs_share(struct xs *x, const char *path, char mode, unsigned int domid)
{
	struct xs_reply r;
	char perm[16];

	snprintf(perm, sizeof(perm), "%c%u", mode, domid);
	return ask(x, XS_SET_PERMS, (const char *[]){ path, "n0", perm, NULL }, 7, &r);
}

int xs_watch(struct xs *x, const char *path)
{
	struct xs_reply r;

	return ask(x, XS_WATCH, (const char *[]){ path, "ack", NULL }, 3, &r);
}

int xs_wait(struct xs *x, int timeout_ms)
{
	struct xs_reply r;
	uint64_t until = mn_now_ms() + timeout_ms;
	int ret;

	do
		ret = next_message(x, &r, until);
	while (ret > 0 && r.h.type != XS_WATCH_EVENT);
	return ret;
}
