// SPDX-License-Identifier: GPL-2.0-only
/*
 * The guest's end of a virtio-serial port: what the host says goes into the driver, what comes
 * of it goes to the host. Lines as in Documentation/abi/migrate-notify-channel.txt.
 *
 * The host may go away and come back at any time, and be another one after a migration. So
 * nothing is kept for it: it asks again until it has its answer, and asking twice is harmless.
 */
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <inttypes.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/signalfd.h>
#include <termios.h>
#include <unistd.h>

#include "cli.h"
#include "../proto/clock.h"
#include "../proto/line.h"
#include "../proto/msg.h"

#define PORT_NAME	"org.hybridhvm.migrate-notify.0"
#define LOOK_AGAIN_MS	100	/* a port without a host gives EOF and cannot be waited for */

/**
 * struct agent - between a port and the driver
 * @path: of the port: as given, or @found
 * @port: -1 while it cannot be opened
 * @look_at: while nobody is at the host's end: when to look again, else 0
 * @awaited: of the operation that was prepared last
 * @ready: the last "ready", to be said again to a host that asks again
 */
struct agent {
	struct mn_ctx *ctx;
	const char *path;
	char found[PATH_MAX];
	int port;
	uint64_t look_at;
	uint32_t awaited;
	struct mn_msg ready;
	struct mn_lines lines;
};

/* /dev/virtio-ports is udev's; the kernel's own names work without it. */
static int find_port(char *path, size_t size)
{
	char name[128];
	glob_t found;
	ssize_t n;
	int fd, ret = -ENOENT;

	if (glob("/sys/class/virtio-ports/*/name", 0, NULL, &found))
		return -ENOENT;
	for (size_t i = 0; i < found.gl_pathc && ret; i++) {
		fd = open(found.gl_pathv[i], O_RDONLY | O_CLOEXEC);
		n = fd < 0 ? -1 : read(fd, name, sizeof(name) - 1);
		if (fd >= 0)
			close(fd);
		if (n <= 0)
			continue;
		name[n] = '\0';
		name[strcspn(name, "\n")] = '\0';
		if (strcmp(name, PORT_NAME))
			continue;
		/* .../vport1p1/name */
		*strrchr(found.gl_pathv[i], '/') = '\0';
		snprintf(path, size, "/dev%s", strrchr(found.gl_pathv[i], '/'));
		ret = 0;
	}
	globfree(&found);
	return ret;
}

static int open_port(struct agent *a)
{
	struct termios t;

	a->port = open(a->path, O_RDWR | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
	if (a->port < 0)
		return -errno;
	/* A serial line will do as well, without echo and line discipline. */
	if (!tcgetattr(a->port, &t)) {
		cfmakeraw(&t);
		tcsetattr(a->port, TCSANOW, &t);
	}
	memset(&a->lines, 0, sizeof(a->lines));
	a->look_at = 0;
	return 0;
}

/* Who gave no path means the port of that name, which may be another device by now. */
static int open_port_again(struct agent *a)
{
	int ret = a->path == a->found ? find_port(a->found, sizeof(a->found)) : 0;

	return ret ? ret : open_port(a);
}

/* Nobody may be there to read it: they ask again when they are. */
static void say(struct agent *a, const struct mn_msg *m)
{
	char line[MN_LINE_MAX];
	int len = mn_msg_encode(m, line, sizeof(line));

	if (len > 0 && a->port >= 0 && write(a->port, line, len) != len)
		fprintf(stderr, "migrate-notify agent: '%s' did not get out\n",
			mn_msg_type_name(m->type));
}

static void say_type(struct agent *a, enum mn_msg_type type, uint64_t op)
{
	struct mn_msg m = { .type = type, .op = op };

	say(a, &m);
}

static void say_failed(struct agent *a, struct mn_msg *m, const char *text)
{
	fprintf(stderr, "migrate-notify agent: %s\n", text);
	snprintf(m->text, sizeof(m->text), "%s", text);
	say(a, m);
}

static void say_error(struct agent *a, uint64_t op, const char *text)
{
	struct mn_msg m = { .type = MN_MSG_ERROR, .op = op };

	say_failed(a, &m, text);
}

static void say_busy(struct agent *a, uint64_t op)
{
	struct mn_msg m = { .type = MN_MSG_ERROR, .op = op, .busy = true };

	say_failed(a, &m, "another migration is being prepared");
}

static void say_hello(struct agent *a)
{
	struct mn_msg m = { .type = MN_MSG_HELLO, .text = "migrate-notify " HYBRID_VERSION };

	say(a, &m);
}

/* Features that this version does not know are none that programs here could ask for. */
static void known_features(const char *names, __u64 *words)
{
	char name[32];

	while (*names) {
		size_t len = strcspn(names, " ");
		int nr;

		snprintf(name, sizeof(name), "%.*s", (int)len, names);
		nr = mn_feature_find(name);
		if (nr >= 0)
			words[nr / 64] |= 1ull << nr % 64;
		names += len + (names[len] == ' ');
	}
}

/*
 * Asked once more: what the driver says now is the answer, and not what was said of it then. An
 * operation that has ended waits for nobody: "ready" would be a lie.
 */
static void prepare_again(struct agent *a, uint64_t op)
{
	struct mn_msg ready = { .type = MN_MSG_READY, .op = op };
	struct migrate_notify_page p;

	if (mn_page(a->ctx, &p)) {
		say_error(a, op, "the driver's page cannot be read");
	} else if (p.op_id != op || p.phase == MIGRATE_NOTIFY_IDLE) {
		say_error(a, op, "this operation has ended; use another number");
	} else {
		say_type(a, MN_MSG_PREPARING, op);
		if (p.phase == MIGRATE_NOTIFY_PREPARING)
			return;
		/* Told to an agent before this one: how many is not known any more. */
		ready.refused = p.refused;
		ready.late = p.phase == MIGRATE_NOTIFY_TIMED_OUT;
		say(a, a->ready.op == op ? &a->ready : &ready);
	}
}

static void prepare(struct agent *a, const struct mn_msg *m)
{
	struct migrate_notify_inject in = {
		.action = MIGRATE_NOTIFY_INJECT_PREPARE,
		.op_id = m->op,
		.timeout_ms = m->deadline_ms,
	};
	int ret;

	known_features(m->vanish, in.expect_removed);
	known_features(m->appear, in.expect_added);
	ret = mn_inject(a->ctx, &in);
	if (ret == -EBUSY)
		say_busy(a, m->op);
	else if (ret == -EALREADY)
		prepare_again(a, m->op);
	else if (ret)
		say_error(a, m->op, strerror(-ret));
	else
		say_type(a, MN_MSG_PREPARING, m->op);
}

static void complete(struct agent *a, const struct mn_msg *m)
{
	static const uint32_t status[MN_MSG_STATUS_NR] = {
		[MN_MSG_STATUS_UNKNOWN]		= MIGRATE_NOTIFY_UNKNOWN,
		[MN_MSG_STATUS_SUCCESS]		= MIGRATE_NOTIFY_SUCCESS,
		[MN_MSG_STATUS_CANCELLED]	= MIGRATE_NOTIFY_CANCELLED,
		[MN_MSG_STATUS_FAILED]		= MIGRATE_NOTIFY_FAILED,
	};
	struct migrate_notify_inject in = {
		.action = MIGRATE_NOTIFY_INJECT_COMPLETE,
		.op_id = m->op,
		.status = status[m->status],
	};
	int ret = mn_inject(a->ctx, &in);

	/* Done by the event, else: told before, or noticed by another source. */
	if (ret == -EALREADY)
		say_type(a, MN_MSG_COMPLETED, m->op);
	else if (ret)
		say_error(a, m->op, ret == -EBUSY ? "another migration is under way" :
			  strerror(-ret));
}

static void line(struct agent *a, const char *text, size_t len)
{
	const char *why;
	struct mn_msg m;

	if (mn_msg_decode(text, len, &m, &why)) {
		say_error(a, m.op, why);
		return;
	}
	switch (m.type) {
	case MN_MSG_HELLO:
		say_hello(a);
		break;
	case MN_MSG_PREPARE:
		prepare(a, &m);
		break;
	case MN_MSG_COMPLETE:
		complete(a, &m);
		break;
	default:
		say_error(a, m.op, "that is for guests to say");
	}
}

static void port_readable(struct agent *a)
{
	ssize_t n = mn_lines_read(&a->lines, a->port);
	size_t len;
	char *text;
	int ret;

	if (n == -EAGAIN) {
		return;
	} else if (n <= 0) {
		/* EOF: no host. An error: the port may be gone for good, or for a while. */
		if (n < 0) {
			close(a->port);
			a->port = -1;
		}
		memset(&a->lines, 0, sizeof(a->lines));
		a->look_at = mn_now_ms() + LOOK_AGAIN_MS;
		return;
	}
	while ((ret = mn_lines_next(&a->lines, &text, &len))) {
		if (ret < 0)
			say_error(a, 0, "the line is too long");
		else if (len)
			line(a, text, len);
	}
}

static int driver_readable(struct agent *a)
{
	struct migrate_notify_event ev;
	int ret = mn_next(a->ctx, &ev);

	/* Operations that the driver numbered are none of the host's. */
	if (ret <= 0 || ev.op_id > INT64_MAX)
		return ret;
	switch (ev.type) {
	case MIGRATE_NOTIFY_EVENT_PREPARE:
		a->awaited = ev.waiting;
		break;
	case MIGRATE_NOTIFY_EVENT_READY:
	case MIGRATE_NOTIFY_EVENT_TIMED_OUT:
		a->ready = (struct mn_msg){
			.type = MN_MSG_READY, .op = ev.op_id, .late = ev.waiting,
			.acked = a->awaited > ev.waiting ? a->awaited - ev.waiting : 0,
			.refused = ev.refused,
		};
		say(a, &a->ready);
		break;
	case MIGRATE_NOTIFY_EVENT_COMPLETE:
		say_type(a, MN_MSG_COMPLETED, ev.op_id);
		break;
	}
	return 0;
}

static int serve(struct agent *a, int signals)
{
	struct pollfd p[] = {
		{ .fd = signals, .events = POLLIN },
		{ .fd = mn_fd(a->ctx), .events = POLLIN },
		{ .events = POLLIN },
	};
	int ret;

	for (;;) {
		p[2].fd = a->look_at ? -1 : a->port;
		if (poll(p, 3, a->look_at ? mn_ms_left(a->look_at) : -1) < 0)
			return -errno;
		if (p[0].revents)
			return 0;
		if (p[1].revents) {
			ret = driver_readable(a);
			if (ret < 0)
				return ret;
		}
		if (a->look_at && mn_now_ms() >= a->look_at) {
			a->look_at = 0;
			if (a->port < 0 && open_port_again(a))
				a->look_at = mn_now_ms() + 10 * LOOK_AGAIN_MS;
			else
				port_readable(a);
		} else if (p[2].revents) {
			port_readable(a);
		}
	}
}

int cli_agent(struct cli *c)
{
	struct agent a = { .path = c->port };
	sigset_t mask;
	int ret, signals;

	if (!c->port) {
		ret = find_port(a.found, sizeof(a.found));
		if (ret)
			return cli_fail(c, ret, "no virtio-serial port named " PORT_NAME);
		a.path = a.found;
	}
	ret = cli_open(c, &a.ctx, "agent", MN_OPEN_REQUIRED);
	if (ret)
		return ret;
	ret = mn_subscribe(a.ctx, MIGRATE_NOTIFY_MASK_DEFAULT |
			   MIGRATE_NOTIFY_MASK(MIGRATE_NOTIFY_EVENT_READY) |
			   MIGRATE_NOTIFY_MASK(MIGRATE_NOTIFY_EVENT_TIMED_OUT),
			   MIGRATE_NOTIFY_CURSOR_NOW, 0);
	if (!ret)
		ret = open_port(&a);
	sigemptyset(&mask);
	sigaddset(&mask, SIGTERM);
	sigaddset(&mask, SIGINT);
	sigprocmask(SIG_BLOCK, &mask, NULL);
	signals = signalfd(-1, &mask, SFD_CLOEXEC);
	if (!ret && signals < 0)
		ret = -errno;
	if (!ret) {
		say_hello(&a);
		ret = serve(&a, signals);
	}
	if (a.port >= 0)
		close(a.port);
	mn_close(a.ctx);
	return ret ? cli_fail(c, ret, a.path) : CLI_OK;
}
