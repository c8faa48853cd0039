// SPDX-License-Identifier: Apache-2.0
/* Waits for descriptors by poll, select and epoll; eventfd and timerfd are what is waited for. */
#include "payload.h"

#include <poll.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/select.h>
#include <sys/timerfd.h>

int main(void)
{
    int event = eventfd(0, EFD_NONBLOCK), timer = timerfd_create(CLOCK_MONOTONIC, 0);
    int epoll = epoll_create1(EPOLL_CLOEXEC);
    struct itimerspec late = {{0, 0}, {100, 0}}, soon = {{0, 0}, {0, 1000000}}, left;
    struct pollfd fds[] = {{event, POLLIN | POLLOUT, 0}, {timer, POLLIN, 0}, {99, POLLIN, 0}};
    struct epoll_event events[4] = {{EPOLLIN, {.u64 = 0x123456789abcUL}}};
    struct timeval zero = {0, 0};
    struct timespec moment = {0, 1000000};
    sigset_t mask;
    uint64_t value = 5;
    fd_set set;

    (void)sigemptyset(&mask);
    SHOW(poll(fds, 3, 0));
    SHOW(fds[0].revents * 10000 + fds[1].revents * 100 + fds[2].revents);
    SHOW(read(event, &value, 8));
    SHOW(epoll_ctl(epoll, EPOLL_CTL_ADD, event, events));
    SHOW(epoll_ctl(epoll, EPOLL_CTL_ADD, event, events));
    SHOW(epoll_wait(epoll, events, 4, 0));
    SHOW(write(event, &value, 8));
    SHOW(epoll_wait(epoll, events, 4, -1));
    SHOW(events[0].data.u64);
    SHOW(epoll_pwait(epoll, events, 4, 0, &mask));
    SHOW(epoll_wait(epoll, events, 0, 0));
    SHOW(epoll_ctl(epoll, EPOLL_CTL_DEL, timer, NULL));
    FD_ZERO(&set);
    FD_SET(event, &set);
    FD_SET(timer, &set);
    SHOW(select(timer + 1, &set, NULL, NULL, &zero));
    SHOW(FD_ISSET(event, &set) * 10 + FD_ISSET(timer, &set));
    SHOW(select(0, NULL, NULL, NULL, &zero));
    SHOW(pselect(0, NULL, NULL, NULL, &moment, &mask));
    SHOW(timerfd_settime(timer, 0, &late, NULL));
    SHOW(timerfd_gettime(timer, &left));
    SHOW(left.it_value.tv_sec > 0);
    SHOW(timerfd_settime(timer, 0, &soon, NULL));
    fds[0].fd = -1;
    SHOW(ppoll(fds, 2, NULL, &mask));
    SHOW(fds[1].revents);
    SHOW(read(timer, &value, 8));
    SHOW(value);
    return 0;
}
