// SPDX-License-Identifier: Apache-2.0
/*
 * one_call.c: `one_call N NAME` makes the calls of NAME N times in a row by the C library, and
 * prints the nanoseconds of one: getpid, getppid, fstat, stat, pread; open, read and close of a
 * file; a byte through a pipe that does not block; the same with epoll_wait between.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define FILE_NAME "/etc/passwd"

static int file, ends[2], queue;

static int make(const char *name)
{
    struct epoll_event event;
    struct stat st;
    char byte = 0;
    int fd;

    if (!strcmp(name, "getpid")) {
        return getpid() > 0;
    }
    if (!strcmp(name, "getppid")) {
        return getppid() >= 0;
    }
    if (!strcmp(name, "fstat")) {
        return fstat(file, &st) == 0;
    }
    if (!strcmp(name, "stat")) {
        return stat(FILE_NAME, &st) == 0;
    }
    if (!strcmp(name, "pread")) {
        return pread(file, &byte, 1, 0) == 1;
    }
    if (!strcmp(name, "open")) {
        fd = open(FILE_NAME, O_RDONLY);
        return read(fd, &byte, 1) == 1 && close(fd) == 0;
    }
    if (!strcmp(name, "pipe")) {
        return write(ends[1], &byte, 1) == 1 && read(ends[0], &byte, 1) == 1;
    }
    if (!strcmp(name, "epoll")) {
        return write(ends[1], &byte, 1) == 1 && epoll_wait(queue, &event, 1, -1) == 1 &&
               read(ends[0], &byte, 1) == 1;
    }
    return 0;
}

int main(int argc, char **argv)
{
    struct epoll_event event = {.events = EPOLLIN};
    long count = argc == 3 ? strtol(argv[1], NULL, 10) : 0;
    struct timespec start, end;

    file = open(FILE_NAME, O_RDONLY);
    queue = epoll_create1(0);
    if (count <= 0 || file < 0 || pipe(ends) < 0 || fcntl(ends[0], F_SETFL, O_NONBLOCK) < 0 ||
        fcntl(ends[1], F_SETFL, O_NONBLOCK) < 0 ||
        epoll_ctl(queue, EPOLL_CTL_ADD, ends[0], &event) < 0) {
        (void)fprintf(stderr,
                      "usage: one_call COUNT getpid|getppid|fstat|stat|pread|open|pipe|epoll\n");
        return 2;
    }
    clock_gettime(CLOCK_MONOTONIC, &start);
    for (long i = 0; i < count; i++) {
        if (!make(argv[2])) {
            perror(argv[2]);
            return 1;
        }
    }
    clock_gettime(CLOCK_MONOTONIC, &end);
    printf("%.1f\n",
           ((double)(end.tv_sec - start.tv_sec) * 1e9 + (double)(end.tv_nsec - start.tv_nsec)) /
               (double)count);
    return 0;
}
