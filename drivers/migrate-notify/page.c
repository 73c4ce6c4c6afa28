// SPDX-License-Identifier: GPL-2.0-only
/* The ring of events, and what the page shows (pure). */
#include <linux/kernel.h>
#include <linux/math64.h>
#include <linux/minmax.h>
#include <linux/string.h>

#include <migrate-notify/page.h>

#define NSEC_PER_MS	1000000

void mn_ring_push(struct mn_ring *ring, struct migrate_notify_event *e)
{
	struct migrate_notify_event *place;

	e->seq = ring->newest + 1;
	place = &ring->event[e->seq % MN_RING_EVENTS];
	if (place->seq)
		ring->overwritten_of[place->type] = place->seq;
	*place = *e;
	ring->newest_of[e->type] = e->seq;
	ring->newest = e->seq;
}

static u64 newest_in(const u64 of[MIGRATE_NOTIFY_EVENT_TYPES], u32 mask)
{
	u64 newest = 0;
	u32 type;

	for (type = 0; type < MIGRATE_NOTIFY_EVENT_TYPES; type++)
		if (mask >> type & 1)
			newest = max(newest, of[type]);
	return newest;
}

bool mn_ring_unread(const struct mn_ring *ring, u64 cursor, u32 mask)
{
	u64 newest = newest_in(ring->newest_of, mask);

	/* One that was overwritten cannot be read. */
	return newest > cursor && newest > newest_in(ring->overwritten_of, mask);
}

bool mn_ring_next(const struct mn_ring *ring, u64 cursor, u32 mask,
		  struct migrate_notify_event *e)
{
	const struct migrate_notify_event *kept;
	u64 seq = cursor;

	if (!mn_ring_unread(ring, cursor, mask))
		return false;
	if (ring->newest > MN_RING_EVENTS)
		seq = max(seq, ring->newest - MN_RING_EVENTS);
	do {
		kept = &ring->event[++seq % MN_RING_EVENTS];
	} while (!(mask >> kept->type & 1));
	*e = *kept;
	if (newest_in(ring->overwritten_of, mask) > cursor)
		e->flags |= MIGRATE_NOTIFY_EVENT_LOST;
	return true;
}

static u32 to_ms(u64 ns)
{
	return min_t(u64, div_u64(ns, NSEC_PER_MS), U32_MAX);
}

void mn_page_encode(struct migrate_notify_page *page, const struct mn_phase *m,
		    const struct mn_features *f, const struct mn_shown *s)
{
	memset(page, 0, sizeof(*page));
	page->magic = MIGRATE_NOTIFY_MAGIC;
	page->version = MIGRATE_NOTIFY_VERSION;
	page->size = sizeof(*page);

	page->phase = m->phase;
	page->status = m->status;
	page->op_id = m->op_id;
	page->deadline_ns = m->deadline_ns;
	page->waiting = m->waiting;
	page->refused = m->refused;
	page->migrations = m->migrations;
	page->complete_ns = m->complete_ns;
	page->default_timeout_ms = to_ms(m->default_ns);
	page->max_timeout_ms = to_ms(m->max_ns);
	memcpy(page->expect_added, m->expect_added, sizeof(page->expect_added));
	memcpy(page->expect_removed, m->expect_removed, sizeof(page->expect_removed));

	page->nr_features = MIGRATE_NOTIFY_F_NR;
	memcpy(page->vendor, f->vendor, sizeof(page->vendor));
	page->signature = f->signature;
	page->tsc_khz = f->tsc_khz ?: s->tsc_khz;
	page->cpus = f->cpus;
	page->threads_per_core = f->threads_per_core;
	page->cpus_per_package = f->cpus_per_package;
	page->level = f->level;
	page->xcr0 = f->xcr0;
	memcpy(page->usable, f->usable, sizeof(page->usable));
	memcpy(page->everywhere, f->everywhere, sizeof(page->everywhere));
	memcpy(page->somewhere, f->somewhere, sizeof(page->somewhere));
	memcpy(page->no_xcr0, f->no_xcr0, sizeof(page->no_xcr0));
	memcpy(page->no_kernel, f->no_kernel, sizeof(page->no_kernel));

	page->ring_events = MN_RING_EVENTS;
	page->feature_generation = s->feature_generation;
	page->numa_nodes = s->numa_nodes;
	page->subscribers = s->subscribers;
	page->instance = s->instance;
	memcpy(page->sources, s->sources, sizeof(page->sources));
	memcpy(page->added, s->added, sizeof(page->added));
	memcpy(page->removed, s->removed, sizeof(page->removed));
}
