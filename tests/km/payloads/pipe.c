// SPDX-License-Identifier: Apache-2.0
/* Moves bytes through pipes, up to full, empty and broken ones. */
#include "payload.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/ioctl.h>

int main(int argc, char **argv)
{
    int ends[2], more[2], unread = 0;
    char buf[16] = "";
    long written = 0;
    static char block[PAGE];

    (void)argc;
    SHOW(pipe(ends));
    SHOW(pipe2(more, O_NONBLOCK | O_CLOEXEC));
    SHOW(write(ends[1], "hello", 5));
    SHOW(ioctl(ends[0], FIONREAD, &unread));
    SHOW(unread);
    SHOW(tee(ends[0], more[1], 5, 0));
    SHOW(read(ends[0], buf, sizeof(buf)));
    SHOW(splice(more[0], NULL, ends[1], NULL, 5, 0));
    SHOW(read(ends[0], buf, 2));
    SHOW(read(more[0], buf, 1));
    while (write(more[1], block, sizeof(block)) > 0) {
        written += (long)sizeof(block);
    }
    SHOW(written);
    SHOW(fcntl(more[1], F_GETPIPE_SZ));
    SHOW(fcntl(more[1], F_GETFL));
    SHOW(lseek(ends[0], 0, SEEK_SET));
    SHOW(close(ends[1]));
    SHOW(read(ends[0], buf, sizeof(buf)));
    SHOW(read(ends[0], buf, sizeof(buf)));
    SHOW(close(more[0]));
    if (is_case(argv, "ignored")) {
        (void)signal(SIGPIPE, SIG_IGN);
    }
    SHOW(write(more[1], "x", 1));
    return 0;
}
