// SPDX-License-Identifier: Apache-2.0
/*
 * coverage.c: in a monitor that is built for the fuzzer, notes which of its code ran where AFL
 * looks: in the shared memory that it names, of a byte for each edge modulo its size. This
 * monitor's processes all write there, those of a fork too; a race of two threads costs a count.
 */
#include "base/base.h"

#include <stdlib.h>
#include <sys/shm.h>

#define MAP_SIZE 65536                    /* AFL's, where the program does not say otherwise */
#define MAP_HVA (EMPTY_HVA + (1UL << 20)) /* below the monitor's other memory: places.c */
#define NOT_COVERED __attribute__((no_sanitize_coverage))

int km_main(int argc, char **argv, char **envp);
void __sanitizer_cov_trace_pc(void);

static uint8_t nowhere[MAP_SIZE];
static uint8_t *map = nowhere;
static uintptr_t before;

/* GCC's -fsanitize-coverage=trace-pc calls it in each basic block. */
NOT_COVERED void __sanitizer_cov_trace_pc(void)
{
    uintptr_t here = (uintptr_t)__builtin_return_address(0);

    here = here * 0x9e3779b97f4a7c15UL >> 40; /* spread over the map; Knuth 6.4 */
    map[(here ^ before) % MAP_SIZE]++;
    before = here >> 1;
}

NOT_COVERED int main(int argc, char **argv, char **envp)
{
    const char *id = getenv("__AFL_SHM_ID");

    if (id && shmat((int)strtol(id, NULL, 10), (void *)MAP_HVA, 0) == (void *)MAP_HVA) {
        map = (uint8_t *)MAP_HVA;
        map[0] = 1;
    }
    return km_main(argc, argv, envp);
}
