// SPDX-License-Identifier: Apache-2.0
/*
 * helper_wait.c: calls that may wait, made by the helper as far as the host makes them at once:
 * reads of what a pipe, a socket or an event has, and writes that are taken whole or not at all. A
 * call that would wait is for the payload's own thread, which a signal reaches; nothing has
 * happened by then.
 */
#include "base/base.h"
#include "calls/calls.h"
#include "calls/handlers.h"
#include "calls/helper.h"
#include "calls/pin.h"
#include "machine/machine.h"
#include "memory/memory.h"

#include <asm/unistd.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <time.h>

#ifndef RWF_NOWAIT /* linux/fs.h */
#define RWF_NOWAIT 8
#endif

/* A Unix socket takes so much in one piece, however small its buffer; unix_stream_sendmsg(). */
#define UNIX_WHOLE 2048U

/* ---- what is open ---- */

/* An event or a timer: other descriptors without a type are of the thread that asks, as signalfd(2)
 * is, or know no reading at once. */
static bool is_event(int fd, const struct stat *st)
{
    char path[PATH_MAX];

    return !(st->st_mode & S_IFMT) && fd_path(fd, path) > 0 &&
           (!strcmp(path, "anon_inode:[eventfd]") || !strcmp(path, "anon_inode:[timerfd]"));
}

static int socket_option(int fd, int name)
{
    int value = -1;
    socklen_t size = sizeof(value);

    return getsockopt(fd, SOL_SOCKET, name, &value, &size) == 0 ? value : -1;
}

/* Whether nobody waits for what is open there, by its own O_NONBLOCK. */
static bool is_nonblocking(int fd, const struct stat *st)
{
    bool may_wait = S_ISFIFO(st->st_mode) || S_ISSOCK(st->st_mode) || !(st->st_mode & S_IFMT);
    int flags = may_wait ? fcntl(fd, F_GETFL) : -1;

    return flags >= 0 && flags & O_NONBLOCK && (st->st_mode & S_IFMT || is_event(fd, st));
}

/* Whether what is read at once is what who waits would get: not where a socket shall gather more
 * first. */
static bool has_at_once(int fd, const struct stat *st)
{
    return S_ISFIFO(st->st_mode) ||
           (S_ISSOCK(st->st_mode) && socket_option(fd, SO_RCVLOWAT) == 1) || is_event(fd, st);
}

/* Whether so many bytes are taken whole or not at all. */
static bool takes_whole(int fd, const struct stat *st, uint64_t size)
{
    if (S_ISFIFO(st->st_mode)) {
        return size <= PIPE_BUF;
    }
    return S_ISSOCK(st->st_mode) &&
           (socket_option(fd, SO_TYPE) == SOCK_DGRAM ||
            (size <= UNIX_WHOLE && socket_option(fd, SO_DOMAIN) == AF_UNIX));
}

/* ---- reading and writing ---- */

/* The buffers of a call that reads or writes: their number, or 0 where the call is not made here.
 */
static uint64_t buffers(struct vcpu *vcpu, uint32_t number, const uint64_t *args,
                        struct iovec **iov, uint64_t *size)
{
    bool one = number == __NR_read || number == __NR_write;
    uint64_t count = one ? 1 : (uint32_t)args[2];
    int64_t error = 0;

    vcpu->scratch_used = 0;
    *size = 0;
    if (one) {
        *iov = scratch_alloc(vcpu, sizeof(**iov));
        if (!*iov || !guest_ok(args[1], args[2])) {
            return 0;
        }
        **iov = (struct iovec){(void *)args[1], args[2]}; /* NOLINT(performance-no-int-to-ptr) */
        if (mm_map_grows()) {
            mm_grow(args[1]);
        }
    } else {
        *iov = iovec_copy(vcpu, args[1], count, &error);
    }
    for (uint64_t i = 0; *iov && i < count; i++) {
        if (__builtin_add_overflow(*size, (*iov)[i].iov_len, size)) {
            return 0;
        }
    }
    return *iov && *size ? count : 0;
}

static bool read_or_write(struct vcpu *vcpu, uint32_t number, const uint64_t *args,
                          const struct stat *st, int64_t *result)
{
    bool reads = number == __NR_read || number == __NR_readv;
    struct iovec *iov;
    uint64_t size, count = buffers(vcpu, number, args, &iov, &size);
    uint64_t at_once[6] = {args[0], (uint64_t)iov, count, UINT64_MAX, 0, RWF_NOWAIT};

    if (!count || !(reads ? has_at_once((int)args[0], st) : takes_whole((int)args[0], st, size))) {
        return false;
    }
    *result = host_syscall(reads ? __NR_preadv2 : __NR_pwritev2, at_once);
    return *result != -EAGAIN && *result != -EOPNOTSUPP && (reads || *result != -EFAULT);
}

/* The same by a call that has flags, of which argument `i` are. */
static bool send_or_receive(struct vcpu *vcpu, uint32_t number, uint64_t *args, unsigned i,
                            int64_t *result)
{
    if (args[i] & MSG_WAITALL) {
        return false;
    }
    args[i] |= MSG_DONTWAIT;
    *result = syscall_serve(vcpu, number, args);
    return *result != -EAGAIN;
}

/* Make as much of a call as there is at once, or all of it. */
static bool make_at_once(struct vcpu *vcpu, uint32_t number, uint64_t *args, const struct stat *st,
                         int64_t *result)
{
    int fd = (int)args[0];

    switch (number) {
    case __NR_read:
    case __NR_readv:
    case __NR_write:
    case __NR_writev:
        return read_or_write(vcpu, number, args, st, result);
    case __NR_recvfrom:
    case __NR_recvmsg:
        return has_at_once(fd, st) &&
               send_or_receive(vcpu, number, args, number == __NR_recvmsg ? 2 : 3, result);
    case __NR_sendto:
        return takes_whole(fd, st, args[2]) && send_or_receive(vcpu, number, args, 3, result);
    default:
        return false;
    }
}

bool waiting_make(struct vcpu *vcpu, uint32_t number, uint64_t *args, const struct stat *st,
                  int64_t *result)
{
    bool is_pipe = S_ISFIFO(st->st_mode);

    if (is_pipe && make_at_once(vcpu, number, args, st, result)) {
        return true;
    }
    if (is_nonblocking((int)args[0], st)) {
        *result = syscall_serve(vcpu, number, args);
        return true;
    }
    return !is_pipe && make_at_once(vcpu, number, args, st, result);
}

/* ---- waiting for descriptors ---- */

bool waiting_polls(uint32_t number)
{
    return number == __NR_epoll_wait || number == __NR_epoll_pwait || number == __NR_poll ||
           number == __NR_ppoll;
}

/* Whether ppoll(2) would wait; *known is false where its time is not one. */
static bool ppoll_waits(uint64_t timeout, bool *known)
{
    struct timespec time = {0};

    *known = !timeout || (guest_read(&time, timeout, sizeof(time)) == 0 && time.tv_sec >= 0 &&
                          time.tv_nsec >= 0 && time.tv_nsec <= 999999999);
    return !timeout || time.tv_sec || time.tv_nsec;
}

bool waiting_poll(struct vcpu *vcpu, uint32_t number, uint64_t *args, int64_t *result)
{
    unsigned mask = number == __NR_epoll_pwait ? 4 : 3;
    bool waits, known = number == __NR_poll || number == __NR_epoll_wait || !args[mask];

    if (number == __NR_epoll_wait || number == __NR_epoll_pwait) {
        waits = (int)args[3] != 0;
        args[3] = 0;
    } else {
        waits = number == __NR_poll ? (int)args[2] != 0 : known && ppoll_waits(args[2], &known);
        number = __NR_poll;
        args[2] = 0;
    }
    if (!known) {
        return false;
    }
    *result = syscall_serve(vcpu, number, args);
    return *result || !waits;
}
