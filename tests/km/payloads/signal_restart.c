// SPDX-License-Identifier: Apache-2.0
/* Is interrupted in calls that wait: they resume or fail with EINTR, as signal(7) says. */
#include "payload.h"

#include <poll.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>

#define LAST_WAKE 4

static volatile sig_atomic_t wakes;
static int ends[2];

static void signal_each(suseconds_t us)
{
    (void)setitimer(ITIMER_REAL, &(struct itimerval){{0, us}, {0, us}}, NULL);
}

/*
 * The first signal in a call interrupts it: on a busy CPU one or two come before the call. The last
 * brings what is waited for, to a call that resumes.
 */
static void handler(int signo)
{
    (void)signo;
    if (++wakes == LAST_WAKE) {
        (void)write(ends[1], "x", 1);
    }
}

static void start(void)
{
    wakes = 0;
    errno = 0;
    signal_each(60000);
}

static void stop(const char *call, long result)
{
    int error = errno;
    char buf[8];

    signal_each(0);
    errno = error;
    show(call, result);
    printf("  %s\n", wakes < LAST_WAKE ? "interrupted" : "resumed");
    if (wakes >= LAST_WAKE) {
        (void)recv(ends[0], buf, sizeof(buf), MSG_DONTWAIT);
    }
}

#define WAIT(call)                                                                                 \
    start();                                                                                       \
    stop(#call, (long)(call))

static void all(void)
{
    struct pollfd fd = {ends[0], POLLIN, 0};
    struct timespec nap = {20, 0}, left = {0, 0};
    struct timeval patience = {3, 0};
    int epoll = epoll_create1(0);
    fd_set set;
    char c;

    WAIT(read(ends[0], &c, 1));
    WAIT(recv(ends[0], &c, 1, 0));
    WAIT(poll(&fd, 1, 3000));
    FD_ZERO(&set);
    FD_SET(ends[0], &set);
    WAIT(select(ends[0] + 1, &set, NULL, NULL, &patience));
    WAIT(epoll_wait(epoll, &(struct epoll_event){0, {0}}, 1, 3000));
    WAIT(nanosleep(&nap, &left));
    SHOW(left.tv_sec > 0);
    WAIT(pause());
    (void)close(epoll);
}

int main(void)
{
    struct sigaction action = {.sa_handler = handler};

    CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0);
    (void)sigaction(SIGALRM, &action, NULL);
    all();
    action.sa_flags = SA_RESTART;
    (void)sigaction(SIGALRM, &action, NULL);
    all();
    return 0;
}
