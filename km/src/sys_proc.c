// SPDX-License-Identifier: Apache-2.0
/*
 * sys_proc.c: /proc, where the host shows the monitor: the calls that meet it.
 *
 * /proc/PID/mem would be a door into the monitor's memory, under whichever name it is reached. So
 * it is not the path that is judged but what was opened. The same goes for what a payload shall
 * find elsewhere than the host has it, its own program and its mappings, for instance.
 */
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

/* A file below /proc that a descriptor is open at: FOLDER/LAST or FOLDER/task/TID/LAST. */
struct proc_file {
    pid_t pid;
    const char *last;
    char folder[PATH_MAX]; /* of the process */
    char name[PATH_MAX];
};

static bool is_on_proc(uint64_t fd)
{
    struct statfs fs;

    return fstatfs((int)fd, &fs) == 0 && fs.f_type == PROC_SUPER_MAGIC;
}

/* Where the last component of `path` begins, after its slash. */
static char *last_of(char *path)
{
    char *slash = strrchr(path, '/');

    return slash ? slash + 1 : path;
}

/* What fd is; `last` is empty when the host cannot tell, and pid 0 when it is no process's file. */
static void look_at(uint64_t fd, struct proc_file *file)
{
    char link[64], *end, *last;
    ssize_t n;

    (void)snprintf(link, sizeof(link), "/proc/self/fd/%lu", fd);
    n = readlink(link, file->name, sizeof(file->name) - 1);
    file->name[n < 0 ? 0 : n] = 0;
    file->last = last_of(file->name);
    file->pid = 0;
    memcpy(file->folder, file->name, sizeof(file->folder));
    for (int level = 0; level < 2; level++) { /* a thread's file, then a process's */
        last = last_of(file->folder);
        if (last == file->folder) {
            return;
        }
        last[-1] = 0;
        last = last_of(file->folder);
        file->pid = (pid_t)strtol(last, &end, 10);
        file->pid = *last && !*end ? file->pid : 0;
        if (level || last - file->folder < 6 || strncmp(last - 6, "/task/", 6) != 0) {
            return;
        }
        last[-1] = 0; /* .../PID/task */
    }
}

/* Whether it is a process's whose program is this monitor. */
static bool is_monitors(const struct proc_file *file)
{
    char exe[PATH_MAX + 8];

    if (file->pid == getpid()) {
        return true;
    }
    (void)snprintf(exe, sizeof(exe), "%s/exe", file->folder);
    return file->pid && program_is(exe);
}

/* ---- open ---- */

/* Let fd be a file with the text that the payload shall read. Without a descriptor to spare it
 * stays. */
static void replace(int fd, const struct proc_file *file)
{
    int flags = fcntl(fd, F_GETFL), text;

    if (flags & O_PATH || (flags & O_ACCMODE) != O_RDONLY) {
        return;
    }
    text = (int)syscall(__NR_memfd_create, file->last, MFD_CLOEXEC);
    if (text < 0) {
        return;
    }
    if (proc_write(text, fd, file->folder, file->last, file->pid) &&
        lseek(text, 0, SEEK_SET) == 0) {
        (void)dup3(text, fd, fcntl(fd, F_GETFD) & FD_CLOEXEC ? O_CLOEXEC : 0);
    }
    (void)close(text);
}

static bool is_rewritten(const char *last)
{
    return !strcmp(last, "maps") || !strcmp(last, "smaps") || !strcmp(last, "stat") ||
           !strcmp(last, "status") || !strcmp(last, "limits");
}

/* Whether this is /dev/kvm, also where /proc/self/fd leads to it: major 10, minor 232. */
static bool is_kvm(const struct stat *st)
{
    return S_ISCHR(st->st_mode) && st->st_rdev == makedev(10, 232);
}

/*
 * Whether fd, on a proc(5), is a /proc/PID/mem. Its name does not tell: it may be a mount, or be
 * found below a /proc that the payload made. Of the files of mode 0600, which cannot be changed, it
 * is the one where the end cannot be sought.
 */
static bool is_memory(int fd, const struct stat *st)
{
    return S_ISREG(st->st_mode) && (st->st_mode & 0777) == 0600 && lseek(fd, 0, SEEK_END) < 0 &&
           errno == EINVAL;
}

bool proc_may_open(int fd, const struct stat *st)
{
    struct proc_file file;

    if (is_kvm(st)) {
        return false;
    }
    if (!S_ISREG(st->st_mode) || (st->st_mode & 0777) != 0600 || !is_on_proc((uint64_t)fd)) {
        return true;
    }
    look_at((uint64_t)fd, &file); /* the others of this mode are the machine's settings */
    return strstr(file.name, "/sys/") && strcmp(file.last, "mem") != 0;
}

int64_t proc_judge(int64_t fd)
{
    struct proc_file file;

    struct stat st;
    bool on_proc;

    if (fd < 0 || fstat((int)fd, &st) < 0) {
        return fd;
    }
    on_proc = is_on_proc((uint64_t)fd);
    if (is_kvm(&st) || (on_proc && is_memory((int)fd, &st))) {
        (void)close((int)fd);
        return -EACCES;
    }
    if (!on_proc) {
        return fd;
    }
    look_at((uint64_t)fd, &file);
    if (is_rewritten(file.last) && is_monitors(&file)) {
        replace((int)fd, &file);
    }
    return fd;
}

/* ---- the program's own file ---- */

bool path_is_own_exe(const char *path)
{
    char own[32];

    (void)snprintf(own, sizeof(own), "/proc/%d/exe", getpid());
    return !strcmp(path, "/proc/self/exe") || !strcmp(path, "/proc/thread-self/exe") ||
           !strcmp(path, own);
}

bool proc_is_own_exe(uint64_t path)
{
    char text[32] = {0};

    if (guest_read(text, path, 6) < 0 || strcmp(text, "/proc/") != 0) {
        return false;
    }
    for (size_t i = 0; i < sizeof(text) - 1 && !guest_read(&text[i], path + i, 1) && text[i]; i++) {
    }
    return path_is_own_exe(text);
}

/* Read FOLDER/NAME by lines up to the one that `take` wants. */
static void find_line(const char *folder, const char *name,
                      bool (*take)(const char *line, uint64_t *start, char *path), uint64_t *start,
                      char *path)
{
    char line[PATH_MAX + 128];
    FILE *file;

    (void)snprintf(line, sizeof(line), "%s/%s", folder, name);
    file = fopen(line, "re");
    while (file && fgets(line, sizeof(line), file)) {
        if (take(line, start, path)) {
            break;
        }
    }
    if (file) {
        (void)fclose(file);
    }
}

/* Of /proc/PID/stat the field startcode, the 26th. */
static bool take_start(const char *line, uint64_t *start, char *path)
{
    const char *field = strrchr(line, ')');

    (void)path;
    for (int i = 2; field && i < 26; i++) {
        field = strchr(field + 1, ' ');
    }
    *start = field ? strtoul(field, NULL, 10) : 0;
    return true;
}

/* Of /proc/PID/maps the file that is mapped at *start. */
static bool take_path(const char *line, uint64_t *start, char *path)
{
    const char *name = strchr(line, '/');

    if (!name || strtoul(line, NULL, 16) != *start) {
        return false;
    }
    (void)snprintf(path, PATH_MAX, "%.*s", (int)strcspn(name, "\n"), name);
    return true;
}

/*
 * The program of another process that this monitor runs: the file that is mapped where its code
 * starts, as stack.c has told the host. False when it cannot be told.
 */
static bool exe_of(const char *folder, char path[PATH_MAX])
{
    uint64_t start = 0;

    *path = 0;
    find_line(folder, "stat", take_start, &start, NULL);
    if (start && start < GUEST_TOP) {
        find_line(folder, "maps", take_path, &start, path);
    }
    return *path;
}

/* Whether `link` is the name of the monitor's own file, or its first `n` bytes. */
static bool shows_monitor(const char *link, size_t n)
{
    static char own[PATH_MAX];
    char shown[PATH_MAX];

    if (!*own) {
        ssize_t length = readlink("/proc/self/exe", shown, sizeof(shown) - 1);

        shown[length < 0 ? 0 : length] = 0;
        memcpy(own, shown, sizeof(own));
    }
    return n <= strlen(own) && !memcmp(link, own, n);
}

/* The link that the path is: if a process's `exe`, the program that runs there in a VM. */
static bool find_program(uint64_t dirfd, uint64_t path, char program[PATH_MAX])
{
    uint64_t args[6] = {dirfd, path, O_PATH | O_NOFOLLOW | O_CLOEXEC};
    int64_t fd = host_syscall(__NR_openat, args);
    struct proc_file file = {0};
    bool found = false;

    if (fd < 0) {
        return false;
    }
    if (is_on_proc((uint64_t)fd)) {
        look_at((uint64_t)fd, &file);
    }
    (void)close((int)fd);
    if (file.pid && !strcmp(file.last, "exe") && is_monitors(&file)) {
        found = file.pid == getpid() ? snprintf(program, PATH_MAX, "%s", image.path) > 0
                                     : exe_of(file.folder, program);
    }
    return found;
}

/* The answer is read here, so that the payload never has the monitor's name in its buffer. */
static int64_t readlink_at(uint64_t dirfd, uint64_t path, uint64_t buf, uint64_t size)
{
    char link[PATH_MAX], program[PATH_MAX]; /* no link is longer */
    int room = (int)size < (int)sizeof(link) ? (int)size : (int)sizeof(link);
    uint64_t args[6] = {dirfd, path, (uint64_t)link, (uint64_t)room};
    int64_t n = host_syscall(__NR_readlinkat, args);
    const char *shown = link;
    size_t length;

    if (n <= 0) {
        return n;
    }
    if (shows_monitor(link, (size_t)n) && find_program(dirfd, path, program)) {
        shown = program;
        length = strlen(program);
        n = length < (size_t)room ? (int64_t)length : room;
    }
    return guest_write(buf, shown, (uint64_t)n) < 0 ? -EFAULT : n;
}

/* ssize_t readlink(const char *pathname, char *buf, int bufsiz) */
HANDLER(readlink)
{
    (void)vcpu;
    return readlink_at((uint64_t)AT_FDCWD, args[0], args[1], args[2]);
}

/* ssize_t readlinkat(int dirfd, const char *pathname, char *buf, int bufsiz) */
HANDLER(readlinkat)
{
    (void)vcpu;
    return readlink_at(args[0], args[1], args[2], args[3]);
}

/* ---- directories ---- */

/* What struct linux_dirent and linux_dirent64 begin with; in this one a type follows, then the
 * name.
 */
struct entry {
    uint64_t inode, offset;
    uint16_t length;
} __attribute__((packed));

/* Whether descriptor `name` of another process that this monitor runs is that monitor's. */
static bool is_monitors_descriptor(const char *folder, const char *name)
{
    char link[PATH_MAX + 32], to[PATH_MAX];
    ssize_t n;

    (void)snprintf(link, sizeof(link), "%s/fd/%s", folder, name);
    n = readlink(link, to, sizeof(to) - 1);
    to[n < 0 ? 0 : n] = 0;
    if (!strcmp(to, "/proc")) { /* pin.c's, which stands about where this monitor's does */
        return fd_is_hidden(strtoul(name, NULL, 10));
    }
    return !strncmp(to, "anon_inode:kvm-", 15) || !strcmp(to, "/dev/kvm") || program_is(link);
}

/* Whether the payload shall see this entry of a process's folder. */
static bool is_shown(const struct proc_file *of, const char *name)
{
    if (*name == '.') {
        return true;
    }
    if (!strcmp(of->last, "task")) {
        return !proc_is_monitors_thread(of->folder, name);
    }
    return of->pid == getpid() ? !fd_is_hidden(strtoul(name, NULL, 10))
                               : !is_monitors_descriptor(of->folder, name);
}

/* Whether fd is a folder where something of the monitor is listed. */
static bool lists_monitors(uint64_t fd, struct proc_file *file)
{
    if (!is_on_proc(fd)) {
        return false;
    }
    look_at(fd, file);
    return (!strcmp(file->last, "fd") || !strcmp(file->last, "fdinfo") ||
            !strcmp(file->last, "task")) &&
           is_monitors(file);
}

/* The entries that the call `number` lists, whose names are behind `head` bytes, without what is
 * the monitor's. */
static int64_t list(struct vcpu *vcpu, uint64_t number, const uint64_t *args, size_t head)
{
    uint64_t count = (uint32_t)args[2]; /* as the kernel takes it */
    uint64_t with_copy[6] = {args[0], (uint64_t)vcpu->scratch,
                             count < SCRATCH_SIZE ? count : SCRATCH_SIZE};
    unsigned char *from = vcpu->scratch, *to = from;
    struct proc_file file;
    int64_t left;

    if (!lists_monitors(args[0], &file)) {
        return host_syscall(number, args);
    }
    left = host_syscall(number, with_copy);
    while (left > 0) {
        struct entry entry;

        memcpy(&entry, from, sizeof(entry));
        left -= entry.length;
        if (is_shown(&file, (const char *)from + head)) {
            memmove(to, from, entry.length);
            to += entry.length;
        }
        from += entry.length;
    }
    if (left < 0) {
        return left;
    }
    return guest_write(args[1], vcpu->scratch, (uint64_t)(to - vcpu->scratch)) < 0
               ? -EFAULT
               : to - vcpu->scratch;
}

/* int getdents(unsigned fd, struct linux_dirent *dirp, unsigned count) */
HANDLER(getdents)
{
    return list(vcpu, __NR_getdents, args, sizeof(struct entry));
}

/* ssize_t getdents64(int fd, void *dirp, size_t count) */
HANDLER(getdents64)
{
    return list(vcpu, __NR_getdents64, args, sizeof(struct entry) + 1);
}
