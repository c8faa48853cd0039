// SPDX-License-Identifier: Apache-2.0
/* Sends itself signals that claim to be of a fault, or to come from the monitor. */
#include "payload.h"

#include <signal.h>
#include <sys/syscall.h>

static int times[65];
static bool counts;

static void handler(int signo, siginfo_t *info, void *context)
{
    (void)context;
    if (counts) { /* which comes first is the kernel's to say */
        times[signo]++;
        return;
    }
    printf("signal %d code %d address %p\n", signo, info->si_code, info->si_addr);
    (void)fflush(stdout);
}

static void send(int signo, int code, uint64_t address)
{
    siginfo_t info = {.si_signo = signo, .si_code = code};

    info.si_addr = (void *)address;
    SHOW(syscall(SYS_rt_tgsigqueueinfo, getpid(), gettid(), signo, &info));
    SHOW(syscall(SYS_rt_sigqueueinfo, getpid(), signo, &info));
    SHOW(syscall(SYS_rt_sigqueueinfo, getppid(), code > 0 ? signo : 0, &info));
}

int main(int argc, char **argv)
{
    static const int signals[] = {SIGSEGV, SIGBUS, SIGILL, SIGTRAP, SIGFPE, SIGSYS};
    struct sigaction action = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO};
    sigset_t set;

    (void)argc;
    if (is_case(argv, "handled") || is_case(argv, "blocked")) {
        for (size_t i = 0; i < LEN(signals); i++) {
            (void)sigaction(signals[i], &action, NULL);
        }
    }
    if (is_case(argv, "blocked")) {
        counts = true;
        (void)sigfillset(&set);
        (void)sigprocmask(SIG_SETMASK, &set, NULL);
    }
    for (size_t i = 0; i < LEN(signals); i++) {
        if (is_case(argv, "blocked")) { /* once: what waits twice is counted by who blocks it */
            siginfo_t info = {.si_signo = signals[i], .si_code = 1};

            SHOW(syscall(SYS_rt_tgsigqueueinfo, getpid(), gettid(), signals[i], &info));
            continue;
        }
        send(signals[i], 1, 0x1234);
        send(signals[i], 2, 0x7e0000000000);
        send(signals[i], 128, 0);
        send(signals[i], -1, 0x1234);
    }
    (void)sigemptyset(&set);
    (void)sigprocmask(SIG_SETMASK, &set, NULL);
    for (size_t i = 0; i < LEN(signals); i++) {
        printf("signal %d: %d\n", signals[i], times[signals[i]]);
    }
    printf("goes on\n");
    return 0;
}
