// SPDX-License-Identifier: Apache-2.0
/* Looks for the monitor's descriptors by number and by name, and tries to use or close them. */
#include "payload.h"

#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>

static int own;

static void try_number(unsigned long n)
{
    struct stat st;
    char c;

    CHECK(fcntl((int)n, F_GETFD) == -1 && errno == EBADF);
    CHECK(syscall(SYS_fcntl, n | 1UL << 32, F_GETFD) == -1 && errno == EBADF);
    CHECK(syscall(SYS_close, n) == -1);
    CHECK(syscall(SYS_close, n | 1UL << 32) == -1);
    CHECK(syscall(SYS_dup, n) == -1);
    CHECK(syscall(SYS_dup3, n, own, 0) == -1);
    CHECK(fstat((int)n, &st) == -1);
    CHECK(read((int)n, &c, 1) == -1);
    CHECK(write((int)n, &c, 1) == -1);
    CHECK(ioctl((int)n, 0xae80, 0) == -1);
    CHECK(mmap(NULL, PAGE, PROT_READ, MAP_SHARED, (int)n, 0) == MAP_FAILED);
    CHECK(syscall(SYS_mmap, NULL, PAGE, PROT_READ, MAP_SHARED, n | 1UL << 32, 0) == -1);
}

/* Who waits for it finds no descriptor. */
static void wait_for(int n)
{
    struct pollfd fds[2] = {{own, POLLOUT, 0}, {n, POLLIN | POLLOUT, 0}};
    struct timespec zero = {0, 0};
    struct timeval none = {0, 0};
    uint64_t set[32] = {0};

    CHECK(poll(fds, 2, 0) == 2 && fds[0].revents == POLLOUT && fds[1].revents == POLLNVAL);
    CHECK(ppoll(fds, 2, &zero, NULL) == 2 && fds[1].revents == POLLNVAL && fds[1].fd == n);
    set[n / 64] = 1UL << n % 64;
    CHECK(syscall(SYS_select, n + 1, set, NULL, NULL, &none) <= 0); /* EBADF, or not looked at */
    set[n / 64] = 1UL << n % 64;
    CHECK(syscall(SYS_pselect6, n + 1, NULL, set, NULL, &zero, NULL) <= 0);
}

/* One message with every number: refused as soon as one of them is not the payload's. */
static void send_number(int to, int n)
{
    union {
        char bytes[CMSG_SPACE(sizeof(int))];
        struct cmsghdr head;
    } room = {.head = {.cmsg_len = CMSG_LEN(sizeof(int)),
                       .cmsg_level = SOL_SOCKET,
                       .cmsg_type = SCM_RIGHTS}};
    struct iovec iov = {"x", 1};
    struct msghdr message = {.msg_iov = &iov,
                             .msg_iovlen = 1,
                             .msg_control = room.bytes,
                             .msg_controllen = sizeof(room.bytes)};

    memcpy(CMSG_DATA(&room.head), &n, sizeof(n));
    CHECK(sendmsg(to, &message, MSG_DONTWAIT) == -1 && errno == EBADF);
}

int main(void)
{
    int pair[2], highest;
    struct rlimit limit;
    DIR *listing;

    own = open("/dev/null", O_RDWR);
    CHECK(own == 3 && socketpair(AF_UNIX, SOCK_DGRAM, 0, pair) == 0);
    highest = pair[1];
    CHECK(getrlimit(RLIMIT_NOFILE, &limit) == 0);
    for (unsigned long n = (unsigned long)highest + 1; n <= limit.rlim_max && n < 1UL << 21; n++) {
        struct pollfd fd = {(int)n, POLLIN, 0};

        if (n > 4096 && poll(&fd, 1, 0) == 1 && fd.revents == POLLNVAL && n % 4096) {
            continue; /* not open, and in each 4096 only a few have to be tried in full */
        }
        try_number(n);
        send_number(pair[0], (int)n);
    }
    for (int n = highest + 1; n < 1100 && (rlim_t)n < limit.rlim_max; n++) {
        wait_for(n);
    }
    listing = opendir("/proc/self/fd");
    for (struct dirent *entry; listing && (entry = readdir(listing));) {
        CHECK(atoi(entry->d_name) <= dirfd(listing));
    }
    (void)syscall(SYS_close_range, highest + 1, ~0U, 0);
    (void)syscall(SYS_close_range, highest + 1, ~0U, 4); /* CLOSE_RANGE_CLOEXEC */
    CHECK(getpid() > 0 && write(own, "x", 1) == 1);
    return 0;
}
