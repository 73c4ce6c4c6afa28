/* SPDX-License-Identifier: GPL-2.0-only */
/* The phases of a migration as a state machine (pure). */
#ifndef MIGRATE_NOTIFY_PHASE_H
#define MIGRATE_NOTIFY_PHASE_H

#include <linux/migrate_notify.h>
#include <linux/types.h>

/* Operations that are remembered after their end, to know what is told twice. */
#define MN_HISTORY		16
/* The most events that one step makes: an abandoned operation's end and a whole new one. */
#define MN_EVENTS		3

/* Two sources that see the same migration see it this close together. */
#define MN_SAME_NS		2000000000ULL

/* Numbers that the driver gives itself. */
#define MN_OP_OURS		(1ULL << 63)

/**
 * struct mn_request - what a source has to say
 * @action: enum migrate_notify_action
 * @source: enum migrate_notify_source
 * @status: of COMPLETE
 * @simulated: a drill
 * @op_id: 0: the source knows no numbers
 * @timeout_ns: of PREPARE; 0: the default
 * @downtime_ns: of COMPLETE; 0: not known
 * @expect_added: of PREPARE
 * @expect_removed: of PREPARE
 */
struct mn_request {
	u16 action;
	u16 source;
	u16 status;
	bool simulated;
	u64 op_id;
	u64 timeout_ns;
	u64 downtime_ns;
	u64 expect_added[MIGRATE_NOTIFY_FEATURE_WORDS];
	u64 expect_removed[MIGRATE_NOTIFY_FEATURE_WORDS];
};

/**
 * struct mn_ended - an operation that has ended
 * @op_id: its number
 * @also: where we numbered it, the number by which a source told of it later; 0: none did
 * @time_ns: when
 * @told: BIT(source) of those who said so
 * @moved: a source saw the machine move
 */
struct mn_ended {
	u64 op_id;
	u64 also;
	u64 time_ns;
	u16 told;
	bool moved;
};

/**
 * struct mn_phase - the machine
 * @default_ns: set by its owner
 * @max_ns: set by its owner
 * @abandoned_ns: set by its owner: ready or moving for so long, nobody will tell how it ended
 * @phase: enum migrate_notify_phase; read by its owner, as all that follows
 * @status: of the operation that ended last
 * @op_id: the operation under way, else the last one
 * @began_ns: its PREPARE
 * @deadline_ns: PREPARING: acks are awaited until then
 * @entered_ns: when @phase began
 * @guessed_ns: in this @phase a clock jumped, without a word of whoever announced the move; 0: not
 * @guessed_by: whose clock
 * @now_ns: the latest time seen: time does not go back
 * @source: who began it
 * @flags: of its events
 * @waiting: whose acks are awaited
 * @refused: acks that refused
 * @expect_added: of the operation under way
 * @expect_removed: of the operation under way
 * @migrations: as in the page
 * @complete_ns: when the last one ended
 * @numbers: numbers that we gave
 * @ended: the last ones
 * @nr_ended: all of them; the last one's place is (nr_ended - 1) % MN_HISTORY
 */
struct mn_phase {
	u64 default_ns;
	u64 max_ns;
	u64 abandoned_ns;

	u16 phase;
	u16 status;
	u16 source;
	u16 flags;
	u64 op_id;
	u64 began_ns;
	u64 deadline_ns;
	u64 entered_ns;
	u64 guessed_ns;
	u64 now_ns;
	u16 guessed_by;
	u32 waiting;
	u32 refused;
	u64 expect_added[MIGRATE_NOTIFY_FEATURE_WORDS];
	u64 expect_removed[MIGRATE_NOTIFY_FEATURE_WORDS];
	u64 migrations;
	u64 complete_ns;
	u64 numbers;
	struct mn_ended ended[MN_HISTORY];
	u64 nr_ended;
};

/* What happened, in order; @seq, and the features of COMPLETE, are their owner's to fill in. */
struct mn_events {
	u32 n;
	struct migrate_notify_event e[MN_EVENTS];
};

/**
 * mn_phase_request() - a source said something
 * @m: the machine
 * @now_ns: the time
 * @rq: what it said; any value is safe. @op_id is set to the operation, also if -EALREADY
 * @waiters: PREPARE: how many subscribers want to delay it
 * @out: filled with what follows
 *
 * Return: 0; -EALREADY: told before, or a guess that is kept in mind: nothing follows, but
 * mn_phase_next() may be another; -EBUSY: another operation is under way; -ENOENT: there is no
 * such operation; -EINVAL: the request makes no sense.
 */
int mn_phase_request(struct mn_phase *m, u64 now_ns, struct mn_request *rq, u32 waiters,
		     struct mn_events *out);

/* One of the @waiting has acked; its owner sees to it that nobody does so twice. */
void mn_phase_ack(struct mn_phase *m, u64 now_ns, bool refused, struct mn_events *out);

/* Time has passed. */
void mn_phase_tick(struct mn_phase *m, u64 now_ns, struct mn_events *out);

/* When mn_phase_tick() has something to do; 0: never. */
u64 mn_phase_next(const struct mn_phase *m);

#endif
