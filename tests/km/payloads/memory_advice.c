// SPDX-License-Identifier: Apache-2.0
/* Gives memory back that stays mapped, asks what is present, and locks some. */
#include "payload.h"

#include <sys/mman.h>

int main(void)
{
    size_t size = 2 * HUGE;
    char *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    unsigned char present[8];

    memset(p, 'm', size);
    SHOW(mincore(p, 8 * PAGE, present));
    SHOW(present[0] & present[7] & 1);
    SHOW(madvise(p + PAGE, 2 * PAGE, MADV_DONTNEED));
    SHOW(p[0] * 1000 + p[PAGE]);
    SHOW(p[3 * PAGE - 1] * 1000 + p[3 * PAGE]);
    p[PAGE] = 'n';
    SHOW(p[PAGE]);
    SHOW(madvise(p, size, MADV_DONTNEED));
    SHOW(p[0] + p[size - 1]);
    memset(p, 'o', size);
    SHOW(p[0] + p[size - 1]);
    SHOW(madvise(p, PAGE, MADV_FREE));
    p[0] = 'f';
    SHOW(p[0]);
    SHOW(madvise(p, size, MADV_WILLNEED));
    SHOW(madvise(p, HUGE, MADV_NOHUGEPAGE));
    SHOW(p[0] + p[size - 1]);
    SHOW(mlock(p, PAGE));
    SHOW(munlock(p, PAGE));
    SHOW(munmap(p, size));
    return 0;
}
