// SPDX-License-Identifier: Apache-2.0
/* Loads segments of a local descriptor table, of which it has none, and returns through them. */
#include "payload.h"

#include <setjmp.h>
#include <signal.h>
#include <ucontext.h>

static sigjmp_buf again;

static void handler(int signo, siginfo_t *info, void *context)
{
    const greg_t *regs = ((ucontext_t *)context)->uc_mcontext.gregs;

    printf("signal %d, code %d, address %p, vector %lld, error 0x%llx\n", signo, info->si_code,
           info->si_addr, (long long)regs[REG_TRAPNO], (long long)regs[REG_ERR]);
    siglongjmp(again, 1);
}

static void load(uint16_t selector)
{
    if (!sigsetjmp(again, 1)) {
        __asm__ volatile("movw %0, %%ds" : : "r"(selector));
        printf("loaded\n");
    }
    if (!sigsetjmp(again, 1)) {
        __asm__ volatile("movw %0, %%gs" : : "r"(selector));
        printf("loaded\n");
    }
    if (!sigsetjmp(again, 1)) {
        __asm__ volatile("pushq %0; leaq 1f(%%rip), %%rax; pushq %%rax; lretq; 1: addq $16, %%rsp"
                         :
                         : "r"((uint64_t)selector)
                         : "rax", "memory");
        printf("returned\n");
    }
}

int main(void)
{
    static const uint16_t selectors[] = {0x4, 0x7, 0xc, 0xf, 0x1007, 0xfff4, 0xffff};
    const struct sigaction action = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO};

    CHECK(sigaction(SIGSEGV, &action, NULL) == 0);
    for (size_t i = 0; i < LEN(selectors); i++) {
        load(selectors[i]);
    }
    return 0;
}
