// SPDX-License-Identifier: Apache-2.0
/*
 * Tries to get at another process that runs in a VM of the same user's, by /proc and by calls: it
 * reaches neither that one's memory, nor its descriptors of the VM, and is not told where they are.
 */
#include "payload.h"

#include <dirent.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>

#define GUEST_TOP 0x6fff00000000
#define MONITOR 0x7e0000000000
#define THREAD (CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM)

static char stack[16384] __attribute__((aligned(16)));
static pid_t first;
static atomic_bool begun, found, enough;

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

/* No line of what tells of memory there begins with an address of the monitor's. */
static void look_for_addresses(const char *folder)
{
    static const char *const names[] = {"maps", "smaps", "numa_maps", "smaps_rollup", "syscall"};
    char path[128], line[512];

    for (size_t i = 0; i < LEN(names); i++) {
        FILE *file;

        (void)snprintf(path, sizeof(path), "%s/%s", folder, names[i]);
        file = fopen(path, "r");
        while (file && fgets(line, sizeof(line), file)) {
            char *end;
            uint64_t start = strtoul(line, &end, 16);

            CHECK(end - line < 8 || start < GUEST_TOP || strstr(line, "[vsyscall]"));
            CHECK(strcmp(names[i], "syscall") != 0 || !strcmp(line, "running\n"));
        }
        CHECK(!file || fclose(file) == 0);
    }
}

/* Shares its parent's memory, but is not allowed to know what its parent runs. */
static int apart(void *unused)
{
    char folder[64];

    (void)unused;
    if (unshare(CLONE_NEWUSER) == 0) {
        (void)snprintf(folder, sizeof(folder), "/proc/%d", first);
        look_for_addresses(folder);
    }
    _exit(0);
}

static int last_thread(void *unused)
{
    for (;;) {
        (void)pause();
    }
    return unused != NULL;
}

/* A process whose first thread has ended, which has no program any more. */
static void look_at_headless(void)
{
    pid_t headless = fork(), thread;
    char folder[64], state[64];

    if (!headless) {
        thread = clone(last_thread, stack + sizeof(stack), THREAD, NULL);
        CHECK(thread > 0);
        (void)syscall(SYS_exit, 0);
    }
    do {
        FILE *file;

        (void)snprintf(folder, sizeof(folder), "/proc/%d/stat", headless);
        file = fopen(folder, "r");
        CHECK(file && fgets(state, sizeof(state), file) && fclose(file) == 0);
    } while (!strstr(state, ") Z"));
    for (thread = headless; thread < headless + 8; thread++) {
        (void)snprintf(folder, sizeof(folder), "/proc/%d/task/%d", headless, thread);
        look_for_addresses(folder);
    }
    CHECK(kill(headless, SIGKILL) == 0 && waitpid(headless, NULL, 0) == headless);
}

/* Reads whatever gets one of the next numbers, for a moment too. */
static int read_beside(void *unused)
{
    static char text[8192];

    (void)unused;
    begun = true;
    while (!enough) {
        for (int fd = STDERR_FILENO + 1; fd < 10; fd++) {
            ssize_t n = pread(fd, text, sizeof(text) - 1, 0);

            text[n < 0 ? 0 : n] = 0;
            for (char *line = text; line && *line; line = strchr(line, '\n')) {
                line += *line == '\n';
                found = found || (strtoul(line, NULL, 16) >= GUEST_TOP && strlen(line) > 20 &&
                                  strtoul(line, NULL, 16) < 1UL << 47);
            }
        }
    }
    (void)syscall(SYS_exit, 0);
    return 0;
}

/* The monitor reads the host's list of the other, while a thread looks for its descriptor. */
static void open_beside(const char *folder)
{
    char path[128];

    CHECK(clone(read_beside, stack + sizeof(stack), THREAD, NULL) > 0);
    (void)snprintf(path, sizeof(path), "%s/numa_maps", folder);
    while (!begun) {
        (void)usleep(1000);
    }
    for (int i = 0; i < 300 && !found; i++) {
        int fd = open(path, O_RDONLY);

        CHECK(fd >= 0 && close(fd) == 0);
    }
    enough = true;
    CHECK(!found);
}

int main(void)
{
    char folder[64], word[8];
    struct iovec own = {word, 8}, theirs = {(void *)MONITOR, 8};
    pid_t other = fork();
    int pidfd, status;

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
    (void)snprintf(folder, sizeof(folder), "/proc/%d", other);
    look_for_addresses(folder);
    open_beside(folder);
    CHECK(kill(other, SIGKILL) == 0 && waitpid(other, NULL, 0) == other);
    look_at_headless();
    first = getpid();
    other = clone(apart, stack + sizeof(stack), CLONE_VM | CLONE_VFORK | SIGCHLD, NULL);
    CHECK(other > 0 && waitpid(other, &status, 0) == other && !status);
    return 0;
}
