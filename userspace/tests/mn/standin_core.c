// SPDX-License-Identifier: GPL-2.0-only
/*
 * What standin.py does not play itself: the driver's own state machine, ring and page, in the
 * order in which drivers/migrate-notify/core.c uses them. One driver a process.
 */
#include <stdatomic.h>
#include <string.h>

#include <migrate-notify/page.h>

#define EXPORT	__attribute__((visibility("default")))
#define MS	1000000ULL
#define INSTANCE	0x5eed	/* standin.py knows it, too */

static struct mn_phase machine = { .default_ns = 10000 * MS, .max_ns = 1800000 * MS,
				  .abandoned_ns = 3600000 * MS };
static struct mn_features features, next_features;
static struct mn_shown shown;
static struct mn_ring ring;
static struct migrate_notify_page *page;

static void write_page(void)
{
	const size_t from = offsetof(struct migrate_notify_page, feature_generation);
	static struct migrate_notify_page next;
	_Atomic u32 *seq = (_Atomic u32 *)&page->seq;
	_Atomic u64 *generation = (_Atomic u64 *)&page->generation;

	mn_page_encode(&next, &machine, &features, &shown);
	page->magic = next.magic;
	page->version = next.version;
	page->size = next.size;
	atomic_fetch_add(seq, 1);
	memcpy((char *)page + from, (char *)&next + from, sizeof(next) - from);
	atomic_store(generation, ring.newest);
	atomic_fetch_add(seq, 1);
}

static void publish(struct mn_events *out)
{
	u64 added[MN_WORDS], removed[MN_WORDS];

	for (u32 i = 0; i < out->n; i++) {
		struct migrate_notify_event *e = &out->e[i];

		if (e->type == MIGRATE_NOTIFY_EVENT_COMPLETE &&
		    !(e->flags & MIGRATE_NOTIFY_EVENT_SIMULATED) &&
		    e->status != MIGRATE_NOTIFY_CANCELLED && e->status != MIGRATE_NOTIFY_FAILED &&
		    mn_features_diff(features.usable, next_features.usable, added, removed)) {
			features = next_features;
			shown.feature_generation++;
			memcpy(shown.added, added, sizeof(added));
			memcpy(shown.removed, removed, sizeof(removed));
			memcpy(e->added, added, sizeof(added));
			memcpy(e->removed, removed, sizeof(removed));
		}
		mn_ring_push(&ring, e);
	}
	write_page();
}

static void set_features(struct mn_features *f, const u64 *usable)
{
	memcpy(f->usable, usable, sizeof(f->usable));
	memcpy(f->everywhere, usable, sizeof(f->everywhere));
	memcpy(f->somewhere, usable, sizeof(f->somewhere));
	memcpy(f->vendor, "StandInStand", sizeof(f->vendor));
	f->xcr0 = 7;
	f->cpus = 2;
	f->level = 1;
	f->signature = 0x800f12;
}

EXPORT void core_start(void *at, const u64 *usable, const u64 *after)
{
	page = at;
	set_features(&features, usable);
	set_features(&next_features, after);
	shown.feature_generation = 1;
	shown.instance = INSTANCE;
	shown.sources[MIGRATE_NOTIFY_SOURCE_INJECT] = MIGRATE_NOTIFY_SOURCE_ACTIVE |
		MIGRATE_NOTIFY_CAN_PREPARE | MIGRATE_NOTIFY_CAN_DELAY |
		MIGRATE_NOTIFY_CAN_NOTIFY | MIGRATE_NOTIFY_CAN_CANCEL;
	write_page();
}

EXPORT void core_subscribers(u32 n)
{
	shown.subscribers = n;
	write_page();
}

EXPORT int core_inject(u64 now, struct migrate_notify_inject *in, u32 waiters)
{
	struct mn_request rq = {
		.action = in->action, .source = MIGRATE_NOTIFY_SOURCE_INJECT,
		.status = in->status, .simulated = in->flags & MIGRATE_NOTIFY_INJECT_SIMULATE,
		.op_id = in->op_id, .timeout_ns = in->timeout_ms * MS,
		.downtime_ns = in->downtime_ns,
	};
	struct mn_events out;
	int err;

	memcpy(rq.expect_added, in->expect_added, sizeof(rq.expect_added));
	memcpy(rq.expect_removed, in->expect_removed, sizeof(rq.expect_removed));
	err = mn_phase_request(&machine, now, &rq, waiters, &out);
	if (!err) {
		in->op_id = rq.op_id;
		publish(&out);
	}
	return err;
}

EXPORT void core_ack(u64 now, bool refused)
{
	struct mn_events out;

	mn_phase_ack(&machine, now, refused, &out);
	publish(&out);
}

EXPORT void core_tick(u64 now)
{
	struct mn_events out;

	mn_phase_tick(&machine, now, &out);
	if (out.n)
		publish(&out);
}

EXPORT u64 core_next(void)
{
	return mn_phase_next(&machine);
}

EXPORT u32 core_phase(void)
{
	return machine.phase;
}

EXPORT u64 core_op(void)
{
	return machine.op_id;
}

EXPORT u64 core_began(void)
{
	return machine.began_ns;
}

EXPORT u64 core_newest(void)
{
	return ring.newest;
}

EXPORT bool core_read(u64 *cursor, u32 mask, struct migrate_notify_event *e)
{
	if (!mn_ring_next(&ring, *cursor, mask, e))
		return false;
	*cursor = e->seq;
	return true;
}
