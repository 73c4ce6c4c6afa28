// SPDX-License-Identifier: GPL-2.0-only
/* migrate-notify: what the driver knows of live migrations, for people, scripts and operators. */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli.h"
#include "../proto/msg.h"

enum {
	OPT_JSON = 256, OPT_ALL, OPT_ACK, OPT_REFUSE, OPT_TIMEOUT, OPT_MOVING, OPT_FD, OPT_STATUS,
	OPT_SINCE, OPT_INSTANCE, OPT_WHY, OPT_RUN, OPT_PORT, OPT_VANISH, OPT_APPEAR, OPT_VERSION,
};

#define FLAG(name, c)	{ name, no_argument, NULL, c }
#define VALUE(name, c)	{ name, required_argument, NULL, c }
#define COMMON		FLAG("help", 'h')

static const struct command {
	const char *name;
	int (*run)(struct cli *c);
	const char *synopsis;
	const char *summary;
	bool operands;
	struct option options[11];
} commands[] = {
	{
		"status", cli_status, "[--json]", "the operation under way, sources, CPU",
		false, { COMMON, FLAG("json", OPT_JSON), { 0 } },
	}, {
		"watch", cli_watch, "[--all] [--since SEQ [--instance N]] [-n COUNT] [--timeout MS]\n"
		"                            [--ack] [--run COMMAND] [--why TEXT] [--json]",
		"events as they come", false,
		{ COMMON, FLAG("json", OPT_JSON), FLAG("all", OPT_ALL), VALUE("since", OPT_SINCE),
		  VALUE("instance", OPT_INSTANCE), VALUE("count", 'n'), VALUE("timeout", OPT_TIMEOUT), FLAG("ack", OPT_ACK),
		  VALUE("run", OPT_RUN), VALUE("why", OPT_WHY), { 0 } },
	}, {
		"list", cli_list, "[--json]", "who watches, who delays, how fast they acknowledge",
		false, { COMMON, FLAG("json", OPT_JSON), { 0 } },
	}, {
		"ack", cli_ack, "--fd N [--why TEXT] | --fd N [--refuse] OP",
		"delay and acknowledge, for shell scripts", true,
		{ COMMON, VALUE("fd", OPT_FD), FLAG("refuse", OPT_REFUSE), VALUE("why", OPT_WHY),
		  { 0 } },
	}, {
		"features", cli_features, "[--all] [--json] [NAME...]",
		"what the CPU can do now, and why not", true,
		{ COMMON, FLAG("json", OPT_JSON), FLAG("all", OPT_ALL), { 0 } },
	}, {
		"history", cli_history, "[--since SEQ [--instance N]] [-n COUNT] [--json]",
		"the events that are kept", false,
		{ COMMON, FLAG("json", OPT_JSON), VALUE("since", OPT_SINCE),
		  VALUE("instance", OPT_INSTANCE), VALUE("count", 'n'), { 0 } },
	}, {
		"simulate", cli_simulate, "[--timeout MS] [--moving MS] [--status STATUS]\n"
		"                               [--vanish NAMES] [--appear NAMES] [--json]",
		"a drill: everybody prepares, nothing moves", false,
		{ COMMON, FLAG("json", OPT_JSON), VALUE("timeout", OPT_TIMEOUT),
		  VALUE("moving", OPT_MOVING), VALUE("status", OPT_STATUS),
		  VALUE("vanish", OPT_VANISH), VALUE("appear", OPT_APPEAR), { 0 } },
	}, {
		"inhibit", cli_inhibit, "[--refuse] [--why TEXT] -- COMMAND...",
		"migrations wait while a command runs", true,
		{ COMMON, FLAG("refuse", OPT_REFUSE), VALUE("why", OPT_WHY), { 0 } },
	}, {
		"agent", cli_agent, "[--port PATH]",
		"do what a host asks for by a virtio-serial port", false,
		{ COMMON, VALUE("port", OPT_PORT), { 0 } },
	},
};

#define NR_COMMANDS	((int)(sizeof(commands) / sizeof(commands[0])))

int cli_fail(const struct cli *c, int err, const char *doing)
{
	fflush(stdout);
	switch (err) {
	case -ENODEV:
		fprintf(stderr, "migrate-notify %s: no driver (modprobe migrate_notify)\n",
			c->name);
		return CLI_NO_DRIVER;
	case -EACCES:
	case -EPERM:
		fprintf(stderr, "migrate-notify %s: permission denied (who delays is in the group "
			MIGRATE_NOTIFY_GROUP "; who injects is root)\n", c->name);
		return CLI_DENIED;
	case -ETIMEDOUT:
		fprintf(stderr, "migrate-notify %s: not in time\n", c->name);
		return CLI_TIMEOUT;
	default:
		fprintf(stderr, "migrate-notify %s: %s: %s\n", c->name, doing, strerror(-err));
		return CLI_FAILURE;
	}
}

int cli_open(const struct cli *c, struct mn_ctx **ctx, const char *name, unsigned int flags)
{
	int ret = mn_open(ctx, name, flags);

	return ret ? cli_fail(c, ret, MIGRATE_NOTIFY_DEVICE) : CLI_OK;
}

/* A decimal number, whole. */
static int number(const struct cli *c, const char *what, int64_t min, int64_t max, int64_t *out)
{
	char *end;

	errno = 0;
	*out = strtoll(optarg, &end, 10);
	if (!errno && *optarg >= '0' && *optarg <= '9' && !*end && *out >= min && *out <= max)
		return 0;
	fprintf(stderr, "migrate-notify %s: %s '%s' is not a number from %lld to %lld\n", c->name,
		what, optarg, (long long)min, (long long)max);
	return -EINVAL;
}

static int small_number(const struct cli *c, const char *what, int64_t min, int64_t max, int *out)
{
	int64_t v;
	int ret = number(c, what, min, max, &v);

	*out = ret ? -1 : v;
	return ret;
}

/* Above what number() takes. */
static int instance(struct cli *c)
{
	char *end;

	errno = 0;
	c->instance = strtoull(optarg, &end, 10);
	if (!errno && *optarg >= '0' && *optarg <= '9' && !*end)
		return 0;
	fprintf(stderr, "migrate-notify %s: instance '%s' is not a number\n", c->name, optarg);
	return -EINVAL;
}

static int features(const struct cli *c, __u64 *words)
{
	char bad[32];

	if (!cli_feature_words(optarg, words, bad))
		return 0;
	fprintf(stderr, "migrate-notify %s: there is no feature '%s'\n", c->name, bad);
	return -EINVAL;
}

static int status(struct cli *c)
{
	for (c->status = MIGRATE_NOTIFY_SUCCESS; c->status <= MIGRATE_NOTIFY_UNKNOWN; c->status++)
		if (!strcmp(optarg, mn_status_name(c->status)))
			return 0;
	fprintf(stderr, "migrate-notify %s: status '%s' is none of success, cancelled, failed, "
		"unknown\n", c->name, optarg);
	return -EINVAL;
}

static int option(struct cli *c, int opt)
{
	switch (opt) {
	case OPT_JSON:
		c->json = true;
		return 0;
	case OPT_ALL:
		c->all = true;
		return 0;
	case OPT_ACK:
		c->ack = true;
		return 0;
	case OPT_REFUSE:
		c->refuse = true;
		return 0;
	case OPT_TIMEOUT:
		return small_number(c, "timeout", 1, MN_MSG_DEADLINE_MAX_MS, &c->timeout_ms);
	case OPT_MOVING:
		return small_number(c, "time", 0, MN_MSG_DEADLINE_MAX_MS, &c->moving_ms);
	case OPT_FD:
		return small_number(c, "descriptor", 0, INT_MAX, &c->fd);
	case OPT_SINCE:
		return number(c, "event", 0, INT64_MAX, &c->since);
	case OPT_INSTANCE:
		return instance(c);
	case 'n':
		return number(c, "count", 1, INT64_MAX, &c->count);
	case OPT_STATUS:
		return status(c);
	case OPT_VANISH:
		return features(c, c->vanish);
	case OPT_APPEAR:
		return features(c, c->appear);
	case OPT_WHY:
		c->why = optarg;
		return 0;
	case OPT_RUN:
		c->run = optarg;
		return 0;
	default:
		c->port = optarg;
		return 0;
	}
}

static void usage(const struct command *cmd)
{
	if (cmd) {
		printf("Usage: migrate-notify %s %s\n\n%s\n\nSee migrate-notify(8).\n", cmd->name,
		       cmd->synopsis, cmd->summary);
		return;
	}
	puts("Usage: migrate-notify COMMAND [OPTION...]\n\nCommands:");
	for (int i = 0; i < NR_COMMANDS; i++)
		printf("  %-10s %s\n", commands[i].name, commands[i].summary);
	puts("\nmigrate-notify COMMAND --help says more; see also migrate-notify(8).");
}

static const struct command *find(const char *name)
{
	for (int i = 0; i < NR_COMMANDS; i++)
		if (!strcmp(name, commands[i].name))
			return &commands[i];
	fprintf(stderr, "migrate-notify: unknown command '%s'; the commands are", name);
	for (int i = 0; i < NR_COMMANDS; i++)
		fprintf(stderr, "%s %s", i ? "," : "", commands[i].name);
	fputc('\n', stderr);
	return NULL;
}

static int run(const struct command *cmd, int argc, char **argv)
{
	struct cli c = {
		.name = cmd->name, .timeout_ms = -1, .fd = -1, .status = -1, .since = -1,
		.count = -1,
	};
	int opt;

	opterr = 0;
	optind = 0;	/* GNU: start anew */
	/* inhibit's command has options of its own; all else may mix them with operands */
	while ((opt = getopt_long(argc, argv, cmd->run == cli_inhibit ? "+:hn:" : ":hn:",
				  cmd->options, NULL)) != -1) {
		if (opt == 'h') {
			usage(cmd);
			return CLI_OK;
		}
		if (opt == ':' || opt == '?' || (opt == 'n' && cmd->run != cli_watch &&
						 cmd->run != cli_history)) {
			fprintf(stderr, "migrate-notify %s: %s '%s'; usage: migrate-notify %s %s\n",
				cmd->name, opt == ':' ? "a value is missing after" :
				"this is no option, or it takes no value:", argv[optind - 1],
				cmd->name, cmd->synopsis);
			return CLI_USAGE;
		}
		if (option(&c, opt))
			return CLI_USAGE;
	}
	c.rest = argv + optind;
	if (c.rest[0] && !cmd->operands) {
		fprintf(stderr, "migrate-notify %s: takes no operand, but got '%s'\n", cmd->name,
			c.rest[0]);
		return CLI_USAGE;
	}
	if (cmd->run == cli_ack && c.fd < 0) {
		fputs("migrate-notify ack: --fd N is needed: the descriptor of the subscriber\n",
		      stderr);
		return CLI_USAGE;
	}
	return cmd->run(&c);
}

/* As in hybridctl: what we open must not become one of 0, 1, 2. */
static int guard_standard_fds(void)
{
	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
		if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", O_RDONLY) != fd)
			return -errno;
	return 0;
}

int main(int argc, char **argv)
{
	const struct command *cmd;
	int ret;

	/* Ignored, as some leave it, wait() would find no child. */
	signal(SIGCHLD, SIG_DFL);
	if (guard_standard_fds())
		return CLI_FAILURE;
	if (argc < 2) {
		fputs("migrate-notify: no command (see migrate-notify --help)\n", stderr);
		return CLI_USAGE;
	}
	if (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h")) {
		usage(NULL);
		ret = CLI_OK;
	} else if (!strcmp(argv[1], "--version") || !strcmp(argv[1], "-V")) {
		puts("migrate-notify " HYBRID_VERSION);
		ret = CLI_OK;
	} else {
		cmd = find(argv[1]);
		ret = cmd ? run(cmd, argc - 1, argv + 1) : CLI_USAGE;
	}
	errno = 0;
	if (fflush(stdout) || ferror(stdout)) {
		if (errno != EPIPE)
			fprintf(stderr, "migrate-notify: cannot write the output: %s\n",
				errno ? strerror(errno) : "write error");
		return CLI_FAILURE;
	}
	return ret;
}
