// SPDX-License-Identifier: Apache-2.0
/*
 * Makes as many as it gets of what its argument says, then continues with all that a program does:
 * it can use up at most what the host's limits leave to it, and the monitor still serves it.
 */
#include "payload.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>

#define ENOUGH 200000L /* nothing here is without a limit below it, but for the host's own */

static pthread_mutex_t until_end = PTHREAD_MUTEX_INITIALIZER;

static void *waits(void *unused)
{
    (void)pthread_mutex_lock(&until_end);
    (void)pthread_mutex_unlock(&until_end);
    return unused;
}

static bool thread(void)
{
    pthread_attr_t small;
    pthread_t made;

    (void)pthread_attr_init(&small);
    (void)pthread_attr_setstacksize(&small, 16384);
    (void)pthread_attr_setdetachstate(&small, PTHREAD_CREATE_DETACHED);
    return pthread_create(&made, &small, waits, NULL) == 0;
}

static bool mapping(void) /* each between others of other rights, so that none are merged */
{
    static const size_t room = 2 * ENOUGH * PAGE;
    static char *at;

    if (!at) {
        at = mmap(NULL, room, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        CHECK(at != MAP_FAILED);
    }
    at += 2 * PAGE;
    return mprotect(at - PAGE, PAGE, PROT_READ) == 0;
}

static bool touched(void)
{
    char *p = mmap(NULL, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    return p != MAP_FAILED && (p[0] = 1);
}

static bool timer(void)
{
    struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGRTMIN};
    timer_t made;

    return timer_create(CLOCK_MONOTONIC, &event, &made) == 0;
}

static bool queued(void)
{
    return sigqueue(getpid(), SIGRTMIN + 1, (union sigval){0}) == 0;
}

static bool a_pipe(void)
{
    int ends[2];

    return pipe(ends) == 0;
}

static bool event(void)
{
    return eventfd(0, 0) >= 0;
}

/* Sockets that hold sockets that nobody has taken yet. */
static bool in_flight(void)
{
    static int pair[2] = {-1, -1}, held = 1;
    union {
        char bytes[CMSG_SPACE(2 * sizeof(int))];
        struct cmsghdr head;
    } room = {.head = {.cmsg_len = CMSG_LEN(2 * sizeof(int)),
                       .cmsg_level = SOL_SOCKET,
                       .cmsg_type = SCM_RIGHTS}};
    struct iovec iov = {"x", 1};
    struct msghdr message = {.msg_iov = &iov,
                             .msg_iovlen = 1,
                             .msg_control = room.bytes,
                             .msg_controllen = sizeof(room.bytes)};
    int next[2];

    if (pair[0] < 0 || held++ % 8 == 0) {
        if (socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0, next) < 0) {
            return false;
        }
        pair[0] = next[0];
        pair[1] = next[1];
    }
    memcpy(CMSG_DATA(&room.head), pair, 2 * sizeof(int));
    return sendmsg(pair[0], &message, MSG_DONTWAIT) == 1;
}

static bool process(void)
{
    pid_t pid = fork();

    if (!pid) {
        const sigset_t none = {{0}};

        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        (void)alarm(2); /* its parent may be dead already */
        (void)sigprocmask(SIG_SETMASK, &none, NULL);
        (void)pause();
        _exit(0);
    }
    return pid > 0;
}

static const struct {
    const char *name;
    bool (*make)(void);
    int limit; /* so that it is this process that runs into it, and soon */
    rlim_t most;
} bombs[] = {
    {"threads", thread, -1, 0},
    {"mappings", mapping, -1, 0},
    {"address-space", touched, RLIMIT_AS, 256 << 20},
    {"data", touched, RLIMIT_DATA, 64 << 20},
    {"timers", timer, RLIMIT_SIGPENDING, 500},
    {"signals", queued, RLIMIT_SIGPENDING, 500},
    {"pipes", a_pipe, RLIMIT_NOFILE, 2000},
    {"events", event, RLIMIT_NOFILE, 2000},
    {"rights", in_flight, RLIMIT_NOFILE, 500},
    {"processes", process, RLIMIT_NPROC, 30},
};

static void go_on(void)
{
    pthread_t made;
    pid_t child;
    char *p = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (p != MAP_FAILED) {
        (void)munmap(p, PAGE);
    }
    (void)close(open("/dev/null", O_RDONLY));
    if (!pthread_create(&made, NULL, waits, NULL)) {
        (void)pthread_detach(made);
    }
    child = fork();
    if (!child) {
        _exit(0);
    }
    CHECK(getpid() > 0);
}

int main(int argc, char **argv)
{
    const sigset_t queued_signals = {{~0UL}};
    long count = 0;

    (void)argc;
    (void)signal(SIGTERM, SIG_IGN);
    (void)sigprocmask(SIG_BLOCK, &queued_signals, NULL);
    (void)pthread_mutex_lock(&until_end);
    for (size_t i = 0; i < LEN(bombs); i++) {
        struct rlimit limit = {bombs[i].most, bombs[i].most};

        if (!is_case(argv, bombs[i].name)) {
            continue;
        }
        if (bombs[i].limit >= 0) {
            if (geteuid() == 0 && bombs[i].limit == RLIMIT_NPROC) { /* root has none */
                CHECK(setgid(54321) == 0 && setuid(54321) == 0);
            }
            CHECK(setrlimit(bombs[i].limit, &limit) == 0);
        }
        while (count < ENOUGH && bombs[i].make()) {
            count++;
        }
        CHECK(count > 10);
        go_on();
    }
    _exit(0);
}
