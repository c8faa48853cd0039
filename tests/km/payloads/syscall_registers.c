// SPDX-License-Identifier: Apache-2.0
/* Keeps registers and flags over a system call, as the kernel's ABI says. */
#include "payload.h"

#include <signal.h>
#include <sys/syscall.h>
#include <ucontext.h>

static int steps;

static void step(int signo, siginfo_t *info, void *context)
{
    (void)signo;
    (void)info;
    if (++steps > 1000) { /* the trap flag was lost sight of */
        ((ucontext_t *)context)->uc_mcontext.gregs[REG_EFL] &= ~0x100LL;
    }
}

/* Set `flags` (CF PF AF ZF SF OF DF AC ID; KVM in software drops NT), call the kernel, and return
 * the flags after it. */
static uint64_t flags_after(uint64_t flags)
{
    uint64_t after, rcx_right, r11;

    __asm__ volatile(
        "pushq %3; popfq; movl $39, %%eax; syscall; 1: pushfq; popq %0; movq %%r11, %2;"
        "leaq 1b(%%rip), %%rax; subq %%rax, %%rcx; movq %%rcx, %1; pushq $0x202; popfq"
        : "=&r"(after), "=&r"(rcx_right), "=&r"(r11)
        : "r"(flags)
        : "rax", "rcx", "r11", "memory", "cc");
    printf("flags %lx, before %lx, r11 %lx, rcx %s\n", after, flags, r11,
           rcx_right ? "wrong" : "right");
    return after;
}

int main(void)
{
    static const uint64_t flags[] = {0x202, 0x203, 0x207,   0x213,    0x243,  0x283,
                                     0xa02, 0x602, 0x40202, 0x200202, 0x40ed7};
    struct sigaction action = {.sa_sigaction = step, .sa_flags = SA_SIGINFO};

    for (size_t i = 0; i < LEN(flags); i++) {
        (void)flags_after(flags[i]);
    }
    (void)sigaction(SIGTRAP, &action, NULL);
    __asm__ volatile("movl $39, %%eax; pushfq; orq $0x100, (%%rsp); popfq; nop; syscall; nop;"
                     "pushfq; andq $~0x100, (%%rsp); popfq"
                     :
                     :
                     : "rax", "rcx", "r11", "memory", "cc");
    SHOW(steps);
    return 0;
}
