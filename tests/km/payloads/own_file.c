// SPDX-License-Identifier: Apache-2.0
/* Finds its own file by /proc/self/exe, in every way that names it. */
#include "payload.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>

static void look(const char *name)
{
    char link[4096], magic[5] = "";
    struct stat by_link, by_name;
    ssize_t n = readlink(name, link, sizeof(link) - 1);
    int fd = open(name, O_RDONLY);

    link[n < 0 ? 0 : n] = 0;
    printf("%s\n", strrchr(link, '/') ? strrchr(link, '/') : "nowhere");
    printf("%zd of 4 bytes, %.3s\n", read(fd, magic, 4), magic + 1);
    printf("same %d\n", stat(name, &by_link) == 0 && stat(link, &by_name) == 0 &&
                            by_link.st_ino == by_name.st_ino && by_link.st_size == by_name.st_size);
    SHOW(access(name, X_OK));
    (void)close(fd);
}

/* How many bytes behind the link's end are no longer as they were. */
static int changed_behind(const char *name)
{
    char link[4096] = "";
    ssize_t n = readlink(name, link, sizeof(link));
    int changed = 0;

    for (size_t i = n < 0 ? 0 : (size_t)n; i < sizeof(link); i++) {
        changed += link[i] != 0;
    }
    return changed;
}

/* The descriptors of the program by the old call, whose entries have their type at the end. */
static void list_descriptors(void)
{
    char entries[4096];
    int fds = open("/proc/self/fd", O_RDONLY | O_DIRECTORY);
    long n = syscall(SYS_getdents, fds, entries, sizeof(entries)), count = 0;
    unsigned short length;

    for (long at = 0; at < n; at += length, count++) {
        memcpy(&length, entries + at + 16, sizeof(length));
    }
    printf("%ld entries\n", count);
    (void)close(fds);
}

int main(void)
{
    char name[64], c;
    int proc = open("/proc/self", O_RDONLY | O_DIRECTORY);

    look("/proc/self/exe");
    look("/proc/thread-self/exe");
    (void)snprintf(name, sizeof(name), "/proc/%d/exe", getpid());
    look(name);
    SHOW(readlink("/proc/self/exe", &c, 1));
    printf("%c\n", c);
    SHOW(readlink("/proc/self/exe", &c, 0));
    SHOW(changed_behind("/proc/self/exe"));
    SHOW(readlink("/proc/self/cwd", (char *)8, 64));
    list_descriptors();
    SHOW(syscall(SYS_readlink, "/proc/self/exe", NULL, 1));
    printf("%d\n", readlinkat(proc, "exe", name, 8) == 8 && !strncmp(name, "/", 1));
    return 0;
}
