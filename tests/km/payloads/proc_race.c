// SPDX-License-Identifier: Apache-2.0
/*
 * Opens the file of its own memory by each way to it, while a second thread uses the descriptor
 * that the next file gets: in processes of which a monitor might believe that they have one thread,
 * or whose /proc is false, or is not there. Nobody ever reads memory by it.
 */
#include "payload.h"

#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>

#define SECONDS 3
#define STACK (64UL << 10)
#define PROC_FD 40 /* a folder of the true /proc */
#define THREAD (CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM)

static const volatile uint64_t mark = 0x6d61726b20f32965;
static atomic_int *won; /* shared with all processes: this way led to the memory, from 1 on */
static atomic_bool over, ready;
static int next_fd; /* the number that the next file to be opened gets */
static char stacks[3][STACK] __attribute__((aligned(16)));
static char flipped[] = "//self/mem";

/* No library in between: who calls may be in a process that the C library does not know of. */
static long call(long number, long a, long b, long c, long d)
{
    register long r10 __asm__("r10") = d;
    long result;

    __asm__ volatile("syscall"
                     : "=a"(result)
                     : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10)
                     : "rcx", "r11", "memory");
    return result;
}

static bool reads_memory(int fd)
{
    uint64_t word = 0;

    return call(SYS_pread64, fd, (long)&word, sizeof(word), (long)&mark) == sizeof(word) &&
           word == mark;
}

/* ---- ways to the memory ---- */

static int by_path(void)
{
    return (int)call(SYS_openat, AT_FDCWD, (long)"/proc/self/mem", O_RDWR, 0);
}

static int by_old_call(void)
{
    return (int)call(SYS_open, (long)"/proc/thread-self/mem", O_RDONLY, 0, 0);
}

static int by_folder(void)
{
    return (int)call(SYS_openat, PROC_FD, (long)"self/mem", O_RDWR, 0);
}

static int by_creation(void)
{
    return (int)call(SYS_openat, PROC_FD, (long)"self/mem", O_RDWR | O_CREAT, 0600);
}

static int by_creat(void)
{
    return (int)call(SYS_creat, (long)"/proc/self/mem", 0600, 0, 0);
}

static int by_link(void)
{
    return (int)call(SYS_openat, AT_FDCWD, (long)"link", O_RDONLY, 0);
}

static int by_openat2(void)
{
    struct open_how how = {.flags = O_RDWR};

    return (int)call(SYS_openat2, PROC_FD, (long)"self/mem", (long)&how, sizeof(how));
}

static int in_root(void)
{
    struct open_how how = {.flags = O_RDONLY, .resolve = RESOLVE_IN_ROOT};

    return (int)call(SYS_openat2, PROC_FD, (long)"/self/mem", (long)&how, sizeof(how));
}

/* A name without access, and what it names by the name of its descriptor. */
static int by_descriptor(void)
{
    int name = (int)call(SYS_openat, PROC_FD, (long)"self/mem", O_PATH, 0), fd;
    char link[32];

    (void)snprintf(link, sizeof(link), "self/fd/%d", name);
    fd = (int)call(SYS_openat, PROC_FD, (long)link, O_RDWR, 0);
    (void)call(SYS_close, name, 0, 0, 0);
    return fd;
}

static int from_working_folder(void)
{
    int fd;

    (void)call(SYS_fchdir, PROC_FD, 0, 0, 0);
    fd = (int)call(SYS_openat, AT_FDCWD, (long)"self/mem", O_RDWR, 0);
    (void)call(SYS_chdir, (long)"/", 0, 0, 0);
    return fd;
}

/* Another thread makes the path a relative one in the meantime, and leads the folder to /proc. */
static int by_flipped_path(void)
{
    return (int)call(SYS_openat, AT_FDCWD, (long)flipped, O_RDWR, 0);
}

static int (*const ways[])(void) = {
    by_path,    by_old_call, by_folder,     by_creation,         by_creat,        by_link,
    by_openat2, in_root,     by_descriptor, from_working_folder, by_flipped_path,
};

/* ---- the race ---- */

static int use(void *unused)
{
    (void)unused;
    ready = true;
    while (!over) {
        if (reads_memory(next_fd)) {
            *won = *won ? *won : 100;
        }
    }
    (void)call(SYS_exit, 0, 0, 0, 0);
    return 0;
}

static int flip(void *unused)
{
    (void)unused;
    while (!over) {
        flipped[0] ^= '/' ^ '.';
        (void)call(SYS_fchdir, PROC_FD, 0, 0, 0);
        (void)call(SYS_chdir, (long)"/", 0, 0, 0);
    }
    (void)call(SYS_exit, 0, 0, 0, 0);
    return 0;
}

/* With what threads the monitor lets it have; ends the process. */
static int race(void *unused)
{
    struct timespec now, end;

    (void)unused;
    next_fd = (int)call(SYS_openat, AT_FDCWD, (long)"/", O_RDONLY, 0);
    (void)call(SYS_close, next_fd, 0, 0, 0);
    (void)clone(use, stacks[0] + STACK, THREAD, NULL);
    (void)clone(use, stacks[1] + STACK, THREAD, NULL);
    (void)clone(flip, stacks[2] + STACK, THREAD, NULL);
    for (int i = 0; i < 50 && !ready; i++) {
        (void)call(SYS_sched_yield, 0, 0, 0, 0);
    }
    (void)clock_gettime(CLOCK_MONOTONIC, &end);
    end.tv_sec += SECONDS;
    do {
        for (size_t i = 0; i < LEN(ways) && !*won; i++) {
            int fd = ways[i]();

            if (reads_memory(fd)) {
                *won = (int)i + 1;
            }
            if (fd >= 0) {
                (void)call(SYS_close, fd, 0, 0, 0);
            }
        }
        (void)clock_gettime(CLOCK_MONOTONIC, &now);
    } while (!*won && now.tv_sec < end.tv_sec);
    over = true;
    (void)call(SYS_exit_group, 0, 0, 0, 0);
    return 0;
}

/* ---- where it takes place ---- */

static int fork_and_race(void *unused)
{
    pid_t pid = (pid_t)call(SYS_fork, 0, 0, 0, 0);

    if (!pid) {
        (void)race(unused);
    }
    (void)call(SYS_wait4, pid, 0, 0, 0);
    (void)call(SYS_exit_group, 0, 0, 0, 0);
    return 0;
}

static void in_vfork(int (*what)(void *))
{
    static char stack[STACK] __attribute__((aligned(16)));
    pid_t pid = clone(what, stack + STACK, CLONE_VM | CLONE_VFORK | SIGCHLD, NULL);

    CHECK(pid > 0 && waitpid(pid, NULL, 0) == pid);
}

/* Whether this user may change the root, if need be as another user. */
static bool may_change_root(void)
{
    return chroot("/") == 0 || (unshare(CLONE_NEWUSER) == 0 && chroot("/") == 0);
}

/* A root in which every descriptor seems to be a setting of the machine. */
static void make_false_proc(void)
{
    char name[64];

    CHECK(!mkdir("root", 0700) && !mkdir("root/proc", 0700) && !mkdir("root/proc/self", 0700) &&
          !mkdir("root/proc/self/fd", 0700) && !mkdir("root/proc/thread-self", 0700) &&
          !symlink("../self/fd", "root/proc/thread-self/fd"));
    for (int fd = 0; fd < 1100; fd++) {
        (void)snprintf(name, sizeof(name), "root/proc/self/fd/%d", fd);
        CHECK(symlink("/sys/x", name) == 0);
    }
}

/* The program goes on in a root of which `prog` is all there is. */
static void start_without_proc(void)
{
    static char bytes[4 << 20];
    char *const argv[] = {"prog", "here", NULL}, *const envp[] = {NULL};
    int from = open("/proc/self/exe", O_RDONLY), to;
    ssize_t n = read(from, bytes, sizeof(bytes));

    CHECK(mkdir("root", 0700) == 0 && n > 0);
    to = open("root/prog", O_CREAT | O_WRONLY, 0755);
    CHECK(write(to, bytes, (size_t)n) == n && close(to) == 0 && close(from) == 0);
    CHECK(chroot("root") == 0 && chdir("/") == 0 && fcntl(PROC_FD, F_SETFD, 0) == 0);
    (void)execve("/prog", argv, envp);
    CHECK(false);
}

/* One after the other, where the monitor ends them. */
static void race_in_processes(void)
{
    time_t end = time(NULL) + SECONDS;
    int status;

    do {
        pid_t pid = fork();

        if (!pid) {
            (void)race(NULL);
        }
        CHECK(pid > 0 && waitpid(pid, &status, 0) == pid);
    } while (!*won && WIFSIGNALED(status) && time(NULL) < end);
}

int main(int argc, char **argv)
{
    bool changes_root =
        is_case(argv, "false") || is_case(argv, "without") || is_case(argv, "inside");

    (void)argc;
    won = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (changes_root && !may_change_root()) {
        return 0;
    }
    if (!is_case(argv, "here")) {
        CHECK(dup2(open("/proc", O_RDONLY | O_DIRECTORY), PROC_FD) == PROC_FD);
        CHECK(symlink("/proc/self/mem", "link") == 0);
    }
    if (is_case(argv, "vfork")) {
        in_vfork(race);
    } else if (is_case(argv, "vfork-fork")) {
        in_vfork(fork_and_race);
    } else {
        if (is_case(argv, "false")) {
            make_false_proc();
            CHECK(chroot("root") == 0 && chdir("/") == 0);
        } else if (is_case(argv, "without")) {
            start_without_proc();
        } else if (is_case(argv, "inside")) {
            CHECK(chdir(chroot("/proc") < 0 ? "/proc" : "/") == 0); /* it is refused */
        }
        race_in_processes();
    }
    if (*won) {
        printf("its memory was read: way %d\n", *won);
    }
    return *won != 0;
}
