// SPDX-License-Identifier: Apache-2.0
/*
 * Makes calls whose answer depends on the thread that asks, so often that the monitor may let a
 * helper make others: each answer must be the payload's own thread's. Which calls, its argument
 * says.
 */
#include "payload.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/sendfile.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <sys/wait.h>

#define ROUNDS 200
#define SIZE 100000
#define MUCH (200UL << 20) /* random bytes, which take some 0.4 s */

/* So that a helper is there, and looks for requests. */
static void warm(void)
{
    for (int i = 0; i < ROUNDS; i++) {
        CHECK(getppid() >= 0);
    }
}

/* ---- /proc ---- */

/* A position in a file of /proc is found by making its text, which not every thread may see. */
static void positions(void)
{
    char text[32];
    int fd;

    if (!geteuid()) {
        CHECK(setresgid(65534, 65534, 65534) == 0 && setresuid(65534, 65534, 65534) == 0);
    }
    CHECK(prctl(PR_SET_DUMPABLE, 1) == 0);
    fd = open("/proc/self/timerslack_ns", O_RDONLY);
    CHECK(fd >= 0);
    for (int i = 0; i < ROUNDS; i++) {
        CHECK(lseek(fd, 0, SEEK_SET) == 0 && read(fd, text, sizeof(text)) > 1);
        CHECK(lseek(fd, 1, SEEK_SET) == 1 && lseek(fd, 1, SEEK_CUR) == 2);
        CHECK(lseek(fd, 0, SEEK_END) == -1 && errno == EINVAL);
    }
    CHECK(close(fd) == 0);
}

/* The thread that asks, by each way that leads there. */
static void links(void)
{
    char wanted[64], found[96];
    struct stat one, other;
    int proc = open("/proc", O_RDONLY | O_DIRECTORY), fd;

    CHECK(proc >= 0 && symlink("/proc/thread-self", "to-thread") == 0);
    (void)snprintf(wanted, sizeof(wanted), "%d/task/%ld", getpid(), syscall(SYS_gettid));
    for (int i = 0; i < ROUNDS; i++) {
        memset(found, 0, sizeof(found));
        CHECK(readlink("/proc/thread-self", found, sizeof(found)) > 0 && !strcmp(found, wanted));
        memset(found, 0, sizeof(found));
        CHECK(readlinkat(proc, "thread-self", found, sizeof(found)) > 0 && !strcmp(found, wanted));
        (void)snprintf(found, sizeof(found), "/proc/%s/comm", wanted);
        CHECK(stat(found, &one) == 0 && stat("/proc/thread-self/comm", &other) == 0);
        CHECK(one.st_ino == other.st_ino && stat("to-thread/comm", &other) == 0);
        CHECK(one.st_ino == other.st_ino && fstatat(proc, "thread-self/comm", &other, 0) == 0);
        CHECK(one.st_ino == other.st_ino && access("/proc/thread-self/comm", R_OK) == 0);
        fd = open("to-thread/comm", O_RDONLY);
        CHECK(fd >= 0 && read(fd, found, sizeof(found)) > 0 && close(fd) == 0);
        CHECK(!memcmp(found, "helped_self", 11));
    }
    for (int i = 0; i < ROUNDS; i++) {
        fd = open(".", O_PATH);
        CHECK(fd >= 0 && chdir(i % 2 ? "to-thread" : "/proc/thread-self") == 0);
        CHECK(getcwd(found, sizeof(found)) && !strcmp(found + strlen("/proc/"), wanted));
        CHECK(fchdir(fd) == 0 && close(fd) == 0);
    }
    CHECK(unlink("to-thread") == 0 && close(proc) == 0);
}

/* ---- signals that wait for this thread ---- */

static bool is_polled(int fd)
{
    struct timespec none = {0, 0};
    struct pollfd at = {fd, POLLIN, 0}, again = {fd, POLLIN, 0};
    int count = poll(&at, 1, 0);

    CHECK(ppoll(&again, 1, &none, NULL) == count && at.revents == again.revents);
    return count == 1 && at.revents == POLLIN;
}

static bool is_queued(int queue)
{
    struct epoll_event event = {0};

    return epoll_wait(queue, &event, 1, 0) == 1 && event.events == EPOLLIN;
}

/* A descriptor of signals shows those of the thread that looks; an epoll which has it, and one
 * which has that, too. */
static void signals(void)
{
    struct epoll_event event = {.events = EPOLLIN};
    int inner = epoll_create1(0), outer = epoll_create1(0), late = epoll_create1(0), fd;
    struct signalfd_siginfo info;
    sigset_t mine;

    CHECK(sigemptyset(&mine) == 0 && sigaddset(&mine, SIGUSR1) == 0);
    CHECK(sigprocmask(SIG_BLOCK, &mine, NULL) == 0);
    fd = signalfd(-1, &mine, SFD_NONBLOCK);
    CHECK(fd >= 0 && inner >= 0 && outer >= 0 && late >= 0);
    CHECK(epoll_ctl(inner, EPOLL_CTL_ADD, fd, &event) == 0);
    CHECK(epoll_ctl(outer, EPOLL_CTL_ADD, inner, &event) == 0);
    for (int i = 0; i < ROUNDS; i++) {
        CHECK(!is_polled(fd) && !is_polled(inner) && !is_queued(inner) && !is_queued(outer));
        CHECK(raise(SIGUSR1) == 0);
        warm();
        CHECK(epoll_ctl(late, EPOLL_CTL_ADD, fd, &event) == 0);
        CHECK(is_polled(fd) && is_polled(inner) && is_polled(outer));
        CHECK(is_queued(inner) && is_queued(outer) && is_queued(late));
        CHECK(epoll_wait(outer, &event, 1, 1000) == 1 && epoll_wait(late, &event, 1, 1000) == 1);
        CHECK(read(fd, &info, sizeof(info)) == sizeof(info) && info.ssi_signo == SIGUSR1);
        CHECK(epoll_ctl(late, EPOLL_CTL_DEL, fd, NULL) == 0);
    }
    CHECK(close(fd) == 0 && close(inner) == 0 && close(outer) == 0 && close(late) == 0);
}

static volatile sig_atomic_t handled;

static void count_signal(int signo)
{
    (void)signo;
    handled++;
}

static void handle(int signo)
{
    struct sigaction action = {.sa_handler = count_signal};

    CHECK(sigaction(signo, &action, NULL) == 0);
}

/* A limit ends sendfile in the middle, which raises the signal, too. */
static void limits(void)
{
    struct rlimit limit = {SIZE, SIZE};
    int in = open("in", O_RDWR | O_CREAT, 0600), out = open("out", O_RDWR | O_CREAT, 0600);

    CHECK(in >= 0 && out >= 0 && ftruncate(in, 2L * SIZE) == 0);
    handle(SIGXFSZ);
    CHECK(setrlimit(RLIMIT_FSIZE, &limit) == 0);
    for (int i = 1; i <= ROUNDS; i++) {
        off_t begin = 0;

        CHECK(lseek(out, 0, SEEK_SET) == 0 && ftruncate(out, 0) == 0);
        CHECK(sendfile(out, in, &begin, 2UL * SIZE) == SIZE && handled == i);
    }
    CHECK(close(in) == 0 && close(out) == 0 && unlink("in") == 0 && unlink("out") == 0);
}

/* ---- signals that end a call in the middle ---- */

static void alarm_soon(long microseconds)
{
    struct itimerval soon = {{0, 0}, {0, microseconds}};

    CHECK(setitimer(ITIMER_REAL, &soon, NULL) == 0);
}

/* Who opens a file that another process has a lease of waits until that gives it back. */
static void leases(void)
{
    int fd = open("leased", O_RDWR | O_CREAT, 0600), ends[2], ready[2];
    char byte;
    pid_t child;

    CHECK(fd >= 0 && close(fd) == 0 && pipe(ends) == 0 && pipe(ready) == 0);
    child = fork();
    if (!child) {
        CHECK(signal(SIGIO, SIG_IGN) != SIG_ERR && close(ends[1]) == 0);
        fd = open("leased", O_RDONLY);
        CHECK(fcntl(fd, F_SETLEASE, F_RDLCK) == 0 && write(ready[1], "x", 1) == 1);
        CHECK(read(ends[0], &byte, 1) == 0);
        _exit(0);
    }
    handle(SIGALRM);
    CHECK(read(ready[0], &byte, 1) == 1);
    for (int i = 1; i <= 3; i++) {
        alarm_soon(200000);
        warm();
        CHECK(open("leased", O_WRONLY) == -1 && errno == EINTR && handled == i);
        warm();
        CHECK(open("leased", O_WRONLY | O_NONBLOCK) == -1 && errno == EAGAIN);
    }
    CHECK(close(ends[1]) == 0 && waitpid(child, NULL, 0) == child);
    for (int i = 0; i < ROUNDS; i++) {
        int more = i % 2 ? 0 : O_NONBLOCK | O_APPEND;

        fd = open("leased", O_RDWR | more);
        CHECK(fd >= 0 && (fcntl(fd, F_GETFL) & (O_NONBLOCK | O_APPEND)) == more);
        CHECK(close(fd) == 0);
    }
    CHECK(unlink("leased") == 0);
}

/* Much at once is what there is until the signal. */
static void amounts(void)
{
    struct itimerval often = {{0, 50000}, {0, 50000}}, never = {{0, 0}, {0, 0}};
    char *memory = mmap(NULL, MUCH, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    struct iovec twice[] = {{memory, MUCH}, {memory, MUCH}};
    int fd = open("/dev/urandom", O_RDONLY);

    CHECK(memory != MAP_FAILED && fd >= 0);
    handle(SIGALRM);
    CHECK(setitimer(ITIMER_REAL, &often, NULL) == 0);
    for (int way = 0; way < 3; way++) {
        ssize_t n;

        warm();
        n = way == 0   ? syscall(SYS_getrandom, memory, MUCH, 0)
            : way == 1 ? read(fd, memory, MUCH)
                       : readv(fd, twice, 2);
        CHECK(n > 0 && n < (ssize_t)MUCH && handled);
    }
    CHECK(setitimer(ITIMER_REAL, &never, NULL) == 0);
    CHECK(munmap(memory, MUCH) == 0 && close(fd) == 0);
}

/* ---- others ---- */

/* A terminal sends its signals to the process that asks for them first. */
static void terminals(void)
{
    int terminal = open("/dev/ptmx", O_RDWR | O_NOCTTY);

    CHECK(terminal >= 0);
    for (int i = 0; i < ROUNDS; i++) {
        CHECK(fcntl(terminal, F_SETOWN, 0) == 0 && fcntl(terminal, F_GETOWN) == 0);
        warm();
        CHECK(fcntl(terminal, F_SETFL, O_ASYNC) == 0 && fcntl(terminal, F_GETOWN) == getpid());
        CHECK(fcntl(terminal, F_SETFL, 0) == 0);
    }
    CHECK(close(terminal) == 0);
}

/* No other thread is there, whatever a call asks of it. */
static void numbers(void)
{
    for (int i = 0; i < 20; i++) {
        warm();
        for (pid_t tid = getpid() - 200; tid < getpid() + 200; tid++) {
            CHECK(tid == getpid() || (syscall(SYS_tgkill, getpid(), tid, 0) == -1 && errno));
        }
    }
}

/* A stack grows as what is read comes to it. */
static void stacks(void)
{
    int ends[2];

    CHECK(pipe(ends) == 0);
    for (int i = 0; i < ROUNDS; i++) {
        char *room = mmap(NULL, 100 * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), *top;

        CHECK(room != MAP_FAILED && munmap(room, 100 * PAGE) == 0);
        top = mmap(room + 99 * PAGE, PAGE, PROT_READ | PROT_WRITE,
                   MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_GROWSDOWN, -1, 0);
        CHECK(top == room + 99 * PAGE && write(ends[1], "x", 1) == 1);
        CHECK(read(ends[0], top - 8, 1) == 1 && top[-8] == 'x' && top[-9] == 0);
        CHECK(munmap(room, 100 * PAGE) == 0);
    }
    CHECK(close(ends[0]) == 0 && close(ends[1]) == 0);
}

static const struct {
    const char *name;
    void (*run)(void);
} cases[] = {
    {"positions", positions}, {"links", links},     {"signals", signals},
    {"limits", limits},       {"leases", leases},   {"amounts", amounts},
    {"terminals", terminals}, {"numbers", numbers}, {"stacks", stacks},
};

int main(int argc, char **argv)
{
    (void)argc;
    CHECK(prctl(PR_SET_NAME, "helped_self") == 0);
    warm();
    for (size_t i = 0; i < LEN(cases); i++) {
        if (is_case(argv, cases[i].name)) {
            cases[i].run();
        }
    }
    printf("done\n");
    return 0;
}
