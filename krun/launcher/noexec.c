// SPDX-License-Identifier: Apache-2.0
/*
 * noexec.c: krun as the hook that makes a container's root, and every mount below it, noexec and
 * private, but for programs of the host's. A backend runs it when all mounts are made and the
 * container is not yet entered:
 *
 *   krun-noexec [--outside] [--read-only] [--folder PATH]... [--seal-memory] ROOT [PROGRAM...]
 *
 * ROOT is a path of the host, a PROGRAM one of the container. With --outside the hook begins in the
 * host's namespaces and enters the mounts of the container's process, whose state it reads from
 * standard input. --read-only makes the root itself read-only too; the backend's own remount would
 * come later and drop noexec. A --folder is made before that, as the container's root, where the
 * backend would make it later. --seal-memory says that the container has a pid namespace of its
 * own, in which no file in memory shall be executable.
 */
#include "noexec.h"
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <sched.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

/* What linux/mount.h and linux/openat2.h have, which not every libc has beside sys/mount.h. */
#define NR_MOUNT_SETATTR 442
#define NR_OPENAT2 437
#define ATTR_RDONLY 0x1
#define ATTR_NOEXEC 0x8
#define RESOLVE_IN_ROOT 0x10
#define AT_RECURSIVE 0x8000
#define NO_SYMFOLLOW 256 /* MS_NOSYMFOLLOW */

#define MOST_PROGRAMS 64
#define MOST_FOLDERS 2
#define FOLDER_MODE 0755 /* as both backends make them */
#define MEMFD_NOEXEC "/proc/sys/vm/memfd_noexec"
#define STATE_HEAD                                                                                 \
    8192 /* bytes of the state in which the process is: before it is the ID alone                  \
          */

struct attributes {
    uint64_t set, clear, propagation, users;
};

struct how {
    uint64_t flags, mode, resolve;
};

static struct hook {
    const char *root;
    char **programs; /* ends in NULL */
    char *folders[MOST_FOLDERS + 1];
    bool outside, read_only, seal_memory;
} hook;

_Noreturn static void fail(const char *what, const char *which)
{
    (void)fprintf(stderr,
                  "krun-noexec: cannot %s %s: %s.\n"
                  "To fix: look at the mounts of the container; krun starts none in which files of "
                  "the image can be executed.\n",
                  what, which, strerror(errno));
    exit(1);
}

/* Read the container's state to its end, or crun sometimes fails; return its process, 0 if none. */
static long read_state(void)
{
    char head[STATE_HEAD], rest[STATE_HEAD], *pid;
    size_t length = fread(head, 1, sizeof(head) - 1, stdin);

    head[length] = '\0';
    while (fread(rest, 1, sizeof(rest), stdin) > 0) {
    }
    /* Text in the state has its quotes escaped, so that this is the key itself. */
    pid = strstr(head, "\"pid\":");
    return pid ? strtol(pid + strlen("\"pid\":"), NULL, 10) : 0;
}

/* Write the level to the sysctl, which holds for the pid namespace of who writes it. */
static void seal_memory(void)
{
    struct utsname host;
    char *rest = host.release;
    unsigned long major, minor;
    int file = open(MEMFD_NOEXEC, O_WRONLY | O_CLOEXEC);

    /*
     * Linux before 6.3 has none, and a root that is none of the host's may not: then this lock is
     * not there. At level 2 Linux before 6.6 refuses a file that asks for nothing, and lets through
     * one that asks to be executable.
     */
    if (file < 0 || uname(&host) != 0) {
        return;
    }
    major = strtoul(rest, &rest, 10);
    minor = *rest == '.' ? strtoul(rest + 1, NULL, 10) : 0;
    (void)!write(file, major > 6 || (major == 6 && minor >= 6) ? "2" : "1", 1);
    (void)close(file);
}

/* Seal the memory of a process's pid namespace, which only a child of who enters it is in. */
static void seal_memory_of(int pids)
{
    int status;
    pid_t child;

    if (setns(pids, CLONE_NEWPID) != 0) {
        fail("enter", "the container's pid namespace");
    }
    child = fork();
    if (child == 0) {
        seal_memory();
        _exit(0);
    }
    if (child < 0 || waitpid(child, &status, 0) != child) {
        fail("start a process in", "the container's pid namespace");
    }
}

static int open_namespace(long pid, const char *name)
{
    char path[64];
    int fd;

    (void)snprintf(path, sizeof(path), "/proc/%ld/ns/%s", pid, name);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        fail("open", path);
    }
    return fd;
}

/* Open what is at a path of the container; a link of the image leads to no file of the host. */
static int open_below(int root, const char *path, uint64_t flags)
{
    struct how how = {.flags = flags | O_PATH | O_CLOEXEC, .resolve = RESOLVE_IN_ROOT};

    return (int)syscall(NR_OPENAT2, root, path, &how, sizeof(how));
}

/* Make a folder of the container, with those above it. Of one that cannot be the backend tells. */
static void make_folder(int root, char *path)
{
    int above = dup(root);

    for (char *end = path; above >= 0 && *end;) {
        char *name = end + strspn(end, "/"), kept;
        int found;

        end = name + strcspn(name, "/");
        kept = *end;
        *end = '\0';
        found = open_below(root, path, O_DIRECTORY);
        if (found < 0 && errno == ENOENT && mkdirat(above, name, FOLDER_MODE) == 0) {
            found = open_below(root, path, O_DIRECTORY);
        }
        *end = kept;
        (void)close(above);
        above = found;
    }
    (void)close(above);
}

static void make_folders(void)
{
    int root = open(hook.root, O_PATH | O_DIRECTORY | O_CLOEXEC);

    for (char **folder = hook.folders; root >= 0 && *folder; folder++) {
        make_folder(root, *folder);
    }
    (void)close(root);
}

/* Become the root of a container's users; EINVAL says that the container has none of its own. */
static bool become_root_of(int users)
{
    if (setns(users, CLONE_NEWUSER) != 0) {
        return errno == EINVAL;
    }
    return setgroups(0, NULL) == 0 && setgid(0) == 0 && setuid(0) == 0;
}

/* Likewise, as the root of a container's users: where that may not write, the hook does not. */
static void make_folders_as(int users)
{
    int status;
    pid_t child = fork();

    if (child == 0) {
        if (become_root_of(users)) {
            make_folders();
        }
        _exit(0);
    }
    if (child < 0 || waitpid(child, &status, 0) != child) {
        fail("start a process in", "the container's user namespace");
    }
}

/* Enter the mounts of the container's process. */
static void enter(long pid)
{
    int mounts, users;

    if (pid <= 0) {
        errno = ESRCH;
        fail("find the process of the container in", "its state");
    }
    mounts = open_namespace(pid, "mnt");
    users = open_namespace(pid, "user");
    if (hook.seal_memory) {
        seal_memory_of(open_namespace(pid, "pid"));
    }
    if (setns(mounts, CLONE_NEWNS) != 0) {
        fail("enter", "the container's mounts");
    }
    if (hook.folders[0]) {
        make_folders_as(users);
    }
}

static int set(int fd, const char *path, unsigned flags, struct attributes attributes)
{
    return (int)syscall(NR_MOUNT_SETATTR, fd, path, flags, &attributes, sizeof(attributes));
}

/* Do it by two calls for all mounts; false where Linux is older than 5.12. */
static bool restrict_tree(void)
{
    int root = open(hook.root, O_PATH | O_DIRECTORY | O_CLOEXEC), programs[MOST_PROGRAMS];
    struct statvfs before;
    size_t count = 0;

    if (root < 0) {
        fail("open", hook.root);
    }
    for (; hook.programs[count]; count++) {
        programs[count] = open_below(root, hook.programs[count], 0);
        if (programs[count] < 0 && errno == ENOSYS) {
            return false;
        }
        if (programs[count] < 0 || fstatvfs(programs[count], &before) != 0 ||
            (before.f_flag & ST_NOEXEC)) {
            errno = programs[count] < 0 ? errno : EACCES;
            fail("execute", hook.programs[count]);
        }
    }
    if (set(root, "", AT_EMPTY_PATH | AT_RECURSIVE,
            (struct attributes){.set = ATTR_NOEXEC, .propagation = MS_PRIVATE}) != 0) {
        return false; /* what comes instead fails where this would for another reason */
    }
    for (size_t i = 0; i < count; i++) {
        if (set(programs[i], "", AT_EMPTY_PATH, (struct attributes){.clear = ATTR_NOEXEC}) != 0) {
            fail("keep executable", hook.programs[i]);
        }
    }
    if (hook.read_only &&
        set(root, "", AT_EMPTY_PATH, (struct attributes){.set = ATTR_RDONLY}) != 0) {
        fail("make read-only", hook.root);
    }
    return true;
}

/* Undo the escapes of proc_pid_mountinfo(5), in place. */
static void unescape(char *text)
{
    char *to = text;

    for (; *text; text++) {
        if (text[0] == '\\' && isdigit(text[1]) && isdigit(text[2]) && isdigit(text[3])) {
            *to++ = (char)((text[1] - '0') * 64 + (text[2] - '0') * 8 + (text[3] - '0'));
            text += 3;
        } else {
            *to++ = *text;
        }
    }
    *to = '\0';
}

static bool has_word(const char *list, const char *word)
{
    size_t length = strlen(word);

    for (const char *at = list; at; at = strchr(at, ',')) {
        at += *at == ',';
        if (strncmp(at, word, length) == 0 && (!at[length] || at[length] == ',')) {
            return true;
        }
    }
    return false;
}

/* The flags that a remount has to name, or it drops them; the time of access stays by itself. */
static unsigned long flags_of(const char *options)
{
    static const struct {
        const char *word;
        unsigned long flag;
    } known[] = {{"ro", MS_RDONLY},
                 {"nosuid", MS_NOSUID},
                 {"nodev", MS_NODEV},
                 {"nosymfollow", NO_SYMFOLLOW}};
    unsigned long flags = MS_REMOUNT | MS_BIND | MS_NOEXEC;

    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        flags |= has_word(options, known[i].word) ? known[i].flag : 0;
    }
    return flags;
}

/* Whether a mount at a path of the host is that of a program. */
static bool is_program(const char *below_root)
{
    for (char **program = hook.programs; *program; program++) {
        if (strcmp(below_root, *program) == 0) {
            return true;
        }
    }
    return false;
}

/* Make one mount noexec, if it is the root or below it; return whether it is the root. */
static bool restrict_mount(const char *root, char *line)
{
    char *options = line, *place;
    size_t length = strcmp(root, "/") == 0 ? 0 : strlen(root);
    unsigned long flags;

    for (int field = 0; field < 4 && options; field++) { /* before the place: numbers and a root */
        options = strchr(options, ' ');
        options = options ? options + 1 : NULL;
    }
    place = strsep(&options, " ");
    if (!place || !options) {
        return false;
    }
    unescape(place);
    if (strncmp(place, root, length) != 0 || (place[length] && place[length] != '/') ||
        is_program(place + length)) {
        return false;
    }
    options[strcspn(options, " ")] = '\0';
    flags = flags_of(options) | (hook.read_only && !place[length] ? MS_RDONLY : 0);
    /* One that lies hidden under another cannot be named: not here, and not by a payload. */
    if (mount(NULL, place, NULL, flags, NULL) != 0 && errno != EINVAL && errno != ENOENT &&
        errno != ENOTDIR) {
        fail("make noexec", place);
    }
    return !place[length];
}

/* Do it mount by mount; of several at one place the last one is on top. */
static void restrict_mounts(void)
{
    bool found = false;
    char root[PATH_MAX], *line = NULL;
    size_t size = 0;
    FILE *table = fopen("/proc/self/mountinfo", "re");

    if (!table || !realpath(hook.root, root)) {
        fail("look for the mounts of", hook.root);
    }
    if (mount(NULL, root, NULL, MS_REC | MS_PRIVATE, NULL) != 0) {
        fail("make private", root);
    }
    while (getline(&line, &size, table) > 0) {
        found |= restrict_mount(root, line);
    }
    if (!found) {
        errno = EINVAL;
        fail("find the mount of", root);
    }
    free(line);
    (void)fclose(table);
}

static bool take_words(int argc, char **argv)
{
    int at = 1, folders = 0;

    for (; at < argc && argv[at][0] == '-'; at++) {
        if (strcmp(argv[at], "--folder") == 0) {
            if (++at >= argc || folders == MOST_FOLDERS) {
                return false;
            }
            hook.folders[folders++] = argv[at];
            continue;
        }
        hook.outside |= strcmp(argv[at], "--outside") == 0;
        hook.read_only |= strcmp(argv[at], "--read-only") == 0;
        hook.seal_memory |= strcmp(argv[at], "--seal-memory") == 0;
    }
    if (at >= argc || argc - at - 1 > MOST_PROGRAMS) {
        return false;
    }
    hook.root = argv[at];
    hook.programs = argv + at + 1;
    return true;
}

int krun_noexec(int argc, char **argv)
{
    long pid = read_state();

    if (!take_words(argc, argv)) {
        errno = EINVAL;
        fail("understand", "its command line");
    }
    if (hook.outside) {
        enter(pid);
    } else {
        if (hook.seal_memory) {
            seal_memory();
        }
        make_folders();
    }
    if (!restrict_tree()) {
        restrict_mounts();
    }
    return 0;
}
