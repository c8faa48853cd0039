// SPDX-License-Identifier: Apache-2.0
/*
 * Tries to change the file of the monitor, to which some links of /proc lead, by each call that
 * changes a file. It may reach its own program; test_hostile_host.py looks at the other.
 */
#include "payload.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/xattr.h>
#include <utime.h>

#define EMPTY 0x1000 /* AT_EMPTY_PATH */

static void change_by_path(const char *path)
{
    struct timeval times[2] = {{1, 0}, {1, 0}};
    struct utimbuf old = {1, 1};
    int fd;

    (void)chmod(path, 0701);
    (void)chown(path, 1, 1);
    (void)utime(path, &old);
    (void)utimes(path, times);
    (void)truncate(path, 1);
    (void)setxattr(path, "user.kontain", "x", 1, 0);
    (void)setxattr(path, "trusted.kontain", "x", 1, 0);
    (void)removexattr(path, "user.kontain");
    for (int i = 0; i < 3; i++) {
        fd = open(path, (int[]){O_WRONLY, O_RDWR, O_WRONLY | O_TRUNC}[i]);
        if (fd >= 0) { /* a file like others */
            (void)close(fd);
        }
    }
    fd = open(path, O_RDONLY);
    if (fd >= 0) {
        (void)fchmod(fd, 0701);
        (void)fchown(fd, 1, 1);
        (void)futimens(fd, (struct timespec[2]){{1, 0}, {1, 0}});
        (void)fsetxattr(fd, "user.kontain", "x", 1, 0);
        (void)close(fd);
    }
}

static void change_at(int dir, const char *path, int flags)
{
    struct timespec times[2] = {{1, 0}, {1, 0}};
    struct timeval seconds[2] = {{1, 0}, {1, 0}};

    (void)syscall(SYS_fchmodat, dir, path, 0701);
    (void)syscall(452, dir, path, 0701, flags); /* fchmodat2 */
    (void)fchownat(dir, path, 1, 1, flags);
    (void)syscall(SYS_utimensat, dir, path, times, flags);
    (void)syscall(SYS_futimesat, dir, path, seconds);
    (void)linkat(dir, path, AT_FDCWD, "link-to-it", flags | AT_SYMLINK_FOLLOW);
    (void)unlink("link-to-it");
}

static void change(const char *path)
{
    int name = open(path, O_PATH);
    char link[64];

    change_by_path(path);
    change_at(AT_FDCWD, path, 0);
    if (name < 0) {
        return;
    }
    change_at(name, "", EMPTY);
    (void)snprintf(link, sizeof(link), "/proc/self/fd/%d", name);
    change_by_path(link);
    change_at(AT_FDCWD, link, 0);
    (void)close(name);
}

static mode_t mode_of(const char *path)
{
    struct stat st;

    CHECK(stat(path, &st) == 0);
    return st.st_mode;
}

int main(void)
{
    mode_t root_mode = mode_of("/"), proc_mode = mode_of("/proc"); /* the monitor has these open */
    int proc = open("/proc", O_RDONLY | O_DIRECTORY);
    char name[96], shown[96];

    change("/proc/self/exe");
    change("/proc/thread-self/exe");
    change("/proc/self/../self/./exe");
    (void)snprintf(name, sizeof(name), "/proc/%d/exe", getpid());
    change(name);
    (void)snprintf(name, sizeof(name), "/proc/%d/task/%d/exe", getpid(), getpid());
    change(name);
    (void)snprintf(name, sizeof(name), "/proc/self/root/proc/%d/exe", getpid());
    change(name);
    CHECK(symlink("/proc/self/exe", "link") == 0 && symlink("link", "link-to-link") == 0);
    change("link");
    change("link-to-link");
    change_at(proc, "self/exe", 0);
    CHECK(fchdir(proc) == 0);
    change("self/exe");
    for (int fd = 3; fd < 1100; fd++) {
        if (fd != proc) {
            (void)snprintf(name, sizeof(name), "/proc/self/fd/%d", fd);
            CHECK(readlink(name, shown, sizeof(shown)) == -1);
            CHECK(open(name, O_PATH | O_NOFOLLOW) == -1);
            (void)chmod(name, 0701);
            (void)truncate(name, 1);
        }
    }
    CHECK(mode_of("/") == root_mode && mode_of("/proc") == proc_mode);
    return 0;
}
