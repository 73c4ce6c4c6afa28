/* SPDX-License-Identifier: GPL-2.0-only */
/* Milliseconds that no clock step changes. */
#ifndef MN_CLOCK_H
#define MN_CLOCK_H

#include <limits.h>
#include <stdint.h>
#include <time.h>

static inline uint64_t mn_now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000ull + t.tv_nsec / 1000000;
}

/* For poll(): what is left until then, 0 if nothing is. */
static inline int mn_ms_left(uint64_t until)
{
	uint64_t now = mn_now_ms(), left = until > now ? until - now : 0;

	return left < INT_MAX ? (int)left : INT_MAX;
}

#endif
