// SPDX-License-Identifier: Apache-2.0
/*
 * Asks for all that /proc tells of a process besides the text of its files, by each way to a file:
 * of itself, of a thread, and of another process. A number that differs from run to run is shown as
 * whether it agrees with another call's.
 */
#include "payload.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/fs.h>
#include <linux/magic.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/uio.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <sys/xattr.h>

static pid_t other;

/* struct statx of linux/stat.h, which not every C library has. */
struct facts {
    uint32_t mask, block_size;
    uint64_t attributes;
    uint32_t links, uid, gid;
    uint16_t mode, pad;
    uint64_t inode, size, more[10];
    uint32_t of_major, of_minor, major, minor;
    uint64_t spare[14];
};

static long ask(int fd, const char *path, int flags, struct facts *facts)
{
    return syscall(SYS_statx, fd, path, flags, 0x7ff, facts);
}

/* ---- what is shown ---- */

/* A path with names for the numbers of processes and threads. */
static void show_path(const char *path)
{
    for (const char *at = path; *at; at++) {
        char *end;
        long number = *at >= '0' && *at <= '9' ? strtol(at, &end, 10) : 0;

        if (number == getpid() || number == gettid()) {
            printf("SELF");
            at = end - 1;
        } else if (number && number == other) {
            printf("OTHER");
            at = end - 1;
        } else {
            putchar(*at);
        }
    }
}

static const char *result_of(long result)
{
    static char text[64];

    (void)snprintf(text, sizeof(text), result < 0 ? "error %ld" : "%ld",
                   result < 0 ? (long)errno : result);
    return text;
}

static bool same(const struct stat *one, const struct stat *two)
{
    return one->st_dev == two->st_dev && one->st_ino == two->st_ino &&
           one->st_mode == two->st_mode && one->st_nlink == two->st_nlink &&
           one->st_uid == two->st_uid && one->st_gid == two->st_gid &&
           one->st_size == two->st_size && one->st_blocks == two->st_blocks &&
           one->st_blksize == two->st_blksize && one->st_mtime == two->st_mtime &&
           one->st_ctime == two->st_ctime && one->st_rdev == two->st_rdev;
}

static bool same_x(const struct facts *x, const struct stat *st)
{
    return makedev(x->major, x->minor) == st->st_dev && x->inode == st->st_ino &&
           x->mode == st->st_mode && x->links == st->st_nlink && x->uid == st->st_uid &&
           x->gid == st->st_gid && (off_t)x->size == st->st_size &&
           (blksize_t)x->block_size == st->st_blksize;
}

static void show_stat(const char *how, const struct stat *st)
{
    struct stat root;

    CHECK(stat("/proc", &root) == 0);
    printf("  %s: mode %o links %lu owner %d:%d size %ld blocks %ld of %ld in %s\n", how,
           st->st_mode, (unsigned long)st->st_nlink, (int)st->st_uid, (int)st->st_gid,
           (long)st->st_size, (long)st->st_blocks, (long)st->st_blksize,
           st->st_dev == root.st_dev ? "proc" : "another");
}

/* ---- a descriptor ---- */

static void show_place(int fd, const char *path)
{
    char link[64], to[PATH_MAX] = "", part[9];
    struct statfs fs = {0}, by_path = {0};

    (void)snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
    printf("  name ");
    CHECK(readlink(link, to, sizeof(to) - 1) > 0);
    show_path(to);
    CHECK(readlink(link, part, sizeof(part)) == sizeof(part));
    printf(" begins so %d", !memcmp(part, to, sizeof(part)));
    CHECK(fstatfs(fd, &fs) == 0 && statfs(link, &by_path) == 0);
    printf(" fs %lx %lx, as the path's %d\n", (unsigned long)fs.f_type,
           (unsigned long)by_path.f_type,
           statfs(path, &by_path) == 0 && by_path.f_type == fs.f_type);
}

static void show_stats(int fd, const char *path)
{
    struct stat by_fd, st;
    struct facts x;
    char link[64];

    (void)snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
    CHECK(fstat(fd, &by_fd) == 0);
    show_stat("fstat", &by_fd);
    printf("  stat %d", stat(path, &st) == 0 && same(&st, &by_fd));
    printf(" by link %d", stat(link, &st) == 0 && same(&st, &by_fd));
    printf(" fstatat %d", fstatat(fd, "", &st, AT_EMPTY_PATH) == 0 && same(&st, &by_fd));
    printf(" old %d", syscall(SYS_stat, link, &st) == 0 && same(&st, &by_fd));
    printf(" statx %d", ask(fd, "", AT_EMPTY_PATH, &x) == 0 && same_x(&x, &by_fd));
    printf(" statx by link %d\n", ask(AT_FDCWD, link, 0, &x) == 0 && same_x(&x, &by_fd));
    CHECK(lstat(link, &st) == 0);
    printf("  link of mode %o, %ld bytes\n", st.st_mode, (long)st.st_size);
}

static void show_uses(int fd)
{
    struct pollfd waited = {fd, POLLIN | POLLOUT | POLLPRI, 0};
    void *memory = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, fd, 0);

    printf("  mmap %s", result_of(memory == MAP_FAILED ? -1 : 0));
    printf(" poll %s", result_of(poll(&waited, 1, 0)));
    waited.revents &= ~(POLLERR | POLLPRI); /* somebody may mount something at any moment */
    printf(" %x write", (unsigned)waited.revents);
    printf(" %s cut", result_of(write(fd, "x", 1)));
    printf(" %s seals", result_of(ftruncate(fd, 0)));
    printf(" %s", result_of(fcntl(fd, F_GET_SEALS)));
    printf(" %s lock", result_of(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE)));
    printf(" %s flags", result_of(flock(fd, LOCK_EX | LOCK_NB)));
    printf(" %x\n", (unsigned)fcntl(fd, F_GETFL));
}

/* What is asked for beside the content. */
static void show_facts(int fd)
{
    char link[64], value[16];
    int size = 0;

    (void)snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
    printf("  fsync %s", result_of(fsync(fd)));
    printf(" %s attributes", result_of(fdatasync(fd)));
    printf(" %s", result_of(fgetxattr(fd, "user.a", value, sizeof(value))));
    printf(" %s", result_of(flistxattr(fd, value, sizeof(value))));
    printf(" %s mode", result_of(fsetxattr(fd, "user.a", "b", 1, 0)));
    printf(" %s", result_of(fchmod(fd, 0777)));
    printf(" %s run", result_of(chmod(link, 0777)));
    printf(" %s room", result_of(access(link, X_OK)));
    printf(" %s block", result_of(fallocate(fd, 0, 0, 1)));
    printf(" %s", result_of(ioctl(fd, FIGETBSZ, &size)));
    printf(" %d flags", size);
    printf(" %s direct", result_of(ioctl(fd, FS_IOC_GETFLAGS, &size)));
    printf(" %s", result_of(fcntl(fd, F_SETFL, O_DIRECT)));
    printf(" %s\n", result_of(open(link, O_RDONLY | O_DIRECT)));
}

static void show_positions(int fd)
{
    printf("  seek %s", result_of(lseek(fd, 0, SEEK_END)));
    printf(" %s", result_of(lseek(fd, 5, SEEK_SET)));
    printf(" %s", result_of(lseek(fd, 2, SEEK_CUR)));
    printf(" %s", result_of(lseek(fd, 0, SEEK_DATA)));
    printf(" %s", result_of(lseek(fd, -1, SEEK_SET)));
    printf(" %s\n", result_of(lseek(fd, 0, SEEK_SET)));
}

/* In pieces, and at a stroke; by another descriptor of the same file too. */
static void show_reading(int fd)
{
    static char whole[1 << 20], pieces[1 << 20], again[1 << 20];
    char link[64];
    ssize_t n, size = 0, all = 0;
    int second;

    (void)snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
    while ((n = pread(fd, whole + all, sizeof(whole) - (size_t)all, all)) > 0) {
        all += n;
    }
    while ((n = read(fd, pieces + size, 7)) > 0) {
        size += n;
    }
    second = open(link, O_RDONLY);
    printf("  reads %d, in pieces %d, opened again %d %d\n", all > 0,
           all == size && !memcmp(whole, pieces, (size_t)all), second >= 0,
           second >= 0 && (n = read(second, again, sizeof(again))) > 0 && again[0] == whole[0]);
    if (second >= 0) {
        show_place(second, link);
        show_stats(second, link);
        (void)close(second);
    }
}

static bool changes(const char *last)
{
    return !strcmp(last, "stat") || !strcmp(last, "schedstat") || !strcmp(last, "sched") ||
           !strcmp(last, "statm") || !strcmp(last, "io") || !strncmp(last, "smaps", 5) ||
           !strcmp(last, "arch_status") || !strncmp(last, "mount", 5) ||
           !strcmp(last, "numa_maps") || !strcmp(last, "status") || !strcmp(last, "maps");
}

/* ---- all of a process ---- */

static void show_file(const char *folder, const char *last)
{
    char path[PATH_MAX];
    int fd, written;

    (void)snprintf(path, sizeof(path), "%s/%s", folder, last);
    show_path(path);
    putchar('\n');
    written = open(path, O_WRONLY);
    printf("  to write: %s\n", result_of(written < 0 ? -1 : 0));
    if (written >= 0) {
        (void)close(written);
    }
    fd = open(path, O_RDONLY | O_NONBLOCK);
    if (fd < 0) {
        printf("  %s\n", result_of(fd));
        return;
    }
    show_place(fd, path);
    show_stats(fd, path);
    show_uses(fd);
    show_facts(fd);
    show_positions(fd);
    if (!changes(last)) {
        show_reading(fd);
    }
    (void)close(fd);
}

/* What is shown of no process in a VM, or of another file than the host's by what it is. */
static bool is_apart(const char *last)
{
    return !strcmp(last, "mem") || !strcmp(last, "pagemap") || !strcmp(last, "clear_refs") ||
           !strcmp(last, "stack") || !strcmp(last, "syscall") || !strcmp(last, "personality") ||
           !strcmp(last, "seccomp_cache") || !strcmp(last, "patch_state");
}

static void show_folder(const char *folder, const char *last)
{
    char path[PATH_MAX];
    struct stat st, by_fd;
    struct facts x;
    int fd;

    (void)snprintf(path, sizeof(path), "%s/%s", folder, last);
    CHECK(stat(path, &st) == 0);
    if (access(path, R_OK) < 0) {
        st.st_size = 0; /* nobody can count what is in it */
    }
    fd = open(path, O_RDONLY | O_DIRECTORY);
    show_path(path);
    putchar('\n');
    show_stat("stat", &st);
    if (fd < 0) {
        printf("  %s\n", result_of(fd));
        return;
    }
    CHECK(fstat(fd, &by_fd) == 0);
    by_fd.st_size -= !strcmp(last, "fd") && st.st_size && strstr(folder, "self") ? 1 : 0;
    printf("  fstat %d", same(&st, &by_fd));
    CHECK(stat(path, &st) == 0);
    printf(" statx %d\n", ask(AT_FDCWD, path, 0, &x) == 0 && same_x(&x, &st));
    (void)close(fd);
}

static void show_link(const char *folder, const char *last)
{
    char path[PATH_MAX];
    struct stat st, to, program;
    char own[PATH_MAX] = "";
    int fd;

    (void)snprintf(path, sizeof(path), "%s/%s", folder, last);
    CHECK(lstat(path, &st) == 0);
    show_path(path);
    putchar('\n');
    show_stat("lstat", &st);
    CHECK(readlink("/proc/self/exe", own, sizeof(own) - 1) > 0);
    if (!strcmp(last, "exe") && access(own, F_OK) == 0) { /* by its path, too */
        printf("  leads to: %s", result_of(stat(path, &to)));
        printf(" to run %s", result_of(access(path, X_OK)));
        fd = open(path, O_PATH);
        printf(" by name %d",
               fd >= 0 && fstat(fd, &program) == 0 && stat(path, &to) == 0 && same(&to, &program));
        (void)close(fd);
        printf(" the program %d\n", stat("/proc/self/exe", &program) == 0 && stat(path, &to) == 0 &&
                                        same(&to, &program));
    }
}

static int by_name(const void *one, const void *two)
{
    return strcmp(one, two);
}

static void show_all(const char *folder)
{
    static char names[256][NAME_MAX + 1];
    const struct dirent *entry;
    size_t count = 0;
    DIR *entries = opendir(folder);

    CHECK(entries);
    while (entries && count < 256 && (entry = readdir(entries))) {
        if (*entry->d_name != '.' && !is_apart(entry->d_name)) {
            (void)snprintf(names[count++], sizeof(names[0]), "%s", entry->d_name);
        }
    }
    (void)closedir(entries);
    qsort(names, count, sizeof(names[0]), by_name);
    for (size_t i = 0; i < count; i++) {
        char path[PATH_MAX];
        struct stat st;

        (void)snprintf(path, sizeof(path), "%s/%s", folder, names[i]);
        if (lstat(path, &st) < 0) {
            continue;
        }
        (S_ISDIR(st.st_mode)   ? show_folder
         : S_ISLNK(st.st_mode) ? show_link
                               : show_file)(folder, names[i]);
    }
}

/* ---- what follows the process ---- */

static void *wait_for_end(void *pipe)
{
    char byte;

    (void)!read(((int *)pipe)[0], &byte, 1);
    return NULL;
}

static unsigned long links_of(const char *path)
{
    struct stat st;

    CHECK(stat(path, &st) == 0);
    return st.st_nlink;
}

/* The links of the folder of threads, while there are more, and in a process of four. */
static void show_threads(void)
{
    pthread_t threads[3];
    int ends[2];

    CHECK(pipe(ends) == 0);
    printf("threads: %lu", links_of("/proc/self/task"));
    for (int i = 0; i < 3; i++) {
        CHECK(pthread_create(&threads[i], NULL, wait_for_end, ends) == 0);
    }
    printf(" %lu %lu", links_of("/proc/self/task"), links_of("/proc/thread-self/.."));
    (void)close(ends[1]);
    for (int i = 0; i < 3; i++) {
        CHECK(pthread_join(threads[i], NULL) == 0);
    }
    for (int tries = 0; tries < 1000 && links_of("/proc/self/task") != 3; tries++) {
        (void)usleep(1000); /* until the kernel has counted the last one out */
    }
    printf(" %lu\n", links_of("/proc/self/task"));
    (void)close(ends[0]);
}

/* The value of a line of a status that was opened before. */
static long value_of(int fd, const char *name, bool positioned)
{
    char text[8192] = "";
    const char *line;

    if (positioned) {
        CHECK(pread(fd, text, sizeof(text) - 1, 0) > 0);
    } else {
        CHECK(lseek(fd, 0, SEEK_SET) == 0 && read(fd, text, sizeof(text) - 1) > 0);
    }
    line = strstr(text, name);
    return line ? strtol(line + strlen(name), NULL, 16) : -1;
}

static void ignore(int signo)
{
    (void)signo;
}

/* Who reads from the begin reads what is so now. */
static void show_changes(void)
{
    int fd = open("/proc/self/status", O_RDONLY), copy = dup(fd);

    printf("handled: %lx", value_of(fd, "SigCgt:", true));
    (void)signal(SIGUSR1, ignore);
    printf(" %lx", value_of(fd, "SigCgt:", true));
    (void)signal(SIGUSR2, ignore);
    printf(" %lx", value_of(copy, "SigCgt:", false));
    (void)signal(SIGUSR1, SIG_DFL);
    (void)signal(SIGUSR2, SIG_DFL);
    printf(" %lx\n", value_of(fd, "SigCgt:", false));
    (void)close(fd);
    (void)close(copy);
}

/* As bytes are moved from or to a file without being read. */
static void show_moves(void)
{
    int ends[2], fd = open("/proc/self/maps", O_RDONLY);

    CHECK(pipe2(ends, O_NONBLOCK) == 0 && write(ends[1], "x", 1) == 1);
    printf("to maps: splice %s", result_of(splice(ends[0], NULL, fd, NULL, 1, 0)));
    printf(" empty %s\n", result_of(splice(ends[0], NULL, fd, NULL, 1, SPLICE_F_NONBLOCK)));
    (void)close(fd);
}

static pid_t start_other(int *end)
{
    int ends[2], ready[2];
    char byte;
    pid_t pid;

    CHECK(pipe(ends) == 0 && pipe(ready) == 0);
    pid = fork();
    if (pid == 0) {
        (void)close(ends[1]);
        (void)close(ready[0]);
        (void)close(ready[1]); /* it is as it stays */
        (void)wait_for_end(ends);
        _exit(0);
    }
    (void)close(ready[1]);
    CHECK(read(ready[0], &byte, 1) == 0);
    (void)close(ready[0]);
    (void)close(ends[0]);
    *end = ends[1];
    return pid;
}

/* As an ordinary user, whose files /proc has for root alone after such a change, or not. */
static void become(const char *who)
{
    if (geteuid() == 0) {
        CHECK(setgid(65534) == 0 && setuid(65534) == 0);
    }
    CHECK(prctl(PR_SET_DUMPABLE, !strcmp(who, "user")) == 0);
}

int main(int argc, char **argv)
{
    char folder[64];
    int end;

    if (argc > 1) {
        become(argv[1]);
    }
    show_threads();
    show_changes();
    show_moves();
    other = start_other(&end);
    show_all("/proc/self");
    (void)snprintf(folder, sizeof(folder), "/proc/self/task/%d", (int)gettid());
    show_all(folder);
    (void)snprintf(folder, sizeof(folder), "/proc/%d", (int)other);
    show_all(folder);
    (void)close(end);
    CHECK(waitpid(other, NULL, 0) == other);
    return 0;
}
