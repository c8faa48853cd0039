// SPDX-License-Identifier: Apache-2.0
/*
 * sys_path.c: the system calls that change the file which a path leads to.
 *
 * Some links of /proc lead to km's own file, or by km's own descriptor to the host's /dev/kvm,
 * which the payload's user may own. So the file is pinned first, and changed only if it is another.
 * Without a proc(5) to name the pin by, the call
 * is made by the path that was looked at.
 */
#include "base/base.h"
#include "calls/calls.h"
#include "calls/handlers.h"
#include "calls/pin.h"
#include "calls/proc.h"
#include "machine/machine.h"
#include "memory/memory.h"

#include <asm/unistd.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FCHMODAT2 452 /* __NR_fchmodat2, which older headers do not have */

/* What a call names: a path from a folder on, or with AT_EMPTY_PATH the descriptor itself. */
struct named {
    struct vcpu *vcpu;
    uint64_t dirfd, path, flags;
};

/* How the call is made: by the name of the pin, or by the call's own; 0 or -errno. */
typedef int64_t (*change)(uint64_t dirfd, uint64_t path, uint64_t flags, const uint64_t *values);

static bool is_empty(const struct named *what)
{
    char first = 0;

    return what->flags & AT_EMPTY_PATH && guest_read(&first, what->path, 1) == 0 && !first;
}

/* Pin the file of a descriptor, by O_PATH: see pin_map() for what a copy of it would do. */
static int64_t pin_descriptor(const struct named *what)
{
    char name[FD_NAME];
    int folder = fd_name(what->vcpu, (int)what->dirfd, name), fd;
    int64_t error;

    if (fcntl((int)what->dirfd, F_GETFD) < 0) {
        return -EBADF;
    }
    fd = folder < 0 ? -1 : openat(folder, name, O_PATH | O_CLOEXEC);
    if (fd < 0) {
        return pin_set(what->vcpu, (int)what->dirfd);
    }
    error = pin_set(what->vcpu, fd);
    (void)close(fd);
    return error;
}

/* Pin what is named; a descriptor of the monitor's is not there, by its name below /proc either. */
static int64_t pin_named(const struct named *what)
{
    uint64_t args[6] = {what->dirfd, what->path, O_PATH | O_CLOEXEC};
    struct proc_file file = {0};
    int64_t fd, error;

    if (is_empty(what) && (int)what->dirfd != AT_FDCWD) {
        return pin_descriptor(what);
    }
    if (is_empty(what)) {
        args[1] = (uint64_t)".";
    } else if (proc_may_be_entry(what->path) &&
               proc_look_at_link(what->vcpu, what->dirfd, what->path, &file) &&
               proc_is_hidden(&file)) {
        return -ENOENT;
    }
    fd = host_syscall(__NR_openat, args);
    if (fd < 0) {
        return fd;
    }
    error = pin_set(what->vcpu, (int)fd);
    (void)close((int)fd);
    return !error && proc_copy_at(what->vcpu->pin, &file) ? copy_pin_other(what->vcpu, O_RDONLY)
                                                          : error;
}

/* Where the kernel does not take the pin itself, it takes its name. */
static int64_t change_by_name(const struct named *what, change make, const uint64_t *values)
{
    char name[FD_NAME];
    int folder = fd_name(what->vcpu, what->vcpu->pin, name);

    return folder < 0 ? make(what->dirfd, what->path, what->flags, values)
                      : make((uint64_t)folder, (uint64_t)name, 0, values);
}

/* Whether the pin is what km itself lives on. */
static bool is_monitors(const struct named *what)
{
    struct stat st;

    return fstat(what->vcpu->pin, &st) == 0 && (self_is_file(&st) || proc_is_kvm(&st));
}

/*
 * Open by O_PATH what is named, where no magic link of /proc is on the way: then it is nothing that
 * km alone can reach, and who puts another file at its number changes what he could anyway. Below 0
 * where there is one, or the kernel cannot tell (before Linux 5.6).
 */
static int open_plain(const struct named *what)
{
    struct open_how how = {.flags = O_PATH | O_CLOEXEC, .resolve = RESOLVE_NO_MAGICLINKS};

    return is_empty(what)
               ? -1
               : (int)host_syscall(__NR_openat2, (uint64_t[6]){what->dirfd, what->path,
                                                               (uint64_t)&how, sizeof(how)});
}

static int64_t change_plain(const struct named *what, int fd, change make, const uint64_t *values)
{
    char name[FD_NAME];
    int folder = fd_name(what->vcpu, fd, name);
    int64_t result = make((uint64_t)fd, (uint64_t)"", AT_EMPTY_PATH, values);

    if ((result == -ENOSYS || result == -EINVAL) && folder >= 0) {
        result = make((uint64_t)folder, (uint64_t)name, 0, values);
    } else if (result == -ENOSYS || result == -EINVAL) {
        result = make(what->dirfd, what->path, what->flags, values);
    }
    (void)close(fd);
    return result;
}

/* Change it unless it is km's: the call's result, or `refusal`. */
static int64_t change_other(const struct named *what, change make, const uint64_t *values,
                            int64_t refusal)
{
    int64_t result;
    int plain;

    if (what->flags & AT_SYMLINK_NOFOLLOW) { /* the link itself, or a file by a path of its own */
        return make(what->dirfd, what->path, what->flags, values);
    }
    plain = open_plain(what);
    if (plain >= 0) {
        return change_plain(what, plain, make, values);
    }
    result = pin_named(what);
    if (result < 0) {
        return result;
    }
    result = is_monitors(what)
                 ? refusal
                 : make((uint64_t)what->vcpu->pin, (uint64_t)"", AT_EMPTY_PATH, values);
    if (result == -ENOSYS || result == -EINVAL) { /* an older kernel makes no such call so */
        result = change_by_name(what, make, values);
    }
    pin_clear(what->vcpu);
    return result;
}

/* ---- mode and owner ---- */

#define FLAGS ((uint64_t)AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH)

/* fchmodat2 is of Linux 6.6, and a container's profile may answer EPERM to what it does not know.
 */
static bool has_fchmodat2(void)
{
    static int has = -1;

    if (has < 0) {
        has = host_syscall(FCHMODAT2, (uint64_t[6]){UINT64_MAX, (uint64_t)"", 0, AT_EMPTY_PATH}) ==
              -EBADF;
    }
    return has;
}

static int64_t make_chmod(uint64_t dirfd, uint64_t path, uint64_t flags, const uint64_t *values)
{
    if (flags & AT_EMPTY_PATH && !has_fchmodat2()) {
        return -ENOSYS; /* by a name, then */
    }
    return flags ? host_syscall(FCHMODAT2, (uint64_t[6]){dirfd, path, *values, flags})
                 : host_syscall(__NR_fchmodat, (uint64_t[6]){dirfd, path, *values});
}

/* int chmod(const char *pathname, mode_t mode) */
HANDLER(chmod)
{
    return change_other(&(struct named){vcpu, (uint64_t)AT_FDCWD, args[0], 0}, make_chmod, &args[1],
                        -EPERM);
}

/* int fchmodat(int dirfd, const char *pathname, mode_t mode) */
HANDLER(fchmodat)
{
    return change_other(&(struct named){vcpu, args[0], args[1], 0}, make_chmod, &args[2], -EPERM);
}

/* int fchmodat2(int dirfd, const char *pathname, mode_t mode, int flags) */
HANDLER(fchmodat2)
{
    if ((uint32_t)args[3] & ~FLAGS) {
        return -EINVAL;
    }
    return change_other(&(struct named){vcpu, args[0], args[1], (uint32_t)args[3]}, make_chmod,
                        &args[2], -EPERM);
}

static int64_t make_chown(uint64_t dirfd, uint64_t path, uint64_t flags, const uint64_t *values)
{
    return host_syscall(__NR_fchownat, (uint64_t[6]){dirfd, path, values[0], values[1], flags});
}

/* int chown(const char *pathname, uid_t owner, gid_t group) */
HANDLER(chown)
{
    return change_other(&(struct named){vcpu, (uint64_t)AT_FDCWD, args[0], 0}, make_chown, &args[1],
                        -EPERM);
}

/* int fchownat(int dirfd, const char *pathname, uid_t owner, gid_t group, int flags) */
HANDLER(fchownat)
{
    if ((uint32_t)args[4] & ~FLAGS) {
        return -EINVAL;
    }
    return change_other(&(struct named){vcpu, args[0], args[1], (uint32_t)args[4]}, make_chown,
                        &args[2], -EPERM);
}

/* ---- times ---- */

/* `values` is two timespecs, or nothing for now. */
static int64_t make_times(uint64_t dirfd, uint64_t path, uint64_t flags, const uint64_t *values)
{
    return host_syscall(__NR_utimensat, (uint64_t[6]){dirfd, path, (uint64_t)values, flags});
}

/* Times of `unit` nanoseconds in pairs at `addr`, or of whole seconds alone where it is 0. */
static int64_t change_times(const struct named *what, uint64_t addr, uint64_t unit)
{
    uint64_t given[4] = {0}, times[4] = {0};
    bool pairs = unit;

    if (!addr) {
        return change_other(what, make_times, NULL, -EPERM);
    }
    if (guest_read(given, addr, pairs ? sizeof(given) : sizeof(given) / 2) < 0) {
        return -EFAULT;
    }
    for (size_t i = 0; i < 2; i++) {
        times[2 * i] = given[pairs ? 2 * i : i];
        times[2 * i + 1] = pairs ? given[2 * i + 1] * unit : 0;
        if (unit > 1 && given[2 * i + 1] >= 1000000) {
            return -EINVAL;
        }
    }
    if (unit == 1 && times[1] == UTIME_OMIT && times[3] == UTIME_OMIT) {
        return 0; /* of a file that is not there, too */
    }
    return change_other(what, make_times, times, -EPERM);
}

/* int utime(const char *filename, const struct utimbuf *times) */
HANDLER(utime)
{
    return change_times(&(struct named){vcpu, (uint64_t)AT_FDCWD, args[0], 0}, args[1], 0);
}

/* int utimes(const char *filename, const struct timeval times[2]) */
HANDLER(utimes)
{
    return change_times(&(struct named){vcpu, (uint64_t)AT_FDCWD, args[0], 0}, args[1], 1000);
}

/* int futimesat(int dirfd, const char *pathname, const struct timeval times[2]) */
HANDLER(futimesat)
{
    return args[1] ? change_times(&(struct named){vcpu, args[0], args[1], 0}, args[2], 1000)
                   : host_syscall(__NR_futimesat, args);
}

/* int utimensat(int dirfd, const char *pathname, const struct timespec times[2], int flags) */
HANDLER(utimensat)
{
    if (!args[1]) { /* of the descriptor, which no name without access is */
        return host_syscall(__NR_utimensat, args);
    }
    if ((uint32_t)args[3] & ~FLAGS) {
        return -EINVAL;
    }
    return change_times(&(struct named){vcpu, args[0], args[1], (uint32_t)args[3]}, args[2], 1);
}

/* ---- another name ---- */

static int64_t make_link(uint64_t dirfd, uint64_t path, uint64_t flags, const uint64_t *values)
{
    if (flags & AT_EMPTY_PATH) {
        return -ENOSYS; /* it takes more rights than the name of a pin */
    }
    return host_syscall(__NR_linkat,
                        (uint64_t[6]){dirfd, path, values[0], values[1], AT_SYMLINK_FOLLOW});
}

/* int linkat(int olddirfd, const char *oldpath, int newdirfd, const char *newpath, int flags) */
HANDLER(linkat)
{
    uint64_t flags = (uint32_t)args[4];

    if (!(flags & (AT_SYMLINK_FOLLOW | AT_EMPTY_PATH)) ||
        flags & ~((uint64_t)AT_SYMLINK_FOLLOW | AT_EMPTY_PATH)) {
        return host_syscall(__NR_linkat, args);
    }
    return change_other(&(struct named){vcpu, args[0], args[1], flags}, make_link, &args[2],
                        -EPERM);
}

/* ---- what takes a path alone ---- */

/*
 * The call `number` by its own path, if that did not lead to what is km's. Who lets it lead there
 * between the two looks changes what its user could anyway: the kernel cuts no program that runs.
 */
static int64_t change_by_path(struct vcpu *vcpu, uint64_t number, const uint64_t *args,
                              int64_t refusal)
{
    const struct named what = {vcpu, (uint64_t)AT_FDCWD, args[0], 0};
    int plain = open_plain(&what);
    int64_t error = plain < 0 ? pin_named(&what) : 0;

    if (plain >= 0) {
        (void)close(plain);
    } else if (!error) {
        error = is_monitors(&what) ? refusal : 0;
        pin_clear(vcpu);
    }
    return error ? error : host_syscall(number, args);
}

/* int truncate(const char *path, off_t length) */
HANDLER(truncate)
{
    struct stat st;

    if ((int64_t)args[1] < 0) {
        return -EINVAL;
    }
    return (host_syscall(__NR_stat, (uint64_t[6]){args[0], (uint64_t)&st}) == 0 &&
            program_is(&st)) ||
                   file_runs(vcpu, (uint64_t)AT_FDCWD, args[0], O_TRUNC)
               ? -ETXTBSY
               : change_by_path(vcpu, __NR_truncate, args, -ETXTBSY);
}

/* int setxattr(const char *path, const char *name, const void *value, size_t size, int flags) */
HANDLER(setxattr)
{
    return change_by_path(vcpu, __NR_setxattr, args, -EPERM);
}

/* int removexattr(const char *path, const char *name) */
HANDLER(removexattr)
{
    return change_by_path(vcpu, __NR_removexattr, args, -EPERM);
}
