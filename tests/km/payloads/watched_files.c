// SPDX-License-Identifier: Apache-2.0
/* Opens files that may be executed, and others, to write, cut and make: inotify reports these
 * openings alone. */
#include "payload.h"

#include <fcntl.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

/* What the watch has told since the last time, as masks. A file that is cut as it is opened may be
 * told to be changed before or after it. */
static void told(int notify, const char *what)
{
    char room[4096] __attribute__((aligned(8)));
    ssize_t size = read(notify, room, sizeof(room));
    unsigned counts[32] = {0};

    printf("%s:", what);
    for (ssize_t at = 0; at < size;) {
        struct inotify_event event;

        memcpy(&event, room + at, sizeof(event));
        counts[__builtin_ctz(event.mask)]++;
        at += (ssize_t)(sizeof(event) + event.len);
    }
    for (unsigned i = 0; i < 32; i++) {
        if (counts[i]) {
            printf(" %x %u times", 1U << i, counts[i]);
        }
    }
    printf("\n");
}

static void open_and_close(int notify, const char *what, int flags)
{
    struct stat st;
    int fd = open("file", flags, 0755);

    SHOW(fstat(fd, &st));
    printf("%d bytes, flags %x\n", (int)st.st_size, (unsigned)fcntl(fd, F_GETFL));
    SHOW(write(fd, "text", 4));
    SHOW(close(fd));
    told(notify, what);
}

static void open_by_openat2(int notify, uint64_t flags)
{
    uint64_t how[3] = {flags, 0, 0};
    int fd = (int)syscall(SYS_openat2, AT_FDCWD, "file", how, sizeof(how));

    SHOW(close(fd));
    told(notify, "openat2");
}

static void open_in_all_ways(int notify, mode_t mode)
{
    SHOW(chmod("file", mode));
    told(notify, "chmod");
    open_and_close(notify, "read", O_RDONLY);
    open_and_close(notify, "write", O_WRONLY);
    open_and_close(notify, "both", O_RDWR | O_CREAT);
    open_and_close(notify, "append", O_WRONLY | O_APPEND);
    open_and_close(notify, "cut", O_WRONLY | O_TRUNC);
    open_and_close(notify, "make or cut", O_RDWR | O_CREAT | O_TRUNC);
    open_by_openat2(notify, O_RDWR | O_TRUNC);
}

/* The process's locks on a file end with each descriptor of it that is closed. */
static void keep_lock(void)
{
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    int fd = open("file", O_RDWR), other;
    pid_t child;

    SHOW(fcntl(fd, F_SETLK, &lock));
    other = open("file", O_RDWR);
    CHECK(other >= 0);
    (void)fflush(stdout);
    child = fork();
    if (!child) {
        SHOW(fcntl(other, F_GETLK, &lock));
        printf("locked: %d\n", lock.l_type != F_UNLCK);
        (void)fflush(stdout);
        _exit(0);
    }
    CHECK(waitpid(child, NULL, 0) == child);
}

int main(void)
{
    int notify = inotify_init1(IN_NONBLOCK), fd = open("file", O_CREAT | O_RDWR, 0644);

    CHECK(fd >= 0 && close(fd) == 0);
    SHOW(inotify_add_watch(notify, "file", IN_ALL_EVENTS));
    open_in_all_ways(notify, 0644);
    open_in_all_ways(notify, 0755);
    keep_lock();
    return 0;
}
