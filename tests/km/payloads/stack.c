// SPDX-License-Identifier: Apache-2.0
/* Uses much of the stack, or all of it. */
#include "payload.h"

#include <signal.h>

static char other_stack[64 << 10];

static void overflow(int signo, siginfo_t *info, void *context)
{
    (void)context;
    printf("signal %d code %d\n", signo, info->si_code);
    (void)fflush(stdout);
    _exit(9);
}

__attribute__((noinline)) static long depth(long n)
{
    volatile char room[1000];

    room[n % 1000] = (char)n;
    return n ? depth(n - 1) + room[n % 1000] * 0 + 1 : 0;
}

int main(int argc, char **argv)
{
    stack_t stack = {.ss_sp = other_stack, .ss_size = sizeof(other_stack)};
    struct sigaction action = {.sa_sigaction = overflow, .sa_flags = SA_SIGINFO | SA_ONSTACK};

    (void)argc;
    SHOW(depth(6000));
    if (is_case(argv, "caught")) {
        SHOW(sigaltstack(&stack, NULL));
        SHOW(sigaction(SIGSEGV, &action, NULL));
    }
    if (argv[1]) {
        SHOW(depth(100000000));
    }
    return 0;
}
