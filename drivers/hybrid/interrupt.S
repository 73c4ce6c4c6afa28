/* SPDX-License-Identifier: GPL-2.0-only */
#include <linux/linkage.h>
#include <asm/nospec-branch.h>
#include <asm/processor-flags.h>
#include <asm/segment.h>

.section .noinstr.text, "ax"

/*
 * void hybrid_interrupt(unsigned long entry)
 *
 * Enters an interrupt gate's code as the CPU does in 64-bit mode (Intel SDM vol. 3, 6.14.2: aligned
 * stack; SS, RSP, RFLAGS, CS, RIP), as if interrupted here, with interrupts on. Its IRET comes back.
 */
SYM_FUNC_START(hybrid_interrupt)
	pushq %rbp
	movq %rsp, %rbp
	andq $-16, %rsp
	pushq $__KERNEL_DS
	pushq %rbp
	pushfq
	orq $X86_EFLAGS_IF, (%rsp)
	cli
	pushq $__KERNEL_CS
	CALL_NOSPEC rdi
	leave
	RET
SYM_FUNC_END(hybrid_interrupt)
