/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What an orchestrator and a guest tell each other over a virtio-serial port, one JSON object a
 * line: see Documentation/abi/migrate-notify-channel.txt.
 */
#ifndef MN_MSG_H
#define MN_MSG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MN_MSG_DEADLINE_DEFAULT_MS	10000
#define MN_MSG_DEADLINE_MAX_MS		1800000

enum mn_msg_type {
	MN_MSG_HELLO,		/* guest: here I am; answers a hello of the host */
	MN_MSG_PREPARE,		/* host */
	MN_MSG_PREPARING,	/* guest: prepare has arrived */
	MN_MSG_READY,		/* guest: all have acknowledged, or the deadline has passed */
	MN_MSG_COMPLETE,	/* host */
	MN_MSG_COMPLETED,	/* guest: complete has been delivered */
	MN_MSG_ERROR,		/* guest: the last line made no sense, or could not be done */
	MN_MSG_NR
};

enum mn_msg_status {
	MN_MSG_STATUS_UNKNOWN,
	MN_MSG_STATUS_SUCCESS,
	MN_MSG_STATUS_CANCELLED,
	MN_MSG_STATUS_FAILED,
	MN_MSG_STATUS_NR
};

/**
 * struct mn_msg - one message
 * @op: which migration; chosen by the host, 1 to 2^63 - 1; 0 where it does not matter (hello,
 *	error)
 * @deadline_ms: prepare: how long the guest may take, 1 to MN_MSG_DEADLINE_MAX_MS
 * @status: complete
 * @hints: prepare: bit 0 @vanish is known, bit 1 @appear is known
 * @acked: ready: how many subscribers acknowledged
 * @late: ready: how many did not
 * @refused: ready: how many of those who did ask for the migration not to happen
 * @busy: error: another migration is being prepared; asking again may help
 * @vanish: prepare: features that the destination lacks, names separated by one blank
 * @appear: prepare: features that only the destination has
 * @text: error: what was wrong; hello: the version of who speaks
 */
struct mn_msg {
	enum mn_msg_type type;
	uint64_t op;
	uint32_t deadline_ms;
	enum mn_msg_status status;
	uint32_t hints;
	uint32_t acked;
	uint32_t late;
	uint32_t refused;
	bool busy;
	char vanish[1024];
	char appear[1024];
	char text[128];
};

#define MN_MSG_HINT_VANISH	1
#define MN_MSG_HINT_APPEAR	2

/**
 * mn_msg_decode() - one line, which may be anything
 * @line: need not be NUL-terminated
 * @m: all of it is set; on failure it is all 0 but for @op, as far as that could be read
 * @why: on failure, what is wrong with the line; a constant
 *
 * Keys that are not known are ignored.
 * Return: 0, or -EBADMSG.
 */
int mn_msg_decode(const char *line, size_t len, struct mn_msg *m, const char **why);

/**
 * mn_msg_encode() - the line for a message, with its newline
 *
 * Return: its length, or -EMSGSIZE.
 */
int mn_msg_encode(const struct mn_msg *m, char *buf, size_t size);

const char *mn_msg_type_name(enum mn_msg_type type);
const char *mn_msg_status_name(enum mn_msg_status status);

/* Return: an enum mn_msg_status, or -EINVAL. */
int mn_msg_status_find(const char *name);

#endif
