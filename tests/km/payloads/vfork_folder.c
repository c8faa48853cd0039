// SPDX-License-Identifier: Apache-2.0
/*
 * The child of a vfork changes its working folder and its root, which are its parent's where the
 * parent asks for that, as a browser does to have no files.
 */
#include "payload.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>

static char stack[64 << 10] __attribute__((aligned(16)));

static int change_folder(void *path)
{
    _exit(chdir(path) < 0);
}

static int change_root(void *path)
{
    _exit(chroot(path) < 0 || chdir("/") < 0);
}

static void run(int (*child)(void *), char *path, int flags)
{
    int status = -1;
    pid_t pid = clone(child, stack + sizeof(stack), CLONE_VM | CLONE_VFORK | flags | SIGCHLD, path);

    CHECK(pid > 0 && waitpid(pid, &status, 0) == pid);
    printf("child %d", status);
}

static void show_folder(void)
{
    char folder[64];
    int fd = open("inside", O_RDONLY);

    CHECK(getcwd(folder, sizeof(folder)));
    printf(": %s, opens %d\n", strrchr(folder, '/'), fd >= 0);
    (void)close(fd);
}

int main(void)
{
    CHECK(mkdir("folder", 0700) == 0 &&
          close(open("folder/inside", O_CREAT | O_WRONLY, 0600)) == 0);
    CHECK(mkdir("root", 0700) == 0);
    run(change_folder, "folder", 0);
    printf(" %d\n", open("inside", O_RDONLY) >= 0);
    run(change_folder, "folder", CLONE_FS);
    show_folder();
    CHECK(chdir("..") == 0);
    if (chroot("/") < 0) {
        return 0; /* this user can change no root */
    }
    run(change_root, "root", 0);
    printf(": %d\n", access("/proc", F_OK));
    run(change_root, "/proc/self/fdinfo", CLONE_FS);
    printf(": %d %d\n", access("/proc", F_OK), open("/proc/self/status", O_RDONLY));
    return 0;
}
