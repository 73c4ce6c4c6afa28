// SPDX-License-Identifier: GPL-2.0-only
/*
 * migrate-notify-host: on the machine that moves a guest. Lets the guest prepare, runs the
 * command that moves it, and tells the guest how that went.
 */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/wait.h>
#include <unistd.h>

#include "host.h"
#include "../proto/clock.h"

/* Exit codes, part of the interface: see migrate-notify-host(8). */
enum {
	EXIT_OK		= 0,
	EXIT_FAILED	= 1,
	EXIT_USAGE	= 2,
	EXIT_NO_GUEST	= 3,
	EXIT_LATE	= 4,
	EXIT_REFUSED	= 5,
};

#define XENSTORE_SOCKET	"/run/xenstored/socket"
/* A guest that has an agent says so at once; one without is not waited for. */
#define SILENCE_MS	3000
#define COMPLETE_MS	10000
/* What the guest's answer may take beyond its deadline. */
#define GRACE_MS	2000
#define BUSY_MS		200	/* until the next try while another migration is prepared */

struct args {
	struct mnh_channel here, there;
	struct mn_msg prepare;
	enum mn_msg_status status;
	bool require, have_status, have_op;
	bool rejected;		/* the guest knows nothing of our operation */
	char **command;
};

static volatile bool stop;
static volatile pid_t child;

static void on_signal(int sig, siginfo_t *info, void *context)
{
	(void)context;
	stop = true;
	/* What a terminal sends it sends to the command as well. */
	if (child > 0 && info->si_code <= 0)
		kill(child, sig);
}

static void signals(sigset_t *set)
{
	sigemptyset(set);
	sigaddset(set, SIGTERM);
	sigaddset(set, SIGINT);
	sigaddset(set, SIGHUP);
}

int mnh_ask(const struct mnh_channel *c, const struct mn_msg *ask, enum mn_msg_type wanted,
	    int silence_ms, int timeout_ms, struct mn_msg *answer, const volatile bool *stopped)
{
	return (c->port ? mnh_port_ask : mnh_xen_ask)(c, ask, wanted, silence_ms, timeout_ms,
						      answer, stopped);
}

static const char *reason(int err, const struct mn_msg *answer)
{
	switch (err) {
	case -ENOTCONN:
		return "nobody answers (no agent or driver in the guest?)";
	case -ETIMEDOUT:
		return "no answer in time";
	case -EREMOTEIO:
		return *answer->text ? answer->text : "the guest cannot";
	default:
		return strerror(-err);
	}
}

/* EXIT_OK: go ahead. */
static int prepare(struct args *a)
{
	uint64_t until = mn_now_ms() + a->prepare.deadline_ms;
	struct mn_msg answer = { 0 };
	int ret;

	/* Another one's migration may end before our time is up. */
	for (;;) {
		ret = mnh_ask(&a->here, &a->prepare, MN_MSG_READY, SILENCE_MS,
			      a->prepare.deadline_ms + GRACE_MS, &answer, &stop);
		a->rejected = ret == -EREMOTEIO;
		if (!a->rejected || !answer.busy || stop || mn_now_ms() >= until)
			break;
		poll(NULL, 0, BUSY_MS);
	}
	if (ret == -EINTR)
		return EXIT_FAILED;
	if (ret) {
		fprintf(stderr, "migrate-notify-host: prepare: %s\n", reason(ret, &answer));
		return ret == -ETIMEDOUT ? EXIT_LATE : EXIT_NO_GUEST;
	}
	printf("op %" PRIu64 ": %s, %" PRIu32 " late, %" PRIu32 " refused\n", a->prepare.op,
	       answer.late ? "timed out" : "ready", answer.late, answer.refused);
	fflush(stdout);
	return answer.refused ? EXIT_REFUSED : answer.late ? EXIT_LATE : EXIT_OK;
}

static int complete(const struct args *a, const struct mnh_channel *where,
		    enum mn_msg_status status, int silence_ms)
{
	const volatile bool never = false;
	struct mn_msg answer = { 0 }, m = {
		.type = MN_MSG_COMPLETE, .op = a->prepare.op, .status = status,
	};
	int ret = mnh_ask(where, &m, MN_MSG_COMPLETED, silence_ms, COMPLETE_MS, &answer, &never);

	if (ret) {
		fprintf(stderr, "migrate-notify-host: complete: %s\n", reason(ret, &answer));
		return ret == -ETIMEDOUT ? EXIT_LATE : EXIT_NO_GUEST;
	}
	printf("op %" PRIu64 ": complete, %s\n", a->prepare.op, mn_msg_status_name(status));
	return EXIT_OK;
}

/*
 * Return: its exit code, or 128 + signal; -EINTR: a signal came before it was started. From the
 * look at @stop until @child is known, and while @child ends, a signal has to wait: it would
 * reach nobody, or a stranger.
 */
static int run_command(char **argv)
{
	siginfo_t info;
	sigset_t set, old;
	int status, ret;
	pid_t pid;

	signals(&set);
	sigprocmask(SIG_BLOCK, &set, &old);
	if (stop) {
		sigprocmask(SIG_SETMASK, &old, NULL);
		return -EINTR;
	}
	pid = fork();
	if (!pid) {
		signal(SIGTERM, SIG_DFL);
		signal(SIGINT, SIG_DFL);
		signal(SIGHUP, SIG_DFL);
		signal(SIGPIPE, SIG_DFL);
		sigprocmask(SIG_SETMASK, &old, NULL);
		execvp(argv[0], argv);
		fprintf(stderr, "migrate-notify-host: %s: %s\n", argv[0], strerror(errno));
		_exit(127);
	}
	if (pid < 0)
		fprintf(stderr, "migrate-notify-host: fork: %s\n", strerror(errno));
	child = pid;
	sigprocmask(SIG_SETMASK, &old, NULL);
	if (pid < 0)
		return 126;
	do
		ret = waitid(P_PID, pid, &info, WEXITED | WNOWAIT);
	while (ret < 0 && errno == EINTR);
	sigprocmask(SIG_BLOCK, &set, NULL);
	ret = waitpid(pid, &status, 0);
	child = 0;
	sigprocmask(SIG_SETMASK, &old, NULL);
	if (ret < 0)
		return 126;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static int do_run(struct args *a)
{
	const struct mnh_channel *after = &a->here;
	enum mn_msg_status status;
	int ready = prepare(a), code = -EINTR, told;

	if (!ready || !a->require)
		code = run_command(a->command);
	if (code == -EINTR) {
		if (!a->rejected)
			complete(a, &a->here, MN_MSG_STATUS_CANCELLED, SILENCE_MS);
		return stop ? EXIT_FAILED : ready;
	}
	/* The nodes are gone with the domain; on the far side the guest notices by itself. */
	if (!code && !a->here.port)
		return ready;
	/* So it does where its port went with it. */
	if (!code && !a->there.port && access(a->here.port, F_OK))
		return ready;
	status = !code ? MN_MSG_STATUS_SUCCESS : stop ? MN_MSG_STATUS_CANCELLED :
		 MN_MSG_STATUS_FAILED;
	if (code)
		fprintf(stderr, "migrate-notify-host: '%s' ended with %d\n", a->command[0], code);
	else if (a->there.port)
		after = &a->there;
	/* It would end the migration that the guest was asked to prepare for by another. */
	if (a->rejected)
		return code ? EXIT_FAILED : ready;
	/*
	 * A guest that never answered is not waited for long, nor the port that it had before it
	 * was moved: there it may be, or not.
	 */
	told = complete(a, after, status, ready == EXIT_NO_GUEST || (!code && !a->there.port) ?
			SILENCE_MS : COMPLETE_MS);
	if (!code && !a->there.port)
		told = EXIT_OK;
	return code ? EXIT_FAILED : ready ? ready : told;
}

static int do_prepare(struct args *a)
{
	int ret;

	/* Who ends us while we wait can still tell the guest, and so do we. */
	if (!a->have_op) {
		printf("op %" PRIu64 "\n", a->prepare.op);
		fflush(stdout);
	}
	ret = prepare(a);
	if (stop && !a->rejected)
		complete(a, &a->here, MN_MSG_STATUS_CANCELLED, SILENCE_MS);
	return stop ? EXIT_FAILED : ret;
}

static int do_complete(struct args *a)
{
	if (!a->have_status) {
		fputs("migrate-notify-host complete: --status is missing\n", stderr);
		return EXIT_USAGE;
	}
	return complete(a, &a->here, a->status, COMPLETE_MS);
}

/*
 * The command line
 */

enum {
	OPT_PORT = 256, OPT_DEST_PORT, OPT_XEN, OPT_XENSTORE, OPT_DEADLINE, OPT_OP, OPT_VANISH,
	OPT_APPEAR, OPT_REQUIRE, OPT_STATUS,
};

static const struct option options[] = {
	{ "help", no_argument, NULL, 'h' },
	{ "version", no_argument, NULL, 'V' },
	{ "port", required_argument, NULL, OPT_PORT },
	{ "dest-port", required_argument, NULL, OPT_DEST_PORT },
	{ "xen", required_argument, NULL, OPT_XEN },
	{ "xenstore", required_argument, NULL, OPT_XENSTORE },
	{ "deadline", required_argument, NULL, OPT_DEADLINE },
	{ "op", required_argument, NULL, OPT_OP },
	{ "vanish", required_argument, NULL, OPT_VANISH },
	{ "appear", required_argument, NULL, OPT_APPEAR },
	{ "require", no_argument, NULL, OPT_REQUIRE },
	{ "status", required_argument, NULL, OPT_STATUS },
	{ 0 }
};

static void usage(FILE *out)
{
	fputs("Usage: migrate-notify-host run CHANNEL [OPTION...] -- COMMAND...\n"
	      "       migrate-notify-host prepare CHANNEL [OPTION...]\n"
	      "       migrate-notify-host complete CHANNEL --op N --status STATUS\n"
	      "\n"
	      "Channel to the guest:\n"
	      "  --port PATH        socket of its virtio-serial port\n"
	      "  --dest-port PATH   run: and the one it has after a successful migration\n"
	      "  --xen DOMID        xenstore\n"
	      "  --xenstore PATH    socket of xenstored (default " XENSTORE_SOCKET ")\n"
	      "\n"
	      "Options:\n"
	      "  --deadline MS      how long the guest may take to prepare (default 10000)\n"
	      "  --op N             number of the migration (default: a random one)\n"
	      "  --vanish NAMES     features that the destination lacks, \"aes,avx2\"\n"
	      "  --appear NAMES     features that only the destination has\n"
	      "  --require          do not migrate unless all is ready and nobody refuses\n"
	      "  --status STATUS    success, cancelled, failed, unknown\n"
	      "\n"
	      "See migrate-notify-host(8).\n", out);
}

static int number(const char *what, int64_t min, int64_t max, int64_t *out)
{
	char *end;

	errno = 0;
	*out = strtoll(optarg, &end, 10);
	if (!errno && *optarg >= '0' && *optarg <= '9' && !*end && *out >= min && *out <= max)
		return 0;
	fprintf(stderr, "migrate-notify-host: %s '%s' is not a number from %" PRId64 " to %" PRId64
		"\n", what, optarg, min, max);
	return -EINVAL;
}

/* The host may know features that this program does not: only their form is looked at. */
static int names(char *out, size_t size)
{
	size_t n = strlen(optarg);
	char *o = out;

	if (n >= size ||
	    strspn(optarg, "abcdefghijklmnopqrstuvwxyz0123456789_.-, ") != n) {
		fprintf(stderr, "migrate-notify-host: '%s' are no names of features\n", optarg);
		return -EINVAL;
	}
	/* One blank between two names, and none elsewhere. */
	*o = '\0';
	for (const char *p = optarg; *(p += strspn(p, ", ")); p += n) {
		n = strcspn(p, ", ");
		o += sprintf(o, "%s%.*s", o > out ? " " : "", (int)n, p);
	}
	return 0;
}

static int option(struct args *a, int opt)
{
	int64_t v = 0;
	int ret = 0;

	switch (opt) {
	case OPT_PORT:
		a->here.port = optarg;
		break;
	case OPT_DEST_PORT:
		a->there.port = optarg;
		break;
	case OPT_XEN:
		ret = number("domain", 1, 32751, &v);
		a->here.domid = v;
		break;
	case OPT_XENSTORE:
		a->here.xenstore = optarg;
		break;
	case OPT_DEADLINE:
		ret = number("deadline", 1, MN_MSG_DEADLINE_MAX_MS, &v);
		a->prepare.deadline_ms = v;
		break;
	case OPT_OP:
		ret = number("operation", 1, INT64_MAX - 1, &v);
		a->prepare.op = v;
		a->have_op = true;
		break;
	case OPT_VANISH:
		a->prepare.hints |= MN_MSG_HINT_VANISH;
		return names(a->prepare.vanish, sizeof(a->prepare.vanish));
	case OPT_APPEAR:
		a->prepare.hints |= MN_MSG_HINT_APPEAR;
		return names(a->prepare.appear, sizeof(a->prepare.appear));
	case OPT_REQUIRE:
		a->require = true;
		break;
	default:
		ret = mn_msg_status_find(optarg);
		if (ret < 0) {
			fprintf(stderr, "migrate-notify-host: status '%s' is none of success, "
				"cancelled, failed, unknown\n", optarg);
			return ret;
		}
		a->status = ret;
		a->have_status = true;
		return 0;
	}
	return ret;
}

static const struct command {
	const char *name;
	int (*run)(struct args *a);
} commands[] = {
	{ "run", do_run }, { "prepare", do_prepare }, { "complete", do_complete },
};

static int complain(const char *text)
{
	fprintf(stderr, "migrate-notify-host: %s (see --help)\n", text);
	return EXIT_USAGE;
}

int main(int argc, char **argv)
{
	struct args a = {
		.here.xenstore = XENSTORE_SOCKET,
		.prepare = { .type = MN_MSG_PREPARE, .deadline_ms = MN_MSG_DEADLINE_DEFAULT_MS },
	};
	struct sigaction sa = { .sa_sigaction = on_signal, .sa_flags = SA_SIGINFO };
	const struct command *cmd = NULL;
	int opt;

	/* Ignored, as some leave it, wait() would find no child. */
	signal(SIGCHLD, SIG_DFL);
	/* Nobody may read what we print; the guest has to be told all the same. */
	signal(SIGPIPE, SIG_IGN);
	for (size_t i = 0; argc > 1 && i < sizeof(commands) / sizeof(commands[0]); i++)
		if (!strcmp(argv[1], commands[i].name))
			cmd = &commands[i];
	if (!cmd && argc > 1 && *argv[1] != '-')
		return complain("the commands are run, prepare, complete");
	optind = cmd ? 2 : 1;
	while ((opt = getopt_long(argc, argv, "+hV", options, NULL)) != -1) {
		if (opt == 'h') {
			usage(stdout);
			return EXIT_OK;
		}
		if (opt == 'V') {
			puts("migrate-notify-host " HYBRID_VERSION);
			return EXIT_OK;
		}
		if (opt == '?' || option(&a, opt))
			return EXIT_USAGE;
	}
	a.command = argv + optind;
	if (!cmd)
		return complain("no command");
	if (!a.here.port == !a.here.domid)
		return complain("one of --port and --xen is needed");
	if ((cmd->run == do_run) != !!a.command[0])
		return complain(a.command[0] ? "only run takes a command" : "run needs a command");
	if (!a.prepare.op && cmd->run == do_complete)
		return complain("complete needs --op");
	while (!a.prepare.op) {
		if (getrandom(&a.prepare.op, sizeof(a.prepare.op), 0) != sizeof(a.prepare.op))
			return complain("no random numbers");
		a.prepare.op >>= 11;	/* exact in any JSON parser */
	}
	sigaction(SIGTERM, &sa, NULL);
	sigaction(SIGINT, &sa, NULL);
	sigaction(SIGHUP, &sa, NULL);
	return cmd->run(&a);
}
