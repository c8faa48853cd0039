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

static int ends[2], wakes;

static void signal_after(suseconds_t us)
{
    (void)setitimer(ITIMER_REAL, &(struct itimerval){{0, 0}, {0, us}}, NULL);
}

/* The first signal interrupts; the second, if it comes to that, brings what is waited for. */
static void handler(int signo)
{
    (void)signo;
    if (++wakes == 1) {
        signal_after(400000); /* a call that fails has time to do so, on a slow CPU too */
    } else {
        (void)write(ends[1], "x", 1);
    }
}

static void start(void)
{
    wakes = 0;
    signal_after(60000);
}

static void stop(void)
{
    char buf[8];

    signal_after(0);
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
    struct timespec nap = {0, 200000000}, left = {0, 0};
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
