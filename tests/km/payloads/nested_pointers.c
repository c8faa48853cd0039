// SPDX-License-Identifier: Apache-2.0
/* Gives calls structures that point into the monitor: each is refused, and writes nothing there. */
#include "payload.h"

#include <linux/filter.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#ifndef SYS_futex_waitv
#define SYS_futex_waitv 449
#endif
#define REFUSED(name, ...)                                                                         \
    errno = 0;                                                                                     \
    CHECK(syscall(SYS_##name, ##__VA_ARGS__) == -1 && errno)

struct clone3 {
    uint64_t flags, pidfd, child_tid, parent_tid, exit_signal, stack, stack_size, tls, set_tid,
        set_tid_size, cgroup;
};

/* A child that is made all the same ends well: nothing of its parent's monitor was written. */
static void clone_with(struct clone3 how)
{
    long pid;
    int status;

    how.exit_signal = SIGCHLD;
    pid = syscall(SYS_clone3, &how, sizeof(how));
    if (pid == 0) {
        _exit(getpid() > 0 ? 0 : 1);
    }
    CHECK(pid < 0 || (waitpid((pid_t)pid, &status, 0) == pid && status == 0));
}

static void clones(uint64_t place)
{
    REFUSED(clone3, place, 88);
    clone_with((struct clone3){.flags = CLONE_PIDFD, .pidfd = place});
    clone_with((struct clone3){.flags = CLONE_PARENT_SETTID, .parent_tid = place});
    clone_with((struct clone3){.flags = CLONE_CHILD_SETTID, .child_tid = place});
    clone_with((struct clone3){.flags = CLONE_CHILD_CLEARTID, .child_tid = place});
    clone_with((struct clone3){.flags = CLONE_SETTLS, .tls = place});
    clone_with((struct clone3){.set_tid = place, .set_tid_size = 1});
}

static void lists(uint64_t place)
{
    struct {
        uint64_t value, address;
        uint32_t flags, reserved;
    } waiter = {.address = place, .flags = 2};
    uint64_t mask[2] = {place, 8}, words[2] = {place, 0};
    struct timespec now = {0};
    struct pollfd none = {.fd = -1};

    REFUSED(futex_waitv, &waiter, 1, 0, &now, 1);
    REFUSED(futex_waitv, place, 1, 0, &now, 1);
    REFUSED(futex, &waiter, 3 /* FUTEX_REQUEUE */, 1, 1, place, 0);
    REFUSED(futex, place, 0, 0, NULL, NULL, 0);
    REFUSED(futex, &waiter, 0, 0, place, NULL, 0);
    REFUSED(pselect6, 0, NULL, NULL, NULL, &now, mask);
    REFUSED(pselect6, 0, NULL, NULL, NULL, place, NULL);
    REFUSED(ppoll, &none, 1, &now, place, 8);
    REFUSED(execve, "/bin/true", place, NULL);
    REFUSED(execve, "/bin/true", words, NULL);
    REFUSED(execve, "/bin/true", NULL, words);
    REFUSED(execveat, -100, "/bin/true", words, words, 0);
    REFUSED(execve, place, NULL, NULL);
}

static void settings(uint64_t place)
{
    struct sock_fprog program = {.len = 1, .filter = (void *)place};
    union {
        struct sigevent event;
        char bytes[64];
    } by_thread = {.event = {.sigev_notify = SIGEV_THREAD, .sigev_value.sival_ptr = (void *)place}};
    int udp = socket(AF_INET, SOCK_DGRAM, 0);

    REFUSED(setsockopt, udp, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program));
    REFUSED(setsockopt, udp, SOL_SOCKET, SO_ATTACH_REUSEPORT_CBPF, &program, sizeof(program));
    REFUSED(setsockopt, udp, SOL_SOCKET, SO_ATTACH_FILTER, place, sizeof(program));
    REFUSED(ioctl, udp, 0x8912 /* SIOCGIFCONF */, &(struct {
                int size;
                uint64_t at;
            }){64, place});
    REFUSED(mq_notify, udp, &by_thread);
    REFUSED(timer_create, 0, place, &by_thread);
    REFUSED(timer_create, 0, NULL, place);
    REFUSED(rt_sigqueueinfo, getpid(), SIGURG, place);
    REFUSED(semctl, 0, 0, 13 /* GETALL */, place);
    REFUSED(shmctl, 0, 14 /* SHM_INFO */, place);
    REFUSED(msgctl, 0, 12 /* MSG_INFO */, place);
    REFUSED(sched_setattr, 0, place, 0);
    (void)close(udp);
}

/* The list of a thread that ends leads into the monitor. */
static void *end_with_list(void *place)
{
    static struct {
        uint64_t next, offset, pending;
    } head;

    head.next = (uint64_t)place;
    head.pending = (uint64_t)place;
    (void)syscall(SYS_set_robust_list, &head, sizeof(head));
    return NULL;
}

int main(void)
{
    static const uint64_t places[] = {0x7d0000000000, 0x7d1000000000, 0x7d2000000000,
                                      0x7d3000000000, 0x7d4000000000, 0x7e0000000000,
                                      0x6fff00000000};
    pthread_t thread;

    for (size_t i = 0; i < LEN(places); i++) {
        clones(places[i]);
        lists(places[i]);
        settings(places[i]);
        CHECK(pthread_create(&thread, NULL, end_with_list, (void *)places[i]) == 0);
        CHECK(pthread_join(thread, NULL) == 0 && getpid() > 0);
    }
    return 0;
}
