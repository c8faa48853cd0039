// SPDX-License-Identifier: Apache-2.0
/* Tries to open the file of its own process's memory, by each of its names: all is refused. */
#include "payload.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>

static void refused(int dir, const char *name)
{
    static const int flags[] = {O_RDONLY, O_RDWR, O_WRONLY, O_PATH, O_RDWR | O_NOFOLLOW};

    for (size_t i = 0; i < LEN(flags); i++) {
        struct {
            uint64_t flags, mode, resolve;
        } how = {(uint64_t)flags[i], 0, 0};
        int fd = openat(dir, name, flags[i] | O_CLOEXEC), reopened;
        char link[32];

        if (fd >= 0) { /* a name alone is no harm: what it opens is what counts */
            (void)snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
            reopened = open(link, O_RDWR);
            CHECK(flags[i] & (O_PATH | O_NOFOLLOW) && reopened < 0);
            (void)close(fd);
        }
        fd = (int)syscall(SYS_openat2, dir, name, &how, sizeof(how));
        CHECK(fd < 0 || flags[i] & (O_PATH | O_NOFOLLOW));
        (void)close(fd);
    }
}

int main(void)
{
    char name[96];
    int proc = open("/proc", O_RDONLY | O_DIRECTORY), self;

    self = open("/proc/self", O_PATH | O_DIRECTORY);
    refused(AT_FDCWD, "/proc/self/mem");
    refused(AT_FDCWD, "/proc/thread-self/mem");
    refused(AT_FDCWD, "/proc/self/../self/./mem");
    refused(AT_FDCWD, "//proc//self//mem");
    refused(proc, "self/mem");
    refused(self, "mem");
    (void)snprintf(name, sizeof(name), "/proc/%d/mem", getpid());
    refused(AT_FDCWD, name);
    (void)snprintf(name, sizeof(name), "/proc/%d/task/%d/mem", getpid(), getpid());
    refused(AT_FDCWD, name);
    (void)snprintf(name, sizeof(name), "/proc/self/fd/%d/mem", self);
    refused(AT_FDCWD, name);
    refused(AT_FDCWD, "/proc/self/root/proc/self/mem");
    CHECK(symlink("/proc/self/mem", "link") == 0);
    refused(AT_FDCWD, "link");
    CHECK(symlink("link", "link-to-link") == 0);
    refused(AT_FDCWD, "link-to-link");
    CHECK(symlink("/proc/self", "folder") == 0);
    refused(AT_FDCWD, "folder/mem");
    CHECK(chdir("/proc/self") == 0);
    refused(AT_FDCWD, "mem");
    CHECK(chdir("task") == 0);
    (void)snprintf(name, sizeof(name), "%d/mem", getpid());
    refused(AT_FDCWD, name);
    CHECK(creat("/proc/self/mem", 0600) == -1);
    return 0;
}
