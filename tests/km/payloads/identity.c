// SPDX-License-Identifier: Apache-2.0
/*
 * Asks for its ids, which a monitor may know by heart, wherever they change: in threads, after
 * fork, vfork and setuid, and while signals come.
 */
#include "payload.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>

static volatile int ticks;

static void on_tick(int signo)
{
    (void)signo;
    ticks++;
}

/* What /proc says of this thread, which no monitor answers by itself: NAME's number. */
static long from_proc(const char *name)
{
    char line[256];
    long found = -1;
    FILE *file = fopen("/proc/thread-self/status", "r");

    CHECK(file);
    while (fgets(line, sizeof(line), file)) {
        if (!strncmp(line, name, strlen(name))) {
            found = strtol(line + strlen(name), NULL, 10);
        }
    }
    (void)fclose(file);
    return found;
}

static void same_as_proc(void)
{
    CHECK(syscall(SYS_getpid) == from_proc("Tgid:"));
    CHECK(syscall(SYS_gettid) == from_proc("Pid:"));
    CHECK(syscall(SYS_getuid) == from_proc("Uid:"));
    CHECK(syscall(SYS_getgid) == from_proc("Gid:"));
}

static void *in_thread(void *argument)
{
    (void)argument;
    same_as_proc();
    CHECK(syscall(SYS_gettid) != syscall(SYS_getpid));
    return NULL;
}

static void wait_for(pid_t child)
{
    int status;

    CHECK(child > 0 && waitpid(child, &status, 0) == child);
    SHOW(status);
}

/* The thread alone changes, as the kernel has it: libc would change all. */
static void *other_user(void *argument)
{
    (void)argument;
    SHOW(syscall(SYS_setresgid, 12, 13, 12));
    SHOW(syscall(SYS_setresuid, 10, 11, 10));
    SHOW(syscall(SYS_getuid));
    SHOW(syscall(SYS_geteuid));
    SHOW(syscall(SYS_getgid));
    SHOW(syscall(SYS_getegid));
    return NULL;
}

static void run_thread(void *(*what)(void *))
{
    pthread_t thread;

    CHECK(pthread_create(&thread, NULL, what, NULL) == 0);
    CHECK(pthread_join(thread, NULL) == 0);
}

/* A signal must find its handler while nothing but answered calls are made; each must be right. */
static void under_signals(void)
{
    struct sigaction action = {.sa_handler = on_tick};
    struct itimerval often = {{0, 200}, {0, 200}}, never = {{0, 0}, {0, 0}};
    long pid = syscall(SYS_getpid), wrong = 0;

    (void)sigaction(SIGALRM, &action, NULL);
    (void)setitimer(ITIMER_REAL, &often, NULL);
    while (ticks < 200) {
        wrong += syscall(SYS_getpid) != pid;
    }
    (void)setitimer(ITIMER_REAL, &never, NULL);
    SHOW(wrong);
}

int main(void)
{
    long pid = syscall(SYS_getpid);
    pid_t child;

    same_as_proc();
    run_thread(in_thread);
    child = fork();
    if (!child) {
        same_as_proc();
        CHECK(syscall(SYS_getpid) != pid);
        run_thread(in_thread);
        _exit(0);
    }
    wait_for(child);
    child = vfork();
    if (!child) {
        _exit(syscall(SYS_getpid) == pid || syscall(SYS_gettid) == pid);
    }
    wait_for(child);
    CHECK(syscall(SYS_getpid) == pid);
    under_signals();
    SHOW(syscall(SYS_getpid + (1UL << 32)) == pid);
    run_thread(other_user);
    SHOW(syscall(SYS_getuid));
    SHOW(setuid(7));
    SHOW(getuid());
    SHOW(geteuid());
    same_as_proc();
    return 0;
}
