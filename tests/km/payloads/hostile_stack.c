// SPDX-License-Identifier: Apache-2.0
/*
 * Makes system calls and faults while its stack pointer is where no stack is; its arguments say
 * where, and whether signals are handled then.
 */
#include "payload.h"

#include <signal.h>
#include <ucontext.h>

static char room[64 << 10];
static uint64_t saved;

static void handler(int signo, siginfo_t *info, void *context)
{
    greg_t *regs = ((ucontext_t *)context)->uc_mcontext.gregs;

    (void)info;
    printf("signal %d\n", signo);
    regs[REG_RSP] = (greg_t)saved;
    regs[REG_RIP] += 2; /* over ud2 */
}

int main(int argc, char **argv)
{
    stack_t stack = {.ss_sp = room, .ss_size = sizeof(room)};
    struct sigaction action = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO};
    uint64_t to = strtoul(argv[1], NULL, 0);
    long result;

    if (argc > 2) {
        (void)sigaltstack(&stack, NULL);
        action.sa_flags |= strcmp(argv[2], "elsewhere") ? 0 : SA_ONSTACK;
        (void)sigaction(SIGILL, &action, NULL);
        (void)sigaction(SIGSEGV, &action, NULL);
    }
    __asm__ volatile("movq %%rsp, %1; movq %2, %%rsp; movl $39, %%eax; syscall; movq %%rax, %%rbx;"
                     "ud2; movq %1, %%rsp; movq %%rbx, %0"
                     : "=r"(result), "+m"(saved)
                     : "r"(to)
                     : "rax", "rbx", "rcx", "r11", "memory");
    SHOW(result == getpid());
    return 0;
}
