// SPDX-License-Identifier: Apache-2.0
/* Signals all that it may: its user has but its own children, since it is root's to choose one. */
#include "payload.h"

#include <grp.h>
#include <signal.h>
#include <sys/wait.h>

static void handler(int signo)
{
    printf("signal %d\n", signo);
    (void)fflush(stdout);
}

int main(void)
{
    unsigned nobody_else = 1000000U + (unsigned)getpid();
    pid_t children[3];
    int status;

    if (geteuid() != 0) { /* the user's other processes shall live */
        return 0;
    }
    CHECK(setgroups(0, NULL) == 0 && setgid(nobody_else) == 0 && setuid(nobody_else) == 0);
    (void)signal(SIGUSR1, handler);
    for (size_t i = 0; i < LEN(children); i++) {
        children[i] = fork();
        if (!children[i]) {
            for (;;) {
                (void)pause();
            }
        }
    }
    SHOW(kill(-1, 0));
    SHOW(kill(-1, SIGKILL)); /* all but the sender */
    for (size_t i = 0; i < LEN(children); i++) {
        CHECK(waitpid(children[i], &status, 0) == children[i]);
        printf("ended by %d\n", WTERMSIG(status));
    }
    SHOW(kill(0, 0));
    SHOW(raise(SIGUSR1));
    return 0;
}
