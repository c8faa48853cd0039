// SPDX-License-Identifier: Apache-2.0
/* Opens the file of its own memory where the names below /proc are of its own making. */
#include "payload.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/stat.h>

/* A root in which every descriptor seems to be another file. */
static int enter_root(void)
{
    char name[64], target[64];

    if (mkdir("root", 0700) || mkdir("root/proc", 0700) || mkdir("root/proc/self", 0700) ||
        mkdir("root/proc/self/fd", 0700)) {
        return -1;
    }
    for (int fd = 0; fd < 64; fd++) {
        (void)snprintf(name, sizeof(name), "root/proc/self/fd/%d", fd);
        (void)snprintf(target, sizeof(target), "/harmless%d", fd);
        CHECK(symlink(target, name) == 0);
    }
    return chroot("root");
}

int main(void)
{
    int proc = open("/proc", O_RDONLY | O_DIRECTORY);
    char name[32];

    if (chroot("/") < 0 && unshare(CLONE_NEWUSER) < 0) {
        return 0; /* this user can change no root at all */
    }
    CHECK(proc >= 0 && enter_root() == 0);
    (void)snprintf(name, sizeof(name), "%d/mem", getpid());
    CHECK(openat(proc, name, O_RDWR) == -1);
    CHECK(openat(proc, "self/mem", O_RDONLY) == -1);
    CHECK(openat(proc, "thread-self/mem", O_WRONLY) == -1);
    CHECK(openat(proc, "self/status", O_RDONLY) >= 0);
    CHECK(openat(proc, "self/pagemap", O_RDONLY) >= 0 || errno == EACCES);
    return 0;
}
