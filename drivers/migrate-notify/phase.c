// SPDX-License-Identifier: GPL-2.0-only
/* IDLE -> PREPARING -> READY | TIMED_OUT -> MOVING -> IDLE, always in pairs (pure). */
#include <linux/errno.h>
#include <linux/minmax.h>
#include <linux/string.h>

#include <migrate-notify/phase.h>

static bool active(const struct mn_phase *m)
{
	return m->phase != MIGRATE_NOTIFY_IDLE;
}

static bool drill(const struct mn_phase *m)
{
	return active(m) && m->flags & MIGRATE_NOTIFY_EVENT_SIMULATED;
}

/* As far as anybody knows. */
static bool moved(u16 status)
{
	return status == MIGRATE_NOTIFY_SUCCESS || status == MIGRATE_NOTIFY_UNKNOWN;
}

static void advance(struct mn_phase *m, u64 now_ns, struct mn_events *out)
{
	m->now_ns = max(m->now_ns, now_ns);
	memset(out, 0, sizeof(*out));
}

static struct migrate_notify_event *emit(struct mn_phase *m, struct mn_events *out, u16 type,
					 u16 source)
{
	struct migrate_notify_event *e = &out->e[out->n++];

	e->size = sizeof(*e);
	e->type = type;
	e->flags = m->flags & MIGRATE_NOTIFY_EVENT_SIMULATED;
	e->op_id = m->op_id;
	e->time_ns = m->now_ns;
	e->source = source;
	if (type != MIGRATE_NOTIFY_EVENT_PREPARE) {
		e->duration_ns = m->now_ns - m->began_ns;
		e->waiting = m->waiting;
		e->refused = m->refused;
	}
	return e;
}

static void enter(struct mn_phase *m, u16 phase)
{
	m->phase = phase;
	m->entered_ns = m->now_ns;
	m->guessed_ns = 0;
	if (phase != MIGRATE_NOTIFY_PREPARING) {
		m->deadline_ns = 0;
		m->waiting = 0;
	}
}

static void begin(struct mn_phase *m, const struct mn_request *rq, u16 flags)
{
	m->op_id = rq->op_id ?: (MN_OP_OURS | ++m->numbers);
	m->source = rq->source;
	m->flags = flags | (rq->simulated ? MIGRATE_NOTIFY_EVENT_SIMULATED : 0);
	m->began_ns = m->now_ns;
	m->refused = 0;
	enter(m, MIGRATE_NOTIFY_PREPARING);
}

/* The PREPARE that nobody sent: without it COMPLETE would stand alone. */
static void begin_unannounced(struct mn_phase *m, const struct mn_request *rq,
			      struct mn_events *out)
{
	begin(m, rq, MIGRATE_NOTIFY_EVENT_SYNTHETIC);
	emit(m, out, MIGRATE_NOTIFY_EVENT_PREPARE, rq->source)->flags |=
		MIGRATE_NOTIFY_EVENT_SYNTHETIC;
}

static void end(struct mn_phase *m, u16 status, u16 source, u64 downtime_ns,
		struct mn_events *out)
{
	struct migrate_notify_event *e = emit(m, out, MIGRATE_NOTIFY_EVENT_COMPLETE, source);
	struct mn_ended *last = &m->ended[m->nr_ended++ % MN_HISTORY];

	e->status = status;
	e->downtime_ns = downtime_ns;
	last->op_id = m->op_id;
	last->also = 0;
	last->time_ns = m->now_ns;
	last->told = 1u << source;
	/* That its source forgot an operation tells nothing of the machine. */
	last->moved = moved(status) && !drill(m) && source != MIGRATE_NOTIFY_SOURCE_NONE;

	m->status = status;
	m->migrations += last->moved;
	m->complete_ns = m->now_ns;
	memset(m->expect_added, 0, sizeof(m->expect_added));
	memset(m->expect_removed, 0, sizeof(m->expect_removed));
	enter(m, MIGRATE_NOTIFY_IDLE);
}

static struct mn_ended *find_ended(struct mn_phase *m, u64 op_id)
{
	u64 i, n = min_t(u64, m->nr_ended, MN_HISTORY);

	for (i = 0; i < n; i++)
		if (m->ended[i].op_id == op_id || m->ended[i].also == op_id)
			return &m->ended[i];
	return NULL;
}

/*
 * Another source told of this migration a moment ago, and this one did not yet: it is the
 * same. A drill or a cancelled migration is not what a clock saw.
 */
static struct mn_ended *same_as_last(struct mn_phase *m, const struct mn_request *rq)
{
	struct mn_ended *last;

	if (!m->nr_ended || rq->simulated || !moved(rq->status))
		return NULL;
	last = &m->ended[(m->nr_ended - 1) % MN_HISTORY];
	if (!last->moved || last->told & 1u << rq->source ||
	    m->now_ns - last->time_ns >= MN_SAME_NS)
		return NULL;
	/* Two numbers of others are two operations, and none of ours is a second one. */
	if (rq->op_id &&
	    (!(last->op_id & MN_OP_OURS) || last->also || rq->op_id & MN_OP_OURS))
		return NULL;
	return last;
}

static int already(struct mn_request *rq, struct mn_ended *e)
{
	e->told |= 1u << rq->source;
	rq->op_id = e->op_id;
	return -EALREADY;
}

static int prepare(struct mn_phase *m, struct mn_request *rq, u32 waiters,
		   struct mn_events *out)
{
	struct migrate_notify_event *e;

	if (rq->op_id & MN_OP_OURS)
		return -EINVAL;
	if (active(m)) {
		if (rq->op_id && rq->op_id == m->op_id)
			return -EALREADY;
		/* A drill gives way to what is real, and never the other way round. */
		if (rq->simulated ? !drill(m) || m->phase == MIGRATE_NOTIFY_PREPARING :
				    !drill(m) && m->phase == MIGRATE_NOTIFY_PREPARING)
			return -EBUSY;
		/* Its source has forgotten it. */
		end(m, MIGRATE_NOTIFY_UNKNOWN, MIGRATE_NOTIFY_SOURCE_NONE, 0, out);
	}

	begin(m, rq, 0);
	rq->op_id = m->op_id;
	m->deadline_ns = m->now_ns + min(rq->timeout_ns ?: m->default_ns, m->max_ns);
	m->waiting = waiters;
	memcpy(m->expect_added, rq->expect_added, sizeof(m->expect_added));
	memcpy(m->expect_removed, rq->expect_removed, sizeof(m->expect_removed));

	e = emit(m, out, MIGRATE_NOTIFY_EVENT_PREPARE, rq->source);
	e->deadline_ns = m->deadline_ns;
	e->waiting = waiters;
	memcpy(e->added, m->expect_added, sizeof(e->added));
	memcpy(e->removed, m->expect_removed, sizeof(e->removed));
	if (!waiters) {
		emit(m, out, MIGRATE_NOTIFY_EVENT_READY, MIGRATE_NOTIFY_SOURCE_NONE);
		enter(m, MIGRATE_NOTIFY_READY);
	}
	return 0;
}

/* What nobody numbered is the operation under way, unless that is another source's drill. */
static bool means_active(const struct mn_phase *m, const struct mn_request *rq)
{
	if (rq->op_id)
		return active(m) && rq->op_id == m->op_id;
	return active(m) && (!drill(m) || rq->simulated || rq->source == m->source);
}

static int moving(struct mn_phase *m, struct mn_request *rq, struct mn_events *out)
{
	if (rq->simulated && active(m) && !drill(m))
		return -ENOENT;
	if (means_active(m, rq)) {
		if (m->phase == MIGRATE_NOTIFY_MOVING) {
			rq->op_id = m->op_id;
			return -EALREADY;
		}
	} else {
		if (rq->op_id)
			return -ENOENT;
		if (active(m))
			end(m, MIGRATE_NOTIFY_UNKNOWN, MIGRATE_NOTIFY_SOURCE_NONE, 0, out);
		begin_unannounced(m, rq, out);
	}
	rq->op_id = m->op_id;
	emit(m, out, MIGRATE_NOTIFY_EVENT_MOVING, rq->source);
	enter(m, MIGRATE_NOTIFY_MOVING);
	return 0;
}

/*
 * A clock that jumped: the move that was announced, or a pause before it. Who announced it
 * will say; only if he does not, it was the move.
 */
static bool guess(const struct mn_phase *m, const struct mn_request *rq)
{
	return rq->status == MIGRATE_NOTIFY_UNKNOWN && !rq->op_id && rq->source != m->source;
}

static int complete(struct mn_phase *m, struct mn_request *rq, struct mn_events *out)
{
	bool ours = means_active(m, rq);
	struct mn_ended *same;

	if (rq->status == MIGRATE_NOTIFY_STATUS_NONE || rq->status > MIGRATE_NOTIFY_UNKNOWN)
		return -EINVAL;
	if (rq->simulated && active(m) && !drill(m))
		return -ENOENT;
	/* A late echo of the last migration must not end the next one. */
	if (!rq->op_id || !ours) {
		same = same_as_last(m, rq);
		if (same) {
			/* Who numbered it may ask again, by that number, at any time. */
			if (rq->op_id)
				same->also = rq->op_id;
			return already(rq, same);
		}
	}
	if (!ours) {
		if (rq->op_id & MN_OP_OURS)
			return -ENOENT;
		/* Who numbers its operations does not mean the one under way. */
		if (active(m) && rq->op_id && rq->source == m->source &&
		    (!drill(m) || rq->simulated))
			return -EBUSY;
		if (active(m))
			end(m, MIGRATE_NOTIFY_UNKNOWN, MIGRATE_NOTIFY_SOURCE_NONE, 0, out);
		begin_unannounced(m, rq, out);
	} else if (guess(m, rq)) {
		if (!m->guessed_ns) {
			m->guessed_ns = m->now_ns;
			m->guessed_by = rq->source;
		}
		rq->op_id = m->op_id;
		return -EALREADY;
	}
	rq->op_id = m->op_id;
	end(m, rq->status, rq->source, rq->downtime_ns, out);
	return 0;
}

int mn_phase_request(struct mn_phase *m, u64 now_ns, struct mn_request *rq, u32 waiters,
		     struct mn_events *out)
{
	struct mn_ended *known;

	advance(m, now_ns, out);
	if (rq->source >= MIGRATE_NOTIFY_SOURCES)
		return -EINVAL;
	known = rq->op_id ? find_ended(m, rq->op_id) : NULL;
	if (known)
		return already(rq, known);

	switch (rq->action) {
	case MIGRATE_NOTIFY_INJECT_PREPARE:
		return prepare(m, rq, waiters, out);
	case MIGRATE_NOTIFY_INJECT_MOVING:
		return moving(m, rq, out);
	case MIGRATE_NOTIFY_INJECT_COMPLETE:
		return complete(m, rq, out);
	default:
		return -EINVAL;
	}
}

void mn_phase_ack(struct mn_phase *m, u64 now_ns, bool refused, struct mn_events *out)
{
	advance(m, now_ns, out);
	if (m->phase != MIGRATE_NOTIFY_PREPARING || !m->waiting)
		return;
	m->refused += refused;
	if (--m->waiting)
		return;
	emit(m, out, MIGRATE_NOTIFY_EVENT_READY, MIGRATE_NOTIFY_SOURCE_NONE);
	enter(m, MIGRATE_NOTIFY_READY);
}

u64 mn_phase_next(const struct mn_phase *m)
{
	switch (m->phase) {
	case MIGRATE_NOTIFY_IDLE:
		return 0;
	case MIGRATE_NOTIFY_PREPARING:
		return m->deadline_ns;
	default:
		if (m->guessed_ns)
			return min(m->guessed_ns + MN_SAME_NS, m->entered_ns + m->abandoned_ns);
		return m->entered_ns + m->abandoned_ns;
	}
}

void mn_phase_tick(struct mn_phase *m, u64 now_ns, struct mn_events *out)
{
	advance(m, now_ns, out);
	if (!active(m) || m->now_ns < mn_phase_next(m))
		return;
	if (m->phase == MIGRATE_NOTIFY_PREPARING) {
		emit(m, out, MIGRATE_NOTIFY_EVENT_TIMED_OUT, MIGRATE_NOTIFY_SOURCE_NONE);
		enter(m, MIGRATE_NOTIFY_TIMED_OUT);
	} else {
		end(m, MIGRATE_NOTIFY_UNKNOWN,
		    m->guessed_ns ? m->guessed_by : MIGRATE_NOTIFY_SOURCE_NONE, 0, out);
	}
}
