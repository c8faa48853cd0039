// SPDX-License-Identifier: Apache-2.0
/* Calls that few programs make: memory policies, keys, queues that notify, futexes by the vector.
 */
#include "payload.h"

#include <fcntl.h>
#include <linux/futex.h>
#include <mqueue.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>

static void policies(void)
{
    unsigned long nodes[2] = {0};
    int mode = -1;
    char *memory = mmap(NULL, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    SHOW(syscall(SYS_get_mempolicy, &mode, nodes, 64, NULL, 0));
    SHOW(mode);
    nodes[0] = 1;
    SHOW(syscall(SYS_mbind, memory, 4 * PAGE, 2, nodes, 64, 0));
    SHOW(syscall(SYS_get_mempolicy, &mode, NULL, 0, memory, 2));
    SHOW(mode);
    SHOW(syscall(SYS_mbind, memory + 1, PAGE, 2, nodes, 64, 0));
    SHOW(syscall(SYS_set_mempolicy, 99, nodes, 64));
    SHOW(syscall(SYS_pkey_mprotect, memory, PAGE, PROT_READ, -1));
    SHOW(syscall(SYS_pkey_mprotect, memory + 1, PAGE, PROT_READ, -1));
    memory[PAGE] = 1;
}

static void futexes(void)
{
    uint32_t words[2] = {1, 2};
    struct {
        uint64_t value, address;
        uint32_t flags, reserved;
    } waiters[2] = {{1, (uint64_t)&words[0], 2, 0}, {3, (uint64_t)&words[1], 2, 0}};
    struct timespec soon = {0, 0};

    SHOW(syscall(SYS_futex_waitv, waiters, 2, 0, NULL, 0)); /* the second is not 3 */
    SHOW(syscall(SYS_futex_waitv, waiters, 0, 0, NULL, 0));
    SHOW(syscall(SYS_futex_waitv, waiters, 129, 0, NULL, 0));
    SHOW(syscall(SYS_futex_waitv, NULL, 1, 0, NULL, 0));
    SHOW(syscall(SYS_futex_waitv, 1, 1, 0, NULL, 0));
    SHOW(syscall(SYS_futex_waitv, 1, 1, 5, NULL, 0));
    SHOW(syscall(SYS_futex_waitv, 1, 1, 0, &soon, 99));
    waiters[0].address = UINT64_MAX - 6;
    SHOW(syscall(SYS_futex_waitv, waiters, 2, 0, NULL, 0));
    waiters[0].address = UINT64_MAX - 7;
    SHOW(syscall(SYS_futex_waitv, waiters, 2, 0, NULL, 0));
    waiters[0].address = (uint64_t)&words[0];
    (void)clock_gettime(CLOCK_MONOTONIC, &soon);
    soon.tv_sec--;
    waiters[1].value = 2;
    SHOW(syscall(SYS_futex_waitv, waiters, 2, 0, &soon, CLOCK_MONOTONIC));
}

/* What the kernel tells of a process by its descriptor, since Linux 6.13. */
static void process_info(void)
{
    static const unsigned long sizes[] = {16, 64, 72, 80};
    uint64_t info[16];
    pid_t child = fork();
    int fd;

    if (!child) {
        (void)pause();
        _exit(0);
    }
    fd = (int)syscall(SYS_pidfd_open, child, 0);
    for (unsigned i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
        unsigned long command = 0xc000ff0b | sizes[i] << 16;
        uint32_t ids[5];

        memset(info, 0, sizeof(info));
        info[0] = 3; /* of whom it is, and its control group */
        SHOW(ioctl(fd, command, info));
        memcpy(ids, info + 2, sizeof(ids));
        printf("it: %d, its parent: %d, user %u, group %u\n", ids[0] == (uint32_t)child,
               ids[2] == (uint32_t)getpid(), ids[3], ids[4]);
        SHOW(ioctl(fd, command, NULL));
        SHOW(ioctl(fd, command, UINT64_MAX));
    }
    CHECK(kill(child, SIGKILL) == 0 && waitpid(child, NULL, 0) == child);
    SHOW(ioctl(fd, 0xc040ff0b, info));
    SHOW(close(fd));
}

static void queues(void)
{
    struct mq_attr attr = {.mq_maxmsg = 4, .mq_msgsize = 16};
    struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1};
    struct timespec second = {1, 0};
    siginfo_t info;
    sigset_t set;
    char name[32];
    mqd_t queue;

    (void)snprintf(name, sizeof(name), "/kontain-test-%d", getpid());
    queue = mq_open(name, O_RDWR | O_CREAT, 0600, &attr);
    event.sigev_value.sival_int = 77;
    (void)mq_unlink(name);
    (void)sigemptyset(&set);
    (void)sigaddset(&set, SIGUSR1);
    (void)sigprocmask(SIG_BLOCK, &set, NULL);
    SHOW(mq_notify(queue, &event));
    SHOW(mq_notify(queue, &event));
    SHOW(mq_send(queue, "text", 4, 1));
    SHOW(sigtimedwait(&set, &info, &second));
    SHOW(info.si_value.sival_int);
    SHOW(info.si_code);
    SHOW(mq_notify(queue, NULL));
    SHOW(mq_notify(-1, &event));
}

int main(void)
{
    struct {
        uint32_t bytes;
        int32_t type;
        uint8_t handle[128];
    } handle = {0, 0, {0}};
    uint64_t mount, none[5];

    policies();
    futexes();
    process_info();
    queues();
    SHOW(syscall(SYS_name_to_handle_at, AT_FDCWD, ".", &handle, &mount, 0)); /* too little room */
    SHOW(syscall(451, -1, none, none, 0));                                   /* cachestat */
    SHOW(syscall(452, AT_FDCWD, "no-such-file", 0600, AT_SYMLINK_NOFOLLOW)); /* fchmodat2 */
    SHOW(syscall(SYS_process_mrelease, -1, 0));
    return 0;
}
