// SPDX-License-Identifier: Apache-2.0
/* Tries to map, unmap, change and move memory where the monitor is: all is refused. */
#include "payload.h"

#include <sys/mman.h>
#include <sys/syscall.h>

#define RIGHTS (PROT_READ | PROT_WRITE)
#define FIXED (MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED)

static void try_place(uint64_t place, uint64_t size)
{
    static char *own;
    void *p = (void *)place;
    unsigned char present[16];

    own = own ? own : mmap(NULL, HUGE, RIGHTS, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(mmap(p, size, RIGHTS, FIXED, -1, 0) == MAP_FAILED);
    CHECK(mmap(p, size, RIGHTS, FIXED | MAP_FIXED_NOREPLACE, -1, 0) == MAP_FAILED);
    CHECK(munmap(p, size) == -1);
    CHECK(mprotect(p, size, PROT_NONE) == -1);
    CHECK(mprotect(p, size, RIGHTS) == -1);
    CHECK(madvise(p, size, MADV_DONTNEED) == -1);
    CHECK(madvise(p, size, MADV_REMOVE) == -1);
    CHECK(madvise(p, size, MADV_DONTFORK) == -1);
    CHECK(mremap(p, PAGE, PAGE, MREMAP_MAYMOVE) == MAP_FAILED);
    CHECK(mremap(p, PAGE, 2 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, own) == MAP_FAILED);
    CHECK(mremap(own, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, p) == MAP_FAILED);
    CHECK(mremap(p, 0, PAGE, MREMAP_MAYMOVE) == MAP_FAILED);
    CHECK(msync(p, PAGE, MS_INVALIDATE) == -1);
    CHECK(mlock(p, PAGE) == -1);
    CHECK(munlock(p, PAGE) == -1);
    CHECK(mincore(p, PAGE, present) == -1);
    CHECK(mincore(own, PAGE, p) == -1);
    CHECK(syscall(SYS_brk, place) != (long)place);
    CHECK(syscall(SYS_shmat, 0, p, 0) == -1);
    CHECK(getpid() > 0);
}

int main(void)
{
    static const uint64_t places[] = {0x7d0000000000, 0x7d1000000000, 0x7d2000000000,
                                      0x7d3000000000, 0x7e0000000000, 0x7e0000010000,
                                      0x700000000000, 0x7ffffff00000};

    for (size_t i = 0; i < LEN(places); i++) {
        CHECK((uint64_t)mmap((void *)places[i], PAGE, RIGHTS, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) <
              0x6fff00000000);
        try_place(places[i], PAGE);
        try_place(places[i], 1UL << 36);
    }
    /* what begins among the payload's own, or goes round */
    CHECK(mmap((void *)(0x6fff00000000 - PAGE), 2 * PAGE, RIGHTS, FIXED, -1, 0) == MAP_FAILED);
    CHECK(munmap((void *)(0x6fff00000000 - PAGE), 1UL << 44) == -1);
    CHECK(munmap((void *)0x10000, ~0UL - 0x10000 + 1) == -1);
    CHECK(munmap((void *)0x10000, 0x7fffffff0000 - 0x10000) == -1);
    CHECK(mprotect((void *)0x10000, 0x7fffffff0000 - 0x10000, PROT_NONE) == -1);
    return 0;
}
