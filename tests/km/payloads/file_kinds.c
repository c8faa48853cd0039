// SPDX-License-Identifier: Apache-2.0
/*
 * Changes files of every kind by a path, a link, a descriptor and a link of /proc: mode, owner,
 * times, size, attributes, another name; as it was started, and as a user that owns some of them.
 */
#include "payload.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <sys/xattr.h>

#define FCHMODAT2 452
#define USER 12345
#define ACCESS "system.posix_acl_access"

/* An access list of the version 2 that says what mode 0640 does: of the owner, group and others. */
static const uint32_t list[] = {2, 6 << 16 | 1, ~0U, 4 << 16 | 4, ~0U, 0 << 16 | 0x20, ~0U};

static const char *const names[] = {"file",   "hidden", "folder", "closed", "sticky",   "fifo",
                                    "socket", "device", "block",  "link",   "dangling", "missing"};

static bool knows_fchmodat2; /* since Linux 6.6 */

/* One result by its error alone: `call` is the same for all files. */
static void say(const char *call, const char *name, long result)
{
    printf("%s of %s: %s\n", call, name, result < 0 ? strerror(errno) : "done");
}

#define TRY(call) say(#call, name, (errno = 0, (call)))

static void make_files(void)
{
    struct sockaddr_un address = {AF_UNIX, "socket"};

    CHECK(close(open("file", O_CREAT | O_WRONLY, 0644)) == 0);
    CHECK(close(open("hidden", O_CREAT | O_WRONLY, 0)) == 0);
    CHECK(mkdir("folder", 0755) == 0 && mkdir("closed", 0) == 0 && mkdir("sticky", 0) == 0);
    CHECK(chmod("sticky", 01777) == 0 && mkfifo("fifo", 0600) == 0);
    CHECK(bind(socket(AF_UNIX, SOCK_STREAM, 0), (struct sockaddr *)&address, sizeof(address)) == 0);
    (void)mknod("device", S_IFCHR | 0666, makedev(1, 3));
    (void)mknod("block", S_IFBLK | 0666, makedev(7, 250));
    CHECK(symlink("fifo", "link") == 0 && symlink("nowhere", "dangling") == 0);
}

static void change_by_path(const char *name)
{
    const struct timespec times[2] = {{1000, 5}, {2000, 7}}, wrong[2] = {{0, 1L << 40}, {0, 0}};
    const struct timespec none[2] = {{0, UTIME_OMIT}, {0, UTIME_OMIT}};
    char more[32];

    TRY(utimensat(AT_FDCWD, name, times, 0));
    TRY(utimensat(AT_FDCWD, name, times, AT_SYMLINK_NOFOLLOW));
    TRY(utimensat(AT_FDCWD, name, NULL, 0));
    TRY(utimensat(AT_FDCWD, name, wrong, 0));
    TRY(utimensat(AT_FDCWD, name, none, 0));
    TRY(setxattr(name, ACCESS, list, sizeof(list), 0));
    TRY(setxattr(name, ACCESS, list, sizeof(list), XATTR_CREATE));
    TRY(removexattr(name, ACCESS));
    TRY(setxattr(name, "user.name", "value", 5, 0));
    TRY(lsetxattr(name, "user.name", "value", 5, 0));
    TRY(removexattr(name, "user.name"));
    TRY(lremovexattr(name, "user.name"));
    TRY(setxattr(name, "trusted.name", "value", 5, 0));
    TRY(removexattr(name, "trusted.name"));
    TRY(setxattr(name, "nothing.name", "value", 5, 0));
    TRY(truncate(name, 3));
    TRY(truncate(name, -1));
    (void)snprintf(more, sizeof(more), "%s.more", name);
    TRY(link(name, more));
    (void)unlink(more);
    TRY(linkat(AT_FDCWD, name, AT_FDCWD, more, AT_SYMLINK_FOLLOW));
    (void)unlink(more);
    TRY(chmod(name, 02640));
    TRY(syscall(SYS_fchmodat, AT_FDCWD, name, 01751));
    if (knows_fchmodat2) {
        TRY(syscall(FCHMODAT2, AT_FDCWD, name, 0600, AT_SYMLINK_NOFOLLOW));
        TRY(syscall(FCHMODAT2, AT_FDCWD, name, 0600, 1));
    }
    TRY(chown(name, (uid_t)-1, (gid_t)-1));
    TRY(lchown(name, USER, USER));
    TRY(chown(name, USER, 0));
    TRY(chown(name, USER, USER));
}

/* By O_PATH, by an access where one is had, and by what /proc calls the first. */
static void change_by_fd(const char *name)
{
    int by_path = open(name, O_PATH), fd = open(name, O_RDONLY | O_NONBLOCK);
    const struct timespec times[2] = {{1000, 5}, {2000, 7}};
    char own[32];

    (void)snprintf(own, sizeof(own), "/proc/self/fd/%d", by_path);
    if (knows_fchmodat2) {
        TRY(syscall(FCHMODAT2, by_path, "", 0700, AT_EMPTY_PATH));
    }
    TRY(fchownat(by_path, "", (uid_t)-1, (gid_t)-1, AT_EMPTY_PATH));
    TRY(utimensat(by_path, "", times, AT_EMPTY_PATH));
    TRY(fchmod(by_path, 0600));
    TRY(chmod(own, 0600));
    TRY(chown(own, (uid_t)-1, (gid_t)-1));
    TRY(utimensat(AT_FDCWD, own, times, 0));
    TRY(setxattr(own, ACCESS, list, sizeof(list), 0));
    TRY(removexattr(own, ACCESS));
    TRY(truncate(own, 1));
    TRY(linkat(AT_FDCWD, own, AT_FDCWD, "again", AT_SYMLINK_FOLLOW));
    (void)unlink("again");
    TRY(fchmod(fd, 0600));
    TRY(fchown(fd, (uid_t)-1, (gid_t)-1));
    TRY(futimens(fd, times));
    TRY(ftruncate(fd, 2));
    TRY(fsetxattr(fd, ACCESS, list, sizeof(list), 0));
    TRY(fremovexattr(fd, ACCESS));
    (void)close(by_path);
    (void)close(fd);
}

static void show_files(void)
{
    for (size_t i = 0; i < LEN(names); i++) {
        struct stat st;

        if (lstat(names[i], &st) == 0) {
            printf("%s: mode %o, owner %d, group %d, %ld bytes\n", names[i], st.st_mode,
                   st.st_uid == USER, st.st_gid == USER, S_ISREG(st.st_mode) ? st.st_size : 0L);
        }
    }
}

static void change_all(void)
{
    for (size_t i = 0; i < LEN(names); i++) {
        change_by_path(names[i]);
        change_by_fd(names[i]);
    }
    show_files();
}

/* In a new folder, as this user: half of the files are its own. */
static void as_user(uid_t user, const char *folder)
{
    pid_t pid;
    int status;

    CHECK(mkdir(folder, 0777) == 0 && chmod(folder, 0777) == 0 && chdir(folder) == 0);
    (void)umask(0);
    make_files();
    for (size_t i = 0; i < LEN(names); i += 2) {
        (void)lchown(names[i], user, user);
    }
    (void)fflush(stdout);
    pid = fork();
    if (!pid) {
        if (user && geteuid() == 0) {
            CHECK(setgid(user) == 0 && setuid(user) == 0);
        }
        change_all();
        (void)fflush(stdout);
        _exit(0);
    }
    CHECK(waitpid(pid, &status, 0) == pid && !status && chdir("..") == 0);
    for (size_t i = 0; i < LEN(names); i++) { /* so that who tests can take them away */
        char name[32];

        (void)snprintf(name, sizeof(name), "%s/%s", folder, names[i]);
        (void)rmdir(name);
        (void)unlink(name);
    }
}

int main(void)
{
    struct utsname host;
    int major = 0, minor = 0;

    CHECK(uname(&host) == 0 && sscanf(host.release, "%d.%d", &major, &minor) == 2);
    knows_fchmodat2 = major > 6 || (major == 6 && minor >= 6);
    as_user(0, "first");
    CHECK(chmod(".", 0777) == 0);
    as_user(USER, "second");
    return 0;
}
