// SPDX-License-Identifier: Apache-2.0
/* Is interrupted in calls that wait: they go on or fail with EINTR, as signal(7) says. */
#include "payload.h"

#include <poll.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>

static int ends[2], wakes;

/* The first signal interrupts, the second also brings what is waited for. */
static void handler(int signo)
{
    (void)signo;
    if (++wakes == 2) {
        (void)write(ends[1], "x", 1);
        (void)setitimer(ITIMER_REAL, &(struct itimerval){{0, 0}, {0, 0}}, NULL);
    }
}

static void start(void)
{
    struct itimerval often = {{0, 15000}, {0, 15000}};

    wakes = 0;
    (void)setitimer(ITIMER_REAL, &often, NULL);
}

static void stop(void)
{
    char buf[8];

    (void)setitimer(ITIMER_REAL, &(struct itimerval){{0, 0}, {0, 0}}, NULL);
    printf("  wakes %d\n", wakes);
    if (wakes > 1) {
        (void)recv(ends[0], buf, sizeof(buf), MSG_DONTWAIT);
    }
}

#define WAIT(call)                                                                                 \
    start();                                                                                       \
    SHOW(call);                                                                                    \
    stop()

static void all(void)
{
    struct pollfd fd = {ends[0], POLLIN, 0};
    struct timespec nap = {0, 40000000}, left = {0, 0};
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
    SHOW(left.tv_nsec > 0);
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
