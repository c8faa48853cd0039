// SPDX-License-Identifier: Apache-2.0
/*
 * A second thread flips the pointers of a system call's structures between the payload's own memory
 * and the monitor's, while calls run: the monitor uses the copy that it checked, so that nothing of
 * it is read or written.
 */
#include "payload.h"

#include <fcntl.h>
#include <linux/filter.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>

#ifndef SYS_futex_waitv
#define SYS_futex_waitv 449
#endif
#define TO_READ 0x7e0000000000  /* the monitor's program: nothing of it may come out */
#define TO_WRITE 0x7d0000000000 /* what the guest's CPU reads: who writes there ends the guest */
#define ROUNDS 1000

static atomic_bool over;
static char own[64], into[64];

/* All that is flipped: each field a pointer, two values in turn. */
static struct iovec out = {own, 8}, in = {into, 8};
static struct msghdr sent = {.msg_iov = &out, .msg_iovlen = 1};
static struct msghdr got = {.msg_iov = &in, .msg_iovlen = 1};
static struct mmsghdr several[2];
static struct {
    const void *mask;
    size_t size;
} mask = {own, 8};
static struct {
    uint64_t flags, pidfd, child_tid, parent_tid, exit_signal, stack, stack_size, tls;
} child = {.exit_signal = 17};
static struct {
    uint64_t value, address;
    uint32_t flags, reserved;
} waiter = {.flags = 2};
static struct sock_filter allow[1] = {{0x06, 0, 0, 0xffff}};
static struct sock_fprog program = {1, allow};
static char *argv[] = {own, NULL};
static struct {
    uint64_t flags, mode, resolve;
} how;

static void *flip(void *unused)
{
    static struct iovec far_out = {(void *)TO_READ, 8}, far_in = {(void *)TO_WRITE, 8};

    for (bool far = true; !over; far = !far) {
        *(void *volatile *)&out.iov_base = far ? (void *)TO_READ : own;
        *(void *volatile *)&in.iov_base = far ? (void *)TO_WRITE : into;
        *(size_t volatile *)&out.iov_len = far ? 1UL << 62 : 8;
        *(void *volatile *)&sent.msg_iov = far ? &far_out : &out;
        *(void *volatile *)&got.msg_iov = far ? &far_in : &in;
        *(void *volatile *)&got.msg_name = far ? (void *)TO_WRITE : NULL;
        *(size_t volatile *)&sent.msg_iovlen = far ? 1UL << 40 : 1;
        *(void *volatile *)&several[1].msg_hdr.msg_iov = far ? &far_out : &out;
        *(const void *volatile *)&mask.mask = far ? (void *)TO_READ : own;
        *(uint64_t volatile *)&child.tls = far ? TO_WRITE : 0;
        *(uint64_t volatile *)&child.pidfd = far ? TO_WRITE : (uint64_t)into;
        *(uint64_t volatile *)&child.parent_tid = far ? TO_WRITE : (uint64_t)into;
        *(uint64_t volatile *)&waiter.address = far ? TO_READ : (uint64_t)into;
        *(void *volatile *)&program.filter = far ? (void *)TO_READ : allow;
        *(void *volatile *)&argv[0] = far ? (void *)TO_READ : own;
        *(uint64_t volatile *)&how.flags = far ? 0 : O_PATH;
        for (volatile int wait = 0; wait < (far ? 40 : 90); wait++) {
        }
    }
    return unused;
}

/* What came through are the payload's own bytes, or none. */
static void drain(int fd)
{
    char got_bytes[4096];
    ssize_t n = read(fd, got_bytes, sizeof(got_bytes));

    for (ssize_t i = 0; i < n; i++) {
        CHECK(got_bytes[i] == 'p');
    }
}

static void one_round(const int pipe_ends[2], const int pair[2], int zero)
{
    struct timespec now = {0};
    struct pollfd none = {.fd = -1};
    int fd;

    (void)writev(pipe_ends[1], &out, 1);
    (void)syscall(SYS_vmsplice, pipe_ends[1], &out, 1, 2);
    drain(pipe_ends[0]);
    (void)readv(zero, &in, 1);
    (void)sendmsg(pair[0], &sent, MSG_DONTWAIT);
    several[0].msg_hdr = (struct msghdr){.msg_iov = &out, .msg_iovlen = 1};
    several[1].msg_hdr.msg_iovlen = 1;
    (void)syscall(SYS_sendmmsg, pair[0], several, 2, MSG_DONTWAIT);
    drain(pair[1]);
    drain(pair[1]);
    drain(pair[1]);
    (void)send(pair[0], "pppp", 4, MSG_DONTWAIT);
    (void)recvmsg(pair[1], &got, MSG_DONTWAIT);
    (void)syscall(SYS_pselect6, 0, NULL, NULL, NULL, &now, &mask);
    (void)syscall(SYS_ppoll, &none, 1, &now, mask.mask, 8);
    (void)syscall(SYS_futex_waitv, &waiter, 1, 0, &now, 1);
    (void)setsockopt(pair[0], SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program));
    (void)syscall(SYS_execve, "/nowhere", argv, argv);
    (void)syscall(SYS_execve, "/proc/self/status", argv, argv);
    fd = (int)syscall(SYS_openat2, AT_FDCWD, "/proc/self/mem", &how, sizeof(how));
    CHECK(fd < 0 || pread(fd, into, 8, TO_READ) < 0);
    (void)close(fd);
}

int main(void)
{
    int pipe_ends[2], pair[2], zero = open("/dev/zero", O_RDONLY);
    pthread_t thread;

    memset(own, 'p', sizeof(own));
    CHECK(pipe2(pipe_ends, O_NONBLOCK) == 0);
    CHECK(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0, pair) == 0);
    CHECK(pthread_create(&thread, NULL, flip, NULL) == 0);
    for (int i = 0; i < ROUNDS; i++) {
        one_round(pipe_ends, pair, zero);
        if (i % 100 == 0) {
            pid_t pid = (pid_t)syscall(SYS_clone3, &child, sizeof(child));

            if (!pid) {
                _exit(0);
            }
            CHECK(pid < 0 || waitpid(pid, NULL, 0) == pid);
        }
    }
    over = true;
    CHECK(pthread_join(thread, NULL) == 0);
    return 0;
}
