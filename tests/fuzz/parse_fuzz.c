// SPDX-License-Identifier: GPL-2.0-only
/* What hosts write: the first byte chooses the parser. */
#include <stdlib.h>
#include <string.h>

#include <linux/errno.h>

#include <migrate-notify/page.h>
#include <migrate-notify/parse.h>

static void request(const u8 *data, size_t size)
{
	struct mn_request rq = { .source = MIGRATE_NOTIFY_SOURCE_XEN };
	int err = mn_request_parse(&rq, (const char *)data, size);

	if (rq.source != MIGRATE_NOTIFY_SOURCE_XEN || rq.op_id & MN_OP_OURS)
		abort();
	if (!err && (!rq.op_id || !rq.action || rq.status > MIGRATE_NOTIFY_UNKNOWN))
		abort();
}

static void vmclock(const u8 *data, size_t size)
{
	struct mn_vmclock head;
	u64 marker;

	if (size < sizeof(head))
		return;
	memcpy(&head, data, sizeof(head));
	mn_vmclock_parse(&head, &marker);
}

static void pvclock(const u8 *data, size_t size)
{
	struct mn_pvclock clock[2];
	u64 tsc;

	if (size < sizeof(clock) + sizeof(tsc))
		return;
	memcpy(clock, data, sizeof(clock));
	memcpy(&tsc, data + sizeof(clock), sizeof(tsc));
	/* What is a move in spite of a CPU that came is one without. */
	if (mn_pvclock_moved(&clock[0], &clock[1], tsc, true) &&
	    !mn_pvclock_moved(&clock[0], &clock[1], tsc, false))
		abort();
	if (clock[0].version == clock[1].version && mn_pvclock_step(&clock[0], &clock[1], tsc))
		abort();
}

/* Readers with any cursor and mask, of a ring that is as full as it likes. */
static void ring(const u8 *data, size_t size)
{
	static struct mn_ring r;
	struct migrate_notify_event e = {};
	u64 cursor, last = 0;
	u32 mask, n = 0;

	if (size < sizeof(cursor) + 3)
		return;
	memset(&r, 0, sizeof(r));
	memcpy(&cursor, data, sizeof(cursor));
	mask = data[8];
	for (n = data[9] * 16; n; n--) {
		e.type = (n ^ data[10]) % (MIGRATE_NOTIFY_EVENT_TYPES - 1) + 1;
		mn_ring_push(&r, &e);
	}
	while (mn_ring_unread(&r, cursor, mask)) {
		/* What can be waited for can be read. */
		if (!mn_ring_next(&r, cursor, mask, &e))
			abort();
		if (e.seq <= last || e.seq <= cursor || e.seq > r.newest ||
		    !(mask >> e.type & 1) || n++ > MN_RING_EVENTS)
			abort();
		last = cursor = e.seq;
	}
	if (mn_ring_next(&r, cursor, mask, &e))
		abort();
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	static void (*const parsers[])(const u8 *, size_t) = { request, vmclock, pvclock, ring };
	u8 *copy;

	if (!size)
		return 0;
	/* Of its very size, so that a byte too many is seen. */
	copy = malloc(size);
	memcpy(copy, data + 1, size - 1);
	parsers[*data % 4](copy, size - 1);
	free(copy);
	return 0;
}
