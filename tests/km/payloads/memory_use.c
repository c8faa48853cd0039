// SPDX-License-Identifier: Apache-2.0
/*
 * Uses memory as programs do, prints a line, and waits for its input to end: threads that have
 * large stacks, a page here and there of a file, a thread's heap of which little is used, small
 * mappings all over, memory that is given back.
 */
#include <fcntl.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define MIB (1UL << 20)
#define ALL_OVER 0x100000000000
#define THREADS 8

static char *map_at(uint64_t hint, size_t size, int prot, int flags, int fd)
{
    char *memory = mmap((void *)hint, size, prot, MAP_PRIVATE | flags, fd, 0);

    if (memory == MAP_FAILED) {
        perror("memory_use: mmap");
        exit(1);
    }
    return memory;
}

static char *map(size_t size, int prot, int flags, int fd)
{
    return map_at(0, size, prot, flags, fd);
}

static void wait_for_end(void)
{
    char byte;

    while (read(0, &byte, 1) > 0) {
    }
}

static void *wait_in_thread(void *nothing)
{
    pause();
    return nothing;
}

static void use_stacks(void)
{
    pthread_attr_t large;
    pthread_t thread;

    pthread_attr_init(&large);
    pthread_attr_setstacksize(&large, 8 * MIB);
    for (int i = 0; i < THREADS; i++) {
        if (i == THREADS / 2) { /* as Java's: all of it from the start on */
            pthread_attr_setstacksize(&large, MIB);
            pthread_attr_setguardsize(&large, 0);
        }
        if (pthread_create(&thread, &large, wait_in_thread, NULL) != 0) {
            exit(1);
        }
    }
}

static void use_file(const char *path)
{
    int fd = open(path, O_RDONLY);
    volatile char *memory = map(16 * MIB, PROT_READ, 0, fd);

    for (size_t at = 0; at < 16 * MIB; at += 4 * MIB) {
        (void)memory[at];
    }
}

static void use_heaps(void)
{
    for (int i = 0; i < THREADS; i++) {
        char *heap = map(64 * MIB, PROT_NONE, MAP_ANONYMOUS | MAP_NORESERVE, -1);

        if (mprotect(heap, 256 << 10, PROT_READ | PROT_WRITE) < 0) {
            exit(1);
        }
        heap[0] = 1;
    }
}

static void use_lone(void)
{
    for (uint64_t i = 0; i < 100; i++) {
        size_t size = 16 << 10;

        memset(map_at(ALL_OVER + (i << 30), size, PROT_READ | PROT_WRITE, MAP_ANONYMOUS, -1), 1,
               size);
    }
}

static void give_back(void)
{
    char *memory = map(64 * MIB, PROT_READ | PROT_WRITE, MAP_ANONYMOUS, -1);

    memset(memory, 1, 64 * MIB);
    if (madvise(memory, 64 * MIB, MADV_DONTNEED) < 0) {
        exit(1);
    }
}

int main(int argc, char **argv)
{
    if (argc == 3 && strcmp(argv[1], "file") == 0) {
        use_file(argv[2]);
    } else if (argc == 2 && strcmp(argv[1], "stacks") == 0) {
        use_stacks();
    } else if (argc == 2 && strcmp(argv[1], "heaps") == 0) {
        use_heaps();
    } else if (argc == 2 && strcmp(argv[1], "lone") == 0) {
        use_lone();
    } else if (argc == 2 && strcmp(argv[1], "freed") == 0) {
        give_back();
    } else {
        return 2;
    }
    puts("ready");
    (void)fflush(stdout);
    wait_for_end();
    return 0;
}
