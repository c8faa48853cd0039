// SPDX-License-Identifier: Apache-2.0
/*
 * fds.c: the monitor's own descriptors, which the payload must not see.
 */
#include "base/base.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#define HIDDEN_MAX 65536
#define CHANGE_PAUSE_NS 20000L
static uint64_t hidden[HIDDEN_MAX / 64]; /* a bit per descriptor */

/*
 * What the payload's calls are about to close or replace: for each vCPU the end of a range of
 * descriptors, and its start in the lower half, or 0. A call says so before it looks whether they
 * are hidden; who hides one looks here afterwards, and waits.
 */
static uint64_t changed[FD_CHANGERS];
static unsigned changers; /* no slot from here on was used yet */

bool fd_is_hidden(uint64_t fd)
{
    uint32_t n = (uint32_t)fd; /* as the kernel takes a descriptor from a register */

    return n < HIDDEN_MAX && __atomic_load_n(&hidden[n / 64], __ATOMIC_SEQ_CST) & 1UL << n % 64;
}

void fd_change_begins(unsigned changer, uint32_t first, uint32_t last)
{
    unsigned known = __atomic_load_n(&changers, __ATOMIC_SEQ_CST);

    while (known <= changer && !__atomic_compare_exchange_n(&changers, &known, changer + 1, false,
                                                            __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST)) {
    }
    __atomic_store_n(&changed[changer], ((uint64_t)last + 1) << 32 | first, __ATOMIC_SEQ_CST);
}

void fd_change_ends(unsigned changer)
{
    __atomic_store_n(&changed[changer], 0, __ATOMIC_RELEASE);
}

static bool is_changed(uint64_t range, uint32_t fd)
{
    return (uint32_t)range <= fd && fd < range >> 32;
}

/* Wait until none of the calls that began before `fd` was hidden can change it. */
static void wait_for_changers(uint32_t fd)
{
    static const struct timespec pause = {0, CHANGE_PAUSE_NS};
    unsigned count = __atomic_load_n(&changers, __ATOMIC_SEQ_CST);

    for (unsigned i = 0; i < count; i++) {
        while (is_changed(__atomic_load_n(&changed[i], __ATOMIC_SEQ_CST), fd)) {
            (void)nanosleep(&pause, NULL);
        }
    }
}

void fd_after_fork(void)
{
    memset(changed, 0, changers * sizeof(*changed));
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

void fd_note_hidden(int fd)
{
    __atomic_fetch_or(&hidden[fd / 64], 1UL << fd % 64, __ATOMIC_SEQ_CST);
}

/* The same; false where another thread is about to hide that number, which a call has freed: what
 * stands there now stays, until that thread puts its own file there. */
static bool take(int fd)
{
    uint64_t bit = 1UL << fd % 64;

    return !(__atomic_fetch_or(&hidden[fd / 64], bit, __ATOMIC_SEQ_CST) & bit);
}

/* A copy of `fd` at a number from `lowest` on that nobody else changes; or -1. */
static int copy_hidden(int fd, int lowest)
{
    int copy;

    do {
        copy = fcntl(fd, F_DUPFD_CLOEXEC, lowest);
        if (copy < 0 || copy >= HIDDEN_MAX) {
            (void)(copy < 0 ? 0 : close(copy));
            errno = EMFILE;
            return -1;
        }
        lowest = copy + 1;
    } while (!take(copy));
    wait_for_changers((uint32_t)copy);
    (void)dup3(fd, copy, O_CLOEXEC); /* one of them may have closed or replaced it */
    return copy;
}

/* From where on the hidden ones are: high, but not so high that the kernel's table of descriptors
 * gets large. */
static int lowest_hidden(void)
{
    struct rlimit limit;

    (void)getrlimit(RLIMIT_NOFILE, &limit);
    return limit.rlim_max > 1024 ? 1024 - 64 : (int)limit.rlim_max * 3 / 4;
}

bool fd_may_be_hidden(uint64_t fd)
{
    return fd < HIDDEN_MAX && (int)fd >= lowest_hidden();
}

int fd_hide(int fd)
{
    int lowest = lowest_hidden(), copy;
    uint64_t old;

    copy = copy_hidden(fd, lowest);
    old = copy < 0 ? fd_raise_limit() : 0;
    if (old) {
        copy = copy_hidden(fd, lowest);
        fd_lower_limit(old);
    }
    if (copy >= 0) {
        (void)close(fd);
        return copy;
    }
    if (fd < 0 || fd >= HIDDEN_MAX || !take(fd)) {
        (void)(fd < 0 ? 0 : close(fd));
        errno = EMFILE;
        return -1;
    }
    wait_for_changers((uint32_t)fd);
    (void)fcntl(fd, F_SETFD, FD_CLOEXEC);
    return fd;
}

bool fd_replace_hidden(int hidden_fd, int fd)
{
    bool done = dup3(fd, hidden_fd, O_CLOEXEC) == hidden_fd;
    uint64_t limit = done || errno != EBADF ? 0 : fd_raise_limit();

    if (limit) {
        done = dup3(fd, hidden_fd, O_CLOEXEC) == hidden_fd;
        fd_lower_limit(limit);
    }
    return done;
}

void fd_close_hidden(int fd)
{
    __atomic_fetch_and(&hidden[fd / 64], ~(1UL << fd % 64), __ATOMIC_RELAXED);
    (void)close(fd);
}
