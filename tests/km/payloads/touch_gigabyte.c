// SPDX-License-Identifier: Apache-2.0
/* Writes to every page of a gigabyte, then reads all of them. */
#include "payload.h"

#include <sys/mman.h>

int main(void)
{
    size_t size = 1UL << 30;
    char *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    uint64_t sum = 0;

    for (size_t i = 0; i < size; i += PAGE) {
        *(uint64_t *)(p + i) = i;
    }
    for (size_t i = 0; i < size; i += PAGE) {
        sum = sum * 31 + *(uint64_t *)(p + i);
    }
    SHOW(sum);
    return 0;
}
