// SPDX-License-Identifier: Apache-2.0
/* Gets signals while it handles signals, in the order that masks and flags say. */
#include "payload.h"

#include <signal.h>

static int level, begun;

static void handler(int signo)
{
    sigset_t mask;

    level++;
    (void)sigprocmask(SIG_BLOCK, NULL, &mask);
    printf("%*sbegin %d, blocked:", level * 2, "", signo);
    for (int i = 1; i < 65; i++) {
        if (sigismember(&mask, i) > 0) {
            printf(" %d", i);
        }
    }
    printf("\n");
    if (level < 4 && ++begun < 9) {
        (void)raise(signo == SIGUSR1 ? SIGUSR2 : SIGUSR1);
        (void)raise(signo);
        (void)raise(SIGHUP);
    }
    printf("%*send %d\n", level * 2, "", signo);
    level--;
}

static void set(int signo, int flags, int blocked)
{
    struct sigaction action = {.sa_handler = handler, .sa_flags = flags};

    (void)sigemptyset(&action.sa_mask);
    if (blocked) {
        (void)sigaddset(&action.sa_mask, blocked);
    }
    (void)sigaction(signo, &action, NULL);
}

static void start(int signo)
{
    begun = 0;
    SHOW(raise(signo));
}

int main(void)
{
    set(SIGHUP, 0, 0);
    set(SIGUSR1, 0, 0);
    set(SIGUSR2, 0, 0);
    start(SIGUSR1);
    set(SIGUSR1, SA_NODEFER, 0);
    start(SIGUSR1);
    set(SIGUSR1, 0, SIGUSR2);
    set(SIGUSR2, 0, SIGUSR1);
    start(SIGUSR1);
    set(SIGUSR1, SA_RESETHAND, 0);
    start(SIGUSR2);
    return 0;
}
