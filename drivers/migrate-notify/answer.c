// SPDX-License-Identifier: GPL-2.0-only
/* What we answer to hosts (pure). */
#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/string.h>

#include <migrate-notify/answer.h>

void mn_answer_event(struct mn_answers *a, const struct migrate_notify_event *e)
{
	switch (e->type) {
	case MIGRATE_NOTIFY_EVENT_READY:
		snprintf(a->last, sizeof(a->last), "ready %llu %u",
			 (unsigned long long)e->op_id, e->refused);
		break;
	case MIGRATE_NOTIFY_EVENT_TIMED_OUT:
		snprintf(a->last, sizeof(a->last), "timed-out %llu %u %u",
			 (unsigned long long)e->op_id, e->waiting, e->refused);
		break;
	case MIGRATE_NOTIFY_EVENT_COMPLETE:
		snprintf(a->last, sizeof(a->last), "complete %llu %u",
			 (unsigned long long)e->op_id, e->status);
		break;
	}
	a->last_op = e->op_id;
	memcpy(a->text, a->last, sizeof(a->text));
}

bool mn_answer_error(struct mn_answers *a, u64 op_id, int err, bool active)
{
	if (err == -EALREADY && op_id == a->last_op) {
		memcpy(a->text, a->last, sizeof(a->text));
		return true;
	}
	if (err == -EALREADY && active)
		return false;
	snprintf(a->text, sizeof(a->text), "error %llu %d", (unsigned long long)op_id, -err);
	return true;
}
