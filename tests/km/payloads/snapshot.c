// SPDX-License-Identifier: Apache-2.0
/*
 * Asks for a snapshot of itself with state of the kind that argv[1] names, and shows after it what
 * is left of that. Where km takes no snapshots it just continues.
 */
#include "payload.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <time.h>

/* The arguments that the resumed program is given are printed. */
static void ask(void)
{
    char text[256] = {0};
    int fd = open("/proc/kontain/snapshot", O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? 0 : read(fd, text, sizeof(text) - 1);

    for (ssize_t at = (ssize_t)strlen(text) + 1; at < n; at += (ssize_t)strlen(text + at) + 1) {
        printf("argument %s\n", text + at);
    }
    (void)close(fd);
    (void)fflush(stdout);
}

/* ---- memory, of all kinds, and what is done with it afterwards ---- */

#define BLOCK (4UL << 20)

static char data[3 * PAGE] = "data";
static char bss[64 * PAGE];

static void memory(void)
{
    char *heap = malloc(BLOCK), *grows, *given, *shared, *sealed;
    char *high = data;

#ifdef __GLIBC__ /* musl keeps the break for itself */
    high = sbrk(3 * PAGE);
#endif

    memset(heap, 'h', BLOCK);
    memset(bss, 'b', sizeof(bss));
    memset(high, 's', 1);
    grows = mmap(NULL, BLOCK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    given = mmap(NULL, BLOCK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    shared = mmap(NULL, BLOCK, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    sealed = mmap(NULL, BLOCK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    memset(grows, 'g', BLOCK);
    memset(given, 'v', BLOCK);
    memset(shared, 'x', PAGE);
    memset(sealed, 'p', PAGE);
    (void)mprotect(sealed, BLOCK, PROT_READ);
    ask();
    printf("%s %c %c %c %c %c\n", data, heap[BLOCK - 1], bss[sizeof(bss) - 1], *high, *shared,
           *sealed);
    SHOW(madvise(given, BLOCK / 2, MADV_DONTNEED));
    printf("%d %c\n", given[0], given[BLOCK / 2]);
    grows = mremap(grows, BLOCK, 2 * BLOCK, MREMAP_MAYMOVE);
    printf("%c %c %d\n", grows[0], grows[BLOCK - 1], grows[2 * BLOCK - 1]);
    heap = realloc(heap, 3 * BLOCK);
    printf("%c\n", heap[BLOCK - 1]);
    if (!fork()) {
        shared[1] = 'y';
        bss[0] = 'c';
        _exit(0);
    }
    (void)wait(NULL);
    printf("%c %c\n", shared[1], bss[0]);
    SHOW(read(open("/dev/zero", O_RDONLY), sealed, 1));
}

/* ---- threads, each waiting in its own way, and their numbers ---- */

static sem_t begin;
static pthread_mutex_t mutex;
static __thread int own;
static int pipe_ends[2];

struct waiter {
    pthread_t thread;
    int kind;
    pid_t tid;
};

static void *waits(void *argument)
{
    struct waiter *waiter = argument;
    struct timespec short_time = {.tv_nsec = 100000000};
    char byte = 0;

    own = waiter->kind;
    __atomic_store_n(&waiter->tid, (pid_t)syscall(SYS_gettid), __ATOMIC_RELAXED);
    switch (waiter->kind) {
    case 0:
        (void)sem_wait(&begin);
        break;
    case 1:
        (void)!read(pipe_ends[0], &byte, 1);
        break;
    case 2:
        (void)nanosleep(&short_time, NULL);
        break;
    default:
        while (!__atomic_load_n(&pipe_ends[1], __ATOMIC_RELAXED)) {
        }
    }
    CHECK(waiter->tid == (pid_t)syscall(SYS_gettid) && own == waiter->kind);
    return NULL;
}

static void threads(void)
{
    struct waiter waiters[4];
    pthread_mutexattr_t attributes;
    pid_t pid = getpid(), child;
    int end, status;

    (void)sem_init(&begin, 0, 0);
    (void)pthread_mutexattr_init(&attributes);
    (void)pthread_mutexattr_settype(&attributes, PTHREAD_MUTEX_ERRORCHECK);
    (void)pthread_mutex_init(&mutex, &attributes);
    (void)pthread_mutex_lock(&mutex);
    (void)pipe(pipe_ends);
    end = pipe_ends[1];
    pipe_ends[1] = 0;
    for (int i = 0; i < 4; i++) {
        waiters[i] = (struct waiter){.kind = i};
        CHECK(!pthread_create(&waiters[i].thread, NULL, waits, &waiters[i]));
    }
    for (int i = 0; i < 4; i++) { /* each has begun, and most wait */
        while (!__atomic_load_n(&waiters[i].tid, __ATOMIC_RELAXED)) {
            (void)usleep(1000);
        }
    }
    (void)usleep(20000);
    ask();
    CHECK(pid == getpid() && pid == (pid_t)syscall(SYS_gettid));
    CHECK(!kill(pid, 0) && !syscall(SYS_tgkill, pid, waiters[0].tid, 0));
    SHOW(pthread_mutex_lock(&mutex) == EDEADLK);
    SHOW(pthread_mutex_unlock(&mutex));
    (void)sem_post(&begin);
    (void)!write(end, "", 1);
    __atomic_store_n(&pipe_ends[1], end, __ATOMIC_RELAXED);
    for (int i = 0; i < 4; i++) {
        SHOW(pthread_join(waiters[i].thread, NULL));
    }
    waiters[0].kind = 2;
    SHOW(pthread_create(&waiters[0].thread, NULL, waits, &waiters[0]));
    SHOW(pthread_cancel(waiters[0].thread));
    SHOW(pthread_join(waiters[0].thread, NULL));
    child = fork();
    if (!child) {
        _exit(getppid() == pid && getpid() != pid ? 3 : 4);
    }
    SHOW(waitpid(child, &status, 0) == child && WEXITSTATUS(status) == 3);
}

/* ---- threads that have just been made: some have not run an instruction yet ---- */

static void *is_born(void *argument)
{
    own = 1;
    return argument && own ? argument : NULL;
}

static void newborn(void)
{
    pthread_t made[24];
    void *result = NULL;

    for (size_t i = 0; i < LEN(made); i++) {
        CHECK(!pthread_create(&made[i], NULL, is_born, made));
    }
    ask();
    for (size_t i = 0; i < LEN(made); i++) {
        CHECK(!pthread_join(made[i], &result) && result == made);
    }
}

/* ---- signals ---- */

static volatile sig_atomic_t got;
static volatile uintptr_t on_stack;

static void handler(int signo)
{
    char here = 0;

    on_stack = (uintptr_t)&here;
    got = signo;
}

static void signals(void)
{
    static char alternative[64 * 1024];
    stack_t stack = {.ss_sp = alternative, .ss_size = sizeof(alternative)};
    struct sigaction action = {.sa_handler = handler, .sa_flags = SA_ONSTACK};
    struct itimerval soon = {.it_value.tv_usec = 50000};
    sigset_t set, old;

    (void)sigaltstack(&stack, NULL);
    (void)sigaction(SIGUSR1, &action, NULL);
    (void)sigaction(SIGALRM, &action, NULL);
    (void)signal(SIGUSR2, SIG_IGN);
    (void)sigemptyset(&set);
    (void)sigaddset(&set, SIGALRM);
    (void)sigprocmask(SIG_BLOCK, &set, NULL);
    (void)setitimer(ITIMER_REAL, &soon, NULL);
    ask();
    (void)raise(SIGUSR2);
    (void)raise(SIGUSR1);
    printf("%d %d\n", got, on_stack - (uintptr_t)alternative < sizeof(alternative));
    (void)sigprocmask(SIG_BLOCK, NULL, &old);
    printf("%d\n", sigismember(&old, SIGALRM));
    (void)sigemptyset(&set);
    (void)sigsuspend(&set);
    printf("%d\n", got);
}

/* ---- descriptors ---- */

static void descriptors(const char *file)
{
    int fd = open(file, O_RDWR | O_CREAT | O_TRUNC, 0600), copy = dup(fd), null, error = dup(2);
    int event = eventfd(7, EFD_NONBLOCK), epoll = epoll_create1(EPOLL_CLOEXEC), pair[2], ends[2];
    int timer = timerfd_create(CLOCK_MONOTONIC, 0), folder = open("/", O_RDONLY | O_DIRECTORY);
    struct epoll_event watch = {.events = EPOLLIN, .data.u64 = 0x1234567890}, seen;
    struct itimerspec when = {.it_value.tv_nsec = 1000000, .it_interval.tv_sec = 100};
    uint64_t value = 0;
    char text[8] = {0};

    (void)!write(fd, "abcdef", 6);
    (void)lseek(fd, 3, SEEK_SET);
    (void)fcntl(fd, F_SETFL, O_APPEND);
    null = open("/dev/null", O_WRONLY | O_CLOEXEC);
    (void)socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair);
    (void)pipe2(ends, O_NONBLOCK);
    (void)!write(ends[1], "in ", 3);
    (void)epoll_ctl(epoll, EPOLL_CTL_ADD, event, &watch);
    (void)timerfd_settime(timer, 0, &when, NULL);
    ask();
    SHOW(read(copy, text, 2));
    printf("%s %ld\n", text, (long)lseek(fd, 0, SEEK_CUR));
    SHOW(fcntl(fd, F_GETFL) & (O_APPEND | O_ACCMODE));
    SHOW(fcntl(null, F_GETFD));
    SHOW(write(null, "x", 1));
    SHOW(dprintf(error, "to standard error\n"));
    SHOW(epoll_wait(epoll, &seen, 1, 0));
    printf("%llx\n", (unsigned long long)seen.data.u64);
    SHOW(read(event, &value, 8));
    SHOW(value);
    SHOW(read(event, &value, 8));
    SHOW(write(pair[0], "pair", 4));
    SHOW(read(pair[1], text, 8));
    SHOW(write(ends[1], "pipe", 4));
    SHOW(read(ends[0], text, 8));
    SHOW(read(ends[0], text, 8));
    SHOW(read(timer, &value, 8));
    SHOW(fchdir(folder));
    SHOW(access("proc", F_OK));
}

/* ---- a server that listens ---- */

static void server(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(0x7f000001)};
    socklen_t size = sizeof(address);
    int listens = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), talks, served;
    char text[8] = {0};

    CHECK(!bind(listens, (struct sockaddr *)&address, size) && !listen(listens, 5));
    (void)getsockname(listens, (struct sockaddr *)&address, &size);
    ask();
    talks = socket(AF_INET, SOCK_STREAM, 0);
    SHOW(connect(talks, (struct sockaddr *)&address, size));
    served = accept(listens, NULL, NULL);
    SHOW(write(talks, "hello", 5));
    SHOW(read(served, text, 8));
}

/* ---- what cannot be kept ---- */

static void refused(const char *what)
{
    int ends[2];

    if (!strcmp(what, "child")) {
        if (!fork()) {
            (void)usleep(300000);
            _exit(0);
        }
    } else if (!strcmp(what, "pipe")) {
        (void)pipe(ends);
        (void)close(ends[0]);
    } else if (!strcmp(what, "full-pipe")) {
        (void)pipe(ends);
        for (int i = 0; i < 5000; i++) {
            (void)!write(ends[1], "x", 1);
        }
    } else if (!strcmp(what, "aio")) {
        uint64_t context = 0;

        (void)syscall(SYS_io_setup, 1, &context);
    } else {
        timer_t timer;

        (void)timer_create(CLOCK_MONOTONIC, NULL, &timer);
    }
    SHOW(open("/proc/kontain/snapshot", O_RDONLY) < 0);
}

int main(int argc, char **argv)
{
    if (is_case(argv, "memory")) {
        memory();
    } else if (is_case(argv, "threads")) {
        threads();
    } else if (is_case(argv, "newborn")) {
        newborn();
    } else if (is_case(argv, "signals")) {
        signals();
    } else if (is_case(argv, "descriptors")) {
        descriptors(argc > 2 ? argv[2] : "file");
    } else if (is_case(argv, "server")) {
        server();
    } else {
        refused(argv[1]);
    }
    return 5;
}
