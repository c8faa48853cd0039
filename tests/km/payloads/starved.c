// SPDX-License-Identifier: Apache-2.0
/*
 * Takes a limit down to nothing, then does what the monitor needs something for: memory, threads,
 * processes, files, signals. Each may fail or kill, and only the payload.
 */
#include "payload.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>

static volatile int handled;

static void handler(int signo)
{
    handled = signo;
}

static void *nothing(void *argument)
{
    return argument;
}

static char *touch(size_t size)
{
    char *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    for (size_t at = 0; p != MAP_FAILED && at < size; at += PAGE) {
        p[at] = 1;
    }
    return p;
}

static int deep(int depth) /* NOLINT(misc-no-recursion): the stack is what is used up */
{
    volatile char frame[8192];

    frame[0] = (char)depth;
    return depth ? deep(depth - 1) + frame[0] : 0;
}

static void use_everything(char *program)
{
    struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGRTMIN};
    char *words[] = {program, "0", "end", NULL}, *p = touch(16 * PAGE);
    pthread_t threads[4];
    timer_t timer;
    pid_t child;

    (void)touch(4 * HUGE);
    (void)sbrk(64 * PAGE);
    if (p != MAP_FAILED) {
        (void)mprotect(p + PAGE, PAGE, PROT_NONE);
        (void)mremap(p + 2 * PAGE, PAGE, 3 * PAGE, MREMAP_MAYMOVE);
        (void)munmap(p + 8 * PAGE, PAGE);
    }
    for (size_t i = 0; i < LEN(threads); i++) {
        if (!pthread_create(&threads[i], NULL, nothing, NULL)) {
            (void)pthread_join(threads[i], NULL);
        }
    }
    (void)close(open("/proc/self/maps", O_RDONLY));
    (void)timer_create(CLOCK_MONOTONIC, &event, &timer);
    (void)sigqueue(getpid(), SIGRTMIN, (union sigval){0});
    (void)raise(SIGUSR1);
    (void)deep(20);
    child = fork();
    if (!child) {
        (void)touch(PAGE);
        (void)execv("/proc/self/exe", words);
        _exit(0);
    }
    (void)waitpid(child, NULL, 0);
    child = vfork();
    if (!child) {
        _exit(0);
    }
    (void)execv("/proc/self/exe", words);
}

int main(int argc, char **argv)
{
    struct rlimit limit = {0, 0};

    if (argc < 2 || is_case(argv + 1, "end")) {
        return 0;
    }
    (void)signal(SIGUSR1, handler);
    (void)signal(SIGRTMIN, handler);
    (void)signal(SIGXFSZ, SIG_IGN);
    if (argc > 2) {
        limit.rlim_cur = limit.rlim_max = strtoul(argv[2], NULL, 0);
    }
    CHECK(setrlimit((int)strtol(argv[1], NULL, 0), &limit) == 0);
    use_everything(argv[0]);
    return 0;
}
