// SPDX-License-Identifier: Apache-2.0
/* Sends children, in their first moments, signals that are otherwise of faults: each dies of the
 * signal that was sent, or comes to its handler. */
#include "payload.h"

#include <signal.h>
#include <sys/wait.h>

#define CHILDREN 40

static void on_signal(int signo)
{
    _exit(signo);
}

static pid_t start(void)
{
    pid_t child = fork();

    if (child == 0) {
        (void)pause();
        _exit(0);
    }
    return child;
}

static void count(const char *name, int signo)
{
    int died = 0, handled = 0;

    for (int i = 0; i < CHILDREN; i++) {
        pid_t child = start();
        int status = 0;

        CHECK(child > 0 && kill(child, signo) == 0 && waitpid(child, &status, 0) == child);
        died += WIFSIGNALED(status) && WTERMSIG(status) == signo;
        handled += WIFEXITED(status) && WEXITSTATUS(status) == signo;
    }
    printf("%s, signal %d: %d died, %d handled\n", name, signo, died, handled);
}

int main(void)
{
    static const int signals[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGTRAP, SIGTERM};

    for (unsigned i = 0; i < sizeof(signals) / sizeof(*signals); i++) {
        count("by default", signals[i]);
        CHECK(signal(signals[i], on_signal) != SIG_ERR);
        count("with a handler", signals[i]);
    }
    return 0;
}
