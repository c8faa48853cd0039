// SPDX-License-Identifier: Apache-2.0
/*
 * guest_copy.S: copies to and from payload memory that may be missing; signal.c's handler knows the
 * labels.
 */
    .section .note.GNU-stack, "", @progbits
    .text

/*
 * int64_t guest_copy(void *to, const void *from, uint64_t len)
 *
 * memcpy() where one side is payload memory that may not be there: 0, or -EFAULT. A fault in between
 * begin and end continues at guest_copy_fault.
 */
    .globl guest_copy, guest_copy_begin, guest_copy_end, guest_copy_fault
    .type guest_copy, @function
guest_copy:
    movq %rdx, %rcx
guest_copy_begin:
    rep movsb
guest_copy_end:
    xorl %eax, %eax
    ret
guest_copy_fault:
    movq $-14, %rax /* -EFAULT */
    ret

/*
 * int64_t guest_cmpxchg(void *at, uint32_t old, uint32_t new)
 *
 * 0 when `old` stood there and `new` stands there now, -EAGAIN, or -EFAULT; likewise.
 */
    .globl guest_cmpxchg, guest_cmpxchg_begin, guest_cmpxchg_end
    .type guest_cmpxchg, @function
guest_cmpxchg:
    movl %esi, %eax
guest_cmpxchg_begin:
    lock cmpxchgl %edx, (%rdi)
guest_cmpxchg_end:
    jne 1f
    xorl %eax, %eax
    ret
1:  movq $-11, %rax /* -EAGAIN */
    ret
