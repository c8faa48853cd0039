// SPDX-License-Identifier: Apache-2.0
/*
 * Asks by each call that takes a path, and changes nothing, for descriptors that it has not opened:
 * below each name that /proc/self/fd and fdinfo have. The answer is that for a number that nobody
 * can have.
 */
#include "payload.h"

#include <linux/openat2.h>
#include <sys/inotify.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/vfs.h>
#include <sys/xattr.h>

#define NOBODYS 2147483647
#define FIRST 950 /* and where the monitor has its own */
#define LAST 980

static int watches;

static long open_how(const char *path, unsigned long flags, unsigned long resolve)
{
    struct open_how how = {flags, 0, resolve};

    return syscall(SYS_openat2, AT_FDCWD, path, &how, sizeof(how));
}

static long with_address(int (*call)(int fd, const struct sockaddr *, socklen_t), const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_DGRAM, 0), error;
    long result;

    (void)snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
    result = call(fd, (const struct sockaddr *)&address, sizeof(address));
    error = errno;
    (void)close(fd);
    errno = error;
    return result;
}

/* Call number `i` by this path: its error, 0 for none, -1 where there is no such call. */
static int ask(int i, const char *path)
{
    char room[4096];
    uint32_t handle[64] = {128};
    long result;

    errno = 0;
    switch (i) { // clang-format off
    case 0: result = open(path, O_RDONLY); break;
    case 1: result = open(path, O_RDONLY | O_NOFOLLOW); break;
    case 2: result = open(path, O_WRONLY); break;
    case 3: result = open(path, O_PATH); break;
    case 4: result = open(path, O_PATH | O_NOFOLLOW); break;
    case 5: result = open(path, O_DIRECTORY); break;
    case 6: result = open(path, O_CREAT | O_EXCL | O_RDWR, 0600); break;
    case 7: result = open_how(path, O_PATH, RESOLVE_NO_MAGICLINKS); break;
    case 8: result = open_how(path, O_PATH, RESOLVE_NO_XDEV); break;
    case 9: result = open_how(path, O_RDONLY, 0); break;
    case 10: result = syscall(SYS_stat, path, room); break;
    case 11: result = syscall(SYS_lstat, path, room); break;
    case 12: result = syscall(SYS_statx, AT_FDCWD, path, 0, 0xfff, room); break;
    case 13: result = statfs(path, (struct statfs *)room); break;
    case 14: result = access(path, F_OK); break;
    case 15: result = readlink(path, room, sizeof(room)); break;
    case 16: result = syscall(SYS_readlink, path, room, 0); break;
    case 17: result = syscall(SYS_name_to_handle_at, AT_FDCWD, path, handle, room, 0); break;
    case 18: result = getxattr(path, "user.x", room, sizeof(room)); break;
    case 19: result = lgetxattr(path, "user.x", room, sizeof(room)); break;
    case 20: result = listxattr(path, room, sizeof(room)); break;
    case 21: result = chdir(path); break;
    case 22: result = mkdir(path, 0700); break;
    case 23: result = mknod(path, S_IFIFO | 0600, 0); break;
    case 24: result = symlink("x", path); break;
    case 25: result = link("/proc/self/status", path); break;
    case 26: result = link(path, "nothing"); break;
    case 27: result = rename("/proc/self/fd/0", path); break;
    case 28: result = rmdir(path); break;
    case 29: result = inotify_add_watch(watches, path, IN_ACCESS); break;
    case 30: result = inotify_add_watch(watches, path, IN_ACCESS | IN_DONT_FOLLOW); break;
    case 31: result = with_address(bind, path); break;
    case 32: result = with_address(connect, path); break;
    case 33: result = execl(path, path, (char *)NULL); break;
    default: return -1;
    } // clang-format on
    CHECK(result < 0);
    return errno;
}

static void ask_all(const char *form, int number)
{
    char path[64], other[64];

    (void)snprintf(path, sizeof(path), form, number);
    (void)snprintf(other, sizeof(other), form, NOBODYS);
    for (int i = 0, wanted; (wanted = ask(i, other)) >= 0; i++) {
        int found = ask(i, path);

        if (found != wanted) {
            printf("call %d by %s: %s instead of %s\n", i, path, strerror(found), strerror(wanted));
            exit(1);
        }
    }
}

int main(void)
{
    static const char *const forms[] = {
        "/proc/self/fd/%d",   "/proc/thread-self/fd/%d", "/dev/fd/%d",          "link/%d",
        "/proc/self/fd/%d/.", "/proc/self/fdinfo/%d",    "/proc/self/fd/%d/..",
    };
    int folder;

    watches = inotify_init();
    CHECK(watches >= 0 && symlink("/proc/self/fd", "link") == 0);
    for (int number = FIRST; number < LAST; number++) {
        for (size_t i = 0; i < LEN(forms); i++) {
            ask_all(forms[i], number);
        }
    }
    folder = open("/proc/self/fd", O_PATH);
    for (int number = watches + 2; number < 1100; number++) {
        char name[16];

        (void)snprintf(name, sizeof(name), "%d", number);
        if (fcntl(number, F_GETFD) < 0) {
            CHECK(faccessat(folder, name, F_OK, 0) < 0 && errno == ENOENT);
            CHECK(mkdirat(folder, name, 0700) < 0 && errno == ENOENT);
        }
    }
    return 0;
}
