// SPDX-License-Identifier: Apache-2.0
/*
 * fault_report.h: handle the signal of a fault, and print all facts that the handler gets.
 */
#ifndef FAULT_REPORT_H
#define FAULT_REPORT_H

#include "payload.h"

#include <setjmp.h>
#include <signal.h>
#include <ucontext.h>

static sigjmp_buf report_back;
static char *report_target; /* where the fault is made to happen, if at a place */

/* An address by its meaning: it is another one in each run. */
static inline const char *report_place(uint64_t addr, uint64_t rip)
{
    return addr == (uint64_t)report_target ? "target"
           : addr == rip                   ? "the instruction"
           : addr                          ? "another"
                                           : "none";
}

static inline void report_handler(int signo, siginfo_t *info, void *context)
{
    const greg_t *regs = ((const ucontext_t *)context)->uc_mcontext.gregs;
    uint64_t rip = (uint64_t)regs[REG_RIP];

    printf("signal %d errno %d code %d address %s\n", signo, info->si_errno, info->si_code,
           report_place((uint64_t)info->si_addr, rip));
    printf("vector %lld error %llx at the target %d\n", regs[REG_TRAPNO], regs[REG_ERR],
           rip == (uint64_t)report_target);
    if (regs[REG_TRAPNO] == 14) {
        printf("cr2 %s\n", report_place((uint64_t)regs[REG_CR2], rip));
    }
    siglongjmp(report_back, 1);
}

/* Call fault(what), with all signals handled where `handled` says so. */
static inline void report(void (*fault)(const char *), const char *what, bool handled)
{
    struct sigaction action = {.sa_sigaction = report_handler, .sa_flags = SA_SIGINFO};

    for (int signo = 1; handled && signo < 32; signo++) {
        (void)sigaction(signo, &action, NULL);
    }
    if (sigsetjmp(report_back, 1) == 0) {
        fault(what);
        printf("nothing happened\n");
    }
}

#endif /* FAULT_REPORT_H */
