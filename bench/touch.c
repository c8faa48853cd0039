// SPDX-License-Identifier: Apache-2.0
/*
 * touch.c: `touch MIB small|huge|heap` touches each page of so much fresh memory for the first time
 * and prints the nanoseconds of one page of 4 KiB: with huge pages forbidden, or allowed as the
 * host has it, or as pieces of 256 KiB, which a program's heap grows by.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#define PAGE 4096UL
#define PIECE (256UL << 10)

static char *map(size_t size)
{
    char *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (memory == MAP_FAILED) {
        perror("touch: mmap");
        exit(1);
    }
    return memory;
}

static void touch(volatile char *memory, size_t size)
{
    for (size_t at = 0; at < size; at += PAGE) {
        memory[at] = 1;
    }
}

int main(int argc, char **argv)
{
    size_t mib = argc == 3 ? strtoul(argv[1], NULL, 10) : 0, size = mib << 20;
    struct timespec start, end;

    if (mib == 0 || mib > 1UL << 20) {
        (void)fprintf(stderr, "usage: touch MIB small|huge|heap\n");
        return 2;
    }
    clock_gettime(CLOCK_MONOTONIC, &start);
    if (strcmp(argv[2], "heap") == 0) {
        for (size_t at = 0; at < size; at += PIECE) {
            touch(map(PIECE), PIECE);
        }
    } else {
        char *memory = map(size);

        if (strcmp(argv[2], "small") == 0) {
            (void)madvise(memory, size, MADV_NOHUGEPAGE);
        }
        touch(memory, size);
    }
    clock_gettime(CLOCK_MONOTONIC, &end);
    printf("%.0f\n",
           ((double)(end.tv_sec - start.tv_sec) * 1e9 + (double)(end.tv_nsec - start.tv_nsec)) /
               ((double)size / (double)PAGE));
    return 0;
}
