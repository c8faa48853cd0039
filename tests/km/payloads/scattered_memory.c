// SPDX-License-Identifier: Apache-2.0
/* Uses a page here and a page there of more memory than some CPUs could have. */
#include "payload.h"

#include <sys/mman.h>

#define PAGES 1500UL
#define APART (96UL << 20)

int main(void)
{
    char *much = mmap(NULL, PAGES * APART, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    unsigned long sum = 0;

    CHECK(much != MAP_FAILED && !madvise(much, PAGES * APART, MADV_NOHUGEPAGE));
    for (unsigned long i = 0; i < PAGES; i++) {
        much[i * APART] = (char)(i % 100);
    }
    for (unsigned long i = 0; i < PAGES; i++) {
        sum += (unsigned char)much[i * APART];
    }
    SHOW(sum);
    return 0;
}
