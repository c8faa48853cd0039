// SPDX-License-Identifier: Apache-2.0
/*
 * A signal that comes while an instruction faults is handled, though the fault's handler does not
 * return: the fault's frame is the outer one.
 */
#include "payload.h"

#include <setjmp.h>
#include <signal.h>
#include <sys/time.h>

#define ROUNDS 400
#define FAULTS_MAX 1000000L

static sigjmp_buf back;
static volatile sig_atomic_t alarms;

static void on_alarm(int signo)
{
    (void)signo;
    alarms++;
}

static void on_fault(int signo)
{
    siglongjmp(back, signo);
}

/* Whether the alarm came while this thread did nothing but fault. */
static bool is_handled(void)
{
    const struct itimerval soon = {.it_value = {.tv_usec = 200}};
    volatile long faults = 0;

    alarms = 0;
    (void)setitimer(ITIMER_REAL, &soon, NULL);
    (void)sigsetjmp(back, 1);
    while (!alarms && faults++ < FAULTS_MAX / ROUNDS) {
        *(volatile int *)PAGE = 1;
    }
    return alarms;
}

int main(void)
{
    unsigned lost = 0;

    (void)signal(SIGALRM, on_alarm);
    (void)signal(SIGSEGV, on_fault);
    for (int round = 0; round < ROUNDS; round++) {
        lost += !is_handled();
    }
    SHOW(lost);
    return 0;
}
