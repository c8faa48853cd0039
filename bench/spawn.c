// SPDX-License-Identifier: Apache-2.0
/*
 * spawn.c: `spawn ROUNDS -- COMMAND... [-- COMMAND...]` starts each command in turn, ROUNDS times,
 * and prints a line a round: the microseconds of each, from before its exec until it is reaped.
 * The commands' output is dropped; one that ends with another status than 0 ends it all.
 */
#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>

#define COMMANDS_MAX 8

extern char **environ;

static double now_us(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e6 + (double)now.tv_nsec / 1e3;
}

static double run_us(char **command, const posix_spawn_file_actions_t *actions)
{
    double start = now_us(), end;
    int status = 0;
    pid_t child;

    errno = posix_spawnp(&child, command[0], actions, NULL, command, environ);
    if (errno || waitpid(child, &status, 0) < 0) {
        (void)fprintf(stderr, "spawn: cannot run %s: %s\n", command[0], strerror(errno));
        exit(1);
    }
    end = now_us();
    if (status != 0) {
        (void)fprintf(stderr, "spawn: %s ended with wait status 0x%x, not 0\n", command[0], status);
        exit(1);
    }
    return end - start;
}

int main(int argc, char **argv)
{
    char **commands[COMMANDS_MAX];
    posix_spawn_file_actions_t actions;
    int count = 0;
    long rounds = argc > 3 ? strtol(argv[1], NULL, 10) : 0;

    for (int i = 2; i < argc && count < COMMANDS_MAX; i++) {
        if (strcmp(argv[i], "--") == 0 && i + 1 < argc) {
            argv[i++] = NULL; /* the end of the command before */
            commands[count++] = argv + i;
        }
    }
    if (count == 0 || rounds <= 0) {
        (void)fprintf(stderr, "usage: spawn ROUNDS -- COMMAND... [-- COMMAND...]\n");
        return 2;
    }
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0);
    for (long round = 0; round < rounds; round++) {
        for (int i = 0; i < count; i++) {
            printf("%.1f%c", run_us(commands[i], &actions), i + 1 < count ? ' ' : '\n');
        }
    }
    return 0;
}
