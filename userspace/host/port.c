// SPDX-License-Identifier: GPL-2.0-only
/* A virtio-serial port: QEMU listens on a UNIX socket, the guest's agent is at the other end. */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "host.h"
#include "../proto/clock.h"
#include "../proto/line.h"

#define AGAIN_MS	1000

/* @unclear: errors that name no operation */
struct port {
	int fd, unclear;
	struct mn_lines lines;
};

static int connect_port(struct port *p, const char *path)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int err;

	if (strlen(path) >= sizeof(addr.sun_path))
		return -ENAMETOOLONG;
	strcpy(addr.sun_path, path);
	memset(&p->lines, 0, sizeof(p->lines));
	p->unclear = 0;
	p->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (p->fd < 0)
		return -errno;
	if (!connect(p->fd, (struct sockaddr *)&addr, sizeof(addr)))
		return 0;
	err = -errno;
	close(p->fd);
	p->fd = -1;
	return err;
}

/* 1 and an answer to @ask, 0 for none yet, or a negative errno. Other operations' are not ours. */
static int take(struct port *p, const struct mn_msg *ask, enum mn_msg_type wanted,
		struct mn_msg *answer, bool *heard)
{
	const char *why;
	struct mn_msg m;
	size_t len;
	char *text;
	int ret;

	while ((ret = mn_lines_next(&p->lines, &text, &len))) {
		/* The guest may say anything; what makes no sense counts as silence. */
		if (ret < 0 || mn_msg_decode(text, len, &m, &why))
			continue;
		/*
		 * We are the only client: what made no sense was ours, unless the guest saw the
		 * rest of a line that another client began. The second time it is ours.
		 */
		if (m.type == MN_MSG_ERROR && !m.op && ++p->unclear > 1) {
			*answer = m;
			return -EREMOTEIO;
		}
		if (m.type != MN_MSG_HELLO && m.op != ask->op)
			continue;
		*heard = true;
		*answer = m;
		if (m.type == wanted)
			return 1;
		if (m.type == MN_MSG_ERROR)
			return -EREMOTEIO;
	}
	return 0;
}

static int talk(struct port *p, const struct mn_msg *ask, enum mn_msg_type wanted,
		uint64_t *silence, uint64_t until, struct mn_msg *answer, const volatile bool *stop)
{
	char line[MN_LINE_MAX];
	int len = mn_msg_encode(ask, line, sizeof(line)), ret = 0;
	uint64_t again = 0, now, end;
	ssize_t n;

	if (len < 0)
		return len;
	for (;;) {
		struct pollfd poll_fd = { .fd = p->fd, .events = POLLIN };
		bool heard = false;

		now = mn_now_ms();
		if (*stop)
			return -EINTR;
		if (now >= until)
			return -ETIMEDOUT;
		if (now >= *silence)
			return -ENOTCONN;
		if (now >= again) {
			/* A full socket: nobody reads. Part of a line would spoil the next. */
			if (send(p->fd, line, len, MSG_NOSIGNAL) != len)
				return -EPIPE;
			again = now + AGAIN_MS;
		}
		end = until < *silence ? until : *silence;
		ret = poll(&poll_fd, 1, mn_ms_left(again < end ? again : end));
		if (ret < 0 && errno != EINTR)
			return -errno;
		if (ret <= 0)
			continue;
		n = mn_lines_read(&p->lines, p->fd);
		if (!n)
			return -EPIPE;
		if (n < 0 && n != -EAGAIN)
			return n;
		ret = take(p, ask, wanted, answer, &heard);
		if (ret)
			return ret < 0 ? ret : 0;
		/* It is there, and may now take all its time. */
		if (heard)
			*silence = UINT64_MAX;
	}
}

int mnh_port_ask(const struct mnh_channel *c, const struct mn_msg *ask, enum mn_msg_type wanted,
		 int silence_ms, int timeout_ms, struct mn_msg *answer, const volatile bool *stop)
{
	uint64_t start = mn_now_ms(), until = start + timeout_ms, silence = start + silence_ms;
	struct port p;
	int ret;

	/* A port that cannot be reached, or hangs up, may be there in a moment: QEMU restarts. */
	for (;;) {
		ret = connect_port(&p, c->port);
		if (!ret) {
			ret = talk(&p, ask, wanted, &silence, until, answer, stop);
			close(p.fd);
		}
		if (ret != -EPIPE && ret != -ECONNRESET && ret != -ECONNREFUSED &&
		    ret != -ENOENT && ret != -EAGAIN)
			return ret;
		if (*stop)
			return -EINTR;
		if (mn_now_ms() >= until || mn_now_ms() >= silence)
			return ret == -EPIPE || ret == -ECONNRESET ? -ENOTCONN : ret;
		poll(NULL, 0, 100);
	}
}
