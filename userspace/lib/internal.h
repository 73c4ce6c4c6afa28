/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef MN_INTERNAL_H
#define MN_INTERNAL_H

#include <stdbool.h>
#include <sys/types.h>

#include "migrate-notify.h"

/**
 * struct mn_ctx - one subscriber
 * @fd: -1 without the driver
 * @why: 0, or why there is no driver
 * @flags: of mn_open()
 * @pid: who opened it
 * @page: the driver's, or @own
 * @mapped: bytes to unmap, 0 if @page is @own
 * @record: bytes of each event that the driver gives us
 * @own: where there is no driver: nothing but a generation, 0. CPUID is asked each time
 */
struct mn_ctx {
	int fd;
	int why;
	unsigned int flags;
	pid_t pid;
	const struct migrate_notify_page *page;
	size_t mapped;
	uint32_t record;
	char name[MIGRATE_NOTIFY_NAME_LEN];
	struct migrate_notify_page own;
};

/*
 * Fills in the fields of CPU and features, by the rules of the driver: of the CPU that this thread
 * runs on, or of @all that it may use.
 */
void mn_cpu_page(struct migrate_notify_page *page, bool all);

/* Adds a feature, and all without which its instructions cannot be used. */
void mn_feature_needs(unsigned int nr, __u64 *words);

/*
 * libc's mem*() and str*() are bound at the program's start to what is best on the CPU of then.
 * We run right after a move to another one, so we call none of them.
 */
static inline void mn_copy(void *to, const void *from, size_t n)
{
	asm volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(n) : : "memory");
}

static inline void mn_zero(void *to, size_t n)
{
	asm volatile("rep stosb" : "+D"(to), "+c"(n) : "a"(0) : "memory");
}

static inline bool mn_same(const char *a, const char *b)
{
	while (*a && *a == *b) {
		a++;
		b++;
	}
	return *a == *b;
}

#endif
