// SPDX-License-Identifier: Apache-2.0
/*
 * fd_kind.c: the kind of file at a descriptor of the payload's, so far as it says whether a call
 * may wait.
 *
 * To ask the host costs as much as the call itself. The file at a number changes only by a call
 * that closes it or puts another there, and a process with one thread makes none while the monitor
 * looks at it: of such a process the kind is remembered. The child of a vfork has numbers of its
 * own, in its parent's memory.
 */
#include "calls/fd_kind.h"
#include "base/base.h"
#include "calls/calls.h"
#include "calls/mounts.h"
#include "calls/opening.h"
#include "calls/proc.h"
#include "machine/machine.h"
#include "task/task.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>

#define REMEMBERED 1024U

static uint8_t kinds[REMEMBERED]; /* enum fd_kind */

static bool is_remembered(const struct vcpu *vcpu, uint64_t fd)
{
    return (uint32_t)fd < REMEMBERED && !vcpu->vforked && !thread_several();
}

enum fd_kind fd_kind(const struct vcpu *vcpu, uint64_t fd)
{
    return is_remembered(vcpu, fd) ? __atomic_load_n(&kinds[(uint32_t)fd], __ATOMIC_RELAXED)
                                   : IS_UNKNOWN;
}

static void remember(const struct vcpu *vcpu, uint64_t fd, enum fd_kind kind)
{
    if (is_remembered(vcpu, fd)) {
        __atomic_store_n(&kinds[(uint32_t)fd], (uint8_t)kind, __ATOMIC_RELAXED);
    }
}

void fd_kind_copy(const struct vcpu *vcpu, uint64_t from, int64_t to)
{
    if (to >= 0) {
        remember(vcpu, (uint64_t)to, fd_kind(vcpu, from));
    }
}

void fd_kind_forget(uint32_t first, uint32_t last)
{
    for (uint32_t fd = first; fd <= last && fd < REMEMBERED; fd++) {
        __atomic_store_n(&kinds[fd], IS_UNKNOWN, __ATOMIC_RELAXED);
    }
}

/* ---- of a file ---- */

/* A disk's or memory's: other filesystems have files at which readers wait. */
static bool is_at_once(uint64_t type)
{
    return type == TMPFS_MAGIC || type == OVERLAYFS_SUPER_MAGIC || type == BTRFS_SUPER_MAGIC;
}

/*
 * The mount of the root that the payload has at its start, by its number, where its files are such:
 * the monitor's descriptor keeps it from becoming another's. 0: it is none, or not known.
 */
static uint64_t root_mount(void)
{
    static uint64_t known = UINT64_MAX; /* not asked for yet; asked for by the helper alone */
    struct file_facts facts = {0};
    int root = opening_root();
    struct statfs fs;

    if (known == UINT64_MAX) {
        known = root >= 0 && fstatfs(root, &fs) == 0 &&
                        (is_at_once((uint64_t)fs.f_type) || fs.f_type == EXT4_SUPER_MAGIC ||
                         fs.f_type == XFS_SUPER_MAGIC) &&
                        file_look((uint64_t)root, (uint64_t)"", AT_EMPTY_PATH, &facts) == 0
                    ? facts.mount
                    : 0;
    }
    return known;
}

bool fd_is_file(int fd, const struct stat *st)
{
    struct statfs fs;

    return (S_ISREG(st->st_mode) || S_ISDIR(st->st_mode)) &&
           (major(st->st_dev) || (fstatfs(fd, &fs) == 0 && is_at_once((uint64_t)fs.f_type)));
}

bool file_is_at_once(const struct file_facts *facts)
{
    return (S_ISREG(facts->mode) || S_ISDIR(facts->mode)) &&
           (facts->disk || (facts->mount && facts->mount == root_mount()));
}

/* /dev/null, zero, full, urandom: Documentation/admin-guide/devices.txt of the kernel. */
static bool is_endless(const struct stat *st)
{
    unsigned number = minor(st->st_rdev);

    return S_ISCHR(st->st_mode) && major(st->st_rdev) == 1 &&
           (number == 3 || number == 5 || number == 7 || number == 9);
}

enum fd_kind fd_kind_look(const struct vcpu *vcpu, uint64_t fd, const struct stat *st)
{
    enum fd_kind kind = IS_OTHER;

    if (fd_is_file((int)fd, st)) {
        kind = IS_AT_ONCE;
    } else if (is_endless(st)) {
        kind = IS_ENDLESS;
    } else if (S_ISFIFO(st->st_mode)) {
        kind = IS_PIPE;
    }
    if (kind != IS_OTHER && !proc_copy_may_be(st)) {
        remember(vcpu, fd, kind);
    }
    return kind;
}
