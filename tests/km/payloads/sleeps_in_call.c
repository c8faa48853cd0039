// SPDX-License-Identifier: Apache-2.0
/*
 * Interrupts children once the kernel says that they sleep: each is then in the call that it has
 * made, which ends; none still waits for anything else before it. A process that only asks whether
 * its child has ended, as km does before, sleeps for an instant: so the kernel must say it twice.
 */
#include "payload.h"

#include <signal.h>
#include <sys/wait.h>

#define CHILDREN 150
#define PATIENCE 300 /* hundredths of a second */

static void on_signal(int signo)
{
    (void)signo;
}

static char state(pid_t pid)
{
    char name[64], line[512] = "";
    const char *end;
    int fd;

    (void)snprintf(name, sizeof(name), "/proc/%d/stat", pid);
    fd = open(name, O_RDONLY);
    CHECK(fd >= 0 && read(fd, line, sizeof(line) - 1) > 0 && close(fd) == 0);
    end = strrchr(line, ')');
    return end ? end[2] : 0;
}

/* Whether the child ends in time; it is made to, else. */
static bool ends(pid_t child)
{
    for (int i = 0; i < PATIENCE; i++) {
        if (waitpid(child, NULL, WNOHANG) == child) {
            return true;
        }
        (void)usleep(10000);
    }
    CHECK(kill(child, SIGKILL) == 0 && waitpid(child, NULL, 0) == child);
    return false;
}

int main(void)
{
    int ended = 0;

    CHECK(signal(SIGHUP, on_signal) != SIG_ERR);
    for (int i = 0; i < CHILDREN; i++) {
        pid_t child = fork();

        if (child == 0) {
            (void)pause();
            _exit(0);
        }
        while (state(child) != 'S' || state(child) != 'S') {
        }
        CHECK(kill(child, SIGHUP) == 0);
        ended += ends(child);
    }
    printf("%d of %d\n", ended, CHILDREN);
    return 0;
}
