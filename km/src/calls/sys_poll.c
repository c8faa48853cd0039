// SPDX-License-Identifier: Apache-2.0
/*
 * sys_poll.c: the system calls that wait for descriptors. Those that name them in memory get a
 * copy, in which the monitor's own are not open.
 */
#include "base/base.h"
#include "calls/handlers.h"
#include "calls/mounts.h"
#include "machine/machine.h"
#include "memory/memory.h"
#include "task/task.h"

#include <asm/unistd.h>
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>

/* ---- waiting under another mask ---- */

/* A call whose argument i points to a mask of argument i + 1 bytes; without one it is a plain call.
 */
static int64_t wait_under_mask(struct vcpu *vcpu, uint64_t number, const uint64_t *args, unsigned i)
{
    uint64_t mask, with_copy[6];

    if (!args[i]) {
        return held_call(vcpu, number, args);
    }
    if (args[i + 1] != sizeof(mask)) {
        return -EINVAL;
    }
    if (guest_read(&mask, args[i], sizeof(mask)) < 0) {
        return -EFAULT;
    }
    memcpy(with_copy, args, sizeof(with_copy));
    with_copy[i] = (uint64_t)&mask;
    return signal_call_under_mask(vcpu, &mask, number, with_copy);
}

/* ---- poll ---- */

/* Wait for a copy of the structures of argument 0; what came of it goes back to the payload's. */
static int64_t poll_copy(struct vcpu *vcpu, uint64_t number, const uint64_t *args)
{
    uint64_t count = (uint32_t)args[1], with_copy[6];
    struct pollfd *copy = scratch_alloc(vcpu, count * sizeof(*copy));
    struct rlimit limit;
    int64_t result;

    if (!copy) {
        return getrlimit(RLIMIT_NOFILE, &limit) == 0 && count > limit.rlim_cur ? -EINVAL : -ENOMEM;
    }
    if (guest_read(copy, args[0], count * sizeof(*copy)) < 0) {
        return -EFAULT;
    }
    for (uint64_t i = 0; i < count; i++) {
        if (copy[i].fd >= 0 && fd_is_hidden((uint64_t)copy[i].fd)) {
            copy[i].fd = INT_MAX; /* no descriptor has this number */
        }
    }
    memcpy(with_copy, args, sizeof(with_copy));
    with_copy[0] = (uint64_t)copy;
    result = number == __NR_ppoll ? wait_under_mask(vcpu, number, with_copy, 3)
                                  : held_call(vcpu, number, with_copy);
    for (uint64_t i = 0; i < count && result >= 0; i++) {
        if (guest_write(args[0] + i * sizeof(*copy) + offsetof(struct pollfd, revents),
                        &copy[i].revents, sizeof(copy[i].revents)) < 0) {
            return -EFAULT;
        }
    }
    return result;
}

/* int poll(struct pollfd *fds, nfds_t nfds, int timeout) */
HANDLER(poll)
{
    return poll_copy(vcpu, __NR_poll, args);
}

/* int ppoll(struct pollfd *fds, nfds_t nfds, const struct timespec *, const sigset_t *, size_t) */
HANDLER(ppoll)
{
    return poll_copy(vcpu, __NR_ppoll, args);
}

/* ---- select ---- */

#define SELECT_MAX (1U << 19) /* numbers of a set: more than there are descriptors, mostly */

/* A set of `count` numbers at `addr`, or NULL with *error 0 where there is none. */
static uint64_t *set_copy(struct vcpu *vcpu, uint64_t addr, uint32_t count, int64_t *error)
{
    uint64_t bytes = ROUND_UP(count, 64) / 8;
    uint64_t *copy = addr ? scratch_alloc(vcpu, bytes) : NULL;

    *error = addr && !copy ? -ENOMEM : copy ? guest_read(copy, addr, bytes) : 0;
    for (uint64_t fd = fd_next_hidden(0); copy && !*error && fd < count;
         fd = fd_next_hidden(fd + 1)) {
        if (copy[fd / 64] & 1UL << fd % 64) {
            *error = -EBADF;
        }
    }
    return copy;
}

/* Arguments 1 to 3 are sets of numbers below argument 0. */
static int64_t select_copies(struct vcpu *vcpu, uint64_t number, const uint64_t *args,
                             int64_t (*make)(struct vcpu *vcpu, uint64_t number,
                                             const uint64_t *args))
{
    uint32_t count = (uint32_t)args[0] < SELECT_MAX ? (uint32_t)args[0] : SELECT_MAX;
    uint64_t with_copies[6], bytes = ROUND_UP(count, 64) / 8;
    int64_t error = 0, result;

    if ((int)args[0] < 0 || count <= fd_next_hidden(0)) {
        return make(vcpu, number, args);
    }
    memcpy(with_copies, args, sizeof(with_copies));
    with_copies[0] = count;
    for (int i = 1; i <= 3; i++) {
        with_copies[i] = (uint64_t)set_copy(vcpu, args[i], count, &error);
        if (error < 0) {
            return error;
        }
    }
    result = make(vcpu, number, with_copies);
    for (int i = 1; i <= 3 && result >= 0; i++) {
        if (args[i] && guest_write(args[i], (const void *)with_copies[i], bytes) < 0) {
            return -EFAULT;
        }
    }
    return result;
}

static int64_t make_select(struct vcpu *vcpu, uint64_t number, const uint64_t *args)
{
    return held_call(vcpu, number, args);
}

/* int select(int nfds, fd_set *, fd_set *, fd_set *, struct timeval *) */
HANDLER(select)
{
    return select_copies(vcpu, __NR_select, args, make_select);
}

/* pselect6 has its mask in a structure: { sigset_t *, size_t } */
static int64_t make_pselect6(struct vcpu *vcpu, uint64_t number, const uint64_t *args)
{
    uint64_t mask, pair[2], with_copy[6];

    if (!args[5]) {
        return held_call(vcpu, number, args);
    }
    if (guest_read(pair, args[5], sizeof(pair)) < 0) {
        return -EFAULT;
    }
    memcpy(with_copy, args, sizeof(with_copy));
    with_copy[5] = (uint64_t)pair;
    if (!pair[0]) {
        return held_call(vcpu, number, with_copy);
    }
    if (pair[1] != sizeof(mask)) {
        return -EINVAL;
    }
    if (guest_read(&mask, pair[0], sizeof(mask)) < 0) {
        return -EFAULT;
    }
    pair[0] = (uint64_t)&mask;
    return signal_call_under_mask(vcpu, &mask, number, with_copy);
}

/* int pselect6(int nfds, fd_set *, fd_set *, fd_set *, struct timespec *, void *) */
HANDLER(pselect6)
{
    return select_copies(vcpu, __NR_pselect6, args, make_pselect6);
}

/* ---- epoll ---- */

/* int epoll_pwait(int epfd, struct epoll_event *, int maxevents, int timeout, const sigset_t *,
 * size_t) */
HANDLER(epoll_pwait)
{
    return wait_under_mask(vcpu, __NR_epoll_pwait, args, 4);
}

/* int epoll_pwait2(int, struct epoll_event *, int, const struct timespec *, const sigset_t *,
 * size_t) */
HANDLER(epoll_pwait2)
{
    return wait_under_mask(vcpu, __NR_epoll_pwait2, args, 4);
}

/* int epoll_ctl(int epfd, int op, int fd, struct epoll_event *event): for DEL `event` is not looked
 * at; a text that mounts_write() has made is memory, at which nobody can wait */
HANDLER(epoll_ctl)
{
    int64_t error;

    if (args[1] != EPOLL_CTL_DEL && !guest_ok(args[3], 12)) {
        return -EFAULT;
    }
    error = held_call(vcpu, __NR_epoll_ctl, args);
    return error == -EPERM && args[1] == EPOLL_CTL_ADD && mounts_unwrite((int)args[2])
               ? held_call(vcpu, __NR_epoll_ctl, args)
               : error;
}
