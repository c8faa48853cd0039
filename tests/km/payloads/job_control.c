// SPDX-License-Identifier: Apache-2.0
/* Stops, continues and groups processes, and hears of each change. */
#include "payload.h"

#include <signal.h>
#include <sys/wait.h>

static volatile sig_atomic_t changes, last_code, last_status;

static void handler(int signo, siginfo_t *info, void *context)
{
    (void)signo;
    (void)context;
    last_code = info->si_code;
    last_status = info->si_status;
    changes++;
}

static void wait_for_change(int n)
{
    while (changes < n) {
        (void)usleep(1000);
    }
    printf("change %d: code %d status %d\n", n, (int)last_code, (int)last_status);
}

int main(void)
{
    struct sigaction action = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO};
    siginfo_t info = {0};
    int status = 0;
    pid_t child, group;
    int ready[2];

    (void)sigaction(SIGCHLD, &action, NULL);
    child = fork();
    if (child == 0) {
        (void)raise(SIGSTOP);
        for (;;) {
            (void)pause();
        }
    }
    wait_for_change(1);
    SHOW(waitpid(child, &status, WUNTRACED) == child);
    SHOW(WIFSTOPPED(status) ? WSTOPSIG(status) : -2);
    SHOW(waitpid(child, &status, WNOHANG));
    SHOW(kill(child, SIGCONT));
    wait_for_change(2);
    SHOW(waitpid(child, &status, WCONTINUED) == child);
    SHOW(WIFCONTINUED(status));
    SHOW(kill(child, SIGTERM));
    wait_for_change(3);
    SHOW(waitid(P_PID, (id_t)child, &info, WEXITED | WNOWAIT));
    printf("waitid code %d status %d\n", info.si_code, info.si_status);
    SHOW(waitpid(child, &status, 0) == child);
    (void)signal(SIGCHLD, SIG_DFL);
    CHECK(pipe(ready) == 0);
    group = fork();
    if (group == 0) {
        SHOW(setpgid(0, 0));
        SHOW(getpgrp() == getpid());
        (void)fork();
        CHECK(write(ready[1], "x", 1) == 1);
        for (;;) {
            (void)pause();
        }
    }
    for (int i = 0; i < 2; i++) { /* both are in the group */
        CHECK(read(ready[0], &(char){0}, 1) == 1);
    }
    SHOW(kill(-group, SIGTERM));
    SHOW(waitpid(-group, &status, 0) == group);
    SHOW(WTERMSIG(status));
    if (fork() == 0) {
        SHOW(setsid() == getpid());
        SHOW(getsid(0) == getpid());
        SHOW(setsid());
        exit(0);
    }
    SHOW(wait(&status) > 0);
    return 0;
}
