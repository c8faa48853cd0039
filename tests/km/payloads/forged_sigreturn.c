// SPDX-License-Identifier: Apache-2.0
/*
 * Changes the frame that a handler returns by to what no program may be: ring 0, the kernel's
 * segments, flags, addresses and vector state. Its argument says what.
 */
#include "payload.h"

#include <signal.h>
#include <ucontext.h>

static char **arguments;

static void forge(int signo, siginfo_t *info, void *context)
{
    ucontext_t *uc = context;
    greg_t *regs = uc->uc_mcontext.gregs;
    uint8_t *fpu = (uint8_t *)uc->uc_mcontext.fpregs;
    const char *what = arguments[1];

    (void)signo;
    (void)info;
    if (!strcmp(what, "cs")) {
        regs[REG_CSGSFS] = (regs[REG_CSGSFS] & ~0xffffLL) | strtol(arguments[2], NULL, 0);
    } else if (!strcmp(what, "ss")) {
        regs[REG_CSGSFS] = (regs[REG_CSGSFS] & 0xffffffffffffLL) | strtol(arguments[2], NULL, 0)
                                                                       << 48;
    } else if (!strcmp(what, "flags")) {
        regs[REG_EFL] |= strtol(arguments[2], NULL, 0);
    } else if (!strcmp(what, "rip")) {
        regs[REG_RIP] = (greg_t)strtoul(arguments[2], NULL, 0);
    } else if (!strcmp(what, "rsp")) {
        regs[REG_RSP] = (greg_t)strtoul(arguments[2], NULL, 0);
    } else if (!strcmp(what, "fpu")) {
        uc->uc_mcontext.fpregs = (void *)strtoul(arguments[2], NULL, 0);
    } else if (!strcmp(what, "mxcsr")) {
        memset(fpu + 24, 0xff, 4);
    } else if (!strcmp(what, "xstate")) { /* XSTATE_BV and XCOMP_BV of the header */
        memset(fpu + 512, 0xff, 16);
    } else if (!strcmp(what, "reserved")) {
        memset(fpu + 528, 0xff, 48);
    } else if (!strcmp(what, "size")) { /* of what follows, in sw_reserved */
        memset(fpu + 464, 0xff, 48);
    }
}

int main(int argc, char **argv)
{
    struct sigaction action = {.sa_sigaction = forge, .sa_flags = SA_SIGINFO};
    uint64_t flags = 0;

    (void)argc;
    arguments = argv;
    (void)sigaction(SIGUSR1, &action, NULL);
    __asm__ volatile("movl $0x3e, %%eax; syscall; pushfq; popq %0; pushq $0x202; popfq"
                     : "=&r"(flags)
                     : "D"(getpid()), "S"(SIGUSR1)
                     : "rax", "rcx", "r11", "memory", "cc");
    printf("goes on, flags %lx\n", flags & ~0x8d5UL);
    return 0;
}
