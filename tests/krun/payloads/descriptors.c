// SPDX-License-Identifier: Apache-2.0
/* descriptors.c: print which descriptors are open, and whether SIGPIPE is ignored. */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>

int main(void)
{
    struct sigaction pipe;

    for (int fd = 0; fd < 64; fd++)
        if (fcntl(fd, F_GETFD) != -1)
            printf("%d ", fd);
    sigaction(SIGPIPE, NULL, &pipe);
    puts(pipe.sa_handler == SIG_IGN ? "ignored" : "default");
    return 0;
}
