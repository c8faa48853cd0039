// SPDX-License-Identifier: Apache-2.0
/*
 * Gives each argument of each system call a count that is absurd, while the others are plausible.
 * Each call's process may die of it; the monitor does not fail.
 */
#include "any_call.h"
#include "payload.h"

#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>

#define CALLS 470
#define A_PROCESS 10
#define MONITOR_FAILED 125

static const uint64_t counts[] = {1UL << 31, (1UL << 31) - 1, 1UL << 32,
                                  1UL << 63, ~0UL >> 1,       ~0UL};
static char *room;

static void try_call(long number)
{
    for (size_t at = 0; at < 6; at++) {
        for (size_t i = 0; i < LEN(counts); i++) {
            /* a descriptor, memory and small numbers: some call takes them for what they are */
            uint64_t file[6] = {3, (uint64_t)room, 8, (uint64_t)room, 8, 0};
            uint64_t memory[6] = {(uint64_t)room, 8, (uint64_t)room, 8, (uint64_t)room, 8};

            file[at] = memory[at] = counts[i];
            (void)syscall(number, file[0], file[1], file[2], file[3], file[4], file[5]);
            (void)syscall(number, memory[0], memory[1], memory[2], memory[3], memory[4], memory[5]);
        }
    }
}

static void try_calls(long first)
{
    (void)alarm(2);
    for (long number = first; number < first + A_PROCESS; number++) {
        if (!is_left_out(number) && number != SYS_exit && number != SYS_exit_group) {
            try_call(number);
        }
    }
    _exit(0);
}

int main(void)
{
    struct rlimit files = {.rlim_cur = 1 << 20, .rlim_max = 1 << 20};
    int status;

    if (geteuid() == 0) { /* what is hit shall not be the host's */
        CHECK(setgroups(0, NULL) == 0 && setgid(65534) == 0 && setuid(65534) == 0);
    }
    (void)setrlimit(RLIMIT_FSIZE, &files);
    (void)signal(SIGXFSZ, SIG_IGN);
    room = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(room != MAP_FAILED && open("/dev/zero", O_RDWR) == 3);
    for (long first = 0; first < CALLS; first += A_PROCESS) {
        pid_t child = fork();

        if (!child) {
            try_calls(first);
        }
        CHECK(waitpid(child, &status, 0) == child);
        CHECK(!WIFEXITED(status) || WEXITSTATUS(status) != MONITOR_FAILED);
    }
    return 0;
}
