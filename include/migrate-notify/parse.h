/* SPDX-License-Identifier: GPL-2.0-only */
/* What hosts hand us: a line of text, a vmclock page, KVM's clock (pure). */
#ifndef MIGRATE_NOTIFY_PARSE_H
#define MIGRATE_NOTIFY_PARSE_H

#include <migrate-notify/phase.h>

#define MN_REQUEST_MAX	1024

/**
 * mn_request_parse() - a request as a host writes it
 * @rq: filled in; @source is left alone. Where the rest is wrong, @op_id may be right, so
 *	that the answer can name it
 * @text: @len bytes, no more than MN_REQUEST_MAX; need not end in a NUL
 *
 *   prepare OP TIMEOUT_MS [+FEATURE | -FEATURE]...
 *   moving OP
 *   complete OP success|cancelled|failed|unknown [DOWNTIME_MS]
 *
 * Words are separated by one space; one newline may follow. OP is decimal, 1 to 2^63 - 1.
 * Features that we do not know are skipped: the host may be newer than we.
 *
 * Return: 0 or -EINVAL.
 */
int mn_request_parse(struct mn_request *rq, const char *text, size_t len);

/* The beginning of a vmclock page, as in QEMU's docs/specs/vmclock.rst. */
struct mn_vmclock {
	__le32 magic;
	__le32 size;
	__le16 version;
	u8 counter_id;
	u8 time_type;
	__le32 seq;
	__le64 marker;
};

/**
 * mn_vmclock_parse() - the disruption marker
 * @head: a copy of the page's beginning; whole if the page still has its @seq
 * @marker: changes when the machine was migrated or restored
 *
 * Return: 0; -EAGAIN: the host is writing; -EINVAL: not a vmclock page that we know.
 */
int mn_vmclock_parse(const struct mn_vmclock *head, u64 *marker);

/* A copy of struct pvclock_vcpu_time_info. */
struct mn_pvclock {
	u32 version;
	u32 mul;
	s8 shift;
	u64 tsc;
	u64 ns;
};

/*
 * A host corrects its clock each time that it changes it: by how far the two drifted apart
 * since it did so last, which is a part per million or less, and by no more than this where
 * they did for long (a guest of months, a TSC that the host does not trust), or where a CPU
 * came or went. A migration's downtime is above that.
 */
#define MN_PVCLOCK_STEP_NS	1000000
#define MN_PVCLOCK_DRIFT_NS	20000000

/**
 * mn_pvclock_step() - by how much the clock jumped when the host changed it
 * @before: a whole copy (even version)
 * @after: a whole copy
 * @tsc: a moment at which both are evaluated
 *
 * Return: nanoseconds, forward if positive; 0 if they are the same version, or nonsense.
 */
s64 mn_pvclock_step(const struct mn_pvclock *before, const struct mn_pvclock *after, u64 tsc);

/*
 * Is the step too large for a correction? All as above; @disturbed: a CPU came or went a moment
 * ago.
 */
bool mn_pvclock_moved(const struct mn_pvclock *before, const struct mn_pvclock *after, u64 tsc,
		      bool disturbed);

#endif
