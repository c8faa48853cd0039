// SPDX-License-Identifier: Apache-2.0
/*
 * helper_call.c: which system calls the helper makes: those that the table marks, where they do not
 * wait. A call that could wait for long is for the payload's own thread, which a signal reaches.
 */
#include "base/base.h"
#include "calls/calls.h"
#include "machine/machine.h"
#include "task/task.h"

#include <asm/unistd.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <unistd.h>

static enum helped helped_of(uint64_t number)
{
    return number < SYSCALL_COUNT ? syscall_table[number].helped : HELPED_NOT;
}

bool helper_may_make(uint64_t number)
{
    enum helped helped = helped_of(number);

    return helped == HELPED || helped == HELPED_ON_FILE || helped == HELPED_IF_READY;
}

/* Whether it is a file or folder of a disk or of memory: there nothing is awaited that a signal
 * could end. Other filesystems have files at which readers wait. */
static bool is_file(int fd, const struct stat *st)
{
    struct statfs fs;

    return (S_ISREG(st->st_mode) || S_ISDIR(st->st_mode)) &&
           (major(st->st_dev) || (fstatfs(fd, &fs) == 0 &&
                                  (fs.f_type == TMPFS_MAGIC || fs.f_type == OVERLAYFS_SUPER_MAGIC ||
                                   fs.f_type == BTRFS_SUPER_MAGIC)));
}

/* /dev/null, zero, full, urandom: Documentation/admin-guide/devices.txt of the kernel. */
static bool is_endless(const struct stat *st)
{
    unsigned number = minor(st->st_rdev);

    return S_ISCHR(st->st_mode) && major(st->st_rdev) == 1 &&
           (number == 3 || number == 5 || number == 7 || number == 9);
}

static bool is_nonblocking(int fd, const struct stat *st)
{
    int flags;

    if (!S_ISFIFO(st->st_mode) && !S_ISSOCK(st->st_mode)) {
        return false;
    }
    flags = fcntl(fd, F_GETFL);
    return flags >= 0 && flags & O_NONBLOCK;
}

/* Whether what is open at a descriptor lets nobody wait; `to_close`: also who closes it. */
static bool lets_not_wait(uint64_t fd, bool to_close)
{
    struct stat st;

    return fstat((int)fd, &st) == 0 && (is_file((int)fd, &st) || is_endless(&st) ||
                                        (!to_close && is_nonblocking((int)fd, &st)));
}

/* Whether an opening is of a file that is there, where nobody waits for another's end of a pipe, a
 * device or a lease of a server. Should the path lead elsewhere the next moment, it is the payload
 * that has changed it, and that waits. Where nothing is there that is the result: what asks for a
 * snapshot is not there, and is for the payload's own thread. */
static bool opens_file(struct vcpu *vcpu, uint64_t dirfd, uint64_t path, uint64_t flags,
                       int64_t *result)
{
    uint64_t look = O_PATH | O_CLOEXEC | (flags & (O_NOFOLLOW | O_DIRECTORY));
    int64_t fd =
        guest_ok(path, 0) && !fd_is_hidden(dirfd) ? open_at(vcpu, dirfd, path, look, 0) : -EFAULT;
    struct stat st;
    bool is;

    if (fd < 0) {
        *result = fd == -ENOENT && !(flags & O_CREAT) && !hooks.is_snapshot_path(path) ? fd : 0;
        return *result < 0;
    }
    is = fstat((int)fd, &st) == 0 && is_file((int)fd, &st);
    (void)close((int)fd);
    return is;
}

/* Of fcntl(2), whatever the file is. */
static bool command_waits_not(int command)
{
    return command == F_GETFD || command == F_SETFD || command == F_GETFL || command == F_SETFL ||
           command == F_DUPFD || command == F_DUPFD_CLOEXEC;
}

/* Whether a call of those that may wait does not; it may have been made, with a result below 0. */
static bool is_ready(struct vcpu *vcpu, uint32_t number, const uint64_t *args, int64_t *result)
{
    switch (number) {
    case __NR_open:
        return opens_file(vcpu, (uint64_t)AT_FDCWD, args[0], args[1], result);
    case __NR_openat:
        return opens_file(vcpu, args[0], args[1], args[2], result);
    case __NR_fcntl:
        return command_waits_not((int)args[1]) ||
               (((int)args[1] == F_GETLK || (int)args[1] == F_SETLK) &&
                lets_not_wait(args[0], false));
    case __NR_sendto:
    case __NR_recvfrom:
        return args[3] & MSG_DONTWAIT || lets_not_wait(args[0], false);
    case __NR_accept:
    case __NR_accept4:
        return lets_not_wait(args[0], false);
    case __NR_ioctl: /* as the C library asks of each file that it opens; of a terminal it waits */
        return (uint32_t)args[1] == TCGETS && lets_not_wait(args[0], true);
    case __NR_rt_sigaction: /* only asked for: setting one is for who gets the signals */
        return !args[1];
    default:
        return false;
    }
}

/* What epoll_wait(2) has at once. Where that is nothing, and the payload would wait, it does. */
static bool poll_events(struct vcpu *vcpu, uint64_t *args, int64_t *result)
{
    bool waits = (int)args[3] != 0;

    args[3] = 0;
    *result = syscall_serve(vcpu, __NR_epoll_wait, args);
    return *result || !waits;
}

bool helper_make(struct vcpu *vcpu, uint32_t number, uint64_t *args, int64_t *result)
{
    enum helped helped = helped_of(number);

    *result = 0;
    if (number == __NR_epoll_wait) {
        return poll_events(vcpu, args, result);
    }
    if (!helper_may_make(number) ||
        (helped == HELPED_ON_FILE && !lets_not_wait(args[0], number == __NR_close)) ||
        (helped == HELPED_IF_READY && !is_ready(vcpu, number, args, result))) {
        return false;
    }
    if (*result < 0) {
        return true;
    }
    if (number == __NR_getpriority && (int)args[0] == PRIO_PROCESS && !(int)args[1]) {
        args[1] = (uint64_t)freeze_of(vcpu)->tid; /* the kernel means the thread that asks */
    }
    *result = syscall_serve(vcpu, number, args);
    /* Nothing was written, and SIGXFSZ or SIGPIPE is for who asked. */
    return *result != -EFBIG && *result != -EPIPE;
}
