// SPDX-License-Identifier: Apache-2.0
/* Gets the lowest free descriptor, copies descriptors and closes them; none of the monitor's shows.
 */
#include "payload.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/syscall.h>

int main(void)
{
    struct rlimit limit = {20, 20};
    int fd = open("/dev/null", O_RDWR);

    SHOW(fd);
    SHOW(dup(fd));
    SHOW(dup2(fd, 9));
    SHOW(dup2(fd, fd));
    SHOW(dup2(99, 5));
    SHOW(dup3(fd, fd, 0));
    SHOW(dup3(fd, 10, O_CLOEXEC));
    SHOW(fcntl(10, F_GETFD));
    SHOW(fcntl(9, F_GETFD));
    SHOW(fcntl(9, F_SETFD, FD_CLOEXEC));
    SHOW(fcntl(9, F_GETFD));
    SHOW(fcntl(fd, F_DUPFD, 7));
    SHOW(fcntl(fd, F_DUPFD_CLOEXEC, 7));
    SHOW(fcntl(fd, F_DUPFD, -1));
    SHOW(fcntl(fd, 9999));
    SHOW(close(4));
    SHOW(close(4));
    SHOW(open("/dev/zero", O_RDONLY));
    SHOW(syscall(SYS_close_range, 5, 3, 0));
    SHOW(syscall(SYS_close_range, 8, ~0U, 0));
    SHOW(fcntl(9, F_GETFD));
    SHOW(fcntl(7, F_GETFD));
    SHOW(close(-1));
    SHOW(read(77, NULL, 1));
    SHOW(dup2(fd, 1 << 30));
    SHOW(setrlimit(RLIMIT_NOFILE, &limit));
    SHOW(dup2(fd, 20));
    while (dup(fd) >= 0) {
    }
    SHOW(dup(fd));
    SHOW(open("/dev/null", O_RDONLY));
    SHOW(close(12));
    SHOW(dup(fd));
    return 0;
}
