/* SPDX-License-Identifier: GPL-2.0-only */
/* The little of the <linux/...> headers that our pure files use, for building them in user space. */
#ifndef SHIM_LINUX_TYPES_H
#define SHIM_LINUX_TYPES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The C library's own headers count on what the real one defines (__u32 ...). */
#include_next <linux/types.h>

typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef uint64_t u64;
typedef int8_t s8;
typedef int32_t s32;
typedef int64_t s64;

/* The kernel has it in <linux/limits.h>, whose user space sibling is another file. */
#define U32_MAX	UINT32_MAX

#endif
