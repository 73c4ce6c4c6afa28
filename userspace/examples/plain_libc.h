/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * glibc chooses its memcpy(), strlen() ... once, by the CPU that the program starts on, and its
 * dynamic linker saves registers as that CPU can. On a poorer CPU that faults, whatever a program's
 * own tables do. What glibc may choose from only the environment says, so: start once more.
 */
#ifndef PLAIN_LIBC_H
#define PLAIN_LIBC_H

#include <stdlib.h>
#include <unistd.h>

static inline void plain_libc(char **argv)
{
	if (getenv("MN_PLAIN_LIBC"))
		return;
	setenv("MN_PLAIN_LIBC", "1", 1);
	setenv("LD_BIND_NOW", "1", 1);
	setenv("GLIBC_TUNABLES", "glibc.cpu.hwcaps=-AVX,-AVX2,-AVX512F,-AVX512VL,-AVX512BW,"
	       "-AVX_Fast_Unaligned_Load,-SSSE3,-SSE4_1,-SSE4_2,-BMI1,-BMI2,-LZCNT,-MOVBE,-POPCNT,"
	       "-FMA,-FMA4,-ERMS,-FSRM,-RTM,-XSAVEC", 1);
	/* Without /proc it is as it was. */
	execv("/proc/self/exe", argv);
}

#endif
