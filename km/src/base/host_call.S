// SPDX-License-Identifier: Apache-2.0
/*
 * host_call.S: system calls of the monitor to the host's kernel; signal.c's handler knows the
 * labels.
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
    movq host_put_off@GOTTPOFF(%rip), %rcx
    movl $1, %fs:(%rcx)
    movq $-513, %rax /* NOT_STARTED */
    ret

/* Where the host's kernel returns to from a handler of ours; rt_sigreturn is call 15. */
    .globl host_restorer
    .type host_restorer, @function
host_restorer:
    movl $15, %eax
    syscall

/* The signal that waits to be delivered on this thread, or 0. */
    .section .tbss, "awT", @nobits
    .globl signal_waiting
    .type signal_waiting, @object
    .size signal_waiting, 4
    .balign 4
signal_waiting:
    .zero 4

/* Whether host_syscall_abort was come to. */
    .globl host_put_off
    .type host_put_off, @object
    .size host_put_off, 4
    .balign 4
host_put_off:
    .zero 4
