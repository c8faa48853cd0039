// SPDX-License-Identifier: Apache-2.0
/*
 * pin.c: how a process of several threads opens a file.
 *
 * What the host opens gets the lowest free descriptor, so another thread can guess it and use it
 * before proc_judge() has seen it: enough to read and write the monitor by a /proc/self/mem that is
 * refused a moment later. And between a look at a path and its opening, another thread can let it
 * lead elsewhere. So the path is first opened without access (O_PATH), to a descriptor that the
 * payload cannot name; that is judged; and then exactly this file is opened.
 */
#include "syscall.h"

#include <asm/unistd.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

/* Hidden descriptors for the files that are being opened; a bit each: it is there, it is in use. */
static int pins[64];
static uint64_t made, busy;
static int proc = -1; /* /proc, as it was before the payload could change what is there */

#define NO_PIN ARRAY_LEN(pins)
#define LINKS_MAX 40 /* as the kernel follows them; namei.h */

void pin_init(void)
{
    int fd = open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC);
    struct statfs fs;

    if (fd >= 0 && fstatfs(fd, &fs) == 0 && fs.f_type == PROC_SUPER_MAGIC) {
        proc = fd_hide(fd);
    } else if (fd >= 0) {
        (void)close(fd);
    }
}

void pin_after_fork(void)
{
    busy = 0; /* those that were in use stayed with their threads */
}

static size_t pin_take(void)
{
    uint64_t now = __atomic_load_n(&busy, __ATOMIC_RELAXED), bit;

    do {
        if (!~now) {
            return NO_PIN;
        }
        bit = ~now & (now + 1);
    } while (!__atomic_compare_exchange_n(&busy, &now, now | bit, false, __ATOMIC_ACQUIRE,
                                          __ATOMIC_RELAXED));
    return (size_t)__builtin_ctzl(bit);
}

static void pin_free(size_t i)
{
    (void)__atomic_fetch_and(&busy, ~(1UL << i), __ATOMIC_RELEASE);
}

/* Let pin `i` be the file of `fd`: 0, or -errno. */
static int64_t pin_set(size_t i, int fd)
{
    uint64_t limit;
    int set;

    if (!(__atomic_load_n(&made, __ATOMIC_RELAXED) & 1UL << i)) {
        pins[i] = fd_hide(dup(proc));
        if (pins[i] < 0) {
            return -EMFILE;
        }
        (void)__atomic_fetch_or(&made, 1UL << i, __ATOMIC_RELAXED);
    }
    set = dup3(fd, pins[i], O_CLOEXEC);
    if (set < 0 && errno == EBADF) { /* the payload's limit is not for the monitor's */
        limit = fd_raise_limit();
        set = limit ? dup3(fd, pins[i], O_CLOEXEC) : -1;
        fd_lower_limit(limit);
    }
    return set < 0 ? -EMFILE : 0; /* the limit was lowered for good since the pin was made */
}

/* Let it keep no file busy. */
static void pin_clear(size_t i)
{
    (void)dup3(proc, pins[i], O_CLOEXEC);
}

/* Of KVM's descriptors, which payloads may not have, only a vCPU's can be mapped; all are of inodes
 * without a type, and nothing else of those is a payload's to map. */
static bool is_anonymous(int fd)
{
    struct stat st;

    return fstat(fd, &st) == 0 && !(st.st_mode & S_IFMT);
}

int64_t pin_map(const struct vcpu *vcpu, int fd, int64_t (*map)(int fd, const uint64_t *args),
                const uint64_t *args)
{
    size_t i;
    int64_t result;

    if (!thread_several() || vcpu->vforked || proc < 0) {
        return is_anonymous(fd) ? -ENODEV : map(fd, args);
    }
    if (fcntl(fd, F_GETFD) < 0) {
        return -EBADF;
    }
    i = pin_take();
    if (i == NO_PIN) {
        return -ENFILE;
    }
    result = pin_set(i, fd);
    if (!result) {
        result = is_anonymous(pins[i]) ? -ENODEV : map(pins[i], args);
        pin_clear(i);
    }
    pin_free(i);
    return result;
}

bool pin_is(int fd, const char *wanted)
{
    char name[48], is[64];
    ssize_t n;

    if (!thread_several() || proc < 0) {
        return true; /* nobody was there to change it */
    }
    (void)snprintf(name, sizeof(name), "thread-self/fd/%d", fd);
    n = readlinkat(proc, name, is, sizeof(is) - 1);
    is[n < 0 ? 0 : n] = 0;
    return !strcmp(is, wanted);
}

/* Open the file that pin `i` is. */
static int64_t open_again(size_t i, uint64_t flags)
{
    static const uint64_t not_again = O_CREAT | O_EXCL | O_NOFOLLOW;
    char name[48];
    uint64_t args[6] = {(uint64_t)proc, (uint64_t)name, flags & ~not_again};
    struct stat st;
    int64_t fd;

    if (fstat(pins[i], &st) < 0) {
        return -errno;
    }
    if (S_ISLNK(st.st_mode)) { /* O_NOFOLLOW */
        return -ELOOP;
    }
    if (!proc_may_open(pins[i], &st)) {
        return -EACCES;
    }
    (void)snprintf(name, sizeof(name), "thread-self/fd/%d", pins[i]);
    fd = host_syscall(__NR_openat, args);
    if (fd >= 0 && proc_judge(fd) == -EACCES) { /* it is not what was judged: an attack */
        (void)kill(getpid(), SIGKILL);
    }
    return fd;
}

/* A call that opens a file: openat, or openat2, whose flags are in a structure. */
struct opening {
    uint64_t number, *args;
    uint64_t *flags, *mode; /* where the call finds them */
    char *next;             /* PATH_MAX bytes: a path of the monitor's in the place of the call's */
};

static int64_t host_open(const struct opening *how, uint64_t flags, uint64_t mode)
{
    uint64_t own_flags = *how->flags, own_mode = *how->mode;
    int64_t fd;

    *how->flags = flags;
    *how->mode = mode;
    fd = host_syscall(how->number, how->args);
    *how->flags = own_flags;
    *how->mode = own_mode;
    return fd;
}

/* Open it by O_PATH, look what it is, and open that. */
static int64_t open_pinned(const struct opening *how)
{
    uint64_t flags = *how->flags;
    size_t i = pin_take();
    int64_t fd, error;

    if (i == NO_PIN) {
        return -ENFILE;
    }
    fd = host_open(how, O_PATH | O_CLOEXEC | (flags & O_NOFOLLOW), 0);
    if (fd >= 0) {
        error = pin_set(i, (int)fd);
        (void)close((int)fd);
        fd = error < 0 ? error : open_again(i, flags);
        pin_clear(i);
    }
    pin_free(i);
    return fd;
}

/* Where the path is a link, let it be what the link says. */
static int64_t follow(const struct opening *how)
{
    char path[PATH_MAX], to[PATH_MAX];
    int64_t error = guest_read_path(path, how->args[1]);
    ssize_t n;
    char *slash;

    if (how->args[1] == (uint64_t)how->next) { /* it is the monitor's already */
        error = 0;
        (void)snprintf(path, sizeof(path), "%s", how->next);
    }
    n = error < 0 ? -1 : readlinkat((int)how->args[0], path, to, sizeof(to) - 1);
    if (n < 0) {
        return -ENOENT; /* it was there, and is not a link */
    }
    to[n] = 0;
    slash = *to == '/' ? NULL : strrchr(path, '/');
    if (snprintf(how->next, PATH_MAX, "%.*s%s", slash ? (int)(slash - path + 1) : 0, path, to) >=
        PATH_MAX) {
        return -ENAMETOOLONG;
    }
    how->args[1] = (uint64_t)how->next;
    return 0;
}

/* A file that is made is none that was there; the others are opened for what they are. */
static int64_t open_or_make(const struct opening *how)
{
    int64_t fd = open_pinned(how), error = 0;

    for (int tries = 0; fd == -ENOENT && *how->flags & O_CREAT && tries < LINKS_MAX; tries++) {
        fd = host_open(how, *how->flags | O_EXCL, *how->mode);
        if (fd != -EEXIST) {
            return fd;
        }
        fd = open_pinned(how); /* somebody else has made it, or it is a link to nothing */
        if (fd == -ENOENT) {
            error = follow(how);
        }
    }
    return error < 0 ? error : fd;
}

/* Whether what the flags ask for can be nothing that proc_judge() refuses. */
static bool is_harmless(uint64_t flags)
{
    return flags & (O_PATH | O_DIRECTORY) || (flags & O_CREAT && flags & O_EXCL);
}

static int64_t open_safely(const struct vcpu *vcpu, const struct opening *how)
{
    /* the child of a vfork has descriptors of its own */
    if (!thread_several() || vcpu->vforked || proc < 0 || is_harmless(*how->flags)) {
        return proc_judge(host_syscall(how->number, how->args));
    }
    return open_or_make(how);
}

int64_t pin_openat(const struct vcpu *vcpu, uint64_t dirfd, uint64_t path, uint64_t flags,
                   uint64_t mode)
{
    uint64_t args[6] = {dirfd, path, flags, mode};
    char next[PATH_MAX] = "";

    return open_safely(vcpu, &(struct opening){__NR_openat, args, &args[2], &args[3], next});
}

int64_t pin_openat2(const struct vcpu *vcpu, uint64_t dirfd, uint64_t path, uint64_t how[3])
{
    uint64_t args[6] = {dirfd, path, (uint64_t)how, 3 * sizeof(*how)};
    char next[PATH_MAX] = "";

    return open_safely(vcpu, &(struct opening){__NR_openat2, args, &how[0], &how[1], next});
}
