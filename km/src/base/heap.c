// SPDX-License-Identifier: Apache-2.0
/*
 * heap.c: malloc(3) and similar functions, for the few functions of the C library that need them:
 * each block in pages of its own.
 *
 * musl's own would begin at the break of the process, which is among the payload's memory: stack.c
 * says that the payload's break is the process's.
 */
#include "base/base.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

struct block {
    uint64_t size; /* of all, in whole pages */
    uint64_t unused;
    char bytes[];
};

static uint64_t size_for(size_t size)
{
    return ROUND_UP(sizeof(struct block) + size, PAGE_SIZE);
}

static struct block *block_of(void *bytes)
{
    return (struct block *)((char *)bytes - offsetof(struct block, bytes));
}

static void *use(void *mapped, uint64_t size)
{
    struct block *block = mapped;

    if (mapped == MAP_FAILED) {
        errno = ENOMEM;
        return NULL;
    }
    block->size = size;
    return block->bytes;
}

void *malloc(size_t size)
{
    uint64_t all = size_for(size);

    if (size > PTRDIFF_MAX) {
        errno = ENOMEM;
        return NULL;
    }
    return use(mmap(NULL, all, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), all);
}

void free(void *bytes)
{
    int error = errno;

    if (bytes) {
        (void)munmap(block_of(bytes), block_of(bytes)->size);
    }
    errno = error;
}

void *calloc(size_t count, size_t size)
{
    size_t all;

    return malloc(__builtin_mul_overflow(count, size, &all) ? SIZE_MAX : all); /* zero already */
}

void *realloc(void *bytes, size_t size)
{
    uint64_t all = size_for(size);

    if (!bytes || size > PTRDIFF_MAX) {
        return malloc(size);
    }
    return use(mremap(block_of(bytes), block_of(bytes)->size, all, MREMAP_MAYMOVE), all);
}
