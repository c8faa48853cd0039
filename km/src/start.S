// SPDX-License-Identifier: Apache-2.0
/*
 * start.S: the monitor's entry. musl's own crt1.o cannot be linked where the monitor lives (base.h):
 * it reaches undefined weak symbols, that is address 0, with 32-bit offsets.
 */
    .section .note.GNU-stack, "", @progbits
    .text
    .globl _start
    .type _start, @function
_start:
    xorl %ebp, %ebp
    movq (%rsp), %rsi
    leaq 8(%rsp), %rdx
    andq $-16, %rsp
    leaq main(%rip), %rdi
    leaq nothing(%rip), %rcx
    movq %rcx, %r8
    xorl %r9d, %r9d
    call __libc_start_main
nothing:
    ret
