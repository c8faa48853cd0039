// SPDX-License-Identifier: Apache-2.0
/*
 * pin.c: descriptors that the payload cannot name, for files that are to be judged.
 *
 * A file that the host opens gets a number that another thread of the payload can guess, and use
 * before the monitor has looked at the file; and a name can lead elsewhere after a look. So a file
 * that is judged is held by a pin: a hidden descriptor, one a vCPU, which nobody else moves. The
 * monitor examines and opens a pinned file by its own descriptor of /proc, not by a name: a payload
 * can make its own /proc by chroot. That descriptor lives through execve.
 */
#include "calls/pin.h"
#include "base/base.h"
#include "calls/calls.h"
#include "calls/opening.h"
#include "calls/proc.h"
#include "machine/machine.h"
#include "task/task.h"

#include <asm/unistd.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#define PROC_ROOT_INODE 1 /* PROC_ROOT_INO of the kernel's linux/proc_ns.h */

static int proc = -1;      /* the root of a proc(5) that shows this process, or -1 */
static dev_t proc_dev;     /* which it is */
static bool proc_is_roots; /* it is /proc in the root that the payload has at its start */
static int blank = -1;     /* what a pin is that holds no file: no folder, see pin_follow_root() */

int pin_proc(void)
{
    return proc;
}

bool pin_proc_is_roots(void)
{
    return proc_is_roots;
}

bool pin_is_on_proc(const struct stat *st)
{
    return proc >= 0 && st->st_dev == proc_dev;
}

/* Whether it is the root of a proc(5) that shows this process: not one of other processes only. */
static bool shows_us(int fd)
{
    struct statfs fs;
    struct stat st;
    char self[32];

    return fstatfs(fd, &fs) == 0 && fs.f_type == PROC_SUPER_MAGIC && fstat(fd, &st) == 0 &&
           st.st_ino == PROC_ROOT_INODE && readlinkat(fd, "thread-self", self, sizeof(self)) > 0;
}

/* The folder `name` below `from`, where it is such a root; or -1. */
static int open_proc(int from, const char *name)
{
    int fd = openat(from, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

    if (fd >= 0 && !shows_us(fd)) {
        (void)close(fd);
        fd = -1;
    }
    return fd;
}

/* Another root may be the payload's since it was carried: one that has its own comes first, from
 * which no path leads out of that root. */
void pin_init(struct vcpu *vcpu)
{
    int carried = options.proc_fd, fd = open_proc(AT_FDCWD, "/proc");
    struct stat st;

    proc_is_roots = fd >= 0;
    if (fd < 0 && carried >= 0 && shows_us(carried)) {
        fd = carried;
    } else if (carried >= 0) {
        (void)close(carried);
    }
    if (fd >= 0) {
        proc_dev = fstat(fd, &st) == 0 ? st.st_dev : 0;
        proc = fd_hide(fd);
    }
    fd = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
    fd = fd < 0 ? -1 : fd_hide(fd);
    opening_init(fd, vcpu);
    blank = self_fd() >= 0 ? self_fd() : fd;
    pin_make(vcpu);
}

void pin_make(struct vcpu *vcpu)
{
    int fd = vcpu->pin || blank < 0 ? -1 : fd_hide(dup(blank));

    if (fd >= 0) {
        vcpu->pin = fd;
    }
}

int64_t pin_set(struct vcpu *vcpu, int fd)
{
    bool set;

    pin_make(vcpu); /* if there was no descriptor for it when the thread began */
    if (!vcpu->pin) {
        return -EMFILE;
    }
    set = fd_replace_hidden(vcpu->pin, fd);
    /* The limit was lowered for good since the pin was made; what is hidden is its parent's to say
     * in the child of a vfork. */
    if (!set && errno == EBADF && !vcpu->vforked) {
        fd_close_hidden(vcpu->pin);
        vcpu->pin = 0;
        pin_make(vcpu);
        set = vcpu->pin && fd_replace_hidden(vcpu->pin, fd);
    }
    return set ? 0 : -EMFILE;
}

void pin_clear(const struct vcpu *vcpu)
{
    if (vcpu->pin) {
        (void)dup3(blank, vcpu->pin, O_CLOEXEC);
    }
}

/* ---- a new file in memory ---- */

#define MEMORY_TRIES 100

/* What is written to the pin must not get into a file of the payload's. */
static bool is_new_memory(int fd, const char *name)
{
    char path[PATH_MAX], wanted[PATH_MAX];
    struct stat st;

    (void)snprintf(wanted, sizeof(wanted), "/memfd:%s (deleted)", name);
    return fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && !st.st_nlink && !st.st_size &&
           (proc < 0 || (fd_path(fd, path) > 0 && !strcmp(path, wanted)));
}

int64_t pin_memory(struct vcpu *vcpu, const char *name, unsigned flags)
{
    int64_t error = 0;

    for (int tries = 0; !error && tries < MEMORY_TRIES; tries++) {
        int fd = (int)syscall(__NR_memfd_create, name, MFD_CLOEXEC | flags);

        if (fd < 0) {
            return -errno;
        }
        error = pin_set(vcpu, fd);
        (void)close(fd);
        if (!error && is_new_memory(vcpu->pin, name)) {
            return 0;
        }
    }
    pin_clear(vcpu);
    return error ? error : -EAGAIN; /* a thread that attacks, or that was lucky a hundred times */
}

/* ---- what it leads to ---- */

static int fds = -1;      /* a folder of the links to a process's descriptors, hidden */
static bool fds_asked;    /* for this process: once, for then there may be other threads */
static bool fds_are_ours; /* it is this process's */
static bool first_ended;  /* the thread whose the folder is */

/* A folder of the payload's must not take its place: so before there is another thread. */
static void open_fds(void)
{
    int fd = fds_asked ? -1 : openat(proc, "self/fd", O_PATH | O_DIRECTORY | O_CLOEXEC);

    fds_asked = true;
    if (fd >= 0 && fds >= 0) {
        fds_are_ours = dup3(fd, fds, O_CLOEXEC) == fds;
        (void)close(fd);
    } else if (fd >= 0) {
        fds = fd_hide(fd);
        fds_are_ours = fds >= 0;
    }
}

void pin_before_threads(void)
{
    if (proc >= 0) {
        open_fds();
        proc_open_lists();
    }
}

void pin_after_fork(void)
{
    fds_asked = fds_are_ours = first_ended = false;
    proc_forget_self();
    proc_after_fork();
}

/* Let the monitor's proc(5) be the one at `fd`, which is closed: in the child of a vfork its alone.
 */
static void become_proc(const struct vcpu *vcpu, int fd)
{
    bool replaced = fd_replace_hidden(proc, fd);
    struct stat st;

    if (!vcpu->vforked) {
        proc_dev = fstat(fd, &st) == 0 ? st.st_dev : 0;
        proc_forget_self();
        if (!replaced) {
            fd_close_hidden(proc);
            proc = fd_hide(dup(fd));
        }
    }
    (void)close(fd);
}

void pin_follow_root(struct vcpu *vcpu)
{
    int fd = proc < 0 ? -1 : open_proc(vcpu->pin, "proc");

    if (fds >= 0 && !fd_replace_hidden(fds, blank)) {
        (void)close(fds);
    }
    if (fd >= 0) {
        become_proc(vcpu, fd);
    }
    if (!vcpu->vforked && fds_asked) {
        fds_asked = fds_are_ours = false;
        open_fds();
    }
    opening_follow_root(vcpu->pin);
}

void pin_first_ends(void)
{
    __atomic_store_n(&first_ended, true, __ATOMIC_SEQ_CST);
}

int fd_name(const struct vcpu *vcpu, int fd, char name[FD_NAME])
{
    bool is_childs = !vcpu || vcpu->vforked; /* of a vfork, which has a table of its own */

    if (!is_childs && !fds_asked) {
        open_fds();
    }
    if (is_childs || !fds_are_ours || __atomic_load_n(&first_ended, __ATOMIC_SEQ_CST)) {
        (void)snprintf(name, FD_NAME, "thread-self/fd/%d", fd);
        return proc;
    }
    (void)snprintf(name, FD_NAME, "%d", fd); /* three folders fewer to look up */
    return fds;
}

ssize_t fd_path(int fd, char path[PATH_MAX])
{
    char name[FD_NAME];
    int folder = fd_name(signal_vcpu(), fd, name);

    memset(path, 0, PATH_MAX);
    return folder < 0 ? -1 : readlinkat(folder, name, path, PATH_MAX - 1);
}

/* Of KVM's descriptors, which payloads may not have, only a vCPU's can be mapped; all are of inodes
 * without a type, and nothing else of those is a payload's to map. Nor is a file of /proc. */
static bool cannot_be_mapped(int fd)
{
    struct proc_file file;
    struct stat st;

    return fstat(fd, &st) == 0 && (!(st.st_mode & S_IFMT) || proc_copy_of(fd, &st, &file));
}

/* The same without a pin, where no other thread can change what the number is meanwhile. */
static int64_t map_alone(const struct vcpu *vcpu, int fd,
                         int64_t (*map)(int fd, const uint64_t *args), const uint64_t *args)
{
    int64_t result;

    if (!vcpu->vforked) { /* the child of a vfork has a table of its own, and no threads */
        freeze_all(freeze_of(vcpu));
    }
    if (fcntl(fd, F_GETFD) < 0) {
        result = -EBADF;
    } else {
        result = cannot_be_mapped(fd) ? -ENODEV : map(fd, args);
    }
    if (!vcpu->vforked) {
        freeze_thaw();
    }
    return result;
}

/*
 * A pin is closed again, and who closes any descriptor of a file loses all locks of fcntl(2) on it.
 * So a process that may hold some stands still instead.
 */
int64_t pin_map(struct vcpu *vcpu, int fd, int64_t (*map)(int fd, const uint64_t *args),
                const uint64_t *args)
{
    int64_t result;

    if (!FIRST_LOCK) {
        return map(fd, args);
    }
    if (options.carried[CARRIED_LOCKS]) {
        return map_alone(vcpu, fd, map, args);
    }
    if (fcntl(fd, F_GETFD) < 0) {
        return -EBADF;
    }
    result = pin_set(vcpu, fd);
    if (!result) {
        result = cannot_be_mapped(vcpu->pin) ? -ENODEV : map(vcpu->pin, args);
        pin_clear(vcpu);
    }
    return result;
}
