// SPDX-License-Identifier: Apache-2.0
/*
 * host.S: the two places where the monitor lets the host's kernel or CPU decide, each with a label
 * that signal.c's handler knows.
 */
    .section .note.GNU-stack, "", @progbits
    .text

/*
 * int64_t host_syscall(uint64_t number, const uint64_t *args)
 *
 * A signal that arrives after the last look at what is pending and before the kernel has been entered
 * would be seen only when the call returns, perhaps never. So the handler moves RIP from anywhere
 * between host_syscall_begin and host_syscall_end to host_syscall_abort: the call has not
 * been made and is made again once the signal is delivered.
 */
    .globl host_syscall, host_syscall_begin, host_syscall_end, host_syscall_abort
    .type host_syscall, @function
host_syscall:
    movq %rsi, %r11
    movq %rdi, %rax
    movq signal_waiting@GOTTPOFF(%rip), %rcx
host_syscall_begin:
    cmpl $0, %fs:(%rcx)
    jne host_syscall_abort
    movq (%r11), %rdi
    movq 8(%r11), %rsi
    movq 16(%r11), %rdx
    movq 24(%r11), %r10
    movq 32(%r11), %r8
    movq 40(%r11), %r9
    syscall
host_syscall_end:
    ret
host_syscall_abort:
    movq $-513, %rax /* NOT_STARTED */
    ret

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

/* Where the host's kernel returns to from a handler of ours; rt_sigreturn is call 15. */
    .globl host_restorer
    .type host_restorer, @function
host_restorer:
    movl $15, %eax
    syscall
