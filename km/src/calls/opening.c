// SPDX-License-Identifier: Apache-2.0
/*
 * opening.c: how a file is opened, in a process of however many threads: it is judged before the
 * payload can name it with access.
 *
 * A file on the mount of the root, or of the working folder, is none of a proc(5), so there is
 * nothing to judge before: the monitor tells the kernel to cross no mount (RESOLVE_NO_XDEV of
 * openat2). Any other is opened without access first (O_PATH), pinned, judged, and then exactly
 * this file is opened. Without a proc(5) to open it by, its folder is pinned, and the file opened
 * in it without crossing a mount.
 */
#include "calls/opening.h"
#include "base/base.h"
#include "calls/calls.h"
#include "calls/handlers.h"
#include "calls/pin.h"
#include "calls/proc.h"
#include "machine/machine.h"
#include "memory/memory.h"
#include "program/program.h"

#include <asm/unistd.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <linux/openat2.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <unistd.h>

#define LINKS_MAX 40        /* as the kernel follows them; namei.h */
#define TMPFILE 020000000UL /* O_TMPFILE without the O_DIRECTORY in it */

/* A call that opens a file: openat2, or an older one. */
struct opening {
    struct vcpu *vcpu;
    uint64_t dirfd, path;
    struct open_how how;
    bool older;
    char *next; /* PATH_MAX bytes: a path of the monitor's in the place of the call's */
};

static int64_t openat2_at(uint64_t dirfd, uint64_t path, const struct open_how *how)
{
    return host_syscall(__NR_openat2, (uint64_t[6]){dirfd, path, (uint64_t)how, sizeof(*how)});
}

/* The call itself, with these flags. */
static int64_t host_open(const struct opening *what, uint64_t flags, uint64_t mode)
{
    struct open_how how = {flags, mode, what->how.resolve};

    return what->older
               ? host_syscall(__NR_openat, (uint64_t[6]){what->dirfd, what->path, flags, mode})
               : openat2_at(what->dirfd, what->path, &how);
}

/* ---- below the root's mount, and the working folder's ---- */

static int root = -1;     /* a folder that is in no proc(5) */
static bool root_is_ours; /* it is the payload's root still */

/*
 * The working folder, at a hidden descriptor; whoever puts another file there has it judged. A
 * change of it is noted after the call: what is opened before the note is opened where it was.
 */
static int here = -1;
static uint32_t here_now = 1; /* grows with each change */
static uint32_t here_seen;    /* which of them `here` is */
static bool here_is_plain;    /* it is in no proc(5) */
static bool here_is_taken;    /* somebody looks */
static bool parted;           /* threads have working folders of their own */

static bool is_plain(int fd)
{
    struct statfs fs;

    return fd >= 0 && fstatfs(fd, &fs) == 0 && fs.f_type != PROC_SUPER_MAGIC;
}

void opening_init(int fd, struct vcpu *vcpu)
{
    root = fd;
    root_is_ours = is_plain(fd);
    here = fd < 0 || vcpu->vforked ? -1 : fd_hide(dup(fd));
}

int opening_root(void)
{
    return root;
}

void opening_after_fork(void)
{
    here_is_taken = false;
    here_now++;
}

void opening_part(void)
{
    __atomic_store_n(&parted, true, __ATOMIC_SEQ_CST);
}

void opening_leaves_root(void)
{
    __atomic_store_n(&root_is_ours, false, __ATOMIC_SEQ_CST);
}

void opening_follow_root(int fd)
{
    const int all[] = {root, here};

    for (size_t i = 0; i < ARRAY_LEN(all); i++) {
        if (all[i] >= 0 && !fd_replace_hidden(all[i], fd)) {
            (void)close(all[i]);
        }
    }
}

static int64_t move(uint64_t number, const uint64_t *args)
{
    int64_t result = host_syscall(number, args);

    (void)__atomic_fetch_add(&here_now, 1, __ATOMIC_SEQ_CST);
    return result;
}

/* int chdir(const char *path) */
HANDLER(chdir)
{
    (void)vcpu;
    return move(__NR_chdir, args);
}

/* int fchdir(int fd) */
HANDLER(fchdir)
{
    (void)vcpu;
    return move(__NR_fchdir, args);
}

/* Let `here` be the working folder, if it is in no proc(5): it never is another, for somebody may
 * be about to open from it. */
static void look_here(struct vcpu *vcpu)
{
    uint32_t now = __atomic_load_n(&here_now, __ATOMIC_SEQ_CST);
    int fd;

    if (__atomic_exchange_n(&here_is_taken, true, __ATOMIC_ACQUIRE)) {
        return;
    }
    fd = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (fd >= 0 && pin_set(vcpu, fd) == 0) {
        bool plain = is_plain(vcpu->pin) && dup3(vcpu->pin, here, O_CLOEXEC) == here;

        __atomic_store_n(&here_is_plain, plain, __ATOMIC_SEQ_CST);
        __atomic_store_n(&here_seen, now, __ATOMIC_SEQ_CST);
        pin_clear(vcpu);
    }
    if (fd >= 0) {
        (void)close(fd);
    }
    __atomic_store_n(&here_is_taken, false, __ATOMIC_RELEASE);
}

/* Where a relative path begins, or -1. The child of a vfork has a working folder of its own. */
static int begin_here(const struct opening *what)
{
    if ((int)what->dirfd != AT_FDCWD || here < 0 || what->vcpu->vforked) {
        return -1;
    }
    if (__atomic_load_n(&here_seen, __ATOMIC_SEQ_CST) !=
        __atomic_load_n(&here_now, __ATOMIC_SEQ_CST)) {
        look_here(what->vcpu);
    }
    return __atomic_load_n(&here_seen, __ATOMIC_SEQ_CST) ==
                       __atomic_load_n(&here_now, __ATOMIC_SEQ_CST) &&
                   __atomic_load_n(&here_is_plain, __ATOMIC_SEQ_CST)
               ? here
               : -1;
}

/* How the kernel is to go to a file, so that it need not be judged. */
struct way {
    int from;
    uint64_t path, resolve;
    char name[PROC_AT];
};

/* Where the path begins, in no proc(5) or at what of it is harmless; -1 also for what mostly is a
 * mount of its own. */
static void begin(const struct opening *what, struct way *way)
{
    char start[7] = "";

    *way = (struct way){-1, what->path, RESOLVE_NO_XDEV | RESOLVE_BENEATH, ""};
    (void)guest_read(start, what->path, sizeof(start) - 1);
    if (*start != '/') {
        way->from = begin_here(what);
    } else if (!strcmp(start, "/proc/")) {
        way->from = shortcut_below_proc(what->path, way->name, &way->resolve) ? pin_proc() : -1;
        way->path = (uint64_t)way->name;
    } else if (strncmp(start, "/dev/", 5) != 0 && strncmp(start, "/sys/", 5) != 0) {
        way->from = root;
        way->resolve = RESOLVE_NO_XDEV | RESOLVE_IN_ROOT;
    }
}

static bool is_root_ours(void)
{
    return __atomic_load_n(&root_is_ours, __ATOMIC_SEQ_CST) &&
           !__atomic_load_n(&parted, __ATOMIC_SEQ_CST);
}

/* The file, where its path leads across no mount from a folder in no proc(5); else an error. */
static int64_t open_across_none(const struct opening *what)
{
    struct open_how how = what->how;
    struct way way = {.from = -1};

    if (is_root_ours() && !how.resolve) { /* else the kernel shall see the path as it is */
        begin(what, &way);
    }
    if (way.from < 0) {
        return -EXDEV;
    }
    if (what->older) { /* which overlook what they do not know, and know O_LARGEFILE only */
        how.flags = (how.flags & OPEN_FLAGS) | OPEN_LARGE;
        how.mode = how.flags & (O_CREAT | TMPFILE) ? how.mode & 07777 : 0;
    }
    /* Another thread may change the path, the root and the working folder now. Nothing begins at
     * the root that is then, nor at another folder than this one. */
    how.resolve |= way.resolve;
    return openat2_at((uint64_t)way.from, way.path, &how);
}

/* ---- any file ---- */

/* Where the path is a link, let it be what the link says. */
static int64_t follow(struct opening *what)
{
    char path[PATH_MAX], to[PATH_MAX];
    int64_t error = guest_read_path(path, what->path);
    ssize_t n;
    char *slash;

    if (!guest_ok(what->path, 0)) { /* it is the monitor's already */
        error = 0;
        (void)snprintf(path, sizeof(path), "%s", (const char *)what->path);
    }
    n = error < 0 ? -1 : readlinkat((int)what->dirfd, path, to, sizeof(to) - 1);
    if (n < 0) {
        return -ENOENT; /* it was there, and is not a link */
    }
    to[n] = 0;
    slash = *to == '/' ? NULL : strrchr(path, '/');
    if (snprintf(what->next, PATH_MAX, "%.*s%s", slash ? (int)(slash - path + 1) : 0, path, to) >=
        PATH_MAX) {
        return -ENAMETOOLONG;
    }
    what->path = (uint64_t)what->next;
    return 0;
}

/* Open the file that the pin is, which was judged to be `judged`. */
static int64_t open_pin(const struct vcpu *vcpu, uint64_t flags, const struct stat *judged)
{
    static const uint64_t not_again = O_CREAT | O_EXCL | O_NOFOLLOW;
    char name[FD_NAME];
    struct stat st;
    int64_t fd;

    fd = fd_name(vcpu, vcpu->pin, name);
    fd = host_syscall(__NR_openat, (uint64_t[6]){(uint64_t)fd, (uint64_t)name, flags & ~not_again});
    if (fd >= 0 && fstat((int)fd, &st) == 0 &&
        (st.st_dev != judged->st_dev || st.st_ino != judged->st_ino) && !proc_gives((int)fd, &st)) {
        (void)kill(getpid(), SIGKILL); /* it is not what was judged: an attack */
    }
    return fd;
}

/* Let the pin be the file: 0 with its stat, or -errno. */
static int64_t pin_file(const struct opening *what, struct stat *st)
{
    int64_t fd = host_open(what, O_PATH | O_CLOEXEC | (what->how.flags & O_NOFOLLOW), 0), error;

    if (fd < 0) {
        return fd;
    }
    error = pin_set(what->vcpu, (int)fd);
    (void)close((int)fd);
    if (!error && fstat(what->vcpu->pin, st) < 0) {
        error = -errno;
    }
    return error;
}

/*
 * It is km's own file. By a link of /proc that is the program that runs in the VM, also for who
 * writes; by a path of its own it is a file like others.
 */
static int64_t pin_program(const struct opening *what, struct stat *st)
{
    struct opening other = *what;
    struct proc_file file = {0};
    char program[PATH_MAX];
    int64_t fd;

    if (what->how.flags & (OPEN_ACCESS | O_TRUNC)) {
        return -ETXTBSY;
    }
    if (proc_look_at_link(what->vcpu, what->dirfd, what->path, &file)) {
        if (strcmp(file.last, "exe") != 0 || !proc_program(&file, program)) {
            return -EACCES;
        }
        other.path = (uint64_t)program;
    } else {
        other.older = false;
        other.how =
            (struct open_how){O_PATH | O_CLOEXEC, 0, what->how.resolve | RESOLVE_NO_MAGICLINKS};
        fd = host_open(&other, O_PATH | O_CLOEXEC, 0);
        other = *what;
        if (fd < 0) { /* a link that leads to such a link */
            other.path = (uint64_t)image.path;
        } else {
            (void)close((int)fd);
        }
    }
    other.how.resolve = 0;
    return pin_file(&other, st);
}

/* Whether the host lets this process open it so: 0 or -errno. */
static int64_t may_open(const struct proc_file *file, uint64_t flags)
{
    uint64_t mode = flags & OPEN_ACCESS;
    char name[PROC_AT];
    int64_t error;

    (void)snprintf(name, sizeof(name), "%s/%s", file->folder, file->last);
    mode = (mode != O_WRONLY ? R_OK : 0) | (mode != O_RDONLY || flags & O_TRUNC ? W_OK : 0);
    error = host_syscall(__NR_faccessat2,
                         (uint64_t[6]){(uint64_t)pin_proc(), (uint64_t)name, mode, AT_EACCESS});
    return error == -ENOSYS ? 0 : error;
}

/* Let the pin be a text in place of the file; another thread may have put a file of its own there.
 */
static int64_t pin_text(struct vcpu *vcpu, struct proc_file *file, uint64_t flags, struct stat *st)
{
    int64_t error = may_open(file, flags);

    if (!error && flags & O_DIRECT) {
        error = -EINVAL;
    }
    if (!error) {
        error = proc_rewrite(vcpu, file);
    }
    if (!error && fstat(vcpu->pin, st) < 0) {
        error = -errno;
    }
    if (!error) {
        error = proc_judge(vcpu->pin, st, file);
    }
    return !error && *file->last ? -EACCES : error;
}

/* Open it by O_PATH, look what it is, and open that. */
static int64_t open_pinned(const struct opening *what)
{
    struct vcpu *vcpu = what->vcpu;
    struct proc_file file = {0};
    struct stat st;
    int64_t fd = pin_file(what, &st);

    if (!fd && self_is_file(&st)) {
        fd = pin_program(what, &st);
    }
    if (!fd && S_ISLNK(st.st_mode)) { /* O_NOFOLLOW */
        fd = -ELOOP;
    }
    if (!fd && what->how.flags & (OPEN_ACCESS | O_TRUNC) && program_is(&st)) {
        fd = -ETXTBSY;
    }
    if (!fd) {
        fd = proc_judge(vcpu->pin, &st, &file);
    }
    if (!fd && (*file.last || (proc_copy_of(vcpu->pin, &st, &file) && proc_is_monitors(&file)))) {
        fd = pin_text(vcpu, &file, what->how.flags, &st);
    }
    if (!fd) {
        fd = open_pin(vcpu, what->how.flags, &st);
    }
    pin_clear(vcpu);
    return fd;
}

/* This process's own text, which needs no look at the host's file. */
static int64_t open_text(const struct opening *what, struct proc_file *file)
{
    struct stat st;
    int64_t fd = pin_text(what->vcpu, file, what->how.flags, &st);

    if (!fd) {
        fd = open_pin(what->vcpu, what->how.flags, &st);
    }
    pin_clear(what->vcpu);
    return fd;
}

/* ---- without a proc(5) ---- */

/* Take the path apart: its folder, which is pinned, and the name in it, at `last`. */
static int64_t pin_folder(const struct opening *what, char path[PATH_MAX], const char **last)
{
    struct opening folder = *what;
    char *slash;
    int64_t fd = 0;

    if (!guest_ok(what->path, 0)) {
        (void)snprintf(path, PATH_MAX, "%s", (const char *)what->path);
    } else {
        fd = guest_read_path(path, what->path);
    }
    if (fd < 0) {
        return fd;
    }
    slash = strrchr(path, '/');
    *last = slash ? slash + 1 : path;
    folder.path = (uint64_t)(slash == path ? "/" : slash ? path : ".");
    if (slash) {
        *slash = 0;
    }
    fd = host_open(&folder, O_PATH | O_DIRECTORY | O_CLOEXEC, 0);
    if (fd >= 0) {
        int64_t error = pin_set(what->vcpu, (int)fd);

        (void)close((int)fd);
        return error;
    }
    return fd;
}

/* Open a file in its folder, across no mount: in a proc(5) nothing but folders. */
static int64_t open_in_folder(const struct opening *what)
{
    char path[PATH_MAX];
    const char *last;
    struct open_how how = what->how;
    struct statfs fs;
    int64_t fd = pin_folder(what, path, &last);

    if (fd < 0) {
        return fd;
    }
    how.flags &= OPEN_FLAGS;
    how.resolve |= RESOLVE_NO_XDEV | RESOLVE_NO_SYMLINKS;
    if (what->older) {
        how.flags |= OPEN_LARGE;
        how.mode = how.flags & (O_CREAT | TMPFILE) ? how.mode & 07777 : 0;
    }
    if (!*last || !strcmp(last, ".") || !strcmp(last, "..") || fstatfs(what->vcpu->pin, &fs) < 0 ||
        fs.f_type == PROC_SUPER_MAGIC) {
        how.flags |= O_DIRECTORY;
        how.flags &= ~(uint64_t)O_CREAT;
    }
    fd = openat2_at((uint64_t)what->vcpu->pin, (uint64_t)(*last ? last : "."), &how);
    pin_clear(what->vcpu);
    return fd == -EXDEV || fd == -ENOSYS ? -EACCES : fd;
}

/* Folder by folder: what is a link is followed here. */
static int64_t open_without_proc(const struct opening *asked)
{
    struct opening what = *asked;
    int64_t fd = open_in_folder(&what);
    char next[PATH_MAX];

    what.next = next;
    for (int links = 0; fd == -ELOOP && !(what.how.flags & O_NOFOLLOW) && links < LINKS_MAX;
         links++) {
        if (follow(&what) < 0) {
            break;
        }
        fd = open_in_folder(&what);
    }
    return fd;
}

/* ---- together ---- */

/* A file that is made is none that was there; the others are opened for what they are. */
static int64_t open_or_make(const struct opening *asked)
{
    struct opening what = *asked;
    int64_t fd = open_pinned(&what), error = 0;
    uint64_t flags = what.how.flags;
    char next[PATH_MAX];

    what.next = next;
    for (int tries = 0; fd == -ENOENT && flags & O_CREAT && tries < LINKS_MAX; tries++) {
        fd = host_open(&what, flags | O_EXCL, what.how.mode);
        if (fd != -EEXIST) {
            return fd;
        }
        fd = open_pinned(&what); /* somebody else has made it, or it is a link to nothing */
        if (fd == -ENOENT) {
            error = follow(&what);
        }
    }
    return error < 0 ? error : fd;
}

/* Whether what the flags ask for can be nothing that proc_judge() refuses. */
static bool is_harmless(uint64_t flags)
{
    return !FIRST_LOCK || flags & (O_PATH | O_DIRECTORY) || (flags & O_CREAT && flags & O_EXCL);
}

/* What was opened in no proc(5) can still be /dev/kvm, with which a payload can do nothing. */
static int64_t refuse_kvm(int64_t fd)
{
    struct stat st;

    if (fd >= 0 && fstat((int)fd, &st) == 0 && proc_is_kvm(&st)) {
        (void)close((int)fd);
        return -EACCES;
    }
    return fd;
}

/* The program in the place of km's own file: a name of it, without access. */
static int64_t name_program(const struct opening *what)
{
    int command = what->how.flags & O_CLOEXEC ? F_DUPFD_CLOEXEC : F_DUPFD;
    struct opening named = *what;
    struct stat st;
    int64_t fd;

    named.how.flags &= ~(OPEN_ACCESS | O_TRUNC); /* O_PATH overlooks them */
    fd = pin_program(&named, &st);
    if (!fd) {
        fd = fcntl(what->vcpu->pin, command, 0);
        fd = fd < 0 ? -errno : fd;
    }
    pin_clear(what->vcpu);
    return fd;
}

/* A name without access is no harm, but the monitor's descriptors have none for the payload, nor
 * has its own file by a link of /proc. */
static int64_t open_name(const struct opening *what)
{
    int64_t fd = host_open(what, what->how.flags, what->how.mode);
    struct proc_file file;
    struct stat st;

    if (fd >= 0 && fstat((int)fd, &st) == 0 && self_is_file(&st) && pin_proc() >= 0) {
        (void)close((int)fd);
        return name_program(what);
    }
    if (FIRST_LOCK && fd >= 0 && fstat((int)fd, &st) == 0 && !S_ISDIR(st.st_mode) &&
        !major(st.st_dev) && proc_judge((int)fd, &st, &file) == -ENOENT) {
        (void)close((int)fd);
        return -ENOENT;
    }
    return fd;
}

static int64_t open_safely(const struct opening *what)
{
    struct proc_file file;
    int64_t fd;

    if (is_harmless(what->how.flags)) {
        return what->how.flags & O_PATH ? open_name(what)
                                        : host_open(what, what->how.flags, what->how.mode);
    }
    if (!what->how.resolve && is_root_ours() && shortcut_to_text(what->path, &file)) {
        return open_text(what, &file);
    }
    fd = open_across_none(what);
    if (fd == -EXDEV || fd == -ENOSYS || fd == -EPERM || fd == -EINVAL || fd == -E2BIG ||
        fd == -EAGAIN || fd == -ELOOP) {
        if (pin_proc() >= 0) {
            return open_or_make(what);
        }
        fd = open_without_proc(what);
    }
    return refuse_kvm(fd);
}

int64_t open_at(struct vcpu *vcpu, uint64_t dirfd, uint64_t path, uint64_t flags, uint64_t mode)
{
    return open_safely(&(struct opening){vcpu, dirfd, path, {flags, mode, 0}, true, NULL});
}

int64_t open_at2(struct vcpu *vcpu, uint64_t dirfd, uint64_t path, const uint64_t how[3])
{
    return open_safely(&(struct opening){vcpu, dirfd, path, {how[0], how[1], how[2]}, false, NULL});
}
