// SPDX-License-Identifier: Apache-2.0
/*
 * sys_proc.c: /proc, where the host shows the monitor: the calls that read its links and list its
 * folders.
 */
#include "base/base.h"
#include "calls/calls.h"
#include "calls/fd_kind.h"
#include "calls/handlers.h"
#include "calls/proc.h"
#include "machine/machine.h"
#include "memory/memory.h"
#include "program/program.h"

#include <asm/unistd.h>
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

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

bool program_is(const struct stat *st)
{
    struct stat own;

    return stat(image.path, &own) == 0 && own.st_dev == st->st_dev && own.st_ino == st->st_ino;
}

/* Read file `name` of the process by lines up to the one that `take` wants. */
static void find_line(pid_t pid, const char *name,
                      bool (*take)(const char *line, uint64_t *start, char *path), uint64_t *start,
                      char *path)
{
    char line[PATH_MAX + 128];
    FILE *file;

    (void)snprintf(line, sizeof(line), "%d/%s", pid, name);
    file = proc_open(line);
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
static bool exe_of(pid_t pid, char path[PATH_MAX])
{
    uint64_t start = 0;

    *path = 0;
    find_line(pid, "stat", take_start, &start, NULL);
    if (start && start < GUEST_TOP) {
        find_line(pid, "maps", take_path, &start, path);
    }
    return *path;
}

/* Whether `link` is the name of the monitor's own file, or its first `n` bytes. */
static bool shows_monitor(const char *link, size_t n)
{
    static char own[PATH_MAX];
    char shown[PATH_MAX];

    if (!*own) {
        ssize_t length = readlinkat(pin_proc(), "self/exe", shown, sizeof(shown) - 1);

        shown[length < 0 ? 0 : length] = 0;
        memcpy(own, shown, sizeof(own));
    }
    return n <= strlen(own) && !memcmp(link, own, n);
}

bool proc_program(const struct proc_file *file, char program[PATH_MAX])
{
    return file->pid == proc_self() ? snprintf(program, PATH_MAX, "%s", image.path) > 0
                                    : exe_of(file->pid, program);
}

bool proc_look_at_link(struct vcpu *vcpu, uint64_t dirfd, uint64_t path, struct proc_file *file)
{
    uint64_t args[6] = {dirfd, path, O_PATH | O_NOFOLLOW | O_CLOEXEC};
    int64_t fd = host_syscall(__NR_openat, args);
    struct stat st;
    bool found = false;

    if (fd < 0) {
        return false;
    }
    if (pin_set(vcpu, (int)fd) == 0) {
        if (proc_has(vcpu->pin) && fstat(vcpu->pin, &st) == 0) {
            proc_look(vcpu->pin, &st, file);
            found = proc_is_monitors(file);
        }
        pin_clear(vcpu);
    }
    (void)close((int)fd);
    return found;
}

bool proc_may_be_entry(uint64_t path)
{
    char piece[GUEST_PIECE] = "", first = 0;
    bool begins = true, ends = false;

    for (uint64_t done = 0, size; !ends && done < PATH_MAX; done += size) {
        size = guest_read_piece(piece, path + done);
        ends = !size;
        for (uint64_t i = 0; i < size && !ends; i++) {
            ends = !piece[i];
            first = begins && !ends && piece[i] != '/' ? piece[i] : first;
            begins = piece[i] == '/';
        }
    }
    return !first || isxdigit((unsigned char)first);
}

bool proc_path_begins_there(uint64_t dirfd, uint64_t path)
{
    char start[7] = "";
    struct statfs fs;

    (void)guest_read(start, path, sizeof(start) - 1);
    if (*start == '/') {
        return !strcmp(start, "/proc/");
    }
    return (int)dirfd == AT_FDCWD ? statfs(".", &fs) == 0 && fs.f_type == PROC_SUPER_MAGIC
                                  : proc_has((int)dirfd);
}

bool proc_path_is_hidden(struct vcpu *vcpu, uint64_t dirfd, uint64_t path)
{
    struct proc_file file = {0};

    return proc_may_be_entry(path) && proc_path_begins_there(dirfd, path) &&
           proc_look_at_link(vcpu, dirfd, path, &file) && proc_is_hidden(&file);
}

/* Whether the link `path`, which leads to `link`, may be one of the monitor's descriptors or
 * mappings, which lead to no relative path. */
static bool may_be_hidden(uint64_t path, const char *link)
{
    return (*link == '/' || strchr(link, ':')) && proc_may_be_entry(path);
}

#define GONE " (deleted)"

/* The answer is read here, so that the payload never has the monitor's name in its buffer. */
static int64_t readlink_at(struct vcpu *vcpu, uint64_t dirfd, uint64_t path, uint64_t buf,
                           uint64_t size)
{
    char link[PATH_MAX + 1] = "", program[PATH_MAX]; /* no link is longer */
    int room = (int)size;
    uint64_t args[6] = {dirfd, path, (uint64_t)link, room > 0 ? PATH_MAX : 0};
    int64_t n = host_syscall(__NR_readlinkat, args);
    const char *shown = link;
    struct proc_file file = {0};

    if (n <= 0) {
        return n;
    }
    if ((shows_monitor(link, (size_t)n) || may_be_hidden(path, link)) &&
        proc_look_at_link(vcpu, dirfd, path, &file)) {
        if (proc_is_hidden(&file)) {
            return -ENOENT;
        }
        if (!strcmp(file.last, "exe") && proc_program(&file, program)) {
            shown = program;
            n = (int64_t)strlen(program);
        } else if (!strcmp(file.last, "fd") && proc_copy_name(link)) {
            link[n - (int64_t)strlen(GONE)] = 0; /* the kernel says so of each file in memory */
            shown = proc_copy_name(link);
            n = (int64_t)strlen(shown);
        }
    }
    n = n < room ? n : room;
    return guest_write(buf, shown, (uint64_t)n) < 0 ? -EFAULT : n;
}

/* ssize_t readlink(const char *pathname, char *buf, int bufsiz) */
HANDLER(readlink)
{
    return readlink_at(vcpu, (uint64_t)AT_FDCWD, args[0], args[1], args[2]);
}

/* ssize_t readlinkat(int dirfd, const char *pathname, char *buf, int bufsiz) */
HANDLER(readlinkat)
{
    return readlink_at(vcpu, args[0], args[1], args[2], args[3]);
}

/* ---- directories ---- */

/* What struct linux_dirent and linux_dirent64 begin with; in this one a type follows, then the
 * name.
 */
struct entry {
    uint64_t inode, offset;
    uint16_t length;
} __attribute__((packed));

/* Whether fd is a folder where something of the monitor is listed. */
static bool lists_monitors(int fd, struct proc_file *file)
{
    struct stat st;

    if (!proc_has(fd) || fstat(fd, &st) < 0) {
        return false;
    }
    proc_look(fd, &st, file);
    return !*file->entry && proc_lists_monitors(file);
}

/* The entries that the call `number` lists, whose names are behind `head` bytes, without what is
 * the monitor's. */
static int64_t list_shown(struct vcpu *vcpu, uint64_t number, const uint64_t *args, size_t head,
                          int fd, const struct proc_file *file)
{
    uint64_t count = (uint32_t)args[2]; /* as the kernel takes it */
    uint64_t with_copy[6] = {(uint64_t)fd, (uint64_t)vcpu->scratch,
                             count < SCRATCH_SIZE ? count : SCRATCH_SIZE};
    unsigned char *from = vcpu->scratch, *to = from;
    int64_t left = host_syscall(number, with_copy);

    while (left > 0) {
        struct entry entry;

        memcpy(&entry, from, sizeof(entry));
        left -= entry.length;
        const char *name = (const char *)from + head;

        if (*name == '.' || !proc_is_monitors_entry(file, name)) {
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

static int64_t list(struct vcpu *vcpu, uint64_t number, const uint64_t *args, size_t head)
{
    uint64_t pinned[6] = {0, args[1], args[2]};
    struct proc_file file;
    int64_t result;

    if (fd_kind(vcpu, args[0]) == IS_AT_ONCE) { /* of none of a proc(5) */
        return host_syscall(number, args);
    }
    if (fcntl((int)args[0], F_GETFD) < 0) {
        return -EBADF;
    }
    result = pin_set(vcpu, (int)args[0]); /* nobody can put another folder in its place */
    if (result < 0) {
        return result;
    }
    pinned[0] = (uint64_t)vcpu->pin;
    result = lists_monitors(vcpu->pin, &file)
                 ? list_shown(vcpu, number, args, head, vcpu->pin, &file)
                 : host_syscall(number, pinned);
    pin_clear(vcpu);
    return result;
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
