// SPDX-License-Identifier: Apache-2.0
/* Changes, in a handler, where and how the program continues. */
#include "payload.h"

#include <signal.h>
#include <ucontext.h>

static void skip(int signo, siginfo_t *info, void *context)
{
    ucontext_t *uc = context;
    greg_t *regs = uc->uc_mcontext.gregs;

    (void)info;
    printf("signal %d rax %llx rbx %llx\n", signo, regs[REG_RAX], regs[REG_RBX]);
    printf("xmm7 %x cs %llx\n", uc->uc_mcontext.fpregs->_xmm[7].element[0],
           (unsigned long long)regs[REG_CSGSFS] & 0xffff);
    regs[REG_RIP] += 2;
    regs[REG_RBX] = 0x600d;
    regs[REG_EFL] |= 1;
    uc->uc_mcontext.fpregs->_xmm[7].element[0] = 0x900d;
    (void)sigaddset(&uc->uc_sigmask, SIGHUP);
}

int main(void)
{
    struct sigaction action = {.sa_sigaction = skip, .sa_flags = SA_SIGINFO};
    uint64_t rbx = 0xbad, carry = 0;
    uint32_t xmm = 0x7777;
    sigset_t mask;

    (void)sigaction(SIGILL, &action, NULL);
    __asm__ volatile("movd %2, %%xmm7; movl $0x1234, %%eax; clc; ud2; setc %b1; movd %%xmm7, %2"
                     : "+b"(rbx), "+r"(carry), "+r"(xmm)
                     :
                     : "rax", "xmm7", "cc");
    printf("rbx %lx carry %lu xmm %x\n", rbx, carry, xmm);
    SHOW(sigprocmask(SIG_BLOCK, NULL, &mask));
    SHOW(sigismember(&mask, SIGHUP) * 10 + sigismember(&mask, SIGILL));
    SHOW(raise(SIGHUP));
    return 0;
}
