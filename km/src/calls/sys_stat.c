// SPDX-License-Identifier: Apache-2.0
/*
 * sys_stat.c: the system calls that tell of a file in numbers. For a proc(5) they answer for the
 * payload: of its program, of the host's file where it has a copy of it, and without the monitor's
 * threads and descriptors.
 */
#include "base/base.h"
#include "calls/calls.h"
#include "calls/handlers.h"
#include "calls/mounts.h"
#include "calls/pin.h"
#include "calls/proc.h"
#include "machine/machine.h"
#include "memory/memory.h"
#include "program/program.h"

#include <asm/unistd.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

/* What a call asks for: a path, or the descriptor where the path is 0, or empty by AT_EMPTY_PATH.
 */
struct asked {
    struct vcpu *vcpu;
    uint64_t dirfd, path, flags;
};

/* What becomes of the host's answer. */
struct answer {
    enum { AS_IT_IS, OF_OTHER_FILE, OTHER_NUMBERS } kind;
    int dirfd; /* the other file's */
    char path[PATH_MAX];
    uint64_t links, size; /* the other numbers */
};

static bool is_descriptor(const struct asked *asked)
{
    char first = 0;

    return !asked->path ||
           (asked->flags & AT_EMPTY_PATH && !guest_read(&first, asked->path, 1) && !first);
}

static bool is_hidden(const struct asked *asked)
{
    return !is_descriptor(asked) && proc_path_is_hidden(asked->vcpu, asked->dirfd, asked->path);
}

/* What is asked for, without access; -1 where it is not there any more. */
static int open_asked(const struct asked *asked)
{
    uint64_t flags = O_PATH | O_CLOEXEC | (asked->flags & AT_SYMLINK_NOFOLLOW ? O_NOFOLLOW : 0);

    return (int)host_syscall(__NR_openat, (uint64_t[6]){asked->dirfd, asked->path, flags});
}

/* ---- what it is ---- */

/* The path leads to km's own file: by a link of /proc that is the program. */
static void look_for_program(const struct asked *asked, struct answer *answer)
{
    struct open_how how = {.flags = O_PATH | O_CLOEXEC, .resolve = RESOLVE_NO_MAGICLINKS};
    struct proc_file file = {0};
    int64_t fd;

    answer->dirfd = AT_FDCWD;
    if (proc_look_at_link(asked->vcpu, asked->dirfd, asked->path, &file)) {
        answer->kind = !strcmp(file.last, "exe") && proc_program(&file, answer->path)
                           ? OF_OTHER_FILE
                           : AS_IT_IS;
        return;
    }
    fd = host_syscall(__NR_openat2,
                      (uint64_t[6]){asked->dirfd, asked->path, (uint64_t)&how, sizeof(how)});
    if (fd >= 0) {
        (void)close((int)fd); /* by a path of its own */
    } else if (snprintf(answer->path, PATH_MAX, "%s", image.path) > 0) {
        answer->kind = OF_OTHER_FILE; /* by a link to such a link */
    }
}

static void look_at_copy(int fd, const struct stat *st, struct answer *answer)
{
    struct proc_file file;
    struct stat of;

    if (!proc_copy_of(fd, st, &file)) {
        return;
    }
    answer->dirfd = pin_proc();
    (void)snprintf(answer->path, PATH_MAX, "%s/%s", file.folder, file.last);
    answer->kind = fstatat(pin_proc(), answer->path, &of, 0) == 0 ? OF_OTHER_FILE : OTHER_NUMBERS;
    answer->links = 1; /* its process has ended */
}

/* Linux counts a process's threads in the links of one folder, its descriptors in the size of
 * another. */
static void look_at_folder(int fd, const struct stat *st, struct answer *answer)
{
    struct proc_file file;

    proc_look(fd, st, &file);
    if (*file.entry || !proc_lists_monitors(&file)) {
        return;
    }
    answer->kind = OTHER_NUMBERS;
    answer->links = st->st_nlink;
    answer->size = (uint64_t)st->st_size;
    if (!strcmp(file.last, "task")) {
        answer->links -= proc_count_monitors(&file);
    } else if (!strcmp(file.last, "fd") && answer->size) {
        answer->size -= proc_count_monitors(&file);
    } else {
        answer->kind = AS_IT_IS;
    }
}

/* Look at what the host has said this of. */
static void look(const struct asked *asked, const struct stat *st, struct answer *answer)
{
    bool is_folder =
        S_ISDIR(st->st_mode) && pin_is_on_proc(st) && (st->st_nlink > 2 || st->st_size);
    bool follows = !is_descriptor(asked) && !(asked->flags & AT_SYMLINK_NOFOLLOW);
    int fd;

    answer->kind = AS_IT_IS;
    if (self_is_file(st) && follows) {
        look_for_program(asked, answer);
    }
    if (!is_folder && !proc_copy_may_be(st)) {
        return;
    }
    fd = is_descriptor(asked) ? (int)asked->dirfd : open_asked(asked);
    if (fd >= 0 && is_folder) {
        look_at_folder(fd, st, answer);
    } else if (fd >= 0) {
        look_at_copy(fd, st, answer);
    }
    if (fd >= 0 && !is_descriptor(asked)) {
        (void)close(fd);
    }
}

/* ---- stat ---- */

/* The call, whose structure is argument `to`. */
static int64_t stat_of(const struct asked *asked, uint64_t number, const uint64_t *args,
                       unsigned to)
{
    struct stat st; /* as the kernel has it */
    uint64_t with_copy[6];
    struct answer answer;
    int64_t error;

    memcpy(with_copy, args, sizeof(with_copy));
    with_copy[to] = (uint64_t)&st;
    error = host_syscall(number, with_copy);
    if (!error && is_hidden(asked)) {
        error = -ENOENT;
    }
    if (error < 0) {
        return error;
    }
    look(asked, &st, &answer);
    if (answer.kind == OF_OTHER_FILE) {
        error = host_syscall(__NR_newfstatat, (uint64_t[6]){(uint64_t)answer.dirfd,
                                                            (uint64_t)answer.path, (uint64_t)&st});
    } else if (answer.kind == OTHER_NUMBERS) {
        st.st_nlink = answer.links;
        st.st_size = (off_t)answer.size;
    }
    return error < 0 ? error : guest_write(args[to], &st, sizeof(st));
}

/* int stat(const char *pathname, struct stat *statbuf) */
HANDLER(stat)
{
    return stat_of(&(struct asked){vcpu, (uint64_t)AT_FDCWD, args[0], 0}, __NR_stat, args, 1);
}

/* int lstat(const char *pathname, struct stat *statbuf) */
HANDLER(lstat)
{
    return stat_of(&(struct asked){vcpu, (uint64_t)AT_FDCWD, args[0], AT_SYMLINK_NOFOLLOW},
                   __NR_lstat, args, 1);
}

/* int fstat(int fd, struct stat *statbuf) */
HANDLER(fstat)
{
    return stat_of(&(struct asked){vcpu, args[0], 0, 0}, __NR_fstat, args, 1);
}

/* int newfstatat(int dirfd, const char *pathname, struct stat *statbuf, int flags) */
HANDLER(newfstatat)
{
    return stat_of(&(struct asked){vcpu, args[0], args[1], args[3]}, __NR_newfstatat, args, 2);
}

/* ---- statx ---- */

/* int statx(int dirfd, const char *pathname, int flags, unsigned mask, struct statx *statxbuf) */
HANDLER(statx)
{
    const struct asked asked = {vcpu, args[0], args[1], args[2]};
    struct host_statx found = {0};
    uint64_t with_copy[6] = {args[0], args[1], args[2], args[3], (uint64_t)&found};
    struct answer answer;
    struct stat st = {0};
    int64_t error = host_syscall(__NR_statx, with_copy);

    if (!error && is_hidden(&asked)) {
        error = -ENOENT;
    }
    if (error < 0) {
        return error;
    }
    st.st_mode = found.mode;
    st.st_nlink = found.links;
    st.st_size = (off_t)found.size;
    st.st_ino = found.inode;
    st.st_dev = makedev(found.major, found.minor);
    look(&asked, &st, &answer);
    if (answer.kind == OF_OTHER_FILE) {
        with_copy[0] = (uint64_t)answer.dirfd;
        with_copy[1] = (uint64_t)answer.path;
        with_copy[2] = args[2] & ~(uint64_t)(AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW);
        error = host_syscall(__NR_statx, with_copy);
    } else if (answer.kind == OTHER_NUMBERS) {
        found.links = (uint32_t)answer.links;
        found.size = answer.size;
    }
    return error < 0 ? error : guest_write(args[4], &found, sizeof(found));
}
