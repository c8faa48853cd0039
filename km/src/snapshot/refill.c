// SPDX-License-Identifier: Apache-2.0
/*
 * refill.c: the descriptors of a resumed program, each at its number. The standard streams are the
 * new process's; its other descriptors are closed.
 */
#include "base/base.h"
#include "calls/calls.h"
#include "machine/machine.h"
#include "program/program.h"
#include "snapshot/snapshot.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <sys/un.h>
#include <unistd.h>

#define CREATION (O_CREAT | O_EXCL | O_TRUNC | O_NOCTTY)
#define BACKLOG 4096 /* the host's net.core.somaxconn is less, or not */

#define SET_TICKS                                                                                  \
    _IOW('T', 0, uint64_t) /* TFD_IOC_SET_TICKS: of an expiry that nobody has read                 \
                            */

static const struct snapshot *from;

static _Noreturn void die_of(const struct snap_fd *fd, const char *what)
{
    die(STATUS_ELSEWHERE, "free or restore it, or start the program itself",
        "cannot resume %s: descriptor %d: %s: %m", image.execfn, fd->fd, what);
}

/* Let `made` be the descriptor's number. */
static void place(const struct snap_fd *fd, int made, const char *what)
{
    int at = made;

    if (made < 0) {
        die_of(fd, what);
    }
    if (made != fd->fd) {
        at = fcntl(made, F_DUPFD, fd->fd);
        (void)close(made);
    }
    if (at != fd->fd) {
        errno = at < 0 ? errno : EBUSY;
        die_of(fd, "its number is not free");
    }
    (void)fcntl(at, F_SETFD, fd->cloexec ? FD_CLOEXEC : 0);
    if (fd->kind != FD_STANDARD && fd->kind != FD_COPY) {
        (void)fcntl(at, F_SETFL, (int)fd->flags);
    }
}

static void open_file(const struct snap_fd *fd)
{
    const char *path = from->strings + fd->path;
    int made = open(path, ((int)fd->flags & ~CREATION) | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
    struct stat st;

    if (made < 0 || fstat(made, &st) < 0) {
        die_of(fd, path);
    }
    if (!proc_gives(made, &st) ||
        (fd->kind == FD_DEVICE ? !S_ISCHR(st.st_mode)
                               : !S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode))) {
        errno = ENOTSUP;
        die_of(fd, path);
    }
    if (fd->kind == FD_FILE && fd->values[0] != UINT64_MAX) {
        (void)lseek(made, (off_t)fd->values[0], SEEK_SET);
    }
    place(fd, made, path);
}

/* The descriptor with the lower number makes both ends. */
static void make_ends(const struct snap_fd *fd)
{
    const struct snap_fd *other = fd;
    bool writes = ((int)fd->flags & O_ACCMODE) == O_WRONLY;
    int ends[2], error;

    if (fd->other < fd->fd) {
        return;
    }
    while (other->fd != fd->other) {
        other++;
    }
    error = fd->kind == FD_PIPE ? pipe2(ends, O_CLOEXEC)
                                : socketpair((int)fd->values[0], (int)fd->values[1] | SOCK_CLOEXEC,
                                             (int)fd->values[2], ends);
    if (error < 0) {
        die_of(fd, "a pair of ends");
    }
    snapshot_note_pair(ends);
    for (int i = 0; i < 2; i++) { /* neither may stand where the other goes */
        int high = fcntl(ends[i], F_DUPFD_CLOEXEC, from->fds[from->process.counts.fds - 1].fd + 1);

        (void)close(ends[i]);
        ends[i] = high;
    }
    if (fd->kind == FD_PIPE) {
        const struct snap_fd *reads = writes ? other : fd;

        (void)!write(ends[1], from->strings + reads->path, reads->values[0]);
    }
    place(fd, ends[writes], "an end");
    place(other, ends[!writes], "an end");
}

static int make_event(const struct snap_fd *fd)
{
    int made = eventfd(0, EFD_CLOEXEC | (fd->values[1] ? EFD_SEMAPHORE : 0));

    if (made >= 0 && fd->values[0]) {
        (void)!write(made, &fd->values[0], sizeof(fd->values[0]));
    }
    return made;
}

static void make_timer(const struct snap_fd *fd)
{
    struct itimerspec when = {
        .it_value = {(time_t)(fd->values[2] / 1000000000), (long)(fd->values[2] % 1000000000)},
        .it_interval = {(time_t)(fd->values[3] / 1000000000), (long)(fd->values[3] % 1000000000)},
    };
    int made = timerfd_create((int)fd->values[0], TFD_CLOEXEC);

    if (made >= 0) {
        (void)timerfd_settime(made, 0, &when, NULL);
        if (fd->values[1]) {
            (void)ioctl(made, (int)SET_TICKS, &fd->values[1]);
        }
    }
    place(fd, made, "a timer");
}

static void set_option(int fd, int level, int name, uint64_t value)
{
    int on = 1;

    if (value) {
        (void)setsockopt(fd, level, name, &on, sizeof(on));
    }
}

/* The socket's file of a server that has ended is in the way; one where somebody answers is not. */
static void clear_path(const struct snap_fd *fd)
{
    struct sockaddr_un address = {0};
    int probe = socket(AF_UNIX, (int)fd->values[1] | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    memcpy(&address, fd->address, sizeof(address) - 1);
    if (probe >= 0 && *address.sun_path &&
        connect(probe, (const struct sockaddr *)&address, sizeof(address)) < 0 &&
        errno == ECONNREFUSED) {
        (void)unlink(address.sun_path);
    }
    (void)close(probe);
}

static bool is_bound(const struct snap_fd *fd)
{
    const struct sockaddr_in *address = (const struct sockaddr_in *)fd->address;

    return fd->values[0] == AF_UNIX ? fd->address_size > sizeof(sa_family_t)
                                    : address->sin_port != 0; /* where sockaddr_in6 has it */
}

static void make_socket(const struct snap_fd *fd)
{
    int made = -1;

    errno = EAFNOSUPPORT;
    if (fd->values[0] == AF_INET || fd->values[0] == AF_INET6 || fd->values[0] == AF_UNIX) {
        made = socket((int)fd->values[0], (int)fd->values[1] | SOCK_CLOEXEC, (int)fd->values[2]);
    }
    if (made < 0) {
        die_of(fd, "a socket");
    }
    /* Else connections of the program before, which the host remembers, are in the way. */
    set_option(made, SOL_SOCKET, SO_REUSEADDR, (fd->values[4] & 1) | fd->values[3]);
    set_option(made, SOL_SOCKET, SO_REUSEPORT, fd->values[4] & 2);
    set_option(made, IPPROTO_IPV6, IPV6_V6ONLY, fd->values[4] & 4);
    if (is_bound(fd)) {
        if (fd->values[0] == AF_UNIX) {
            clear_path(fd);
        }
        if (bind(made, (const struct sockaddr *)fd->address, fd->address_size) < 0) {
            die_of(fd, "its address cannot be bound");
        }
    }
    if (fd->values[3] && listen(made, BACKLOG) < 0) {
        die_of(fd, "it cannot listen");
    }
    place(fd, made, "a socket");
}

static void make(const struct snap_fd *fd)
{
    uint64_t mask[2] = {fd->values[0]};

    switch (fd->kind) {
    case FD_STANDARD:
    case FD_COPY:
        place(fd, fcntl(fd->other, F_DUPFD_CLOEXEC, 3), "the descriptor that it is a copy of");
        break;
    case FD_FILE:
    case FD_DEVICE:
        open_file(fd);
        break;
    case FD_PIPE:
    case FD_PAIR:
        make_ends(fd);
        break;
    case FD_EVENT:
        place(fd, make_event(fd), "an eventfd");
        break;
    case FD_EPOLL:
        place(fd, epoll_create1(EPOLL_CLOEXEC), "an epoll");
        break;
    case FD_TIMER:
        make_timer(fd);
        break;
    case FD_SIGNAL:
        place(fd, signalfd(-1, (const sigset_t *)mask, SFD_CLOEXEC), "a signalfd");
        break;
    default:
        make_socket(fd);
    }
}

static void watch(const struct snap_watch *watch)
{
    struct epoll_event event = {.events = watch->events, .data.u64 = watch->data};

    if (!fd_is_hidden((uint64_t)watch->fd)) {
        (void)epoll_ctl(watch->epoll, EPOLL_CTL_ADD, watch->fd, &event);
    }
}

void snapshot_load_fds(struct vcpu *vcpu, const struct snapshot *snapshot)
{
    from = snapshot;
    (void)sys_close_range(vcpu, (uint64_t[6]){3, UINT32_MAX});
    for (size_t i = 0; i < from->process.counts.fds; i++) {
        make(&from->fds[i]);
    }
    for (size_t i = 0; i < from->process.counts.watches; i++) {
        watch(&from->watches[i]);
    }
}
