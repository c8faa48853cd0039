// SPDX-License-Identifier: Apache-2.0
/*
 * syscall.c: `syscall N` makes N system calls that the monitor must forward, and prints the
 * nanoseconds of one. getpriority(2) is cheap, and nothing that a monitor could answer by itself.
 * `syscall N getpid` makes one that it could.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

int main(int argc, char **argv)
{
    long count = argc >= 2 ? strtol(argv[1], NULL, 10) : 0;
    long number = argc == 3 && strcmp(argv[2], "getpid") == 0 ? SYS_getpid : SYS_getpriority;
    struct timespec start, end;

    if (count <= 0) {
        (void)fprintf(stderr, "usage: syscall COUNT [getpid]\n");
        return 2;
    }
    clock_gettime(CLOCK_MONOTONIC, &start);
    for (long i = 0; i < count; i++) {
        if (syscall(number, 0, 0) < 0) {
            perror("syscall");
            return 1;
        }
    }
    clock_gettime(CLOCK_MONOTONIC, &end);
    printf("%.0f\n",
           ((double)(end.tv_sec - start.tv_sec) * 1e9 + (double)(end.tv_nsec - start.tv_nsec)) /
               (double)count);
    return 0;
}
