// SPDX-License-Identifier: Apache-2.0
/*
 * pid_map.c: the numbers of processes and threads as a resumed program knows them.
 *
 * A program keeps its own numbers in many places: the C library in each thread's block and in each
 * mutex that is held, others in what they write. So a resumed program keeps the numbers that it
 * had, and the host's are translated where a call takes or returns one. The translation is a
 * permutation: the host's numbers of its threads, which are free in its view, name the host's
 * processes that have one of its own numbers; no two have the same number.
 */
#include "task/task.h"

#include <asm/unistd.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct pair {
    int32_t shown, host;
};

static struct pair *pairs;
static size_t pair_count;

static int32_t host_of(int32_t shown)
{
    for (size_t i = 0; i < pair_count; i++) {
        if (pairs[i].shown == shown) {
            return pairs[i].host;
        }
    }
    return shown;
}

static int32_t shown_of(int32_t host)
{
    for (size_t i = 0; i < pair_count; i++) {
        if (pairs[i].host == host) {
            return pairs[i].shown;
        }
    }
    return host;
}

bool pid_map_reserve(size_t threads)
{
    pairs = calloc(2 * threads, sizeof(*pairs));
    return pairs;
}

void pid_map_add(pid_t shown, pid_t host)
{
    pairs[pair_count++] = (struct pair){shown, host};
}

static bool is_host(int32_t id)
{
    size_t i = 0;

    while (i < pair_count && pairs[i].host != id) {
        i++;
    }
    return i < pair_count;
}

static bool is_shown(int32_t id)
{
    size_t i = 0;

    while (i < pair_count && pairs[i].shown != id) {
        i++;
    }
    return i < pair_count;
}

void pid_map_complete(void)
{
    size_t given = pair_count;

    for (size_t i = 0; i < given; i++) {
        int32_t first = pairs[i].shown, last = pairs[i].host;

        if (is_host(first)) {
            continue; /* within a chain or a circle */
        }
        while (is_shown(last)) {
            last = host_of(last);
        }
        pid_map_add(last, first);
    }
}

bool pid_map_translated(void)
{
    return pair_count;
}

uint64_t pid_map_to_host(uint64_t shown)
{
    int32_t id = (int32_t)shown;

    if (!pair_count || !id || id == -1) {
        return shown;
    }
    return (uint64_t)(id < 0 ? -(int64_t)host_of(-id) : host_of(id));
}

pid_t pid_map_shown(pid_t host)
{
    return pair_count && host > 0 ? shown_of(host) : host;
}

int64_t pid_map_of_result(uint64_t number, int64_t result)
{
    switch (number) {
    case __NR_getpid:
    case __NR_gettid:
    case __NR_getppid:
    case __NR_getpgid:
    case __NR_getpgrp:
    case __NR_getsid:
    case __NR_setsid:
    case __NR_set_tid_address:
    case __NR_fork:
    case __NR_vfork:
    case __NR_clone:
    case __NR_clone3:
    case __NR_wait4:
        return result > 0 ? pid_map_shown((pid_t)result) : result;
    default:
        return result;
    }
}

void pid_map_of_info(uint8_t info[128])
{
    siginfo_t copy;

    memcpy(&copy, info, sizeof(copy));
    if (pair_count && (copy.si_code <= 0 || copy.si_signo == SIGCHLD)) {
        copy.si_pid = pid_map_shown(copy.si_pid);
        memcpy(info, &copy, sizeof(copy));
    }
}
