// SPDX-License-Identifier: Apache-2.0
/*
 * running.c: protect files that run as programs in VMs against writes, as the kernel does for
 * programs that it runs itself.
 *
 * Each monitor has a lock for readers on its program, of a byte that no file has. On the host no
 * process can have a write lock on a running program: none has it open to write.
 */
#include "base/base.h"
#include "program/program.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#define LOCKED_BYTE (1L << 62)

/* An opening of its own: the program's mappings keep theirs for as long as anybody has them. */
static int open_anew(int fd)
{
    struct stat st, now;
    char link[32];
    int again;

    (void)snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
    again = open(link, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (again < 0) {
        return fd;
    }
    if (fstat(fd, &st) < 0 || fstat(again, &now) < 0 || st.st_dev != now.st_dev ||
        st.st_ino != now.st_ino) { /* no /proc, but what the payload calls so */
        (void)close(again);
        return fd;
    }
    (void)close(fd);
    return again;
}

void program_hold(int fd)
{
    struct flock lock = {
        .l_type = F_RDLCK, .l_whence = SEEK_SET, .l_start = LOCKED_BYTE, .l_len = 1};

    fd = open_anew(fd);
    if (fcntl(fd, F_OFD_SETLK, &lock) < 0) { /* a filesystem that knows no locks */
        (void)close(fd);
    } else {
        (void)fd_hide(fd); /* for the life of the process, and of its forks */
    }
}

bool program_runs(int fd)
{
    struct flock lock = {
        .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = LOCKED_BYTE, .l_len = 1};

    return fcntl(fd, F_OFD_GETLK, &lock) == 0 && lock.l_type != F_UNLCK;
}
