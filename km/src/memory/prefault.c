// SPDX-License-Identifier: Apache-2.0
/*
 * prefault.c: have the host's pages present before the guest touches them.
 *
 * A guest's touch that finds no page of the host costs several times one that does, and the host
 * brings many at once for little (docs/explanation/performance.md). So what is small, or is used in
 * all likelihood, is brought when it is mapped. Failure costs only time: the touch will tell.
 */
#include "base/base.h"
#include "memory/memory.h"

#include <sys/mman.h>

#ifndef MADV_POPULATE_WRITE /* Linux 5.14; unknown to older ones, which refuse it */
#define MADV_POPULATE_WRITE 23
#endif

#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ 22
#endif

#define WRITTEN_MAX (1UL << 20) /* of memory that is new: heaps and buffers */
#define FILE_MAX (4UL << 20)    /* of a file */
#define DENSE_PAGES 448         /* of the 512 of a huge page: its neighbour will be used as well */
#define FAULT_AROUND (64UL << 10) /* what the host maps of a cached file at one touch */

void prefault(uint64_t addr, uint64_t len, int prot, int flags)
{
    char byte;

    if (!(flags & MAP_ANONYMOUS)) { /* only read: a copy would not follow the file */
        for (uint64_t at = 0; prot && at < len && at < FILE_MAX; at += FAULT_AROUND) {
            (void)guest_read(&byte, addr + at, 1);
        }
    } else if (prot & PROT_WRITE && len <= WRITTEN_MAX && flags & MAP_PRIVATE &&
               !(flags & MAP_NORESERVE)) {
        (void)madvise((void *)addr, len, MADV_POPULATE_WRITE);
    }
}

void prefault_next(uint64_t addr, uint64_t len)
{
    unsigned char present[HUGE_SIZE / PAGE_SIZE];
    unsigned count = 0;

    if (mincore((void *)(addr - HUGE_SIZE), HUGE_SIZE, present) < 0) {
        return;
    }
    for (size_t i = 0; i < sizeof(present); i++) {
        count += present[i] & 1;
    }
    if (count >= DENSE_PAGES) {
        (void)madvise((void *)addr, len, MADV_POPULATE_WRITE);
    }
}

void prefault_piece(uint64_t addr, uint64_t len, int prot)
{
    if (prot && !(prot & PROT_WRITE)) {
        (void)madvise((void *)addr, len, MADV_POPULATE_READ);
    }
}
