// SPDX-License-Identifier: Apache-2.0
/* Blocks SIGSEGV and SIGBUS, which also tell of faults, is sent them, and takes them in each way.
 */
#include "payload.h"

#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <time.h>

static const struct timespec zero = {0, 0};
static sigset_t both, none;
static int ends[2];

static void handler(int signo, siginfo_t *info, void *context)
{
    (void)context;
    printf("handler %d code %d\n", signo, info->si_code);
}

static void send(int signo)
{
    CHECK(kill(getpid(), signo) == 0);
}

/* Of a line of /proc/self/status, or of two. */
static void show_status(const char *name, const char *other)
{
    FILE *file = fopen("/proc/self/status", "re");
    unsigned long set = 0;
    char line[256];

    while (file && fgets(line, sizeof(line), file)) {
        if (!strncmp(line, name, strlen(name)) || !strncmp(line, other, strlen(other))) {
            set |= strtoul(strchr(line, ':') + 1, NULL, 16);
        }
    }
    printf("%s %016lx\n", name, set);
    CHECK(file && fclose(file) == 0);
}

static void show_pending(void)
{
    sigset_t set;

    SHOW(sigpending(&set));
    printf("pending %d %d\n", sigismember(&set, SIGSEGV), sigismember(&set, SIGBUS));
    show_status("SigPnd", "ShdPnd");
}

static void waits(void)
{
    siginfo_t info = {0};

    SHOW(sigtimedwait(&both, NULL, &zero));
    send(SIGSEGV);
    send(SIGBUS);
    send(SIGSEGV);
    show_pending();
    show_status("SigBlk", "SigBlk");
    SHOW(sigtimedwait(&both, &info, &zero));
    SHOW(sigwaitinfo(&both, &info));
    printf("code %d by itself %d\n", info.si_code, info.si_pid == getpid());
    SHOW(sigtimedwait(&both, &info, &zero));
    show_pending();
    CHECK(sigqueue(getpid(), SIGBUS, (union sigval){.sival_int = 7}) == 0);
    SHOW(sigwaitinfo(&both, &info));
    printf("code %d value %d\n", info.si_code, info.si_value.sival_int);
}

static void descriptors(void)
{
    int fd = signalfd(-1, &both, SFD_NONBLOCK), epoll = epoll_create1(0);
    struct epoll_event event = {.events = EPOLLIN};
    struct pollfd wanted = {.fd = fd, .events = POLLIN};
    struct signalfd_siginfo info;
    fd_set set;

    SHOW(epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event));
    for (int i = 0; i < 2; i++) {
        FD_ZERO(&set);
        FD_SET(fd, &set);
        SHOW(poll(&wanted, 1, 0));
        SHOW(ppoll(&wanted, 1, &zero, &both));
        SHOW(select(fd + 1, &set, NULL, NULL, &(struct timeval){0, 0}));
        SHOW(epoll_wait(epoll, &event, 1, 0));
        if (!i) {
            send(SIGSEGV);
        }
    }
    SHOW(read(fd, &info, sizeof(info)));
    printf("signal %u code %d\n", info.ssi_signo, info.ssi_code);
    SHOW(read(fd, &info, sizeof(info)));
    SHOW(poll(&wanted, 1, 0));
}

static void unblocked_for_a_call(void)
{
    send(SIGSEGV);
    SHOW(sigsuspend(&none));
    show_pending();
    send(SIGBUS);
    SHOW(ppoll(NULL, 0, NULL, &none));
    send(SIGSEGV);
    (void)signal(SIGSEGV, SIG_IGN);
    show_pending();
}

/* What `program` then has on. */
static void hand_on(char *program)
{
    pid_t pid;
    int status;

    send(SIGBUS);
    (void)fflush(stdout);
    pid = fork();
    if (pid == 0) {
        show_pending();
        send(SIGSEGV);
        (void)fflush(stdout);
        (void)execl(program, program, "executed", NULL);
        _exit(1);
    }
    CHECK(waitpid(pid, &status, 0) == pid);
    SHOW(WTERMSIG(status));
    show_pending();
}

static void *disturb(void *first)
{
    for (int i = 0; i < 3; i++) {
        (void)usleep(50000);
        CHECK(pthread_kill(*(pthread_t *)first, SIGSEGV) == 0);
    }
    (void)usleep(50000);
    CHECK(write(ends[1], "x", 1) == 1);
    (void)usleep(50000);
    CHECK(pthread_kill(*(pthread_t *)first, SIGBUS) == 0);
    return NULL;
}

/* Blocked, they do not end a call. */
static void in_calls(void)
{
    pthread_t first = pthread_self(), other;
    siginfo_t info = {0};
    sigset_t bus;
    char byte;

    (void)signal(SIGSEGV, SIG_DFL);
    (void)sigemptyset(&bus);
    (void)sigaddset(&bus, SIGBUS);
    SHOW(sigtimedwait(&both, NULL, &zero));
    CHECK(pipe(ends) == 0);
    CHECK(pthread_create(&other, NULL, disturb, &first) == 0);
    SHOW(read(ends[0], &byte, 1));
    SHOW(sigwaitinfo(&bus, &info));
    SHOW(pthread_join(other, NULL));
    show_pending();
    SHOW(sigtimedwait(&both, NULL, &zero));
}

static bool ends_now;

static void *take_them(void *count)
{
    siginfo_t info = {0};

    for (int i = 0; i < *(int *)count; i++) {
        SHOW(sigwaitinfo(&both, &info));
    }
    return NULL;
}

static void on_signal(int signo)
{
    printf("signal %d, by the first thread %d\n", signo, getpid() == gettid());
}

static void *let_come(void *unused)
{
    SHOW(pthread_sigmask(SIG_SETMASK, &none, NULL));
    while (!__atomic_load_n(&ends_now, __ATOMIC_RELAXED)) {
        (void)usleep(1000);
    }
    return unused;
}

/* What is sent to the process is taken by a thread that waits for it, or does not block it. */
static void in_threads(void)
{
    int count = 2;
    pthread_t other;

    CHECK(pthread_create(&other, NULL, take_them, &count) == 0);
    (void)usleep(100000);
    send(SIGSEGV);
    (void)usleep(100000);
    send(SIGBUS);
    SHOW(pthread_join(other, NULL));
    (void)signal(SIGSEGV, on_signal);
    CHECK(pthread_create(&other, NULL, let_come, NULL) == 0);
    (void)usleep(100000);
    send(SIGSEGV);
    (void)usleep(100000);
    __atomic_store_n(&ends_now, true, __ATOMIC_RELAXED);
    SHOW(pthread_join(other, NULL));
    send(SIGBUS);
    count = 1;
    CHECK(pthread_create(&other, NULL, take_them, &count) == 0);
    SHOW(pthread_join(other, NULL));
}

int main(int argc, char **argv)
{
    struct sigaction action = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO};

    (void)sigemptyset(&none);
    (void)sigemptyset(&both);
    (void)sigaddset(&both, SIGSEGV);
    (void)sigaddset(&both, SIGBUS);
    if (argc > 1) {
        show_pending();
        show_status("SigBlk", "SigBlk");
        SHOW(sigtimedwait(&both, NULL, &zero));
        (void)fflush(stdout);
        send(SIGBUS);
        (void)sigprocmask(SIG_SETMASK, &none, NULL);
        return 0;
    }
    (void)sigaction(SIGSEGV, &action, NULL);
    (void)sigaction(SIGBUS, &action, NULL);
    SHOW(sigprocmask(SIG_SETMASK, &both, NULL));
    waits();
    descriptors();
    unblocked_for_a_call();
    hand_on(argv[0]);
    in_calls();
    in_threads();
    SHOW(sigprocmask(SIG_SETMASK, &none, NULL));
    return 0;
}
