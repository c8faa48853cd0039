// SPDX-License-Identifier: Apache-2.0
/* Gives system calls lengths that run over the end of memory, and counts of which half counts. */
#include "payload.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>

int main(void)
{
    char *p = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    char *end = p + PAGE;
    int pair[2], zero = open("/dev/zero", O_RDONLY), file;
    struct iovec over[2] = {{p, ~0UL >> 1}, {p, 64}};
    unsigned long rubbish = 0x700000000; /* in the half that the kernel does not look at */

    file = open("file", O_RDWR | O_CREAT, 0600);
    CHECK(socketpair(AF_UNIX, SOCK_DGRAM, 0, pair) == 0);
    SHOW(munmap(end, PAGE));
    memset(p, 'p', PAGE);
    SHOW(write(file, end - 10, 20));
    SHOW(write(pair[0], end - 10, 20));
    SHOW(read(zero, end - 10, 20));
    SHOW(open(memset(end - 4, 'x', 4), O_RDONLY));
    SHOW(syscall(SYS_clock_gettime, 0, end - 8));
    SHOW(writev(file, over, 2));
    SHOW(writev(file, over, 0));
    SHOW(syscall(SYS_writev, file, over, 1025));
    SHOW(write(file, p, 1UL << 63));
    SHOW(write(file, p, ~0UL));
    SHOW(syscall(SYS_write, file | rubbish, p, 3));
    SHOW(syscall(SYS_poll, NULL, rubbish, rubbish));
    SHOW(syscall(SYS_getgroups, rubbish, NULL));
    SHOW(syscall(SYS_dup2, file | rubbish, 9 | rubbish));
    SHOW(syscall(SYS_fcntl, file | rubbish, F_GETFD | rubbish));
    SHOW(syscall(SYS_lseek, file | rubbish, 0, SEEK_END | rubbish));
    return 0;
}
