// SPDX-License-Identifier: Apache-2.0
/*
 * Makes random system calls with hostile arguments, each round in a process of its own: a seed and
 * a number of calls are its arguments. The process may end in any way, the monitor does not fail.
 */
#include "any_call.h"
#include "payload.h"

#include <grp.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#define CALLS_A_PROCESS 64
#define NUMBERS 470
#define MONITOR_FAILED 125

static uint64_t state, *room;

static uint64_t next(void) /* xorshift64*, Vigna 2016 */
{
    state ^= state >> 12;
    state ^= state << 25;
    state ^= state >> 27;
    return state * 0x2545f4914f6cdd1d;
}

static uint64_t argument(void)
{
    static const uint64_t places[] = {
        0x7d0000000000, 0x7d1000000000, 0x7d2000000000, 0x7d3000000000, 0x7d4000000000,
        0x7d5000000000, 0x7e0000000000, 0x7e0000010000, 0x6fff00000000, 0x6ffefffffff0,
        1UL << 31,      1UL << 32,      1UL << 47,      1UL << 63,      ~0UL,
    };

    switch (next() % 8) {
    case 0:
    case 1:
        return (uint64_t)room + next() % (2 * PAGE);
    case 2:
        return places[next() % LEN(places)] + next() % 16 * (next() % 2);
    case 3:
        return next() % 2048;
    case 4:
        return 1UL << next() % 64;
    case 5:
        return next() % 16 | 1UL << 32;
    default:
        return next() % 16;
    }
}

static void make_calls(void)
{
    (void)alarm(1);
    for (int i = 0; i < CALLS_A_PROCESS; i++) {
        long number = (long)(next() % NUMBERS);

        for (size_t word = 0; word < PAGE / sizeof(*room); word++) {
            room[word] = argument();
        }
        if (!is_left_out(number)) {
            (void)syscall(number, argument(), argument(), argument(), argument(), argument(),
                          argument());
        }
    }
    _exit(0);
}

int main(int argc, char **argv)
{
    struct rlimit files = {.rlim_cur = 1 << 20, .rlim_max = 1 << 20};
    long calls = argc > 2 ? strtol(argv[2], NULL, 0) : 0;
    int status;

    if (geteuid() == 0) { /* what is hit at random shall not be the host's */
        CHECK(setgroups(0, NULL) == 0 && setgid(65534) == 0 && setuid(65534) == 0);
    }
    (void)setrlimit(RLIMIT_FSIZE, &files);
    state = strtoul(argc > 1 ? argv[1] : "1", NULL, 0);
    room = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    for (long done = 0; done < calls; done += CALLS_A_PROCESS) {
        uint64_t before = state;
        pid_t child = fork();

        if (!child) {
            make_calls();
        }
        CHECK(waitpid(child, &status, 0) == child);
        if (WIFEXITED(status) && WEXITSTATUS(status) == MONITOR_FAILED) {
            printf("%#lx: not so: the monitor goes on\n", before);
            return 1;
        }
        (void)next();
        state ^= (uint64_t)done << 1;
    }
    return 0;
}
