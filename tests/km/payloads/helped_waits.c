// SPDX-License-Identifier: Apache-2.0
/*
 * Makes calls that may wait so often that the monitor may let a helper make them: of pipes, sockets
 * and events, as its argument says. Data that is there comes at once and whole, a call for other
 * data waits until a signal, and each signal is the thread's own.
 */
#include "interrupted.h"

#include <fcntl.h>
#include <linux/futex.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>

#define ROUNDS 200
#define MUCH 300000 /* more than a pipe holds */

static void *volatile nowhere = (void *)16;

static void handle(int signo, int flags)
{
    struct sigaction action = {.sa_handler = count_signal, .sa_flags = flags};

    CHECK(sigaction(signo, &action, NULL) == 0);
}

/* So that a helper is there, and looks for requests. */
static void warm(void)
{
    for (int i = 0; i < ROUNDS; i++) {
        CHECK(getppid() >= 0);
    }
}

/* ---- pipes ---- */

static void reader(int fd)
{
    static unsigned char bytes[1000];
    size_t got = 0;
    ssize_t n;

    for (; (n = read(fd, bytes, sizeof(bytes))) > 0; got += (size_t)n) {
        for (size_t i = 0; i < (size_t)n; i++) {
            CHECK(bytes[i] == (unsigned char)((got + i) % 251));
        }
    }
    CHECK(n == 0 && got == MUCH);
    _exit(0);
}

/* More than there is room for: all of it, in order; cut by a signal. */
static void much(void)
{
    static unsigned char bytes[MUCH];
    int ends[2], status;
    ssize_t n;

    for (size_t i = 0; i < MUCH; i++) {
        bytes[i] = (unsigned char)(i % 251);
    }
    CHECK(pipe(ends) == 0);
    if (fork() == 0) {
        CHECK(close(ends[1]) == 0);
        reader(ends[0]);
    }
    warm();
    for (size_t at = 0; at < 5000; at += 100) { /* some in one piece, the rest at once */
        CHECK(write(ends[1], bytes + at, 100) == 100);
    }
    CHECK(write(ends[1], bytes + 5000, MUCH - 5000) == MUCH - 5000);
    CHECK(close(ends[1]) == 0 && wait(&status) > 0 && status == 0 && close(ends[0]) == 0);

    CHECK(pipe(ends) == 0);
    warm();
    set_alarms(30000);
    n = write(ends[1], bytes, MUCH);
    set_alarms(0);
    CHECK(n > 0 && n < MUCH);
    for (ssize_t left = n; left;) {
        ssize_t got = read(ends[0], bytes, MUCH);

        CHECK(got > 0);
        left -= got;
    }
    CHECK(close(ends[0]) == 0 && close(ends[1]) == 0);
}

static void pipes(void)
{
    char bytes[16] = "";
    int ends[2];

    handle(SIGALRM, 0);
    CHECK(pipe(ends) == 0);
    for (int i = 0; i < ROUNDS; i++) {
        struct iovec in[] = {{"abc", 3}, {NULL, 0}, {"de", 2}},
                     out[] = {{bytes, 1}, {bytes + 1, 9}};

        CHECK(write(ends[1], "x", 1) == 1 && read(ends[0], bytes, sizeof(bytes)) == 1);
        CHECK(bytes[0] == 'x' && writev(ends[1], in, 3) == 5 && readv(ends[0], out, 2) == 5);
        CHECK(memcmp(bytes, "abcde", 5) == 0 && read(ends[0], bytes, 0) == 0);
        CHECK(write(ends[1], bytes, 0) == 0 && write(ends[1], nowhere, 1) < 0);
        CHECK(errno == EFAULT && write(ends[1], "y", 1) == 1);
        CHECK(read(ends[0], nowhere, 1) < 0 && errno == EFAULT);
        CHECK(read(ends[0], bytes, 1) == 1 && bytes[0] == 'y');
        CHECK(write(ends[0], "y", 1) < 0 && errno == EBADF);
        CHECK(pread(ends[0], bytes, 1, 0) < 0 && errno == ESPIPE);
    }
    for (int i = 0; i < 3; i++) {
        warm();
        INTERRUPTED(read(ends[0], bytes, 1));
    }
    CHECK(write(ends[1], "z", 1) == 1 && close(ends[1]) == 0);
    CHECK(read(ends[0], bytes, 9) == 1 && read(ends[0], bytes, 9) == 0 && close(ends[0]) == 0);
    much();
}

/* Two processes and a timer: no byte is lost or comes twice. */
static void under_signals(void)
{
    struct itimerval often = {{0, 300}, {0, 300}};
    int there[2], back[2], status;

    handle(SIGALRM, SA_RESTART);
    CHECK(pipe(there) == 0 && pipe(back) == 0);
    if (fork() == 0) {
        int number;

        CHECK(close(there[1]) == 0);
        while (read(there[0], &number, sizeof(number)) == sizeof(number)) {
            CHECK(write(back[1], &number, sizeof(number)) == sizeof(number));
        }
        _exit(0);
    }
    CHECK(setitimer(ITIMER_REAL, &often, NULL) == 0);
    for (int i = 0; i < 10 * ROUNDS; i++) {
        int number = 0;

        CHECK(write(there[1], &i, sizeof(i)) == sizeof(i));
        CHECK(read(back[0], &number, sizeof(number)) == sizeof(number) && number == i);
    }
    CHECK(signals > 2 && close(there[1]) == 0);
    while (wait(&status) < 0) {
        CHECK(errno == EINTR);
    }
    CHECK(status == 0);
}

/* ---- sockets ---- */

static void *send_later(void *fd)
{
    CHECK(usleep(30000) == 0 && write(*(int *)fd, "12345", 5) == 5);
    return NULL;
}

/* Who wants so many bytes waits for them. */
static void gathered(const int pair[2], int ways)
{
    int least = 10;
    char bytes[16];

    for (int i = 0; i < ways; i++) {
        pthread_t thread;
        int flags = i == 0 ? MSG_WAITALL : 0;

        if (i == 1) {
            CHECK(setsockopt(pair[0], SOL_SOCKET, SO_RCVLOWAT, &least, sizeof(least)) == 0);
        }
        warm();
        CHECK(pthread_create(&thread, NULL, send_later, (void *)&pair[1]) == 0);
        CHECK(write(pair[1], "abcde", 5) == 5);
        CHECK(recv(pair[0], bytes, 10, flags) == 10 && memcmp(bytes, "abcde12345", 10) == 0);
        CHECK(pthread_join(thread, NULL) == 0);
    }
    least = 1;
    CHECK(setsockopt(pair[0], SOL_SOCKET, SO_RCVLOWAT, &least, sizeof(least)) == 0);
}

static void connect_tcp(int pair[2])
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof(at);
    int listener = socket(AF_INET, SOCK_STREAM, 0);

    CHECK(bind(listener, (struct sockaddr *)&at, size) == 0 && listen(listener, 1) == 0);
    CHECK(getsockname(listener, (struct sockaddr *)&at, &size) == 0);
    pair[0] = socket(AF_INET, SOCK_STREAM, 0);
    CHECK(connect(pair[0], (struct sockaddr *)&at, size) == 0);
    pair[1] = accept(listener, NULL, NULL);
    CHECK(pair[1] >= 0 && close(listener) == 0);
}

static void pass_descriptor(const int pair[2])
{
    union {
        struct cmsghdr head;
        char bytes[CMSG_SPACE(sizeof(int))];
    } control = {.head = {.cmsg_len = CMSG_LEN(sizeof(int)),
                          .cmsg_level = SOL_SOCKET,
                          .cmsg_type = SCM_RIGHTS}};
    char byte = 'f';
    struct iovec iov = {&byte, 1};
    struct msghdr message = {.msg_iov = &iov,
                             .msg_iovlen = 1,
                             .msg_control = &control,
                             .msg_controllen = sizeof(control)};
    int fd;

    memcpy(CMSG_DATA(&control.head), &pair[0], sizeof(fd));
    CHECK(sendmsg(pair[1], &message, 0) == 1);
    memset(&control, 0, sizeof(control));
    CHECK(recvmsg(pair[0], &message, 0) == 1 && message.msg_controllen);
    memcpy(&fd, CMSG_DATA(&control.head), sizeof(fd));
    CHECK(fd > pair[1] && close(fd) == 0);
}

static void use_sockets(const int pair[2], int gathered_ways)
{
    struct timeval short_time = {0, 20000}, no_time = {0, 0};
    char bytes[16];

    for (int i = 0; i < ROUNDS; i++) {
        CHECK(write(pair[1], "abc", 3) == 3 && recv(pair[0], bytes, 16, MSG_PEEK) == 3);
        CHECK(read(pair[0], bytes, 16) == 3 && send(pair[0], "de", 2, MSG_NOSIGNAL) == 2);
        CHECK(recv(pair[1], bytes, 16, 0) == 2 && memcmp(bytes, "dec", 3) == 0);
    }
    for (int i = 0; i < 3; i++) {
        warm();
        INTERRUPTED(read(pair[0], bytes, 1));
        INTERRUPTED(recv(pair[1], bytes, 1, 0));
    }
    CHECK(setsockopt(pair[0], SOL_SOCKET, SO_RCVTIMEO, &short_time, sizeof(short_time)) == 0);
    CHECK(read(pair[0], bytes, 1) < 0 && errno == EAGAIN);
    CHECK(setsockopt(pair[0], SOL_SOCKET, SO_RCVTIMEO, &no_time, sizeof(no_time)) == 0);
    gathered(pair, gathered_ways);
}

static void sockets(void)
{
    int pair[2];

    handle(SIGALRM, 0);
    CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0);
    use_sockets(pair, 2);
    for (int i = 0; i < ROUNDS; i++) {
        pass_descriptor(pair);
    }
    CHECK(close(pair[0]) == 0 && close(pair[1]) == 0);
    CHECK(socketpair(AF_UNIX, SOCK_DGRAM, 0, pair) == 0);
    use_sockets(pair, 0);
    CHECK(close(pair[0]) == 0 && close(pair[1]) == 0);
    connect_tcp(pair);
    use_sockets(pair, 1);
    CHECK(close(pair[1]) == 0 && read(pair[0], &(char){0}, 1) == 0 && close(pair[0]) == 0);
}

/* ---- events ---- */

static void own_signals(void)
{
    sigset_t mine, before;
    struct signalfd_siginfo info;
    int fd;

    CHECK(sigemptyset(&mine) == 0 && sigaddset(&mine, SIGUSR1) == 0);
    CHECK(sigprocmask(SIG_BLOCK, &mine, &before) == 0);
    fd = signalfd(-1, &mine, SFD_NONBLOCK);
    CHECK(fd >= 0);
    for (int i = 0; i < ROUNDS; i++) {
        CHECK(read(fd, &info, sizeof(info)) < 0 && errno == EAGAIN);
        CHECK(pthread_kill(pthread_self(), SIGUSR1) == 0);
        CHECK(read(fd, &info, sizeof(info)) == sizeof(info) && info.ssi_signo == SIGUSR1);
    }
    CHECK(sigprocmask(SIG_SETMASK, &before, NULL) == 0 && close(fd) == 0);
}

static void events(void)
{
    struct itimerspec soon = {{0, 0}, {0, 1000000}};
    int event = eventfd(0, 0), fast = eventfd(0, EFD_NONBLOCK | EFD_SEMAPHORE);
    int timer = timerfd_create(CLOCK_MONOTONIC, 0);
    uint64_t value;

    handle(SIGALRM, 0);
    CHECK(event >= 0 && fast >= 0 && timer >= 0);
    for (uint64_t i = 1; i <= ROUNDS; i++) {
        CHECK(write(event, &i, sizeof(i)) == 8 && read(event, &value, 8) == 8 && value == i);
        CHECK(read(event, &value, 7) < 0 && errno == EINVAL);
        CHECK(read(fast, &value, 8) < 0 && errno == EAGAIN && write(fast, &(uint64_t){2}, 8) == 8);
        CHECK(read(fast, &value, 8) == 8 && value == 1 && read(fast, &value, 8) == 8);
    }
    for (int i = 0; i < 3; i++) {
        warm();
        INTERRUPTED(read(event, &value, 8));
        CHECK(timerfd_settime(timer, 0, &soon, NULL) == 0);
        CHECK(read(timer, &value, 8) == 8 && value == 1);
        INTERRUPTED(read(timer, &value, 8));
    }
    own_signals();
    CHECK(close(event) == 0 && close(fast) == 0 && close(timer) == 0);
}

/* ---- waiting for descriptors ---- */

static void masked(struct pollfd *at, int queue)
{
    sigset_t alarms, none, before;
    struct epoll_event got;
    struct timespec short_time = {0, 20000000};

    CHECK(sigemptyset(&none) == 0 && sigemptyset(&alarms) == 0 && sigaddset(&alarms, SIGALRM) == 0);
    CHECK(sigprocmask(SIG_BLOCK, &alarms, &before) == 0);
    for (int i = 1; i <= ROUNDS; i++) {
        signals = 0;
        CHECK(raise(SIGALRM) == 0 && ppoll(at, 1, &short_time, &none) < 0 && errno == EINTR);
        CHECK(signals == 1 && raise(SIGALRM) == 0);
        CHECK(epoll_pwait(queue, &got, 1, 20, &none) < 0 && errno == EINTR && signals == 2);
    }
    CHECK(sigprocmask(SIG_SETMASK, &before, NULL) == 0);
}

static void polls(void)
{
    struct epoll_event event = {.events = EPOLLIN, .data.u64 = 77}, got;
    int ends[2], queue = epoll_create1(0);
    struct timespec no_time = {0, 0}, short_time = {0, 1000000}, bad_time = {0, -1};

    handle(SIGALRM, 0);
    CHECK(pipe(ends) == 0 && epoll_ctl(queue, EPOLL_CTL_ADD, ends[0], &event) == 0);
    for (int i = 0; i < ROUNDS; i++) {
        struct pollfd at[] = {{ends[0], POLLIN, -1}, {-1, POLLIN, -1}, {9999, POLLIN, -1}};

        CHECK(poll(at, 2, 0) == 0 && at[0].revents == 0 && at[1].revents == 0);
        CHECK(ppoll(at, 1, &no_time, NULL) == 0 && poll(at, 3, -1) == 1);
        CHECK(at[2].revents == POLLNVAL && epoll_wait(queue, &got, 1, 0) == 0);
        CHECK(ppoll(at, 1, &bad_time, NULL) < 0 && errno == EINVAL);
        CHECK(syscall(SYS_ppoll, at, 1, nowhere, NULL, 8) < 0 && errno == EFAULT);
        CHECK(epoll_wait(queue, &got, 0, -1) < 0 && errno == EINVAL);
        CHECK(write(ends[1], "x", 1) == 1 && poll(at, 1, -1) == 1 && at[0].revents == POLLIN);
        CHECK(ppoll(at, 1, NULL, NULL) == 1 && ppoll(at, 2, &short_time, NULL) == 1);
        CHECK(epoll_pwait(queue, &got, 1, -1, NULL) == 1 && got.data.u64 == 77);
        CHECK(read(ends[0], &(char){0}, 1) == 1);
    }
    for (int i = 0; i < 3; i++) {
        struct pollfd at = {ends[0], POLLIN, 0};

        warm();
        CHECK(poll(&at, 1, 3) == 0 && ppoll(&at, 1, &short_time, NULL) == 0);
        INTERRUPTED(poll(&at, 1, -1));
        INTERRUPTED(ppoll(&at, 1, NULL, NULL));
        INTERRUPTED(epoll_pwait(queue, &got, 1, -1, NULL));
    }
    masked(&(struct pollfd){ends[0], POLLIN, 0}, queue);
}

/* ---- others ---- */

static uint32_t word;

static void *wait_for_word(void *unused)
{
    (void)unused;
    while (!__atomic_load_n(&word, __ATOMIC_ACQUIRE)) {
        (void)syscall(SYS_futex, &word, FUTEX_WAIT_PRIVATE, 0, NULL);
    }
    return NULL;
}

/* Memory, actions and wakings in a row. */
static void memory(void)
{
    pthread_t thread;
    struct sigaction action;
    long top = syscall(SYS_brk, 0);

    top = syscall(SYS_brk, (top + 2 * (long)PAGE - 1) & -(long)PAGE);

    for (int i = 0; i < ROUNDS; i++) {
        char *at = mmap(NULL, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

        CHECK(at != MAP_FAILED && at[0] == 0);
        memset(at, i + 1, 4 * PAGE);
        CHECK(madvise(at, PAGE, MADV_DONTNEED) == 0 && at[0] == 0 && at[PAGE] == (char)(i + 1));
        CHECK(munmap(at + PAGE, PAGE) == 0 && at[2 * PAGE] == (char)(i + 1));
        CHECK(mprotect(at, PAGE, PROT_READ) == 0 && read(-1, at, 1) < 0 && errno == EBADF);
        CHECK(mprotect(at, PAGE, PROT_READ | PROT_WRITE) == 0);
        at[0] = 1;
        CHECK(munmap(at, 4 * PAGE) == 0 && syscall(SYS_brk, top + PAGE) == top + (long)PAGE);
        *(volatile char *)top = 1;
        CHECK(syscall(SYS_brk, top) == top);
        handle(SIGUSR1, i % 2 ? SA_RESTART : 0);
        CHECK(sigaction(SIGUSR1, NULL, &action) == 0 && raise(SIGUSR1) == 0 && signals == i + 1);
        CHECK((action.sa_flags & SA_RESTART) == (i % 2 ? SA_RESTART : 0));
        CHECK(syscall(SYS_futex, &word, FUTEX_WAKE_PRIVATE, 1) == 0);
    }
    for (int i = 0; i < 5; i++) {
        word = 0;
        CHECK(pthread_create(&thread, NULL, wait_for_word, NULL) == 0);
        warm();
        __atomic_store_n(&word, 1, __ATOMIC_RELEASE);
        CHECK(syscall(SYS_futex, &word, FUTEX_WAKE_PRIVATE, 1) >= 0);
        CHECK(pthread_join(thread, NULL) == 0);
    }
}

/* Go on with a pipe that waits until the input ends. */
static void until_told(void)
{
    char byte = 'x';
    int ends[2];

    CHECK(pipe(ends) == 0 && fcntl(0, F_SETFL, O_NONBLOCK) == 0);
    printf("ready\n");
    (void)fflush(stdout);
    while (read(0, &byte, 1) != 0) {
        for (unsigned i = 0; i < 1000; i++) {
            CHECK(write(ends[1], "x", 1) == 1 && read(ends[0], &byte, 1) == 1);
        }
    }
}

int main(int argc, char **argv)
{
    (void)argc;
    if (is_case(argv, "pipes")) {
        pipes();
    } else if (is_case(argv, "signals")) {
        under_signals();
    } else if (is_case(argv, "sockets")) {
        sockets();
    } else if (is_case(argv, "events")) {
        events();
    } else if (is_case(argv, "polls")) {
        polls();
    } else if (is_case(argv, "memory")) {
        memory();
    } else if (is_case(argv, "until-told")) {
        until_told();
    }
    printf("done\n");
    return 0;
}
