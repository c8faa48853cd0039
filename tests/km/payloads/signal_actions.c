// SPDX-License-Identifier: Apache-2.0
/* Sets actions and gets back what was set. */
#include "payload.h"

#include <signal.h>
#include <sys/syscall.h>

static int count;

static void handler(int signo)
{
    (void)signo;
    count++;
}

int main(void)
{
    struct sigaction action = {.sa_handler = handler, .sa_flags = SA_RESTART | SA_NODEFER}, old;

    for (int signo = 1; signo < 65; signo++) {
        if (signo < 32 || signo > 34) { /* the libc keeps these for itself */
            printf("%d: %d ", signo, sigaction(signo, NULL, &old));
            printf("%d\n", old.sa_handler == SIG_DFL);
        }
    }
    (void)sigemptyset(&action.sa_mask);
    (void)sigaddset(&action.sa_mask, SIGHUP);
    SHOW(sigaction(SIGUSR1, &action, &old));
    SHOW(sigaction(SIGUSR1, NULL, &old));
    SHOW(old.sa_handler == handler);
    SHOW(old.sa_flags & ~0x04000000); /* SA_RESTORER is the libc's */
    SHOW(sigismember(&old.sa_mask, SIGHUP) * 10 + sigismember(&old.sa_mask, SIGINT));
    SHOW(sigaction(SIGKILL, &action, NULL));
    SHOW(sigaction(SIGSTOP, &action, NULL));
    SHOW(sigaction(SIGKILL, NULL, &old));
    SHOW(sigaction(0, &action, NULL));
    SHOW(sigaction(65, &action, NULL));
    SHOW(syscall(SYS_rt_sigaction, SIGUSR1, NULL, NULL, 4));
    action.sa_flags = (int)SA_RESETHAND;
    (void)sigaction(SIGUSR2, &action, NULL);
    SHOW(raise(SIGUSR2));
    SHOW(count);
    SHOW(sigaction(SIGUSR2, NULL, &old));
    SHOW(old.sa_handler == SIG_DFL);
    action.sa_flags = SA_RESTART | 0x400 | 0x800 | 0x40; /* what programs ask a kernel for */
    (void)sigaction(SIGUSR2, &action, NULL);
    SHOW(sigaction(SIGUSR2, NULL, &old));
    SHOW(old.sa_flags & ~0x04000000);
    (void)signal(SIGUSR2, SIG_IGN);
    SHOW(raise(SIGUSR2));
    (void)signal(SIGSEGV, SIG_IGN);
    SHOW(kill(getpid(), SIGSEGV));
    *(volatile int *)8 = 1;
    return 0;
}
