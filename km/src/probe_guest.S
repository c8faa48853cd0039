// SPDX-License-Identifier: Apache-2.0
/*
 * probe_guest.S: the program that km --probe runs, copied into a machine: it uses each feature of
 * the machine that programs use, reports it, and ends with PROBE_STATUS. Its page is followed by
 * one of memory.
 */
    .section .note.GNU-stack, "", @progbits
    .section .rodata

#define PROBE_STATUS 17 /* probe.c */
#define NR_WRITE 1
#define NR_ARCH_PRCTL 158
#define NR_EXIT_GROUP 231
#define ARCH_SET_FS 0x1002
#define AVX 6 /* in XCR0, with SSE */
#define AVX512 0xe6

    .globl probe_guest, probe_guest_size
probe_guest:
    leaq probe_guest + 4096(%rip), %rbx
    movl $PROBE_STATUS, (%rbx) /* memory that nobody has touched */
    movl $1, %eax
    xorl %ecx, %ecx
    pushq %rbx
    cpuid
    popq %rbx
    btl $27, %ecx /* OSXSAVE: there is an XCR0 */
    jnc 1f
    xorl %ecx, %ecx
    xgetbv
    movl %eax, %r12d
    andl $AVX, %eax
    cmpl $AVX, %eax
    jne 1f
    vxorps %ymm0, %ymm0, %ymm0
    vmovups %ymm0, 64(%rbx)
    movl %r12d, %eax
    andl $AVX512, %eax
    cmpl $AVX512, %eax
    jne 1f
    vpxorq %zmm17, %zmm17, %zmm17
    vmovups %zmm17, 64(%rbx)
1:  movl $NR_ARCH_PRCTL, %eax
    movl $ARCH_SET_FS, %edi
    movq %rbx, %rsi
    syscall
    testq %rax, %rax
    jnz 2f
    movl $NR_WRITE, %eax
    movl $1, %edi
    leaq said(%rip), %rsi
    movl $said_end - said, %edx
    syscall
2:  movl %fs:0, %edi
    movl $NR_EXIT_GROUP, %eax
    syscall
    ud2
said:
    .ascii "guest=ok\n"
said_end:
    .balign 4
probe_guest_size:
    .long . - probe_guest
