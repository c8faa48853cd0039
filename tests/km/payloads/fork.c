// SPDX-License-Identifier: Apache-2.0
/* Makes processes: each has its own memory, descriptors in common, and an end to wait for. */
#include "payload.h"

#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>

static int own = 1, *common;

static pid_t child_that(int how)
{
    pid_t parent = getpid(), child = fork();

    if (child) {
        return child;
    }
    CHECK(getpid() != parent && getppid() == parent);
    own += how;
    *common += how;
    if (how == 3) {
        (void)raise(SIGTERM);
    } else if (how == 4) {
        *(volatile int *)8 = 1;
    } else if (how == 5) { /* a child of its own */
        int status;

        CHECK(waitpid(child_that(7), &status, 0) > 0);
        _exit(WEXITSTATUS(status) + 10);
    }
    _exit(how);
}

int main(void)
{
    int ends[2], status = 0;
    char text[8] = "";
    struct rusage usage;

    common = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    for (int how = 0; how < 6; how++) {
        pid_t child = child_that(how);

        SHOW(wait4(child, &status, 0, &usage) == child);
        printf("%d: status %x own %d common %d\n", how, status & ~0x80, own, *common);
    }
    SHOW(pipe(ends));
    if (fork() == 0) {
        (void)write(ends[1], "child", 5);
        exit(0);
    }
    SHOW(read(ends[0], text, sizeof(text)));
    printf("%s\n", text);
    SHOW(wait(&status) > 0);
    SHOW(wait(&status));
    for (int i = 0; i < 5; i++) {
        if (fork() == 0) {
            _exit(20 + i);
        }
    }
    for (status = own = 0; wait(&status) > 0;) {
        own += WEXITSTATUS(status);
    }
    SHOW(own);
    return 0;
}
