// SPDX-License-Identifier: Apache-2.0
/*
 * proc_file.c: recognize the files of a proc(5) in which the host shows the monitor.
 *
 * /proc/PID/mem would be a door into the monitor's memory, under whichever name it is reached. So
 * the monitor judges not the path but the file, by the kernel's facts of its inode. The same goes
 * for what a payload shall find elsewhere than the host has it, its own program and its mappings,
 * for instance.
 */
#include "base/base.h"
#include "calls/calls.h"
#include "calls/mounts.h"
#include "calls/pin.h"
#include "calls/proc.h"
#include "machine/machine.h"
#include "task/task.h"

#include <asm/unistd.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <stdlib.h>
#include <string.h>
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

static uint64_t known_self; /* which process this is, and its number there */

void proc_forget_self(void)
{
    __atomic_store_n(&known_self, 0, __ATOMIC_RELAXED);
}

pid_t proc_self(void)
{
    uint64_t was = __atomic_load_n(&known_self, __ATOMIC_RELAXED), now = (uint64_t)getpid() << 32;
    const struct vcpu *vcpu = signal_vcpu();
    bool keeps = vcpu && !vcpu->vforked; /* the child of a vfork is in its parent's memory */
    char self[16];
    ssize_t n;

    if (keeps && was >> 32 == now >> 32) {
        return (pid_t)was;
    }
    n = readlinkat(pin_proc(), "self", self, sizeof(self) - 1);
    self[n < 0 ? 0 : n] = 0;
    now |= (uint32_t)number_of(self);
    if (keeps) {
        __atomic_store_n(&known_self, now, __ATOMIC_RELAXED);
    }
    return (pid_t)now;
}

static bool has_entries(const char *last)
{
    return !strcmp(last, "fd") || !strcmp(last, "fdinfo") || !strcmp(last, "map_files");
}

/* A process may have ended, or its names be new. */
static void forget_end(char *name)
{
    char *gone = strstr(name, " (deleted)");

    if (gone) {
        *gone = 0;
    }
}

/*
 * `name`, a path as the kernel shows it, may be of PID/LAST or of PID/task/TID/LAST. It begins at
 * the root of who asks: where that is such a folder, nothing but LAST is known.
 */
void proc_take_apart(char *name, struct proc_file *file)
{
    const char *last, *folder, *above, *entry = "";
    pid_t id, owner = 0;

    forget_end(name);
    last = cut(name);
    folder = cut(name);
    if (folder && has_entries(folder)) {
        entry = last;
        last = folder;
        folder = cut(name);
    }
    above = cut(name);
    id = number_of(folder);
    (void)snprintf(file->last, sizeof(file->last), "%s", last ? last : "");
    if (!id || strlen(last) >= sizeof(file->last) || strlen(entry) >= sizeof(file->entry)) {
        return;
    }
    if (above && !strcmp(above, "task")) {
        owner = number_of(cut(name));
    }
    file->pid = owner ? owner : id;
    memcpy(file->entry, entry, strlen(entry) + 1);
    (void)snprintf(file->folder, sizeof(file->folder), owner ? "%d/task/%d" : "%d", file->pid, id);
}

/* What is rewritten for the payload: first what tells where its memory is, last its mounts. */
static const char *const rewritten[] = {"maps",   "smaps",  "numa_maps", "smaps_rollup", "syscall",
                                        "stack",  "auxv",   "wchan",     "stat",         "status",
                                        "limits", "mounts", "mountinfo"};
#define OF_MEMORY 7
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

bool proc_is_rewritten(const struct proc_file *file)
{
    return is_one_of(file->last, rewritten_count());
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

/* Whether the monitor's /proc has it, at the end of `name`, which take_apart() did not know. */
static bool is_other(const char *name, const struct stat *st)
{
    while ((name = strchr(name, '/'))) {
        name++;
        if (is_at(name, st)) {
            return strncmp(name, "self/", 5) != 0 && strncmp(name, "thread-self/", 12) != 0;
        }
    }
    return false;
}

void proc_look(int fd, const struct stat *st, struct proc_file *file)
{
    char name[PATH_MAX], parts[PATH_MAX], at[PROC_AT];

    memset(file, 0, sizeof(*file));
    if (fd_path(fd, name) > 0) {
        forget_end(name);
        memcpy(parts, name, strlen(name) + 1);
        proc_take_apart(parts, file);
    }
    (void)snprintf(at, sizeof(at), *file->entry ? "%s/%s/%s" : "%s/%s", file->folder, file->last,
                   file->entry);
    file->is_ours = file->pid && is_at(at, st);
    if (!file->is_ours && S_ISREG(st->st_mode)) {
        file->pid = 0;
        file->is_other = is_other(name, st);
        if (!file->is_other) {
            look_for_own(st, file);
        }
        file->is_ours = file->pid;
    }
}

/*
 * Whether the file's process runs km; `unknown` where the host does not say, such as to who shares
 * the process's memory but not its user namespace. What has ended runs nothing: of a process whose
 * first thread has, others may still run, so that it is km's as far as is known.
 */
static bool runs_km(const struct proc_file *file, bool unknown)
{
    char exe[PROC_AT];
    struct stat st;

    if (file->pid == proc_self()) {
        return true;
    }
    (void)snprintf(exe, sizeof(exe), "%s/exe", file->folder);
    return fstatat(pin_proc(), exe, &st, 0) == 0 ? self_is_file(&st) : errno == ENOENT || unknown;
}

bool proc_is_monitors(const struct proc_file *file)
{
    return file->is_ours && runs_km(file, false);
}

/* ---- what a process in a VM has there of its monitor's ---- */

/* Whether what is open there is a list of mappings, or a folder of descriptors, that the monitor
 * has opened for itself: a payload has a copy in the place of such a list. */
static bool is_monitors_list(char *path, bool is_number_of_ours)
{
    struct proc_file of = {0};

    proc_take_apart(path, &of);
    of.is_ours = of.pid && !*of.entry &&
                 (strcmp(of.last, "fd") != 0 ? proc_is_rewritten(&of) : is_number_of_ours);
    return proc_is_monitors(&of);
}

/* Whether a descriptor that leads to `path`, at a number of monitors, is what one of them holds:
 * its program, which nobody shall write to, and its working folder; pin.c's. */
static bool is_held(const struct proc_file *file, const char *path)
{
    char program[PATH_MAX], link[PROC_AT];
    ssize_t n;

    if (!strcmp(path, "/proc") || !strcmp(path, "/") ||
        (proc_program(file, program) && !strcmp(path, program))) {
        return true;
    }
    (void)snprintf(link, sizeof(link), "%s/cwd", file->folder);
    n = readlinkat(pin_proc(), link, program, sizeof(program) - 1);
    program[n < 0 ? 0 : n] = 0;
    return !strcmp(path, program);
}

/* Whether descriptor `name` of another process that this monitor runs is that monitor's. */
static bool is_monitors_descriptor(const struct proc_file *file, const char *name)
{
    bool is_number_of_ours = fd_may_be_hidden(strtoul(name, NULL, 10));
    char link[PROC_AT], to[PATH_MAX];
    struct stat st;
    ssize_t n;

    (void)snprintf(link, sizeof(link), "%s/fd/%.20s", file->folder, name);
    n = readlinkat(pin_proc(), link, to, sizeof(to) - 1);
    to[n < 0 ? 0 : n] = 0;
    if (is_number_of_ours && is_held(file, to)) {
        return true;
    }
    return !strncmp(to, "anon_inode:kvm-", 15) ||
           (fstatat(pin_proc(), link, &st, 0) == 0 && (self_is_file(&st) || proc_is_kvm(&st))) ||
           (*to == '/' && is_monitors_list(to, is_number_of_ours));
}

/* What is a monitor's thread its name says, also where its program is not to be seen. */
bool proc_lists_monitors(const struct proc_file *file)
{
    return file->is_ours &&
           (!strcmp(file->last, "task") || (has_entries(file->last) && proc_is_monitors(file)));
}

bool proc_is_monitors_entry(const struct proc_file *file, const char *entry)
{
    if (!strcmp(file->last, "task")) {
        return proc_is_monitors_thread(file->pid, entry);
    }
    if (!strcmp(file->last, "map_files")) {
        return strtoul(entry, NULL, 16) >= GUEST_TOP;
    }
    return file->pid == proc_self() ? fd_is_hidden(strtoul(entry, NULL, 10))
                                    : is_monitors_descriptor(file, entry);
}

unsigned long proc_count_monitors(const struct proc_file *file)
{
    char at[PROC_AT], names[2048];
    const struct dirent *entry; /* musl's has the kernel's form */
    unsigned long count = 0;
    ssize_t n;
    int fd;

    (void)snprintf(at, sizeof(at), "%s/%s", file->folder, file->last);
    fd = openat(pin_proc(), at, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    while (fd >= 0 && (n = syscall(__NR_getdents64, fd, names, sizeof(names))) > 0) {
        for (ssize_t next = 0; next < n; next += entry->d_reclen) {
            entry = (const struct dirent *)(names + next);
            count += *entry->d_name != '.' && proc_is_monitors_entry(file, entry->d_name);
        }
    }
    if (fd >= 0) {
        (void)close(fd);
    }
    return count;
}

bool proc_is_hidden(const struct proc_file *file)
{
    return *file->entry && proc_is_monitors(file) && proc_is_monitors_entry(file, file->entry);
}

/* ---- what a payload may open ---- */

/* Whether this is /dev/kvm, also where /proc/self/fd leads to it: major 10, minor 232. */
bool proc_is_kvm(const struct stat *st)
{
    return S_ISCHR(st->st_mode) && st->st_rdev == makedev(10, 232);
}

/* Whether it is of KVM: what the kernel calls such a descriptor is not the payload's to choose. */
static bool is_kvms(int fd, const struct stat *st)
{
    char name[PATH_MAX];

    return !(st->st_mode & S_IFMT) && fd_path(fd, name) > 0 &&
           !strncmp(name, "anon_inode:kvm-", 15);
}

/* Of a process only PID/mem is of mode 0600, which cannot be changed. */
int64_t proc_judge(int fd, const struct stat *st, struct proc_file *file)
{
    bool shows_memory;

    file->last[0] = 0;
    if (proc_is_kvm(st)) {
        return -EACCES;
    }
    if (is_kvms(fd, st)) {
        return -ENOENT; /* a descriptor of the monitor, by its name below /proc */
    }
    if (!(S_ISREG(st->st_mode) || S_ISLNK(st->st_mode)) || major(st->st_dev) ||
        !(pin_is_on_proc(st) || proc_has(fd))) {
        return 0;
    }
    proc_look(fd, st, file);
    if (file->is_other) {
        file->last[0] = 0;
        return 0;
    }
    if (S_ISREG(st->st_mode) && (st->st_mode & 0777) == 0600) {
        return -EACCES;
    }
    if (proc_is_hidden(file) || (!file->pid && number_of(file->last))) {
        return -ENOENT; /* or the root is a folder of descriptors: nobody knows whose this is */
    }
    shows_memory = is_one_of(file->last, OF_MEMORY) || !strcmp(file->last, "pagemap") ||
                   !*file->last; /* its name is longer than the kernel tells */
    if (file->is_ours && proc_is_monitors(file) && proc_is_rewritten(file)) {
        return 0;
    }
    if (file->is_ours && !runs_km(file, true)) {
        shows_memory = false;
    }
    file->last[0] = 0; /* else of another /proc, whose processes are not known here */
    return shows_memory ? -EACCES : 0;
}

bool proc_gives(int fd, const struct stat *st)
{
    struct proc_file file;

    return proc_judge(fd, st, &file) == 0 && !*file.last;
}
