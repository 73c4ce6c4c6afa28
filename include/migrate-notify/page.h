/* SPDX-License-Identifier: GPL-2.0-only */
/* The ring of events, and what the page shows (pure). */
#ifndef MIGRATE_NOTIFY_PAGE_H
#define MIGRATE_NOTIFY_PAGE_H

#include <migrate-notify/featdiff.h>
#include <migrate-notify/phase.h>

#define MN_RING_EVENTS	1024

/**
 * struct mn_ring - the newest events
 * @newest: the number of the newest event; 0: there was none
 * @newest_of: the same by type
 * @overwritten_of: by type, the newest event that is not kept any more
 * @event: the event of number n is at n % MN_RING_EVENTS
 */
struct mn_ring {
	u64 newest;
	u64 newest_of[MIGRATE_NOTIFY_EVENT_TYPES];
	u64 overwritten_of[MIGRATE_NOTIFY_EVENT_TYPES];
	struct migrate_notify_event event[MN_RING_EVENTS];
};

/* Numbers and keeps an event; its type is in range. */
void mn_ring_push(struct mn_ring *ring, struct migrate_notify_event *e);

/* True if an event after @cursor of a type in @mask can be read: if mn_ring_next() gives one. */
bool mn_ring_unread(const struct mn_ring *ring, u64 cursor, u32 mask);

/*
 * The first event after @cursor of a type in @mask that is kept; with
 * MIGRATE_NOTIFY_EVENT_LOST in its flags where one of those types before it is not.
 */
bool mn_ring_next(const struct mn_ring *ring, u64 cursor, u32 mask,
		  struct migrate_notify_event *e);

/**
 * struct mn_shown - what the page shows besides machine and features
 * @added: by the last change of features
 * @removed: by the last change of features
 * @feature_generation: as in the page
 * @tsc_khz: what the kernel knows; CPUID's word comes first
 * @instance: as in the page
 * @numa_nodes: as in the page
 * @subscribers: as in the page
 * @sources: as in the page
 */
struct mn_shown {
	u64 added[MN_WORDS];
	u64 removed[MN_WORDS];
	u64 feature_generation;
	u64 instance;
	u32 tsc_khz;
	u32 numa_nodes;
	u32 subscribers;
	u32 sources[MIGRATE_NOTIFY_SOURCES];
};

/* Fills in all of @page but its @seq and @generation, which publishing it makes. */
void mn_page_encode(struct migrate_notify_page *page, const struct mn_phase *m,
		    const struct mn_features *f, const struct mn_shown *s);

#endif
