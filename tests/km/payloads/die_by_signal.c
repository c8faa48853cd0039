// SPDX-License-Identifier: Apache-2.0
/* Sends itself the signal that its argument says. */
#include "payload.h"

#include <signal.h>
#include <sys/syscall.h>

int main(int argc, char **argv)
{
    int signo = atoi(argv[1]);

    if (argc > 2) {
        (void)syscall(SYS_tgkill, getpid(), syscall(SYS_gettid), signo);
    } else {
        (void)kill(getpid(), signo);
    }
    printf("survived\n");
    return 0;
}
