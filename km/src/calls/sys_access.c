// SPDX-License-Identifier: Apache-2.0
/*
 * sys_access.c: the system calls that tell whether a mount is noexec: they hide it for mounts that
 * are so only to keep an image's programs from running outside a VM, see mounts.c.
 *
 * The host is always asked first, and without such mounts its answer stands.
 */
#include "base/base.h"
#include "calls/calls.h"
#include "calls/handlers.h"
#include "calls/mounts.h"
#include "calls/proc.h"
#include "machine/machine.h"
#include "memory/memory.h"
#include "program/program.h"

#include <asm/unistd.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/statvfs.h>
#include <sys/vfs.h>
#include <unistd.h>

/* ---- access ---- */

/* Make the call, whose path is argument `i`; it means the same as faccessat2() with the `flags`. */
static int64_t access_at(struct vcpu *vcpu, uint64_t number, const uint64_t *args, unsigned i,
                         uint64_t flags)
{
    uint64_t with_path[6], dirfd = i ? args[0] : (uint64_t)AT_FDCWD, mode = args[i + 1];
    int64_t answer;

    memcpy(with_path, args, sizeof(with_path));
    if (!(flags & AT_SYMLINK_NOFOLLOW) && proc_is_own_exe(args[i])) {
        with_path[i] = (uint64_t)image.path;
    }
    answer = host_syscall(number, with_path);
    if (answer != -ENOENT && proc_path_is_hidden(vcpu, dirfd, args[i])) {
        return -ENOENT;
    }
    return answer == -EACCES && mode & X_OK && mounts_any()
               ? access_without_noexec(dirfd, with_path[i], mode, flags)
               : answer;
}

/* int access(const char *pathname, int mode) */
HANDLER(access)
{
    return access_at(vcpu, __NR_access, args, 0, 0);
}

/* int faccessat(int dirfd, const char *pathname, int mode) */
HANDLER(faccessat)
{
    return access_at(vcpu, __NR_faccessat, args, 1, 0);
}

/* int faccessat2(int dirfd, const char *pathname, int mode, int flags) */
HANDLER(faccessat2)
{
    return access_at(vcpu, __NR_faccessat2, args, 1, args[3]);
}

/* ---- statfs ---- */

/* Whether it is a copy of a file of /proc, by its descriptor or by its path. */
static bool is_copy(uint64_t number, uint64_t of)
{
    uint64_t by_path[6] = {(uint64_t)AT_FDCWD, of, O_PATH | O_CLOEXEC};
    int fd = number == __NR_fstatfs ? (int)of : (int)host_syscall(__NR_openat, by_path);
    struct proc_file file;
    bool result = fd >= 0 && proc_copy_at(fd, &file);

    if (fd >= 0 && number != __NR_fstatfs) {
        (void)close(fd);
    }
    return result;
}

/* What the host's call says of the file at `path` or, where that is empty, of descriptor `dirfd`.
 */
static int64_t statfs_of(uint64_t number, const uint64_t *args, uint64_t dirfd, uint64_t path)
{
    struct statfs fs;
    struct file_facts facts;
    uint64_t with_copy[6] = {args[0], (uint64_t)&fs};
    int64_t error = host_syscall(number, with_copy);

    if (!error && fs.f_type == TMPFS_MAGIC && is_copy(number, args[0])) {
        error = host_syscall(__NR_fstatfs, (uint64_t[6]){(uint64_t)pin_proc(), (uint64_t)&fs});
    }
    if (error < 0) {
        return error;
    }
    if (mounts_any() && fs.f_flags & ST_NOEXEC &&
        file_look(dirfd, path, AT_EMPTY_PATH, &facts) == 0 && mounts_hides(facts.mount)) {
        fs.f_flags &= ~(unsigned long)ST_NOEXEC;
    }
    return guest_write(args[1], &fs, sizeof(fs));
}

/* int statfs(const char *path, struct statfs *buf) */
HANDLER(statfs)
{
    uint64_t own[6] = {(uint64_t)image.path, args[1]};

    (void)vcpu;
    if (proc_is_own_exe(args[0])) {
        args = own;
    }
    return statfs_of(__NR_statfs, args, (uint64_t)AT_FDCWD, args[0]);
}

/* int fstatfs(int fd, struct statfs *buf) */
HANDLER(fstatfs)
{
    (void)vcpu;
    return statfs_of(__NR_fstatfs, args, args[0], (uint64_t)"");
}

/* ---- statmount ---- */

/* The beginning of struct statmount, up to what tells of noexec; linux/mount.h, since Linux 6.8. */
struct mount_facts {
    uint32_t size, options;
    uint64_t mask;
    uint32_t sb_major, sb_minor;
    uint64_t sb_magic;
    uint32_t sb_flags, fs_type;
    uint64_t id, parent;
    uint32_t old_id, old_parent;
    uint64_t attributes;
};

#define STATMOUNT 457 /* its number, which older headers do not have */
#define HAS_MOUNT 2   /* STATMOUNT_MNT_BASIC: from `id` on */
#define NOEXEC 8      /* MOUNT_ATTR_NOEXEC */

/*
 * int statmount(struct mnt_id_req *req, struct statmount *buf, size_t size, unsigned flags)
 *
 * No answer is longer than the room for it here: a path or two, and the options of a file system.
 */
HANDLER(statmount)
{
    struct mount_facts *facts = (struct mount_facts *)vcpu->scratch;
    uint64_t room = args[2] < SCRATCH_SIZE ? args[2] : SCRATCH_SIZE;
    uint64_t with_copy[6] = {args[0], (uint64_t)vcpu->scratch, room, args[3]};
    int64_t error;

    if (!mounts_any() || room < sizeof(*facts)) {
        return host_syscall(STATMOUNT, args);
    }
    error = host_syscall(STATMOUNT, with_copy);
    if (error < 0) {
        return error;
    }
    if (facts->mask & HAS_MOUNT && mounts_hides(facts->old_id)) {
        facts->attributes &= ~(uint64_t)NOEXEC;
    }
    return guest_write(args[1], vcpu->scratch, facts->size < room ? facts->size : room);
}
