// SPDX-License-Identifier: Apache-2.0
/*
 * calls.c: `calls ROUNDS` makes system calls as programs do, and prints a line for each kind: its
 * name, and the nanoseconds of one in the best of so many rounds. It opens /etc/passwd.
 */
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define FILE_NAME "/etc/passwd"

static int ends[2], poller;

static void check(int failed, const char *what)
{
    if (failed) {
        perror(what);
        exit(1);
    }
}

static void call_getpid(void)
{
    check(syscall(SYS_getpid) < 0, "getpid");
}

static void call_getppid(void)
{
    check(syscall(SYS_getppid) < 0, "getppid");
}

static void call_stat(void)
{
    struct stat status;

    check(stat(FILE_NAME, &status), "stat");
}

static void call_open(void)
{
    char bytes[512];
    int fd = open(FILE_NAME, O_RDONLY | O_CLOEXEC);

    check(fd < 0 || read(fd, bytes, sizeof(bytes)) < 0 || close(fd) != 0, "open");
}

static void call_pipe(void)
{
    char byte = 0;

    check(write(ends[1], &byte, 1) != 1 || read(ends[0], &byte, 1) != 1, "pipe");
}

static void call_epoll(void)
{
    struct epoll_event event;
    char byte = 0;

    check(write(ends[1], &byte, 1) != 1 || epoll_wait(poller, &event, 1, -1) != 1 ||
              read(ends[0], &byte, 1) != 1,
          "epoll");
}

static void call_fork(void)
{
    pid_t child = fork();

    if (child == 0) {
        _exit(0);
    }
    check(child < 0 || waitpid(child, NULL, 0) != child, "fork");
}

static void *do_nothing(void *nothing)
{
    return nothing;
}

static void call_thread(void)
{
    pthread_t thread;

    check(pthread_create(&thread, NULL, do_nothing, NULL) != 0 || pthread_join(thread, NULL) != 0,
          "thread");
}

static const struct kind {
    const char *name;
    void (*call)(void);
    int count;
} kinds[] = {{"getpid", call_getpid, 4000}, {"getppid", call_getppid, 4000},
             {"stat", call_stat, 2000},     {"open-read-close", call_open, 1000},
             {"pipe", call_pipe, 1000},     {"epoll", call_epoll, 1000},
             {"fork", call_fork, 20},       {"thread", call_thread, 50}};

static double round_ns(const struct kind *kind)
{
    struct timespec start, end;

    clock_gettime(CLOCK_MONOTONIC, &start);
    for (int i = 0; i < kind->count; i++) {
        kind->call();
    }
    clock_gettime(CLOCK_MONOTONIC, &end);
    return ((double)(end.tv_sec - start.tv_sec) * 1e9 + (double)(end.tv_nsec - start.tv_nsec)) /
           kind->count;
}

int main(int argc, char **argv)
{
    struct epoll_event readable = {.events = EPOLLIN};
    long rounds = argc == 2 ? strtol(argv[1], NULL, 10) : 0;

    if (rounds <= 0) {
        (void)fprintf(stderr, "usage: calls ROUNDS\n");
        return 2;
    }
    poller = epoll_create1(0);
    check(poller < 0 || pipe(ends) != 0 || epoll_ctl(poller, EPOLL_CTL_ADD, ends[0], &readable),
          "epoll");
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        double best = round_ns(&kinds[i]);

        for (long round = 1; round < rounds; round++) {
            double taken = round_ns(&kinds[i]);

            best = taken < best ? taken : best;
        }
        printf("%s %.0f\n", kinds[i].name, best);
    }
    return 0;
}
