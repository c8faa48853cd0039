// SPDX-License-Identifier: Apache-2.0
/*
 * fds.c: the monitor's own descriptors, which the payload must not see.
 */
#include "base/base.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#define HIDDEN_MAX 65536
static uint64_t hidden[HIDDEN_MAX / 64]; /* a bit per descriptor */

bool fd_is_hidden(uint64_t fd)
{
    uint32_t n = (uint32_t)fd; /* as the kernel takes a descriptor from a register */

    return n < HIDDEN_MAX && __atomic_load_n(&hidden[n / 64], __ATOMIC_RELAXED) & 1UL << n % 64;
}

uint64_t fd_next_hidden(uint64_t fd)
{
    while (fd < HIDDEN_MAX && !fd_is_hidden(fd)) {
        fd++;
    }
    return fd < HIDDEN_MAX ? fd : UINT64_MAX;
}

uint64_t fd_raise_limit(void)
{
    struct rlimit limit;
    uint64_t old;

    if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur == limit.rlim_max) {
        return 0;
    }
    old = limit.rlim_cur;
    limit.rlim_cur = limit.rlim_max;
    return setrlimit(RLIMIT_NOFILE, &limit) == 0 ? old : 0;
}

void fd_lower_limit(uint64_t old)
{
    struct rlimit limit;

    if (old && getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = old;
        (void)setrlimit(RLIMIT_NOFILE, &limit);
    }
}

/* The lowest free descriptor from `lowest` on, as a copy of `fd`; `fd` itself where none is free.
 */
static int fd_move(int fd, int lowest)
{
    int moved = fcntl(fd, F_DUPFD_CLOEXEC, lowest);
    uint64_t old = moved < 0 ? fd_raise_limit() : 0;

    if (old) {
        moved = fcntl(fd, F_DUPFD_CLOEXEC, lowest);
        fd_lower_limit(old);
    }
    if (moved < 0) {
        (void)fcntl(fd, F_SETFD, FD_CLOEXEC);
        return fd;
    }
    (void)close(fd);
    return moved;
}

void fd_note_hidden(int fd)
{
    __atomic_fetch_or(&hidden[fd / 64], 1UL << fd % 64, __ATOMIC_RELAXED);
}

int fd_hide(int fd)
{
    struct rlimit limit;
    int lowest, moved;

    /* high, but not so high that the kernel's table of descriptors gets large */
    (void)getrlimit(RLIMIT_NOFILE, &limit);
    lowest = limit.rlim_max > 1024 ? 1024 - 64 : (int)limit.rlim_max * 3 / 4;
    moved = fd_move(fd, lowest);
    if (moved >= HIDDEN_MAX) {
        (void)close(moved);
        errno = EMFILE;
        return -1;
    }
    fd_note_hidden(moved);
    return moved;
}

void fd_close_hidden(int fd)
{
    __atomic_fetch_and(&hidden[fd / 64], ~(1UL << fd % 64), __ATOMIC_RELAXED);
    (void)close(fd);
}
