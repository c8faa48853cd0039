// SPDX-License-Identifier: Apache-2.0
/*
 * helper_call.c: which system calls the helper makes: those that the table marks, where they do not
 * wait, or as far as the host makes them at once (helper_wait.c). A call that could wait for long
 * is for the payload's own thread, which a signal reaches.
 */
#include "base/base.h"
#include "calls/calls.h"
#include "calls/fd_kind.h"
#include "calls/helper.h"
#include "calls/mounts.h"
#include "calls/opening.h"
#include "machine/machine.h"
#include "memory/memory.h"
#include "task/task.h"

#include <asm/unistd.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
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

/* What it is open at; IS_UNKNOWN where nothing is, and then *st is not told. */
static enum fd_kind kind_of(const struct vcpu *vcpu, uint64_t fd, struct stat *st)
{
    enum fd_kind kind = fd_kind(vcpu, fd);

    *st = (struct stat){.st_mode = kind == IS_PIPE ? S_IFIFO : 0};
    if (kind == IS_UNKNOWN && !fd_is_hidden(fd) && fstat((int)fd, st) == 0) {
        kind = fd_kind_look(vcpu, fd, st);
    }
    return kind;
}

/* What may ask an endless file for more than is had at once, in pieces. */
static bool has_vector(uint32_t number)
{
    return number == __NR_readv || number == __NR_preadv;
}

/* Whether nobody waits who closes it: a socket may send for a while what it has. */
static bool closes_at_once(const struct vcpu *vcpu, uint64_t fd)
{
    struct linger linger = {0};
    socklen_t size = sizeof(linger);
    struct stat st;
    enum fd_kind kind = kind_of(vcpu, fd, &st);

    return kind == IS_AT_ONCE || kind == IS_ENDLESS || kind == IS_PIPE ||
           (S_ISSOCK(st.st_mode) &&
            getsockopt((int)fd, SOL_SOCKET, SO_LINGER, &linger, &size) == 0 && !linger.l_onoff);
}

/* As look(), by a descriptor without access. */
static int64_t look_closely(struct vcpu *vcpu, uint64_t dirfd, uint64_t path, uint64_t flags)
{
    uint64_t by_name = O_PATH | O_CLOEXEC | (flags & (O_NOFOLLOW | O_DIRECTORY));
    int64_t fd = open_at(vcpu, dirfd, path, by_name, 0);
    struct stat st;
    bool is;

    if (fd < 0) {
        return fd;
    }
    is = fstat((int)fd, &st) == 0 && fd_is_file((int)fd, &st);
    (void)close((int)fd);
    return is ? 0 : -EAGAIN;
}

/* What an opening leads to: 0 for a file or folder of a disk or of memory, where nobody waits for
 * another's end of a pipe, a device or a lease of a server; -ENOENT; or another error. */
static int64_t look(struct vcpu *vcpu, uint64_t dirfd, uint64_t path, uint64_t flags)
{
    uint64_t as_opened = AT_NO_AUTOMOUNT | (flags & O_NOFOLLOW ? AT_SYMLINK_NOFOLLOW : 0);
    struct file_facts facts;
    int64_t error = guest_ok(path, 0) && !fd_is_hidden(dirfd)
                        ? file_look(dirfd, path, as_opened, &facts)
                        : -EFAULT;

    if (!error && !file_is_at_once(&facts)) {
        error = S_ISREG(facts.mode) || S_ISDIR(facts.mode) ? look_closely(vcpu, dirfd, path, flags)
                                                           : -EAGAIN;
    }
    return error;
}

/* Let what was opened so that nobody waits be open as `flags` say. False where it is no file: the
 * path has led elsewhere since it was looked at. */
static bool settle(const struct vcpu *vcpu, int fd, uint64_t flags)
{
    struct stat st;
    bool is = fstat(fd, &st) == 0 && fd_kind_look(vcpu, (uint64_t)fd, &st) == IS_AT_ONCE &&
              (flags & O_NONBLOCK || fcntl(fd, F_SETFL, (int)flags) == 0);

    if (!is) {
        fd_kind_forget((uint32_t)fd, (uint32_t)fd);
        (void)close(fd);
    }
    return is;
}

/* Open a file. It is waited for where another process has a lease of it: by the payload's thread.
 */
static bool open_file(struct vcpu *vcpu, uint32_t number, uint64_t *args, unsigned i,
                      int64_t *result)
{
    uint64_t flags = args[i + 1];

    if (!(flags & O_PATH)) {
        args[i + 1] |= O_NONBLOCK;
    }
    *result = syscall_serve(vcpu, number, args);
    if (*result < 0 || flags & O_PATH) {
        return *result != -EAGAIN && *result != -ENXIO;
    }
    return settle(vcpu, (int)*result, flags);
}

/*
 * An opening, whose path is argument `i`. Where nothing was, a file is made, or none. What asks for
 * a snapshot is not there, and is for the payload's own thread.
 */
static bool make_opening(struct vcpu *vcpu, uint32_t number, uint64_t *args, unsigned i,
                         int64_t *result)
{
    uint64_t dirfd = i ? args[0] : (uint64_t)AT_FDCWD, flags = args[i + 1];
    int64_t found = look(vcpu, dirfd, args[i], flags);

    if (found == -ENOENT && !hooks.is_snapshot_path(args[i])) {
        args[i + 1] |= flags & O_CREAT ? O_EXCL : 0;
        *result = flags & O_CREAT ? syscall_serve(vcpu, number, args) : -ENOENT;
        return *result != -EEXIST || flags & O_EXCL;
    }
    *result = 0;
    return !found && open_file(vcpu, number, args, i, result);
}

/* Of fcntl(2), whatever the file is. */
static bool command_waits_not(int command)
{
    return command == F_GETFD || command == F_SETFD || command == F_GETFL || command == F_SETFL ||
           command == F_DUPFD || command == F_DUPFD_CLOEXEC;
}

static bool wakes(int operation)
{
    return (operation & FUTEX_CMD_MASK) == FUTEX_WAKE ||
           (operation & FUTEX_CMD_MASK) == FUTEX_WAKE_BITSET;
}

bool helper_may_make_so(uint64_t number, const uint64_t *args)
{
    return helper_may_make(number) && (number != __NR_futex || wakes((int)args[1]));
}

/* Whether a call does not wait that is not judged by what its first argument is open at. */
static bool is_ready(const struct vcpu *vcpu, uint32_t number, const uint64_t *args)
{
    switch (number) {
    case __NR_close:
        return closes_at_once(vcpu, args[0]);
    case __NR_fcntl:
        return command_waits_not((int)args[1]);
    case __NR_futex:
        return wakes((int)args[1]);
    case __NR_sendto:
    case __NR_recvfrom:
        return args[3] & MSG_DONTWAIT;
    case __NR_sendmsg:
    case __NR_recvmsg:
        return args[2] & MSG_DONTWAIT;
    case __NR_rt_sigaction: /* only asked for: setting one is for who gets the signals */
        return !args[1];
    default:
        return false;
    }
}

/* Whether it is what the first argument is open at that says whether the call waits. */
static bool goes_by_descriptor(uint32_t number, const uint64_t *args)
{
    switch (number) {
    case __NR_close:
    case __NR_futex:
    case __NR_rt_sigaction:
        return false;
    case __NR_fcntl:
        return (int)args[1] == F_GETLK || (int)args[1] == F_SETLK;
    case __NR_ioctl: /* as the C library asks of each file that it opens; of a terminal it waits */
        return (uint32_t)args[1] == TCGETS;
    default:
        return true;
    }
}

static bool copies_descriptor(uint32_t number, const uint64_t *args)
{
    return number == __NR_dup ||
           (number == __NR_fcntl && ((int)args[1] == F_DUPFD || (int)args[1] == F_DUPFD_CLOEXEC));
}

/* Make it, or as much as the host does of it at once. */
static bool make(struct vcpu *vcpu, uint32_t number, uint64_t *args, int64_t *result)
{
    enum fd_kind kind;
    struct stat st;

    if (waiting_polls(number)) {
        return waiting_poll(vcpu, number, args, result);
    }
    if (number == __NR_open || number == __NR_openat) {
        return make_opening(vcpu, number, args, number == __NR_openat, result);
    }
    if (number == __NR_sendfile &&
        (fstat((int)args[1], &st) < 0 || !fd_is_file((int)args[1], &st))) {
        return false;
    }
    if (helped_of(number) != HELPED && !is_ready(vcpu, number, args)) {
        kind = goes_by_descriptor(number, args) ? kind_of(vcpu, args[0], &st) : IS_UNKNOWN;
        if (kind != IS_AT_ONCE && (kind != IS_ENDLESS || has_vector(number))) {
            return kind != IS_UNKNOWN && waiting_make(vcpu, number, args, &st, result);
        }
    }
    *result = syscall_serve(vcpu, number, args);
    if (copies_descriptor(number, args)) {
        fd_kind_copy(vcpu, args[0], *result);
    }
    return true;
}

bool helper_make(struct vcpu *vcpu, uint32_t number, uint64_t *args, int64_t *result)
{
    bool is_made;

    /* Another thread may have given this one a filter, which the helper outlives, and the payload
     * can post without being offered it: who judges calls is the vCPU's thread. */
    if (!helper_may_make(number) || !seccomp_is_off(vcpu) || own_asks(vcpu, number, args)) {
        return false;
    }
    if (number == __NR_getpriority && (int)args[0] == PRIO_PROCESS && !(int)args[1]) {
        args[1] = (uint64_t)freeze_of(vcpu)->tid; /* the kernel means the thread that asks */
    }
    is_made = make(vcpu, number, args, result);
    if (*result == -EFBIG || *result == -EPIPE) { /* nothing was written */
        own_signals(vcpu, false);
        return false;
    }
    if (is_made && number == __NR_sendfile) {
        own_signals(vcpu, true);
    }
    return is_made && (*result || !own_answers(number, args));
}
