// SPDX-License-Identifier: Apache-2.0
/*
 * fds.c: the payload's descriptors on their way into a snapshot. A descriptor that can be made
 * again exactly as it is goes there; another one, such as a connection, is a refusal that names it.
 */
#include "base/base.h"
#include "snapshot/snapshot.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <unistd.h>

#ifndef F_DUPFD_QUERY
#define F_DUPFD_QUERY 1027
#endif

/* ---- what the host tells of a descriptor ---- */

bool fd_link(int fd, char path[PATH_MAX])
{
    char link[32];
    ssize_t n;

    (void)snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
    n = readlink(link, path, PATH_MAX - 1);
    path[n < 0 ? 0 : n] = 0;
    return n > 0;
}

/* The lines of fdinfo: FIELD: NUMBER. */
bool fd_info(int fd, const char *field, int base, uint64_t *value)
{
    char path[32], line[512];
    size_t length = strlen(field);
    bool found = false;
    FILE *file;

    (void)snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
    file = fopen(path, "re");
    while (file && !found && fgets(line, sizeof(line), file)) {
        if (!strncmp(line, field, length) && line[length] == ':') {
            *value = strtoull(line + length + 1, NULL, base);
            found = true;
        }
    }
    if (file) {
        (void)fclose(file);
    }
    return found;
}

/* Whether both are one open file. Before Linux 6.10 this shows where a change of one is the
 * other's, too. */
static bool same_file(int one, int other)
{
    int same = fcntl(one, F_DUPFD_QUERY, other), flags = fcntl(one, F_GETFL);
    int others = fcntl(other, F_GETFL);

    if (same >= 0) {
        return same;
    }
    if (flags != others || flags & O_PATH || fcntl(one, F_SETFL, flags ^ O_NONBLOCK) < 0) {
        return false;
    }
    same = fcntl(other, F_GETFL) != others;
    (void)fcntl(one, F_SETFL, flags);
    return same;
}

/* ---- copies ---- */

static bool is_like(int fd, const struct stat *st, int standard)
{
    struct stat other;

    return fstat(standard, &other) == 0 && st->st_ino == other.st_ino &&
           st->st_dev == other.st_dev && !S_ISREG(st->st_mode) && !S_ISDIR(st->st_mode) &&
           ((fcntl(fd, F_GETFL) ^ fcntl(standard, F_GETFL)) & O_ACCMODE) == 0;
}

/* A copy of a standard stream; another way to the same terminal, pipe or socket is as good. */
static bool is_standard(struct snap_fd *to, const struct stat *st)
{
    for (int standard = 0; standard <= 2; standard++) {
        if (same_file(to->fd, standard) || is_like(to->fd, st, standard)) {
            to->kind = FD_STANDARD;
            to->other = standard;
            return true;
        }
    }
    return false;
}

static bool is_copy(const struct snapshot *s, struct snap_fd *to)
{
    for (size_t i = 0; i < s->process.counts.fds; i++) {
        if (s->fds[i].kind != FD_COPY && same_file(to->fd, s->fds[i].fd)) {
            to->kind = FD_COPY;
            to->other = s->fds[i].fd;
            return true;
        }
    }
    return false;
}

/* ---- each kind ---- */

static bool cannot(struct refusal *why, const struct snap_fd *fd, const char *what, const char *fix)
{
    char path[PATH_MAX];

    (void)fd_link(fd->fd, path);
    return refuse(why, fix, "descriptor %d is %s (%.150s)", fd->fd, what, path);
}

#define FIX_CLOSE "let the program close it before it asks for the snapshot"

static bool save_file(struct snapshot *s, struct snap_fd *to, const struct stat *st,
                      struct refusal *why)
{
    char path[PATH_MAX];
    struct stat named;

    to->kind = S_ISCHR(st->st_mode) ? FD_DEVICE : FD_FILE;
    if (!fd_link(to->fd, path) || stat(path, &named) < 0 || named.st_ino != st->st_ino ||
        named.st_dev != st->st_dev) {
        return cannot(why, to, "a file without a name", FIX_CLOSE);
    }
    if (to->kind == FD_DEVICE && (st->st_rdev >> 8 != 1)) { /* null, zero, full, random, urandom */
        return cannot(why, to, "a device with a state", FIX_CLOSE ", or redirect it");
    }
    to->values[0] = (uint64_t)lseek(to->fd, 0, SEEK_CUR);
    return snapshot_add_string(s, path, &to->path) ||
           cannot(why, to, "a file of a name too long", FIX_CLOSE);
}

static bool is_empty(int fd)
{
    int bytes = 0;

    return ioctl(fd, FIONREAD, &bytes) == 0 && !bytes;
}

static bool save_timer(struct snap_fd *to)
{
    struct itimerspec when;

    to->kind = FD_TIMER;
    if (!fd_info(to->fd, "clockid", 10, &to->values[0]) || timerfd_gettime(to->fd, &when) < 0) {
        return false;
    }
    (void)fd_info(to->fd, "ticks", 10, &to->values[1]);
    to->values[2] = (uint64_t)when.it_value.tv_sec * 1000000000 + (uint64_t)when.it_value.tv_nsec;
    to->values[3] =
        (uint64_t)when.it_interval.tv_sec * 1000000000 + (uint64_t)when.it_interval.tv_nsec;
    return true;
}

/* The number behind FIELD: in a line. */
static uint64_t number_of(const char *line, const char *field, int base)
{
    const char *at = strstr(line, field);

    return at ? strtoull(at + strlen(field), NULL, base) : 0;
}

/* tfd: FD events: HEX data: HEX ... */
static bool save_watches(struct snapshot *s, int epoll)
{
    char path[32], line[512];
    uint32_t *count = &s->process.counts.watches;
    FILE *file;

    (void)snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", epoll);
    file = fopen(path, "re");
    while (file && fgets(line, sizeof(line), file) && *count < 65536) {
        if (!strncmp(line, "tfd:", 4)) {
            s->watches[(*count)++] = (struct snap_watch){
                .epoll = epoll,
                .fd = (int32_t)number_of(line, "tfd:", 10),
                .events = (uint32_t)number_of(line, "events:", 16),
                .data = number_of(line, "data:", 16),
            };
        }
    }
    return file && fclose(file) == 0;
}

/* anon_inode:[KIND] */
static bool save_anonymous(struct snapshot *s, struct snap_fd *to, const char *name,
                           struct refusal *why)
{
    if (!strcmp(name, "[eventfd]")) {
        to->kind = FD_EVENT;
        (void)fd_info(to->fd, "eventfd-semaphore", 10, &to->values[1]);
        return fd_info(to->fd, "eventfd-count", 16, &to->values[0]);
    }
    if (!strcmp(name, "[eventpoll]")) {
        to->kind = FD_EPOLL;
        return save_watches(s, to->fd);
    }
    if (!strcmp(name, "[signalfd]")) {
        to->kind = FD_SIGNAL;
        return fd_info(to->fd, "sigmask", 16, &to->values[0]);
    }
    if (!strcmp(name, "[timerfd]")) {
        return save_timer(to);
    }
    return cannot(why, to, "of a kind that a snapshot cannot hold", FIX_CLOSE);
}

/* The other end must be the payload's, too. */
static int other_end(const struct snapshot *s, const struct snap_fd *fd, const struct stat *st)
{
    struct stat other;

    for (size_t i = 0; i < s->fd_count; i++) {
        const struct snap_fd *found = &s->fds[i];

        if (found->fd != fd->fd && fstat(found->fd, &other) == 0 && other.st_ino == st->st_ino &&
            other.st_dev == st->st_dev && (found->flags ^ fd->flags) & O_ACCMODE) {
            return found->fd;
        }
    }
    return -1;
}

/* What is in a pipe stays there: it is read from a copy. */
static bool save_content(struct snapshot *s, struct snap_fd *to)
{
    char content[4096];
    int ends[2], size = 0;
    bool good;

    if (ioctl(to->fd, FIONREAD, &size) < 0 || size > (int)sizeof(content) ||
        pipe2(ends, O_CLOEXEC | O_NONBLOCK) < 0) {
        return false;
    }
    good = !size || (tee(to->fd, ends[1], (size_t)size, SPLICE_F_NONBLOCK) == size &&
                     read(ends[0], content, (size_t)size) == size &&
                     snapshot_add_bytes(s, content, (size_t)size, &to->path));
    to->values[0] = (uint64_t)size;
    (void)close(ends[0]);
    (void)close(ends[1]);
    return good;
}

static bool save_pipe(struct snapshot *s, struct snap_fd *to, const struct stat *st,
                      struct refusal *why)
{
    to->kind = FD_PIPE;
    to->other = other_end(s, to, st);
    if (to->other < 0) {
        return cannot(why, to, "a pipe to another process", FIX_CLOSE ", or give it a file");
    }
    return (to->flags & O_ACCMODE) == O_WRONLY || save_content(s, to) ||
           cannot(why, to, "a pipe with unread data",
                  "let the program read it before it asks for the snapshot");
}

/* ---- sockets ---- */

static uint64_t option(int fd, int level, int name)
{
    int value = 0;
    socklen_t size = sizeof(value);

    return getsockopt(fd, level, name, &value, &size) == 0 ? (uint64_t)(unsigned)value : 0;
}

static bool save_pair(struct snap_fd *to, uint64_t inode, struct refusal *why)
{
    uint64_t peer = snapshot_pair_of(inode);
    struct stat st;

    to->kind = FD_PAIR;
    to->other = -1;
    for (int fd = 3; peer && fd < 65536 && to->other < 0; fd++) {
        if (fstat(fd, &st) == 0 && S_ISSOCK(st.st_mode) && st.st_ino == peer) {
            to->other = fd;
        }
    }
    if (to->other < 0) {
        return cannot(why, to, "a connection", FIX_CLOSE);
    }
    return is_empty(to->fd) || cannot(why, to, "a socket with unread data",
                                      "let the program read it before it asks for the snapshot");
}

static bool save_socket(struct snap_fd *to, const struct stat *st, struct refusal *why)
{
    struct sockaddr_storage address = {0};
    socklen_t size = sizeof(address);

    to->values[0] = option(to->fd, SOL_SOCKET, SO_DOMAIN);
    to->values[1] = option(to->fd, SOL_SOCKET, SO_TYPE);
    to->values[2] = option(to->fd, SOL_SOCKET, SO_PROTOCOL);
    to->values[3] = option(to->fd, SOL_SOCKET, SO_ACCEPTCONN);
    to->values[4] =
        option(to->fd, SOL_SOCKET, SO_REUSEADDR) | option(to->fd, SOL_SOCKET, SO_REUSEPORT) << 1 |
        (to->values[0] == AF_INET6 ? option(to->fd, IPPROTO_IPV6, IPV6_V6ONLY) << 2 : 0);
    if (to->values[0] != AF_INET && to->values[0] != AF_INET6 && to->values[0] != AF_UNIX) {
        return cannot(why, to, "a socket of a kind that a snapshot cannot hold", FIX_CLOSE);
    }
    if (getpeername(to->fd, (struct sockaddr *)&address, &size) == 0) {
        return save_pair(to, st->st_ino, why);
    }
    size = sizeof(address);
    to->kind = FD_SOCKET;
    memset(&address, 0, sizeof(address));
    if (getsockname(to->fd, (struct sockaddr *)&address, &size) < 0 || size > sizeof(address)) {
        return cannot(why, to, "a socket without an address", FIX_CLOSE);
    }
    to->address_size = size;
    memcpy(to->address, &address, size);
    return true;
}

/* ---- all ---- */

static bool save(struct snapshot *s, struct snap_fd *to, struct refusal *why)
{
    char path[PATH_MAX];
    struct stat st;

    if (fstat(to->fd, &st) < 0 || !fd_link(to->fd, path)) {
        return refuse(why, "mount /proc", "cannot examine descriptor %d: %m", to->fd);
    }
    if (is_standard(to, &st) || is_copy(s, to)) {
        return true;
    }
    if (!strncmp(path, "anon_inode:", 11)) {
        return save_anonymous(s, to, path + 11, why) ||
               (*why->what ? false : cannot(why, to, "of an unknown state", FIX_CLOSE));
    }
    switch (st.st_mode & S_IFMT) {
    case S_IFREG:
    case S_IFDIR:
    case S_IFCHR:
        return save_file(s, to, &st, why);
    case S_IFIFO:
        return save_pipe(s, to, &st, why);
    case S_IFSOCK:
        return save_socket(to, &st, why);
    default:
        return cannot(why, to, "of a kind that a snapshot cannot hold", FIX_CLOSE);
    }
}

static int compare(const void *one, const void *other)
{
    return ((const struct snap_fd *)one)->fd - ((const struct snap_fd *)other)->fd;
}

/* All that are open, by their numbers. */
static bool list(struct snapshot *s)
{
    DIR *folder = opendir("/proc/self/fd");
    const struct dirent *entry = folder ? readdir(folder) : NULL;

    for (; entry && s->fd_count < 65536; entry = readdir(folder)) {
        long fd = strtol(entry->d_name, NULL, 10); /* . and .. are 0 */

        if (fd > 2 && fd != dirfd(folder) && !fd_is_hidden((uint64_t)fd)) {
            s->fds[s->fd_count++] = (struct snap_fd){
                .fd = (int32_t)fd,
                .flags = (uint32_t)fcntl((int)fd, F_GETFL),
                .cloexec = fcntl((int)fd, F_GETFD) & FD_CLOEXEC ? 1 : 0,
            };
        }
    }
    qsort(s->fds, s->fd_count, sizeof(*s->fds), compare);
    return folder && closedir(folder) == 0;
}

bool snapshot_save_fds(struct snapshot *s, struct refusal *why)
{
    uint32_t *saved = &s->process.counts.fds;

    if (!list(s)) {
        return refuse(why, "mount /proc", "cannot list its descriptors: /proc/self/fd: %m");
    }
    for (*saved = 0; *saved < s->fd_count; (*saved)++) {
        if (!save(s, &s->fds[*saved], why)) {
            return false;
        }
    }
    return true;
}
