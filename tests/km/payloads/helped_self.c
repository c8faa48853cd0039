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
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#define ROUNDS 200

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

int main(int argc, char **argv)
{
    (void)argc;
    CHECK(prctl(PR_SET_NAME, "helped_self") == 0);
    warm();
    if (is_case(argv, "positions")) {
        positions();
    } else if (is_case(argv, "links")) {
        links();
    } else if (is_case(argv, "signals")) {
        signals();
    }
    printf("done\n");
    return 0;
}
