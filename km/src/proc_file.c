// SPDX-License-Identifier: Apache-2.0
/*
 * proc_file.c: what a file of a proc(5) is, where the host shows the monitor.
 *
 * /proc/PID/mem would be a door into the monitor's memory, under whichever name it is reached. So
 * it is not the path that is judged but the file, by what the kernel says of its inode. The same
 * goes for what a payload shall find elsewhere than the host has it, its own program and its
 * mappings, for instance.
 */
#include "mounts.h"
#include "syscall.h"

#include <asm/unistd.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <unistd.h>

bool proc_has(int fd)
{
    struct statfs fs;

    return fstatfs(fd, &fs) == 0 && fs.f_type == PROC_SUPER_MAGIC;
}

/* Whether the monitor's /proc has this file at `name`. */
static bool is_at(const char *name, const struct stat *st)
{
    struct stat found;

    return fstatat(pin_proc(), name, &found, AT_SYMLINK_NOFOLLOW) == 0 &&
           found.st_dev == st->st_dev && found.st_ino == st->st_ino;
}

/* The last component of `path`, which ends before it then; NULL where there is none. */
static char *cut(char *path)
{
    char *slash = strrchr(path, '/');

    if (slash) {
        *slash = 0;
    }
    return slash ? slash + 1 : NULL;
}

/* The number that the component is, or 0. */
static pid_t number_of(const char *component)
{
    char *end;
    long number = component ? strtol(component, &end, 10) : 0;

    return component && *component && !*end && number > 0 ? (pid_t)number : 0;
}

pid_t proc_self(void)
{
    char self[16];
    ssize_t n = readlinkat(pin_proc(), "self", self, sizeof(self) - 1);

    self[n < 0 ? 0 : n] = 0;
    return number_of(self);
}

/* `name`, a path as the kernel shows it, may be of PID/LAST or of PID/task/TID/LAST. */
static void take_apart(char *name, struct proc_file *file)
{
    const char *last = cut(name), *folder = cut(name), *above = cut(name);
    pid_t id = number_of(folder), owner = 0;

    if (!last || !id) {
        return;
    }
    if (above && !strcmp(above, "task")) {
        owner = number_of(cut(name));
    }
    file->pid = owner ? owner : id;
    (void)snprintf(file->last, sizeof(file->last), "%s", last);
    (void)snprintf(file->folder, sizeof(file->folder), owner ? "%d/task/%d" : "%d", file->pid, id);
}

/* What is rewritten for the payload; those of mappings first, those of mounts last. */
static const char *const rewritten[] = {"maps",   "smaps",  "stat",     "status",
                                        "limits", "mounts", "mountinfo"};
#define OF_MAPPINGS 2
#define OF_MOUNTS 2

static size_t rewritten_count(void)
{
    return mounts_any() ? ARRAY_LEN(rewritten) : ARRAY_LEN(rewritten) - OF_MOUNTS;
}

static bool is_one_of(const char *last, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (!strcmp(last, rewritten[i])) {
            return true;
        }
    }
    return false;
}

/* A file of this process under a name that does not say so, such as a mount's. */
static void look_for_own(const struct stat *st, struct proc_file *file)
{
    char at[PROC_AT];

    for (size_t i = 0; i < rewritten_count() && !file->pid; i++) {
        (void)snprintf(at, sizeof(at), "self/%s", rewritten[i]);
        if (is_at(at, st)) {
            file->pid = proc_self();
            (void)snprintf(file->last, sizeof(file->last), "%s", rewritten[i]);
            (void)snprintf(file->folder, sizeof(file->folder), "%d", file->pid);
        }
    }
}

void proc_look(int fd, const struct stat *st, struct proc_file *file)
{
    char name[PATH_MAX], at[PROC_AT];

    memset(file, 0, sizeof(*file));
    if (pin_path(fd, name) > 0) {
        take_apart(name, file);
    }
    (void)snprintf(at, sizeof(at), "%s/%s", file->folder, file->last);
    file->is_ours = file->pid && is_at(at, st);
    if (!file->is_ours && S_ISREG(st->st_mode)) {
        file->pid = 0;
        look_for_own(st, file);
        file->is_ours = file->pid;
    }
}

bool proc_is_monitors(const struct proc_file *file)
{
    char exe[PROC_AT];
    struct stat st;

    if (!file->is_ours || file->pid == proc_self()) {
        return file->is_ours;
    }
    (void)snprintf(exe, sizeof(exe), "%d/exe", file->pid);
    return fstatat(pin_proc(), exe, &st, 0) == 0 && program_is_file(&st);
}

/* ---- what a payload may open ---- */

/* Whether this is /dev/kvm, also where /proc/self/fd leads to it: major 10, minor 232. */
bool proc_is_kvm(const struct stat *st)
{
    return S_ISCHR(st->st_mode) && st->st_rdev == makedev(10, 232);
}

/* Whether a file of the monitor's /proc is one of the machine's settings, below its sys. */
static bool is_setting(int fd, const struct stat *st)
{
    char name[PATH_MAX];
    const char *sys = pin_path(fd, name) > 0 ? strstr(name, "/sys/") : NULL;

    for (; sys; sys = strstr(sys + 1, "/sys/")) {
        if (is_at(sys + 1, st)) {
            return true;
        }
    }
    return false;
}

/* Only PID/mem is of mode 0600, which cannot be changed, and some of the machine's settings. */
int64_t proc_judge(int fd, const struct stat *st, struct proc_file *file)
{
    file->last[0] = 0;
    if (proc_is_kvm(st)) {
        return -EACCES;
    }
    if (!S_ISREG(st->st_mode) || major(st->st_dev) || !proc_has(fd)) {
        return 0;
    }
    if ((st->st_mode & 0777) == 0600) {
        return is_setting(fd, st) ? 0 : -EACCES;
    }
    proc_look(fd, st, file);
    if (!is_one_of(file->last, rewritten_count()) || (file->is_ours && !proc_is_monitors(file))) {
        file->last[0] = 0;
    } else if (!file->is_ours) { /* another /proc, whose processes are not known here */
        bool shows_memory = is_one_of(file->last, OF_MAPPINGS);

        file->last[0] = 0;
        return shows_memory ? -EACCES : 0;
    }
    return 0;
}

/* ---- what it reads there ---- */

/* Without a descriptor to spare it stays as it is. */
void proc_rewrite(int fd, const struct proc_file *file)
{
    int flags = fcntl(fd, F_GETFL), text;

    if (flags & O_PATH || (flags & O_ACCMODE) != O_RDONLY) {
        return;
    }
    text = (int)syscall(__NR_memfd_create, file->last, MFD_CLOEXEC);
    if (text < 0) {
        return;
    }
    if (proc_write(text, fd, file) && lseek(text, 0, SEEK_SET) == 0) {
        (void)dup3(text, fd, fcntl(fd, F_GETFD) & FD_CLOEXEC ? O_CLOEXEC : 0);
    }
    (void)close(text);
}
