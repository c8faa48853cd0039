// SPDX-License-Identifier: Apache-2.0
/*
 * Looks for the monitor: random threads, forks, vforks, programs, roots, namespaces, mounts, links,
 * messages and openings, from a seed, for so many seconds. It has found it when a file gives it its
 * own memory, a text has an address where a payload has none, a file is KVM's, or the kernel's
 * release is that of the host: then code of it ran outside the VM.
 */
#include "payload.h"

#include <ctype.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <time.h>

#define PROC_FD 40 /* a folder of the true /proc */
#define SHARED_FD 41
#define SHARED_AT (1L << 20) /* behind any text that is written there by mistake */
#define POST_FD 42           /* two ends of a socket: descriptors go round among all processes */
#define GUEST_TOP 0x6fff00000000
#define PROCESSES_MAX 10
#define THREADS_MAX 3
#define STACK (128UL << 10)
#define THREAD (CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM)

static const volatile uint64_t mark = 0x6d61726b20f32965;

static struct {
    atomic_bool found;
    atomic_int processes;
    atomic_ulong acts;
    time_t end;
    char what[200];
} *shared;

static char stacks[THREADS_MAX + 1][STACK] __attribute__((aligned(16)));
static atomic_int threads;
static int next_fd = 43; /* about the number that the next file gets */
static char path[2][32] = {"//self/mem", "/proc/self/mem"};
static char *self;

/* ---- chance ---- */

static uint32_t roll(uint64_t *state, uint32_t below)
{
    *state = *state * 6364136223846793005UL + 1442695040888963407UL;
    return (uint32_t)(*state >> 33) % below;
}

/* ---- what must not be seen ---- */

static void found(const char *what, const char *detail)
{
    if (!atomic_exchange(&shared->found, true)) {
        (void)snprintf(shared->what, sizeof(shared->what), "%s: %.100s", what, detail);
    }
}

/* A line of maps and the like that begins with an address of the monitor's. Two texts of km's may
 * have become one, where a thread has put one's descriptor in the place of the other's: not each
 * line is whole. */
static void judge_text(char *text)
{
    for (char *line = strtok_r(text, "\n", &text); line; line = strtok_r(NULL, "\n", &text)) {
        char *end;
        uint64_t start = strtoul(line, &end, 16);

        if (isxdigit((unsigned char)*line) && end - line >= 8 && (*end == '-' || *end == ' ') &&
            start >= GUEST_TOP && !strstr(line, "[vsyscall]")) {
            found("an address of the monitor", line);
        }
        if (strstr(line, "kvm-vcpu") || strstr(line, "kvm-vm")) {
            found("a name of KVM's", line);
        }
    }
}

/* Another thread may put another file there in between, but not each time. */
static bool is_kvm(int fd)
{
    struct stat st;
    int access;

    for (int i = 0; i < 8; i++) {
        access = fcntl(fd, F_GETFL);
        if (access < 0 || access & O_PATH || fstat(fd, &st) < 0 || !S_ISCHR(st.st_mode) ||
            st.st_rdev != makedev(10, 232)) {
            return false;
        }
    }
    return true;
}

static void look(int fd)
{
    uint64_t word = 0;
    char text[1024];
    struct stat st = {0};
    ssize_t n;

    if (pread(fd, &word, sizeof(word), (off_t)&mark) == sizeof(word) && word == mark) {
        found("its memory", "by pread");
    }
    if (is_kvm(fd)) {
        found("/dev/kvm", "");
    }
    n = fstat(fd, &st) == 0 && S_ISREG(st.st_mode) ? pread(fd, text, sizeof(text) - 1, 0) : -1;
    if (n > 0) {
        text[n] = 0;
        judge_text(text);
    }
}

static void judge_release(void)
{
    struct utsname name;

    if (uname(&name) == 0 && !strstr(name.release, "kontain")) {
        found("the host's kernel", name.release);
    }
}

/* ---- acts ---- */

static const char *const names[] = {
    "self/mem",
    "thread-self/mem",
    "self/maps",
    "self/smaps",
    "self/numa_maps",
    "self/task/../mem",
    "self/root/proc/self/mem",
    "self/syscall",
    "self/smaps_rollup",
    "self/auxv",
    "self/cwd/self/mem",
    "self/fdinfo/961",
    "self/fd/961",
    "self/exe",
    "self/stack",
    "self/map_files",
    "self/pagemap",
};
static const int flags[] = {O_RDONLY,
                            O_RDWR,
                            O_WRONLY,
                            O_RDWR | O_CREAT,
                            O_PATH,
                            O_RDONLY | O_NONBLOCK,
                            O_PATH | O_NOFOLLOW,
                            O_RDONLY | O_CLOEXEC};

static void open_one(uint64_t *dice)
{
    const char *name = names[roll(dice, LEN(names))];
    struct open_how how = {.flags = (uint64_t)flags[roll(dice, LEN(flags))],
                           .mode = 0,
                           .resolve = roll(dice, 2) ? RESOLVE_IN_ROOT : 0};
    char text[64];
    int fd = -1;

    switch (roll(dice, 6)) {
    case 0:
        (void)snprintf(text, sizeof(text), "/proc/%s", name);
        fd = open(text, (int)how.flags, 0600);
        break;
    case 1:
        fd = openat(PROC_FD, name, (int)how.flags, 0600);
        break;
    case 2:
        how.mode = how.flags & O_CREAT ? 0600 : 0;
        fd = (int)syscall(SYS_openat2, PROC_FD, name, &how, sizeof(how));
        break;
    case 3:
        fd = open(path[roll(dice, 2)], (int)how.flags, 0600);
        break;
    case 4:
        (void)snprintf(text, sizeof(text), "self/fd/%d", next_fd + (int)roll(dice, 6) - 3);
        fd = openat(PROC_FD, text, (int)how.flags, 0600);
        break;
    default:
        fd = open(name, (int)how.flags, 0600);
    }
    if (fd >= 0) {
        next_fd = fd;
        look(fd);
        if (roll(dice, 4)) {
            (void)close(fd);
        }
    }
}

static void move_descriptors(uint64_t *dice)
{
    int near = next_fd + (int)roll(dice, 8) - 3, far = 950 + (int)roll(dice, 80);

    near = near > POST_FD + 1 ? near : POST_FD + 2;
    switch (roll(dice, 4)) {
    case 0:
        (void)dup2(near, far);
        break;
    case 1:
        (void)dup2(far, near);
        break;
    case 2:
        (void)close(roll(dice, 2) ? near : far);
        break;
    default:
        (void)syscall(SYS_close_range, POST_FD + 2, ~0U, 0);
    }
}

/* Descriptors to whoever takes them. */
static void post(uint64_t *dice)
{
    union {
        char bytes[CMSG_SPACE(sizeof(int))];
        struct cmsghdr head;
    } room = {.head = {CMSG_LEN(sizeof(int)), 0, SOL_SOCKET, SCM_RIGHTS}};
    char c = 0;
    struct iovec iov = {&c, 1};
    struct msghdr message = {.msg_iov = &iov,
                             .msg_iovlen = 1,
                             .msg_control = room.bytes,
                             .msg_controllen = sizeof(room.bytes)};
    int fd = roll(dice, 3) ? next_fd : 955 + (int)roll(dice, 20);

    if (roll(dice, 2)) {
        memcpy(CMSG_DATA(&room.head), &fd, sizeof(fd));
        (void)sendmsg(POST_FD, &message, MSG_DONTWAIT);
    } else if (recvmsg(POST_FD + 1, &message, MSG_DONTWAIT) == 1 &&
               message.msg_controllen >= CMSG_LEN(sizeof(int))) {
        memcpy(&fd, CMSG_DATA(&room.head), sizeof(fd));
        look(fd);
        (void)close(fd);
    }
}

static void change_place(uint64_t *dice)
{
    static const char *const roots[] = {"root", "/proc", ".", "/", "/proc/self", "root/proc"};

    switch (roll(dice, 8)) {
    case 0:
        (void)chroot(roots[roll(dice, LEN(roots))]);
        break;
    case 1:
        (void)unshare((int[]){CLONE_NEWUSER, CLONE_NEWNS, CLONE_FS, CLONE_NEWPID,
                              CLONE_FILES}[roll(dice, 5)]);
        break;
    case 2:
        (void)mount("proc", "root/proc", "proc", 0, NULL);
        break;
    case 3:
        (void)chdir(roots[roll(dice, LEN(roots))]);
        break;
    case 4:
        (void)fchdir(PROC_FD);
        break;
    default:
        path[0][0] ^= '/' ^ '.';
    }
}

static void look_around(void)
{
    for (int fd = next_fd - 2; fd < next_fd + 3; fd++) {
        look(fd);
    }
}

static void live(uint64_t seed, unsigned acts);

static int thread_main(void *argument)
{
    live((uint64_t)argument, 400);
    (void)syscall(SYS_exit, 0);
    return 0;
}

static void start_thread(uint64_t *dice)
{
    int i = threads++;

    if (i < THREADS_MAX) {
        (void)clone(thread_main, stacks[i] + STACK, THREAD, (void *)(*dice ^ 0x5eed));
    }
}

static int vforked_main(void *argument)
{
    live((uint64_t)argument, 60);
    _exit(0);
}

/* The stack of the child is one that no thread has. */
static void start_process(uint64_t *dice)
{
    static atomic_flag taken;
    bool vforks = roll(dice, 2);
    uint64_t seed = *dice ^ 0xc41d;
    pid_t pid;

    if (shared->processes >= PROCESSES_MAX) {
        while (waitpid(-1, NULL, WNOHANG) > 0) {
        }
        return;
    }
    if (vforks && !atomic_flag_test_and_set(&taken)) {
        shared->processes++;
        pid = clone(vforked_main, stacks[THREADS_MAX] + STACK, CLONE_VM | CLONE_VFORK | SIGCHLD,
                    (void *)seed);
        shared->processes--;
        atomic_flag_clear(&taken);
    } else {
        shared->processes++;
        pid = fork();
        if (!pid) {
            threads = 0;
            atomic_flag_clear(&taken);
            (void)alarm(2);
            live(seed, 600);
            shared->processes--;
            _exit(0);
        }
        if (pid < 0) {
            shared->processes--;
        }
    }
    while (waitpid(-1, NULL, WNOHANG) > 0) {
    }
}

static void become_another(uint64_t seed)
{
    char text[24];
    char *const argv[] = {self, "again", text, NULL}, *const envp[] = {NULL};

    (void)snprintf(text, sizeof(text), "%lu", seed);
    (void)execve("/proc/self/exe", argv, envp);
    (void)execve("prog", argv, envp);
}

static void live(uint64_t seed, unsigned acts)
{
    uint64_t dice = seed;

    for (unsigned i = 0; i < acts && !shared->found && time(NULL) < shared->end; i++) {
        uint32_t what = roll(&dice, 1000);

        shared->acts++;
        if (what < 500) {
            open_one(&dice);
        } else if (what < 750) {
            look_around();
        } else if (what < 830) {
            move_descriptors(&dice);
        } else if (what < 900) {
            post(&dice);
        } else if (what < 950) {
            change_place(&dice);
        } else if (what < 970) {
            start_thread(&dice);
        } else if (what < 990) {
            start_process(&dice);
        } else if (what < 994) {
            become_another(dice);
        } else {
            judge_release();
        }
    }
}

/* A root with a false /proc, and with the program. */
static void make_root(void)
{
    static char bytes[4 << 20];
    char name[64];
    int from = open("/proc/self/exe", O_RDONLY), to;
    ssize_t n = read(from, bytes, sizeof(bytes));

    CHECK(!mkdir("root", 0700) && !mkdir("root/proc", 0700) && !mkdir("root/proc/self", 0700) &&
          !mkdir("root/proc/self/fd", 0700));
    for (int fd = 0; fd < 1100; fd++) {
        (void)snprintf(name, sizeof(name), "root/proc/self/fd/%d", fd);
        CHECK(symlink("/sys/x", name) == 0);
    }
    to = open("root/prog", O_CREAT | O_WRONLY, 0755);
    CHECK(n > 0 && write(to, bytes, (size_t)n) == n && close(to) == 0 && close(from) == 0);
}

static void prepare(const char *seconds)
{
    int pair[2], memory = memfd_create("hunter", 0);

    CHECK(ftruncate(memory, SHARED_AT + (off_t)PAGE) == 0 &&
          socketpair(AF_UNIX, SOCK_DGRAM, 0, pair) == 0);
    CHECK(dup2(memory, SHARED_FD) == SHARED_FD && dup2(pair[0], POST_FD) == POST_FD &&
          dup2(pair[1], POST_FD + 1) == POST_FD + 1);
    CHECK(dup2(open("/proc", O_RDONLY | O_DIRECTORY), PROC_FD) == PROC_FD);
    make_root();
    shared = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, SHARED_FD, SHARED_AT);
    shared->end = time(NULL) + atoi(seconds);
}

int main(int argc, char **argv)
{
    bool again = is_case(argv, "again");
    uint64_t seed = strtoul(argc > 2 ? argv[again ? 2 : 1] : "1", NULL, 10);

    self = argv[0];
    if (again) {
        shared = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, SHARED_FD, SHARED_AT);
        (void)alarm(2);
        live(seed, 600);
        shared->processes--;
        return 0;
    }
    prepare(argc > 2 ? argv[2] : "5");
    for (uint64_t i = 0; time(NULL) < shared->end && !shared->found; i++) {
        pid_t pid;

        shared->processes = 1; /* those that were killed did not say so */
        pid = fork();
        if (!pid) {
            int null = open("/dev/null", O_WRONLY); /* it may end badly, or not at all */

            (void)dup2(null, STDOUT_FILENO);
            (void)dup2(null, STDERR_FILENO);
            (void)setpgid(0, 0);
            (void)alarm(2);
            live(seed * 1000003 + i, 600);
            _exit(0);
        }
        CHECK(pid > 0 && waitpid(pid, NULL, 0) == pid);
        (void)kill(-pid, SIGKILL); /* a vfork's child, whose parent an alarm ended, may hang */
        while (waitpid(-1, NULL, WNOHANG) > 0) {
        }
    }
    if (shared->found) {
        printf("found %s after %lu acts of seed %lu\n", shared->what, shared->acts, seed);
    }
    return shared->found;
}
