/* SPDX-License-Identifier: GPL-2.0-only */
/* What must hold of every sequence of events; for the KUnit suite and the fuzzer. */
#ifndef MIGRATE_PHASE_RULES_H
#define MIGRATE_PHASE_RULES_H

#include <migrate-notify/phase.h>

struct rules {
	bool open, waited, moving;
	u64 op_id, prepared_ns, last_ns;
	u64 ended[MN_HISTORY], nr_ended;
};

static inline const char *rules_event(struct rules *r, const struct migrate_notify_event *e)
{
	u64 i;

	if (e->size != sizeof(*e) || !e->op_id || e->seq)
		return "malformed";
	if (e->time_ns < r->last_ns)
		return "time went back";
	r->last_ns = e->time_ns;
	if (e->type == MIGRATE_NOTIFY_EVENT_PREPARE) {
		if (r->open)
			return "PREPARE in an operation";
		for (i = 0; i < MN_HISTORY && i < r->nr_ended; i++)
			if (r->ended[i] == e->op_id)
				return "an operation twice";
		r->open = true;
		r->waited = r->moving = false;
		r->op_id = e->op_id;
		r->prepared_ns = e->time_ns;
		return e->duration_ns || e->status ? "PREPARE with a result" : NULL;
	}

	if (!r->open || e->op_id != r->op_id)
		return "an event without its PREPARE";
	if (e->duration_ns != e->time_ns - r->prepared_ns || e->deadline_ns)
		return "wrong times";
	switch (e->type) {
	case MIGRATE_NOTIFY_EVENT_READY:
	case MIGRATE_NOTIFY_EVENT_TIMED_OUT:
		if (r->waited || r->moving)
			return "the wait ended twice";
		r->waited = true;
		if ((e->type == MIGRATE_NOTIFY_EVENT_TIMED_OUT) != !!e->waiting)
			return "READY or TIMED_OUT: the wrong one";
		return NULL;
	case MIGRATE_NOTIFY_EVENT_MOVING:
		if (r->moving)
			return "MOVING twice";
		r->moving = true;
		return NULL;
	case MIGRATE_NOTIFY_EVENT_COMPLETE:
		r->open = false;
		r->ended[r->nr_ended++ % MN_HISTORY] = e->op_id;
		return !e->status || e->status > MIGRATE_NOTIFY_UNKNOWN ? "no status" : NULL;
	default:
		return "unknown type";
	}
}

/* A drill leaves alone what is real. */
static inline const char *rules_drill(const struct mn_phase *before, const struct mn_request *rq,
				      const struct mn_phase *after)
{
	if (rq->simulated && before->phase != MIGRATE_NOTIFY_IDLE &&
	    !(before->flags & MIGRATE_NOTIFY_EVENT_SIMULATED) &&
	    (after->phase != before->phase || after->op_id != before->op_id))
		return "a drill touched what is real";
	return NULL;
}

/* After each step; NULL, or which rule it broke. */
static inline const char *rules_step(struct rules *r, const struct mn_phase *m,
				     const struct mn_events *out)
{
	const char *broken = NULL;
	u32 i;

	if (out->n > MN_EVENTS)
		return "too many events";
	for (i = 0; i < out->n && !broken; i++)
		broken = rules_event(r, &out->e[i]);
	if (broken)
		return broken;
	if (r->open != (m->phase != MIGRATE_NOTIFY_IDLE))
		return "phase and events disagree";
	if (m->phase > MIGRATE_NOTIFY_MOVING)
		return "no such phase";
	if (m->phase == MIGRATE_NOTIFY_PREPARING) {
		if (!m->waiting)
			return "waits for nobody";
		if (!m->deadline_ns || m->deadline_ns > m->now_ns + m->max_ns)
			return "no deadline, or too late a one";
	} else if (m->waiting || m->deadline_ns) {
		return "waits without preparing";
	}
	return NULL;
}

#endif
