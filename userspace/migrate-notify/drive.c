// SPDX-License-Identifier: GPL-2.0-only
/* Taking part: watch, ack, simulate, inhibit. */
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli.h"
#include "../proto/clock.h"

#define ALL_EVENTS	((MIGRATE_NOTIFY_MASK(MIGRATE_NOTIFY_EVENT_TYPES) - 1) & \
			 ~MIGRATE_NOTIFY_MASK(0))

static int ack(const struct cli *c, struct mn_ctx *ctx, uint64_t op)
{
	int ret = c->refuse ? mn_refuse(ctx, op) : mn_ack(ctx, op);

	/* Too late is no failure of ours: the migration went on, as it may. */
	return ret == -ESTALE ? 0 : ret;
}

/*
 * watch
 */

static void set_env(const char *name, const char *format, uint64_t v)
{
	char text[32];

	snprintf(text, sizeof(text), format, v);
	setenv(name, text, 1);
}

/* What --run runs learns of the event by its environment. */
static int run(const struct cli *c, const struct migrate_notify_event *ev)
{
	char added[2048], removed[2048];
	int status;
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (pid < 0)
		return -errno;
	if (!pid) {
		cli_feature_text(ev->added, added, sizeof(added));
		cli_feature_text(ev->removed, removed, sizeof(removed));
		setenv("PHASE", mn_type_name(ev->type), 1);
		setenv("STATUS", mn_status_name(ev->status), 1);
		setenv("ADDED", added, 1);
		setenv("REMOVED", removed, 1);
		set_env("OP", "%" PRIu64, ev->op_id);
		set_env("SEQ", "%" PRIu64, ev->seq);
		set_env("DEADLINE_NS", "%" PRIu64, ev->deadline_ns);
		execl("/bin/sh", "sh", "-c", c->run, NULL);
		_exit(127);
	}
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return -errno;
	if (!WIFEXITED(status) || WEXITSTATUS(status))
		fprintf(stderr, "migrate-notify watch: '%s' failed on %s\n", c->run,
			mn_type_name(ev->type));
	return 0;
}

static int watch_one(const struct cli *c, struct mn_ctx *ctx)
{
	struct migrate_notify_event ev;
	int ret = mn_next(ctx, &ev);

	if (ret <= 0)
		return ret;
	cli_print_event(c, ctx, &ev);
	if (fflush(stdout))
		return -errno;
	if (c->run)
		ret = run(c, &ev);
	if (ret >= 0 && c->ack && ev.type == MIGRATE_NOTIFY_EVENT_PREPARE)
		ret = ack(c, ctx, ev.op_id);
	return ret < 0 ? ret : 1;
}

int cli_watch(struct cli *c)
{
	uint64_t until = mn_now_ms() + c->timeout_ms;
	struct mn_ctx *ctx;
	int64_t seen = 0;
	int ret = cli_open(c, &ctx, c->why, MN_OPEN_REQUIRED | (c->ack ? MN_OPEN_DELAY : 0));

	if (ret)
		return ret;
	if (c->all || c->since >= 0)
		ret = mn_subscribe(ctx, c->all ? ALL_EVENTS : 0, c->since < 0 ?
				   MIGRATE_NOTIFY_CURSOR_NOW : (uint64_t)c->since, c->instance);
	while (!ret && (c->count < 0 || seen < c->count)) {
		ret = mn_wait(ctx, c->timeout_ms < 0 ? -1 : mn_ms_left(until));
		if (!ret)
			ret = -ETIMEDOUT;
		if (ret > 0)
			ret = watch_one(c, ctx);
		if (ret > 0) {
			seen++;
			ret = 0;
		}
	}
	mn_close(ctx);
	return ret ? cli_fail(c, ret, "watching") : CLI_OK;
}

/*
 * ack: by a descriptor that a shell script holds, since each descriptor is a subscriber
 */

/* Without an operation: from now on, migrations wait for it. */
static int subscribe(const struct cli *c)
{
	struct migrate_notify_subscribe s = {
		.flags = MIGRATE_NOTIFY_SUBSCRIBE_DELAY,
		.cursor = MIGRATE_NOTIFY_CURSOR_NOW,
	};

	snprintf(s.name, sizeof(s.name), "%s", c->why ? c->why : "script");
	return ioctl(c->fd, MIGRATE_NOTIFY_IOC_SUBSCRIBE, &s) ?
		cli_fail(c, -errno, "the descriptor") : CLI_OK;
}

int cli_ack(struct cli *c)
{
	struct migrate_notify_ack a = { .flags = c->refuse ? MIGRATE_NOTIFY_ACK_REFUSE : 0 };
	char *end;

	if (!c->rest[0])
		return subscribe(c);
	errno = 0;
	a.op_id = strtoull(c->rest[0], &end, 0);
	if (errno || *end || end == c->rest[0] || c->rest[0][0] == '-' || c->rest[1]) {
		fprintf(stderr, "migrate-notify ack: '%s' is not an operation\n",
			c->rest[1] ? c->rest[1] : c->rest[0]);
		return CLI_USAGE;
	}
	if (write(c->fd, &a, sizeof(a)) == sizeof(a))
		return CLI_OK;
	return cli_fail(c, -errno, errno == ESTALE ? "too late" : "the ack");
}

/*
 * simulate
 */

/* As mn_wait(), but what is in @signals, a signalfd, ends it. */
static int wait_event(struct mn_ctx *ctx, int signals, int timeout_ms)
{
	struct pollfd p[] = {
		{ .fd = signals, .events = POLLIN },
		{ .fd = ctx ? mn_fd(ctx) : -1, .events = POLLIN },
	};
	int ret = poll(p, 2, timeout_ms);

	if (ret < 0)
		return -errno;
	if (p[0].revents)
		return -EINTR;
	return ret && !(p[1].revents & POLLIN) ? -EIO : ret;
}

/* Until READY or TIMED_OUT of @op: 0, or a negative errno. */
static int wait_ready(const struct cli *c, struct mn_ctx *ctx, uint64_t op, int signals,
		      struct migrate_notify_event *ev)
{
	int ret;

	/* The driver keeps the deadline; this is for a driver that does not. */
	while ((ret = wait_event(ctx, signals, 1900000)) > 0) {
		ret = mn_next(ctx, ev);
		if (ret < 0)
			return ret;
		if (!ret || ev->op_id != op)
			continue;
		cli_print_event(c, ctx, ev);
		fflush(stdout);
		if (ev->type == MIGRATE_NOTIFY_EVENT_READY ||
		    ev->type == MIGRATE_NOTIFY_EVENT_TIMED_OUT)
			return 0;
		if (ev->type == MIGRATE_NOTIFY_EVENT_COMPLETE)
			return -ECANCELED;
	}
	return ret ? ret : -ETIMEDOUT;
}

/* The rest of the drill's events, up to COMPLETE. */
static int print_rest(const struct cli *c, struct mn_ctx *ctx, uint64_t op)
{
	struct migrate_notify_event ev;
	int ret;

	while ((ret = mn_wait(ctx, 1000)) > 0) {
		ret = mn_next(ctx, &ev);
		if (ret < 0)
			return ret;
		if (!ret || ev.op_id != op)
			continue;
		cli_print_event(c, ctx, &ev);
		if (ev.type == MIGRATE_NOTIFY_EVENT_COMPLETE)
			return 0;
	}
	return ret ? ret : -ETIMEDOUT;
}

/* From READY on. */
static int play_move(struct cli *c, struct mn_ctx *ctx, uint64_t op, int signals)
{
	struct migrate_notify_inject in = {
		.action = MIGRATE_NOTIFY_INJECT_MOVING, .op_id = op,
		.flags = MIGRATE_NOTIFY_INJECT_SIMULATE,
	};
	int ret = mn_inject(ctx, &in);

	if (!ret && c->moving_ms > 0)
		ret = wait_event(NULL, signals, c->moving_ms);
	if (ret)
		return ret;
	in = (struct migrate_notify_inject){
		.action = MIGRATE_NOTIFY_INJECT_COMPLETE, .op_id = op,
		.flags = MIGRATE_NOTIFY_INJECT_SIMULATE,
		.status = c->status < 0 ? MIGRATE_NOTIFY_SUCCESS : (uint32_t)c->status,
	};
	return mn_inject(ctx, &in);
}

static int drill(struct cli *c, struct mn_ctx *ctx, int signals, bool *late)
{
	struct migrate_notify_inject in = {
		.action = MIGRATE_NOTIFY_INJECT_PREPARE,
		.flags = MIGRATE_NOTIFY_INJECT_SIMULATE,
		.timeout_ms = c->timeout_ms < 0 ? 0 : c->timeout_ms,
	};
	struct migrate_notify_event ev;
	uint64_t op;
	int ret;

	memcpy(in.expect_added, c->appear, sizeof(c->appear));
	memcpy(in.expect_removed, c->vanish, sizeof(c->vanish));
	ret = mn_inject(ctx, &in);
	if (ret)
		return ret;
	op = in.op_id;
	ret = wait_ready(c, ctx, op, signals, &ev);
	if (!ret) {
		*late = ev.type == MIGRATE_NOTIFY_EVENT_TIMED_OUT;
		ret = play_move(c, ctx, op, signals);
	}
	if (ret && ret != -ECANCELED) {
		/* Nobody else would end it, and programs would wait for that. */
		in = (struct migrate_notify_inject){
			.action = MIGRATE_NOTIFY_INJECT_COMPLETE, .op_id = op,
			.flags = MIGRATE_NOTIFY_INJECT_SIMULATE,
			.status = MIGRATE_NOTIFY_CANCELLED,
		};
		mn_inject(ctx, &in);
		return ret;
	}
	return ret ? ret : print_rest(c, ctx, op);
}

int cli_simulate(struct cli *c)
{
	struct mn_ctx *ctx;
	bool late = false;
	sigset_t mask;
	int ret = cli_open(c, &ctx, "simulate", MN_OPEN_REQUIRED), signals;

	if (ret)
		return ret;
	sigemptyset(&mask);
	sigaddset(&mask, SIGTERM);
	sigaddset(&mask, SIGINT);
	sigaddset(&mask, SIGHUP);
	sigprocmask(SIG_BLOCK, &mask, NULL);
	signals = signalfd(-1, &mask, SFD_CLOEXEC);
	/* Who reads our output may go away, too. */
	signal(SIGPIPE, SIG_IGN);
	ret = signals < 0 ? -errno : mn_subscribe(ctx, ALL_EVENTS, MIGRATE_NOTIFY_CURSOR_NOW,
							0);
	if (!ret)
		ret = drill(c, ctx, signals, &late);
	mn_close(ctx);
	if (ret)
		return cli_fail(c, ret, ret == -ECANCELED ? "a real migration came between" :
				ret == -EBUSY ? "a migration is being prepared" : "the drill");
	return late ? CLI_TIMEOUT : CLI_OK;
}

/*
 * inhibit
 */

static pid_t start(char **argv, const sigset_t *mask)
{
	pid_t pid = fork();

	if (pid)
		return pid;
	sigprocmask(SIG_SETMASK, mask, NULL);
	execvp(argv[0], argv);
	fprintf(stderr, "migrate-notify inhibit: %s: %s\n", argv[0], strerror(errno));
	_exit(errno == ENOENT ? 127 : 126);
}

/* One event while the command runs: a PREPARE waits for its end, or is refused. */
static int hold(const struct cli *c, struct mn_ctx *ctx, const char *command)
{
	struct migrate_notify_event ev;
	int ret = mn_next(ctx, &ev);

	if (ret <= 0 || ev.type != MIGRATE_NOTIFY_EVENT_PREPARE)
		return ret < 0 ? ret : 0;
	fprintf(stderr, "migrate-notify inhibit: a migration %s '%s'\n",
		c->refuse ? "was refused because of" : "waits for", command);
	return c->refuse ? ack(c, ctx, ev.op_id) : 0;
}

/* @signals: a signalfd of SIGCHLD and of what is passed on. Return: wait status or -errno. */
static int wait_for(const struct cli *c, struct mn_ctx *ctx, pid_t pid, int signals)
{
	struct pollfd p[] = {
		{ .fd = signals, .events = POLLIN }, { .fd = mn_fd(ctx), .events = POLLIN },
	};
	struct signalfd_siginfo info;
	int status, ret;

	for (;;) {
		ret = waitpid(pid, &status, WNOHANG);
		if (ret)
			return ret == pid ? status : -errno;
		if (poll(p, 2, -1) < 0 && errno != EINTR)
			return -errno;
		if (p[0].revents && read(signals, &info, sizeof(info)) == sizeof(info) &&
		    info.ssi_signo != SIGCHLD)
			kill(pid, info.ssi_signo);
		if (p[1].revents) {
			ret = hold(c, ctx, c->rest[0]);
			/* The command runs all the same, and its exit code is wanted. */
			if (ret) {
				cli_fail(c, ret, "events (migrations wait all the same)");
				p[1].fd = -1;
			}
		}
	}
}

int cli_inhibit(struct cli *c)
{
	sigset_t mask, old;
	struct mn_ctx *ctx;
	int ret, signals;
	pid_t pid;

	if (!c->rest[0]) {
		fputs("migrate-notify inhibit: no command; inhibit -- COMMAND...\n", stderr);
		return CLI_USAGE;
	}
	ret = cli_open(c, &ctx, c->why ? c->why : c->rest[0], MN_OPEN_DELAY);
	if (ret)
		return ret;
	if (mn_supported(ctx))
		fputs("migrate-notify inhibit: no driver: nothing is inhibited\n", stderr);
	sigemptyset(&mask);
	sigaddset(&mask, SIGCHLD);
	sigaddset(&mask, SIGTERM);
	sigaddset(&mask, SIGHUP);
	/* The terminal sends these to the command as well. */
	sigaddset(&mask, SIGINT);
	sigaddset(&mask, SIGQUIT);
	sigprocmask(SIG_BLOCK, &mask, &old);
	sigdelset(&mask, SIGINT);
	sigdelset(&mask, SIGQUIT);
	signals = signalfd(-1, &mask, SFD_CLOEXEC | SFD_NONBLOCK);
	pid = signals < 0 ? -1 : start(c->rest, &old);
	ret = pid < 0 ? -errno : wait_for(c, ctx, pid, signals);
	mn_close(ctx);	/* which acks what waited for us */
	if (ret < 0)
		return cli_fail(c, ret, "waiting for the command");
	return WIFEXITED(ret) ? WEXITSTATUS(ret) : 128 + WTERMSIG(ret);
}
