/* SPDX-License-Identifier: GPL-2.0-only */
/* What we answer to hosts whose requests mn_request_parse() takes (pure). */
#ifndef MIGRATE_NOTIFY_ANSWER_H
#define MIGRATE_NOTIFY_ANSWER_H

#include <linux/migrate_notify.h>
#include <linux/types.h>

#define MN_ANSWER_MAX	64

/**
 * struct mn_answers - the answers of one source
 * @text: the latest, NUL-terminated
 * @last: the latest that was no error, for a host that asks again
 * @last_op: what @last is about
 */
struct mn_answers {
	char text[MN_ANSWER_MAX];
	char last[MN_ANSWER_MAX];
	u64 last_op;
};

/* READY, TIMED_OUT or COMPLETE of an operation: the answer to it. */
void mn_answer_event(struct mn_answers *a, const struct migrate_notify_event *e);

/**
 * mn_answer_error() - the answer to a request that had no effect
 * @a: the answers so far
 * @op_id: what it was about
 * @err: as mn_request_parse() or mn_phase_request() returned it
 * @active: that operation is under way
 *
 * Return: true if there is something to say; one that is under way is answered later.
 */
bool mn_answer_error(struct mn_answers *a, u64 op_id, int err, bool active);

#endif
