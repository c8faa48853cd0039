// SPDX-License-Identifier: Apache-2.0
/* Asks for mappings that cannot be. */
#include "payload.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/syscall.h>

static long map(void *at, size_t len, int prot, int flags, int fd, long offset)
{
    long result = syscall(SYS_mmap, at, len, prot, flags, fd, offset);

    return result == -1 ? -1 : 0;
}

int main(void)
{
    int dir = open(".", O_RDONLY), pipe_ends[2], writer = open("file", O_WRONLY | O_CREAT, 0600);
    int flags = MAP_PRIVATE | MAP_ANONYMOUS;
    char *p = mmap(NULL, 4 * PAGE, PROT_READ, flags, -1, 0);

    SHOW(pipe(pipe_ends));
    SHOW(map(NULL, 0, PROT_READ, flags, -1, 0));
    SHOW(map(NULL, 1UL << 62, PROT_READ, flags, -1, 0));
    SHOW(map(NULL, ~0UL, PROT_READ, flags, -1, 0));
    SHOW(map(NULL, PAGE, PROT_READ, MAP_ANONYMOUS, -1, 0));
    SHOW(map(NULL, PAGE, PROT_READ, MAP_PRIVATE, -1, 0));
    SHOW(map(NULL, PAGE, PROT_READ, MAP_PRIVATE, 99, 0));
    SHOW(map(NULL, PAGE, PROT_READ, MAP_PRIVATE, dir, 0));
    SHOW(map(NULL, PAGE, PROT_READ, MAP_PRIVATE, pipe_ends[0], 0));
    SHOW(map(NULL, PAGE, PROT_READ, MAP_PRIVATE, writer, 0));
    SHOW(map(NULL, PAGE, PROT_READ, MAP_PRIVATE, writer, 7));
    SHOW(map((void *)(1UL << 62), PAGE, PROT_READ, flags, -1, 0));
    SHOW(map((void *)(1UL << 62), PAGE, PROT_READ, flags | MAP_FIXED, -1, 0));
    SHOW(map((void *)~0xfffUL, PAGE, PROT_READ, flags | MAP_FIXED, -1, 0));
    SHOW(munmap(p + 1, PAGE));
    SHOW(munmap(p, 0));
    SHOW(munmap((void *)(1UL << 62), PAGE));
    SHOW(munmap(p, ~0UL));
    SHOW(mprotect((void *)(1UL << 62), PAGE, PROT_READ));
    SHOW(mprotect(p, 1UL << 62, PROT_READ));
    SHOW(mprotect((void *)0x345678000, PAGE, PROT_READ));
    SHOW(madvise(p + 1, PAGE, MADV_NORMAL));
    SHOW(madvise(p, PAGE, 9999));
    SHOW(madvise((void *)0x345678000, PAGE, MADV_DONTNEED));
    SHOW(msync((void *)0x345678000, PAGE, MS_ASYNC));
    SHOW(msync(p + 1, PAGE, MS_ASYNC));
    SHOW(mincore((void *)0x345678000, PAGE, (unsigned char *)&dir));
    return 0;
}
