// SPDX-License-Identifier: Apache-2.0
/* Makes threads while other threads map and unmap memory: each finds its own as it left it. */
#include "payload.h"

#include <pthread.h>
#include <sys/mman.h>

#define MAPPERS 4
#define ROUNDS 15

static int stop;

static void *map_and_unmap(void *argument)
{
    uint64_t seed = (uint64_t)argument, wrong = 0;

    while (!__atomic_load_n(&stop, __ATOMIC_RELAXED)) {
        size_t size = ((seed = seed * 6364136223846793005 + 1) >> 40) % 40 * PAGE + PAGE;
        uint64_t *memory = mmap(NULL, size, PROT_READ | PROT_WRITE,
                                MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

        for (size_t at = 0; at < size / 8; at += PAGE / 8) {
            memory[at] = seed + at;
        }
        for (size_t at = 0; at < size / 8; at += PAGE / 8) {
            wrong += memory[at] != seed + at;
        }
        CHECK(munmap(memory, size) == 0);
    }
    return (void *)wrong;
}

static void *fill_stack(void *argument)
{
    volatile uint64_t words[2000];
    uint64_t wrong = 0;

    for (size_t i = 0; i < LEN(words); i++) {
        words[i] = (uint64_t)argument + i;
    }
    for (size_t i = 0; i < LEN(words); i++) {
        wrong += words[i] != (uint64_t)argument + i;
    }
    return (void *)wrong;
}

int main(void)
{
    pthread_t mappers[MAPPERS], threads[40];
    void *wrong, *all = NULL;

    for (size_t i = 0; i < LEN(mappers); i++) {
        CHECK(pthread_create(&mappers[i], NULL, map_and_unmap, (void *)(i + 1)) == 0);
    }
    for (size_t round = 0; round < ROUNDS; round++) {
        size_t count = round % LEN(threads) + 1;

        for (size_t i = 0; i < count; i++) {
            CHECK(pthread_create(&threads[i], NULL, fill_stack, (void *)(round << 20 | i)) == 0);
        }
        for (size_t i = 0; i < count; i++) {
            CHECK(pthread_join(threads[i], &wrong) == 0 && !wrong);
        }
    }
    stop = 1;
    for (size_t i = 0; i < LEN(mappers); i++) {
        CHECK(pthread_join(mappers[i], &wrong) == 0);
        all = wrong ? wrong : all;
    }
    SHOW(all == NULL);
    return 0;
}
