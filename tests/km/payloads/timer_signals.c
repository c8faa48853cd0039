// SPDX-License-Identifier: Apache-2.0
/* Is woken by alarm, by interval timers and by a POSIX timer. */
#include "payload.h"

#include <signal.h>
#include <sys/time.h>
#include <time.h>

static volatile sig_atomic_t count, code, value;

static void handler(int signo, siginfo_t *info, void *context)
{
    (void)signo;
    (void)context;
    if (++count == 1) {
        code = info->si_code;
        value = info->si_code == SI_TIMER ? info->si_value.sival_int : 0;
    }
}

static void wait_for(int wanted)
{
    while (count < wanted) {
        (void)usleep(1000);
    }
}

/* The timer has been stopped: what came first, and none is counted. */
static void tell(void)
{
    printf("code %d value %d\n", code, value);
    count = 0;
}

int main(void)
{
    struct sigaction action = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO};
    struct itimerval often = {{0, 2000}, {0, 2000}}, never = {{0, 0}, {0, 0}}, old;
    struct itimerspec interval = {{0, 2000000}, {0, 2000000}}, stop = {{0, 0}, {0, 0}};
    struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1};
    timer_t timer;

    (void)sigaction(SIGALRM, &action, NULL);
    (void)sigaction(SIGUSR1, &action, NULL);
    SHOW(alarm(100));
    SHOW(alarm(0) > 0);
    SHOW(setitimer(ITIMER_REAL, &often, NULL));
    wait_for(5);
    SHOW(setitimer(ITIMER_REAL, &never, &old));
    tell();
    SHOW(old.it_interval.tv_usec);
    SHOW(getitimer(ITIMER_REAL, &old));
    SHOW(old.it_value.tv_usec);
    SHOW(setitimer(9, &often, NULL));
    SHOW(alarm(1));
    wait_for(1);
    tell();
    event.sigev_value.sival_int = 55;
    CHECK(timer_create(CLOCK_MONOTONIC, &event, &timer) == 0);
    SHOW(timer_settime(timer, 0, &interval, NULL));
    wait_for(3);
    SHOW(timer_settime(timer, 0, &stop, NULL));
    tell();
    SHOW(timer_delete(timer));
    return 0;
}
