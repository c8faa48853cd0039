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
    SHOW(syscall(SYS_readlink, "/proc/self/exe", NULL, 1));
    printf("%d\n", readlinkat(proc, "exe", name, 8) == 8 && !strncmp(name, "/", 1));
    return 0;
}
