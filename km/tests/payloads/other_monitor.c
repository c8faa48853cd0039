// SPDX-License-Identifier: Apache-2.0
/*
 * Tries to get at another process that runs in a VM of the same user's, by /proc and by calls: it
 * reaches neither that one's memory, nor its descriptors of the VM.
 */
#include "payload.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>

#define MONITOR 0x7e0000000000

static void refused(const char *folder, const char *name)
{
    static const int flags[] = {O_RDONLY, O_RDWR, O_WRONLY};
    char path[128], again[64], word[8];

    (void)snprintf(path, sizeof(path), "%s/%s", folder, name);
    for (size_t i = 0; i < LEN(flags); i++) {
        int pathfd = open(path, O_PATH);

        CHECK(open(path, flags[i]) == -1);
        (void)snprintf(again, sizeof(again), "/proc/self/fd/%d", pathfd);
        CHECK(open(again, flags[i]) == -1);
        CHECK(pread(pathfd, word, sizeof(word), MONITOR) == -1);
        (void)close(pathfd);
    }
}

/* Whatever opens of another's descriptors or mapped files cannot be used as a VM, or be written. */
static void look_through(const char *folder, const char *sub)
{
    char path[128];
    struct dirent *entry;
    DIR *listing;

    (void)snprintf(path, sizeof(path), "%s/%s", folder, sub);
    listing = opendir(path);
    while (listing && (entry = readdir(listing))) {
        int fd = openat(dirfd(listing), entry->d_name, O_RDWR);

        CHECK(fd < 0 || ioctl(fd, 0xae00 /* KVM_GET_API_VERSION */, 0) == -1);
        CHECK(fd < 0 || ioctl(fd, 0xae80 /* KVM_RUN */, 0) == -1);
        (void)close(fd);
    }
    for (int n = 0; n < 1100; n++) { /* those that are not listed have numbers all the same */
        int fd;

        (void)snprintf(path, sizeof(path), "%s/fd/%d", folder, n);
        fd = open(path, O_RDWR);
        CHECK(fd < 0 || ioctl(fd, 0xae00, 0) == -1);
        (void)close(fd);
    }
}

int main(void)
{
    char folder[64], word[8];
    struct iovec own = {word, 8}, theirs = {(void *)MONITOR, 8};
    pid_t other = fork();
    int pidfd;

    if (!other) {
        for (;;) {
            (void)pause();
        }
    }
    (void)snprintf(folder, sizeof(folder), "/proc/%d", other);
    refused(folder, "mem");
    (void)snprintf(folder, sizeof(folder), "/proc/%d/task/%d", other, other);
    refused(folder, "mem");
    (void)snprintf(folder, sizeof(folder), "/proc/%d/root/proc/%d", other, other);
    refused(folder, "mem");
    (void)snprintf(folder, sizeof(folder), "/proc/%d", other);
    look_through(folder, "fd");
    look_through(folder, "map_files");
    look_through("/proc/self", "map_files");
    CHECK(syscall(SYS_process_vm_readv, other, &own, 1, &theirs, 1, 0) == -1);
    CHECK(syscall(SYS_process_vm_writev, other, &own, 1, &theirs, 1, 0) == -1);
    CHECK(syscall(SYS_ptrace, 16 /* PTRACE_ATTACH */, other, 0, 0) == -1);
    CHECK(syscall(SYS_ptrace, 0x4206 /* PTRACE_SEIZE */, other, 0, 0) == -1);
    pidfd = (int)syscall(SYS_pidfd_open, other, 0);
    CHECK(pidfd >= 0);
    for (int n = 0; n < 1100; n++) {
        CHECK(syscall(SYS_pidfd_getfd, pidfd, n, 0) == -1);
    }
    CHECK(syscall(SYS_kcmp, getpid(), other, 1, 0, 0) == -1);
    CHECK(kill(other, SIGKILL) == 0 && waitpid(other, NULL, 0) == other);
    return 0;
}
