// SPDX-License-Identifier: Apache-2.0
/*
 * Changes its signal mask so often that a monitor may let it do so itself: every kind of the call,
 * and signals that come while it runs without any other call.
 */
#include "payload.h"

#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>

#define OFTEN 100
#define TICKS 400

static volatile sig_atomic_t came, came_blocked, blocked;
static volatile pid_t came_to;
static volatile int *shared; /* with the sender */

enum { READY, SENT };

static long change(int how, const void *set, void *old)
{
    return syscall(SYS_rt_sigprocmask, how, set, old, 8);
}

static uint64_t bit(int signo)
{
    return 1UL << (signo - 1);
}

static void often(void)
{
    uint64_t all = ~0UL, old, now;

    for (int i = 0; i < OFTEN; i++) {
        CHECK(change(SIG_BLOCK, &all, &old) == 0 && change(SIG_SETMASK, &old, &now) == 0);
        CHECK(now == ~(bit(SIGKILL) | bit(SIGSTOP)));
    }
}

static void handler(int signo)
{
    came_to = (pid_t)syscall(SYS_gettid);
    came_blocked |= blocked;
    came = came + signo / signo;
}

static void handle(int signo, void (*how)(int))
{
    struct sigaction action = {.sa_handler = how, .sa_flags = SA_RESTART};

    CHECK(sigaction(signo, &action, NULL) == 0);
}

static void until(int what)
{
    while (!shared[what]) {
    }
}

/* A process that sends these once its parent is ready. */
static pid_t sender(const int *signals, int count)
{
    pid_t pid = fork(), parent = getppid();

    if (pid) {
        return pid;
    }
    while (!shared[READY]) {
        (void)usleep(100);
    }
    for (int i = 0; i < count; i++) {
        (void)kill(parent, signals[i]);
    }
    (void)usleep(20000);
    shared[SENT] = 1;
    _exit(0);
}

/* ---- the call ---- */

static void calls(void)
{
    uint64_t set = bit(SIGUSR1), both = bit(SIGUSR1) | bit(SIGUSR2), old = 0, none = 0;
    char *page = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    uint64_t *untouched = (uint64_t *)(page + PAGE), *odd = (uint64_t *)(page + PAGE - 3);

    for (int i = 0; i < 2; i++) {
        SHOW(change(SIG_SETMASK, &none, NULL));
        SHOW(change(SIG_BLOCK, &set, &old));
        SHOW(old);
        SHOW(change(SIG_BLOCK, &both, &old));
        SHOW(old);
        SHOW(change(SIG_UNBLOCK, &set, &old));
        SHOW(old);
        SHOW(change(SIG_BLOCK, NULL, &old));
        SHOW(old);
        old = set;
        SHOW(change(SIG_SETMASK, &old, &old));
        SHOW(old);
        SHOW(change(3, &set, &old));
        SHOW(change(-1, &set, NULL));
        SHOW(syscall(SYS_rt_sigprocmask, SIG_BLOCK, &set, &old, 4));
        SHOW(change(SIG_SETMASK, (void *)8, &old));
        SHOW(change(SIG_SETMASK, (void *)0x8000000000000000, &old));
        SHOW(change(SIG_SETMASK, &both, (void *)8));
        SHOW(change(SIG_BLOCK, NULL, &old));
        SHOW(old);
        SHOW(change(SIG_SETMASK, &none, untouched));
        SHOW(*untouched);
        SHOW(mprotect(untouched, PAGE, PROT_READ));
        SHOW(change(SIG_SETMASK, &both, untouched));
        SHOW(mprotect(untouched, PAGE, PROT_READ | PROT_WRITE));
        SHOW(madvise(page, 2 * PAGE, MADV_DONTNEED));
        SHOW(change(SIG_BLOCK, untouched, odd));
        memcpy(&old, odd, sizeof(old));
        SHOW(old);
        SHOW(munmap(untouched, PAGE));
        SHOW(change(SIG_SETMASK, &none, odd));
        SHOW(change(SIG_BLOCK, NULL, &old));
        SHOW(old);
        CHECK(mmap(untouched, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED,
                   -1, 0) == untouched);
        often();
    }
}

/* ---- signals that come meanwhile ---- */

static void show_pending(void)
{
    uint64_t waiting = 0;

    SHOW(syscall(SYS_rt_sigpending, &waiting, 8));
    for (int signo = 1; signo <= 64; signo++) {
        if (waiting & bit(signo)) {
            printf("%s waits\n", strsignal(signo));
        }
    }
}

/* One that would kill, one that would stop, one that is ignored, one that is handled. */
static void pending(void)
{
    static const int signals[] = {SIGTERM, SIGTSTP, SIGURG, SIGUSR1};
    uint64_t set = 0, old;
    siginfo_t info;
    sigset_t taken;
    pid_t pid;

    handle(SIGUSR1, handler);
    pid = sender(signals, LEN(signals));
    often();
    for (size_t i = 0; i < LEN(signals); i++) {
        set |= bit(signals[i]);
    }
    CHECK(change(SIG_BLOCK, &set, &old) == 0);
    shared[READY] = 1;
    until(SENT);
    SHOW(came);
    show_pending();
    (void)sigemptyset(&taken);
    (void)sigaddset(&taken, SIGTERM);
    SHOW(sigwaitinfo(&taken, &info));
    SHOW(info.si_code);
    SHOW(info.si_pid == pid);
    (void)sigaddset(&taken, SIGTSTP);
    SHOW(sigwaitinfo(&taken, &info));
    often();
    CHECK(change(SIG_SETMASK, &old, NULL) == 0);
    SHOW(came);
    show_pending();
    SHOW(waitpid(pid, NULL, 0) == pid);
}

/* One that kills: the program dies of it while it runs, and not before it lets it. */
static void killed(void)
{
    static const int signals[] = {SIGTERM};
    uint64_t set = bit(SIGTERM), old;
    pid_t pid = sender(signals, 1);

    often();
    CHECK(change(SIG_BLOCK, &set, &old) == 0);
    shared[READY] = 1;
    until(SENT);
    SHOW(waitpid(pid, NULL, 0) == pid);
    CHECK(change(SIG_SETMASK, &old, NULL) == 0);
    printf("lives\n");
}

static void killed_at_once(void)
{
    static const int signals[] = {SIGTERM};
    uint64_t set = bit(SIGTERM), old;

    (void)sender(signals, 1);
    often();
    CHECK(change(SIG_BLOCK, &set, &old) == 0 && change(SIG_SETMASK, &old, NULL) == 0);
    shared[READY] = 1;
    for (;;) {
    }
}

/* ---- several threads ---- */

static volatile int go_on;
static volatile pid_t other_tid;

static void *other(void *unused)
{
    often();
    other_tid = (pid_t)syscall(SYS_gettid);
    while (!go_on) {
    }
    return unused;
}

/* The first thread blocks it: the other one gets it. */
static void routed(void)
{
    static const int signals[] = {SIGUSR1};
    uint64_t set = bit(SIGUSR1), old;
    pid_t pid;
    pthread_t thread;

    handle(SIGUSR1, handler);
    pid = sender(signals, 1);
    CHECK(pthread_create(&thread, NULL, other, NULL) == 0);
    often();
    while (!other_tid) {
    }
    CHECK(change(SIG_BLOCK, &set, &old) == 0);
    shared[READY] = 1;
    while (!came) {
    }
    SHOW(came_to == other_tid);
    show_pending();
    go_on = 1;
    SHOW(pthread_join(thread, NULL));
    SHOW(waitpid(pid, NULL, 0) == pid);
}

/* A handler never runs while its signal is blocked, and each call says the mask before it. */
static void ticks(void)
{
    struct itimerval often_enough = {{0, 150}, {0, 150}}, off = {{0, 0}, {0, 0}};
    uint64_t set = bit(SIGALRM), none = 0, old;

    handle(SIGALRM, handler);
    CHECK(setitimer(ITIMER_REAL, &often_enough, NULL) == 0);
    while (came < TICKS) {
        old = ~0UL;
        CHECK(change(SIG_BLOCK, &set, &old) == 0);
        blocked = 1;
        CHECK(old == none);
        old = set;
        CHECK(change(SIG_BLOCK, &old, &old) == 0 && old == set);
        blocked = 0;
        CHECK(change(SIG_SETMASK, &none, &old) == 0 && old == set);
    }
    CHECK(setitimer(ITIMER_REAL, &off, NULL) == 0);
    SHOW(came_blocked);
}

static long now_ns(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000000000L + now.tv_nsec;
}

static void leave(void)
{
    (void)getpriority(PRIO_PROCESS, 0);
}

static void stay(void)
{
    uint64_t set = bit(SIGALRM);

    (void)change(SIG_BLOCK, &set, NULL);
}

/* The time of some calls in the best of some rounds. */
static long best(void (*call)(void))
{
    long least = INT64_MAX;

    for (int round = 0; round < 20; round++) {
        long begin = now_ns();

        for (int i = 0; i < 100; i++) {
            call();
        }
        least = now_ns() - begin < least ? now_ns() - begin : least;
    }
    return least;
}

/* How many such calls take as long as one that leaves the guest. */
static void timed(void)
{
    long stays;

    often();
    stays = best(stay);
    printf("%ld\n", best(leave) / stays);
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        void (*run)(void);
    } cases[] = {{"calls", calls},   {"pending", pending},
                 {"killed", killed}, {"killed-at-once", killed_at_once},
                 {"routed", routed}, {"ticks", ticks},
                 {"timed", timed}};

    shared = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    for (size_t i = 0; i < LEN(cases); i++) {
        if (argc > 1 && strcmp(argv[1], cases[i].name) == 0) {
            cases[i].run();
        }
    }
    return 0;
}
