// SPDX-License-Identifier: Apache-2.0
/* Gives the kernel addresses of the monitor to remember, then has them used. */
#include "payload.h"

#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

static void handler(int signo)
{
    printf("signal %d\n", signo);
}

int main(int argc, char **argv)
{
    uint64_t place = strtoul(argv[1], NULL, 0);
    stack_t stack = {.ss_sp = (void *)place, .ss_size = 64 << 10};
    struct sigaction action = {.sa_handler = handler, .sa_flags = SA_ONSTACK};
    uint64_t remembered = 0;

    SHOW(syscall(SYS_set_tid_address, place) == getpid());
    SHOW(prctl(PR_GET_TID_ADDRESS, &remembered));
    SHOW(remembered == place);
    (void)syscall(SYS_set_robust_list, place, 24); /* the monitor may refuse it at once */
    SHOW(sigaltstack(&stack, NULL));
    if (argc > 2) {
        (void)sigaction(SIGUSR1, &action, NULL);
        SHOW(raise(SIGUSR1));
    }
    (void)syscall(SYS_exit, 7);
}
