// SPDX-License-Identifier: Apache-2.0
/* Sees by siginfo where each signal came from. */
#include "payload.h"

#include <signal.h>
#include <sys/syscall.h>
#include <sys/time.h>

static volatile sig_atomic_t seen;

static void handler(int signo, siginfo_t *info, void *context)
{
    printf("signal %d code %d errno %d", signo, info->si_code, info->si_errno);
    if (info->si_code == SI_QUEUE) {
        printf(" value %d", info->si_value.sival_int);
    }
    if (info->si_code == SI_USER || info->si_code == SI_TKILL || info->si_code == SI_QUEUE) {
        printf(" own %d", info->si_pid == getpid() && info->si_uid == getuid());
    }
    printf(" context %d\n", context != NULL);
    seen++;
}

int main(void)
{
    static const int signals[] = {SIGHUP, SIGINT, SIGUSR1, SIGCHLD, SIGALRM, SIGVTALRM, SIGSEGV,
                                  SIGBUS, SIGFPE, SIGTERM, SIGURG,  SIGTSTP, 34,        64};
    struct sigaction action = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO};
    struct itimerval soon = {{0, 0}, {0, 1000}};
    union sigval value = {.sival_int = 77};

    for (size_t i = 0; i < LEN(signals); i++) {
        (void)sigaction(signals[i], &action, NULL);
        SHOW(kill(getpid(), signals[i]));
        SHOW(raise(signals[i]));
        SHOW(sigqueue(getpid(), signals[i], value));
    }
    seen = 0;
    CHECK(setitimer(ITIMER_REAL, &soon, NULL) == 0); /* whose handler prints at any moment */
    while (!seen) {
    }
    CHECK(setitimer(ITIMER_VIRTUAL, &soon, NULL) == 0);
    while (seen < 2) {
    }
    SHOW(kill(getpid(), 0));
    SHOW(kill(getpid(), 65));
    SHOW(syscall(SYS_tgkill, getpid(), getpid(), 99));
    SHOW(raise(SIGUSR1));
    return 0;
}
