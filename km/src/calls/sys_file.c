// SPDX-License-Identifier: Apache-2.0
/*
 * sys_file.c: the system calls that open files, and those that name descriptors in ways of their
 * own.
 */
#include "base/base.h"
#include "calls/calls.h"
#include "calls/handlers.h"
#include "calls/opening.h"
#include "calls/proc.h"
#include "machine/machine.h"
#include "memory/memory.h"
#include "program/program.h"
#include "task/task.h"

#include <asm/unistd.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/close_range.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- open ---- */

/* Whether a file that is opened like this may be a program that runs: who asks opens it. Its stat
 * is left in *st. */
static bool may_run(uint64_t dirfd, uint64_t path, uint64_t flags, struct stat *st)
{
    return flags & (OPEN_ACCESS | O_TRUNC) && !(flags & (O_EXCL | O_PATH)) &&
           !options.carried[CARRIED_LOCKS] &&
           host_syscall(__NR_newfstatat, (uint64_t[6]){dirfd, path, (uint64_t)st}) == 0 &&
           S_ISREG(st->st_mode) && st->st_mode & 0111;
}

bool file_runs(struct vcpu *vcpu, uint64_t dirfd, uint64_t path, uint64_t flags)
{
    struct stat st;
    int64_t fd;
    bool found;

    if (!may_run(dirfd, path, flags, &st)) {
        return false;
    }
    fd = open_at(vcpu, dirfd, path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC, 0);
    if (fd < 0) {
        return false;
    }
    found = program_runs((int)fd);
    (void)close((int)fd);
    return found;
}

#define IS_ANOTHER 1 /* no error */

/*
 * The pin is a file that was opened to write, without O_TRUNC: 0; or an error, where it runs or
 * cannot be made empty; or IS_ANOTHER than the one that was looked at, `judged`.
 */
static int64_t judge_idle(const struct vcpu *vcpu, uint64_t flags, const struct stat *judged)
{
    struct stat st;

    if (fstat(vcpu->pin, &st) < 0 || st.st_dev != judged->st_dev || st.st_ino != judged->st_ino) {
        return IS_ANOTHER;
    }
    if (program_runs(vcpu->pin)) {
        return -ETXTBSY;
    }
    return flags & O_TRUNC && ftruncate(vcpu->pin, 0) < 0 ? -errno : 0;
}

static int64_t open_as(struct vcpu *vcpu, uint64_t dirfd, uint64_t path, const uint64_t how[3],
                       bool older)
{
    return older ? open_at(vcpu, dirfd, path, how[0], how[1]) : open_at2(vcpu, dirfd, path, how);
}

static void close_opened(const struct vcpu *vcpu, int64_t fd)
{
    (void)change_descriptor(vcpu, __NR_close, (uint64_t[6]){(uint64_t)fd}, 0);
}

/* Let the kernel make empty what is at the path now. */
static int64_t make_empty(struct vcpu *vcpu, uint64_t dirfd, uint64_t path, const uint64_t how[3],
                          bool older)
{
    int64_t fd =
        file_runs(vcpu, dirfd, path, how[0]) ? -ETXTBSY : open_as(vcpu, dirfd, path, how, older);

    if (fd < 0) {
        return fd;
    }
    close_opened(vcpu, fd);
    return 0;
}

/*
 * As open_at() or open_at2(), but for a program that runs. One opening is made, as the kernel would
 * make it, for those who watch the file: the descriptor that the payload gets tells whether it
 * runs.
 */
static int64_t open_idle(struct vcpu *vcpu, uint64_t dirfd, uint64_t path, uint64_t how[3],
                         bool older)
{
    uint64_t flags = how[0], access = flags & OPEN_ACCESS;
    bool tells = access == O_WRONLY || access == O_RDWR;
    struct stat judged;
    int64_t fd, error;

    if (!tells && file_runs(vcpu, dirfd, path, flags)) {
        return -ETXTBSY;
    }
    tells = tells && may_run(dirfd, path, flags, &judged);
    how[0] &= tells ? ~(uint64_t)O_TRUNC : ~0UL;
    fd = open_as(vcpu, dirfd, path, how, older);
    if (!tells || fd < 0) {
        return fd;
    }
    error = pin_set(vcpu, (int)fd); /* at its number another thread may put a file of its own */
    if (!error) {
        error = judge_idle(vcpu, flags, &judged);
        pin_clear(vcpu);
    }
    how[0] = flags;
    if (error == IS_ANOTHER) {
        error = flags & O_TRUNC ? make_empty(vcpu, dirfd, path, how, older) : 0;
    }
    if (error < 0) {
        close_opened(vcpu, fd);
    }
    return error < 0 ? error : fd;
}

static int64_t open_any(struct vcpu *vcpu, uint64_t dirfd, uint64_t path, uint64_t flags,
                        uint64_t mode)
{
    if (hooks.is_snapshot_path(path)) {
        return hooks.snapshot(vcpu, path, flags);
    }
    if (proc_is_own_exe(path) && !(flags & O_NOFOLLOW)) {
        if (!(flags & O_PATH) && flags & (OPEN_ACCESS | O_TRUNC)) {
            return -ETXTBSY; /* it runs */
        }
        path = (uint64_t)image.path;
    }
    return open_idle(vcpu, dirfd, path, (uint64_t[3]){flags, mode}, true);
}

/* int open(const char *pathname, int flags, mode_t mode) */
HANDLER(open)
{
    return open_any(vcpu, (uint64_t)AT_FDCWD, args[0], args[1], args[2]);
}

/* int openat(int dirfd, const char *pathname, int flags, mode_t mode) */
HANDLER(openat)
{
    return open_any(vcpu, args[0], args[1], args[2], args[3]);
}

/* int creat(const char *pathname, mode_t mode) */
HANDLER(creat)
{
    return open_any(vcpu, (uint64_t)AT_FDCWD, args[0], O_CREAT | O_WRONLY | O_TRUNC, args[1]);
}

/* int openat2(int dirfd, const char *pathname, struct open_how *how, size_t size) */
HANDLER(openat2)
{
    uint64_t how[3]; /* flags, mode, resolve: what is behind it must be zero */
    uint8_t more;

    if (args[3] < sizeof(how) || args[3] > PAGE_SIZE) {
        return args[3] < sizeof(how) ? -EINVAL : -E2BIG;
    }
    if (guest_read(how, args[2], sizeof(how)) < 0) {
        return -EFAULT;
    }
    for (uint64_t i = sizeof(how); i < args[3]; i++) {
        if (guest_read(&more, args[2] + i, 1) < 0) {
            return -EFAULT;
        }
        if (more) {
            return -E2BIG;
        }
    }
    if (how[0] & ~OPEN_FLAGS ||
        (how[1] && !(how[0] & (O_CREAT | (O_TMPFILE & ~(uint64_t)O_DIRECTORY))))) {
        return -EINVAL;
    }
    return open_idle(vcpu, args[0], args[1], how, false);
}

/* ---- descriptors ---- */

/*
 * The descriptor may have become the monitor's since it was checked. The child of a vfork has
 * descriptors of its own, and its parent's vCPU.
 */
int64_t change_descriptor(const struct vcpu *vcpu, uint64_t number, const uint64_t *args,
                          unsigned i)
{
    uint32_t fd = (uint32_t)args[i];
    int64_t result;

    if (vcpu->vforked) {
        return host_syscall(number, args);
    }
    fd_change_begins(vcpu->id, fd, fd);
    if (number != __NR_fcntl) { /* which only says whether execve closes it */
        fd_kind_forget(fd, fd);
    }
    result = fd_is_hidden(fd) ? -EBADF : host_syscall(number, args);
    fd_change_ends(vcpu->id);
    return result;
}

/* int close(int fd) */
HANDLER(close)
{
    return change_descriptor(vcpu, __NR_close, args, 0);
}

/* int dup2(int oldfd, int newfd) */
HANDLER(dup2)
{
    return change_descriptor(vcpu, __NR_dup2, args, 1);
}

/* int dup3(int oldfd, int newfd, int flags) */
HANDLER(dup3)
{
    return change_descriptor(vcpu, __NR_dup3, args, 1);
}

static int64_t close_around(const uint64_t *args)
{
    uint64_t last = (uint32_t)args[1], part[6] = {(uint32_t)args[0], 0, args[2]};
    int64_t result = part[0] > last ? -EINVAL : 0;

    part[2] &= ~(uint64_t)CLOSE_RANGE_UNSHARE;
    while (!result && part[0] <= last && part[0] <= INT_MAX) {
        part[1] = fd_next_hidden(part[0]);
        if (part[1] > last) {
            part[1] = last;
            return host_syscall(__NR_close_range, part);
        }
        if (part[1] > part[0]) {
            part[1]--;
            result = host_syscall(__NR_close_range, part);
            part[1]++;
        }
        part[0] = part[1] + 1;
    }
    return result;
}

/* int close_range(unsigned first, unsigned last, int flags): around the monitor's own */
HANDLER(close_range)
{
    int64_t result;

    if (vcpu->vforked) {
        return close_around(args);
    }
    if (args[2] & CLOSE_RANGE_UNSHARE && thread_several()) { /* see unshare in sys_clone.c */
        return -EINVAL;
    }
    fd_change_begins(vcpu->id, (uint32_t)args[0], (uint32_t)args[1]);
    fd_kind_forget((uint32_t)args[0], (uint32_t)args[1]);
    result = close_around(args);
    fd_change_ends(vcpu->id);
    return result;
}

#ifndef F_DUPFD_QUERY
#define F_DUPFD_QUERY 1027
#define F_CREATED_QUERY 1028
#endif

/* What the argument of a command of fcntl is. */
enum fcntl_arg { FCNTL_UNKNOWN, FCNTL_NUMBER, FCNTL_FD, FCNTL_LOCK, FCNTL_PAIR };

static enum fcntl_arg fcntl_argument(uint32_t command)
{
    switch (command) {
    case F_DUPFD:
    case F_DUPFD_CLOEXEC:
    case F_GETFD:
    case F_SETFD:
    case F_GETFL:
    case F_SETFL:
    case F_SETOWN:
    case F_GETOWN:
    case F_SETSIG:
    case F_GETSIG:
    case F_SETLEASE:
    case F_GETLEASE:
    case F_NOTIFY:
    case F_CANCELLK:
    case F_CREATED_QUERY:
    case F_SETPIPE_SZ:
    case F_GETPIPE_SZ:
    case F_ADD_SEALS:
    case F_GET_SEALS:
        return FCNTL_NUMBER;
    case F_DUPFD_QUERY:
        return FCNTL_FD;
    case F_GETLK:
    case F_SETLK:
    case F_SETLKW:
    case F_OFD_GETLK:
    case F_OFD_SETLK:
    case F_OFD_SETLKW:
        return FCNTL_LOCK;
    case F_SETOWN_EX:
    case F_GETOWN_EX:
    case F_GETOWNER_UIDS:
    case F_GET_RW_HINT:
    case F_SET_RW_HINT:
    case F_GET_FILE_RW_HINT:
    case F_SET_FILE_RW_HINT:
        return FCNTL_PAIR;
    default:
        return FCNTL_UNKNOWN;
    }
}

/* Whether files in memory know what those of /proc do not. */
static bool is_of_memory(uint32_t command, uint64_t argument)
{
    return command == F_GET_SEALS || command == F_ADD_SEALS ||
           (command == F_SETFL && argument & O_DIRECT);
}

/* int fcntl(int fd, int cmd, ... arg): a command that is not known may take a pointer */
HANDLER(fcntl)
{
    struct proc_file file;

    if ((uint32_t)args[1] == F_SETFD) {
        return change_descriptor(vcpu, __NR_fcntl, args, 0);
    }
    if (is_of_memory((uint32_t)args[1], args[2]) && proc_copy_at((int)args[0], &file)) {
        /* as the file that it is in the place of */
        return (uint32_t)args[1] == F_ADD_SEALS && copy_access((int)args[0]) == O_RDONLY ? -EPERM
                                                                                         : -EINVAL;
    }
    switch (fcntl_argument((uint32_t)args[1])) { /* as the kernel takes it */
    case FCNTL_UNKNOWN: /* nor does a closed one, or a name of a file, know whose signals are */
        return fcntl((int)args[0], F_GETOWN) < 0 && errno == EBADF ? -EBADF : -EINVAL;
    case FCNTL_FD:
        return fd_is_hidden(args[2]) ? -EBADF : host_syscall(__NR_fcntl, args);
    case FCNTL_LOCK:
        options.carried[CARRIED_LOCKS] = LOCKS_WORD; /* see pin_map() */
        return guest_ok(args[2], sizeof(struct flock)) ? host_syscall(__NR_fcntl, args) : -EFAULT;
    case FCNTL_PAIR:
        return guest_ok(args[2], 8) ? host_syscall(__NR_fcntl, args) : -EFAULT;
    default:
        return host_syscall(__NR_fcntl, args);
    }
}

#define MEMFD_EXEC 0x10 /* MFD_EXEC, Linux 6.3 */

/*
 * int memfd_create(const char *name, unsigned int flags): where vm.memfd_noexec lets nothing be
 * executable, as krun has it in containers, the payload's need not be: km executes it in the VM.
 */
HANDLER(memfd_create)
{
    uint64_t sealed[6] = {args[0], args[1] & ~(uint64_t)MEMFD_EXEC};
    int64_t fd = host_syscall(__NR_memfd_create, args);

    (void)vcpu;
    return fd == -EACCES && args[1] & MEMFD_EXEC ? host_syscall(__NR_memfd_create, sealed) : fd;
}
