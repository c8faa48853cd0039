// SPDX-License-Identifier: Apache-2.0
/*
 * Calls with arguments that Linux refuses, or takes where one might not think so: each answer is
 * the kernel's, also which of two faults it names. The argument says of which kind they are.
 */
#include "payload.h"

#include <fcntl.h>
#include <linux/sched.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <x86intrin.h>

#define NOWHERE ((void *)-1L)

static char *two_pages; /* the second is not mapped */

/* A child that ends at once, and its status. */
static long child_of(long pid)
{
    int status, error = errno;

    if (!pid) {
        _exit(7);
    }
    if (pid > 0) {
        CHECK(waitpid((pid_t)pid, &status, 0) == pid);
        return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
    }
    errno = error;
    return pid;
}

/* ---- clone3 ---- */

struct clone_wide {
    struct clone_args args;
    uint64_t more[2];
};

static void try_clone(const char *name, struct clone_args args, uint64_t more, size_t size)
{
    struct clone_wide wide = {args, {more, 0}};

    show(name, child_of(syscall(SYS_clone3, &wide, size)));
}

static void clones(void)
{
#define ARGS(...) ((struct clone_args){__VA_ARGS__, .exit_signal = SIGCHLD})
    const size_t size = sizeof(struct clone_args);
    int pidfd = -1;

    try_clone("plain", ARGS(.flags = 0), 0, size);
    try_clone("first form", ARGS(.flags = 0), 0, 64);
    try_clone("less", ARGS(.flags = 0), 0, 63);
    try_clone("zeroes behind", ARGS(.flags = 0), 0, size + 8);
    try_clone("more behind", ARGS(.flags = 0), 1, size + 8);
    try_clone("too much", ARGS(.flags = 0), 0, PAGE + 1);
    SHOW(syscall(SYS_clone3, NULL, size));
    SHOW(syscall(SYS_clone3, two_pages + PAGE - size + 1, size));
    try_clone("SIGHAND", ARGS(.flags = CLONE_SIGHAND), 0, size);
    try_clone("THREAD", (struct clone_args){.flags = CLONE_THREAD | CLONE_VM}, 0, size);
    try_clone("FS NEWNS", ARGS(.flags = CLONE_FS | CLONE_NEWNS), 0, size);
    try_clone("FS NEWUSER", ARGS(.flags = CLONE_FS | CLONE_NEWUSER), 0, size);
    try_clone("DETACHED", ARGS(.flags = CLONE_DETACHED), 0, size);
    try_clone("a signal in flags", ARGS(.flags = SIGUSR1), 0, size);
    try_clone("no flag", ARGS(.flags = 1ULL << 40), 0, size);
    try_clone("both of handlers", ARGS(.flags = CLONE_VM | CLONE_SIGHAND | CLONE_CLEAR_SIGHAND), 0,
              size);
    try_clone("no signal", (struct clone_args){.exit_signal = 65}, 0, size);
    try_clone("PARENT and a signal", ARGS(.flags = CLONE_PARENT), 0, size);
    try_clone("stack without size", ARGS(.stack = (uint64_t)two_pages), 0, size);
    try_clone("size without stack", ARGS(.stack_size = PAGE), 0, size);
    try_clone("stack nowhere", ARGS(.stack = -PAGE, .stack_size = PAGE), 0, size);
    try_clone("pidfd nowhere", ARGS(.flags = CLONE_PIDFD, .pidfd = 8), 0, size);
    try_clone("pidfd", ARGS(.flags = CLONE_PIDFD, .pidfd = (uint64_t)&pidfd), 0, size);
    CHECK(pidfd >= 0 && close(pidfd) == 0);
    try_clone("pidfd and parent_tid",
              ARGS(.flags = CLONE_PIDFD | CLONE_PARENT_SETTID, .pidfd = (uint64_t)&pidfd,
                   .parent_tid = (uint64_t)&pidfd),
              0, size);
    try_clone("child_tid nowhere", ARGS(.flags = CLONE_CHILD_SETTID, .child_tid = 8), 0, size);
    try_clone("parent_tid nowhere", ARGS(.flags = CLONE_PARENT_SETTID, .parent_tid = 8), 0, size);
    try_clone("cgroup 0", ARGS(.flags = CLONE_INTO_CGROUP), 0, size);
    try_clone("cgroup 999", ARGS(.flags = CLONE_INTO_CGROUP, .cgroup = 999), 0, size);
    try_clone("cgroup, old form", ARGS(.flags = CLONE_INTO_CGROUP), 0, 80);
    try_clone("set_tid without size", ARGS(.set_tid = (uint64_t)two_pages), 0, size);
    try_clone("size without set_tid", ARGS(.set_tid_size = 1), 0, size);
    try_clone("set_tid of many", ARGS(.set_tid = 1, .set_tid_size = 33), 0, size);
    SHOW(syscall(SYS_clone, CLONE_SIGHAND | SIGCHLD, 0, 0, 0, 0));
    SHOW(syscall(SYS_clone, CLONE_PIDFD | CLONE_PARENT_SETTID | SIGCHLD, 0, &pidfd, 0, 0));
    SHOW(child_of(syscall(SYS_clone, CLONE_PIDFD | SIGCHLD, 0, 8, 0, 0)));
}

/* ---- execveat ---- */

static void try_exec(const char *name, int dirfd, const char *path, unsigned flags)
{
    char *argv[] = {"call_errors", "exits", NULL};
    pid_t pid = fork();
    int status;

    if (!pid) {
        (void)syscall(SYS_execveat, dirfd, path, argv, NULL, flags);
        _exit(errno);
    }
    CHECK(waitpid(pid, &status, 0) == pid);
    printf("%s: %s\n", name, WEXITSTATUS(status) == 77 ? "runs" : strerror(WEXITSTATUS(status)));
}

static void execs(void)
{
    int folder = open(".", O_RDONLY | O_DIRECTORY), file, script;

    copy_self("program");
    CHECK(symlink("program", "link") == 0);
    file = open("program", O_RDONLY);
    script = open("script", O_CREAT | O_RDWR, 0755);
    CHECK(write(script, "#!/bin/sh\nexit 77\n", 18) == 18 && close(script) == 0);
    script = open("script", O_RDONLY);
    try_exec("by a folder", folder, "program", 0);
    try_exec("by the working folder", AT_FDCWD, "program", 0);
    try_exec("by a descriptor", file, "", AT_EMPTY_PATH);
    try_exec("a script by a descriptor", script, "", AT_EMPTY_PATH);
    CHECK(fcntl(script, F_SETFD, FD_CLOEXEC) == 0);
    try_exec("one that is closed", script, "", AT_EMPTY_PATH);
    try_exec("empty", file, "", 0);
    try_exec("empty, here", AT_FDCWD, "", AT_EMPTY_PATH);
    try_exec("a link", folder, "link", 0);
    try_exec("no link", folder, "link", AT_SYMLINK_NOFOLLOW);
    try_exec("no link, here", AT_FDCWD, "link", AT_SYMLINK_NOFOLLOW);
    try_exec("no link, a file", folder, "program", AT_SYMLINK_NOFOLLOW);
    try_exec("unknown flags", folder, "program", 0x40000000);
    try_exec("below a file", file, "program", 0);
    try_exec("closed", 999, "program", 0);
    try_exec("closed, empty", 999, "", AT_EMPTY_PATH);
    try_exec("not there", folder, "nothing", 0);
    try_exec("nowhere", folder, (const char *)-1L, 0);
    CHECK(unlink("link") == 0);
}

/* ---- memory ---- */

static void memories(void)
{
    unsigned char there[4] = {0};
    char *fresh = mmap(NULL, 3 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    SHOW(mincore(fresh, 3 * PAGE, there));
    printf("untouched: %d%d%d\n", there[0] & 1, there[1] & 1, there[2] & 1);
    fresh[PAGE] = 1;
    SHOW(mincore(fresh, 3 * PAGE, there));
    printf("the second touched: %d%d%d\n", there[0] & 1, there[1] & 1, there[2] & 1);
    SHOW(mlock(fresh, 3 * PAGE));
    SHOW(mincore(fresh, 3 * PAGE, there));
    printf("locked: %d%d%d\n", there[0] & 1, there[1] & 1, there[2] & 1);
    SHOW(mincore(two_pages, 2 * PAGE, there));
    SHOW(mincore(two_pages + 1, PAGE, there));
    SHOW(mincore(two_pages, PAGE, NOWHERE));
    SHOW(mincore(two_pages, 0, there));
    SHOW(mincore((void *)-PAGE, PAGE, there));
    SHOW(msync(two_pages + 1, PAGE, MS_SYNC));
    SHOW(msync(two_pages, PAGE, MS_SYNC | MS_ASYNC));
    SHOW(msync(two_pages, PAGE, 64));
    SHOW(msync(two_pages + PAGE, PAGE, MS_SYNC));
    SHOW(msync((void *)-PAGE, PAGE, MS_SYNC));
    SHOW(msync((void *)(-PAGE + 1), PAGE, MS_SYNC));
    SHOW(msync((void *)-PAGE, PAGE, 64));
    SHOW(mlock(two_pages + PAGE, PAGE));
    SHOW(mlock((void *)-PAGE, 1));
    SHOW(munlock(two_pages, 2 * PAGE));
    SHOW(syscall(SYS_mlock2, two_pages, PAGE, 8));
    SHOW(syscall(SYS_mlockall, 0));
    SHOW(syscall(SYS_mlockall, 64));
}

/* ---- stretches of memory ---- */

static char *page, *shared; /* of two pages, each with nothing behind */

/* An address that differs from run to run is told by what is there. */
static long place(long at)
{
    return at == -1 ? -1 : at == (long)page ? 1 : at == (long)shared ? 2 : at < (1L << 31) ? 3 : 4;
}

#define REMAP(...) SHOW(place(syscall(SYS_mremap, __VA_ARGS__)))
#define MAP(...) SHOW(place(syscall(SYS_mmap, __VA_ARGS__)))

static void around_the_end(void)
{
    SHOW(mlock(page, -1UL));
    SHOW(mlock(page, -PAGE));
    SHOW(mlock(page + 1, -2UL));
    SHOW(munlock(page, -1UL));
    SHOW(munlock(page, -PAGE));
    SHOW(msync(page, -1UL, MS_SYNC));
    SHOW(msync(page, -PAGE, MS_SYNC));
    SHOW(madvise(page, -PAGE, MADV_NORMAL));
    SHOW(madvise((void *)(1L << 47), 0, MADV_NORMAL));
    SHOW(madvise((void *)(1L << 47), 0, 99));
    SHOW(madvise((void *)-PAGE, PAGE, MADV_NORMAL));
    SHOW(syscall(SYS_mbind, page, -1UL, 0, NULL, 0, 0));
    SHOW(syscall(SYS_mprotect, page, -PAGE, PROT_READ));
    SHOW(syscall(SYS_mprotect, page, PAGE, 1UL << 32 | PROT_READ));
    SHOW(syscall(SYS_mprotect, page, PAGE, PROT_READ | PROT_GROWSDOWN));
    SHOW(syscall(SYS_mprotect, page, 0UL, 0x1000UL));
    SHOW(syscall(SYS_mprotect, page, -PAGE, 0x1000UL));
    SHOW(mprotect((void *)((uintptr_t)&(char){0} & -PAGE), PAGE,
                  PROT_READ | PROT_WRITE | PROT_GROWSDOWN));
    SHOW(syscall(SYS_pkey_mprotect, page, 0UL, PROT_READ, 1));
}

static void moves(void)
{
    char *to = mmap(NULL, 8 * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    REMAP(page, PAGE, 1UL << 47, 0);
    REMAP(page, -PAGE, PAGE, MREMAP_MAYMOVE);
    REMAP(page, 3 * PAGE, PAGE + 1, 0);
    REMAP(page, 0UL, PAGE, MREMAP_MAYMOVE);
    REMAP(NULL, 0UL, PAGE, MREMAP_MAYMOVE);
    REMAP(page, PAGE, PAGE, 5, 1);
    REMAP(page, PAGE, PAGE, 1UL << 32);
    REMAP(page, PAGE, PAGE, 3, 1UL << 47);
    REMAP(shared, 0UL, PAGE, 0);
    shared[0] = 'a';
    CHECK(mremap(shared, 0, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, to) == to);
    to[0]++;
    printf("mapped twice: %c\n", shared[0]);
    CHECK(munmap(to, 8 * PAGE) == 0);
    printf("where it is wished: %d\n", mremap(page, PAGE, PAGE, 5, to) == to);
}

static void maps(void)
{
    int fd = open("file", O_CREAT | O_RDWR, 0600);

    MAP(NULL, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 1);
    MAP(NULL, PAGE, PROT_READ, MAP_PRIVATE, 999, 1);
    MAP(NULL, PAGE, PROT_READ, MAP_PRIVATE, 999, 0);
    MAP(NULL, PAGE, PROT_READ, 0x08 | MAP_ANONYMOUS, -1, 0);
    MAP(NULL, PAGE, PROT_READ, 0x08, fd, 0);
    MAP(NULL, PAGE, PROT_READ, 0x03 | MAP_ANONYMOUS, -1, 0);
    MAP(NULL, PAGE, PROT_READ, 0x03 | 0x80000, fd, 0);
    MAP(NULL, PAGE, PROT_READ, 0, fd, 0);
    MAP(NULL, PAGE, PROT_READ, 0, fd, -PAGE);
    MAP(1UL, 1UL << 47, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    MAP(1UL << 47 | 1, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    MAP(1UL << 36, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
}

static void stretches(void)
{
    page = mmap(NULL, 8 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(munmap(page + PAGE, PAGE) == 0 && munmap(page + 3 * PAGE, 5 * PAGE) == 0);
    shared = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    around_the_end();
    moves();
    maps();
}

/* ---- descriptors ---- */

static void commands(void)
{
    int name = open(".", O_PATH), queue = epoll_create1(0), file = open("file", O_CREAT, 0600);

    SHOW(ioctl(name, 0x12345678, 0));
    SHOW(ioctl(queue, 0x12345678, 0));
    SHOW(ioctl(file, 0x12345678, 0));
    SHOW(ioctl(999, 0x12345678, 0));
}

/* ---- vectors, sockets ---- */

static void vectors(void)
{
    struct iovec minus = {two_pages, (size_t)-1}, two[2] = {{NOWHERE, 8}, {two_pages, (size_t)-1}};
    int fd = open("file", O_CREAT | O_RDWR, 0600);

    SHOW(readv(fd, &minus, 1));
    SHOW(writev(fd, &minus, 1));
    SHOW(preadv(fd, &minus, 1, 0));
    SHOW(writev(fd, two, 2));
    SHOW(writev(fd, two, 1));
    SHOW(writev(999, two, 1));
    SHOW(syscall(SYS_writev, fd, two, -1));
    SHOW(syscall(SYS_writev, fd, two, 1025));
    SHOW(writev(fd, NOWHERE, 1));
    SHOW(read(999, NOWHERE, 1));
    SHOW(fstat(999, NOWHERE));
    SHOW(write(fd, NOWHERE, 0));
    SHOW(read(fd, two_pages, (size_t)-1));
}

static void sockets(void)
{
    struct mmsghdr messages[2] = {0};
    struct iovec buffer = {two_pages, 8};
    struct timespec minus = {-1, 0}, over = {0, 1000000000}, second = {1, 0}, none = {0, 0};
    int pair[2], tcp = socket(AF_INET, SOCK_STREAM, 0), file = open("file", O_RDWR), value;
    socklen_t length = sizeof(value);

    CHECK(socketpair(AF_UNIX, SOCK_DGRAM, 0, pair) == 0);
    messages[0].msg_hdr.msg_iov = messages[1].msg_hdr.msg_iov = &buffer;
    messages[0].msg_hdr.msg_iovlen = messages[1].msg_hdr.msg_iovlen = 1;
    SHOW(syscall(SYS_recvmmsg, pair[0], messages, 2, MSG_DONTWAIT, &minus));
    SHOW(syscall(SYS_recvmmsg, pair[0], messages, 2, MSG_DONTWAIT, &over));
    SHOW(syscall(SYS_recvmmsg, pair[0], messages, 2, MSG_DONTWAIT, NOWHERE));
    SHOW(syscall(SYS_recvmmsg, 999, messages, 2, MSG_DONTWAIT, &second));
    CHECK(write(pair[1], "one", 3) == 3);
    SHOW(syscall(SYS_recvmmsg, pair[0], messages, 2, MSG_DONTWAIT, &second));
    printf("left: %d\n", second.tv_sec == 0 && second.tv_nsec > 0);
    CHECK(write(pair[1], "one", 3) == 3 && write(pair[1], "two", 3) == 3);
    SHOW(syscall(SYS_recvmmsg, pair[0], messages, 2, 0, &none)); /* no time for the second */
    SHOW(getsockopt(tcp, 500, SO_OOBINLINE, &value, &length));
    SHOW(getsockopt(pair[0], 500, SO_OOBINLINE, &value, &length));
    SHOW(getsockopt(file, SOL_SOCKET, SO_OOBINLINE, &value, &length));
    SHOW(getsockopt(999, 500, SO_OOBINLINE, &value, &length));
    SHOW(getsockopt(tcp, IPPROTO_IP, -1, &value, &length));
    SHOW(getsockopt(tcp, SOL_SOCKET, SO_OOBINLINE, NOWHERE, &length));
    SHOW(getsockopt(tcp, SOL_SOCKET, SO_OOBINLINE, &value, NOWHERE));
    SHOW(setsockopt(tcp, 500, SO_OOBINLINE, &value, length));
    SHOW(setsockopt(999, 500, SO_OOBINLINE, &value, length));
    SHOW(recvfrom(file, NOWHERE, 8, 0, NULL, NULL));
    SHOW(recvfrom(999, NOWHERE, 8, 0, NULL, NULL));
    SHOW(recvfrom(pair[0], two_pages, 8, MSG_DONTWAIT | MSG_ERRQUEUE, NULL, NULL));
    SHOW(sendto(file, NOWHERE, 8, 0, NULL, 0));
    SHOW(bind(file, NOWHERE, 8));
    SHOW(recvmsg(file, NOWHERE, 0));
    SHOW(recvmsg(999, NOWHERE, 0));
}

/* ---- prctl ---- */

static long reads_clock(unsigned long how, int again)
{
    pid_t pid = fork();

    if (!pid) {
        if (prctl(PR_SET_TSC, how) < 0) {
            _exit(1);
        }
        if (again && fork()) {
            int status;

            (void)wait(&status);
            _exit(WIFSIGNALED(status) ? WTERMSIG(status) : 0);
        }
        (void)*(volatile unsigned long *)&(unsigned long){__rdtsc()};
        _exit(7);
    }
    return child_of(pid);
}

static void settings(void)
{
    int value = 0;

    SHOW(prctl(PR_GET_TSC, &value));
    printf("%d\n", value);
    SHOW(prctl(PR_GET_TSC, NOWHERE));
    SHOW(prctl(PR_SET_TSC, 0));
    SHOW(prctl(PR_SET_TSC, 3));
    SHOW(reads_clock(PR_TSC_ENABLE, 0));
    SHOW(reads_clock(PR_TSC_SIGSEGV, 0));
    SHOW(reads_clock(PR_TSC_SIGSEGV, 1));
    SHOW(prctl(PR_GET_TIMING));
    SHOW(prctl(PR_SET_TIMING, 0));
    SHOW(prctl(PR_SET_TIMING, 1));
    SHOW(prctl(PR_SET_DUMPABLE, 2));
    SHOW(prctl(PR_SET_DUMPABLE, 0));
    SHOW(prctl(PR_GET_DUMPABLE));
    SHOW(prctl(PR_SET_DUMPABLE, 1));
    SHOW(prctl(PR_GET_DUMPABLE));
    SHOW(prctl(PR_MCE_KILL_GET, 0, 0, 0, 0));
    SHOW(prctl(PR_TASK_PERF_EVENTS_DISABLE));
    SHOW(prctl(PR_SET_NO_NEW_PRIVS, 0, 0, 0, 0));
    SHOW(prctl(PR_GET_NO_NEW_PRIVS, 1, 0, 0, 0));
    SHOW(prctl(PR_SET_NAME, 8));
    SHOW(prctl(PR_SET_PDEATHSIG, 65));
    SHOW(prctl(999));
}

/* ---- signals ---- */

static void handler(int signo)
{
    printf("handler of %d\n", signo);
}

static void altstacks(void)
{
    static char room[65536];
    stack_t stack = {.ss_sp = room, .ss_size = sizeof(room)}, old;
    struct sigaction action = {.sa_handler = handler, .sa_flags = SA_ONSTACK};

    SHOW(sigaltstack(NULL, &old));
    printf("%x\n", (unsigned)old.ss_flags);
    stack.ss_flags = 4;
    SHOW(sigaltstack(&stack, NULL));
    stack.ss_flags = 0;
    stack.ss_size = 2047;
    SHOW(sigaltstack(&stack, NULL));
    stack.ss_size = 2048; /* too small for a frame of this CPU's registers, perhaps */
    SHOW(sigaltstack(&stack, NULL));
    stack.ss_size = sizeof(room);
    stack.ss_flags = (int)(1U << 31); /* SS_AUTODISARM */
    SHOW(sigaltstack(&stack, &old));
    printf("%x %zu\n", (unsigned)old.ss_flags, old.ss_size);
    SHOW(sigaction(SIGUSR1, &action, NULL));
    SHOW(raise(SIGUSR1));
    SHOW(sigaltstack(NULL, &old));
    printf("%x %d\n", (unsigned)old.ss_flags, old.ss_sp == room);
    SHOW(sigaltstack(NOWHERE, NULL));
}

static volatile int seen;

static void note(int signo)
{
    seen |= signo == SIGSEGV ? 2 : 1;
}

/* The frame does not fit where it has to go. */
static void no_room(void)
{
    char *sealed = mmap(NULL, 65536, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    stack_t stack = {.ss_sp = sealed, .ss_size = 65536};
    struct sigaction usr = {.sa_handler = note, .sa_flags = SA_ONSTACK},
                     segv = {.sa_handler = note}, old;

    CHECK(sigaltstack(&stack, NULL) == 0 && sigaction(SIGUSR1, &usr, NULL) == 0 &&
          sigaction(SIGSEGV, &segv, NULL) == 0);
    SHOW(raise(SIGUSR1));
    printf("handlers that ran: %d\n", seen);
    usr.sa_flags = SA_RESETHAND | SA_SIGINFO;
    CHECK(sigaction(SIGUSR1, &usr, NULL) == 0 && raise(SIGUSR1) == 0 &&
          sigaction(SIGUSR1, NULL, &old) == 0);
    printf("after it: %d %d\n", (old.sa_flags & SA_SIGINFO) != 0, old.sa_handler == SIG_DFL);
    CHECK(fflush(stdout) == 0);
    segv.sa_flags = SA_ONSTACK;
    CHECK(sigaction(SIGSEGV, &segv, NULL) == 0 && raise(SIGSEGV) == 0); /* dies */
}

int main(int argc, char **argv)
{
    const char *kind = argc > 1 ? argv[1] : "";

    (void)setvbuf(stdout, NULL, _IONBF, 0);
    two_pages = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(munmap(two_pages + PAGE, PAGE) == 0);
    if (!strcmp(kind, "exits")) {
        return 77;
    }
    if (!strcmp(kind, "clone")) {
        clones();
    } else if (!strcmp(kind, "exec")) {
        execs();
    } else if (!strcmp(kind, "memory")) {
        memories();
    } else if (!strcmp(kind, "stretches")) {
        stretches();
    } else if (!strcmp(kind, "commands")) {
        commands();
    } else if (!strcmp(kind, "vectors")) {
        vectors();
    } else if (!strcmp(kind, "sockets")) {
        sockets();
    } else if (!strcmp(kind, "settings")) {
        settings();
    } else {
        altstacks();
        no_room();
    }
    return 0;
}
