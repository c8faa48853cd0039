// SPDX-License-Identifier: Apache-2.0
/*
 * places.c: where the monitor's own memory is: at random, so that an attacker who can write a byte
 * somewhere does not know where it is.
 *
 * Each kind has 64 GiB to itself, for it to lie anywhere in; the kinds lie in one block of 512 GiB,
 * which one table of the host's page tables covers. Where the host's kernel puts the rest (the
 * program, the first thread's stack, the vDSO) is its own choice, far above.
 */
#include "base/base.h"

#include <string.h>
#include <sys/auxv.h>
#include <sys/random.h>

#define BLOCK (512UL << 30)
#define LOW 0x708000000000UL /* a multiple of BLOCK above GUEST_TOP's guard */
#define HIGH 0x7d8000000000UL
#define ROOM (64UL << 30)

struct places places;

/* Whether something of the kernel's choice is in the block, or may come to be: it grows downward.
 */
static bool is_taken(uint64_t block)
{
    const uint64_t there[] = {(uint64_t)&places, (uint64_t)&block, getauxval(AT_SYSINFO_EHDR)};

    for (size_t i = 0; i < ARRAY_LEN(there); i++) {
        if (there[i] >= block && there[i] < block + BLOCK + ROOM) {
            return true;
        }
    }
    return false;
}

void places_choose(void)
{
    static const struct {
        size_t at;
        uint64_t size;
    } kinds[] = {
        {offsetof(struct places, system), 1UL << 30}, {offsetof(struct places, vmas), 1UL << 30},
        {offsetof(struct places, runs), 1UL << 30},   {offsetof(struct places, scratch), 1UL << 30},
        {offsetof(struct places, vcpus), 1UL << 30},  {offsetof(struct places, stacks), 2UL << 30},
        {offsetof(struct places, exec), 33UL << 30},
    };
    uint64_t random[ARRAY_LEN(kinds) + 1] = {0}, block, place;

    do {
        (void)getrandom(random, sizeof(random), 0);
        block = LOW + random[0] % ((HIGH - LOW) / BLOCK) * BLOCK;
    } while (is_taken(block));
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        uint64_t free = (ROOM - kinds[i].size) / PAGE_SIZE;

        place = block + i * ROOM + random[i + 1] % free * PAGE_SIZE;
        memcpy((char *)&places + kinds[i].at, &place, sizeof(place));
    }
}
