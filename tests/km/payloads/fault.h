// SPDX-License-Identifier: Apache-2.0
/*
 * fault.h: touch memory that may not be there, and say what happened.
 */
#ifndef FAULT_H
#define FAULT_H

#include "payload.h"

#include <setjmp.h>
#include <signal.h>

static sigjmp_buf fault_back;
static siginfo_t fault_info;

static inline void fault_note(int signo, siginfo_t *info, void *context)
{
    (void)signo;
    (void)context;
    fault_info = *info;
    siglongjmp(fault_back, 1);
}

static inline void fault_catch(void)
{
    struct sigaction action = {.sa_sigaction = fault_note, .sa_flags = SA_SIGINFO};

    (void)sigaction(SIGSEGV, &action, NULL);
    (void)sigaction(SIGBUS, &action, NULL);
    (void)sigaction(SIGILL, &action, NULL);
}

/* 'r', 'w' or 'x' the byte at p; print what came of it under a name. */
static inline void fault_try(const char *name, char how, volatile char *p)
{
    if (sigsetjmp(fault_back, 1)) {
        printf("%s: %c gives signal %d code %d, address is %s\n", name, how, fault_info.si_signo,
               fault_info.si_code, fault_info.si_addr == (void *)p ? "right" : "wrong");
        return;
    }
    switch (how) {
    case 'r':
        printf("%s: r gives %d\n", name, *p);
        break;
    case 'w':
        *p = 'w';
        printf("%s: w done\n", name);
        break;
    default:
        printf("%s: x gives %d\n", name, ((int (*)(void))(uintptr_t)p)());
        break;
    }
}

#endif /* FAULT_H */
