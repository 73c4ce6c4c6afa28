/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef MN_CLI_H
#define MN_CLI_H

#include <stdbool.h>
#include <stdio.h>

#include <json-c/json.h>

#include "migrate-notify.h"

/* Exit codes, part of the interface: see migrate-notify(8). */
enum cli_exit {
	CLI_OK		= 0,
	CLI_FAILURE	= 1,
	CLI_USAGE	= 2,
	CLI_NO_DRIVER	= 3,
	CLI_TIMEOUT	= 4,
	CLI_DENIED	= 5,
};

/**
 * struct cli - a command line that makes sense
 * @rest: operands, or the command of inhibit; NULL-terminated
 * @timeout_ms: -1: not given
 * @since, @count: -1: not given
 * @instance: that @since is of; 0: not given
 */
struct cli {
	const char *name;
	char **rest;
	bool json, all, ack, refuse;
	int timeout_ms, moving_ms, fd, status;
	int64_t since, count;
	uint64_t instance;
	const char *why, *run, *port;
	__u64 vanish[MIGRATE_NOTIFY_FEATURE_WORDS];
	__u64 appear[MIGRATE_NOTIFY_FEATURE_WORDS];
};

int cli_status(struct cli *c);
int cli_watch(struct cli *c);
int cli_list(struct cli *c);
int cli_ack(struct cli *c);
int cli_features(struct cli *c);
int cli_history(struct cli *c);
int cli_simulate(struct cli *c);
int cli_inhibit(struct cli *c);
int cli_agent(struct cli *c);

/* Says what went wrong. Return: the exit code for a negative errno. */
int cli_fail(const struct cli *c, int err, const char *doing);

/* mn_open() that complains. Return: 0 or an exit code. */
int cli_open(const struct cli *c, struct mn_ctx **ctx, const char *name, unsigned int flags);

void cli_print_event(const struct cli *c, const struct mn_ctx *ctx,
		     const struct migrate_notify_event *ev);
void cli_print_json(struct json_object *o);

/* A JSON object that is not there is out of memory: ends the program. */
struct json_object *cli_json(struct json_object *o);
void cli_json_add(struct json_object *o, const char *key, struct json_object *v);
struct json_object *cli_json_features(const __u64 *words);
/* "aes avx2", or "" */
void cli_feature_text(const __u64 *words, char *buf, size_t size);

/* Names separated by commas or blanks into @words. 0, or -ENOENT and the first bad one. */
int cli_feature_words(const char *names, __u64 *words, char bad[32]);

#endif
