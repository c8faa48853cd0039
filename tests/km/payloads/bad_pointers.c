// SPDX-License-Identifier: Apache-2.0
/* Gives system calls pointers to memory that is not its own: among them where the monitor is. */
#include "payload.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <time.h>

/* The monitor's image, its memory, the edges of what a payload can have, and what nobody has. */
static const uint64_t places[] = {
    8,
    0x7d0000000000,
    0x7d1000000000,
    0x7d2000000000,
    0x7d3000000000,
    0x7e0000000000,
    0x7e0000001000,
    0x6fff00000000 - 1,
    0x6fff00000000,
    0x700000000000 - 16,
    0x7ffffffff000,
    0x800000000000,
    1UL << 63,
    0xffff800000000000,
    ~0UL - 7,
};

static int fd, zero, pair[2], epoll;

static void plain(void *p)
{
    SHOW(read(zero, p, 8));
    SHOW(write(fd, p, 8));
    SHOW(pread(zero, p, 8, 0));
    SHOW(open(p, O_RDONLY));
    SHOW(stat(p, &(struct stat){0}));
    SHOW(stat(".", p));
    SHOW(mkdir(p, 0700));
    SHOW(rename("missing", p));
    SHOW(pipe(p));
    SHOW(getcwd(p, 8) == NULL ? -1 : 0);
    SHOW(syscall(SYS_getcwd, p, PAGE));
    SHOW(syscall(SYS_getdents64, fd, p, 64));
    SHOW(syscall(SYS_uname, p));
    SHOW(syscall(SYS_clock_gettime, 0, p));
    SHOW(syscall(SYS_nanosleep, p, NULL));
    SHOW(syscall(SYS_getrandom, p, 8, 0));
    SHOW(syscall(SYS_rt_sigaction, SIGUSR1, p, NULL, 8));
    SHOW(syscall(SYS_rt_sigaction, SIGUSR1, NULL, p, 8));
    SHOW(syscall(SYS_rt_sigprocmask, SIG_BLOCK, p, NULL, 8));
    SHOW(syscall(SYS_rt_sigprocmask, SIG_BLOCK, NULL, p, 8));
    SHOW(syscall(SYS_sigaltstack, p, NULL));
    SHOW(syscall(SYS_sigaltstack, NULL, p));
    SHOW(syscall(SYS_rt_sigsuspend, p, 8));
    SHOW(syscall(SYS_poll, p, 1, 0));
    SHOW(select(1, p, NULL, NULL, NULL));
    SHOW(getrlimit(RLIMIT_AS, p));
    SHOW(setitimer(ITIMER_REAL, p, NULL));
    SHOW(syscall(SYS_sysinfo, p));
    SHOW(syscall(SYS_arch_prctl, 0x1003, p));
}

static void nested(void *p)
{
    struct iovec iov[2] = {{&(int){0}, 4}, {p, 8}};
    struct msghdr message = {.msg_iov = iov + 1, .msg_iovlen = 1};
    struct mmsghdr several = {.msg_hdr = message};
    struct msghdr far = {.msg_iov = p, .msg_iovlen = 1};
    struct msghdr control = {
        .msg_iov = iov, .msg_iovlen = 1, .msg_control = p, .msg_controllen = 24};

    SHOW(syscall(SYS_writev, pair[0], p, 1));
    SHOW(syscall(SYS_writev, pair[0], iov + 1, 1));
    SHOW(syscall(SYS_readv, zero, iov + 1, 1));
    SHOW(syscall(SYS_sendmsg, pair[0], p, 0));
    SHOW(syscall(SYS_sendmsg, pair[0], &message, 0));
    SHOW(syscall(SYS_sendmsg, pair[0], &far, 0));
    SHOW(syscall(SYS_sendmsg, pair[0], &control, 0));
    SHOW(syscall(SYS_sendmmsg, pair[0], &several, 1, 0));
    SHOW(syscall(SYS_sendmmsg, pair[0], p, 1, 0));
    SHOW(syscall(SYS_recvmsg, pair[1], p, MSG_DONTWAIT));
    SHOW(syscall(SYS_sendto, pair[0], p, 8, 0, NULL, 0));
    SHOW(syscall(SYS_getsockname, pair[0], p, &(int){16}));
    SHOW(syscall(SYS_getsockname, pair[0], &several, p));
    SHOW(syscall(SYS_getsockopt, pair[0], SOL_SOCKET, SO_TYPE, p, &(int){4}));
    SHOW(syscall(SYS_setsockopt, pair[0], SOL_SOCKET, SO_SNDBUF, p, 4));
    SHOW(epoll_ctl(epoll, EPOLL_CTL_ADD, pair[0], p));
    SHOW(syscall(SYS_epoll_wait, epoll, p, 1, 0));
    SHOW(fcntl(fd, F_GETLK, p));
    SHOW(ioctl(pair[0], FIONREAD, p));
    SHOW(ioctl(pair[0], 0x8912, p));
    SHOW(syscall(SYS_futex, p, 0, 0, NULL, NULL, 0) == 0);
}

int main(void)
{
    fd = open("file", O_RDWR | O_CREAT, 0600);
    zero = open("/dev/zero", O_RDONLY);
    epoll = epoll_create1(0);
    CHECK(socketpair(AF_UNIX, SOCK_DGRAM, 0, pair) == 0);
    (void)write(pair[1], "there is something to get", 25);
    for (size_t i = 0; i < LEN(places); i++) {
        printf("place %zu\n", i);
        plain((void *)places[i]);
        nested((void *)places[i]);
    }
    SHOW(lseek(fd, 0, SEEK_END));
    return 0;
}
