// SPDX-License-Identifier: Apache-2.0
/*
 * payload.h: how payloads say what they saw. The output of one must be the same in every run: no
 * address, no process id, no time.
 */
#ifndef PAYLOAD_H
#define PAYLOAD_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PAGE 4096UL
#define HUGE (2UL << 20)
#define LEN(a) (sizeof(a) / sizeof((a)[0]))

/* Print a call and its result: a number, or the error that it failed with. */
#define SHOW(call) show(#call, (errno = 0, (long)(call)))

/* Likewise, where a result that is no error may differ from run to run. */
#define SHOW_DONE(call) show(#call, (errno = 0, (long)(call)) == -1 ? -1 : 0)

/* End with a complaint when `condition` does not hold. */
#define CHECK(condition) check(condition, #condition, __FILE__, __LINE__)

static inline void show(const char *call, long result)
{
    int error = errno;

    if (result == -1 && error) {
        printf("%s: %s\n", call, strerror(error));
    } else {
        printf("%s = %ld\n", call, result);
    }
    (void)fflush(stdout);
}

static inline void check(bool holds, const char *condition, const char *file, int line)
{
    if (!holds) {
        printf("%s:%d: not so: %s (%s)\n", strrchr(file, '/') + 1, line, condition,
               strerror(errno));
        (void)fflush(stdout);
        _exit(1);
    }
}

/* Copy the program that runs to a new file. */
static inline void copy_self(const char *to)
{
    int in = open("/proc/self/exe", O_RDONLY), out = open(to, O_CREAT | O_WRONLY | O_TRUNC, 0755);
    char buffer[65536];
    ssize_t n;

    while ((n = read(in, buffer, sizeof(buffer))) > 0) {
        CHECK(write(out, buffer, (size_t)n) == n);
    }
    CHECK(close(in) == 0 && close(out) == 0);
}

/* Whether argv[1] is `word`. */
static inline bool is_case(char **argv, const char *word)
{
    return argv[1] && !strcmp(argv[1], word);
}

#endif /* PAYLOAD_H */
