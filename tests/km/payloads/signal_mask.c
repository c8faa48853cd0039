// SPDX-License-Identifier: Apache-2.0
/* Blocks signals, sees them wait, and takes them in each way. */
#include "payload.h"

#include <signal.h>
#include <sys/signalfd.h>
#include <time.h>

static void handler(int signo, siginfo_t *info, void *context)
{
    (void)context;
    printf("handler %d value %d\n", signo,
           info->si_code == SI_QUEUE ? info->si_value.sival_int : 0);
}

static void queue(int signo, int value)
{
    CHECK(sigqueue(getpid(), signo, (union sigval){.sival_int = value}) == 0);
}

int main(void)
{
    struct sigaction action = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO};
    struct timespec zero = {0, 0}, moment = {0, 3000000};
    struct signalfd_siginfo read_info;
    sigset_t all, none, pending, old;
    siginfo_t info;
    int fd;

    (void)sigfillset(&all);
    (void)sigemptyset(&none);
    (void)sigaction(SIGUSR1, &action, NULL);
    (void)sigaction(SIGTERM, &action, NULL);
    (void)sigaction(40, &action, NULL);
    (void)sigaction(41, &action, NULL);
    SHOW(sigprocmask(SIG_SETMASK, &all, &old));
    SHOW(sigismember(&old, SIGUSR1));
    queue(41, 1);
    queue(40, 2);
    queue(40, 3);
    queue(SIGUSR1, 4);
    queue(SIGUSR1, 5);
    (void)raise(SIGTERM);
    SHOW(sigpending(&pending));
    SHOW(sigismember(&pending, 40) * 10 + sigismember(&pending, SIGINT));
    SHOW(sigprocmask(SIG_SETMASK, &none, NULL));
    SHOW(sigprocmask(SIG_BLOCK, &all, NULL));
    SHOW(sigtimedwait(&all, &info, &zero));
    SHOW(sigtimedwait(&all, &info, &moment));
    queue(SIGUSR1, 6);
    SHOW(sigtimedwait(&all, &info, NULL));
    printf("code %d value %d\n", info.si_code, info.si_value.sival_int);
    queue(40, 7);
    SHOW(sigsuspend(&none));
    SHOW(sigprocmask(SIG_BLOCK, NULL, &old));
    SHOW(sigismember(&old, 40) * 10 + sigismember(&old, SIGKILL));
    fd = signalfd(-1, &all, SFD_NONBLOCK);
    SHOW(read(fd, &read_info, sizeof(read_info)));
    queue(SIGUSR1, 8);
    SHOW(read(fd, &read_info, sizeof(read_info)));
    printf("signal %u value %d\n", read_info.ssi_signo, read_info.ssi_int);
    (void)signal(SIGINT, SIG_IGN);
    (void)raise(SIGINT);
    SHOW(sigpending(&pending));
    SHOW(sigismember(&pending, SIGINT));
    (void)raise(SIGHUP);
    SHOW(sigprocmask(99, &none, NULL));
    SHOW(sigprocmask(SIG_SETMASK, &none, NULL));
    return 0;
}
