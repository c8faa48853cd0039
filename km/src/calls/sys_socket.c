// SPDX-License-Identifier: Apache-2.0
/*
 * sys_socket.c: the system calls of sockets whose arguments hold pointers of their own. The kernel
 * is given copies, so that what was checked is what it uses.
 */
#include "base/base.h"
#include "calls/handlers.h"
#include "machine/machine.h"
#include "memory/memory.h"

#include <asm/unistd.h>
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <time.h>

#define NANOSECONDS 1000000000L

/* The kernel's struct user_msghdr; musl's has other types at the same places. */
struct message {
    uint64_t name;
    uint32_t name_len, padding0;
    uint64_t iov, iov_count, control, control_len;
    uint32_t flags, padding1;
};

struct control {
    uint64_t len;
    int32_t level, type;
};

/* Descriptors sent along must be the payload's own. `copy` is the monitor's. */
static int64_t check_control(const uint8_t *copy, uint64_t size)
{
    struct control head;

    for (uint64_t at = 0; size - at >= sizeof(head); at += ROUND_UP(head.len, 8)) {
        memcpy(&head, copy + at, sizeof(head));
        if (head.len < sizeof(head) || head.len > size - at) {
            return 0; /* the kernel's to refuse, or the end */
        }
        for (uint64_t i = sizeof(head);
             head.level == SOL_SOCKET && head.type == SCM_RIGHTS && i + sizeof(int32_t) <= head.len;
             i += sizeof(int32_t)) {
            int32_t fd;

            memcpy(&fd, copy + at + i, sizeof(fd));
            if (fd_is_hidden((uint64_t)fd)) {
                return -EBADF;
            }
        }
        if (ROUND_UP(head.len, 8) > size - at) {
            return 0;
        }
    }
    return 0;
}

/* Copy the header at addr, with its iovecs; name and control are only checked. */
static int64_t copy_message(struct vcpu *vcpu, uint64_t addr, struct message *message)
{
    int64_t error = guest_read(message, addr, sizeof(*message));
    struct iovec *iov;

    if (error < 0) {
        return error;
    }
    if (message->iov_count > 1024) {
        return -EMSGSIZE;
    }
    iov = iovec_copy(vcpu, message->iov, message->iov_count, &error);
    if (!iov) {
        return error;
    }
    message->iov = (uint64_t)iov;
    return (!message->name_len || guest_ok(message->name, message->name_len)) &&
                   (!message->control_len || guest_ok(message->control, message->control_len))
               ? 0
               : -EFAULT;
}

/* A message was refused, which the kernel says only of what is a socket. */
static int64_t refuse(uint64_t number, uint64_t fd, int64_t error)
{
    int64_t said = host_syscall(number, (uint64_t[6]){fd, NOWHERE});

    return said == -EFAULT ? error : said;
}

static int64_t send_one(struct vcpu *vcpu, uint64_t fd, uint64_t addr, uint64_t flags)
{
    struct message message;
    uint64_t args[6] = {fd, (uint64_t)&message, flags};
    int64_t error = copy_message(vcpu, addr, &message);
    uint8_t *control;

    if (!error && message.control && message.control_len) {
        control = scratch_alloc(vcpu, message.control_len);
        if (!control) {
            return -ENOBUFS;
        }
        error = guest_read(control, message.control, message.control_len);
        if (!error) {
            error = check_control(control, message.control_len);
        }
        message.control = (uint64_t)control;
    }
    return error < 0 ? refuse(__NR_sendmsg, fd, error) : host_syscall(__NR_sendmsg, args);
}

static int64_t receive_one(struct vcpu *vcpu, uint64_t fd, uint64_t addr, uint64_t flags)
{
    struct message message;
    uint64_t args[6] = {fd, (uint64_t)&message, flags};
    int64_t result = copy_message(vcpu, addr, &message);

    if (result < 0) {
        return refuse(__NR_recvmsg, fd, result);
    }
    result = host_syscall(__NR_recvmsg, args);
    if (result >= 0 &&
        (guest_write(addr + offsetof(struct message, name_len), &message.name_len, 4) < 0 ||
         guest_write(addr + offsetof(struct message, control_len), &message.control_len, 8) < 0 ||
         guest_write(addr + offsetof(struct message, flags), &message.flags, 4) < 0)) {
        return -EFAULT;
    }
    return result;
}

/* ssize_t sendmsg(int sockfd, const struct msghdr *msg, int flags) */
HANDLER(sendmsg)
{
    return send_one(vcpu, args[0], args[1], args[2]);
}

/* ssize_t recvmsg(int sockfd, struct msghdr *msg, int flags) */
HANDLER(recvmsg)
{
    return receive_one(vcpu, args[0], args[1], args[2]);
}

#define MMSGHDR 64 /* struct mmsghdr: a msghdr and the count of its bytes */

/* int sendmmsg(int sockfd, struct mmsghdr *msgvec, unsigned vlen, int flags): one after the other
 */
HANDLER(sendmmsg)
{
    uint64_t count = (uint32_t)args[2] < 1024 ? (uint32_t)args[2] : 1024;
    int64_t done = 0, result = 0;

    for (; (uint64_t)done < count; done++) {
        uint64_t at = args[1] + (uint64_t)done * MMSGHDR;
        uint32_t bytes;

        vcpu->scratch_used = 0;
        result = send_one(vcpu, args[0], at, args[3]);
        bytes = (uint32_t)result;
        if (result >= 0 && guest_write(at + 56, &bytes, sizeof(bytes)) < 0) {
            result = -EFAULT;
        }
        if (result < 0) {
            break;
        }
    }
    return done ? done : result;
}

/* A timeout, relative as the payload gives it: 0 with the time that it ends at, or -errno. */
static int64_t read_timeout(uint64_t addr, struct timespec *end)
{
    struct timespec after;

    if (guest_read(&after, addr, sizeof(after)) < 0) {
        return -EFAULT;
    }
    if (after.tv_sec < 0 || (uint64_t)after.tv_nsec >= NANOSECONDS) {
        return -EINVAL;
    }
    (void)clock_gettime(CLOCK_MONOTONIC, end);
    end->tv_nsec += after.tv_nsec;
    if (__builtin_add_overflow(end->tv_sec, after.tv_sec + end->tv_nsec / NANOSECONDS,
                               &end->tv_sec)) {
        end->tv_sec = INT64_MAX;
    }
    end->tv_nsec %= NANOSECONDS;
    return 0;
}

/* What is left of it, not below 0; whether that is anything. */
static bool time_left(const struct timespec *end, struct timespec *left)
{
    (void)clock_gettime(CLOCK_MONOTONIC, left);
    left->tv_sec = end->tv_sec - left->tv_sec;
    left->tv_nsec = end->tv_nsec - left->tv_nsec;
    if (left->tv_nsec < 0) {
        left->tv_nsec += NANOSECONDS;
        left->tv_sec--;
    }
    if (left->tv_sec < 0) {
        *left = (struct timespec){0, 0};
    }
    return left->tv_sec || left->tv_nsec;
}

/* int recvmmsg(int sockfd, struct mmsghdr *, unsigned vlen, int flags, struct timespec *timeout) */
HANDLER(recvmmsg)
{
    uint64_t count = (uint32_t)args[2] < 1024 ? (uint32_t)args[2] : 1024;
    uint64_t flags = args[3] & ~(uint64_t)MSG_WAITFORONE;
    struct timespec end, left = {0};
    int64_t done = 0, result = args[4] ? read_timeout(args[4], &end) : 0;

    if (result < 0) {
        return result;
    }
    for (; (uint64_t)done < count; done++) {
        uint64_t at = args[1] + (uint64_t)done * MMSGHDR;
        uint32_t bytes;

        vcpu->scratch_used = 0;
        if (done && args[3] & MSG_WAITFORONE) {
            flags |= MSG_DONTWAIT;
        }
        result = receive_one(vcpu, args[0], at, flags);
        bytes = (uint32_t)result;
        if (result >= 0 && guest_write(at + 56, &bytes, sizeof(bytes)) < 0) {
            result = -EFAULT;
        }
        if (result < 0) {
            break;
        }
        if (args[4] && !time_left(&end, &left)) { /* which is looked at after each message only */
            done++;
            break;
        }
    }
    if (done && args[4] && guest_write(args[4], &left, sizeof(left)) < 0) {
        return -EFAULT;
    }
    return done ? done : result;
}
