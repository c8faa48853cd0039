// SPDX-License-Identifier: Apache-2.0
/* Gives system calls counts that are absurd. The first answer of each is not the point. */
#include "payload.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>

static const uint64_t counts[] = {1UL << 31, 1UL << 32, 1UL << 62, 1UL << 63,
                                  ~0UL,      ~0UL >> 1, 1025};

int main(void)
{
    char *p = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    int pair[2], zero = open("/dev/zero", O_RDONLY), file;
    struct iovec negative[1] = {{p, ~0UL}};

    file = open("file", O_RDWR | O_CREAT, 0600);
    CHECK(socketpair(AF_UNIX, SOCK_DGRAM, 0, pair) == 0);
    for (size_t i = 0; i < LEN(counts); i++) {
        uint64_t n = counts[i];

        memset(p, 0, PAGE);
        SHOW(syscall(SYS_writev, file, negative, n));
        SHOW(syscall(SYS_readv, zero, p, n));
        SHOW(syscall(SYS_preadv, zero, p, n, 0));
        SHOW(syscall(SYS_poll, p, n, 0));
        SHOW(syscall(SYS_ppoll, p, n, p, NULL, 8));
        SHOW(syscall(SYS_select, n, p, p, p, p));
        SHOW(syscall(SYS_setgroups, n | 1UL << 31, p));
        SHOW(syscall(SYS_getgroups, n, p));
        SHOW(syscall(SYS_epoll_wait, file, p, n, 0));
        SHOW(syscall(SYS_rt_sigprocmask, 0, p, NULL, n));
        SHOW(syscall(SYS_rt_sigtimedwait, p, NULL, NULL, n));
        SHOW(syscall(SYS_sendmmsg, pair[0], p, n, MSG_DONTWAIT));
        SHOW(syscall(SYS_recvmmsg, pair[0], p, n, MSG_DONTWAIT, NULL));
        SHOW(syscall(SYS_bind, pair[0], p, n));
        SHOW(syscall(SYS_sendto, pair[0], p, n, MSG_DONTWAIT, p, n));
        SHOW(syscall(SYS_setsockopt, pair[0], SOL_SOCKET, 26, p, n)); /* SO_ATTACH_FILTER */
        SHOW(syscall(SYS_readlink, "/proc/self/cwd", p, n));
        SHOW(syscall(SYS_getcwd, p, n));
        SHOW(syscall(SYS_getdents64, zero, p, n));
        SHOW(syscall(SYS_sched_getaffinity, 0, n, p));
        SHOW(syscall(SYS_openat2, -100, ".", p, n));
        SHOW(syscall(SYS_getrandom, p, n | 1UL << 62, 0));
        SHOW(syscall(SYS_fcntl, file, F_DUPFD, n));
        SHOW(syscall(SYS_dup2, file, n | 1000000));
        SHOW(syscall(SYS_close_range, n, 3, 0));
    }
    return 0;
}
