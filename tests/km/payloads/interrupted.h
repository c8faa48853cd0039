// SPDX-License-Identifier: Apache-2.0
/* interrupted.h: calls that wait until a signal, and how many signals came. */
#ifndef INTERRUPTED_H
#define INTERRUPTED_H

#include "payload.h"

#include <signal.h>
#include <sys/time.h>

static volatile sig_atomic_t signals;

static inline void count_signal(int signo)
{
    (void)signo;
    signals++;
}

/* Again and again: the first may come before the call that is to be interrupted. */
static inline void set_alarms(suseconds_t us)
{
    struct itimerval often = {{0, us}, {0, us}};

    CHECK(setitimer(ITIMER_REAL, &often, NULL) == 0);
}

/* The call waits for good until a signal, which ends it. */
#define INTERRUPTED(call)                                                                          \
    do {                                                                                           \
        signals = 0;                                                                               \
        set_alarms(30000);                                                                         \
        CHECK((call) < 0 && errno == EINTR && signals > 0);                                        \
        set_alarms(0);                                                                             \
    } while (0)

#endif /* INTERRUPTED_H */
