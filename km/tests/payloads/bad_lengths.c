// SPDX-License-Identifier: Apache-2.0
/* Gives system calls lengths and counts that run over the end of memory, or round it. */
#include "payload.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>

int main(void)
{
    static const uint64_t huge[] = {1UL << 31, 1UL << 32, 1UL << 62, 1UL << 63, ~0UL, ~0UL >> 1};
    char *p = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    char *end = p + PAGE;
    int pair[2], zero = open("/dev/zero", O_RDONLY), ends[2], file;
    struct iovec overflow[2] = {{p, ~0UL >> 1}, {p, 64}};
    struct iovec negative[1] = {{p, ~0UL}};

    file = open("file", O_RDWR | O_CREAT, 0600);
    CHECK(socketpair(AF_UNIX, SOCK_DGRAM, 0, pair) == 0 && pipe(ends) == 0);
    SHOW(munmap(end, PAGE));
    memset(p, 'p', PAGE);
    SHOW(write(file, end - 10, 20));
    SHOW(write(pair[0], end - 10, 20));
    SHOW(read(zero, end - 10, 20));
    SHOW(open(memset(end - 4, 'x', 4), O_RDONLY));
    SHOW(syscall(SYS_clock_gettime, 0, end - 8));
    for (size_t i = 0; i < LEN(huge); i++) {
        printf("%lx\n", huge[i]);
        SHOW(syscall(SYS_writev, file, overflow, huge[i]));
        SHOW(syscall(SYS_readv, zero, p, huge[i]));
        SHOW(syscall(SYS_poll, p, huge[i], 0));
        SHOW(syscall(SYS_ppoll, p, huge[i], p, NULL, 8));
        SHOW(syscall(SYS_getgroups, huge[i], NULL));
        SHOW(syscall(SYS_setgroups, huge[i], p));
        SHOW(syscall(SYS_epoll_wait, file, p, huge[i], 0));
        SHOW(syscall(SYS_listen, file, huge[i]));
        SHOW(syscall(SYS_rt_sigprocmask, 0, p, NULL, huge[i]));
        SHOW(syscall(SYS_rt_sigtimedwait, p, NULL, NULL, huge[i]));
        SHOW(syscall(SYS_recvmmsg, zero, p, huge[i], MSG_DONTWAIT, NULL));
        SHOW(syscall(SYS_bind, pair[0], p, huge[i]));
        SHOW(syscall(SYS_readlink, "/proc/self/cwd", NULL, huge[i]));
        SHOW(syscall(SYS_sched_getaffinity, 0, huge[i], NULL));
        SHOW(syscall(SYS_fcntl, file, F_DUPFD, huge[i]));
        SHOW(syscall(SYS_dup2, file, huge[i] | 1000000));
        SHOW(syscall(SYS_lseek, file, huge[i], 9));
    }
    SHOW(syscall(SYS_select, 1 << 31, NULL, NULL, NULL, NULL));
    SHOW(writev(file, overflow, 2));
    SHOW(writev(file, negative, 1));
    SHOW(writev(file, overflow, 0));
    SHOW(syscall(SYS_writev, file, overflow, 1025));
    SHOW(write(file, p, 1UL << 63));
    SHOW(lseek(file, 0, SEEK_END));
    return 0;
}
